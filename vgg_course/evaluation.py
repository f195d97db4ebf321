"""Test a net as the paper did (section 3.2): many views of an image, and the average of what the net says to each.

    card, net = trained.card("small_vgg"), trained.load("small_vgg")
    result = examine(net, images, labels, Dense((32, 48)), normalize=card.normalize)
    result.error(), result.macs_an_image, result.probabilities

How to test is data: a frozen record, :class:`Dense`, :class:`MultiCrop` or :class:`Both`. ``sides`` are the paper's Q: the
image is rescaled so that its shorter side has Q pixels. What counts how much:

* **dense**: the score map is averaged over its places, then comes the soft-max;
* **a crop**: its soft-max;
* then the mean over mirror images and crops of one scale, then over scales, all with equal weight. Where an image has
  no room for as many different crops as the grid asks for, it has fewer, and its scale counts as much as the others.

One net gives an :class:`Outcome`; :func:`fuse` averages the outcomes of several. Errors and accuracies are shares, from 0
to 1. Where classes are tied, the order among them is drawn by lot, and what counts is the mean over all draws: a net that
says the same about each of 3 classes has a top-1 error of 2/3.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from vgg_course import show
from vgg_course.accounting import ledger
from vgg_course.answers import device_of, in_mode
from vgg_course.augmentation import rescale
from vgg_course.configuration import Configuration, Conv, Linear, as_configuration
from vgg_course.model import VGG
from vgg_course.progress import Progress

PIXELS = 2**19
"""Pixels that go through a net at once: 512 images of 32x32, 10 of 224x224, and never less than one image."""

# --- how to test ---


def _check_sides(protocol: Dense | MultiCrop) -> None:
    sides = protocol.sides
    sides = (sides,) if isinstance(sides, int) else tuple(sides) if isinstance(sides, Sequence) else ()
    wholes = all(isinstance(side, int) and not isinstance(side, bool) and side >= 1 for side in sides)
    if not sides or not wholes or len(set(sides)) < len(sides):
        raise ValueError(
            f"sides is {protocol.sides!r}; give the shorter side of the rescaled image in pixels, a whole number, or "
            "several different ones to average over, such as (256, 384, 512)."
        )
    if not isinstance(protocol.flip, bool):
        raise ValueError(f"flip is {protocol.flip!r}; it must be True or False.")
    object.__setattr__(protocol, "sides", sides)


@dataclass(frozen=True)
class Dense:
    """The net as a convolution over the whole image, at each of some scales, and over its mirror image if ``flip``."""

    sides: tuple[int, ...]
    flip: bool = True

    def __post_init__(self) -> None:
        _check_sides(self)

    @property
    def views(self) -> int:
        """Passes over an image."""
        return len(self.sides) * (1 + self.flip)

    def __str__(self) -> str:
        return f"dense at {_listed(self.sides)}" + (", flipped too" if self.flip else "")


@dataclass(frozen=True)
class MultiCrop:
    """Crops of the net's input size, ``grid x grid`` of them spread evenly from edge to edge; ``grid=1`` is the middle."""

    sides: tuple[int, ...]
    grid: int = 5
    flip: bool = True

    def __post_init__(self) -> None:
        _check_sides(self)
        if isinstance(self.grid, bool) or not isinstance(self.grid, int) or self.grid < 1:
            raise ValueError(
                f"grid is {self.grid!r}; it counts the crops along a side, a whole number of at least 1 (the middle)."
            )

    @property
    def views(self) -> int:
        """Crops of an image that has room for all of them: 150 in the paper."""
        return len(self.sides) * self.grid**2 * (1 + self.flip)

    def __str__(self) -> str:
        crops = f"{self.grid}x{self.grid} crops" if self.grid > 1 else "the middle crop"
        return f"{crops} at {_listed(self.sides)}" + (", flipped too" if self.flip else "")


@dataclass(frozen=True)
class Both:
    """A dense and a multi-crop test of one net; their two answers are averaged with equal weight."""

    dense: Dense
    crops: MultiCrop

    def __post_init__(self) -> None:
        if not isinstance(self.dense, Dense) or not isinstance(self.crops, MultiCrop):
            raise ValueError(
                f"dense is {self.dense!r} and crops {self.crops!r}; give a Dense and a MultiCrop, in this order."
            )

    @property
    def views(self) -> int:
        """Passes over an image, of any size."""
        return self.dense.views + self.crops.views

    def __str__(self) -> str:
        return f"{self.dense} + {self.crops}"


