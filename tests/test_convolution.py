"""Three ways to one number: loops, their fast twins, and torch; and the algebra of stacks."""

import random

import pytest
import torch
from torch.nn import functional

from vgg_course import convolution
from vgg_course.configuration import CONFIGURATIONS, Conv, Linear, MaxPool


def normal(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def cases(count, seed):
    """Random shapes, strides and paddings that fit."""
    draw, found = random.Random(seed), []
    while len(found) < count:
        kernel, stride, padding = draw.randint(1, 5), draw.randint(1, 3), draw.randint(0, 3)
        shape = (draw.randint(1, 2), draw.randint(1, 3), draw.randint(1, 8), draw.randint(1, 8))
        if kernel <= min(shape[2:]) + 2 * padding:
            found.append((shape, draw.randint(1, 3), kernel, stride, padding))
    return found


@pytest.mark.parametrize(("shape", "outputs", "kernel", "stride", "padding"), cases(30, seed=0))
def test_loops_im2col_and_torch_agree(shape, outputs, kernel, stride, padding):
    generator = torch.Generator().manual_seed(sum(shape))
    x, bias = normal(generator, *shape), normal(generator, outputs)
    weight = normal(generator, outputs, shape[1], kernel, kernel)
    for b in (None, bias):
        by_torch = functional.conv2d(x, weight, b, stride, padding)
        fast = convolution.conv2d_im2col(x, weight, b, stride=stride, padding=padding)
        torch.testing.assert_close(fast, by_torch, rtol=1e-12, atol=1e-12)
    loops = convolution.conv2d_loops(x, weight, bias, stride=stride, padding=padding)
    torch.testing.assert_close(loops, functional.conv2d(x, weight, bias, stride, padding), rtol=1e-12, atol=1e-12)


def test_im2col_and_torch_agree_on_many_more_shapes():
    for shape, outputs, kernel, stride, padding in cases(500, seed=1):
        generator = torch.Generator().manual_seed(kernel)
        x, weight = normal(generator, *shape), normal(generator, outputs, shape[1], kernel, kernel)
        fast = convolution.conv2d_im2col(x, weight, stride=stride, padding=padding)
        torch.testing.assert_close(fast, functional.conv2d(x, weight, None, stride, padding), rtol=1e-12, atol=1e-12)


def test_both_pools_agree_with_torch_on_many_shapes():
    for shape, _, kernel, stride, padding in cases(500, seed=2):
        if 2 * padding > kernel:
            continue
        x = normal(torch.Generator().manual_seed(kernel), *shape) - 5  # negative, so that a padding of zeros would win
        by_torch = functional.max_pool2d(x, kernel, stride, padding)
        assert torch.equal(convolution.max_pool2d_loops(x, kernel, stride=stride, padding=padding), by_torch)
        assert torch.equal(convolution.max_pool2d(x, kernel, stride=stride, padding=padding), by_torch)


def test_the_number_of_places_is_the_number_of_windows_that_fit_whole():
    for size in range(1, 12):
        for kernel in range(1, 8):
            for stride in range(1, 5):
                for padding in range(4):
                    padded = range(size + 2 * padding)
                    places = [start for start in padded[::stride] if start + kernel <= len(padded)]
                    if places:
                        assert convolution.output_size(size, kernel, stride, padding) == len(places)
                    else:
                        with pytest.raises(ValueError, match="does not fit"):
                            convolution.output_size(size, kernel, stride, padding)


@pytest.mark.parametrize("letter", CONFIGURATIONS)
def test_sides_are_those_of_the_configurations(letter):
    for layer in CONFIGURATIONS[letter]:
        if isinstance(layer.spec, Conv | MaxPool):
            spec = layer.spec
            side = convolution.output_size(layer.input_shape[1], spec.kernel, spec.stride, spec.padding)
            assert (side, side) == layer.output_shape[1:]
        assert isinstance(layer.spec, Linear) or layer.output_shape[1] >= 7


def test_a_side_of_seven_loses_its_last_row_in_a_pool():
    x = torch.zeros(1, 1, 7, 7)
    x[..., 6, :] = x[..., :, 6] = 1
    assert convolution.max_pool2d(x).shape == (1, 1, 3, 3)
    assert not convolution.max_pool2d(x).any()


def test_gradients_of_the_fast_twins_are_right():
    x = normal(torch.Generator().manual_seed(0), 1, 2, 5, 5).requires_grad_()
    weight = normal(torch.Generator().manual_seed(1), 3, 2, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, w: convolution.conv2d_im2col(x, w, padding=1), (x, weight))
    assert torch.autograd.gradcheck(convolution.max_pool2d, (x,))


def test_a_1x1_convolution_is_the_same_linear_layer_at_every_pixel():
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = normal(generator, 2, 5, 4, 6), normal(generator, 7, 5), normal(generator, 7)
    pixels = x.movedim(1, -1)  # (B, H, W, C)
    by_pixel = functional.linear(pixels, weight, bias).movedim(-1, 1)
    torch.testing.assert_close(convolution.conv2d_loops(x, weight[:, :, None, None], bias), by_pixel)


X, W = torch.zeros(1, 3, 5, 5), torch.zeros(4, 3, 3, 3)


@pytest.mark.parametrize("function", [convolution.conv2d_loops, convolution.conv2d_im2col])
@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((X[0], W), {}, r"\(3, 5, 5\); it must be \(B, C, H, W\).*x\[None\]"),
        ((X, W[:, :2]), {}, "2 input channels, but x .* has 3"),
        ((X, W[..., :2]), {}, "square kernel"),
        ((X, W[0]), {}, r"\(O, C, k, k\)"),
        ((X, W, torch.zeros(3)), {}, r"bias has shape \(3,\).*\(4,\)"),
        ((X, torch.zeros(4, 3, 9, 9)), {"padding": 1}, "window of 9 does not fit on 5 pixels with padding 1"),
        ((X, W), {"stride": 0}, "stride is 0"),
        ((X, W), {"padding": -1}, "padding is -1"),
        ((X, W), {"stride": 1.5}, "stride is 1.5"),
        ((X, W), {"padding": True}, "padding is True"),
    ],
)
def test_what_does_not_fit_is_named_with_its_rule(function, arguments, options, words):
    with pytest.raises(ValueError, match=words):
        function(*arguments, **options)


