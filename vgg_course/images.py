"""A picture of the reader's own, made safe to compute with: ``images.read("cat.jpg", size=32)``.

Pillow decodes; here is said what to do with all that is not an 8-bit RGB picture, and what is refused:

* the camera's note on which side is up (EXIF) is obeyed;
* what is transparent is laid on white;
* gray, palettes, CMYK and the like become RGB; 16 bits become 8; color profiles are not looked at;
* of an animation, or of several pages, the first picture is taken, with a warning;
* whatever cannot be read for certain raises :class:`PictureError`, which names the file, the reason and the remedy.
"""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")  # Pillow knows more, and some run other programs
MOST_PIXELS = 80_000_000  # 240 MB of bytes; a few kilobytes of file can hold far more
KINDS = "JPEG, PNG, GIF, WebP, BMP and TIFF"


class PictureError(ValueError):
    """A picture that cannot be read. The message names it, the reason and the remedy."""


def read(source: str | os.PathLike | bytes, size: int | None = None, crop: bool = True) -> Tensor:
    """The picture in a file, or in the bytes of one, as uint8 RGB ``(3, H, W)``.

    Args:
        source: a path, or a file's content.
        size: pixels of the shorter side; None leaves the picture as large as it is. Rescaled pixels are averages over what
            they cover, as in :func:`vgg_course.augmentation.rescale`.
        crop: with a ``size``, take the square in the middle: ``(3, size, size)``. False keeps all of the picture.

    Raises:
        PictureError: there is no such file, it is empty, damaged or no picture, or the picture has no pixels or too many.
        ValueError: size is no whole number of at least 1.
    """
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise ValueError(f"size is {size!r}; it must be a whole number of at least 1, or None.")
    name, content = _content(source)
    picture = _eight_bits(_decoded(name, content), name)
    if size is not None:
        picture = _rescaled(picture, size, crop, name)
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return pixels.view(picture.height, picture.width, 3).permute(2, 0, 1).contiguous()


def _content(source: str | os.PathLike | bytes) -> tuple[str, bytes]:
    """What to call the picture, and its bytes."""
    if isinstance(source, bytes | bytearray | memoryview):
        name, content = "the picture", bytes(source)
    elif isinstance(source, str) and "://" in source:
        raise PictureError(f"{source} is an address; save the picture to a file first: nothing is fetched here.")
    elif isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        name = path.name or str(path)
        if path.is_dir():
            raise PictureError(f"{path} is a folder; name a picture in it.")
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise PictureError(
                f"there is no file {path} in {Path.cwd()}; upload it there, or name its folder."
            ) from None
        except (OSError, ValueError) as error:
            raise PictureError(f"{name} could not be opened: {error}.") from None
    else:
        raise PictureError(f"the picture is a {type(source).__name__}; give the path of a file, or its bytes.")
    if not content:
        raise PictureError(f"{name} is empty, 0 bytes; download or save it again.")
    return name, content


def _decoded(name: str, content: bytes) -> Picture:
    """The first picture in a file, upright, in whatever mode it was stored."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.init()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow grumbles about is either refused below or does no harm
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            picture = Image.open(io.BytesIO(content), formats=[kind for kind in FORMATS if kind in Image.OPEN])
            if 0 in picture.size:
                raise PictureError(
                    f"{name} has {picture.width} x {picture.height} pixels: there is nothing to see in it."
                )
            if picture.width * picture.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            frames = (
                getattr(picture, "n_frames", 1) if picture.format != "MPO" else 1
            )  # MPO: a photograph and its preview
            picture.load()
            picture = ImageOps.exif_transpose(picture)
        except PictureError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
            raise PictureError(
                f"{name} has more than {MOST_PIXELS:,} pixels; up to that many are read. Shrink it first."
            ) from None
        except UnidentifiedImageError:
            raise PictureError(
                f"{name} is no picture that can be read, whatever it is called; {KINDS} can. Photographs in a phone's own "
                "format (HEIC) must be exported as JPEG."
            ) from None
        except Exception as error:  # decoders fail in many ways
            raise PictureError(
                f"{name} is damaged or cut off ({type(error).__name__}: {error}); get it again."
            ) from None
    if frames > 1:
        warnings.warn(f"{name} has {frames} pictures in it; the first one is taken.", stacklevel=3)
    return picture


def _eight_bits(picture: Picture, name: str) -> Picture:
    """The same picture in RGB, laid on white."""
    from PIL import Image

    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format in ("PNG", "PPM")):
        # Pillow's own conversion cuts off at 255, and makes nearly everything white
        values = torch.frombuffer(bytearray(picture.convert("I").tobytes()), dtype=torch.int32)
        picture = Image.frombytes(
            "L", picture.size, bytes((values / 257).round().clamp(0, 255).to(torch.uint8).tolist())
        )
    elif picture.mode in ("I", "F"):
        raise PictureError(
            f"{name} holds 32-bit numbers (mode {picture.mode}), and nothing says which of them is white. Save it with 8 or "
            "16 bits."
        )
    if "A" in picture.mode.upper() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")


def _rescaled(picture: Picture, size: int, crop: bool, name: str) -> Picture:
    from PIL import Image

    width, height = picture.size
    side = min(width, height)
    box, target = (0, 0, width, height), (size * width // side, size * height // side)
    if crop:
        left, top = (width - side) // 2, (height - side) // 2
        box, target = (left, top, left + side, top + side), (size, size)
    if target[0] * target[1] > MOST_PIXELS:
        raise PictureError(
            f"{name}, {width} x {height}, would become {target[0]:,} x {target[1]:,} pixels; ask for a smaller size, or "
            "let it be cropped."
        )
    return picture.resize(target, Image.Resampling.BILINEAR, box=box)
