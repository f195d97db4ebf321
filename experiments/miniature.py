"""Tables 3 to 6 of the paper in miniature: which of its orderings return when we train and test ourselves.

    python -m experiments.miniature [SEED ...]     some seven minutes a seed on one core; it goes on where it was stopped

Configurations D and E at a quarter of their width, without their last two pools: for crops of 32 pixels that leaves a grid
of 4x4 under the classifier and a stride of 8, where the paper has 7x7 and 32. The photographs of reduced CIFAR-10 are
rescaled so that a side has S pixels. A fixed S of 40 and of 56 and an S drawn from [40; 72] stand for the paper's 256, 384
and [256; 512], and the test sides Q for its own: as in the paper, all are multiples of the stride, and 56 is the middle of
the range. Nothing is chosen on the test photographs: sides, recipe and comparisons were fixed before they were looked at,
but for one (jitter_over_small), added after the first seed had shown that the smallest scale is best.
Writes book/results/miniature.json:

    entries[net][way]       net: D_40, D_56, D_jitter, E_..; D_with_E (both jittered, of one seed), D_with_D (of one seed and
                            the next), six (all of one seed), every (the jittered nets of all seeds).
                            way: single (dense at one side), several (dense at three), crops, both (the last two averaged)
      .done, .macs_an_image in words and counted, for one image of the data
      .error                over the seeds: shares, with values in their order
    comparisons[name]       claim, table, and in which rows the paper makes it and we test it
      .rows[row]            values: points by seed, the error of the worse entry less that of the better, positive where the
                            paper's claim holds; paper: its own difference; disagreement: the share of images on which one of
                            the two is right and the other wrong
      .points               over the seeds: the mean of the rows
      .low, .high           95 % interval for other trainings, on these photographs (Student's t over the seeds)
      .images_low, _high    the same for other photographs, with these nets (normal; an image's own difference is its draw)
      .verdict              reappears, if both intervals lie above zero; contradicts, if both lie below; else cannot tell
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from experiments.depth import student_t
from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course import paper, weights
from vgg_course.augmentation import random_crop, random_flip, rescale
from vgg_course.configuration import CONFIGURATIONS, Configuration
from vgg_course.data import Dataset, Split
from vgg_course.evaluation import Both, Dense, MultiCrop, Protocol, hits, macs, posteriors
from vgg_course.model import VGG, vgg
from vgg_course.optimizers import Muon
from vgg_course.recipes import QUICK

NAME = "miniature"
SEEDS = (0, 1, 2)
HELD_OUT = 500  # of each class: nothing is chosen, but the nets learn from as many images as those of other chapters
SIZE, WIDTH, DROPPED = 32, 1 / 4, 2
TRAINED = {"40": (40, 40), "56": (56, 56), "jitter": (40, 72)}
SINGLE = {"40": 40, "56": 56, "jitter": 56}
SEVERAL = {"40": (32, 40, 48), "56": (48, 56, 64), "jitter": (40, 56, 72)}
GRID = 3  # crops along a side; the paper has 5
T3, T4, T5, T6 = (paper.TABLES[number] for number in (3, 4, 5, 6))
DONE = Path(__file__).resolve().parents[1] / "build" / NAME  # one file a finished piece


# --- nets and how they are trained ---


def configuration(letter: str) -> Configuration:
    """One of the paper's, narrower and without its last pools, for crops of 32 pixels."""
    words = CONFIGURATIONS[letter].notation().split()
    for _ in range(DROPPED):
        del words[len(words) - 1 - words[::-1].index("maxpool")]
    return Configuration.parse(" ".join(words), letter).variant(
        input_size=SIZE, classes=3, width=WIDTH, hidden=(), batch_norm=True
    )


def jittered(images: Tensor, smallest: int, largest: int, generator: torch.Generator) -> Tensor:
    """What :func:`vgg_course.augmentation.scale_jitter` does, an operation for all images of one scale: uint8 to uint8."""
    sides = torch.randint(smallest, largest + 1, (len(images),), generator=generator)
    crops = images.new_empty(len(images), images.shape[1], SIZE, SIZE)
    for side in sides.unique().tolist():
        chosen = sides == side
        crops[chosen] = random_crop(rescale(images[chosen], side), SIZE, generator)
    return crops


