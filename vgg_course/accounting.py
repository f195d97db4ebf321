"""What a configuration costs: parameters, multiply-accumulates and activation memory, layer by layer.

What is counted, once and for all:

* **parameters**: weights and biases of convolutions and fully-connected layers; a batch norm has two a channel.
* **MACs**: one multiplication and the addition that follows it, for every weight at every place it is used. Biases,
  ReLUs, pools and normalizations are not counted (less than 1 % together). FLOPs are 2 x MACs.
* **values**: numbers that come out of a layer, for one image. A ReLU overwrites its input, so it adds none.
* **bytes**: values times 4 (float32), unless asked otherwise. MB is 10^6 bytes, MiB is 2^20.

This module needs the standard library only, except :func:`measured_saved_bytes`, which
asks torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

from vgg_course import show
from vgg_course.configuration import (
    Configuration,
    Conv,
    Layer,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Shape,
    as_configuration,
)

MB = 10**6
MiB = 2**20
BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Row:
    """One line of the ledger. Shapes leave out the batch; ``values`` is for one image."""

    name: str
    block: int
    kind: str  # input, convolution, pool, normalization or fully connected
    shape: Shape
    weights: int
    biases: int
    macs: int

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases

    @property
    def values(self) -> int:
        """Numbers that come out, for one image."""
        return prod(self.shape)


@dataclass(frozen=True)
class Ledger:
    """Rows by layer name, with sums over any part; shows itself as a table.

    >>> ledger("D").parameters, ledger("D").macs
    (138357544, 15470264320)
    """

    name: str
    rows: tuple[Row, ...]
    bytes_per_value: int = 4

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no line {name!r} in the ledger; there are {', '.join(row.name for row in self.rows)}")

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    # --- sums ---

    @cached_property
    def weights(self) -> int:
        """Parameters without biases."""
        return sum(row.weights for row in self.rows)

    @cached_property
    def biases(self) -> int:
        """Biases alone."""
        return sum(row.biases for row in self.rows)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(row.macs for row in self.rows)

    @cached_property
    def values(self) -> int:
        """Activation values of the listed lines, the input included, for one image."""
        return sum(row.values for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """Bytes of all listed activation values, for one image."""
        return self.values * self.bytes_per_value

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all parameters."""
        return self.parameters * self.bytes_per_value

    # --- parts ---

    def part(self, keep: Callable[[Row], bool]) -> Ledger:
        """The lines that ``keep`` says yes to, as a ledger of its own."""
        return Ledger(self.name, tuple(filter(keep, self.rows)), self.bytes_per_value)

    @property
    def convolutional(self) -> Ledger:
        """The convolutions (and their normalizations) alone."""
        return self.part(lambda row: row.kind in ("convolution", "normalization"))

    @property
    def pooling(self) -> Ledger:
        """The pools alone."""
        return self.part(lambda row: row.kind == "pool")

    @property
    def fully_connected(self) -> Ledger:
        """The fully-connected layers alone."""
        return self.part(lambda row: row.kind == "fully connected")

    # --- showing ---

    def _table(self) -> show.Table:
        rows = [
            (row.name, "x".join(map(str, row.shape)), row.values, row.weights, row.biases, row.macs)
            for row in self.rows
        ]
        total = ("total", "", self.values, self.weights, self.biases, self.macs)
        megabytes = self.activation_bytes / MB
        caption = (
            f"Configuration {self.name}: {self.parameters:,} parameters, {self.macs:,} MACs, "
            f"{megabytes:,.2f} MB of activations an image ({self.bytes_per_value} bytes a value)"
        )
        return show.Table(caption, ("layer", "output", "values", "weights", "biases", "MACs"), rows, [total])

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def ledger(configuration: str | Configuration, dtype: str = "float32") -> Ledger:
    """The ledger of a configuration: one line for the input, then one a layer.

    Args:
        configuration: one of the paper's six by letter, or a :class:`Configuration`.
        dtype: what a value is stored in: float64, float32, bfloat16 or float16. Changes bytes only.

    >>> ledger("D")["conv1_1"].weights
    1728
    """
    configuration = as_configuration(configuration)
    if dtype not in BYTES:
        raise ValueError(f"dtype is {dtype!r}; the ledger knows {', '.join(BYTES)}.")
    rows = [Row("input", 0, "input", configuration.input_shape, 0, 0, 0)]
    for layer in configuration.layers:
        rows.append(_row(layer))
        if configuration.batch_norm and isinstance(layer.spec, Conv):
            rows.append(_batch_norm(layer))
    return Ledger(configuration.name, tuple(rows), BYTES[dtype])


