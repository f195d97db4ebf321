"""The studies of vectors and of transfer: the records are complete, add up, and say what the chapters say of them."""

from pathlib import Path
from statistics import mean, stdev

import pytest

from experiments import few_shot, sharpening
from vgg_course import results
from vgg_course.adaptation import UNSEEN


@pytest.fixture(scope="module")
def found():
    return results.load("few_shot")


@pytest.fixture(scope="module")
def layers():
    return results.load("sharpening")


def test_every_measured_size_has_five_seeds(found):
    assert found["seeds"] == list(few_shot.SEEDS)
    assert found["classes"] == list(UNSEEN)
    for arm in found["arms"].values():
        for size in arm["sizes"].values():
            assert size["accuracy"]["n"] == 5
            assert size["accuracy"]["mean"] == pytest.approx(mean(size["accuracy"]["values"]))
            assert size["accuracy"]["spread"] == pytest.approx(stdev(size["accuracy"]["values"]))


def test_the_small_sizes_of_all_ways_are_there(found):
    for arm in (*few_shot.VECTORS, *few_shot.TUNED):
        assert {"1", "5", "20"} <= set(found["arms"][arm]["sizes"]), arm


def test_choices_follow_from_the_search_on_validation_images(found):
    for arm, by_size in found["search"].items():
        for n, by_setting in by_size.items():
            assert found["arms"][arm]["sizes"][n]["chosen"] == max(by_setting, key=by_setting.get)


def test_differences_are_paired_by_seed(found):
    for name, difference in found["differences"].items():
        pair, _, n = name.rpartition(", ")
        a, _, b = pair.partition(" - ")
        values = [found["arms"][arm]["sizes"][n]["accuracy"]["values"] for arm in (a, b)]
        assert difference["values"] == pytest.approx([x - y for x, y in zip(*values, strict=True)])


def test_the_mean_recall_is_the_accuracy_for_classes_of_equal_size(found):
    for arm, by_class in found["by_class"].items():
        size = found["arms"][arm]["sizes"][str(found["setting"]["by_class_size"])]
        assert mean(by_class.values()) == pytest.approx(size["accuracy"]["mean"], abs=1e-6)


def test_seeds_have_images_of_their_own_and_small_sets_lie_in_large_ones():
    assert set(few_shot.few(5).tolist()) < set(few_shot.few(20).tolist())
    assert not set(few_shot.few(5).tolist()) & set(few_shot.few(5, draw=1).tolist())
    assert len(few_shot.few(20)) == 20 * len(UNSEEN)


def test_every_net_has_all_layers_for_both_sets(layers):
    assert layers["images"] == {"known": 1500, "new": 1400}
    for net in ("trained", "before", "random"):
        for of in ("known", "new"):
            assert list(layers["accuracy"][net][of]) == list(sharpening.LAYERS)
        assert layers["accuracy"][net]["new"]["pool1"]["n"] == 5


def test_the_words_for_those_who_do_not_see_the_layers_say_what_was_measured(layers):
    chapter = (Path(__file__).parents[1] / "notebooks" / "21_turn_images_into_vectors.md").read_text(encoding="utf-8")
    known, new = (
        [f"{100 * found['mean']:.0f}" for found in layers["accuracy"]["trained"][of].values()]
        for of in ("known", "new")
    )
    assert f"trained nets rise from {known[0]} percent at pool1 to {known[3]} at pool4" in chapter
    assert f"trained nets rise from {new[0]} to {new[2]} at pool3, then fall to {new[4]} at pool5" in chapter


def test_the_closest_pairs_are_the_closest(layers):
    twins = layers["twins"]
    apart = [pair["apart"] for pair in twins["pairs"]]
    assert apart == sorted(apart)
    counts = list(twins["counts"].values())
    assert counts == sorted(counts)
    for limit, count in twins["counts"].items():
        assert count >= sum(x < float(limit) for x in apart)
