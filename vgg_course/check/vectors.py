"""Checks for the chapter that turns images into vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from vgg_course.check.judging import TENSORS, judge, judge_numbers, judge_tensors, real_tensor
from vgg_course.check.verdict import Verdict

if TYPE_CHECKING:
    from torch import Tensor

# --- one vector of unit length for each image ---


def pooled_vectors(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(maps)``: the mean over places of ``(N, C, H, W)``, each vector scaled to length 1."""
    import torch
    from torch.nn.functional import normalize

    chance = torch.Generator().manual_seed(seed)
    shapes = ((1, 2, 1, 2), (2, 3, 2, 2), (3, 5, 4, 3), (4, 3, 3, 3))
    return judge_tensors(
        "one vector for each image",
        attempt,
        lambda m: normalize(m.mean((2, 3)), dim=1),
        [
            {"maps": (torch.randint(1, 9, shape, generator=chance) + torch.arange(shape[1])[:, None, None]) / 8}
            for shape in shapes
        ],
        {
            "The mean is right, the length is not: divide each vector by its own length.": lambda m: m.mean((2, 3)),
            "That is the sum over the places, not scaled to length 1.": lambda m: m.sum((2, 3)),
            "You took the largest value of each map; the mean is asked.": lambda m: normalize(m.amax((2, 3)), dim=1),
            "All places are still there: take the mean over height and width.": lambda m: normalize(
                m.flatten(1), dim=1
            ),
            "You scaled each channel over the images (dim=0). Each IMAGE's vector is to have length 1.": (
                lambda m: normalize(m.mean((2, 3)), dim=0)
            ),
            "You divided all vectors by one common length; each has its own.": (
                lambda m: m.mean((2, 3)) / m.mean((2, 3)).norm()
            ),
            "You divided by the SUM of the values. The length is the root of the sum of squares.": (
                lambda m: normalize(m.mean((2, 3)), p=1, dim=1)
            ),
            "You divided by the squared length; take the root.": (
                lambda m: m.mean((2, 3)) / m.mean((2, 3)).square().sum(1, keepdim=True)
            ),
            "You averaged over the channels. They are the vector; average over the places.": (
                lambda m: normalize(m.mean(1).flatten(1), dim=1)
            ),
        },
    )


# --- how alike ---


