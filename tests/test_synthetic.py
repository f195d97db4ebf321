import pytest
import torch

from vgg_course import synthetic


@pytest.fixture(scope="module")
def pictures():
    return synthetic.draw(60, seed=0)


def test_pictures_are_drawn_in_equal_numbers_with_the_right_types(pictures):
    assert pictures.images.shape == (180, 3, 32, 32)
    assert (pictures.images.dtype, pictures.labels.dtype) == (torch.uint8, torch.int64)
    assert pictures.labels.bincount().tolist() == [60, 60, 60]


def test_the_same_seed_draws_the_same_pictures_and_another_draws_others(pictures):
    again, other = synthetic.draw(60, seed=0), synthetic.draw(60, seed=1)
    assert torch.equal(again.images, pictures.images)
    assert not torch.equal(other.images, pictures.images)


def test_no_picture_is_drawn_twice():
    images = synthetic.draw(200, seed=0).images.flatten(1)
    assert len(images.unique(dim=0)) == 600


def test_a_box_is_the_smallest_around_its_mask(pictures):
    for mask, (x0, y0, x1, y1) in zip(pictures.masks, pictures.boxes.tolist(), strict=True):
        assert mask[y0:y1, x0:x1].sum() == mask.sum()
        if mask.any():
            assert mask[y0].any()
            assert mask[y1 - 1].any()
            assert mask[:, x0].any()
            assert mask[:, x1 - 1].any()


def test_nearly_every_object_can_be_seen(pictures):
    visible = pictures.masks.flatten(1).float().mean(1)  # share of the pixels
    assert (visible > 0.02).float().mean() > 0.97
    assert visible.max() < 0.6


@pytest.mark.parametrize("size", [8, 64])
def test_any_size_can_be_drawn(size):
    pictures = synthetic.draw(3, size=size)
    assert pictures.images.shape == (9, 3, size, size)
    assert pictures.masks.shape == (9, size, size)


def test_color_alone_does_not_give_the_class_away():
    train, test = synthetic.draw(400, seed=0), synthetic.draw(200, seed=1)
    centers = torch.stack([train.images[train.labels == c].float().mean((0, 2, 3)) for c in range(3)])
    guess = torch.cdist(test.images.float().mean((2, 3)), centers).argmin(1)
    assert (guess == test.labels).float().mean() < 0.5  # a third is chance


def test_drawing_leaves_torch_as_it_was():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    synthetic.draw(2)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("arguments", "words"), [((0,), "per_class is 0"), ((True,), "per_class is True"), ((1, 0, 7), "size is 7")]
)
def test_impossible_orders_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        synthetic.draw(*arguments)
