"""Does depth help? Table 3 of the paper at course scale: eight nets, with and without batch norm, several seeds each.

    python -m experiments.depth                                   about an hour on one core; it goes on where it stopped
    python -m experiments.depth --only B --norm batch --seed 3    that run alone, compared with the kept result
    python -m experiments.depth --collect                         write the result of the runs that are finished

A, A-LRN, B, C, D and E, and B with one 5x5 convolution in place of each pair of 3x3 (section 4.1 of the paper): an
eighth as wide, one linear layer behind five blocks, reduced CIFAR-10. A control, added as a question of cost: A at a
fifth of the paper's width, which has as many MACs as E at an eighth. All nets have one recipe, and with batch norm
one learning rate. Without, one rate would be unfair (a first look, at A and E alone: A is best at 0.1, E at 0.01),
and each net has the best of three, found with another seed on validation images; A-LRN and the wide A take that of A.
First weights are He's, images have deviation 1. A seed decides first weights, order and shifts; a run on one thread
repeats bit for bit on the same machine.

LRN's alpha has a unit, one over a squared activation. The published 1e-4 is meant for pixels from 0 to 255; ours are
divided by their deviation, which is 64, and so alpha is multiplied by 64 squared: LRN(64 x) with alpha is 64 LRN(x) with
64 squared times alpha.

The test images are looked at once by each net, after its last epoch. Writes book/results/depth.json:

    nets[net]               depth, convolutions, parameters and macs (without batch norm), field (pixels that a value
                            behind pool5 can see), notation
    search                  without batch norm: validation_accuracy[net][rate], a list over the search's seeds, and the
                            chosen rate of each net
    families[norm][net]     over seeds: test_accuracy, validation_accuracy, train_accuracy, train_loss, seconds;
                            failed: how many ended below FAILED (chance is one third); none is left out
      .runs[i]              one seed. train_: the images as they are, in eval mode, after the last epoch; curve: validation
                            accuracy by epoch; weights: a digest of the trained net; stopped: why it stopped early, if it did
    differences[norm]       by "D - C": the mean difference of test accuracy over the n seeds of both, and its 95 %
                            interval low to high, which is mean +- t sqrt((s1^2 + s2^2) / n), where t is Student's for
                            2 (n - 1) degrees of freedom
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from experiments.provenance import RESULTS, once, photographs, provenance, summary, write
from vgg_course.accounting import ledger
from vgg_course.checkpoint import digest
from vgg_course.configuration import CONFIGURATIONS, Configuration, LocalResponseNorm
from vgg_course.data import Dataset
from vgg_course.model import VGG, vgg
from vgg_course.receptive_field import receptive_field
from vgg_course.training import Recipe, TrainingError, evaluate, fit

RECIPE = Recipe(  # all of it, so that another default of the course changes nothing here
    epochs=8,
    batch_size=128,
    learning_rate=0.1,
    schedule="one-cycle",
    warm_up=0.25,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
    label_smoothing=0.1,
    shift=3,
    flip=True,
)
PRECISION = "bfloat16"
SEEDS = (1, 2, 3, 4, 5)
NORMS = ("batch", "none")
FAILED = 0.5  # chance is one third
PIXEL_DEVIATION = 64  # of the training images' pixels, 0 to 255
DONE = Path(__file__).resolve().parents[1] / "build" / "depth"  # one file a finished run
SEARCH_SEEDS = (101,)
RATES = (0.01, 0.03, 0.1)
SEARCHED = ("A", "B", "B-5x5", "C", "D", "E")
AS_SEARCHED = {"A-LRN": "A", "A-wide": "A"}  # the same depth, so the same rate
PAIRS = (("B", "A"), ("C", "B"), ("D", "C"), ("E", "D"), ("E", "A"), ("A-LRN", "A"), ("B", "B-5x5"), ("A-wide", "E"))


# --- the nets ---


def with_5x5(configuration: Configuration) -> Configuration:
    """One 5x5 convolution in place of each pair of 3x3 convolutions: what the paper did to B."""
    words = re.sub(r"conv3-(\d+) conv3-\1\b", r"conv5-\1", configuration.notation())
    return Configuration.parse(words, f"{configuration.name}-5x5")


def lrn_for_small_pixels(configuration: Configuration, deviation: float = PIXEL_DEVIATION) -> Configuration:
    """The same LRN for pixels that were divided by ``deviation``."""
    specs = [
        replace(spec, alpha=spec.alpha * deviation**2) if isinstance(spec, LocalResponseNorm) else spec
        for spec in configuration.specs
    ]
    return Configuration(configuration.name, tuple(specs))


NETS: dict[str, tuple[Configuration, float]] = {
    "A": (CONFIGURATIONS["A"], 1 / 8),
    "A-LRN": (lrn_for_small_pixels(CONFIGURATIONS["A-LRN"]), 1 / 8),
    "B": (CONFIGURATIONS["B"], 1 / 8),
    "B-5x5": (with_5x5(CONFIGURATIONS["B"]), 1 / 8),
    "C": (CONFIGURATIONS["C"], 1 / 8),
    "D": (CONFIGURATIONS["D"], 1 / 8),
    "E": (CONFIGURATIONS["E"], 1 / 8),
    "A-wide": (CONFIGURATIONS["A"], 1 / 5),
}
CORE = tuple(name for name in NETS if name != "A-wide")


def small(name: str, norm: str = "none") -> Configuration:
    """The net of that name as it is trained here."""
    configuration, width = NETS[name]
    return configuration.variant(
        name=name, input_size=32, classes=3, width=width, hidden=(), batch_norm=norm == "batch"
    )


def begin(name: str, norm: str, seed: int) -> VGG:
    """A net with its first weights."""
    return vgg(small(name, norm), initialization="he", generator=torch.Generator().manual_seed(seed))


# --- one run ---


def run(name: str, norm: str, seed: int, rate: float, data: Dataset, test: bool = True) -> dict:
    """Train one net, and look at every image once more. Only ``seconds`` differs when it is done again."""
    net, stopped, history = begin(name, norm, seed), None, None
    try:
        history = fit(net, data, RECIPE, seed=seed, precision=PRECISION, learning_rate=rate)
    except TrainingError as error:
        stopped = str(error)
    looks = {"train": data.train, "validation": data.validation} | ({"test": data.test} if test else {})
    result = {"seed": seed, "stopped": stopped}
    for split, images in looks.items():
        look = evaluate(net, data, images)
        result[f"{split}_accuracy"] = look.accuracy
        result[f"{split}_loss"] = round(look.loss, 6) if math.isfinite(look.loss) else None
    result["curve"] = [epoch.validation_accuracy for epoch in history or ()]
    result["weights"] = digest(list(net.state_dict().values()))
    result["seconds"] = round(history.seconds, 1) if history else None
    return result


def finish(path: Path, *arguments, **keywords) -> dict:
    """A run that has been done, or do it now."""
    result = once(path, lambda: run(*arguments, **keywords))
    print(path.stem, f"validation {result['validation_accuracy']:.4f}, {result['seconds']} s", flush=True)
    return result


# --- the learning rates ---


def searched(data: Dataset) -> dict[str, dict]:
    """Of each net without batch norm, the validation accuracy with each rate and the best rate."""
    found = {name: {f"{rate:g}": searched_rate(name, rate, data) for rate in RATES} for name in SEARCHED}
    chosen = {name: max(RATES, key=lambda rate: statistics.mean(found[name][f"{rate:g}"])) for name in SEARCHED}
    return {
        "seeds": list(SEARCH_SEEDS),
        "validation_accuracy": found,
        "chosen": {name: chosen[AS_SEARCHED.get(name, name)] for name in NETS},
    }


def searched_rate(name: str, rate: float, data: Dataset) -> list[float]:
    """The validation accuracies of a net without batch norm at that rate, one a seed."""
    paths = {seed: DONE / f"search-{name}-none-{rate:g}-{seed}.json" for seed in SEARCH_SEEDS}
    runs = [finish(path, name, "none", seed, rate, data, test=False) for seed, path in paths.items()]
    return [r["validation_accuracy"] for r in runs]


def learning_rate(name: str, norm: str, search: dict[str, dict]) -> float:
    return search["chosen"][name] if norm == "none" else RECIPE.learning_rate


# --- differences ---


def student_t(degrees: int, confidence: float = 0.95) -> float:
    """The two-sided quantile of Student's t for an even number of degrees of freedom, by halving."""
    if degrees < 2 or degrees % 2:
        raise ValueError(f"degrees is {degrees}; this closed form is for even numbers from 2 on.")

    def within(t: float) -> float:  # probability of |T| < t: Abramowitz & Stegun, 26.7.4
        angle, term, total = math.atan2(t, math.sqrt(degrees)), 1.0, 1.0
        for k in range(1, degrees // 2):
            term *= (2 * k - 1) / (2 * k) * math.cos(angle) ** 2
            total += term
        return math.sin(angle) * total

    low, high = 0.0, 1000.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < confidence else (low, middle)
    return high


def difference(a: Sequence[float], b: Sequence[float]) -> dict:
    """The mean of ``a`` minus that of ``b``, equally many values, with its 95 % interval."""
    n = len(a)
    if n != len(b) or n < 2:
        raise ValueError(f"there are {len(a)} and {len(b)} values; the interval needs equally many, at least two.")
    mean = statistics.mean(a) - statistics.mean(b)
    t = student_t(2 * (n - 1))
    reach = t * math.sqrt((statistics.variance(a) + statistics.variance(b)) / n)
    return {"n": n, "t": t, "mean": mean, "low": mean - reach, "high": mean + reach}


# --- all of it ---


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.depth", description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="write the result of the runs that are finished")
    parser.add_argument("--only", choices=NETS, help="train this net alone, and compare it with the kept result")
    parser.add_argument("--norm", choices=NORMS, default="batch", help="with --only: with batch norm, or with none")
    parser.add_argument("--seed", type=int, default=SEEDS[0], help="with --only: its seed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = photographs(validation_per_class=500)
    if options.only:
        raise SystemExit(again(options.only, options.norm, options.seed, data))
    search = searched(data)
    if not options.collect:
        for name, norm, seed in order():
            finish(done(name, norm, seed), name, norm, seed, learning_rate(name, norm, search), data)
    print(write("depth", collect(data, search)))


def order() -> list[tuple[str, str, int]]:
    """All nets of one seed, then of the next, so that a stop leaves a complete smaller study; the control comes last."""
    return [(name, norm, seed) for names in (CORE, ("A-wide",)) for seed in SEEDS for norm in NORMS for name in names]


def done(name: str, norm: str, seed: int) -> Path:
    return DONE / f"{name}-{norm}-{seed}.json"


def again(name: str, norm: str, seed: int, data: Dataset) -> int:
    """One run, beside what the result has of it; returns the exit status: 1 if they differ."""
    kept = json.loads((RESULTS / "depth.json").read_text(encoding="utf-8"))
    mine = run(name, norm, seed, learning_rate(name, norm, kept["search"]), data)
    print(json.dumps(mine, indent=1))
    before = [r for r in kept["families"][norm].get(name, {"runs": []})["runs"] if r["seed"] == seed]
    if not before:
        print("the result has no such run: nothing to compare with")
        return 0
    other = [key for key in mine if key != "seconds" and mine[key] != before[0][key]]
    if other:
        print(f"differs from the result in {', '.join(other)}; that was measured on: {kept['device']}")
        return 1
    print("the same as in the result, to the last bit of the weights")
    return 0


def collect(data: Dataset, search: dict[str, dict]) -> dict:
    """All finished runs. Nets are compared by the seeds that both have."""
    families = {norm: {name: of_net(runs) for name in NETS if (runs := kept(name, norm))} for norm in NORMS}
    return {
        **provenance("python -m experiments.depth"),
        "what": "test accuracy of shallow and deep nets, by family: with batch norm and with none",
        "note": "other work ran on the machine: seconds say how long it took, not how fast a net is",
        "images": {split: len(getattr(data, split)) for split in ("train", "validation", "test")},
        "failed_below": FAILED,
        "setting": {
            **asdict(RECIPE),
            "learning_rate": {"batch": RECIPE.learning_rate, "none": search["chosen"]},
            "initialization": "he",
            "precision": PRECISION,
            "pixel_deviation": PIXEL_DEVIATION,
        },
        "nets": {name: of_configuration(name) for name in NETS},
        "search": search,
        "families": families,
        "differences": {norm: differences(family) for norm, family in families.items()},
    }


def kept(name: str, norm: str) -> list[dict]:
    paths = (done(name, norm, seed) for seed in SEEDS)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]


def differences(family: dict[str, dict]) -> dict[str, dict]:
    found = {}
    for a, b in PAIRS:
        by_seed = [{r["seed"]: r["test_accuracy"] for r in family.get(name, {"runs": []})["runs"]} for name in (a, b)]
        both = sorted(by_seed[0].keys() & by_seed[1].keys())
        if len(both) > 1:
            found[f"{a} - {b}"] = difference(*([accuracies[seed] for seed in both] for accuracies in by_seed))
    return found


def of_net(runs: Sequence[dict]) -> dict:
    measured = ("test_accuracy", "validation_accuracy", "train_accuracy", "train_loss", "seconds")
    values = {key: [r[key] for r in runs if r[key] is not None] for key in measured}
    return {
        **{key: summary(found) if found else None for key, found in values.items()},
        "failed": sum(r["test_accuracy"] < FAILED for r in runs),
        "runs": list(runs),
    }


def of_configuration(name: str) -> dict:
    configuration = small(name)
    costs = ledger(configuration)
    return {
        "depth": NETS[name][0].depth,  # with three fully-connected layers, as the paper counts
        "convolutions": sum(row.kind == "convolution" for row in costs),
        "width": NETS[name][1],
        "parameters": costs.parameters,
        "macs": costs.macs,
        "field": receptive_field(configuration)["pool5"].size,
        "notation": configuration.notation(),
    }


if __name__ == "__main__":
    main()
