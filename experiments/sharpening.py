"""How do the layers of a net sort images? The nearest neighbor's class, layer by layer, before and after training.

    VGG_COURSE_DATA=... python -m experiments.sharpening              five minutes on one core; it goes on where it stopped
    VGG_COURSE_DATA=... python -m experiments.sharpening --collect    write the result of what is finished

An image is right if its nearest neighbor, by the cosine of vectors (the mean of each map over its places), has its class:
leave-one-out, nothing is trained on these images. "known" are 1,500 images of airplane, automobile and bird that were held
out when the shipped net was trained, "new" 1,400 of the seven classes of CIFAR-10 that it has never seen. Nets: the shipped
one and four sisters (same recipe, other seeds); what these five began from; five with He's random weights; and VGG-16 with
ImageNet weights, images scaled up to 64 pixels, if VGG_COURSE_WEIGHTS names them. The batch norms of untrained nets take
their statistics from training images. Writes book/results/sharpening.json:

    accuracy[net][set][layer]   over seeds (one for pixels and ImageNet)
    pca[layer]                  of the shipped net's vectors of the known images (length 1): the share of the spread that lies in
                                the two longest directions
    twins                       of all 3,000 test and 15,000 training images of the known classes: how many test images have their
                                nearest training image (by the whole maps of pool3) at less than LIMITS, the root mean square
                                over pixels where 255 is 1; and the closest pairs, by their places in reduced_cifar10()
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from experiments import few_shot
from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course import trained, weights
from vgg_course.data import Dataset
from vgg_course.model import VGG
from vgg_course.recipes import QUICK, small_vgg
from vgg_course.training import fit
from vgg_course.vectors import layer_vectors, nearest_accuracy, neighbors, unit

LAYERS = ("pool1", "pool2", "pool3", "pool4", "pool5")
SEEDS = (0, 1, 2, 3, 4)
LIMITS, PAIRS = (0.03, 0.06, 0.1), 12
PUBLISHED = {
    "share": 0.0325,
    "of": "all ten classes",
    "source": "Barz & Denzler 2020, ciFAIR",
}  # near-duplicates in the test set
DONE = Path(__file__).resolve().parents[1] / "build" / "sharpening"


@cache
def known() -> Dataset:
    return photographs(validation_per_class=500)


def sets() -> dict[str, tuple[Tensor, Tensor]]:
    held_out = known().validation
    return {"known": (held_out.images, held_out.labels), "new": few_shot.images("validation")}


def measured(net: VGG, data: Dataset) -> dict[str, dict[str, float]]:
    found = {}
    for name, (images, labels) in sets().items():
        vectors = layer_vectors(net, images, *LAYERS, prepare=data.normalize)
        found[name] = {layer: nearest_accuracy(vectors[layer], labels) for layer in LAYERS}
    return found


def untrained(initialization: str, seed: int, data: Dataset) -> VGG:
    """A net that has learned nothing; its batch norms know the scale of its own values."""
    net = small_vgg(seed=seed, initialization=initialization)
    few_shot.calibrate(net, data.normalize(data.train.images[:: len(data.train) // 1000]))
    return net


def one(net: str, seed: int) -> dict:
    data = known()
    match net:
        case "trained":
            model = trained.load("small_vgg") if seed == 0 else small_vgg(seed=seed)
            if seed:
                fit(model, data, QUICK, seed=seed)
        case "before":
            model = untrained("dirac", seed, data)
        case "random":
            model = untrained("he", seed, data)
    found = measured(model, data)
    print(net, seed, found, flush=True)
    return found


def pca_shares() -> dict[str, float]:
    """By layer of the shipped net, how much of the spread of the known images lies in the two longest directions."""
    images, _ = sets()["known"]
    net, prepare = trained.load("small_vgg"), known().normalize
    shares = {}
    for layer, found in layer_vectors(net, images, *LAYERS, prepare=prepare).items():
        squares = torch.linalg.svdvals(unit(found) - unit(found).mean(0)).square()
        shares[layer] = float(squares[:2].sum() / squares.sum())
    return shares


def of_pixels() -> dict:
    return {
        name: {"pixels": nearest_accuracy(known().normalize(images).flatten(1), labels)}
        for name, (images, labels) in sets().items()
    }


def of_imagenet() -> dict:
    found = {}
    for name, (images, labels) in sets().items():
        vectors = few_shot.of_imagenet(images, few_shot.imagenet_slips()[""], *LAYERS)
        found[name] = {layer: nearest_accuracy(vectors[layer], labels) for layer in LAYERS}
    print("ImageNet", found, flush=True)
    return found


def twins() -> dict:
    """Test images that are in the training set as well, or nearly so."""
    data, net = photographs(), trained.load("small_vgg")
    prepare = trained.card("small_vgg").normalize
    train, test = (
        layer_vectors(net, split.images, "pool3", prepare=prepare, whole=True)["pool3"]
        for split in (data.train, data.test)
    )
    places = neighbors(test, 1, among=train)[1][:, 0]
    apart = (data.test.images.float() - data.train.images[places].float()).div(255).square().mean((1, 2, 3)).sqrt()
    closest = apart.argsort()[:PAIRS]
    pairs = [
        {
            "test": int(i),
            "train": int(places[i]),
            "apart": round(float(apart[i]), 4),
            "classes": [
                data.classes[data.test.labels[i]],
                data.classes[data.train.labels[places[i]]],
            ],
        }
        for i in closest
    ]
    return {"images": len(test), "counts": {f"{x:g}": int((apart < x).sum()) for x in LIMITS}, "pairs": pairs}


def work() -> None:
    once(DONE / "pixels.json", of_pixels)
    once(DONE / "pca.json", pca_shares)
    for net in ("before", "random"):
        for seed in SEEDS:
            once(DONE / f"{net} {seed}.json", lambda net=net, seed=seed: one(net, seed))
    once(DONE / "twins.json", twins)
    if os.environ.get(weights.ENVIRONMENT):
        once(DONE / "ImageNet.json", of_imagenet)
    for seed in SEEDS:
        once(DONE / f"trained {seed}.json", lambda seed=seed: one("trained", seed))


def collect() -> dict:
    accuracy = {}
    for net in ("pixels", "before", "random", "trained", "ImageNet"):
        paths = [DONE / f"{net}.json", *(DONE / f"{net} {seed}.json" for seed in SEEDS)]
        runs = [once(path, dict) for path in paths if path.exists()]
        if runs:
            accuracy[net] = {
                name: {layer: summary([run[name][layer] for run in runs]) for layer in runs[0][name]}
                for name in ("known", "new")
            }
    return {
        **provenance("python -m experiments.sharpening"),
        "what": "share of images whose nearest neighbor has their class, by layer, before and after training",
        "seeds": list(SEEDS),
        "images": {name: len(labels) for name, (_, labels) in sets().items()},
        "imagenet_side": few_shot.SIDE,
        "accuracy": accuracy,
        "pca": once(DONE / "pca.json", pca_shares),
        "twins": {**once(DONE / "twins.json", twins), "published": PUBLISHED},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.sharpening", description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="write the result of what is finished")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.collect:
        work()
    print(write("sharpening", collect()))


if __name__ == "__main__":
    main()
