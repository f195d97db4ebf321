"""What published nets cost, and how fast they are: AlexNet to ConvNeXt beside VGG, from records, by counting, by the clock.

    python -m experiments.successors              about fifteen minutes on one core; it goes on where it was stopped
    python -m experiments.successors --collect    write the result of what is finished

Writes book/results/successors.json:

    nets[name]              by torchvision's name, of its first weights (IMAGENET1K_V1)
      .title, .year
      .top_1, .top_5, .parameters, .gigamacs     recorded by torchvision (percent, and what it calls GFLOPS)
      .macs                 counted for one image of 224 x 224; parameters were counted, too, and are the same
      .kept_bytes           counted: what autograd keeps for the backward pass, for one image
      .peak_bytes           counted: the most bytes of activations alive at once in inference, for one image
    recipes[name]           top_1 of the first weights and of the second, of the same net
    speed[batch]            one thread, float32, eval mode, random weights; rounds in which every net ran once, in turn
      .vgg16_seconds        CPU seconds of the process for one batch of VGG-16, over rounds
      .relative[name]       CPU seconds of a net over those of VGG-16 in the same round, over rounds
    layers                  the same for single layers, as CPU seconds for a million MACs over those of the dense convolution
      [place][kind]         place: channels and grid; kind: dense, depthwise, pointwise
    separable               configuration D at an eighth of the width with depthwise separable convolutions, and as wide as
                            it takes for the MACs of the dense net; same recipe, seeds and data as in experiments/depth.py,
                            from which the dense net is taken
      .arms[arm]            width, parameters, macs, and over seeds train_accuracy and validation_accuracy
      .differences          paired by seed, with a 95 % interval
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from experiments import depth
from experiments.degradation import paired
from experiments.provenance import RESULTS, once, photographs, provenance, summary, write
from vgg_course.accounting import measured_peak_bytes
from vgg_course.data import Dataset
from vgg_course.model import vgg
from vgg_course.successors import (
    NETS,
    RETRAINED,
    blank,
    build,
    kept_bytes,
    macs,
    parameters,
    recorded,
    separable,
)
from vgg_course.training import evaluate, fit

TIMED = tuple(name for name in NETS if not name.endswith("_bn") or name == "vgg16_bn")
ROUNDS = {1: 7, 8: 3}
PLACES = {"64 channels, 112x112": (64, 112), "256 channels, 28x28": (256, 28)}
KINDS: Mapping[str, Callable[[int], nn.Module]] = {
    "dense": lambda c: nn.Conv2d(c, c, 3, padding=1, bias=False),
    "depthwise": lambda c: nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False),
    "pointwise": lambda c: nn.Conv2d(c, c, 1, bias=False),
}
WIDTH = depth.NETS["D"][1]  # of the dense net
ARMS = {"separable": 1.0, "separable, wider": 2.7}  # times the dense net's width; the wider one takes about its MACs
SEEDS = depth.SEEDS[:3]
DONE = Path(__file__).resolve().parents[1] / "build" / "successors"  # one file a finished piece


# --- counting ---


def costs(name: str) -> dict:
    """What is recorded of a net and what we count; they must agree."""
    title, year = NETS[name]
    record, net = recorded(name), blank(name)
    counted, mine = macs(net)[""], parameters(net)
    if mine != record.parameters:
        raise SystemExit(f"error: {name} has {mine} parameters, and {record.parameters} are recorded")
    with torch.inference_mode():
        image = torch.empty(1, 3, 224, 224, device="meta")
        peak = measured_peak_bytes(lambda: net.eval()(image))
    return {
        "title": title,
        "year": year,
        **asdict(record),
        "macs": counted,
        "kept_bytes": kept_bytes(net),
        "peak_bytes": peak,
    }


def recipes() -> dict:
    both = {
        name: [recorded(name, weights).top_1 for weights in ("IMAGENET1K_V1", "IMAGENET1K_V2")] for name in RETRAINED
    }
    return {name: dict(zip(("first", "second"), pair, strict=True)) for name, pair in both.items()}


# --- timing ---


def seconds(run: Callable[[], object]) -> float:
    began = time.process_time()  # of this process alone: other work on the machine disturbs it less than the clock
    run()
    return time.process_time() - began


@torch.inference_mode()
def rounds(batch: int) -> list[dict[str, float]]:
    """CPU seconds of every net for one batch, a dictionary a round, after one round that is not counted."""
    torch.manual_seed(0)
    nets, images = {name: build(name).eval() for name in TIMED}, torch.randn(batch, 3, 224, 224)
    found = []
    for number in range(ROUNDS[batch] + 1):
        found.append({name: seconds(lambda net=net: net(images)) for name, net in nets.items()})
        print(f"batch of {batch}, round {number}: VGG-16 took {found[-1]['vgg16']:.2f} s", flush=True)
    return found[1:]


def speed(batch: int) -> dict:
    found = once(DONE / f"speed-{batch}.json", lambda: rounds(batch))
    return {
        "vgg16_seconds": summary([one["vgg16"] for one in found]),
        "relative": {name: summary([one[name] / one["vgg16"] for one in found]) for name in TIMED},
    }


@torch.inference_mode()
def layer_rounds() -> dict:
    """By place and kind, CPU seconds for a million MACs, a number a round."""
    found = {}
    for place, (channels, grid) in PLACES.items():
        layers = {kind: make(channels) for kind, make in KINDS.items()}
        image = torch.randn(1, channels, grid, grid)
        millions = {kind: layer.weight.numel() * grid**2 / 1e6 for kind, layer in layers.items()}
        found[place] = {kind: [] for kind in layers}
        for number in range(10):
            for kind, layer in layers.items():
                took = seconds(lambda layer=layer, image=image: [layer(image) for _ in range(20)]) / 20
                if number:
                    found[place][kind].append(took / millions[kind])
    return found


def layers() -> dict:
    found = once(DONE / "layers.json", layer_rounds)
    return {
        place: {
            kind: summary([a / b for a, b in zip(values, by_kind["dense"], strict=True)])
            for kind, values in by_kind.items()
        }
        for place, by_kind in found.items()
    }


# --- training ---


def begin(arm: str, seed: int) -> nn.Module:
    if arm == "dense":
        return depth.begin("D", "batch", seed)
    generator = torch.Generator().manual_seed(seed)
    dense = vgg(depth.small("D", "batch").variant(width=ARMS[arm]), initialization="he", generator=generator)
    return separable(dense, generator)


def run(arm: str, seed: int, data: Dataset) -> dict:
    net, began = begin(arm, seed), time.process_time()
    fit(net, data, depth.RECIPE, seed=seed, precision=depth.PRECISION)
    result = {"seed": seed, "seconds": round(time.process_time() - began, 1)}
    for split in ("train", "validation"):
        result[f"{split}_accuracy"] = evaluate(net, data, getattr(data, split)).accuracy
    print(f"{arm}, seed {seed}: validation {result['validation_accuracy']:.4f}, {result['seconds']} s", flush=True)
    return result


def done(arm: str, seed: int) -> Path:
    return DONE / f"{arm.replace(', ', '-')}-{seed}.json"


def runs_of(arm: str) -> list[dict]:
    if arm == "dense":
        kept = json.loads((RESULTS / "depth.json").read_text(encoding="utf-8"))
        return [one for one in kept["families"]["batch"]["D"]["runs"] if one["seed"] in SEEDS]
    return [json.loads(path.read_text(encoding="utf-8")) for seed in SEEDS if (path := done(arm, seed)).exists()]


def of_separable() -> dict:
    runs = {arm: found for arm in ("dense", *ARMS) if (found := runs_of(arm))}
    arms = {}
    for arm, found in runs.items():
        net = begin(arm, 0)
        arms[arm] = {"width": WIDTH * ARMS.get(arm, 1), "parameters": parameters(net), "macs": macs(net, 32)[""]}
        arms[arm] |= {key: summary([one[key] for one in found]) for key in ("train_accuracy", "validation_accuracy")}
    return {
        "seeds": list(SEEDS),
        "setting": {**asdict(depth.RECIPE), "precision": depth.PRECISION},
        "arms": arms,
        "differences": {
            f"{arm} - dense": paired(runs[arm], runs["dense"], "validation_accuracy")
            for arm in ARMS
            if len(runs.get(arm, ())) > 1
        },
    }


# --- all of it ---


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.successors", description=__doc__.splitlines()[0])
    parser.add_argument("--collect", action="store_true", help="write the result of what is finished")
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = {
        **provenance("python -m experiments.successors"),
        "what": "costs and speed of published nets beside VGG-16; a VGG of depthwise separable layers",
        "nets": {name: costs(name) for name in NETS},
        "recipes": recipes(),
        "speed": {str(batch): speed(batch) for batch in ROUNDS},
        "layers": layers(),
    }
    if not options.collect:
        data = photographs(validation_per_class=500)
        for seed in SEEDS:
            for arm in ARMS:
                once(done(arm, seed), lambda arm=arm, seed=seed: run(arm, seed, data))
    print(write("successors", result | {"separable": of_separable()}))


if __name__ == "__main__":
    main()
