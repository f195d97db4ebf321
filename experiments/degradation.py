"""Plain nets that degrade with depth, and the shortcut: Figures 1 and 6 of He et al. 2015 at course scale.

    python -m experiments.degradation              about five minutes on one core; it goes on where it was stopped
    python -m experiments.degradation --collect    write the result of the runs that are finished

Nets for small images as in section 4.2 of that paper, half as wide (8, 16 and 32 channels) and on half the grid (the first
convolution has stride 2), with batch norm: plain; plain, but with convolutions that begin by passing on what channels they
can (``dirac``); and residual, with shortcuts that have no parameters. Nets of one depth have the same parameters, and those
of one seed the same order of images. All else begins with He's weights.

Reduced CIFAR-10, 2,000 photographs of each class to train on and 500 held out; the test photographs are never looked at. The
learning rate is that of He et al. Two more runs ask whether another rate would have saved the deep plain net: a third of
it, and three times as much. Writes book/results/degradation.json:

    rates[rate]             of the deepest plain net with the first seed: train_accuracy, validation_accuracy
    arms[arm][depth]        over seeds: train_accuracy, validation_accuracy, train_loss, seconds
      .runs[i]              one seed; train_: the training images as they are, in eval mode, after the last epoch;
                            curve: the accuracy on training images while they are trained on, by epoch
    nets[depth]             parameters, macs of one image
    differences             by "plain 44 - plain 8" and so on: train_accuracy and validation_accuracy of the one less the
                            other, paired by seed: mean, and its 95 % interval low to high (Student's t)
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from experiments.depth import student_t
from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course.data import Dataset
from vgg_course.successors import DeepNet, macs, parameters, pass_on
from vgg_course.training import Recipe, evaluate, fit

ARMS = ("plain", "dirac", "residual")
DEPTHS = (8, 20, 44)
SEEDS = (0, 1, 2)
OTHER_RATES = (0.03, 0.3)
WIDTH, STRIDE = 8, 2
PRECISION = "float32"
RECIPE = Recipe(
    epochs=4,
    batch_size=64,
    learning_rate=0.1,
    schedule="one-cycle",
    warm_up=0.25,
    momentum=0.9,
    nesterov=True,
    weight_decay=1e-4,
    label_smoothing=0.0,
    shift=2,
    flip=True,
)
PAIRS = (
    *((f"{arm} {DEPTHS[-1]}", f"{arm} {DEPTHS[0]}") for arm in ARMS),
    *(
        (f"{a} {DEPTHS[-1]}", f"{b} {DEPTHS[-1]}")
        for a, b in (("dirac", "plain"), ("residual", "plain"), ("residual", "dirac"))
    ),
)
DONE = Path(__file__).resolve().parents[1] / "build" / "degradation"  # one file a finished run


def begin(arm: str, depth: int, seed: int) -> DeepNet:
    """A net of an arm with its first weights: of one seed and depth the same in all arms, but for what dirac sets."""
    net, generator = DeepNet(depth, arm == "residual", WIDTH, 3, STRIDE), torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5, generator=generator)
            nn.init.zeros_(module.bias)
    if arm == "dirac":
        pass_on(net)
    return net


def run(arm: str, depth: int, seed: int, recipe: Recipe, data: Dataset) -> dict:
    """Train one net, and look at every image once more."""
    net, began = begin(arm, depth, seed), time.process_time()
    history = fit(net, data, recipe, seed=seed, precision=PRECISION)
    result = {"seed": seed, "seconds": round(time.process_time() - began, 1)}
    for split in ("train", "validation"):
        look = evaluate(net, data, getattr(data, split))
        result |= {f"{split}_accuracy": look.accuracy, f"{split}_loss": round(look.loss, 6)}
    result["curve"] = [epoch.train_accuracy for epoch in history]
    return result


def finish(name: str, *arguments) -> dict:
    """A run that has been done, or do it now."""
    result = once(DONE / f"{name}.json", lambda: run(*arguments))
    accuracies = ", ".join(f"{split} {result[f'{split}_accuracy']:.4f}" for split in ("train", "validation"))
    print(f"{name}: {accuracies}, {result['seconds']} s of a core", flush=True)
    return result


def paired(a: list[dict], b: list[dict], key: str) -> dict:
    """The mean of a minus b over the seeds of both, with its 95 % interval."""
    by_seed = [{r["seed"]: r[key] for r in runs} for runs in (a, b)]
    apart = [by_seed[0][seed] - by_seed[1][seed] for seed in sorted(by_seed[0].keys() & by_seed[1].keys())]
    n, mean = len(apart), statistics.mean(apart)
    reach = _student(n - 1) * statistics.stdev(apart) / math.sqrt(n)
    return {"n": n, "mean": mean, "low": mean - reach, "high": mean + reach, "values": apart}


def _student(degrees: int) -> float:
    """By table for an odd number of degrees, which the closed form leaves out."""
    return {1: 12.706, 3: 3.182}[degrees] if degrees % 2 else student_t(degrees)


def kept(arm: str, depth: int) -> list[dict]:
    paths = (DONE / f"{arm}-{depth}-{seed}.json" for seed in SEEDS)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]


def collect(data: Dataset) -> dict:
    runs = {f"{arm} {depth}": kept(arm, depth) for arm in ARMS for depth in DEPTHS}
    measured = ("train_accuracy", "validation_accuracy", "train_loss", "seconds")
    return {
        **provenance("python -m experiments.degradation"),
        "what": "training and validation accuracy of plain and residual nets of several depths",
        "images": {split: len(getattr(data, split)) for split in ("train", "validation")},
        "setting": {**asdict(RECIPE), "precision": PRECISION, "width": WIDTH, "stride": STRIDE},
        "seeds": list(SEEDS),
        "rates": rates(),
        "nets": {str(depth): of_depth(depth) for depth in DEPTHS},
        "arms": {
            arm: {
                str(depth): {key: summary([r[key] for r in found]) for key in measured} | {"runs": found}
                for depth in DEPTHS
                if (found := runs[f"{arm} {depth}"])
            }
            for arm in ARMS
        },
        "differences": {
            f"{a} - {b}": {key: paired(runs[a], runs[b], key) for key in measured[:2]}
            for a, b in PAIRS
            if min(len(runs[a]), len(runs[b])) > 1
        },
    }


def rates() -> dict:
    """The deepest plain net with the first seed, by learning rate."""
    names = {RECIPE.learning_rate: f"plain-{DEPTHS[-1]}-{SEEDS[0]}"}
    names |= {rate: f"rate-{rate:g}" for rate in OTHER_RATES}
    paths = {f"{rate:g}": DONE / f"{name}.json" for rate, name in sorted(names.items())}
    found = {rate: json.loads(path.read_text(encoding="utf-8")) for rate, path in paths.items() if path.exists()}
    return {rate: {key: one[key] for key in ("train_accuracy", "validation_accuracy")} for rate, one in found.items()}


def of_depth(depth: int) -> dict:
    net = DeepNet(depth, False, WIDTH, 3, STRIDE)
    return {"parameters": parameters(net), "macs": macs(net, 32)[""]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.degradation", description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="write the result of the runs that are finished")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = photographs(train_per_class=2500, validation_per_class=500)
    if not options.collect:
        for seed in SEEDS:
            for depth in sorted(DEPTHS, key=lambda depth: depth not in (DEPTHS[0], DEPTHS[-1])):
                for arm in ARMS:
                    finish(f"{arm}-{depth}-{seed}", arm, depth, seed, RECIPE, data)
        for rate in OTHER_RATES:
            finish(f"rate-{rate:g}", "plain", DEPTHS[-1], SEEDS[0], replace(RECIPE, learning_rate=rate), data)
    print(write("degradation", collect(data)))


if __name__ == "__main__":
    main()
