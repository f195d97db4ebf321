"""What a training run did, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vgg_course import show

if TYPE_CHECKING:
    from vgg_course.training import Recipe


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

    def __str__(self) -> str:
        if self.validation_accuracy is None:
            return f"train accuracy {self.train_accuracy:.1%}"
        return f"validation accuracy {self.validation_accuracy:.1%}"


@dataclass(frozen=True, repr=False)
class History(show.Shown):
    """What :func:`vgg_course.training.fit` did, epoch by epoch; shows itself as a table and plots itself.

    ``interrupted`` is true when someone stopped it before its last epoch.
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
