"""Which stage should a segmenter read? And what is a trained backbone worth when few images are labeled?

    python -m experiments.segmentation              about ten minutes on one core; it goes on where it was stopped
    python -m experiments.segmentation --collect    write the result of the runs that are finished

Drawn scenes of 64x64 pixels with one airplane, automobile or bird of any size; every pixel is background or one of the
three. A :class:`vgg_course.backbone.Segmenter` stands on the net that comes with the package, which has seen CIFAR-10's
photographs of these classes at 32x32, and never a mask or a drawn picture.

1. *Stages.* The net is frozen, its heads are trained on 300 labeled scenes: one stage alone (pool1 to pool5, strides 2 to
   32), or the sum of the deepest and all up to one, as FCN does it.
2. *Few labels.* The sum from pool5 to pool3 (stride 8) on 12, 48 and 192 labeled scenes; the backbone is the trained net or
   has random weights, and is frozen or trained with the heads ("tuned"). Same steps for all.

A seed decides pictures, new ones for training and for the test, and the order; the random weights, too. The rates were chosen
with another seed on validation scenes. The test scenes are looked at once. Writes book/results/segmentation.json:

    search          rates: by way of training and by rate, the mean IoU on validation scenes; chosen: the best
    stages[arm]     reads, stride, and over seeds: mean_iou, and its two halves. Where: outline, the mean over objects of the
                    IoU of object against background, whatever it is called. What: named, the share of right names among the
                    pixels that are object in truth and drawing. And of the outlines of all seeds together by_size, the mean
                    for each range of object sizes, and found, the share above 0.5
    perfect[stride] by_size and found of :func:`vgg_course.backbone.best_of_grid`: what any head of that stride could reach
    smallest        by arm and by stride, in pixels: :func:`smallest_found`; None where half are never found
    few[arm][n]     mean_iou over seeds with n labeled scenes
    differences     by "a - b": paired by seed; mean of the differences, and its 95 % interval
"""

from __future__ import annotations

import argparse
import json
import statistics
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from experiments.localization import paired
from experiments.provenance import once, provenance, summary, write
from vgg_course import trained
from vgg_course.answers import in_mode
from vgg_course.backbone import (
    PARTS,
    Segmenter,
    best_of_grid,
    counts,
    mean_iou,
    object_iou,
    pixel_labels,
    sides,
    stages,
    train_heads,
)
from vgg_course.model import VGG
from vgg_course.recipes import small_vgg
from vgg_course.synthetic import Pictures, scenes

SIZE, SCALE = 64, (0.15, 1.0)
LABELED, TESTED = 100, 100  # of each class
POOLS = ("pool5", "pool4", "pool3", "pool2", "pool1")
STRIDES = dict(zip(POOLS, (32, 16, 8, 4, 2), strict=True))
ARMS = {f"{name} alone": (name,) for name in POOLS[1:]} | {
    f"down to {name}": POOLS[: i + 1] for i, name in enumerate(POOLS)
}
RANGES = ((0, 8), (8, 12), (12, 16), (16, 24), (24, 64))  # sizes of objects, in pixels
FEW = (12, 48, 192)
FEW_READS = POOLS[:3]
FEW_ARMS = {
    "trained, frozen": (True, False),
    "trained, tuned": (True, True),
    "random, frozen": (False, False),
    "random, tuned": (False, True),
}
SEEDS = (1, 2, 3, 4, 5)
SEARCH_SEED = 100
HEAD_STEPS, TUNE_STEPS, BATCH = 200, 80, 12
HEAD_RATES, TUNE_RATES = (0.005, 0.02, 0.08), (0.0003, 0.001, 0.003)
FOUND = 0.5  # an object counts as found if its IoU is above this
DONE = Path(__file__).resolve().parents[1] / "build" / "segmentation"  # one file a finished piece


def drawn(seed: int) -> tuple[Pictures, Pictures]:
    """Scenes to train on, and others to look at."""
    return scenes(LABELED, 10 * seed, SIZE, SCALE), scenes(TESTED, 10 * seed + 1, SIZE, SCALE)


def backbone(is_trained: bool, seed: int) -> VGG:
    """The package's net, or the same one with first weights."""
    return trained.load("small_vgg") if is_trained else small_vgg(seed=seed, initialization="he")


