"""Checks for the chapter that builds VGG three times."""

from __future__ import annotations

from collections.abc import Callable

from vgg_course.check.judging import judge_tensors
from vgg_course.check.verdict import Verdict, attempt_on, shown
from vgg_course.configuration import Configuration

PROPERTIES = {
    "convolution": ("in_channels", "out_channels", "kernel", "stride", "padding", "dilation", "groups", "bias"),
    "max-pool": ("kernel", "stride", "padding", "ceil_mode"),
    "ReLU": (),
}


def _wanted(in_channels: int, words: str, size: int) -> list[tuple]:
    """What the layers of a stack should be, as short tuples that a student's modules can be compared with."""
    wanted: list[tuple] = []
    for layer in Configuration.parse(words, input_size=size, in_channels=in_channels):
        spec = layer.spec
        if layer.name.startswith("conv"):
            shape = (layer.input_shape[0], spec.channels, spec.kernel, spec.stride, spec.padding)
            wanted += [("convolution", *shape, 1, 1, True), ("ReLU",)]
        else:
            wanted.append(("max-pool", spec.kernel, spec.stride, spec.padding, False))
    return wanted


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
        return ("ReLU",)
    if isinstance(module, nn.MaxPool2d):
        return ("max-pool", side(module.kernel_size), side(module.stride), side(module.padding), module.ceil_mode)
    return (type(module).__name__,)


def _leaves(module) -> list:
    return [leaf for leaf in module.modules() if not list(leaf.children())]


def _compare(task: str, attempt: Callable, cases: list[tuple[dict, int, str, int]]) -> Verdict:
    """Judge a function that returns modules. A case: arguments, input channels, the target in words, the size."""
    import torch
    from torch import nn

    for arguments, in_channels, words, size in cases:
        module, verdict = attempt_on(attempt, arguments, task)
        if verdict is not None:  # a verdict is false unless it passed
            return verdict
        case = f"on ({shown(arguments)})"
        if isinstance(module, list | tuple) and all(isinstance(m, nn.Module) for m in module):
            return Verdict(task, "wrong", f"{case} it returned a plain list. Wrap it: nn.Sequential(*layers).")
        if not isinstance(module, nn.Module):
            return Verdict(task, "wrong", f"{case} it returned {type(module).__name__}, not an nn.Sequential.")
        wanted, got = _wanted(in_channels, words, size), [_described(leaf) for leaf in _leaves(module)]
        if message := _difference(wanted, got):
            return Verdict(task, "wrong", f"{case}: {message}")
        images = torch.zeros(2, in_channels, size, size)
        try:
            shape = tuple(module(images).shape)
        except Exception as error:  # the student's module may do anything
            return Verdict(task, "wrong", f"{case}: its forward pass raised {type(error).__name__}: {error}")
        target = (2, *Configuration.parse(words, input_size=size, in_channels=in_channels).layers[-1].output_shape)
        if shape != target:
            return Verdict(task, "wrong", f"{case}: {tuple(images.shape)} became {shape}, not {target}.")
    return Verdict(task, "passed", f"right on all {len(cases)} cases: kinds, channels, kernels, paddings and shapes.")


def _difference(wanted: list[tuple], got: list[tuple]) -> str:
    """The first difference between two stacks, with the likely reason; empty if there is none."""
    kinds, got_kinds = [w[0] for w in wanted], [g[0] for g in got]
    for kind in ("convolution", "max-pool", "ReLU"):
        n, m = kinds.count(kind), got_kinds.count(kind)
        if n != m:
            hints = {
                "ReLU": "Every convolution is followed by one (section 2.1 of the paper).",
                "max-pool": "A block ends with exactly one; pools stand between blocks, not behind every convolution.",
                "convolution": "Is the loop run once for each?",
            }
            return f"it has {m} of the layer {kind!r}, not {n}. {hints[kind]}"
    for place, (right, mine) in enumerate(zip(wanted, got, strict=False)):
        if right[0] != mine[0]:
            return (
                f"module {place} is {mine[0]!r}; {right[0]!r} belongs there. The order is convolution, ReLU, ..., pool."
            )
        for name, a, b in zip(PROPERTIES[right[0]], right[1:], mine[1:], strict=True):
            if a != b:
                hint = {
                    "padding": "A kernel of k keeps the size with padding (k - 1) // 2: 1 for 3x3, but 0 for 1x1.",
                    "in_channels": "A convolution takes in what the one before it put out.",
                    "bias": "Every convolution of the paper has a bias; it is torch's default, too.",
                }.get(name, "")
                return f"module {place} ({right[0]}) has {name} {b}, not {a}. {hint}".strip()
    if len(got) > len(wanted):
        return f"it has {len(got)} modules, not {len(wanted)}: {got[len(wanted)][0]!r} is too many."
    return ""


def conv_block(attempt: Callable) -> Verdict:
    """Check ``attempt(in_channels, out_channels, convolutions)``: one VGG block as an ``nn.Sequential``."""
    cases = []
    for in_channels, out_channels, convolutions in ((3, 8, 1), (3, 64, 2), (16, 24, 4)):
        arguments = {"in_channels": in_channels, "out_channels": out_channels, "convolutions": convolutions}
        words = " ".join([f"conv3-{out_channels}"] * convolutions + ["maxpool"])
        cases.append((arguments, in_channels, words, 8))
    return _compare("one VGG block", attempt, cases)


def feature_layers(attempt: Callable) -> Verdict:
    """Check ``attempt(words)``: the convolutional part from words such as conv3-64, conv1-256 and maxpool."""
    words = ("conv3-4 maxpool", "conv3-8 conv3-8 maxpool conv3-16 maxpool", "conv3-6 conv1-9 maxpool conv1-5 maxpool")
    return _compare("layers from words", attempt, [({"words": text}, 3, text, 16) for text in words])


# --- from functions only ---


class _Parameters(dict):
    """A dictionary of tensors that shows itself by a few names and shapes, so that a verdict stays short."""

    def __repr__(self) -> str:
        shown = [f"{name}: <{'x'.join(map(str, tensor.shape))} numbers>" for name, tensor in list(self.items())[:2]]
        rest = f", ... {len(self)} tensors" if len(self) > 2 else ""
        return "{" + ", ".join(shown) + rest + "}"


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

    cases = []
    for block, convolutions, size in ((1, 1, 4), (2, 2, 8), (4, 3, 16), (3, 4, 18)):
        stored = [f"conv{b}_{n}" for b in (4, 3, 2, 1) for n in (2, 3, 4, 1) if b != block or n <= convolutions]
        names = stored if cases else ["conv1_1"]  # the smallest case has one block and nothing else
        parameters = _Parameters()
        for name in names:
            parameters |= {f"{name}.weight": numbers(4, 4, 3, 3) / 3, f"{name}.bias": numbers(4)}
        x = numbers(2, 4, size, size)
        cases.append({"parameters": parameters, "block": block, "convolutions": convolutions, "x": x})

    def on_copies(parameters, *rest):  # an attempt that pops from the dictionary spoils its own copy only
        return attempt({name: tensor.clone() for name, tensor in parameters.items()}, *rest)

    return judge_tensors(
        "a block from a dictionary",
        on_copies if callable(attempt) else attempt,
        block_with(right_step),
        cases,
        mistakes,
    )


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
