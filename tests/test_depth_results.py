"""The study of depth: its nets are what it says, a run repeats, and the record adds up, whatever seeds it has."""

import json
import math
from dataclasses import replace
from statistics import mean, stdev

import pytest
import torch

from experiments import depth
from vgg_course import results
from vgg_course.accounting import ledger
from vgg_course.configuration import CONFIGURATIONS
from vgg_course.data import Dataset, Split
from vgg_course.receptive_field import receptive_field


@pytest.fixture(scope="module")
def found():
    return results.load("depth")


@pytest.fixture
def few(monkeypatch):
    """Noise in three brightnesses, and an epoch of it."""
    monkeypatch.setattr(depth, "RECIPE", replace(depth.RECIPE, epochs=1, batch_size=16))
    generator = torch.Generator().manual_seed(0)

    def split(count):
        labels = torch.arange(count) % 3
        images = torch.randint(0, 80, (count, 3, 32, 32), generator=generator) + 60 * labels[:, None, None, None]
        return Split(images.to(torch.uint8), labels)

    return Dataset(split(48), split(12), split(12), ("dark", "gray", "light"), "noise")


# --- the nets ---


def test_the_5x5_net_is_the_papers_control():
    five = depth.with_5x5(CONFIGURATIONS["B"])
    rows = [row for row in ledger(five) if row.kind == "convolution"]
    assert len(rows) == 5  # section 4.1: each pair becomes one
    assert sum(row.weights for row in rows) == 10_859_200
    pairs = [row for row in ledger("B") if row.kind == "convolution"]
    assert sum(row.weights for row in rows) / sum(row.weights for row in pairs) == pytest.approx(1.155, abs=5e-4)
    assert receptive_field(five)["pool5"].size == receptive_field("B")["pool5"].size
    assert [row.shape for row in rows] == [row.shape for row in pairs[1::2]]


@pytest.mark.parametrize("name", depth.NETS)
@pytest.mark.parametrize("norm", depth.NORMS)
def test_every_net_is_built_as_it_is_counted(name, norm):
    net = depth.begin(name, norm, 0)
    assert sum(p.numel() for p in net.parameters()) == ledger(net.configuration).parameters
    assert net.configuration.name == name
    assert net.configuration.blocks[4][-1].output_shape[1:] == (1, 1)
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules()) == (norm == "batch")
    assert any(isinstance(m, torch.nn.LocalResponseNorm) for m in net.modules()) == (name == "A-LRN")


def test_the_wide_A_costs_what_E_costs():
    wide, deep = (depth.of_configuration(name) for name in ("A-wide", "E"))
    assert wide["macs"] / deep["macs"] == pytest.approx(1, abs=0.01)
    assert wide["convolutions"] == 8


def test_LRN_on_small_pixels_is_the_published_one_on_large_pixels():
    (small,) = [m for m in depth.begin("A-LRN", "none", 0).modules() if isinstance(m, torch.nn.LocalResponseNorm)]
    x = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    large = torch.nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)  # torch divides alpha by 5
    size = depth.PIXEL_DEVIATION
    assert torch.allclose(large(size * x), size * small(x), rtol=1e-4)
    assert not torch.allclose(small(x), x / 2**0.75, rtol=0.01)  # it does something


