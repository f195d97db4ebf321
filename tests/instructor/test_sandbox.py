"""The sandbox proves itself; without one, nothing is graded."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.instructor.sandboxes import confined
from tools.grading import classroom, judge, sandbox
from tools.grading.__main__ import main
from tools.grading.remote import AnswerError, SandboxDied, Session
from tools.grading.sandbox import MB, Limits, Probe, Sandbox, SandboxError

QUICK = Limits(seconds=5, total_seconds=60, memory=1200 * MB, disk=8 * MB, processes=8)


def session(code, noticed=None):
    return Session(confined(), QUICK, [code], [], (noticed if noticed is not None else []).append)


def answer(code, *arguments, noticed=None):
    """What f(*arguments) gives, asked through the wall."""
    one = session(code, noticed)
    try:
        values, problem, _ = one.load(["f"])
        assert problem is None, problem
        return values["f"](*arguments)
    finally:
        one.close()


def test_every_way_out_is_tried_and_closed():
    probes = sandbox.prove(confined(), QUICK)
    assert {probe.name for probe in probes} >= {
        "files outside",
        "writing outside",
        "network",
        "environment",
        "other processes",
        "new namespaces",
        "fork bomb",
        "memory",
        "disk",
        "killing",
    }
    assert [str(probe) for probe in probes if not probe.held] == []


def test_without_a_sandbox_every_probe_finds_a_way_out():
    """So the probes are worth something: where there is no wall they say so."""
    leaks = {probe.name for probe in sandbox.prove(Sandbox(sandbox.UNPROTECTED), QUICK) if not probe.held}
    assert leaks >= {"files outside", "writing outside", "network", "other processes"}


def test_a_sandbox_that_leaks_is_refused(monkeypatch):
    monkeypatch.setattr(sandbox, "candidates", lambda: [Sandbox("namespaces")])
    monkeypatch.setattr(sandbox, "prove", lambda one, limits: [Probe("network", False, "connected")])
    with pytest.raises(SandboxError, match=r"network: connected(.|\n)*bubblewrap(.|\n)*--sandbox unprotected"):
        sandbox.find()


def test_grading_refuses_where_no_sandbox_can_be_made(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox, "candidates", list)
    record = tmp_path / "week.json"
    record.write_text('{"notebooks": [], "limits": {}, "private": ""}')
    with pytest.raises(SystemExit, match="no sandbox holds on this machine, so nothing was graded"):
        main([str(record), str(tmp_path), str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_unprotected_must_be_asked_for_by_name():
    assert sandbox.find(wanted="unprotected").name == "unprotected"
    assert all(one.name != "unprotected" for one in sandbox.candidates())


def test_a_container_gets_no_network_no_privileges_and_limits():
    line = Sandbox("docker", program="docker").confine(["worker.py"], QUICK)
    for word in (
        "--network=none",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--memory=1200000000",
        "--pids-limit=12",
        "--user=65534:65534",
    ):
        assert word in line
    assert not any("grading,target" in word or "docker.sock" in word for word in line)
    assert line[-3:] == ["python", "-I", "worker.py"]


def test_the_checkers_are_not_inside():
    with pytest.raises(AttributeError, match=r"no attribute .field_size."):
        answer("def f():\n    import vgg_course.check\n    return vgg_course.check.field_size")
    assert answer("def f():\n    import vgg_course\n    return 1") == 1


def test_nothing_of_the_environment_goes_in(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "very secret")
    assert "very secret" not in str(answer("def f():\n    import os\n    return dict(os.environ)"))


def test_an_endless_loop_ends():
    began = time.monotonic()
    with pytest.raises(SandboxDied, match="no answer within 5 seconds"):
        answer("def f():\n    while True:\n        pass")
    assert time.monotonic() - began < 60


def test_a_process_that_ends_itself_is_told_as_such():
    with pytest.raises(SandboxDied, match=r"ended itself \(status 7\)"):
        answer("def f():\n    import os\n    os._exit(7)")


def test_children_are_counted_and_killed():
    code = "def f():\n    import os, time\n    for _ in range(3):\n        os.fork()\n    time.sleep(60)"
    with pytest.raises((SandboxDied, Exception), match=r"processes|unavailable"):
        answer(code)


def test_the_memory_of_all_processes_together_is_limited():
    code = "def f():\n    import os, time\n    os.fork()\n    hog = bytearray(b'x') * 800_000_000\n    time.sleep(60)"
    with pytest.raises(SandboxDied, match="MB of memory"):
        answer(code)


def test_what_the_code_asks_of_the_system_is_noticed():
    noticed = []
    with pytest.raises(Exception, match="No such file"):
        answer("def f():\n    return open('/etc/passwd').read()", noticed=noticed)
    assert noticed == ["tried to open '/etc/passwd'"]


def test_an_object_that_equals_everything_equals_nothing_outside():
    noticed = []
    code = "class Yes:\n    def __eq__(self, other):\n        return True\n\ndef f():\n    return Yes()"
    assert answer(code, noticed=noticed) != 1
    assert "redefines comparison" in noticed[0]


def test_a_number_that_equals_everything_is_the_number_it_is():
    code = "class Yes(int):\n    __eq__ = lambda self, other: True\n    __hash__ = None\n\ndef f():\n    return Yes(7)"
    assert answer(code) == 7
    assert answer(code) != 8
    assert type(answer(code)) is int


def test_an_answer_that_is_too_large_stays_inside():
    with pytest.raises((AnswerError, Exception), match=r"too many parts|too large"):
        answer("def f():\n    return [0] * 10**6")


def test_a_result_survives_a_kill_and_the_next_run_goes_on(tmp_path):
    """kill -9 in the middle of a class: what is complete stays, what is not is graded, nothing is half."""
    confined()
    program = f"""
