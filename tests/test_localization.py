"""Boxes, the net that puts them out, merging, and the judge."""

import math
from dataclasses import replace

import pytest
import torch
from torchvision.ops import box_area, box_convert, box_iou

from vgg_course import synthetic
from vgg_course.configuration import Configuration
from vgg_course.localization import (
    Guesses,
    anywhere,
    area,
    box_loss,
    central,
    cut,
    decode,
    dense_boxes,
    dense_scores,
    encode,
    greedy_merge,
    guess_center,
    guess_dense,
    iou,
    judge,
    match_score,
    of_class,
    pixels,
    regressor,
    to_center,
    to_corners,
    tune,
)
from vgg_course.model import VGG
from vgg_course.training import Recipe


def corners(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    low = 20 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return torch.cat([low, low + 0.1 + 20 * torch.rand(count, 2, generator=generator, dtype=torch.float64)], 1)


def net(words="conv3-4 maxpool conv3-6 maxpool FC-8 FC-5 FC-3", size=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return VGG(Configuration.parse(words, input_size=size), dropout=0.0, generator=generator)


def images(count, size=24, seed=0):
    return torch.randint(
        0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


# --- boxes ---


def test_iou_is_torchvisions_for_all_pairs():
    a, b = corners(30, 1), corners(40, 2)
    ours = iou(a[:, None], b[None])
    torch.testing.assert_close(ours, box_iou(a, b), rtol=1e-12, atol=1e-12)
    assert (ours == 0).any()
    assert (ours > 0.5).any()


def test_areas_and_conversions_are_torchvisions():
    boxes = corners(50)
    torch.testing.assert_close(area(boxes), box_area(boxes))
    torch.testing.assert_close(to_center(boxes), box_convert(boxes, "xyxy", "cxcywh"))
    torch.testing.assert_close(to_corners(to_center(boxes)), boxes)


def test_iou_is_what_counting_pixels_gives():
    generator = torch.Generator().manual_seed(3)
    for _ in range(50):
        boxes = torch.randint(0, 12, (2, 2), generator=generator)
        boxes = torch.cat([boxes, boxes + torch.randint(1, 9, (2, 2), generator=generator)], 1)
        filled = torch.zeros(2, 24, 24, dtype=torch.bool)
        for sheet, (x0, y0, x1, y1) in zip(filled, boxes.tolist(), strict=True):
            sheet[y0:y1, x0:x1] = True
        share = (filled[0] & filled[1]).sum() / (filled[0] | filled[1]).sum()
        assert float(iou(*boxes)) == pytest.approx(float(share))


def test_iou_does_not_depend_on_order_place_or_scale():
    a, b = corners(50, 4), corners(50, 5)
    for other in (iou(b, a), iou(a + 7, b + 7), iou(3 * a, 3 * b)):
        torch.testing.assert_close(other, iou(a, b))
    assert torch.equal(iou(a, a), torch.ones(50, dtype=torch.float64))


def test_boxes_apart_in_both_directions_share_nothing():
    assert iou(torch.tensor([0.0, 0, 2, 2]), torch.tensor([3.0, 3, 5, 5])) == 0


GOOD = torch.tensor([[0.0, 0, 2, 2]])


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        (torch.tensor([[0.0, 0, 2, 2], [1, 1, 1, 3]]), r"box 1 is \[1.0, 1.0, 1.0, 3.0\]; corners are"),
        (torch.tensor([[3.0, 0, 2, 2]]), "x0 < x1"),
        (torch.tensor([[0.0, 0, math.nan, 2]]), "must be finite"),
        (torch.tensor([[0.0, 0, math.inf, 2]]), "must be finite"),
        (torch.zeros(2, 3), "four real numbers"),
        (torch.zeros(()), "four real numbers"),
        (torch.zeros(2, 4, dtype=torch.bool), "four real numbers"),
        (torch.zeros(0, 4), "there is no box in it"),
        ([[0, 0, 2, 2]], "is a list"),
    ],
)
def test_what_is_no_box_is_refused(boxes, words):
    for use in (lambda: iou(boxes, GOOD), lambda: iou(GOOD, boxes), lambda: to_center(boxes), lambda: area(boxes)):
        with pytest.raises(ValueError, match=words):
            use()


def test_a_center_form_without_a_side_is_refused():
    with pytest.raises(ValueError, match="width and a height above 0"):
        to_corners(torch.tensor([4.0, 4, -1, 2]))


def test_boxes_that_do_not_pair_up_are_refused():
    with pytest.raises(ValueError, match="do not pair up"):
        iou(corners(3), corners(2))


# --- windows ---


def test_a_box_moves_with_the_window():
    pictures = synthetic.scenes(4, seed=3, size=48)
    seen, boxes = anywhere(pictures.images, pictures.boxes, 32, torch.Generator().manual_seed(0))
    assert seen.shape == (len(pictures), 3, 32, 32)
    masks, moved = cut(
        pictures.masks[:, None].float(), pictures.boxes, *torch.tensor([[5], [9]]).repeat(1, len(boxes)), 32
    )
    for mask, (x0, y0, x1, y1) in zip(masks, moved.long().tolist(), strict=True):
        if min(x0, y0) >= 0 and max(x1, y1) <= 32:
            assert mask[0, y0:y1, x0:x1].sum() == mask.sum()
            assert mask[0, y0].any()
            assert mask[0, :, x1 - 1].any()
    assert torch.equal(boxes[:, 2:] - boxes[:, :2], (pictures.boxes[:, 2:] - pictures.boxes[:, :2]).float())


def test_the_central_window_is_in_the_middle():
    _, boxes = central(images(1, 24), torch.tensor([[4, 6, 20, 12]]), 16)
    assert boxes.tolist() == [[0, 2, 16, 8]]


def test_scenes_have_one_visible_object_on_light_ground_and_its_box():
    pictures = synthetic.scenes(60, seed=0)
    assert pictures.images.shape[1:] == (3, 48, 48)
    assert pictures.masks.flatten(1).any(1).all()
    assert (pictures.boxes[:, 2:] > pictures.boxes[:, :2]).all()
    ground = pictures.images.float().mean(1)[~pictures.masks]
    assert 170 < ground.mean() < 200
    centers = (pictures.boxes[:, :2] + pictures.boxes[:, 2:]).float() / 2
    assert centers.min() < 12
    assert centers.max() > 36
    assert torch.equal(synthetic.scenes(60, seed=0).images, pictures.images)


# --- the net ---


@pytest.mark.parametrize(("per_class", "outputs"), [(False, 4), (True, 12)])
def test_the_regressor_is_the_classifier_but_for_its_last_layer(per_class, outputs):
    start = net()
    boxes = regressor(start, per_class)
    last = f"classifier.{len(start.classifier) - 1}."
    theirs, ours = start.state_dict(), boxes.state_dict()
    for name in ours:
        if not name.startswith(last):
            assert torch.equal(ours[name], theirs[name])
            assert ours[name].data_ptr() != theirs[name].data_ptr()
    assert boxes.classifier[-1].out_features == outputs
    assert start.classifier[-1].out_features == 3


def test_a_regressor_of_the_full_size_net_has_4000_outputs():
    with torch.device("meta"):
        start = VGG("D")
    assert 4 * start.configuration.classes == 4000
    assert start.configuration.variant(classes=4000)["fc8"].output_shape == (4000,)


def test_the_first_boxes_lie_in_the_middle():
    boxes = regressor(net())(pixels(images(2, 16))).unflatten(1, (-1, 4))
    assert (boxes - 0.5).abs().max() < 0.3


def test_of_class_takes_four_neighbors():
    outputs = torch.arange(24.0).view(2, 12)
    assert of_class(outputs, torch.tensor([0, 2])).tolist() == [[0, 1, 2, 3], [20, 21, 22, 23]]
    assert torch.equal(of_class(outputs[:, :4], torch.tensor([0, 2])), outputs[:, :4])


@pytest.mark.parametrize(
    ("outputs", "labels", "words"),
    [
        (torch.zeros(2, 6), torch.tensor([0, 0]), r"must be \(B, 4\)"),
        (torch.zeros(0, 4), torch.tensor([]).long(), r"must be \(B, 4\)"),
        (torch.zeros(2, 8), torch.tensor([0]), "one class an image"),
        (torch.zeros(2, 8), torch.tensor([0.0, 1.0]), "one class an image"),
        (torch.zeros(2, 8), torch.tensor([0, 2]), "there are 2 boxes"),
        (torch.zeros(2, 8), torch.tensor([0, -1]), "there are 2 boxes"),
    ],
)
def test_outputs_and_labels_that_do_not_fit_are_refused(outputs, labels, words):
    with pytest.raises(ValueError, match=words):
        of_class(outputs, labels)


def test_the_loss_is_half_the_squared_distance_of_the_true_classs_box():
    outputs, targets = torch.zeros(2, 12), torch.tensor([[3.0, 4, 0, 0], [0, 0, 1, 0]])
    outputs[0, 4:8] = 100  # of another class
    assert float(box_loss(outputs, targets, torch.tensor([0, 2]))) == (25 / 2 + 1 / 2) / 2


def test_the_boxes_of_other_classes_get_no_gradient():
    outputs = torch.rand(3, 12, requires_grad=True)
    labels = torch.tensor([0, 2, 1])
    box_loss(outputs, torch.rand(3, 4), labels).backward()
    pulled = outputs.grad.unflatten(1, (3, 4)).abs().sum(2) > 0
    assert torch.equal(pulled, torch.nn.functional.one_hot(labels, 3).bool())


@pytest.mark.parametrize("targets", [torch.zeros(2, 3), torch.zeros(1, 4), torch.full((2, 4), torch.nan)])
def test_bad_targets_are_refused(targets):
    with pytest.raises(ValueError, match="finite numbers"):
        box_loss(torch.zeros(2, 4), targets, torch.tensor([0, 0]))


def test_decode_undoes_encode_and_gives_every_side_a_pixel():
    boxes = corners(20) + torch.tensor([0, 0, 1, 1])
    torch.testing.assert_close(decode(encode(boxes, 32), 32), boxes)
    sides = decode(torch.tensor([[0.5, 0.5, -0.2, 0.0]]), 32)
    assert sides.tolist() == [[15.5, 15.5, 16.5, 16.5]]


RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=0.05, weight_decay=0.0)


