"""A run that was stopped, in whatever way, goes on as if nothing had happened; a file that is not of it is refused."""

import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.test_training import SHORT, dataset, net, same
from vgg_course import checkpoint, training
from vgg_course.checkpoint import CheckpointError
from vgg_course.training import TrainingError, fit

HERE = Path(__file__).parent


class Killed(BaseException):
    """Ends everything at once: nobody catches it."""


def epochs(history):
    return [replace(epoch, seconds=0) for epoch in history]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.pt"


@pytest.fixture
def stop_at(monkeypatch):
    """Arrange for an error at the n-th step: before its forward pass, or between its backward pass and its update."""
    step, update = training._Run.step, torch.amp.GradScaler.step

    def arrange(n, error=KeyboardInterrupt, before_update=False):
        counted = iter(range(1, 10**6))

        def watched(call):
            def wrapper(*arguments):
                if next(counted) == n:
                    raise error
                return call(*arguments)

            return wrapper

        monkeypatch.setattr(training._Run, "step", step if before_update else watched(step))
        monkeypatch.setattr(torch.amp.GradScaler, "step", watched(update) if before_update else update)

    arrange.never = lambda: arrange(0)
    return arrange


# --- going on ---


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": "plateau", "patience": 1},
        {"momentum": 0.0},
        {"optimizer": "muon"},
        {"shift": 0, "nesterov": False, "schedule": "constant"},
    ],
    ids=lambda changes: (
        changes.get("schedule", "one-cycle") + str(changes.get("momentum", "")) + changes.get("optimizer", "")
    ),
)
@pytest.mark.parametrize("error", [KeyboardInterrupt, Killed])
def test_a_run_stopped_at_any_step_ends_as_if_it_had_not_been_bit_for_bit(file, stop_at, error, changes):
    whole = net()
    expected = fit(whole, dataset(), SHORT, seed=5, **changes)
    for n in range(1, 13):  # three epochs of four steps
        file.unlink(missing_ok=True)
        stop_at(n, error, before_update=n % 2 == 0)
        with suppress(Killed):
            assert fit(net(), dataset(), SHORT, seed=5, checkpoint=file, **changes).interrupted
        stop_at.never()
        torch.rand(7)  # whatever the new process does before
        model = net()
        history = fit(model, dataset(), SHORT, seed=5, checkpoint=file, **changes)
        assert same(model, whole), n
        assert epochs(history) == epochs(expected), n
        assert not history.interrupted


def test_a_run_that_is_stopped_again_and_again_arrives(file, stop_at):
    whole = net()
    expected = fit(whole, dataset(), SHORT)
    for n in (1, 4, 5, 6, 3, 1):
        stop_at(n, Killed)
        with pytest.raises(Killed):
            fit(net(), dataset(), SHORT, checkpoint=file)
    stop_at.never()
    model = net()
    assert epochs(fit(model, dataset(), SHORT, checkpoint=file)) == epochs(expected)
    assert same(model, whole)


def test_saving_changes_nothing_in_what_is_learned(file):
    one, other = net(), net()
    assert epochs(fit(one, dataset(), SHORT)) == epochs(fit(other, dataset(), SHORT, checkpoint=file))
    assert same(one, other)


def test_after_ctrl_c_the_model_is_that_of_the_last_finished_epoch_and_the_same_call_goes_on(file, stop_at):
    """In the same process, with the same model: what a student does in a notebook."""
    whole, one_epoch, model = net(), net(), net()
    expected = fit(whole, dataset(), SHORT)
    stop_at(5)
    fit(one_epoch, dataset(), SHORT)
    stop_at(7)  # in the middle of the second epoch
    history = fit(model, dataset(), SHORT, checkpoint=file)
    assert (len(history), history.interrupted) == (1, True)
    assert same(model, one_epoch)
    stop_at(2)
    assert len(fit(model, dataset(), SHORT, checkpoint=file)) == 1
    stop_at.never()
    assert epochs(fit(model, dataset(), SHORT, checkpoint=file)) == epochs(expected)
    assert same(model, whole)


def test_ctrl_c_in_the_first_epoch_brings_the_model_back_to_its_start(file, stop_at):
    model = net()
    stop_at(3)
    assert len(fit(model, dataset(), SHORT, checkpoint=file)) == 0
    assert same(model, net())


