import base64
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import FrozenInstanceError
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from vgg_course import explorers, palette
from vgg_course.configuration import CONFIGURATIONS, Configuration, ConfigurationError
from vgg_course.model import VGG, vgg

SCALE = SimpleNamespace(classes=("a", "b"), mean=(0.5, 0.4, 0.3), std=torch.tensor([0.2, 0.2, 0.3]))
IMAGES = torch.arange(2 * 3 * 8 * 8).view(2, 3, 8, 8).to(torch.uint8)


def net(words="conv3-4 maxpool FC-5 FC-2", **options):
    options = {"input_size": 8, "batch_norm": True, **options}
    return VGG(Configuration.parse(words, **options), generator=torch.Generator().manual_seed(0))


def features(net, scale=SCALE, images=IMAGES, labels=None, **options):
    return explorers.features(net, scale, images, labels, **options)


ALL = [explorers.receptive_field(), explorers.cost(), explorers.convolution(), features(net())]


@pytest.mark.parametrize("explorer", ALL, ids=lambda explorer: explorer.view)
def test_an_explorer_is_one_piece_that_asks_for_nothing(explorer):
    html = explorer._repr_html_()
    assert html == explorer.html()
    assert set(re.findall(r"\w+://[^\"'` ]+", html)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert not re.search(r"\bsrc=|\bhref=|@import|\bimport\s*\(|\bfetch\(|XMLHttpRequest", html)
    assert html.count("<script>") == html.count("</script>") == 1
    assert palette.CONVOLUTION in html
    assert "explorer" in repr(explorer)


@pytest.mark.parametrize("explorer", ALL, ids=lambda explorer: explorer.view)
def test_its_markup_is_balanced(explorer):
    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag not in ("input", "meta"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    balance = Balance()
    balance.feed(explorer.html().replace("/>", ">"))
    assert balance.open == []


def test_the_same_explorer_is_the_same_text_and_another_has_another_id():
    assert explorers.cost().html() == explorers.cost("D").html()
    several = [*ALL, explorers.cost("A"), explorers.cost(batch=4), explorers.convolution(5)]
    assert len({explorer.id for explorer in several}) == len(several)


def test_an_explorer_is_frozen():
    with pytest.raises(FrozenInstanceError):
        ALL[0].view = "cost"


def test_a_configuration_of_ones_own_can_be_shown():
    small = Configuration.parse("conv3-8 maxpool FC-3", input_size=32, batch_norm=True)
    for explorer in (explorers.cost(small), explorers.receptive_field(small, layer="pool1")):
        assert "conv3-8 maxpool\\nFC-3" in explorer.options
        assert '"inputSize": 32' in explorer.options
    assert '"layer": "pool3"' in explorers.receptive_field(CONFIGURATIONS["E"]).options
    assert '"layer": "fc1"' in explorers.receptive_field(Configuration.parse("FC-3")).options


def broken():
    bad = net()
    bad.features[0].weight.data[0, 0, 0, 0] = float("nan")
    return bad


def scaled(**change):
    return SimpleNamespace(**{**vars(SCALE), **change})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: explorers.cost("F"), "'F' is none of the paper's"),
        (lambda: explorers.cost(batch=0), "batch is 0; it must be"),
        (lambda: explorers.cost(batch=True), "batch is True"),
        (lambda: explorers.cost(precision="int3"), "precision is 'int3'; there are float32"),
        (lambda: explorers.receptive_field("D", layer="conv9"), "layer is 'conv9'; configuration 'D' has conv1_1"),
        (lambda: explorers.convolution(kernel=8), "kernel is 8; it must be a whole number from 1 to 7"),
        (lambda: explorers.convolution(stride=0), "stride is 0"),
        (lambda: explorers.convolution(padding=1.5), "padding is 1.5"),
        (lambda: features(torch.nn.Linear(2, 2)), "net is Linear; give a VGG"),
        (lambda: features(net().to_convolutional()), "net is ConvolutionalVGG; give a VGG"),
        (lambda: features(net("conv3-4 LRN FC-2")), "net has lrn1_1; the page does not compute"),
        (lambda: features(net(in_channels=2)), "net takes images of 2 channels; the page shows gray or color"),
        (
            lambda: features(vgg("D", input_size=32, hidden=())),
            "parameters; a page carries up to 4,000,000",
        ),
        (lambda: features(broken()), "weights that are no finite numbers"),
        (lambda: features(net("FC-3")), "scale has the classes a, b; the net has 3 logits"),
        (lambda: features(net(), scaled(mean=[0.5])), r"scale has mean \[0.5\] and std .*; each needs 3 numbers"),
        (lambda: features(net(), scaled(std=[0, 1, 1])), "those of std above 0"),
        (lambda: features(net(), images=IMAGES.float()), "images are torch.float32 .*; give 1 to 60 as torch.uint8"),
        (lambda: features(net(), IMAGES), "scale is Tensor; give the net's card or the Dataset"),
        (lambda: features(net(), images=[1]), "images are list"),
        (lambda: features(net(), images=IMAGES.numpy()), "images are uint8"),
        (lambda: features(net(), images=IMAGES[0]), r"images are torch.uint8 \(3, 8, 8\)"),
        (lambda: features(net(), images=IMAGES[:, :, :7]), r"\(N, 3, 8, 8\): the net was built for this size"),
        (lambda: features(net(), images=IMAGES[:0]), r"images are torch.uint8 \(0, 3, 8, 8\)"),
        (lambda: features(net(), images=IMAGES.repeat(31, 1, 1, 1)), r"images are torch.uint8 \(62, 3"),
        (lambda: features(net(), labels=[0]), r"labels are \[0\]; give one from 0 to 1 for each image"),
        (lambda: features(net(), labels=torch.tensor([0, 2])), r"labels are \[0, 2\]"),
    ],
)
def test_a_wrong_start_is_refused(make, words):
    with pytest.raises(ConfigurationError, match=words):
        make()


