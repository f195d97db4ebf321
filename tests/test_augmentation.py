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


# --- rescale ---


@pytest.mark.parametrize(("height", "width"), [(375, 500), (500, 375), (64, 64), (31, 97), (40, 41)])
@pytest.mark.parametrize("side", [16, 48, 224])
def test_rescale_is_torchvisions_resize_of_the_shorter_side(height, width, side):
    from torchvision.transforms.v2 import functional

    x = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    theirs = functional.resize(x, [side], antialias=True)
    assert torch.equal(augmentation.rescale(x, side), theirs)
    levels = (255 * x).round().to(torch.uint8)
    off = augmentation.rescale(levels, side).int() - functional.resize(levels, [side], antialias=True).int()
    assert off.abs().max() <= 1  # torchvision computes on bytes in fixed point


def test_rescale_keeps_a_circle_round():
    y, x = torch.meshgrid(torch.arange(300), torch.arange(500), indexing="ij")
    disc = (((y - 150) ** 2 + (x - 220) ** 2) < 90**2).float()[None, None]
    small = augmentation.rescale(disc, 100)[0, 0] > 0.5
    assert small.shape == (100, 166)
    assert abs(int(small.any(0).sum()) - int(small.any(1).sum())) <= 1


def test_rescale_averages_what_a_pixel_covers():
    stripes = torch.zeros(1, 1, 64, 64)
    stripes[:, :, ::2] = 1
    inner = augmentation.rescale(stripes, 16)[0, 0, 2:-2]
    assert torch.allclose(inner, torch.full_like(inner, 0.5), atol=0.02)  # every fourth row alone would be all 1


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_rescale_keeps_dtype_and_range_and_leaves_the_right_size_alone(dtype):
    x = images(3, 20).to(dtype)
    y = augmentation.rescale(x, 33)
    assert y.dtype == dtype
    assert x.min() <= y.min()
    assert y.max() <= x.max()
    assert torch.equal(augmentation.rescale(x, 20), x)


@pytest.mark.parametrize(("side", "what"), [(0, "side is 0"), (7.5, "side is 7.5"), (True, "side is True")])
def test_a_side_that_is_none_is_refused(side, what):
    with pytest.raises(ValueError, match=what):
        augmentation.rescale(images(), side)


@pytest.mark.parametrize("function", [lambda x: augmentation.rescale(x, 4), augmentation.color_axes])
def test_one_image_without_a_batch_is_told_how_to_become_one(function):
    with pytest.raises(ValueError, match=r"image\[None\]"):
        function(images()[0])


# --- crop ---


def test_a_crop_is_the_slice_that_begins_there():
    x = images(4, 12)[:, :, :9]  # 9 rows, 12 columns
    top, left = torch.tensor([0, 4, 2, 4]), torch.tensor([0, 7, 5, 0])
    for i, cut in enumerate(augmentation.crop(x, top, left, 5)):
        assert torch.equal(cut, x[i, :, top[i] : top[i] + 5, left[i] : left[i] + 5])


def test_random_crops_reach_every_place_and_differ_between_images():
    x = torch.arange(6 * 7).view(1, 1, 6, 7).expand(2000, -1, -1, -1)
    cuts = augmentation.random_crop(x, 4, torch.Generator().manual_seed(0))
    places = cuts[:, 0, 0, 0].bincount(minlength=42).view(6, 7)
    assert (places[:3, :4] > 120).all()  # of 2000 / 12 = 167, deviation 12
    assert places.sum() == places[:3, :4].sum()


def test_crops_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a crop of 10x10 does not fit into images of 9x9"):
        augmentation.random_crop(images(), 10, torch.Generator())
    with pytest.raises(ValueError, match="left runs from 5 to 5; a crop of 5 pixels out of 9 can begin at 0 to 4"):
        augmentation.crop(images(1), torch.tensor([4]), torch.tensor([5]), 5)
    with pytest.raises(ValueError, match=r"top has shape \(\)"):
        augmentation.crop(images(2), torch.tensor(0), torch.tensor(0), 5)


# --- scale jitter ---


def ramp(height, width):
    """Rises from left to right by 1 over the whole width: its slope tells how large an image has become."""
    return ((torch.arange(width) + 0.5) / width).expand(1, height, width)


