"""The paper's tables in miniature: nets, statistics and record are what they say, whatever seeds there are."""

import math
from statistics import mean, stdev

import pytest
import torch

from experiments import miniature
from vgg_course import paper, results
from vgg_course.augmentation import random_crop, rescale
from vgg_course.data import Dataset, Split
from vgg_course.evaluation import Both, Dense, MultiCrop, macs

LABELS = torch.arange(60) % 3


@pytest.fixture(scope="module")
def found():
    return results.load("miniature")


@pytest.fixture(scope="module")
def said():
    """Answers of every net in every way, by seed: of chance, and surer of the label."""
    generator = torch.Generator().manual_seed(0)

    def some():
        scores = torch.randn(60, 3, generator=generator, dtype=torch.float64)
        scores[range(60), LABELS] += 1
        return scores.softmax(1)

    names = [f"{n}_{s} {way}" for n in "DE" for s in miniature.TRAINED for way in ("single", "several")]
    names += [f"{n} {way}" for n in miniature.JITTERED for way in ("crops", "both")]
    return {name: [some() for _ in range(3)] for name in names}


# --- nets and training ---


@pytest.mark.parametrize("letter", "DE")
def test_a_net_is_the_papers_without_two_pools_and_its_score_map_grows_by_a_cell_every_eight_pixels(letter):
    net = miniature.configuration(letter)
    assert net.depth == {"D": 14, "E": 17}[letter]  # one linear layer in place of three
    assert net.blocks[3][-1].output_shape == (128, 4, 4)
    dense = miniature.VGG(net).eval().to_convolutional()
    for side in {side for sides in miniature.SEVERAL.values() for side in sides}:
        with torch.no_grad():
            assert dense(torch.zeros(1, 3, side, side)).shape[2] == (side - 32) // 8 + 1


def test_sides_stand_to_one_another_as_in_the_paper():
    assert miniature.SINGLE["jitter"] == sum(miniature.TRAINED["jitter"]) / 2 == miniature.SINGLE["56"]
    for training in ("40", "56"):
        side = int(training)
        assert miniature.SEVERAL[training] == (side - 8, side, side + 8)  # a stride up and down, as S - 32, S, S + 32
    low, high = miniature.TRAINED["jitter"]
    assert miniature.SEVERAL["jitter"] == (low, 56, high)


