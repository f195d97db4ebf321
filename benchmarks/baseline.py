"""The recipe that the course is measured against: a plain VGG-16 on reduced CIFAR-10, as course notes publish it.

    python -m benchmarks.baseline            50 epochs: an hour and a half on two cores, less on more; goes on if stopped

VGG-16 with batch norm and one linear layer (14,724,675 parameters), torch's own first weights, batches of 128, SGD with
learning rate 0.01, momentum 0.9 and weight decay 5e-4 on everything, all constant, 50 epochs: a course note's recipe. The
note took its loop from a public notebook (jays0606/VGGNet on GitHub) and put a VGG in. We take it as it is, with what
the clinic, chapter 12, finds wrong with it:

- each training image is cropped and mirrored by chance *once*, and then looks the same in every epoch;
- it is divided by "(0.2023, 0.1994, 0.2010)", which is not the deviation of CIFAR-10's pixels;
- the net is judged on the test images after every epoch, *in train mode*, in batches of 100: their statistics are used,
  and the running ones are changed by them.

Whoever measures it differently measures something else. Beside the published accuracy stands the one in eval mode, after
every fifth epoch. The order of images in the test batches is drawn by lot, once: the notes have CIFAR-10's own, also mixed.

Writes book/results/baseline.json: for each epoch the loss of its last mini-batch (what the notes print), the mean loss of
the epoch, both accuracies, and seconds. The seconds are those of whatever else the machine did meanwhile: compare times
with benchmarks/training.py, which measures both recipes' steps in one run.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms import v2

from experiments.provenance import photographs, provenance, write
from vgg_course.data import Dataset
from vgg_course.model import VGG, vgg

EPOCHS, BATCH, JUDGED_TOGETHER, SEED = 50, 128, 100, 0
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 5e-4
NORMALIZE = v2.Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))  # as published, wrong as it is
CHECKPOINT = Path(__file__).resolve().parents[1] / "build" / "baseline.pt"


def net(generator: torch.Generator) -> VGG:
    """The published net: configuration D for 32x32 images, batch norm, one linear layer for three classes."""
    return vgg("D", input_size=32, classes=3, hidden=(), batch_norm=True, initialization="torch", generator=generator)


def optimizer(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)


def frozen(images: Tensor) -> Tensor:
    """Float images ``(N, 3, 32, 32)``, cropped and mirrored once and for all. Draws from torch's global generator."""
    once = v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()])
    return NORMALIZE(torch.stack([once(image) for image in images]).float() / 255)


def step(model: nn.Module, sgd: torch.optim.SGD, images: Tensor, labels: Tensor) -> float:
    sgd.zero_grad()
    loss = functional.cross_entropy(model(images), labels)
    loss.backward()
    sgd.step()
    return loss.item()


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """In whichever mode the model is, in batches of 100. In train mode this changes its running statistics."""
    answers = torch.cat([model(batch).argmax(1) for batch in images.split(JUDGED_TOGETHER)])
    return (answers == labels).double().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train by the published recipe and write book/results/baseline.json.")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    data = photographs()
    run(data, arguments.epochs)


def run(data: Dataset, epochs: int) -> None:
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    images, labels = frozen(data.train.images), data.train.labels
    mixed = torch.randperm(len(data.test), generator=generator)
    test_images, test_labels = NORMALIZE(data.test.images[mixed].float() / 255), data.test.labels[mixed]
    model = net(generator).to(memory_format=torch.channels_last)  # the same numbers, sooner
    sgd, done = optimizer(model), []
    if CHECKPOINT.is_file():
        state = torch.load(CHECKPOINT, weights_only=True)
        model.load_state_dict(state["model"])
        sgd.load_state_dict(state["sgd"])
        generator.set_state(state["generator"])
        done = state["epochs"]
    while len(done) < epochs:
        began, total = time.perf_counter(), 0.0
        for chosen in torch.randperm(len(labels), generator=generator).split(BATCH):
            batch = images[chosen].contiguous(memory_format=torch.channels_last)
            last = step(model, sgd, batch, labels[chosen])
            total += last * len(chosen)
        as_published = accuracy(model, test_images, test_labels)
        number = len(done) + 1
        in_eval_mode = None
        if number % 5 == 0:
            in_eval_mode = accuracy(model.eval(), test_images, test_labels)
            model.train()
        done.append(
            {
                "epoch": number,
                "last_batch_loss": last,
                "train_loss": total / len(labels),
                "test_accuracy_in_train_mode": as_published,
                "test_accuracy": in_eval_mode,
                "seconds": time.perf_counter() - began,
            }
        )
        print(done[-1], flush=True)
        save(
            {
                "model": model.state_dict(),
                "sgd": sgd.state_dict(),
                "generator": generator.get_state(),
                "epochs": done,
            }
        )
    result = {
        **provenance("python -m benchmarks.baseline"),
        "recipe": {
            "batch_size": BATCH,
            "learning_rate": LEARNING_RATE,
            "momentum": MOMENTUM,
            "weight_decay": WEIGHT_DECAY,
            "seed": SEED,
        },
        "parameters": sum(p.numel() for p in model.parameters()),
        "images": {"train": len(labels), "test": len(test_labels)},
        "best": max(epoch["test_accuracy_in_train_mode"] for epoch in done),
        "epochs": done,
    }
    print(write("baseline", result))


def save(state: dict) -> None:
    """Whole or not at all: a stopped run goes on from the last epoch."""
    CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
    half = CHECKPOINT.with_suffix(".part")
    torch.save(state, half)
    os.replace(half, CHECKPOINT)


if __name__ == "__main__":
    main()
