"""The checkers of the chapter that reads the paper's results have teeth."""

from itertools import combinations, pairwise
from math import sqrt

import torch

from vgg_course import check, paper

HEADLINES = {"a": 7.3, "b": 6.8, "c": 7.0, "d": 7.1, "e": 7.5}


def paired(first, second, images):
    return 100 * sqrt(((first + second) / images - ((first - second) / images) ** 2) / images)


def fused(scores):
    return scores.softmax(2).mean(0).argmax(1)


def grade(rows, pairs, reach, enough=lambda clear, all: 2 * clear > all):
    gains = [rows[worse] - rows[better] for better, worse in pairs]
    clear, against = sum(g > reach for g in gains), sum(g < -reach for g in gains)
    if 2 * against > len(gains):
        return "is contradicted"
    if not enough(clear, len(gains)):
        return "cannot be decided"
    return "holds" if clear == len(gains) else "holds with an exception"


def controlled(rows, wanted=lambda n: n == 1, left_out=("error",)):
    def count(i, j):
        return sum(rows[i][c] != rows[j][c] for c in rows[i] if c not in left_out)

    return [(i, j) for i, j in combinations(range(len(rows)), 2) if wanted(count(i, j))]


def test_the_five_numbers_are_those_of_the_paper():
    assert check.headline_error(HEADLINES.get)
    assert paper.TABLE_7["vgg_submission"].top_5_test == HEADLINES["a"]
    tests = [row.top_5_test for row in (*paper.TABLE_6, *list(paper.TABLE_7)[:3]) if row.top_5_test is not None]
    assert min(tests) == HEADLINES["b"]
    assert paper.TABLE_7["vgg_1_net"].top_5_test == HEADLINES["c"]
    assert paper.TABLE_7["vgg_1_net"].top_5_val == HEADLINES["d"]
    assert paper.TABLE_6["submission"].top_5_val == HEADLINES["e"]


def test_other_right_answers_pass_too():
    assert check.headline_error(lambda letter: torch.tensor(HEADLINES[letter], dtype=torch.float64))
    assert check.paired_error(lambda a, b, n: torch.tensor(paired(a, b, n)))  # float32
    assert check.fused_classes(lambda scores: fused(scores).tolist())
    assert check.fused_classes(lambda scores: scores.softmax(-1).sum(0).argmax(-1))
    assert check.controlled_pairs(lambda rows: set(controlled(rows)))
    assert check.controlled_pairs(lambda rows: [list(pair) for pair in reversed(controlled(rows))])


def test_an_attempt_that_changes_its_arguments_harms_nobody():
    def emptying(rows, pairs, reach):
        word = grade(rows, pairs, reach)
        rows.clear()
        pairs.clear()
        return word

    def popping(rows):
        found = controlled(rows)
        for row in rows:
            row.pop("error")
        return found

    assert check.claim_grade(emptying)
    assert check.controlled_pairs(popping)


def headline(**changed):
    return {**HEADLINES, **changed}.get


def vote(scores):
    return torch.nn.functional.one_hot(scores.argmax(2), scores.shape[2]).sum(0).argmax(1)


def gains_of(rows, pairs):
    return [rows[worse] - rows[better] for better, worse in pairs]


