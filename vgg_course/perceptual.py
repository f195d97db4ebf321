"""Pictures judged, and made, by the values of a net: Gram matrices, style transfer, perceptual loss.

    eye = Eye(net, card.mean, card.std)
    paint(eye, noise(64), style=draw_style("mosaic", 64))                          # a texture
    paint(eye, picture, content=picture, style=draw_style("swirls", 64))           # style transfer

After Gatys, Ecker & Bethge, arXiv:1508.06576 (CVPR 2016). What the paper calls "conv4_2" are the values behind that layer's
ReLU: its gradients (equations 2 and 6) are zero where a value is, and the first author's code takes them there. So layers
here are named ``relu4_2``.

Pictures are ``(B, 3, H, W)``, RGB from 0 (black) to 1. Losses are shares: 1 is as far off as a black canvas of values, 0
is a perfect match, whatever the layer, the net or the size. The paper has other constants; :func:`style_loss` says which.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course.activations import activations

STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT = ("relu4_2",)
STYLES = ("mosaic", "stripes", "strokes", "swirls")
OPTIMIZERS = ("L-BFGS", "Adam")
POOLS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class Eye:
    """A net to look through: ``eye(pictures, "relu1_1", ...)`` gives what its layers put out. Gradients reach the pictures.

    It has a copy of the net whose weights want no gradients, which saves half of the work backward.

    Args:
        net: any VGG that :func:`vgg_course.activations.activations` can name the layers of.
        mean, std: of each channel, by which the net's images were normalized; pictures go from 0 to 1.
        pool: ``"max"``, or ``"average"`` to put average pools in the place of all max pools.

    Raises:
        ValueError: there is no such pool, or mean and std are not one positive number a channel.
    """

    def __init__(self, net: nn.Module, mean: Sequence[float], std: Sequence[float], pool: str = "max") -> None:
        if pool not in POOLS:
            raise ValueError(f"pool is {pool!r}; it can be {' or '.join(POOLS)}.")
        self.mean, self.std = (torch.as_tensor(part, dtype=torch.float32).reshape(-1, 1, 1) for part in (mean, std))
        if self.mean.shape != self.std.shape or not (self.std > 0).all():
            raise ValueError(f"mean is {mean!r} and std is {std!r}; give one number a channel, std above 0.")
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        if pool == "average":
            for place, module in enumerate(self.net.features):
                if isinstance(module, nn.MaxPool2d):
                    self.net.features[place] = nn.AvgPool2d(module.kernel_size, module.stride, module.padding)

    def __call__(self, pictures: Tensor, *layers: str) -> dict[str, Tensor]:
        return activations(self.net, (pictures - self.mean.to(pictures)) / self.std.to(pictures), *layers)


# --- what to compare ---


def gram(values: Tensor) -> Tensor:
    """Gram matrices ``(B, C, C)`` of values ``(B, C, H, W)``: of each two channels the product, as a mean over all places.

    The mean, not the paper's sum: a larger picture of the same texture then has the same matrix.

    Raises:
        ValueError: the values are no batch of maps.
    """
    if values.ndim != 4 or not values.numel():
        raise ValueError(f"values are {tuple(values.shape)}; give what a convolutional layer puts out, (B, C, H, W).")
    flat = values.flatten(2)  # (B, C, places)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def style_loss(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Tensor:
    """How far the Gram matrices of two pictures are apart, a mean over layers: a scalar.

    Of each layer it is the squared distance as a share of the squared length of what is wanted. The paper takes
    ``((G - A) ** 2).sum() / (4 N**2 M**2)`` for N channels and M places, with sums in G and A: that is
    ``(gram(found) - gram(wanted)).square().mean() / 4``, in a net whose weights were scaled so that every channel has the
    mean 1. The share does without such scaling.

    Args:
        found, wanted: values by layer, as an :class:`Eye` gives them; both must have the same layers. Sizes may differ.
    """
    return _mean_share(
        {name: gram(some) for name, some in found.items()}, {n: gram(some) for n, some in wanted.items()}
    )


def content_loss(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Tensor:
    """How far the values themselves are apart, place by place, a mean over layers: a scalar.

    Squared distance as a share of the squared length of what is wanted. With the values of an early layer it is known as
    *perceptual loss* (Johnson, Alahi & Fei-Fei, arXiv:1603.08155).
    """
    return _mean_share(found, wanted)


def _mean_share(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Tensor:
    if list(found) != list(wanted) or not found:
        raise ValueError(f"layers are {', '.join(found) or 'none'} here and {', '.join(wanted) or 'none'} there.")
    for name in found:
        if found[name].shape != wanted[name].shape:
            shapes = " and ".join("x".join(map(str, some[name].shape)) for some in (found, wanted))
            raise ValueError(f"{name}: values of {shapes} cannot be compared; give pictures of one size.")
    shares = [
        (found[name] - wanted[name]).square().sum() / wanted[name].square().sum().clamp(min=1e-30) for name in found
    ]
    return torch.stack(shares).mean()


def total_variation(pictures: Tensor) -> Tensor:
    """The mean step between neighbors, down plus across: a scalar. A flat picture has 0, noise has much.

    Raises:
        ValueError: these are no pictures, or they are a single pixel wide or high.
    """
    if pictures.ndim != 4 or min(pictures.shape[2:]) < 2:
        raise ValueError(f"pictures are {tuple(pictures.shape)}; give (B, C, H, W) with at least 2 pixels each way.")
    down, across = pictures.diff(dim=2), pictures.diff(dim=3)
    return down.abs().mean() + across.abs().mean()


# --- painting ---


@dataclass(frozen=True, eq=False)
class Painting:
    """``picture`` ``(1, 3, H, W)`` from 0 to 1; ``losses``, the whole loss at each look through the net, in order;
    ``parts``, what the finished picture costs, by name and without weights; ``seconds``, wall-clock."""

    picture: Tensor
    losses: list[float]
    parts: dict[str, float]
    seconds: float

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {value:.4f}" for name, value in self.parts.items())
        side = "x".join(map(str, self.picture.shape[2:]))
        return f"Painting: {side}, {len(self.losses)} looks in {self.seconds:.1f} s; {parts}"


def noise(size: int, seed: int = 0) -> Tensor:
    """A picture ``(1, 3, size, size)`` to begin with: gray, with a little noise. A seed is a picture."""
    generator = torch.Generator().manual_seed(seed)
    return (0.5 + 0.02 * torch.randn(1, 3, size, size, generator=generator)).clamp(0, 1)


def paint(
    eye: Callable[..., dict[str, Tensor]],
    start: Tensor,
    *,
    content: Tensor | None = None,
    style: Tensor | None = None,
    style_weight: float = 1.0,
    smoothness: float = 0.0,
    content_layers: Sequence[str] = CONTENT,
    style_layers: Sequence[str] = STYLE,
    steps: int = 60,
    optimizer: str = "L-BFGS",
    learning_rate: float = 0.03,
) -> Painting:
    """Change the pixels of ``start`` until the net sees this content in that style.

    The loss is ``content_loss + style_weight * style_loss + smoothness * total_variation``, each part if it was asked for.

    Args:
        eye: what to look through.
        start: a picture ``(1, 3, H, W)``, such as ``noise(64)`` or the content itself; it stays as it is.
        content: a picture of the same size whose things should stay where they are.
        style: a picture of any size whose texture is wanted.
        style_weight, smoothness: weights of the second and the third part.
        content_layers, style_layers: where the two are compared.
        steps: how often the net is looked through, forward and backward. L-BFGS may need a few more to end its line.
        optimizer: ``"L-BFGS"`` or ``"Adam"``.
        learning_rate: of Adam; L-BFGS searches along a line instead.

    Equal arguments give equal paintings. Pixels may leave the range while it paints; the result is clipped to 0 and 1, and
    ``parts`` are those of the clipped picture.

    Raises:
        ValueError: nothing is wanted, a picture is none, a weight is negative, or steps or optimizer make no sense.
    """
    _sensible(start, content, style, style_weight, smoothness, steps, optimizer)
    with torch.no_grad():
        things = eye(content, *content_layers) if content is not None else {}
        texture = eye(style, *style_layers) if style is not None else {}
    weights = {"content": 1.0, "style": style_weight, "variation": smoothness}

    def parts_of(picture: Tensor) -> dict[str, Tensor]:
        seen = eye(picture, *dict.fromkeys((*things, *texture))) if things or texture else {}
        parts = {}
        if things:
            parts["content"] = content_loss({name: seen[name] for name in things}, things)
        if texture:
            parts["style"] = style_loss({name: seen[name] for name in texture}, texture)
        if smoothness:
            parts["variation"] = total_variation(picture)
        return parts

    canvas, losses, began = start.detach().clone().requires_grad_(), [], time.perf_counter()
    if optimizer == "Adam":
        hand, calls = torch.optim.Adam([canvas], learning_rate), steps
    else:
        # strong_wolfe needs no learning rate; tolerances of 0: it ends when the looks are used up
        options = {"max_iter": steps, "max_eval": steps, "line_search_fn": "strong_wolfe"}
        hand, calls = torch.optim.LBFGS([canvas], tolerance_grad=0, tolerance_change=0, **options), 1

    def look() -> Tensor:
        hand.zero_grad()
        loss = sum(weights[name] * part for name, part in parts_of(canvas).items())
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in range(calls):
        hand.step(look)
    picture = canvas.detach().clamp(0, 1)
    with torch.no_grad():
        parts = {name: part.item() for name, part in parts_of(picture).items()}
    return Painting(picture, losses, parts, time.perf_counter() - began)


def _sensible(start, content, style, style_weight, smoothness, steps, optimizer) -> None:
    if content is None and style is None:
        raise ValueError("nothing is wanted; give a picture as content, as style, or both.")
    for name, picture in (("start", start), ("content", content), ("style", style)):
        if picture is None:
            continue
        if not isinstance(picture, Tensor) or not picture.is_floating_point():
            what = picture.dtype if isinstance(picture, Tensor) else type(picture).__name__
            raise ValueError(f"{name} is {what}; give a floating-point picture from 0 to 1 (uint8: divide by 255).")
        if picture.ndim != 4 or len(picture) != 1:
            raise ValueError(f"{name} is {tuple(picture.shape)}; give a single picture as a batch, (1, 3, H, W).")
    if content is not None and content.shape != start.shape:
        shapes = f"{tuple(start.shape)} and {tuple(content.shape)}"
        raise ValueError(f"start and content are {shapes}; content is compared place by place, so they must be alike.")
    for name, weight in (("style_weight", style_weight), ("smoothness", smoothness)):
        if not 0 <= weight < math.inf:
            raise ValueError(f"{name} is {weight!r}; it must be a number of at least 0.")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps is {steps!r}; it must be a whole number of at least 1.")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer is {optimizer!r}; it can be {' or '.join(OPTIMIZERS)}.")


# --- pictures to take a style from, drawn by code ---


def draw_style(name: str, size: int = 96, seed: int = 0) -> Tensor:
    """A picture ``(1, 3, size, size)`` whose every part looks like every other: one of ``STYLES``. A seed is a picture.

    Raises:
        ValueError: there is no such style.
    """
    if name not in STYLES:
        raise ValueError(f"style is {name!r}; it can be {', '.join(STYLES)}.")
    generator = torch.Generator().manual_seed(seed)
    axis = (torch.arange(size) + 0.5) / 96  # in units of 96 pixels: a larger picture shows more, not larger things
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    draw = {"mosaic": _mosaic, "stripes": _stripes, "strokes": _strokes, "swirls": _swirls}[name]
    return draw(x, y, generator).clamp(0, 1)[None]


WARM = torch.tensor([(0.85, 0.25, 0.15), (0.95, 0.65, 0.2), (0.98, 0.9, 0.6), (0.6, 0.15, 0.25)])
COOL = torch.tensor([(0.1, 0.2, 0.5), (0.15, 0.4, 0.7), (0.5, 0.75, 0.85), (0.95, 0.85, 0.4)])


def _mosaic(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Tiles around points, each of one color, with dark joints."""
    side = float(x.max())
    count = round(110 * side**2)
    points = side * torch.rand(count, 2, generator=generator)
    colors = torch.cat([WARM, COOL])[torch.randint(8, (count,), generator=generator)]
    far = ((x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2).sqrt()  # (H, W, count)
    near = far.topk(2, largest=False)
    joint = ((near.values[..., 1] - near.values[..., 0]) * 96 / 2).clamp(0, 1)  # half a pixel from the middle: no color
    return (colors[near.indices[..., 0]] * joint[..., None] + 0.12 * (1 - joint[..., None])).permute(2, 0, 1)


def _stripes(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Slanting bands of four colors with a soft wobble."""
    angle, phase = torch.rand(2, generator=generator)
    angle = 0.5 + 0.5 * angle
    along = x * angle.cos() + y * angle.sin()
    across = y * angle.cos() - x * angle.sin()
    band = (9 * along + 0.25 * torch.sin(12 * across + 6 * phase) + phase) % 4
    near = (1 - (band[..., None] - torch.arange(5)).abs() * 3 + 1).clamp(0, 1)  # 1 at a band's middle, soft edges
    colors = torch.cat([COOL, COOL[:1]])
    return (near @ colors / near.sum(-1, keepdim=True)).permute(2, 0, 1)


def _strokes(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Short brush strokes over one another, most of them slanting the same way."""
    side = float(x.max())
    canvas = WARM[1][:, None, None].expand(3, *x.shape).clone()
    for _ in range(round(420 * side**2)):
        cx, cy, lean, length, shade = torch.rand(5, generator=generator)
        cx, cy, angle = cx * side, cy * side, 0.6 + 0.9 * (lean - 0.5)
        along = (x - cx) * angle.cos() + (y - cy) * angle.sin()
        across = (y - cy) * angle.cos() - (x - cx) * angle.sin()
        off = ((along.abs() - 0.03 - 0.04 * length).clamp(min=0) ** 2 + across**2).sqrt()
        cover = ((0.017 - off) * 96 + 0.5).clamp(0, 1)
        color = WARM[torch.randint(4, (1,), generator=generator)[0]] * (0.8 + 0.35 * shade)
        bristles = 0.06 * torch.sin(500 * across + 9 * length)
        canvas = torch.lerp(canvas, color[:, None, None] + bristles, cover)
    return canvas


def _swirls(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Bands that turn around a few points, as water does."""
    side = float(x.max())
    for cx, cy, turn, width in torch.rand(round(7 * max(side, 0.6) ** 2), 4, generator=generator):
        dx, dy = x - cx * side, y - cy * side
        angle = 3.5 * (turn - 0.5).sign() * torch.exp(-(dx**2 + dy**2).sqrt() / (0.09 + 0.06 * width))
        x, y = cx * side + dx * angle.cos() - dy * angle.sin(), cy * side + dx * angle.sin() + dy * angle.cos()
    shade = 0.5 + 0.5 * torch.sin(50 * y + 4 * torch.sin(9 * x))
    bright = (0.5 + 0.5 * torch.sin(17 * x + 23 * y)) ** 3
    canvas = torch.lerp(COOL[0][:, None, None], COOL[2][:, None, None], shade)
    return torch.lerp(canvas, COOL[3][:, None, None], 0.8 * bright * shade)


# --- from small to large ---


class Enlarger(nn.Module):
    """Pictures ``(B, 3, H, W)`` to ``(B, 3, factor * H, factor * W)``: bicubic, plus what a few convolutions add to it.

    Three convolutions look at the small picture. Then their maps are enlarged as smoothly as a picture would be, and two more
    convolutions make colors of them. Or, with ``shuffle``, channels become pixels at once (Shi et al., arXiv:1609.05158):
    each of the factor x factor places in a cell then has filters of its own, which nothing ties together.

    The last layer begins with zeros: at first this *is* bicubic enlarging.
    """

    def __init__(self, factor: int = 4, width: int = 32, seed: int = 0, shuffle: bool = False) -> None:
        super().__init__()
        self.factor = factor
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
            if shuffle:
                last = nn.Conv2d(width, 3 * factor**2, 3, padding=1)
                layers += [last, nn.PixelShuffle(factor)]
            else:
                last, half = nn.Conv2d(width // 2, 3, 3, padding=1), width // 2
                layers += [nn.Conv2d(width, half, 3, padding=1), nn.Upsample(scale_factor=factor, mode="bilinear")]
                layers += [nn.Conv2d(half, half, 3, padding=1), nn.ReLU(), last]
            self.layers = nn.Sequential(*layers)
        for part in last.parameters():
            nn.init.zeros_(part)

    def forward(self, small: Tensor) -> Tensor:
        return enlarge(small, self.factor) + self.layers(small - 0.5)


def shrink(pictures: Tensor, factor: int = 4) -> Tensor:
    """Every ``factor`` x ``factor`` square becomes its mean."""
    return functional.avg_pool2d(pictures, factor)


def enlarge(small: Tensor, factor: int = 4) -> Tensor:
    """Bicubic."""
    return functional.interpolate(small, scale_factor=factor, mode="bicubic", align_corners=False)


def teach(
    enlarger: Enlarger, pictures: Tensor, loss: Callable, *, steps: int, batch: int = 32, seed: int = 0
) -> list[float]:
    """Train an enlarger in place to undo :func:`shrink`; returns the loss of every step.

    Args:
        pictures: ``(N, 3, H, W)`` from 0 to 1, what it should arrive at.
        loss: of two batches of pictures, what came out and what was wanted; a scalar.
        seed: of the order and the mirroring. The same seed shows two nets the same pictures.
    """
    generator = torch.Generator().manual_seed(seed)
    hand = torch.optim.Adam(enlarger.parameters(), 2e-3)
    falling = torch.optim.lr_scheduler.LinearLR(hand, 1.0, 0.02, steps)
    losses = []
    for _ in range(steps):
        wanted = pictures[torch.randint(len(pictures), (batch,), generator=generator)]
        if torch.rand((), generator=generator) < 0.5:
            wanted = wanted.flip(3)
        hand.zero_grad()
        cost = loss(enlarger(shrink(wanted, enlarger.factor)), wanted)
        cost.backward()
        hand.step()
        falling.step()
        losses.append(cost.item())
    return losses


def psnr(found: Tensor, wanted: Tensor) -> float:
    """Peak signal-to-noise ratio in decibels, a mean over pictures from 0 to 1: 20 is an error of a tenth, 40 of a hundredth."""
    errors = (found.clamp(0, 1) - wanted).square().mean((1, 2, 3))
    return float((-10 * errors.clamp(min=1e-10).log10()).mean())
