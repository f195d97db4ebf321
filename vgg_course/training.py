"""Train a classifier on a :class:`vgg_course.data.Dataset`, and look at what it answers. Any ``nn.Module`` will do.

What is reported is exact: losses and accuracies are means over all images, not over batches and not over the last one;
images that judge a model are shown to it in eval mode. :func:`fit` never touches the test images.

Tensors are ``(B, C, H, W)``; seconds are wall-clock time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course import augmentation, show
from vgg_course.progress import Progress

if TYPE_CHECKING:
    from vgg_course.data import Dataset, Split

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TrainingError(RuntimeError):
    """Training cannot go on. The message says where it stopped and what to change."""


# --- what to do ---


@dataclass(frozen=True)
class Recipe:
    """Everything that :func:`fit` is told, apart from the model, the data and the seed.

    SGD with Nesterov momentum; the learning rate rises in a straight line for ``warm_up`` of all steps, then falls in a
    straight line to zero (the one-cycle schedule of Smith & Topin, arXiv:1708.07120). Weight decay pulls on weights only, not
    on biases and batch norms. Each image is moved by up to ``shift`` pixels and mirrored in every second epoch
    (Jordan, arXiv:2404.00498, section 3.6).
    """

    epochs: int = 12
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    warm_up: float = 0.25
    shift: int = 3
    flip: bool = True

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 2), ("shift", 0)):
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

    def __repr__(self) -> str:
        return "\n".join(["Recipe", *(f"  {field.name:16}{getattr(self, field.name)}" for field in fields(self))])

    def learning_rate_at(self, progress: float) -> float:
        """The learning rate when the share ``progress`` (0 to 1) of all steps is done."""
        if progress < self.warm_up:
            return self.learning_rate * progress / self.warm_up
        return self.learning_rate * (1 - progress) / (1 - self.warm_up)


QUICK = Recipe()


# --- what happened ---


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images. Training loss and accuracy are those of the steps: augmented, train mode."""

    number: int
    learning_rate: float  # of the last step
    train_loss: float
    train_accuracy: float
    validation_loss: float | None  # None without validation images
    validation_accuracy: float | None
    seconds: float  # of training alone, without the look at the validation images


@dataclass(frozen=True, repr=False)
class History(show.Shown):
    """What :func:`fit` did, epoch by epoch; shows itself as a table and plots itself.

    ``interrupted`` is true when someone stopped it: the model then is as good as it was at that moment.
    """

    epochs: tuple[Epoch, ...]
    recipe: Recipe
    seed: int
    precision: str
    device: str
    is_drawn: bool
    interrupted: bool = False

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self.epochs)

    def __getitem__(self, index: int) -> Epoch:
        return self.epochs[index]

    @property
    def seconds(self) -> float:
        """Seconds spent on training steps."""
        return sum(epoch.seconds for epoch in self.epochs)

    def plot(self, ax=None):
        """Draw the curves of loss and accuracy; returns matplotlib's Axes."""
        from vgg_course import plots

        return plots.learning_curves(self, ax)

    def _table(self) -> show.Table:
        def percent(share: float | None) -> str:
            return "" if share is None else f"{share:.1%}"

        stopped = f", stopped after {len(self)} of {self.recipe.epochs} epochs" if self.interrupted else ""
        drawn = ", on DRAWN STAND-INS, not photographs" if self.is_drawn else ""
        return show.Table(
            f"Training: {self.seconds:.0f} s on {self.device} in {self.precision}, seed {self.seed}{stopped}{drawn}",
            ("epoch", "train loss", "train accuracy", "validation loss", "validation accuracy", "seconds"),
            [
                (
                    str(e.number),
                    f"{e.train_loss:.3f}",
                    percent(e.train_accuracy),
                    "" if e.validation_loss is None else f"{e.validation_loss:.3f}",
                    percent(e.validation_accuracy),
                    f"{e.seconds:.1f}",
                )
                for e in self.epochs
            ],
        )


# --- training ---


