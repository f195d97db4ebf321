"""Backbones: the records against the authors' own numbers, holes against pools, and heads against torch and torchvision."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models.detection import ssd300_vgg16
from torchvision.ops import roi_pool

from vgg_course import backbone, trained
from vgg_course.accounting import ledger
from vgg_course.backbone import BACKBONES, PARTS, Segmenter, atrous, best_of_grid, mean_iou, span
from vgg_course.configuration import CONFIGURATIONS, ConfigurationError
from vgg_course.receptive_field import receptive_field
from vgg_course.recipes import small_vgg
from vgg_course.synthetic import scenes

# --- the records ---


def test_without_holes_the_notation_is_the_papers():
    words = CONFIGURATIONS["D"].notation()
    for wide in (True, False):
        assert backbone.dilated(words, wide=wide, name="D") == CONFIGURATIONS["D"]


def test_a_hole_is_seen_and_costs_nothing():
    wide, narrow = (backbone.dilated("conv3-8 conv3-4/d6", wide=w, input_size=40) for w in (True, False))
    assert receptive_field(wide)["conv1_2"].size == 3 + (13 - 1)
    assert ledger(narrow).parameters == 8 * (3 * 9 + 1) + 4 * (8 * 9 + 1)
    assert [layer.output_shape for layer in wide] == [layer.output_shape for layer in narrow]


@pytest.mark.parametrize("word", ["conv4-8/d2", "conv3-8/d0", "conv3-8/d", "maxpool/d2", "conv3-8/d2/p1"])
def test_a_word_that_means_nothing_is_refused(word):
    with pytest.raises(ConfigurationError):
        backbone.dilated(word, wide=True)


@pytest.mark.parametrize(("kernel", "dilation"), list(product((1, 2, 3, 7), (1, 2, 6))))
def test_the_span_is_what_torch_reads(kernel, dilation):
    length = span(kernel, dilation)
    line, weight = torch.ones(1, 1, length), torch.ones(1, 1, kernel)
    assert functional.conv1d(line, weight, dilation=dilation).shape[-1] == 1
    with pytest.raises(RuntimeError):
        functional.conv1d(line[..., 1:], weight, dilation=dilation)


def test_every_system_keeps_the_first_ten_convolutions_of_vgg_16():
    """Their channels and kernels; FCN pads the first more, and DeepLab's pools are larger."""
    wanted = [(r.weights, r.biases) for r in ledger("D") if r.kind == "convolution"][:10]
    for system in BACKBONES.values():
        found = [(r.weights, r.biases) for r in system.ledger() if r.kind == "convolution"]
        assert found[:10] == wanted
        assert found[10:13] == [(512 * 512 * 9, 512)] * 3


def test_the_jumps_are_the_published_strides():
    strides = {
        ("Faster R-CNN", "conv5_3"): 16,  # spatial_scale 0.0625
        ("SSD300", "conv4_3"): 8,  # steps = [8, 16, ...]
        ("SSD300", "conv6_2"): 16,
        ("DeepLab-LargeFOV", "conv7_2"): 8,  # zoom_factor 8
        ("FCN-8s", "conv6_2"): 32,
        ("FCN-8s", "pool4"): 16,
        ("FCN-8s", "pool3"): 8,
        ("U-Net with VGG-16", "conv1_2"): 1,
        ("U-Net with VGG-16", "pool5"): 32,
    }
    for (system, layer), stride in strides.items():
        assert BACKBONES[system].field(layer).jump == stride


def test_the_proposal_network_sees_what_its_paper_says():
    assert BACKBONES["Faster R-CNN"].field("conv5_4").size == 228  # "171 and 228 pixels for ZF and VGG"


def test_the_grids_of_ssd300_are_those_of_its_authors():
    """38x38 and 19x19: Caffe rounds the 37.5 behind pool3 up, a floor would give 37. At 304 pixels both agree."""
    system = BACKBONES["SSD300"]
    assert [system.field(layer, 304).grid for layer in system.reads] == [38, 19]
    assert system.field("conv4_3", 300).grid == 37


def test_the_offsets_that_fcn_crops_at_follow_from_the_fields():
    """voc-fcn8s/train.prototxt crops at 5, 9 and 31, voc-fcn16s at 5 and 27, voc-fcn32s at 19."""
    system = BACKBONES["FCN-8s"]
    center = {name: system.field(name, 500).center for name in system.reads}
    first, jump, offsets = center["conv6_2"], 32, []
    assert 63 / 2 - first == 19
    for stage in ("pool4", "pool3"):
        first, jump = first - 1.5 * jump / 2, jump // 2
        offsets.append((first - center[stage]) / jump)
        if stage == "pool4":
            assert 31 / 2 - first == 27
    offsets.append(15 / 2 - first)
    assert offsets == [5, 9, 31]


