"""Every protocol against a twin that is written in loops, one image, one crop and one cell at a time, in float64."""

import math
from dataclasses import FrozenInstanceError, replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from vgg_course import evaluation, paper
from vgg_course.accounting import ledger
from vgg_course.augmentation import rescale
from vgg_course.configuration import CONFIGURATIONS, Configuration, ConfigurationError
from vgg_course.evaluation import Both, Dense, MultiCrop, examine, fuse, hits, macs, places, posteriors
from vgg_course.model import VGG, vgg
from vgg_course.recipes import small_vgg

SCALES = (256, 384, 512)  # the paper's
CROPS = MultiCrop(SCALES)


def ready(x):
    """For images that need no normalization."""
    return x


def shaded(x):
    """A normalization that is not the same for all channels, nor for mirrored pixels."""
    return 2 * x - torch.tensor([0.3, -0.1, 0.2], dtype=x.dtype)[:, None, None]


@torch.no_grad()
def alive(model, seed=0):
    """In float64 and training mode, with every tensor drawn: fresh biases and batch norms hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.double().state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=generator)
        elif name.endswith(("bias", "running_mean")):
            tensor.normal_(generator=generator)
        elif tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5, generator=generator)
    return model.train()


def of_blocks(seed=0, classes=4):
    """Input 32, a 4x4 grid, hidden layers with dropout: the stride is 8."""
    words = f"conv3-6 maxpool conv3-8 maxpool conv3-8 maxpool FC-10 FC-9 FC-{classes}"
    configuration = Configuration.parse(words, input_size=32, batch_norm=True)
    return alive(VGG(configuration, initialization="he", generator=torch.Generator().manual_seed(seed)), seed)


def of_one_linear(seed=0):
    """The course's small net: input 32, a 1x1 grid, one linear layer; the stride is 32."""
    return alive(small_vgg(classes=4, seed=seed, width=1 / 16, initialization="he"), seed)


nets = pytest.mark.parametrize("make", [of_blocks, of_one_linear])
LABELS = torch.tensor([0, 3, 1])


