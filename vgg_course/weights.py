"""Trained weights: saving them whole or not at all, and loading them safely or not at all.

A file of weights from somewhere may be a program (:mod:`vgg_course.formats` has the reasons). Here nothing is ever run,
and nothing is copied into a model before every tensor has been looked at: whatever is wrong raises :class:`WeightsError`,
which says what and what to do, and the model stays as it was, bit for bit.

Names of tensors are torchvision's, so its files for A, B, D and E load into ours, and ours into its classes::

    weights.load(vgg("D"), "vgg16.pth")
    torchvision.models.vgg16().load_state_dict(weights.read("ours.safetensors"))
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from math import isqrt
from pathlib import Path

import torch
from torch import Tensor

from vgg_course import formats
from vgg_course.configuration import CONFIGURATIONS, Configuration, ConfigurationError, Conv, Linear
from vgg_course.formats import FORMAT, WeightsError
from vgg_course.model import VGG

__all__ = ["WeightsError", "about", "build", "features_from_environment", "load", "read", "save"]

ENVIRONMENT = "VGG_COURSE_WEIGHTS"  # names a file with the convolutional weights of VGG-16
PARTS = (None, "features")

Source = str | os.PathLike | Mapping[str, Tensor]


# --- writing ---


def save(model: VGG, path: str | os.PathLike, **facts) -> None:
    """Write the weights of ``model`` and what it is: the configuration in the paper's notation, as plain text.

    The file is written beside its place and moved there when it is complete: whoever stops the program finds the old file
    or the new one, never half of one.

    Args:
        model: its weights; it may be on a GPU.
        path: a name that ends in .safetensors gives that format; any other, what ``torch.save`` writes.
        facts: whatever else should be kept with the weights: text, numbers, lists and dicts. :func:`about` returns them.

    Raises:
        WeightsError: the place is a folder or in no folder, a weight is not finite (such a file could not be loaded), or
            a fact is not plain.
    """
    tensors, path = _of(model).state_dict(), Path(path).expanduser()
    if path.is_dir():
        raise WeightsError(f"{path} is a folder; name a file in it, as in {path / 'vgg.safetensors'}.")
    if not path.parent.is_dir():
        raise WeightsError(f"there is no folder {path.parent} to write {path.name} into; make it first.")
    for name, tensor in tensors.items():
        _finite(name, tensor, "the model")
    configuration = model.configuration
    described = {
        "name": configuration.name,
        "notation": configuration.notation(),
        "input_size": configuration.input_size,
        "in_channels": configuration.in_channels,
        "batch_norm": configuration.batch_norm,
    }
    formats.write(tensors, dict(**described, **facts), path)


# --- reading ---


def read(source: Source) -> dict[str, Tensor]:
    """The tensors of a file or a state dict by torchvision's names, on the CPU; nothing in the file is run.

    A checkpoint that keeps them under "state_dict", and the "module." that DataParallel puts before every name, are seen
    through.

    Raises:
        WeightsError: the file is no file of weights, is damaged, or wants to run something.
    """
    return _read(source)[0]


def about(path: str | os.PathLike) -> dict:
    """What a file that :func:`save` wrote says of itself: its configuration, and the facts kept with it; else nothing.

    Raises:
        WeightsError: see :func:`read`.
    """
    return {key: value for key, value in _read(path)[1].items() if key not in ("format", "state_dict")}


def _read(source: Source) -> tuple[dict[str, Tensor], Mapping]:
    """The tensors, and what one of our own files says about itself (else nothing)."""
    if isinstance(source, Mapping):
        content, what = source, "the state dict"
    elif isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        content, what = formats.read(path), str(path)
    else:
        raise WeightsError(
            f"the source is a {type(source).__name__}; give the path of a file, or a state dict (model.state_dict())."
        )
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"{what} holds a {type(content).__name__}, not tensors by name; save model.state_dict() in it."
        )
    about = content if content.get("format") == FORMAT else {}
    tensors = content["state_dict"] if isinstance(content.get("state_dict"), Mapping) else content
    if about and not (tensors is not content and isinstance(about.get("notation"), str)):
        raise WeightsError(f"{what} says that the course wrote it, but it lacks a part; save the model again.")
    if tensors and all(isinstance(name, str) and name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    inner = [key for key, value in tensors.items() if isinstance(value, Mapping)]
    others = [key for key, value in tensors.items() if not isinstance(value, Tensor) or not isinstance(key, str)]
    if inner:
        raise WeightsError(
            f"{what} holds more than weights: {_some(map(repr, tensors))}. Say which part they are: read it with "
            f"torch.load(path, weights_only=True) and hand over its [{inner[0]!r}]."
        )
    if others or not tensors:
        found = f"{others[0]!r} is a {type(tensors[others[0]]).__name__}" if others else "it is empty"
        raise WeightsError(
            f"{what} is no state dict, which has tensors by name: {found}. Save model.state_dict() in it."
        )
    return dict(tensors), about


# --- loading ---


def load(model: VGG, source: Source, part: str | None = None) -> None:
    """Copy weights into ``model``: all of them, or none if anything does not fit.

    Args:
        model: its weights are replaced, in place; their type and device stay (a file in float16 is fine).
        source: a file from :func:`save` or from torchvision, or a state dict.
        part: None wants every tensor of the model and no other. "features" wants those of the convolutional part, and
            leaves the classifier as it is, whatever the source has for it.

    Raises:
        WeightsError: the message says what does not fit and what to do. The model is as it was.
    """
    if part not in PARTS:
        raise WeightsError(f"part is {part!r}; it can be None, for the whole model, or 'features'.")
    own = _of(model).state_dict()
    tensors, about = _read(source)
    if part:
        own = {name: tensor for name, tensor in own.items() if name.startswith(f"{part}.")}
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}
    what = "the state dict" if isinstance(source, Mapping) else str(source)
    _same_configuration(model.configuration, tensors, what)
    _same_names(own, tensors, part, what)
    tensors = {name: tensors[name] for name in own if name in tensors}  # of many faults, the first says most
    _same_shapes(model.configuration, own, tensors, what)
    _same_pools(model.configuration, about, what)
    for name, tensor in tensors.items():
        _usable(name, tensor, own[name], what)
    model.load_state_dict({**model.state_dict(), **tensors})


def build(path: str | os.PathLike) -> VGG:
    """The net of a file that :func:`save` wrote, built as the file says, with its weights, in eval mode.

    Raises:
        WeightsError: the file does not say what net it is of, or cannot be loaded.
    """
    said = about(path)
    try:
        options = {key: said[key] for key in ("input_size", "in_channels", "batch_norm")}
        configuration = Configuration.parse(said["notation"], said["name"], **options)
        with torch.random.fork_rng(
            devices=[]
        ):  # modules draw weights that are soon replaced; torch's chance stays as it was
            model = VGG(configuration)
    except KeyError:
        raise WeightsError(
            f"{path} does not say what net it is of; build that yourself, and load the file into it."
        ) from None
    except ConfigurationError as error:
        raise WeightsError(f"{path} is of a net that cannot be built: {error}") from None
    load(model, path)
    return model.eval()


def features_from_environment(model: VGG) -> bool:
    """Load the convolutional part from the file that ``VGG_COURSE_WEIGHTS`` names; False if it names none.

    Raises:
        WeightsError: it names a file, but one that cannot be loaded.
    """
    if not (path := os.environ.get(ENVIRONMENT)):
        return False
    load(model, path, part="features")
    return True


def _of(model: VGG) -> VGG:
    if not isinstance(model, VGG):
        raise WeightsError(
            f"the model is a {type(model).__name__}; hand over the VGG itself (inside DataParallel it is model.module)."
        )
    return model


def _same_configuration(configuration: Configuration, tensors: Mapping[str, Tensor], what: str) -> None:
    """Raise if the tensors are, by their places and kernels, those of another of the paper's configurations."""
    found = {
        int(match[1]): tensor.shape[-1]
        for name, tensor in tensors.items()
        if (match := re.fullmatch(r"features\.(\d{1,3})\.weight", name)) and tensor.ndim == 4
    }
    if found == _kernels(configuration):
        return
    for known in CONFIGURATIONS.values():
        for batch_norm in (False, True):
            theirs = replace(known, batch_norm=batch_norm)
            if found == _kernels(theirs):
                raise WeightsError(
                    f"{what} has the weights of configuration {_title(theirs)}, but the model is configuration "
                    f'{_title(configuration)}. Build the model with vgg("{theirs.name}", batch_norm={batch_norm}), or get '
                    "the other weights."
                )


