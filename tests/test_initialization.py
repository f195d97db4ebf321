"""First weights: what a scheme draws, what theory says of it, what is measured, and the paper's copy."""

from math import log, prod, sqrt

import pytest
import torch
from torch import nn
from torch.nn import functional

from vgg_course import paper, results
from vgg_course.configuration import CONFIGURATIONS, Configuration
from vgg_course.initialization import (
    SCHEMES,
    Scheme,
    copy_shallow,
    gain,
    gains,
    initialize,
    normal,
    signal,
)
from vgg_course.model import vgg

SMALL = {"width": 1 / 8, "input_size": 32, "classes": 10}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def net(letter="A", scheme="he", seed=0, **variant):
    return vgg(letter, initialization=scheme, generator=seeded(seed), **(SMALL | variant))


def batch(count=4, size=32, seed=0, scale=1.0):
    images = torch.randn(count, 3, size, size, generator=seeded(seed))
    return scale * images, torch.randint(10, (count,), generator=seeded(seed))


def weight_layers(model):
    return {name: m for name, m in model.layers.items() if isinstance(m, nn.Conv2d | nn.Linear)}


# --- what a scheme draws ---


BIG = {"conv": lambda: nn.Conv2d(256, 512, 3), "linear": lambda: nn.Linear(1500, 1000)}
DEVIATIONS = {  # variance of a weight, from fan_in and fan_out, for convolutions and for fully-connected layers
    "paper": (lambda i, o: 1e-2, lambda i, o: 1e-2),  # section 3.1: "10^-2 variance"
    "std-0.01": (lambda i, o: 1e-4, lambda i, o: 1e-4),
    "glorot": (lambda i, o: 2 / (i + o), lambda i, o: 2 / (i + o)),  # Glorot & Bengio (2010), equation 16
    "he": (lambda i, o: 2 / o, lambda i, o: 2 / i),  # He et al. (2015), equations 10 and 14
    "torchvision": (lambda i, o: 2 / o, lambda i, o: 1e-4),  # torchvision.models.vgg
    "torch": (lambda i, o: 1 / (3 * i), lambda i, o: 1 / (3 * i)),
}


RANDOM = [name for name in SCHEMES if name != "dirac"]


@pytest.mark.parametrize("kind", BIG)
@pytest.mark.parametrize("name", RANDOM)
def test_the_variance_is_the_published_one(name, kind):
    layer = BIG[kind]()
    initialize(layer, name, seeded())
    window = layer.weight[0, 0].numel()
    fan_in, fan_out = window * layer.weight.shape[1], window * layer.weight.shape[0]
    variance = DEVIATIONS[name][kind == "linear"](fan_in, fan_out)
    assert layer.weight.std().item() == pytest.approx(sqrt(variance), rel=0.02)
    assert abs(layer.weight.mean().item()) < 0.01 * sqrt(variance)


@pytest.mark.parametrize("kind", BIG)
@pytest.mark.parametrize("name", RANDOM)
def test_only_glorot_and_torch_are_uniform(name, kind):
    layer = BIG[kind]()
    initialize(layer, name, seeded())
    reach = (layer.weight.abs().max() / layer.weight.std()).item()
    if name in ("glorot", "torch"):
        assert reach == pytest.approx(sqrt(3), rel=0.01)
    else:
        assert reach > 4  # of a million normal numbers


@pytest.mark.parametrize("name", [name for name in SCHEMES if name != "torch"])
def test_biases_begin_at_zero(name):
    assert not any(layer.bias.any() for layer in weight_layers(net(scheme=name)).values())


def test_the_papers_number_is_a_variance_and_torch_takes_a_deviation():
    weight = torch.empty(1000, 1000)
    assert paper.INITIALIZATION["variance"] == 1e-2
    layer = nn.Linear(1000, 1000)
    initialize(layer, "paper", seeded())
    assert layer.weight.var().item() == pytest.approx(1e-2, rel=0.01)
    weight.normal_(0, paper.INITIALIZATION["variance"], generator=seeded())  # the trap
    assert weight.var().item() == pytest.approx(1e-4, rel=0.01)


