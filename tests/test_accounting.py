import random
from math import prod

import pytest
import torch
import torchinfo
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from vgg_course import paper
from vgg_course.accounting import ledger, measured_saved_bytes, saved_for_backward
from vgg_course.configuration import CONFIGURATIONS, Configuration
from vgg_course.model import vgg

PARAMETERS = {
    "A": 132_863_336,
    "A-LRN": 132_863_336,
    "B": 133_047_848,
    "C": 133_638_952,
    "D": 138_357_544,
    "E": 143_667_240,
}
WEIGHTS_FILES = {
    "A": torchvision.models.VGG11_Weights,
    "B": torchvision.models.VGG13_Weights,
    "D": torchvision.models.VGG16_Weights,
    "E": torchvision.models.VGG19_Weights,
}


def random_words(draw):
    """A plain network: convolutions and pools with any kernel, stride and padding that fit, then a classifier."""
    words, size = [], 64
    for _ in range(draw.randint(1, 7)):
        kernel, stride = draw.randint(1, 7), draw.choice([1, 1, 1, 2, 3])
        if draw.random() < 0.3:
            padding = draw.randint(0, kernel // 2)
            word = f"maxpool{kernel}/s{stride}/p{padding}"
        else:
            padding = draw.randint(0, 3)
            word = f"conv{kernel}-{draw.randint(1, 9)}/s{stride}/p{padding}"
        if size + 2 * padding >= kernel:
            words.append(word)
            size = (size + 2 * padding - kernel) // stride + 1
    return " ".join([*words, f"FC-{draw.randint(1, 20)}", "FC-3"])


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_parameters_are_those_of_table_2_and_of_torch(name):
    with torch.device("meta"):
        by_torch = sum(p.numel() for p in vgg(name).parameters())
    assert ledger(name).parameters == PARAMETERS[name] == by_torch
    assert round(ledger(name).parameters / 1e6) == paper.TABLE_2[name]


@pytest.mark.parametrize("name", WEIGHTS_FILES)
def test_parameters_and_macs_are_those_torchvision_records(name):
    meta = WEIGHTS_FILES[name].IMAGENET1K_V1.meta
    assert ledger(name).parameters == meta["num_params"]
    assert ledger(name).macs / 1e9 == pytest.approx(meta["_ops"], abs=0.0051)  # recorded with two or three decimals


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_macs_are_half_the_flops_that_torch_counts(name):
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        vgg(name)(torch.empty(1, 3, 224, 224))
    assert 2 * ledger(name).macs == counter.get_total_flops()


def test_macs_of_d_by_pen_and_paper():
    grids = [(224, 3, 64), (224, 64, 64), (112, 64, 128), (112, 128, 128), (56, 128, 256), *[(56, 256, 256)] * 2]
    grids += [(28, 256, 512), *[(28, 512, 512)] * 2, *[(14, 512, 512)] * 3]
    convolutions = sum(n * n * 9 * a * b for n, a, b in grids)
    assert ledger("D").macs == 15_470_264_320 == convolutions + 25088 * 4096 + 4096 * 4096 + 4096 * 1000


def test_the_listed_activations_add_up_to_61_mb_and_not_to_96():
    costs = ledger("D")
    assert costs.values == 15_237_608 == sum(prod(row.shape) for row in costs)
    assert costs.activation_bytes == 60_950_432


def test_parts_add_up_to_the_whole():
    costs = ledger("D")
    parts = (costs.convolutional, costs.pooling, costs.fully_connected)
    assert sum(part.parameters for part in parts) == costs.parameters
    assert sum(part.macs for part in parts) == costs.macs
    assert sum(part.values for part in parts) + costs["input"].values == costs.values
    assert costs.fully_connected.parameters == 123_642_856  # the same in all six


def test_biases_are_one_an_output_channel():
    assert (ledger("D").weights, ledger("D").biases) == (138_344_128, 13_416)


@pytest.mark.parametrize("seed", range(25))
def test_random_plain_networks_agree_with_torch(seed):
    draw = random.Random(seed)
    configuration = Configuration.parse(random_words(draw), input_size=64, batch_norm=draw.random() < 0.5)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model = vgg(configuration)
        model(torch.empty(1, 3, 64, 64))
    costs = ledger(configuration)
    assert costs.parameters == sum(p.numel() for p in model.parameters())
    assert 2 * costs.macs == counter.get_total_flops()


def test_torchinfo_agrees_once_its_conventions_are_known():
    with torch.device("meta"):
        summary = torchinfo.summary(vgg("D"), (1, 3, 224, 224), device="meta", verbose=0)
    costs = ledger("D")
    outputs = sum(row.values for row in costs if row.weights)
    assert summary.total_mult_adds == costs.macs + outputs
    assert summary.total_output_bytes == 2 * 4 * outputs


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_autograd_keeps_is_predicted_to_the_byte(name, batch, batch_norm):
    model = vgg(name, input_size=32, width=1 / 8, classes=10, batch_norm=batch_norm)
    images = torch.zeros(batch, 3, 32, 32)
    predicted = saved_for_backward(model.configuration, batch).bytes
    assert measured_saved_bytes(model.train(), images) == predicted


def test_without_dropout_its_mask_is_not_kept():
    model = vgg("A", input_size=32, width=1 / 8, classes=10)
    predicted = saved_for_backward(model.configuration, dropout=False).bytes
    assert measured_saved_bytes(model.eval(), torch.zeros(1, 3, 32, 32)) == predicted


def test_half_precision_halves_the_bytes_and_nothing_else():
    full, half = ledger("D"), ledger("D", "bfloat16")
    assert half.activation_bytes * 2 == full.activation_bytes
    assert half.parameters == full.parameters


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="dtype is 'int3'; the ledger knows float64, float32"):
        ledger("D", "int3")


def test_an_unknown_line_names_those_there_are():
    with pytest.raises(KeyError, match="no line 'fc9' in the ledger; there are input, conv1_1"):
        ledger("D")["fc9"]


def test_the_printed_columns_add_up_to_the_printed_total():
    lines = repr(ledger("B")).splitlines()
    body = [line.split() for line in lines[4:-2]]
    total = lines[-1].split()
    macs = sum(int(row[-1].replace(",", "")) for row in body)
    assert f"{macs:,}" == total[-1]


def test_the_html_table_has_a_caption_and_headers():
    html = ledger("A")._repr_html_()
    assert "<caption>" in html
    assert '<th scope="col"' in html
    assert html.count("<tr>") == len(ledger("A")) + 2
