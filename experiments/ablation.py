"""What is each part of the course's recipe worth, and how much accuracy does more time buy?

    python -m experiments.ablation           about an hour on one core; it goes on where it was stopped

The small net (``recipes.small_vgg``) is trained from the published recipe of benchmarks/baseline.py to the course's in
steps, each on top of the one before; then the course's recipe is trained without one of its parts; then it is trained for
fewer and for more epochs, and with the paper's schedule. Seeds are paired: a seed has the same order of images in all
runs of as many epochs. Everything is judged on 1,500 validation images after the last epoch; the test images are not
looked at.

Writes book/results/ablation.json:

    ladder, without, longer     by name, in order:
      .words, .epochs, .recipe  what was done
      .accuracy                 on the validation images: n, mean, spread, lowest, highest, values
      .difference               to the step below (ladder), to the whole recipe (without): mean and spread over the pairs
      .curves                   validation accuracy after every epoch, one list a seed
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch

from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course.augmentation import random_flip, random_shift
from vgg_course.data import Dataset, Split
from vgg_course.model import VGG
from vgg_course.recipes import QUICK, small_vgg
from vgg_course.training import Recipe, best_precision, fit

SEEDS = (31, 32, 33, 34, 35)
DONE = Path(__file__).resolve().parents[1] / "build" / "ablation"  # one file a finished run

SGD = replace(QUICK, optimizer="sgd")
PUBLISHED = replace(
    SGD, learning_rate=0.01, schedule="constant", nesterov=False, label_smoothing=0.0, shift=0, flip=False
)
FRESH = replace(PUBLISHED, shift=QUICK.shift, flip=True)
CYCLE = replace(FRESH, learning_rate=QUICK.learning_rate, schedule=QUICK.schedule, nesterov=True)
PLATEAU = replace(QUICK, epochs=12, schedule="plateau", patience=2)


@dataclass(frozen=True)
class Run:
    """One way to train the small net."""

    words: str
    recipe: Recipe
    net: dict  # what small_vgg is told besides the seed
    frozen: bool = False


TORCH, DIRAC = {"initialization": "torch"}, {}
LADDER = {
    "published": Run("published recipe", PUBLISHED, TORCH, frozen=True),
    "fresh": Run("+ images augmented anew in every epoch", FRESH, TORCH),
    "cycle": Run("+ one cycle to ten times the rate, Nesterov", CYCLE, TORCH),
    "smooth": Run("+ label smoothing", SGD, TORCH),
    "dirac": Run("+ first weights that pass the picture on", SGD, DIRAC),
    "muon": Run("+ equal steps in all directions (Muon)", QUICK, DIRAC),
}
WITHOUT = {
    "he": Run("He's first weights", QUICK, {"initialization": "he"}),
    "still": Run("no shift, no flip", replace(QUICK, shift=0, flip=False), DIRAC),
    "no_shift": Run("no shift", replace(QUICK, shift=0), DIRAC),
    "no_decay": Run("no weight decay", replace(QUICK, weight_decay=0.0), DIRAC),
    "constant": Run("constant learning rate", replace(QUICK, schedule="constant"), DIRAC),
    "no_smoothing": Run("no label smoothing", replace(QUICK, label_smoothing=0.0), DIRAC),
    "no_norm": Run("no batch norm", replace(QUICK, learning_rate=0.02), {"batch_norm": False}),
}
LONGER = {str(n): Run(f"{n} epochs", replace(QUICK, epochs=n), DIRAC) for n in (2, 3, 8, 12)}
LONGER["plateau"] = Run("12 epochs, divided on a plateau", PLATEAU, DIRAC)
ALL = {"ladder": LADDER, "without": WITHOUT, "longer": LONGER}


def frozen(data: Dataset, seed: int) -> Dataset:
    """Augmented once, before training, as the published program does it."""
    generator = torch.Generator().manual_seed(1000 + seed)
    images = random_flip(random_shift(data.train.images, QUICK.shift, generator), generator)
    return replace(data, train=Split(images, data.train.labels))


def run(what: Run, seed: int, data: Dataset) -> list[float]:
    """Train one net; returns the validation accuracy after every epoch."""
    net: VGG = small_vgg(seed=seed, **what.net)
    history = fit(net, frozen(data, seed) if what.frozen else data, what.recipe, seed=seed)
    return [epoch.validation_accuracy for epoch in history]


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    data = photographs(validation_per_class=500)
    curves: dict[str, dict[str, list]] = {group: {name: [] for name in runs} for group, runs in ALL.items()}
    for seed in SEEDS:
        for group, runs in ALL.items():
            for name, what in runs.items():
                path = DONE / f"{name.replace(' ', '-')}-{seed}.json"
                curves[group][name].append(once(path, partial(run, what, seed, data)))
                print(path.stem, curves[group][name][-1], flush=True)
    print(write("ablation", collect(curves, data)))


def collect(curves: dict[str, dict[str, list]], data: Dataset) -> dict:
    found = {group: {name: of(what, curves[group][name]) for name, what in runs.items()} for group, runs in ALL.items()}
    names = list(LADDER)
    for below, name in pairwise(names):
        found["ladder"][name]["difference"] = difference(found["ladder"][name], found["ladder"][below])
    for entry in found["without"].values():
        entry["difference"] = difference(entry, found["ladder"]["muon"])
    return {
        **provenance("python -m experiments.ablation"),
        "precision": best_precision(torch.device("cpu")),
        "images": {"train": len(data.train), "validation": len(data.validation)},
        "parameters": sum(p.numel() for p in small_vgg().parameters()),
        "seeds": list(SEEDS),
        **found,
    }


def of(what: Run, curves: list[list[float]]) -> dict:
    return {
        "words": what.words,
        "epochs": what.recipe.epochs,
        "recipe": asdict(what.recipe),
        "accuracy": summary([curve[-1] for curve in curves]),
        "curves": curves,
    }


def difference(a: dict, b: dict) -> dict:
    """Of ``a`` minus ``b``, seed by seed."""
    pairs = zip(a["accuracy"]["values"], b["accuracy"]["values"], strict=True)
    return summary([mine - theirs for mine, theirs in pairs])


if __name__ == "__main__":
    main()
