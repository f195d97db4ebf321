"""Put a trained net to use on new classes: a linear SVM on its features, a new head, or fine-tuning.

Any VGG will do, ours or torchvision's. The parts of a net are its blocks, its hidden fully-connected layers and its head::

    net = with_new_head(trained.load("small_vgg"), classes=7)
    tune(net, Batches(images, labels, card.normalize), rates(net, head=0.1, decay=0.3), steps=200)

(Moving files is what :mod:`vgg_course.transfer` does.)
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course import augmentation
from vgg_course.activations import steps as named_modules
from vgg_course.answers import device_of, in_mode
from vgg_course.data import DataError, Dataset, Split, locate, reduced_cifar10
from vgg_course.training import PRECISIONS, TrainingError, best_precision
from vgg_course.vectors import unit

if TYPE_CHECKING:
    from sklearn.svm import LinearSVC

# --- a linear SVM on vectors ---


def svm(vectors: Tensor, labels: Tensor, C: float = 1.0) -> LinearSVC:
    """A linear support vector machine for vectors ``(N, D)``, scaled to length 1, one class against the rest.

    It minimizes ``(|w|^2 + b^2) / 2 + C * sum(max(0, 1 - y (w x + b))^2)``, where y is 1 or -1. Judge others with
    :func:`svm_accuracy`, which scales them as well.
    """
    from sklearn.svm import LinearSVC

    return LinearSVC(C=C, dual=False, max_iter=5000).fit(unit(vectors).numpy(), labels.numpy())


def svm_accuracy(machine: LinearSVC, vectors: Tensor, labels: Tensor) -> float:
    """The share of right answers for vectors ``(N, D)``, which are scaled to length 1 here."""
    return float(machine.score(unit(vectors).numpy(), labels.numpy()))


# --- a new head, and a learning rate for each part ---


def with_new_head(model: nn.Module, classes: int, generator: torch.Generator | None = None) -> nn.Module:
    """A copy of the net with a last layer for ``classes``; its weights are drawn with deviation 0.01, its biases are zero."""
    net = copy.deepcopy(model)
    head = nn.Linear(net.classifier[-1].in_features, classes)
    nn.init.normal_(head.weight, 0, 0.01, generator=generator)
    nn.init.zeros_(head.bias)
    net.classifier[-1] = head.to(device_of(model))
    if hasattr(net, "configuration"):
        net.configuration = net.configuration.variant(classes=classes)
    return net


def parts(model: nn.Module) -> dict[str, list[nn.Module]]:
    """The modules with weights by part, from the image to the answer: block1 ... block5, perhaps fc6 and fc7, head."""
    found: dict[str, list[nn.Module]] = {}
    for name, module in named_modules(model):
        if any(True for _ in module.parameters(recurse=True)):
            block = re.match(r"[a-z]+(\d+)_", name)
            found.setdefault(f"block{block[1]}" if block else name, []).append(module)
    *_, last = found
    found["head"] = found.pop(last)
    return found


def rates(model: nn.Module, head: float, decay: float) -> dict[str, float]:
    """A learning rate for each part: ``head`` for the head, and ``decay`` times as much at every step toward the image.

    With ``decay`` 0 the head learns alone, with 1 all parts alike.
    """
    names = list(parts(model))
    return {name: head * decay ** (len(names) - 1 - place) for place, name in enumerate(names)}


class Batches:
    """uint8 images ``(N, 3, H, W)`` in memory, as inputs and labels: in a new order, mirrored and moved anew in every round.

    Batches have about equal sizes, so that there is no small last one to disturb batch statistics.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        prepare: Callable[[Tensor], Tensor],
        size: int = 32,
        shift: int = 2,
        seed: int = 0,
    ) -> None:
        self.images, self.labels, self.prepare, self.size, self.shift = images, labels, prepare, size, shift
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return math.ceil(len(self.labels) / self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.labels), generator=self.generator)
        for chosen in order.tensor_split(len(self)):
            images = augmentation.random_flip(self.images[chosen], self.generator)
            if self.shift:
                images = augmentation.random_shift(images, self.shift, self.generator)
            yield self.prepare(images), self.labels[chosen]


def tune(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    rates: Mapping[str, float],
    steps: int,
    *,
    statistics: str = "still",
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    precision: str | None = None,
    seed: int = 0,
) -> list[float]:
    """Train ``model`` in place with SGD, each part at its own rate; returns the loss of every step.

    A rate rises for a tenth of the steps, then falls in a straight line to zero.

    Args:
        batches: inputs and labels, gone through again and again: :class:`Batches`, or a torch ``DataLoader``.
        rates: highest rate by part, as from :func:`rates`. A part with rate 0 is frozen: weights, and batch norm statistics.
        statistics: of the batch norms in the other parts. ``"still"`` uses and keeps those they have; ``"moving"`` uses those
            of the batch and follows them.
        precision: as in :func:`vgg_course.training.fit`.
        seed: of dropout.

    Raises:
        ValueError: the rates are not those of the net's parts, or ``statistics`` is neither of the two.
        TrainingError: the loss is no longer a number.
    """
    modules, device = parts(model), device_of(model)
    if set(rates) != set(modules):
        raise ValueError(f"rates are for {', '.join(rates)}; the parts of this net are {', '.join(modules)}.")
    if statistics not in ("still", "moving"):
        raise ValueError(f"statistics is {statistics!r}; it can be still or moving.")
    precision = precision or best_precision(device)
    model.to(memory_format=torch.channels_last).requires_grad_(False)
    sgd = torch.optim.SGD(_groups(modules, rates, weight_decay), lr=0.0, momentum=momentum, nesterov=momentum > 0)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
    losses: list[float] = []
    try:
        with in_mode(model, train=True), torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            for name, some in modules.items():
                if statistics == "still" or not rates[name]:
                    for module in some:
                        module.eval()
            for step, (inputs, labels) in zip(range(steps), _again(batches), strict=False):
                for group in sgd.param_groups:
                    group["lr"] = group["highest"] * min(1, (step + 1) / (0.1 * steps)) * (1 - step / steps)
                with torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "float32"):
                    logits = model(inputs.to(device, memory_format=torch.channels_last))
                loss = functional.cross_entropy(logits.float(), labels.to(device))
                sgd.zero_grad()
                scaler.scale(loss).backward()
                scaler.step(sgd)
                scaler.update()
                losses.append(loss.item())
                if not math.isfinite(losses[-1]):
                    raise TrainingError(f"the loss is {losses[-1]} at step {step + 1} of {steps}: lower the rates.")
    finally:
        model.requires_grad_()
    return losses


