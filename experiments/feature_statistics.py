"""Feature maps in numbers: zeros, scale and class selectivity by layer, and whether a receptive field is exact.

    VGG_COURSE_WEIGHTS=vgg16_features.pth python -m experiments.feature_statistics        about four minutes on one core

* ``small``: the net that the course ships, before and after training, on the 1,500 photographs that were held out of it:
  of each ReLU the share of zeros, the root mean square, and the selectivity of its channels (Morcos et al. 2018), with
  the labels and with the labels shuffled (mean over ``SHUFFLES`` of the median).
* ``imagenet``: zeros and root mean square of VGG-16 on 224 x 224 tiles of the two photographs that scikit-learn brings.
* ``painted``: random values of every layer of both nets, with noise in place of all pixels outside of the value's window
  (``outside``: the largest change of any channel there, as a share of the layer's largest value), and with noise in place of
  all pixels inside (``inside``: the share of the channels that moved; the rest are closed ReLUs before and after).
* ``zeroed``: accuracy on those photographs when one filter of conv1_2 is zero, and the constant that its map becomes.

Writes book/results/feature_statistics.json.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from experiments.provenance import photographs, provenance, summary, write
from vgg_course import images, patches, trained, weights
from vgg_course.activations import activations, names
from vgg_course.model import vgg
from vgg_course.recipes import small_vgg
from vgg_course.training import accuracy, predict

SHUFFLES, CELLS, SIDE = 20, 12, 224
MEAN, STD = (torch.tensor(part)[:, None, None] for part in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))  # ImageNet's


def relus(net: nn.Module) -> list[str]:
    return [name for name in names(net) if name.startswith("relu") and "_" in name]


@torch.no_grad()
def surveyed(net: nn.Module, inputs: Tensor, batch: int = 250) -> dict[str, Tensor]:
    """By layer ``(3, N, C)``: each map's mean, share of zeros and mean square."""
    seen: dict[str, list[Tensor]] = {name: [] for name in relus(net)}
    for some in inputs.split(batch):
        for name, maps in activations(net, some, *seen).items():
            zeros = (maps == 0).float().mean((2, 3))
            seen[name].append(torch.stack([maps.mean((2, 3)), zeros, maps.square().mean((2, 3))]))
    return {name: torch.cat(parts, 1) for name, parts in seen.items()}


def selectivity(responses: Tensor, labels: Tensor) -> Tensor:
    means = torch.stack([responses[labels == k].mean(0) for k in labels.unique()])
    best = means.amax(0)
    rest = (means.sum(0) - best) / (len(means) - 1)
    return ((best - rest) / (best + rest)).nan_to_num(0)


def of_layers(found: dict[str, Tensor]) -> dict[str, dict]:
    return {
        name: {
            "zeros": part[1].mean().item(),
            "rms": part[2].mean().sqrt().item(),
            "silent": int((part[0] == 0).all(0).sum()),
        }
        for name, part in found.items()
    }


def small(nets: dict[str, nn.Module], inputs: Tensor, labels: Tensor) -> dict:
    generator, result = torch.Generator().manual_seed(0), {}
    shuffled = [labels[torch.randperm(len(labels), generator=generator)] for _ in range(SHUFFLES)]
    for which, net in nets.items():
        found = surveyed(net, inputs)
        result[which] = of_layers(found)
        for name, part in found.items():
            low, middle, high = selectivity(part[0], labels).quantile(torch.tensor([0.1, 0.5, 0.9])).tolist()
            null = [selectivity(part[0], y).median().item() for y in shuffled]
            result[which][name]["selectivity"] = {"low": low, "median": middle, "high": high, "shuffled": summary(null)}
            means = torch.stack([part[0][labels == k].mean(0) for k in labels.unique()])
            result[which][name]["prefer"] = torch.bincount(means.argmax(0), minlength=len(means)).tolist()
    return result


