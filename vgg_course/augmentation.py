"""Changes that leave the class as it is: every image of a batch gets its own, all in one operation.

Tensors in, tensors out: images are ``(B, C, H, W)`` of any dtype and on any device. Chance is an argument: the same
generator in the same state gives the same images, on every device, for the few numbers needed are drawn on the CPU.

The paper's own (section 3.1) are :func:`scale_jitter`, which rescales and crops, :func:`random_flip` and
:func:`random_pca_color`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


def flip(images: Tensor, which: Tensor) -> Tensor:
    """Mirror left and right where the boolean ``which`` ``(B,)`` is true."""
    return torch.where(which.to(images.device)[:, None, None, None], images.flip(3), images)


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image with probability one half."""
    return flip(images, torch.rand(len(images), generator=generator) < 0.5)


def shift(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Move image ``i`` by ``down[i]`` and ``right[i]`` whole pixels; what comes in is the picture's own reflection.

    The same as padding with reflection and cropping. The shifts ``(B,)`` may be at most H - 1 and W - 1 pixels.

    Raises:
        ValueError: a shift is larger than the image can be reflected. (Shifts on a GPU are not looked at: it would stand
            still meanwhile.)
    """
    height, width = images.shape[2:]
    if len(images) and down.device.type == "cpu" and (down.abs().max() >= height or right.abs().max() >= width):
        raise ValueError(
            f"a shift of {int(max(down.abs().max(), right.abs().max()))} pixels is too far for images of "
            f"{height}x{width}; reflection reaches at most one pixel less than the image is long."
        )
    device = images.device
    batch, down, right = torch.arange(len(images), device=device), down.to(device), right.to(device)
    rows = _reflect(torch.arange(height, device=device) - down[:, None], height)  # (B, H): where each row comes from
    columns = _reflect(torch.arange(width, device=device) - right[:, None], width)  # (B, W)
    moved = images[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (B, H, W, C)
    return moved.permute(0, 3, 1, 2)  # (B, C, H, W)


def random_shift(images: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Move each image by up to ``pixels`` in each direction, all whole distances equally likely."""
    down, right = torch.randint(-pixels, pixels + 1, (2, len(images)), generator=generator)
    return shift(images, down, right)


def _reflect(index: Tensor, size: int) -> Tensor:
    """Indices beyond an end come back from it; the pixel at the end is not repeated: -1 is 1, ``size`` is size - 2."""
    index = index.abs()
    return (size - 1) - ((size - 1) - index).abs()


# --- size: rescale, crop, and both at random ---


def rescale(images: Tensor, side: int) -> Tensor:
    """Scale ``(B, C, H, W)`` by one factor, so that the shorter side has ``side`` pixels ("isotropically", section 3.1).

    Every new pixel is an average over the pixels that it covers (bilinear with antialiasing), as in torchvision's
    ``Resize``, and so is the longer side, rounded down. The dtype stays; whole numbers are rounded to the nearest.

    Raises:
        ValueError: the images are no batch, or ``side`` is no whole number of at least 1.
    """
    _check_batch(images)
    _check_whole("side", side)
    height, width = images.shape[2:]
    shorter = min(height, width)
    size = side * height // shorter, side * width // shorter
    if size == (height, width):
        return images
    exact = images if images.is_floating_point() else images.float()
    scaled = functional.interpolate(exact, size, mode="bilinear", antialias=True, align_corners=False)
    return scaled if images.is_floating_point() else scaled.round().to(images.dtype)  # an average is never out of range


def crop(images: Tensor, top: Tensor, left: Tensor, size: int) -> Tensor:
    """Cut ``size x size`` pixels out of image ``i``, from row ``top[i]`` and column ``left[i]`` on: ``(B, C, size, size)``.

    Raises:
        ValueError: the images are no batch, there is not one whole number a side for each, or a crop would reach over
            an edge. (Places on a GPU are not looked at: it would stand still meanwhile.)
    """
    _check_batch(images)
    _check_room(images, size)
    for name, first, length in (("top", top, images.shape[2]), ("left", left, images.shape[3])):
        if first.shape != images.shape[:1] or first.is_floating_point():
            raise ValueError(
                f"{name} has shape {tuple(first.shape)} and holds {first.dtype}; give one whole number an image, "
                f"({len(images)},)."
            )
        if len(images) and first.device.type == "cpu" and (first.min() < 0 or first.max() > length - size):
            raise ValueError(
                f"{name} runs from {int(first.min())} to {int(first.max())}; a crop of {size} pixels out of {length} can "
                f"begin at 0 to {length - size}."
            )
    device = images.device
    along, batch = torch.arange(size, device=device), torch.arange(len(images), device=device)
    rows, columns = top.to(device)[:, None] + along, left.to(device)[:, None] + along  # (B, size)
    cut = images[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (B, size, size, C)
    return cut.permute(0, 3, 1, 2)  # (B, C, size, size)


def random_crop(images: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Cut ``size x size`` pixels out of each image, every place in it equally likely, the last row and column too."""
    _check_batch(images)
    _check_room(images, size)
    top, left = (torch.randint(length - size + 1, images.shape[:1], generator=generator) for length in images.shape[2:])
    return crop(images, top, left, size)


def scale_jitter(
    images: Iterable[Tensor], smallest: int, largest: int, size: int, generator: torch.Generator
) -> Tensor:
    """One crop of ``size x size`` from each image at its own scale: ``(B, C, size, size)`` (section 3.1).

    The shorter side becomes a whole number from ``smallest`` to ``largest``, both included, all equally likely; then a
    crop is cut anywhere. Equal ends give the paper's training at a fixed scale.

    Args:
        images: a batch ``(B, C, H, W)``, or a sequence of images ``(C, H, W)`` of different sizes.

    Raises:
        ValueError: there is no image, or the ends are out of order, or ``smallest`` is less than ``size``.
    """
    images = list(images)
    for name, value in (("smallest", smallest), ("largest", largest)):
        _check_whole(name, value)
    _check_whole("size", size)
    if not size <= smallest <= largest or not images:
        raise ValueError(
            f"size, smallest and largest are {size}, {smallest} and {largest}, for {len(images)} images; they must "
            "not fall, or a crop could not fit, and at least one image is needed."
        )
    sides = torch.randint(smallest, largest + 1, (len(images),), generator=generator).tolist()
    scaled = (rescale(image[None], side) for image, side in zip(images, sides, strict=True))
    return torch.cat([random_crop(one, size, generator) for one in scaled])


def _check_batch(images: Tensor) -> None:
    if images.ndim != 4:
        raise ValueError(
            f"the images have shape {tuple(images.shape)}; a batch is (B, C, H, W). One image is image[None]."
        )


def _check_whole(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1.")


def _check_room(images: Tensor, size: int) -> None:
    _check_whole("size", size)
    if size > min(images.shape[2:]):
        height, width = images.shape[2:]
        raise ValueError(f"a crop of {size}x{size} does not fit into images of {height}x{width}; rescale them first.")


# --- color ---


class ColorAxes(NamedTuple):
    """The directions in which the colors of a set of images vary, the strongest first (see :func:`color_axes`).

    ``values`` ``(3,)`` are the variances along them, where a full channel counts as 1; ``vectors`` ``(3, 3)`` has the
    directions in its columns, each of length 1.
    """

    values: Tensor
    vectors: Tensor


def color_axes(images: Tensor) -> ColorAxes:
    """Principal components of the colors of all pixels of ``(N, 3, H, W)``: those of their 3x3 covariance.

    Eigenvectors have no sign of their own; here the largest entry of each is positive.

    Raises:
        ValueError: the images have not three channels, or there are fewer than two pixels.
    """
    _check_colors(images)
    if images[:, 0].numel() < 2:
        raise ValueError(f"images of shape {tuple(images.shape)} have fewer than two pixels, and those do not vary.")
    count, total, products = 0, 0.0, 0.0
    for part in images.split(500):  # float64 takes eight times the room of bytes
        colors = _unit(part.double(), images.dtype).transpose(0, 1).flatten(1)  # (3, pixels)
        count, total, products = count + colors.shape[1], total + colors.sum(1), products + colors @ colors.T
    mean = total / count
    values, vectors = torch.linalg.eigh(products / count - mean[:, None] * mean)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)  # eigh begins with the smallest
    signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    return ColorAxes(values.float(), (vectors * signs).float())


def pca_color(images: Tensor, axes: ColorAxes, alpha: Tensor) -> Tensor:
    """Add one color to all pixels of image ``i``: the sum of the axes, each times its value times ``alpha[i]``.

    Krizhevsky et al. 2012, section 4.1: ``[p1, p2, p3] @ [alpha1 * l1, alpha2 * l2, alpha3 * l3]``, with eigenvalues ``l``,
    not their roots. Eigenvalues are squares, so the rule depends on the scale of the pixels; here a full channel is 1.

    Args:
        images: ``(B, 3, H, W)``, uint8 from 0 to 255 or floating-point from 0 to 1. uint8 is rounded and kept in range; a
            floating-point image may leave the range.
        alpha: ``(B, 3)``, drawn from a normal distribution with deviation 0.1 in that paper.

    Raises:
        ValueError: the images have not three channels, are of another dtype, or ``alpha`` is not ``(B, 3)``.
    """
    _check_colors(images)
    if alpha.shape != (len(images), 3):
        raise ValueError(f"alpha has shape {tuple(alpha.shape)}; give three numbers an image, {(len(images), 3)}.")
    color = (alpha * axes.values) @ axes.vectors.T  # (B, 3)
    color = color.to(images.device)[:, :, None, None]
    if images.dtype == torch.uint8:
        return (images + 255 * color).round().clamp(0, 255).to(torch.uint8)
    return images + color.to(images.dtype)


def random_pca_color(images: Tensor, axes: ColorAxes, generator: torch.Generator, deviation: float = 0.1) -> Tensor:
    """:func:`pca_color` with an ``alpha`` of each image's own, normal with mean 0."""
    return pca_color(images, axes, deviation * torch.randn(len(images), 3, generator=generator))


def _check_colors(images: Tensor) -> None:
    _check_batch(images)
    if images.shape[1] != 3 or not (images.dtype == torch.uint8 or images.is_floating_point()):
        raise ValueError(
            f"the images have {images.shape[1]} channels of {images.dtype}; colors take three channels, uint8 from 0 to 255 "
            "or floating-point from 0 to 1."
        )


def _unit(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Values of a full channel become 1."""
    return values / 255 if dtype == torch.uint8 else values