TORCHS = {
    "glorot": lambda w, g: nn.init.xavier_uniform_(w, generator=g),
    "torch": lambda w, g: nn.init.kaiming_uniform_(w, a=sqrt(5), generator=g),
    "paper": lambda w, g: nn.init.normal_(w, 0, 0.1, generator=g),
}


@pytest.mark.parametrize("kind", BIG)
@pytest.mark.parametrize("name", [*TORCHS, "he"])
def test_the_same_generator_gives_the_weights_of_torchs_own_function(name, kind):
    ours, theirs = BIG[kind](), BIG[kind]()
    initialize(ours, name, seeded())
    mode = "fan_out" if kind == "conv" else "fan_in"
    he = lambda w, g: nn.init.kaiming_normal_(w, mode=mode, nonlinearity="relu", generator=g)  # noqa: E731
    TORCHS.get(name, he)(theirs.weight.data, seeded())
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-6, atol=0)


@pytest.mark.parametrize("make", BIG.values(), ids=BIG)
def test_the_scheme_called_torch_is_what_a_bare_layer_begins_with(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        bare = make()
        torch.manual_seed(0)
        ours = make()  # takes as many numbers; now draw the same ones once more
        torch.manual_seed(0)
        initialize(ours, "torch")
    torch.testing.assert_close(ours.weight, bare.weight, rtol=1e-6, atol=0)
    torch.testing.assert_close(ours.bias, bare.bias, rtol=1e-6, atol=0)
    assert ours.bias.abs().max() <= 1 / sqrt(ours.weight[0].numel())


def test_the_scheme_called_torchvision_is_torchvisions():
    import torchvision

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = torchvision.models.vgg11(num_classes=10)
    ours = vgg("A", classes=10, initialization="torchvision", generator=seeded())
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        if name.endswith("weight"):
            assert a.std().item() == pytest.approx(b.std().item(), rel=0.06 if name.startswith("features.0") else 0.02)
        else:
            assert torch.equal(a, b)


def test_batch_norms_begin_afresh():
    model = net(batch_norm=True).train()
    model(batch()[0])
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    with torch.no_grad():
        norm.weight.fill_(3)
    initialize(model, "he", seeded())
    assert norm.running_mean.eq(0).all()
    assert norm.running_var.eq(1).all()
    assert norm.weight.eq(1).all()
    assert norm.num_batches_tracked == 0


def test_a_scheme_of_ones_own_is_used():
    own = Scheme("own", normal(0.5), normal(0.25), "loud")
    model = vgg("A", initialization=own, generator=seeded(), width=1 / 2, input_size=32)
    assert model.layers["conv5_1"].weight.std().item() == pytest.approx(0.5, rel=0.02)
    assert model.layers["fc7"].weight.std().item() == pytest.approx(0.25, rel=0.02)
    assert repr(own) == "own: loud"


@pytest.mark.parametrize("deviation", [0, -1, float("inf"), float("nan")])
def test_what_is_no_deviation_is_refused(deviation):
    with pytest.raises(ValueError, match="it is a standard deviation"):
        normal(deviation)


def test_an_unknown_scheme_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"there is no scheme 'xavier'; there are paper, std-0.01, glorot"):
        initialize(nn.Linear(1, 1), "xavier")


# --- theory ---


def test_the_literal_initialization_multiplies_the_signal_by_nearly_five_in_block_5():
    assert gains("D", "paper")["conv5_2"].forward == pytest.approx(0.1 * sqrt(4608 / 2)) == pytest.approx(4.8)
    assert gains("D", "std-0.01")["conv5_2"].forward == pytest.approx(0.48)
    assert gains("D", "std-0.01")["conv1_1"].forward == pytest.approx(0.01 * sqrt(27 / 2))


@pytest.mark.parametrize("letter", CONFIGURATIONS)
def test_he_keeps_the_gradient_through_convolutions_and_the_signal_through_the_rest(letter):
    for row in gains(letter, "he"):
        assert (row.backward if row.name.startswith("conv") else row.forward) == pytest.approx(1)