@pytest.mark.parametrize(("tuned", "changed"), [("last", 1), ("fully connected", 3), ("all", 5)])
def test_what_is_not_tuned_stays_as_it_was(tuned, changed):
    pictures, boxes = synthetic.scenes(8, seed=0, size=24), regressor(net())
    before = {name: value.clone() for name, value in boxes.state_dict().items()}
    losses = tune(boxes, pictures, RECIPE, tuned=tuned)
    moved = [name for name, value in boxes.state_dict().items() if not torch.equal(value, before[name])]
    assert len([name for name in moved if name.endswith("weight")]) == changed
    assert len(losses) == 2
    assert all(parameter.requires_grad for parameter in boxes.parameters())


def test_tuning_repeats_and_learns():
    pictures = synthetic.scenes(30, seed=0, size=24)
    one, same = regressor(net(seed=1)), regressor(net(seed=1))
    same.load_state_dict(one.state_dict())
    recipe = replace(RECIPE, epochs=6, learning_rate=0.2)
    losses = tune(one, pictures, recipe, seed=3)
    assert tune(same, pictures, recipe, seed=3) == losses
    assert losses[-1] < 0.97 * losses[0]


def test_a_classifier_learns_by_cross_entropy():
    losses = tune(net(), synthetic.scenes(8, seed=0, size=24), RECIPE, learns="classes")
    assert losses[0] == pytest.approx(math.log(3), rel=0.1)


