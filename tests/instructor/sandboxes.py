"""The sandbox of this machine, or a word why there is none."""

from functools import cache

import pytest

from tools.grading import sandbox


@cache
def found():
    try:
        return sandbox.find(), ""
    except sandbox.SandboxError as problem:
        return None, str(problem).splitlines()[1].strip()


def confined():
    """A sandbox that holds; skips the test where none can be made, as grading refuses there."""
    one, reason = found()
    if one is None:
        pytest.skip(f"no sandbox can be made here: {reason}")
    return one
