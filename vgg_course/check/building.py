"""Checks for the chapter that builds VGG three times."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from vgg_course.check.judging import Kind, judge, judge_tensors
from vgg_course.check.verdict import Verdict, ask, shown
from vgg_course.configuration import Configuration

# --- from modules ---

SIDE = 16  # of the images that a student's module is tried on
PROPERTIES = {
    "convolution": ("in_channels", "out_channels", "kernel", "stride", "padding", "dilation", "groups", "bias"),
    "max-pool": ("kernel", "stride", "padding", "ceil_mode"),
    "ReLU": (),
}
RELU = ("ReLU",)
AGAIN = ("the same convolution once more",)

Layers = tuple[tuple, ...]  # a layer is its kind and its PROPERTIES


@dataclass(frozen=True)
class _Stack:
    """What a module is made of; two are equal if their layers are."""

    layers: Layers
    module: object = field(default=None, compare=False)


def _wanted(words: str, in_channels: int = 3) -> Layers:
    """What the layers of a stack should be."""
    wanted: list[tuple] = []
    for layer in Configuration.parse(words, input_size=SIDE, in_channels=in_channels):
        spec = layer.spec
        if layer.name.startswith("conv"):
            shape = (layer.input_shape[0], spec.channels, spec.kernel, spec.stride, spec.padding)
            wanted += [("convolution", *shape, 1, 1, True), RELU]
        else:
            wanted.append(("max-pool", spec.kernel, spec.stride, spec.padding, False))
    return tuple(wanted)


def _described(module) -> tuple:
    """A module as the same kind of tuple."""
    from torch import nn

    def side(value) -> object:
        return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value

    if isinstance(module, nn.Conv2d):
        same = module.padding == "same"
        padding = (module.kernel_size[0] - 1) // 2 if same else side(module.padding)
        shape = (module.in_channels, module.out_channels, side(module.kernel_size), side(module.stride), padding)
        return ("convolution", *shape, side(module.dilation), module.groups, module.bias is not None)
    if isinstance(module, nn.ReLU):
        return RELU
    if isinstance(module, nn.MaxPool2d):
        return ("max-pool", side(module.kernel_size), side(module.stride), side(module.padding), module.ceil_mode)
    return (type(module).__name__,)


def _read(answer: object) -> _Stack | None:
    from torch import nn

    if isinstance(answer, _Stack):
        return answer
    if not isinstance(answer, nn.Module):
        return None
    layers, seen = [], set()
    try:
        for _, module in answer.named_modules(remove_duplicate=False):
            if not list(module.children()):
                layers.append(AGAIN if isinstance(module, nn.Conv2d) and module in seen else _described(module))
                seen.add(module)
    except Exception:  # a module may be anything, one that never called super().__init__() too
        return None
    return _Stack(tuple(layers), answer)


def _apart(mine: _Stack, right: _Stack) -> str:
    """The first difference between two stacks."""
    kinds, found = ([layer[0] for layer in stack.layers] for stack in (right, mine))
    for kind in ("convolution", "max-pool", "ReLU"):
        n, m = kinds.count(kind), found.count(kind)
        if n != m:
            return f"it has {m} of the layer {kind!r}, not {n}."
    for place, (wanted, layer) in enumerate(zip(right.layers, mine.layers, strict=False)):
        if wanted[0] != layer[0]:
            return f"module {place} is {layer[0]!r}; {wanted[0]!r} belongs there."
        for name, a, b in zip(PROPERTIES[wanted[0]], wanted[1:], layer[1:], strict=True):
            if a != b:
                return f"module {place} ({wanted[0]}) has {name} {b}, not {a}."
    return f"it has {len(found)} modules, not {len(kinds)}: {found[len(kinds)]!r} is too many."


def _does_not_run(mine: _Stack) -> str:
    """Modules may be the right ones and not be run one behind the other."""
    import torch

    convolutions = [layer for layer in mine.layers if layer[0] == "convolution"]
    pools = len([layer for layer in mine.layers if layer[0] == "max-pool"])
    images = torch.zeros(2, convolutions[0][1], SIDE, SIDE)
    target = (2, convolutions[-1][2], SIDE >> pools, SIDE >> pools)
    try:
        shape = tuple(ask(mine.module, images).shape)
    except Exception as error:  # the student's module may do anything
        return f"the layers are right, but the forward pass raised {type(error).__name__}: {error}"
    return "" if shape == target else f"the layers are right, but {tuple(images.shape)} became {shape}, not {target}."


STACKS = Kind(
    "an nn.Sequential is wanted; a plain list becomes one by nn.Sequential(*layers)",
    _read,
    lambda mine, right: mine == right,
    lambda mine, right: 0.0,
    _apart,
    flaw=_does_not_run,
)


def _judge_stacks(
    task: str,
    attempt: Callable,
    right: Callable[..., Layers],
    cases: Iterable[Mapping[str, object]],
    mistakes: Mapping[str, Callable[[Layers], Iterable[tuple]]],
) -> Verdict:
    """Judge a function that returns a module. A mistake is what it makes of the right layers."""

    def made_by(mistake: Callable) -> Callable:
        return lambda *arguments: _Stack(tuple(mistake(right(*arguments))))

    named = {words: made_by(mistake) for words, mistake in (LAYER_MISTAKES | mistakes).items()}
    return judge(task, attempt, made_by(tuple), cases, named, STACKS)


def _each(kind: str, change: Callable[[tuple], Iterable[tuple]]) -> Callable:
    """Every layer of that kind is replaced by others."""
    return lambda layers: [new for layer in layers for new in (change(layer) if layer[0] == kind else [layer])]


def _all(kind: str, **properties: object) -> Callable:
    """Every layer of that kind has these properties instead of its own."""

    def changed(layer: tuple) -> list[tuple]:
        values = zip(PROPERTIES[kind], layer[1:], strict=True)
        return [(kind, *(properties.get(name, value) for name, value in values))]

    return _each(kind, changed)


LAYER_MISTAKES: dict[str, Callable[[Layers], Iterable[tuple]]] = {
    "There is no ReLU. Every convolution is followed by one (section 2.1 of the paper).": _each("ReLU", lambda _: []),
    "The ReLU comes before each convolution; it belongs behind it.": lambda layers: _each(
        "convolution", lambda layer: [RELU, layer]
    )(_each("ReLU", lambda _: [])(layers)),
    "The padding is missing: without it, a 3x3 convolution takes a frame of one pixel away.": _all(
        "convolution", padding=0
    ),
    "The biases are missing. Every convolution of the paper has one; it is torch's default, too.": _all(
        "convolution", bias=False
    ),
    "You added batch normalization. VGG is older than that; only convolution, ReLU and pool are asked for.": _each(
        "convolution", lambda layer: [layer, ("BatchNorm2d",)]
    ),
    "There is no pool: a block ends by halving the grid.": _each("max-pool", lambda _: []),
    "There is a pool behind every convolution; a block has one, at its end.": lambda layers: [
        new
        for layer in layers[:-1]
        if layer[0] != "max-pool"
        for new in ([RELU, layers[-1]] if layer == RELU else [layer])
    ],
    "The pool takes the mean; VGG takes the largest.": _each("max-pool", lambda _: [("AvgPool2d",)]),
    "The pool moves one pixel at a time; its stride is 2.": _all("max-pool", stride=1),
    "Your pools overlap, 3x3 with stride 2, as AlexNet's do. VGG's are 2x2 with stride 2.": _all("max-pool", kernel=3),
}
"""What people build instead of the right layers, in a block or in a whole stack."""


def conv_block(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(in_channels, out_channels, convolutions)``: one VGG block as an ``nn.Sequential``."""
    draw = random.Random(seed)
    cases = [(3, 8, 1), (3, 64, 2), *((draw.randint(4, 20), draw.randint(21, 40), n) for n in (4, 3))]

    def right(in_channels: int, out_channels: int, convolutions: int) -> Layers:
        return _wanted(" ".join([f"conv3-{out_channels}"] * convolutions + ["maxpool"]), in_channels)

    return _judge_stacks(
        "one VGG block",
        attempt,
        right,
        [dict(zip(("in_channels", "out_channels", "convolutions"), case, strict=True)) for case in cases],
        {
            "Every convolution of yours takes in in_channels. Behind the first, it takes in what the one before it put "
            "out.": lambda layers: _all("convolution", in_channels=layers[0][1])(layers),
            "The channels grow at the last convolution only; the first one makes out_channels of them.": lambda layers: [
                *_all("convolution", in_channels=layers[0][1], out_channels=layers[0][1])(layers[:-3]),
                *_all("convolution", in_channels=layers[0][1])(layers[-3:]),
            ],
            "You build one convolution, whatever is asked: repeat convolution and ReLU in a loop.": lambda layers: [
                *layers[:2],
                layers[-1],
            ],
            "You build two convolutions, whatever is asked: repeat convolution and ReLU in a loop.": lambda layers: [
                *layers[:2],
                *_all("convolution", in_channels=layers[0][2])(layers[:2]),
                layers[-1],
            ],
            "One convolution is missing: range(1, convolutions) ends one too early.": lambda layers: [
                *layers[:-3],
                layers[-1],
            ],
            "One convolution stands there again and again and shares its weights: make a new one in every pass of the "
            "loop.": lambda layers: [*layers[:2], *[AGAIN, RELU] * (len(layers) // 2 - 1), layers[-1]],
            "There is a ReLU behind the last convolution only; every convolution is followed by one.": lambda layers: [
                *_each("ReLU", lambda _: [])(layers[:-2]),
                *layers[-2:],
            ],
        },
    )


def feature_layers(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(words)``: the convolutional part from words such as conv3-64, conv1-256 and maxpool."""
    draw = random.Random(seed)
    texts = ["conv3-4 maxpool", "conv3-6 conv1-9 maxpool conv1-5 maxpool"]
    for blocks in (2, 3):
        words = [f"conv{draw.choice((1, 3))}-{draw.randint(4, 20)}" for _ in range(2 * blocks)]
        texts.append(" ".join(f"{one} {other} maxpool" for one, other in zip(words[::2], words[1::2], strict=True)))

    def without_relu_behind_1x1(layers: Layers) -> list[tuple]:
        before = [None, *layers]
        return [b for a, b in zip(before, layers, strict=False) if not (b == RELU and a[3] == 1)]

    return _judge_stacks(
        "layers from words",
        attempt,
        _wanted,
        [{"words": text} for text in texts],
        {
            "You pad every convolution by 1. A kernel of k keeps the size with padding (k - 1) // 2: 1 for 3x3, but 0 for "
            "1x1.": _all("convolution", padding=1),
            "Every kernel of yours is 3x3. The number behind conv says how large it is: conv1-256 is 1x1.": _all(
                "convolution", kernel=3, padding=1
            ),
            "Every convolution of yours takes in three channels. Behind the first, it takes in what the one before it put "
            "out.": _all("convolution", in_channels=3),
            "There is a ReLU behind every word. A pool needs none: nothing negative comes out of it.": _each(
                "max-pool", lambda layer: [layer, RELU]
            ),
            "A 1x1 convolution is followed by a ReLU, too.": without_relu_behind_1x1,
            "There is one pool, at the end. Every maxpool among the words is a layer.": lambda layers: [
                *_each("max-pool", lambda _: [])(layers),
                layers[-1],
            ],
            "Only the first word became a layer: is the return inside the loop?": lambda layers: layers[:2],
        },
    )


# --- from functions only ---


def block_forward(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(parameters, block, convolutions, x)``: one VGG block from a dictionary, without any module.

    ``parameters`` has ``conv3_1.weight``, ``conv3_1.bias`` and so on, in no particular order, and those of other blocks.
    """
    import torch
    from torch.nn import functional as F

    def layer(parameters, name, x, padding=1, bias=True):
        return F.conv2d(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"] if bias else None, padding=padding)

    def block_with(step, pool=lambda x: F.max_pool2d(x, 2), names=None, last=lambda x: x):
        """The block with another layer, another pool, other names, or something more before the pool."""

        def forward(parameters, block, convolutions, x):
            for name in names(parameters, block, convolutions) if names else in_order(parameters, block, convolutions):
                x = step(parameters, name, x)
            return pool(last(x))

        return forward

    def in_order(parameters, block, convolutions):
        return [f"conv{block}_{n}" for n in range(1, convolutions + 1)]

    def as_stored(parameters, block, convolutions):
        return [
            key.removesuffix(".weight") for key in parameters if key.startswith(f"conv{block}_") and "weight" in key
        ]

    def right_step(parameters, name, x):
        return layer(parameters, name, x).relu()

    def without_bias(parameters, name, x):
        return layer(parameters, name, x, bias=False).relu()

    def late_bias(parameters, name, x):
        return layer(parameters, name, x, bias=False).relu() + parameters[f"{name}.bias"][:, None, None]

    mistakes = {
        "There is no ReLU: behind every convolution, negative values become 0.": block_with(layer),
        "There is a ReLU behind the last convolution only; every convolution is followed by one.": (
            block_with(layer, last=torch.relu)
        ),
        "The last convolution has no ReLU. It may stand before the pool or behind it (the two commute), but it must be "
        "there.": lambda p, b, n, x: F.max_pool2d(
            layer(p, f"conv{b}_{n}", block_with(right_step, pool=lambda x: x)(p, b, n - 1, x)), 2
        ),
        "The ReLU comes before each convolution; it belongs behind it.": block_with(
            lambda p, name, x: layer(p, name, x.relu())
        ),
        "The padding is missing: without padding=1 every convolution takes a frame of one pixel away.": block_with(
            lambda p, name, x: layer(p, name, x, padding=0).relu()
        ),
        "The biases are missing: hand conv2d both tensors.": block_with(without_bias),
        "The bias belongs to the convolution: add it before the ReLU, not behind it.": block_with(late_bias),
        "The pool is missing: a block ends by halving the grid.": block_with(right_step, pool=lambda x: x),
        "There is a pool behind every convolution; a block has one, at its end.": block_with(
            lambda p, name, x: F.max_pool2d(right_step(p, name, x), 2), pool=lambda x: x
        ),
        "The pool takes the mean; VGG takes the largest.": block_with(right_step, pool=lambda x: F.avg_pool2d(x, 2)),
        "The pool moves one pixel at a time; its stride is 2.": block_with(
            right_step, pool=lambda x: F.max_pool2d(x, 2, stride=1)
        ),
        "The convolutions ran in the order in which the dictionary happens to hold them. Ask for them by name: "
        "conv3_1 comes before conv3_2, wherever it is stored.": block_with(right_step, names=as_stored),
        "The convolutions ran in reverse.": block_with(right_step, names=lambda p, b, n: in_order(p, b, n)[::-1]),
        "Only the first convolution of the block ran.": block_with(right_step, names=lambda p, b, n: [f"conv{b}_1"]),
        "Every pass used the first convolution's weights: count up in the name, too.": block_with(
            right_step, names=lambda p, b, n: [f"conv{b}_1"] * n
        ),
        "One convolution is missing: range(1, convolutions) ends one too early.": block_with(
            right_step, names=lambda p, b, n: in_order(p, b, n - 1)
        ),
        "The number of the block does nothing: you always take block 1.": block_with(
            right_step, names=lambda p, b, n: in_order(p, 1, n)
        ),
    }
    generator = torch.Generator().manual_seed(seed)

    def numbers(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    cases = {}
    for block, convolutions, size in ((1, 1, 4), (2, 2, 8), (4, 3, 16), (3, 4, 18)):
        stored = [f"conv{b}_{n}" for b in (4, 3, 2, 1) for n in (2, 3, 4, 1) if b != block or n <= convolutions]
        names = stored if cases else ["conv1_1"]  # the smallest case has one block and nothing else
        parameters = {}
        for name in names:
            parameters |= {f"{name}.weight": numbers(4, 4, 3, 3) / 3, f"{name}.bias": numbers(4)}
        rest = {"block": block, "convolutions": convolutions, "x": numbers(2, 4, size, size)}
        given = "conv1_1" if len(names) == 1 else f"{len(names)} convolutions"
        cases[f"(parameters=those of {given}, {shown(rest)})"] = {"parameters": parameters, **rest}
    return judge_tensors("a block from a dictionary", attempt, block_with(right_step), cases, mistakes)


def published_lrn(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(x, n, k, alpha, beta)``: the formula of Krizhevsky et al. (2012), by torch's function."""
    import torch
    from torch.nn import functional as F

    def formula(x, n, k, alpha, beta):
        squares = F.pad(x.square(), (0, 0, 0, 0, n // 2, n // 2))  # no neighbors beyond the first and last channel
        sums = sum(squares[:, i : i + x.shape[1]] for i in range(n))
        return x / (k + alpha * sums) ** beta

    def torchs(x, n, k, alpha, beta):
        return F.local_response_norm(x, n, alpha, beta, k)

    generator = torch.Generator().manual_seed(seed)
    cases = []
    for channels, n, k, alpha, beta in ((1, 1, 1.0, 1.0, 0.5), (8, 5, 2.0, 1e-4, 0.75), (9, 3, 1.5, 2e-3, 0.6)):
        x = 50 * torch.randn(2, channels, 3, 3, generator=generator, dtype=torch.float64)
        cases.append({"x": x, "n": n, "k": k, "alpha": alpha, "beta": beta})
    return judge_tensors(
        "local response normalization by torch",
        attempt,
        formula,
        cases,
        {
            "Torch divides the alpha that it is given by n; the formula does not. Undo it.": torchs,
            "You divide alpha by n once more; torch does that already, and the formula does not.": (
                lambda x, n, k, alpha, beta: torchs(x, n, k, alpha / n, beta)
            ),
            "That is right for n = 5 only: torch divides by the n that it is given.": (
                lambda x, n, k, alpha, beta: torchs(x, n, k, 5 * alpha, beta)
            ),
            "Each channel has n neighbors in the sum, not n squared: multiply alpha by n once.": (
                lambda x, n, k, alpha, beta: torchs(x, n, k, n * n * alpha, beta)
            ),
            "The formula's alpha stays; k is not the one to multiply.": (
                lambda x, n, k, alpha, beta: torchs(x, n, n * k, alpha, beta)
            ),
            "Torch's order is (input, size, alpha, beta, k); name the arguments to be safe.": (
                lambda x, n, k, alpha, beta: F.local_response_norm(x, n, k, alpha * n, beta)
            ),
            "Torch's order is (input, size, alpha, beta, k), and alpha must be multiplied by n.": (
                lambda x, n, k, alpha, beta: F.local_response_norm(x, n, k, alpha, beta)
            ),
            "k is missing: torch takes 1 when it is not told.": (
                lambda x, n, k, alpha, beta: torchs(x, n, 1.0, n * alpha, beta)
            ),
            "beta is missing: torch takes 0.75 when it is not told.": (
                lambda x, n, k, alpha, beta: torchs(x, n, k, n * alpha, 0.75)
            ),
            "beta and k are missing: torch takes 0.75 and 1 when it is not told.": (
                lambda x, n, k, alpha, beta: torchs(x, n, 1.0, n * alpha, 0.75)
            ),
        },
    )
