"""The study of stages and labels: the record is complete, adds up, and says what the chapter says of it."""

from statistics import mean, stdev

import pytest
import torch

from experiments import segmentation
from vgg_course import backbone, results
from vgg_course.synthetic import scenes


@pytest.fixture(scope="module")
def found():
    return results.load("segmentation")


def test_every_arm_has_all_of_its_seeds(found):
    assert found["seeds"] == list(segmentation.SEEDS)
    assert list(found["stages"]) == list(segmentation.ARMS)
    assert list(found["few"]) == list(segmentation.FEW_ARMS)
    summaries = [arm["mean_iou"] for arm in found["stages"].values()]
    summaries += [by_count for arm in found["few"].values() for by_count in arm.values()]
    for s in summaries:
        assert s["n"] == len(s["values"]) == 5
        assert s["mean"] == pytest.approx(mean(s["values"]))
        assert s["spread"] == pytest.approx(stdev(s["values"]))


def test_the_search_had_other_pictures_and_its_choices_follow_from_it(found):
    search = found["search"]
    assert search["seed"] not in found["seeds"]
    for name, by_rate in search["rates"].items():
        assert by_rate[f"{search['chosen'][name]:g}"] == max(by_rate.values())


def test_differences_are_paired_by_seed(found):
    for name, d in found["differences"].items():
        a, b = name.split(" - ")
        if a in found["stages"]:
            first, second = (found["stages"][arm]["mean_iou"]["values"] for arm in (a, b))
        else:
            b, count = b.rsplit(", ", 1)
            first, second = (found["few"][arm][count]["values"] for arm in (a, b))
        apart = [x - y for x, y in zip(first, second, strict=True)]
        assert d["values"] == pytest.approx(apart)
        assert d["mean"] == pytest.approx(mean(apart))
        assert d["high"] - d["mean"] == pytest.approx(2.776 * stdev(apart) / 5**0.5, rel=1e-3)


def test_every_object_is_in_one_range(found):
    assert sum(found["objects"]) == len(found["seeds"]) * found["images"]["test"]
    for part in (*found["stages"].values(), *found["perfect"].values()):
        assert len(part["by_size"]) == len(part["found"]) == len(found["ranges"])


def test_the_bounds_are_those_of_the_same_scenes(found):
    """Deterministic, and cheap enough to do again."""
    iou, side = [], []
    for seed in found["seeds"]:
        test = scenes(segmentation.TESTED, 10 * seed + 1, segmentation.SIZE, segmentation.SCALE)
        iou.append(backbone.object_iou(backbone.best_of_grid(test.masks, 8).long(), test.masks.long()))
        side.append(backbone.sides(test))
    again = segmentation.by_size(torch.cat(side), torch.cat(iou))
    assert again == pytest.approx(found["perfect"]["8"]["by_size"], abs=1e-6)


def test_no_head_is_far_above_the_bound_of_its_stride(found):
    """Least squares are not IoU, so a head may be a little better."""
    for arm in found["stages"].values():
        for ours, best in zip(arm["by_size"], found["perfect"][str(arm["stride"])]["by_size"], strict=True):
            assert ours < best + 0.05


def test_the_smallest_object_found_is_where_half_are_found_from_there_on():
    side = torch.arange(1.0, 1001)
    iou = torch.where(side > 400, 0.9, 0.1)
    assert segmentation.smallest_found(side, iou) == pytest.approx(401, abs=2)
    assert segmentation.smallest_found(side, torch.ones(1000)) == pytest.approx(51, abs=2)
    assert segmentation.smallest_found(side, torch.zeros(1000)) is None
    assert segmentation.smallest_found(side, 1 - iou) is None


def test_labeled_scenes_are_of_all_classes():
    pictures = scenes(10, seed=0)
    chosen = segmentation.some(pictures, 12)
    assert pictures.labels[chosen].bincount().tolist() == [4, 4, 4]