def test_glorot_lacks_the_factor_of_the_relu():
    row = gains("D", "glorot")["conv5_2"]
    assert row.fan_in == row.fan_out
    assert row.forward == row.backward == pytest.approx(sqrt(1 / 2))


@pytest.mark.parametrize("letter", CONFIGURATIONS)
def test_the_fans_are_those_of_the_modules(letter):
    with torch.device("meta"):
        layers = weight_layers(vgg(letter))
    assert [row.name for row in gains(letter)] == list(layers)
    for row in gains(letter):
        weight = layers[row.name].weight
        assert (row.fan_in, row.fan_out) == nn.init._calculate_fan_in_and_fan_out(weight)


@pytest.mark.parametrize(("fan_in", "fan_out", "deviation"), [(64, 512, 0.1), (1000, 300, 0.02), (300, 4000, 1.0)])
def test_one_layer_behind_a_relu_has_the_predicted_gain_both_ways(fan_in, fan_out, deviation):
    before = torch.randn(4000, fan_in, generator=seeded(), requires_grad=True)
    weight = deviation * torch.randn(fan_out, fan_in, generator=seeded(1))
    after = before.relu() @ weight.T
    coming = torch.randn(after.shape, generator=seeded(2))
    (back,) = torch.autograd.grad(after, before, coming)
    rms = lambda tensor: tensor.square().mean().sqrt().item()  # noqa: E731
    assert rms(after) / rms(before) == pytest.approx(gain(deviation, fan_in), rel=0.05)
    assert rms(back) / rms(coming) == pytest.approx(gain(deviation, fan_out), rel=0.05)


def test_theory_is_exact_where_its_assumptions_hold():
    """1x1 convolutions on white noise: no border, no pool, no neighbors. Averaged over many channels."""
    words = "conv1-600 conv1-900 conv1-700 FC-10"
    model = vgg(Configuration.parse(words, input_size=6, in_channels=200), initialization="glorot", generator=seeded())
    images = torch.randn(20, 200, 6, 6, generator=seeded())
    found = signal(model, images, torch.zeros(20, dtype=torch.long))
    before = found.images * sqrt(2)
    for row in list(gains(model.configuration, "glorot"))[:3]:
        assert found[row.name].output / before == pytest.approx(row.forward, rel=0.03)
        before = found[row.name].output


# --- measurement ---


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_signal_is_what_a_plain_forward_and_backward_pass_gives(batch_norm):
    model, (images, labels) = net("D", batch_norm=batch_norm, dropout=0.0).double(), batch()
    images = images.double()
    found = signal(model.eval(), images, labels)
    model.train()  # batch statistics; there is no dropout
    x, kept = images, []
    for module in [*model.features, nn.Flatten(), *model.classifier]:
        x = functional.relu(x) if isinstance(module, nn.ReLU) else module(x)  # a ReLU that leaves its input alone
        if isinstance(module, nn.Conv2d | nn.Linear):
            kept.append(x)
    loss = functional.cross_entropy(x, labels)
    weights = [layer.weight for layer in weight_layers(model).values()]
    gradients = torch.autograd.grad(loss, [*kept, *weights])
    rms = lambda tensor: tensor.square().mean().sqrt().item()  # noqa: E731
    assert found.loss == pytest.approx(loss.item())
    assert found.logits == pytest.approx(x.std().item())
    assert found.images == pytest.approx(rms(images))
    n = len(kept)
    for row, name, y, w, dy, dw in zip(
        found, weight_layers(model), kept, weights, gradients[:n], gradients[n:], strict=True
    ):
        assert row.name == name
        assert row.output == pytest.approx(rms(y))
        assert row.gradient == pytest.approx(rms(dy))
        assert row.weight_norm == pytest.approx(w.norm().item())
        assert row.gradient_norm == pytest.approx(dw.norm().item())
        assert row.relative_gradient == pytest.approx((dw.norm() / w.norm()).item())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_measuring_leaves_the_model_and_the_random_numbers_as_they_were(batch_norm, training):
    model, (images, labels) = net("A", batch_norm=batch_norm).train(training), batch()
    model.features[0].eval()  # a mode of its own
    model.layers["conv2_1"].requires_grad_(False)
    functional.cross_entropy(model(images), labels).backward()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gradients = {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}
    modes = [module.training for module in model.modules()]
    wanted = [parameter.requires_grad for parameter in model.parameters()]
    assert wanted.count(False) == 2
    random = torch.get_rng_state()
    with torch.no_grad():
        one = signal(model, images, labels)
    assert one == signal(model, images, labels)
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (gradients[name] is None)
        assert parameter.grad is None or torch.equal(parameter.grad, gradients[name])
    assert [parameter.requires_grad for parameter in model.parameters()] == wanted
    assert not any(module._forward_hooks for module in model.modules())
    assert all(m.track_running_stats for m in model.modules() if isinstance(m, nn.BatchNorm2d))


