"""Kill a training run with signal 9 at random moments until it arrives, and compare it with one that nobody touched.

    python -m tests.killing 100 FOLDER

The tests run a few kills; run a hundred by hand. One process that has loaded torch forks the victims, so that a kill
costs milliseconds.
"""

import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from tests.test_training import dataset, net, same
from vgg_course import checkpoint
from vgg_course.training import Recipe, fit

RECIPE = Recipe(epochs=6, batch_size=8)


def train(model, file):
    return [replace(epoch, seconds=0) for epoch in fit(model, dataset(), RECIPE, seed=3, checkpoint=file)]


def main(kills, folder):
    torch.set_num_threads(1)  # more do not survive a fork
    chance, file = random.Random(0), folder / "run.pt"
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (for good: the victims' lines)
    train(net(), folder / "first.pt")  # the first run loads the rest of torch
    whole = net()
    began = time.monotonic()
    expected = train(whole, folder / "whole.pt")
    length, killed, rounds, reached = time.monotonic() - began, 0, 0, set()
    while killed < kills:
        rounds += 1
        file.unlink(missing_ok=True)
        while killed < kills or not file.exists():
            if (victim := os.fork()) == 0:
                train(net(), file)
                os._exit(0)
            time.sleep(chance.uniform(0, length / 2))
            os.kill(victim, signal.SIGKILL)
            _, status = os.waitpid(victim, 0)
            if status == 0:
                break  # it had arrived
            killed += 1
            reached.add(len(checkpoint.read(file)["state"]["epochs"]) if file.exists() else None)
        model = net()
        assert train(model, file) == expected
        assert same(model, whole)
        assert not list(folder.glob(".*")), "something was left behind"
    print(f"{killed} kills in {rounds} runs, found after epochs {reached}: equal, bit for bit", file=sys.__stdout__)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
