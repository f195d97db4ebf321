"""Losses that look through a net, painting and enlarging: against loops, finite differences and the paper's formulas."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from vgg_course import perceptual
from vgg_course.model import vgg
from vgg_course.perceptual import (
    STYLE,
    STYLES,
    Enlarger,
    Eye,
    content_loss,
    draw_style,
    enlarge,
    gram,
    noise,
    paint,
    psnr,
    shrink,
    style_loss,
    teach,
    total_variation,
)

GRAY = (0.5, 0.5, 0.5)


def net(**changes):
    options = {"input_size": 32, "classes": 3, "width": 1 / 16, "hidden": (), "initialization": "he", **changes}
    return vgg("D", generator=torch.Generator().manual_seed(0), **options)


def eye(**changes):
    return Eye(net(), GRAY, GRAY, **changes)


def doubles(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- Gram matrices ---


def test_a_gram_matrix_is_what_loops_and_einsum_compute():
    values = doubles(2, 3, 4, 5)
    slow = torch.zeros(2, 3, 3, dtype=torch.float64)
    for b in range(2):
        for i in range(3):
            for j in range(3):
                for y in range(4):
                    for x in range(5):
                        slow[b, i, j] += values[b, i, y, x] * values[b, j, y, x] / 20
    assert torch.allclose(gram(values), slow, rtol=1e-14, atol=0)
    assert torch.allclose(gram(values), torch.einsum("bchw,bdhw->bcd", values, values) / 20, rtol=1e-14, atol=0)


def test_shuffling_all_places_leaves_the_gram_matrix_and_shuffling_channels_apart_does_not():
    values = doubles(1, 4, 6, 6)
    order = torch.randperm(36, generator=torch.Generator().manual_seed(1))
    moved = values.flatten(2)[:, :, order].view_as(values)
    assert torch.allclose(gram(moved), gram(values), rtol=1e-13)
    apart = values.clone()
    apart[:, 0] = moved[:, 0]
    assert not torch.allclose(gram(apart), gram(values), rtol=1e-3)


def test_a_gram_matrix_is_symmetric_and_no_direction_has_less_than_nothing():
    matrix = gram(doubles(1, 5, 7, 3) - 0.5)[0]
    assert torch.allclose(matrix, matrix.T, rtol=1e-15)
    assert torch.linalg.eigvalsh(matrix).min() > -1e-15


def test_two_tiles_of_a_texture_have_the_gram_matrix_of_one():
    values = doubles(1, 3, 4, 4)
    assert torch.allclose(gram(torch.cat([values, values], 3)), gram(values), rtol=1e-14)


def test_the_papers_loss_of_a_layer_is_a_quarter_of_the_mean_square():
    found, wanted = doubles(1, 6, 5, 4), doubles(1, 6, 5, 4, seed=1)
    n, m = 6, 20
    sums = [some.flatten(2) @ some.flatten(2).transpose(1, 2) for some in (found, wanted)]
    papers = (sums[0] - sums[1]).square().sum() / (4 * n**2 * m**2)
    assert torch.allclose((gram(found) - gram(wanted)).square().mean() / 4, papers, rtol=1e-13)


@pytest.mark.parametrize("shape", [(3, 4, 4), (4, 4), (1, 3, 0, 4)])
def test_what_has_no_places_has_no_gram_matrix(shape):
    with pytest.raises(ValueError, match="give what a convolutional layer puts out"):
        gram(torch.zeros(shape))


# --- losses ---


def test_losses_are_nothing_for_the_same_and_one_for_nothing():
    values = {"relu1_1": doubles(1, 3, 4, 4), "relu2_1": doubles(1, 5, 2, 2)}
    black = {name: torch.zeros_like(some) for name, some in values.items()}
    for loss in (style_loss, content_loss):
        assert loss(values, values) == 0
        assert loss(black, values) == pytest.approx(1)
        assert loss({n: 7 * v for n, v in black.items()}, {n: 7 * v for n, v in values.items()}) == pytest.approx(1)


def test_style_does_not_ask_for_the_size_and_content_does():
    small, large = ({"relu1_1": doubles(1, 3, side, side)} for side in (4, 8))
    assert style_loss(small, large) > 0
    with pytest.raises(ValueError, match="relu1_1: values of 1x3x4x4 and 1x3x8x8 cannot be compared"):
        content_loss(small, large)


@pytest.mark.parametrize(("found", "wanted"), [({}, {}), ({"relu1_1": 1}, {}), ({"relu1_1": 1}, {"relu2_1": 1})])
def test_losses_want_the_same_layers(found, wanted):
    with pytest.raises(ValueError, match="layers are"):
        content_loss(found, wanted)


def test_total_variation_is_what_loops_compute():
    pictures = doubles(2, 3, 4, 5)
    down, across = [], []
    for image in pictures.flatten(0, 1).tolist():
        down += [
            abs(below - above) for upper, lower in pairwise(image) for above, below in zip(upper, lower, strict=True)
        ]
        across += [abs(right - left) for row in image for left, right in pairwise(row)]
    assert total_variation(pictures) == pytest.approx(sum(down) / len(down) + sum(across) / len(across))
    assert total_variation(torch.ones(1, 3, 4, 4)) == 0


def test_total_variation_wants_neighbors():
    with pytest.raises(ValueError, match="at least 2 pixels each way"):
        total_variation(torch.zeros(1, 3, 1, 5))


@pytest.mark.parametrize("part", ["content", "style", "variation"])
def test_gradients_are_finite_differences(part):
    look = Eye(net().double(), GRAY, GRAY, pool="average")  # no max: it has corners, where differences lie
    picture, other = doubles(1, 3, 8, 8), doubles(1, 3, 8, 8, seed=1)
    layers = ("relu1_1", "relu2_1")
    wanted = look(other, *layers)

    def loss(x):
        if part == "variation":
            return total_variation(x)
        return {"content": content_loss, "style": style_loss}[part](look(x, *layers), wanted)

    picture.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(picture), picture)
    generator, h = torch.Generator().manual_seed(3), 1e-6
    for _ in range(4):
        way = torch.randn(1, 3, 8, 8, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            slope = (loss(picture + h * way) - loss(picture - h * way)) / (2 * h)
        assert float(slope) == pytest.approx(float((gradient * way).sum()), rel=1e-4)


# --- the eye ---


def test_an_eye_leaves_the_net_as_it_is_and_wants_no_gradients_of_weights():
    model = net().train()
    look = Eye(model, GRAY, (0.25, 0.25, 0.25), pool="average")
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    assert any(isinstance(m, nn.MaxPool2d) for m in model.features)
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    look(picture, "relu2_1")["relu2_1"].sum().backward()
    assert picture.grad.abs().sum() > 0
    assert all(p.grad is None for p in look.net.parameters())


def test_an_average_pool_puts_out_the_mean_of_its_window():
    seen = eye(pool="average")(torch.rand(1, 3, 16, 16), "relu1_2", "pool1")
    assert torch.allclose(seen["pool1"], nn.functional.avg_pool2d(seen["relu1_2"], 2))
    seen = eye()(torch.rand(1, 3, 16, 16), "relu1_2", "pool1")
    assert torch.equal(seen["pool1"], nn.functional.max_pool2d(seen["relu1_2"], 2))


def test_pictures_are_normalized_by_the_numbers_of_the_net():
    model = net()
    seen = Eye(model, (0.2, 0.3, 0.4), (0.5, 0.6, 0.7))(torch.full((1, 3, 8, 8), 0.4), "conv1_1")["conv1_1"]
    normalized = torch.tensor([0.4, 1 / 6, 0.0]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    assert torch.allclose(seen, model.features[0](normalized), atol=1e-6)


def test_an_eye_that_cannot_see_says_why():
    with pytest.raises(ValueError, match="pool is 'min'"):
        eye(pool="min")
    with pytest.raises(ValueError, match="std above 0"):
        Eye(net(), GRAY, (1, 0, 1))
    with pytest.raises(ValueError, match="there is no layer 'relu9_9'"):
        eye()(noise(32), "relu9_9")


# --- painting ---


@pytest.mark.parametrize("optimizer", perceptual.OPTIMIZERS)
def test_painting_lowers_the_loss_and_repeats(optimizer):
    look, style = eye(), draw_style("stripes", 32)
    one, same = (paint(look, noise(32), style=style, steps=8, optimizer=optimizer) for _ in range(2))
    assert one.losses[-1] < 0.7 * one.losses[0]
    assert one.losses == same.losses
    assert torch.equal(one.picture, same.picture)
    other = paint(look, noise(32, seed=1), style=style, steps=8, optimizer=optimizer)
    assert not torch.equal(one.picture, other.picture)


def test_a_painting_has_a_picture_in_range_and_says_what_it_costs():
    start = noise(32)
    kept, content, style = start.clone(), torch.rand(1, 3, 32, 32), draw_style("mosaic", 48)
    done = paint(eye(), start, content=content, style=style, style_weight=2.0, smoothness=0.1, steps=5)
    assert torch.equal(start, kept)
    assert done.picture.shape == start.shape
    assert done.picture.min() >= 0
    assert done.picture.max() <= 1
    assert 5 <= len(done.losses) <= 10
    look = eye()
    with torch.no_grad():
        style_part = style_loss(look(done.picture, *STYLE), look(style, *STYLE))
        content_part = content_loss(look(done.picture, "relu4_2"), look(content, "relu4_2"))
    assert done.parts == pytest.approx(
        {"content": float(content_part), "style": float(style_part), "variation": float(total_variation(done.picture))}
    )
    assert "style 0." in repr(done)
    assert "32x32" in repr(done)


def test_the_first_look_has_the_weighted_sum_of_the_parts():
    look, start, other = eye(), noise(32), torch.rand(1, 3, 32, 32)
    done = paint(look, start, content=other, style=other, style_weight=3.0, smoothness=0.5, steps=1, optimizer="Adam")
    seen, wanted = look(start, *STYLE, "relu4_2"), look(other, *STYLE, "relu4_2")
    pick = lambda values, names: {name: values[name] for name in names}  # noqa: E731
    expected = content_loss(pick(seen, ["relu4_2"]), pick(wanted, ["relu4_2"]))
    expected = expected + 3 * style_loss(pick(seen, STYLE), pick(wanted, STYLE)) + 0.5 * total_variation(start)
    assert done.losses == pytest.approx([float(expected)], rel=1e-5)


def test_content_alone_brings_the_picture_back():
    content = draw_style("mosaic", 16)
    done = paint(eye(), noise(16), content=content, content_layers=("relu1_1",), steps=40)
    assert done.parts["content"] < 0.05
    assert (done.picture - content).square().mean() < 0.5 * (noise(16) - content).square().mean()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "nothing is wanted"),
        ({"style": torch.zeros(1, 3, 32, 32, dtype=torch.uint8)}, "style is torch.uint8"),
        ({"style": [1, 2]}, "style is list"),
        ({"style": torch.zeros(3, 32, 32)}, "give a single picture as a batch"),
        ({"content": torch.zeros(1, 3, 16, 16)}, "must be alike"),
        ({"style": noise(32), "style_weight": -1}, "style_weight is -1"),
        ({"style": noise(32), "smoothness": math.nan}, "smoothness is nan"),
        ({"style": noise(32), "steps": 0}, "steps is 0"),
        ({"style": noise(32), "steps": 2.5}, "steps is 2.5"),
        ({"style": noise(32), "optimizer": "SGD"}, "optimizer is 'SGD'"),
        ({"style": noise(32), "style_layers": ("conv9_9",)}, "there is no layer"),
    ],
)
def test_bad_input_is_refused_in_words(changes, words):
    with pytest.raises(ValueError, match=words):
        paint(eye(), noise(32), **changes)


# --- styles ---


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_drawn_by_its_seed_and_looks_alike_everywhere(name):
    one, same, other = draw_style(name, 64), draw_style(name, 64), draw_style(name, 64, seed=1)
    assert one.shape == (1, 3, 64, 64)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.min() >= 0
    assert one.max() <= 1
    assert one.std() > 0.08
    halves = [part.mean((2, 3)) for part in draw_style(name, 128).chunk(2, 3)]
    assert (halves[0] - halves[1]).abs().max() < 0.2


def test_an_unknown_style_is_refused():
    with pytest.raises(ValueError, match="it can be mosaic, stripes"):
        draw_style("cubism")


# --- enlarging ---


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_enlarger_begins_as_bicubic_and_a_seed_is_a_net(shuffle):
    small = torch.rand(2, 3, 8, 8)
    assert torch.equal(Enlarger(shuffle=shuffle)(small), enlarge(small))
    one, same, other = (Enlarger(seed=s).layers[0].weight for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_only_an_enlarger_that_shuffles_can_put_a_grid_on_a_flat_picture():
    flat, inner = torch.full((1, 3, 12, 12), 0.4), slice(16, 32)  # away from the border, which padding can be felt at
    for shuffle, grid in ((False, False), (True, True)):
        enlarger = Enlarger(shuffle=shuffle)
        for part in enlarger.parameters():
            nn.init.normal_(part, std=0.1, generator=torch.Generator().manual_seed(part.numel()))
        with torch.no_grad():
            out = enlarger(flat)[0, :, inner, inner]
        assert (out.std((1, 2)).max() > 1e-3) == grid


def test_shrinking_is_the_mean_of_squares():
    picture = doubles(1, 3, 8, 8)
    assert torch.allclose(shrink(picture)[0, 0, 1, 0], picture[0, 0, 4:, :4].mean())


def test_teaching_lowers_the_loss_and_repeats():
    pictures = torch.cat([draw_style(name, 32, seed) for name in STYLES for seed in (0, 1)])
    runs = []
    for _ in range(2):
        enlarger = Enlarger(width=8)
        runs.append(teach(enlarger, pictures, nn.functional.mse_loss, steps=60, batch=4))
    assert runs[0] == runs[1]
    assert sum(runs[0][-10:]) < 0.95 * sum(runs[0][:10])


def test_psnr_of_an_error_of_a_tenth_is_20_decibels():
    picture = torch.full((2, 3, 4, 4), 0.5)
    assert psnr(picture + 0.1, picture) == pytest.approx(20, abs=1e-4)
    assert psnr(picture + 0.01, picture) == pytest.approx(40, abs=1e-3)
    assert psnr(torch.full((1, 3, 4, 4), 5.0), torch.ones(1, 3, 4, 4)) == pytest.approx(100)  # clipped first


def test_squared_error_asks_for_the_mean_of_all_that_might_be():
    """A pixel loss's best answer to one small picture is the mean of all large ones that shrink to it."""
    sharp = doubles(5, 3, 8, 8)
    mean = sharp.mean(0, keepdim=True)
    costs = [(sharp - guess).square().mean() for guess in (*sharp[:, None], sharp.median(0, keepdim=True).values)]
    assert (sharp - mean).square().mean() < min(costs)
    assert total_variation(mean) < total_variation(sharp)