def pictures(height=32, width=32, count=3, seed=5):
    return torch.rand(count, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# --- the slow twins ---


def slow_dense(model, image, sides, flip, normalize=ready):
    """One image ``(3, H, W)``: every cell of the score map from its own window of the last grid."""
    size, answers = model.configuration.input_size, []
    model.eval()
    with torch.no_grad():
        window = model.features(torch.zeros(1, 3, size, size, dtype=torch.float64)).shape[2]
        for side in sides:
            of_side = []
            for mirrored in (False, True)[: 1 + flip]:
                x = normalize(rescale(image[None], side))
                grid = model.features(x.flip(3) if mirrored else x)
                cells = [
                    model.classifier(grid[:, :, i : i + window, j : j + window].flatten(1))[0]
                    for i in range(grid.shape[2] - window + 1)
                    for j in range(grid.shape[3] - window + 1)
                ]
                logits = sum(cells) / len(cells)
                powers = [math.exp(z) for z in logits.tolist()]
                of_side.append([power / sum(powers) for power in powers])
            answers.append(torch.tensor(of_side, dtype=torch.float64).mean(0))
    return sum(answers) / len(answers)


def slow_crops(model, image, sides, grid, flip, normalize=ready):
    """One image: every crop by itself, mirrored after it was cut."""
    size, answers = model.configuration.input_size, []
    model.eval()
    with torch.no_grad():
        for side in sides:
            x = normalize(rescale(image[None], side))
            starts = []
            for length in x.shape[2:]:
                ideal = [i * (length - size) / (grid - 1) for i in range(grid)] if grid > 1 else [(length - size) // 2]
                starts.append(sorted({math.floor(start + 0.5) for start in ideal}))
            of_side = []
            for top in starts[0]:
                for left in starts[1]:
                    crop = x[:, :, top : top + size, left : left + size]
                    for view in (crop, torch.flip(crop, (3,)))[: 1 + flip]:
                        of_side.append(model(view).softmax(1)[0])
            answers.append(sum(of_side) / len(of_side))
    return sum(answers) / len(answers)


def near(one, other):
    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


SHAPES = [(32, 32), (40, 40), (33, 61), (70, 45)]


@nets
@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize(("sides", "flip"), [((32,), False), ((48,), True), ((32, 40, 64), True)])
def test_dense_is_what_the_loops_compute(make, height, width, sides, flip):
    model, images = make(), pictures(height, width)
    found = posteriors(model, images, Dense(sides, flip), normalize=shaded)
    assert found.dtype == torch.float64
    near(found, torch.stack([slow_dense(model, image, sides, flip, shaded) for image in images]))


@nets
@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize(
    ("sides", "grid", "flip"), [((32,), 5, True), ((40,), 1, False), ((45,), 3, True), ((33, 38, 64), 2, True)]
)
def test_crops_are_what_the_loops_compute(make, height, width, sides, grid, flip):
    model, images = make(), pictures(height, width)
    found = posteriors(model, images, MultiCrop(sides, grid, flip), normalize=shaded)
    near(found, torch.stack([slow_crops(model, image, sides, grid, flip, shaded) for image in images]))


@nets
def test_both_is_the_mean_of_the_two_answers(make):
    model, images = make(), pictures(40, 52)
    protocol = Both(Dense((32, 40)), MultiCrop((40, 48), 2))
    found = posteriors(model, images, protocol, normalize=ready)
    for image, row in zip(images, found, strict=True):
        two = slow_dense(model, image, (32, 40), True), slow_crops(model, image, (40, 48), 2, True)
        near(row, (two[0] + two[1]) / 2)
    near(examine(model, images, LABELS, protocol, normalize=ready).probabilities, found)


# --- equal to the ordinary net where it must be ---


@nets
def test_at_the_training_size_dense_is_the_ordinary_forward_pass(make):
    model, images = make(), pictures()
    found = posteriors(model, images, Dense(32, flip=False), normalize=ready)
    with torch.no_grad():
        near(found, model.eval()(images).softmax(1))
    near(posteriors(model, images, MultiCrop(32, flip=False), normalize=ready), found)


def test_it_is_so_at_the_papers_size():
    model = alive(vgg("A", width=1 / 16, classes=7, initialization="he"))
    images = pictures(224, 224, count=1)
    with torch.no_grad():
        expected = model.eval()(images).softmax(1)
    near(posteriors(model, images, Dense(224, flip=False), normalize=ready), expected)


@pytest.mark.parametrize(("side", "cells"), [(32, 1), (40, 1), (48, 1), (64, 4)])
def test_the_small_net_has_a_score_for_every_32_pixels(side, cells):
    """What its map averages is counted by what the classifier's layer costs."""
    model = small_vgg(width=1 / 16)
    once = ledger(model.configuration)["fc6"].macs
    body = ledger(model.configuration.variant(input_size=side)).convolutional.macs
    assert macs(model.configuration, Dense(side, flip=False), 32, 32) == body + cells * once


@nets
@pytest.mark.parametrize("protocol", [Dense((32, 48)), MultiCrop(40, 3), Both(Dense(40), MultiCrop(36))])
def test_a_mirrored_image_gets_the_same_answer_when_flips_are_averaged(make, protocol):
    """Crops come in mirror pairs only where their places do: at 40 and 36 pixels they do."""
    model, images = make(), pictures(32, 32)
    one, other = (posteriors(model, x, protocol, normalize=ready) for x in (images, images.flip(3)))
    near(one, other)
    lone = Dense(32, flip=False)
    one, other = (posteriors(model, x, lone, normalize=ready) for x in (images, images.flip(3)))
    assert (one - other).abs().max() > 1e-4


@pytest.mark.parametrize("protocol", [Dense((32, 48)), MultiCrop((40, 48), 3)])
def test_answers_are_the_same_every_time_and_whatever_the_memory(protocol):
    model, images = of_blocks(), pictures(36, 50, count=7)
    first = posteriors(model, images, protocol, normalize=ready)
    assert torch.equal(first, posteriors(model, images, protocol, normalize=ready))
    for pixels in (1, 5000, 12_000):
        near(posteriors(model, images, protocol, normalize=ready, pixels=pixels), first)


def test_no_more_pixels_than_allowed_go_through_the_net_at_once():
    model, images, seen = of_blocks(), pictures(36, 50, count=7), []
    hook = model.features.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, 0].numel()))
    for protocol in (Dense((32, 48)), MultiCrop((40, 48), 3)):
        posteriors(model, images, protocol, normalize=ready, pixels=7000)
    hook.remove()
    assert 3000 < max(seen) <= 7000