@pytest.mark.parametrize("wrong", [{"tuned": "some"}, {"learns": "masks"}])
def test_an_unknown_way_to_tune_is_refused(wrong):
    with pytest.raises(ValueError, match="it can be"):
        tune(regressor(net()), synthetic.scenes(2, size=24), RECIPE, **wrong)


# --- dense ---


def test_one_window_gives_one_cell_and_the_box_of_the_window():
    boxes, views = regressor(net()), images(3, 16)
    with torch.no_grad():
        alone = decode(boxes(pixels(views)).unflatten(1, (3, 4)), 16)
    torch.testing.assert_close(dense_boxes(boxes, views)[:, 0], alone)


def test_cells_are_a_stride_apart_row_by_row():
    silent = regressor(net())
    for parameter in silent.parameters():
        parameter.data.zero_()
    silent.classifier[-1].bias.data.copy_(torch.tensor([0.5, 0.5, 1.0, 1.0]).repeat(3))  # the whole window
    found = dense_boxes(silent, images(1, 24))[0, :, 0]
    places = [(4 * column, 4 * row) for row in range(3) for column in range(3)]
    assert found.tolist() == [[x, y, x + 16, y + 16] for x, y in places]
    wide = torch.zeros(1, 3, 16, 24, dtype=torch.uint8)
    assert dense_boxes(silent, wide)[0, :, 0].tolist() == [[x, 0, x + 16, 16] for x in (0, 4, 8)]


