"""Does it help to tune all layers, and a box for each class? Table 8 of the paper at course scale, several seeds.

    python -m experiments.localization              about six minutes on one core; it goes on where it was stopped
    python -m experiments.localization --collect    write the result of the runs that are finished

Appendix A in miniature: a small VGG (three convolutions, two hidden fully-connected layers, no batch norm) learns to
classify drawn objects, then its last layer is replaced by one that puts out boxes, and the net is tuned by the Euclidean
loss: the last layer alone, the fully-connected layers, or all layers; with one box for all classes (SCR) or one a class
(PCR). Two controls begin with random weights in place of the classifier's; the second trains three times as long. Nets are
trained on windows of 32 pixels, cut at random from pictures of 48.

A seed decides everything: the pictures, new ones for training and for the test, first weights, order and windows. Within a
seed all arms have the same pictures, the same classifier and the same windows, so that differences are paired. Learning
rates, and the limit of merging, were chosen with another seed on validation pictures. Writes book/results/localization.json:

    search          rates: by way of tuning and by rate, the error on validation pictures; chosen: the best rate whose next
                    larger one did not run away; the classifier's rate was fixed beforehand; limits: the error of
                    guess_dense by limit of merging; limit: the best
    arms[arm]       tuned, regression, from_classifier, epochs, and over seeds
      .error        first test: central window, the true class is given: share of boxes with an IoU of at most 0.5
      .iou, .loss   mean IoU in that test, and the training loss of the last epoch
      .small, .middle, .large     the same error by thirds of the true box's area
      .whole, .cut  the same error for objects that lie within the central window, and for those that do not
    mean_box        the same error of a net that always puts out the mean training box
    full            second test, of the arm all_pcr: error, wrong_class and bad_box over seeds for "center" and "dense" looks,
                    with 1, 2 and 3 guesses an image; 3 guesses of 3 classes is the true class given; and "best cell":
                    dense without merging, the box of the place with the highest score
    accuracy        of the classifier, over seeds: center and dense
    differences     by "all_pcr - fc_pcr" and so on: paired by seed; mean of the differences, and its 95 % interval
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from experiments.depth import student_t
from experiments.provenance import once, provenance, summary, write
from vgg_course.configuration import Configuration
from vgg_course.localization import (
    LIMIT,
    OVERLAP,
    Guesses,
    Judged,
    anywhere,
    central,
    decode,
    dense_boxes,
    dense_scores,
    encode,
    guess_center,
    guess_dense,
    iou,
    judge,
    of_class,
    pixels,
    regressor,
    tune,
)
from vgg_course.model import VGG
from vgg_course.synthetic import CLASSES, Pictures, scenes
from vgg_course.training import Recipe

WORDS = "conv3-16 maxpool conv3-32 maxpool conv3-64 maxpool FC-64 FC-64 FC-3"
WINDOW, SIZE, PER_CLASS, TESTED, VALIDATED = 32, 48, 1000, 500, 500
RECIPE = Recipe(epochs=8, batch_size=50, weight_decay=0.0, flip=False, shift=0, label_smoothing=0.0)
CLASSIFIER_RATE = 0.05
SEEDS = (1, 2, 3, 4, 5)
SEARCH_SEED = 100
RATES = {
    "last": (0.003, 0.01, 0.03, 0.1),
    "fully connected": (0.1, 0.2, 0.4, 0.8, 1.6),
    "all": (0.1, 0.2, 0.4, 0.8, 1.6),
}
RAN_AWAY = 0.5  # an error above this, at a rate above a good one
LIMITS = (0.3, 0.45, 0.6, 0.8, 1.0, 1.4)
DONE = Path(__file__).resolve().parents[1] / "build" / "localization"  # one file a finished piece


@dataclass(frozen=True)
class Arm:
    """One way to make a net that puts out boxes."""

    tuned: str
    per_class: bool = True
    from_classifier: bool = True
    epochs: int = RECIPE.epochs


ARMS = {
    "last_pcr": Arm("last"),
    "fc_scr": Arm("fully connected", per_class=False),
    "fc_pcr": Arm("fully connected"),
    "all_scr": Arm("all", per_class=False),
    "all_pcr": Arm("all"),
    "random_pcr": Arm("all", from_classifier=False),
    "random_pcr_long": Arm("all", from_classifier=False, epochs=3 * RECIPE.epochs),
}
RANDOM = ("random", ARMS["random_pcr"])
PAIRS = (
    ("all_pcr", "fc_pcr"),
    ("all_scr", "fc_scr"),
    ("fc_pcr", "fc_scr"),
    ("all_pcr", "all_scr"),
    ("fc_pcr", "last_pcr"),
    ("all_pcr", "random_pcr"),
    ("all_pcr", "random_pcr_long"),
)


# --- the nets ---


def begin(seed: int) -> VGG:
    """A classifier with its first weights."""
    configuration = Configuration.parse(WORDS, input_size=WINDOW)
    generator = torch.Generator().manual_seed(seed)
    return VGG(configuration, dropout=0.0, initialization="he", generator=generator)


def recipe(rate: float, epochs: int = RECIPE.epochs) -> Recipe:
    return Recipe(**asdict(RECIPE) | {"learning_rate": rate, "epochs": epochs})


def classifier(seed: int, pictures: Pictures) -> VGG:
    """A trained one; the same seed makes the same net."""
    net = begin(seed)
    tune(net, pictures, recipe(CLASSIFIER_RATE), learns="classes", seed=seed)
    return net


def located(arm: Arm, start: VGG, rate: float, seed: int, pictures: Pictures) -> tuple[VGG, list[float]]:
    """A net that puts out boxes, made in that way, and its training losses."""
    start = start if arm.from_classifier else begin(1000 + seed)
    net = regressor(start, arm.per_class, torch.Generator().manual_seed(seed))
    return net, tune(net, pictures, recipe(rate, arm.epochs), tuned=arm.tuned, seed=2000 + seed)


# --- tests ---


@torch.no_grad()
def overlaps(net: VGG, pictures: Pictures) -> Tensor:
    """The first test: IoU of each true box with the box for the true class from the central window."""
    images, boxes = central(pictures.images, pictures.boxes, WINDOW)
    return iou(decode(of_class(net(pixels(images)), pictures.labels), WINDOW), boxes)


def missed(found: Tensor) -> float:
    return float((found <= OVERLAP).float().mean())


def first_test(net: VGG, pictures: Pictures) -> dict:
    found, (_, boxes) = overlaps(net, pictures), central(pictures.images, pictures.boxes, WINDOW)
    sides = boxes[:, 2:] - boxes[:, :2]
    thirds = sides.prod(1).argsort(stable=True).tensor_split(3)
    whole = (boxes >= 0).all(1) & (boxes <= WINDOW).all(1)
    by_size = {name: missed(found[third]) for name, third in zip(("small", "middle", "large"), thirds, strict=True)}
    return {
        "error": missed(found),
        "iou": float(found.mean()),
        **by_size,
        "whole": missed(found[whole]),
        "cut": missed(found[~whole]),
    }


def second_test(start: VGG, net: VGG, pictures: Pictures) -> dict:
    """Center and dense looks, with 1, 2 and 3 guesses."""
    labels, boxes = pictures.labels, pictures.boxes
    looks = {
        "center": lambda k: guess_center(start, net, pictures.images, k),
        "dense": lambda k: guess_dense(start, net, pictures.images, k),
        "best cell": lambda k: best_cell(start, net, pictures.images, k),
    }
    return {name: {str(k): shares(judge(look(k), labels, boxes)) for k in (1, 2, 3)} for name, look in looks.items()}


def shares(judged: Judged) -> dict:
    return {"error": judged.error, "wrong_class": judged.wrong_class, "bad_box": judged.bad_box}


def best_cell(start: VGG, net: VGG, images: Tensor, k: int) -> Guesses:
    """Dense without merging: of each class the box from the place where its score is highest."""
    scores, boxes = dense_scores(start, images), dense_boxes(net, images)
    classes = scores.mean(1).topk(k).indices
    image, place = torch.arange(len(images))[:, None], scores.argmax(1).gather(1, classes)
    return Guesses(classes, boxes[image, place, classes])


def accuracies(start: VGG, pictures: Pictures) -> dict:
    with torch.no_grad():
        near = start(pixels(central(pictures.images, pictures.boxes, WINDOW)[0])).argmax(1)
    wide = dense_scores(start, pictures.images).mean(1).argmax(1)
    return {name: float((a == pictures.labels).float().mean()) for name, a in (("center", near), ("dense", wide))}


def of_the_mean_box(train: Pictures, test: Pictures) -> float:
    """The error of whoever puts out the mean training box for every image."""
    windows = anywhere(train.images, train.boxes, WINDOW, torch.Generator().manual_seed(0))[1]
    mean = encode(windows, WINDOW).mean(0)
    return missed(iou(decode(mean, WINDOW)[None], central(test.images, test.boxes, WINDOW)[1]))


# --- all of it ---


def drawn(seed: int, tested: int) -> tuple[Pictures, Pictures]:
    """Pictures to train on, and others to look at."""
    return scenes(PER_CLASS, 10 * seed, SIZE), scenes(tested, 10 * seed + 1, SIZE)


def search_rates() -> dict[str, dict[str, float]]:
    """With another seed, the error on validation pictures by way of tuning and by learning rate."""
    train, validation = drawn(SEARCH_SEED, VALIDATED)
    start, rates = classifier(SEARCH_SEED, train), {}
    for name, arm in (*((ARMS[arm].tuned, ARMS[arm]) for arm in ("last_pcr", "fc_pcr", "all_pcr")), RANDOM):
        rates[name] = {}
        for rate in RATES[arm.tuned]:
            net, _ = located(arm, start, rate, SEARCH_SEED, train)
            rates[name][f"{rate:g}"] = error_of(net, validation)
            print(name, rate, rates[name][f"{rate:g}"], flush=True)
    return rates


def safest(errors: dict[str, float]) -> float:
    """The best rate of those whose next larger one did not run away: another seed may be less lucky."""
    names = list(errors)
    safe = [rate for rate, larger in pairwise(names) if errors[larger] < RAN_AWAY]
    return float(min(safe, key=errors.get))


def search_limits(chosen: dict[str, float]) -> dict[str, float]:
    """With that seed, the error on validation pictures by limit of merging."""
    train, validation = drawn(SEARCH_SEED, VALIDATED)
    start, limits = classifier(SEARCH_SEED, train), {}
    net, _ = located(ARMS["all_pcr"], start, chosen["all"], SEARCH_SEED, train)
    for limit in LIMITS:
        guesses = guess_dense(start, net, validation.images, 1, limit)
        limits[f"{limit:g}"] = judge(guesses, validation.labels, validation.boxes).error
        print("limit", limit, limits[f"{limit:g}"], flush=True)
    return limits


def search() -> dict:
    """Rates and limit, and what they were chosen by."""
    rates = once(DONE / "rates.json", search_rates)
    chosen = {name: safest(errors) for name, errors in rates.items()}
    limits = once(DONE / "limits.json", lambda: search_limits(chosen))
    best = float(min(limits, key=limits.get))
    return {"seed": SEARCH_SEED, "rates": rates, "chosen": chosen, "limits": limits, "limit": best}


def error_of(net: VGG, pictures: Pictures) -> float:
    """1 for a net whose training ran away: what it puts out are no boxes."""
    try:
        return missed(overlaps(net, pictures))
    except ValueError:
        return 1.0


def rate_of(arm: Arm, chosen: dict[str, float]) -> float:
    return chosen[arm.tuned if arm.from_classifier else "random"]


def run(seed: int, chosen: dict[str, float]) -> dict:
    """All arms of one seed."""
    train, test = drawn(seed, TESTED)
    start = classifier(seed, train)
    result = {"seed": seed, "accuracy": accuracies(start, test), "mean_box": of_the_mean_box(train, test), "arms": {}}
    for name, arm in ARMS.items():
        net, losses = located(arm, start, rate_of(arm, chosen), seed, train)
        result["arms"][name] = {**first_test(net, test), "loss": losses[-1]}
        if name == "all_pcr":
            result["full"] = second_test(start, net, test)
        print(seed, name, f"{result['arms'][name]['error']:.4f}", flush=True)
    return result


def paired(a: list[float], b: list[float]) -> dict:
    """The mean of the differences, seed by seed, and its 95 % interval by Student's t."""
    apart = [x - y for x, y in zip(a, b, strict=True)]
    # student_t is in closed form for even degrees only; five seeds have four
    reach = student_t(len(apart) - 1) * statistics.stdev(apart) / math.sqrt(len(apart))
    mean = statistics.mean(apart)
    return {"n": len(apart), "mean": mean, "low": mean - reach, "high": mean + reach, "values": apart}


