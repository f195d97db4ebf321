"""Three ways to one number, and to its gradients: loops, their fast twins, and torch; and the algebra of stacks."""

import random

import pytest
import torch
from torch.nn import functional

from vgg_course import convolution
from vgg_course.configuration import CONFIGURATIONS, Conv, Linear, LocalResponseNorm, MaxPool


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


# --- backward ---


def gradients(function, *inputs):
    """What autograd says: the output, a random gradient of it, and the gradients of the inputs."""
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    y = function(*leaves)
    grad = normal(torch.Generator().manual_seed(7), *y.shape)
    return y.detach(), grad, torch.autograd.grad(y, leaves, grad)


def all_close(mine, torchs):
    assert len(mine) == len(torchs)
    for one, other in zip(mine, torchs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def agrees_with_autograd(shape, outputs, kernel, stride, padding, *backwards):
    generator = torch.Generator().manual_seed(sum(shape))
    x, bias = normal(generator, *shape), normal(generator, outputs)
    weight = normal(generator, outputs, shape[1], kernel, kernel)
    _, grad, torchs = gradients(lambda *a: functional.conv2d(*a, stride, padding), x, weight, bias)
    for backward in backwards:
        all_close(backward(grad, x, weight, stride=stride, padding=padding), torchs)


def small(cases, products=3000):
    """Those for which the loops do not take long."""
    for shape, outputs, kernel, stride, padding in cases:
        sides = [convolution.output_size(side, kernel, stride, padding) for side in shape[2:]]
        if shape[0] * shape[1] * outputs * kernel**2 * sides[0] * sides[1] <= products:
            yield shape, outputs, kernel, stride, padding


def test_the_backward_loops_of_a_convolution_agree_with_autograd():
    drawn = list(small(cases(150, seed=3)))
    assert len(drawn) >= 50
    assert {case[2] for case in drawn} == {1, 2, 3, 4, 5}
    assert {case[0][0] for case in drawn} == {1, 2}
    for case in drawn:
        agrees_with_autograd(*case, convolution.conv2d_loops_backward)


def test_the_backward_matrix_products_of_a_convolution_agree_with_autograd():
    for case in cases(300, seed=4):
        agrees_with_autograd(*case, convolution.conv2d_im2col_backward)


def test_the_backward_loops_of_a_convolution_agree_with_finite_differences():
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = normal(generator, 1, 2, 4, 3), normal(generator, 2, 2, 2, 2), normal(generator, 2)
    grad = normal(generator, 1, 2, 3, 2)

    def loss(*arguments):
        return (grad * convolution.conv2d_loops(*arguments, stride=2, padding=1)).sum()

    mine = convolution.conv2d_loops_backward(grad, x, weight, stride=2, padding=1)
    step = 1e-5
    for which, gradient in enumerate(mine):
        for place in range(gradient.numel()):
            moved = []
            for sign in (step, -step):
                arguments = [tensor.clone() for tensor in (x, weight, bias)]
                arguments[which].view(-1)[place] += sign
                moved.append(loss(*arguments))
            assert (moved[0] - moved[1]) / (2 * step) == pytest.approx(gradient.reshape(-1)[place].item(), abs=1e-8)


def test_without_padding_no_gradient_is_cut_off():
    """``[p:-p]``, which public solutions of a well-known assignment use, is empty when p is 0."""
    grad, x, weight = torch.ones(1, 1, 2, 2), torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)
    for backward in (convolution.conv2d_loops_backward, convolution.conv2d_im2col_backward):
        assert backward(grad, x, weight)[0].shape == x.shape


def test_rows_that_the_floor_drops_have_the_gradient_zero():
    grad, x, weight = torch.ones(1, 1, 2, 2), torch.ones(1, 1, 6, 6), torch.ones(1, 1, 3, 3)
    for backward in (convolution.conv2d_loops_backward, convolution.conv2d_im2col_backward):
        grad_x = backward(grad, x, weight, stride=2)[0]
        assert not grad_x[..., 5, :].any()
        assert grad_x[..., 4, :5].all()


