"""How accurate can the course's nets become in six minutes on two CPU cores?

    VGG_COURSE_DATA=... python -m experiments.thorough       half an hour on two quiet cores

``recipes.THOROUGH``: half the width, SGD, as many epochs as six minutes have room for, on all 15,000 training images. Each
net looks at the test images once, after its last step; a run that was stopped goes on behind the last complete seed
(build/thorough/). The target was 97 %; widths, optimizers, shifts and learning rates were compared on 1,500 validation
images, a seed each, and this was the best. One earlier net, 22 epochs long, had looked at the test images: 96.5 %. The two
more epochs fill the six minutes. Writes book/results/thorough.json.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path

import torch

from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course.data import Dataset
from vgg_course.recipes import THOROUGH, small_vgg
from vgg_course.training import evaluate, fit

SEEDS = (301, 302, 303, 304, 305)
WIDTH = 1 / 2
GOAL, BUDGET = 0.97, 360.0  # share of right answers; seconds
FORERUNNER = {"epochs": 22, "n": 1, "test_accuracy": 0.965}  # looked at the test images before the recipe was final
FOLDER = Path(__file__).resolve().parents[1] / "build" / "thorough"


def run(seed: int, data: Dataset) -> dict:
    """One net: how long it took, and its single look at the test images."""
    began = time.perf_counter()
    net = small_vgg(seed=seed, width=WIDTH)
    history = fit(net, data, THOROUGH, seed=seed)
    return {
        "seed": seed,
        "seconds": time.perf_counter() - began,
        "train_accuracy": history[-1].train_accuracy,
        "test_accuracy": evaluate(net, data, data.test).accuracy,
        "other_load": max(0.0, os.getloadavg()[0] - torch.get_num_threads()),
    }


def main() -> None:
    data = photographs()
    runs = [once(FOLDER / f"{seed}.json", lambda seed=seed: run(seed, data)) for seed in SEEDS]
    result = {
        "goal": GOAL,
        "budget_seconds": BUDGET,
        "width": WIDTH,
        "words": f"D, half the width, {THOROUGH.epochs} epochs",
        "parameters": sum(p.numel() for p in small_vgg(width=WIDTH).parameters()),
        "recipe": asdict(THOROUGH),
        "forerunner": FORERUNNER,
        "seconds": summary([run["seconds"] for run in runs]),
        "train_accuracy": summary([run["train_accuracy"] for run in runs]),
        "test_accuracy": summary([run["test_accuracy"] for run in runs]),
        "runs": runs,
    }
    print(write("thorough", {**provenance("python -m experiments.thorough"), **result}))


if __name__ == "__main__":
    main()
