"""A configuration promises layers, their order, shapes and parameters. Where does a model break the promise first?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose, isqrt, prod

from torch import Tensor, nn

from vgg_course.accounting import ledger
from vgg_course.configuration import (
    Configuration,
    Conv,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Shape,
    Spec,
    as_configuration,
)
from vgg_course.shapes.tracing import (
    KNOWN,
    UNSEEN,
    ShapeError,
    Step,
    alike_shapes,
    by,
    in_words,
    leaves_of,
    run_once,
    shape_of,
    side_behind,
    step_of,
)


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
    steps, complaint = run_once(model, x)
    steps = [step for step in steps if _matters(step)]
    refused = _refused(model, complaint, steps)
    steps += refused + _never_reached(model, complaint, [*steps, *refused])
    pairs = _aligned(list(_promises(configuration)), steps)
    broken = [*_findings(pairs, shape_of(x)[0]), *_shared(pairs)]
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
    return known or (seen and not alike_shapes(step.input_shape, step.output_shape))


def _refused(model: nn.Module, complaint: ShapeError | None, steps: Sequence[Step]) -> list[Step]:
    module = dict(leaves_of(model)).get(complaint.layer) if complaint else None
    return [step_of(complaint.layer, module, complaint.shape, None)] if isinstance(module, KNOWN) else []


def _never_reached(model: nn.Module, complaint: ShapeError | None, steps: Sequence[Step]) -> list[Step]:
    """Behind a layer that refuses: the modules that have not run, in the order in which they were registered."""
    if complaint is None:
        return []
    ran = {step.path for step in [*complaint.trace, *steps]}
    leaves = [(path, module) for path, module in leaves_of(model) if isinstance(module, KNOWN)]
    last = max((place for place, (path, _) in enumerate(leaves) if path in ran), default=-1)
    return [step_of(path, module, None, None) for path, module in leaves[last + 1 :] if path not in ran]


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
            halves = side_behind(promise.spec, step.input_shape[2]) == _unflattened(step)
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
        message += f" The grid stays {by(promise.input_shape[1:])} instead of {by(promise.output_shape[1:])}."
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
            f"{_begin(_at(step))} {between} turns a batch of {batch} into one of {out[0]}: "
            f"{in_words(came)} becomes {in_words(out)}. "
            "A view(-1, ...) does that when the rest of the shape is not what it was written for; use flatten(x, 1)."
        )
        return Broken(layer, step.path, "batch", message)
    message = f"{_begin(_at(step))} stands {between} and was not promised."
    if came and out and came != out:
        message += f" It makes {in_words(out)} of {in_words(came)}"
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
        message += f" It gives {by(gives)} instead of {by(promise.output_shape)}."
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
        words = f"gives {by(step.output_shape[1:])} instead of {by(promise.output_shape)}"
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
    idle = [
        path for path, module in leaves_of(model) if path not in ran and next(module.parameters(), None) is not None
    ]
    where = f" {', '.join(idle)} never ran." if idle else ""
    message = f"The model has {found:,} parameters, and {promised:,} were promised.{where}"
    return [Broken("", idle[0] if idle else "", "parameters", message)]
