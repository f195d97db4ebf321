"""Small pictures drawn by code: airplanes, automobiles and birds in varied pose, color, light and surroundings.

They stand in for CIFAR-10 where there is no network, and they come with what photographs lack: the exact box and mask
of the object. A class is told by its shape: every kind of background and every color occurs with every class.

How: a shape is a *signed distance*, a number for every pixel that is negative inside. Minimum joins two shapes, and the
distance itself tells how much of a pixel is covered, so that edges are smooth. All images of a batch are drawn at once;
``x`` and ``y`` are ``(B, H, W)`` in the object's own frame, where it lies about between -1 and 1 and faces right.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

CLASSES = ("airplane", "automobile", "bird")
CHUNK = 128  # images drawn at once: few enough that intermediate results stay in the CPU's cache


@dataclass(frozen=True, eq=False)
class Pictures:
    """What was drawn, in order of class.

    ``images`` uint8 ``(N, 3, size, size)``, ``labels`` int64 ``(N,)``, ``masks`` bool ``(N, size, size)``: the object's
    visible pixels, ``boxes`` int64 ``(N, 4)``: their x0, y0, x1, y1, where x1 and y1 are one past the last pixel.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor
    boxes: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Pictures: {len(self):,} drawn images of {', '.join(CLASSES)}"


