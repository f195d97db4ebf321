"""Muon: equal steps in all directions for the filters, SGD for everything else."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.test_training import SHORT, dataset, net
from vgg_course import training
from vgg_course.optimizers import Muon, orthogonalized
from vgg_course.training import Recipe, TrainingError, fit


def matrix(rows, columns, values=None, seed=0):
    """A random matrix, in float64, with these singular values."""
    generator = torch.Generator().manual_seed(seed)
    random = torch.randn(rows, columns, dtype=torch.float64, generator=generator)
    u, s, v = torch.linalg.svd(random, full_matrices=False)
    return u @ torch.diag(s if values is None else torch.tensor(values, dtype=torch.float64)) @ v


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8)])
def test_the_directions_stay_and_their_lengths_become_nearly_equal(shape):
    before = matrix(*shape, values=[10.0, 8, 6, 4, 3, 2][: min(shape)] + [2.0] * (min(shape) - 6))
    after = orthogonalized(before, iterations=5)
    u, _, v = torch.linalg.svd(before, full_matrices=False)
    turned = u.T @ after @ v.T  # diagonal, if the directions are the same
    assert torch.allclose(turned, torch.diag(turned.diag()), atol=1e-10)
    assert 0.6 < turned.diag().min() <= turned.diag().max() < 1.25


def test_three_iterations_take_a_tenth_to_more_than_half():
    """As its docstring says; the matrix is divided by its length, here nearly the largest singular value."""
    _, values, _ = torch.linalg.svd(orthogonalized(matrix(2, 9, [1.0, 0.1])))
    assert 0.6 < values.min() <= values.max() < 1.2


def test_the_length_of_a_gradient_does_not_matter_and_none_is_no_step():
    before = matrix(5, 9)
    assert torch.allclose(orthogonalized(1e4 * before), orthogonalized(before), atol=1e-6)
    assert not orthogonalized(torch.zeros(3, 4)).any()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
@pytest.mark.parametrize("shape", [(6, 20), (8, 8)])
def test_a_matrix_takes_the_step_that_torchs_own_muon_takes(shape):
    weight = nn.Parameter(torch.zeros(shape))
    weight.grad = matrix(*shape).float()
    ours = orthogonalized(weight.grad.bfloat16(), iterations=5)
    torch.optim.Muon([weight], lr=1.0, weight_decay=0, momentum=0, nesterov=False).step()
    assert torch.allclose(
        -weight, ours.float(), atol=0.05
    )  # bfloat16 has two or three digits, and there are five rounds


def test_the_learning_rate_says_by_which_share_of_their_length_the_filters_move():
    filters = nn.Parameter(torch.randn(16, 8, 3, 3, generator=torch.Generator().manual_seed(1)))
    filters.grad = torch.randn(16, 8, 3, 3, generator=torch.Generator().manual_seed(2))
    before = filters.detach() * math.sqrt(16) / filters.detach().norm()  # of the length that they are kept at
    Muon([filters], [], precision=torch.float32, lr=0.1, momentum=0.9, nesterov=True).step()
    assert 0.08 < (filters - before).norm() / before.norm() < 0.12
    assert filters.grad is None


def test_a_second_step_remembers_the_first():
    """v = 0.6 v + g, and the step goes along g + 0.6 v."""
    gradients = [matrix(4, 9, seed=s).float().reshape(4, 1, 3, 3) for s in (3, 4)]
    filters = nn.Parameter(torch.ones(4, 1, 3, 3))
    muon = Muon([filters], [], precision=torch.float32, lr=0.1, momentum=0.9)
    for gradient in gradients:
        filters.grad = gradient.clone()
        before = filters.detach() * 2 / filters.detach().norm()
        muon.step()
    ahead = gradients[1] + 0.6 * (0.6 * gradients[0] + gradients[1])
    expected = before - 0.1 * orthogonalized(ahead.flatten(1)).reshape(4, 1, 3, 3)
    assert torch.allclose(filters, expected, atol=1e-6)


def test_what_is_no_convolution_takes_the_very_steps_of_sgd():
    def linear():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))

    one, other = linear(), linear()
    fit(one, dataset(), SHORT)
    fit(other, dataset(), SHORT, optimizer="muon")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_net_with_convolutions_learns_by_it(precision):
    model = net()
    start = functional.cross_entropy(torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64)).item()
    history = fit(model, dataset(), SHORT, optimizer="muon", epochs=6, precision=precision)
    assert history[-1].train_loss < start / 1.2
    assert model[0].weight.norm().item() == pytest.approx(math.sqrt(8), rel=0.2)
    assert history.recipe.optimizer == "muon"


def test_weight_decay_pulls_on_the_last_layer_and_not_on_filters():
    model = net()
    filters, weights, _ = training._optimizer(model, Recipe(optimizer="muon", weight_decay=0.1), "float32").param_groups
    assert (filters["params"], filters["weight_decay"]) == ([model[0].weight], 0)
    assert (weights["params"], weights["weight_decay"]) == ([model[6].weight], 0.1)


def test_filters_that_begin_at_zero_move_and_do_not_become_nan():
    filters = nn.Parameter(torch.zeros(4, 1, 3, 3))
    filters.grad = matrix(4, 9).float().reshape(4, 1, 3, 3)
    Muon([filters], [], precision=torch.float32, lr=0.1, momentum=0.9).step()
    assert filters.isfinite().all()
    assert filters.any()


def test_frozen_filters_stay_as_they_are():
    model = net()
    model[0].weight.requires_grad_(False)
    before = model[0].weight.clone()
    fit(model, dataset(), SHORT, optimizer="muon")
    assert torch.equal(model[0].weight, before)


def test_a_gradient_that_is_no_number_is_found():
    model = net()
    with torch.no_grad():
        model[0].weight[0, 0, 0, 0] = math.nan
    with pytest.raises(TrainingError):
        fit(model, dataset(), SHORT, optimizer="muon")


def test_another_optimizer_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"optimizer is 'adam'; it can be sgd, muon\."):
        Recipe(optimizer="adam")