Protocol = Dense | MultiCrop | Both


def _listed(sides: Sequence[int]) -> str:
    return ", ".join(map(str, sides))


def places(length: int, size: int, grid: int) -> list[int]:
    """Where crops of ``size`` pixels begin along a side: ``grid`` whole numbers from edge to edge, without repetition.

    >>> places(256, 224, 5), places(256, 224, 1), places(226, 224, 5)
    ([0, 8, 16, 24, 32], [16], [0, 1, 2])
    """
    room = length - size
    if grid == 1:
        return [room // 2]
    return sorted({(2 * i * room + grid - 1) // (2 * (grid - 1)) for i in range(grid)})  # the nearest; halves go up


# --- what it costs ---


def macs(configuration: str | Configuration, protocol: Protocol, height: int, width: int) -> int:
    """Multiply-accumulates for one image of ``height x width``, which is rescaled first. Rescaling is not counted.

    >>> macs("D", Dense((256, 384, 512)), 480, 480) // 10**9, macs("D", MultiCrop((256, 384, 512)), 480, 480) // 10**9
    (325, 2320)
    """
    configuration = as_configuration(configuration)
    _check_protocol(protocol, configuration)
    if min(height, width) < 1:
        raise ValueError(f"the image has {height}x{width} pixels; it must have at least one.")
    if isinstance(protocol, Both):
        return sum(macs(configuration, part, height, width) for part in (protocol.dense, protocol.crops))
    return sum(_macs_at(configuration, protocol, *_rescaled(height, width, side)) for side in protocol.sides)


def _rescaled(height: int, width: int, side: int) -> tuple[int, int]:
    """As :func:`vgg_course.augmentation.rescale` does it."""
    return side * height // min(height, width), side * width // min(height, width)


def _macs_at(configuration: Configuration, protocol: Dense | MultiCrop, height: int, width: int) -> int:
    """For one image that has been rescaled."""
    if isinstance(protocol, Dense):
        once = _dense_macs(configuration, height, width)
    else:
        crops = [len(places(length, configuration.input_size, protocol.grid)) for length in (height, width)]
        once = prod(crops) * ledger(configuration).macs
    return (1 + protocol.flip) * once


def _dense_macs(configuration: Configuration, height: int, width: int) -> int:
    """One pass of the net made convolutional: every layer's weights, times the places where they are used."""
    costs = {row.name: row.weights for row in ledger(configuration)}
    tall, wide = configuration.variant(input_size=height), configuration.variant(input_size=width)
    total = 0
    for layer in configuration:
        if not isinstance(layer.spec, Linear):
            height, width = tall[layer.name].output_shape[1], wide[layer.name].output_shape[1]
        elif len(layer.input_shape) == 3:  # the first fully-connected layer: a window as large as the grid
            height, width = height - layer.input_shape[1] + 1, width - layer.input_shape[1] + 1
        if isinstance(layer.spec, Conv | Linear):
            total += costs[layer.name] * height * width
    return total


# --- what came out ---


def hits(probabilities: Tensor, labels: Tensor, k: int = 1) -> Tensor:
    """For each image the chance ``(N,)`` that its label is among the ``k`` most probable classes: 1 or 0, but for ties.

    Raises:
        ValueError: shapes do not fit, a label is no class, ``k`` is not from 1 to the number of classes, or a number is
            not finite.
    """
    if probabilities.ndim != 2 or not probabilities.isfinite().all():
        raise ValueError(
            f"probabilities are {tuple(probabilities.shape)}, {int((~probabilities.isfinite()).sum())} of them not "
            "finite; give finite numbers, (N, classes)."
        )
    classes = probabilities.shape[1]
    labels = _checked_labels(labels, len(probabilities), classes)
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= classes:
        raise ValueError(f"k is {k!r}; with {classes} classes it must be a whole number from 1 to {classes}.")
    own = probabilities.gather(1, labels.to(probabilities.device)[:, None])
    above, tied = (probabilities > own).sum(1), (probabilities == own).sum(1)  # the label is tied with itself
    return ((k - above) / tied).clamp(0, 1).double()


@dataclass(frozen=True, eq=False, repr=False)
class Outcome(show.Shown):
    """What a test did, what it cost and what came out; shows itself as a table.

    ``probabilities`` ``(N, classes)`` are the averaged soft-max outputs, on the CPU. ``macs`` are those of all images.
    ``input_mean`` and ``input_deviation`` are those of all numbers that reached the net: near 0 and 1 for most, and a good
    place to see a wrong ``normalize``. ``parts`` are the outcomes that were averaged, if this one is a fusion.
    """

    done: str
    views: int  # an image, where it has room for all crops
    probabilities: Tensor
    labels: Tensor
    macs: int
    seconds: float
    input_mean: float | None
    input_deviation: float | None
    fingerprint: int  # of the images
    parts: tuple[Outcome, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """How many there are to choose from."""
        return self.probabilities.shape[1]

    @property
    def macs_an_image(self) -> float:
        """A whole number if all images are of one size, else the mean."""
        whole, rest = divmod(self.macs, len(self))
        return self.macs / len(self) if rest else whole

    def hits(self, k: int = 1) -> Tensor:
        """For each image ``(N,)``, whether its label is among the ``k`` most probable classes (see :func:`hits`)."""
        return hits(self.probabilities, self.labels, k)

    def accuracy(self, k: int = 1) -> float:
        """The share of images whose label is among the ``k`` most probable classes."""
        return self.hits(k).mean().item()

    def error(self, k: int = 1) -> float:
        """The share of images whose label is not among the ``k`` most probable classes: the paper's top-k error."""
        return 1 - self.accuracy(k)

    def _table(self) -> show.Table:
        top = [k for k in (1, 5) if k < self.classes]

        def row(outcome: Outcome) -> list[show.Cell]:
            cost = [f"{outcome.macs_an_image / 1e9:,.3g}", f"{outcome.seconds:,.1f}"]
            return [outcome.done, outcome.views, *cost, *(f"{100 * outcome.error(k):.2f}" for k in top)]

        reached = ""
        if self.input_mean is not None:
            reached = f"; what reached the net has mean {self.input_mean:.2f} and deviation {self.input_deviation:.2f}"
        header = ["what was done", "views", "GMAC an image", "seconds", *(f"top-{k} error, %" for k in top)]
        if not self.parts:
            return show.Table(f"{len(self):,} images, {self.classes} classes{reached}", header, [row(self)])
        fused = ["average of these", *row(self)[1:]]
        return show.Table(f"{len(self):,} images, {self.classes} classes", header, list(map(row, self.parts)), [fused])


# --- testing ---

Images = Tensor | Sequence[Tensor]
Normalize = Callable[[Tensor], Tensor]


def examine(
    model: VGG, images: Images, labels: Tensor, protocol: Protocol, *, normalize: Normalize, pixels: int = PIXELS
) -> Outcome:
    """Test a net on labeled images. The net is left in the mode it was in.

    Args:
        images: a batch ``(N, C, H, W)``, or a sequence of images ``(C, H, W)`` of different sizes: uint8 or floating-point,
            as ``normalize`` wants them. They are rescaled first and normalized then.
        labels: whole numbers ``(N,)``.
        protocol: a :class:`Dense`, a :class:`MultiCrop` or a :class:`Both`.
        normalize: from a batch of pixels to what this net was trained on: ``data.normalize``, ``card.normalize``, or
            ``lambda x: x`` for images that are ready.
        pixels: how many go through the net at once, which bounds the memory. Results do not depend on it.

    Raises:
        ValueError: the images, labels and protocol do not fit the net or one another, ``normalize`` does not return what a
            net can take, or a logit is not finite.
    """
    images = _checked(model, images, protocol)
    labels = _checked_labels(labels, len(images), model.configuration.classes)
    if isinstance(protocol, Both):
        parts = (protocol.dense, protocol.crops)
        return fuse(*(examine(model, images, labels, part, normalize=normalize, pixels=pixels) for part in parts))
    began = time.perf_counter()
    probabilities, mean, deviation = _average(model, images, protocol, normalize, pixels)
    return Outcome(
        f"{model.configuration.name}: {protocol}",
        protocol.views,
        probabilities,
        labels,
        sum(n * macs(model.configuration, protocol, *size) for size, n in Counter(i.shape[1:] for i in images).items()),
        time.perf_counter() - began,
        mean,
        deviation,
        _fingerprint(images),
    )


def posteriors(model: VGG, images: Images, protocol: Protocol, *, normalize: Normalize, pixels: int = PIXELS) -> Tensor:
    """The averaged soft-max outputs ``(N, classes)`` alone, for images without labels; otherwise as :func:`examine`.

    They are on the CPU, of the net's own type, and of at least 32 bits.
    """
    images = _checked(model, images, protocol)
    parts = (protocol.dense, protocol.crops) if isinstance(protocol, Both) else (protocol,)
    return torch.stack([_average(model, images, part, normalize, pixels)[0] for part in parts]).mean(0)


def fuse(*outcomes: Outcome) -> Outcome:
    """Average the soft-max outputs of several tests of the same images, each with equal weight (section 4.4).

    Nets, scales and protocols may all differ. A fusion can be fused again; then it counts as one.

    Raises:
        ValueError: there are fewer than two, or they are of other images, labels or numbers of classes.
    """
    if len(outcomes) < 2 or not all(isinstance(one, Outcome) for one in outcomes):
        kinds = ", ".join(type(one).__name__ for one in outcomes) or "nothing"
        raise ValueError(f"fuse got {kinds}; give at least two outcomes, one after the other: fuse(one, other).")
    first = outcomes[0]
    for other in outcomes[1:]:
        if other.classes != first.classes:
            raise ValueError(
                f"{first.done!r} knows {first.classes} classes and {other.done!r} {other.classes}; only answers to the "
                "same question can be averaged."
            )
        if other.fingerprint != first.fingerprint or not torch.equal(other.labels, first.labels):
            raise ValueError(
                f"{first.done!r} and {other.done!r} were tested on other images or labels, or on images in another order; "
                "test both on the same."
            )
    return replace(
        first,
        done=" + ".join(one.done for one in outcomes),
        views=sum(one.views for one in outcomes),
        probabilities=sum(one.probabilities for one in outcomes) / len(outcomes),
        macs=sum(one.macs for one in outcomes),
        seconds=sum(one.seconds for one in outcomes),
        input_mean=None,
        input_deviation=None,
        parts=outcomes,
    )


def _average(
    model: VGG, images: Sequence[Tensor], protocol: Dense | MultiCrop, normalize: Normalize, pixels: int
) -> tuple[Tensor, float, float]:
    """Averaged soft-max outputs, and mean and deviation of what reached the net."""
    weight = next(model.parameters())
    dtype = torch.promote_types(weight.dtype, torch.float32)
    total = torch.zeros(len(images), model.configuration.classes, dtype=dtype)
    moments = torch.zeros(3, dtype=torch.float64)  # count, sum, sum of squares
    work = len(images) * len(protocol.sides)
    done, spoken = 0, 0.0
    answer = _dense_answer if isinstance(protocol, Dense) else _crops_answer
    with Progress("evaluating", work) as progress, in_mode(model, train=False), torch.no_grad():
        for side in protocol.sides:
            for chosen, batch in _batches(images, side, pixels):
                x = _normalized(rescale(batch.to(device_of(model)), side), normalize).to(weight.dtype)
                moments += torch.tensor([x.numel(), x.sum(dtype=torch.float64), x.double().square().sum()])
                said = [answer(model, x, protocol, mirrored, pixels) for mirrored in (False, True)[: 1 + protocol.flip]]
                total[chosen] += (sum(said) / len(said)).to(total)
                done += len(chosen)
                late = progress.seconds > spoken + 60  # a log has a line a minute
                spoken = progress.seconds if late else spoken
                progress.show(done, f"{protocol}, side {side}", milestone=late)
    count, first, second = moments.tolist()
    return total / len(protocol.sides), first / count, max(0.0, second / count - (first / count) ** 2) ** 0.5


def _dense_answer(model: VGG, x: Tensor, protocol: Dense, mirrored: bool, pixels: int) -> Tensor:
    """Images ``(B, C, H, W)``: the score map, its mean over places, the soft-max of that: ``(B, classes)``."""
    return _softmax(model.to_convolutional()(x.flip(3) if mirrored else x).mean((2, 3)))


def _crops_answer(model: VGG, x: Tensor, protocol: MultiCrop, mirrored: bool, pixels: int) -> Tensor:
    """Images ``(B, C, H, W)``: the soft-max of every crop, and the mean of these: ``(B, classes)``."""
    size = model.configuration.input_size
    tops, lefts = (places(length, size, protocol.grid) for length in x.shape[2:])
    corners = [(top, left) for top in tops for left in lefts]
    total, together = 0, max(1, pixels // (len(x) * size**2))  # crops of each image that go through the net at once
    for start in range(0, len(corners), together):
        some = corners[start : start + together]
        crops = torch.cat([x[:, :, top : top + size, left : left + size] for top, left in some])
        answers = _softmax(model(crops.flip(3) if mirrored else crops))  # mirrored where it is: its place stays
        total = total + answers.unflatten(0, (len(some), len(x))).sum(0)
    return total / len(corners)


def _softmax(logits: Tensor) -> Tensor:
    if not logits.isfinite().all():
        image = int((~logits.isfinite()).any(1).nonzero()[0])
        raise ValueError(
            f"the logits of image {image} of a batch are {logits[image].tolist()[:5]}: not finite. Has the net diverged in "
            "training, or do the images reach it on a wrong scale? Look at its weights and at what normalize returns."
        )
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(1)


def _batches(images: Sequence[Tensor], side: int, pixels: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Places and images of batches, each of images of one size and of at most ``pixels`` pixels when rescaled."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for place, image in enumerate(images):
        by_shape.setdefault(tuple(image.shape), []).append(place)
    for shape, all_places in by_shape.items():
        largest = max(prod(_rescaled(*shape[1:], side)), prod(shape[1:]))
        for chosen in torch.tensor(all_places).split(max(1, pixels // largest)):
            yield chosen, torch.stack([images[place] for place in chosen.tolist()])


def _normalized(batch: Tensor, normalize: Normalize) -> Tensor:
    """What ``normalize`` makes of a batch, once it is sure that a net can take it."""
    x = normalize(batch)
    if not isinstance(x, Tensor) or x.shape != batch.shape or not x.is_floating_point():
        got = f"{tuple(x.shape)} of {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(
            f"normalize made {got} of a batch {tuple(batch.shape)} of {batch.dtype}; it must return floating-point numbers "
            "of the same shape, such as data.normalize(images) does."
        )
    if not x.isfinite().all():
        raise ValueError(
            f"normalize made {int((~x.isfinite()).sum())} numbers that are not finite. Is a deviation zero, or were there "
            "such pixels before?"
        )
    return x


# --- checks ---


def _checked(model: VGG, images: Images, protocol: Protocol) -> Sequence[Tensor]:
    if not isinstance(model, VGG):
        raise ValueError(
            f"the model is a {type(model).__name__}; give a VGG of this course, such as vgg('D') makes (not its "
            "convolutional form: that is made here)."
        )
    _check_protocol(protocol, model.configuration)
    if isinstance(images, Tensor) and images.ndim != 4:
        raise ValueError(
            f"the images have shape {tuple(images.shape)}; a batch is (N, C, H, W). One image is image[None]."
        )
    if not len(images):
        raise ValueError("there are no images; give at least one.")
    channels = model.configuration.in_channels
    for place, image in enumerate(images):
        if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] != channels or not image.numel():
            got = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
            hint = " A gray image has one channel: repeat it, image.expand(3, -1, -1)." if channels == 3 else ""
            raise ValueError(
                f"image {place} is {got}; net {model.configuration.name} takes ({channels}, H, W) with at least one "
                f"pixel.{hint}"
            )
        if image.dtype != torch.uint8 and not image.is_floating_point():
            raise ValueError(f"image {place} is of {image.dtype}; give uint8 or floating-point numbers.")
    return images


def _check_protocol(protocol: Protocol, configuration: Configuration) -> None:
    if not isinstance(protocol, Protocol):
        raise ValueError(
            f"the protocol is {protocol!r}; there are Dense(sides), MultiCrop(sides) and Both(dense, crops)."
        )
    for part in (protocol.dense, protocol.crops) if isinstance(protocol, Both) else (protocol,):
        if min(part.sides) < configuration.input_size:
            raise ValueError(
                f"sides has {min(part.sides)}; net {configuration.name} was built for {configuration.input_size} pixels, and "
                "on a smaller image its classifier has no place. Use sides of at least that, or build the net with a smaller "
                "input_size."
            )


def _checked_labels(labels: Tensor, count: int, classes: int) -> Tensor:
    labels = torch.as_tensor(labels).cpu()
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if not whole or labels.shape != (count,) or not count:
        raise ValueError(
            f"labels are {tuple(labels.shape)} of {labels.dtype} for {count} images; give one whole number an image, at "
            "least one in all."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels run from {int(labels.min())} to {int(labels.max())}; with {classes} classes they must be 0 to "
            f"{classes - 1}."
        )
    return labels.long()


def _fingerprint(images: Sequence[Tensor]) -> int:
    """A number that tells apart what was tested on, pixels and order."""
    number = 0
    for image in images:
        number = zlib.crc32(image.detach().cpu().contiguous().view(torch.uint8).numpy(), number)
    return number
