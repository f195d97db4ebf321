"""Train a classifier on a :class:`vgg_course.data.Dataset`. Any ``nn.Module`` will do.

What is reported is exact: losses and accuracies are means over all images, not over batches and not over the last one;
images that judge a model are shown to it in eval mode. :func:`fit` never touches the test images.

Tensors are ``(B, C, H, W)``; seconds are wall-clock time.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course import augmentation, distributed
from vgg_course.answers import Evaluation, accuracy, confusion_matrix, device_of, evaluate, in_mode, predict
from vgg_course.checkpoint import CheckpointError, Saved, digest
from vgg_course.history import Epoch, History
from vgg_course.optimizers import OPTIMIZERS, Muon
from vgg_course.progress import Progress

if TYPE_CHECKING:
    from vgg_course.data import Dataset, Split

__all__ = [
    "CheckpointError",
    "Epoch",
    "Evaluation",
    "History",
    "Recipe",
    "TrainingError",
    "accuracy",
    "best_device",
    "best_precision",
    "confusion_matrix",
    "device_of",
    "evaluate",
    "fit",
    "predict",
]

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SCHEDULES = ("one-cycle", "plateau", "constant")
DIVISIONS = 3  # how often the paper divided the learning rate (section 3.1)


class TrainingError(RuntimeError):
    """Training cannot go on. The message says where it stopped and what to change."""


# --- what to do ---


@dataclass(frozen=True)
class Recipe:
    """Everything that :func:`fit` is told, apart from the model, the data and the seed.

    ``optimizer`` is ``sgd``, with momentum, Nesterov's or plain, or ``muon``, which moves the filters of convolutions in its
    own way (:mod:`vgg_course.optimizers`) and all else by that same SGD. The learning rate follows one of three schedules:

    - ``one-cycle``: it rises in a straight line for ``warm_up`` of all steps, then falls in a straight line to zero (Smith
      & Topin, arXiv:1708.07120).
    - ``plateau``: divided by ten when the validation accuracy has not improved for ``patience`` epochs, three times at
      most. It is the paper's (section 3.1), which does not say how long it waited.
    - ``constant``.

    Weight decay pulls on weights only, not on biases and batch norms. ``muon`` keeps the filters at one length instead, with
    a momentum of its own: ``weight_decay``, ``momentum`` and ``nesterov`` are then those of the other weights.

    Each image is moved by up to ``shift`` pixels and mirrored in every second epoch (Jordan, arXiv:2404.00498, section 3.6).
    """

    epochs: int = 5
    batch_size: int = 128
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    schedule: str = "one-cycle"
    warm_up: float = 0.25
    patience: int = 3
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    shift: int = 2
    flip: bool = True

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 2), ("patience", 1), ("shift", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
        for name, below in (
            ("learning_rate", math.inf),
            ("weight_decay", math.inf),
            ("momentum", 1),
            ("warm_up", 1),
            ("label_smoothing", 1),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < below:
                limit = "" if below == math.inf else f" and below {below}"
                raise ValueError(f"{name} is {value!r}; it must be a number, at least 0{limit}.")
        for name, known in (("schedule", SCHEDULES), ("optimizer", OPTIMIZERS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it can be {', '.join(known)}.")
        for name in ("nesterov", "flip"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be True or False.")

    def __repr__(self) -> str:
        return "\n".join(["Recipe", *(f"  {field.name:16}{getattr(self, field.name)}" for field in fields(self))])

    def learning_rate_at(self, progress: float, accuracies: Sequence[float] = ()) -> float:
        """The learning rate when the share ``progress`` (0 to 1) of all steps is done.

        ``accuracies`` are those on the validation images after every epoch so far; only ``plateau`` looks at them.
        """
        if self.schedule == "constant":
            return self.learning_rate
        if self.schedule == "plateau":
            return self.learning_rate / 10 ** divisions(accuracies, self.patience)
        if progress < self.warm_up:
            return self.learning_rate * progress / self.warm_up
        return self.learning_rate * (1 - progress) / (1 - self.warm_up)


def divisions(accuracies: Sequence[float], patience: int) -> int:
    """How often the accuracies, one an epoch, went without a new best for ``patience`` epochs: three times at most."""
    best, waited, times = -math.inf, 0, 0
    for value in accuracies:
        best, waited = (value, 0) if value > best else (best, waited + 1)
        if waited == patience and times < DIVISIONS:
            times, waited = times + 1, 0
    return times


# --- training ---


def fit(
    model: nn.Module,
    data: Dataset,
    recipe: Recipe = Recipe(),
    *,
    seed: int = 0,
    precision: str | None = None,
    checkpoint: str | os.PathLike | None = None,
    **changes,
) -> History:
    """Train ``model`` in place on ``data.train``, where it lies (its device), and return the history.

    Args:
        model: takes normalized float images ``(B, C, H, W)``, returns logits ``(B, classes)``.
        data: training images, and validation images if there are any: they are looked at after every epoch.
        recipe: what to do.
        seed: decides order, augmentation and dropout. On a CPU the same model, data and seed give the same weights, bit
            for bit. torch's global generator is left as it was.
        precision: float32, bfloat16 or float16 for the arithmetic of the steps (weights stay float32); None takes the
            fastest that the device computes natively.
        checkpoint: a file that has the whole state after every finished epoch. **The same call again goes on from there**,
            in a new process too, and ends with the same weights, bit for bit (on a CPU with as many threads), as if
            nothing had happened. A finished run comes back at once. On Colab, name a file on your Drive.
        changes: parts of the recipe, as in ``fit(model, data, epochs=2)``.

    Ctrl-C (in a notebook: Stop) ends it early, and the history says so. The model keeps what it has learned; with a
    checkpoint it is as the checkpoint has it, after the last finished epoch.

    Processes that torchrun started and that have :func:`vgg_course.distributed.joined` share every batch.

    Raises:
        TrainingError: the loss is no longer a number.
        CheckpointError: the checkpoint is of another run, is damaged, or cannot be written. Nothing is lost.
        ValueError: a part of the recipe is out of range or unknown, or there are too few images.
    """
    run = _Run(model, data, _changed(recipe, changes), seed, precision or best_precision(device_of(model)))
    saved = Saved(run, checkpoint) if checkpoint is not None else None
    with run.repeatable(), in_mode(model, train=True):
        if saved:
            saved.resume()
        silent = distributed.rank() > 0 or run.step_number == run.steps
        with Progress("training", run.steps, done=run.step_number, silent=silent) as progress:
            try:
                while len(run.epochs) < run.recipe.epochs:
                    run.epoch(progress)
                    if saved:
                        saved.save()
            except KeyboardInterrupt:
                if distributed.size() > 1:
                    raise  # the others stop at another place: no common state is left in memory
                run.interrupted = True
                if saved:
                    saved.go_back()
            except (TrainingError, CheckpointError) as error:
                if not saved:
                    raise
                saved.go_back()
                another = isinstance(error, TrainingError)
                then = "a changed recipe is another run: give it another file" if another else "the same call goes on"
                raise type(error)(f"{error} {saved}; {then}.") from error
    return run.history()


def _changed(recipe: Recipe, changes: dict) -> Recipe:
    known = [field.name for field in fields(Recipe)]
    for name in changes:
        if name not in known:
            raise ValueError(f"{name!r} is no part of a recipe; it has {', '.join(known)}.")
    return replace(recipe, **changes)


class _Run:
    """The state of one training: what :func:`fit` needs from one step to the next."""

    def __init__(self, model: nn.Module, data: Dataset, recipe: Recipe, seed: int, precision: str) -> None:
        if len(data.train) < 2:
            raise ValueError(f"there are {len(data.train)} training images; batch statistics need at least 2.")
        if precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}; it can be {', '.join(PRECISIONS)} or None.")
        if recipe.schedule == "plateau" and not len(data.validation):
            raise ValueError("schedule is 'plateau', and there are no validation images to look at; hold some out.")
        if recipe.shift >= (side := min(data.train.images.shape[2:])):
            raise ValueError(
                f"shift is {recipe.shift}, too far for images of {side} pixels; at most {side - 1} will do."
            )
        self.model, self.data, self.recipe, self.seed, self.precision = model, data, recipe, seed, precision
        self.device = device_of(model)
        self.generator = torch.Generator().manual_seed(seed)
        self.mirrored = (torch.rand(len(data.train), generator=self.generator) < 0.5).to(self.device)
        self.images = data.train.images.to(self.device)  # uint8, so that even a small card holds all of them
        self.labels = data.train.labels.to(self.device)
        # As many batches as needed, of nearly equal size: no small last one to disturb batch statistics.
        self.batches = math.ceil(len(data.train) / recipe.batch_size)
        self.steps = recipe.epochs * self.batches
        if (smallest := len(data.train) // self.batches) < 2 * distributed.size() > 2:
            raise ValueError(f"{distributed.size()} processes cannot share {smallest} images; each needs at least 2.")
        self.optimizer = _optimizer(model, recipe, precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self.look_every = 1 if self.device.type == "cpu" else 20  # a GPU would stand still at every look
        self.step_number = 0
        self.epochs: list[Epoch] = []
        self.unread: list[tuple[int, Tensor]] = []  # steps not looked at: images, and their loss and right answers
        self.interrupted = False
        model.to(memory_format=torch.channels_last)  # the order of values in memory that convolutions like best
        self.parallel = distributed.parallel(model)

    @contextmanager
    def repeatable(self) -> Iterator[None]:
        """Dropout draws from torch's global generator: seed it here, and give it back as it was."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.seed + distributed.rank())  # every process drops others
            yield

    def epoch(self, progress: Progress) -> None:
        """Train on every image once, then look at the validation images."""
        began = time.perf_counter()
        number, loss, correct = len(self.epochs) + 1, 0.0, 0.0
        for images, labels, everywhere in self.draw(number):
            self.step(images, labels, everywhere)
            if self.step_number % self.look_every == 0 or self.step_number % self.batches == 0:
                for count, batch_loss, batch_correct in self.look():
                    loss += batch_loss * count
                    correct += batch_correct
                progress.show(self.step_number, f"epoch {number} of {self.recipe.epochs}, loss {batch_loss:.3f}")
        seconds = time.perf_counter() - began
        distributed.average_statistics(self.model)
        judged = distributed.on_first(self.judge)
        self.epochs.append(
            Epoch(
                number,
                self.optimizer.param_groups[0]["lr"],
                loss / len(self.labels),
                correct / len(self.labels),
                judged and judged.loss,
                judged and judged.accuracy,
                seconds,
            )
        )
        progress.show(self.step_number, f"epoch {number} of {self.recipe.epochs}, {self.epochs[-1]}", milestone=True)
        progress.picture(lambda: self.history().plot())

    def draw(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        """The batches of an epoch: images and labels for this process, and how many images all processes have.

        All chance is drawn on the CPU, the same in every process, and goes to the device at once: at every copy a GPU
        would stand still.
        """
        reach, order = self.recipe.shift, torch.randperm(len(self.labels), generator=self.generator)
        counts = [len(part) for part in order.tensor_split(self.batches)]
        moves = torch.zeros(2, len(order), dtype=torch.int64)
        if reach:
            draws = [torch.randint(-reach, reach + 1, (2, count), generator=self.generator) for count in counts]
            moves = torch.cat(draws, 1)
        order, moves = order.to(self.device), moves.to(self.device)
        for chosen, moved in zip(order.split(counts), moves.split(counts, 1), strict=True):
            here = chosen.tensor_split(distributed.size())[distributed.rank()]
            moved = moved.tensor_split(distributed.size(), 1)[distributed.rank()]
            yield self.batch(here, moved, epoch), self.labels[here], len(chosen)

    def batch(self, chosen: Tensor, moves: Tensor, epoch: int) -> Tensor:
        """The chosen images, mirrored if it is their epoch, moved, normalized."""
        images = self.images[chosen]
        if self.recipe.flip:
            images = augmentation.flip(images, self.mirrored[chosen] ^ (epoch % 2 == 0))
        if self.recipe.shift:
            images = augmentation.shift(images, *moves)
        return self.data.normalize(images).contiguous(memory_format=torch.channels_last)

    def step(self, images: Tensor, labels: Tensor, everywhere: int) -> None:
        """One step of SGD on a batch of which this process has these images, and all have ``everywhere``."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(self.step_number)
        with torch.autocast(self.device.type, PRECISIONS[self.precision], enabled=self.precision != "float32"):
            logits = self.parallel(images)
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)
        self.optimizer.zero_grad()
        self.scaler.scale(distributed.weighted(loss, len(labels), everywhere)).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step_number += 1
        share, right = len(labels) / everywhere, (logits.argmax(1) == labels).sum()
        self.unread.append((everywhere, torch.stack([loss.detach() * share, right.float()])))

    def look(self) -> list[tuple[int, float, float]]:
        """Of every step since the last look: images, mean loss, right answers. Here alone the program waits for a GPU.

        Raises:
            TrainingError: a loss is no number.
        """
        values = distributed.add_up(torch.stack([pair for _, pair in self.unread])).tolist()
        looked = [(count, *pair) for (count, _), pair in zip(self.unread, values, strict=True)]
        self.unread.clear()
        for step, (_, loss, _) in enumerate(looked, self.step_number - len(looked)):
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss is {loss} at step {step + 1} of {self.steps} (learning rate {self.learning_rate(step):.3g}): "
                    "the steps were too large. Make the model anew and lower learning_rate (here "
                    f"{self.recipe.learning_rate:g}), say to a third; if that does not help, look for images or weights "
                    "that are not finite."
                )
        return looked

    def learning_rate(self, step: int) -> float:
        accuracies = [epoch.validation_accuracy for epoch in self.epochs]
        return self.recipe.learning_rate_at((step + 0.5) / self.steps, accuracies)

    def judge(self) -> Evaluation | None:
        return evaluate(self.model, self.data, self.data.validation) if len(self.data.validation) else None

    def history(self) -> History:
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type.upper()
        return History(
            tuple(self.epochs), self.recipe, self.seed, self.precision, name, self.data.is_drawn, self.interrupted
        )

    # --- what a checkpoint has ---

    def identity(self) -> dict[str, object]:
        """What must be the same for a run to go on exactly."""
        trained = {name for name, parameter in self.model.named_parameters() if parameter.requires_grad}
        tensors = [(name, tuple(t.shape), t.dtype, name in trained) for name, t in self.model.state_dict().items()]
        return {
            "the model": "\n".join(map(str, [self.model, *tensors])),
            **asdict(self.recipe),
            "seed": self.seed,
            "precision": self.precision,
            "device": self.device.type,
            "number of processes": distributed.size(),
            "set of training images": _named(self.data.train),
            "set of validation images": _named(self.data.validation),
            "normalization": digest([self.data.normalize(self.data.train.images[:2])]),
        }

    def state(self) -> dict[str, object]:
        """Everything that the next epoch depends on, and the epochs so far."""
        velocity = {name: self.optimizer.state.get(p, {}) for name, p in self.model.named_parameters()}
        return {
            "weights": self.model.state_dict(),  # with the statistics of batch norms
            "momentum": {
                name: v["momentum_buffer"] for name, v in velocity.items() if v.get("momentum_buffer") is not None
            },
            "order": self.generator.get_state(),
            "dropout": distributed.gathered(self.dropout_generators()),
            "scaler": self.scaler.state_dict(),
            "epochs": [asdict(epoch) for epoch in self.epochs],
        }

    def restore(self, state: dict) -> None:
        """Go back to a state; everything in it is looked at before anything here is changed."""
        parameters, weights, momentum = dict(self.model.named_parameters()), state["weights"], state["momentum"]
        shapes = {name: tensor.shape for name, tensor in self.model.state_dict().items()}
        dropout, epochs = state["dropout"][distributed.rank()], [Epoch(**epoch) for epoch in state["epochs"]]
        if {name: tensor.shape for name, tensor in weights.items()} != shapes:
            raise ValueError("other weights")
        if any(buffer.shape != shapes[name] for name, buffer in momentum.items()):
            raise ValueError("other momentum")
        for generator in (state["order"], dropout[0]):
            torch.Generator().set_state(generator)
        self.model.load_state_dict(weights)
        self.optimizer.state.clear()
        for name, buffer in momentum.items():
            self.optimizer.state[parameters[name]]["momentum_buffer"] = buffer.to(self.device)
        self.generator.set_state(state["order"])
        torch.set_rng_state(dropout[0])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(dropout[1], self.device)
        self.scaler.load_state_dict(state["scaler"])
        self.epochs, self.step_number = epochs, len(epochs) * self.batches
        self.unread.clear()

    def dropout_generators(self) -> list[Tensor]:
        """The states of torch's global generators in this process."""
        return [torch.get_rng_state(), *([torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else [])]


def _named(split: Split) -> str:
    return f"{len(split)} ({digest([split.images, split.labels])})"


def _optimizer(model: nn.Module, recipe: Recipe, precision: str) -> torch.optim.SGD:
    trained = [p for p in model.parameters() if p.requires_grad]
    filters = [p for p in trained if p.ndim == 4] if recipe.optimizer == "muon" else []
    weights = [p for p in trained if p.ndim > 1 and not any(p is other for other in filters)]
    others = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},  # biases and batch norms
    ]
    options = {"lr": recipe.learning_rate, "momentum": recipe.momentum}
    options["nesterov"] = recipe.nesterov and recipe.momentum > 0
    if recipe.optimizer == "muon":
        exact = precision != "bfloat16"
        return Muon(filters, others, precision=torch.float32 if exact else torch.bfloat16, **options)
    # one kernel for all weights; in float16 it also saves a wait a step
    return torch.optim.SGD(others, fused=device_of(model).type == "cuda", **options)


# --- where and how ---


def best_device() -> torch.device:
    """A CUDA GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def best_precision(device: torch.device) -> str:
    """The fastest precision that ``device`` computes natively; emulated ones are slower than float32."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability(device) >= (8, 0) else "float16"
    return "bfloat16" if device.type == "cpu" and _cpu_computes_bfloat16() else "float32"


def _cpu_computes_bfloat16() -> bool:
    """AMX or AVX512-BF16 (Intel since Cooper Lake, AMD since Zen 4). An older torch that cannot tell says no."""
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)