@torch.no_grad()
def painted(net: nn.Module, pictures: Tensor, normalize) -> dict:
    """What paint outside and inside of a value's window does to it, layer by layer."""
    generator, result = torch.Generator().manual_seed(1), {}
    for layer in [name for name in names(net) if name.startswith(("relu", "pool")) and name != "relu6"]:
        field = patches.field_of(net, layer, pictures.shape[-1])
        outside, inside, has_outside = 0.0, [], 0
        for _ in range(CELLS):
            place = int(torch.randint(len(pictures), (), generator=generator))
            row, column = torch.randint(field.grid, (2,), generator=generator).tolist()
            image, (rows, columns) = pictures[place], map(field.window, (row, column))
            around = patches.repaint(image, rows, columns, generator)
            swapped = torch.where(
                around == image, torch.randint(256, image.shape, dtype=torch.uint8, generator=generator), image
            )
            maps = activations(net, normalize(torch.stack([image, around, swapped])), layer)[layer]
            truth, around_value, swapped_value = maps[:, :, row, column]
            has_outside += bool((around != image).any())
            outside = max(outside, ((around_value - truth).abs().max() / maps[0].abs().max()).item())
            inside.append((swapped_value != truth).double().mean().item())
        result[layer] = {
            "size": field.size,
            "cells": CELLS,
            "with_outside": has_outside,
            "outside": outside,
            "inside": sum(inside) / CELLS,
        }
        print(layer, result[layer], flush=True)
    return result


def zeroed(net: nn.Module, inputs: Tensor, labels: Tensor) -> list[dict]:
    norm, found = net.features[4], []
    for channel in range(len(norm.weight)):
        changed = copy.deepcopy(net)
        changed.layers["conv1_2"].weight.data[channel] = 0
        flat = (net.layers["conv1_2"].bias[channel] - norm.running_mean[channel]) / (
            norm.running_var[channel] + norm.eps
        ).sqrt()
        flat = (flat * norm.weight[channel] + norm.bias[channel]).relu().item()
        found.append({"flat": flat, "accuracy": accuracy(predict(changed, inputs), labels)})
    return found


def tiles() -> Tensor:
    """``(8, 3, 224, 224)``: each of scikit-learn's two photographs with 448 pixels on its shorter side, four tiles of it."""
    import sklearn.datasets

    folder = Path(sklearn.datasets.__file__).parent / "images"
    pictures = [images.read(folder / name, size=2 * SIDE, crop=False) for name in ("china.jpg", "flower.jpg")]
    return torch.stack(
        [p[:, top : top + SIDE, left : left + SIDE] for p in pictures for top in (0, SIDE) for left in (0, SIDE)]
    )


def main() -> None:
    data = photographs(validation_per_class=500)
    card, net = trained.card("small_vgg"), trained.load("small_vgg")
    pictures, labels = data.validation.images, data.validation.labels
    inputs = card.normalize(pictures)
    result = {
        "images": len(labels),
        "classes": card.classes,
        "accuracy": accuracy(predict(net, inputs), labels),
        "small": small({"untrained": small_vgg(seed=0).eval(), "trained": net}, inputs, labels),
        "zeroed": zeroed(net, inputs, labels),
        "painted": {"small": painted(net, pictures, card.normalize)},
    }
    big = vgg("D", input_size=SIDE, classes=1, hidden=()).eval()
    if not weights.features_from_environment(big):
        raise SystemExit(f"error: set {weights.ENVIRONMENT} to a file with ImageNet's weights of VGG-16.")
    photos = tiles()
    result["imagenet"] = {"tiles": len(photos), "layers": of_layers(surveyed(big, (photos / 255 - MEAN) / STD, 1))}
    result["painted"]["imagenet"] = painted(big, photos, lambda some: (some / 255 - MEAN) / STD)
    write("feature_statistics", {**provenance("python -m experiments.feature_statistics"), **result})


if __name__ == "__main__":
    main()
