"""Attributions equal those of captum and torch-cam on fresh images; what has no oracle is held against calculus."""

import copy
import warnings

import pytest
import torch
from torch import nn

from vgg_course import attribution as ours
from vgg_course.activations import activations, names
from vgg_course.configuration import Configuration
from vgg_course.model import VGG

SIDE = 16
WORDS = "conv3-5 conv3-6 maxpool conv3-8 maxpool FC-10 FC-4"


def small(batch_norm=False, seed=0):
    """A VGG with two hidden ReLUs of either kind, and batch norms that have seen something."""
    generator = torch.Generator().manual_seed(seed)
    configuration = Configuration.parse(WORDS, input_size=SIDE).variant(batch_norm=batch_norm)
    model = VGG(configuration, initialization="he", generator=generator)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias.data):
                tensor.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
            for tensor in (module.running_var, module.weight.data):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    return model.eval()


def torchvisions():
    from torchvision.models import vgg11

    torch.manual_seed(0)
    return vgg11(weights=None, num_classes=4, init_weights=False).eval()


@pytest.fixture(params=["small", "with batch norm", "torchvision's vgg11"], scope="module")
def net(request):
    return torchvisions() if "vgg11" in request.param else small("norm" in request.param)


def fresh(net, count=3):
    """Images that nobody prepared, and a class for each."""
    side = SIDE if isinstance(net, VGG) else 32
    return torch.randn(count, 3, side, side), torch.randint(4, (count,))


@pytest.fixture
def plain(net):
    """The same net for libraries that hook modules: its ReLUs do not overwrite their inputs."""
    twin = copy.deepcopy(net)
    for module in twin.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return twin


@pytest.fixture
def captum():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum warns whenever it sets hooks
        import captum.attr

        yield captum.attr