def draw(per_class: int, seed: int = 0, size: int = 32, scale: tuple[float, float] = (0.55, 0.95)) -> Pictures:
    """Draw ``per_class`` images of every class. The same arguments give the same pictures.

    Args:
        per_class: how many of each.
        seed: of all chance.
        size: height and width in pixels.
        scale: the smallest and the largest object: about its length over the picture's side. The smaller an object, the
            farther from the middle it may lie.

    Raises:
        ValueError: a count below 1, fewer than 8 pixels along a side, or scales that are not from above 0 to 1, in order.
    """
    for name, value, least in (("per_class", per_class, 1), ("size", size, 8)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
    if not 0 < scale[0] <= scale[1] <= 1:
        raise ValueError(f"scale is {scale!r}; it must be a smallest and a largest share, above 0 and at most 1.")
    chance = _Chance(seed)
    with _one_thread():
        parts = [
            _paint(painter, min(CHUNK, per_class - start), size, scale, chance)
            for painter in (_airplane, _automobile, _bird)
            for start in range(0, per_class, CHUNK)
        ]
    images, masks = (torch.cat(part) for part in zip(*parts, strict=True))
    labels = torch.arange(len(CLASSES)).repeat_interleave(per_class)
    return Pictures(images, labels, masks, _boxes(masks))


def scenes(per_class: int, seed: int = 0, size: int = 48, scale: tuple[float, float] = (0.35, 0.75)) -> Pictures:
    """One object at any place and of any size on smooth, light ground: pictures to find something in.

    Objects that something hid altogether are left out, so there are at times a few less than ``per_class`` of a class. The
    arguments are those of :func:`draw`.
    """
    drawn, generator = draw(per_class, seed, size, scale), torch.Generator().manual_seed(seed)
    corners = 0.55 + 0.35 * torch.rand(len(drawn), 3, 2, 2, generator=generator)
    smooth = torch.nn.functional.interpolate(corners, (size, size), mode="bilinear")
    ground = smooth + 0.03 * torch.randn(smooth.shape, generator=generator)
    ground = (ground.clamp(0, 1) * 255).round().to(torch.uint8)
    images = torch.where(drawn.masks[:, None], drawn.images, ground)
    seen = drawn.masks.flatten(1).any(1)
    return Pictures(images[seen], drawn.labels[seen], drawn.masks[seen], drawn.boxes[seen])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Thousands of small operations: threads would spend more time waiting for one another than working."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Chance:
    """Random numbers for a batch, shaped ``(B, 1, 1)`` so that they spread over pixels."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, batch: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(batch, 1, 1, generator=self.generator)

    def yes(self, batch: int, probability: float) -> Tensor:
        return self.uniform(batch) < probability

    def color(self, batch: int, palette: list[tuple[float, float, float]], spread: float = 0.12) -> Tensor:
        """One of the palette, varied: ``(B, 3, 1, 1)``."""
        pick = torch.randint(len(palette), (batch,), generator=self.generator)
        varied = spread * torch.randn(batch, 3, generator=self.generator)
        return (torch.tensor(palette)[pick] + varied).clamp(0, 1)[:, :, None, None]

    def noise(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)


# --- shapes: signed distances ---

NOTHING = torch.ones(())  # a shape that is far away from everywhere


def _ellipse(x: Tensor, y: Tensor, cx, cy, rx, ry) -> Tensor:
    u, v = (x - cx) / rx, (y - cy) / ry
    return ((u * u + v * v).sqrt() - 1) * torch.minimum(torch.as_tensor(rx), torch.as_tensor(ry))  # nearly, and cheap


def _capsule(x: Tensor, y: Tensor, ax, ay, bx, by, r0, r1) -> Tensor:
    """A stick from a to b, r0 thick at a and r1 at b."""
    dx, dy = bx - ax, by - ay
    along = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
    return ((x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2).sqrt() - (r0 + along * (r1 - r0))


def _polygon(x: Tensor, y: Tensor, corners: list) -> Tensor:
    """A convex polygon, corners clockwise on the screen (y points down): the farthest of its edges."""
    distance = None
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        ax, ay, bx, by = (torch.as_tensor(v, dtype=torch.float32) for v in (ax, ay, bx, by))
        dx, dy = bx - ax, by - ay
        edge = ((x - ax) * dy - (y - ay) * dx) / (dx * dx + dy * dy).sqrt()
        distance = edge if distance is None else torch.maximum(distance, edge)
    return distance


def _join(*shapes: Tensor) -> Tensor:
    joined = shapes[0]
    for shape in shapes[1:]:
        joined = torch.minimum(joined, shape)
    return joined


# --- the three objects: each returns parts (distance, color, light), painted in order ---

PAINT = [(0.85, 0.1, 0.1), (0.1, 0.25, 0.7), (0.92, 0.92, 0.9), (0.12, 0.12, 0.14), (0.95, 0.75, 0.15), (0.55, 0.58, 0.6),
         (0.15, 0.45, 0.25), (0.5, 0.32, 0.2), (0.9, 0.5, 0.15), (0.35, 0.6, 0.8)]  # fmt: skip
DARK = [(0.08, 0.08, 0.1), (0.15, 0.13, 0.12)]
GLASS = [(0.55, 0.72, 0.82), (0.2, 0.26, 0.32), (0.75, 0.82, 0.85)]
BEAK = [(0.95, 0.65, 0.15), (0.85, 0.4, 0.15), (0.2, 0.18, 0.15)]


def _airplane(x: Tensor, y: Tensor, chance: _Chance) -> list:
    """From the side, or from above; the wings are straight or swept."""
    n = len(x)
    above = chance.yes(n, 0.45)
    thick, sweep = chance.uniform(n, 0.11, 0.19), chance.uniform(n, 0.1, 0.5)
    chord, span = chance.uniform(n, 0.16, 0.3), chance.uniform(n, 0.65, 1.0)
    body = _capsule(x, y, -0.9, 0.0, 0.85, 0.02, thick * 0.45, thick)
    # Both wings mirror each other when seen from above; from the side only the near one is there, foreshortened.
    side = torch.where(above, y.abs(), y)
    reach = torch.where(above, span, span * chance.uniform(n, 0.35, 0.6))
    root, tip = 0.12 + chord, 0.12 - sweep
    wing = _polygon(x, side, [(root, 0.0), (tip + 0.1, reach), (tip - chord * 0.25, reach), (0.08 - chord, 0.0)])
    tail_y = torch.where(above, y.abs(), -y)
    fin_reach = torch.where(above, span * 0.4, chance.uniform(n, 0.38, 0.55))
    fin = _polygon(x, tail_y, [(-0.6, 0.0), (-0.84, fin_reach), (-0.98, fin_reach), (-0.9, 0.0)])
    engine = _capsule(x, side, tip * 0.3, reach * 0.5, tip * 0.3 + 0.28, reach * 0.5, 0.07, 0.08)
    engine = torch.where(chance.yes(n, 0.6), engine, NOTHING)
    windows = torch.maximum((y + 0.03).abs() - 0.035, (x - 0.1).abs() - 0.5)
    windows = torch.where(above, NOTHING, windows)
    cockpit = _ellipse(x, y, 0.78, torch.where(above, 0.0, -0.07), 0.1, thick * 0.5)
    hull, second = chance.color(n, PAINT), chance.color(n, PAINT)
    return [
        (_join(fin, engine), second, 0.95),
        (body, hull, 1.0),
        (wing, torch.where(chance.yes(n, 0.6)[..., None], hull, second), 0.85),
        (_join(windows, cockpit), chance.color(n, GLASS), 1.0),
    ]


def _automobile(x: Tensor, y: Tensor, chance: _Chance) -> list:
    """From the side (sedan, hatchback or van), or from the front."""
    n = len(x)
    front = chance.yes(n, 0.3)
    paint, glass, dark = chance.color(n, PAINT), chance.color(n, GLASS), chance.color(n, DARK, 0.04)
    half = torch.where(front, chance.uniform(n, 0.6, 0.72), chance.uniform(n, 0.85, 1.0))
    floor, belt = chance.uniform(n, 0.3, 0.4), chance.uniform(n, -0.1, 0.04)
    roof = belt - chance.uniform(n, 0.3, 0.5)
    hull = torch.maximum(x.abs() - half, (y - (floor + belt) / 2).abs() - (floor - belt) / 2)
    back, nose = chance.uniform(n, -0.95, -0.6) * half, chance.uniform(n, 0.3, 0.6) * half
    back, nose = torch.where(front, -0.82 * half, back), torch.where(front, 0.82 * half, nose)
    rear_slope, slope = chance.uniform(n, 0.02, 0.25), chance.uniform(n, 0.15, 0.35)
    rear_slope, slope = torch.where(front, 0.14, rear_slope), torch.where(front, 0.14, slope)
    cabin = _polygon(x, y, [(back, belt + 0.1), (back + rear_slope, roof), (nose - slope, roof), (nose, belt + 0.1)])
    pane = torch.maximum(cabin + 0.08, (y - belt + 0.02))
    pillar = (x - (back + nose) / 2).abs() - 0.05
    pane = torch.where(front, pane, torch.maximum(pane, -pillar))
    radius = chance.uniform(n, 0.17, 0.25)
    axle = torch.where(front, half * 0.78, half * chance.uniform(n, 0.55, 0.68))
    tyre = _ellipse(x.abs(), y, axle, floor, torch.where(front, 0.12, radius), radius)
    rim = torch.where(front, NOTHING, _ellipse(x.abs(), y, axle, floor, radius * 0.5, radius * 0.5))
    lamp_x = torch.where(front, x.abs(), x)
    lamp = _ellipse(lamp_x, y, half * torch.where(front, 0.75, 0.95), belt + 0.14, 0.1, 0.07)
    grille = torch.maximum(x.abs() - half * 0.45, (y - belt - 0.2).abs() - 0.06)
    grille = torch.where(front, grille, NOTHING)
    shadow = _ellipse(x, y, 0.0, floor + radius * 0.9, half * 1.05, 0.1)
    light = torch.tensor((1.0, 0.95, 0.7))[:, None, None].expand(n, 3, 1, 1)
    return [
        (shadow, dark * 0.6, None),  # None: a shadow, no part of the object
        (torch.where(front, tyre, NOTHING), dark, 1.0),
        (_join(hull, cabin), paint, 1.0),
        (pane, glass, 1.0),
        (lamp, light, 1.0),
        (grille, dark, 1.0),
        (torch.where(front, NOTHING, tyre), dark, 1.0),
        (rim, chance.color(n, [(0.75, 0.75, 0.78), (0.4, 0.4, 0.42)]), 1.0),
    ]


def _bird(x: Tensor, y: Tensor, chance: _Chance) -> list:
    """Perched or standing with folded wings, or flying with wings up or down."""
    n = len(x)
    flying = chance.yes(n, 0.45)
    feathers, second = chance.color(n, PAINT), chance.color(n, PAINT)
    belly = torch.where(chance.yes(n, 0.5)[..., None], feathers, second)
    long, fat = chance.uniform(n, 0.42, 0.55), chance.uniform(n, 0.24, 0.36)
    fat = torch.where(flying, fat * 0.65, fat)
    tilt = torch.where(flying, 0.0, chance.uniform(n, 0.1, 0.6))
    u, v = x * tilt.cos() - y * tilt.sin(), x * tilt.sin() + y * tilt.cos()  # a sitting bird holds its chest up
    body = _ellipse(u, v, 0.0, 0.0, long, fat)
    tail_length = chance.uniform(n, 0.25, 0.55)
    tail = _polygon(
        u, v, [(-long + 0.2, -0.1), (-long + 0.2, 0.1), (-long - tail_length, 0.14), (-long - tail_length, -0.04)]
    )
    head_size = chance.uniform(n, 0.17, 0.25)
    neck = chance.uniform(n, 0.0, 0.3)
    hx, hy = long * 0.85 + neck * 0.4, -fat * 0.6 - neck * torch.where(flying, 0.1, 0.8)
    head = _ellipse(u, v, hx, hy, head_size, head_size)
    throat = _capsule(u, v, long * 0.5, -0.05, hx, hy, fat * 0.6, head_size * 0.7)
    beak_length = chance.uniform(n, 0.15, 0.38)
    beak = _polygon(
        u,
        v,
        [
            (hx + head_size * 0.7, hy - 0.08),
            (hx + head_size + beak_length, hy + 0.03),
            (hx + head_size * 0.7, hy + 0.09),
        ],
    )
    eye = _ellipse(u, v, hx + head_size * 0.35, hy - head_size * 0.2, 0.05, 0.05)
    raise_, sweep, span = chance.uniform(n, -0.35, 1.0), chance.uniform(n, 0.0, 0.35), chance.uniform(n, 0.6, 0.95)

    def spread_wing(lean: Tensor | float, down: Tensor) -> Tensor:
        """An arm up to the wrist, then the hand: thick at the shoulder, pointed at the tip."""
        wx, wy = 0.12 + lean, down * span * 0.55
        arm = _capsule(u, v, 0.08, 0.0, wx, wy, fat * 0.95, 0.13)
        hand = _capsule(u, v, wx, wy, wx - 0.25 - sweep, wy + down.sign() * span * 0.5, 0.14, 0.02)
        return torch.minimum(arm, hand)

    up = -raise_.abs() - 0.3
    other = torch.where(raise_ < 0.45, -up * 0.9, up * 0.7)  # below the body, or behind the first wing
    spread = torch.minimum(
        spread_wing(lean=0.0, down=up.clamp(min=-1)), spread_wing(lean=chance.uniform(n, -0.1, 0.3), down=other)
    )
    folded = _ellipse(u + v * 0.25, v, -0.12, -0.02, long * 0.72, fat * 0.62)
    legs = torch.minimum(
        _capsule(x, y, -0.05, fat * 0.7, -0.1, fat + 0.3, 0.03, 0.03),
        _capsule(x, y, 0.12, fat * 0.7, 0.1, fat + 0.3, 0.03, 0.03),
    )
    legs = torch.where(flying, NOTHING, legs)
    bill = chance.color(n, BEAK)
    return [
        (legs, bill * 0.8, 1.0),
        (tail, second, 0.9),
        (_join(body, throat), belly, 1.0),
        (head, feathers, 1.0),
        (torch.where(flying, spread, folded), feathers, 0.82),
        (beak, bill, 1.0),
        (eye, torch.full((n, 3, 1, 1), 0.05), 1.0),
    ]


# --- the picture around the object ---

SKY = [
    (0.45, 0.65, 0.92),
    (0.75, 0.85, 0.95),
    (0.95, 0.75, 0.55),
    (0.6, 0.62, 0.68),
    (0.25, 0.4, 0.7),
    (0.93, 0.94, 0.95),
]
GROUND = [(0.35, 0.5, 0.2), (0.45, 0.45, 0.46), (0.6, 0.5, 0.35), (0.25, 0.35, 0.2), (0.8, 0.78, 0.74), (0.3, 0.4, 0.5)]


def _paint(painter, n: int, size: int, scales: tuple[float, float], chance: _Chance) -> tuple[Tensor, Tensor]:
    """``n`` pictures ``(n, 3, size, size)`` uint8 by one painter, and the masks of their objects."""
    axis = (torch.arange(size) + 0.5) / size * 2 - 1  # pixel centers, from -1 to 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    canvas = _background(x, y, n, chance)
    scale = chance.uniform(n, *scales)
    soft = 2 / size / scale  # a pixel, in the object's own units
    covered = torch.zeros(n, size, size)
    for distance, color, light in painter(*_own_frame(x, y, n, scale, painter is not _automobile, chance), chance):
        cover = (0.5 - distance / soft).clamp(0, 1)
        if light is None:
            canvas = torch.lerp(canvas, color, 0.6 * cover[:, None])
            continue
        shade = light * (1 - 0.25 * y)[None, None]  # light falls from above
        canvas = torch.lerp(canvas, (color * shade).clamp(0, 1), cover[:, None])
        covered = torch.maximum(covered, cover)
    canvas, covered = _occlude(canvas, covered, x, y, n, chance)
    return _photograph(canvas, n, size, chance), covered > 0.5


def _own_frame(x: Tensor, y: Tensor, n: int, scale: Tensor, turns: bool, chance: _Chance) -> tuple[Tensor, Tensor]:
    """Pixel coordinates as the object sees them: moved, turned, scaled, sometimes mirrored."""
    room = (1 - scale) * 0.8 + 0.05
    x = x - room * chance.uniform(n, -1, 1)
    y = y - room * chance.uniform(n, -1, 1)
    angle = chance.uniform(n, -0.65, 0.65) if turns else chance.uniform(n, -0.12, 0.12)
    facing = torch.where(chance.yes(n, 0.5), 1.0, -1.0)
    u, v = (x * angle.cos() + y * angle.sin()) * facing, -x * angle.sin() + y * angle.cos()
    return u / scale / chance.uniform(n, 0.85, 1.1), v / scale  # and sometimes seen a little from the front


def _background(x: Tensor, y: Tensor, n: int, chance: _Chance) -> Tensor:
    """Sky above ground with a soft horizon (or sky alone, or ground alone), clouds and a few upright things."""
    top, bottom, ground = chance.color(n, SKY), chance.color(n, SKY), chance.color(n, GROUND)
    sky = torch.lerp(top, bottom, ((y + 1) / 2)[None, None])
    horizon = chance.uniform(n, -1.5, 1.9)
    below = ((y - horizon) * 12 + 0.5).clamp(0, 1)[:, None]
    canvas = torch.lerp(sky, ground * (0.85 + 0.15 * y), below)
    cloud = torch.nn.functional.interpolate(chance.noise(n, 1, 5, 5), size=x.shape, mode="bicubic", align_corners=False)
    canvas = canvas + 0.13 * chance.uniform(n, 0, 1)[:, None] * cloud
    for _ in range(2):  # houses, trunks, masts
        left, wide = chance.uniform(n, -1.3, 1), chance.uniform(n, 0.04, 0.6)
        upright = (x > left) & (x < left + wide) & (y > chance.uniform(n, -0.8, 0.6)) & (y < horizon + 0.1)
        upright &= chance.yes(n, 0.35)
        canvas = torch.where(upright[:, None], chance.color(n, GROUND) * chance.uniform(n, 0.6, 1.1)[:, None], canvas)
    return canvas.clamp(0, 1)


def _occlude(canvas: Tensor, covered: Tensor, x: Tensor, y: Tensor, n: int, chance: _Chance) -> tuple[Tensor, Tensor]:
    """A branch, a pole or a blade of grass before one object in three."""
    at, lean, thick = chance.uniform(n, -0.8, 0.8), chance.uniform(n, -3, 3), chance.uniform(n, 0.03, 0.13)
    steep = chance.yes(n, 0.5)
    off = torch.where(steep, x - at - 0.2 * lean * y, y - at - 0.2 * lean * x).abs()
    cover = ((thick - off) * len(x) / 2 + 0.5).clamp(0, 1) * chance.yes(n, 0.33)
    return torch.lerp(canvas, chance.color(n, GROUND) * 0.8, cover[:, None]), covered * (1 - cover)


def _photograph(canvas: Tensor, n: int, size: int, chance: _Chance) -> Tensor:
    """What a cheap camera does: exposure, contrast, a little blur, noise; then 8 bits."""
    blurred = torch.nn.functional.avg_pool2d(canvas, 3, 1, 1, count_include_pad=False)
    canvas = torch.lerp(canvas, blurred, chance.uniform(n, 0, 0.7)[:, None])
    contrast, exposure = chance.uniform(n, 0.5, 1.15)[:, None], chance.uniform(n, -0.15, 0.15)[:, None]
    canvas = (canvas - 0.5) * contrast + 0.5 + exposure
    canvas = canvas + chance.uniform(n, 0.01, 0.07)[:, None] * chance.noise(n, 3, size, size)
    return (canvas.clamp(0, 1) * 255).round().to(torch.uint8)


def _boxes(masks: Tensor) -> Tensor:
    """The smallest box around each mask; all zero where the object is hidden altogether."""

    def ends(seen: Tensor) -> tuple[Tensor, Tensor]:  # (N, size) bool: first, and one past the last
        seen = seen.byte()
        last = seen.shape[1] - seen.flip(1).argmax(1)
        return seen.argmax(1), last * seen.amax(1)

    (x0, x1), (y0, y1) = ends(masks.any(1)), ends(masks.any(2))
    return torch.stack([x0, y0, x1, y1], 1)


# --- two marks at a distance ---

GROUND_LEVEL, DARK_MARK, BRIGHT_MARK = 128, 28, 228
MARK_HEIGHT = 3  # pixels; a mark is one pixel wide


@dataclass(frozen=True, eq=False)
class TwoMarks:
    """Images whose label takes two marks ``distance`` pixels apart to tell.

    ``images`` uint8 ``(N, 1, size, size)``, ``labels`` int64 ``(N,)``: 0 where partners differ, 1 where they are alike,
    ``corners`` int64 ``(N, 2, 2)``: row and column of the top pixel of the left mark, for the upper and the lower pair.
    """

    images: Tensor
    labels: Tensor
    corners: Tensor
    distance: int

    @property
    def needed(self) -> int:
        """The smallest receptive field, in pixels, in which both marks of a pair fit."""
        return self.distance + 1

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"TwoMarks: {len(self):,} images, partners {self.distance} pixels apart"


def two_marks(count: int, distance: int = 6, seed: int = 0, size: int | None = None) -> TwoMarks:
    """Images with two pairs of marks; the label says whether the partners in a pair are alike, both bright or both dark.

    Nothing smaller than a window over both marks of a pair can tell, because

    * every image holds two bright and two dark marks: alike means one bright and one dark pair, different means two
      mixed pairs. Averaging what small windows see, each with one mark at most, gives the same for all images;
    * every layout comes in four versions, both labels and both of them with bright and dark exchanged, so that no pixel
      tells anything about the label;
    * the two pairs, and the marks and the border, are ``distance`` pixels apart: no smaller window sees a mark and where
      it stands;
    * there is no noise: windows that share a noisy pixel between the marks would have something in common.

    Args:
        count: images, a multiple of 4. Layouts do not repeat: a part of the images shares none with the rest if it is
            cut at a multiple of 4.
        distance: columns from one mark to its partner.
        seed: which layouts are drawn, and in which order.
        size: height and width in pixels; None takes ``3 * distance + 10``.

    Raises:
        ValueError: an argument is out of range, or there are not that many layouts.
    """
    if size is None and isinstance(distance, int):
        size = 3 * distance + 10
    least = 3 * distance + 2 + MARK_HEIGHT if isinstance(distance, int) else 0  # two margins, the pairs and their gap
    for name, value, low in (("count", count, 4), ("distance", distance, 2), ("size", size, least)):
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {low}.")
    if count % 4:
        raise ValueError(f"count is {count}; it must be a multiple of 4: every layout is drawn in four versions.")
    columns = size - 3 * distance  # places for the left mark of a pair
    rows = torch.combinations(torch.arange(size - 3 * distance - 2 * MARK_HEIGHT + 3))  # (R, 2): upper and lower pair
    layouts = len(rows) * columns**2
    if count > 4 * layouts:
        raise ValueError(
            f"count is {count}, but {size}x{size} pixels have room for {layouts} layouts of marks {distance} apart, four "
            f"images each. Ask for {4 * layouts} images at most, or for a larger size."
        )
    chosen = torch.randperm(layouts, generator=torch.Generator().manual_seed(seed))[: count // 4].repeat_interleave(4)
    row, column = chosen // columns**2, torch.stack([chosen // columns % columns, chosen % columns], 1)
    row = rows[row] + torch.tensor([0, distance + MARK_HEIGHT - 2])  # (N, 2)
    corners = torch.stack([row, column], 2) + distance  # (N, pair, row and column)
    version = torch.arange(count)
    labels, first = version % 2, version // 2 % 2 * 2 - 1  # first: +1 or -1, the upper left mark
    alike = labels * 2 - 1
    signs = first[:, None, None] * torch.stack(
        [torch.stack([alike**2, alike], 1), -torch.stack([alike**2, alike], 1)], 1
    )
    images = torch.full((count, size, size), GROUND_LEVEL, dtype=torch.uint8)
    levels = torch.where(signs > 0, BRIGHT_MARK, DARK_MARK).to(torch.uint8)  # (N, pair, left and right)
    image = torch.arange(count)[:, None, None]
    for down in range(MARK_HEIGHT):
        y = corners[:, :, :1] + down
        x = corners[:, :, 1:] + torch.tensor([0, distance])
        images[image, y, x] = levels
    return TwoMarks(images[:, None], labels, corners, distance)
