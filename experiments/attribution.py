"""Which maps can be believed? The sanity check, the pointing game, and a net that cheats.

    VGG_COURSE_DATA=... python -m experiments.attribution      some minutes on one core

1. The sanity check (Adebayo et al. 2018): the layers of the shipped small VGG are made random from the top down; each map of
   a validation photograph is compared with the trained net's map. Five seeds of random weights.
2. The pointing game (Zhang et al. 2016) on drawn pictures with two objects: does the map's largest value lie on the object
   that was asked about? Five nets, each trained and judged with a seed of its own.
3. A net whose training pictures had a stamp that gave the class away, against the net of part 2, whose stamps meant nothing:
   which maps tell the two apart? The same five seeds.

What is reported over seeds is a mean with a 95 % interval (Student's t, n = 5). The sizes were chosen with seed 99. Stop it
when you like: the same command goes on. Writes book/results/attribution.json.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course import attribution, trained
from vgg_course.configuration import Configuration
from vgg_course.data import Dataset, Split
from vgg_course.model import VGG
from vgg_course.synthetic import CLASSES, Pictures, scenes
from vgg_course.training import Recipe, accuracy, fit, predict

SEEDS = (1, 2, 3, 4, 5)
T = 2.776  # Student's t for 95 % and 4 degrees of freedom
PHOTOGRAPHS = 60
LAYER = "relu4_3"  # of the shipped net: 4x4 cells

WORDS = "conv3-16 maxpool conv3-32 maxpool conv3-64 conv3-64 maxpool conv3-64 maxpool FC-3"
SIZE, SCALE = 40, (0.4, 0.55)
RECIPE = Recipe(optimizer="muon", epochs=4, batch_size=100, shift=0, flip=False)  # the stamp must stay where it is
TRAIN, TEST, PAIRS = 1000, 200, 120  # drawn pictures of each class; pictures with two objects
SMALL_LAYER = "relu4_1"  # of the net for drawn pictures: 5x5 cells, 8 pixels apart
PATCH, STRIDE = 8, 4
FOLDER = Path(__file__).parents[1] / "build" / "attribution"

Method = Callable[[nn.Module, Tensor, Tensor], Tensor]  # net, images, classes: maps (B, H, W)


def methods(layer: str) -> dict[str, Method]:
    return {
        "saliency": attribution.saliency,
        "guided backprop": lambda *asked: attribution.strength(attribution.guided(*asked)),
        "occlusion": lambda *asked: attribution.occlusion(*asked, PATCH, STRIDE),
        "Grad-CAM": lambda *asked: attribution.enlarge(attribution.grad_cam(*asked, layer), asked[1].shape[-1]),
    }


# --- 1: the sanity check ---


def sanity(seed: int) -> dict:
    """By method, for each layer from the top, the mean correlation over photographs; and with another class's map."""
    card, net, data = trained.card("small_vgg"), trained.load("small_vgg"), photographs(validation_per_class=500)
    some = torch.randperm(len(data.validation), generator=torch.Generator().manual_seed(seed))[:PHOTOGRAPHS]
    images = card.normalize(data.validation.images[some])
    order = predict(net, images).argsort(1, descending=True)
    asked = {name: method for name, method in methods(LAYER).items() if name != "occlusion"}
    asked["Grad-CAM"] = lambda net, images, classes: attribution.grad_cam(net, images, classes, LAYER)
    maps = {name: method(net, images, order[:, 0]) for name, method in asked.items()}
    found: dict = {name: {} for name in asked}
    for layer, twin in attribution.randomized(net, torch.Generator().manual_seed(seed)):
        for name, method in asked.items():
            alike = attribution.rank_correlation(maps[name], method(twin, images, order[:, 0]))
            found[name][layer] = alike.mean().item()
    other = {name: method(net, images, order[:, 1]) for name, method in asked.items()}
    return {
        "randomized": found,
        "other class": {n: attribution.rank_correlation(maps[n], other[n]).mean().item() for n in asked},
        "edges": {
            n: attribution.rank_correlation(maps[n], attribution.edges(images)).mean().item()
            for n in ("saliency", "guided backprop")
        },
    }


# --- 2 and 3: drawn pictures ---


def begin(seed: int) -> VGG:
    configuration = Configuration.parse(WORDS, input_size=SIZE).variant(batch_norm=True)
    return VGG(configuration, initialization="he", generator=torch.Generator().manual_seed(seed))


def trained_on(pictures: Pictures, colors: Tensor, seed: int) -> tuple[VGG, Dataset]:
    """A net that has learned pictures with stamps of these colors."""
    images = attribution.stamped(pictures.images, colors)
    split, none = Split(images, pictures.labels), Split(images[:0], pictures.labels[:0])
    data = Dataset(split, none, none, CLASSES, "drawn", is_drawn=True)
    net = begin(seed)
    fit(net, data, RECIPE, seed=seed)
    return net.eval(), data


def by_lot(count: int, seed: int) -> Tensor:
    return torch.randint(3, (count,), generator=torch.Generator().manual_seed(seed))