def close(mine, theirs):
    return torch.allclose(mine, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


# --- against captum and torch-cam ---


def test_the_gradient_is_captums_saliency(net, plain, captum):
    images, classes = fresh(net)
    theirs = captum.Saliency(plain).attribute(images, target=classes, abs=False)
    assert close(ours.gradient(net, images, classes), theirs)
    assert close(ours.saliency(net, images, classes), theirs.abs().amax(1))


def test_guided_backprop_is_captums(net, plain, captum):
    images, classes = fresh(net)
    theirs = captum.GuidedBackprop(plain).attribute(images, target=classes)
    mine = ours.guided(net, images, classes)
    assert close(mine, theirs)
    assert not close(mine, ours.gradient(net, images, classes))


@pytest.mark.parametrize(("patch", "stride", "fill"), [(4, 4, 0.0), (5, 3, 0.7), (7, 7, -1.0)])
def test_occlusion_is_captums(net, plain, captum, patch, stride, fill):
    images, classes = fresh(net, 2)
    window, step = (3, patch, patch), (3, stride, stride)
    theirs = captum.Occlusion(plain).attribute(
        images, sliding_window_shapes=window, strides=step, target=classes, baselines=fill
    )
    assert close(ours.occlusion(net, images, classes, patch, stride, fill), theirs[:, 0])


@pytest.mark.parametrize("place", [0, -1])
def test_grad_cam_is_captums_behind_any_relu_and_at_any_convolution(net, plain, captum, place):
    images, classes = fresh(net)
    for kind in ("relu", "conv"):
        layer = [name for name in names(net) if name.startswith(kind) and "_" in name][place]
        module = dict(zip(names(plain), [*plain.features, *_behind(plain)], strict=True))[layer]
        theirs = captum.LayerGradCam(plain, module).attribute(images, target=classes, relu_attributions=True)
        assert close(ours.grad_cam(net, images, classes, layer), theirs[:, 0])


def _behind(model):
    pool = [] if isinstance(model.avgpool, nn.Identity) else [model.avgpool]
    return [*pool, *model.classifier]


def test_grad_cam_is_torch_cams(net, plain):
    from torchcam.methods import GradCAM

    images, classes = fresh(net)
    layer = [name for name in names(net) if name.startswith("relu") and "_" in name][-1]
    place = names(net).index(layer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with GradCAM(plain, target_layer=f"features.{place}") as extractor:
            theirs = extractor(classes.tolist(), plain(images.requires_grad_()), normalized=False)[0]
    assert close(ours.grad_cam(net, images.detach(), classes, layer), theirs)


# --- what they have in common ---


def test_the_net_and_the_images_are_left_as_they_were():
    net = small(batch_norm=True).train()
    before, images = copy.deepcopy(net.state_dict()), torch.rand(2, 3, SIDE, SIDE)
    kept = images.clone()
    ours.saliency(net, images, 1)
    ours.guided(net, images, 1)
    ours.grad_cam(net, images, 1, "relu1_2")
    ours.occlusion(net, images, 1, 8, 8)
    ours.invert(net, images, "pool1", steps=2)
    ours.maximize(net, images, 1, steps=2)
    list(ours.randomized(net))
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert torch.equal(images, kept)
    assert not images.requires_grad


def test_an_image_is_judged_by_itself():
    net, images = small(True), torch.randn(3, 3, SIDE, SIDE)
    for method in (
        ours.gradient,
        ours.guided,
        lambda *a: ours.occlusion(*a, 8, 4),
        lambda *a: ours.grad_cam(*a, "relu2_1"),
    ):
        together, alone = method(net, images, torch.tensor([0, 1, 2])), method(net, images[1:2], 1)
        assert torch.allclose(together[1], alone[0], rtol=1e-4, atol=1e-6)


def test_a_frozen_net_can_be_asked():
    net, images = small().requires_grad_(False), torch.randn(1, 3, SIDE, SIDE)
    assert ours.gradient(net, images, 0).any()
    assert ours.grad_cam(net, images, 0, "relu1_1").shape == (1, SIDE, SIDE)


@pytest.mark.parametrize("classes", [4, -1, 1.0, torch.tensor([0, 1, 2]), torch.tensor([[0], [1]])])
def test_a_class_that_is_none_is_an_error(classes):
    with pytest.raises(ValueError, match="one class, or one for each of the 2 images"):
        ours.gradient(small(), torch.zeros(2, 3, SIDE, SIDE), classes)


def test_errors_name_the_value_and_the_rule():
    net, images = small(), torch.zeros(1, 3, SIDE, SIDE)
    with pytest.raises(ValueError, match="patch is 4 and stride 5"):
        ours.occlusion(net, images, 0, patch=4, stride=5)
    with pytest.raises(ValueError, match="patch is 17"):
        ours.occlusion(net, images, 0, patch=17)
    with pytest.raises(ValueError, match="Grad-CAM needs feature maps"):
        ours.grad_cam(net, images, 0, "relu3")
    with pytest.raises(ValueError, match="no layer 'conv9_9'"):
        ours.grad_cam(net, images, 0, "conv9_9")
    with pytest.raises(ValueError, match="no ranks in common"):
        ours.rank_correlation(torch.zeros(1, 2), torch.zeros(1, 3))


# --- against calculus ---


def test_the_gradient_is_that_of_finite_differences():
    net, images = small(True).double(), torch.randn(1, 3, SIDE, SIDE, dtype=torch.float64)
    slopes = ours.gradient(net, images, 2)
    for c, y, x in ((0, 3, 4), (2, 8, 15), (1, 0, 0)):
        step = torch.zeros_like(images)
        step[0, c, y, x] = 1e-6
        with torch.no_grad():
            rise = (ours.scores(net, images + step, 2) - ours.scores(net, images - step, 2)) / 2e-6
        assert rise.item() == pytest.approx(slopes[0, c, y, x].item(), rel=1e-4, abs=1e-9)


def test_the_gradients_of_the_objectives_are_those_of_finite_differences():
    net, images = small(True).double(), torch.randn(2, 3, SIDE, SIDE, dtype=torch.float64)
    with torch.no_grad():
        target = activations(net, torch.randn_like(images), "relu1_2")["relu1_2"]

    def objective(x):
        return ours.mismatch(net, x, "relu1_2", target) + 0.01 * ours.total_variation(x)

    x = images.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(objective(x), x)
    for place in ((0, 0, 3, 4), (1, 2, 8, 15), (1, 1, 0, 0)):
        step = torch.zeros_like(images)
        step[place] = 1e-6
        with torch.no_grad():
            rise = (objective(images + step) - objective(images - step)) / 2e-6
        assert rise.item() == pytest.approx(slopes[place].item(), rel=1e-4, abs=1e-9)


class Linear(nn.Module):
    """A weighted sum of all pixels for each class, as a net that has names for its layers."""

    def __init__(self, classes=2, side=4):
        super().__init__()
        self.features, self.classifier = nn.Sequential(), nn.Sequential(nn.Linear(3 * side**2, classes))


def test_of_a_linear_score_every_method_finds_what_it_should():
    net, images = Linear(), torch.randn(2, 3, 4, 4)
    weights = net.classifier[0].weight.detach()[1].view(3, 4, 4)
    assert torch.allclose(ours.gradient(net, images, 1), weights.expand(2, 3, 4, 4))
    hidden = ours.occlusion(net, images, 1, patch=1)  # one pixel set to 0 takes weight times pixel away
    assert torch.allclose(hidden, (weights * images).sum(1), atol=1e-5)


def test_maximization_of_a_linear_score_ends_where_calculus_says():
    """Of weights * x - decay * |x|^2 the maximum is at weights / (2 * decay)."""
    net, start = Linear(), torch.randn(1, 3, 4, 4)
    weights = net.classifier[0].weight.detach()[1].view(1, 3, 4, 4)
    found, values = ours.maximize(net, start, 1, decay=0.25, steps=600, rate=0.05)
    assert torch.allclose(found, weights / 0.5, atol=1e-4)
    assert values[-1] < values[0]


def test_a_layer_that_loses_nothing_is_inverted_exactly():
    torch.manual_seed(0)
    net = nn.Module()
    net.features = nn.Sequential(nn.Conv2d(3, 4, 1))
    images = torch.randn(2, 3, 6, 6)
    found, values = ours.invert(net, images, "conv1_1", smooth=0.0, steps=1500, rate=0.05)
    assert torch.allclose(found, images, atol=1e-3)
    assert values[-1] < 1e-6 * values[0]


def test_what_a_layer_cannot_see_is_left_to_the_smoothness():
    """A pool of averages keeps the mean of four pixels. The smoothest image with these means has far less variation."""
    net = nn.Module()
    net.features = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.AvgPool2d(2))
    net.features[0].weight.data = torch.eye(3)[:, :, None, None]
    images = torch.randn(1, 3, 8, 8)
    found, _ = ours.invert(net, images, "pool1", smooth=1e-4, steps=500)
    kept = nn.functional.avg_pool2d(found, 2) - nn.functional.avg_pool2d(images, 2)
    assert kept.abs().max() < 0.05
    assert ours.total_variation(found) < 0.6 * ours.total_variation(images)


@pytest.mark.parametrize("layer", ["relu1_1", "pool2"])
def test_the_objective_of_an_inversion_falls(layer):
    net, images = small(True), torch.randn(2, 3, SIDE, SIDE)
    generator = torch.Generator().manual_seed(0)
    _, values = ours.invert(net, images, layer, steps=150, generator=generator)
    assert values[-1] < 0.3 * values[0]


def test_maximization_raises_the_score_and_smoothness_costs_some_of_it():
    net, start = small(True), 0.01 * torch.randn(1, 3, SIDE, SIDE)
    free, _ = ours.maximize(net, start, 2, steps=60)
    held, _ = ours.maximize(net, start, 2, steps=60, decay=0.01, smooth=0.05)
    with torch.no_grad():
        before, bold, meek = (ours.scores(net, images, 2).item() for images in (start, free, held))
    assert bold > meek > before
    assert ours.total_variation(held) < 0.2 * ours.total_variation(free)


def test_jitter_is_drawn_from_the_generator():
    net, start = small(), torch.randn(1, 3, SIDE, SIDE)
    runs = [
        ours.maximize(net, start, 0, jitter=2, steps=5, generator=torch.Generator().manual_seed(seed))[0]
        for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_total_variation_counts_each_neighbor_once():
    image = torch.tensor([[0.0, 1.0], [3.0, 3.0]])[None, None]
    assert ours.total_variation(image) == (1 - 0) ** 2 + (3 - 3) ** 2 + (3 - 0) ** 2 + (3 - 1) ** 2


# --- the judges ---


def test_randomization_goes_from_the_top_and_keeps_what_is_below():
    net = small(batch_norm=True)
    before, order = copy.deepcopy(net.state_dict()), []
    for name, twin in ours.randomized(net, torch.Generator().manual_seed(3)):
        order.append(name)
        same = {key for key, value in twin.state_dict().items() if torch.equal(value, before[key])}
        place = names(net).index(name)
        for key in before:
            part, number = key.split(".")[:2]
            at = int(number) + (len(net.features) if part == "classifier" else 0)
            if key.endswith("weight") and "num_batches" not in key:
                assert (key in same) == (at < place), (name, key)
    assert order == ["fc4", "fc3", "conv2_1", "conv1_2", "conv1_1"]
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_random_layers_keep_the_scale_of_the_signal():
    net = small(batch_norm=True)
    *_, (_, twin) = ours.randomized(net, torch.Generator().manual_seed(0))
    values = activations(twin, torch.randn(64, 3, SIDE, SIDE), "conv2_1")["conv2_1"]
    assert 0.5 < values.std() < 3


def test_rank_correlation_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    a, b = torch.randn(3, 5, 5).round(decimals=1), torch.randn(3, 5, 5)  # with ties
    for mine, x, y in zip(ours.rank_correlation(a, b), a, b, strict=True):
        assert mine.item() == pytest.approx(stats.spearmanr(x.flatten(), y.flatten()).statistic)


def test_ranks_do_not_care_about_scale_and_a_constant_says_nothing():
    a = torch.randn(2, 4, 4)
    assert torch.allclose(ours.rank_correlation(a, a.exp()), torch.ones(2).double())
    assert torch.allclose(ours.rank_correlation(a, -a), -torch.ones(2).double())
    assert ours.rank_correlation(a, torch.zeros_like(a)).tolist() == [0, 0]


def test_the_pointing_game_and_the_share_of_the_mass():
    maps = torch.tensor([[[0.0, 4.0], [1.0, -5.0]], [[2.0, 2.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    masks = torch.tensor([[False, True], [False, False]]).expand(3, 2, 2)
    assert ours.points_at(maps, masks).tolist() == [1, 0.5, 0.25]
    assert ours.mass_inside(maps, masks).tolist() == pytest.approx([4 / 5, 0.5, 0.25])


def test_a_map_is_enlarged_to_the_image():
    maps = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    large = ours.enlarge(maps, 8)
    assert large.shape == (1, 8, 8)
    assert large[0, 0, 0] == 0
    assert large[0, -1, -1] == 3


# --- the trap, as the chapter tells it ---


def test_a_hook_on_the_way_back_and_a_relu_in_place_exclude_each_other():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True))
    model[1].register_full_backward_hook(lambda module, below, above: None)
    with pytest.raises(RuntimeError, match="modified inplace"):
        model(torch.randn(1, 3, 8, 8))


def test_a_hook_on_a_convolution_is_overwritten_by_the_relu_in_place():
    kept = {}
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True))
    model[0].register_forward_hook(lambda module, given, value: kept.update(value=value))
    with torch.no_grad():
        model(torch.randn(1, 3, 8, 8))
    assert kept["value"].min() == 0
