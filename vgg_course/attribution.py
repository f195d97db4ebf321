"""What does a net look at? Six ways to ask, each a dozen lines over :func:`vgg_course.activations.activations`.

Four of them draw a map over the image for one class: the gradient (*saliency*), *guided backprop*, *occlusion* and *Grad-CAM*.
Two make an image: *inversion*, which holds what a layer knows, and *maximization*, which a class likes best. Two judges say
whether to believe a map: whether it changes when the net's weights do (:func:`randomized`, :func:`rank_correlation`), and
whether it lies on the object that it was asked about (:func:`points_at`, :func:`mass_inside`).

Images are normalized ``(B, C, H, W)``, ``classes`` one class for all of them or one for each, ``(B,)``. Scores are logits, not
probabilities: a probability also falls when another class's logit rises. The net is asked in eval mode and left as it was, and
its weights get no gradients. Any net that ``activations`` can read will do.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course.activations import activations, names, steps
from vgg_course.synthetic import Pictures


def scores(model: nn.Module, images: Tensor, classes: Tensor | int) -> Tensor:
    """The logit of each image's class: ``(B,)``. Gradients flow."""
    last = names(model)[-1]
    return _chosen(activations(model, images, last)[last], classes)


def _chosen(logits: Tensor, classes: Tensor | int) -> Tensor:
    if logits.ndim != 2:
        raise ValueError(f"the net puts out {tuple(logits.shape)}; a score for each class, (B, classes), is needed.")
    wanted = torch.as_tensor(classes, device=logits.device).expand(len(logits)) if _fits(classes, logits) else None
    if wanted is None or wanted.is_floating_point() or not ((wanted >= 0) & (wanted < logits.shape[1])).all():
        raise ValueError(
            f"classes is {classes!r}; give one class, or one for each of the {len(logits)} images, as whole numbers from 0 "
            f"to {logits.shape[1] - 1}."
        )
    return logits.gather(1, wanted[:, None].long())[:, 0]


def _fits(classes: Tensor | int, logits: Tensor) -> bool:
    return torch.as_tensor(classes).shape in ((), (len(logits),))


# --- maps ---


def gradient(model: nn.Module, images: Tensor, classes: Tensor | int) -> Tensor:
    """By how much the score rises for each step of a pixel: ``(B, C, H, W)``, signed.

    Source: Simonyan, Vedaldi & Zisserman, arXiv:1312.6034, section 3.
    """
    images = images.detach().clone().requires_grad_()
    return torch.autograd.grad(scores(model, images, classes).sum(), images)[0]


def strength(gradients: Tensor) -> Tensor:
    """The largest absolute value over the channels, ``(B, C, H, W)`` to ``(B, H, W)``: Simonyan's saliency map."""
    return gradients.abs().amax(1)


def saliency(model: nn.Module, images: Tensor, classes: Tensor | int) -> Tensor:
    """How much each pixel can move the score, whichever way: ``(B, H, W)``."""
    return strength(gradient(model, images, classes))


def guided(model: nn.Module, images: Tensor, classes: Tensor | int) -> Tensor:
    """The gradient, but each ReLU on the way back lets positive parts pass only: ``(B, C, H, W)``.

    All ReLUs are changed, those between fully-connected layers too. Source: Springenberg et al., arXiv:1412.6806, section 3.4.
    """
    images = images.detach().clone().requires_grad_()
    values = activations(model, images)
    for name, value in values.items():
        if name.startswith("relu"):
            value.register_hook(lambda above: above.clamp(min=0))  # before the ReLU's own backward, which masks as ever
    score = _chosen(values[names(model)[-1]], classes)
    return torch.autograd.grad(score.sum(), images)[0]


@torch.no_grad()
def occlusion(
    model: nn.Module, images: Tensor, classes: Tensor | int, patch: int, stride: int = 1, fill: Tensor | float = 0.0
) -> Tensor:
    """By how much the score falls when a square is hidden: ``(B, H, W)``, a mean over all squares that hide a pixel.

    It takes ``(ceil((H - patch) / stride) + 1) * (ceil((W - patch) / stride) + 1) + 1`` forward passes. Squares at the far
    borders may be cut. Source: Zeiler & Fergus, arXiv:1311.2901, section 4.2.

    Args:
        patch: side of the square in pixels.
        stride: pixels from one square to the next.
        fill: what is put there, in normalized values: 0 is the mean color. A number, or ``(C, 1, 1)``.

    Raises:
        ValueError: the square does not fit into the image, or squares would leave gaps.
    """
    height, width = images.shape[-2:]
    if not 1 <= stride <= patch <= min(height, width):
        raise ValueError(
            f"patch is {patch} and stride {stride} for images of {height}x{width}; a square has to fit in the image, and a "
            "stride from 1 to patch leaves no gaps."
        )
    whole = scores(model, images, classes)
    fallen, times = images.new_zeros(len(images), height, width), images.new_zeros(height, width)
    for y in _starts(height, patch, stride):
        for x in _starts(width, patch, stride):
            hidden = images.clone()
            hidden[:, :, y : y + patch, x : x + patch] = fill
            fall = whole - scores(model, hidden, classes)
            fallen[:, y : y + patch, x : x + patch] += fall[:, None, None].to(fallen)
            times[y : y + patch, x : x + patch] += 1
    return fallen / times