def cosines(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(a, b)``: the cosine of each of ``(N, D)`` with each of ``(M, D)``, as ``(N, M)``."""
    import torch
    from torch.nn.functional import normalize

    chance = torch.Generator().manual_seed(seed)

    def draw(*shape: int):
        return 3 * torch.randn(shape, generator=chance)

    def unit(x):
        return normalize(x, dim=1)

    small = {"a": torch.tensor([[3.0, 4.0]]), "b": torch.tensor([[1.0, 0.0], [4.0, 3.0], [-3.0, -4.0]])}
    pairs = [small, *({"a": draw(n, d), "b": draw(m, d)} for n, m, d in ((2, 3, 2), (4, 2, 5), (3, 3, 3)))]
    return judge_tensors(
        "cosines",
        attempt,
        lambda a, b: unit(a) @ unit(b).T,
        pairs,
        {
            "That is the inner product: divide by the lengths of both vectors.": lambda a, b: a @ b.T,
            "Only the first vectors are divided by their lengths.": lambda a, b: unit(a) @ b.T,
            "Only the second vectors are divided by their lengths.": lambda a, b: a @ unit(b).T,
            "You scaled the columns (dim=0). A vector is a row.": lambda a, b: (
                normalize(a, dim=0) @ normalize(b, dim=0).T
            ),
            "That is the distance; the cosine is asked.": lambda a, b: torch.cdist(a, b),
            "That is the distance of the scaled vectors; the cosine is asked.": lambda a, b: torch.cdist(
                unit(a), unit(b)
            ),
            "That is 1 minus the cosine, a distance.": lambda a, b: 1 - unit(a) @ unit(b).T,
            "You divided by the squares of the lengths; take the roots.": lambda a, b: (
                (a @ b.T) / a.square().sum(1)[:, None] / b.square().sum(1)
            ),
            "That is the angle; its cosine is asked.": lambda a, b: (unit(a) @ unit(b).T).clamp(-1, 1).acos(),
            "Rows and columns are exchanged: a row for each vector of a.": lambda a, b: unit(b) @ unit(a).T,
            "You subtracted each vector's mean first: that is the correlation.": lambda a, b: (
                unit(a - a.mean(1, keepdim=True)) @ unit(b - b.mean(1, keepdim=True)).T
            ),
        },
    )


# --- the plane of greatest spread ---


def principal_coordinates(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(vectors, k)``: coordinates ``(N, k)`` along the k directions of greatest spread; signs are free."""
    import torch

    chance = torch.Generator().manual_seed(seed)

    def svd(x):
        return torch.linalg.svd(x.double(), full_matrices=False)

    def along(x, k: int, centered: bool = True, scale: Callable = lambda u, s: u * s):
        u, s, _ = svd(x - x.mean(0) if centered else x)
        return scale(u[:, :k], s[:k])

    def signed(answer: object) -> Tensor | None:
        """Each column so that its largest entry is positive: the directions of a PCA have no sign."""
        answer = real_tensor(answer)
        if answer is None or answer.ndim != 2 or not answer.numel():
            return answer
        largest = answer.gather(0, answer.abs().argmax(0, keepdim=True))
        return answer * torch.where(largest < 0, -1.0, 1.0).to(answer.dtype)

    def drawn(n: int, d: int):
        scales = torch.tensor([6.0, 3.0, 1.5, 0.7, 0.3, 0.1])[torch.randperm(d, generator=chance)]
        turn = torch.linalg.qr(torch.randn(d, d, generator=chance)).Q
        return (torch.randn(n, d, generator=chance) * scales @ turn + 4 * torch.rand(d, generator=chance)).double()

    cases = [{"vectors": drawn(n, d), "k": k} for n, d, k in ((8, 3, 1), (12, 6, 2), (20, 5, 3), (9, 6, 2))]
    mistakes = {
        "Subtract the mean of the vectors first; without that the first direction points at the mean.": (
            lambda x, k: along(x, k, centered=False)
        ),
        "You subtracted the mean, but projected the vectors as they were.": (
            lambda x, k: x.double() @ svd(x - x.mean(0))[2][:k].T
        ),
        "You subtracted from each vector its own mean (dim=1). The mean VECTOR (dim=0) is to go.": (
            lambda x, k: along(x - x.mean(1, keepdim=True), k, centered=False)
        ),
        "The axes are right, but all have the same spread: U alone is whitened. Multiply by the singular values.": (
            lambda x, k: along(x, k, scale=lambda u, s: u)
        ),
        "These are the directions, not where the images lie along them: project the vectors.": (
            lambda x, k: svd(x - x.mean(0))[2][:k]
        ),
        "These are the directions, as columns, not where the images lie along them: project the vectors on them.": (
            lambda x, k: svd(x - x.mean(0))[2][:k].T
        ),
        "You took the LAST directions, those of the smallest spread (eigh sorts upward).": (
            lambda x, k: (x - x.mean(0)).double() @ svd(x - x.mean(0))[2].flip(0)[:k].T
        ),
        "You took V's rows for its columns: torch.linalg.svd returns V transposed (Vh), a direction is a ROW of it.": (
            lambda x, k: (x - x.mean(0)).double() @ svd(x - x.mean(0))[2][:, :k]
        ),
        "You divided each coordinate by its deviation first; here the scales of the values stay.": (
            lambda x, k: along((x - x.mean(0)) / x.std(0), k)
        ),
        "Those are the first k numbers of each centered vector, not new axes.": lambda x, k: (x - x.mean(0)).double()[
            :, :k
        ],
    }
    return judge("principal coordinates", attempt, along, cases, mistakes, replace(TENSORS, read=signed))


# --- how well neighbors agree ---


def nearest_accuracy(attempt: Callable, seed: int = 0) -> Verdict:
    """Check ``attempt(vectors, labels)``: the share whose nearest OTHER vector, by cosine, has the same label."""
    import torch
    from torch.nn.functional import normalize

    chance = torch.Generator().manual_seed(seed)

    def alike(x, norm: bool = True, leave_out: float | None = -2.0):
        x = normalize(x, dim=1) if norm else x
        likeness = x @ x.T
        if leave_out is not None:
            likeness.fill_diagonal_(leave_out * (1 if norm else 1e6))
        return likeness

    def share(likeness, y) -> float:
        return (y[likeness.argmax(1)] == y).double().mean().item()

    def distant(x):
        apart = torch.cdist(x.double(), x.double())
        return apart.fill_diagonal_(torch.inf)

    def leading(x, y, places: int) -> float:
        votes = y[alike(x).topk(places).indices]
        return (votes.mode(1).values == y).double().mean().item()

    def case(n: int, d: int):
        """Clusters by angle, with lengths that mislead."""
        y = torch.arange(n) % 3
        middle = torch.randn(3, d, generator=chance)
        x = normalize(middle[y] + 0.9 * torch.randn(n, d, generator=chance), dim=1)
        return {"vectors": x * (0.2 + 5 * torch.rand(n, 1, generator=chance) ** 2), "labels": y}

    lonely = {  # all cosines of the first one are negative
        "vectors": torch.tensor([[2, 0], [-0.5, 2], [-1, 1.5], [-3, 0.2], [-0.5, -0.8], [-1, -1]]),
        "labels": torch.tensor([0, 1, 1, 0, 0, 0]),
    }
    return judge_numbers(
        "accuracy of the nearest neighbor",
        attempt,
        lambda x, y: share(alike(x), y),
        [lonely, *(case(n, d) for n, d in ((10, 3), (24, 4), (36, 5), (60, 4)))],
        {
            "Every vector is its own nearest neighbor in yours. Leave it out.": lambda x, y: 1.0,
            "You compare inner products: long vectors win. Divide each vector by its length first.": (
                lambda x, y: share(alike(x, norm=False), y)
            ),
            "You compare distances of the vectors as they are; scale them to length 1 first.": (
                lambda x, y: share(-distant(x), y)
            ),
            "You found the FARTHEST vector, not the nearest.": lambda x, y: share(-alike(x, leave_out=None), y),
            "That is the share of wrong ones; the share of right ones is asked.": lambda x, y: 1 - share(alike(x), y),
            "A share from 0 to 1 is asked, not percent.": lambda x, y: 100 * share(alike(x), y),
            "That is a count; divide it by the number of vectors.": lambda x, y: share(alike(x), y) * len(y),
            "Three neighbors vote in yours; only the nearest one counts.": lambda x, y: leading(x, y, 3),
            "Five neighbors vote in yours; only the nearest one counts.": lambda x, y: leading(x, y, 5),
            "You scaled the columns (dim=0). A vector is a row.": lambda x, y: share(
                (lambda u: (u @ u.T).fill_diagonal_(-9))(normalize(x, dim=0)), y
            ),
            "Leave the vector itself out by a number below all cosines, such as minus infinity: 0 is a cosine like others.": (
                lambda x, y: share(alike(x, leave_out=0.0), y)
            ),
        },
        tolerance=1e-5,
    )