import sys, time
sys.path.insert(0, {str(sandbox.ROOT)!r})
from tools.grading import classroom, judge
from tools.grading.sandbox import Sandbox
def grade(one, record, box):
    time.sleep(0.4)
    return {{"student": one.student, "tasks": [], "flags": [], "points": 1, "of": 1, "seconds": 0}}
judge.grade = grade
record = {{"notebooks": [], "limits": {{}}, "private": "", "assignment": "week"}}
classroom.grade_all(record, sys.argv[1], sys.argv[2], Sandbox("none"), 2, lambda line: print(line, flush=True))
print("complete")
"""
    folder, out = tmp_path / "submitted", tmp_path / "out"
    for number in range(8):
        (folder / f"student-{number}").mkdir(parents=True)
    first = subprocess.Popen(
        [sys.executable, "-c", program, folder, out], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    for line in first.stdout:
        if line.startswith("[3/8]"):
            break
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    first.stdout.close()
    time.sleep(0.6)  # longer than a judge needs: those who were at work must have died, too
    done = sorted(path.name for path in (out / "results").glob("*.json"))
    assert 3 <= len(done) < 8
    second = subprocess.run([sys.executable, "-c", program, folder, out], capture_output=True, text=True)
    assert f"{len(done)} of 8 are graded already" in second.stdout
    assert "[8/8]" in second.stdout
    assert second.stdout.endswith("complete\n")


def test_a_grader_that_fails_on_one_submission_says_so_and_grades_the_others(tmp_path, monkeypatch):
    def grade(one, record, box):
        if one.student == "bob":
            raise RuntimeError("a mistake of ours")
        return {"student": one.student, "tasks": [], "flags": [], "points": 1, "of": 1, "seconds": 0}

    monkeypatch.setattr(judge, "grade", grade)
    for name in ("ada", "bob", "eve"):
        (tmp_path / "in" / name).mkdir(parents=True)
    record = {"notebooks": [], "limits": {}, "private": "", "assignment": "week"}
    results = classroom.grade_all(record, tmp_path / "in", tmp_path / "out", Sandbox("none"), 2, lambda line: None)
    assert results["ada"]["points"] == results["eve"]["points"] == 1
    assert "a mistake of ours" in results["bob"]["flags"][0]["words"]


def asked(code, *arguments):
    """f(*arguments) through the wall, and the arguments as they are afterwards."""
    return answer(code, *arguments), arguments


def test_what_a_call_changes_in_tensors_and_generators_is_changed_outside():
    weight, dice = torch.zeros(3), torch.Generator().manual_seed(1)
    code = "import torch\n\ndef f(weight, dice):\n    weight += 2\n    return torch.rand(2, generator=dice)"
    got, _ = asked(code, weight, dice)
    other = torch.Generator().manual_seed(1)
    assert torch.equal(got, torch.rand(2, generator=other))
    assert torch.equal(dice.get_state(), other.get_state())
    assert weight.tolist() == [2, 2, 2]


def test_a_module_that_was_handed_in_comes_back_as_itself_with_its_new_parts():
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
    code = """
from torch import nn

def f(net):
    net.requires_grad_(False)
    net[2] = nn.Linear(3, 5)
    return net.eval()
"""
    got, _ = asked(code, net)
    assert got is net
    assert net[2].out_features == 5
    assert [weight.requires_grad for weight in net.parameters()] == [False, False, True, True]
    assert not net.training


def test_the_checkers_functions_can_be_called_from_inside():
    calls = []
    code = "def f(score, boxes):\n    return [score(box) for box in boxes]"
    assert answer(code, lambda box: calls.append(box) or sum(box), [(1, 2), (3, 4)]) == [3, 7]
    assert calls == [(1, 2), (3, 4)]


def test_a_class_of_the_students_can_be_used_from_outside():
    code = """
class f:
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if i >= self.n:
            raise IndexError(i)
        return 10 * i
"""
    made = session(code)
    try:
        one = made.load(["f"])[0]["f"](3)
        assert len(one) == 3
        assert one[2] == 20
        with pytest.raises(IndexError):
            one[3]
        with pytest.raises(AttributeError):
            one.n  # noqa: B018  nothing but calls crosses
    finally:
        made.close()