def test_images_of_different_sizes_are_tested_together():
    model = of_blocks()
    images = [pictures(*shape, count=1)[0] for shape in ((32, 32), (50, 40), (32, 32), (40, 50))]
    for protocol in (Dense((32, 40)), MultiCrop(40, 2)):
        together = examine(model, images, [0, 1, 2, 3], protocol, normalize=ready)
        alone = [examine(model, x[None], [0], protocol, normalize=ready) for x in images]
        near(together.probabilities, torch.cat([one.probabilities for one in alone]))
        assert together.macs == sum(one.macs for one in alone)


def test_bytes_are_rescaled_then_normalized():
    model = of_blocks().float()
    images = (255 * pictures(40, 40)).byte()

    def normalize(x):
        assert x.dtype == torch.uint8
        assert x.shape[2:] == (48, 48)
        return x.float() / 255

    found = posteriors(model, images, Dense(48, flip=False), normalize=normalize)
    assert found.dtype == torch.float32
    expected = posteriors(model, rescale(images, 48) / 255, Dense(48, flip=False), normalize=ready)
    torch.testing.assert_close(found, expected)


def test_the_score_map_is_averaged_before_the_softmax_and_mirror_images_behind_it():
    model, images = of_blocks(), pictures(64, 64) * torch.linspace(-5, 5, 64, dtype=torch.float64)  # no mirror images
    model.eval()
    with torch.no_grad():
        maps = [model.to_convolutional()(x) for x in (images, images.flip(3))]
    right = sum(m.mean((2, 3)).softmax(1) for m in maps) / 2
    cells_first = sum(m.softmax(1).mean((2, 3)) for m in maps) / 2
    logits_only = (sum(m.mean((2, 3)) for m in maps) / 2).softmax(1)
    found = posteriors(model, images, Dense(64), normalize=ready)
    near(found, right)
    assert min((right - cells_first).abs().max(), (right - logits_only).abs().max()) > 1e-4


def test_every_scale_counts_alike_even_with_fewer_crops():
    model, images = of_blocks(), pictures(32, 32)
    near(
        posteriors(model, images, MultiCrop((32, 40), 3), normalize=ready),
        (
            posteriors(model, images, MultiCrop(32, 1), normalize=ready)
            + posteriors(model, images, MultiCrop(40, 3), normalize=ready)
        )
        / 2,
    )


@pytest.mark.parametrize("train", [True, False])
def test_the_net_is_in_eval_mode_meanwhile_and_back_in_its_own_behind(train):
    model = of_blocks()
    model.train(train)
    model.features[1].eval()  # a frozen batch norm
    before = {name: module.training for name, module in model.named_modules()}
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    examine(model, pictures(), LABELS, Both(Dense(32), MultiCrop(32)), normalize=ready)
    with pytest.raises(ZeroDivisionError):
        examine(model, pictures(), LABELS, Dense(32), normalize=lambda x: 1 / 0)
    assert {name: module.training for name, module in model.named_modules()} == before
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(parameter.grad is not None for parameter in model.parameters())


# --- crops ---


@pytest.mark.parametrize("grid", range(1, 8))
@pytest.mark.parametrize("length", [224, 225, 227, 256, 300, 512])
def test_crops_are_spread_evenly_from_edge_to_edge(length, grid):
    starts = places(length, 224, grid)
    assert starts == sorted(set(starts))
    assert min(starts) >= 0
    assert max(starts) <= length - 224
    assert len(starts) == min(grid, length - 224 + 1)
    if 1 < grid <= length - 224:
        assert (starts[0], starts[-1]) == (0, length - 224)
        steps = {b - a for a, b in pairwise(starts)}
        assert max(steps) - min(steps) <= 1


def test_one_crop_is_the_middle():
    assert places(256, 224, 1) == [16]
    assert places(225, 224, 1) == [0]


def test_the_papers_crops_are_150():
    assert CROPS.views == paper.TESTING["crops"] == 150
    assert (CROPS.grid, len(CROPS.sides), 1 + CROPS.flip) == tuple(
        paper.TESTING[n] for n in ("grid", "scales", "flips")
    )
    assert macs("D", CROPS, 300, 400) == 150 * ledger("D").macs


# --- fusion ---