def _kernels(configuration: Configuration) -> dict[int, int]:
    """Where the convolutions stand in ``features``, with the sides of their kernels. No two of the paper's agree."""
    kernels, place = {}, 0
    for spec in configuration.specs:
        if isinstance(spec, Conv):
            kernels[place] = spec.kernel
            place += 1 + configuration.batch_norm  # and the ReLU
        place += not isinstance(spec, Linear)
    return kernels


def _title(configuration: Configuration) -> str:
    return f"{configuration.name} {'with' if configuration.batch_norm else 'without'} batch norm"


def _same_names(own: Mapping, tensors: Mapping, part: str | None, what: str) -> None:
    """Raise if tensors are missing or too many. The count of batches may be missing: files from before 2018 have none."""
    missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in tensors if name not in own]
    if not missing and not unexpected:
        return
    said = [f"{what} does not fit."]
    if missing:
        said.append(f"Missing: {_some(missing)}.")
    if unexpected:
        said.append(f"Unexpected: {_some(unexpected)}.")
    if part is None and not unexpected and all(name.startswith("classifier.") for name in missing):
        said.append('It has the convolutional part only; load that with part="features".')
    else:
        said.append("Is it from a network with other layers? Build the model as that one was built.")
    raise WeightsError(" ".join(said))


