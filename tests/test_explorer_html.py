import re
import subprocess
import sys
import tomllib
from dataclasses import FrozenInstanceError
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path

import pytest

from vgg_course import explorers, palette
from vgg_course.configuration import CONFIGURATIONS, Configuration, ConfigurationError

ALL = [explorers.receptive_field(), explorers.cost(), explorers.convolution()]


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
