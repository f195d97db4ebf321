"""What mistakes cost, measured: the record is complete, adds up, and says what the chapter says of it."""

import math
from pathlib import Path
from statistics import mean, stdev

import pytest
import torch

from experiments import clinic
from vgg_course import results
from vgg_course.answers import evaluate
from vgg_course.data import Dataset, Split
from vgg_course.training import Recipe, fit

ILL = [name for name in clinic.PATIENTS if name not in clinic.HEALTHY.values()]


@pytest.fixture(scope="module")
def found():
    return results.load("clinic")


@pytest.fixture
def few():
    generator = torch.Generator().manual_seed(0)

    def some(count):
        labels = torch.arange(count) % 3
        noise = torch.randint(0, 120, (count, 3, 32, 32), generator=generator)
        return Split((noise + 60 * labels[:, None, None, None]).to(torch.uint8), labels)

    return Dataset(some(24), some(9), some(12), ("a", "b", "c"), "drawn for this test", True)


# --- the record ---


def test_every_patient_has_all_of_its_seeds(found):
    assert len(found["seeds"]) >= 5
    assert list(found["runs"]) == list(clinic.PATIENTS)
    for name, run in found["runs"].items():
        assert [one["seed"] for one in run["runs"]] == found["seeds"]
        assert run["epochs"] == clinic.PATIENTS[name].recipe.epochs


@pytest.mark.parametrize("name", clinic.PATIENTS)
def test_a_run_has_all_of_its_epochs(found, name):
    run = found["runs"][name]
    for one in run["runs"]:
        for key in ("train_loss", "validation_loss", "validation_accuracy", "test_accuracy"):
            assert len(one[key]) == run["epochs"]
    for part in ("validation", "test"):
        ends = [one[f"{part}_accuracy"][-1] for one in run["runs"]]
        assert run[part]["values"] == ends
        assert run[part]["mean"] == pytest.approx(mean(ends))
        assert run[part]["spread"] == pytest.approx(stdev(ends))


@pytest.mark.parametrize("name", ILL)
def test_a_cost_is_that_of_the_same_seed_in_good_health_after_as_many_epochs(found, name):
    run = found["runs"][name]
    healthy = found["runs"][clinic.HEALTHY[run["family"]]]["runs"]
    costs = [
        a["test_accuracy"][run["epochs"] - 1] - b["test_accuracy"][-1]
        for a, b in zip(healthy, run["runs"], strict=True)
    ]
    assert run["cost"]["values"] == pytest.approx(costs)
    student = {3: 4.303, 4: 3.182, 5: 2.776}[len(costs)]
    assert run["cost"]["interval"] == pytest.approx(student * stdev(costs) / math.sqrt(len(costs)))


def test_an_epoch_ends_with_24_images_as_in_the_published_program(found):
    assert found["images"]["train"] % clinic.BATCH == 15000 % clinic.BATCH == found["batch_sizes"]["last"] == 24
    for run in found["runs"]["sgd"]["runs"]:
        for losses, average in zip(run["steps"], run["train_loss"], strict=True):
            assert len(losses) == found["batch_sizes"]["steps"]
            total = sum(loss * clinic.BATCH for loss in losses[:-1]) + 24 * losses[-1]
            assert total / found["images"]["train"] == pytest.approx(average, abs=1e-4)


def test_the_other_judges_saw_the_nets_of_the_healthy_runs(found):
    healthy = found["runs"]["healthy"]
    for way, looks in found["judged"].items():
        seen = [run["judged"][way.replace("_", " ")]["during"] for run in healthy["runs"]]
        assert looks["during"]["values"] == seen
        assert looks["cost"]["mean"] == pytest.approx(healthy["test"]["mean"] - mean(seen))


# --- what the chapter says of it ---


def test_judging_in_train_mode_is_worse_the_smaller_the_batch_and_worst_when_sorted(found):
    means = [found["judged"][way]["during"]["mean"] for way in ("mixed_100", "mixed_10", "mixed_2", "sorted_100")]
    assert means == sorted(means, reverse=True)
    assert means[-1] < found["runs"]["healthy"]["test"]["mean"] - 0.3


def test_decay_of_one_half_on_everything_leaves_an_ignorant_net(found):
    for run in found["runs"]["sgd_decay"]["runs"]:
        assert run["validation_loss"][-1] == pytest.approx(math.log(3), abs=1e-3)
        assert run["test_accuracy"][-1] < 0.4
        assert run["norm"][-1] < 1e-3 * run["norm"][0]


def test_decay_of_one_half_on_weights_alone_is_survived_in_part(found):
    for run in found["runs"]["decay"]["runs"]:
        assert 0.5 < run["test_accuracy"][-1] < 0.9


def test_copied_deviations_cost_less_than_a_point_or_cannot_be_told_from_nothing(found):
    for name in ("std", "bare_std"):
        cost = found["runs"][name]["cost"]
        assert abs(cost["mean"]) < 0.01 or abs(cost["mean"]) < cost["interval"]


def test_the_best_epoch_on_test_is_never_below_an_honest_pick(found):
    for part in found["picked"].values():
        for values in (part["cost"]["values"], part["over_last"]["values"]):
            assert min(values) >= 0


# --- how it was made ---


def test_validation_and_test_images_are_judged_apart_as_evaluate_judges_them(few):
    net = clinic.begin("norm", 0)
    looks = clinic.Looks(net, few)
    fit(net, looks.both, Recipe(epochs=2, batch_size=8, shift=1), seed=0)
    judged = looks.judged()
    for name, split in (("validation", few.validation), ("test", few.test)):
        assert len(judged[f"{name}_accuracy"]) == 2
        assert judged[f"{name}_accuracy"][-1] == evaluate(net, few, split).accuracy
    assert judged["validation_loss"][-1] == pytest.approx(evaluate(net, few, few.validation).loss, abs=1e-4)
    assert len(few.validation) == 9  # the data is as it was


def test_frozen_images_are_guises_that_stay_and_the_test_images_are_left_alone(few):
    frozen = clinic.frozen(few, 1)
    assert not torch.equal(frozen.train.images, few.train.images)
    assert torch.equal(frozen.train.images, clinic.frozen(few, 1).train.images)
    assert torch.equal(frozen.test.images, few.test.images)


def test_copied_deviations_change_the_scale_of_the_pixels_and_nothing_else(few):
    wrong, images = clinic.divided_wrongly(few, 0), few.test.images
    stretch = few.std / torch.tensor(clinic.COPIED)
    assert torch.allclose(wrong.normalize(images), few.normalize(images) * stretch[:, None, None], atol=1e-5)


def test_a_careless_judge_leaves_the_net_that_it_judges_as_it_was(few):
    net = clinic.begin("norm", 0)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    judged = clinic.judged_otherwise(net, few, 0)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert set(judged["mixed 10"]) == {"during", "after"}


def test_the_words_for_those_who_do_not_see_the_judges_say_what_was_measured(found):
    chapter = (Path(__file__).parents[1] / "notebooks" / "12_measure_what_mistakes_cost.md").read_text(encoding="utf-8")
    healthy = found["runs"]["healthy"]["runs"]
    of = {way: 100 * mean(r["judged"][way]["during"] for r in healthy) for way in healthy[0]["judged"]}
    ten, two, by_class = (round(of[way]) for way in ("mixed 10", "mixed 2", "sorted 100"))
    assert f"mixed batches of 10 at {ten}, of 2 at {two}, batches sorted by class at {by_class}" in chapter
    afterwards = 100 * mean(r["judged"]["sorted 100"]["after"] for r in healthy)
    assert f"and {afterwards:.0f} after the sorted ones" in chapter
