"""Checks for the chapter that prepares images as the paper did."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import permutations, product
from typing import TYPE_CHECKING

from vgg_course.check import beside
from vgg_course.check.judging import TENSORS, judge, judge_pairs
from vgg_course.check.verdict import Verdict, answer_on, short

if TYPE_CHECKING:
    from torch import Tensor

    from vgg_course.augmentation import ColorAxes

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of torchvision's weights: red, green, blue; 255 is 1
CAFFE = (103.939, 116.779, 123.68)  # of the authors' weights: blue, green, red; 0 to 255


# --- where the shorter side goes ---


def rescaled_size(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(height, width, side)``: height and width when the shorter side has become ``side``."""

    def scaled(height: int, width: int, side: int, by: int) -> tuple[int, int]:
        return side * height // by, side * width // by

    def target(height: int, width: int, side: int) -> tuple[int, int]:
        return scaled(height, width, side, min(height, width))

    draw = random.Random(seed)
    sizes = [(400, 500, 256), (500, 375, 256), (333, 500, 384), (224, 224, 512), (427, 640, 500)]
    sizes += [(draw.randint(200, 640), draw.randint(200, 640), draw.randint(224, 512)) for _ in range(4)]
    return judge_pairs(
        "rescaled size",
        attempt,
        target,
        [{"height": height, "width": width, "side": side} for height, width, side in sizes],
        {
            "You scaled the longer side. The SHORTER one becomes S, so that a crop fits everywhere.": (
                lambda h, w, s: scaled(h, w, s, max(h, w))
            ),
            "That squashes the picture: a circle becomes an ellipse. Scale both sides by one factor.": (
                lambda h, w, s: (s, s)
            ),
            "Height and width are swapped: the height comes first.": lambda h, w, s: target(h, w, s)[::-1],
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
        picture=lambda mine, right: beside.boxes((0, 0, *right[::-1]), (0, 0, *mine[::-1])),
    )


# --- a crop for every image ---


def random_crops(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(images, size, generator)``: from each image its own crop, every place equally likely."""
    import torch

    task, count, size = "a crop for every image", 720, random.Random(seed).randint(5, 9)

    def batch(height: int, width: int) -> Tensor:
        """Every pixel tells its row, its column and its image."""
        rows, columns = torch.arange(height)[:, None].expand(-1, width), torch.arange(width).expand(height, -1)
        return torch.stack([torch.stack([rows, columns, torch.full_like(rows, i)]) for i in range(count)]).float()

    images = batch(size + 2, size + 5)
    on = f"{count} images of {size + 2}x{size + 5} pixels and size {size}"

    def cut(images: Tensor) -> tuple[object, Verdict | None]:
        return answer_on(attempt, [images.clone(), size, torch.Generator().manual_seed(seed + 1)], on, task)

    def wrong(words: str, picture: str = "") -> Verdict:
        return Verdict(task, "wrong", words, picture=picture)

    answer, verdict = cut(images)
    if verdict is not None:
        square, _ = cut(batch(size + 2, size + 2)) if "raised" in verdict.message else (None, None)
        if isinstance(square, torch.Tensor) and square.shape == (count, 3, size, size):
            words = "On square images it works: are height and width swapped? Images are (B, C, H, W), rows first."
            return wrong(f"{verdict.message}. {words}")
        return verdict
    if not isinstance(answer, torch.Tensor) or answer.is_complex() or answer.shape != (count, 3, size, size):
        found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else short(answer)
        return wrong(f"on {on} it returned {found}; {(count, 3, size, size)} is wanted.")
    top, left, number = (answer[:, i, 0, 0].long() for i in range(3))
    corners = zip(top.clamp(0, 2).tolist(), left.clamp(0, 5).tolist(), strict=True)
    nearest = torch.stack([x[:, t : t + size, s : s + size] for x, (t, s) in zip(images, corners, strict=True)])
    of_pixels = [
        (
            "A crop comes from another image than its place in the batch says: crop i is cut from images[i].",
            not torch.equal(number, torch.arange(count)),
        ),
        (
            "A crop is a square of neighboring pixels, in their order; some of yours are not.",
            not torch.equal(answer, nearest),
        ),
    ]
    if words := _first(of_pixels):
        return wrong(f"on {on}: {words}", beside.grids(nearest, answer))
    again, verdict = cut(images)
    if verdict is not None:
        return verdict
    got = torch.bincount(6 * top + left, minlength=18)
    of_places = [
        ("It is the same crop for the whole batch: draw an offset for each image.", int((got > 0).sum()) == 1),
        (
            "Row and column always move together: draw them independently.",
            torch.corrcoef(torch.stack([top, left]).float())[0, 1] > 0.5,
        ),
        (
            "The last row or column is never in a crop: n pixels have n - size + 1 places for a crop, and randint leaves out "
            "its upper end.",
            top.max() == 1 or left.max() == 4,
        ),
        ("All places should be equally likely.", got.min() < 15 or got.max() > 75),  # 40 with a deviation of 6
        (
            "The same generator gave other crops: draw from `generator`, not from torch's own.",
            not isinstance(again, torch.Tensor) or not torch.equal(again, answer),
        ),
    ]
    if words := _first(of_places):
        used, few, many = (int(n) for n in ((got > 0).sum(), got.min(), got.max()))
        return wrong(f"on {on} crops begin at {used} of 18 places, {few} to {many} at each. {words}")
    return Verdict(
        task, "passed", f"exact on all {count} crops: each image has its own, all 18 places are in use, and it repeats."
    )


def _first(faults: Iterable[tuple[str, object]]) -> str:
    """The words on the first fault that was found."""
    return next((words for words, found in faults if found), "")


# --- the color of AlexNet ---


def pca_color(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(images, alpha)``: one color added to each image, along the axes of the batch's colors.

    Eigenvectors have no sign and eigenvalues no order of their own, and a covariance may divide by the pixels or by one
    less. So the target is many answers, one for each choice; a choice is one for all images.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    mix = torch.tensor([[0.30, 0.10, 0.02], [0.28, -0.02, -0.04], [0.22, -0.12, 0.02]])

    def drawn(height: int, width: int) -> dict[str, Tensor]:
        images = torch.einsum("cd,bdhw->bchw", 0.6 * mix, torch.randn(2, 3, height, width, generator=generator))
        middle = torch.tensor([0.45, 0.55]).view(2, 1, 1, 1)  # images differ
        return {"images": images + middle, "alpha": 0.1 * torch.randn(2, 3, generator=generator)}

    def colored(
        images: Tensor,
        alpha: Tensor,
        scale: Callable = lambda values: values,
        turn: Callable = lambda vectors: vectors,
        covariance: Callable = lambda colors, less: torch.cov(colors, correction=less),
    ) -> Tensor:
        """The images ``(choices, B, 3, H, W)``; what can be handed over is where students go wrong."""
        colors = images.double().transpose(0, 1).flatten(1)  # (3, pixels)
        axes = [torch.linalg.eigh(covariance(colors, less)) for less in (0, 1)]
        choices = torch.cat([_choices(alpha.double(), scale(values), turn(vectors)) for values, vectors in axes])
        return images + choices[..., None, None]

    def wrongly(**how: Callable) -> Callable:
        return lambda images, alpha: colored(images, alpha, **how)

    def own_axes(images: Tensor, alpha: Tensor) -> Tensor:
        first, second = (colored(images[i : i + 1], alpha[i : i + 1]) for i in range(2))
        pairs = torch.cartesian_prod(torch.arange(len(first)), torch.arange(len(first)))
        return torch.cat([first[pairs[:, 0]], second[pairs[:, 1]]], 1)

    def off(mine: Tensor, right: Tensor) -> Tensor:
        """How far from each choice."""
        return (mine - right).abs().flatten(1).amax(1).nan_to_num(torch.inf)

    def added(mine: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        """What was added to the images, and in the nearest right answer: ``(B, 3)``, if every pixel of an image got the same."""
        images = right.mean(0)  # of all signs
        nearest = (mine - right).abs().flatten(1).mean(1).nan_to_num(torch.inf).argmin()
        both = mine - images, right[nearest] - images
        even = all(bool((x - x[..., :1, :1]).abs().max() < 1e-4) for x in both)
        return tuple(x[..., 0, 0] if even else x for x in both)

    def apart(mine: Tensor, right: Tensor) -> str:
        if mine.shape != right.shape[1:]:
            return f"it returned the shape {tuple(mine.shape)}, not {tuple(right.shape[1:])}."
        mine, right = added(mine, right)
        if mine.dim() > 2:
            return "the pixels of an image got different colors; add the same three numbers to all."
        return f"the largest number added was {mine.abs().max():.4g}, where {right.abs().max():.4g} is right."

    def picture(mine: Tensor, right: Tensor) -> str:
        return beside.grids(*added(mine, right)[::-1]) if mine.shape == right.shape[1:] else ""

    kind = replace(
        TENSORS,
        wanted="images of the same shape are wanted",
        same=lambda mine, right: (
            mine.shape == right.shape[1:] and bool(off(mine, right).min() < 2e-5 * max(1.0, right.abs().max()))
        ),
        off=lambda mine, right: float(off(mine, right).min() / right.abs().max()),
        apart=apart,
        picture=picture,
    )
    mistakes = {
        "Nothing was added to the images.": lambda images, alpha: images[None],
        "Pixels were clipped at 0 or 1. The rule only adds; leave them as they come out.": (
            lambda images, alpha: colored(images, alpha).clamp(0, 1)
        ),
        "You took the root of the eigenvalues; this rule takes them as they are.": wrongly(scale=torch.sqrt),
        "You squared the eigenvalues, which are squares already.": wrongly(scale=torch.square),
        "The eigenvalues are missing: all three directions vary alike.": wrongly(scale=torch.ones_like),
        "eigh puts the eigenvectors into COLUMNS; you used the rows.": wrongly(turn=lambda vectors: vectors.T),
        "Every image has its own row of alpha; you used one for all.": (
            lambda images, alpha: colored(images, alpha[:1].expand_as(alpha))
        ),
        "You drew alpha smaller once more: it comes with its deviation of 0.1.": (
            lambda images, alpha: colored(images, 0.1 * alpha)
        ),
        "Your eigenvalues are for pixels up to 255; these pixels go up to 1.": wrongly(scale=lambda v: 255**2 * v),
        "Subtract the mean color before you multiply: a covariance is about the mean.": wrongly(
            covariance=lambda colors, less: colors @ colors.T / (colors.shape[1] - less)
        ),
        "Divide the products by the number of pixels: a covariance is a mean.": wrongly(
            covariance=lambda colors, less: torch.cov(colors) * (colors.shape[1] - 1)
        ),
        "You computed axes for each image; they belong to the whole training set, here the batch.": own_axes,
    }
    cases = {f"2 images of {h}x{w} pixels": drawn(h, w) for h, w in ((2, 3), (5, 4), (6, 8))}
    return judge("a color for every image", attempt, colored, cases, mistakes, kind)


def _choices(alpha: Tensor, values: Tensor, vectors: Tensor) -> Tensor:
    """The colors ``(48, B, 3)`` for every order of the axes and every choice of their signs."""
    import torch

    signs = torch.tensor(list(product((1.0, -1.0), repeat=3)), dtype=torch.float64)
    orders = [list(order) for order in permutations(range(3))]
    return torch.cat([(signs[:, None] * alpha * values[order]) @ vectors[:, order].T for order in orders])


# --- from one convention to another ---


def for_caffe(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(prepared)``: images prepared for torchvision's weights, as the authors' weights want them."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    mean, std, caffe = (torch.tensor(part)[:, None, None] for part in (MEAN, STD, CAFFE))

    def drawn(*shape: int) -> dict[str, Tensor]:
        return {"prepared": (torch.rand(shape, generator=generator) - mean) / std}

    def shares(prepared: Tensor) -> Tensor:
        return prepared * std + mean

    def levels(prepared: Tensor) -> Tensor:
        return 255 * shares(prepared)

    def near(mine: Tensor, right: Tensor) -> bool:
        """To half a level at most: pixels may be rounded."""
        return mine.shape == right.shape and bool((mine - right).abs().max() < 5e-3 * right.abs().max().clamp(max=100))

    mistakes = {
        "Blue lost the mean of red: the means come blue first, so reverse the channels before you subtract them.": (
            lambda x: levels(x).flip(1) - caffe.flip(0)
        ),
        "The channels are still red first; Caffe's weights want blue first.": lambda x: levels(x) - caffe.flip(0),
        "The channels are still red first, and the means are in the order of Caffe.": lambda x: levels(x) - caffe,
        "The mean is not subtracted.": lambda x: levels(x).flip(1),
        "The pixels go up to 1 still; times 255, before the mean is subtracted.": lambda x: shares(x).flip(1) - caffe,
        "The means are on the scale of 255 already: multiply the pixels by 255, not the difference.": (
            lambda x: 255 * (shares(x).flip(1) - caffe)
        ),
        "The old division by the deviation was not undone.": lambda x: 255 * (x + mean).flip(1) - caffe,
        "The old mean was not added back.": lambda x: 255 * (x * std).flip(1) - caffe,
        "To undo (x - mean) / std, multiply first, then add the mean.": (
            lambda x: 255 * ((x + mean) * std).flip(1) - caffe
        ),
        "You reversed the order of the images, dimension 0. Channels are dimension 1.": (
            lambda x: levels(x).flip(0) - caffe
        ),
        "You turned the images upside down, dimension 2. Channels are dimension 1.": lambda x: (
            levels(x).flip(2) - caffe
        ),
        "You mirrored the images, dimension 3. Channels are dimension 1.": lambda x: levels(x).flip(3) - caffe,
        "That only reverses the channels; the scale is torchvision's still.": lambda x: x.flip(1),
        "Nothing has changed.": lambda x: x,
    }
    pixel = {"prepared": torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1)}
    return judge(
        "from torchvision's convention to Caffe's",
        attempt,
        lambda x: levels(x).flip(1) - caffe,
        [pixel, drawn(1, 3, 2, 3), drawn(3, 3, 4, 5)],
        mistakes,
        replace(TENSORS, wanted="images of the same shape are wanted", same=near),
    )


# --- the whole pipeline ---


def prepare_for_training(attempt: Callable, seed: int = 0) -> Verdict:
    """Judge ``attempt(image, mean, axes, generator)``: one uint8 image ``(3, H, W)`` to ``(3, 224, 224)``, as in section 3.1.

    A picture whose red rises to the right and whose green rises downward tells from any crop how large the whole had
    become, where the crop was cut and whether it was mirrored.
    """
    import torch

    from vgg_course.augmentation import ColorAxes

    task, draws = "the paper's preparation", 48
    generator = torch.Generator().manual_seed(seed)
    mean = torch.tensor([90.0, 110.0, 130.0]) + 5 * torch.rand(3, generator=generator)
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
            found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else short(answer)
            return None, Verdict(task, "wrong", f"on {on} it returned {found}; (3, 224, 224) is wanted.")
        if not answer.is_floating_point() or not answer.isfinite().all():
            return None, Verdict(
                task, "wrong", f"it returned {answer.dtype}; finite floating-point numbers are wanted."
            )
        return answer, None

    source, crops = torch.Generator().manual_seed(seed + 1), []
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
    first, second = (prepared(ramps, lively, torch.Generator().manual_seed(seed + 7))[0] for _ in range(2))
    of_chance = [
        (
            "The same generator gave two results: draw everything from `generator`.",
            first is None or second is None or not torch.equal(first, second),
        )
    ]
    if words := _first(of_chance):
        return Verdict(task, "wrong", words)
    return Verdict(task, "passed", f"scale, place, mirror, color and mean are right in all {2 * draws} draws.")


def _colors_of(blue: Tensor, mean: list[float]) -> str:
    """What is wrong with a channel that was 100 everywhere; empty if nothing is."""
    found, wanted = float(blue.mean()), 100 - mean[2]

    def became(value: float) -> bool:
        return abs(found - value) < (0.6 if abs(value) > 5 else 0.02)

    faults = [
        (
            "Blue was the same everywhere, and is not any more: are the channels in the order that they came in?",
            blue.std() > 1.5,
        ),
        ("The mean is not subtracted.", became(100.0)),
        ("The mean is added; subtract it.", became(100 + mean[2])),
        ("Blue lost the mean of red: the order of the mean is that of the channels.", became(100 - mean[0])),
        ("The pixels go up to 1, but the mean is for pixels up to 255.", became(100 / 255 - mean[2])),
        ("The pixels go up to 1, and no mean is subtracted; the paper's go up to 255.", became(100 / 255)),
        ("You divided by 255: the paper only subtracts the mean.", became(wanted / 255)),
    ]
    if blue.std() <= 1.5 and abs(found - wanted) < 0.1:
        return ""
    return f"a blue of 100 became {found:.2f}; less its mean it is {wanted:.2f}. {_first(faults)}".rstrip()


def _geometry(crops: Tensor) -> str:
    """What is wrong with scale, place or mirror of crops ``(draws, 3, 224, 224)`` of the two ramps; empty if nothing is."""
    across = crops[:, 0].diff(dim=2).mean((1, 2))  # what red gains in one column
    along = crops[:, 1].diff(dim=1).mean((1, 2))
    turned = [
        (
            "Red should rise to the right and green downward; are rows and columns, or the channels, swapped?",
            across.abs().min() < 0.05 or along.abs().min() < 0.05,
        ),
        ("Some crops stand on their head: mirror left and right only.", along.min() < 0),
    ]
    if words := _first(turned):
        return words
    widths, heights = 255 / across.abs(), 255 / along  # of the whole rescaled image, to about one percent
    low, high, draws, mirrored = float(heights.min()), float(heights.max()), len(crops), int((across < 0).sum())

    def places(which: int, lengths: Tensor) -> Tensor:
        """Where crops begin, as shares of the room that there is."""
        room = lengths - 224
        return (crops[:, which].amin((1, 2)) / 255 * lengths / room)[room > 60]

    fixed = [p.mean() for p in (places(1, heights), places(0, widths)) if len(p) > 1 and p.std() < 0.12]
    faults = [
        (
            "The picture was squeezed: both sides take the same factor.",
            ((widths / heights - 400 / 300).abs() > 0.08).any(),
        ),
        ("It is the same every time; draw it anew for each image, from 256 to 512.", high - low < 12),
        ("It is drawn from 256 to 512.", low < 247 or high > 525),
        ("That is only a part of 256 to 512, all of which are equally likely.", low > 320 or high < 450),
        ("No crop is mirrored; toss a coin for each.", mirrored == 0),
        ("Every crop is mirrored; toss a coin for each.", mirrored == draws),
        ("About half of them should be mirrored.", not 8 <= mirrored <= draws - 8),
        ("Every crop is cut in the middle; cut it anywhere, anew each time.", any(0.4 < p < 0.6 for p in fixed)),
        ("Every crop is cut at one place; cut it anywhere, anew each time.", fixed),
    ]
    if not (words := _first(faults)):
        return ""
    shape, sides = f"{heights[0]:.0f}x{widths[0]:.0f}", f"{low:.0f} to {high:.0f}"
    found = f"an image of 300x400 became about {shape} at first, and in {draws} draws the shorter side runs from about {sides}."
    return f"{found} Of the crops {mirrored} are mirrored. {words}"


def _shift_of_color(shifts: Tensor, axes: ColorAxes) -> str:
    """What is wrong with the colors added to a plain picture, ``(draws, 3, 224, 224)`` on the scale of 1; empty if nothing."""
    colors = shifts.mean((2, 3))
    steady = [
        (
            "The pixels of one image got different colors; the shift is the same for all of them.",
            (shifts - colors[:, :, None, None]).abs().max() > 0.004,
        ),
        ("The color never changes: add a color along the axes.", colors.abs().max() < 1e-5),
        (
            "The color is shifted by the same amount every time; draw alpha anew.",
            (colors - colors[0]).abs().max() < 1e-5,
        ),
    ]
    if words := _first(steady):
        return words
    alphas = (colors @ axes.vectors / axes.values).std(0)  # 0.1 each, if the rule was kept

    def like(values: Tensor, wanted: float = 0.1) -> bool:
        """To four deviations of what is measured in so many draws."""
        return bool(((values > 0.58 * wanted) & (values < 1.42 * wanted)).all())

    if like(alphas):
        return ""
    faults = [
        (
            "The colors vary with the root of the eigenvalues; the rule takes them as they are.",
            like(alphas * axes.values.sqrt()),
        ),
        ("The colors vary ten times too much: draw alpha with a deviation of 0.1.", like(alphas, 1.0)),
        ("The colors vary 255 times too much: the axes are for pixels up to 1.", (alphas > 10).all()),
        ("The colors hardly vary: the axes are for pixels up to 1, yours go up to 255.", (alphas < 0.01).all()),
    ]
    found = ", ".join(f"{alpha:.2g}" for alpha in alphas)
    words = f"along the three axes alpha has a deviation of {found}; it should be 0.1 along each."
    return f"{words} {_first(faults)}".rstrip()