def fit(
    model: nn.Module, data: Dataset, recipe: Recipe = QUICK, *, seed: int = 0, precision: str | None = None, **changes
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
        changes: parts of the recipe, as in ``fit(model, data, epochs=2)``.

    Ctrl-C (in a notebook: Stop) ends it early: the model keeps what it has learned, the history says so.

    Raises:
        TrainingError: the loss is no longer a number.
        ValueError: a part of the recipe is out of range or unknown, or there are too few images.
    """
    recipe = _changed(recipe, changes)
    run = _Run(model, data, recipe, seed, precision or best_precision(device_of(model)))
    with run.repeatable(), _mode(model, train=True), Progress("training", run.steps) as progress:
        try:
            for number in range(1, recipe.epochs + 1):
                run.epoch(number, progress)
        except KeyboardInterrupt:
            run.interrupted = True
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
        self.model, self.data, self.recipe, self.seed, self.precision = model, data, recipe, seed, precision
        self.device = device_of(model)
        self.generator = torch.Generator().manual_seed(seed)
        self.mirrored = torch.rand(len(data.train), generator=self.generator) < 0.5
        self.images = data.train.images.to(self.device)  # uint8, so that even a small card holds all of them
        self.labels = data.train.labels.to(self.device)
        # As many batches as needed, of nearly equal size: no small last one to disturb batch statistics.
        self.batches = math.ceil(len(data.train) / recipe.batch_size)
        self.steps = recipe.epochs * self.batches
        self.optimizer = _optimizer(model, recipe)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self.step_number = 0
        self.epochs: list[Epoch] = []
        self.interrupted = False
        model.to(memory_format=torch.channels_last)  # the order of values in memory that convolutions like best

    @contextmanager
    def repeatable(self) -> Iterator[None]:
        """Dropout draws from torch's global generator: seed it here, and give it back as it was."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.seed)
            yield

    def epoch(self, number: int, progress: Progress) -> None:
        began = time.perf_counter()
        loss, correct = 0.0, 0
        order = torch.randperm(len(self.data.train), generator=self.generator)
        for chosen in order.tensor_split(self.batches):
            batch_loss, batch_correct = self.step(self.batch(chosen, number), self.labels[chosen.to(self.device)])
            loss += batch_loss * len(chosen)
            correct += batch_correct
            progress.show(self.step_number, f"epoch {number} of {self.recipe.epochs}, loss {batch_loss:.3f}")
        seconds = time.perf_counter() - began
        judged = evaluate(self.model, self.data, self.data.validation) if len(self.data.validation) else None
        self.epochs.append(
            Epoch(
                number,
                self.optimizer.param_groups[0]["lr"],
                loss / len(order),
                correct / len(order),
                judged and judged.loss,
                judged and judged.accuracy,
                seconds,
            )
        )
        progress.show(self.step_number, f"epoch {number} of {self.recipe.epochs}, {_in_short(self.epochs[-1])}", True)

    def batch(self, chosen: Tensor, epoch: int) -> Tensor:
        images = self.images[chosen.to(self.device)]
        if self.recipe.flip:
            images = augmentation.flip(images, self.mirrored[chosen] ^ (epoch % 2 == 0))
        if self.recipe.shift:
            images = augmentation.random_shift(images, self.recipe.shift, self.generator)
        return self.data.normalize(images).contiguous(memory_format=torch.channels_last)

    def step(self, images: Tensor, labels: Tensor) -> tuple[float, int]:
        """One step of SGD; returns the mean loss of the batch and how many answers were right."""
        rate = self.recipe.learning_rate_at((self.step_number + 0.5) / self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, PRECISIONS[self.precision], enabled=self.precision != "float32"):
            logits = self.model(images)
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value} at step {self.step_number + 1} of {self.steps} (learning rate {rate:.3g}): the "
                f"steps were too large. Make the model anew and lower learning_rate (here {self.recipe.learning_rate:g}), "
                "say to a third; if that does not help, look for images or weights that are not finite."
            )
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step_number += 1
        return value, int((logits.argmax(1) == labels).sum())

    def history(self) -> History:
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type.upper()
        return History(
            tuple(self.epochs), self.recipe, self.seed, self.precision, name, self.data.is_drawn, self.interrupted
        )


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.SGD(
        [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},  # biases and batch norms
        ],
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
    )


def _in_short(epoch: Epoch) -> str:
    if epoch.validation_accuracy is None:
        return f"train accuracy {epoch.train_accuracy:.1%}"
    return f"validation accuracy {epoch.validation_accuracy:.1%}"


# --- looking at answers ---


@dataclass(frozen=True)
class Evaluation:
    """Mean loss (cross-entropy, in nats) and share of right answers over ``images`` images."""

    images: int
    loss: float
    accuracy: float


def predict(model: nn.Module, inputs: Tensor, batch_size: int = 500) -> Tensor:
    """Logits ``(N, classes)`` for normalized images ``(N, C, H, W)``: eval mode, no gradients, float32, on the CPU.

    The model is left in the mode it was in.
    """
    device = device_of(model)
    with _mode(model, train=False), torch.no_grad():
        return torch.cat([model(part.to(device)).float().cpu() for part in inputs.split(batch_size)])


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of images whose largest logit is that of their label."""
    _same_length(logits, labels)
    return int((logits.argmax(1) == labels).sum()) / len(labels)


def confusion_matrix(logits: Tensor, labels: Tensor) -> Tensor:
    """Counts ``(classes, classes)``: row is the true class, column the answer. Rows sum to the images of a class."""
    _same_length(logits, labels)
    classes = logits.shape[1]
    return torch.bincount(labels * classes + logits.argmax(1), minlength=classes**2).view(classes, classes)


def evaluate(model: nn.Module, data: Dataset, split: Split) -> Evaluation:
    """Loss and accuracy of ``model`` on ``data.validation`` or ``data.test``, over all of its images."""
    logits = predict(model, data.normalize(split.images))
    loss = functional.cross_entropy(logits.double(), split.labels).item()
    return Evaluation(len(split), loss, accuracy(logits, split.labels))


def _same_length(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or len(logits) != len(labels) or not len(labels):
        raise ValueError(
            f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} do not belong together: they must be "
            "(N, classes) and (N,) with the same N of at least 1."
        )


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


def device_of(model: nn.Module) -> torch.device:
    """Where the model's parameters lie."""
    return next(model.parameters()).device


@contextmanager
def _mode(model: nn.Module, train: bool) -> Iterator[None]:
    """Put every module into train or eval mode, and back into the mode it was in."""
    before = {module: module.training for module in model.modules()}
    model.train(train)
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training