def test_scale_jitter_draws_each_image_its_own_scale_and_its_own_place():
    x = ramp(40, 60).expand(400, -1, -1, -1)
    y = augmentation.scale_jitter(x, 32, 48, 24, torch.Generator().manual_seed(0))
    assert y.shape == (400, 1, 24, 24)
    widths = (1 / y[:, 0, :, 5:-5].diff(dim=2).mean((1, 2))).round()  # of the whole image
    assert {int(width) for width in widths} == {side * 60 // 40 for side in range(32, 49)}
    assert y[:, 0, 0, 0].unique().numel() > 200


def test_scale_jitter_takes_images_of_different_sizes():
    y = augmentation.scale_jitter([ramp(40, 60), ramp(90, 33)], 24, 24, 24, torch.Generator().manual_seed(0))
    assert y.shape == (2, 1, 24, 24)


@pytest.mark.parametrize(("smallest", "largest", "size"), [(20, 30, 24), (40, 30, 24), (20.5, 30, 4)])
def test_scales_out_of_order_are_refused(smallest, largest, size):
    with pytest.raises(ValueError, match="must"):
        augmentation.scale_jitter(images(), smallest, largest, size, torch.Generator())


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="0 images"):
        augmentation.scale_jitter([], 30, 30, 24, torch.Generator())


# --- color ---


def test_the_axes_are_those_of_the_covariance_of_all_pixels():
    x = images(700, 9)
    x[:, 0] = (x[:, 1].float() * 0.8 + 20).byte()  # red follows green
    axes = augmentation.color_axes(x)
    colors = (x.double() / 255).transpose(0, 1).flatten(1)
    covariance = torch.cov(colors, correction=0).float()
    assert torch.allclose(axes.vectors @ axes.values.diag() @ axes.vectors.T, covariance, atol=1e-6)
    assert torch.allclose(axes.vectors.T @ axes.vectors, torch.eye(3), atol=1e-5)
    assert (axes.values.diff() <= 0).all()
    as_shares = augmentation.color_axes(x.float() / 255)
    assert all(torch.allclose(mine, other, atol=1e-5) for mine, other in zip(axes, as_shares, strict=True))


def test_gray_pictures_vary_along_gray_only():
    gray = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    axes = augmentation.color_axes(gray)
    assert torch.allclose(axes.vectors[:, 0], torch.full((3,), 3**-0.5), atol=1e-4)
    assert axes.values[1:].max() < 1e-6


def some_axes(seed=0):
    vectors = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed))).Q
    return augmentation.ColorAxes(torch.tensor([0.2, 0.02, 0.005]), vectors)


def test_every_pixel_of_an_image_gets_the_same_color_and_every_image_its_own():
    x, axes = images(2).float() / 255, some_axes()
    alpha = torch.tensor([[0.1, -0.2, 0.3], [0.0, 0.1, 0.0]])
    added = augmentation.pca_color(x, axes, alpha) - x
    for i in range(2):
        color = sum(alpha[i, k] * axes.values[k] * axes.vectors[:, k] for k in range(3))
        assert torch.allclose(added[i], color[:, None, None].expand(3, 9, 9), atol=1e-6)


def test_the_color_of_bytes_is_rounded_and_kept_in_range():
    x = torch.tensor([0, 100, 255], dtype=torch.uint8).view(1, 1, 1, 3).expand(-1, 3, -1, -1)
    axes = augmentation.ColorAxes(torch.ones(3), torch.eye(3))
    y = augmentation.pca_color(x, axes, torch.full((1, 3), 10.4 / 255))
    assert y.dtype == torch.uint8
    assert y[0, 0, 0].tolist() == [10, 110, 255]


def test_the_shifts_have_the_deviations_of_the_rule():
    x, axes = torch.zeros(4000, 3, 1, 1), some_axes()
    shifts = augmentation.random_pca_color(x, axes, torch.Generator().manual_seed(0))[:, :, 0, 0]
    along = shifts @ axes.vectors
    assert torch.allclose(along.std(0), 0.1 * axes.values, rtol=0.05)


def test_colors_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="1 channels"):
        augmentation.color_axes(torch.rand(2, 1, 4, 4))
    with pytest.raises(ValueError, match=r"int64; colors take"):
        augmentation.pca_color(images(2).long(), some_axes(), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"alpha has shape \(3,\)"):
        augmentation.pca_color(images(2), some_axes(), torch.zeros(3))
    with pytest.raises(ValueError, match="fewer than two pixels"):
        augmentation.color_axes(torch.rand(1, 3, 1, 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda x, g: augmentation.random_crop(x, 5, g),
        lambda x, g: augmentation.scale_jitter(x, 6, 12, 5, g),
        lambda x, g: augmentation.random_pca_color(x, some_axes(), g),
    ],
)
def test_the_same_generator_gives_the_same_changes_and_no_other_is_touched(change):
    before = torch.get_rng_state()
    first, second = (change(images(), torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