def test_fusion_averages_softmax_outputs_of_any_nets_and_protocols():
    images = pictures(40, 44)
    outcomes = [
        examine(of_blocks(1), images, LABELS, Dense((32, 40)), normalize=ready),
        examine(of_one_linear(2), images, LABELS, MultiCrop(40, 2), normalize=shaded),
        examine(of_blocks(3), images, LABELS, Dense(64, flip=False), normalize=ready),
    ]
    fused = fuse(*outcomes)
    for i in range(3):
        for c in range(4):
            by_hand = sum(one.probabilities[i, c].item() for one in outcomes) / 3
            assert fused.probabilities[i, c].item() == pytest.approx(by_hand, rel=1e-12)
    assert fused.macs == sum(one.macs for one in outcomes)
    assert fused.seconds == sum(one.seconds for one in outcomes)
    assert fused.views == 4 + 8 + 1
    assert fused.parts == tuple(outcomes)
    assert len(repr(fused).splitlines()) == 9


def test_fusing_a_fusion_counts_it_as_one():
    images = pictures()
    a, b, c = (examine(of_blocks(seed), images, LABELS, Dense(32), normalize=ready) for seed in range(3))
    near(fuse(fuse(a, b), c).probabilities, (a.probabilities + b.probabilities) / 4 + c.probabilities / 2)


def test_only_answers_to_the_same_question_are_fused():
    images = pictures()
    one = examine(of_blocks(), images, LABELS, Dense(32), normalize=ready)
    with pytest.raises(ValueError, match=r"4 classes and .* 5"):
        fuse(one, examine(of_blocks(classes=5), images, LABELS, Dense(32), normalize=ready))
    with pytest.raises(ValueError, match="other images or labels"):
        fuse(one, examine(of_blocks(), images.flip(0), LABELS, Dense(32), normalize=ready))
    with pytest.raises(ValueError, match="other images or labels"):
        fuse(one, examine(of_blocks(), images, LABELS.flip(0), Dense(32), normalize=ready))
    for wrong in ((), (one,), (one, "two"), ([one, one],)):
        with pytest.raises(ValueError, match="at least two outcomes"):
            fuse(*wrong)


# --- top-k ---


def slow_error(probabilities, labels, k):
    """By sorting; no ties."""
    wrong = 0
    for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
        best = sorted(range(len(row)), key=lambda c: -row[c])[:k]
        wrong += label not in best
    return wrong / len(labels)


def test_top_k_errors_are_those_of_sorting():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(200, 10, generator=generator)
    labels = torch.randint(10, (200,), generator=generator)
    for k in range(1, 11):
        assert 1 - hits(probabilities, labels, k).mean().item() == pytest.approx(slow_error(probabilities, labels, k))
    assert hits(probabilities, labels, 10).all()


def test_ties_are_broken_by_lot_in_the_mean():
    """Three classes tied for first: each has a third of first place, two thirds of the first two places."""
    tied = torch.tensor([[0.3, 0.3, 0.3, 0.1]])
    chances = [[hits(tied, torch.tensor([label]), k).item() for k in (1, 2, 3, 4)] for label in range(4)]
    assert chances[0] == chances[1] == chances[2] == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert chances[3] == [0, 0, 0, 1]
    for k in range(1, 5):
        assert sum(row[k - 1] for row in chances) == pytest.approx(k)  # of four labels, k are among the first k


def test_a_net_that_says_the_same_of_all_scores_what_guessing_scores():
    model = of_blocks()
    with torch.no_grad():
        model.classifier[-1].weight.zero_()
        model.classifier[-1].bias.zero_()
    outcome = examine(model, pictures(), LABELS, Dense(32), normalize=ready)
    assert outcome.error() == pytest.approx(3 / 4)
    assert outcome.error(2) == pytest.approx(1 / 2)


@pytest.mark.parametrize("k", [0, -1, 5, True, 1.0, None])
def test_k_is_from_one_to_the_number_of_classes(k):
    with pytest.raises(ValueError, match="with 4 classes it must be a whole number from 1 to 4"):
        hits(torch.rand(3, 4), LABELS, k)


# --- cost ---


def counted_macs(run, model):
    """By hooks: for every convolution and linear layer that runs, its weights times the places of its output."""
    total = 0

    def convolution(module, _, output):
        nonlocal total
        total += module.weight.numel() * output.shape[0] * output.shape[2] * output.shape[3]

    def linear(module, _, output):
        nonlocal total
        total += module.weight.numel() * output.shape[0]

    slid = []
    kinds = {nn.Conv2d: convolution, nn.Linear: linear}
    hooks = [m.register_forward_hook(kinds[type(m)]) for m in model.modules() if type(m) in kinds]
    plain = model.to_convolutional

    def hooked():
        dense = plain()
        for m in dense.classifier:
            if hasattr(m, "side"):

                def sliding(module, _, output):
                    nonlocal total
                    total += module.linear.weight.numel() * output.shape[0] * output.shape[2] * output.shape[3]

                slid.append(m.register_forward_hook(sliding))
        return dense

    model.to_convolutional = hooked
    try:
        run()
    finally:
        del model.to_convolutional
        for hook in hooks + slid:
            hook.remove()
    return total


