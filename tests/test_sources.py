"""Several sources behind one call; never a half dataset, always a clear word."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import conftest
import pytest

from vgg_course import cifar10, sources
from vgg_course.cifar10 import DataError
from vgg_course.sources import DownloadError, TooSlowError

pytestmark = pytest.mark.usefixtures("nothing_of_this_machine")


def kept():
    """The names of what lies in the cache, except the lock, which is empty."""
    return sorted(path.name for path in sources.cache_folder().rglob("*") if path.is_file() and path.name != "lock")


def refuse(handler):
    handler.send_error(503)


# --- which copies ---


def test_the_official_address_is_torchvisions_and_comes_first():
    from torchvision.datasets import CIFAR10

    assert sources.COPIES[0].addresses == (CIFAR10.url,)
    assert CIFAR10.base_folder == sources.FOLDER


def test_every_copy_has_a_server_of_its_own_and_is_encrypted():
    assert len({str(copy) for copy in sources.COPIES}) == len(sources.COPIES) >= 3
    assert all(address.startswith("https://") for copy in sources.COPIES for address in copy.addresses)


def test_locating_reads_nothing(folder, monkeypatch):
    monkeypatch.setenv("VGG_COURSE_DATA", str(folder))
    for path in folder.rglob("*batch*"):
        if path.is_file():
            path.write_bytes(b"")
    assert sources.locate().kind == "folder"


# --- one after the other ---


def test_the_first_copy_is_enough_and_leaves_one_file(server, capsys):
    sources.fetch()
    assert [path for path, _ in server.asked] == ["official"]
    assert kept() == [sources.FILE]
    assert "CIFAR-10 came from official in" in capsys.readouterr().out
    assert sources.verify(sources.locate()) == 140


def test_what_is_there_is_not_fetched_again(server):
    sources.fetch()
    sources.fetch()
    assert len(server.asked) == 1


def test_a_refusal_leads_to_the_next_copy_and_one_line_says_all(server, capsys):
    server.faults = {"official": refuse}
    sources.fetch()
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "came from" in line)
    assert line.startswith("CIFAR-10 came from pictures in ")
    assert "official: refused (503 Service Unavailable)" in line


def test_a_tampered_copy_is_refused_and_the_next_one_taken(server, tiny, capsys):
    pixels = bytearray(tiny[3][2])
    pixels[0] ^= 255
    server.files["official"] = conftest.batch_archive([*tiny[:3], (*tiny[3][:2], bytes(pixels)), *tiny[4:]])
    sources.fetch()
    assert "official: sent something else: other pixels in class" in capsys.readouterr().out
    assert [path for path, _ in server.asked] == ["official", "pictures"]
    assert kept() == [sources.FILE]


@pytest.mark.parametrize("content", [b"", b"<html>log in</html>"])
def test_what_is_no_archive_is_refused_and_the_next_one_taken(server, content, capsys):
    server.files["official"] = content
    sources.fetch()
    assert "official: sent something else: " in capsys.readouterr().out
    assert kept() == [sources.FILE]


def test_a_copy_whose_reader_is_missing_is_passed_over_in_words(server, monkeypatch, capsys):
    official = sources.COPIES[0]
    missing = sources.Copy(official.addresses, official.reader, "no_such_package")
    monkeypatch.setattr(sources, "COPIES", (missing, *sources.COPIES[1:]))
    sources.fetch()
    assert "passed over, because no_such_package is not installed" in capsys.readouterr().out
    assert [path for path, _ in server.asked] == ["pictures"]


def test_pieces_that_do_not_fit_together_are_fetched_once_more(server):
    def broken(handler):
        conftest.serve(handler, server.files["official"], until=100_000)

    server.faults = {"official": broken, "pictures": refuse, "mirror": refuse}
    with pytest.raises(DownloadError):
        sources.fetch()
    (piece,) = (path for path in sources.cache_folder().rglob("*official"))
    piece.write_bytes(b"?" * piece.stat().st_size)  # what a crash of the whole machine can leave
    server.faults.clear()
    server.asked.clear()
    sources.fetch()
    assert [asked is None for _, asked in server.asked] == [False, True]
    assert kept() == [sources.FILE]


def test_when_all_fail_the_message_says_why_for_each(server):
    server.faults = {"official": refuse, "pictures": refuse}
    server.files["mirror"] = b"rubbish"
    with pytest.raises(DownloadError, match=r"^official, pictures: refused .*; mirror: sent something else: .*$"):
        sources.fetch()
    assert kept() == []


def test_when_all_are_slow_the_fastest_gets_more_patience_and_goes_on_where_it_was(server, monkeypatch):
    """With no patience at all every server is slow as soon as its speed has been measured."""

    def slow(name):
        def answer(handler):
            content = server.files[name]
            start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
            handler.send_response(206 if start else 200)
            if start:
                handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            handler.send_header("Content-Length", str(len(content) - start))
            handler.end_headers()
            for place in range(start, len(content), 20_000):
                handler.wfile.write(content[place : place + 20_000])
                if server.ending.wait(0.02):
                    return

        return answer

    server.faults = {name: slow(name) for name in ("official", "pictures", "mirror")}
    monkeypatch.setattr(sources, "LIMITS", sources.transfer.Limits(window=0.05, patience=0))
    sources.fetch()
    assert [path for path, asked in server.asked[:3] if asked is None] == ["official", "pictures", "mirror"]
    assert len(server.asked) == 4
    assert server.asked[3][1] is not None  # it went on
    assert kept() == [sources.FILE]


def test_the_last_resort_is_the_fastest_first():
    rates = dict(zip(sources.COPIES, (50, None, 900, 300, None), strict=True))
    failures = {copy: TooSlowError(rate, 1) if rate else DownloadError("gone") for copy, rate in rates.items()}
    rounds = list(sources._attempts(failures))
    assert [copy for copy, _ in rounds[: len(rates)]] == list(sources.COPIES)
    assert [rates[copy] for copy, _ in rounds[len(rates) :]] == [900, 300, 50]
    assert {limits.patience for _, limits in rounds[len(rates) :]} == {sources.LAST_RESORT}


# --- the disk ---


def test_a_cache_that_cannot_be_made_is_an_error_with_a_remedy(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VGG_COURSE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match=r"cannot be written .*: make it writable, or set VGG_COURSE_CACHE"):
        sources.fetch()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only for this user")
def test_a_read_only_cache_is_an_error_with_a_remedy_but_what_is_in_it_can_be_used(server, tmp_path):
    cache = sources.cache_folder()
    cache.mkdir()
    cache.chmod(0o555)
    with pytest.raises(DataError, match=r"cannot be written .Permission denied.: make it writable"):
        sources.fetch()
    cache.chmod(0o755)
    sources.fetch()
    cache.chmod(0o555)
    assert sources.verify(sources.locate()) == 140
    cache.chmod(0o755)


def test_a_disk_that_is_nearly_full_is_noticed_before_anything_is_fetched(server, monkeypatch):
    monkeypatch.setattr(sources.shutil, "disk_usage", lambda _: type("", (), {"free": 12_000_000}))
    with pytest.raises(DataError, match=r"12 MB are free.*: free 400 MB, or set VGG_COURSE_CACHE"):
        sources.fetch()
    assert not server.asked


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is always full")
@pytest.mark.parametrize("which", ["archive", "file"])
def test_a_disk_that_fills_up_meanwhile_leaves_nothing_behind(server, which):
    workplace = sources.cache_folder() / "unfinished"
    workplace.mkdir(parents=True)
    name = sources._name(server.address("official")) if which == "archive" else sources.FILE
    (workplace / name).symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"No space left on device.*: free 400 MB"):
        sources.fetch()
    assert kept() == []
    assert sources.locate().kind == "download"
    sources.fetch()  # as soon as there is room
    assert kept() == [sources.FILE]


# --- several processes, and their sudden end ---

CHILD = """
import json, sys
from vgg_course import cifar10, containers, sources, transfer
given = json.loads(sys.argv[1])
cifar10.PER_CLASS, cifar10.DIGESTS = given["counts"], given["digests"]
sources.COPIES = (sources.Copy((given["address"],), containers.batch_archive, "numpy"),)
sources.LIMITS = transfer.Limits(pause=0.001)
sources.fetch()
"""


@pytest.fixture
def child(server):
    """Start a process that fetches the tiny CIFAR-10."""
    given = {"counts": cifar10.PER_CLASS, "digests": cifar10.DIGESTS, "address": server.address("official")}
    started = []

    def start():
        command = [sys.executable, "-c", CHILD, json.dumps(given)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def slowly(server, seconds):
    """Serve the official archive in fifty parts, on and on where the client wishes."""

    def answer(handler):
        content = server.files["official"]
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        if start >= len(content):
            return conftest.serve(handler, content)
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        for place in range(start, len(content), len(content) // 50):
            handler.wfile.write(content[place : min(place + len(content) // 50, len(content))])
            if server.ending.wait(seconds):
                return

    return answer


def until(condition):
    """Wait for something that will happen."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_two_processes_at_once_make_one_download(server, child):
    server.faults["official"] = slowly(server, 0.02)
    first = child()
    until(lambda: server.asked)
    second = child()
    outputs = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "came from" in outputs[0]
    assert outputs[1] == "waiting for another process that is fetching CIFAR-10\n"
    assert len(server.asked) == 1
    assert kept() == [sources.FILE]


