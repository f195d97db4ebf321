"""What `import` brings along. import-linter knows who may import whom; this knows what is imported at once."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "matplotlib", "numpy"}


@pytest.mark.parametrize(
    "module",
    [
        "vgg_course",
        *(f"vgg_course.{name}" for name in ("configuration", "accounting", "receptive_field", "paper", "sources")),
    ],
)
def test_the_ground_floor_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    assert not HEAVY & set(loaded)
