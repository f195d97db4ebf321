"""Checks for the chapter that builds VGG block by block."""

from __future__ import annotations

from collections.abc import Callable

from vgg_course.check.verdict import Verdict, attempt_on, shown
from vgg_course.configuration import Configuration

PROPERTIES = {
    "convolution": ("in_channels", "out_channels", "kernel", "stride", "padding"),
    "max-pool": ("kernel", "stride", "padding"),
    "ReLU": (),
}


def _wanted(in_channels: int, words: str, size: int) -> list[tuple]:
    """What the layers of a stack should be, as short tuples that a student's modules can be compared with."""
    wanted: list[tuple] = []
    for layer in Configuration.parse(words, input_size=size, in_channels=in_channels):
        spec = layer.spec
        if layer.name.startswith("conv"):
            shape = (layer.input_shape[0], spec.channels, spec.kernel, spec.stride, spec.padding)
            wanted += [("convolution", *shape), ("ReLU",)]
        else:
            wanted.append(("max-pool", spec.kernel, spec.stride, spec.padding))
    return wanted


def _described(module) -> tuple:
    """A module as the same kind of tuple."""
    from torch import nn

    def side(value) -> object:
        return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value

    if isinstance(module, nn.Conv2d):
        shape = (module.kernel_size, module.stride, module.padding)
        same = module.padding == "same"
        padding = (module.kernel_size[0] - 1) // 2 if same else side(shape[2])
        return ("convolution", module.in_channels, module.out_channels, side(shape[0]), side(shape[1]), padding)
    if isinstance(module, nn.ReLU):
        return ("ReLU",)
    if isinstance(module, nn.MaxPool2d):
        return ("max-pool", side(module.kernel_size), side(module.stride), side(module.padding))
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