def test_the_backward_of_a_same_convolution_is_one_with_the_turned_kernel():
    generator = torch.Generator().manual_seed(0)
    x, weight, grad = normal(generator, 2, 3, 5, 6), normal(generator, 4, 3, 3, 3), normal(generator, 2, 4, 5, 6)
    turned = weight.transpose(0, 1).flip(2, 3)
    grad_x, grad_weight, _ = convolution.conv2d_loops_backward(grad, x, weight, padding=1)
    torch.testing.assert_close(grad_x, convolution.conv2d_loops(grad, turned, padding=1))
    by_correlation = functional.conv2d(x.transpose(0, 1), grad.transpose(0, 1), padding=1)  # (C, O, 3, 3)
    torch.testing.assert_close(grad_weight, by_correlation.transpose(0, 1))


def by_torch(grad, x, kernel, stride, padding):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(functional.max_pool2d(x, kernel, stride, padding), x, grad)[0]


@pytest.mark.parametrize("kind", ["no ties", "ties", "nothing but ties", "NaN and infinities"])
def test_the_winner_of_a_pool_is_the_one_that_torch_finds(kind):
    compared = 0
    for shape, _, kernel, stride, padding in cases(120, seed=5):
        if 2 * padding > kernel:
            continue
        generator = torch.Generator().manual_seed(compared)
        x = normal(generator, *shape)
        if kind == "ties":
            x = x.round()
        elif kind == "nothing but ties":
            x = torch.zeros_like(x)
        elif kind == "NaN and infinities":
            special = torch.tensor([torch.nan, torch.inf, -torch.inf, -torch.inf, -torch.inf], dtype=x.dtype)
            x = special[torch.randint(5, shape, generator=generator)]
        sides = [convolution.output_size(side, kernel, stride, padding) for side in shape[2:]]
        grad = normal(generator, *shape[:2], *sides)
        mine = convolution.max_pool2d_loops_backward(grad, x, kernel, stride=stride, padding=padding)
        torch.testing.assert_close(mine, by_torch(grad, x, kernel, stride, padding), rtol=1e-12, atol=1e-12)
        compared += 1
    assert compared >= 50


def test_of_four_equal_values_the_first_gets_all_of_the_gradient():
    grad_x = convolution.max_pool2d_loops_backward(torch.tensor([[[[6.0]]]]), torch.ones(1, 1, 2, 2))
    assert grad_x.tolist() == [[[[6, 0], [0, 0]]]]


def test_linear_loops_agree_with_torch_forward_and_backward():
    draw = random.Random(6)
    for _ in range(50):
        generator = torch.Generator().manual_seed(draw.randint(0, 99))
        images, features, outputs = draw.randint(1, 4), draw.randint(1, 12), draw.randint(1, 5)
        x, weight = normal(generator, images, features), normal(generator, outputs, features)
        bias = normal(generator, outputs)
        y, grad, torchs = gradients(functional.linear, x, weight, bias)
        torch.testing.assert_close(convolution.linear_loops(x, weight, bias), y)
        mine = convolution.linear_loops_backward(grad, x, weight)
        all_close(mine, torchs)
        all_close(mine, (grad @ weight, grad.T @ x, grad.sum(0)))  # as the docstring says


def test_the_relu_agrees_with_torch_at_zero_and_at_what_is_no_number():
    special = torch.tensor([-1.0, -0.0, 0.0, 2.0, torch.nan, torch.inf, -torch.inf], dtype=torch.float64)
    for x in (special, normal(torch.Generator().manual_seed(0), 2, 3, 4, 5)):
        y, grad, torchs = gradients(torch.relu, x)
        torch.testing.assert_close(convolution.relu(x), y, equal_nan=True)
        assert torch.equal(convolution.relu_backward(grad, x), torchs[0])


def test_lrn_is_torchs_with_alpha_times_size_forward_and_backward():
    draw = random.Random(7)
    for _ in range(60):
        size, alpha, beta, k = draw.choice((1, 3, 5, 7)), draw.choice((1e-4, 0.3)), draw.choice((0.5, 0.75)), 2.0
        shape = (draw.randint(1, 2), draw.randint(1, 9), draw.randint(1, 4), draw.randint(1, 4))
        x = 20 * normal(torch.Generator().manual_seed(size), *shape)
        y, grad, torchs = gradients(torch.nn.LocalResponseNorm(size, alpha * size, beta, k), x)
        torch.testing.assert_close(convolution.local_response_norm_loops(x, size, alpha, beta, k), y)
        mine = convolution.local_response_norm_loops_backward(grad, x, size, alpha, beta, k)
        all_close([mine], torchs)


