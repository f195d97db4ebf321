"""The checkers of the chapter on many machines have teeth."""

import torch

from vgg_course import check


def ring(machines, size, latency, gigabits):
    return 2 * (machines - 1) * (latency + size / machines / (gigabits * 1e9 / 8))


def speed_up(machines, compute, size, latency, gigabits):
    return compute / (compute / machines + ring(machines, size, latency, gigabits))


def merged(gradients, counts):
    return sum(gradient * count / sum(counts) for gradient, count in zip(gradients, counts, strict=True))


def test_a_gradient_as_a_stacked_mean_passes_too():
    def by_matrix(gradients, counts):
        return torch.tensor(counts, dtype=torch.float32) @ torch.stack(gradients) / sum(counts)

    assert check.merged_gradient(by_matrix)


WRONG = [
    (check.merged_gradient, lambda g, c: sum(g) / len(g), "mean of the means"),
    (check.merged_gradient, lambda g, c: sum(g), "added the means up"),
    (check.merged_gradient, lambda g, c: sum(a * n for a, n in zip(g, c, strict=True)), "forgot to divide"),
    (check.merged_gradient, lambda g, c: merged(g, c) / len(c), "Divide once"),
    (check.merged_gradient, lambda g, c: merged(g, c) * len(c), "N times too much"),
    (check.merged_gradient, lambda g, c: sum(a / n for a, n in zip(g, c, strict=True)), "divided by the counts"),
    (check.merged_gradient, lambda g, c: g[0], "one shard's gradient"),
    (check.merged_gradient, lambda g, c: torch.cat(g), "one behind the other"),
    (
        check.merged_gradient,
        lambda g, c: torch.stack([a * n / sum(c) for a, n in zip(g, c, strict=True)]),
        "not added up yet",
    ),
    (check.ring_megabytes, lambda p, n: (n - 1) / n * 4 * p / 1e6, "second lap"),
    (check.ring_megabytes, lambda p, n: 2 * 4 * p / 1e6, "N - 1 rounds a lap, not N"),
    (check.ring_megabytes, lambda p, n: 2 * (n - 1) * 4 * p / 1e6, "a share of 1/N"),
    (check.ring_megabytes, lambda p, n: 4 * p / 1e6, "the gradient itself"),
    (check.ring_megabytes, lambda p, n: 2 * (n - 1) / n * 4 * p / 2**20, "MiB"),
    (check.ring_megabytes, lambda p, n: 2 * (n - 1) / n * 4 * p, "in bytes"),
    (check.ring_megabytes, lambda p, n: 2 * (n - 1) / n * p / 1e6, "four bytes"),
    (check.ring_megabytes, lambda p, n: 2 * (n - 1) / n * p * 32 / 1e6, "bits"),
    (check.efficiency, lambda a, t, n: a / t, "That is the speed-up"),
    (check.efficiency, lambda a, t, n: n * t / a, "Upside down"),
    (check.efficiency, lambda a, t, n: 1 - a / t / n, "share that is lost"),
    (check.efficiency, lambda a, t, n: 100 * a / t / n, "percent"),
    (check.efficiency, lambda a, t, n: t / a, "inverse of the speed-up"),
    (check.efficiency, lambda a, t, n: n * t / a - 1, "ideal time over the real"),
    (check.efficiency, lambda a, t, n: a / t * n, "do not multiply"),
    (check.speed_up, lambda n, c, s, w, g: speed_up(n, c, s, w, 8 * g), "Divide by 8"),
    (check.speed_up, lambda n, c, s, w, g: c / (c / n + ring(n, s, w, g) / 2), "one lap out"),
    (check.speed_up, lambda n, c, s, w, g: c / (c / n + w + ring(n, s, 0, g)), "not once"),
    (check.speed_up, lambda n, c, s, w, g: speed_up(n, c, s, 0, g), "leave the latency out"),
    (check.speed_up, lambda n, c, s, w, g: c / (c / n + ring(n, s * n, w, g)), "size / N"),
    (check.speed_up, lambda n, c, s, w, g: c / (c / n + 2 * n * (w + s / n / (g * 1e9 / 8))), "not N"),
    (check.speed_up, lambda n, c, s, w, g: c / (c + ring(n, s, w, g)), "compute / N seconds"),
    (check.speed_up, lambda n, c, s, w, g: n, "without a message"),
    (check.speed_up, lambda n, c, s, w, g: c / n + ring(n, s, w, g), "the time of a step"),
    (check.speed_up, lambda n, c, s, w, g: speed_up(n, c, s, w, g) / n, "efficiency"),
    (check.speed_up, lambda n, c, s, w, g: 1 / speed_up(n, c, s, w, g), "Upside down"),
]
