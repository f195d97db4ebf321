"""What are a net's features worth for classes that it has never seen? Seven classes of CIFAR-10, few images, five seeds.

    VGG_COURSE_DATA=... python -m experiments.few_shot              about 20 minutes on one core; it goes on where it stopped
    VGG_COURSE_DATA=... python -m experiments.few_shot --collect    write the result of what is finished

The shipped small_vgg was trained on airplanes, automobiles and birds. Here the other seven classes of CIFAR-10 are learned
from 1, 5, 20, 100 or 500 images of each:

- by a linear SVM on vectors of length 1 (Appendix B of the paper): of pixels; of a net with random weights (He's, the
  statistics of its batch norms taken from unlabeled images); of the shipped net; and, if VGG_COURSE_WEIGHTS names them, of
  VGG-16 with ImageNet weights, for which the images are scaled up to 64 pixels (up to 100 images a class);
- by a new head on the frozen shipped net, and by fine-tuning it, each part at its own rate;
- from scratch.

A seed decides everything: five seeds have five disjoint sets of training images, and within a seed the smaller sets are
parts of the larger ones. C, learning rates and decay were chosen with a sixth set of images on validation images; the test
images were looked at once, at the end. Writes book/results/few_shot.json:

    arms[arm].sizes[n]  accuracy on the test images over seeds; chosen: what the search on validation images chose
    search[arm][n]      validation accuracy by setting (means over one to three draws of training images)
    by_class[arm]       recall of each class at BY_CLASS_SIZE images a class, mean over seeds
    slips               SVM accuracy at SLIP_SIZE images a class when pixels are prepared in a way the weights do not know:
                        "both" in training and in use, "use" only in use
    differences         by "a - b, n": paired by seed; mean of the differences, and its 95 % interval
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from experiments.localization import paired
from experiments.mismatched_inputs import SLIPS
from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course import augmentation, trained, weights
from vgg_course.adaptation import UNSEEN, Batches, rates, svm, svm_accuracy, tune, with_new_head
from vgg_course.data import Dataset
from vgg_course.model import VGG, vgg
from vgg_course.recipes import small_vgg
from vgg_course.training import accuracy, predict
from vgg_course.vectors import layer_vectors, unit

SIZES = (1, 5, 20, 100, 500)
SEEDS = (1, 2, 3, 4, 5)
DRAWS = {1: 3, 5: 2, 20: 1, 100: 1, 500: 1}  # of training images in the search for C; nets have one from 5 images on
BLOCK, VALIDATED, TESTED = 500, 200, 300  # images a class: of one seed, to choose by, to be judged by
CS = (1.0, 10.0, 100.0, 1000.0)
SIDE, IMAGENET_MOST = 64, 100
STEPS = {1: 30, 5: 60, 20: 150, 100: 300, 500: 600}  # of 32 images at most
SCRATCH = 2  # times as many steps
BY_CLASS_SIZE, SLIP_SIZE = 100, 20
SLIP_SEEDS, SLIP_TESTED = SEEDS[:3], 60
DONE = Path(__file__).resolve().parents[1] / "build" / "few_shot"

# of a vector: net, layer, and whether all places count or their mean
VECTORS = {
    "pixels": ("pixels", "pixels"),
    **{f"random {layer}": ("random", layer) for layer in ("pool3", "pool3 whole", "pool4")},
    **{f"shipped {layer}": ("shipped", layer) for layer in ("pool3", "pool3 whole", "pool4", "pool4 whole", "pool5")},
    **{f"ImageNet {layer}": ("ImageNet", layer) for layer in ("pool3", "pool4", "pool5")},
}
# of a net that learns: what becomes of its batch norms, and the settings to choose from: rate of the head, and decay
TUNED = {
    "new head": ("still", ("0.1, 0", "0.3, 0", "1, 0")),
    "fine-tuned": ("still", ("0.1, 0.3", "0.3, 0.3", "0.03, 1")),
    "fine-tuned, statistics moving": ("moving", ("0.1, 0.3", "0.3, 0.3", "0.1, 1")),
    "from scratch": ("moving", ("0.1, 1", "0.3, 1")),
}
PAIRS = (
    ("shipped pool3 whole", "random pool3 whole"),
    ("shipped pool3 whole", "pixels"),
    ("shipped pool3 whole", "shipped pool3"),
    ("shipped pool3", "shipped pool5"),
    ("shipped pool3 whole", "from scratch"),
    ("fine-tuned", "shipped pool3 whole"),
    ("fine-tuned", "new head"),
    ("fine-tuned", "from scratch"),
    ("fine-tuned", "fine-tuned, statistics moving"),
    ("new head", "shipped pool5"),
    ("ImageNet pool4", "shipped pool3 whole"),
    ("ImageNet pool5", "ImageNet pool4"),
)


# --- images ---


@cache
def data() -> Dataset:
    return photographs(classes=UNSEEN, train_per_class=5000, validation_per_class=500, test_per_class=TESTED)


@cache
def images(where: str | int) -> tuple[Tensor, Tensor]:
    """Images and labels, class by class: the block of a seed, or "validation" or "test"."""
    split = {"validation": data().validation, "test": data().test}.get(where, data().train)
    count = {"validation": VALIDATED, "test": TESTED}.get(where, BLOCK)
    start = BLOCK * where if isinstance(where, int) else 0
    chance, places = torch.Generator().manual_seed(0), []
    for label in range(len(UNSEEN)):
        own = (split.labels == label).nonzero()[:, 0]
        places.append(own[torch.randperm(len(own), generator=chance)][start : start + count])
    chosen = torch.cat(places)
    return split.images[chosen], split.labels[chosen]


def few(n: int, draw: int = 0, block: int = BLOCK) -> Tensor:
    """Places of ``n`` images of each class in a block; another draw has others."""
    return torch.cat([torch.arange(n) + draw * n + block * label for label in range(len(UNSEEN))])


# --- vectors ---


@cache
def shipped() -> VGG:
    return trained.load("small_vgg")


@cache
def normalize() -> Callable[[Tensor], Tensor]:
    return trained.card("small_vgg").normalize


def random_net(seed: int) -> VGG:
    """He's weights; its batch norms have the statistics of a seed's images."""
    net = small_vgg(classes=len(UNSEEN), seed=1000 + seed, initialization="he")
    calibrate(net, normalize()(images(seed)[0][::4]))
    return net


@torch.no_grad()
def calibrate(net: VGG, inputs: Tensor) -> None:
    """Give the batch norms of an untrained net the statistics of these inputs."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # forget what was
    net.train()(inputs)
    net.eval()


