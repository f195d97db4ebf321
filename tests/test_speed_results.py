"""The races and the ablation: what chapter 11 says of them follows from the records."""

import math
from dataclasses import asdict
from pathlib import Path
from statistics import mean

import pytest

from experiments import ablation, thorough
from vgg_course import recipes, results

CHAPTER = (Path(__file__).parents[1] / "notebooks" / "11_train_on_reduced_cifar10.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def speed():
    return results.load("speed")


@pytest.fixture(scope="module")
def priced():
    return results.load("ablation")


def test_a_ratio_is_the_published_recipes_time_over_the_mean_of_the_runs(speed):
    curve = [epoch["test_accuracy_in_train_mode"] for epoch in results.load("baseline")["epochs"]]
    assert speed["best"] == max(curve)
    for race in speed["races"].values():
        seconds = [run["seconds"] for run in race["runs"]]
        reached = [number for number, accuracy in enumerate(curve, 1) if accuracy >= race["goal"]]
        assert race["baseline_epochs"] == min(reached, default=len(curve))
        expected = race["baseline_epochs"] * race["clock"]["epoch_seconds"] / mean(seconds)
        assert race["ratio"] == pytest.approx(expected)
        assert race["test_accuracy"]["values"] == [run["test_accuracy"] for run in race["runs"]]


def test_an_epoch_of_the_published_recipe_is_its_steps_and_its_judging(speed):
    """118 steps of up to 128 images, 30 batches of 100; medians were summed, so means agree but roughly."""
    for clock in (race["clock"] for race in speed["races"].values()):
        together = 118 * clock["step_seconds"]["mean"] + 30 * clock["judge_seconds"]["mean"]
        assert clock["epoch_seconds"] == pytest.approx(together, rel=0.1)


def test_the_words_for_those_who_do_not_see_the_ladder_say_what_was_measured(priced):
    first, *_, last = (f"{100 * run['accuracy']['mean']:.1f}" for run in priced["ladder"].values())
    steps = {name: 100 * run["difference"]["mean"] for name, run in priced["ladder"].items() if "difference" in run}
    assert f"the published recipe at {first} percent to the course's at {last}" in CHAPTER
    assert f"One cycle brings {steps.pop('cycle'):.1f} points and Muon {steps.pop('muon'):.1f}" in CHAPTER
    assert f"label smoothing {steps.pop('smooth'):.1f}, most of it in one seed" in CHAPTER
    assert max(map(abs, steps.values())) < 0.5
    without = {name: -100 * run["difference"]["mean"] for name, run in priced["without"].items()}
    assert (
        f"no shift and no flip at {without['still']:.1f} points lost to no weight decay at {-without['no_decay']:.1f} won"
        in CHAPTER
    )
    least, most = (-100 * priced["without"]["no_norm"]["difference"][end] for end in ("highest", "lowest"))
    assert f"no batch norm loses {least:.1f} to {most:.1f} points" in CHAPTER


def test_the_words_for_those_who_do_not_see_the_race_say_what_was_measured(speed):
    races = {**speed["races"], "thorough": results.load("thorough")}
    for names in (("quick", "live"), ("full",), ("thorough",)):
        reached = [100 * run["test_accuracy"] for name in names for run in races[name]["runs"]]
        assert f"between {min(reached):.1f} and {max(reached):.1f} percent" in CHAPTER


def test_six_minutes_are_those_of_the_recipe_that_the_package_names():
    long = results.load("thorough")
    assert long["recipe"] == asdict(recipes.THOROUGH)
    assert long["words"].endswith(f"{recipes.THOROUGH.epochs} epochs")
    assert [run["seed"] for run in long["runs"]] == list(thorough.SEEDS)
    assert long["test_accuracy"]["values"] == [run["test_accuracy"] for run in long["runs"]]
    assert long["test_accuracy"]["mean"] > long["goal"] == 0.97
    assert long["seconds"]["highest"] < long["budget_seconds"] == 360
    assert long["forerunner"] == thorough.FORERUNNER


def test_the_ablation_is_complete_and_its_differences_are_those_of_the_pairs(priced):
    assert {group: set(priced[group]) for group in ablation.ALL} == {g: set(runs) for g, runs in ablation.ALL.items()}
    whole = priced["ladder"]["muon"]["accuracy"]["values"]
    for run in priced["without"].values():
        assert all(len(curve) == run["epochs"] for curve in run["curves"])
        pairs = zip(run["accuracy"]["values"], whole, strict=True)
        assert all(
            math.isclose(a - b, d, abs_tol=1e-12) for (a, b), d in zip(pairs, run["difference"]["values"], strict=True)
        )
