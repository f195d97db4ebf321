"""Checks for the chapter on many machines."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from vgg_course.check.judging import judge_numbers, judge_tensors
from vgg_course.check.verdict import Verdict

if TYPE_CHECKING:
    from torch import Tensor

# --- numbers ---

_judge = partial(judge_numbers, tolerance=1e-9)  # the same formula in another order rounds otherwise


def ring_megabytes(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(parameters, machines)``: MB that one machine sends when a ring adds up float32 gradients."""
    draw = random.Random(seed)
    cases = [(10**6, 2), (10**6, 4), (10**6, 1), (138_357_544, 4)]
    cases += [(draw.randrange(10**5, 10**8), draw.randint(3, 64)) for _ in range(4)]
    return _judge(
        "what one machine of a ring sends",
        attempt,
        lambda parameters, machines: 2 * (machines - 1) / machines * 4 * parameters / 1e6,
        [{"parameters": parameters, "machines": machines} for parameters, machines in cases],
        {
            "You leave the second lap out: after the sums are complete they must travel around once more. Twice (N - 1) "
            "rounds.": lambda p, n: (n - 1) / n * 4 * p / 1e6,
            "A ring of N machines has N - 1 rounds a lap, not N: a chunk that has met N - 1 neighbors has met all. (And "
            "one machine alone sends nothing.)": lambda p, n: 2 * 4 * p / 1e6,
            "In one round a machine sends one chunk, a share of 1/N, not the whole gradient.": lambda p, n: (
                2 * (n - 1) * 4 * p / 1e6
            ),
            "That is the gradient itself. How often does each part of it leave a machine?": lambda p, n: 4 * p / 1e6,
            "That is MiB: you divided by 2^20. MB is 10^6 bytes.": lambda p, n: 2 * (n - 1) / n * 4 * p / 2**20,
            "That is in bytes; asked for is MB, 10^6 bytes.": lambda p, n: 2 * (n - 1) / n * 4 * p,
            "You count values. Each of them has four bytes.": lambda p, n: 2 * (n - 1) / n * p / 1e6,
            "You count bits. A float32 has 32 of them, and 4 bytes.": lambda p, n: 2 * (n - 1) / n * 32 * p / 1e6,
        },
    )