def test_the_defaults_of_lrn_are_those_of_the_configuration():
    x = 50 * normal(torch.Generator().manual_seed(0), 1, 8, 2, 2)
    spec = LocalResponseNorm()
    named = convolution.local_response_norm_loops(x, spec.size, spec.alpha, spec.beta, spec.k)
    assert torch.equal(convolution.local_response_norm_loops(x), named)


def test_the_cross_entropy_agrees_with_torch_forward_and_backward():
    draw = random.Random(8)
    for trial in range(50):
        images, classes = draw.randint(1, 5), draw.randint(1, 9)
        generator = torch.Generator().manual_seed(trial)
        logits = draw.choice((1, 10, 1000)) * normal(generator, images, classes)
        labels = torch.randint(classes, (images,), generator=generator)
        leaf = logits.clone().requires_grad_()
        loss = functional.cross_entropy(leaf, labels)
        loss.backward()
        torch.testing.assert_close(convolution.cross_entropy_loops(logits, labels), loss.detach())
        torch.testing.assert_close(convolution.cross_entropy_loops_backward(logits, labels), leaf.grad)


def test_the_cross_entropy_of_huge_logits_is_finite():
    logits, labels = torch.tensor([[1e4, 0.0], [-1e4, 0.0]]), torch.tensor([0, 0])
    assert convolution.cross_entropy_loops(logits, labels) == 5e3
    assert convolution.cross_entropy_loops_backward(logits, labels).tolist() == [[0, 0], [-0.5, 0.5]]


@pytest.mark.parametrize("normalized", [False, True])
def test_one_training_step_of_a_tiny_vgg_by_our_functions_alone_is_torchs_step(normalized):
    generator = torch.Generator().manual_seed(0)
    images, labels = normal(generator, 3, 3, 4, 6), torch.tensor([0, 2, 1])
    shapes = ((4, 3, 3, 3), (4,), (2, 4, 3, 3), (2,), (3, 12), (3,))
    start = [normal(generator, *shape) / 2 for shape in shapes]
    w1, b1, w2, b2, w3, b3 = start

    c1 = convolution.conv2d_loops(images, w1, b1, padding=1)
    r1 = convolution.relu(c1)
    n1 = convolution.local_response_norm_loops(r1) if normalized else r1
    c2 = convolution.conv2d_loops(n1, w2, b2, padding=1)
    r2 = convolution.relu(c2)
    pooled = convolution.max_pool2d_loops(r2)
    features = pooled.flatten(1)
    logits = convolution.linear_loops(features, w3, b3)
    loss = convolution.cross_entropy_loops(logits, labels)

    grad = convolution.cross_entropy_loops_backward(logits, labels)
    grad, grad_w3, grad_b3 = convolution.linear_loops_backward(grad, features, w3)
    grad = convolution.max_pool2d_loops_backward(grad.reshape(pooled.shape), r2)
    grad = convolution.relu_backward(grad, c2)
    grad, grad_w2, grad_b2 = convolution.conv2d_loops_backward(grad, n1, w2, padding=1)
    if normalized:
        grad = convolution.local_response_norm_loops_backward(grad, r1)
    grad = convolution.relu_backward(grad, c1)
    grad, grad_w1, grad_b1 = convolution.conv2d_loops_backward(grad, images, w1, padding=1)
    by_hand = (grad_w1, grad_b1, grad_w2, grad_b2, grad_w3, grad_b3)
    stepped = [value - 0.1 * gradient for value, gradient in zip(start, by_hand, strict=True)]

    leaves = [value.clone().requires_grad_() for value in start]
    x = functional.conv2d(images, leaves[0], leaves[1], padding=1).relu()
    x = functional.local_response_norm(x, 5, 5e-4, 0.75, 2.0) if normalized else x
    x = functional.max_pool2d(functional.conv2d(x, leaves[2], leaves[3], padding=1).relu(), 2)
    torchs = functional.cross_entropy(functional.linear(x.flatten(1), leaves[4], leaves[5]), labels)
    torchs.backward()
    torch.optim.SGD(leaves, lr=0.1).step()

    torch.testing.assert_close(loss, torchs.detach(), rtol=1e-13, atol=1e-13)
    for mine, theirs, before in zip(stepped, leaves, start, strict=True):
        torch.testing.assert_close(mine, theirs.detach(), rtol=1e-13, atol=1e-13)
        assert not torch.equal(mine, before)