@cache
def imagenet() -> VGG | None:
    net = vgg("D", input_size=SIDE, classes=2, hidden=())
    return net.eval() if weights.features_from_environment(net) else None


def enlarged(some: Tensor) -> Tensor:
    return augmentation.rescale(some.float(), SIDE)


def small_slips() -> dict[str, Callable[[Tensor], Tensor]]:
    """The same slips as for ImageNet, with the shipped net's own mean and deviation."""
    card = trained.card("small_vgg")
    mean, std = (torch.tensor(part)[:, None, None] for part in (card.mean, card.std))
    return {
        "": lambda pixels: (pixels / 255 - mean) / std,
        "blue first": lambda pixels: (pixels.flip(1) / 255 - mean) / std,
        "deviation forgotten": lambda pixels: pixels / 255 - mean,
        "mean forgotten": lambda pixels: pixels / 255 / std,
        "-1 to 1": lambda pixels: pixels / 127.5 - 1,
        "255 forgotten": lambda pixels: (pixels - mean) / std,
        "as for Caffe": lambda pixels: pixels.flip(1) - 255 * mean.flip(0),
    }


def imagenet_slips() -> dict[str, Callable[[Tensor], Tensor]]:
    from experiments.mismatched_inputs import right

    every = {"": right, **SLIPS}
    return {name: lambda some, slip=slip: slip(enlarged(some)) for name, slip in every.items()}