def _groups(modules: Mapping[str, list[nn.Module]], rates: Mapping[str, float], weight_decay: float) -> list[dict]:
    """What the optimizer is told of every part that learns; biases and batch norms do not decay."""
    groups = []
    for name, some in modules.items():
        learns = [p.requires_grad_() for module in some for p in module.parameters() if rates[name]]
        for weights, decay in (
            ([p for p in learns if p.ndim > 1], weight_decay),
            ([p for p in learns if p.ndim < 2], 0),
        ):
            if weights:
                groups.append({"params": weights, "highest": rates[name], "weight_decay": decay})
    return groups


def _again(batches: Iterable) -> Iterator:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise ValueError("there are no batches to learn from.")


def share_right(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The share of right answers over all batches of inputs and labels, in eval mode."""
    right, count, device = 0, 0, device_of(model)
    with in_mode(model, train=False), torch.no_grad():
        for inputs, labels in batches:
            right += int((model(inputs.to(device)).argmax(1).cpu() == labels).sum())
            count += len(labels)
    return right / count


def adapt(
    model: nn.Module,
    train: Iterable[tuple[Tensor, Tensor]],
    test: Iterable[tuple[Tensor, Tensor]],
    classes: int,
    *,
    steps: tuple[int, int] = (200, 400),
    head: float = 0.01,
    decay: float = 0.3,
    seed: int = 0,
) -> tuple[nn.Module, list[float]]:
    """A copy of the net, transferred in two stages, and its shares of right answers on ``test`` after each of them.

    First a new head learns alone, for ``steps[0]`` steps; then all parts, for ``steps[1]``, at rates that fall by ``decay``
    from part to part. ``train`` and ``test`` give batches of inputs and labels: a ``DataLoader`` each, for example.
    """
    net, shares = with_new_head(model, classes, torch.Generator().manual_seed(seed)), []
    for count, factor in zip(steps, (0.0, decay), strict=True):
        tune(net, train, rates(net, head, factor), count, seed=seed)
        shares.append(share_right(net, test))
    return net, shares


# --- classes that the shipped net has never seen ---

UNSEEN = ("cat", "deer", "dog", "frog", "horse", "ship", "truck")
PETALS = (0, 2, 3, 4, 5, 6, 8)


def unseen(per_class: int, validation_per_class: int, test_per_class: int, seed: int = 0) -> Dataset:
    """The seven classes of CIFAR-10 that the shipped net does not know; without a copy, drawn blossoms in their place.

    Args:
        per_class: images of each class to learn from.
        validation_per_class, test_per_class: to choose by, and to be judged by.
        seed: which images.
    """
    try:
        given = per_class + validation_per_class, test_per_class, validation_per_class, seed
        return reduced_cifar10(UNSEEN, *given)
    except DataError:
        if locate().folder:
            raise  # there is a copy, and it is damaged
    splits = [
        Split(*blossoms(count, 3 * seed + place))
        if count
        else Split(torch.zeros(0, 3, 32, 32).byte(), torch.zeros(0).long())
        for place, count in enumerate((per_class, validation_per_class, test_per_class))
    ]
    names = tuple(f"{petals} petals" for petals in PETALS)
    return Dataset(*splits, names, "drawn by code: blossoms, told apart by the number of their petals", True)


def blossoms(per_class: int, seed: int = 0, size: int = 32) -> tuple[Tensor, Tensor]:
    """Drawn blossoms ``(7 * per_class, 3, size, size)``, uint8, of any color, size, place and turn, and their labels.

    The edge of a blossom with k petals is the curve ``r = a (1 + b cos(k t))``; label ``i`` means ``PETALS[i]`` petals.
    """
    chance = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(PETALS)).repeat_interleave(per_class)

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(len(labels), *(shape or (1, 1)), generator=chance)

    grid = (torch.arange(size) + 0.5) / size * 2 - 1
    x, y = grid - between(-0.25, 0.25), grid[:, None] - between(-0.25, 0.25)
    petals, turned = torch.tensor(PETALS)[labels][:, None, None], torch.atan2(y, x) + between(0, 2 * math.pi)
    edge = between(0.4, 0.65) * (1 + between(0.25, 0.4) * torch.cos(petals * turned) * (petals > 0))
    covered = ((edge - torch.hypot(x, y)) * size / 3 + 0.5).clamp(0, 1)[:, None]
    ground = between(0, 1, 3, 1, 1) + 0.25 * (x * between(-1, 1) + y * between(-1, 1))[:, None]
    color = (ground.mean((2, 3), keepdim=True) + between(0.3, 0.7, 3, 1, 1)) % 1
    images = ground * (1 - covered) + color * covered + between(-0.04, 0.04, 3, size, size)
    return (255 * images.clamp(0, 1)).round().byte(), labels