def test_a_finished_run_comes_back_at_once(file, monkeypatch, capsys):
    whole, model = net(), net()
    expected = fit(whole, dataset(), SHORT, checkpoint=file)
    monkeypatch.setattr(training._Run, "step", None)
    capsys.readouterr()
    assert fit(model, dataset(), SHORT, checkpoint=str(file)).epochs == expected.epochs
    assert same(model, whole)
    assert fit(whole, dataset(), SHORT, checkpoint=file).epochs == expected.epochs
    assert capsys.readouterr().out == ""


def test_training_with_a_checkpoint_leaves_generator_and_modes_as_they_were(file, stop_at):
    before = torch.get_rng_state()
    stop_at(6)
    model = net().eval()
    torch.set_rng_state(before)
    fit(model, dataset(), SHORT, checkpoint=file)
    stop_at.never()
    fit(model, dataset(), SHORT, checkpoint=file)
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training


def test_a_run_in_float16_goes_on_with_the_scale_it_had_found(file, stop_at):
    whole, model = net(), net()
    expected = fit(whole, dataset(), SHORT, precision="float16")
    stop_at(9, Killed)
    with pytest.raises(Killed):
        fit(net(), dataset(), SHORT, precision="float16", checkpoint=file)
    stop_at.never()
    assert epochs(fit(model, dataset(), SHORT, precision="float16", checkpoint=file)) == epochs(expected)
    assert same(model, whole)


@pytest.mark.parametrize("place", ["torch.save", "os.fsync", "os.replace"])
@pytest.mark.parametrize("after", [False, True])
def test_a_run_killed_while_it_writes_goes_on(file, monkeypatch, place, after):
    whole = net()
    expected = fit(whole, dataset(), SHORT)
    module, name = {"torch": torch, "os": os}[place.split(".")[0]], place.split(".")[1]
    call = getattr(module, name)
    for n in (1, 2, 3, 4):
        file.unlink(missing_ok=True)
        counted = iter(range(1, 10**6))

        def killed(*arguments, counted=counted, n=n):
            if next(counted) == n:
                if after:
                    call(*arguments)
                elif place == "torch.save":
                    arguments[1].write(b"half of it")
                raise Killed
            return call(*arguments)

        monkeypatch.setattr(module, name, killed)
        with pytest.raises(Killed):
            fit(net(), dataset(), SHORT, checkpoint=file)
        monkeypatch.setattr(module, name, call)
        model = net()
        assert epochs(fit(model, dataset(), SHORT, checkpoint=file)) == epochs(expected)
        assert same(model, whole)
        assert os.listdir(file.parent) == ["run.pt"]


def test_what_a_killed_run_left_half_written_is_swept_away(file):
    left = file.with_name(".run.pt.12345.part")
    left.write_bytes(b"half")
    other = file.with_name(".run.pt2.12345.part")
    other.write_bytes(b"of another run")
    fit(net(), dataset(), SHORT, checkpoint=file)
    assert not left.exists()
    assert other.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 is of POSIX")
def test_kill_minus_nine_at_random_moments_loses_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, HERE / "killing.py", "30", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=HERE.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal, bit for bit" in done.stdout


# --- another run ---


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"learning_rate": 0.05}, r"learning_rate is 0\.1 there and 0\.05 here"),
        ({"epochs": 5}, "epochs is 3 there and 5 here"),
        ({"schedule": "constant"}, "schedule is one-cycle there and constant here"),
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"precision": "bfloat16"}, "precision is float32 there and bfloat16 here"),
    ],
)
def test_a_checkpoint_of_another_call_is_refused_by_name_and_stays(file, call, words):
    fit(net(), dataset(), SHORT, checkpoint=file, precision="float32")
    before, model = file.read_bytes(), net()
    with pytest.raises(CheckpointError, match=words) as error:
        fit(model, dataset(), SHORT, checkpoint=file, **{"precision": "float32", **call})
    assert "for a new run, name another file, or delete this one" in str(error.value)
    assert str(error.value).count(" there and ") == 1
    assert file.read_bytes() == before
    assert same(model, net())


