"""The first command that anybody runs: whatever is wrong, it says in one line what to do."""

import ast
import hashlib
import re

import pytest

from tools import environment
from tools.environment import Problem
from tools.project import ROOT

SOURCE = (ROOT / "tools" / "environment.py").read_text(encoding="utf-8")
PINS = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]


def test_an_old_python_can_read_it_far_enough_to_be_told():
    ast.parse(SOURCE, feature_version=(3, 6))


@pytest.mark.parametrize("version", [(3, 6), (3, 10), (3, 15), (4, 0)])
def test_a_python_that_does_not_fit_is_named_with_the_remedy(version):
    with pytest.raises(
        Problem, match=rf"this is Python {version[0]}\.{version[1]}, the course needs 3\.11 to 3\.14; install"
    ):
        environment.check_python(version)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13), (3, 14)])
def test_a_python_that_fits_passes(version):
    environment.check_python(version)


def test_a_full_disk_is_noticed_before_anything_is_downloaded():
    with pytest.raises(Problem, match=r"needs \d+ GB, this disk has 1\.5 GB free; free some space"):
        environment.check_disk(free=1.5e9)


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ("ERROR: [Errno 28] No space left on device", "the disk is full"),
        ("NewConnectionError('...: Failed to establish a new connection", "check the network"),
        ("ERROR: No matching distribution found for torch==2.15.0", "not to be had for this Python"),
        ("something else", "see the end of the log"),
    ],
)
def test_a_failed_install_says_what_is_likely_wrong(output, remedy):
    assert remedy in environment.remedy(output)


def test_problems_are_one_line_and_the_exit_status_is_1(monkeypatch, capsys):
    def full():
        raise Problem("the disk is full")

    monkeypatch.setattr(environment, "installed", lambda: None)
    monkeypatch.setattr(environment, "check_disk", full)
    assert environment.main() == 1
    assert capsys.readouterr().err == "error: the disk is full\n"


def test_nothing_is_done_when_the_stamp_fits(monkeypatch):
    monkeypatch.setattr(environment, "installed", environment.digest)
    monkeypatch.setattr(environment, "install", lambda: pytest.fail("installed again"))
    assert environment.main() == 0


def test_an_interrupted_install_leaves_no_stamp(tmp_path, monkeypatch):
    stamp = tmp_path / "installed.txt"
    stamp.write_text("an older state\n")
    python = tmp_path / "python"
    python.touch()
    for name, value in {"STAMP": stamp, "PYTHON": python, "LOG": tmp_path / "log"}.items():
        monkeypatch.setattr(environment, name, str(value))

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "pip", interrupted)
    monkeypatch.setattr(environment, "check_disk", lambda: None)
    assert environment.main() == 130
    assert not stamp.exists()


def test_the_stamp_depends_on_the_pins(tmp_path, monkeypatch):
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("a")
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    before = environment.digest()
    (tmp_path / "requirements.txt").write_text("b")
    assert environment.digest() != before
    assert len(before) == hashlib.sha256().digest_size * 2


def test_every_requirement_is_pinned_and_none_is_for_one_platform_only():
    assert all(re.match(r"^[\w.-]+==[\w.]+( ; .*)?$", line) for line in PINS)
    assert not [line for line in PINS if line.lower().startswith(("nvidia", "cuda", "triton"))]


def test_torch_and_torchvision_come_as_a_pair():
    pins = dict(line.split("==") for line in PINS if line.startswith("torch"))
    assert (pins["torch"], pins["torchvision"]) == (
        "2.15.0",
        "0.29.2",
    )  # change both at once, and try `import torchvision`
