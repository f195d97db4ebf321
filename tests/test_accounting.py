import random
from math import prod

import pytest
import torch
import torchinfo
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from vgg_course import paper
from vgg_course.accounting import (
    CONVENTIONS,
    activation_memories,
    activation_memory,
    ledger,
    measured_peak_bytes,
    measured_saved_bytes,
    saved_for_backward,
    training_memory,
)
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


# --- activations under named conventions, and all that training keeps ---


def on_meta(configuration, batch=1, **variant):
    """A net and images with sizes and no numbers: full size costs neither memory nor time."""
    with torch.device("meta"):
        model = vgg(configuration, **variant)
        return model, torch.empty(batch, *model.configuration.input_shape)


def outputs_by_hooks(model, images, kinds):
    """Values that come out of the modules of these kinds, the input included."""
    counts = [images.numel()]
    for module in model.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(lambda module, args, output: counts.append(output.numel()))
    model(images)
    return sum(counts)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_autograd_keeps_at_full_size_is_predicted_to_the_byte(name, batch, batch_norm):
    model, images = on_meta(name, batch, batch_norm=batch_norm)
    predicted = saved_for_backward(model.configuration, batch).bytes
    assert measured_saved_bytes(model.train(), images) == predicted


def test_the_meta_device_tells_what_a_real_forward_pass_of_d_keeps():
    with torch.no_grad(), torch.random.fork_rng():  # half a gigabyte of weights, one second
        model = vgg("D").train()
    assert measured_saved_bytes(model, torch.zeros(1, 3, 224, 224)) == saved_for_backward("D").bytes == 73_254_912


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_autocast_keeps_copies_of_the_weights_as_well(name, batch, batch_norm):
    model = vgg(name, input_size=32, width=1 / 8, classes=10, batch_norm=batch_norm).train()
    with torch.autocast("cpu", torch.bfloat16):
        measured = measured_saved_bytes(model, torch.zeros(batch, 3, 32, 32))
    predicted = saved_for_backward(model.configuration, batch, precision="autocast")
    assert measured == predicted.bytes
    copies = [row.bytes for row in predicted if row.why == "copies of the weights"]
    assert copies == [2 * sum(p.numel() for p in model.parameters() if p.ndim > 1)]


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("name", ["A", "B", "C", "D", "E"])  # torch has no bfloat16 for A-LRN's norm on a CPU
def test_pure_bfloat16_halves_all_but_the_positions_of_the_pools(name, batch_norm):
    model = vgg(name, input_size=32, width=1 / 8, classes=10, batch_norm=batch_norm).train().bfloat16()
    predicted = saved_for_backward(model.configuration, 2, precision="bfloat16")
    assert measured_saved_bytes(model, torch.zeros(2, 3, 32, 32, dtype=torch.bfloat16)) == predicted.bytes
    full = saved_for_backward(model.configuration, 2)
    assert predicted.index_bytes == full.index_bytes
    assert 2 * (predicted.bytes - predicted.index_bytes) == full.bytes - full.index_bytes


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_peak_of_inference_is_the_largest_input_and_output_together(name):
    model, images = on_meta(name)
    with torch.no_grad():
        measured = measured_peak_bytes(lambda: model.eval()(images))
    assert measured == activation_memory(name, "inference").bytes


def test_the_peak_of_inference_of_d_is_that_of_conv1_2():
    costs = ledger("D")
    assert costs.peak_values == costs["conv1_1"].values + costs["conv1_2"].values == 6_422_528


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_listed_and_separate_relu_outputs_are_what_hooks_count(name):
    kinds = (torch.nn.Conv2d, torch.nn.MaxPool2d, torch.nn.LocalResponseNorm, torch.nn.Linear)
    listed = outputs_by_hooks(*on_meta(name), kinds)
    with_relu = outputs_by_hooks(*on_meta(name), (*kinds, torch.nn.ReLU))
    assert activation_memory(name, "listed outputs").bytes == 4 * listed
    assert activation_memory(name, "separate ReLU outputs").bytes == 4 * with_relu
    assert activation_memory(name, "data and gradients").bytes == 8 * listed


