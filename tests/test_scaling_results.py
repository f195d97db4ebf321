"""What two processes paid for training as one: the record is complete, and the chapter's model follows from it."""

from pathlib import Path

import matplotlib as mpl
import pytest

mpl.use("Agg")

from experiments import scaling
from vgg_course import plots, results
from vgg_course.accounting import ledger

CHAPTER = (Path(__file__).parents[1] / "notebooks" / "14_share_training_among_machines.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def found():
    return results.load("scaling")


# --- the record ---


def test_a_ring_sends_twice_n_minus_one_messages_in_all_as_the_kernel_counted(found):
    assert [row["processes"] for row in found["traffic"]] == [2, 3, 4]
    for row in found["traffic"]:
        assert row["bytes_sent"] / row["bytes"] == pytest.approx(2 * (row["processes"] - 1), rel=0.01)
        assert row["bytes_sent"] > row["bytes"] * 2 * (row["processes"] - 1)  # and headers


def test_the_two_constants_are_those_of_the_fitted_rows_and_no_others(found):
    fit = [row for row in found["all_reduce"] if row["use"] == "fit"]
    assert scaling.fitted(fit) == pytest.approx(found["model"], rel=1e-6)
    assert scaling.fitted(found["all_reduce"]) == pytest.approx(found["model"], rel=1e-6)


def test_the_fit_finds_the_constants_of_a_perfect_wire():
    rows = [{"use": "fit", "bytes": s, "seconds": {"median": 2 * (1e-4 + s / 2 / 3e9)}} for s in (10**3, 10**6, 10**9)]
    assert scaling.fitted(rows) == pytest.approx({"latency": 1e-4, "bandwidth": 3e9})


def test_messages_that_the_fit_never_saw_are_predicted_to_a_third(found):
    unseen = [row for row in found["all_reduce"] if row["use"] == "check"]
    assert len(unseen) >= 6
    for row in unseen:
        assert 2 / 3 < row["predicted"] / row["seconds"]["median"] < 3 / 2


@pytest.mark.parametrize("name", scaling.NETS)
def test_a_step_of_two_processes_is_predicted_to_fifteen_percent(found, name):
    step = found["steps"][name]
    assert step["gradient_bytes"] == 4 * step["parameters"] == 4 * scaling.parameters(name)
    assert step["predicted"] == pytest.approx(step["together"]["median"], rel=0.15)
    assert 1 < step["alone"]["median"] / step["together"]["median"] < 2.1
    for kind in scaling.KINDS:
        assert len(step[kind]["values"]) == step[kind]["n"] == scaling.ROUNDS[name]


def test_vgg16_is_vgg16(found):
    assert found["steps"]["vgg16"]["gradient_bytes"] == ledger("D").parameter_bytes


# --- the figures ---


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_step_times_say_their_medians_over_half_the_time_of_one(found):
    (ax,) = [plots.step_times(found["steps"], {name: name for name in scaling.NETS})[2]]
    step = found["steps"]["vgg16"]
    order = [step["half"]["median"], step["side_by_side"]["median"], step["predicted"], step["together"]["median"]]
    assert texts(ax) == [f"{seconds / step['alone']['median'] * 2:.2f}" for seconds in order]


def test_message_times_draw_every_row_and_the_model_as_a_line(found):
    ax = plots.message_times(found["all_reduce"], lambda size: 2.0)
    line, *points = ax.lines
    assert set(line.get_ydata()) == {2000}
    assert sum(len(part.get_xdata()) for part in points) == len(found["all_reduce"])


def test_a_ring_is_drawn_with_what_each_chunk_is_the_sum_of():
    axes = plots.ring_rounds([[[1, 1], [1, 1]], [[1, 2], [2, 1]], [[2, 2], [2, 2]]])
    assert [texts(ax) for ax in axes] == [list("1111"), list("1221"), list("2222")]
    framed = [sum(patch.get_facecolor()[3] == 0 for patch in ax.patches) for ax in axes]
    assert framed == [0, 2, 2]


def test_gradients_apart_are_named_at_the_end_of_their_curves():
    ax = plots.apart_by_shard({"one": {4: 0.5, 64: 0.1}, "two": {64: 1e-6, 4: 1e-6}})
    assert texts(ax) == ["one", "two"]
    assert list(ax.lines[1].get_xdata()) == [4, 64]


def test_speed_ups_name_each_network_and_what_it_ends_at():
    axes = plots.speed_ups({"a": {"slow": [1, 1.5], "fast": [1, 1.99]}, "b": {"slow": [1, 1]}}, [1, 2])
    assert sorted(texts(axes[0])) == ["fast: 1.99", "slow: 1.5"]
    assert texts(axes[1]) == ["slow: 1"]


def test_the_words_for_those_who_do_not_see_the_steps_say_what_was_measured(found):
    steps = [found["steps"][name] for name in ("small", "small_wide_head", "vgg16")]

    def over_half(seconds):
        return [f"{2 * seconds(step) / step['alone']['median']:.1f}" for step in steps]

    half, silent = over_half(lambda s: s["half"]["median"]), over_half(lambda s: s["side_by_side"]["median"])
    assert f"Half a batch alone lies between {min(half)} and {max(half)}" in CHAPTER
    assert f"two silent processes between {min(silent)} and {max(silent)}" in CHAPTER
    words = "the small net is at {}, the net with the wide head at {}, VGG-16 at {}"
    assert words.format(*over_half(lambda s: s["together"]["median"])) in CHAPTER
    assert "the predictions are {}, {} and {}".format(*over_half(lambda s: s["predicted"])) in CHAPTER
