"""What `pip install` puts on a machine: everything that the repository's own package has, and it works from there."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from tools.project import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources: building leaves traces beside them."""
    source, place = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("vgg_course", "book/results"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    program = f"from setuptools import build_meta; build_meta.build_wheel({str(place)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=source, check=True, capture_output=True)
    (path,) = place.glob("*.whl")
    return path


def test_every_file_of_the_package_is_in_it(wheel):
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "vgg_course").rglob("*") if path.is_file()}
    ours = {name for name in ours if "__pycache__" not in name}
    ours |= {f"vgg_course/measured/{path.name}" for path in (ROOT / "book" / "results").glob("*.json")}
    assert ours <= set(zipfile.ZipFile(wheel).namelist())


def test_results_and_trained_nets_are_found_where_it_is_installed(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "from vgg_course import results, trained;"
        "print(trained.__file__, trained.load('small_vgg').training, results.load('live_training')['test_accuracy']['n'])"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(tmp_path / "vgg_course" / "trained" / "__init__.py"), "False", "5"]


PROGRAM = """
import inspect
from vgg_course import check, quiz

def stub(*arguments):
    raise NotImplementedError("your code here")

for name in check.__all__:
    checker = getattr(check, name)
    if "attempt" in inspect.signature(checker).parameters:
        verdict = checker(stub)
        assert verdict.status == "not attempted", (name, verdict)
        wrong = checker(lambda *arguments: {})
        assert wrong.status == "wrong" and wrong.advice and wrong._repr_html_(), (name, wrong)
for number in quiz.chapters():
    quiz.show(number)._repr_html_()
print(check.__file__)
"""


def test_every_self_check_and_quiz_works_where_only_the_package_is(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VGG_COURSE")}
    environment |= {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "vgg_course" / "check" / "__init__.py")
