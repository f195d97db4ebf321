"""Shapes as contracts: trace what a model does to them, say why a layer refuses, hold a model to its configuration.

Three questions, for any ``nn.Module``:

* :func:`trace`: which shape goes into each layer, and which comes out?
* :class:`ShapeError`: when a layer refuses what reaches it, which layer, what came in, what did it want, what helps?
* :func:`broken_promises`: a configuration promises the layers, their order, the shape behind each and its parameters.
  Where does a model break the promise *first*? That is rarely where something complains.

Shapes are known without computing a value. Handed a shape instead of images, all of this runs on torch's ``meta``
device, where tensors have shapes and no values: a VGG-16 takes milliseconds and no memory.

What forward hooks cannot see is what no module does: ``F.max_pool2d`` or ``x.view`` inside a ``forward``. Where the shape
changed between two modules, the trace has a row that says so. Shapes include the batch, ``(B, C, H, W)``, unless they
are a configuration's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isclose, isqrt, prod

import torch
from torch import Tensor, nn

from vgg_course import show
from vgg_course.accounting import ledger
from vgg_course.configuration import (
    Configuration,
    ConfigurationError,
    Conv,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Shape,
    Spec,
    as_configuration,
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
        rows = [(step.path, step.kind, _shape(step.input_shape), _shape(step.output_shape)) for step in self.steps]
        caption = f"{self.name}, handed {_shape(self.input_shape)}"
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
    steps, error = _run(model, x)
    if error is not None:
        raise error
    name = type(model).__name__
    return Trace(name, _input_shape(x), tuple(steps))


# --- running ---


def _input_shape(x: Tensor | Sequence[int]) -> Shape:
    return tuple(x.shape) if isinstance(x, Tensor) else tuple(x)


def _shape(shape: Shape | None) -> str:
    return "" if shape is None else str(tuple(shape))


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _first_tensor(value: object) -> Tensor | None:
    """The tensor that goes in or out, or the first of several."""
    if isinstance(value, Tensor):
        return value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return next((found for found in map(_first_tensor, parts) if found is not None), None)


def _leaves(model: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules that do the work, in the order of registration: those we know, and those without children."""
    children = list(model.named_children())
    if isinstance(model, KNOWN) or not children:
        yield path, model
        return
    for name, child in children:
        yield from _leaves(child, f"{path}.{name}" if path else name)


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


def _step(path: str, module: nn.Module, came: Shape | None, out: Shape | None) -> Step:
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


def _run(model: nn.Module, x: Tensor | Sequence[int]) -> tuple[list[Step], ShapeError | None]:
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

    leaves = {module: path for path, module in reversed(list(_leaves(model)))}  # of two names the first
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
            steps.append(_step(leaves[module], module, *shapes))

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
    return [] if before is None or _alike_shapes(before, shape) else [Step("", UNSEEN, before, shape)]


def _alike_shapes(before: Shape, behind: Shape) -> bool:
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
            f" The last to run was module {steps[-1].path}, it gave {_shape(steps[-1].output_shape)}." if steps else ""
        )
        why = f"In its own words: {' '.join(str(error).split())}{'' if module in leaves else last}"
    problem = ShapeError(f"{name} refuses its input of shape {_shape(shape)}. {why}", path, shape, seen)
    problem.__cause__ = error
    return problem


def _kind(module: nn.Module) -> str:
    match module:
        case nn.Conv2d():
            return f"Conv2d, {_by(module.kernel_size)}, {module.in_channels} to {module.out_channels} channels"
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


def _side(spec: Spec | None, side: int) -> int:
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
            side = _side(step.spec, side) if side else 0
        if side and fits(side):
            sides.append(start)
        elif sides:
            break
    return range(sides[0], sides[-1] + 1) if sides else None


def _why_too_small(module: nn.Conv2d | nn.MaxPool2d, shape: Shape, seen: Trace) -> str | None:
    spec = _spec(module)
    if spec is None or all(_side(spec, side) for side in shape[-2:]):
        return None
    sides = _sides_that_give(seen.steps, lambda side: _side(spec, side) > 0)
    smallest = f"images of {sides.start} pixels or more, or " if sides else ""
    return (
        f"Its {spec.kernel}x{spec.kernel} window does not fit on the {_by(shape[-2:])} that is left of an image of "
        f"{_by(seen.input_shape[-2:])}. Remedy: {smallest}a pool less."
    )


