"""Run a model once and note the shapes; when a layer refuses, say which, why, and what helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt, prod

import torch
from torch import Tensor, nn

from vgg_course import show
from vgg_course.configuration import (
    ConfigurationError,
    Conv,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Shape,
    Spec,
)

UNSEEN = "no module"
"""The kind of a step that hooks did not see: the shape changed between two modules."""

KNOWN = nn.Conv2d | nn.MaxPool2d | nn.LocalResponseNorm | nn.Linear | nn.BatchNorm2d


@dataclass(frozen=True)
class Step:
    """One call of one module, in running order. Shapes include the batch.

    ``spec`` is the layer in the words of a configuration, None if these have no word for it; ``takes`` the channels or
    features it was built for; ``settings`` what the words leave out (``groups=2``). ``output_shape`` is None for a layer
    that refused or was never reached, and ``input_shape`` for the latter.
    """

    path: str
    kind: str
    input_shape: Shape | None
    output_shape: Shape | None
    spec: Spec | None = None
    takes: int | None = None
    parameters: int = 0
    settings: str = ""


@dataclass(frozen=True, repr=False)
class Trace(show.Shown):
    """The steps of one run, in order; shows itself as a table.

    >>> trace(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), (1, 3, 32, 32))["0"].output_shape
    (1, 8, 30, 30)
    """

    name: str
    input_shape: Shape
    steps: tuple[Step, ...]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, path: str) -> Step:
        """The first call of the module at this path, as in ``trace["features.0"]``."""
        for step in self.steps:
            if step.path == path:
                return step
        raise KeyError(f"no module ran at {path!r}; there ran {', '.join(s.path for s in self.steps if s.path)}")

    def _table(self) -> show.Table:
        rows = [(step.path, step.kind, in_words(step.input_shape), in_words(step.output_shape)) for step in self.steps]
        caption = f"{self.name}, handed {in_words(self.input_shape)}"
        return show.Table(caption, ("module", "kind", "in", "out"), rows)


class ShapeError(ValueError):
    """A layer refuses what reaches it. The message names the layer, the shape, the rule and the remedy.

    ``layer`` is the path of the module that refused ("" if it was the model itself), ``shape`` what came in, and
    ``trace`` the steps until there.
    """

    def __init__(self, message: str, layer: str, shape: Shape | None, trace: Trace) -> None:
        super().__init__(message)
        self.layer, self.shape, self.trace = layer, shape, trace


def trace(model: nn.Module, x: Tensor | Sequence[int]) -> Trace:
    """Run the model once, without gradients and in evaluation mode, and note the shapes at every module.

    Args:
        model: any module. Its modes, hooks and weights and torch's random state are afterwards as they were before.
        x: a batch ``(B, C, H, W)``, which the model is run on; or the shape of one, and nothing is computed.

    Raises:
        ShapeError: a layer refuses what reaches it; chained from the error that torch raised.
        TypeError: the model is no module, or x is neither a tensor nor a shape.
        ValueError: a shape is not enough for this model, because it looks at values, or has lazy layers.
    """
    steps, error = run_once(model, x)
    if error is not None:
        raise error
    name = type(model).__name__
    return Trace(name, shape_of(x), tuple(steps))


# --- running ---


def shape_of(x: Tensor | Sequence[int]) -> Shape:
    return tuple(x.shape) if isinstance(x, Tensor) else tuple(x)


def in_words(shape: Shape | None) -> str:
    return "" if shape is None else str(tuple(shape))


def by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _first_tensor(value: object) -> Tensor | None:
    """The tensor that goes in or out, or the first of several."""
    if isinstance(value, Tensor):
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return next((found for found in map(_first_tensor, parts) if found is not None), None)


def leaves_of(model: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules that do the work, in the order of registration: those we know, and those without children."""
    children = list(model.named_children())
    if isinstance(model, KNOWN) or not children:
        yield path, model
        return
    for name, child in children:
        yield from leaves_of(child, f"{path}.{name}" if path else name)


def _square(value: int | tuple[int, ...]) -> int:
    """The one number of a square window; raises ValueError if it is none."""
    values = set(value) if isinstance(value, tuple) else {value}
    (number,) = values
    return number