def drawn(seed: int) -> dict:
    pictures = scenes(TRAIN, 1000 + seed, SIZE, SCALE)
    test = scenes(TEST, 2000 + seed, SIZE, SCALE)
    honest, data = trained_on(pictures, by_lot(len(pictures), seed), seed)
    cheat, its_data = trained_on(pictures, pictures.labels, seed)
    nets = {"honest": (honest, data), "cheat": (cheat, its_data)}
    return {
        "accuracy": {name: tested(*pair, test, seed) for name, pair in nets.items()},
        **pointing(honest, data, test, seed),
        "stamp": cheating(nets, test),
    }


def tested(net: VGG, data: Dataset, test: Pictures, seed: int) -> dict[str, float]:
    """Accuracy with stamps that agree with the class, by lot, and that say another class."""
    colors = {"agreeing": test.labels, "by lot": by_lot(len(test), seed), "lying": (test.labels + 1) % 3}
    return {
        name: accuracy(predict(net, data.normalize(attribution.stamped(test.images, some))), test.labels)
        for name, some in colors.items()
    }


def pointing(net: VGG, data: Dataset, test: Pictures, seed: int) -> dict:
    """Where the largest value lies, asked for each of the two objects in turn."""
    images, masks, labels = attribution.two_objects(test, PAIRS, seed)
    images = attribution.stamped(images, by_lot(len(images), seed))
    stamp, inputs = attribution.stamps(images), data.normalize(images)
    masks = masks & ~stamp[:, None]
    places: dict = {}
    asked = {
        **methods(SMALL_LAYER),
        "edges, no net": lambda net, images, classes: attribution.edges(images),
        "chance": lambda net, images, classes: torch.ones(len(images), SIZE, SIZE),
    }
    layers = [name for name in attribution.names(net) if name.startswith(("relu", "pool"))]
    for layer in layers:
        asked[layer] = methods(layer)["Grad-CAM"]
    for name, method in asked.items():
        rows = []
        for one, other in ((0, 1), (1, 0)):
            maps = method(net, inputs, labels[:, one])
            parts = [attribution.points_at(maps, mask) for mask in (masks[:, one], masks[:, other], stamp)]
            rows.append(torch.stack([*parts, attribution.mass_inside(maps, masks[:, one])]))
        asked_one, other_one, on_stamp, mass = torch.cat(rows, 1).mean(1).tolist()
        places[name] = {
            "asked": asked_one,
            "other": other_one,
            "stamp": on_stamp,
            "elsewhere": 1 - asked_one - other_one - on_stamp,
            "mass": mass,
        }
    by_layer = {layer: places.pop(layer)["asked"] for layer in layers}
    return {"pictures": len(images), "pointing": places, "by layer": by_layer}


def cheating(nets: Mapping[str, tuple[VGG, Dataset]], test: Pictures) -> dict:
    """What maps of pictures with agreeing stamps show of the stamp, for the class that the net answers."""
    images = attribution.stamped(test.images, test.labels)
    stamp, found = attribution.stamps(images), {}
    for name, method in methods(SMALL_LAYER).items():
        shares, points = {}, {}
        for which, (net, data) in nets.items():
            inputs = data.normalize(images)
            maps = method(net, inputs, predict(net, inputs).argmax(1))
            shares[which] = attribution.mass_inside(maps, stamp)
            points[which] = attribution.points_at(maps, stamp).mean().item()
        found[name] = {
            "points": points,
            "mass": {which: share.mean().item() for which, share in shares.items()},
            "told apart": more_often(shares["cheat"], shares["honest"]),
        }
    return found


def more_often(a: Tensor, b: Tensor) -> float:
    """How often one of ``a`` is larger than one of ``b``, both drawn by lot; equal ones count half."""
    return ((a[:, None] > b[None]).double() + 0.5 * (a[:, None] == b[None]).double()).mean().item()


# --- the record ---


def interval(values: Sequence[float]) -> dict:
    found = summary(values)
    half = T * found["spread"] / len(values) ** 0.5
    return {**found, "low": found["mean"] - half, "high": found["mean"] + half}


def over_seeds(runs: Sequence) -> dict:
    """Records of the same form, one a seed: at each leaf the interval of its numbers."""
    first = runs[0]
    if isinstance(first, Mapping):
        return {key: over_seeds([run[key] for run in runs]) for key in first}
    return interval([float(run) for run in runs])


def main() -> None:
    torch.set_num_threads(1)
    start = time.perf_counter()
    checked = [once(FOLDER / f"sanity_{seed}.json", lambda seed=seed: sanity(seed)) for seed in SEEDS]
    pointed = [once(FOLDER / f"drawn_{seed}.json", lambda seed=seed: drawn(seed)) for seed in SEEDS]
    record = {
        **provenance("python -m experiments.attribution"),
        "seconds": round(time.perf_counter() - start),
        "what": "sanity: rank correlation of maps with those of the trained net; pointing: shares of maps; stamp: shares of "
        "a map's mass, and how often a cheat's map has more of it on the stamp than an honest net's",
        "seeds": list(SEEDS),
        "photographs": PHOTOGRAPHS,
        "layer": LAYER,
        "drawn": {"net": WORDS, "size": SIZE, "scale": list(SCALE), "train": TRAIN, "test": TEST, "layer": SMALL_LAYER},
        "patch": PATCH,
        "stride": STRIDE,
        "sanity": over_seeds(checked),
        **over_seeds(pointed),
    }
    print(write("attribution", record))


if __name__ == "__main__":
    main()