def test_a_checkpoint_of_another_model_is_refused_with_what_differs(file):
    fit(net(), dataset(), SHORT, checkpoint=file)
    wider, drier, frozen = net(), net(), net()
    wider[0], wider[1], wider[6] = nn.Conv2d(3, 9, 3, padding=1), nn.BatchNorm2d(9), nn.Linear(36, 3)
    drier[5].p = 0.5
    frozen[0].requires_grad_(False)
    for model, words in (
        (wider, r"the model is \(0\): Conv2d\(3, 8, .* there and \(0\): Conv2d\(3, 9,"),
        (drier, r"Dropout\(p=0.2, inplace=False\) there and \(5\): Dropout\(p=0.5"),
        (frozen, r"\('0.weight', .*True\) there and .*False\) here"),
        (net(seed=1), "the weights of the model are neither those that it began with nor those it had reached"),
    ):
        with pytest.raises(CheckpointError, match=words):
            fit(model, dataset(), SHORT, checkpoint=file)


def test_a_checkpoint_of_other_data_is_refused_with_what_differs(file):
    fit(net(), dataset(), SHORT, checkpoint=file)
    data = dataset()
    labels = data.train.labels.clone()
    labels[7] = (labels[7] + 1) % 3
    relabeled = replace(data, train=replace(data.train, labels=labels))
    for other, words in (
        (dataset(train=51), r"set of training images is 50 \(.*\) there and 51 \("),
        (relabeled, r"set of training images is 50 \(.*\) there and 50 \("),
        (dataset(validation=9), r"set of validation images is 12 \("),
    ):
        with pytest.raises(CheckpointError, match=words):
            fit(net(), other, SHORT, checkpoint=file)


def test_a_checkpoint_without_a_finished_epoch_is_in_nobodys_way(file, stop_at):
    stop_at(2)
    model = net()
    fit(model, dataset(), SHORT, checkpoint=file)  # oh, the wrong recipe
    stop_at.never()
    assert len(fit(model, dataset(), SHORT, epochs=2, checkpoint=file)) == 2


# --- files that are not whole, or worse ---


def test_whatever_byte_is_damaged_the_file_is_refused_or_it_did_not_matter(file):
    fit(net(), dataset(), SHORT, checkpoint=file)
    whole, content = file.read_bytes(), str(checkpoint.read(file))
    places = torch.randint(len(whole), (300,), generator=torch.Generator().manual_seed(0)).tolist()
    refused = 0
    for place in [*places, *range(30), *range(len(whole) - 30, len(whole))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        try:
            assert str(checkpoint.read(file)) == content  # a byte of padding
        except CheckpointError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused_and_stays(file, share):
    fit(net(), dataset(), SHORT, checkpoint=file)
    cut = file.read_bytes()[: int(share * file.stat().st_size)]
    file.write_bytes(cut)
    model = net()
    with pytest.raises(CheckpointError, match=r"run.pt is damaged or cut off.*Delete it, or name another file"):
        fit(model, dataset(), SHORT, checkpoint=file)
    assert file.read_bytes() == cut
    assert same(model, net())


class Evil:
    def __reduce__(self):
        return (os.system, ("echo owned > owned.txt",))


def test_a_file_that_wants_to_run_code_is_refused_and_does_not(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    fit(net(), dataset(), SHORT, checkpoint=file)
    content = torch.load(file, weights_only=True)
    torch.save({**content, "start": Evil()}, file)
    with pytest.raises(CheckpointError, match="code would have to run that stands in it"):
        fit(net(), dataset(), SHORT, checkpoint=file)
    assert not Path("owned.txt").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.pop("run"),
        lambda c: c.pop("state"),
        lambda c: c.update(state=3),
        lambda c: c.update(run=[1]),
        lambda c: c["state"].pop("order"),
        lambda c: c["state"].update(order=torch.zeros(3)),
        lambda c: c["state"].update(dropout=[[torch.zeros(9, dtype=torch.uint8)]]),
        lambda c: c["state"]["weights"].pop("0.weight"),
        lambda c: c["state"]["weights"].update({"0.weight": torch.zeros(2)}),
        lambda c: c["state"]["weights"].update({"0.weight": "x"}),
        lambda c: c["state"]["momentum"].update({"0.weight": torch.zeros(2)}),
        lambda c: c["state"]["momentum"].update(nobody=torch.zeros(2)),
        lambda c: c["state"]["epochs"].append({"number": 4}),
        lambda c: c["state"].update(epochs=["x"]),
    ],
)
def test_a_file_that_lacks_a_part_is_refused_and_the_model_stays(file, spoil):
    fit(net(), dataset(), SHORT, checkpoint=file)
    content = torch.load(file, weights_only=True)
    spoil(content)
    torch.save(content, file)
    model = net()
    with pytest.raises(CheckpointError, match=r"Delete it|delete this one"):
        fit(model, dataset(), SHORT, checkpoint=file)
    assert same(model, net())


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and no more"])
def test_a_file_of_something_else_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged or cut off, or is none"):
        checkpoint.read(file)


