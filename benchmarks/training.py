"""How much faster does the course train than the published recipe? Both on this machine, in one run.

    python -m benchmarks.training                   the three races: half an hour on two quiet cores
    python -m benchmarks.training --race quick --seeds 1

The published recipe is benchmarks/baseline.py; its accuracies, epoch by epoch, are read from book/results/baseline.json.
It would take hours to time again, so its clock is this: the seconds of its training steps and of its judging, as
published (float32, torch's own order in memory), are measured here between our own runs, and multiplied by how many an
epoch has and by the epochs it took to the accuracy of the race (all of them, if it never got there).

    quick     configuration A at a quarter of the width, QUICK with an epoch more, to 94 % on the test images
    live      configuration D at a quarter of the width, QUICK: the live run of chapter 11, to 94 %
    full      as wide as the published net (the same 14,724,675 parameters), QUICK, to the best that the baseline reached

A run of ours is counted whole, from the first weight to the last step, on all 15,000 training images. Its net looks at the
test images once. What is reported is the mean of the seeds after the last epoch, and the ratio of the means.

The published net with our step (bfloat16 where the processor has it, channels last, batches augmented at once) is timed for
twenty steps, so that the ratio can be taken apart: a faster step, a smaller net, fewer epochs.

Writes book/results/speed.json. Every race carries the clock of its own run; those that were not run stay as they were.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch

from benchmarks import baseline
from experiments.provenance import photographs, provenance, summary, write
from vgg_course import results
from vgg_course.data import Dataset, Split
from vgg_course.recipes import QUICK, small_vgg
from vgg_course.training import Recipe, evaluate, fit

SEEDS = (201, 202, 203, 204, 205)
TIMED_STEPS, TIMED_BATCHES = 8, 4


@dataclass(frozen=True)
class Race:
    """Which net by which recipe, to which accuracy; None is the best that the baseline reached."""

    words: str
    net: dict  # what small_vgg is told besides the seed
    recipe: Recipe
    goal: float | None


RACES = {
    "quick": Race("A, a quarter of the width", {"configuration": "A"}, replace(QUICK, epochs=5), 0.94),
    "live": Race("D, a quarter of the width", {}, QUICK, 0.94),
    "full": Race("D, the full width", {"width": 1}, QUICK, None),
}


class Published:
    """The published recipe's clock: seconds of a training step and of a judged batch, measured again and again."""

    def __init__(self, data: Dataset) -> None:
        torch.manual_seed(0)
        self.model = baseline.net(torch.Generator().manual_seed(0))
        self.sgd = baseline.optimizer(self.model)
        self.images = baseline.frozen(data.train.images[: baseline.BATCH])
        self.labels = data.train.labels[: baseline.BATCH]
        self.steps = -(-len(data.train) // baseline.BATCH)
        self.batches = -(-len(data.test) // baseline.JUDGED_TOGETHER)
        self.step_seconds: list[float] = []
        self.judge_seconds: list[float] = []

    def measure(self) -> None:
        """A few more of both. The first of each is thrown away: memory is fetched then."""
        for number in range(TIMED_STEPS + 1):
            seconds = timed(lambda: baseline.step(self.model, self.sgd, self.images, self.labels))
            if number:
                self.step_seconds.append(seconds)
        some = slice(0, baseline.JUDGED_TOGETHER)
        for number in range(TIMED_BATCHES + 1):
            seconds = timed(lambda: baseline.accuracy(self.model, self.images[some], self.labels[some]))
            if number:
                self.judge_seconds.append(seconds)

    def epoch_seconds(self) -> float:
        step, judge = statistics.median(self.step_seconds), statistics.median(self.judge_seconds)
        return self.steps * step + self.batches * judge


def timed(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def our_step(data: Dataset, images: int = 20 * 128) -> float:
    """Seconds an image of the published net's training with our step; the first few are thrown away."""
    few = replace(data, train=Split(data.train.images[:images], data.train.labels[:images]))
    net = small_vgg(width=1)
    fit(net, replace(few, train=Split(few.train.images[:256], few.train.labels[:256])), QUICK, epochs=1)
    return timed(lambda: fit(net, few, QUICK, epochs=1)) / images


def run(race: Race, seed: int, data: Dataset) -> dict:
    """Train one net from its first weights, and look at the test images once."""
    began = time.perf_counter()
    net = small_vgg(seed=seed, **race.net)
    fit(net, data, race.recipe, seed=seed)
    seconds = time.perf_counter() - began
    return {
        "seed": seed,
        "seconds": seconds,
        "test_accuracy": evaluate(net, data, data.test).accuracy,
        "other_load": max(0.0, os.getloadavg()[0] - torch.get_num_threads()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--race", choices=RACES, action="append", help="this one only; may be given again")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), choices=range(1, len(SEEDS) + 1))
    options = parser.parse_args()
    data = photographs()
    curve = [epoch["test_accuracy_in_train_mode"] for epoch in results.load("baseline")["epochs"]]
    published, found = Published(data), {}
    for name in options.race or RACES:
        race, runs = RACES[name], []
        for seed in SEEDS[: options.seeds]:
            published.measure()
            runs.append(run(race, seed, data))
            print(name, runs[-1], flush=True)
        goal = race.goal or max(curve)
        epochs = next((number for number, accuracy in enumerate(curve, 1) if accuracy >= goal), len(curve))
        found[name] = {
            "words": race.words,
            "net": race.net,
            "recipe": asdict(race.recipe),
            "parameters": sum(p.numel() for p in small_vgg(**race.net).parameters()),
            "goal": goal,
            "baseline_epochs": epochs,  # to the goal, or all of them
            "baseline_reaches_it": max(curve) >= goal,
            "test_accuracy": summary([r["test_accuracy"] for r in runs]),
            "seconds": summary([r["seconds"] for r in runs]),
            "runs": runs,
        }
    clock = {
        "epoch_seconds": published.epoch_seconds(),
        "step_seconds": summary(published.step_seconds),
        "judge_seconds": summary(published.judge_seconds),
        "seconds_an_image_with_our_step": our_step(data),
    }
    made = provenance("python -m benchmarks.training")
    for race in found.values():
        race["baseline_seconds"] = race["baseline_epochs"] * clock["epoch_seconds"]
        race["ratio"] = race["baseline_seconds"] / race["seconds"]["mean"]
        race["clock"], race["made"] = clock, made
        print(f"{race['words']}: {race['test_accuracy']['mean']:.2%}, {race['ratio']:.0f} times faster")
    if options.seeds == len(SEEDS):
        before = results.load("speed")["races"] if options.race else {}
        races = {name: {**before, **found}[name] for name in RACES if name in {**before, **found}}
        print(write("speed", {**made, "best": max(curve), "races": races}))


if __name__ == "__main__":
    main()