def test_a_batch_that_does_not_fit_leaves_no_hook_behind():
    model = net().train()
    with pytest.raises(ValueError, match="built for batches of 3x32x32"):
        signal(model, torch.zeros(1, 3, 64, 64), torch.zeros(1, dtype=torch.long))
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("factor", [1e-3, 0.5, 65.0])
def test_without_biases_the_logits_grow_with_the_images(factor):
    model, (images, labels) = net("D", "he"), batch()
    one, other = signal(model, images, labels), signal(model, factor * images, labels)
    assert other.logits == pytest.approx(factor * one.logits, rel=1e-3)
    assert all(b.output == pytest.approx(factor * a.output, rel=1e-3) for a, b in zip(one, other, strict=True))


def test_the_gradient_along_the_weight_is_the_same_in_every_layer():
    """Euler: without biases each weight tensor scales the logits, so all have the same <weight, gradient>."""
    model, (images, labels) = net("D", "std-0.01").double().eval(), batch(scale=65)
    logits = model(images.double())
    loss = functional.cross_entropy(logits, labels)
    weights = [layer.weight for layer in weight_layers(model).values()]
    along_logits, *gradients = torch.autograd.grad(loss, [logits, *weights])
    expected = (logits * along_logits).sum().item()
    assert expected != 0
    for weight, gradient in zip(weights, gradients, strict=True):
        assert (weight * gradient).sum().item() == pytest.approx(expected, rel=1e-9)


def test_a_record_shows_itself_as_a_table():
    model, (images, labels) = net(), batch()
    found = signal(model, images, labels)
    assert len(found) == 11
    assert "Configuration A: images of RMS" in repr(found)
    assert "<caption>" in found._repr_html_()
    assert found["conv3_2"].name == "conv3_2"
    with pytest.raises(KeyError, match="no weight layer 'pool1'; there are conv1_1, conv2_1"):
        found["pool1"]
    assert "scheme glorot" in repr(gains("A", "glorot"))
    assert len(gains("A")) == 11


# --- the paper's copy ---


def test_the_papers_seven_layers_are_copied_and_nothing_else():
    shallow, deep = net("A", seed=1), net("D", seed=2)
    with torch.no_grad():
        for layer in weight_layers(shallow).values():
            layer.bias.normal_(generator=seeded(3))
    before = {name: tensor.clone() for name, tensor in deep.state_dict().items()}
    names = copy_shallow(shallow, deep)
    assert names == ("conv1_1", "conv2_1", "conv3_1", "conv3_2", "fc6", "fc7", "fc8")
    for name, layer in weight_layers(deep).items():
        if name in names:
            assert torch.equal(layer.weight, shallow.layers[name].weight)
            assert torch.equal(layer.bias, shallow.layers[name].bias)
    copied = {id(layer) for name, layer in deep.layers.items() if name in names}
    for prefix, module in deep.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and id(module) not in copied:
            assert torch.equal(module.weight, before[f"{prefix}.weight"])
            assert torch.equal(module.bias, before[f"{prefix}.bias"])


