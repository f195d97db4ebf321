"""What do the mistakes of a popular training program cost? Each one alone, against the same run without it.

    python -m experiments.clinic             about twenty minutes on one core; it goes on where it was stopped

The mistakes are those of one published program (jays0606/VGGNet on GitHub, and course notes made from it; all of them
together are in benchmarks/baseline.py). Here a small net is trained in good health, and then again with one mistake: the
same first weights, the same number of steps, and, unless augmentation itself is the mistake, the same order and shifts of
images. Five seeds. 512 images a class are held out for validation, so that an epoch of batches of 128 ends with 24 images
(105 * 128 + 24), as it does in the published program (117 * 128 + 24). Validation and test images are judged apart after
every epoch, in eval mode. No choice is made by the test images: they are recorded to show what such a choice would do.

Configuration A at an eighth of the width, one linear layer for three classes, in three families of runs:

    norm    with batch norm, one cycle of 8 epochs: healthy, frozen (augmented once, before training), plain
            (never augmented), std (divided by the copied deviations, in training and in judging), decay (weight decay 0.5
            on the weights)
    bare    without batch norm, at a lower learning rate: bare_healthy, bare_std
    sgd     with batch norm, by the published SGD: learning rate 0.01 held constant, momentum 0.9, decay on everything,
            batches of 128 and a last one of 24: sgd (decay 5e-4, 8 epochs), sgd_decay (decay 0.5, 2 epochs)

Writes book/results/clinic.json:

    runs[name]              words, family, epochs, recipe, and over the seeds, after the last epoch:
      .validation, .test    accuracy in eval mode: n, mean, spread, lowest, highest, values (in the order of the seeds)
      .cost                 test accuracy of the healthy run of the family, after as many epochs, minus this one's: the
                            same numbers, and interval, half the width of a 95 % confidence interval of the mean
                            (Student's t); null for the healthy runs
      .runs[i]              one seed: per epoch train_loss, validation_accuracy, test_accuracy, validation_loss; and
        .judged             (healthy) test accuracy of the trained net when judged otherwise. "mixed 100" and its like: in
                            train mode, in batches of so many images in random order or sorted by class; during is what
                            the judge sees, after is what an honest judge sees then. "copied std": eval mode, images
                            divided by the copied deviations, which the net was not trained with
        .steps              (sgd) the loss of each step, one list an epoch: the last number is that of 24 images
        .norm               (family sgd) length of the vector of all weights of convolutions and the linear layer, before
                            the first step and after every epoch
    judged[way]             the healthy runs' .judged over the seeds: during, after, and cost, the accuracy in eval mode minus
                            during ("mixed 100" is mixed_100 here)
    picked[name]            healthy and sgd: over the seeds, best test accuracy of all epochs minus that of the epoch with the
                            best validation accuracy (cost), and minus that of the last epoch (over_last)
    printed                 sgd: loss of the last mini-batch over the mean loss of its epoch, over all epochs and seeds
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course.answers import accuracy, in_mode, predict
from vgg_course.augmentation import random_flip, random_shift
from vgg_course.data import Dataset, Split
from vgg_course.model import VGG, vgg
from vgg_course.training import PRECISIONS, Recipe, best_precision, fit

WIDTH, BATCH, HELD_OUT, SHIFT = 1 / 8, 128, 512, 3
SEEDS = (21, 22, 23, 24, 25)
COPIED = (0.2023, 0.1994, 0.2010)  # the deviations that are not those of CIFAR-10's pixels
T_95 = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}  # by degrees of freedom
DONE = Path(__file__).resolve().parents[1] / "build" / "clinic"  # one file a finished run

ONE_CYCLE = Recipe(
    epochs=8,
    batch_size=BATCH,
    learning_rate=0.1,
    schedule="one-cycle",
    warm_up=0.25,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
    label_smoothing=0.1,
    shift=SHIFT,
    flip=True,
)
WITHOUT_NORM = replace(ONE_CYCLE, learning_rate=0.02)  # above that, nets without batch norm are lost
PUBLISHED = replace(ONE_CYCLE, learning_rate=0.01, schedule="constant", nesterov=False, label_smoothing=0.0)


class Copied(Dataset):
    """The same images, divided by the deviations that many programs copy."""

    std = torch.tensor(COPIED)


def divided_wrongly(data: Dataset, seed: int) -> Dataset:
    return Copied(data.train, data.validation, data.test, data.classes, data.source, data.is_drawn)


def frozen(data: Dataset, seed: int) -> Dataset:
    """What a list of augmented images does: chance is asked once for each image, before training."""
    generator = torch.Generator().manual_seed(1000 + seed)
    images = random_flip(random_shift(data.train.images, SHIFT, generator), generator)
    return replace(data, train=Split(images, data.train.labels))


def as_it_is(data: Dataset, seed: int) -> Dataset:
    return data


@dataclass(frozen=True)
class Patient:
    """One way to train: a healthy one, or the same with one mistake."""

    words: str
    family: str
    recipe: Recipe
    prepared: Callable[[Dataset, int], Dataset] = as_it_is


STILL = replace(ONE_CYCLE, shift=0, flip=False)
PATIENTS = {
    "healthy": Patient("one cycle", "norm", ONE_CYCLE),
    "frozen": Patient("augmented once, before training", "norm", STILL, frozen),
    "plain": Patient("never augmented", "norm", STILL),
    "std": Patient("copied deviations", "norm", ONE_CYCLE, divided_wrongly),
    "decay": Patient("weight decay 0.5 on the weights", "norm", replace(ONE_CYCLE, weight_decay=0.5)),
    "bare_healthy": Patient("no batch norm", "bare", WITHOUT_NORM),
    "bare_std": Patient("no batch norm, copied deviations", "bare", WITHOUT_NORM, divided_wrongly),
    "sgd": Patient("the published SGD", "sgd", PUBLISHED),
    "sgd_decay": Patient(
        "the published SGD, weight decay 0.5 on everything", "sgd", replace(PUBLISHED, epochs=2, weight_decay=0.5)
    ),
}
HEALTHY = {"norm": "healthy", "bare": "bare_healthy", "sgd": "sgd"}


def begin(family: str, seed: int) -> VGG:
    """The net at step 0: the same for all patients of a family and seed."""
    return vgg(
        "A",
        input_size=32,
        classes=3,
        width=WIDTH,
        hidden=(),
        batch_norm=family != "bare",
        generator=torch.Generator().manual_seed(seed),
    )


# --- training, with a look at two sets of images after every epoch ---


def run(patient: Patient, seed: int, data: Dataset) -> dict:
    """Train one net, and judge it in all the ways that its family asks for."""
    began = time.perf_counter()
    prepared = patient.prepared(data, seed)
    net = begin(patient.family, seed)
    if patient.family == "sgd":
        result = published(net, prepared, patient.recipe, seed)
    else:
        looks = Looks(net, prepared)
        history = fit(net, looks.both, patient.recipe, seed=seed)
        result = {"train_loss": [round(epoch.train_loss, 5) for epoch in history], **looks.judged()}
    if patient is PATIENTS["healthy"]:
        result["judged"] = judged_otherwise(net, data, seed)
    return {"seed": seed, "seconds": round(time.perf_counter() - began, 1), **result}


class Looks:
    """Judges validation and test images apart, though ``fit`` looks at one set after every epoch.

    ``both`` has the two of them in its validation split, and a hook keeps what the net says of them. The test images are
    recorded here and decide nothing: neither fit nor this program chooses anything by either set.
    """

    def __init__(self, net: nn.Module, data: Dataset) -> None:
        self.data, self.kept = data, []
        splits = (data.validation, data.test)
        self.labels = torch.cat([split.labels for split in splits])
        self.both = copy.copy(data)  # keeps the class, and with it the deviations
        object.__setattr__(self.both, "validation", Split(torch.cat([s.images for s in splits]), self.labels))
        self.hook = net.register_forward_hook(self.keep)

    def keep(self, net: nn.Module, inputs: tuple, output: Tensor) -> None:
        if not net.training:
            self.kept.append(output.float())

    def judged(self) -> dict[str, list[float]]:
        """By epoch, in eval mode. The hook comes off."""
        self.hook.remove()
        epochs = torch.cat(self.kept).split(len(self.labels))
        held = len(self.data.validation)
        validation, test = self.labels[:held], self.labels[held:]
        return {
            "validation_loss": [
                round(functional.cross_entropy(logits[:held].double(), validation).item(), 5) for logits in epochs
            ],
            "validation_accuracy": [accuracy(logits[:held], validation) for logits in epochs],
            "test_accuracy": [accuracy(logits[held:], test) for logits in epochs],
        }


def published(net: VGG, data: Dataset, recipe: Recipe, seed: int) -> dict:
    """The published program's loop, with images augmented anew in every epoch and an honest judge.

    ``fit`` makes batches of nearly equal size, decays weights only, and reports means; here the last batch is a small one,
    everything decays, and the loss of every step is kept.
    """
    net.to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(seed)
    sgd = torch.optim.SGD(
        net.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    looks, steps, norms, dtype = Looks(net, data), [], [norm(net)], PRECISIONS[best_precision(torch.device("cpu"))]
    for _ in range(recipe.epochs):
        net.train()
        steps.append([])
        for chosen in torch.randperm(len(data.train), generator=generator).split(recipe.batch_size):
            images = random_flip(random_shift(data.train.images[chosen], recipe.shift, generator), generator)
            inputs = data.normalize(images).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                logits = net(inputs)
            loss = functional.cross_entropy(logits.float(), data.train.labels[chosen])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            steps[-1].append(round(loss.item(), 5))
        predict(net, data.normalize(looks.both.validation.images))
        norms.append(norm(net))
    sizes = batch_sizes(len(data.train))
    means = [sum(n * loss for n, loss in zip(sizes, epoch, strict=True)) / sum(sizes) for epoch in steps]
    return {"train_loss": [round(mean, 5) for mean in means], **looks.judged(), "norm": norms, "steps": steps}


def batch_sizes(images: int) -> list[int]:
    return [len(part) for part in torch.arange(images).split(BATCH)]


def norm(net: nn.Module) -> float:
    return float(f"{math.sqrt(sum(p.double().square().sum().item() for p in net.parameters() if p.ndim > 1)):.6g}")


# --- judging otherwise ---


def judged_otherwise(net: VGG, data: Dataset, seed: int) -> dict[str, dict[str, float]]:
    """What a careless judge sees, and what an honest one sees after him."""
    inputs, labels = data.normalize(data.test.images), data.test.labels
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    answers = {}
    for words, size in (("mixed", 100), ("mixed", 10), ("mixed", 2), ("sorted", 100)):
        chosen = order if words == "mixed" else labels.argsort(stable=True)
        careless = copy.deepcopy(net)
        with in_mode(careless, train=True), torch.no_grad():
            logits = torch.cat([careless(part) for part in inputs[chosen].split(size)])
        answers[f"{words} {size}"] = {
            "during": accuracy(logits, labels[chosen]),
            "after": accuracy(predict(careless, inputs), labels),
        }
    mismatched = divided_wrongly(data, seed).normalize(data.test.images)
    answers["copied std"] = {"during": accuracy(predict(net, mismatched), labels)}
    return answers


# --- all of it ---


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="write the result of the runs that are finished")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = photographs(validation_per_class=HELD_OUT)
    if not options.collect:
        for seed in SEEDS:
            for name in PATIENTS:
                finish(name, seed, data)
    print(write("clinic", collect(data)))


def finish(name: str, seed: int, data: Dataset) -> None:
    """Do one run, unless it has been done."""
    result = once(_path(name, seed), lambda: run(PATIENTS[name], seed, data))
    last = f"validation {result['validation_accuracy'][-1]:.4f}, test {result['test_accuracy'][-1]:.4f}"
    print(name, seed, last, f"{result['seconds']:.0f} s", flush=True)


def collect(data: Dataset) -> dict:
    """All seeds that every patient has finished."""
    found = {
        name: {
            seed: json.loads(path.read_text(encoding="utf-8")) for seed in SEEDS if (path := _path(name, seed)).exists()
        }
        for name in PATIENTS
    }
    seeds = [seed for seed in SEEDS if all(seed in runs for runs in found.values())]
    if len(seeds) < 3:
        raise SystemExit(
            f"error: {len(seeds)} seeds are complete, and it takes 3 to speak of a spread; run it further."
        )
    runs = {}
    for name, patient in PATIENTS.items():
        ours = [found[name][seed] for seed in seeds]
        theirs = [found[HEALTHY[patient.family]][seed] for seed in seeds]
        runs[name] = {
            "words": patient.words,
            "family": patient.family,
            "epochs": patient.recipe.epochs,
            "recipe": asdict(patient.recipe),
            "validation": summary([r["validation_accuracy"][-1] for r in ours]),
            "test": summary([r["test_accuracy"][-1] for r in ours]),
            "cost": None if name in HEALTHY.values() else at_the_end(theirs, ours),
            "runs": ours,
        }
    return {
        **provenance("python -m experiments.clinic"),
        "what": "accuracy with one mistake of a published training program, against the same run without it",
        "precision": best_precision(torch.device("cpu")),
        "note": "other work ran on the machine: seconds say how long it took",
        "images": {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)},
        "batch_sizes": {
            "first": BATCH,
            "last": batch_sizes(len(data.train))[-1],
            "steps": len(batch_sizes(len(data.train))),
        },
        "seeds": seeds,
        "copied_std": list(COPIED),
        "std": [round(value, 4) for value in data.std.tolist()],
        "parameters": {family: sum(p.numel() for p in begin(family, 0).parameters()) for family in HEALTHY},
        "judged": over_the_seeds(runs["healthy"]["runs"]),
        "picked": {name: picked(runs[name]["runs"]) for name in ("healthy", "sgd")},
        "printed": printed(runs["sgd"]["runs"]),
        "runs": runs,
    }


def paired(better: Sequence[float], worse: Sequence[float]) -> dict:
    """Differences seed by seed, over the seeds, with half the width of the confidence interval of their mean."""
    costs = summary([a - b for a, b in zip(better, worse, strict=True)])
    return {**costs, "interval": T_95[costs["n"] - 1] * costs["spread"] / math.sqrt(costs["n"])}


def at_the_end(healthy: list[dict], ill: list[dict]) -> dict:
    """The cost of a mistake in test accuracy, after as many epochs."""
    last = len(ill[0]["test_accuracy"]) - 1
    return paired([run["test_accuracy"][last] for run in healthy], [run["test_accuracy"][last] for run in ill])


def over_the_seeds(healthy: list[dict]) -> dict[str, dict]:
    """How the healthy nets look to other judges."""
    honest = [run["test_accuracy"][-1] for run in healthy]
    ways = {}
    for way in healthy[0]["judged"]:
        looks = [run["judged"][way] for run in healthy]
        parts = {part: [look[part] for look in looks] for part in looks[0]}
        ways[way.replace(" ", "_")] = {
            **{part: summary(values) for part, values in parts.items()},
            "cost": paired(honest, parts["during"]),
        }
    return ways


def picked(runs: list[dict]) -> dict[str, dict]:
    """What the test images seem to give when they pick the epoch themselves."""
    best = [max(run["test_accuracy"]) for run in runs]
    epochs = [run["validation_accuracy"].index(max(run["validation_accuracy"])) for run in runs]
    by_validation = [run["test_accuracy"][epoch] for run, epoch in zip(runs, epochs, strict=True)]
    return {
        "cost": paired(best, by_validation),
        "over_last": paired(best, [run["test_accuracy"][-1] for run in runs]),
    }


def printed(runs: list[dict]) -> dict:
    ratios = [steps[-1] / mean for run in runs for steps, mean in zip(run["steps"], run["train_loss"], strict=True)]
    return summary(ratios)


def _path(name: str, seed: int) -> Path:
    return DONE / f"{name}-{seed}.json"


if __name__ == "__main__":
    main()