def test_the_conventions_of_d_in_values():
    assert activation_memory("D", "separate ReLU outputs").bytes == 4 * 28_793_320
    assert activation_memory("D", "inference").bytes == 4 * 6_422_528
    assert round(4 * 24e6 / 1e6) == 96  # and none of them is that
    assert all(abs(row.bytes / 96e6 - 1) > 0.15 for row in activation_memories("D"))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_without_batch_norm_every_convention_grows_with_the_batch(convention):
    one, eight = (activation_memory("B", convention, batch).bytes for batch in (1, 8))
    assert eight == 8 * one


def test_the_one_table_shows_megabytes_of_both_kinds():
    table = repr(activation_memories("D"))
    assert "60.95" in table
    assert "58.13" in table
    assert len(activation_memories("D")) == len(CONVENTIONS) + 3
    assert activation_memories("D")._repr_html_().count("<tr>") == len(CONVENTIONS) + 4


def test_unknown_conventions_and_precisions_are_refused():
    with pytest.raises(ValueError, match="convention is 'all'; there are listed outputs, separate"):
        activation_memory("D", "all")
    for convention in ("listed outputs", "saved for backward"):
        with pytest.raises(ValueError, match="precision is 'int8'; there are float32, bfloat16, autocast"):
            activation_memory("D", convention, precision="int8")


def test_the_fixed_part_of_training_is_three_numbers_a_parameter():
    assert training_memory("D").fixed == 12 * PARAMETERS["D"]
    assert training_memory("D", optimizer_values=2).fixed == 16 * PARAMETERS["D"]  # Adam
    assert training_memory("D", precision="bfloat16").fixed == 6 * PARAMETERS["D"]


def test_activations_of_d_pass_the_fixed_part_between_22_and_23_images():
    memory = training_memory("D")
    assert memory.break_even_batch == pytest.approx(12 * 138_357_544 / 73_254_912)
    assert training_memory("D", 22).activations < memory.fixed < training_memory("D", 23).activations


@pytest.mark.parametrize("precision", ["float32", "autocast"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_break_even_batch_does_not_depend_on_the_batch_it_was_computed_at(precision, batch_norm):
    configuration = CONFIGURATIONS["D"].variant(batch_norm=batch_norm)
    one, many = (training_memory(configuration, batch, precision).break_even_batch for batch in (1, 50))
    assert one == pytest.approx(many)


@pytest.mark.parametrize(("name", "batch"), [("A", 1), ("C", 2), ("D", 1), ("D", 8), ("D", 23), ("E", 8)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_measured_peak_of_a_training_step_lies_within_two_percent_below_the_sum(name, batch, batch_norm):
    model, images = on_meta(name, batch, batch_norm=batch_norm)
    labels = torch.zeros(batch, dtype=torch.long, device="meta")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    step()  # makes the momentum
    optimizer.zero_grad()
    memory = training_memory(model.configuration, batch)
    measured = measured_peak_bytes(step) + memory.weights + memory.optimizer + 4 * images.numel()
    assert 0.98 <= measured / memory.bytes <= 1


def test_two_thousand_random_plain_networks_agree_with_torch(monkeypatch):
    for kind in (torch.nn.Conv2d, torch.nn.Linear):
        monkeypatch.setattr(kind, "reset_parameters", lambda self: None)  # weights without numbers need no start
    monkeypatch.setattr("vgg_course.model.initialize", lambda model, scheme, generator: None)
    draw = random.Random(0)
    for _ in range(2000):
        words = random_words(draw)
        configuration = Configuration.parse(words, input_size=64, batch_norm=draw.random() < 0.5)
        batch = draw.randint(2, 3)  # a batch norm cannot train on one value a channel
        model, images = on_meta(configuration, batch)
        shapes = []
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.MaxPool2d | torch.nn.Linear):
                module.register_forward_hook(lambda module, args, output, to=shapes: to.append(tuple(output.shape[1:])))
        costs = ledger(configuration)
        assert measured_saved_bytes(model.train(), images) == saved_for_backward(configuration, batch).bytes, words
        assert [row.shape for row in costs if row.kind not in ("input", "normalization")] == shapes, words
        assert costs.parameters == sum(p.numel() for p in model.parameters()), words


def test_a_net_with_nothing_to_learn_keeps_nothing():
    assert saved_for_backward(Configuration.parse("maxpool")).bytes == 0