@nets
@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize(
    "protocol", [Dense(32, flip=False), Dense((32, 47, 64)), MultiCrop((33, 40), 3), Both(Dense(50), MultiCrop(40, 2))]
)
def test_macs_are_those_that_hooks_count(make, height, width, protocol):
    model, images = make(), pictures(height, width, count=2)
    outcomes = []
    run = lambda: outcomes.append(examine(model, images, [0, 1], protocol, normalize=ready))  # noqa: E731
    assert counted_macs(run, model) == outcomes[0].macs == 2 * macs(model.configuration, protocol, height, width)
    assert outcomes[0].macs_an_image == outcomes[0].macs / 2


def test_the_papers_costs():
    """Published by nobody, counted by hand: GMAC of configuration D on square images."""
    giga = [round(macs("D", Dense(side, flip=False), 500, 500) / 1e9, 1) for side in SCALES]
    assert giga == [20.5, 49.6, 92.5]
    dense, crops = (macs("D", protocol, 500, 500) for protocol in (Dense(SCALES), CROPS))
    assert (round(dense / 1e9), round(crops / 1e9)) == (325, 2321)
    assert round(crops / dense, 1) == 7.1
    assert macs("D", Both(Dense(SCALES), CROPS), 500, 500) == dense + crops


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_one_pass_at_the_training_size_costs_what_the_ledger_says(name):
    assert macs(name, Dense(224, flip=False), 224, 224) == macs(name, MultiCrop(224, 1, False), 224, 224)
    assert macs(name, Dense(224, flip=False), 224, 224) == ledger(name).macs


def test_without_any_convolution_the_window_still_slides():
    net = Configuration.parse("FC-4 FC-2", input_size=3)
    assert macs(net, Dense(3, flip=False), 3, 5) == 3 * (27 * 4 + 4 * 2)


# --- the record ---


def test_the_record_says_what_was_done_and_cannot_be_changed():
    model, images = of_blocks(), pictures(32, 40)
    outcome = examine(model, images, LABELS, Dense((32, 40)), normalize=shaded)
    assert outcome.done == "custom: dense at 32, 40, flipped too"
    assert len(outcome) == 3
    assert outcome.views == 4
    assert outcome.seconds > 0
    assert f"{100 * outcome.error():.2f}" in repr(outcome)
    assert "<table" in outcome._repr_html_()
    with pytest.raises(FrozenInstanceError):
        outcome.views = 5
    assert outcome.error(4) == 0
    assert outcome.accuracy(2) == 1 - outcome.error(2)
    torch.testing.assert_close(outcome.probabilities.sum(1), torch.ones(3, dtype=torch.float64))
    x = [shaded(rescale(images, side)) for side in (32, 40)]
    reached = torch.cat([part.flatten() for part in x])
    assert outcome.input_mean == pytest.approx(reached.mean().item())
    assert outcome.input_deviation == pytest.approx(reached.std(correction=0).item())


def test_with_more_than_five_classes_it_shows_the_top_5_error():
    outcome = examine(of_blocks(classes=9), pictures(), LABELS, Dense(32), normalize=ready)
    assert "top-5 error, %" in repr(outcome)
    assert "top-5" not in repr(examine(of_blocks(classes=5), pictures(), LABELS, Dense(32), normalize=ready))


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (Dense((256, 384)), "dense at 256, 384, flipped too"),
        (Dense(256, flip=False), "dense at 256"),
        (CROPS, "5x5 crops at 256, 384, 512, flipped too"),
        (MultiCrop(256, 1, False), "the middle crop at 256"),
        (Both(Dense(256), MultiCrop(384, 3, False)), "dense at 256, flipped too + 3x3 crops at 384"),
    ],
)
def test_a_protocol_says_itself_in_words(protocol, words):
    assert str(protocol) == words


def test_equal_protocols_are_equal_and_can_be_keys():
    assert len({Dense(256), Dense([256]), Dense((256,)), Dense(256, False)}) == 2
    assert replace(CROPS, grid=3).views == 54


# --- what does not fit ---


