"""What the ways of testing of the paper's section 3.2 do for the course's small net, and what they cost.

    python -m experiments.many_views        about a quarter of an hour on one core; it goes on where it was stopped

The net that comes with the package and two sisters (the same recipe, other seeds), on the test photographs of reduced
CIFAR-10. The nets were trained on 32 pixels, and the photographs have no more: at larger sides there is no new detail.
Nothing is chosen here. Sides were fixed before: the paper's relations to the training side are 1, 9/8 and 5/4 or so near
by, and up to 2 far away. Writes book/results/many_views.json:

    protocols[name]         done (words), macs_an_image
      .error                of one net, over the nets: shares, with values in the order of the seeds
      .gain                 error of a single view less this error, over the nets
      .pair_error, .fused_error     of two nets averaged (over the pairs), of all three
    surroundings[name]      the middle cell of the score map of a scene of 96x96 pixels, which has the photograph in its middle
      .error, .same         over the nets: its error, and how often it answers as for the photograph alone
    nets                    seeds; 0 is the net that comes with the package, the file of this sha256
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from experiments.provenance import once, photographs, provenance, summary, write
from vgg_course import trained, weights
from vgg_course.data import Dataset
from vgg_course.evaluation import Both, Dense, MultiCrop, Protocol, hits, macs, posteriors
from vgg_course.model import VGG
from vgg_course.recipes import QUICK, small_vgg
from vgg_course.training import fit

NAME = "many_views"
CARD = trained.card("small_vgg")
SEEDS = (0, 1, 2)
HELD_OUT = 500  # of each class, as for the net that comes with the package
NEAR, WIDE, GRID = (32, 36, 40), (32, 48, 64), 3
# one file a finished piece; another net begins anew
DONE = Path(__file__).resolve().parents[1] / "build" / f"{NAME}_{CARD.sha256[:8]}"

PROTOCOLS: dict[str, Protocol] = {
    "single": Dense(32, flip=False),
    "flip": Dense(32),
    **{f"at_{side}": Dense(side) for side in (36, 40, 48, 64)},
    "near": Dense(NEAR),
    "wide": Dense(WIDE),
    "crops": MultiCrop(NEAR, GRID),
    "both": Both(Dense(NEAR), MultiCrop(NEAR, GRID)),
}


def main() -> None:
    data = photographs(validation_per_class=HELD_OUT)
    answers = [{name: averaged(protocol, seed, data) for name, protocol in PROTOCOLS.items()} for seed in SEEDS]
    print(write(NAME, collect(answers, data)))


def averaged(protocol: Protocol, seed: int, data: Dataset) -> Tensor:
    """The answers ``(N, classes)`` of a net, put together from those at single sides, each computed once."""
    if isinstance(protocol, Both):
        return (averaged(protocol.dense, seed, data) + averaged(protocol.crops, seed, data)) / 2
    if len(protocol.sides) > 1:
        kind = {} if isinstance(protocol, Dense) else {"grid": protocol.grid}
        parts = [type(protocol)(side, **kind, flip=protocol.flip) for side in protocol.sides]
        return sum(averaged(part, seed, data) for part in parts) / len(parts)
    file = str(protocol).replace(" ", "_").replace(",", "")

    def work() -> list:
        print(f"net {seed}: {protocol}", flush=True)
        return posteriors(net(seed, data), data.test.images, protocol, normalize=CARD.normalize).tolist()

    return torch.tensor(once(DONE / f"{seed}_{file}.json", work), dtype=torch.float64)


def net(seed: int, data: Dataset) -> VGG:
    """The net of a seed: the package's, or a sister, trained if there is none yet."""
    if seed == 0:
        return trained.load("small_vgg")
    path, model = DONE / f"net_{seed}.safetensors", small_vgg(len(data.classes), seed)
    if not path.exists():
        if fit(model, data, QUICK, seed=seed).interrupted:
            raise SystemExit("stopped; nothing was written")
        path.parent.mkdir(parents=True, exist_ok=True)
        weights.save(model, path)
    weights.load(model, path)
    return model


def in_scenes(seed: int, data: Dataset) -> dict[str, list[int]]:
    """What the middle cell of each kind of scene answers, for every test photograph."""

    def work() -> dict:
        print(f"net {seed}: scenes", flush=True)
        x, found = CARD.normalize(data.test.images), {}
        dense = net(seed, data).eval().to_convolutional()
        generator = torch.Generator().manual_seed(0)
        orders = [torch.randperm(len(x), generator=generator) for _ in range(8)]
        with torch.no_grad():
            for part in torch.arange(len(x)).split(250):
                for name, scene in scenes(x[part], [x[order[part]] for order in orders]).items():
                    found.setdefault(name, []).extend(dense(scene)[:, :, 1, 1].argmax(1).tolist())
        return found

    return once(DONE / f"{seed}_scenes.json", work)


def scenes(x: Tensor, others: list[Tensor]) -> dict[str, Tensor]:
    """Each of ``x`` ``(B, 3, 32, 32)`` in the middle of 96x96 pixels, in three surroundings; ``others`` are eight batches."""
    stripe = torch.cat([x.flip(3), x, x.flip(3)], 3)
    nine = [*others[:4], x, *others[4:]]
    return {
        "mean color": functional.pad(x, (32, 32, 32, 32)),
        "mirrored": torch.cat([stripe.flip(2), stripe, stripe.flip(2)], 2),
        "other pictures": torch.cat([torch.cat(nine[3 * i : 3 * i + 3], 3) for i in range(3)], 2),
    }


def collect(answers: list[dict[str, Tensor]], data: Dataset) -> dict:
    """What is written, from the answers of each net under each protocol."""
    labels = data.test.labels

    def error(probabilities: Tensor) -> float:
        return 1 - hits(probabilities, labels).mean().item()

    def over(combine: Callable[[Tensor, Tensor], float], name: str) -> dict:
        return summary([combine(one[name], other[name]) for one, other in combinations(answers, 2)])

    protocols = {}
    for name, protocol in PROTOCOLS.items():
        of_nets = [one[name] for one in answers]
        protocols[name] = {
            "done": str(protocol),
            "macs_an_image": macs(small_vgg().configuration, protocol, 32, 32),
            "error": summary([error(one) for one in of_nets]),
            "gain": summary([error(one["single"]) - error(one[name]) for one in answers]),
            "pair_error": over(lambda one, other: error((one + other) / 2), name),
            "fused_error": error(sum(of_nets) / len(of_nets)),
        }
    alone = [one["single"].argmax(1) for one in answers]
    found = [in_scenes(seed, data) for seed in SEEDS]
    surroundings = {}
    for name in found[0]:
        of_nets = [torch.tensor(one[name]) for one in found]
        surroundings[name] = {
            "error": summary([(one != labels).double().mean().item() for one in of_nets]),
            "same": summary([(a == b).double().mean().item() for a, b in zip(of_nets, alone, strict=True)]),
        }
    return {
        **provenance("python -m experiments.many_views"),
        "images": len(labels),
        "nets": list(SEEDS),
        "sha256": CARD.sha256,
        "protocols": protocols,
        "surroundings": surroundings,
    }


if __name__ == "__main__":
    main()
