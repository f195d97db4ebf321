"""Checks for the chapter that prepares images as the paper did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations, product

from vgg_course.check.judging import judge_pairs
from vgg_course.check.verdict import Verdict, answer_on

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of torchvision's weights: red, green, blue; 255 is 1
CAFFE = (103.939, 116.779, 123.68)  # of the authors' weights: blue, green, red; 0 to 255


# --- where the shorter side goes ---


def rescaled_size(attempt: Callable) -> Verdict:
    """Judge ``attempt(height, width, side)``: height and width when the shorter side has become ``side``."""

    def scaled(height: int, width: int, side: int, by: int) -> tuple[int, int]:
        return side * height // by, side * width // by

    sizes = [(400, 500, 256), (500, 375, 256), (333, 500, 384), (224, 224, 512), (427, 640, 500)]
    return judge_pairs(
        "rescaled size",
        attempt,
        lambda h, w, s: scaled(h, w, s, min(h, w)),
        [{"height": height, "width": width, "side": side} for height, width, side in sizes],
        {
            "You scaled the longer side. The SHORTER one becomes S, so that a crop fits everywhere.": (
                lambda h, w, s: scaled(h, w, s, max(h, w))
            ),
            "That squashes the picture: a circle becomes an ellipse. Scale both sides by one factor.": (
                lambda h, w, s: (s, s)
            ),
            "Height and width are swapped: the height comes first.": (lambda h, w, s: scaled(h, w, s, min(h, w))[::-1]),
            "You always make the height S; in a tall picture the width is the shorter side.": (
                lambda h, w, s: scaled(h, w, s, h)
            ),
            "You always make the width S; in a wide picture the height is the shorter side.": (
                lambda h, w, s: scaled(h, w, s, w)
            ),
            "Round the longer side down; you round up.": lambda h, w, s: (
                -(-s * h // min(h, w)),
                -(-s * w // min(h, w)),
            ),
            "Round the longer side down; you round to the nearest.": (
                lambda h, w, s: (round(s * h / min(h, w)), round(s * w / min(h, w)))
            ),
            "Sides are whole numbers of pixels: round the longer one down.": (
                lambda h, w, s: (s * h / min(h, w), s * w / min(h, w))
            ),
            "The factor is a fraction; // made it whole. Multiply first, divide then.": (
                lambda h, w, s: (h * (s // min(h, w)), w * (s // min(h, w)))
            ),
        },
    )


# --- a crop for every image ---


def random_crops(attempt: Callable) -> Verdict:
    """Judge ``attempt(images, size, generator)``: from each image its own crop, every place equally likely."""
    import torch

    task, size, count = "a crop for every image", 7, 720

    def batch(height: int, width: int) -> torch.Tensor:
        """Every pixel tells its row, its column and its image."""
        rows, columns = torch.arange(height)[:, None].expand(-1, width), torch.arange(width).expand(height, -1)
        return torch.stack([torch.stack([rows, columns, torch.full_like(rows, i)]) for i in range(count)]).float()

    images = batch(9, 12)
    on = f"{count} images of 9x12 pixels and size {size}"

    def cut(images: torch.Tensor) -> tuple[object, Verdict | None]:
        return answer_on(attempt, [images.clone(), size, torch.Generator().manual_seed(1)], on, task)

    answer, verdict = cut(images)
    if verdict is not None:
        square, _ = cut(batch(9, 9)) if "raised" in verdict.message else (None, None)
        if isinstance(square, torch.Tensor) and square.shape == (count, 3, size, size):
            words = "On square images it works: are height and width swapped? Images are (B, C, H, W), rows first."
            return Verdict(task, "wrong", f"{verdict.message}. {words}")
        return verdict
    if not isinstance(answer, torch.Tensor) or answer.is_complex() or answer.shape != (count, 3, size, size):
        found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        return Verdict(task, "wrong", f"on {on} it returned {found}; {(count, 3, size, size)} is wanted.")
    top, left = answer[:, 0, 0, 0].long(), answer[:, 1, 0, 0].long()
    numbers = answer[:, 2, 0, 0].long()
    if not torch.equal(numbers, torch.arange(count)):
        return Verdict(task, "wrong", "a crop comes from another image than its place in the batch says.")
    inside = (top >= 0) & (top <= 2) & (left >= 0) & (left <= 5)
    if not inside.all() or any(
        not torch.equal(answer[i], images[i, :, t : t + size, x : x + size])
        for i, (t, x) in enumerate(zip(top.tolist(), left.tolist(), strict=True))
    ):
        return Verdict(task, "wrong", f"some crops are no {size}x{size} neighboring pixels of their image.")
    if len(set(zip(top.tolist(), left.tolist(), strict=True))) == 1:
        return Verdict(task, "wrong", "the same crop for the whole batch: draw an offset for each image.")
    if torch.equal(top, left) or (
        top.unique().numel() > 1 and torch.corrcoef(torch.stack([top, left]).float())[0, 1] > 0.5
    ):
        return Verdict(task, "wrong", "row and column always move together: draw them independently.")
    if top.max() == 1 or left.max() == 4:
        words = "n pixels have n - size + 1 places for a crop, and randint leaves out its upper end."
        return Verdict(task, "wrong", f"the last row or column is never in a crop: {words}")
    places = torch.bincount(6 * top + left, minlength=18)
    if places.min() < 15 or places.max() > 75:  # 40 with a deviation of 6
        few, many = int(places.min()), int(places.max())
        return Verdict(
            task, "wrong", f"of {count} crops one place got {few} and another {many}; all should be equally likely."
        )
    again, verdict = cut(images)
    if verdict is not None:
        return verdict
    if not isinstance(again, torch.Tensor) or not torch.equal(again, answer):
        return Verdict(
            task, "wrong", "the same generator gave other crops: draw from `generator`, not from torch's own."
        )
    return Verdict(task, "passed", "every image its own crop, all 18 places in use, and it repeats.")


# --- the color of AlexNet ---


def pca_color(attempt: Callable) -> Verdict:
    """Judge ``attempt(images, alpha)``: one color added to each image, along the axes of the batch's colors.

    Eigenvectors have no sign and eigenvalues no order of their own, so any choice passes that is one for all images.
    """
    import torch

    task, on = "a color for every image", "4 images of 12x20 pixels"
    generator = torch.Generator().manual_seed(0)
    mix = torch.tensor([[0.30, 0.10, 0.02], [0.28, -0.02, -0.04], [0.22, -0.12, 0.02]], dtype=torch.float64)
    images = 0.5 + 0.6 * torch.einsum(
        "cd,bdhw->bchw", mix, torch.randn(4, 3, 12, 20, generator=generator, dtype=torch.float64)
    )
    images += torch.tensor([0.05, -0.03, 0.02, -0.05], dtype=torch.float64)[:, None, None, None]  # images differ
    images = images.float()
    alpha = 0.1 * torch.randn(4, 3, generator=generator)
    answer, verdict = answer_on(attempt, [images.clone(), alpha.clone()], on, task)
    if verdict is not None:
        return verdict
    if not isinstance(answer, torch.Tensor) or answer.is_complex() or answer.shape != images.shape:
        found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        return Verdict(task, "wrong", f"on {on} it returned {found}; images of the same shape are wanted.")
    added = answer.double() - images.double()
    mine = added.mean((2, 3))  # (4, 3)
    if not (added - mine[:, :, None, None]).abs().max() < 1e-4:  # NaN is not
        if answer.isfinite().all() and torch.equal(answer, answer.clamp(0, 1)):
            return Verdict(
                task, "wrong", "pixels were clipped at 0 or 1. The rule only adds; leave them as they come out."
            )
        return Verdict(task, "wrong", "the pixels of an image got different colors; add the same three numbers to all.")
    colors = images.double().transpose(0, 1).flatten(1)  # (3, pixels)
    alpha = alpha.double()
    values, vectors = torch.linalg.eigh(torch.cov(colors))

    def near(alpha: torch.Tensor, values: torch.Tensor, vectors: torch.Tensor) -> bool:
        return any(
            bool((mine - other).abs().max() < 4e-3 * other.abs().max()) for other in _shifts(alpha, values, vectors)
        )

    if near(alpha, values, vectors):
        return Verdict(task, "passed", "each image got its own color, along the right axes, as far as the rule says.")
    if mine.abs().max() < 1e-6:
        return Verdict(task, "wrong", "nothing was added to the images.")
    largest, right = mine.abs().max(), next(_shifts(alpha, values, vectors)).abs().max()
    message = f"on {on} the largest color added was {largest:.4f}, where about {right:.4f} is right."
    raw = torch.linalg.eigh(colors @ colors.T / colors.shape[1])
    scatter = torch.linalg.eigh((colors.shape[1] - 1) * torch.cov(colors))
    levels = torch.linalg.eigh(torch.cov(255 * colors))
    own = [torch.linalg.eigh(torch.cov(image.flatten(1))) for image in images.double()]
    mistakes = [
        ("You took the root of the eigenvalues; this rule takes them as they are.", (alpha, values.sqrt(), vectors)),
        ("You squared the eigenvalues, which are squares already.", (alpha, values.square(), vectors)),
        ("The eigenvalues are missing: all three directions vary alike.", (alpha, torch.ones(3), vectors)),
        ("eigh puts the eigenvectors into COLUMNS; you used the rows.", (alpha, values, vectors.T)),
        ("Every image has its own row of alpha; you used one for all.", (alpha[:1].expand(4, 3), values, vectors)),
        ("Subtract the mean color before you multiply: a covariance is about the mean.", (alpha, *raw)),
        ("Divide the products by the number of pixels: a covariance is a mean.", (alpha, *scatter)),
        ("Your eigenvalues are for pixels up to 255; these pixels go up to 1.", (alpha, *levels)),
        ("You drew alpha smaller once more: it comes with its deviation of 0.1.", (0.1 * alpha, values, vectors)),
    ]
    for words, case in mistakes:
        if near(*case):
            return Verdict(task, "wrong", f"{message} {words}")
    singly = [
        any((mine[i] - s[0]).abs().max() < 4e-3 * s.abs().max() for s in _shifts(alpha[i : i + 1], *own[i]))
        for i in range(4)
    ]
    if all(singly):
        words = "You computed axes for each image; they belong to the whole training set, here the batch."
        return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)


def _shifts(alpha, values, vectors) -> Iterator:
    """The colors ``(B, 3)`` for every order of the axes and every choice of their signs."""
    import torch

    for order in permutations(range(3)):
        scaled, axes = values[list(order)].double(), vectors[:, list(order)]
        for signs in product((1.0, -1.0), repeat=3):
            yield (alpha * scaled * torch.tensor(signs, dtype=torch.float64)) @ axes.T


# --- from one convention to another ---


def for_caffe(attempt: Callable) -> Verdict:
    """Judge ``attempt(prepared)``: images prepared for torchvision's weights, as the authors' weights want them."""
    import torch

    task, on = "from torchvision's convention to Caffe's", "3 images of 4x5 pixels"
    mean, std = (torch.tensor(part, dtype=torch.float64)[:, None, None] for part in (MEAN, STD))
    caffe = torch.tensor(CAFFE, dtype=torch.float64)[:, None, None]
    shares = torch.rand(3, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    prepared = ((shares - mean) / std).float()
    answer, verdict = answer_on(attempt, [prepared.clone()], on, task)
    if verdict is not None:
        return verdict
    if not isinstance(answer, torch.Tensor) or answer.is_complex() or answer.shape != prepared.shape:
        found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        return Verdict(task, "wrong", f"on {on} it returned {found}; images of the same shape are wanted.")
    mine, given = answer.double(), prepared.double()

    def near(other: torch.Tensor) -> bool:
        return bool((mine - other).abs().max() < 5e-3 * other.abs().max().clamp(max=200))  # half a level at most

    levels = 255 * shares
    right = levels.flip(1) - caffe
    if near(right):
        return Verdict(task, "passed", "blue first, 0 to 255, and each mean from its own color.")
    backwards = caffe.flip(0)
    mistakes = {
        "Blue lost the mean of red: the means come blue first, so reverse the channels before you subtract them.": (
            levels.flip(1) - backwards
        ),
        "The channels are still red first; Caffe's weights want blue first.": levels - backwards,
        "The channels are still red first, and the means are in the order of Caffe.": levels - caffe,
        "The mean is not subtracted.": levels.flip(1),
        "The pixels go up to 1 still; times 255, before the mean is subtracted.": shares.flip(1) - caffe,
        "The means are on the scale of 255 already: multiply the pixels by 255, not the difference.": (
            255 * (shares.flip(1) - caffe)
        ),
        "The old division by the deviation was not undone.": 255 * (given + mean).flip(1) - caffe,
        "The old mean was not added back.": 255 * (given * std).flip(1) - caffe,
        "To undo (x - mean) / std, multiply first, then add the mean.": 255 * ((given + mean) * std).flip(1) - caffe,
        "You reversed the order of the images, dimension 0. Channels are dimension 1.": levels.flip(0) - caffe,
        "You turned the images upside down, dimension 2. Channels are dimension 1.": levels.flip(2) - caffe,
        "You mirrored the images, dimension 3. Channels are dimension 1.": levels.flip(3) - caffe,
        "That only reverses the channels; the scale is torchvision's still.": given.flip(1),
        "Nothing has changed.": given,
    }
    message = f"on {on} it is off by up to {(mine - right).abs().max():.4g}."
    for words, other in mistakes.items():
        if near(other):
            return Verdict(task, "wrong", f"{message} {words}")
    return Verdict(task, "wrong", message)


# --- the whole pipeline ---


def prepare_for_training(attempt: Callable) -> Verdict:
    """Judge ``attempt(image, mean, axes, generator)``: one uint8 image ``(3, H, W)`` to ``(3, 224, 224)``, as in section 3.1.

    A picture whose red rises to the right and whose green rises downward tells from any crop how large the whole had
    become, where the crop was cut and whether it was mirrored.
    """
    import torch

    from vgg_course.augmentation import ColorAxes

    task, draws = "the paper's preparation", 48
    generator = torch.Generator().manual_seed(0)
    mean = torch.tensor([90.0, 110.0, 130.0])
    vectors = torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q
    still, lively = ColorAxes(torch.zeros(3), vectors), ColorAxes(torch.tensor([0.2, 0.02, 0.005]), vectors)
    right, down = (torch.arange(400) + 0.5) / 400, (torch.arange(300)[:, None] + 0.5) / 300
    ramps = torch.stack([right.expand(300, 400), down.expand(300, 400), torch.full((300, 400), 100 / 255)])
    ramps = (255 * ramps).round().to(torch.uint8)
    plain = torch.full((3, 240, 240), 128, dtype=torch.uint8)
    on = "an image of 300x400 pixels"

    def prepared(image, axes, source) -> tuple[object, Verdict | None]:
        answer, verdict = answer_on(attempt, [image.clone(), mean.clone(), axes, source], on, task)
        if verdict is not None:
            return None, verdict
        if isinstance(answer, torch.Tensor) and answer.shape == (1, 3, 224, 224):
            answer = answer[0]
        if not isinstance(answer, torch.Tensor) or answer.is_complex() or answer.shape != (3, 224, 224):
            found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
            return None, Verdict(task, "wrong", f"on {on} it returned {found}; (3, 224, 224) is wanted.")
        if not answer.is_floating_point() or not answer.isfinite().all():
            return None, Verdict(
                task, "wrong", f"it returned {answer.dtype}; finite floating-point numbers are wanted."
            )
        return answer, None

    source, crops = torch.Generator().manual_seed(1), []
    for _ in range(draws):
        answer, verdict = prepared(ramps, still, source)
        if verdict is not None:
            return verdict
        crops.append(answer.double())
    crops = torch.stack(crops)
    if message := _colors_of(crops[:, 2], mean.tolist()) or _geometry(crops + mean.double()[:, None, None]):
        return Verdict(task, "wrong", message)
    shifts = []
    for _ in range(draws):
        answer, verdict = prepared(plain, lively, source)
        if verdict is not None:
            return verdict
        shifts.append((answer + mean[:, None, None] - 128) / 255)
    if message := _shift_of_color(torch.stack(shifts), lively):
        return Verdict(task, "wrong", message)
    first, second = (prepared(ramps, lively, torch.Generator().manual_seed(7))[0] for _ in range(2))
    if first is None or second is None or not torch.equal(first, second):
        return Verdict(task, "wrong", "the same generator gave two results: draw everything from `generator`.")
    return Verdict(task, "passed", f"scale, place, mirror, color and mean are right in {2 * draws} draws.")


def _colors_of(blue, mean: list[float]) -> str:
    """What is wrong with a channel that was 100 everywhere; empty if nothing is."""
    found, spread = float(blue.mean()), float(blue.std())
    if spread > 1.5:
        return "blue was the same everywhere, and is not any more: are the channels in the order that they came in?"
    known = {
        100.0: "the mean is not subtracted.",
        100 + mean[2]: "the mean is added; subtract it.",
        100 - mean[0]: "blue lost the mean of red: the order of the mean is that of the channels.",
        100 / 255 - mean[2]: "the pixels go up to 1, but the mean is for pixels up to 255.",
        100 / 255: "the pixels go up to 1, and no mean is subtracted; the paper's go up to 255.",
        (100 - mean[2]) / 255: "divided by 255: the paper only subtracts the mean.",
    }
    for value, words in known.items():
        if abs(found - value) < (0.6 if abs(value) > 5 else 0.02):
            return words
    wanted = 100 - mean[2]
    return "" if abs(found - wanted) < 0.1 else f"a blue of 100 became {found:.2f}; less its mean it is {wanted:.0f}."


def _geometry(crops) -> str:
    """What is wrong with scale, place or mirror of crops ``(draws, 3, 224, 224)`` of the two ramps; empty if nothing is."""
    across = crops[:, 0].diff(dim=2).mean((1, 2))  # what red gains in one column
    along = crops[:, 1].diff(dim=1).mean((1, 2))
    if across.abs().min() < 0.05 or along.abs().min() < 0.05:
        return "red should rise to the right and green downward; are rows and columns, or the channels, swapped?"
    if (along < 0).any():
        return "some crops stand on their head: mirror left and right only."
    widths, heights = 255 / across.abs(), 255 / along  # of the whole rescaled image, to about one percent
    if ((widths / heights - 400 / 300).abs() > 0.08).any():
        return f"an image of 300x400 became about {heights[0]:.0f}x{widths[0]:.0f}: both sides take the same factor."
    if heights.max() - heights.min() < 12:
        return (
            f"the shorter side is about {heights.mean():.0f} every time; draw it anew for each image, from 256 to 512."
        )
    if heights.min() < 247 or heights.max() > 525:
        low, high = heights.min(), heights.max()
        return f"the shorter side runs from about {low:.0f} to {high:.0f}; it is drawn from 256 to 512."
    if heights.min() > 320 or heights.max() < 450:
        low, high = heights.min(), heights.max()
        return (
            f"the shorter side only runs from about {low:.0f} to {high:.0f}; 256 to 512 is wanted, all equally likely."
        )
    mirrored = int((across < 0).sum())
    if mirrored in (0, len(crops)):
        return f"{'every' if mirrored else 'no'} crop is mirrored; toss a coin for each."
    if not 8 <= mirrored <= len(crops) - 8:
        return f"{mirrored} of {len(crops)} crops are mirrored; about half of them should be."
    top = crops[:, 1].amin((1, 2)) / 255 * heights
    left = crops[:, 0].amin((1, 2)) / 255 * widths
    for first, length in ((top, heights), (left, widths)):
        room = length - 224
        place = (first / room)[room > 60]
        if place.std() < 0.12:
            where = "in the middle" if 0.4 < place.mean() < 0.6 else "at one end"
            return f"every crop is cut {where}; cut it anywhere, anew each time."
    return ""


def _shift_of_color(shifts, axes) -> str:
    """What is wrong with the colors added to a plain picture, ``(draws, 3, 224, 224)`` on the scale of 1; empty if nothing."""
    colors = shifts.mean((2, 3))
    if (shifts - colors[:, :, None, None]).abs().max() > 0.004:
        return "the pixels of one image got different colors; the shift is the same for all of them."
    if colors.abs().max() < 1e-5:
        return "the color never changes: add a color along the axes."
    if (colors - colors[0]).abs().max() < 1e-5:
        return "the color is shifted by the same amount every time; draw alpha anew."
    alphas = (colors @ axes.vectors / axes.values).std(0)  # 0.1 each, if the rule was kept
    if ((alphas > 0.065) & (alphas < 0.135)).all():
        return ""
    roots = alphas * axes.values.sqrt()
    if ((roots > 0.065) & (roots < 0.135)).all():
        return "the colors vary with the root of the eigenvalues; the rule takes them as they are."
    if ((alphas > 0.65) & (alphas < 1.35)).all():
        return "the colors vary ten times too much: alpha has a deviation of 0.1."
    if (alphas > 10).all():
        return "the colors vary 255 times too much: the axes are for pixels up to 1."
    if (alphas < 0.01).all():
        return "the colors hardly vary: the axes are for pixels up to 1, yours go up to 255."
    found = ", ".join(f"{alpha:.2f}" for alpha in alphas)
    return f"along the three axes alpha has a deviation of {found}; it should be 0.1 along each."
