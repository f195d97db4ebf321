"""A trained net put to use on new classes: what learns, what stays, and at which rate."""

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from vgg_course import adaptation, data, trained
from vgg_course.adaptation import Batches, parts, rates, tune, with_new_head
from vgg_course.data import DataError
from vgg_course.model import vgg
from vgg_course.recipes import small_vgg
from vgg_course.training import TrainingError


def tiny(**changes):
    return small_vgg(width=1 / 16, **changes)


@pytest.fixture(scope="module")
def pictures():
    return adaptation.blossoms(6, seed=0)


def prepare(images):
    return images.float() / 128 - 1


@pytest.fixture
def batches(pictures):
    return Batches(*pictures, prepare, size=14)


def state(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def changed(net, before):
    return [name for name, value in net.state_dict().items() if not torch.equal(value, before[name])]


# --- head and parts ---


def test_a_new_head_leaves_the_old_net_and_all_other_layers_alone():
    old = trained.load("small_vgg")
    before = state(old)
    new = with_new_head(old, 7, torch.Generator().manual_seed(0))
    assert changed(old, before) == []
    assert new.classifier[-1].out_features == new.configuration.classes == 7
    assert all(torch.equal(new.state_dict()[n], v) for n, v in before.items() if not n.startswith("classifier"))
    assert new(torch.zeros(1, 3, 32, 32)).shape == (1, 7)


def test_the_parts_of_a_net_hold_each_parameter_once():
    for net in (tiny(), vgg("B", input_size=32, classes=3, width=1 / 32, batch_norm=True)):
        every = [p for some in parts(net).values() for module in some for p in module.parameters()]
        assert {id(p) for p in every} == {id(p) for p in net.parameters()}
        assert len(every) == len(list(net.parameters()))


def test_torchvisions_nets_have_the_same_parts():
    with torch.device("meta"):
        net = torchvision.models.vgg16_bn()
    assert list(parts(net)) == ["block1", "block2", "block3", "block4", "block5", "fc6", "fc7", "head"]
    assert parts(net)["head"] == [net.classifier[6]]
    assert len(parts(net)["block3"]) == 6


def test_rates_fall_toward_the_image():
    found = rates(tiny(), head=0.1, decay=0.5)
    assert list(found) == ["block1", "block2", "block3", "block4", "block5", "head"]
    assert found["head"] == 0.1
    assert found["block1"] == pytest.approx(0.1 / 2**5)
    assert set(rates(tiny(), 0.1, 1).values()) == {0.1}
    assert sum(rates(tiny(), 0.1, 0).values()) == 0.1


# --- tuning ---


def test_what_is_frozen_stays_bit_for_bit_statistics_and_all(batches):
    net = tiny(classes=7)
    before = state(net)
    tune(net, batches, rates(net, 0.1, 0), 4, statistics="moving", precision="float32")
    assert changed(net, before) == ["classifier.0.weight", "classifier.0.bias"]
    assert all(p.requires_grad for p in net.parameters())


def test_a_part_with_a_rate_learns_and_still_statistics_stay(batches):
    net = tiny(classes=7)
    before = state(net)
    tune(net, batches, {**rates(net, 0.1, 0), "block5": 0.1}, 3, precision="float32")
    names = changed(net, before)
    assert any(name.startswith("features.") for name in names)
    assert not any("running" in name or "tracked" in name for name in names)
    assert all(not name.startswith("features.0.") for name in names)


def test_moving_statistics_move(batches):
    net = tiny(classes=7)
    before = state(net)
    tune(net, batches, rates(net, 0.1, 1), 2, statistics="moving", precision="float32")
    assert any("running_mean" in name for name in changed(net, before))


def test_it_learns_repeats_and_leaves_the_mode(pictures):
    def run():
        net = tiny(classes=7).eval()
        losses = tune(
            net, Batches(*pictures, prepare, seed=1), rates(net, 0.2, 1), 30, statistics="moving", precision="float32"
        )
        return net, losses

    (net, losses), (again, _) = run(), run()
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert changed(again, state(net)) == []
    assert not any(module.training for module in net.modules())


def test_a_small_step_is_the_rate_times_the_gradient(pictures):
    net = tiny(classes=7).eval()
    images, labels = prepare(pictures[0][:8]), pictures[1][:8]
    loss = nn.functional.cross_entropy(net(images), labels)
    gradient = torch.autograd.grad(loss, net.classifier[0].weight)[0]
    before = net.classifier[0].weight.detach().clone()
    tune(net, [(images, labels)], rates(net, 0.1, 0.3), 1, momentum=0.0, weight_decay=0.0, precision="float32")
    assert torch.allclose(net.classifier[0].weight, before - 0.1 * gradient, atol=1e-6)


def test_wrong_settings_and_runaway_losses_are_named(batches):
    net = tiny(classes=7)
    with pytest.raises(ValueError, match="the parts of this net are block1"):
        tune(net, batches, {"head": 0.1}, 1)
    with pytest.raises(ValueError, match="still or moving"):
        tune(net, batches, rates(net, 0.1, 1), 1, statistics="frozen")
    with pytest.raises(ValueError, match="no batches"):
        tune(net, [], rates(net, 0.1, 1), 1)
    with pytest.raises(TrainingError, match="lower the rates"):
        tune(net, batches, rates(net, 1e30, 1), 20, precision="float32")
    assert all(p.requires_grad for p in net.parameters())


def test_batches_have_all_images_once_and_other_guises_each_round(pictures):
    batches = Batches(*pictures, prepare=lambda images: images, size=16, seed=0)
    rounds = [list(batches) for _ in range(2)]
    assert [len(labels) for _, labels in rounds[0]] == [14, 14, 14]
    for some in rounds:
        assert torch.cat([labels for _, labels in some]).sort().values.tolist() == pictures[1].tolist()
    assert not torch.equal(rounds[0][0][0], rounds[1][0][0])


def test_transfer_in_two_stages_works_with_data_loaders(pictures):
    """What the Colab cell of the chapter does, on drawn data and a small net with hidden layers and dropout."""
    net = vgg("A", input_size=32, classes=5, width=1 / 16, batch_norm=True)
    before = state(net)
    loader = DataLoader(TensorDataset(prepare(pictures[0]), pictures[1]), batch_size=21, shuffle=True)
    new, shares = adaptation.adapt(net, loader, loader, 7, steps=(3, 3))
    assert changed(net, before) == []
    assert new.classifier[-1].out_features == 7
    assert len(shares) == 2
    assert all(0 <= share <= 1 for share in shares)


def test_the_data_set_and_weights_of_the_colab_cell_are_there_as_it_calls_them():
    from inspect import signature

    wanted = {"root", "split", "transform", "download"}
    assert wanted <= set(signature(torchvision.datasets.OxfordIIITPet).parameters)
    ready = torchvision.models.VGG16_Weights.IMAGENET1K_V1.transforms()(torch.zeros(3, 300, 400, dtype=torch.uint8))
    assert ready.shape == (3, 224, 224)


# --- support vector machines ---


def test_a_machine_separates_what_a_plane_can_and_minimizes_what_is_said():
    chance = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 2
    some = torch.randn(60, 5, generator=chance) + 2 * labels[:, None]
    machine = adaptation.svm(some, labels, C=10)
    assert adaptation.svm_accuracy(machine, some, labels) > 0.9
    x, y = adaptation.unit(some).double(), 2.0 * labels - 1
    w, b = torch.tensor(machine.coef_[0]), torch.tensor(machine.intercept_[0])

    def cost(w, b):
        return (w @ w + b * b) / 2 + 10 * (1 - y * (x @ w + b)).clamp(min=0).square().sum()

    for _ in range(20):
        step = 0.05 * torch.randn(6, generator=chance).double()
        assert cost(w, b) < cost(w + step[:5], b + step[5])


# --- new classes ---


@pytest.mark.usefixtures("nothing_of_this_machine")
def test_without_cifar_the_new_classes_are_drawn():
    found = adaptation.unseen(3, 2, 4)
    assert found.is_drawn
    assert [len(split) for split in (found.train, found.validation, found.test)] == [21, 14, 28]
    assert len(found.classes) == 7
    assert "blossoms" in found.source
    again = adaptation.unseen(3, 2, 4)
    assert torch.equal(found.test.images, again.test.images)


def test_a_damaged_copy_is_not_replaced_in_silence(tiny, nothing_of_this_machine, monkeypatch, tmp_path):
    monkeypatch.setenv("VGG_COURSE_DATA", str(tmp_path))
    with pytest.raises(DataError):
        adaptation.unseen(3, 2, 4)


def test_with_cifar_the_new_classes_are_the_seven_others():
    known = trained.card("small_vgg").classes
    assert sorted([*known, *adaptation.UNSEEN]) == sorted(data.CIFAR10_CLASSES)


def test_blossoms_repeat_and_another_seed_draws_others():
    images, labels = adaptation.blossoms(4, seed=1)
    assert (images.dtype, images.shape) == (torch.uint8, (28, 3, 32, 32))
    assert labels.bincount().tolist() == [4] * 7
    assert torch.equal(images, adaptation.blossoms(4, seed=1)[0])
    assert not torch.equal(images, adaptation.blossoms(4, seed=2)[0])