def test_no_function_writes_into_what_it_was_handed():
    generator = torch.Generator().manual_seed(0)
    x, weight, grad = normal(generator, 1, 1, 4, 4), normal(generator, 1, 1, 3, 3), normal(generator, 1, 1, 4, 4)
    flat, matrix, labels = normal(generator, 2, 3), normal(generator, 2, 3), torch.tensor([0, 2])
    handed = [tensor.clone() for tensor in (x, weight, grad, flat, matrix, labels)]
    for backward in (convolution.conv2d_loops_backward, convolution.conv2d_im2col_backward):
        for options in ({"padding": 1}, {"padding": 0}):
            backward(grad if options["padding"] else grad[..., :2, :2], x, weight, **options)
    convolution.max_pool2d_loops_backward(grad[..., :2, :2], x)
    convolution.relu_backward(grad, convolution.relu(x))
    convolution.local_response_norm_loops_backward(grad, x)
    convolution.linear_loops_backward(flat[:, :2], flat, matrix)
    convolution.cross_entropy_loops_backward(flat, labels)
    assert all(map(torch.equal, handed, (x, weight, grad, flat, matrix, labels)))


@pytest.mark.parametrize("backward", [convolution.conv2d_loops_backward, convolution.conv2d_im2col_backward])
def test_the_backward_of_a_convolution_says_what_does_not_fit(backward):
    with pytest.raises(ValueError, match=r"grad has shape \(1, 4, 5, 5\), but the output has shape \(1, 4, 3, 3\)"):
        backward(torch.zeros(1, 4, 5, 5), X, W)
    with pytest.raises(ValueError, match=r"2 input channels, but x .* has 3"):
        backward(torch.zeros(1, 4, 3, 3), X, W[:, :2])
    with pytest.raises(ValueError, match="stride is 0"):
        backward(torch.zeros(1, 4, 3, 3), X, W, stride=0)


ZEROS = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: convolution.max_pool2d_loops_backward(X, X), r"output has shape \(1, 3, 2, 2\)"),
        (lambda: convolution.max_pool2d_loops_backward(X, X[0]), r"\(B, C, H, W\)"),
        (lambda: convolution.max_pool2d_loops_backward(X, X, padding=2), "at most 1, half of it"),
        (lambda: convolution.linear_loops(X, ZEROS, ZEROS[:, 0]), r"x.flatten\(1\)"),
        (lambda: convolution.linear_loops(ZEROS, torch.zeros(4, 2), torch.zeros(4)), "with the same F"),
        (lambda: convolution.linear_loops(ZEROS, torch.zeros(4, 3), torch.zeros(3)), r"bias has shape \(3,\).*\(4,\)"),
        (lambda: convolution.linear_loops_backward(ZEROS, ZEROS, torch.zeros(4, 3)), r"output has shape \(2, 4\)"),
        (lambda: convolution.linear_loops_backward(ZEROS, ZEROS, torch.zeros(4, 2)), "with the same F"),
        (lambda: convolution.relu_backward(ZEROS, ZEROS[0]), r"output has shape \(3,\)"),
        (lambda: convolution.local_response_norm_loops(ZEROS), r"\(B, C, H, W\)"),
        (lambda: convolution.local_response_norm_loops(X, size=4), "size is 4; it must be an odd"),
        (lambda: convolution.local_response_norm_loops(X, size=-1), "size is -1"),
        (lambda: convolution.local_response_norm_loops_backward(X, X, size=2.5), "size is 2.5"),
        (lambda: convolution.local_response_norm_loops_backward(ZEROS, X), r"output has shape \(1, 3, 5, 5\)"),
        (lambda: convolution.cross_entropy_loops(ZEROS, torch.tensor([0])), r"they must be \(B, K\) and \(B,\)"),
        (lambda: convolution.cross_entropy_loops(ZEROS[:0], torch.tensor([])), "at least one image"),
        (lambda: convolution.cross_entropy_loops(ZEROS, torch.tensor([0.0, 1.0])), r"use labels.long\(\)"),
        (lambda: convolution.cross_entropy_loops(ZEROS, torch.tensor([0, 3])), "a label is 3; .* from 0 to 2"),
        (lambda: convolution.cross_entropy_loops_backward(ZEROS, torch.tensor([-1, 0])), "a label is -1"),
    ],
)
def test_the_other_operations_say_what_does_not_fit(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# --- stacks ---


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