WRONG = [
    (check.headline_error, headline(a=6.8), "after the deadline"),
    (check.headline_error, headline(b=6.7), "not VGG's"),
    (check.headline_error, headline(b=7.3), "the pair"),
    (check.headline_error, headline(c=7.1), "did not have are the test images"),
    (check.headline_error, headline(d=7.0), "its neighbor must be"),
    (check.headline_error, headline(e=7.3), "first row of Table 6"),
    (check.headline_error, headline(a=0.073), "is a share"),
    (check.paired_error, lambda a, b, n: paired(a, b, n) / 100, "is a share"),
    (check.paired_error, lambda a, b, n: 2 * paired(a, b, n), "twice"),
    (check.paired_error, lambda a, b, n: paired(a, b, n) ** 2, "take the root"),
    (check.paired_error, lambda a, b, n: 100 * sqrt((a + b) / n / n), "square of the mean"),
    (check.paired_error, lambda a, b, n: 100 * sqrt((a + b) / n - ((a - b) / n) ** 2), "number of images"),
    (
        check.paired_error,
        lambda a, b, n: 100 * sqrt((a / n * (1 - a / n) + b / n * (1 - b / n)) / n),
        "separate samples",
    ),
    (check.paired_error, lambda a, b, n: 100 * abs(a - b) / n, "difference itself"),
    (check.paired_error, lambda a, b, n: 100 * sqrt(max(0, abs(a - b) / n - ((a - b) / n) ** 2) / n), "add"),
    (check.fused_classes, lambda scores: scores.mean(0).argmax(1), "averaged the scores"),
    (check.fused_classes, vote, "a vote"),
    (check.fused_classes, lambda scores: scores.softmax(1).mean(0).argmax(1), "over the images"),
    (check.fused_classes, lambda scores: scores.softmax(0).mean(0).argmax(1), "over the nets"),
    (check.fused_classes, lambda scores: scores.softmax(2).mean(0).argmin(1), "argmin"),
    (check.fused_classes, lambda scores: scores.softmax(2).amax(0).argmax(1), "largest probability"),
    (check.fused_classes, lambda scores: scores.softmax(2).mean(0), "Now decide"),
    (check.fused_classes, lambda scores: scores.softmax(2).argmax(2), "decided alone"),
    (check.fused_classes, lambda scores: scores[-1].argmax(1), "last net alone"),
    (check.fused_classes, lambda scores: scores[0].argmax(1), "first net alone"),
    (check.fused_classes, lambda scores: scores.softmax(2).mean(0).amax(1), "not amax"),
    (check.fused_classes, lambda scores: scores.softmax(2).mean(0).argmax(0), "decide for each image"),
    (check.claim_grade, lambda rows, pairs, reach: grade(rows, pairs, 0), "compare with zero"),
    (check.claim_grade, lambda rows, pairs, reach: grade(rows, [p[::-1] for p in pairs], reach), "turned around"),
    (
        check.claim_grade,
        lambda rows, pairs, reach: grade(rows, pairs, reach, lambda clear, n: n and 2 * clear >= n),
        "not more than half",
    ),
    (
        check.claim_grade,
        lambda rows, pairs, reach: "holds" if not pairs else grade(rows, pairs, reach),
        "Nothing has been compared",
    ),
    (
        check.claim_grade,
        lambda rows, pairs, reach: grade(rows, pairs, reach).replace("is contradicted", "cannot be decided"),
        "never say",
    ),
    (
        check.claim_grade,
        lambda rows, pairs, reach: grade(rows, pairs, reach).replace("holds with an exception", "cannot be decided"),
        "One exception",
    ),
    (
        check.claim_grade,
        lambda rows, pairs, reach: (
            "is contradicted" if min(gains_of(rows, pairs), default=0) < -reach else grade(rows, pairs, reach)
        ),
        "One pair against",
    ),
    (
        check.claim_grade,
        lambda rows, pairs, reach: (
            "is contradicted"
            if pairs and 2 * sum(g <= reach for g in gains_of(rows, pairs)) > len(pairs)
            else grade(rows, pairs, reach)
        ),
        "counts for nothing",
    ),
    (check.controlled_pairs, lambda rows: controlled(rows, left_out=()), "Leave it out"),
    (check.controlled_pairs, lambda rows: controlled(rows, lambda n: n >= 1), "more than one column"),
    (check.controlled_pairs, lambda rows: controlled(rows, lambda n: n <= 1), "differ in nothing"),
    (check.controlled_pairs, lambda rows: controlled(rows, lambda n: n == len(rows[0]) - 2), "agree in exactly one"),
    (
        check.controlled_pairs,
        lambda rows: [pair for pair in pairwise(range(len(rows))) if pair in controlled(rows)],
        "next one only",
    ),
    (check.controlled_pairs, lambda rows: [(j, i) for i, j in controlled(rows)], "with the smaller row number first"),
    (
        check.controlled_pairs,
        lambda rows: controlled(rows) + [(j, i) for i, j in controlled(rows)],
        "Take each pair once",
    ),
    (
        check.controlled_pairs,
        lambda rows: [
            (i, j)
            for i, j in combinations(range(len(rows)), 2)
            if sum(rows[i].get(c) != rows[j].get(c) for c in ("net", "train", "test")) == 1
        ],
        "Other tables have others",
    ),
]


def test_table_3_has_24_controlled_pairs_and_none_between_256_and_384():
    seen = []
    check.controlled_pairs(lambda rows: seen.append(rows) or controlled(rows))
    table = seen[1]
    pairs = controlled(table)
    assert (len(table), len(pairs)) == (12, 24)
    assert not [p for p in pairs if {table[i]["train"] for i in p} == {"256", "384"}]
    assert sum({table[i]["train"] for i in p} == {"384", "[256; 512]"} for p in pairs) == 3


def test_the_paper_on_depth_is_graded_with_an_exception_at_256_pixels():
    rows = {name: row.top_1 for name, row in paper.TABLE_3.rows.items()}
    steps = [("B_256", "A_256"), ("C_256", "B_256"), ("D_256", "C_256"), ("E_256", "D_256")]
    assert grade(rows, steps, 0.37) == "holds with an exception"
    assert grade(rows, [(f"E_{s}", f"D_{s}") for s in ("256", "384", "jitter")], 0.37) == "cannot be decided"