def some(pictures: Pictures, count: int) -> Tensor:
    """Which of them are labeled: as many of each class."""
    return torch.cat([(pictures.labels == label).nonzero().flatten()[: count // 3] for label in range(3)])


@torch.no_grad()
def maps_of(net: VGG, inputs: Tensor) -> dict[str, Tensor]:
    """All pools of a frozen net."""
    with in_mode(net, train=False):
        parts = [stages(net, part, POOLS) for part in inputs.split(50)]
    return {name: torch.cat([part[name] for part in parts]) for name in POOLS}


def tune(net: Segmenter, inputs: Tensor, truth: Tensor, rate: float, head_rate: float, seed: int) -> None:
    """Train everything, in place: Adam, the backbone at a rate of its own."""
    generator, rates = torch.Generator().manual_seed(seed), (rate, head_rate)
    adam = torch.optim.Adam([{"params": list(part.parameters())} for part in (net.vgg.features, net.heads)])
    net.train()
    for step in range(TUNE_STEPS):
        chosen = torch.randint(len(truth), (BATCH,), generator=generator)
        for group, highest in zip(adam.param_groups, rates, strict=True):
            group["lr"] = highest * (1 - step / TUNE_STEPS)
        adam.zero_grad()
        functional.cross_entropy(net(inputs[chosen]), truth[chosen]).backward()
        adam.step()
    net.eval()


@torch.no_grad()
def painted(net: Segmenter, maps: dict[str, Tensor]) -> Tensor:
    """The class of every pixel, from maps."""
    return net.score(maps, (SIZE, SIZE)).argmax(1)


def few(arm: str, count: int, seed: int, data: tuple[Pictures, Pictures], rates: dict[str, float]) -> float:
    """Mean IoU on the second pictures after training on ``count`` of the first."""
    (is_trained, tuned), (train, test) = FEW_ARMS[arm], data
    normalize, chosen = trained.card("small_vgg").normalize, some(train, count)
    inputs, truth = normalize(train.images[chosen]), pixel_labels(train)[chosen]
    net = Segmenter(backbone(is_trained, seed), FEW_READS)
    if tuned:
        tune(net, inputs, truth, rates[arm], rates["heads"], seed)
    else:
        train_heads(net, maps_of(net.vgg, inputs), truth, steps=HEAD_STEPS, rate=rates["heads"], seed=seed)
    predicted = painted(net, maps_of(net.vgg, normalize(test.images)))
    return mean_iou(counts(predicted, pixel_labels(test)))


def search() -> dict:
    """With another seed, on validation scenes: the rate of the heads, and those of the tuned backbones."""
    data, found = drawn(SEARCH_SEED), {}
    tries = {"heads": ("trained, frozen", HEAD_RATES)} | {
        arm: (arm, TUNE_RATES) for arm, (_, tuned) in FEW_ARMS.items() if tuned
    }
    chosen: dict[str, float] = {}
    for name, (arm, rates) in tries.items():
        found[name] = {f"{r:g}": few(arm, 48, SEARCH_SEED, data, chosen | {name: r}) for r in rates}
        chosen[name] = float(max(found[name], key=found[name].get))
        print("search", name, found[name], flush=True)
    return {"seed": SEARCH_SEED, "rates": found, "chosen": chosen}


def run_stages(seed: int, rates: dict[str, float]) -> dict:
    """All arms on the frozen net, and the bound of each stride: the IoU of every object."""
    train, test = drawn(seed)
    normalize, net = trained.card("small_vgg").normalize, backbone(True, seed)
    seen, new = (maps_of(net, normalize(pictures.images)) for pictures in (train, test))
    truth, result = pixel_labels(test), {"seed": seed, "sides": sides(test).tolist(), "arms": {}, "perfect": {}}
    for name, reads in ARMS.items():
        net_with_heads = Segmenter(net, reads)
        train_heads(net_with_heads, seen, pixel_labels(train), steps=HEAD_STEPS, rate=rates["heads"], seed=seed)
        predicted = painted(net_with_heads, new)
        hit = (predicted > 0) & (truth > 0)
        result["arms"][name] = {
            "mean_iou": mean_iou(counts(predicted, truth)),
            "objects": object_iou((predicted > 0).long(), (truth > 0).long()).tolist(),
            "named": float((predicted == truth)[hit].double().mean()),
        }
        print(seed, name, f"{result['arms'][name]['mean_iou']:.3f}", flush=True)
    for stride in STRIDES.values():
        result["perfect"][str(stride)] = object_iou(best_of_grid(test.masks, stride).long(), test.masks.long()).tolist()
    return result


def run_few(seed: int, rates: dict[str, float]) -> dict:
    """All arms with few labels."""
    data, result = drawn(seed), {"seed": seed}
    for arm in FEW_ARMS:
        result[arm] = {str(count): few(arm, count, seed, data, rates) for count in FEW}
        print(seed, arm, result[arm], flush=True)
    return result


# --- what came of it ---


def by_size(side: Tensor, values: Tensor) -> list[float]:
    """The mean over the objects of each range."""
    return [values[(side >= low) & (side < high)].mean().item() for low, high in RANGES]


def smallest_found(side: Tensor, values: Tensor, window: int = 101) -> float | None:
    """The size from which on at least half of the objects are found: of ``window`` objects around it, and all larger ones.

    Returns the median size of the first such window; None if there is none.
    """
    order = side.argsort(stable=True)
    found = (values[order] > FOUND).double().unfold(0, window, 1).mean(1) >= 0.5
    if not found[-1]:
        return None
    first = len(found) - int((~found).flip(0).double().argmax()) if not found.all() else 0
    return side[order][first + window // 2].item()


def collect(found: dict, runs: list[dict], runs_few: list[dict]) -> dict:
    side = torch.tensor([s for r in runs for s in r["sides"]])

    def objects(values: list[float]) -> dict:
        iou = torch.tensor(values)
        return {"by_size": by_size(side, iou), "found": by_size(side, (iou > FOUND).double())}

    arms = {name: [v for r in runs for v in r["arms"][name]["objects"]] for name in ARMS}
    perfect = {str(s): [v for r in runs for v in r["perfect"][str(s)]] for s in STRIDES.values()}
    every = {**arms, **{f"perfect, {s}": v for s, v in perfect.items()}}
    scores = {name: [r["arms"][name]["mean_iou"] for r in runs] for name in ARMS}
    labeled = {arm: {str(n): [r[arm][str(n)] for r in runs_few] for n in FEW} for arm in FEW_ARMS}
    pairs = {f"down to {b} - down to {a}": (f"down to {b}", f"down to {a}") for a, b in pairwise(POOLS)}
    differences = {name: paired(scores[a], scores[b]) for name, (a, b) in pairs.items()}
    for a, b in (
        ("trained, frozen", "random, frozen"),
        ("trained, tuned", "random, tuned"),
        ("trained, tuned", "trained, frozen"),
        ("random, tuned", "trained, frozen"),
    ):
        for n in map(str, FEW):
            differences[f"{a} - {b}, {n}"] = paired(labeled[a][n], labeled[b][n])
    return {
        **provenance("python -m experiments.segmentation"),
        "what": "mean IoU of segmenters on drawn scenes, by the stages they read, and with few labels",
        "seeds": [r["seed"] for r in runs],
        "parts": list(PARTS),
        "images": {"train": 3 * LABELED, "test": len(side) // len(runs)},
        "setting": {
            "size": SIZE,
            "scale": list(SCALE),
            "steps": {"heads": HEAD_STEPS, "tuned": TUNE_STEPS},
            "batch": {"heads": 32, "tuned": BATCH},
            "reads_of_few": list(FEW_READS),
            "found": FOUND,
        },
        "ranges": [list(r) for r in RANGES],
        "objects": [int(((side >= low) & (side < high)).sum()) for low, high in RANGES],
        "search": found,
        "stages": {
            name: {
                "reads": list(reads),
                "stride": STRIDES[reads[-1]],
                "mean_iou": summary(scores[name]),
                "outline": summary([statistics.mean(r["arms"][name]["objects"]) for r in runs]),
                "named": summary([r["arms"][name]["named"] for r in runs]),
                **objects(arms[name]),
            }
            for name, reads in ARMS.items()
        },
        "perfect": {stride: objects(values) for stride, values in perfect.items()},
        "smallest": {name: smallest_found(side, torch.tensor(values)) for name, values in every.items()},
        "few": {arm: {n: summary(values) for n, values in by_n.items()} for arm, by_n in labeled.items()},
        "differences": differences,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.segmentation", description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="write the result of the runs that are finished")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = once(DONE / "search.json", search)
    pieces = {"stages": run_stages, "few": run_few}
    if not options.collect:
        for seed in SEEDS:
            for name, run in pieces.items():
                once(DONE / f"{name}{seed}.json", lambda run=run, seed=seed: run(seed, found["chosen"]))
    runs, runs_few = (
        [json.loads(path.read_text(encoding="utf-8")) for s in SEEDS if (path := DONE / f"{name}{s}.json").exists()]
        for name in pieces
    )
    print(write("segmentation", collect(found, runs, runs_few)))


if __name__ == "__main__":
    main()