def test_the_package_ships_every_file_of_the_explorers():
    folder = Path(explorers.__file__).parent
    settings = tomllib.loads((folder.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["vgg_course.explorers"]
    files = [path.name for path in folder.iterdir() if path.suffix not in (".py", "") and path.is_file()]
    assert len(files) > 6
    assert [name for name in files if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def test_explorers_import_nothing_heavy():
    program = "import sys, vgg_course.explorers; print(*sorted({'torch', 'matplotlib', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_page_of_features_holds_the_nets_numbers_bit_by_bit():
    model = net()
    norm = model.features[1]
    norm.running_mean.uniform_()
    norm.running_var.uniform_(0.5, 2)
    options = json.loads(features(model, labels=[1, 0], note="drawn").options)
    packed = torch.frombuffer(bytearray(base64.b64decode(options["weights"])), dtype=torch.float32)
    first, hidden, last = model.features[0], model.classifier[0], model.classifier[-1]
    deviation = (norm.running_var + norm.eps).sqrt()
    parts = [first.weight, first.bias, norm.running_mean, deviation, norm.weight, norm.bias]
    parts += [hidden.weight, hidden.bias, last.weight, last.bias]
    assert torch.equal(packed, torch.cat([part.detach().flatten() for part in parts]))
    assert base64.b64decode(options["images"]) == bytes(IMAGES.flatten().tolist())
    assert (options["labels"], options["note"], options["classes"]) == ([1, 0], "drawn", ["a", "b"])
    assert options["std"] == pytest.approx([0.2, 0.2, 0.3])


def test_a_net_in_half_precision_is_shown_as_what_it_is():
    model = net().half()
    packed = base64.b64decode(json.loads(features(model).options)["weights"])
    head = torch.frombuffer(bytearray(packed[:432]), dtype=torch.float32)
    assert torch.equal(head, model.features[0].weight.detach().float().flatten())


def test_images_may_lie_in_memory_in_any_order():
    turned = IMAGES.transpose(2, 3)
    assert features(net(), images=turned).options == features(net(), images=turned.contiguous()).options
