"""The checkers of the chapter on depth have teeth."""

import re
from itertools import pairwise
from math import ceil, sqrt
from statistics import mean, pvariance, stdev, variance

from vgg_course import check
from vgg_course.configuration import TABLE_1, Configuration


def against(rows, same=lambda a, b: a[2] == b[2], deeper=lambda a, b: a[1] < b[1], worse=lambda a, b: a[3] < b[3]):
    return [(a[0], b[0], b[2]) for a in rows for b in rows if a != b and same(a, b) and deeper(a, b) and worse(a, b)]


def merged(words, new=r"conv5-\1", count=0):
    return re.sub(r"conv3-(\d+)\s+conv3-\1\b", new, words, count=count)


def interval(a, b, t, error=lambda a, b: sqrt((variance(a) + variance(b)) / len(a))):
    middle, reach = mean(a) - mean(b), t * error(a, b)
    return middle - reach, middle + reach


def seeds(spread, difference):
    return ceil(16 * (spread / difference) ** 2)


def test_other_right_answers_pass_too():
    assert check.pairs_against(lambda rows: {tuple(pair) for pair in against(rows)})
    assert check.pairs_against(lambda rows: [list(pair) for pair in against(rows)])
    assert check.with_5x5(lambda words: str(Configuration.parse(merged(words)).notation()))
    assert check.with_5x5(lambda words: merged(words, r"conv5-\1/p2"))
    assert check.difference_interval(lambda a, b, t: list(interval(a, b, t)))


def test_the_solution_of_the_table_does_not_change_it():
    def sorting(rows):
        rows.sort()
        return against(rows)

    assert check.pairs_against(sorting)


WRONG = [
    (check.pairs_against, lambda rows: against(rows, same=lambda a, b: True), "different scales"),
    (check.pairs_against, lambda rows: against(rows, deeper=lambda a, b: a[1] <= b[1]), "the same depth"),
    (check.pairs_against, lambda rows: against(rows, worse=lambda a, b: a[3] <= b[3]), "the same error"),
    (check.pairs_against, lambda rows: against(rows, worse=lambda a, b: a[3] > b[3]), "is better"),
    (check.pairs_against, lambda rows: [(b, a, s) for a, b, s in against(rows)], "other order"),
    (
        check.pairs_against,
        lambda rows: [(a[0], b[0], b[2]) for a, b in pairwise(rows) if (a[0], b[0], b[2]) in against([a, b])],
        "next one only",
    ),
    (check.with_5x5, lambda words: words, "Nothing has changed"),
    (check.with_5x5, lambda words: words.replace("conv3", "conv5"), "Every single 3x3"),
    (check.with_5x5, lambda words: merged(words).replace("conv3", "conv5"), "no partner"),
    (check.with_5x5, lambda words: merged(words, r"conv5-\1/p1"), "padding is not 2"),
    (check.with_5x5, lambda words: merged(words, r"conv3-\1"), "still 3x3"),
    (check.with_5x5, lambda words: merged(words, lambda m: f"conv5-{2 * int(m[1])}"), "doubled"),
    (check.with_5x5, lambda words: merged(words).replace("maxpool", ""), "The pools are gone"),
    (check.with_5x5, lambda words: merged(words).partition("FC")[0], "fully-connected layers are gone"),
    (check.with_5x5, lambda words: merged(words, count=1), "Only the first pair"),
    (check.with_5x5, lambda words: merged(words, r"conv5-\1 conv3-\1"), "takes the place of both"),
    (check.with_5x5, lambda words: merged(words, r"5x5-\1"), "no configuration"),
    (check.difference_interval, lambda a, b, t: interval(b, a, t), "mean of b minus"),
    (check.difference_interval, lambda a, b, t: interval(a, b, t)[::-1], "lower end comes first"),
    (
        check.difference_interval,
        lambda a, b, t: interval(a, b, t, lambda a, b: (stdev(a) + stdev(b)) / sqrt(len(a))),
        "squares do",
    ),
    (
        check.difference_interval,
        lambda a, b, t: interval(a, b, t, lambda a, b: sqrt(variance(a) + variance(b))),
        "did not divide by n",
    ),
    (
        check.difference_interval,
        lambda a, b, t: interval(a, b, t, lambda a, b: sqrt(variance(a) + variance(b)) / len(a)),
        "outside of the root",
    ),
    (
        check.difference_interval,
        lambda a, b, t: interval(a, b, t, lambda a, b: sqrt((pvariance(a) + pvariance(b)) / len(a))),
        "pvariance",
    ),
    (
        check.difference_interval,
        lambda a, b, t: interval(a, b, t, lambda a, b: sqrt((stdev(a) + stdev(b)) / len(a))),
        "under the root stand variances",
    ),
    (check.difference_interval, lambda a, b, t: interval(a, b, 1), "left t out"),
    (check.difference_interval, lambda a, b, t: interval(a, b, 2), "2 in place of t"),
    (check.difference_interval, lambda a, b, t: interval(a, b, t, lambda a, b: stdev(a) / sqrt(len(a))), "of b is"),
    (
        check.difference_interval,
        lambda a, b, t: (mean(a) - t * stdev(a) / sqrt(len(a)), mean(a) + t * stdev(a) / sqrt(len(a))),
        "without b",
    ),
    (
        check.difference_interval,
        lambda a, b, t: interval(a, b, t, lambda a, b: sqrt((variance(a) + variance(b)) / (len(a) + len(b)))),
        "number of all values",
    ),
    (check.seeds_needed, lambda s, d: int(16 * (s / d) ** 2), "with fewer seeds than that"),
    (check.seeds_needed, lambda s, d: round(16 * (s / d) ** 2), "Round up, always"),
    (check.seeds_needed, lambda s, d: 16 * (s / d) ** 2, "come whole"),
    (check.seeds_needed, lambda s, d: ceil(16 * s / d), "ratio is squared"),
    (check.seeds_needed, lambda s, d: ceil(16 * (d / s) ** 2), "ratio around"),
    (check.seeds_needed, lambda s, d: 2 * seeds(s, d), "both nets together"),
    (check.seeds_needed, lambda s, d: ceil(8 * (s / d) ** 2), "2 under the root"),
]


def test_table_3_has_two_pairs_against_the_claim():
    seen = []
    check.pairs_against(lambda rows: seen.append(rows) or against(rows))
    assert sorted(against(seen[1])) == [("D", "E", "256"), ("D", "E", "384")]


def test_B_becomes_a_net_with_five_convolutions():
    assert merged(TABLE_1["B"]).count("conv5") == 5
    assert "conv3" not in merged(TABLE_1["B"])
