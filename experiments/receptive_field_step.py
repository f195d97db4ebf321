"""Can a network tell whether two marks are alike that do not fit into its receptive field together?

    python -m experiments.receptive_field_step        about ten minutes on one core

Stacks of 3x3 convolutions with batch norm and ReLU, a global average and one linear layer learn the task of
:func:`vgg_course.synthetic.two_marks`. One more convolution widens the receptive field by two pixels; nothing else
changes. The control is as deep as the deepest of them, but its further convolutions are 1x1: depth without view. Writes
book/results/receptive_field_step.json.
"""

from __future__ import annotations

import time
from dataclasses import asdict

import torch
from torch import nn

from experiments.provenance import provenance, summary, write
from vgg_course.data import Dataset, Split
from vgg_course.synthetic import two_marks
from vgg_course.training import Recipe, evaluate, fit

DISTANCES = (4, 8)
SIZES = (3, 5, 7, 9, 11, 13)
SEEDS = (0, 1, 2, 3, 4)
TRAIN, TEST, WIDTH = 800, 400, 8
RECIPE = Recipe(epochs=20, batch_size=50, shift=0, flip=False, label_smoothing=0.0, weight_decay=0.0)


def network(kernels: list[int], seed: int) -> nn.Sequential:
    """Convolutions with these kernels, each with batch norm and ReLU; then the average over the grid decides."""
    torch.manual_seed(seed)
    layers, channels = [], 1
    for kernel in kernels:
        conv = nn.Conv2d(channels, WIDTH, kernel, padding=kernel // 2, bias=False)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers += [conv, nn.BatchNorm2d(WIDTH), nn.ReLU()]
        channels = WIDTH
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, 2))


def dataset(distance: int, seed: int) -> Dataset:
    """The task, cut where no layout is on both sides."""
    task = two_marks(TRAIN + TEST, distance, seed)
    train, test = (Split(task.images[part], task.labels[part]) for part in (slice(TRAIN), slice(TRAIN, None)))
    return Dataset(train, Split(test.images[:0], test.labels[:0]), test, ("different", "alike"), repr(task), True)


def run(kernels: list[int], distance: int) -> dict:
    """Train once a seed, and look at the test images once."""
    accuracies, losses = [], []
    for seed in SEEDS:
        data, model = dataset(distance, seed), network(kernels, seed)
        fit(model, data, RECIPE, seed=seed, precision="float32")
        result = evaluate(model, data, data.test)
        accuracies.append(result.accuracy)
        losses.append(result.loss)
    size = 1 + sum(kernel - 1 for kernel in kernels)
    print(f"distance {distance}, {len(kernels)} layers, size {size}: {accuracies}", flush=True)
    return {"size": size, "layers": len(kernels), "accuracy": summary(accuracies), "loss": summary(losses)}


def main() -> None:
    torch.set_num_threads(1)
    began, deepest = time.perf_counter(), SIZES[-1] // 2
    distances = {}
    for distance in DISTANCES:
        runs = [run([3] * (size // 2), distance) for size in SIZES]
        blind = (distance - 1) // 2  # the most 3x3 convolutions that do not cover both marks
        control = run([3] * blind + [1] * (deepest - blind), distance)
        distances[str(distance)] = {"needed": distance + 1, "runs": runs, "control": control}
    result = {
        **provenance("python -m experiments.receptive_field_step"),
        "seconds": round(time.perf_counter() - began),
        "what": "test accuracy on two marks at a distance, against the receptive field before the global average",
        "seeds": list(SEEDS),
        "images": {"train": TRAIN, "test": TEST},
        "width": WIDTH,
        "recipe": asdict(RECIPE),
        "distances": distances,
    }
    print(write("receptive_field_step", result))


if __name__ == "__main__":
    main()