def _spec(module: nn.Module) -> Spec | None:
    """The module in the words of a configuration, None if they have no word for it."""
    try:
        match module:
            case nn.Conv2d(kernel_size=kernel, stride=stride, padding=padding):
                k = _square(kernel)
                if isinstance(padding, str):
                    padding = {"same": (k - 1) // 2, "valid": 0}[padding]
                return Conv(module.out_channels, k, _square(stride), _square(padding))
            case nn.MaxPool2d(kernel_size=kernel, stride=stride, padding=padding):
                return MaxPool(_square(kernel), _square(stride), _square(padding))
            case nn.LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k):
                return LocalResponseNorm(size, alpha / size, beta, k)  # torch divides alpha by size
            case nn.Linear():
                return Linear(module.out_features)
    except (ValueError, ConfigurationError):  # not square
        pass
    return None


def _settings(module: nn.Module) -> str:
    """What a configuration has no word for, if it is not as usual."""
    usual = {"dilation": (1, (1, 1)), "groups": (1,), "padding_mode": ("zeros",), "ceil_mode": (False,)}
    found = {name: getattr(module, name) for name in usual if isinstance(module, KNOWN) and hasattr(module, name)}
    return ", ".join(f"{name}={value!r}" for name, value in found.items() if value not in usual[name])


def _takes(module: nn.Module) -> int | None:
    names = {nn.Conv2d: "in_channels", nn.Linear: "in_features", nn.BatchNorm2d: "num_features"}
    return next((getattr(module, name) for kind, name in names.items() if isinstance(module, kind)), None)


def step_of(path: str, module: nn.Module, came: Shape | None, out: Shape | None) -> Step:
    kind = next((k.__name__ for k in KNOWN.__args__ if isinstance(module, k)), type(module).__name__)
    count = sum(p.numel() for p in module.parameters())
    return Step(path, kind, came, out, _spec(module), _takes(module), count, _settings(module))


@contextmanager
def _undisturbed(model: nn.Module, device: torch.device):
    """Evaluation mode, no gradients; modes and random state return to what they were."""
    modes = {module: module.training for module in model.modules()}
    devices = [device] if device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices):
        try:
            for module in modes:
                module.training = False  # not eval(): a module may do more there than this
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode


def run_once(model: nn.Module, x: Tensor | Sequence[int]) -> tuple[list[Step], ShapeError | None]:
    """The steps of one run and what refused, if something did."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"the model is {type(model).__name__}; hand over an nn.Module.")
    values = isinstance(x, Tensor)
    if not values and not (isinstance(x, tuple | list) and all(isinstance(n, int) and n >= 0 for n in x)):
        raise TypeError(f"x is {x!r}; hand over a batch of images or its shape, such as (1, 3, 224, 224).")
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    if any(nn.parameter.is_lazy(tensor) for tensor in tensors.values()):
        raise ValueError("the model has lazy layers, whose shapes are not known yet; run it on a batch first.")
    if not values:
        tensors = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
        dtype = next((t.dtype for t in tensors.values() if t.is_floating_point()), None)
        x = torch.empty(tuple(x), device="meta", dtype=dtype)

    leaves = {module: path for path, module in reversed(list(leaves_of(model)))}  # of two names the first
    inside = {child for leaf in leaves for child in leaf.modules() if child is not leaf}
    running: list[tuple[nn.Module, Tensor | None]] = []
    steps: list[Step] = []

    def enter(module, arguments, keywords):
        came = _first_tensor([*arguments, *keywords.values()])
        if module in leaves and came is not None:
            steps.extend(_between(steps, tuple(came.shape), tuple(x.shape)))
        running.append((module, came))

    def leave(module, arguments, keywords, output):
        _, came = running.pop()
        if module in leaves:
            out = _first_tensor(output)
            shapes = (None if t is None else tuple(t.shape) for t in (came, out))
            steps.append(step_of(leaves[module], module, *shapes))

    handles = []
    for module in model.modules():
        if module not in inside:
            handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(module.register_forward_hook(leave, with_kwargs=True))
    try:
        with _undisturbed(model, x.device):
            output = model(x) if values else torch.func.functional_call(model, tensors, (x,))
        final = _first_tensor(output)
        if final is not None:
            steps.extend(_between(steps, tuple(final.shape), tuple(x.shape)))
    except (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError) as error:
        if not values and ("meta" in str(error) or isinstance(error, NotImplementedError)):
            raise ValueError(
                f"a shape is not enough for {type(model).__name__}: it looks at values, or has tensors that are neither "
                "parameters nor buffers. Hand over a batch of images."
            ) from error
        return steps, _refusal(model, running, leaves, steps, x, error)
    finally:
        for handle in handles:
            handle.remove()
    return steps, None


def _between(steps: Sequence[Step], shape: Shape, image_shape: Shape) -> list[Step]:
    """What no module did: a step, if ``shape`` is not what the last module gave. A plain flatten is not worth one."""
    before = steps[-1].output_shape if steps else image_shape
    return [] if before is None or alike_shapes(before, shape) else [Step("", UNSEEN, before, shape)]


def alike_shapes(before: Shape, behind: Shape) -> bool:
    """Whether the one is the other, or the other flattened image by image."""
    return before == behind or behind == (*before[:1], prod(before[1:]))


# --- saying why ---


def _refusal(model, running, leaves, steps, x: Tensor, error: Exception) -> ShapeError:
    """The error that says which layer refused, and why."""
    module, came = running[-1] if running else (model, x)
    paths = {m: path for path, m in model.named_modules()}
    path = leaves.get(module, paths.get(module, ""))
    shape = None if came is None else tuple(came.shape)
    seen = Trace(type(model).__name__, tuple(x.shape), tuple(steps))
    name = f"Module {path} ({_kind(module)})" if path else type(module).__name__
    why = _why(module, came, seen) if module in leaves and came is not None else None
    if why is None:
        last = (
            f" The last to run was module {steps[-1].path}, it gave {in_words(steps[-1].output_shape)}."
            if steps
            else ""
        )
        why = f"In its own words: {' '.join(str(error).split())}{'' if module in leaves else last}"
    problem = ShapeError(f"{name} refuses its input of shape {in_words(shape)}. {why}", path, shape, seen)
    problem.__cause__ = error
    return problem


def _kind(module: nn.Module) -> str:
    match module:
        case nn.Conv2d():
            return f"Conv2d, {by(module.kernel_size)}, {module.in_channels} to {module.out_channels} channels"
        case nn.Linear():
            return f"Linear, {module.in_features:,} to {module.out_features:,}"
    return type(module).__name__


def _why(module: nn.Module, came: Tensor, seen: Trace) -> str | None:
    """What the layer wants and what helps; None if we do not know."""
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor) and came.dtype != weight.dtype:
        have, want = (str(dtype).removeprefix("torch.") for dtype in (came.dtype, weight.dtype))
        scale = ".float() / 255, then normalize" if not came.is_floating_point() else f".to(torch.{want})"
        return f"It computes in {want} and got {have}. Remedy: images{scale}."
    shape = tuple(came.shape)
    match module:
        case nn.Conv2d() | nn.MaxPool2d() | nn.AvgPool2d() if len(shape) not in (3, 4):
            return "It slides over height and width, so it takes (B, C, H, W). " + (
                "Remedy: a batch of images, not vectors."
                if not seen.steps
                else "Remedy: flatten behind the last pool, not before this layer."
            )
        case nn.Conv2d() if shape[-3] != module.in_channels:
            return _why_channels(module, shape, seen)
        case nn.Conv2d() | nn.MaxPool2d():
            return _why_too_small(module, shape, seen)
        case nn.BatchNorm2d() if len(shape) == 4:
            return f"It has a scale for {module.num_features} channels. Remedy: BatchNorm2d({shape[1]})."
        case nn.Linear():
            return _why_features(module, shape, seen)
    return None


def _why_channels(module: nn.Conv2d, shape: Shape, seen: Trace) -> str:
    want, got = module.in_channels, shape[-3]
    first = shape == seen.input_shape
    wants = f"It takes {want} channels, (B, {want}, H, W), and got {got}. "
    if first and shape[-1] == want:
        order = "0, 3, 1, 2)" if len(shape) == 4 else "2, 0, 1)[None]"
        return f"{wants}The channels come last here, as image files have them. Remedy: x.permute({order}."
    if first and (want, got) == (3, 1):
        return f"{wants}The images are gray. Remedy: x.expand(-1, 3, -1, -1), or build the net with in_channels=1."
    if first and (want, got) == (3, 4):
        return f"{wants}The fourth is the opacity of a PNG. Remedy: x[:, :3]."
    if first:
        return f"{wants}Remedy: build the net with in_channels={got}, or hand over images with {want} channels."
    before = next((s for s in reversed(seen.steps) if isinstance(s.spec, Conv)), None)
    giver = f" that module {before.path} gives" if before else ""
    change = f", or let module {before.path} give {want}" if before else ""
    return f"{wants}Remedy: build it for the {got} channels{giver}{change}; perhaps a convolution between is missing."


def side_behind(spec: Spec | None, side: int) -> int:
    """The side of the grid behind a layer (0: its window does not fit)."""
    if not isinstance(spec, Conv | MaxPool):
        return side
    reach = side + 2 * spec.padding - spec.kernel
    return reach // spec.stride + 1 if reach >= 0 else 0


def _sides_that_give(steps: Sequence[Step], fits) -> range | None:
    """The sides of square images behind which ``fits(grid)`` holds, if the steps are enough to say so."""
    changed = [s for s in steps if s.output_shape and len(s.output_shape) == 4]
    if any((s.spec is None and s.input_shape[2:] != s.output_shape[2:]) or s.settings for s in changed):
        return None
    sides = []
    for start in range(1, 2049):
        side = start
        for step in changed:
            side = side_behind(step.spec, side) if side else 0
        if side and fits(side):
            sides.append(start)
        elif sides:
            break
    return range(sides[0], sides[-1] + 1) if sides else None


def _why_too_small(module: nn.Conv2d | nn.MaxPool2d, shape: Shape, seen: Trace) -> str | None:
    spec = _spec(module)
    if spec is None or all(side_behind(spec, side) for side in shape[-2:]):
        return None
    sides = _sides_that_give(seen.steps, lambda side: side_behind(spec, side) > 0)
    smallest = f"images of {sides.start} pixels or more, or " if sides else ""
    return (
        f"Its {spec.kernel}x{spec.kernel} window does not fit on the {by(shape[-2:])} that is left of an image of "
        f"{by(seen.input_shape[-2:])}. Remedy: {smallest}a pool less."
    )


def _why_features(module: nn.Linear, shape: Shape, seen: Trace) -> str | None:
    want, got = module.in_features, shape[-1]
    if len(shape) in (3, 4) and prod(shape[1:]) == want:
        return f"It takes {want:,} numbers an image, which is {by(shape[1:])}. Remedy: torch.flatten(x, 1) before it."
    if len(seen.input_shape) == 3:
        return (
            f"What the model was handed, {in_words(seen.input_shape)}, is one image and not a batch: the channels stood in "
            "for the images, and a flatten kept them apart. Remedy: image[None], a batch of one."
        )
    whole_batch = len(shape) == 1 or (shape[0] == 1 and seen.input_shape[0] > 1)
    if whole_batch and got == want * seen.input_shape[0]:
        return f"That is the whole batch in one row; it takes {want:,} an image. Remedy: torch.flatten(x, 1)."
    grid = next((s.output_shape for s in reversed(seen.steps) if s.output_shape and len(s.output_shape) == 4), None)
    if grid is None:
        return f"It takes {want:,} numbers and got {got:,}. Remedy: Linear({got}, {module.out_features})."
    channels, side = grid[1], grid[2]
    is_grid = prod(grid[1:]) == got
    words = f"It takes {want:,} numbers an image"
    wanted = isqrt(want // channels)
    known = wanted * wanted * channels == want and wanted > 0
    words += f", {channels}x{wanted}x{wanted}" if known else ""
    words += f", and got {got:,}" + (f", {by(grid[1:])}. " if is_grid else ". ")
    rebuilt = f"Linear({got}, {module.out_features})"
    if not (is_grid and known):
        return f"{words}Remedy: {rebuilt}, if that is the shape you meant."
    images = _sides_that_give(seen.steps, lambda found: found == wanted)
    remedies = [f"images of {images.start} to {images.stop - 1} pixels instead of {by(seen.input_shape[-2:])}"] * (
        images is not None
    ) + [rebuilt]
    if side // 2 == wanted:
        remedies.append(f"one pool more, if one is missing: it makes {wanted} of {side}")
    elif wanted // 2 == side:
        remedies.append(f"one pool less, if there is one too many: {wanted} is halved to {side}")
    return f"{words}Remedy: {'; or '.join(remedies)}."