@pytest.fixture(scope="module")
def ssd():
    with torch.device("meta"):
        return ssd300_vgg16(weights=None, weights_backbone=None).backbone


def test_ssd300_is_torchvisions(ssd):
    """Weights by shape, stride, padding and dilation, from the image to fc7; no weights are needed for that."""
    modules = [m for part in (ssd.features, ssd.extra[0]) for m in part.modules()]
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d)]
    system = BACKBONES["SSD300"]
    wide = [x.spec for x in backbone.dilated(system.notation, wide=True, input_size=304) if x.name.startswith("conv")]
    rows = [row for row in system.ledger(304) if row.kind == "convolution"]
    assert len(convolutions) == len(wide) == 15
    for theirs, ours, row in zip(convolutions, wide, rows, strict=True):
        assert theirs.weight.numel() == row.weights
        assert (span(theirs.kernel_size[0], theirs.dilation[0]), theirs.padding[0]) == (ours.kernel, ours.padding)
    pools = [m for m in modules if isinstance(m, nn.MaxPool2d)]
    assert [(p.kernel_size, p.stride, p.padding) for p in pools] == [(2, 2, 0)] * 4 + [(3, 1, 1)]
    assert ssd.scale_weight.shape == (512,)


def test_the_audit_names_every_map_that_is_read():
    text = repr(backbone.audit())
    for system in BACKBONES.values():
        assert system.name in text
        for theirs in system.reads.values():
            assert theirs in text


# --- a smaller jump ---


@pytest.fixture(scope="module")
def net():
    return trained.load("small_vgg")


@pytest.mark.parametrize(("jump", "size"), list(product((1, 2, 4, 8, 16), (64, 96))))
@torch.no_grad()
def test_a_dense_copy_has_the_old_values_at_the_old_places(net, jump, size):
    features = small_vgg(width=1 / 32, batch_norm=False, initialization="he").double().features.eval()
    images = torch.rand(2, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(jump))
    sparse, dense = features(images), atrous(features, jump)(images)
    step = 32 // jump
    assert torch.allclose(dense[:, :, ::step, ::step], sparse, rtol=1e-12, atol=1e-15)
    assert dense.shape[2] == size // jump - (step - 1)  # each window that lost its stride lost its last places


@torch.no_grad()
def test_with_whole_numbers_the_old_values_are_the_same_bit_for_bit():
    generator = torch.Generator().manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 2, 3, padding=1), nn.MaxPool2d(2)]
    features = nn.Sequential(*layers, nn.Conv2d(2, 2, 3, padding=1)).double()
    for weights in features.parameters():
        weights.copy_(torch.randint(-3, 4, weights.shape, generator=generator))
    for size in (16, 17, 19, 22):
        images = torch.randint(-9, 10, (2, 2, size, size), generator=generator).double()
        sparse = features(images)
        for jump in (1, 2):
            step = 4 // jump
            grid = sparse.shape[-1]
            assert torch.equal(atrous(features, jump)(images)[:, :, ::step, ::step][..., :grid, :grid], sparse)


@torch.no_grad()
def test_the_trained_net_can_be_made_dense_too(net):
    images = torch.rand(2, 3, 64, 64)
    dense = atrous(net.features, 8)(images)
    assert torch.allclose(dense[:, :, ::4, ::4], net.features(images), atol=1e-4)
    assert net.features[-1].stride == 2  # the original is as it was


def test_the_full_jump_changes_nothing(net):
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(atrous(net.features, 32)(images), net.features(images))


def test_a_jump_that_is_not_on_the_way_is_refused(net):
    for jump in (3, 64, 0, 6):
        with pytest.raises(ValueError, match="not on the way"):
            atrous(net.features, jump)
    with pytest.raises(ValueError, match="only pools may stride"):
        atrous(nn.Sequential(nn.Conv2d(3, 3, 3, stride=2)), 1)


# --- the segmenter ---


