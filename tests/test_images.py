"""A reader's own picture, whatever it is: read as it looks, or refused in a sentence; never silently wrong."""

import io
import os
import struct
import warnings
import zlib

import pytest
import torch
from PIL import Image

from vgg_course import augmentation, images
from vgg_course.images import PictureError, read

RED = (200, 30, 40)


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def noise(width, height, seed=0):
    pixels = torch.randint(256, (height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(pixels.numpy()), pixels.permute(2, 0, 1)


def colors(pixels):
    """All the colors in a picture (3, H, W)."""
    return {tuple(color) for color in pixels.flatten(1).T.tolist()}


def png(width, height, depth, kind, rows, chunks=()):
    """A PNG by hand, for what Pillow does not write; ``rows`` are the bytes of all lines, each with its filter's 0."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = b"".join(
        chunk(*each) for each in [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + body


# --- what is a picture ---


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_pixels_come_as_they_are_from_a_file_or_from_its_bytes(tmp_path, kind):
    picture, pixels = noise(7, 5)
    (tmp_path / "noise").write_bytes(encoded(picture, kind))
    for source in (
        tmp_path / "noise",
        str(tmp_path / "noise"),
        encoded(picture, kind),
        bytearray(encoded(picture, kind)),
    ):
        found = read(source)
        assert found.dtype == torch.uint8
        assert found.is_contiguous()
        assert torch.equal(found, pixels)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_other_kinds_of_files_are_read_too(kind):
    found = read(encoded(Image.new("RGB", (9, 6), RED), kind))
    assert found.shape == (3, 6, 9)
    assert (found.int() - torch.tensor(RED)[:, None, None]).abs().max() <= 4


def test_the_middle_square_is_scaled_by_averaging():
    picture, pixels = noise(90, 60)
    found = read(encoded(picture), size=20)
    expected = augmentation.rescale(pixels[None], 20)[0, :, :, 5:25]  # rescaled, then cropped, as in the paper
    assert found.shape == (3, 20, 20)
    assert (found.int() - expected.int()).abs().max() <= 1


def test_without_a_crop_the_whole_picture_is_kept_in_its_shape():
    picture, pixels = noise(91, 60)
    found = read(encoded(picture), size=20, crop=False)
    expected = augmentation.rescale(pixels[None], 20)[0]
    assert found.shape == expected.shape == (3, 20, 30)
    assert (found.float() - expected.float()).abs().mean() < 1.5  # 91 to 30 pixels: the two round the scale differently


def test_a_picture_of_the_wanted_size_is_not_touched():
    picture, pixels = noise(32, 32)
    assert torch.equal(read(encoded(picture), size=32), pixels)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 4000), (4000, 1)])
def test_a_single_pixel_and_a_line_become_a_square(width, height):
    assert colors(read(encoded(Image.new("RGB", (width, height), RED)), size=8)) == {RED}
    assert colors(read(encoded(Image.new("RGB", (width, height), RED)))) == {RED}


@pytest.mark.parametrize(
    ("picture", "color"),
    [
        (Image.new("L", (4, 3), 77), (77, 77, 77)),
        (Image.new("1", (4, 3), 1), (255, 255, 255)),
        (Image.new("LA", (4, 3), (0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (4, 3), (*RED, 0)), (255, 255, 255)),
        (Image.new("RGBA", (4, 3), (*RED, 255)), RED),
        (Image.new("RGBA", (4, 3), (255, 0, 0, 128)), (255, 127, 127)),
    ],
    ids=["gray", "one bit", "clear gray", "clear", "opaque", "half clear"],
)
def test_gray_is_three_times_itself_and_what_is_clear_lies_on_white(picture, color):
    assert colors(read(encoded(picture))) == {color}


def test_palettes_are_looked_up_with_and_without_a_clear_color():
    picture = Image.new("P", (4, 3), 1)
    picture.putpalette([0, 0, 0, *RED])
    assert colors(read(encoded(picture))) == {RED}
    assert colors(read(encoded(picture, transparency=1))) == {(255, 255, 255)}
    assert colors(read(encoded(picture, "GIF", transparency=1))) == {(255, 255, 255)}


def test_one_color_that_counts_as_clear_lies_on_white():
    assert colors(read(encoded(Image.new("RGB", (4, 3), RED), transparency=RED))) == {(255, 255, 255)}


def test_cmyk_is_read_as_it_looks_also_when_it_is_stored_upside_down():
    picture = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # no cyan: red
    for kind in ("JPEG", "TIFF"):
        (color,) = colors(read(encoded(picture, kind)))
        assert color[0] > 240
        assert max(color[1:]) < 15


def test_sixteen_bits_become_eight_and_are_not_cut_off():
    values = [0, 257, 128 * 257, 255 * 257]
    rows = b"".join(b"\0" + struct.pack(">4H", *values) for _ in range(2))
    gray = read(png(4, 2, 16, 0, rows))
    assert gray[:, 0].tolist() == [[0, 1, 128, 255]] * 3
    color = read(png(1, 1, 16, 2, b"\0" + struct.pack(">3H", *(257 * c for c in RED))))
    assert colors(color) == {RED}
    tiff = Image.frombytes("I;16", (4, 1), struct.pack("<4H", *values))
    assert read(encoded(tiff, "TIFF"))[0, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("note", range(1, 9))
def test_the_cameras_note_on_which_side_is_up_is_obeyed(note):
    """As it should look: the mark is in the upper left corner, of a picture that is wider than high."""
    upright = Image.new("RGB", (24, 16), (0, 0, 255))
    upright.paste((255, 255, 0), (0, 0, 8, 8))
    undo = {
        2: 0,
        3: 3,
        4: 1,
        5: 5,
        6: 2,
        7: 6,
        8: 4,
    }  # how the camera held it, in Pillow's numbers for turning and mirroring
    stored = upright if note == 1 else upright.transpose(Image.Transpose(undo[note]))
    exif = Image.Exif()
    exif[0x0112] = note
    found = read(encoded(stored, "PNG", exif=exif.tobytes()))
    assert found.shape == (3, 16, 24)
    assert found[:, 2, 2].tolist() == [255, 255, 0]
    assert found[:, 13, 21].tolist() == [0, 0, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_the_first_picture_is_taken_and_that_is_said(kind):
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, (0, 0, 255), (0, 255, 0))]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    with pytest.warns(UserWarning, match="the picture has 3 pictures in it; the first one is taken"):
        found = read(content, size=4)
    assert colors(found) == {RED}


def test_a_still_picture_is_read_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(encoded(noise(9, 9)[0], "GIF"))


# --- what is none ---

WHOLE = encoded(noise(64, 64)[0])
BAD = {
    "empty.png": (b"", "empty.png is empty, 0 bytes"),
    "notes.png": (b"These are words, whatever the name says.", "notes.png is no picture that can be read"),
    "zeros.jpg": (bytes(5000), "zeros.jpg is no picture"),
    "page.png": (b"<html><body>404</body></html>", "page.png is no picture"),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "drawing.svg is no picture"),
    "program.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "program.eps is no picture"),
    "photo.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "must be exported as JPEG"),
    "cut off.png": (WHOLE[: len(WHOLE) // 2], "cut off.png is damaged or cut off"),
    "cut off.jpg": (encoded(noise(64, 64)[0], "JPEG")[:-400], "cut off.jpg is damaged or cut off"),
    "head.png": (WHOLE[:30], "head.png is"),
    "changed.png": (WHOLE[:2000] + b"\xff" * 40 + WHOLE[2040:], "changed.png is damaged or cut off"),
    "no width.png": (png(0, 5, 8, 2, b""), "no width.png"),
    "float.tif": (encoded(Image.new("F", (3, 3), 0.5), "TIFF"), "holds 32-bit numbers"),
    "whole.tif": (encoded(Image.new("I", (3, 3), 70000), "TIFF"), "holds 32-bit numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_refused_in_one_sentence_with_a_remedy(tmp_path, name):
    content, words = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PictureError, match=words) as error:
        read(tmp_path / name, size=32)
    assert "\n" not in str(error.value)
    assert name in str(error.value)
    with pytest.raises(PictureError, match="the picture"):
        read(content)


@pytest.mark.parametrize("side", [9_000, 10_000, 30_000])
def test_a_small_file_with_absurdly_many_pixels_is_refused_before_they_are_made(side):
    content = png(side, side, 8, 0, b"\0" * 1000)
    assert len(content) < 1000
    with pytest.raises(PictureError, match=f"more than {images.MOST_PIXELS:,} pixels; up to that many are read"):
        read(content)


def test_a_line_that_would_grow_without_end_is_refused():
    with pytest.raises(PictureError, match="4000 x 1, would become 896,000 x 224 pixels; ask for a smaller size"):
        read(encoded(Image.new("RGB", (4000, 1))), size=224, crop=False)


def test_places_without_a_file_are_told_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PictureError, match=r"there is no file cat\.jpg in .*; upload it there"):
        read("cat.jpg")
    with pytest.raises(PictureError, match="is a folder; name a picture in it"):
        read(tmp_path)
    with pytest.raises(PictureError, match="is an address; save the picture to a file first"):
        read("https://example.org/cat.jpg")
    with pytest.raises(PictureError, match="the picture is a list; give the path"):
        read([1, 2])
    with pytest.raises(PictureError, match="could not be opened"):
        read("\0")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told_so(tmp_path):
    (tmp_path / "mine.png").write_bytes(WHOLE)
    (tmp_path / "mine.png").chmod(0)
    with pytest.raises(PictureError, match=r"mine\.png could not be opened"):
        read(tmp_path / "mine.png")


@pytest.mark.parametrize("size", [0, -1, 2.5, "32", True])
def test_a_size_is_a_whole_number_of_at_least_one(size):
    with pytest.raises(ValueError, match=r"size is .*; it must be a whole number of at least 1, or None"):
        read(WHOLE, size=size)