def test_jitter_in_groups_gives_each_image_a_crop_of_its_own_in_its_place():
    images = torch.arange(60, dtype=torch.uint8)[:, None, None, None].expand(60, 3, 32, 32)
    crops = miniature.jittered(images, 40, 72, torch.Generator().manual_seed(0))
    assert crops.shape == (60, 3, 32, 32)
    assert crops.dtype == torch.uint8
    assert torch.equal(crops, images)
    some = torch.randint(0, 255, (5, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    one, other = (torch.Generator().manual_seed(2) for _ in range(2))
    torch.randint(40, 41, (5,), generator=other)  # the sides
    assert torch.equal(miniature.jittered(some, 40, 40, one), random_crop(rescale(some, 40), 32, other))


def test_training_repeats_bit_for_bit_and_ends_in_eval_mode():
    images = torch.randint(0, 255, (24, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = Split(images, torch.arange(24) % 3)
    data = Dataset(split, split, split, ("a", "b", "c"), "noise")
    one, two, other = (miniature.train("D", (40, 44), seed, data, epochs=1) for seed in (0, 0, 1))
    states = [net.state_dict()["features.0.weight"] for net in (one, two, other)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
    assert not one.training


# --- statistics ---


def test_an_interval_is_students():
    low, high = miniature.interval([1.0, 2.0, 3.0])
    assert (low + high) / 2 == pytest.approx(2)
    assert (high - low) / 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-5)


def test_a_claim_is_judged_by_pairs_of_seeds_and_of_images():
    worse = torch.tensor([[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]).double()
    better = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1]]).double()
    judged = miniature.compared({"row": ("w", "b", 1.0)}, {"w": worse, "b": better})
    assert judged["points"]["values"] == pytest.approx([25, 50, 25])
    assert judged["rows"]["row"]["values"] == pytest.approx([25, 50, 25])
    assert judged["rows"]["row"]["disagreement"] == pytest.approx(4 / 12)
    own = (better - worse).mean(0) * 100  # of each image
    assert judged["images_high"] - judged["images_low"] == pytest.approx(2 * 1.96 * own.std().item() / 2)
    assert judged["verdict"] == "cannot tell"


@pytest.mark.parametrize(("sign", "verdict"), [(1, "reappears"), (-1, "contradicts")])
def test_a_claim_is_decided_where_both_intervals_lie_on_one_side(sign, verdict):
    generator = torch.Generator().manual_seed(0)
    poor = (torch.rand(3, 3000, generator=generator) < 0.5).double()
    good = (torch.rand(3, 3000, generator=generator) < 0.9).double()
    pair = ("poor", "good") if sign > 0 else ("good", "poor")
    assert miniature.compared({"row": (*pair, 0.1)}, {"poor": poor, "good": good})["verdict"] == verdict


def test_the_best_of_several_is_picked_by_seed():
    one, other = torch.tensor([[1, 1], [0, 0]]).double(), torch.tensor([[1, 0], [1, 0]]).double()
    assert torch.equal(miniature.best_by_seed([one, other]), torch.tensor([[1, 1], [1, 0]]).double())


def test_a_fusion_averages_answers_and_adds_up_costs(said):
    entries = miniature.collect(said, [0, 1, 2], LABELS, 100)["entries"]
    pair = [(a + b) / 2 for a, b in zip(said["D_jitter crops"], said["E_jitter crops"], strict=True)]
    wrong = [(one.argmax(1) != LABELS).double().mean().item() for one in pair]
    assert entries["D_with_E"]["crops"]["error"]["values"] == pytest.approx(wrong)
    for way in ("several", "crops", "both"):
        alone = [entries[net][way]["macs_an_image"] for net in miniature.JITTERED]
        assert entries["D_with_E"][way]["macs_an_image"] == sum(alone)
        assert entries["every"][way]["macs_an_image"] == 3 * sum(alone)
        assert entries["every"][way]["error"]["n"] == 1
    assert entries["six"]["several"]["nets"] == 6


# --- the record ---


def test_the_record_has_every_net_seed_and_photograph(found):
    assert len(found["seeds"]) >= 3
    assert found["images"] == {"train": 13_500, "test": 3000}
    assert {"D_40", "E_56", "D_jitter", "D_with_E", "six", "every"} <= set(found["entries"])
    for net, ways in found["entries"].items():
        for one in ways.values():
            assert one["error"]["n"] == (1 if net == "every" else len(found["seeds"]))


def test_costs_are_those_of_the_protocols(found):
    sides, entries = (40, 56, 72), found["entries"]
    crops, whole = MultiCrop(sides, miniature.GRID), Dense(sides)
    for net in "DE":
        own = miniature.configuration(net)
        for way, protocol in {
            "single": Dense(56),
            "several": whole,
            "crops": crops,
            "both": Both(whole, crops),
        }.items():
            one = entries[f"{net}_jitter"][way]
            assert one["macs_an_image"] == macs(own, protocol, 32, 32)
            assert one["done"] == str(protocol)


def test_gains_are_differences_of_errors_seed_by_seed(found):
    def values(name):
        net, way = name.split()
        return found["entries"][net][way]["error"]["values"]

    for name, (_, _, rows) in miniature.COMPARISONS.items():
        one, by_row = found["comparisons"][name], []
        for row, (worse, better, papers) in rows.items():
            names = [worse] if isinstance(worse, str) else worse
            least = [min(some) for some in zip(*map(values, names), strict=True)]
            gains = [100 * (a - b) for a, b in zip(least, values(better), strict=True)]
            assert one["rows"][row]["values"] == pytest.approx(gains, abs=1e-9)
            assert one["rows"][row]["paper"] == papers
            assert one["rows"][row]["disagreement"] >= abs(mean(gains)) / 100 - 1e-9
            by_row.append(gains)
        points = [mean(some) for some in zip(*by_row, strict=True)]
        assert one["points"]["values"] == pytest.approx(points, abs=1e-9)
        reach = miniature.student_t(len(points) - 1) * stdev(points) / math.sqrt(len(points))
        assert (one["low"], one["high"]) == pytest.approx((mean(points) - reach, mean(points) + reach))
        assert (one["images_low"] + one["images_high"]) / 2 == pytest.approx(mean(points), abs=1e-6)
        ends = [one[end] for end in ("low", "high", "images_low", "images_high")]
        sign = "reappears" if min(ends) > 0 else "contradicts" if max(ends) < 0 else "cannot tell"
        assert one["verdict"] == sign


def test_the_papers_gains_are_the_differences_of_its_cells(found):
    tables, ours = paper.TABLES, found["comparisons"]

    def gain(name, row):
        return ours[name]["rows"][row]["paper"]

    assert gain("jitter_over_fixed", "D") == round(tables[3]["D_384"].top_1 - tables[3]["D_jitter"].top_1, 1) == 1.2
    assert gain("several_over_one_jitter", "D_jitter") == 0.8
    assert gain("crops_over_dense", "D") == gain("both_over_crops", "E") == 0.2
    assert [gain("pair_over_best", way) for way in ("several", "crops", "both")] == [0.8, 0.7, 0.7]
    assert gain("pair_over_all", "dense") == 0.7
    assert [gain("E_over_D_fixed", s) for s in ("40", "56")] == [-0.3, -0.1]


def test_the_chapter_says_what_was_measured(found):
    """Change this test, and the chapter's words with it, when more seeds change a verdict."""
    verdicts = {name: one["verdict"] for name, one in found["comparisons"].items()}
    decided = {name: verdict for name, verdict in verdicts.items() if verdict != "cannot tell"}
    assert decided == {
        "several_over_one_fixed": "reappears",
        "both_over_crops": "reappears",
        "jitter_over_small": "contradicts",
        "pair_over_all": "contradicts",
    }
    error = {net: {way: one["error"]["mean"] for way, one in ways.items()} for net, ways in found["entries"].items()}
    assert error["D_40"]["single"] < 0.7 * error["D_jitter"]["single"]
    assert error["D_40"]["several"] < error["six"]["several"] < error["D_with_E"]["several"]
    assert all(error["D_jitter"][way] < error["E_jitter"][way] for way in ("single", "several", "crops", "both"))
    assert error["D_with_D"]["several"] < error["D_jitter"]["both"]