@pytest.mark.parametrize("function", [convolution.max_pool2d_loops, convolution.max_pool2d])
def test_a_pool_says_what_does_not_fit(function):
    with pytest.raises(ValueError, match="does not fit on 5"):
        function(X, 6)
    with pytest.raises(ValueError, match="at most 1, half of it"):
        function(X, 2, padding=2)
    with pytest.raises(ValueError, match=r"\(B, C, H, W\)"):
        function(X[0])


def test_the_composed_kernel_does_what_two_convolutions_do():
    draw = random.Random(0)
    for seed in range(50):
        generator = torch.Generator().manual_seed(seed)
        channels, middle, outputs, one, two = (draw.randint(1, 4) for _ in range(5))
        x = normal(generator, 2, channels, 9, 10)
        first, second = normal(generator, middle, channels, one, one), normal(generator, outputs, middle, two, two)
        composed = convolution.compose(first, second)
        assert composed.shape == (outputs, channels, one + two - 1, one + two - 1)
        stacked = functional.conv2d(functional.conv2d(x, first), second)
        torch.testing.assert_close(functional.conv2d(x, composed), stacked, rtol=1e-11, atol=1e-11)


def test_with_padding_two_3x3_differ_from_their_composed_5x5_in_the_outermost_frame_only():
    generator = torch.Generator().manual_seed(0)
    x, first, second = normal(generator, 1, 1, 9, 9), normal(generator, 1, 1, 3, 3), normal(generator, 1, 1, 3, 3)
    stacked = functional.conv2d(functional.conv2d(x, first, padding=1), second, padding=1)
    single = functional.conv2d(x, convolution.compose(first, second), padding=2)
    differs = (stacked - single).abs()[0, 0] > 1e-9
    assert differs.sum() == 9**2 - 7**2
    assert not differs[1:-1, 1:-1].any()


def test_composing_refuses_what_does_not_follow():
    with pytest.raises(ValueError, match="do not follow one another"):
        convolution.compose(torch.zeros(4, 3, 3, 3), torch.zeros(5, 3, 3, 3))


def test_no_pair_with_one_channel_between_makes_a_random_5x5_and_two_channels_do():
    kernels = normal(torch.Generator().manual_seed(0), 10, 5, 5)
    left = {}
    for middle in (1, 2):
        first, second, left[middle] = convolution.nearest_pair(kernels, middle, starts=20, rounds=300)
        composed = torch.stack([convolution.compose(a, b)[0, 0] for a, b in zip(first, second, strict=True)])
        apart = (composed - kernels).flatten(1).norm(dim=1) / kernels.flatten(1).norm(dim=1)
        torch.testing.assert_close(apart, left[middle], rtol=1e-6, atol=1e-9)
    assert left[1].min() > 0.1
    assert left[2].max() < 1e-6


def test_a_5x5_that_is_a_composite_is_found_again():
    generator = torch.Generator().manual_seed(3)
    pairs = [(normal(generator, 1, 1, 3, 3), normal(generator, 1, 1, 3, 3)) for _ in range(5)]
    kernels = torch.cat([convolution.compose(a, b)[0] for a, b in pairs])
    assert convolution.nearest_pair(kernels, rounds=500)[2].max() < 1e-4


@pytest.mark.parametrize(
    ("arguments", "words"), [((torch.zeros(5, 5),), "5, 5"), ((torch.zeros(1, 5, 5), 0), "middle")]
)
def test_nearest_pair_says_what_it_needs(arguments, words):
    with pytest.raises(ValueError, match=words):
        convolution.nearest_pair(*arguments)
