"""What crosses the wall arrives as it was sent, and what somebody made up does not arrive."""

import io
import math

import numpy
import pytest
import torch
from torch import nn

from tools.grading.inside import wire


def crossed(value):
    noticed, kept = [], []
    encoder = wire.Encoder(lambda thing: kept.append(thing) or len(kept) - 1, noticed.append)
    buffer = io.BytesIO()
    tree = encoder(value)
    wire.send(buffer, tree, bytes(encoder.blob))
    buffer.seek(0)
    tree, blob = wire.receive(buffer.read)
    return wire.Decoder(blob, lambda tree, children: ("stand-in", tree["name"]))(tree)


PLAIN = [None, True, 0, -7, 2**80, 1.5, "text", (1, [2, {"a": (3,)}]), {1, 2}, frozenset({3}), range(2, 9, 3)]
PLAIN += [1 + 2j, b"bytes", ..., {(1, 2): None}]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_keep_value_and_kind(value):
    got = crossed(value)
    assert got == value
    assert type(got) is type(value)


def test_numbers_that_json_cannot_say():
    assert math.isnan(crossed(math.nan))
    assert crossed(-math.inf) == -math.inf


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_tensors_keep_dtype_shape_and_numbers(dtype, shape):
    value = (10 * torch.rand(shape)).to(dtype)
    got = crossed(value)
    assert got.dtype == dtype
    assert torch.equal(got, value)


def test_a_tensor_keeps_whether_it_drags_a_graph_along():
    assert crossed(torch.ones(2, requires_grad=True) * 2).requires_grad
    assert not crossed(torch.ones(2)).requires_grad


def test_strides_views_and_arrays_do_not_matter():
    value = torch.arange(12).reshape(3, 4).T[1:, ::2]
    assert torch.equal(crossed(value), value)
    array = numpy.arange(12).reshape(3, 4).T
    assert (crossed(array) == array).all()
    assert isinstance(crossed(numpy.float32(1.5)), numpy.float32)


def test_modules_of_torch_arrive_as_themselves():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 2)
    ).eval()
    got, x = crossed(net), torch.rand(2, 3, 4, 4)
    assert torch.equal(got(x), net(x))
    assert [type(m) for m in got.modules()] == [type(m) for m in net.modules()]
    assert not got.training


def test_a_module_of_somebodys_own_stays_inside():
    class Own(nn.Module):
        pass

    assert crossed(Own()) == ("stand-in", "Own")
    patched = nn.ReLU()
    patched.forward = lambda x: 0 * x
    assert crossed(patched) == ("stand-in", "ReLU")


def test_a_subclass_arrives_as_what_it_is_made_of():
    class Sly(float):
        def __eq__(self, other):
            return True

        __hash__ = None

    got = crossed([Sly(2.5)])
    assert type(got[0]) is float
    assert got == [2.5]


NOTHING = {"t": "dict", "v": []}
HUGE = {"t": "dict", "v": [["in_features", 9**9], ["out_features", 9**9], ["bias", True]]}


@pytest.mark.parametrize(
    "tree",
    [
        {"t": "tensor", "dtype": "float32", "shape": [10**9], "at": 0, "n": 4, "grad": False, "parameter": False},
        {"t": "tensor", "dtype": "load", "shape": [1], "at": 0, "n": 4, "grad": False, "parameter": False},
        {"t": "tensor", "dtype": "float32", "shape": [-1], "at": 0, "n": 4, "grad": False, "parameter": False},
        {"t": "array", "dtype": "|O", "shape": [1], "at": 0, "n": 8, "scalar": False},
        {"t": "module", "name": "Module", "training": True, "children": [], "settings": None, "state": None},
        {"t": "module", "name": "Linear", "training": True, "children": [], "state": NOTHING, "settings": HUGE},
        {"t": "nothing"},
        {"t": "__init__"},
        {},
        [],
        {"t": "list", "v": 7},
        {"t": "set", "v": [{"t": "list", "v": []}]},
        10**2000,
    ],
    ids=str,
)
def test_what_was_made_up_is_refused(tree):
    """Refused, or as harmless as an empty module of no size: never an error of another kind, never gigabytes."""
    try:
        got = wire.Decoder(b"\0" * 8, None)(tree)
    except wire.WireError:
        return
    assert isinstance(got, nn.Linear)
    assert got.weight.device.type == "meta"


@pytest.mark.parametrize("data", [b"\xff" * 16, b"\0" * 7 + b"\x05" + b"\0" * 8 + b"[[[[["])
def test_frames_that_are_none_are_refused(data):
    with pytest.raises(wire.WireError):
        wire.receive(io.BytesIO(data).read)


def test_answers_without_end_stay_inside():
    nest = []
    nest.append(nest)
    for value in (nest, [0] * 10**6, "x" * 10**6, 1 << 10**5):
        with pytest.raises(wire.WireError):
            crossed(value)
