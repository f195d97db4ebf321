"""The study of localization: the record is complete, adds up, and says what the chapter says of it."""

from statistics import mean, stdev

import pytest
import torch

from experiments import localization
from vgg_course import results
from vgg_course.localization import LIMIT
from vgg_course.synthetic import scenes


@pytest.fixture(scope="module")
def found():
    return results.load("localization")


def errors(found, arm):
    return found["arms"][arm]["error"]["values"]


def test_every_arm_has_all_of_its_seeds(found):
    assert found["seeds"] == list(localization.SEEDS)
    assert list(found["arms"]) == list(localization.ARMS)
    for arm in found["arms"].values():
        assert arm["error"]["n"] == 5
        assert arm["error"]["mean"] == pytest.approx(mean(arm["error"]["values"]))
        assert arm["error"]["spread"] == pytest.approx(stdev(arm["error"]["values"]))
        thirds = [
            mean(third) for third in zip(*(arm[size]["values"] for size in ("small", "middle", "large")), strict=True)
        ]
        assert thirds == pytest.approx(arm["error"]["values"], abs=0.002)


def test_the_search_had_other_pictures_and_its_choices_follow_from_it(found):
    assert found["search"]["seed"] not in found["seeds"]
    for name, by_rate in found["search"]["rates"].items():
        assert localization.safest(by_rate) == found["search"]["chosen"][name]
    limits = found["search"]["limits"]
    assert min(limits, key=limits.get) == f"{LIMIT:g}"


def test_a_rate_beside_one_that_ran_away_is_not_safe():
    assert localization.safest({"0.1": 0.2, "0.2": 0.1, "0.4": 0.9}) == 0.1


def test_differences_are_paired_by_seed(found):
    for a, b in localization.PAIRS:
        d = found["differences"][f"{a} - {b}"]
        apart = [x - y for x, y in zip(errors(found, a), errors(found, b), strict=True)]
        assert d["values"] == pytest.approx(apart)
        assert d["mean"] == pytest.approx(mean(apart))
        assert d["high"] - d["mean"] == pytest.approx(2.776 * stdev(apart) / 5**0.5, rel=1e-3)


def test_an_error_is_its_two_parts(found):
    for by_k in found["full"].values():
        for e in by_k.values():
            for total, a, b in zip(*(e[p]["values"] for p in ("error", "wrong_class", "bad_box")), strict=True):
                assert total == pytest.approx(a + b)
        assert by_k["3"]["wrong_class"]["mean"] == 0


def test_three_central_guesses_are_the_first_test(found):
    assert found["full"]["center"]["3"]["error"]["values"] == pytest.approx(errors(found, "all_pcr"))


def test_a_run_repeats():
    """A small one: the same seed gives the same net."""
    pictures = scenes(10, seed=0)
    one, same = (localization.classifier(3, pictures) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
