"""What do the layers of a trained VGG-16 make of pictures that were prepared for other weights?

    VGG_COURSE_DATA=... VGG_COURSE_WEIGHTS=... python -m experiments.mismatched_inputs      two minutes on one core

Needs CIFAR-10 and ImageNet weights of VGG-16 under torchvision's names. Validation photographs of reduced CIFAR-10, scaled
up to 96 pixels, are prepared rightly and in six wrong ways, and sent through the thirteen convolutions. Likeness is the
cosine between a layer's activations (behind its ReLU, all channels and places of one picture in one vector) for the wrong
and for the right input. The same for a net that was never trained. Writes book/results/mismatched_inputs.json.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor
from torch.nn import functional

from experiments.provenance import provenance, summary, write
from vgg_course import augmentation, weights
from vgg_course.data import reduced_cifar10
from vgg_course.model import VGG, vgg

PHOTOGRAPHS, SIZE, SEED = 32, 96, 0
MEAN, STD = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
CAFFE = torch.tensor([103.939, 116.779, 123.68])[:, None, None]  # blue, green, red


def right(pixels: Tensor) -> Tensor:
    """What torchvision's weights want, from pixels of 0 to 255."""
    return (pixels / 255 - MEAN) / STD


SLIPS = {
    "blue first": lambda pixels: right(pixels.flip(1)),
    "deviation forgotten": lambda pixels: pixels / 255 - MEAN,
    "mean forgotten": lambda pixels: pixels / 255 / STD,
    "-1 to 1": lambda pixels: pixels / 127.5 - 1,
    "255 forgotten": lambda pixels: right(255 * pixels),
    "as for Caffe": lambda pixels: pixels.flip(1) - CAFFE,
}


def activations(net: VGG, inputs: Tensor) -> dict[str, Tensor]:
    """``(B, values)`` behind the ReLU of each convolution."""
    names = [name for name in net.layers if name.startswith("conv")]
    found: dict[str, Tensor] = {}
    for name in names:
        net.layers[name].register_forward_hook(
            lambda m, i, output, name=name: found.update({name: output.relu().flatten(1)})
        )
    with torch.no_grad():
        net.features(inputs)
    for name in names:
        net.layers[name]._forward_hooks.clear()
    return found


def likeness(net: VGG, photographs: Tensor) -> dict[str, dict[str, dict]]:
    """For each slip and layer the mean and spread over photographs."""
    values: dict[str, dict[str, list[float]]] = {name: {} for name in SLIPS}
    for pixels in photographs.split(8):
        wanted = activations(net, right(pixels))
        for slip, prepare in SLIPS.items():
            for layer, mine in activations(net, prepare(pixels)).items():
                cosines = functional.cosine_similarity(mine, wanted[layer]).tolist()
                values[slip].setdefault(layer, []).extend(round(cosine, 4) for cosine in cosines)
    return {slip: {layer: summary(found) for layer, found in layers.items()} for slip, layers in values.items()}


def main() -> None:
    start, generator = time.perf_counter(), torch.Generator().manual_seed(SEED)
    data = reduced_cifar10(validation_per_class=500)
    if data.is_drawn:
        raise SystemExit("this needs photographs: set VGG_COURSE_DATA")
    some = torch.randperm(len(data.validation), generator=generator)[:PHOTOGRAPHS]
    photographs = augmentation.rescale(data.validation.images[some], SIZE).float()
    nets = {
        name: vgg("D", input_size=SIZE, classes=3, hidden=(), generator=generator) for name in ("trained", "random")
    }
    if not weights.features_from_environment(nets["trained"]):
        raise SystemExit("this needs ImageNet weights: set VGG_COURSE_WEIGHTS")
    result = {name: likeness(net.eval(), photographs) for name, net in nets.items()}
    record = {
        **provenance("python -m experiments.mismatched_inputs"),
        "seconds": round(time.perf_counter() - start),
        "what": "cosine of activations, wrong against right preparation, by slip and layer of configuration D",
        "photographs": PHOTOGRAPHS,
        "size": SIZE,
        "seed": SEED,
        "nets": "trained: ImageNet, torchvision's, kept in float16; random: He (torchvision's initialization)",
        **result,
    }
    print(write("mismatched_inputs", record))


if __name__ == "__main__":
    main()