def _starts(size: int, patch: int, stride: int) -> range:
    return range(0, size - patch + stride, stride)


def grad_cam(model: nn.Module, images: Tensor, classes: Tensor | int, layer: str) -> Tensor:
    """The channels of a layer, each weighted by the mean of its gradient, added up, and negative sums cut: ``(B, h, w)``.

    The map has the layer's grid; :func:`enlarge` stretches it over the image. Source: Selvaraju et al., arXiv:1610.02391,
    equations 1 and 2.

    Raises:
        ValueError: the layer has no grid.
    """
    last = names(model)[-1]
    images = images.detach().clone().requires_grad_()  # so that there are gradients in a net whose weights are frozen
    values = activations(model, images, layer, last)
    if values[layer].ndim != 4:
        raise ValueError(f"{layer} puts out {tuple(values[layer].shape)}; Grad-CAM needs feature maps (B, C, h, w).")
    (gradients,) = torch.autograd.grad(_chosen(values[last], classes).sum(), values[layer])
    weights = gradients.mean((2, 3), keepdim=True)  # (B, C, 1, 1)
    return (weights * values[layer]).sum(1).relu().detach()


def enlarge(maps: Tensor, side: int) -> Tensor:
    """Maps ``(B, h, w)`` to ``(B, side, side)``, bilinear."""
    return functional.interpolate(maps[:, None], (side, side), mode="bilinear", align_corners=False)[:, 0]


def edges(images: Tensor) -> Tensor:
    """A map that asks no net at all: how much a pixel differs from its right and lower neighbors, ``(B, H, W)``."""
    down = functional.pad(images.diff(dim=2), (0, 0, 0, 1)).abs()
    right = functional.pad(images.diff(dim=3), (0, 1)).abs()
    return (down + right).amax(1)


# --- images ---


def descend(
    objective: Callable[[Tensor], Tensor], images: Tensor, steps: int, rate: float
) -> tuple[Tensor, list[float]]:
    """Change the pixels until ``objective(images)``, one number, is small. Returns the images, and its value before each step.

    Adam, with a rate that falls in a straight line to zero.
    """
    images, values = images.detach().clone().requires_grad_(), []
    optimizer = torch.optim.Adam([images], lr=rate)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        value = objective(images)
        (images.grad,) = torch.autograd.grad(value, images)
        optimizer.step()
        values.append(value.item())
    return images.detach(), values


def total_variation(images: Tensor) -> Tensor:
    """Squared differences of neighboring pixels, summed over each image ``(B, C, H, W)`` and added up: one number."""
    down, right = images.diff(dim=2), images.diff(dim=3)
    return down.square().sum() + right.square().sum()


def mismatch(model: nn.Module, images: Tensor, layer: str, target: Tensor) -> Tensor:
    """Squared distance of a layer's values from ``target``, as a share of the target's squared length, added up over images."""
    apart = activations(model, images, layer)[layer] - target
    return (apart.flatten(1).square().sum(1) / target.flatten(1).square().sum(1).clamp(min=1e-12)).sum()


def invert(
    model: nn.Module,
    images: Tensor,
    layer: str,
    *,
    smooth: float = 3e-4,
    steps: int = 150,
    rate: float = 0.3,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, list[float]]:
    """Other images that a layer cannot tell from these, found from noise: images, and the objective at each step.

    The objective is :func:`mismatch` plus ``smooth`` times :func:`total_variation`. Source: Mahendran & Vedaldi,
    arXiv:1412.0035, sections 2 and 3 (with beta = 2, and Adam in place of their momentum).
    """
    with torch.no_grad():
        target = activations(model, images, layer)[layer]
    noise = 0.1 * torch.randn(images.shape, generator=generator).to(images)
    return descend(
        lambda x: mismatch(model, x, layer, target) + smooth * total_variation(x), noise, steps=steps, rate=rate
    )


