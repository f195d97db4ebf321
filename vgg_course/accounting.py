"""What a configuration costs: parameters, multiply-accumulates and activation memory, layer by layer.

What is counted, once and for all:

* **parameters**: weights and biases of convolutions and fully-connected layers; a batch norm has two a channel.
* **MACs**: one multiplication and the addition that follows it, for every weight at every place it is used. Biases,
  ReLUs, pools and normalizations are not counted (less than 1 % together). FLOPs are 2 x MACs.
* **values**: numbers that come out of a layer, for one image. A ReLU overwrites its input, so it adds none.
* **bytes**: values times 4 (float32), unless asked otherwise. MB is 10^6 bytes, MiB is 2^20.

"The memory of the activations" is no quantity until somebody says which ones, so there are five conventions with names:
:data:`CONVENTIONS`. :func:`activation_memory` computes each, :func:`training_memory` adds what training keeps a weight.

This module needs the standard library only, except :func:`measured_saved_bytes` and :func:`measured_peak_bytes`, which
ask torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from types import MappingProxyType

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

CONVENTIONS: Mapping[str, str] = MappingProxyType(
    {
        "listed outputs": "the input and what comes out of every layer, each once",
        "separate ReLU outputs": "the same, and one output more for every ReLU, as if none worked in place",
        "data and gradients": "every listed value and a gradient of the same size beside it, as Caffe had it",
        "inference": "the most that is alive at once when every output is freed after its last use",
        "saved for backward": "what autograd keeps from the forward pass for the backward pass",
    }
)
"""What people count when they say "the memory of the activations": a name and one sentence each."""

PRECISIONS: Mapping[str, str] = MappingProxyType(
    {
        "float32": "weights and activations of four bytes",
        "bfloat16": "the whole net and its input converted: weights and activations of two bytes",
        "autocast": "weights of four bytes; every layer works on bfloat16 copies of its weights and its input",
    }
)
"""How the numbers are stored in training: a name and one sentence each."""


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


@dataclass(frozen=True, repr=False)
class Ledger(show.Shown):
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

    @cached_property
    def relu_values(self) -> int:
        """Values that come out of the ReLUs: behind every convolution and all but the last fully-connected layer."""
        weighted = [row for row in self.rows if row.kind in ("convolution", "fully connected")]
        hidden = weighted[:-1] if weighted and weighted[-1].kind == "fully connected" else weighted
        return sum(row.values for row in hidden)

    @cached_property
    def peak_values(self) -> float:
        """The most values alive at once in inference, when a layer's input is freed as soon as its output is there.

        That is the input and the output of one layer. A pool of PyTorch's writes down positions of eight bytes as
        well, and a local response norm works on four tensors at a time.
        """
        return max(
            (before.values + row.values + self._work(row) for before, row in pairwise(self.rows)),
            default=self.values,
        )

    def _work(self, row: Row) -> float:
        if row.kind == "pool":
            return row.values * 8 / self.bytes_per_value
        return 2 * row.values if row.name.startswith("lrn") else 0

    @property
    def peak_bytes(self) -> int:
        """Bytes of :attr:`peak_values`, for one image."""
        return int(self.peak_values * self.bytes_per_value)

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


@dataclass(frozen=True, repr=False)
class SavedForBackward(show.Shown):
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


def saved_for_backward(
    configuration: str | Configuration, batch: int = 1, dropout: bool = True, precision: str = "float32"
) -> SavedForBackward:
    """Predict which tensors PyTorch keeps for the backward pass of our net, from the configuration alone.

    A convolution and a fully-connected layer keep their input, a ReLU its output: mostly the same tensor, kept once. A
    max-pool keeps its input (kept already) and, for each output, the position of the largest value as an int64, in
    every precision. Under autocast the bfloat16 copies of the weights are kept too, once for the whole batch. Nothing
    is kept of what stands before the first weights: no gradient goes there.

    Args:
        configuration: one of the paper's six by letter, or a :class:`Configuration`.
        batch: images at once.
        dropout: whether dropout is on (training mode, p > 0): its mask and its output are kept too. The mask is a
            tensor like the activations, as on a CPU; a GPU packs it into one byte a value.
        precision: one of :data:`PRECISIONS`. (A local response norm stays in float32 under autocast; in pure bfloat16
            it does not run on a CPU.)
    """
    configuration = as_configuration(configuration)
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; there are {', '.join(PRECISIONS)}.")
    size = 4 if precision == "float32" else 2
    norm_size = 2 if precision == "bfloat16" else 4
    layers = configuration.layers
    first = next((i for i, layer in enumerate(layers) if isinstance(layer.spec, Conv | Linear)), None)
    if first is None:  # nothing to learn, so no gradient goes anywhere
        return SavedForBackward(configuration.name, batch, ())
    before = layers[first - 1].name if first else "input"
    rows = [Kept(before, f"{layers[first].name} needs its input", prod(layers[first].input_shape), size)]
    for layer in layers[first:]:
        out = prod(layer.output_shape)
        match layer.spec:
            case Conv():
                if configuration.batch_norm:
                    rows.append(Kept(layer.name, "batch norm needs its input", out, size))
                rows.append(Kept(layer.name, "ReLU needs its output", out, size))
            case MaxPool():
                rows.append(Kept(layer.name, "the next layer needs its input", out, size))
                rows.append(Kept(layer.name, "where each maximum was (int64)", out, 8))
            case Linear() if layer is not layers[-1]:
                rows.append(Kept(layer.name, "ReLU needs its output", out, size))
                if dropout:
                    rows.append(Kept(layer.name, "the dropout mask", out, size))
                    rows.append(Kept(layer.name, "the next layer needs its input", out, size))
            case LocalResponseNorm(size=window):
                channels, *grid = layer.output_shape
                padded = (channels + window - 1) * prod(grid)
                rows.append(Kept(layer.name, "squares, padded across channels", padded, norm_size))
                rows.append(Kept(layer.name, "the sum before the power", out, norm_size))
                rows.append(Kept(layer.name, "the divisor", out, norm_size))
                rows.append(Kept(layer.name, "the next layer needs its input", out, norm_size))
    kept = [Kept(row.name, row.why, row.values * batch, row.bytes_per_value) for row in rows]
    if configuration.batch_norm:  # the mean and the inverse deviation of each channel: not one an image
        channels = sum(layer.output_shape[0] for layer in layers if isinstance(layer.spec, Conv))
        kept.append(Kept("batch norms", "mean and deviation of the batch", 2 * channels, norm_size))
    if precision == "autocast":
        weights = sum(row.weights for row in ledger(configuration) if row.kind != "normalization")
        kept.append(Kept("all layers", "copies of the weights", weights, size))
    return SavedForBackward(configuration.name, batch, tuple(kept))


def measured_saved_bytes(model, images) -> int:
    """Run ``model`` forward on ``images`` and weigh what autograd keeps, in bytes.

    Every tensor that an operation saves passes through a hook. Two tensors may share one storage (a view, an in-place
    ReLU), so storages are weighed, each once; those of the model's own parameters and buffers are left out. On the
    ``meta`` device, where tensors have sizes and no numbers, this weighs a full-size net in no time.
    """
    import torch

    own = {_key(tensor.untyped_storage()) for tensor in (*model.parameters(), *model.buffers())}
    kept = {}  # holding the storages keeps their keys from being used again

    def weigh(tensor):
        storage = tensor.untyped_storage()
        if _key(storage) not in own:
            kept[_key(storage)] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(weigh, lambda tensor: tensor):
        model(images)
    return sum(storage.nbytes() for storage in kept.values())


def measured_peak_bytes(run: Callable[[], object]) -> int:
    """Call ``run()`` and return the most bytes that the tensors made inside it took at any one time.

    Every operation passes through a hook, which adds the storages that are new and takes off those that are freed. What
    existed before the call (the model, its input) is not counted, nor is the scratch space inside an operation. Works
    on the ``meta`` device too.
    """
    import weakref

    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Scale(TorchDispatchMode):
        alive = peak = 0

        def __init__(self):
            super().__init__()
            self.known = set()

        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            given = {_key(t.untyped_storage()) for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
            result = operation(*args, **(kwargs or {}))
            for tensor in tree_leaves(result):
                if not isinstance(tensor, torch.Tensor):
                    continue
                storage = tensor.untyped_storage()
                key, size = _key(storage), storage.nbytes()
                if key not in self.known | given:  # an in-place operation and a view give back what they were given
                    self.known.add(key)
                    self.alive += size
                    weakref.finalize(storage, self.freed, key, size)
            self.peak = max(self.peak, self.alive)
            return result

        def freed(self, key, size):
            self.known.discard(key)
            self.alive -= size

    with Scale() as scale:
        run()
    return scale.peak


def _key(storage) -> int:
    """What tells two storages apart, on every device: the meta device has no data to point at."""
    return storage._cdata


# --- activations under each convention, and all that training keeps ---


@dataclass(frozen=True)
class ActivationMemory:
    """Bytes of the activations of a configuration, and under which convention."""

    name: str  # of the configuration
    convention: str  # one of CONVENTIONS
    batch_norm: bool
    precision: str  # one of PRECISIONS
    batch: int
    bytes: int


@dataclass(frozen=True, repr=False)
class ActivationMemories(show.Shown):
    """Several conventions side by side; shows itself as one table in MB and MiB."""

    name: str
    rows: tuple[ActivationMemory, ...]

    def __iter__(self) -> Iterator[ActivationMemory]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _table(self) -> show.Table:
        return show.Table(
            f"Configuration {self.name}: activations of one batch under every convention",
            ("convention", "batch norm", "precision", "batch", "bytes", "MB", "MiB"),
            [
                (
                    row.convention,
                    "yes" if row.batch_norm else "no",
                    row.precision,
                    row.batch,
                    row.bytes,
                    f"{row.bytes / MB:,.2f}",
                    f"{row.bytes / MiB:,.2f}",
                )
                for row in self.rows
            ],
        )


def activation_memory(
    configuration: str | Configuration, convention: str, batch: int = 1, precision: str = "float32"
) -> ActivationMemory:
    """The bytes of the activations under one convention.

    Args:
        configuration: one of the paper's six by letter, or a :class:`Configuration`.
        convention: one of :data:`CONVENTIONS`.
        batch: images at once.
        precision: one of :data:`PRECISIONS`.

    >>> activation_memory("D", "listed outputs").bytes
    60950432
    """
    configuration = as_configuration(configuration)
    if convention not in CONVENTIONS:
        raise ValueError(f"convention is {convention!r}; there are {', '.join(CONVENTIONS)}.")
    if convention == "saved for backward":
        size = saved_for_backward(configuration, batch, precision=precision).bytes
    else:
        if precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}; there are {', '.join(PRECISIONS)}.")
        costs = ledger(configuration, "float32" if precision == "float32" else "bfloat16")
        size = batch * {
            "listed outputs": costs.activation_bytes,
            "separate ReLU outputs": costs.activation_bytes + costs.relu_values * costs.bytes_per_value,
            "data and gradients": 2 * costs.activation_bytes,
            "inference": costs.peak_bytes,
        }[convention]  # fmt: skip
    return ActivationMemory(configuration.name, convention, configuration.batch_norm, precision, batch, size)


def activation_memories(configuration: str | Configuration, batch: int = 1) -> ActivationMemories:
    """Every convention in float32, then what is saved for backward with batch norm and in the other precisions."""
    configuration = as_configuration(configuration)
    rows = [activation_memory(configuration, convention, batch) for convention in CONVENTIONS]
    normalized = configuration.variant(batch_norm=True)
    rows.append(activation_memory(normalized, "saved for backward", batch))
    for precision in ("bfloat16", "autocast"):
        rows.append(activation_memory(configuration, "saved for backward", batch, precision))
    return ActivationMemories(configuration.name, tuple(rows))


@dataclass(frozen=True, repr=False)
class TrainingMemory(show.Shown):
    """What is in memory while a net is trained, in bytes."""

    name: str
    batch: int
    weights: int
    gradients: int
    optimizer: int  # momentum, for the paper's SGD
    activations: int  # saved for backward, for the whole batch
    activations_per_image: int

    @property
    def fixed(self) -> int:
        """The part that does not depend on the batch: weights, gradients and the optimizer's numbers."""
        return self.weights + self.gradients + self.optimizer

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.fixed + self.activations

    @property
    def break_even_batch(self) -> float:
        """Images at which the activations take as much as the fixed part."""
        once = (
            self.activations - self.batch * self.activations_per_image
        )  # statistics of batch norms, copies of weights
        return (self.fixed - once) / self.activations_per_image

    def _table(self) -> show.Table:
        parts = {
            "weights": self.weights,
            "gradients": self.gradients,
            "optimizer": self.optimizer,
            "saved for backward": self.activations,
        }
        rows = [(name, size, f"{size / MB:,.1f}", f"{size / MiB:,.1f}") for name, size in parts.items()]
        total = ("total", self.bytes, f"{self.bytes / MB:,.1f}", f"{self.bytes / MiB:,.1f}")
        caption = f"Training configuration {self.name} on batches of {self.batch}"
        return show.Table(caption, ("what", "bytes", "MB", "MiB"), rows, [total])


def training_memory(
    configuration: str | Configuration, batch: int = 1, precision: str = "float32", optimizer_values: int = 1
) -> TrainingMemory:
    """What training keeps in memory: weights, gradients, the optimizer's numbers and the saved activations.

    The sum is no peak. In the backward pass activations are freed while gradients appear; the measured peak of the
    paper's nets lies within 2 % below it.

    Args:
        configuration: one of the paper's six by letter, or a :class:`Configuration`.
        batch: images at once.
        precision: one of :data:`PRECISIONS`.
        optimizer_values: numbers that the optimizer keeps for each parameter: 0 for plain SGD, 1 with momentum
            (section 3.1 of the paper), 2 for Adam.

    >>> round(training_memory("D").break_even_batch, 1)
    22.7
    """
    configuration = as_configuration(configuration)
    saved, more = (saved_for_backward(configuration, n, precision=precision).bytes for n in (batch, batch + 1))
    weights = ledger(configuration).parameters * (2 if precision == "bfloat16" else 4)
    return TrainingMemory(configuration.name, batch, weights, weights, optimizer_values * weights, saved, more - saved)