def test_the_copies_are_copies():
    shallow, deep = net("A", seed=1), net("B", seed=2)
    copy_shallow(shallow, deep)
    with torch.no_grad():
        shallow.layers["conv1_1"].weight.zero_()
    assert deep.layers["conv1_1"].weight.any()


def test_copying_takes_no_random_number_and_no_gradient():
    shallow, deep = net("A", seed=1), net("E", seed=2)
    random = torch.get_rng_state()
    copy_shallow(shallow, deep)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None and p.requires_grad for p in deep.parameters())


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ({"classes": 11}, r"fc8 has weights of shape \(10, 512\) in the shallow net and \(11, 512\)"),
        ({"width": 1 / 4}, r"conv1_1 has weights of shape \(8, 3, 3, 3\).*same width"),
        ({"input_size": 64}, "fc6 has weights of shape"),
        ({"hidden": ()}, r"fc6 has weights of shape \(512, 64\) in the shallow net and \(10, 64\)"),
    ],
)
def test_nets_that_do_not_fit_are_refused_and_nothing_is_copied(variant, words):
    shallow, deep = net("A", seed=1), net("D", seed=2, **variant)
    before = {name: tensor.clone() for name, tensor in deep.state_dict().items()}
    with pytest.raises(ValueError, match=words):
        copy_shallow(shallow, deep)
    assert all(torch.equal(before[name], tensor) for name, tensor in deep.state_dict().items())


def test_a_layer_that_the_deeper_net_lacks_is_named():
    other = vgg(Configuration.parse("conv3-8 maxpool conv3-16 maxpool conv3-32 FC-10", input_size=32))
    with pytest.raises(ValueError, match=r"the deeper net has no layer conv3_2; it has conv1_1, pool1"):
        copy_shallow(net("A"), other)


# --- filters that pass their input on ---


@pytest.mark.parametrize(("inputs", "outputs", "kernel"), [(3, 16, 3), (16, 16, 3), (16, 4, 3), (8, 8, 5), (8, 8, 1)])
def test_dirac_passes_on_as_many_channels_as_it_can_and_draws_the_rest(inputs, outputs, kernel):
    layer, plain = (nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2) for _ in range(2))
    initialize(layer, "dirac", seeded())
    initialize(plain, "torch", seeded())
    same = min(inputs, outputs)
    images = torch.randn(2, inputs, 6, 7, generator=seeded())
    assert torch.equal(layer(images)[:, :same], images[:, :same])
    assert torch.equal(layer.weight[same:], plain.weight[same:])


def test_a_deep_net_that_begins_with_dirac_hands_the_picture_down():
    model = vgg("E", input_size=32, width=1 / 8, classes=3, hidden=(), initialization="dirac", generator=seeded())
    images = torch.rand(2, 3, 32, 32, generator=seeded())  # nothing negative for a ReLU to take
    assert torch.allclose(model.features(images)[:, :3, 0, 0], images.amax((2, 3)))  # five max-pools: the brightest


def test_no_gain_is_claimed_for_filters_that_are_not_random():
    with pytest.raises(ValueError, match="'dirac' has filters that are not random"):
        gains("D", "dirac")


# --- the full-size measurement ---

SCHEMES_IN_ORDER = ("paper", "std-0.01", "glorot", "he", "torchvision", "torch")
REFERENCE = {  # the course's reference, "init against trainability": two smooth images, one seed, two digits
    ("A", "pixel", "logits"): (1.0e8, 1.4e-3, 1.43, 20.3, 3.6, 0.016),
    ("A", "pixel", "loss"): (2.5e8, 6.907, 8.0, 62.5, 11.1, 6.893),
    ("A", "pixel", "relative_gradient"): (None, 0.12, None, None, None, None),
    ("D", "pixel", "logits"): (3.8e10, 3.3e-6, 0.19, 13.4, 2.9, 0.0098),
    ("D", "unit", "logits"): (4.5e8, 4.5e-8, 2.8e-3, 0.19, 0.040, 0.0097),
    ("D", "pixel", "relative_gradient"): (5e10, 3.6e-4, 0.66, 81, 12.6, 7.2e-5),
    ("D", "unit", "relative_gradient"): (8e8, 5.1e-6, 0.0125, 0.78, 0.16, 1.5e-6),
}