def train(letter: str, scales: tuple[int, int], seed: int, data: Dataset, epochs: int = QUICK.epochs) -> VGG:
    """The recipe of the live run, with the paper's rescaling and cropping in place of shifts."""
    generator = torch.Generator().manual_seed(seed)
    net = vgg(configuration(letter), initialization="dirac", generator=generator).to(memory_format=torch.channels_last)
    filters = [p for p in net.parameters() if p.ndim == 4]
    others = [
        {"params": [p for p in net.parameters() if p.ndim == 2], "weight_decay": QUICK.weight_decay},
        {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = Muon(
        filters, others, precision=torch.bfloat16, lr=QUICK.learning_rate, momentum=QUICK.momentum, nesterov=True
    )
    batches = math.ceil(len(data.train) / QUICK.batch_size)
    steps, step = epochs * batches, 0
    net.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(data.train), generator=generator).tensor_split(batches):
            images = random_flip(jittered(data.train.images[chosen], *scales, generator), generator)
            x = data.normalize(images).contiguous(memory_format=torch.channels_last)
            for group in optimizer.param_groups:
                group["lr"] = QUICK.learning_rate_at((step + 0.5) / steps)
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(x)
            loss = functional.cross_entropy(
                logits.float(), data.train.labels[chosen], label_smoothing=QUICK.label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    if not math.isfinite(loss.item()):
        raise SystemExit(f"error: {letter} trained at {scales} with seed {seed} ends with a loss of {loss.item()}")
    return net.eval()


# --- what is kept of each run ---


def trained(letter: str, training: str, seed: int, data: Dataset) -> VGG:
    """The net of a run, trained if there is none yet."""
    path = DONE / f"{letter}_{training}_{seed}.safetensors"
    if not path.exists():
        began = time.process_time()
        net = train(letter, TRAINED[training], seed, data)
        path.parent.mkdir(parents=True, exist_ok=True)
        weights.save(net, path)
        print(f"{path.stem}: trained in {time.process_time() - began:.0f} s of a core", flush=True)
    net = VGG(configuration(letter))
    weights.load(net, path)
    return net.eval().to(memory_format=torch.channels_last)


def answers(letter: str, training: str, seed: int, protocol: Protocol, split: Split, data: Dataset) -> Tensor:
    """What a net says to the images, ``(N, classes)``: put together from its answers at single sides, each computed once."""
    if isinstance(protocol, Both):
        return sum(answers(letter, training, seed, part, split, data) for part in (protocol.dense, protocol.crops)) / 2
    if len(protocol.sides) > 1:
        parts = [_at(protocol, side) for side in protocol.sides]
        return sum(answers(letter, training, seed, part, split, data) for part in parts) / len(parts)
    name = "_".join(str(protocol).replace(",", "").split())

    def work() -> list:
        net, began = trained(letter, training, seed, data), time.process_time()
        with torch.autocast("cpu", torch.bfloat16):
            said = posteriors(net, split.images, protocol, normalize=lambda batch: _last(data.normalize(batch)))
        print(f"{letter}_{training}_{seed} {protocol}: {time.process_time() - began:.0f} s of a core", flush=True)
        return said.tolist()

    return torch.tensor(once(DONE / f"{letter}_{training}_{seed}_{name}.json", work), dtype=torch.float64)


def _at(protocol: Dense | MultiCrop, side: int) -> Dense | MultiCrop:
    return Dense(side) if isinstance(protocol, Dense) else MultiCrop(side, protocol.grid)


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


# --- who is compared with whom ---

WAYS = {
    "single": lambda training: Dense(SINGLE[training]),
    "several": lambda training: Dense(SEVERAL[training]),
    "crops": lambda training: MultiCrop(SEVERAL[training], GRID),
    "both": lambda training: Both(Dense(SEVERAL[training]), MultiCrop(SEVERAL[training], GRID)),
}


def _gain(worse: paper.Evaluation | paper.Cropping, better: paper.Evaluation | paper.Cropping) -> float:
    return round(worse.top_1 - better.top_1, 1)


JITTERED = ("D_jitter", "E_jitter")

# claim, table, and by row: the worse (or several, of which the best counts), the better, the paper's difference
Row = tuple[str | tuple[str, ...], str, float]
COMPARISONS: dict[str, tuple[str, int, dict[str, Row]]] = {
    "jitter_over_fixed": (
        "trained with jitter, better than at a fixed scale (same test side)",
        3,
        {n: (f"{n}_56 single", f"{n}_jitter single", _gain(T3[f"{n}_384"], T3[f"{n}_jitter"])) for n in "DE"},
    ),
    "jitter_over_small": (
        "trained with jitter, better than at the smallest scale (each at its own test side)",
        3,
        {n: (f"{n}_40 single", f"{n}_jitter single", _gain(T3[f"{n}_256"], T3[f"{n}_jitter"])) for n in "DE"},
    ),
    "several_over_one_fixed": (
        "several test sides, better than one (nets trained at a fixed scale)",
        4,
        {
            f"{n}_{ours}": (
                f"{n}_{ours} single",
                f"{n}_{ours} several",
                _gain(T3[f"{n}_{theirs}"], T4[f"{n}_{theirs}"]),
            )
            for n in "DE"
            for ours, theirs in (("40", "256"), ("56", "384"))
        },
    ),
    "several_over_one_jitter": (
        "several test sides, better than one (nets trained with jitter)",
        4,
        {n: (f"{n} single", f"{n} several", _gain(T3[n], T4[n])) for n in JITTERED},
    ),
    "crops_over_dense": (
        "many crops, better than the whole image",
        5,
        {n: (f"{n}_jitter several", f"{n}_jitter crops", _gain(T5[f"{n}_dense"], T5[f"{n}_multi_crop"])) for n in "DE"},
    ),
    "both_over_dense": (
        "crops and the whole image, better than the whole image",
        5,
        {n: (f"{n}_jitter several", f"{n}_jitter both", _gain(T5[f"{n}_dense"], T5[f"{n}_both"])) for n in "DE"},
    ),
    "both_over_crops": (
        "crops and the whole image, better than crops",
        5,
        {n: (f"{n}_jitter crops", f"{n}_jitter both", _gain(T5[f"{n}_multi_crop"], T5[f"{n}_both"])) for n in "DE"},
    ),
    "pair_over_best": (
        "D with E, better than the better of the two",
        6,
        {
            ours: (
                tuple(f"{n} {ours}" for n in JITTERED),
                f"D_with_E {ours}",
                round(min(T5[f"{n}_{theirs}"].top_1 for n in "DE") - T6[theirs].top_1_val, 1),
            )
            for ours, theirs in (("several", "dense"), ("crops", "multi_crop"), ("both", "both"))
        },
    ),
    "pair_over_all": (
        "D with E, both jittered, better than all nets of a submission",
        6,
        {"dense": ("six several", "D_with_E several", round(T6["submission"].top_1_val - T6["dense"].top_1_val, 1))},
    ),
    "E_over_D_fixed": (
        "E, better than D (trained at a fixed scale)",
        3,
        {
            ours: (f"D_{ours} single", f"E_{ours} single", _gain(T3[f"D_{theirs}"], T3[f"E_{theirs}"]))
            for ours, theirs in (("40", "256"), ("56", "384"))
        },
    ),
    "E_over_D_jitter": (
        "E, better than D (trained with jitter)",
        3,
        {"jitter": ("D_jitter single", "E_jitter single", _gain(T3["D_jitter"], T3["E_jitter"]))},
    ),
}


def main() -> None:
    torch.set_num_threads(1)  # the same weights on every machine of a kind, however many cores it has
    seeds = [int(word) for word in sys.argv[1:]] or list(SEEDS)
    data = photographs(validation_per_class=HELD_OUT)
    said = {
        f"{letter}_{training} {way}": [
            answers(letter, training, seed, protocol(training), data.test, data) for seed in seeds
        ]
        for letter in "DE"
        for training in TRAINED
        for way, protocol in WAYS.items()
        if training == "jitter" or way in ("single", "several")
    }
    print(write(NAME, collect(said, seeds, data.test.labels, len(data.train))))


def collect(said: dict[str, list[Tensor]], seeds: list[int], labels: Tensor, train_images: int) -> dict:
    """What is written, from the answers of every net in every way, by seed."""
    costs = {name: _cost(name) for name in said}
    parts = {name: [name] for name in said}  # whose answers are averaged
    fused = dict(said)
    for way in ("several", "crops", "both"):
        pair = [f"{net} {way}" for net in JITTERED]
        parts[f"D_with_E {way}"], fused[f"D_with_E {way}"] = pair, _mean(*(said[one] for one in pair))
        every = [one for name in pair for one in said[name]]
        parts[f"every {way}"], fused[f"every {way}"] = pair * len(seeds), [sum(every) / len(every)]
        own = said[pair[0]]
        parts[f"D_with_D {way}"], fused[f"D_with_D {way}"] = [pair[0]] * 2, _mean(own, [*own[1:], own[0]])
    six = [name for name in said if name.endswith("several")]
    parts["six several"], fused["six several"] = six, _mean(*(said[one] for one in six))
    right = {name: torch.stack([hits(one, labels) for one in by_seed]) for name, by_seed in fused.items()}
    entries: dict[str, dict] = {}
    for name, hit in right.items():
        net, way = name.split()
        entries.setdefault(net, {})[way] = {
            "done": " + ".join(str(_protocol(part)) for part in dict.fromkeys(parts[name])),
            "nets": len(parts[name]),
            "macs_an_image": sum(costs[part] for part in parts[name]),
            "error": summary([1 - one for one in hit.mean(1).tolist()]),
        }
    return {
        **provenance("python -m experiments.miniature " + " ".join(map(str, seeds))),
        "what": "which orderings of the paper's Tables 3 to 6 return with small nets on photographs of reduced CIFAR-10",
        "images": {"train": train_images, "test": len(labels)},
        "seeds": seeds,
        "training": {name: list(sides) for name, sides in TRAINED.items()},
        "epochs": QUICK.epochs,
        "crops_along_a_side": GRID,
        "parameters": {n: sum(p.numel() for p in VGG(configuration(n)).parameters()) for n in "DE"},
        "entries": entries,
        "comparisons": {
            name: {"claim": claim, "table": table, **compared(rows, right)}
            for name, (claim, table, rows) in COMPARISONS.items()
        },
    }


def _protocol(name: str) -> Protocol:
    net, way = name.split()
    return WAYS[way](net.split("_")[1])


def _cost(name: str) -> int:
    return macs(configuration(name[0]), _protocol(name), SIZE, SIZE)


def _mean(*members: list[Tensor]) -> list[Tensor]:
    """Seed by seed."""
    return [sum(some) / len(some) for some in zip(*members, strict=True)]


def compared(rows: dict[str, Row], right: dict[str, Tensor]) -> dict:
    """The verdict on a claim, from ``right[entry]``, ``(seeds, images)``: 1 where the answer is right."""
    apart, kept = [], {}
    for row, (worse, better, papers) in rows.items():
        worst = right[worse] if isinstance(worse, str) else best_by_seed([right[one] for one in worse])
        difference = 100 * (right[better] - worst)  # (seeds, images), in points
        apart.append(difference)
        kept[row] = {
            "values": difference.mean(1).tolist(),
            "paper": papers,
            "disagreement": difference.abs().mean().item() / 100,
        }
    by_seed = torch.stack(apart).mean(0)  # (seeds, images)
    low, high = interval(by_seed.mean(1).tolist())
    of_image = by_seed.mean(0)
    reach = 1.96 * of_image.std().item() / math.sqrt(len(of_image))
    middle = of_image.mean().item()
    ends = (low, high, middle - reach, middle + reach)
    return {
        "rows": kept,
        "points": summary(by_seed.mean(1).tolist()),
        **dict(zip(("low", "high", "images_low", "images_high"), ends, strict=True)),
        "verdict": "reappears" if min(ends) > 0 else "contradicts" if max(ends) < 0 else "cannot tell",
    }


def best_by_seed(members: list[Tensor]) -> Tensor:
    """Of each seed the member ``(seeds, images)`` with the most right answers: chosen on these images, in its favor."""
    stacked = torch.stack(members)
    best = stacked.mean(2).argmax(0)
    return stacked[best, range(len(best))]


def interval(values: list[float]) -> tuple[float, float]:
    """Ends of the 95 % interval of the mean, by Student's t."""
    found = summary(values)
    reach = student_t(len(values) - 1) * found["spread"] / math.sqrt(len(values))
    return found["mean"] - reach, found["mean"] + reach


if __name__ == "__main__":
    main()
