"""What do the first weights do to the signal, forward and backward, in the full-size nets A and D?

    python -m experiments.initialization_signal        about a quarter of an hour on one core that has nothing else to do, 3 GB

One forward and backward pass for every scheme, each with fresh weights, images and labels a seed. The images are smooth:
a grid of standard normal numbers a channel, scaled up bicubically to 224x224 pixels and then to a root mean square of 65
(pixel values with their mean subtracted) or of 1 (unit scale). How smooth they are matters by a factor of two or three
(max-pooling strengthens a signal whose neighbors differ, and nothing else does), so the grid varies with the seed, from 7x7
to 112x112, and the spread covers it. Then the one training run that the paper's literal initialization survives: a few steps
of net A, until the loss is not a number. Writes book/results/initialization_signal.json.

Strengths range over twenty powers of ten, so a mean is a geometric mean and its spread a factor: of ``n`` values with
``mean`` and ``factor``, the usual two thirds lie between ``mean / factor`` and ``mean * factor``.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from experiments.provenance import provenance, write
from vgg_course import paper
from vgg_course.initialization import Signal, initialize, signal
from vgg_course.model import VGG, vgg

LETTERS = ("A", "D")
SCHEMES = ("paper", "std-0.01", "glorot", "he", "torchvision", "torch")  # those that are random everywhere
SCALES = {"pixel": 65.0, "unit": 1.0}
SEEDS = tuple(range(10))
GRIDS = (7, 14, 28, 56, 112)  # the seeds take them in turn
BATCH = 2
TRAINING_SEEDS, TRAINING_BATCH, MOST_STEPS = (0, 1, 2), 4, 5


def smooth_images(count: int, grid: int, generator: torch.Generator, size: int = 224) -> Tensor:
    """Images ``(count, 3, size, size)`` without sharp edges, with mean about 0 and a root mean square of exactly 1."""
    coarse = torch.randn(count, 3, grid, grid, generator=generator)
    images = functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)
    return images / images.square().mean().sqrt()


def batch(count: int, seed: int, classes: int = 1000) -> tuple[Tensor, Tensor]:
    """Smooth images and random labels."""
    generator = torch.Generator().manual_seed(1000 + seed)
    images = smooth_images(count, GRIDS[seed % len(GRIDS)], generator)
    return images, torch.randint(classes, (count,), generator=generator)


def spread(values: Sequence[float]) -> dict:
    """Geometric mean, spread as a factor, and the values themselves, to four digits."""
    logarithms = [math.log10(value) for value in values]
    return {
        "n": len(values),
        "mean": digits(10 ** statistics.mean(logarithms)),
        "factor": digits(10 ** statistics.stdev(logarithms)),
        "values": [digits(value) for value in values],
    }


def digits(value: float) -> float:
    """To four significant digits, so that the file stays small."""
    return float(f"{value:.4g}")


def gathered(signals: Sequence[Signal]) -> dict:
    """The spread over seeds of the loss, the logits, and every layer's signal."""
    first = signals[0].layers[0].name
    layers = {}
    for name in [layer.name for layer in signals[0]]:
        layers[name] = {}
        for part in ("output", "gradient", "relative_gradient"):
            found = spread([getattr(one[name], part) for one in signals])
            layers[name][part] = {"mean": found["mean"], "factor": found["factor"]}
    return {
        "loss": spread([one.loss for one in signals]),
        "logits": spread([one.logits for one in signals]),
        "relative_gradient": spread([one[first].relative_gradient for one in signals]),  # of conv1_1
        "layers": layers,
    }


def passes(model: VGG, schemes: Sequence[str], suffix: str = "") -> dict[str, dict]:
    """For every scale and scheme: the spread of the signal over the seeds. One drawing of weights serves both scales."""
    signals = {scale: {scheme + suffix: [] for scheme in schemes} for scale in SCALES}
    for scheme in schemes:
        for seed in SEEDS:
            initialize(model, scheme, torch.Generator().manual_seed(seed))
            images, labels = batch(BATCH, seed)
            for scale, factor in SCALES.items():
                signals[scale][scheme + suffix].append(signal(model, factor * images, labels))
        for scale in SCALES:
            last = signals[scale][scheme + suffix][-1]
            print(
                f"{model.configuration.name} {scheme + suffix:12} {scale:6} logits {last.logits:.2e} loss {last.loss:.3e} "
                f"relative gradient {last['conv1_1'].relative_gradient:.2e}",
                flush=True,
            )
    return {
        scale: {scheme: gathered(found) for scheme, found in by_scheme.items()} for scale, by_scheme in signals.items()
    }


def literal_training(model: VGG, scale: float, seed: int) -> list[float | None]:
    """The loss at every step, with the paper's learning rate and momentum; None where it is not a number, and the end."""
    initialize(model, "paper", torch.Generator().manual_seed(seed))
    images, labels = batch(TRAINING_BATCH, seed)
    rate, momentum = paper.TRAINING["learning_rate"], paper.TRAINING["momentum"]
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
    torch.manual_seed(seed)  # dropout, as in the paper
    model.train()
    losses: list[float | None] = []
    for _ in range(MOST_STEPS):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(scale * images), labels)
        losses.append(digits(loss.item()) if math.isfinite(loss.item()) else None)
        if losses[-1] is None:
            break
        loss.backward()
        optimizer.step()
    model.zero_grad()
    return losses


def main() -> None:
    torch.set_num_threads(1)
    began = time.perf_counter()
    nets: dict[str, dict] = {letter: {scale: {} for scale in SCALES} for letter in LETTERS}
    training: dict[str, list] = {}
    for letter in LETTERS:
        for batch_norm in (False, True):
            model = vgg(letter, batch_norm=batch_norm, initialization="std-0.01")
            found = passes(model, ["he"] if batch_norm else SCHEMES, "_bn" if batch_norm else "")
            for scale in SCALES:
                nets[letter][scale] |= found[scale]
            if letter == "A" and not batch_norm:
                for scale, factor in SCALES.items():
                    training[scale] = [literal_training(model, factor, seed) for seed in TRAINING_SEEDS]
                    print(f"literal training, {scale}: {training[scale]}", flush=True)
            del model
    result = {
        **provenance("python -m experiments.initialization_signal"),
        "seconds": round(time.perf_counter() - began),
        "what": "one forward and backward pass: strength of the signal by layer, for every scheme",
        "seeds": list(SEEDS),
        "batch": BATCH,
        "images": "grids of normal numbers a channel, scaled up bicubically to 224x224; root mean square by scale",
        "grids": [GRIDS[seed % len(GRIDS)] for seed in SEEDS],
        "scales": SCALES,
        "mode": "dropout off; he_bn is He with batch norm, on the statistics of the batch",
        "means": "geometric; factor is ten to the sample standard deviation of the decimal logarithm",
        "nets": nets,
        "literal_training": {
            "what": "net A, scheme paper: the loss at every step until it is not a number (null)",
            "seeds": list(TRAINING_SEEDS),
            "batch": TRAINING_BATCH,
            "learning_rate": paper.TRAINING["learning_rate"],
            "momentum": paper.TRAINING["momentum"],
            "dropout": paper.TRAINING["dropout"],
            "losses": training,
        },
    }
    print(write("initialization_signal", result))


if __name__ == "__main__":
    main()