def run(**changes):
    arguments = {
        "model": of_blocks(),
        "images": pictures(),
        "labels": LABELS,
        "protocol": Dense(32),
        "normalize": ready,
    }
    return examine(**arguments | changes)


def broken(value):
    model = of_blocks()
    with torch.no_grad():
        model.classifier[-1].bias[1] = value
    return model


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol": Dense(31)}, "sides has 31; net custom was built for 32 pixels.*Use sides of at least that"),
        ({"protocol": Both(Dense(32), MultiCrop((40, 20)))}, "sides has 20"),
        ({"protocol": "dense"}, r"the protocol is 'dense'; there are Dense\(sides\)"),
        ({"protocol": Dense}, "the protocol is"),
        ({"images": pictures()[:, :1]}, r"image 0 is \(1, 32, 32\); .*takes \(3, H, W\).*repeat it"),
        ({"images": [pictures()[0], pictures()[0, 0]]}, r"image 1 is \(32, 32\)"),
        ({"images": [pictures()[0], "two"]}, "image 1 is str"),
        ({"images": pictures()[:0], "labels": LABELS[:0]}, "there are no images; give at least one"),
        ({"images": []}, "there are no images"),
        ({"images": pictures(32, 0)}, "at least one pixel"),
        ({"images": pictures()[0]}, r"a batch is \(N, C, H, W\)"),
        ({"images": pictures().long()}, "image 0 is of torch.int64"),
        ({"labels": LABELS[:2]}, r"labels are \(2,\) of torch.int64 for 3 images"),
        ({"labels": LABELS.double()}, "of torch.float64 for 3 images"),
        ({"labels": LABELS[:, None]}, r"labels are \(3, 1\)"),
        ({"labels": LABELS + 1}, "labels run from 1 to 4; with 4 classes they must be 0 to 3"),
        ({"labels": LABELS - 1}, "labels run from -1 to 2"),
        ({"model": of_blocks().to_convolutional()}, "the model is a ConvolutionalVGG; give a VGG"),
        ({"model": nn.Linear(2, 2)}, "the model is a Linear"),
        ({"model": broken(math.nan)}, "logits of image 0 of a batch are .*not finite"),
        ({"model": broken(math.inf), "protocol": MultiCrop(40, 2)}, "not finite"),
        ({"normalize": lambda x: x.byte()}, "normalize made .* of torch.uint8 .*must return floating-point"),
        ({"normalize": lambda x: x[:, :, ::2]}, "of the same shape"),
        ({"normalize": lambda x: None}, "normalize made NoneType"),
        ({"normalize": lambda x: x / 0}, "not finite. Is a deviation zero"),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_the_remedy(changes, words):
    with pytest.raises(ValueError, match=words):
        run(**changes)


def test_how_images_are_normalized_must_be_said():
    with pytest.raises(TypeError, match="normalize"):
        examine(of_blocks(), pictures(), LABELS, Dense(32))


@pytest.mark.parametrize("sides", [(), 0, -1, (256, 0), (256, 256), 256.0, "256", None, (True,), (None,)])
@pytest.mark.parametrize("kind", [Dense, MultiCrop])
def test_sides_are_whole_numbers_each_once(kind, sides):
    with pytest.raises(ValueError, match="sides is"):
        kind(sides)


@pytest.mark.parametrize("grid", [0, -1, 2.5, True, None, "5"])
def test_a_grid_has_at_least_one_crop(grid):
    with pytest.raises(ValueError, match=r"grid is .* at least 1"):
        MultiCrop(256, grid)


def test_other_fields_are_checked_too():
    for kind in (Dense, MultiCrop):
        with pytest.raises(ValueError, match="flip is 1"):
            kind(256, flip=1)
    with pytest.raises(ValueError, match="give a Dense and a MultiCrop"):
        Both(MultiCrop(256), Dense(256))
    with pytest.raises(ConfigurationError):
        macs("F", Dense(256), 256, 256)
    with pytest.raises(ValueError, match="0x256 pixels"):
        macs("D", Dense(256), 0, 256)
    with pytest.raises(ValueError, match="probabilities are"):
        hits(torch.tensor([[0.5, math.nan]]), torch.tensor([0]))


def test_long_tests_tell_how_far_they_are(monkeypatch):
    told = []
    monkeypatch.setattr(
        evaluation.Progress, "show", lambda self, done, note, milestone=False: told.append((done, self.total))
    )
    run(protocol=Dense((32, 40)), images=pictures(count=3))
    assert told[-1] == (6, 6)