def vectors(net: str, where: str | int, seed: int) -> dict[str, Tensor]:
    """By layer, of the images there; kept in a file."""
    name = f"{net}{seed if net == 'random' else ''}"
    most = IMAGENET_MOST if net == "ImageNet" and isinstance(where, int) else None
    return stored(f"{name}-{where}", lambda: computed(net, first_of(where, most), seed))


def first_of(where: str | int, most: int | None) -> Tensor:
    some = images(where)[0]
    return some if most is None else some[few(most, 0, len(some) // len(UNSEEN))]


def computed(net: str, some: Tensor, seed: int) -> dict[str, Tensor]:
    if net == "pixels":
        return {"pixels": normalize()(some).flatten(1)}
    if net == "ImageNet":
        return of_imagenet(some, imagenet_slips()[""])
    model = shipped() if net == "shipped" else random_net(seed)
    layers = ("pool3", "pool4") if net == "random" else ("pool3", "pool4", "pool5")
    whole = layer_vectors(model, some, *layers, prepare=normalize(), whole=True)
    channels = {"pool3": 64, "pool4": 128, "pool5": 128}
    means = {layer: found.unflatten(1, (channels[layer], -1)).mean(2) for layer, found in whole.items()}
    return means | {f"{layer} whole": found for layer, found in whole.items()}


def of_imagenet(some: Tensor, prepare: Callable[[Tensor], Tensor], *layers: str) -> dict[str, Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        return layer_vectors(imagenet(), some, *(layers or ("pool3", "pool4", "pool5")), prepare=prepare, batch_size=50)


def stored(name: str, work: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    path = DONE / "vectors" / f"{name}.pt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        torch.save(work(), path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
        print(name, f"{time.perf_counter() - began:.1f} s", flush=True)
    return torch.load(path)


# --- SVMs ---


def machine(net: str, layer: str, n: int, seed: int, C: float, draw: int = 0):
    block = vectors(net, seed, seed)[layer]
    places = few(n, draw, len(block) // len(UNSEEN))
    labels = torch.arange(len(UNSEEN)).repeat_interleave(n)
    return svm(block[places], labels, C)


def search_svm(arm: str, n: int) -> dict[str, float]:
    """Validation accuracy by C."""
    (net, layer), found = VECTORS[arm], {}
    validation, labels = vectors(net, "validation", 0)[layer], images("validation")[1]
    for C in CS if n < BLOCK else CS[:-1]:
        machines = [machine(net, layer, n, 0, C, draw) for draw in range(DRAWS[n])]
        shares = [svm_accuracy(one, validation, labels) for one in machines]
        found[f"{C:g}"] = sum(shares) / len(shares)
    return found


def judge_svm(arm: str, n: int, chosen: float) -> dict:
    """Accuracy on the test images, and recall by class, seed by seed."""
    (net, layer), shares, recalls = VECTORS[arm], [], []
    labels = images("test")[1]
    for seed in SEEDS:
        answers = torch.tensor(
            machine(net, layer, n, seed, chosen).predict(unit(vectors(net, "test", seed)[layer]).numpy())
        )
        shares.append((answers == labels).float().mean().item())
        recalls.append(recall(answers, labels))
    print(arm, n, f"{sum(shares) / len(shares):.4f}", flush=True)
    return {"accuracy": shares, "recall": recalls}


def recall(answers: Tensor, labels: Tensor) -> list[float]:
    return [(answers[labels == label] == label).float().mean().item() for label in range(len(UNSEEN))]


# --- nets that learn ---


def learned(arm: str, n: int, seed: int, head: float, decay: float, draw: int = 0) -> VGG:
    some, labels = images(seed)
    places = few(n, draw)
    chance = torch.Generator().manual_seed(seed)
    scratch = arm == "from scratch"
    net = small_vgg(classes=len(UNSEEN), seed=seed) if scratch else with_new_head(shipped(), len(UNSEEN), chance)
    batches = Batches(some[places], labels[places], normalize(), seed=seed)
    steps = STEPS[n] * (SCRATCH if scratch else 1)
    tune(net, batches, rates(net, head, decay), steps, statistics=TUNED[arm][0], seed=seed)
    return net


def share(net: VGG, where: str) -> tuple[float, list[float]]:
    some, labels = images(where)
    with torch.autocast("cpu", torch.bfloat16):
        answers = predict(net.to(memory_format=torch.channels_last), normalize()(some))
    return accuracy(answers, labels), recall(answers.argmax(1), labels)


def search_tuned(arm: str, n: int) -> dict[str, float]:
    """Validation accuracy by "head rate, decay"."""
    found: dict[str, float] = {}
    for setting in TUNED[arm][1]:
        (head, decay), shares = map(float, setting.split(", ")), []
        for draw in range(DRAWS[n] if n == 1 else 1):
            try:
                shares.append(share(learned(arm, n, 0, head, decay, draw), "validation")[0])
            except RuntimeError:  # the loss ran away
                shares.append(0.0)
        found[setting] = sum(shares) / len(shares)
    print(arm, n, found, flush=True)
    return found


def judge_tuned(arm: str, n: int, chosen: str) -> dict:
    head, decay = map(float, chosen.split(", "))
    judged = [share(learned(arm, n, seed, head, decay), "test") for seed in SEEDS]
    print(arm, n, chosen, [round(a, 4) for a, _ in judged], flush=True)
    return {"accuracy": [a for a, _ in judged], "recall": [r for _, r in judged]}


# --- wrong preparation ---


def slipped(net: str, slip: str, where: str | int) -> dict[str, Tensor]:
    count = SLIP_SIZE if isinstance(where, int) else SLIP_TESTED

    def work() -> dict[str, Tensor]:
        some = first_of(where, count)
        if net == "ImageNet":
            return of_imagenet(some, imagenet_slips()[slip], "pool4", "pool5")
        return layer_vectors(shipped(), some.float(), "pool4", "pool5", prepare=small_slips()[slip])

    return stored(f"slip-{net}-{slip or 'none'}-{where}", work)


def judge_slips(net: str) -> dict:
    """Accuracy by layer, slip, and where it happened."""
    chosen = {layer: float(best(searched(f"{net} {layer}", SLIP_SIZE))) for layer in ("pool4", "pool5")}
    labels = torch.arange(len(UNSEEN)).repeat_interleave(SLIP_SIZE)
    truth, result = torch.arange(len(UNSEEN)).repeat_interleave(SLIP_TESTED), {}
    for layer in ("pool4", "pool5"):
        result[layer] = {}
        for slip in small_slips():
            shares: dict[str, list[float]] = {"both": [], "use": []}
            for seed in SLIP_SEEDS:
                for place, learned_with in (("both", slip), ("use", "")):
                    one = svm(slipped(net, learned_with, seed)[layer], labels, chosen[layer])
                    shares[place].append(svm_accuracy(one, slipped(net, slip, "test")[layer], truth))
            result[layer][slip or "none"] = {place: summary(some) for place, some in shares.items()}
    print(net, "slips", flush=True)
    return result


# --- all of it ---


def best(by_setting: dict[str, float]) -> str:
    return max(by_setting, key=by_setting.get)


def arms() -> list[str]:
    return [arm for arm, (net, _) in VECTORS.items() if net != "ImageNet" or os.environ.get(weights.ENVIRONMENT)]


def work() -> None:
    """All pieces, each kept in a file when it is done; the dear ones last."""
    small, large = SIZES[:-1], SIZES[-1:]
    separate([arm for arm in arms() if VECTORS[arm][0] != "ImageNet"], small)
    once(DONE / "slips shipped.json", lambda: judge_slips("shipped"))
    learn(small[:-1])
    separate([arm for arm in arms() if VECTORS[arm][0] == "ImageNet"], small)
    learn(small[-1:])
    if os.environ.get(weights.ENVIRONMENT):
        once(DONE / "slips ImageNet.json", lambda: judge_slips("ImageNet"))
    separate([arm for arm in arms() if VECTORS[arm][0] != "ImageNet"], large)
    learn(large)


def separate(some: list[str], sizes: tuple[int, ...]) -> None:
    for n, arm in product(sizes, some):
        once(DONE / f"{arm}, {n}.json", lambda arm=arm, n=n: judge_svm(arm, n, float(best(searched(arm, n)))))


def learn(sizes: tuple[int, ...]) -> None:
    for n, arm in product(sizes, TUNED):
        once(DONE / f"{arm}, {n}.json", lambda arm=arm, n=n: judge_tuned(arm, n, best(searched(arm, n))))


def searched(arm: str, n: int) -> dict[str, float]:
    """Nets take over for 500 images a class what was found for 100."""
    if arm in VECTORS:
        return once(DONE / f"search {arm}, {n}.json", lambda: search_svm(arm, n))
    n = min(n, 100)
    return once(DONE / f"search {arm}, {n}.json", lambda: search_tuned(arm, n))


def collect() -> dict:
    found: dict[str, dict] = {}
    searches, by_class, values = {}, {}, {}
    for arm in (*arms(), *TUNED):
        for n in SIZES:
            if not (DONE / f"{arm}, {n}.json").exists():
                continue
            judged = once(DONE / f"{arm}, {n}.json", dict)
            search = searched(arm, n)
            sizes = found.setdefault(arm, {"sizes": {}})["sizes"]
            sizes[str(n)] = {"chosen": best(search), "accuracy": summary(judged["accuracy"])}
            searches.setdefault(arm, {})[str(n)] = search
            values[arm, n] = judged["accuracy"]
            if n == BY_CLASS_SIZE:
                means = [sum(column) / len(column) for column in zip(*judged["recall"], strict=True)]
                by_class[arm] = dict(zip(UNSEEN, means, strict=True))
    differences = {
        f"{a} - {b}, {n}": paired(values[a, n], values[b, n])
        for (a, b), n in product(PAIRS, SIZES)
        if (a, n) in values and (b, n) in values
    }
    slips = {net: once(DONE / f"slips {net}.json", dict) for net in ("shipped", "ImageNet") if there(f"slips {net}")}
    return {
        **provenance("python -m experiments.few_shot"),
        "what": "test accuracy on seven classes of CIFAR-10 that small_vgg has never seen, by way and images a class",
        "classes": list(UNSEEN),
        "seeds": list(SEEDS),
        "images": {"validation": len(UNSEEN) * VALIDATED, "test": len(UNSEEN) * TESTED},
        "setting": {
            "sizes": list(SIZES),
            "steps": {str(n): steps for n, steps in STEPS.items()},
            "batch_size": 32,
            "scratch_steps_times": SCRATCH,
            "imagenet_side": SIDE,
            "by_class_size": BY_CLASS_SIZE,
            "slip_size": SLIP_SIZE,
            "slip_seeds": list(SLIP_SEEDS),
            "slip_test_images": len(UNSEEN) * SLIP_TESTED,
        },
        "arms": found,
        "search": searches,
        "by_class": by_class,
        "differences": differences,
        "slips": slips,
    }


def there(name: str) -> bool:
    return (DONE / f"{name}.json").exists()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.few_shot", description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="write the result of what is finished")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.collect:
        work()
    print(write("few_shot", collect()))


if __name__ == "__main__":
    main()