def _row(layer: Layer) -> Row:
    match layer.spec:
        case Conv(channels=out, kernel=k):
            weights = k * k * layer.input_shape[0] * out  # every output channel has a k x k filter over every input one
            places = prod(layer.output_shape[1:])  # and uses it at every place of the output
            return Row(layer.name, layer.block, "convolution", layer.output_shape, weights, out, weights * places)
        case Linear(features=out):
            weights = prod(layer.input_shape) * out  # every output listens to every input, once
            return Row(layer.name, layer.block, "fully connected", layer.output_shape, weights, out, weights)
        case MaxPool():
            return Row(layer.name, layer.block, "pool", layer.output_shape, 0, 0, 0)
        case _:
            return Row(layer.name, layer.block, "normalization", layer.output_shape, 0, 0, 0)


def _batch_norm(layer: Layer) -> Row:
    """Scale and shift, one each a channel: a weight and a bias. (Running mean and variance are not learned.)"""
    channels = layer.output_shape[0]
    name = layer.name.replace("conv", "bn")
    return Row(name, layer.block, "normalization", layer.output_shape, channels, channels, 0)


# --- what training keeps ---


@dataclass(frozen=True)
class Kept:
    """One tensor that autograd keeps for the backward pass."""

    name: str
    why: str
    values: int
    bytes_per_value: int

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return self.values * self.bytes_per_value


@dataclass(frozen=True)
class SavedForBackward:
    """Everything that PyTorch keeps between the forward and the backward pass, parameters aside."""

    name: str
    batch: int
    rows: tuple[Kept, ...]

    def __iter__(self) -> Iterator[Kept]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def bytes(self) -> int:
        """Size of all of it, in bytes."""
        return sum(row.bytes for row in self.rows)

    @cached_property
    def index_bytes(self) -> int:
        """The part that is max-pool positions (int64: eight bytes each)."""
        return sum(row.bytes for row in self.rows if row.bytes_per_value == 8)

    def _table(self) -> show.Table:
        return show.Table(
            f"Configuration {self.name}: what PyTorch keeps for the backward pass, batch of {self.batch}",
            ("layer", "kept because", "values", "bytes"),
            [(row.name, row.why, row.values, row.bytes) for row in self.rows],
            [("total", "", sum(row.values for row in self.rows), self.bytes)],
        )

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def saved_for_backward(configuration: str | Configuration, batch: int = 1, dropout: bool = True) -> SavedForBackward:
    """Predict which tensors PyTorch keeps for the backward pass of our float32 net, from the configuration alone.

    A convolution and a fully-connected layer keep their input, a ReLU its output: mostly the same tensor, kept once. A
    max-pool keeps its input (kept already) and, for each output, the position of the largest value as an int64.

    Args:
        configuration: one of the paper's six by letter, or a :class:`Configuration`.
        batch: images at once.
        dropout: whether dropout is on (training mode, p > 0): its mask and its output are kept too.
    """
    configuration = as_configuration(configuration)
    rows = [Kept("input", "conv1_1 needs its input", prod(configuration.input_shape), 4)]
    last = configuration.layers[-1]
    for layer in configuration.layers:
        out = prod(layer.output_shape)
        match layer.spec:
            case Conv():
                if configuration.batch_norm:
                    rows.append(Kept(layer.name, "batch norm needs its input", out, 4))
                rows.append(Kept(layer.name, "ReLU needs its output", out, 4))
            case MaxPool():
                rows.append(Kept(layer.name, "the next layer needs its input", out, 4))
                rows.append(Kept(layer.name, "where each maximum was (int64)", out, 8))
            case Linear() if layer is not last:
                rows.append(Kept(layer.name, "ReLU needs its output", out, 4))
                if dropout:
                    rows.append(Kept(layer.name, "the dropout mask", out, 4))
                    rows.append(Kept(layer.name, "the next layer needs its input", out, 4))
            case LocalResponseNorm(size=size):
                channels, *grid = layer.output_shape
                rows.append(Kept(layer.name, "squares, padded across channels", (channels + size - 1) * prod(grid), 4))
                rows.append(Kept(layer.name, "the sum before the power", out, 4))
                rows.append(Kept(layer.name, "the divisor", out, 4))
                rows.append(Kept(layer.name, "the next layer needs its input", out, 4))
    kept = [Kept(row.name, row.why, row.values * batch, row.bytes_per_value) for row in rows]
    if configuration.batch_norm:  # the mean and the inverse deviation of each channel: the only part not per image
        channels = sum(layer.output_shape[0] for layer in configuration.layers if isinstance(layer.spec, Conv))
        kept.append(Kept("batch norms", "mean and deviation of the batch", 2 * channels, 4))
    return SavedForBackward(configuration.name, batch, tuple(kept))


def measured_saved_bytes(model, images) -> int:
    """Run ``model`` forward on ``images`` and weigh what autograd keeps, in bytes.

    Every tensor that an operation saves passes through a hook. Two tensors may share one storage (a view, an in-place
    ReLU), so storages are weighed, each once; those of the model's own parameters and buffers are left out.
    """
    import torch

    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept = {}  # holding the storages keeps their addresses from being used again

    def weigh(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(weigh, lambda tensor: tensor):
        model(images)
    return sum(storage.nbytes() for storage in kept.values())
