"""Where is it? The paper's Appendix A: a classifier's last layer gives way to one that puts out boxes.

A box has one of two forms, four numbers each, last dimension of a tensor ``(..., 4)``: *corners* ``x0, y0, x1, y1`` (x1 and
y1 are one past the last pixel, as in :mod:`vgg_course.synthetic`), or *center form* ``x, y, width, height``, which the
paper's nets put out. x counts columns from the left edge, y rows from the top, in pixels. A net is trained on and
puts out *shares of its window*: center form divided by the window's side.

The paper leaves open the unit of its targets, and of OverFeat's merging the scale and the limit of the match score.
What is ours is said where it is done.

Source: Simonyan & Zisserman, arXiv:1409.1556v6, Appendix A; Sermanet et al. (OverFeat), arXiv:1312.6229, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course.answers import in_mode
from vgg_course.augmentation import crop
from vgg_course.model import VGG
from vgg_course.receptive_field import receptive_field
from vgg_course.synthetic import Pictures
from vgg_course.training import Recipe

OVERLAP = 0.5  # a box is right if its IoU with the true one is above this (ILSVRC; Appendix A.2)
LIMIT = 0.45  # of the match score: above it, two boxes are not merged (ours; chosen on validation pictures)

# --- boxes ---


def to_corners(boxes: Tensor) -> Tensor:
    """Center form ``(..., 4)`` to corners.

    Raises:
        ValueError: these are no boxes: not four numbers each, none at all, not finite, or a side that is not above 0.
    """
    boxes = _four_numbers(boxes)
    _refuse(boxes, (boxes[..., 2:] <= 0).any(-1), "a box needs a width and a height above 0 (x, y, width, height)")
    return _corners(boxes)


def to_center(boxes: Tensor) -> Tensor:
    """Corners ``(..., 4)`` to center form.

    Raises:
        ValueError: these are no boxes: not four numbers each, none at all, not finite, or a side that is not above 0.
    """
    boxes = _checked(boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


def area(boxes: Tensor) -> Tensor:
    """Square pixels of boxes given by their corners: ``(..., 4)`` to ``(...)``."""
    boxes = _checked(boxes)
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes given by their corners, from 0 (apart) to 1 (the same).

    Pairs are formed by broadcasting: ``(N, 4)`` and ``(N, 4)`` give ``(N,)``; ``a[:, None]`` and ``b[None]`` give all pairs,
    ``(N, M)``, as ``torchvision.ops.box_iou`` does.

    Raises:
        ValueError: these are no boxes, or their numbers do not fit.
    """
    a, b = _checked(a, "a"), _checked(b, "b")
    try:
        low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    except RuntimeError:
        raise ValueError(
            f"{tuple(a.shape)} and {tuple(b.shape)} boxes do not pair up; give equally many, or a[:, None] and b[None] "
            "for all pairs."
        ) from None
    common = (high - low).clamp(min=0).prod(-1)  # boxes apart have nothing in common, not a negative side
    return common / ((a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - common)


def _corners(boxes: Tensor) -> Tensor:
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([center - half, center + half], -1)


def _four_numbers(boxes: Tensor, name: str = "boxes") -> Tensor:
    if not isinstance(boxes, Tensor):
        raise ValueError(f"{name} is a {type(boxes).__name__}; give a tensor (..., 4).")
    if boxes.ndim < 1 or boxes.shape[-1] != 4 or boxes.is_complex() or boxes.dtype == torch.bool:
        raise ValueError(f"{name} has shape {tuple(boxes.shape)} and holds {boxes.dtype}; a box is four real numbers.")
    if not boxes.numel():
        raise ValueError(f"{name} has shape {tuple(boxes.shape)}: there is no box in it; give at least one.")
    boxes = boxes if boxes.is_floating_point() else boxes.float()
    _refuse(boxes, ~boxes.isfinite().all(-1), "the numbers of a box must be finite")
    return boxes


def _checked(boxes: Tensor, name: str = "boxes") -> Tensor:
    boxes = _four_numbers(boxes, name)
    wrong = (boxes[..., 2:] <= boxes[..., :2]).any(-1)
    _refuse(
        boxes, wrong, "corners are x0, y0, x1, y1 with x0 < x1 and y0 < y1 (for center form, call to_corners first)"
    )
    return boxes


def _refuse(boxes: Tensor, wrong: Tensor, rule: str) -> None:
    if wrong.any():
        place = wrong.flatten().nonzero()[0].item()
        raise ValueError(f"box {place} is {boxes.reshape(-1, 4)[place].tolist()}; {rule}.")


# --- windows of pictures ---


def cut(images: Tensor, boxes: Tensor, top: Tensor, left: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """One window out of each image, and the boxes as seen from it.

    Images ``(N, C, H, W)`` become ``(N, C, size, size)``. A box (corners, in pixels) moves with the window's corner; what
    lies outside stays outside, so that the net is taught where the *whole* object is.
    """
    moved = _checked(boxes) - torch.stack([left, top, left, top], 1)
    return crop(images, top, left, size), moved


def central(images: Tensor, boxes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The central window of each image: the paper's first way to test."""
    top, left = (torch.full((len(images),), (length - size) // 2) for length in images.shape[2:])
    return cut(images, boxes, top, left, size)


def anywhere(images: Tensor, boxes: Tensor, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A window of each image, every place equally likely: what the nets are trained on."""
    top, left = (torch.randint(length - size + 1, (len(images),), generator=generator) for length in images.shape[2:])
    return cut(images, boxes, top, left, size)


def pixels(images: Tensor) -> Tensor:
    """uint8 images to what the nets of this chapter take: from -2 to 2."""
    return (images.float() - 127.5) / 64


# --- the net ---


def regressor(classifier: VGG, per_class: bool = True, generator: torch.Generator | None = None) -> VGG:
    """A copy of ``classifier`` whose last layer puts out boxes: four numbers, or four for each class.

    All other layers are copied; the last one begins anew, as in the paper. SCR (single-class regression) has one box
    for all classes; with PCR (``per_class``) outputs ``4 k`` to ``4 k + 3`` are the box of class ``k``.
    """
    configuration = classifier.configuration
    outputs = 4 * configuration.classes if per_class else 4
    dropout = next((m.p for m in classifier.classifier if isinstance(m, nn.Dropout)), 0.0)
    net = VGG(configuration.variant(classes=outputs), dropout=dropout, initialization="he", generator=generator)
    last = f"classifier.{len(classifier.classifier) - 1}."
    kept = {name: value for name, value in classifier.state_dict().items() if not name.startswith(last)}
    net.load_state_dict(kept, strict=False)
    nn.init.normal_(net.classifier[-1].weight, 0, 0.01, generator=generator)  # ours: every first box is the middle
    nn.init.constant_(net.classifier[-1].bias, 0.5)
    return net


def of_class(outputs: Tensor, labels: Tensor) -> Tensor:
    """The four outputs for the class in ``labels`` ``(B,)``: ``(B, 4)`` or ``(B, 4 * classes)`` to ``(B, 4)``.

    Raises:
        ValueError: the outputs are no multiple of four, the labels do not fit, or there are none.
    """
    if outputs.ndim != 2 or outputs.shape[1] % 4 or not outputs.numel():
        raise ValueError(f"outputs have shape {tuple(outputs.shape)}; they must be (B, 4) or (B, 4 * classes).")
    boxes = outputs.unflatten(1, (-1, 4))  # (B, 1 or classes, 4)
    if labels.shape != outputs.shape[:1] or labels.is_floating_point():
        raise ValueError(
            f"labels have shape {tuple(labels.shape)} and type {labels.dtype}; one class an image, ({len(outputs)},)."
        )
    if boxes.shape[1] == 1:
        return boxes[:, 0]
    if labels.min() < 0 or labels.max() >= boxes.shape[1]:
        raise ValueError(
            f"labels run from {int(labels.min())} to {int(labels.max())}; there are {boxes.shape[1]} boxes."
        )
    return boxes[torch.arange(len(labels), device=labels.device), labels]


def box_loss(outputs: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
    """Half the squared Euclidean distance between box and target, mean over the batch.

    Of a per-class net only the true class's box counts: the others get no gradient. The half is that of the Euclidean
    loss of Caffe, which the authors used.

    Args:
        outputs: ``(B, 4)`` or ``(B, 4 * classes)``.
        targets: ``(B, 4)``, in the same form and unit.
        labels: the true classes ``(B,)``.
    """
    boxes = of_class(outputs, labels)
    if targets.shape != boxes.shape or not targets.isfinite().all():
        raise ValueError(
            f"targets have shape {tuple(targets.shape)}; there must be {tuple(boxes.shape)} finite numbers."
        )
    return (boxes - targets).square().sum(1).mean() / 2


def encode(boxes: Tensor, window: int) -> Tensor:
    """Corners in pixels of a window, to what a net is trained on: center form in shares of the window's side (ours)."""
    return to_center(boxes) / window


def decode(outputs: Tensor, window: int) -> Tensor:
    """What a net puts out, ``(..., 4)``, to corners in pixels of its window.

    A net may put out a width below zero, and no box has one: a side has at least one pixel here (ours).
    """
    boxes = _four_numbers(outputs, "outputs") * window
    return _corners(torch.cat([boxes[..., :2], boxes[..., 2:].clamp(min=1)], -1))


# --- training ---


def tune(
    net: VGG, pictures: Pictures, recipe: Recipe, *, learns: str = "boxes", tuned: str = "all", seed: int = 0
) -> list[float]:
    """Train ``net`` in place on random windows of pictures; returns the mean loss of each epoch.

    Flips, shifts and label smoothing of the recipe are left out: here the windows move, and the
    boxes with them.

    Args:
        learns: ``"boxes"``, by :func:`box_loss`, or ``"classes"``, by cross-entropy.
        tuned: ``"last"`` trains the last layer alone, ``"fully connected"`` all layers behind the convolutions, ``"all"``
            all of them.
        seed: of order and windows.
    """
    parts = {"last": net.classifier[-1], "fully connected": net.classifier, "all": net}
    if tuned not in parts:
        raise ValueError(f"tuned is {tuned!r}; it can be {', '.join(parts)}.")
    if learns not in ("boxes", "classes"):
        raise ValueError(f"learns is {learns!r}; it can be boxes or classes.")
    net.to(memory_format=torch.channels_last).requires_grad_(False)
    weights = list(parts[tuned].requires_grad_().parameters())
    sgd = torch.optim.SGD(
        weights, lr=1, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=recipe.weight_decay
    )
    window, generator, losses = net.configuration.input_size, torch.Generator().manual_seed(seed), []
    steps, step = recipe.epochs * -(-len(pictures) // recipe.batch_size), 0
    try:
        with in_mode(net, train=True):
            for _ in range(recipe.epochs):
                total = 0.0
                for chosen in torch.randperm(len(pictures), generator=generator).split(recipe.batch_size):
                    images, boxes = anywhere(pictures.images[chosen], pictures.boxes[chosen], window, generator)
                    outputs, labels = net(pixels(images)), pictures.labels[chosen]
                    if learns == "classes":
                        loss = functional.cross_entropy(outputs, labels)
                    else:
                        loss = box_loss(outputs, encode(boxes, window), labels)
                    sgd.zero_grad()
                    loss.backward()
                    sgd.param_groups[0]["lr"] = recipe.learning_rate_at((step + 0.5) / steps)
                    sgd.step()
                    total, step = total + loss.item() * len(chosen), step + 1
                losses.append(total / len(pictures))
    finally:
        net.requires_grad_()
    return losses


# --- dense: a box at every place ---


def dense_boxes(net: VGG, images: Tensor) -> Tensor:
    """Boxes from every place of larger images: ``(N, cells, boxes, 4)``, corners in pixels of the whole image.

    A cell of the map is a window of ``input_size`` pixels that has moved by the net's stride (chapter 7); ``boxes`` is 1 or
    the number of classes.
    """
    window, stride = net.configuration.input_size, list(receptive_field(net.configuration))[-1].jump
    maps = _at_every_place(net, images)  # (N, 4 * boxes, h, w)
    boxes = decode(maps.unflatten(1, (-1, 4)).permute(0, 3, 4, 1, 2), window)  # (N, h, w, boxes, 4)
    down, right = (stride * torch.arange(n) for n in maps.shape[2:])
    corner = torch.stack(torch.meshgrid(right, down, indexing="xy"), -1)  # (h, w, 2): x and y
    return (boxes + torch.cat([corner, corner], -1)[None, :, :, None]).flatten(1, 2)


def dense_scores(classifier: VGG, images: Tensor) -> Tensor:
    """Posteriors of every class from every place of larger images: ``(N, cells, classes)``."""
    return _at_every_place(classifier, images).softmax(1).flatten(2).transpose(1, 2)


def _at_every_place(net: VGG, images: Tensor) -> Tensor:
    sliding = net.to_convolutional()
    with in_mode(sliding, train=False), torch.no_grad():
        return torch.cat([sliding(pixels(part)) for part in images.split(500)])


@dataclass(frozen=True)
class Merged:
    """A box that several were merged into: its corners, the sum of their scores, and their places in the list."""

    box: tuple[float, ...]
    score: float
    members: tuple[int, ...]


def match_score(a: Sequence[float], b: Sequence[float]) -> float:
    """How badly two boxes (corners) match: 0 if they are the same, about 2 if they lie side by side.

    OverFeat adds up "the distance between centers of the two bounding boxes and the intersection area of the boxes", and
    merges the pair with the *smallest* sum. Taken literally, pixels are added to square pixels, and the more two boxes
    share, the later they merge. Ours: the distance between the centers, over the mean side, plus 1 - IoU.
    """
    width, height = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    common = width * height
    apart = math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2
    return apart / math.sqrt(sum(areas) / 2) + 1 - common / (sum(areas) - common)


def greedy_merge(boxes: Tensor, scores: Tensor, limit: float = LIMIT) -> list[Merged]:
    """Merge boxes until no two match, as OverFeat does; returns what is left, the highest score first.

    Again and again the two boxes that match best (:func:`match_score`, ours) are replaced by the average of their
    coordinates, until the best match is above ``limit``. The average is of the two boxes, whatever they were merged from; a
    merged box's score is the sum of all scores in it.

    Args:
        boxes: corners ``(N, 4)``.
        scores: ``(N,)``, of one class, none negative.

    Raises:
        ValueError: these are no boxes, or there is not one finite score for each.
    """
    if _checked(boxes).ndim != 2 or scores.shape != boxes.shape[:1] or not (scores >= 0).all() or scores.isinf().any():
        raise ValueError(
            f"boxes have shape {tuple(boxes.shape)} and scores {tuple(scores.shape)}; give (N, 4) and (N,), and scores that "
            "are finite and not negative."
        )
    left = [
        Merged(tuple(box), score, (i,))
        for i, (box, score) in enumerate(zip(boxes.tolist(), scores.tolist(), strict=True))
    ]
    while len(left) > 1:
        best, i, j = min((match_score(left[i].box, left[j].box), i, j) for j in range(len(left)) for i in range(j))
        if best > limit:
            break
        b, a = left.pop(j), left.pop(i)  # the later one first: i < j
        average = tuple((p + q) / 2 for p, q in zip(a.box, b.box, strict=True))
        left.append(Merged(average, a.score + b.score, tuple(sorted(a.members + b.members))))
    return sorted(left, key=lambda merged: -merged.score)


# --- guesses, and what is wrong with them ---


@dataclass(frozen=True, eq=False)
class Guesses:
    """``k`` guesses for each of ``N`` images, the best first: ``classes`` ``(N, k)``, ``boxes`` ``(N, k, 4)`` (corners)."""

    classes: Tensor
    boxes: Tensor

    def __len__(self) -> int:
        return len(self.classes)


def guess_center(classifier: VGG, net: VGG, images: Tensor, k: int = 1) -> Guesses:
    """One look at the central window: the ``k`` likeliest classes, each with its box, in pixels of the whole image."""
    window = net.configuration.input_size
    top, left = ((length - window) // 2 for length in images.shape[2:])
    views = pixels(images[:, :, top : top + window, left : left + window])
    with in_mode(classifier, train=False), in_mode(net, train=False), torch.no_grad():
        classes, outputs = classifier(views).topk(k).indices, net(views)
    boxes = torch.stack([decode(of_class(outputs, one), window) for one in classes.T], 1)
    return Guesses(classes, boxes + torch.tensor([left, top, left, top]))


def guess_dense(classifier: VGG, net: VGG, images: Tensor, k: int = 1, limit: float = LIMIT) -> Guesses:
    """A look at every place: the ``k`` classes with the highest mean posterior, each with its best merged box."""
    scores, boxes = dense_scores(classifier, images), dense_boxes(net, images)
    classes = scores.mean(1).topk(k).indices
    found = [
        [greedy_merge(places[:, c if places.shape[1] > 1 else 0], score[:, c], limit)[0].box for c in chosen.tolist()]
        for places, score, chosen in zip(boxes, scores, classes, strict=True)
    ]
    return Guesses(classes, torch.tensor(found))


@dataclass(frozen=True)
class Judged:
    """What ``images`` guesses came to, as shares of the images. ``wrong_class`` and ``bad_box`` add up to ``error``."""

    images: int
    wrong_class: float  # the true class is not among the guesses
    bad_box: float  # it is, and no box guessed for it overlaps the true one enough

    @property
    def error(self) -> float:
        """The localization error."""
        return self.wrong_class + self.bad_box


def judge(guesses: Guesses, labels: Tensor, boxes: Tensor) -> Judged:
    """The localization error of guesses, and where it comes from.

    An image counts as right if any of its guesses has the right class and an IoU above 0.5 with the true box (the
    criterion of ILSVRC, which allows five).

    Args:
        guesses: ``k`` for each of ``N`` images.
        labels: the true classes ``(N,)``.
        boxes: the true boxes ``(N, 4)``, corners.
    """
    classes = guesses.classes
    if classes.ndim != 2 or guesses.boxes.shape != (*classes.shape, 4) or not classes.numel():
        raise ValueError(
            f"guesses have classes {tuple(classes.shape)} and boxes {tuple(guesses.boxes.shape)}; they must be (N, k) and "
            "(N, k, 4), with at least one guess."
        )
    if labels.shape != classes.shape[:1] or boxes.shape != (len(labels), 4):
        raise ValueError(
            f"{len(classes)} guesses, labels {tuple(labels.shape)} and boxes {tuple(boxes.shape)} do not belong together; give "
            f"({len(classes)},) and ({len(classes)}, 4)."
        )
    named = classes == labels[:, None]  # (N, k)
    placed = named & (iou(guesses.boxes, boxes[:, None]) > OVERLAP)
    named, placed = (int(some.any(1).sum()) for some in (named, placed))
    return Judged(len(labels), 1 - named / len(labels), (named - placed) / len(labels))
