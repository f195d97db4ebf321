"""What two processes do when they train together; the tests start it with torchrun and look at what each wrote.

torchrun --nproc_per_node=2 -m tests.together FOLDER
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from tests.test_training import dataset, net
from vgg_course import distributed, training
from vgg_course.checkpoint import CheckpointError
from vgg_course.training import Recipe, fit

SEVEN = Recipe(epochs=1, batch_size=7, label_smoothing=0.0)  # four images for one process, three for the other
SHORT = Recipe(epochs=2, batch_size=15)


class Killed(BaseException):
    """Ends everything at once: nobody catches it."""


def plain_net():
    """Neither batch norm nor dropout: what it answers to an image depends on that image alone."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 3)
    )


def normed_net():
    """With batch norm."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(32, 3),
    )  # fmt: skip


def gradients(model):
    """Of the mean loss of one batch of seven, all in one row."""
    run = training._Run(model, dataset(train=7), SEVEN, 0, "float32")
    (batch,) = run.draw(1)
    run.step(*batch)
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def trained(model, **more):
    """The weights and the history of a whole run."""
    history = fit(model, dataset(), SHORT, precision="float32", **more)
    return dict(model.state_dict()), [vars(replace(epoch, seconds=0)) for epoch in history]


def unweighted_gradients():
    weighted, distributed.weighted = distributed.weighted, lambda mean, here, everywhere: mean
    try:
        return gradients(plain_net())
    finally:
        distributed.weighted = weighted


def stopped_and_resumed(file):
    """A net with batch norm and dropout, killed in its second epoch, in both processes."""
    step = training._Run.step

    def until_six(self, *batch):
        if self.step_number == 5:
            raise Killed
        step(self, *batch)

    training._Run.step = until_six
    try:
        trained(net(), checkpoint=file)
    except Killed:
        pass
    finally:
        training._Run.step = step
    return trained(net(), checkpoint=file)


def refused(**call):
    try:
        fit(net(), dataset(), SHORT, **call)
    except (CheckpointError, ValueError) as error:
        return f"{type(error).__name__}: {error}", getattr(error, "is_echo", False)


def main(folder):
    with distributed.joined():
        found = {
            "rank": distributed.rank(),
            "size": distributed.size(),
            "plain": gradients(plain_net()),
            "unweighted": unweighted_gradients(),
            "normed": gradients(normed_net()),
            "plain run": trained(plain_net()),
            "run": trained(net()),
            "resumed": stopped_and_resumed(folder / "run.pt"),
            "of another run": refused(checkpoint=folder / "run.pt", seed=9),
            "no folder": refused(checkpoint=folder / "no" / "run.pt"),
            "too few": refused(batch_size=3),
        }
        torch.save(found, folder / f"found{distributed.rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
