"""The checkers of the chapters on convolutions and on stacks have teeth."""

from itertools import product

import pytest
import torch
from torch.nn import functional

from vgg_course import check, convolution


def places(n, k, s, p):
    return (n + 2 * p - k) // s + 1


def convolve(image, kernel, stride):
    size = len(kernel)
    height, width = ((side - size) // stride + 1 for side in image.shape)
    y = torch.zeros(height, width)
    for row in range(height):
        for column in range(width):
            top, left = row * stride, column * stride
            y[row, column] = (image[top : top + size, left : left + size] * kernel).sum()
    return y


def convolve_backward(grad, image, kernel, stride, padding):
    """Not the checker's own way: autograd."""
    leaves = [image.clone().requires_grad_(), kernel.clone().requires_grad_()]
    return torch.autograd.grad(conv(*leaves, stride, padding), leaves, grad)


def overwriting(grad, image, kernel, stride, padding):
    """The slip of many public solutions: = for +=."""
    padded = functional.pad(image, (padding,) * 4)
    grad_image, grad_kernel = torch.zeros_like(padded), torch.zeros_like(kernel)
    for row in range(len(grad)):
        for column in range(grad.shape[1]):
            top, left = row * stride, column * stride
            window = slice(top, top + len(kernel)), slice(left, left + len(kernel))
            grad_image[window] = grad[row, column] * kernel
            grad_kernel = grad[row, column] * padded[window]
    height, width = image.shape
    return grad_image[padding : padding + height, padding : padding + width], grad_kernel


def pixel_by_pixel(grad, image, kernel, stride, padding):
    """Without any slice: with 0 for stride or padding it is what those write who forget them."""
    grad_image, grad_kernel = torch.zeros_like(image), torch.zeros_like(kernel)
    for row, column, i, j in product(*map(range, (*grad.shape, *kernel.shape))):
        y, x = row * stride + i - padding, column * stride + j - padding
        if 0 <= y < len(image) and 0 <= x < image.shape[1]:
            grad_image[y, x] += grad[row, column] * kernel[i, j]
            grad_kernel[i, j] += grad[row, column] * image[y, x]
    return grad_image, grad_kernel


def without_stride(g, x, w, s, p):
    return pixel_by_pixel(g, x, w, 1, p)


def without_padding(g, x, w, s, p):
    return pixel_by_pixel(g, x, w, s, 0)


def of_padded(g, x, w, s, p):
    """The gradient of the padded image."""
    return convolve_backward(g, functional.pad(x, (p,) * 4), w, s, 0)[0]


def transposed(grad, kernel, stride, padding):
    return functional.conv_transpose2d(grad[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]


def image_as(change):
    """The right pair, but for the gradient of the image."""
    return lambda *a: (change(*a), convolve_backward(*a)[1])


def kernel_as(change):
    """The right pair, but for the gradient of the kernel."""
    return lambda *a: (convolve_backward(*a)[0], change(*a))


def of_image(*arguments):
    return convolve_backward(*arguments)[0]


def of_kernel(*arguments):
    return convolve_backward(*arguments)[1]


def conv(image, kernel, stride=1, padding=0):
    return functional.conv2d(image[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]


def pixelwise(x, weight, bias):
    return (weight @ x.flatten(1) + bias[:, None]).reshape(-1, *x.shape[1:])


def saved(a, c, n):
    return (2 * n + 1) ** 2 * a * c - 9 * a * c - 9 * (n - 1) * c * c


def composed(first, second):
    kernel = torch.zeros(5, 5, dtype=first.dtype)
    for i in range(3):
        for j in range(3):
            kernel[i : i + 3, j : j + 3] += second[i, j] * first
    return kernel


def agree(n, layers):
    return max(0, n - 2 * (layers - 1)) ** 2


def near(image, kernel, stride):
    y = conv(image, kernel, stride)
    return conv(image, kernel)[: len(y), : y.shape[1]]


def numpy_habit(x, weight, bias):
    return (x.reshape(-1, len(x)) @ weight.T + bias).reshape(len(weight), *x.shape[1:])


WRONG = [
    (check.output_size, lambda n, k, s, p: (n + 2 * p - k) // s, "Count the first place"),
    (check.output_size, lambda n, k, s, p: (n + 2 * p - k + 1) // s, "behind the division"),
    (check.output_size, lambda n, k, s, p: -((n + 2 * p - k) // -s) + 1, "round down"),
    (check.output_size, lambda n, k, s, p: (n + 2 * p - k) / s + 1, "no half place"),
    (check.output_size, lambda n, k, s, p: (n + p - k) // s + 1, "both sides"),
    (check.output_size, lambda n, k, s, p: (n - k) // s + 1, "Padding is missing"),
    (check.output_size, lambda n, k, s, p: n + 2 * p - k + 1, "stride is missing"),
    (check.convolve, lambda x, k, s: conv(x, k.flip(0, 1), s), "180 degrees"),
    (check.convolve, lambda x, k, s: conv(x, k.T, s), "swapped"),
    (check.convolve, lambda x, k, s: conv(x, k), "stride does nothing"),
    (check.convolve, near, "row r of the output begins at row r * stride"),
    (check.convolve, lambda x, k, s: conv(x, k, s)[:-1, :-1], "last row and the last column"),
    (check.convolve, lambda x, k, s: conv(x, k, s) / k.numel(), "mean"),
    (check.convolve, lambda x, k, s: conv(x, k, s, padding=len(k) // 2), "padded"),
    (check.convolve_backward, overwriting, "add the gradients up with +="),
    (check.convolve_backward, kernel_as(lambda *a: overwriting(*a)[1]), "add the gradients up with +="),
    (check.convolve_backward, lambda *a: convolve_backward(*a)[::-1], "first the gradient of the image"),
    (check.convolve_backward, of_image, "a pair of tensors is wanted"),
    (check.convolve_backward, image_as(lambda g, x, w, *a: of_image(g, x, w.flip(0, 1), *a)), "180 degrees"),
    (check.convolve_backward, image_as(lambda g, x, w, *a: of_image(g, x, w.T, *a)), "kernel are swapped"),
    (check.convolve_backward, without_stride, "stride is missing"),
    (check.convolve_backward, kernel_as(lambda *a: without_stride(*a)[1]), "stride is missing"),
    (check.convolve_backward, without_padding, "padding is missing"),
    (check.convolve_backward, kernel_as(lambda *a: without_padding(*a)[1]), "padding is missing"),
    (check.convolve_backward, image_as(of_padded), "belongs to nobody"),
    (
        check.convolve_backward,
        image_as(lambda g, x, w, s, p: of_padded(g, x, w, s, p)[p:-p, p:-p]),
        "is empty when padding is 0",
    ),
    (check.convolve_backward, image_as(lambda g, *a: of_image(torch.ones_like(g), *a)), "You left it out"),
    (check.convolve_backward, kernel_as(lambda g, *a: of_kernel(torch.ones_like(g), *a)), "You left it out"),
    (check.convolve_backward, image_as(lambda g, x, w, *a: of_image(g, x, 0 * w + 1, *a)), "evenly"),
    (check.convolve_backward, image_as(lambda g, x, w, *a: of_image(g, x, 0 * w + 1 / w.numel(), *a)), "a share"),
    (
        check.convolve_backward,
        image_as(lambda g, x, w, *a: x * of_image(g, x, 0 * w + 1, *a)),
        "You wrote the pixel to both",
    ),
    (check.convolve_backward, image_as(lambda g, x, w, s, p: transposed(g, w, s, p)), "also where no window reached"),
    (check.convolve_backward, image_as(lambda g, x, w, s, p: transposed(g, w, 1, p)), "right at stride 1"),
    (check.convolve_backward, kernel_as(lambda g, *a: of_kernel(g, *a) / g.numel()), "mean over the places"),
    (check.convolve_backward, kernel_as(lambda *a: of_kernel(*a).flip(0, 1)), "180 degrees"),
    (check.convolve_backward, kernel_as(lambda *a: of_kernel(*a).T), "swapped"),
    (check.convolve_backward, kernel_as(lambda g, x, w, *a: g.sum() * w), "not times the weight"),
    (check.pixelwise, lambda x, w, b: pixelwise(x, w, 0 * b), "bias is missing"),
    (check.pixelwise, lambda x, w, b: pixelwise(x, w, b).permute(1, 2, 0), "channels came out last"),
    (check.pixelwise, lambda x, w, b: pixelwise(x, w, b).relu(), "ReLU"),
    (check.pixelwise, lambda x, w, b: pixelwise(x, w, b).flatten(1), "one long row"),
    (check.pixelwise, numpy_habit, "reshape moves nothing"),
    (check.pixelwise, lambda x, w, b: (x.reshape(-1, len(x)) @ w.T + b).T.reshape(-1, *x.shape[1:]), "across pixels"),
    (check.pixelwise, lambda x, w, b: (x.permute(1, 2, 0) @ w.T + b).reshape(-1, *x.shape[1:]), "channels last"),
    (check.weights_saved, lambda a, c, n: ((2 * n + 1) ** 2 - 9 * n) * c * c, "as many channels in as out"),
    (check.weights_saved, lambda a, c, n: ((2 * n + 1) ** 2 - 9 * n) * a * c, "Only the first 3x3"),
    (check.weights_saved, lambda a, c, n: -saved(a, c, n), "other way round"),
    (check.weights_saved, lambda a, c, n: saved(a, c, n) + (9 * n * n - (2 * n + 1) ** 2) * a * c, "does not see 3n"),
    (check.weights_saved, lambda a, c, n: saved(a, c, n) - (n - 1) * c, "biases"),
    (check.weights_saved, lambda a, c, n: saved(a, c, n) / ((2 * n + 1) ** 2 * a * c), "a share"),
    (check.composed_kernel, lambda a, b: conv(a, b, padding=2), "turned the wrong way"),
    (check.composed_kernel, lambda a, b: composed(a, b).flip(0, 1), "180 degrees"),
    (check.composed_kernel, lambda a, b: conv(b, a, padding=2), "Roles are swapped"),
    (check.composed_kernel, lambda a, b: a * b, "place by place"),
    (check.composed_kernel, lambda a, b: a @ b, "product of two matrices"),
    (check.composed_kernel, lambda a, b: conv(a, b.flip(0, 1)), "full overlap"),
    (check.composed_kernel, lambda a, b: composed(a, b)[1:-1, 1:-1], "frame is cut off"),
    (check.places_that_agree, lambda n, k: max(0, n - 2 * k) ** 2, "same zeros"),
    (check.places_that_agree, lambda n, k: max(0, n - k + 1) ** 2, "both sides"),
    (check.places_that_agree, lambda n, k: max(0, n - 2 * (k - 1)), "square the side"),
    (check.places_that_agree, lambda n, k: (n - 2 * (k - 1)) ** 2, "negative side"),
    (check.places_that_agree, lambda n, k: n * n - agree(n, k), "places that differ"),
    (check.places_that_agree, lambda n, k: n * n if k == 1 else max(0, n - 2) ** 2, "grows by one"),
]


def test_the_verdict_says_which_of_the_two_gradients_is_wrong():
    for changed, name in ((image_as, "image"), (kernel_as, "kernel")):
        for wrong in (lambda *a: torch.zeros(2, 2), lambda *a: "many", lambda *a: None):
            assert check.convolve_backward(changed(wrong)).task.endswith(f"gradient of the {name}")


def test_a_solution_that_writes_into_what_it_was_handed_is_judged_by_its_answer():
    def careless(image, kernel, stride):
        answer = convolve(image, kernel, stride)
        image.zero_()
        return answer

    assert check.convolve(careless)


def test_float32_and_other_ways_to_the_same_numbers_are_right_too():
    assert check.convolve(lambda x, k, s: conv(x.float(), k.float(), s))
    assert check.pixelwise(lambda x, w, b: functional.linear(x.permute(1, 2, 0), w, b).permute(2, 0, 1))
    assert check.pixelwise(lambda x, w, b: functional.conv2d(x[None], w[:, :, None, None], b)[0])
    assert check.composed_kernel(lambda a, b: composed(b, a))  # convolution commutes
    assert check.convolve_backward(lambda *a: [part.float() for part in convolve_backward(*a)])


def test_the_backward_by_matrix_products_passes_the_check():
    def attempt(grad, image, kernel, stride, padding):
        maps = [tensor[None, None] for tensor in (grad, image, kernel)]
        parts = convolution.conv2d_im2col_backward(*maps, stride=stride, padding=padding)
        return tuple(part[0, 0] for part in parts[:2])

    assert check.convolve_backward(attempt)
    assert check.convolve_backward(pixel_by_pixel)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [3, 6, 11])
def test_the_places_that_agree_are_those_measured(size, layers):
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(size, size, generator=generator, dtype=torch.float64)
    kernels = torch.randn(layers, 3, 3, generator=generator, dtype=torch.float64)
    single, stacked = kernels[0], conv(image, kernels[0], padding=1)
    for kernel in kernels[1:]:
        single = conv(single, kernel.flip(0, 1), padding=2)
        stacked = conv(stacked, kernel, padding=1)
    same = (conv(image, single, padding=layers) - stacked).abs() < 1e-9
    assert int(same.sum()) == agree(size, layers)