def collect(found: dict, runs: list[dict]) -> dict:
    parts = ("error", "iou", "loss", "small", "middle", "large", "whole", "cut")
    arms = {
        name: {
            **asdict(arm),
            "rate": rate_of(arm, found["chosen"]),
            **{part: summary([r["arms"][name][part] for r in runs]) for part in parts},
        }
        for name, arm in ARMS.items()
    }
    full = {
        look: {
            k: {part: summary([r["full"][look][k][part] for r in runs]) for part in ("error", "wrong_class", "bad_box")}
            for k in ("1", "2", "3")
        }
        for look in runs[0]["full"]
    }
    errors = {name: arm["error"]["values"] for name, arm in arms.items()}
    differences = {f"{a} - {b}": paired(errors[a], errors[b]) for a, b in PAIRS}
    for k in ("1", "2", "3"):
        looks = {look: by_k[k]["error"]["values"] for look, by_k in full.items()}
        for a, b in (("dense", "center"), ("dense", "best cell")):
            differences[f"{a} - {b}, {k}"] = paired(looks[a], looks[b])
    return {
        **provenance("python -m experiments.localization"),
        "what": "localization error of small nets on drawn pictures, by what is tuned and by SCR or PCR",
        "seeds": [r["seed"] for r in runs],
        "classes": list(CLASSES),
        "images": {"train": 3 * PER_CLASS, "validation": 3 * VALIDATED, "test": 3 * TESTED},
        "setting": {
            **asdict(RECIPE),
            "classifier_rate": CLASSIFIER_RATE,
            "notation": WORDS,
            "window": WINDOW,
            "size": SIZE,
            "limit": LIMIT,
        },
        "search": found,
        "mean_box": summary([r["mean_box"] for r in runs]),
        "accuracy": {look: summary([r["accuracy"][look] for r in runs]) for look in ("center", "dense")},
        "arms": arms,
        "full": full,
        "differences": differences,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.localization", description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="write the result of the runs that are finished")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = search()
    if found["limit"] != LIMIT:
        raise SystemExit(f"error: the search found {found['limit']} for LIMIT, and vgg_course.localization has {LIMIT}")
    if not options.collect:
        for seed in SEEDS:
            once(DONE / f"{seed}.json", lambda seed=seed: run(seed, found["chosen"]))
    paths = [DONE / f"{seed}.json" for seed in SEEDS]
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    print(write("localization", collect(found, runs)))


if __name__ == "__main__":
    main()
