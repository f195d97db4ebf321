"""Changes that leave the class as it is: every image of a batch gets its own, all in one operation.

Tensors in, tensors out: images are ``(B, C, H, W)`` of any dtype and on any device. Chance is an argument: the same
generator in the same state gives the same images, on every device, for the few numbers needed are drawn on the CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor


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