def test_dense_scores_are_posteriors_in_the_same_order():
    start, pictures = net(), images(2, 24)
    scores = dense_scores(start, pictures)
    assert scores.shape == (2, 9, 3)
    torch.testing.assert_close(scores.sum(2), torch.ones(2, 9))
    with torch.no_grad():
        maps = start.to_convolutional()(pixels(pictures)).softmax(1)
    torch.testing.assert_close(scores[1, 5], maps[1, :, 1, 2])


@pytest.mark.parametrize("per_class", [True, False])
def test_guesses_come_best_first_and_one_a_class(per_class):
    start, pictures = net(), images(4, 24)
    boxes = regressor(start, per_class)
    for guess in (guess_center, guess_dense):
        found = guess(start, boxes, pictures, 3)
        assert found.boxes.shape == (4, 3, 4)
        assert found.classes.sort(1).values.tolist() == [[0, 1, 2]] * 4
        assert torch.equal(guess(start, boxes, pictures, 1).classes, found.classes[:, :1])
    center = guess_center(start, boxes, pictures, 1)
    with torch.no_grad():
        first = decode(of_class(boxes(pixels(pictures[:, :, 4:20, 4:20])), center.classes[:, 0]), 16) + 4
    torch.testing.assert_close(center.boxes[:, 0], first)


# --- merging ---


def test_equal_boxes_match_best_and_boxes_side_by_side_score_two():
    assert match_score((1, 2, 5, 9), (1, 2, 5, 9)) == 0
    assert match_score((0, 0, 4, 4), (4, 0, 8, 4)) == pytest.approx(2)
    near, far = match_score((0, 0, 4, 4), (1, 0, 5, 4)), match_score((0, 0, 4, 4), (2, 0, 6, 4))
    assert 0 < near < far


def test_the_match_score_does_not_depend_on_scale_and_order():
    a, b = (0, 0, 4, 4), (1, 2, 6, 5)
    assert match_score(a, b) == match_score(b, a)
    assert match_score(*([7 * x for x in box] for box in (a, b))) == pytest.approx(match_score(a, b))


def test_two_crowds_become_two_boxes_with_the_sums_of_their_scores():
    crowd = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [40, 40, 50, 50], [41, 40, 51, 50], [40, 41, 50, 51]])
    left = greedy_merge(crowd, torch.tensor([0.9, 0.9, 0.5, 0.5, 0.5]), 0.6)
    assert [box.members for box in left] == [(0, 1), (2, 3, 4)]
    assert [box.score for box in left] == pytest.approx([1.8, 1.5])
    assert left[0].box == (0.5, 0, 10.5, 10)