def maximize(
    model: nn.Module,
    images: Tensor,
    classes: Tensor | int,
    *,
    decay: float = 0.0,
    smooth: float = 0.0,
    jitter: int = 0,
    steps: int = 200,
    rate: float = 0.1,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, list[float]]:
    """Change images until the net is as sure of ``classes`` as it can be: images, and the objective at each step.

    The objective is minus the score, plus ``decay`` times the squared length of the image (Simonyan et al., section 2), plus
    ``smooth`` times :func:`total_variation`. With ``jitter`` the image is moved by up to so many pixels, anew at each step.
    """

    def objective(x: Tensor) -> Tensor:
        if jitter:
            moves = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
            x = x.roll(moves, (2, 3))
        return decay * x.square().sum() + smooth * total_variation(x) - scores(model, x, classes).sum()

    return descend(objective, images, steps=steps, rate=rate)


# --- judges ---


def randomized(model: nn.Module, generator: torch.Generator | None = None) -> Iterator[tuple[str, nn.Module]]:
    """The net with its layers made random one after the other, from the last down: pairs of a layer's name and the net.

    A layer with weights gets He's first weights and biases of zero, its batch norm what an untrained one has. It is one copy
    of the model that changes from pair to pair: use it before you ask for the next. Source: the cascading randomization of
    Adebayo et al., arXiv:1810.03292, section 4.1.
    """
    model = copy.deepcopy(model)
    for name, module in reversed(list(steps(model))):
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            module.reset_running_stats()
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            yield name, model


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's correlation of two batches of maps, image by image: ``(B, ...)`` twice to ``(B,)``, from -1 to 1.

    Equal values share the mean of their ranks. A map that is constant says nothing, and correlates with nothing: 0.
    """
    if a.shape != b.shape:
        raise ValueError(f"maps of shape {tuple(a.shape)} and {tuple(b.shape)} have no ranks in common.")
    x, y = (_ranks(maps.flatten(1)) for maps in (a, b))
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    lengths = (x.square().sum(1) * y.square().sum(1)).sqrt()
    return torch.where(lengths > 0, (x * y).sum(1) / lengths.clamp(min=1e-12), 0.0)


def _ranks(rows: Tensor) -> Tensor:
    ordered = rows.sort(1).values.contiguous()
    below, upto = (torch.searchsorted(ordered, rows.contiguous(), right=right) for right in (False, True))
    return (below + upto).double() / 2


def points_at(maps: Tensor, masks: Tensor) -> Tensor:
    """The pointing game: is a map's largest value inside the mask? ``(B, H, W)`` twice to ``(B,)``, 1 or 0.

    Where several pixels share the largest value, the share of them that is inside: what one of them, drawn by lot, would
    score. A constant map scores the mask's share of the area. Source: Zhang et al., arXiv:1608.00507, section 4.2.
    """
    largest = maps == maps.amax((1, 2), keepdim=True)
    return (largest & masks).sum((1, 2)) / largest.sum((1, 2))


def mass_inside(maps: Tensor, masks: Tensor) -> Tensor:
    """The share of a map's positive values, added up, that lies inside the mask: ``(B,)``. Of an empty map, the mask's area."""
    positive = maps.clamp(min=0)
    positive = torch.where(positive.sum((1, 2), keepdim=True) > 0, positive, 1.0)
    return (positive * masks).sum((1, 2)) / positive.sum((1, 2))


# --- pictures to judge by ---

STAMP = 5  # pixels along a side
COLORS = ((220, 40, 40), (40, 180, 60), (50, 80, 230))  # red, green, blue


def stamped(images: Tensor, colors: Tensor) -> Tensor:
    """Uint8 images ``(B, 3, H, W)`` with a small square in the upper left corner: red, green or blue, by ``colors`` ``(B,)``."""
    images = images.clone()
    images[:, :, :STAMP, :STAMP] = torch.tensor(COLORS, dtype=torch.uint8)[colors][:, :, None, None]
    return images


def stamps(images: Tensor) -> Tensor:
    """Where the stamp is: bool ``(B, H, W)``."""
    masks = torch.zeros(len(images), *images.shape[2:], dtype=torch.bool)
    masks[:, :STAMP, :STAMP] = True
    return masks


def two_objects(pictures: Pictures, count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """``count`` pictures with an object of each of two: pairs of different classes whose boxes are apart, drawn by lot.

    Returns:
        images uint8 ``(N, 3, H, W)``, masks bool ``(N, 2, H, W)`` and labels ``(N, 2)`` of the two objects; N is less than
        ``count`` where so many pairs were not found.
    """
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randint(len(pictures), (2, 100 * count), generator=generator)
    first, second = pictures.boxes[a], pictures.boxes[b]
    apart = ((first[:, 2:] < second[:, :2]) | (second[:, 2:] < first[:, :2])).any(1)
    fits = (apart & (pictures.labels[a] != pictures.labels[b])).nonzero()[:count, 0]
    a, b = a[fits], b[fits]
    images = torch.where(pictures.masks[b][:, None], pictures.images[b], pictures.images[a])
    masks, labels = (torch.stack([part[a], part[b]], 1) for part in (pictures.masks, pictures.labels))
    return images, masks, labels
