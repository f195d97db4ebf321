"""Checks for the chapters on what a convolution computes and on why small filters are stacked."""

from __future__ import annotations

import random
from collections.abc import Callable

from vgg_course.check.judging import judge_numbers, judge_tensors
from vgg_course.check.verdict import Verdict, attempt_on, short, shown

# --- what a convolution computes ---


def output_size(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(size, kernel, stride, padding)``: the side of the grid behind a convolution or a pool."""
    from vgg_course import convolution

    draw = random.Random(seed)
    cases = [(3, 3, 1, 0), (224, 3, 1, 1), (7, 2, 2, 0), (8, 2, 2, 0), (56, 1, 1, 1)]
    for _ in range(6):
        kernel = draw.randint(2, 7)
        cases.append((draw.randint(kernel, 99), kernel, draw.randint(2, 4), draw.randint(1, 3)))
    return judge_numbers(
        "side of the output",
        attempt,
        convolution.output_size,
        [dict(zip(("size", "kernel", "stride", "padding"), case, strict=True)) for case in cases],
        {
            "Count the first place too: add 1 behind the division.": lambda n, k, s, p: (n + 2 * p - k) // s,
            "The window must fit whole: round down (//), not up.": lambda n, k, s, p: -((n + 2 * p - k) // -s) + 1,
            "Round down to a whole number with //: there is no half place.": lambda n, k, s, p: (n + 2 * p - k) / s + 1,
            "Padding is put on both sides: 2 * padding.": lambda n, k, s, p: (n + p - k) // s + 1,
            "Padding is missing: the window slides over size + 2 * padding.": lambda n, k, s, p: (n - k) // s + 1,
            "The stride is missing: divide by it before you add 1.": lambda n, k, s, p: n + 2 * p - k + 1,
            "Add the 1 behind the division, not before it.": lambda n, k, s, p: (n + 2 * p - k + 1) // s,
        },
    )


def convolve(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(image, kernel, stride)``: one channel in, one out, no padding; ``(H, W)`` and ``(k, k)``."""
    import torch
    from torch.nn import functional

    def torchs(image, kernel, stride=1, padding=0):
        return functional.conv2d(image[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]

    def without_last(image, kernel, stride):
        return torchs(image, kernel, stride)[:-1, :-1]

    def near_windows(image, kernel, stride):
        y = torchs(image, kernel, stride)
        return torchs(image, kernel)[: len(y), : y.shape[1]]

    generator = torch.Generator().manual_seed(seed)
    grid = torch.arange(9, dtype=torch.float64).reshape(3, 3)
    cases = [{"image": grid, "kernel": torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64), "stride": 1}]
    for height, width, kernel, stride in ((5, 7, 3, 1), (8, 8, 3, 2), (9, 6, 1, 3), (10, 11, 5, 2)):
        shapes = {"image": (height, width), "kernel": (kernel, kernel)}
        draws = {k: torch.randint(-9, 10, shape, generator=generator).double() for k, shape in shapes.items()}
        cases.append({**draws, "stride": stride})
    return judge_tensors(
        "a convolution by hand",
        attempt,
        torchs,
        cases,
        {
            "Your kernel is turned by 180 degrees. Mathematicians do that; here it slides as it is.": (
                lambda image, kernel, stride: torchs(image, kernel.flip(0, 1), stride)
            ),
            "Rows and columns of the kernel are swapped: kernel[i, j] meets image[row + i, column + j].": (
                lambda image, kernel, stride: torchs(image, kernel.T, stride)
            ),
            "The stride does nothing: the window moves by stride pixels at a time.": (
                lambda image, kernel, stride: torchs(image, kernel)
            ),
            "There are as many outputs as there should be, but the windows start one pixel apart: "
            "row r of the output begins at row r * stride of the image.": near_windows,
            "The last row and the last column are missing: how many places are there? Count the first one too.": (
                without_last
            ),
            "That is the mean of the products; their sum is wanted.": (
                lambda image, kernel, stride: torchs(image, kernel, stride) / kernel.numel()
            ),
            "You padded the image; only windows that lie inside it are wanted here.": (
                lambda image, kernel, stride: torchs(image, kernel, stride, padding=len(kernel) // 2)
            ),
        },
    )


def convolve_backward(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(grad, image, kernel, stride, padding)``: gradients of image and kernel, for one channel."""
    import torch
    from torch.nn import functional

    def windows(grad, kernel, stride):
        for row, column in torch.cartesian_prod(*map(torch.arange, grad.shape)):
            sides = (slice(start * stride, start * stride + len(kernel)) for start in (row, column))
            yield grad[row, column], tuple(sides)

    def inside(padded, padding):
        return padded[padding : len(padded) - padding, padding : padded.shape[1] - padding]

    def padded_gradient(grad, image, kernel, stride, padding, add=1):
        out = torch.zeros_like(functional.pad(image, (padding,) * 4))
        for g, window in windows(grad, kernel, stride):
            out[window] = add * out[window] + g * kernel
        return out

    def of_image(grad, image, kernel, stride, padding, add=1):
        return inside(padded_gradient(grad, image, kernel, stride, padding, add), padding)

    def of_kernel(grad, image, kernel, stride, padding, add=1):
        out, image = torch.zeros_like(kernel), functional.pad(image, (padding,) * 4)
        for g, window in windows(grad, kernel, stride):
            out = add * out + g * image[window]
        return out

    def shifted(image, padding):
        """For those who forget the padding: all of it on the far sides, so that windows begin in the corner."""
        return functional.pad(image, (0, 2 * padding) * 2)

    def cut_off(grad, image, kernel, stride, padding):
        return functional.conv_transpose2d(grad[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]

    def spread_pixels(grad, image, kernel, stride, padding):
        padded = functional.pad(image, (padding,) * 4)
        out = torch.zeros_like(padded)
        for g, window in windows(grad, kernel, stride):
            out[window] += g * padded[window]
        return inside(out, padding)

    def negative_slice(*arguments):
        padding = arguments[-1]
        return padded_gradient(*arguments)[padding:-padding, padding:-padding]

    mistakes_in_both: dict[str, tuple[Callable, Callable]] = {
        "The padding is missing: the first window begins padding rows above the image and padding columns left of it.": (
            lambda g, x, w, s, p: of_image(g, shifted(x, p), w, s, 0)[: len(x), : x.shape[1]],
            lambda g, x, w, s, p: of_kernel(g, shifted(x, p), w, s, 0),
        ),
        "Windows overlap, and every place uses the same kernel: add the gradients up with +=. A plain = keeps what was "
        "written last.": (
            lambda g, x, w, s, p: of_image(g, x, w, s, p, add=0),
            lambda g, x, w, s, p: of_kernel(g, x, w, s, p, add=0),
        ),
        "The stride is missing: the window of output row r begins at row r * stride of the image.": (
            lambda g, x, w, s, p: of_image(g, x, w, 1, p),
            lambda g, x, w, s, p: of_kernel(g, x, w, 1, p),
        ),
        "Each product is weighted with the gradient of its output value, grad[row, column]. You left it out.": (
            lambda g, x, w, s, p: of_image(torch.ones_like(g), x, w, s, p),
            lambda g, x, w, s, p: of_kernel(torch.ones_like(g), x, w, s, p),
        ),
    }
    mistakes_in_image = {
        "The order is: first the gradient of the image, then that of the kernel.": of_kernel,
        **{words: mistaken for words, (mistaken, _) in mistakes_in_both.items()},
        "That is the gradient of the padded image. What fell on the padding belongs to nobody: cut it off.": (
            padded_gradient
        ),
        "[padding:-padding] is empty when padding is 0. Cut with [padding : padding + side].": negative_slice,
        "Your kernel is turned by 180 degrees. One output value spreads over its window with the kernel as it is.": (
            lambda g, x, w, s, p: of_image(g, x, w.flip(0, 1), s, p)
        ),
        "Rows and columns of the kernel are swapped.": lambda g, x, w, s, p: of_image(g, x, w.T, s, p),
        "You spread each gradient evenly over the window. A pixel gets it times the weight that it was multiplied with.": (
            lambda g, x, w, s, p: of_image(g, x, torch.ones_like(w), s, p)
        ),
        "You spread a share of each gradient over the window. A pixel gets it times the weight that it was multiplied "
        "with.": lambda g, x, w, s, p: of_image(g, x, torch.ones_like(w) / w.numel(), s, p),
        "A pixel gets the gradient times the weight, and a weight gets it times the pixel. You wrote the pixel to both.": (
            spread_pixels
        ),
        "The gradient has the shape of the image, also where no window reached: there it is 0.": cut_off,
        "That is right at stride 1. At a larger stride the windows, and so the places that you write to, are further "
        "apart.": lambda g, x, w, s, p: cut_off(g, x, w, 1, p),
        "A convolution gathers; on the way back each output value is spread over its window, and the result is as large "
        "as the image.": lambda g, x, w, s, p: functional.conv2d(g[None, None], w[None, None])[0, 0],
    }
    mistakes_in_kernel = {
        **{words: mistaken for words, (_, mistaken) in mistakes_in_both.items()},
        "That is the mean over the places; their sum is wanted.": lambda g, x, w, s, p: (
            of_kernel(g, x, w, s, p) / g.numel()
        ),
        "It is turned by 180 degrees: weight [i, j] met pixel [row + i, column + j].": (
            lambda g, x, w, s, p: of_kernel(g, x, w, s, p).flip(0, 1)
        ),
        "Rows and columns are swapped: weight [i, j] met pixel [row + i, column + j].": (
            lambda g, x, w, s, p: of_kernel(g, x, w, s, p).T
        ),
        "A weight gets the gradient times the pixel, not times the weight.": lambda g, x, w, s, p: w * g.sum(),
    }

    generator = torch.Generator().manual_seed(seed)
    cases = []
    for height, width, k, stride, padding in (
        (3, 3, 2, 1, 0),
        (3, 4, 3, 1, 1),
        (8, 9, 3, 2, 0),
        (9, 6, 1, 3, 0),
        (10, 12, 5, 2, 2),
    ):
        places = tuple((side + 2 * padding - k) // stride + 1 for side in (height, width))
        draws = [
            torch.randint(1, 10, shape, generator=generator).double() for shape in (places, (height, width), (k, k))
        ]
        arguments = (*draws, stride, padding)
        cases.append(dict(zip(("grad", "image", "kernel", "stride", "padding"), arguments, strict=True)))

    task = "a convolution, backward"
    answer, verdict = attempt_on(attempt, cases[0], task)
    if verdict is not None:
        return verdict
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        message = f"on ({shown(cases[0])}) it returned {short(answer)}; a pair of tensors is wanted, the image's gradient first."
        return Verdict(task, "wrong", message)
    for part, name, target, mistakes in (
        (0, "image", of_image, mistakes_in_image),
        (1, "kernel", of_kernel, mistakes_in_kernel),
    ):
        one = lambda *arguments, part=part: attempt(*arguments)[part]  # noqa: E731
        verdict = judge_tensors(f"{task}, gradient of the {name}", one, target, cases, mistakes)
        if not verdict:
            return verdict
    return Verdict(task, "passed", f"both gradients are {verdict.message}")


def pixelwise(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(x, weight, bias)``: a 1x1 convolution of one image without a convolution; ``x`` ``(C, H, W)``."""
    import torch

    def right(x, weight, bias):
        return torch.einsum("oc,chw->ohw", weight, x) + bias[:, None, None]

    def scrambled_in(x, weight, bias):
        pixels = x.reshape(-1, len(x))  # rows that mix channels and places
        return (pixels @ weight.T + bias).T.reshape(len(weight), *x.shape[1:])

    def scrambled_out(x, weight, bias):
        return right(x, weight, bias).permute(1, 2, 0).reshape(len(weight), *x.shape[1:])

    def scrambled_both(x, weight, bias):
        return (x.reshape(-1, len(x)) @ weight.T + bias).reshape(len(weight), *x.shape[1:])

    generator = torch.Generator().manual_seed(seed)
    cases = []
    for channels, outputs, height, width in ((2, 2, 1, 2), (3, 3, 4, 5), (4, 2, 3, 6), (2, 7, 5, 5)):
        shapes = {"x": (channels, height, width), "weight": (outputs, channels), "bias": (outputs,)}
        low, high = (-3, 4) if not cases else (-9, 10)
        draws = {k: torch.randint(low, high, s, generator=generator).double() for k, s in shapes.items()}
        cases.append(draws)
    return judge_tensors(
        "a 1x1 convolution, pixel by pixel",
        attempt,
        right,
        cases,
        {
            "The bias is missing: one number is added to each output channel.": (
                lambda x, weight, bias: right(x, weight, 0 * bias)
            ),
            "The channels came out last, as (H, W, O): move them to the front.": (
                lambda x, weight, bias: right(x, weight, bias).permute(1, 2, 0)
            ),
            "x.reshape(-1, C) does not gather a pixel's channels: it cuts memory into pieces of C, across pixels. Move the "
            "channels to the end first, x.permute(1, 2, 0), or flatten the places only, x.reshape(C, -1).": scrambled_in,
            "The result has its channels last in memory; reshape does not move them. Use permute(2, 0, 1).": scrambled_out,
            "reshape moves nothing: before the product and behind it the channels must be moved with permute.": scrambled_both,
            "You added a ReLU. The convolution itself is linear; the ReLU is a layer of its own.": (
                lambda x, weight, bias: right(x, weight, bias).relu()
            ),
            "The places are still in one long row: give the result the shape (O, H, W).": (
                lambda x, weight, bias: right(x, weight, bias).flatten(1)
            ),
        },
    )


# --- why small filters are stacked ---


def weights_saved(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(in_channels, channels, layers)``: weights of the one large convolution less those of the stack."""
    from vgg_course.accounting import ledger
    from vgg_course.configuration import Configuration

    def weights(words: str, in_channels: int) -> int:
        return ledger(Configuration.parse(words, in_channels=in_channels)).weights

    def target(in_channels: int, channels: int, layers: int) -> int:
        one = weights(f"conv{2 * layers + 1}-{channels}", in_channels)
        return one - weights(" ".join([f"conv3-{channels}"] * layers), in_channels)

    draw = random.Random(seed)
    cases = [(1, 1, 2), (64, 64, 3), (3, 64, 2), (128, 256, 3)]
    cases += [(draw.randint(2, 99), draw.randint(100, 300), layers) for layers in (1, 2, 3, 4)]
    return judge_numbers(
        "weights that a stack saves",
        attempt,
        target,
        [dict(zip(("in_channels", "channels", "layers"), case, strict=True)) for case in cases],
        {
            "That holds for as many channels in as out. The first 3x3 and the large one take in in_channels.": (
                lambda a, c, n: ((2 * n + 1) ** 2 - 9 * n) * c * c
            ),
            "Only the first 3x3 takes in in_channels; the others take in what it puts out.": (
                lambda a, c, n: ((2 * n + 1) ** 2 - 9 * n) * a * c
            ),
            "The sign is the other way round: the large one less the stack.": lambda a, c, n: -target(a, c, n),
            "A stack of n layers does not see 3n pixels: each layer adds 2 to the first pixel.": (
                lambda a, c, n: 9 * n * n * a * c - 9 * a * c - 9 * (n - 1) * c * c
            ),
            "You count the biases; weights only, please.": lambda a, c, n: target(a, c, n) - (n - 1) * c,
            "That is a share; a number of weights is wanted.": lambda a, c, n: (
                target(a, c, n) / ((2 * n + 1) ** 2 * a * c)
            ),
            "That is the weights of the large one alone.": lambda a, c, n: (2 * n + 1) ** 2 * a * c,
        },
    )


def composed_kernel(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(first, second)``: the 5x5 kernel of two 3x3 convolutions, one channel each, nothing between."""
    import torch
    from torch.nn import functional

    from vgg_course import convolution

    def target(first, second):
        return convolution.compose(first[None, None], second[None, None])[0, 0]

    def slid(first, second, padding=2):
        return functional.conv2d(first[None, None], second[None, None], padding=padding)[0, 0]

    generator = torch.Generator().manual_seed(seed)
    corner = torch.zeros(3, 3, dtype=torch.float64)
    corner[0, 0] = 1  # looks up and to the left
    numbers = torch.arange(1, 10, dtype=torch.float64).reshape(3, 3)
    cases = [{"first": corner, "second": numbers}]
    for _ in range(3):
        cases.append({k: torch.randint(-9, 10, (3, 3), generator=generator).double() for k in ("first", "second")})
    return judge_tensors(
        "the kernel of two kernels",
        attempt,
        target,
        cases,
        {
            "One of the two is turned the wrong way: positions add up, so value (i, j) of the second puts the first, as it "
            "is, at (i, j). conv2d subtracts them; hand it second.flip(0, 1).": slid,
            "Your kernel is turned by 180 degrees.": lambda a, b: target(a, b).flip(0, 1),
            "Roles are swapped and one kernel is turned: value (i, j) of the second puts the first at (i, j).": (
                lambda a, b: slid(b, a)
            ),
            "That multiplies the two place by place. A stack of two sees 5x5: its kernel has 25 numbers.": lambda a, b: (
                a * b
            ),
            "A stack of two sees 5x5: slide over the full overlap, padding=2.": lambda a, b: slid(a, b.flip(0, 1), 0),
            "Only the middle 3x3 is left: with padding=1 the frame is cut off.": lambda a, b: slid(a, b.flip(0, 1), 1),
            "That is the product of two matrices; a convolution slides one over the other.": lambda a, b: a @ b,
        },
    )


def places_that_agree(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(size, layers)``: output places where a padded linear stack equals its one padded convolution."""
    draw = random.Random(seed)
    cases = [(5, 2), (5, 1), (224, 2), (14, 3), (3, 4), (2, 2)]
    cases += [(draw.randint(8, 60), draw.randint(2, 6)) for _ in range(4)]

    def target(size: int, layers: int) -> int:
        return max(0, size - 2 * (layers - 1)) ** 2

    return judge_numbers(
        "places where stack and single kernel agree",
        attempt,
        target,
        [{"size": size, "layers": layers} for size, layers in cases],
        {
            "You leave out every place that sees padding. Both pad the input with the same zeros; they differ from the second "
            "layer on.": lambda n, layers: max(0, n - 2 * layers) ** 2,
            "The frame is on both sides of the grid.": lambda n, layers: max(0, n - (layers - 1)) ** 2,
            "The grid is a square: square the side.": lambda n, layers: max(0, n - 2 * (layers - 1)),
            "On a small grid nothing is left, and a negative side squared is not nothing.": (
                lambda n, layers: (n - 2 * (layers - 1)) ** 2
            ),
            "Those are the places that differ.": lambda n, layers: n * n - target(n, layers),
            "The frame grows by one with every layer behind the first.": lambda n, layers: (
                n * n if layers == 1 else max(0, n - 2) ** 2
            ),
        },
    )
