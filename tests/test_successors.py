"""Twins with and without shortcuts, separable layers, counts of any net, and the figures of the chapter."""

import matplotlib as mpl
import pytest

mpl.use("Agg")

import torch
from torch import nn

from vgg_course import plots
from vgg_course.accounting import ledger, saved_for_backward
from vgg_course.model import vgg
from vgg_course.successors import (
    NETS,
    Block,
    DeepNet,
    blank,
    blocks,
    gradients,
    kept_bytes,
    macs,
    parameters,
    pass_on,
    recorded,
    separable,
)

# --- twins ---


def test_a_plain_net_and_its_residual_twin_have_the_same_parameters_by_the_same_names():
    plain, residual = DeepNet(14, skips=False, width=4), DeepNet(14, skips=True, width=4)
    residual.load_state_dict(plain.state_dict())
    assert macs(plain, 32) == macs(residual, 32)


@pytest.mark.parametrize(("depth", "count"), [(8, 3), (20, 9), (44, 21), (110, 54)])
def test_depth_counts_convolutions_and_the_last_layer(depth, count):
    net = DeepNet(depth, skips=True, width=2)
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth
    assert len(blocks(net)) == count


def test_the_width_of_the_paper_gives_the_papers_parameters():
    """Table 6 of He et al. 2015: 0.27 M for ResNet-20, 0.66 M for ResNet-44."""
    assert round(parameters(DeepNet(20, True, classes=10)) / 1e6, 2) == 0.27
    assert round(parameters(DeepNet(44, True, classes=10)) / 1e6, 2) == 0.66


@pytest.mark.parametrize("depth", [0, 2, 9, 18, -4])
def test_a_depth_that_is_no_depth_is_named(depth):
    with pytest.raises(ValueError, match=r"6 n \+ 2"):
        DeepNet(depth, skips=True)


def test_a_residual_block_that_adds_nothing_is_the_identity_and_a_plain_one_is_zero():
    x = torch.rand(3, 4, 6, 6)
    for skip in (True, False):
        block = Block(4, 4, skip)
        nn.init.zeros_(block.norm2.weight)
        assert torch.equal(block(x), x if skip else torch.zeros_like(x))


def test_a_shortcut_takes_every_second_pixel_and_fills_with_zeros():
    x, block = torch.rand(2, 3, 6, 6), Block(3, 6, skip=True)
    nn.init.zeros_(block.norm2.weight)
    y = block(x)
    assert y.shape == (2, 6, 3, 3)
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()


def test_stages_halve_the_grid_and_cost_the_same_a_layer():
    counted = macs(DeepNet(14, skips=False, width=8), 32)
    assert len({counted[f"{place}.conv2"] for place in range(3, 9)}) == 1


def test_passing_on_makes_convolutions_identities():
    net, x = DeepNet(8, skips=False, width=4), torch.rand(1, 4, 8, 8)
    pass_on(net)
    first, second = blocks(net)[:2]
    assert torch.equal(first.conv1(x), x)
    assert torch.equal(second.conv1(x)[:, :4], x[:, :, ::2, ::2])


def test_gradients_are_those_of_autograd():
    net, images, labels = DeepNet(8, skips=True, width=4), torch.randn(6, 3, 16, 16), torch.tensor([0, 1, 2] * 2)
    found = gradients(net, images, labels)
    kept = []
    for block in blocks(net):
        block.register_forward_hook(lambda m, i, o: (o.retain_grad(), kept.append(o))[1])
    nn.functional.cross_entropy(net(images), labels).backward()
    assert found == pytest.approx([x.grad.square().mean().sqrt().item() for x in kept], rel=1e-4)


# --- separable layers ---


def test_a_separable_vgg_gives_logits_of_the_same_shape_and_leaves_the_dense_one_alone():
    dense = vgg("A", input_size=32, width=1 / 16, hidden=(), classes=3, batch_norm=True)
    before = {name: value.clone() for name, value in dense.state_dict().items()}
    thin = separable(dense, torch.Generator().manual_seed(0))
    assert thin(torch.randn(2, 3, 32, 32)).shape == (2, 3)
    assert all(torch.equal(value, before[name]) for name, value in dense.state_dict().items())
    assert isinstance(thin.features[0], nn.Conv2d)


def test_a_separable_vgg_repeats_from_its_seed():
    dense = vgg("A", input_size=32, width=1 / 16, hidden=(), classes=3)
    one, same = (separable(dense, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))


def test_each_convolution_costs_its_share():
    """1 / C' + 1 / 9 of the dense layer, for all but the first."""
    thin, dense = macs(separable(blank("vgg16"))), ledger("D")
    rows = [row for row in dense if row.kind == "convolution"]
    features = [place for place, module in enumerate(blank("vgg16").features) if isinstance(module, nn.Conv2d)]
    for place, row in zip(features[1:], rows[1:], strict=True):
        assert thin[f"features.{place}"] * 9 * row.shape[0] == row.macs * (9 + row.shape[0])