def efficiency(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(alone, together, machines)``: the share of perfect sharing, from seconds for the same batch."""
    draw = random.Random(seed)
    cases = [(8.0, 4.0, 2), (15.0, 4.0, 4), (8.0, 8.0, 2), (3.0, 3.0, 1)]
    for _ in range(4):
        alone, machines = round(draw.uniform(1, 20), 2), draw.randint(3, 32)
        cases.append((alone, round(alone / machines * draw.uniform(1.05, 3), 3), machines))
    return _judge(
        "efficiency",
        attempt,
        lambda alone, together, machines: alone / together / machines,
        [{"alone": alone, "together": together, "machines": machines} for alone, together, machines in cases],
        {
            "That is the speed-up. Perfect sharing would make it the number of machines: divide by that.": (
                lambda a, t, n: a / t
            ),
            "Upside down: with perfect sharing `together` is a small part of `alone`, and the efficiency is 1.": (
                lambda a, t, n: n * t / a
            ),
            "That is the share that is lost. Efficiency is what is left of 1.": lambda a, t, n: 1 - a / t / n,
            "That is in percent; a share of 1 is wanted.": lambda a, t, n: 100 * a / t / n,
            "That is the share of the time that is left, t / a: the inverse of the speed-up.": lambda a, t, n: t / a,
            "That is the time lost over the ideal time. Efficiency is the ideal time over the real one.": (
                lambda a, t, n: n * t / a - 1
            ),
            "The speed-up grows with the number of machines: divide it by that number, do not multiply.": (
                lambda a, t, n: n * a / t
            ),
        },
    )


def speed_up(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(machines, compute, size, latency, gigabits)``: of a step on a batch that N machines share.

    ``compute`` is in seconds on one machine, ``size`` in bytes, ``latency`` in seconds a round of the ring, and the
    network carries ``gigabits`` (10^9 bits) a second.
    """
    draw = random.Random(seed)
    cases = [(2, 1.0, 10**9, 0.0, 8), (4, 1.0, 10**9, 0.0, 8), (2, 1.0, 8, 0.01, 8), (1, 1.0, 10**9, 0.01, 8)]
    cases.append((4, 2.4, 553_430_176, 2e-5, 10))
    for _ in range(4):
        size, latency = draw.randrange(10**7, 10**9), round(draw.uniform(1e-4, 1e-2), 5)
        cases.append((draw.randint(3, 64), round(draw.uniform(0.5, 5), 2), size, latency, draw.choice([10, 40, 100])))
    names = ("machines", "compute", "size", "latency", "gigabits")
    return _judge(
        "speed-up by the model",
        attempt,
        _speed_up,
        [dict(zip(names, case, strict=True)) for case in cases],
        {
            "Networks are sold in bits: 10 Gbit/s are 1.25 GB/s. Divide by 8.": lambda n, c, s, latency, g: _speed_up(
                n, c, s, latency, 8 * g
            ),
            "You leave one lap out: 2 (N - 1) rounds, not N - 1.": lambda n, c, s, latency, g: _model(
                n, c / n, (n - 1) * latency + (n - 1) / n * s / (g * 1e9 / 8), c
            ),
            "The latency is paid in every round, 2 (N - 1) times, not once.": lambda n, c, s, latency, g: _model(
                n, c / n, latency + 2 * (n - 1) / n * s / (g * 1e9 / 8), c
            ),
            "You leave the latency out: it is paid in every one of the 2 (N - 1) rounds.": lambda n, c, s, latency, g: (
                _model(n, c / n, 2 * (n - 1) / n * s / (g * 1e9 / 8), c)
            ),
            "In one round a machine sends size / N, not everything.": lambda n, c, s, latency, g: _model(
                n, c / n, 2 * (n - 1) * (latency + s / (g * 1e9 / 8)), c
            ),
            "A lap has N - 1 rounds, not N; one machine alone sends nothing.": lambda n, c, s, latency, g: _model(
                n, c / n, 2 * n * (latency + s / n / (g * 1e9 / 8)), c
            ),
            "The batch is shared: each machine computes for compute / N seconds.": lambda n, c, s, latency, g: _model(
                n, c, _ring_seconds(n, s, latency, g), c
            ),
            "That is what sharing would be without a message: the gradients have to travel.": lambda n, *_: n,
            "That is the time of a step. The speed-up is the time on one machine over it.": lambda n, c, s, latency, g: (
                c / n + _ring_seconds(n, s, latency, g)
            ),
            "That is the efficiency. The speed-up is N times as much.": lambda n, *rest: _speed_up(n, *rest) / n,
            "Upside down: the speed-up is the time on one machine over the time on N.": lambda *case: (
                1 / _speed_up(*case)
            ),
        },
    )


def _ring_seconds(machines: int, size: int, latency: float, gigabits: float) -> float:
    return 2 * (machines - 1) * (latency + size / machines / (gigabits * 1e9 / 8))


def _model(machines: int, computing: float, talking: float, alone: float) -> float:
    return alone / (computing + talking)


def _speed_up(machines: int, compute: float, size: int, latency: float, gigabits: float) -> float:
    return compute / (compute / machines + _ring_seconds(machines, size, latency, gigabits))


# --- the gradient of the whole ---


def merged_gradient(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(gradients, counts)``: of the whole batch, from mean gradients of shards of ``counts`` images."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def drawn(counts: list[int]) -> dict[str, list]:
        gradients = [torch.randint(-9, 10, (3,), generator=generator) + torch.tensor([0.5, 0, 0]) for _ in counts]
        return {"gradients": gradients, "counts": counts}

    def total(gradients: Sequence[Tensor], counts: Sequence[int]) -> Tensor:
        return sum(count * gradient for gradient, count in zip(gradients, counts, strict=True))

    def merged(gradients: Sequence[Tensor], counts: Sequence[int]) -> Tensor:
        return total(gradients, counts) / sum(counts)

    mistakes = {
        "That is the mean of the means: it counts an image of a small shard for more than one of a large shard. Weight each "
        "mean by its share of the images.": lambda g, c: sum(g) / len(c),
        "You added the means up. The gradient of a mean over all images is a mean, not a sum.": lambda g, c: sum(g),
        "You weighted by the counts and forgot to divide by the number of all images.": total,
        "Divide once: the shares count / total add up to 1 already, so the number of shards has no place here.": (
            lambda g, c: merged(g, c) / len(c)
        ),
        "That is N times too much. (The factor N belongs to frameworks that will divide by N afterwards.)": (
            lambda g, c: merged(g, c) * len(c)
        ),
        "You divided by the counts: a mean over more images weighs more, not less.": (
            lambda g, c: sum(gradient / count for gradient, count in zip(g, c, strict=True))
        ),
        "That is one shard's gradient. All of them are wanted.": lambda g, c: g[0],
        "You put the gradients one behind the other. The gradient of the whole has the shape of each part: add them up.": (
            lambda g, c: torch.cat(g)
        ),
        "The weighted gradients are not added up yet: one row for each shard is left.": (
            lambda g, c: torch.stack([gradient * count / sum(c) for gradient, count in zip(g, c, strict=True)])
        ),
    }
    counts = ([2, 2], [3, 1], [4, 4, 3], [5], [7, 6, 1, 2], torch.randint(1, 9, (4,), generator=generator).tolist())
    return judge_tensors("gradient of the whole batch", attempt, merged, list(map(drawn, counts)), mistakes)
