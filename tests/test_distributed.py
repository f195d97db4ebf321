"""Two real processes on this machine train as one. They talk through 127.0.0.1."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.together import SHORT, gradients, normed_net, plain_net, trained
from vgg_course import distributed

ROOT = Path(__file__).parents[1]
TORCHRUN = [
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--nproc_per_node=2",
    "--standalone",
    "--local_addr=127.0.0.1",
]


def torchrun(*words, **environment):
    """Start two processes; the time limit is for the day on which they wait for each other."""
    everything = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment}
    with subprocess.Popen(
        [*TORCHRUN, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=everything,
    ) as launcher:
        try:
            out, err = launcher.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            launcher.terminate()  # it ends its processes, which a kill would leave alone
            raise
    return subprocess.CompletedProcess(words, launcher.returncode, out, err)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    done = torchrun("-m", "tests.together", folder)
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"found{rank}.pt", weights_only=True) for rank in (0, 1)]


def apart(ours, theirs):
    """The length of the difference, as a share of the length."""
    return float((ours - theirs).norm() / theirs.norm())


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


def test_both_processes_know_that_they_are_two(found):
    assert [(f["rank"], f["size"]) for f in found] == [(0, 2), (1, 2)]


def test_gradients_of_unequal_shards_are_those_of_one_process(found):
    alone = gradients(plain_net())
    for process in found:
        assert apart(process["plain"], alone) < 1e-6  # rounding of float32


def test_without_weights_for_the_shards_they_are_not_and_nothing_complains(found):
    assert 0.01 < apart(found[0]["unweighted"], gradients(plain_net())) < 1


def test_batch_norm_makes_them_differ_because_every_process_normalizes_by_its_own_images(found):
    assert 0.1 < apart(found[0]["normed"], gradients(normed_net())) < 0.5  # a quarter
    assert torch.equal(found[0]["normed"], found[1]["normed"])


def test_a_whole_run_of_two_is_the_run_of_one_up_to_rounding(found):
    weights, history = trained(plain_net())
    theirs, their_history = found[0]["plain run"]
    for name, tensor in weights.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=1e-4, atol=1e-5)
    for ours, other in zip(history, their_history, strict=True):
        assert other == pytest.approx(ours, rel=1e-4)


@pytest.mark.parametrize("what", ["plain run", "run", "resumed"])
def test_afterwards_all_processes_have_the_same_net_and_history_bit_for_bit(found, what):
    (weights, history), (other, other_history) = (process[what] for process in found)
    assert equal(weights, other)  # running statistics of batch norm too
    assert history == other_history
    assert len(history) == SHORT.epochs


def test_two_that_were_killed_and_started_again_end_as_if_nothing_had_happened(found):
    for process in found:
        assert equal(process["resumed"][0], process["run"][0])
        assert process["resumed"][1] == process["run"][1]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("of another run", "CheckpointError: .* seed is 0 there and 9 here"),
        ("no folder", "CheckpointError: there is no folder"),
    ],
)
def test_what_stops_the_first_stops_all_with_the_same_words_and_one_tells_them(found, what, words):
    (first, first_is_echo), (second, second_is_echo) = (process[what] for process in found)
    assert re.search(words, first)
    assert first == second
    assert (first_is_echo, second_is_echo) == (False, True)


def test_a_batch_too_small_to_be_shared_is_refused(found):
    assert "ValueError: 2 processes cannot share 2 images; each needs at least 2." in found[0]["too few"][0]


# --- the command ---


@pytest.fixture
def offline(tmp_path):
    return {"VGG_COURSE_OFFLINE": "1", "VGG_COURSE_CACHE": str(tmp_path / "cache"), "VGG_COURSE_DATA": ""}


def test_the_command_trains_in_two_processes_of_which_one_speaks_and_the_same_command_goes_on(tmp_path, offline):
    words = ["-m", "tests.train_on_few", "train", "--epochs", 2, "--checkpoint", tmp_path / "run.pt", "--output"]
    done = torchrun(*words, tmp_path / "vgg.pt", **offline)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum(line.startswith("test accuracy") for line in lines) == 1
    assert sum(line.startswith("training: epoch") for line in lines) == 2
    assert "Warning" not in done.stderr
    again = torchrun(*words, tmp_path / "again.pt", **offline)
    assert "training: epoch" not in again.stdout
    assert [line for line in again.stdout.splitlines() if "test accuracy" in line] == [lines[-1]]
    assert (tmp_path / "vgg.pt").read_bytes()


def test_a_process_that_dies_ends_all(tmp_path, offline):
    done = torchrun("-m", "tests.train_on_few", "train", "--fail", "--epochs", 1, **offline)
    assert done.returncode != 0
    assert "test accuracy" not in done.stdout


# --- one process ---


def test_alone_nothing_of_it_is_noticed():
    assert (distributed.rank(), distributed.size()) == (0, 1)
    assert distributed.on_first(lambda: 3) == 3
    assert distributed.gathered(3) == [3]
    values, model = torch.tensor([1.5, 2]), plain_net()
    assert distributed.add_up(values) is values
    assert distributed.parallel(model) is model
    assert distributed.weighted(values, 7, 7).equal(values)
    with distributed.joined():
        assert distributed.size() == 1


def test_processes_that_would_train_alone_are_told_so(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(ValueError, match=r"torchrun started 4 processes, but each would train alone; write `with"):
        distributed.size()