# --- counting ---


@pytest.mark.parametrize(("name", "letter"), [("vgg11", "A"), ("vgg13", "B"), ("vgg16", "D"), ("vgg19", "E")])
def test_counts_records_and_the_ledger_agree_on_vgg(name, letter):
    ours, record = ledger(letter), recorded(name)
    assert parameters(blank(name)) == ours.parameters == record.parameters
    assert macs(blank(name))[""] == ours.macs
    assert round(ours.macs / 1e9, 3) == record.gigamacs


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "resnet50", "mobilenet_v3_small", "densenet121"])
def test_records_name_macs_gflops(name):
    assert abs(macs(blank(name))[""] / 1e9 - recorded(name).gigamacs) < 0.0015


def test_what_is_kept_of_a_further_image_is_what_is_predicted():
    def predicted(batch):
        return saved_for_backward("D", batch=batch).bytes

    assert kept_bytes(vgg("D").to("meta")) == predicted(3) - predicted(2)


def test_counting_leaves_the_mode_as_it_was():
    for mode in (True, False):
        net = blank("resnet18").train(mode)
        macs(net), kept_bytes(net)
        assert net.training is mode


def test_unknown_weights_are_named():
    with pytest.raises(ValueError, match="'IMAGENET1K_V9' of a net 'vgg16'"):
        recorded("vgg16", "IMAGENET1K_V9")
    with pytest.raises(ValueError, match="'vgg17'"):
        recorded("vgg17")


def test_every_net_of_the_list_has_a_record():
    assert all(50 < recorded(name).top_1 < 90 for name in NETS)


# --- figures ---


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_bars_begin_at_zero_and_carry_their_values():
    axes = plots.costs_of_nets({"M": {"a": 61.1, "b": 0.3}, "%": {"a": 71.0, "b": 56.0}}, ["a"])
    assert words(axes[0]) == ["61.1", "0.30"]
    assert [bar.get_x() for bar in axes[0].patches] == [0, 0]
    assert [bar.get_hatch() for bar in axes[0].patches] == ["////", None]
    assert axes[0].get_xlim()[0] == 0


def test_points_have_their_names_beside_them_and_groups_their_markers():
    ax = plots.in_proportion({"one": {"a": (1, 2), "b": (10, 3)}, "two": {"c": (5, 5)}}, "MACs", "time", {"c": (-7, 3)})
    assert words(ax) == ["a", "b", "c"]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    assert ax.get_yscale() == "log"


def test_two_recipes_show_their_gain():
    ax = plots.two_recipes({"net": (76.0, 80.5)}, {"old": 71.6})
    assert "80.5   (+4.5)" in words(ax)
    assert "71.6" in words(ax)


def run(*curve):
    return {"curve": list(curve)}


def found():
    def arm(*accuracies):
        return {
            str(depth): {
                "train_accuracy": {"values": [a, a + 0.01]},
                "validation_accuracy": {"values": [a - 0.02, a]},
                "runs": [run(0.5, a), run(0.6, a)],
            }
            for depth, a in zip((8, 20), accuracies, strict=True)
        }

    return {"arms": {"plain": arm(0.9, 0.8), "dirac": arm(0.91, 0.85), "residual": arm(0.9, 0.93)}}


def test_errors_against_depth_name_each_arm_at_its_end():
    axes = plots.depth_by_arm(found())
    assert [sorted(words(ax)) for ax in axes] == [["plain", "plain, dirac", "residual"]] * 2
    assert axes[0].get_ylim()[0] == 0
    means = [line for line in axes[0].lines if line.get_linestyle() != "None"]
    assert list(means[0].get_ydata()) == pytest.approx([9.5, 19.5])


def test_errors_by_epoch_have_a_line_a_depth():
    axes = plots.errors_by_epoch(found())
    assert [sorted(words(ax)) for ax in axes] == [["20 layers", "8 layers"]] * 2
    assert list(axes[0].lines[0].get_ydata()) == pytest.approx([45, 10])


def test_gradients_are_shown_over_the_last():
    ax = plots.gradient_by_block({"plain": [8.0, 4.0, 2.0], "residual": [1.0, 1.0, 1.0]})
    assert list(ax.lines[0].get_ydata()) == [4, 2, 1]
    assert words(ax) == ["plain", "residual"]


def test_work_by_stage_is_in_billions():
    axes = plots.work_by_stage({"a": {"one": 2e9, "two": 1e9}, "b": {"one": 1e8}})
    assert words(axes[0]) == ["2.00", "1.00"]
    assert words(axes[1]) == ["0.10"]