def test_enlarging_is_fcns_fixed_transposed_convolution_away_from_the_border():
    factor, scores = 8, torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    ramp = 1 - (torch.arange(2 * factor) - (2 * factor - 1) / 2).abs() / factor
    kernel = (ramp[:, None] * ramp).expand(3, 1, -1, -1)
    theirs = functional.conv_transpose2d(scores, kernel, stride=factor, padding=factor // 2, groups=3)
    ours = backbone.enlarged(scores, theirs.shape[2:])
    inner = slice(factor, -factor)
    assert torch.allclose(ours[..., inner, inner], theirs[..., inner, inner], atol=1e-6)


def test_scores_of_several_stages_are_added_from_the_deepest_on(net):
    images = torch.rand(2, 3, 64, 64)
    model = Segmenter(net, ("pool5", "pool4")).eval()
    for head in model.heads.values():
        nn.init.normal_(head[1].weight)
    maps = backbone.stages(net, images, ("pool4", "pool5"))
    coarse, fine = (model.heads[name](maps[name]) for name in ("pool5", "pool4"))
    by_hand = backbone.enlarged(fine + backbone.enlarged(coarse, (4, 4)), (64, 64))
    assert torch.allclose(model(images), by_hand)
    assert model(images).shape == (2, len(PARTS), 64, 64)


def test_a_segmenter_reads_pools(net):
    for reads in ((), ("conv4_3",), ("pool6",)):
        with pytest.raises(ValueError, match="it must name pools"):
            Segmenter(net, reads)


def test_heads_learn_and_the_backbone_stays(net):
    pictures = scenes(4, seed=0, size=64)
    truth = backbone.pixel_labels(pictures)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with torch.no_grad():
        maps = backbone.stages(net, trained.card("small_vgg").normalize(pictures.images), ("pool3", "pool5"))
    model = Segmenter(net, ("pool5", "pool3"))
    backbone.train_heads(model, maps, truth, steps=30)
    painted = model.score(maps, (64, 64)).argmax(1)
    assert mean_iou(backbone.counts(painted, truth)) > 0.3  # all background would have a quarter of one
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_labels_of_pixels_are_the_mask_and_the_class():
    pictures = scenes(2, seed=0)
    labels = backbone.pixel_labels(pictures)
    for label, mask, name in zip(labels, pictures.masks, pictures.labels, strict=True):
        assert set(label.unique().tolist()) <= {0, int(name) + 1}
        assert torch.equal(label > 0, mask)


# --- judging ---


def test_mean_iou_by_hand():
    truth, predicted = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[0, 1, 1, 1]])
    assert mean_iou(backbone.counts(predicted, truth)) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert mean_iou(backbone.counts(truth, truth)) == 1  # two classes are absent, and do not count
    assert mean_iou(backbone.counts(torch.full((1, 4), 3), truth)) == 0


def test_the_iou_of_an_object_is_that_of_its_pixels():
    truth = torch.tensor([[[0, 2, 2, 0]], [[3, 3, 0, 0]]])
    predicted = torch.tensor([[[2, 2, 0, 0]], [[1, 3, 0, 0]]])
    assert backbone.object_iou(predicted, truth).tolist() == pytest.approx([1 / 3, 1 / 2])


def test_a_finer_grid_draws_better_and_a_grid_of_pixels_perfectly():
    masks = scenes(20, seed=3, size=64, scale=(0.15, 0.8)).masks
    shares = [backbone.object_iou(best_of_grid(masks, jump).long(), masks.long()).mean() for jump in (32, 16, 8, 4, 1)]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_the_closed_form_is_what_a_search_for_least_squares_finds():
    mask = scenes(1, seed=1, size=32).masks[:1]
    scores = torch.zeros(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([scores], max_iter=200, tolerance_grad=1e-12, tolerance_change=0)

    def loss():
        search.zero_grad()
        error = (backbone.enlarged(scores, (32, 32))[:, 0] - mask.double()).square().sum()
        error.backward()
        return error

    search.step(loss)
    values = backbone.enlarged(scores, (32, 32))[0, 0]
    cuts = [values > level for level in torch.linspace(0.05, 0.95, 19, dtype=torch.float64)]
    best = max(cuts, key=lambda cut: (cut & mask[0]).sum() / (cut | mask[0]).sum())
    assert torch.equal(best, best_of_grid(mask, 8)[0])


def test_a_grid_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        best_of_grid(torch.zeros(1, 60, 60, dtype=torch.bool), 8)


# --- boxes ---


@pytest.mark.parametrize("seed", range(20))
def test_roi_pooling_is_torchvisions(seed):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(3, 9, 12, generator=generator)
    jump, size = (4, 8, 16)[seed % 3], (1, 2, 7)[seed % 3]
    x0, y0 = (torch.rand(2, generator=generator) * torch.tensor([10.0, 7]) * jump).tolist()
    w, h = (torch.rand(2, generator=generator) * 8 * jump).tolist()
    box = (x0, y0, x0 + w, y0 + h)  # at times beyond the map
    (theirs,) = roi_pool(maps[None], torch.tensor([[0, *box]]), size, 1 / jump)
    assert torch.equal(backbone.roi_pool(maps, box, jump, size), theirs)


def test_roi_pooling_of_whole_cells_is_an_adaptive_pool_of_the_part():
    maps = torch.randn(4, 14, 14, generator=torch.Generator().manual_seed(0))
    ours = backbone.roi_pool(maps, (32, 16, 176, 144), 16, 7)
    assert torch.equal(ours, functional.adaptive_max_pool2d(maps[:, 1:10, 2:12], 7))
