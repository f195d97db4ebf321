"""Does a deep net learn when it starts from random weights, from a shallower net's, or from better random weights?

    python -m experiments.pretraining        about an hour on one core; it goes on where it was stopped

Section 3.1 of the paper in miniature: net A is trained from random weights; then net D starts from the first four
convolutions and the last three fully-connected layers of A, or from other beginnings, without batch norm and with the
paper's SGD (momentum 0.9, learning rate 0.01 held constant, weight decay 5e-4, dropout 0.5, mean-subtracted pixels from
0 to 255). The nets are an eighth as wide. A layer of weights from N(0, s squared), followed by a ReLU, multiplies
its signal by about s * sqrt(fan_in / 2), so the same 0.01 means less in a narrow net; we keep that product and widen s,
layer by layer, to 0.01 * sqrt(fan_in of the paper's net / fan_in of ours). Batches hold 64 images, not the paper's 256:
a small data set has few steps in an epoch (with 128, one net with layers from A began to learn in epoch 12 only).

Reduced CIFAR-10. The setting was chosen with other seeds, and everything is judged on the validation images; the test
images are not looked at. Two controls came after a look at the other runs: D_he_unit and D_random_no_decay. Writes
book/results/pretraining.json:

    layers[letter]          names of the layers with weights
    starts[start]           configuration, words, copied (layers that came from A), learned (how many seeds did)
      .accuracy, .learned_at, .seconds    over the seeds; accuracy on the validation images after the last epoch
      .runs[i]              one seed: first_loss (dropout on), and per epoch, beginning with the first,
                            train_loss, train_accuracy, validation_loss, validation_accuracy
        .learned_at         first epoch with a validation loss below 1 (chance is log 3 = 1.0986); null if none
        .stopped_at_step    step with the first loss that is not finite; null if none
        .before, .after     by layer: signal (rms of what a layer puts out, before its ReLU), gradient (norm of the
                            loss's gradient for its weights) and relative_gradient (the same, over the norm of the weights)
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course.augmentation import random_flip
from vgg_course.configuration import CONFIGURATIONS, Conv, Layer, MaxPool
from vgg_course.data import Dataset
from vgg_course.initialization import copy_shallow
from vgg_course.model import VGG, vgg

WIDTH, EPOCHS, BATCH, PROBED = 1 / 8, 12, 64, 600
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY, DROPOUT = 0.01, 0.9, 5e-4, 0.5
DEVIATION, LITERAL = 0.01, sqrt(0.01)
LEARNED = 1.0  # nats
SEEDS = (11, 12, 13, 14, 15)
DONE = Path(__file__).resolve().parents[1] / "build" / "pretraining"  # one file a finished run


@dataclass(frozen=True)
class Start:
    """Where a net begins. ``deviation`` is the paper's net's; None leaves the drawing to ``scheme``."""

    configuration: str
    words: str
    seeds: int = len(SEEDS)
    deviation: float | None = DEVIATION
    keeps_gain: bool = True
    scheme: str = "he"
    copied: tuple[str, ...] = ()  # kinds of layers
    unit: bool = False  # pixels over their deviation
    weight_decay: float = WEIGHT_DECAY


STARTS = {
    "A_random": Start("A", "A, deviation 0.01"),
    "D_random": Start("D", "D, deviation 0.01"),
    "D_copied": Start("D", "D, seven layers from the trained A, the rest as in D_random", copied=("conv", "fc")),
    "D_glorot": Start("D", "D, Glorot", deviation=None, scheme="glorot"),
    "D_he": Start("D", "D, He", deviation=None, scheme="he"),
    "D_he_unit": Start("D", "D, He, pixels over their deviation", deviation=None, scheme="he", unit=True),
    "D_torch": Start("D", "D, torch's default", deviation=None, scheme="torch"),
    "A_literal": Start("A", "A, variance 0.01", deviation=LITERAL),
    "D_literal": Start("D", "D, variance 0.01", deviation=LITERAL),
    "D_copied_conv": Start("D", "D, only the four convolutions from the trained A", 3, copied=("conv",)),
    "D_copied_fc": Start("D", "D, only the three fully-connected layers from the trained A", 3, copied=("fc",)),
    "D_random_no_decay": Start("D", "D, deviation 0.01, no weight decay", 3, weight_decay=0.0),
    "A_narrow": Start("A", "A, deviation 0.01 in the narrow net", 3, keeps_gain=False),
}
CORE = ("A_random", "D_random", "D_copied", "D_glorot", "D_he", "D_torch", "A_literal", "D_literal")


# --- the nets ---


def begin(start: Start, seed: int, shallow: VGG | None = None) -> tuple[VGG, tuple[str, ...]]:
    """The net at step 0, and the names of the layers that came from ``shallow``."""
    generator = torch.Generator().manual_seed(seed)
    net = vgg(
        start.configuration,
        input_size=32,
        classes=3,
        width=WIDTH,
        dropout=DROPOUT,
        initialization=start.scheme,
        generator=generator,
    )
    if start.deviation is not None:
        draw(net, start, torch.Generator().manual_seed(seed))
    copied: tuple[str, ...] = ()
    if start.copied:
        kept = {name: layer.state_dict() for name, layer in _weighted(net).items()}
        kept = {name: {key: value.clone() for key, value in state.items()} for name, state in kept.items()}
        names = copy_shallow(shallow, net)
        copied = tuple(name for name in names if name.startswith(start.copied))
        for name in set(names) - set(copied):
            net.layers[name].load_state_dict(kept[name])
    return net.to(memory_format=torch.channels_last), copied


@torch.no_grad()
def draw(net: VGG, start: Start, generator: torch.Generator) -> None:
    """Normal weights, biases 0. One seed draws the same numbers whatever the deviation."""
    for name, layer in _weighted(net).items():
        wider = fan_in(CONFIGURATIONS[start.configuration][name]) / fan_in(net.configuration[name])
        deviation = start.deviation * (sqrt(wider) if start.keeps_gain else 1)
        layer.weight.normal_(0, deviation, generator=generator)
        layer.bias.zero_()


def fan_in(layer: Layer) -> int:
    """How many products one output of the layer adds up."""
    if isinstance(layer.spec, Conv):
        return layer.spec.kernel**2 * layer.input_shape[0]
    return prod(layer.input_shape)


def _weighted(net: VGG) -> dict[str, nn.Module]:
    return {layer.name: net.layers[layer.name] for layer in net.configuration if not isinstance(layer.spec, MaxPool)}


# --- training ---


def run(start: Start, seed: int, data: Dataset, shallow: VGG | None = None) -> tuple[dict, VGG]:
    """Train one net for EPOCHS epochs, or until its loss is no number."""
    net, copied = begin(start, seed, shallow)
    pixels = preprocessing(data, start.unit)
    probe = torch.Generator().manual_seed(0)
    probed = torch.randperm(len(data.train), generator=probe)[:PROBED]
    before = by_layer(net, pixels(data.train.images[probed]), data.train.labels[probed])
    generator = torch.Generator().manual_seed(1000 + seed)  # order and flips
    torch.manual_seed(2000 + seed)  # dropout
    sgd = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=start.weight_decay)
    kept: dict[str, list[float]] = {
        key: [] for key in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    }
    first_loss, stopped, step, began = None, None, 0, time.perf_counter()
    for _ in range(EPOCHS):
        net.train()
        losses, right, seen = 0.0, 0, 0
        for chosen in torch.randperm(len(data.train), generator=generator).split(BATCH):
            labels = data.train.labels[chosen]
            logits = net(pixels(random_flip(data.train.images[chosen], generator)))
            loss = functional.cross_entropy(logits, labels)
            value, step = loss.item(), step + 1
            if step == 1:
                first_loss = value
            if not math.isfinite(value):
                stopped = step
                break
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            losses, right, seen = losses + value * len(chosen), right + correct(logits, labels), seen + len(chosen)
        if stopped:
            break
        validation_loss, validation_accuracy = judge(net, pixels, data)
        for key, value in zip(kept, (losses / seen, right / seen, validation_loss, validation_accuracy), strict=True):
            kept[key].append(round(value, 5))
    learned = (epoch for epoch, loss in enumerate(kept["validation_loss"], start=1) if loss < LEARNED)
    result = {
        "seed": seed,
        "copied": list(copied),
        "first_loss": first_loss if math.isfinite(first_loss) else None,
        "stopped_at_step": stopped,
        "learned_at": next(learned, None),
        "seconds": round(time.perf_counter() - began, 1),
        **kept,
        "before": before,
        "after": None if stopped else by_layer(net, pixels(data.train.images[probed]), data.train.labels[probed]),
    }
    return result, net


def preprocessing(data: Dataset, unit: bool = False) -> Callable[[Tensor], Tensor]:
    """The paper's: the mean color off, and nothing else; pixels stay at the scale of 0 to 255. Or today's, if ``unit``."""
    mean = (255 * data.mean)[:, None, None]

    def pixels(images: Tensor) -> Tensor:
        images = data.normalize(images) if unit else images.float() - mean
        return images.contiguous(memory_format=torch.channels_last)

    return pixels


def correct(logits: Tensor, labels: Tensor) -> int:
    return int((logits.argmax(1) == labels).sum())


@torch.no_grad()
def judge(net: VGG, pixels: Callable[[Tensor], Tensor], data: Dataset) -> tuple[float, float]:
    """Loss and accuracy on the validation images, without dropout."""
    net.eval()
    logits = torch.cat([net(pixels(part)) for part in data.validation.images.split(500)])
    labels = data.validation.labels
    return functional.cross_entropy(logits.double(), labels).item(), correct(logits, labels) / len(labels)


def by_layer(net: VGG, images: Tensor, labels: Tensor) -> dict[str, list[float]]:
    """Signal and gradient of every layer with weights, for one batch, without dropout."""
    net.eval()
    layers, signals = _weighted(net), {}

    def hook(name: str) -> Callable:
        def keep(module, inputs, output):
            signals[name] = output.detach().double().square().mean().sqrt().item()

        return keep

    hooks = [layer.register_forward_hook(hook(name)) for name, layer in layers.items()]
    net.zero_grad()
    functional.cross_entropy(net(images), labels).backward()
    for handle in hooks:
        handle.remove()
    gradients = {name: layer.weight.grad.double().norm().item() for name, layer in layers.items()}
    weights = {name: layer.weight.detach().double().norm().item() for name, layer in layers.items()}
    net.zero_grad()
    return {
        "signal": [_short(signals[name]) for name in layers],
        "gradient": [_short(gradients[name]) for name in layers],
        "relative_gradient": [_short(gradients[name] / weights[name]) for name in layers],
    }


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


# --- all of it ---


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="write the result of the runs that are finished")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = photographs(validation_per_class=500)
    if not options.collect:
        for name, seed in order():
            finish(name, seed, data)
    print(write("pretraining", collect(data)))


def order() -> list[tuple[str, int]]:
    """Every start of one seed, then the next seed; the controls come last."""
    core = [(name, seed) for seed in SEEDS for name in CORE]
    return core + [(name, seed) for name in STARTS if name not in CORE for seed in SEEDS[: STARTS[name].seeds]]


def finish(name: str, seed: int, data: Dataset) -> None:
    """Do one run, unless it has been done; keep the weights of A, which the copies need."""

    def work() -> dict:
        start, shallow = STARTS[name], None
        if start.copied:
            shallow, _ = begin(STARTS["A_random"], seed)
            shallow.load_state_dict(torch.load(DONE / f"A_random-{seed}.pt", weights_only=True))
        result, net = run(start, seed, data, shallow)
        if name == "A_random":
            torch.save(net.state_dict(), DONE / f"A_random-{seed}.pt")
        return result

    DONE.mkdir(parents=True, exist_ok=True)
    result = once(DONE / f"{name}-{seed}.json", work)
    last = result["validation_accuracy"][-1:] or ["stopped at step", result["stopped_at_step"]]
    print(name, seed, "learned at", result["learned_at"], *last, f"{result['seconds']:.0f} s", flush=True)


def collect(data: Dataset) -> dict:
    """All finished runs, with what they have in common."""
    starts = {}
    for name, start in STARTS.items():
        paths = [DONE / f"{name}-{seed}.json" for seed in SEEDS[: start.seeds]]
        runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
        if not runs:
            continue
        copied = runs[0]["copied"]
        runs = [{key: value for key, value in r.items() if key != "copied"} for r in runs]
        ended = [r for r in runs if r["stopped_at_step"] is None]
        learned = [r["learned_at"] for r in ended if r["learned_at"] is not None]
        starts[name] = {
            "configuration": start.configuration,
            "words": start.words,
            "copied": copied,
            "learned": len(learned),
            "accuracy": summary([r["validation_accuracy"][-1] for r in ended]) if ended else None,
            "learned_at": summary(learned) if learned else None,
            "seconds": summary([r["seconds"] for r in runs]),
            "runs": runs,
        }
    nets = {letter: begin(STARTS[f"{letter}_random"], 0)[0] for letter in "AD"}
    return {
        **provenance("python -m experiments.pretraining"),
        "what": "validation accuracy and loss by epoch from different beginnings, without batch norm",
        "note": "other work ran on the machine: seconds say how long it took, not how fast a start is",
        "images": {"train": len(data.train), "validation": len(data.validation), "test": 0, "probed": PROBED},
        "seeds": list(SEEDS),
        "chance": {"accuracy": 1 / 3, "loss": math.log(3)},
        "learned_below": LEARNED,
        "setting": {
            "width": WIDTH,
            "epochs": EPOCHS,
            "batch_size": BATCH,
            "learning_rate": LEARNING_RATE,
            "momentum": MOMENTUM,
            "weight_decay": WEIGHT_DECAY,
            "dropout": DROPOUT,
            "steps": EPOCHS * math.ceil(len(data.train) / BATCH),
            "flip": True,
            "precision": "float32",
        },
        "layers": {letter: list(_weighted(net)) for letter, net in nets.items()},
        "deviation": {letter: deviations(net) for letter, net in nets.items()},
        "parameters": {letter: sum(p.numel() for p in net.parameters()) for letter, net in nets.items()},
        "starts": starts,
    }


def deviations(net: VGG) -> list[float]:
    """What 0.01 of the paper's net becomes in each layer of ours."""
    full = CONFIGURATIONS[net.configuration.name]
    return [_short(DEVIATION * sqrt(fan_in(full[n]) / fan_in(net.configuration[n]))) for n in _weighted(net)]


if __name__ == "__main__":
    main()
