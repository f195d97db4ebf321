import subprocess
import sys

import pytest

LIGHT = [
    "vgg_course",
    "vgg_course.configuration",
    "vgg_course.accounting",
    "vgg_course.receptive_field",
    "vgg_course.paper",
]


@pytest.mark.parametrize("module", LIGHT)
def test_what_counts_imports_nothing_heavy(module):
    program = (
        f"import sys, {module}; print(*sorted({{'torch', 'torchvision', 'matplotlib', 'numpy'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_three_numbers_of_vgg_16_without_torch():
    program = (
        "import sys; from vgg_course.accounting import ledger; from vgg_course.receptive_field import receptive_field;"
        "print(ledger('D').parameters, ledger('D').macs, receptive_field('D')['fc6'].size, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["138357544", "15470264320", "404", "False"]
