"""Train the net that comes with the package, ``trained.load("small_vgg")``, and write its card.

    python -m experiments.small_vgg

It is the run of ``vgg-course train``: the course's recipe, seed 0, the last epoch. Nothing was chosen by looking at
results, so its accuracy is that of one more run, not of the best of some. 500 images of each class stay held out, as in
``experiments/live_training.py``: so the runs there are its sisters, with other seeds and the same images; and whoever
makes a choice about this net (a threshold, a temperature) has images that it has never seen, and spares the test images.

On a CPU with as many threads the same seed gives the same file, bit for bit. The test images are looked at once, by the
file as it was read back. File and card are written together or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from experiments.provenance import photographs, provenance
from vgg_course import results, trained, weights
from vgg_course.accounting import ledger
from vgg_course.answers import accuracy, predict
from vgg_course.cifar10 import DIGESTS
from vgg_course.data import Dataset, Split
from vgg_course.history import History
from vgg_course.model import VGG
from vgg_course.recipes import QUICK, small_vgg
from vgg_course.training import Recipe, best_device, fit

NAME = "small_vgg"
SEED = 0
HELD_OUT = 500  # of each class

LICENSE = (
    "MIT, as the course's code. CIFAR-10's pictures were collected from the web and carry no license of their own; "
    "cite Krizhevsky (2009)."
)
NOT_FOR = [
    "pictures of anything else: it names one of its classes whatever it is shown",
    "large photographs: an object must fill most of a picture of the size above",
    "its probabilities as they are: label smoothing held them down, and nobody calibrated them",
    "decisions about people or safety: it was made to teach",
]


def main() -> None:
    live = results.load("live_training")
    data = photographs(validation_per_class=HELD_OUT)
    if not same_run(live, data):
        raise SystemExit("error: live_training.json is of another recipe. First: python -m experiments.live_training")
    model = small_vgg(len(data.classes), SEED).to(best_device())
    history = fit(model, data, QUICK, seed=SEED)
    if history.interrupted:
        raise SystemExit("stopped; nothing was written")
    print(history, ship(model, data, history, live), sep="\n\n")


def same_run(live: Mapping, data: Dataset) -> bool:
    """Whether the runs of ``live_training`` differ from this one by nothing but the seed."""
    try:
        return Recipe(**live["recipe"]) == QUICK and live["images"] == sizes(data)
    except TypeError:  # it has a part that recipes have no longer
        return False


def sizes(data: Dataset) -> dict[str, int]:
    return {split: len(getattr(data, split)) for split in ("train", "validation", "test")}


def ship(model: VGG, data: Dataset, history: History, live: Mapping, folder: Path = trained.FOLDER) -> trained.Card:
    """Write the file and the card. A kill between the two moves at the end would show: loading compares them."""
    with TemporaryDirectory(dir=folder.parent, prefix=".ship") as place:
        file, card_file = Path(place) / f"{NAME}.safetensors", Path(place) / f"{NAME}.json"
        weights.save(model, file, classes=data.classes, mean=data.mean.tolist(), std=data.std.tolist())
        card = judged(described(file, data, history, live), weights.build(file), data)
        card_file.write_text(json.dumps(asdict(card), indent=1) + "\n", encoding="utf-8")
        for written in (file, card_file):
            os.replace(written, folder / written.name)
    return card


def described(file: Path, data: Dataset, history: History, live: Mapping) -> trained.Card:
    """The card of a file, without its accuracy."""
    said = weights.about(file)
    configuration = {key: said[key] for key in ("name", "notation", "input_size", "in_channels", "batch_norm")}
    return trained.Card(
        name=NAME,
        purpose="teaching; telling these classes apart in photographs like those of CIFAR-10",
        configuration=configuration,
        parameters=ledger(weights.build(file).configuration).parameters,
        classes=said["classes"],
        mean=said["mean"],
        std=said["std"],
        data={
            "name": "reduced CIFAR-10",
            "selected": f"all images of these classes, but {HELD_OUT} training images of each are held out, drawn by lot "
            "(reduced_cifar10, seed 0)",
            "images": sizes(data),
            "sha256": {name: DIGESTS[name] for name in data.classes},
        },
        start=f"vgg_course.recipes.small_vgg(seed={history.seed})",
        recipe=asdict(history.recipe),
        seed=history.seed,
        precision=history.precision,
        test={},
        validation={},
        sisters=live["test_accuracy"] | {"seeds": live["seeds"]},
        made=provenance(f"python -m experiments.{NAME}"),
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        bytes=file.stat().st_size,
        license=LICENSE,
        not_for=NOT_FOR,
    )


def judged(card: trained.Card, net: VGG, data: Dataset) -> trained.Card:
    """The card with the accuracy of the net on test and held-out images."""

    def judge(split: Split) -> dict:
        return {
            "images": len(split),
            "accuracy": accuracy(predict(net, card.normalize(split.images)), split.labels),
        }

    return replace(card, test=judge(data.test), validation=judge(data.validation))


if __name__ == "__main__":
    main()