def test_a_process_that_is_killed_loses_nothing(server, child):
    """Three times kill -9 in the middle: each next one goes on, and there is never a half dataset."""
    server.faults["official"] = slowly(server, 0.02)
    for number in range(1, 4):
        process = child()
        until(lambda number=number: len(server.asked) == number)
        had = sources.occupied(sources.cache_folder())
        until(lambda had=had: sources.occupied(sources.cache_folder()) > had)
        process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        process.communicate()
        assert sources.locate().kind == "download"
    sources.fetch()
    starts = [int((asked or "bytes=0-")[6:-1]) for _, asked in server.asked]
    assert starts == sorted(set(starts))  # every one further on than the one before
    assert sources.verify(sources.locate()) == 140
    assert kept() == [sources.FILE]


def test_a_lock_that_was_left_behind_locks_nothing(server):
    sources.cache_folder().mkdir()
    (sources.cache_folder() / "lock").write_text("12345")
    sources.fetch()
    assert kept() == [sources.FILE]


def test_a_drive_without_locks_will_do(server, monkeypatch):
    def unknown(_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(sources, "_locked", unknown)
    sources.fetch()
    assert kept() == [sources.FILE]
    assert not list(sources.cache_folder().glob("unfinished*"))


def test_ctrl_c_keeps_what_has_come(server, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cifar10, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            sources.fetch()
    assert sources.locate().kind == "download"
    sources.fetch()
    assert [path for path, _ in server.asked] == ["official", "official"]
    assert server.asked[1][1] == f"bytes={len(server.files['official'])}-"  # all of it was there


def test_delete_removes_everything_that_the_course_keeps_and_nothing_else(server):
    sources.fetch()
    cache = sources.cache_folder()
    (cache / "unfinished").mkdir()
    (cache / "unfinished" / "piece").write_bytes(b"123")
    (cache / "mine").write_bytes(b"keep")
    assert sources.delete() == 140 * 3072 + 3
    assert [path.name for path in cache.iterdir()] == ["mine"]
    assert sources.delete() == 0