def test_a_zip_of_something_else_and_weights_alone_are_refused(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(CheckpointError, match=r"run\.pt"):
        checkpoint.read(file)
    torch.save([1, 2], file)
    with pytest.raises(CheckpointError, match="holds a list"):
        checkpoint.read(file)
    torch.save(net().state_dict(), file)
    with pytest.raises(CheckpointError, match="is no checkpoint of a training run"):
        fit(net(), dataset(), SHORT, checkpoint=file)


def test_a_place_that_cannot_be_written_is_refused_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(training._Run, "step", None)
    for place, words in ((tmp_path, "is a folder; name a file"), (tmp_path / "no" / "run.pt", "there is no folder")):
        with pytest.raises(CheckpointError, match=words):
            fit(net(), dataset(), SHORT, checkpoint=place)


def test_a_full_disk_is_one_clear_error_and_the_last_checkpoint_goes_on(tmp_path):
    """A real one: the system refuses files beyond a size, from the second epoch on."""
    program = f"""
import resource, sys
from pathlib import Path
from tests.test_training import SHORT, dataset, net, same
from vgg_course import checkpoint, training
file, write, calls = Path({str(tmp_path)!r}) / "run.pt", checkpoint.write, []
def fills_up(content, path):
    calls.append(1)
    limit = 4000 if len(calls) == 3 else resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    write(content, path)
checkpoint.write = fills_up
whole, model = net(), net()
training.fit(whole, dataset(), SHORT)
try:
    training.fit(model, dataset(), SHORT, checkpoint=file)
except checkpoint.CheckpointError as error:
    print(error)
assert [path.name for path in file.parent.iterdir()] == ["run.pt"]
assert len(checkpoint.read(file)["state"]["epochs"]) == 1
training.fit(model, dataset(), SHORT, checkpoint=file)  # there is room again
assert same(model, whole)
"""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env=environment, cwd=HERE.parent
    )
    assert done.returncode == 0, done.stderr
    assert "run.pt could not be written: [Errno 27] File too large. What was there is as before." in done.stdout
    assert (
        "has the state after epoch 1, the last good one, and the model is back there; the same call goes on."
        in done.stdout
    )


# --- a loss that is no number ---


def test_the_last_good_epoch_survives_a_loss_that_is_no_number_and_the_message_says_so(file, monkeypatch):
    one_epoch, model = net(), net()
    step = training._Run.step

    def breaks(self, images, labels, everywhere):
        step(self, images * (float("nan") if self.step_number >= 6 else 1), labels, everywhere)

    monkeypatch.setattr(training._Run, "step", breaks)
    with pytest.raises(TrainingError) as error:
        fit(model, dataset(), SHORT, checkpoint=file)
    assert "the loss is nan at step 7 of 12" in str(error.value)
    assert "run.pt has the state after epoch 1, the last good one, and the model is back there" in str(error.value)
    assert "a changed recipe is another run: give it another file" in str(error.value)
    monkeypatch.setattr(training._Run, "step", step)
    content = checkpoint.read(file)["state"]
    assert len(content["epochs"]) == 1
    one_epoch.load_state_dict(content["weights"])
    assert same(model, one_epoch)
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    whole = net()
    fit(whole, dataset(), SHORT)
    fit(model, dataset(), SHORT, checkpoint=file)  # it was the memory, say, and not the recipe
    assert same(model, whole)


def test_a_digest_sees_every_bit_shape_and_type():
    tensors = [torch.zeros(2, 3), torch.zeros(3, 2), torch.zeros(6), torch.zeros(6).double(), torch.zeros(12).half()]
    tensors += [-tensors[0], torch.zeros(0), torch.tensor(0.0), torch.tensor(False)]
    assert len({checkpoint.digest([tensor]) for tensor in tensors}) == len(tensors)
    image = torch.rand(2, 3, 4, 4)
    assert checkpoint.digest([image]) == checkpoint.digest([image.to(memory_format=torch.channels_last)])
