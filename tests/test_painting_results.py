"""The study of painting and enlarging: the record is complete, adds up, and says what the chapter says of it."""

import base64

import pytest
import torch

from experiments import perceptual
from vgg_course import images, results
from vgg_course.perceptual import draw_style, noise


@pytest.fixture(scope="module")
def found():
    return results.load("perceptual")


def test_every_part_has_all_of_its_runs(found):
    assert found["seeds"] == list(perceptual.SEEDS)
    assert list(found["textures"]) == list(perceptual.NETS)
    for by_depth in found["textures"].values():
        assert list(by_depth) == ["1", "2", "3", "4", "5"]
        assert all(row["n"] == len(perceptual.STYLES) for row in by_depth.values())
    for by_pool in found["pools"].values():
        assert all(row["n"] == 3 for rows in by_pool.values() for row in rows.values())
    assert set(found["enlarging"]) == {"original", "bicubic", *perceptual.LOSSES}
    assert all(row["n"] == 3 for name in perceptual.LOSSES for row in found["enlarging"][name].values())


def test_the_measure_of_texture_can_be_taken_again(found):
    gray, another = (
        [perceptual.likeness(picture(name), draw_style(name, perceptual.SIZE)) for name in perceptual.STYLES]
        for picture in (lambda _: noise(perceptual.SIZE), lambda name: draw_style(name, perceptual.SIZE, 1))
    )
    assert found["noise"]["values"] == pytest.approx(gray, rel=1e-3)
    assert found["another"]["values"] == pytest.approx(another, rel=1e-3)
    assert perceptual.likeness(draw_style("mosaic", 64), draw_style("mosaic", 64)) == 0


def test_an_autocorrelation_is_what_loops_compute():
    picture = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    table = perceptual.autocorrelation(picture, reach=2)
    colors = picture[0] - picture[0].mean((1, 2), keepdim=True)
    for i, j, down, across in ((0, 0, 0, 0), (0, 1, 1, 0), (2, 1, -2, 1), (1, 1, 2, -2)):
        pairs = [
            float(colors[i, y, x] * colors[j, y + down, x + across])
            for y in range(9)
            for x in range(9)
            if 0 <= y + down < 9 and 0 <= x + across < 9
        ]
        assert float(table[i, j, 2 + down, 2 + across]) == pytest.approx(sum(pairs) / len(pairs))


def test_seams_are_steps_across_cells_over_steps_within():
    flat = torch.arange(4.0).repeat_interleave(4).expand(1, 3, 16, 16)
    assert perceptual.seams(flat + 0.1 * torch.arange(16.0)) == pytest.approx(1.1 / 0.1, rel=1e-4)
    assert perceptual.seams(torch.arange(16.0).expand(1, 3, 16, 16)) == pytest.approx(1)


def test_every_picture_can_be_read(found):
    for name, text in found["pictures"].items():
        picture = images.read(base64.b64decode(text))
        wide = 6 if name.startswith("enlarged") else 1
        assert picture.shape[2] == wide * picture.shape[1], name
    assert sum(map(len, found["pictures"].values())) < 450_000


def test_no_loss_knew_the_judges_and_the_order_of_pixels_is_theirs(found):
    rows = found["enlarging"]
    assert rows["original"]["accuracy"]["mean"] > 0.9
    assert (
        max(rows[n]["psnr"]["highest"] for n in ("perceptual", "both", "shuffled", "bicubic"))
        < rows["pixel"]["psnr"]["lowest"]
    )
    assert rows["perceptual"]["accuracy"]["lowest"] > rows["pixel"]["accuracy"]["highest"] + 0.1
    assert rows["perceptual"]["sharpness"]["lowest"] > 1.4 * rows["pixel"]["sharpness"]["highest"]


def test_weights_trade_content_for_style(found):
    for parts in found["weights"].values():
        contents, styles = ([row[part] for row in parts.values()] for part in ("content", "style"))
        assert contents == sorted(contents)
        assert styles == sorted(styles, reverse=True)
