"""What a long computation shows of itself: in a terminal, in a log, in a notebook with and without a reader."""

import base64
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vgg_course import progress
from vgg_course.progress import Progress, duration

ROOT = Path(__file__).parents[1]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(progress, "_notebook", lambda: None)
    monkeypatch.setenv("COLUMNS", "60")
    screen = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=screen, modules=sys.modules))
    return screen


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_terminal_gets_a_bar_that_is_written_over(terminal, capsys):
    with Progress("training", 4) as bar:
        for step in (1, 2, 4):
            bar.show(step, f"step {step}", milestone=True)
    lines = terminal.getvalue().split("\r\033[K")[1:]
    assert [line.split("]")[0].count("#") for line in lines] == [5, 10, 20]
    assert terminal.getvalue().endswith("\n")
    assert terminal.getvalue().count("\n") == 1
    assert capsys.readouterr().out == ""


def test_a_line_never_wraps(terminal):
    with Progress("training", 4) as bar:
        bar.show(1, "a long note " * 20)
    assert len(terminal.getvalue().strip("\n").removeprefix("\r\033[K")) == 59


def test_a_terminal_is_written_to_ten_times_a_second_at_most(terminal, clock):
    with Progress("training", 1000) as bar:
        for step in range(1000):
            clock[0] += 0.01
            bar.show(step, "")
    assert terminal.getvalue().count("\r") <= 1000 * 0.01 / 0.1 + 1


def test_the_time_left_counts_only_what_was_done_here(capsys, clock):
    with Progress("training", 10, done=8) as bar:
        clock[0] += 30
        bar.show(9, "one in 30 seconds", milestone=True)
    assert capsys.readouterr().out == "training: one in 30 seconds, 30 s left\n"


def test_a_log_gets_milestones_only(capsys):
    with Progress("training", 3) as bar:
        bar.show(1, "a")
        bar.show(2, "b", milestone=True)
        bar.picture(None)
    assert capsys.readouterr().out == "training: b, 0 s left\n"


def test_whoever_is_silent_shows_nothing(capsys, terminal):
    with Progress("training", 3, silent=True) as bar:
        bar.show(3, "a", milestone=True)
        bar.picture(None)
    assert (capsys.readouterr().out, terminal.getvalue()) == ("", "")


def test_pictures_take_a_twentieth_of_the_time_at_most(monkeypatch, clock):
    drawn = []

    class Display:
        def update(self, content):
            drawn.append(content)

    def slow(draw):
        clock[0] += 1
        return b"png"

    monkeypatch.setattr(progress, "_notebook", lambda: True)
    monkeypatch.setattr(progress, "_Display", Display)
    monkeypatch.setattr(progress, "_png", slow)
    with Progress("training", 100) as bar:
        for _ in range(100):
            clock[0] += 3
            bar.picture(None)
    pictures = [content for content in drawn if "image/png" in content]
    assert 1 < len(pictures) <= 1 + 300 * progress.PICTURES_SHARE


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (3725, "1 h 2 min")]
)
def test_durations_are_said_as_people_say_them(seconds, words):
    assert duration(seconds) == words


# --- a real notebook ---

CELL = """
from tests.test_training import SHORT, dataset, net
from vgg_course.training import fit
history = fit(net(), dataset(), SHORT)
"""


@pytest.fixture(scope="module")
def kernel():
    manager = pytest.importorskip("jupyter_client.manager")
    here = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    starter, client = manager.start_new_kernel(env={**os.environ, **here}, cwd=str(ROOT))
    yield client
    client.stop_channels()
    starter.shutdown_kernel(now=True)


def outputs(client, code, allow_stdin):
    found = []
    reply = client.execute_interactive(code, allow_stdin=allow_stdin, output_hook=found.append, timeout=240)
    assert reply["content"]["status"] == "ok", reply["content"]
    shown = ("stream", "display_data", "update_display_data", "execute_result")
    return [message for message in found if message["msg_type"] in shown]


def test_a_notebook_that_nobody_watches_shows_what_its_cells_return_and_nothing_else(kernel):
    """So nbclient executes the book: a cell may not ask anything."""
    assert outputs(kernel, CELL, allow_stdin=False) == []
    (table,) = outputs(kernel, CELL + "history", allow_stdin=False)
    assert "Training" in table["content"]["data"]["text/plain"]


def test_in_a_notebook_one_line_and_one_picture_of_the_curves_are_rewritten(kernel):
    found = outputs(kernel, CELL, allow_stdin=True)
    assert [message["msg_type"] for message in found].count("display_data") == 2
    assert {message["msg_type"] for message in found} == {"display_data", "update_display_data"}
    contents = [message["content"] for message in found]
    pictures = [content for content in contents if "image/png" in content["data"]]
    lines = [content["data"]["text/plain"] for content in contents if "image/png" not in content["data"]]
    assert len({content["transient"]["display_id"] for content in pictures}) == 1
    assert base64.b64decode(pictures[-1]["data"]["image/png"]).startswith(b"\x89PNG")
    assert lines[-1].startswith("training: epoch 3 of 3, validation accuracy")


def test_ctrl_c_in_a_notebook_stops_training_and_not_the_notebook(kernel):
    code = CELL.replace("SHORT)", "SHORT, epochs=100000)")
    stop = "import threading, _thread; threading.Timer(3, _thread.interrupt_main).start()\n"
    outputs(kernel, stop + code, allow_stdin=False)
    (shown,) = outputs(kernel, "history.interrupted, len(history) > 0", allow_stdin=False)
    assert shown["content"]["data"]["text/plain"] == "(True, True)"