def _same_shapes(configuration: Configuration, own: Mapping, tensors: Mapping, what: str) -> None:
    wrong = [name for name in tensors if tensors[name].shape != own[name].shape]
    if not wrong:
        return
    listed = [f"{name} is {_shape(tensors[name])}, the model's is {_shape(own[name])}" for name in wrong]
    raise WeightsError(f"{what} does not fit: {_some(listed, '; ')}. {_reason(configuration, own, tensors, wrong)}")


def _reason(configuration: Configuration, own: Mapping, tensors: Mapping, wrong: list[str]) -> str:
    """The likely reason why the shapes of ``wrong`` differ: the first of them says most."""
    name = wrong[0]
    theirs, ours = tensors[name], own[name]
    if theirs.ndim != ours.ndim:
        return "A tensor of this name belongs to another kind of layer."
    if name.startswith("features."):
        if name == "features.0.weight" and theirs.shape[1] != ours.shape[1]:
            return f"It was trained on images of {theirs.shape[1]} channels: build the model with in_channels={theirs.shape[1]}."
        return (
            f"It has another width: build the model with the one it was made with, so that {name} is {_shape(theirs)}."
        )
    linear = [layer for layer in configuration if isinstance(layer.spec, Linear)]
    if name == "classifier.0.weight" and theirs.shape[1] != ours.shape[1]:
        channels = linear[0].input_shape[0]
        side = isqrt(theirs.shape[1] // channels)
        if side * side * channels == theirs.shape[1]:
            return (
                f"Its classifier is for a grid of {side}x{side}, the model's is for {linear[0].input_shape[1]}x"
                f"{linear[0].input_shape[2]}: build the model with the input_size that it was made with."
            )
    if all(w.startswith(f"classifier.{3 * (len(linear) - 1)}.") for w in wrong):
        return (
            f"It has {theirs.shape[0]} classes, the model has {ours.shape[0]}: build the model with "
            f'classes={theirs.shape[0]}, or load the convolutional part alone with part="features".'
        )
    return "Its hidden layers have other sizes: build the model with the same hidden and width."


def _same_pools(configuration: Configuration, about: Mapping, what: str) -> None:
    """Raise if all shapes agree, but the net is another one nevertheless: strides and pools have no weights."""

    def body(notation: str) -> str:
        return " ".join(word for word in notation.split() if not word.startswith("FC-"))

    if about and body(about["notation"]) != body(configuration.notation()):
        raise WeightsError(
            f"{what} was saved from configuration {about.get('name')}, {body(about['notation'])}; the model is configuration "
            f"{configuration.name}, {body(configuration.notation())}. Build the model with Configuration.parse(...)."
        )


def _usable(name: str, tensor: Tensor, own: Tensor, what: str) -> None:
    """Raise unless the numbers of a tensor can go into the model's."""
    if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
        raise WeightsError(
            f"{what}: {name} has no plain numbers in it ({tensor.layout}, {tensor.device}, {tensor.dtype})."
        )
    if tensor.is_floating_point() != own.is_floating_point() or tensor.is_complex():
        raise WeightsError(
            f"{what}: {name} is {tensor.dtype}, where the model has {own.dtype}. Was it quantized, or converted? Get it "
            "in the type that it was trained in."
        )
    _finite(name, tensor.to(own.dtype), what)


def _finite(name: str, tensor: Tensor, what: str) -> None:
    if tensor.is_floating_point() and not (finite := tensor.isfinite()).all():
        raise WeightsError(
            f"{what}: {int((~finite).sum())} of the {finite.numel()} numbers of {name} are not finite in {tensor.dtype} "
            "(NaN, infinite, or too large for it). The training that made them had diverged; take an earlier state."
        )


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"


def _some(words, separator: str = ", ", most: int = 3) -> str:
    """The first few of a list, and how many more there are."""
    words = list(words)
    more = f"{separator}and {len(words) - most} more" if len(words) > most else ""
    return separator.join(words[:most]) + more