def _why_features(module: nn.Linear, shape: Shape, seen: Trace) -> str | None:
    want, got = module.in_features, shape[-1]
    if len(shape) in (3, 4) and prod(shape[1:]) == want:
        return f"It takes {want:,} numbers an image, which is {_by(shape[1:])}. Remedy: torch.flatten(x, 1) before it."
    if len(seen.input_shape) == 3:
        return (
            f"What the model was handed, {_shape(seen.input_shape)}, is one image and not a batch: the channels stood in "
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
    words += f", and got {got:,}" + (f", {_by(grid[1:])}. " if is_grid else ". ")
    rebuilt = f"Linear({got}, {module.out_features})"
    if not (is_grid and known):
        return f"{words}Remedy: {rebuilt}, if that is the shape you meant."
    images = _sides_that_give(seen.steps, lambda found: found == wanted)
    remedies = [f"images of {images.start} to {images.stop - 1} pixels instead of {_by(seen.input_shape[-2:])}"] * (
        images is not None
    ) + [rebuilt]
    if side // 2 == wanted:
        remedies.append(f"one pool more, if one is missing: it makes {wanted} of {side}")
    elif wanted // 2 == side:
        remedies.append(f"one pool less, if there is one too many: {wanted} is halved to {side}")
    return f"{words}Remedy: {'; or '.join(remedies)}."


# --- the contract ---


@dataclass(frozen=True)
class Broken:
    """One broken promise.

    ``layer`` is the layer's name in the configuration; for a module too many, the layer in whose place it stands. Where
    one of several equal layers is missing, it is the last of them and all are in ``alike``. ``path`` is where the model
    has it ("" if nothing is there). ``problem`` is one word: missing, extra, kind, kernel, stride, padding, channels,
    features, takes, settings, parameters, shared, batch or shape.
    """

    layer: str
    path: str
    problem: str
    message: str
    alike: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """The side of the grid behind a layer: promised, and found (None if the layer is missing or was not reached)."""

    layer: str
    promised: int
    found: int | None


@dataclass(frozen=True, repr=False)
class BrokenPromises:
    """What a model does not keep of its configuration, in running order; false if it keeps everything.

    ``complaint`` is the error of the layer that refuses, None if the model runs to the end, and ``complains`` that
    layer's name in the configuration. ``grids`` has a line for each layer with a height and a width.
    """

    configuration: Configuration
    broken: tuple[Broken, ...]
    grids: tuple[Grid, ...]
    complaint: ShapeError | None = None
    complains: str = ""

    def __len__(self) -> int:
        return len(self.broken)

    def __iter__(self) -> Iterator[Broken]:
        return iter(self.broken)

    def __getitem__(self, place: int) -> Broken:
        return self.broken[place]

    @property
    def first(self) -> Broken | None:
        """The first broken promise: where to look."""
        return self.broken[0] if self.broken else None

    @property
    def late(self) -> int | None:
        """How many layers lie between the first broken promise and the complaint; None if nothing complains."""
        names = [layer.name for layer in self.configuration]
        if not self.broken or self.complains not in names or self.broken[0].layer not in names:
            return None
        return names.index(self.complains) - names.index(self.broken[0].layer)

    def __repr__(self) -> str:
        name = f"Configuration {self.configuration.name}"
        if not self.broken:
            return f"{name}: every promise is kept, {len(self.configuration)} layers and their parameters."
        lines = [f"{name} is broken first at {self.broken[0].layer}."]
        lines += [f"- {broken.message}" for broken in self.broken]
        if self.complaint is None:
            lines.append("No layer complains.")
        else:
            later = f", {self.late} layer{'s' * (self.late > 1)} later" if self.late else ""
            where = f"{self.complains}{later}" if self.complains else "the model"
            lines.append(f"The complaint comes from {where}: {self.complaint}")
        return "\n".join(lines)


def broken_promises(
    model: nn.Module, configuration: str | Configuration, images: Tensor | None = None
) -> BrokenPromises:
    """Hold a model to its configuration: which layers are not there, too many, or other than promised?

    The modules are taken in the order in which they run, whatever their names, and laid beside the layers of the
    configuration so that as little as possible differs. What has neither weights nor a say in the shape (ReLU, dropout)
    is no part of the contract.

    Args:
        model: any module that is made of modules. Functional pools are inferred from the shapes around them.
        configuration: the paper's letter or a :class:`Configuration`.
        images: a batch to run on. Without one, two images of the promised shape go through without being computed.
    """
    configuration = as_configuration(configuration)
    x = (2, *configuration.input_shape) if images is None else images
    steps, complaint = _run(model, x)
    steps = [step for step in steps if _matters(step)]
    refused = _refused(model, complaint, steps)
    steps += refused + _never_reached(model, complaint, [*steps, *refused])
    pairs = _aligned(list(_promises(configuration)), steps)
    broken = [*_findings(pairs, _input_shape(x)[0]), *_shared(pairs)]
    if not broken and not complaint:
        broken = _total(model, configuration, pairs)
    by_path = {step.path: promise.name for promise, step in pairs if promise and step}
    found = {p.name: s.output_shape[2] for p, s in pairs if p and s and s.output_shape and len(s.output_shape) == 4}
    grids = [Grid(la.name, la.output_shape[1], found.get(la.name)) for la in configuration if len(la.output_shape) == 3]
    complains = by_path.get(complaint.layer, "") if complaint else ""
    return BrokenPromises(configuration, tuple(broken), tuple(grids), complaint, complains)


@dataclass(frozen=True)
class _Promise:
    """What a configuration says of one layer. Shapes leave out the batch."""

    name: str
    kind: str
    spec: Spec | None
    takes: int | None
    parameters: int
    input_shape: Shape
    output_shape: Shape


def _promises(configuration: Configuration) -> Iterator[_Promise]:
    kinds = {Conv: "Conv2d", MaxPool: "MaxPool2d", LocalResponseNorm: "LocalResponseNorm", Linear: "Linear"}
    costs = ledger(configuration)
    for layer in configuration:
        takes = layer.input_shape[0] if isinstance(layer.spec, Conv) else None
        takes = prod(layer.input_shape) if isinstance(layer.spec, Linear) else takes
        shapes = layer.input_shape, layer.output_shape
        yield _Promise(layer.name, kinds[type(layer.spec)], layer.spec, takes, costs[layer.name].parameters, *shapes)
        if configuration.batch_norm and isinstance(layer.spec, Conv):
            norm = costs[layer.name.replace("conv", "bn")]
            yield _Promise(norm.name, "BatchNorm2d", None, norm.shape[0], norm.parameters, norm.shape, norm.shape)


def _matters(step: Step) -> bool:
    """Whether a step is a layer that a configuration has words for, or changes the shape other than by a flatten."""
    known = step.kind in {kind.__name__ for kind in KNOWN.__args__}
    seen = step.input_shape is not None and step.output_shape is not None
    return known or (seen and not _alike_shapes(step.input_shape, step.output_shape))


def _refused(model: nn.Module, complaint: ShapeError | None, steps: Sequence[Step]) -> list[Step]:
    module = dict(_leaves(model)).get(complaint.layer) if complaint else None
    return [_step(complaint.layer, module, complaint.shape, None)] if isinstance(module, KNOWN) else []


def _never_reached(model: nn.Module, complaint: ShapeError | None, steps: Sequence[Step]) -> list[Step]:
    """Behind a layer that refuses: the modules that have not run, in the order in which they were registered."""
    if complaint is None:
        return []
    ran = {step.path for step in [*complaint.trace, *steps]}
    leaves = [(path, module) for path, module in _leaves(model) if isinstance(module, KNOWN)]
    last = max((place for place, (path, _) in enumerate(leaves) if path in ran), default=-1)
    return [_step(path, module, None, None) for path, module in leaves[last + 1 :] if path not in ran]


Pair = tuple[_Promise | None, Step | None]


def _aligned(promises: Sequence[_Promise], steps: Sequence[Step]) -> list[Pair]:
    """The two sequences side by side with the least cost: 1 for each gap, 0.3 for each setting that differs."""

    price: dict[tuple[int, int], float] = {}

    def options(i: int, j: int) -> list[tuple[float, str]]:
        """What can come next. Of equal prices the first is taken: of equal layers the last one counts as missing."""
        found = []
        if i < len(promises) and j < len(steps):
            differences = _differences(promises[i], steps[j])
            if differences is not None:
                here = sum(0.6 if name == "kind" else 0.3 for name in differences)
                found.append((here + price[i + 1, j + 1], "both"))
        if i < len(promises):
            found.append((1 + price[i + 1, j], "missing"))
        if j < len(steps):
            found.append((1 + price[i, j + 1], "extra"))
        return found

    for i in reversed(range(len(promises) + 1)):
        for j in reversed(range(len(steps) + 1)):
            price[i, j] = min((cost for cost, _ in options(i, j)), default=0.0)
    pairs, i, j = [], 0, 0
    while (i, j) != (len(promises), len(steps)):
        choices = options(i, j)
        best = min(price for price, _ in choices)
        move = next(move for price, move in choices if isclose(price, best))
        pairs.append((promises[i] if move != "extra" else None, steps[j] if move != "missing" else None))
        i, j = i + (move != "extra"), j + (move != "missing")
    return pairs


def _differences(promise: _Promise, step: Step) -> dict[str, tuple[object, object]] | None:
    """What differs, by name: (promised, found). None if the one cannot stand for the other."""
    if promise.kind != step.kind:
        return _stand_in(promise, step)
    found: dict[str, tuple[object, object]] = {}
    if promise.spec is not None and step.spec is None:
        found["kernel"] = (promise.spec.kernel, "a window that is not square")
    elif promise.spec is not None:
        for name in promise.spec.__dataclass_fields__:
            here, there = getattr(promise.spec, name), getattr(step.spec, name)
            if not isclose(here, there):
                found[name] = (here, there)
    if promise.takes != step.takes:
        found["takes"] = (promise.takes, step.takes)
    if step.settings:
        found["settings"] = ("", step.settings)
    if not found and promise.parameters != step.parameters:
        found["parameters"] = (promise.parameters, step.parameters)
    return found


def _stand_in(promise: _Promise, step: Step) -> dict[str, tuple[object, object]] | None:
    """What differs between a layer and a module of another kind that does its work."""
    match promise.spec:
        case MaxPool() if _pools(step):
            halves = _side(promise.spec, step.input_shape[2]) == _unflattened(step)
            return {} if step.kind == UNSEEN and halves else {"kind": ("MaxPool2d", step.kind)}
        case Linear() if isinstance(step.spec, Conv):  # a fully-connected layer written as a convolution
            spec = Conv(promise.spec.features, promise.input_shape[1] if len(promise.input_shape) == 3 else 1, 1, 0)
            return {} if step.spec == spec and step.parameters == promise.parameters else None
    return None


def _unflattened(step: Step) -> int:
    """The side that comes out of a step, also if it comes out flat."""
    out = step.output_shape
    return out[2] if len(out) == 4 else isqrt(out[1] // step.input_shape[1])


def _pools(step: Step) -> bool:
    """Whether a step that we have no word for makes the grid smaller and leaves the channels and the batch alone."""
    if step.spec is not None or not step.input_shape or not step.output_shape or len(step.input_shape) != 4:
        return False
    batch, channels, side, _ = step.input_shape
    out = step.output_shape
    if len(out) not in (2, 4) or out[0] != batch or (len(out) == 4 and out[1] != channels):
        return False
    smaller = 0 < _unflattened(step) < side
    return smaller and (len(out) == 4 or out[1] == channels * _unflattened(step) ** 2)


# --- what the differences mean ---


def _findings(pairs: Sequence[Pair], batch: int) -> Iterator[Broken]:
    """The broken promises of an alignment, in running order."""
    found = False
    for place, (promise, step) in enumerate(pairs):
        if promise is None:
            broken = _extra(pairs, place, batch)
        elif step is None:
            broken = _missing(pairs, place)
        else:
            broken = _changed(pairs, place, batch, found)
        if broken is not None:
            found = True
            yield broken


def _near(pairs: Sequence[Pair], place: int, step: int, side: int) -> object | None:
    """The next promise (side 0) or module (side 1) before or behind a place, None if there is none."""
    others = pairs[place + 1 :] if step > 0 else pairs[:place][::-1]
    return next((pair[side] for pair in others if pair[side] is not None), None)


def _missing(pairs: Sequence[Pair], place: int) -> Broken | None:
    promise = pairs[place][0]
    if promise.kind == "BatchNorm2d" and place and pairs[place - 1][1] is None and pairs[place - 1][0]:
        return None  # the norm of a convolution that is missing itself
    alike = _alike([p for p, _ in pairs if p is not None and p.kind != "BatchNorm2d"], promise)
    before, behind = _near(pairs, place, -1, 0), _near(pairs, place, 1, 1)
    where = f"behind {before.name}" if before else "at the beginning"
    follows = f" {where} comes {_at(behind)}" if behind else f" nothing comes {where}"
    message = f"{promise.name}, {promise.spec or promise.kind}, is missing:{follows}."
    if isinstance(promise.spec, MaxPool):
        message += f" The grid stays {_by(promise.input_shape[1:])} instead of {_by(promise.output_shape[1:])}."
    if alike:
        message += f" It may be any of {', '.join(alike)}: they are alike."
    return Broken(promise.name, "", "missing", message, alike)


def _alike(promises: Sequence[_Promise], promise: _Promise) -> tuple[str, ...]:
    """The neighbors that could be missing just as well: those with the same words.

    The first of them may take other channels than the rest. If it is the one that is missing, the rest shows it.
    """
    if promise not in promises:
        return ()
    first = last = promises.index(promise)
    while first > 0 and promises[first - 1].spec == promise.spec:
        first -= 1
    while last + 1 < len(promises) and promises[last + 1].spec == promise.spec:
        last += 1
    run = promises[first : last + 1]
    if len(run) == 1 or (promise is run[0] and promise.takes != run[1].takes):
        return ()
    return tuple(p.name for p in run)


def _at(step: Step) -> str:
    return f"module {step.path} ({step.spec or step.kind})" if step.path else "something that is no module"


def _begin(words: str) -> str:
    return words[:1].upper() + words[1:]


def _extra(pairs: Sequence[Pair], place: int, batch: int) -> Broken | None:
    step = pairs[place][1]
    before, behind = _near(pairs, place, -1, 0), _near(pairs, place, 1, 0)
    between = (
        f"between {before.name} and {behind.name}" if before and behind else "before all" if behind else "at the end"
    )
    layer = behind.name if behind else before.name if before else ""
    came, out = step.input_shape, step.output_shape
    if came and out and came[0] == batch != out[0]:
        message = (
            f"{_begin(_at(step))} {between} turns a batch of {batch} into one of {out[0]}: {_shape(came)} becomes {_shape(out)}. "
            "A view(-1, ...) does that when the rest of the shape is not what it was written for; use flatten(x, 1)."
        )
        return Broken(layer, step.path, "batch", message)
    message = f"{_begin(_at(step))} stands {between} and was not promised."
    if came and out and came != out:
        message += f" It makes {_shape(out)} of {_shape(came)}"
        message += ", and so hides what is wrong before it." if step.kind.startswith("Adaptive") else "."
    return Broken(layer, step.path, "extra", message)


def _changed(pairs: Sequence[Pair], place: int, batch: int, found: bool) -> Broken | None:
    promise, step = pairs[place]
    differences = dict(_differences(promise, step))
    if "takes" in differences and _takes_what_it_gets(pairs, place, found):
        del differences["takes"]  # it fits what comes before it; what is wrong stands there
    if not differences:
        return None if found else _other_shape(promise, step, batch)
    words = [_WORDS[name](promise, step, *values) for name, values in differences.items()]
    message = f"{promise.name}, {_at(step)}, {'; '.join(words)}."
    gives = (step.output_shape or ())[1:]
    if len(gives) == len(promise.output_shape) == 3 and gives != promise.output_shape:
        message += f" It gives {_by(gives)} instead of {_by(promise.output_shape)}."
    return Broken(promise.name, step.path, next(iter(differences)), message)


def _takes_what_it_gets(pairs: Sequence[Pair], place: int, found: bool) -> bool:
    step = pairs[place][1]
    if step.input_shape is not None:
        gets = step.input_shape[1] if step.kind != "Linear" else step.input_shape[-1]
        return found and gets == step.takes
    before = _near(pairs, place, -1, 1)  # never reached: what would come?
    if found and before is not None and isinstance(before.spec, Conv | Linear) and not isinstance(step.spec, Conv):
        return True
    gives = next((s.spec for _, s in reversed(pairs[:place]) if s and isinstance(s.spec, Conv | Linear)), None)
    if isinstance(gives, Conv) and step.kind in ("Conv2d", "BatchNorm2d"):
        return gives.channels == step.takes
    if isinstance(gives, Linear) and step.kind == "Linear":
        return gives.features == step.takes
    return found


def _other_shape(promise: _Promise, step: Step, batch: int) -> Broken | None:
    """The layer is as promised, and yet something else goes in."""
    if step.input_shape is None or step.output_shape is None:
        return None
    if step.input_shape[0] != batch:
        words = (
            f"gets a batch of {step.input_shape[0]}, and {batch} images went in. Use flatten(x, 1), never view(-1, ...)"
        )
        return Broken(promise.name, step.path, "batch", f"{promise.name}, {_at(step)}, {words}.")
    if step.output_shape[1:] != promise.output_shape and prod(step.output_shape[1:]) != prod(promise.output_shape):
        words = f"gives {_by(step.output_shape[1:])} instead of {_by(promise.output_shape)}"
        return Broken(promise.name, step.path, "shape", f"{promise.name}, {_at(step)}, {words}.")
    return None


def _padding_words(promise: _Promise, step: Step, promised: int, found: int) -> str:
    growth = abs(2 * (found - promised))
    if isinstance(step.spec, Conv) and step.spec.kernel == 1 and found:
        return f"has a 1x1 window and padding {found}: each side grows by {growth}, a frame that no pixel reaches"
    if found < promised:
        return f"has padding {found} instead of {promised}: each side shrinks by {growth}"
    return f"has padding {found} instead of {promised}: each side grows by {growth}"


def _parameter_words(promise: _Promise, step: Step, promised: int, found: int) -> str:
    bias = promise.output_shape[0]
    reason = ": it has no bias" if promised - found == bias else ""
    return f"has {found:,} parameters instead of {promised:,}{reason}"


_WORDS = {
    "kind": lambda p, s, promised, found: f"is {found} instead of {promised}",
    "kernel": lambda p, s, promised, found: (
        f"has a {found}x{found} window instead of {promised}x{promised}" if isinstance(found, int) else f"has {found}"
    ),
    "stride": lambda p, s, promised, found: f"moves {found} pixels at a time instead of {promised}",
    "padding": _padding_words,
    "channels": lambda p, s, promised, found: f"gives {found} channels instead of {promised}",
    "features": lambda p, s, promised, found: f"gives {found:,} features instead of {promised:,}",
    "takes": lambda p, s, promised, found: (
        f"takes {found:,} {'feature' if s.kind == 'Linear' else 'channel'}{'s' * (found > 1)} instead of {promised:,}"
    ),
    "settings": lambda p, s, promised, found: f"has {found}",
    "parameters": _parameter_words,
    "size": lambda p, s, promised, found: f"normalizes over {found} channels instead of {promised}",
    "alpha": lambda p, s, promised, found: (
        f"has alpha {found:g} instead of {promised:g} in the formula of the paper (torch divides alpha by the size)"
    ),
    "beta": lambda p, s, promised, found: f"has beta {found:g} instead of {promised:g}",
    "k": lambda p, s, promised, found: f"has k {found:g} instead of {promised:g}",
}
"""What a difference means, in words: (promise, step, promised, found)."""


def _shared(pairs: Sequence[Pair]) -> Iterator[Broken]:
    """Layers that are one module run again: they share their weights."""
    seen: dict[str, str] = {}
    for promise, step in pairs:
        if promise is None or step is None or not step.path or not step.parameters:
            continue
        if step.path in seen:
            words = f"{promise.name} is {step.path} run again: it shares its weights with {seen[step.path]}."
            yield Broken(promise.name, step.path, "shared", words)
        seen.setdefault(step.path, promise.name)


def _total(model: nn.Module, configuration: Configuration, pairs: Sequence[Pair]) -> list[Broken]:
    """Every layer is as promised; are there parameters beside them?"""
    promised, found = ledger(configuration).parameters, sum(p.numel() for p in model.parameters())
    if promised == found:
        return []
    ran = {step.path for _, step in pairs if step}
    idle = [path for path, module in _leaves(model) if path not in ran and next(module.parameters(), None) is not None]
    where = f" {', '.join(idle)} never ran." if idle else ""
    message = f"The model has {found:,} parameters, and {promised:,} were promised.{where}"
    return [Broken("", idle[0] if idle else "", "parameters", message)]
