"""How much of its receptive field does a unit use, before and after training?

    python -m experiments.effective_receptive_field       a few minutes on one core

Configuration D at a quarter of the width, with batch norm, on reduced CIFAR-10 (real photographs only). The gradient of the
middle unit of four layers, averaged over held-out images, at initialization and after training (Luo et al. 2016).
Writes book/results/effective_receptive_field.json.
"""

from __future__ import annotations

import time
from dataclasses import asdict

import torch
from torch import nn

from experiments.provenance import photographs, provenance, summary, write
from vgg_course.model import VGG, vgg
from vgg_course.receptive_field import effective, receptive_field, side_of_share
from vgg_course.training import Recipe, evaluate, fit

LAYERS = ("conv2_1", "conv2_2", "conv3_1", "conv3_2")  # all that fit into 32 pixels, or nearly
SEEDS = (0, 1, 2)
RECIPE = Recipe(epochs=8, shift=3)


def until(model: VGG, name: str) -> nn.Sequential:
    """The feature layers from the image to the ReLU of the convolution of that name."""
    convolutions = [layer.name for layer in model.configuration if layer.name.startswith("conv")]
    relus = [place for place, module in enumerate(model.features) if isinstance(module, nn.ReLU)]
    return model.features[: relus[convolutions.index(name)] + 1]


def maps(model: VGG, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """What moves the middle unit of each layer: name to (32, 32)."""
    model.eval()
    return {name: effective(until(model, name), images) for name in LAYERS}


def main() -> None:
    torch.set_num_threads(1)
    began = time.perf_counter()
    data = photographs(validation_per_class=500)
    images = data.normalize(data.validation.images)[::3]
    before, after, accuracies = [], [], []
    for seed in SEEDS:
        model = vgg("D", input_size=32, classes=3, width=1 / 4, hidden=(), batch_norm=True,
                    generator=torch.Generator().manual_seed(seed))  # fmt: skip
        before.append(maps(model, images))
        fit(model, data, RECIPE, seed=seed)
        accuracies.append(evaluate(model, data, data.validation).accuracy)
        after.append(maps(model, images))
        print(
            seed,
            accuracies[-1],
            *(f"{n} {side_of_share(before[-1][n])} -> {side_of_share(after[-1][n])}" for n in LAYERS),
        )
    fields = receptive_field(model.configuration)

    def measured(name: str, runs: list[dict]) -> dict:
        average = torch.stack([run[name] for run in runs]).mean(0)
        return {
            "side_of_90": summary([side_of_share(run[name]) for run in runs]),
            "map": [[round(value, 6) for value in row] for row in average.tolist()],
        }

    result = {
        **provenance("python -m experiments.effective_receptive_field"),
        "seconds": round(time.perf_counter() - began),
        "what": "mean size of the gradient of a layer's middle unit, for each pixel (sum 1, mean over seeds); side_of_90 is "
        "the side of the smallest square that holds 90 % of it",
        "network": "configuration D, width 1/4, batch norm, 32x32 pixels, 3 classes",
        "images": {"train": len(data.train), "validation": len(data.validation), "measured on": len(images)},
        "seeds": list(SEEDS),
        "recipe": asdict(RECIPE),
        "validation_accuracy": summary(accuracies),
        "layers": {
            name: {
                "size": fields[name].size,
                "window": [*fields[name].window(fields[name].grid // 2)][:: fields[name].size - 1],
                "before": measured(name, before),
                "after": measured(name, after),
            }
            for name in LAYERS
        },
    }
    print(write("effective_receptive_field", result))


if __name__ == "__main__":
    main()