def test_the_average_is_of_the_two_whatever_they_were_merged_from():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [2, 0, 12, 10]])
    (merged,) = greedy_merge(boxes, torch.ones(3), 1.0)
    assert merged.box == (1, 0, 11, 10)  # not 2/3


def test_nothing_is_merged_below_no_match_and_everything_without_a_limit():
    boxes, scores = corners(8), torch.rand(8)
    assert len(greedy_merge(boxes, scores, 0.0)) == 8
    (merged,) = greedy_merge(boxes, scores, math.inf)
    assert merged.members == tuple(range(8))
    assert merged.score == pytest.approx(float(scores.sum()))


@pytest.mark.parametrize(
    ("boxes", "scores", "words"),
    [
        (torch.zeros(0, 4), torch.zeros(0), "no box in it"),
        (corners(2), torch.ones(3), "give"),
        (corners(2), torch.tensor([1.0, math.nan]), "finite and not negative"),
        (corners(2), torch.tensor([1.0, -1]), "finite and not negative"),
        (corners(1)[0], torch.ones(()), "give"),
    ],
)
def test_what_cannot_be_merged_is_refused(boxes, scores, words):
    with pytest.raises(ValueError, match=words):
        greedy_merge(boxes, scores)


# --- judging ---


def test_an_error_is_a_wrong_class_or_a_bad_box():
    truth = torch.tensor([[0.0, 0, 10, 10]]).repeat(4, 1)
    good, bad = [0.0, 0, 10, 9], [5.0, 0, 15, 10]
    boxes = torch.tensor([[good, bad], [bad, good], [bad, good], [good, good]])
    classes = torch.tensor([[0, 1], [1, 0], [0, 1], [1, 2]])  # right, right at the second, bad box, wrong class
    judged = judge(Guesses(classes, boxes), torch.zeros(4).long(), truth)
    assert (judged.images, judged.wrong_class, judged.bad_box, judged.error) == (4, 0.25, 0.25, 0.5)
    first = judge(Guesses(classes[:, :1], boxes[:, :1]), torch.zeros(4).long(), truth)
    assert (first.wrong_class, first.bad_box) == (0.5, 0.25)


def test_an_overlap_of_exactly_one_half_is_not_enough():
    truth, half = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[[0.0, 0, 10, 20]]])
    assert judge(Guesses(torch.tensor([[0]]), half), torch.tensor([0]), truth).error == 1
    assert judge(Guesses(torch.tensor([[0]]), half - torch.tensor([0, 0, 0, 0.1])), torch.tensor([0]), truth).error == 0


def test_more_guesses_never_hurt():
    generator = torch.Generator().manual_seed(0)
    classes = torch.stack([torch.randperm(5, generator=generator) for _ in range(200)])
    truth = corners(200)
    guessed = truth[:, None] + 3 * torch.randn(200, 5, 1, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 5, (200,), generator=generator)
    errors = [judge(Guesses(classes[:, :k], guessed[:, :k]), labels, truth) for k in range(1, 6)]
    assert [e.error for e in errors] == sorted((e.error for e in errors), reverse=True)
    assert errors[-1].wrong_class == 0


@pytest.mark.parametrize(
    ("classes", "boxes", "labels", "truth"),
    [
        (torch.zeros(2), corners(2)[:, None], torch.zeros(2).long(), corners(2)),
        (torch.zeros(2, 1), corners(2), torch.zeros(2).long(), corners(2)),
        (torch.zeros(2, 1), corners(2)[:, None], torch.zeros(3).long(), corners(3)),
        (torch.zeros(2, 1), corners(2)[:, None], torch.zeros(2).long(), corners(3)),
        (torch.zeros(0, 1), torch.zeros(0, 1, 4), torch.zeros(0).long(), torch.zeros(0, 4)),
    ],
)
def test_guesses_that_do_not_belong_to_the_truth_are_refused(classes, boxes, labels, truth):
    with pytest.raises(ValueError, match="guess"):
        judge(Guesses(classes, boxes), labels, truth)