def test_one_seed_is_one_beginning():
    one, same, other = (depth.begin("B", "batch", seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["features.0.weight"], other["features.0.weight"])


# --- a run ---


def test_a_run_repeats_to_the_last_bit_and_another_seed_does_not(few):
    first, second, other = (depth.run("B-5x5", "batch", seed, 0.1, few) for seed in (3, 3, 4))
    del first["seconds"], second["seconds"]
    assert first == second
    assert other["weights"] != first["weights"]
    assert first["curve"] == [first["validation_accuracy"]]


def test_the_search_does_not_look_at_the_test_images(few):
    assert "test_accuracy" not in depth.run("A", "none", 101, 0.01, few, test=False)


def test_a_loss_that_is_no_number_is_a_stuck_run_and_no_crash(few):
    result = depth.run("E", "none", 1, 1e30, few)
    assert "learning_rate" in result["stopped"]
    assert result["test_accuracy"] < depth.FAILED
    assert result["curve"] == []
    json.dumps(result, allow_nan=False)


def test_a_run_that_is_done_is_not_done_again(few, tmp_path):
    path = tmp_path / "run.json"
    result = depth.finish(path, "A", "batch", 1, 0.1, few)
    assert depth.finish(path, "nothing can be built from these arguments") == result
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("bits", ["same", "other"])
def test_only_compares_with_what_was_kept(few, tmp_path, monkeypatch, capsys, bits):
    run = json.loads(json.dumps(depth.run("A", "none", 1, 0.05, few)))
    run["weights"] = run["weights"] if bits == "same" else "0"
    kept = {"search": {"chosen": {"A": 0.05}}, "families": {"none": {"A": {"runs": [run]}}}, "device": "a machine"}
    (tmp_path / "depth.json").write_text(json.dumps(kept))
    monkeypatch.setattr(depth, "RESULTS", tmp_path)
    assert depth.again("A", "none", 1, few) == (bits == "other")
    said = capsys.readouterr().out
    assert ("the same as in the result" in said) == (bits == "same")
    assert ("differs from the result in weights; that was measured on: a machine" in said) == (bits == "other")
    assert depth.again("A", "none", 2, few) == 0
    assert "nothing to compare" in capsys.readouterr().out


def test_seeds_come_one_after_the_other_and_the_control_last():
    order = depth.order()
    core = len(depth.CORE) * len(depth.NORMS)
    for i, seed in enumerate(depth.SEEDS):
        assert set(order[i * core : (i + 1) * core]) == {
            (name, norm, seed) for name in depth.CORE for norm in depth.NORMS
        }
    assert {name for name, _, _ in order[len(depth.SEEDS) * core :]} == {"A-wide"}


# --- statistics ---


@pytest.mark.parametrize(("degrees", "t"), [(2, 4.303), (4, 2.776), (8, 2.306), (18, 2.101), (120, 1.980)])
def test_students_t_is_that_of_the_tables(degrees, t):
    assert depth.student_t(degrees) == pytest.approx(t, abs=5e-4)


@pytest.mark.parametrize("degrees", [0, 1, 7])
def test_students_t_has_even_degrees_of_freedom_here(degrees):
    with pytest.raises(ValueError, match=f"degrees is {degrees}"):
        depth.student_t(degrees)


def test_the_interval_of_a_difference_has_the_coverage_that_it_claims():
    a, b = torch.randn(2, 4000, 5, generator=torch.Generator().manual_seed(0)).tolist()
    intervals = [depth.difference(one, other) for one, other in zip(a, b, strict=True)]
    assert mean(found["low"] <= 0 <= found["high"] for found in intervals) == pytest.approx(0.95, abs=0.01)
    with pytest.raises(ValueError, match="equally many"):
        depth.difference([1, 2], [1, 2, 3])


# --- the record ---


def runs_of(found):
    for norm, family in found["families"].items():
        for name, net in family.items():
            yield norm, name, net


def test_the_record_has_every_net_in_both_families(found):
    assert list(found["families"]) == list(depth.NORMS)
    for family in found["families"].values():
        assert {*depth.CORE} <= {*family} <= {*depth.NETS}
    for _, _, net in runs_of(found):
        seeds = [run["seed"] for run in net["runs"]]
        assert seeds == [seed for seed in depth.SEEDS if seed in seeds]
        assert len(seeds) >= 2


def test_the_nets_are_those_of_the_experiment(found):
    assert found["nets"] == {name: depth.of_configuration(name) for name in depth.NETS}
    assert found["setting"]["epochs"] == depth.RECIPE.epochs
    assert found["images"] == {"train": 13_500, "validation": 1_500, "test": 3_000}


def test_the_summaries_follow_from_the_runs(found):
    for _, _, net in runs_of(found):
        for key in ("test_accuracy", "validation_accuracy", "train_accuracy"):
            values = [run[key] for run in net["runs"]]
            assert net[key]["values"] == values
            assert net[key]["mean"] == pytest.approx(mean(values))
            assert net[key]["spread"] == pytest.approx(stdev(values))
        assert net["failed"] == sum(run["test_accuracy"] < found["failed_below"] for run in net["runs"])


def test_no_two_runs_are_the_same(found):
    weights = [run["weights"] for _, _, net in runs_of(found) for run in net["runs"]]
    assert len({*weights}) == len(weights)


def test_a_run_has_all_of_its_epochs_and_whole_images(found):
    for _, _, net in runs_of(found):
        for run in net["runs"]:
            assert len(run["curve"]) == (0 if run["stopped"] else found["setting"]["epochs"])
            for split, count in found["images"].items():
                right = count * run[f"{split}_accuracy"]
                assert right == pytest.approx(round(right), abs=1e-6)


def test_the_intervals_follow_from_the_runs(found):
    for norm, family in found["families"].items():
        for pair, gain in found["differences"][norm].items():
            a, b = (family[name]["runs"] for name in pair.split(" - "))
            both = {run["seed"] for run in a} & {run["seed"] for run in b}
            values = [[run["test_accuracy"] for run in runs if run["seed"] in both] for runs in (a, b)]
            assert gain == pytest.approx(depth.difference(*values))
            assert gain["low"] < gain["mean"] < gain["high"]
            assert math.isclose(gain["mean"], mean(values[0]) - mean(values[1]), abs_tol=1e-12)


def test_every_rate_is_the_best_that_was_found_for_its_net(found):
    search = found["search"]
    assert not {*search["seeds"]} & {*depth.SEEDS}
    for name, by_rate in search["validation_accuracy"].items():
        assert {float(rate) for rate in by_rate} == {*depth.RATES}
        best = max(by_rate, key=lambda rate: mean(by_rate[rate]))
        assert search["chosen"][name] == float(best)
    assert found["setting"]["learning_rate"]["none"] == search["chosen"]