@pytest.fixture(scope="module")
def measured():
    return results.load("initialization_signal")


def distances(measured):
    """How many spreads each value of the reference lies from our mean. It has two digits, so 5 % are forgiven."""
    for (letter, scale, part), row in REFERENCE.items():
        for scheme, value in zip(SCHEMES_IN_ORDER, row, strict=True):
            if value is not None:
                found = measured["nets"][letter][scale][scheme][part]
                apart = max(0.0, abs(log(value / found["mean"])) - 0.05)
                yield (letter, scale, part, scheme), apart and apart / log(found["factor"])


def test_the_reference_lies_within_the_stated_spread(measured):
    found = dict(distances(measured))
    assert len(found) == 37
    assert {key: spreads for key, spreads in found.items() if spreads > 2} == {}
    assert sum(spreads <= 1 for spreads in found.values()) >= 0.6 * len(found)


def test_every_scheme_was_measured_in_both_nets_at_both_scales_with_every_seed(measured):
    assert len(measured["seeds"]) >= 5
    for letter, depth in (("A", 11), ("D", 16)):
        for scale in ("pixel", "unit"):
            found = measured["nets"][letter][scale]
            assert {*found} == {*RANDOM, "he_bn"}
            for entry in found.values():
                for part in ("loss", "logits", "relative_gradient"):
                    assert entry[part]["n"] == len(entry[part]["values"]) == len(measured["seeds"])
                    mean = prod(entry[part]["values"]) ** (1 / entry[part]["n"])
                    assert entry[part]["mean"] == pytest.approx(mean, rel=1e-3)
                assert len(entry["layers"]) == depth
                assert entry["layers"]["conv1_1"]["relative_gradient"]["mean"] == entry["relative_gradient"]["mean"]


def test_no_run_with_the_literal_initialization_survives_the_first_step(measured):
    training = measured["literal_training"]
    assert training["learning_rate"] == paper.TRAINING["learning_rate"]
    assert training["momentum"] == paper.TRAINING["momentum"]
    for runs in training["losses"].values():
        assert len(runs) == len(training["seeds"]) >= 3
        assert all(len(losses) == 2 and losses[0] > 1e6 and losses[1] is None for losses in runs)
    pixel, unit = (training["losses"][scale] for scale in ("pixel", "unit"))  # the reference: 4.8e8 and 7.4e6
    assert min(losses[0] for losses in pixel) < 4.8e8 < max(losses[0] for losses in pixel)
    assert min(losses[0] for losses in unit) < 7.4e6 < max(losses[0] for losses in unit)


def test_only_the_net_a_passes_a_gradient_from_one_hundredth(measured):
    share = {letter: measured["nets"][letter]["pixel"]["std-0.01"]["relative_gradient"] for letter in "AD"}
    assert min(share["A"]["values"]) > 100 * max(share["D"]["values"])


@pytest.mark.parametrize("seed", [0])
def test_one_seed_measured_again_gives_what_is_stored(measured, seed):
    from experiments.initialization_signal import BATCH, batch

    model = vgg("A", initialization="std-0.01", generator=seeded(seed))
    found = signal(model, *batch(BATCH, seed))
    stored = measured["nets"]["A"]["unit"]["std-0.01"]
    assert found.logits == pytest.approx(stored["logits"]["values"][seed], rel=1e-2)
    assert found["conv1_1"].relative_gradient == pytest.approx(stored["relative_gradient"]["values"][seed], rel=1e-2)
    for layer in found:
        entry = stored["layers"][layer.name]["output"]
        assert abs(log(layer.output / entry["mean"])) < 3 * log(entry["factor"])
