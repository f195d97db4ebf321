import pytest
import torch

from vgg_course import augmentation


def images(count=16, size=9):
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_flip_mirrors_the_chosen_images_and_no_others():
    x = images(4)
    y = augmentation.flip(x, torch.tensor([True, False, True, False]))
    assert torch.equal(y[[1, 3]], x[[1, 3]])
    assert torch.equal(y[[0, 2]], x[[0, 2]].flip(3))


def test_flipping_twice_changes_nothing():
    x, which = images(), torch.rand(16) < 0.5
    assert torch.equal(augmentation.flip(augmentation.flip(x, which), which), x)


def test_a_shift_is_reflection_padding_and_a_crop():
    x = images(5)
    down, right = torch.tensor([0, 2, -3, 1, -1]), torch.tensor([0, -1, 3, 2, -3])
    padded = torch.nn.functional.pad(x.float(), (3, 3, 3, 3), mode="reflect").byte()
    for i, shifted in enumerate(augmentation.shift(x, down, right)):
        top, left = 3 - down[i], 3 - right[i]
        assert torch.equal(shifted, padded[i, :, top : top + 9, left : left + 9])


def test_a_positive_shift_moves_the_picture_down_and_right():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 1, 1] = 1
    y = augmentation.shift(x, torch.tensor([2]), torch.tensor([1]))
    assert y[0, 0, 3, 2] == 1


def test_each_image_gets_its_own_shift():
    x = images(1).expand(200, -1, -1, -1)
    y = augmentation.random_shift(x, 1, torch.Generator().manual_seed(0))
    assert len({tuple(image.flatten().tolist()) for image in y}) == 3 * 3  # every place within one pixel occurs


def test_random_flip_mirrors_about_half():
    x = images(1).expand(1000, -1, -1, -1)
    mirrored = (augmentation.random_flip(x, torch.Generator().manual_seed(0)) != x).flatten(1).any(1).sum()
    assert 430 < mirrored < 570  # 500 with a standard deviation of 16


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.bfloat16])
def test_the_same_generator_state_gives_the_same_images_of_the_same_dtype(dtype):
    x = images().to(dtype)
    first, second = (augmentation.random_shift(x, 2, torch.Generator().manual_seed(7)) for _ in range(2))
    assert first.dtype == dtype
    assert torch.equal(first, second)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    augmentation.random_flip(augmentation.random_shift(images(), 2, torch.Generator()), torch.Generator())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_shift_beyond_the_image_is_refused():
    with pytest.raises(ValueError, match="shift of 9 pixels is too far for images of 9x9"):
        augmentation.shift(images(1), torch.tensor([0]), torch.tensor([-9]))
