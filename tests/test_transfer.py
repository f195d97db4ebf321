"""A server on this machine that stalls, crawls, breaks off, corrupts, redirects and refuses.

Nothing here depends on how fast this machine is: what must be slow waits, what must succeed may take its time.
"""

import os

import conftest
import pytest

from vgg_course import transfer
from vgg_course.transfer import DownloadError, Limits, TooSlowError, download

CONTENT = os.urandom(200_000)
PATIENT = Limits(pause=0.001)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


@pytest.fixture
def good(server):
    server.files["file"] = CONTENT
    return server.address("file")


def test_a_good_server_is_asked_once(server, good, path):
    assert download(good, path, PATIENT) is False
    assert path.read_bytes() == CONTENT
    assert server.asked == [("file", None)]


def test_a_transfer_that_breaks_off_goes_on_where_it_ended(server, good, path):
    stops = iter([50_000, 100_000, None])
    server.faults["file"] = lambda handler: conftest.serve(handler, CONTENT, until=next(stops))
    assert download(good, path, PATIENT) is True
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=50000-", "bytes=100000-"]


def test_what_an_earlier_run_left_is_used(server, good, path):
    path.write_bytes(CONTENT[:150_000])
    assert download(good, path, PATIENT) is True
    assert path.read_bytes() == CONTENT
    assert server.asked == [("file", "bytes=150000-")]


def test_a_file_that_was_complete_already_is_not_fetched_again(server, good, path):
    path.write_bytes(CONTENT)
    assert download(good, path, PATIENT) is True
    assert path.read_bytes() == CONTENT


def test_a_file_that_is_longer_than_the_server_has_is_fetched_anew(server, good, path):
    path.write_bytes(CONTENT + b"more")
    download(good, path, PATIENT)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["bytes=200004-", None]


def test_a_server_that_ignores_ranges_sends_everything_again(server, good, path):
    path.write_bytes(b"x" * 1000)
    server.faults["file"] = lambda handler: conftest.serve(handler, CONTENT, ranges=False)
    download(good, path, PATIENT)
    assert path.read_bytes() == CONTENT


def test_a_server_that_sends_another_range_is_refused(server, good, path):
    def answer(handler):
        handler.send_response(206)
        handler.send_header("Content-Range", "bytes 2000-199999/200000")
        handler.end_headers()

    path.write_bytes(CONTENT[:1000])
    server.faults["file"] = answer
    with pytest.raises(DownloadError, match="another part of the file"):
        download(good, path, PATIENT)


def test_a_server_that_always_breaks_off_is_left_after_a_few_tries_and_the_rest_kept(server, good, path):
    def answer(handler):
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        conftest.serve(handler, CONTENT, until=start + 1000)

    server.faults["file"] = answer
    with pytest.raises(DownloadError, match="broke off after 4,000 of 200,000 bytes"):
        download(good, path, PATIENT)
    assert len(server.asked) == PATIENT.tries
    assert path.read_bytes() == CONTENT[:4000]


def test_a_server_that_sends_nothing_gets_no_second_try(server, good, path):
    server.faults["file"] = lambda handler: conftest.serve(handler, CONTENT, until=0)
    with pytest.raises(DownloadError, match="broke off after 0 of 200,000 bytes"):
        download(good, path, PATIENT)
    assert len(server.asked) == 1


def silent(server, sent):
    """Send the head and a part of the file, then nothing more."""

    def answer(handler):
        if sent is None:
            server.ending.wait()
        else:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(CONTENT)))
            handler.end_headers()
            handler.wfile.write(CONTENT[:sent])
            server.ending.wait()

    return answer


@pytest.mark.parametrize(
    ("sent", "words"), [(None, "cannot be reached .timed out"), (1000, "stopped sending .timed out")]
)
def test_a_server_that_stalls_is_left(server, good, path, sent, words):
    server.faults["file"] = silent(server, sent)
    with pytest.raises(DownloadError, match=words):
        download(good, path, Limits(stall=0.2, tries=2, pause=0.001))


def crawling(server, content, step, seconds):
    def answer(handler):
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        for place in range(start, len(content), step):
            handler.wfile.write(content[place : place + step])
            handler.wfile.flush()
            if server.ending.wait(seconds):
                return

    return answer


def test_the_watchdog_leaves_a_server_that_crawls_and_keeps_what_came(server, good, path):
    server.faults["file"] = crawling(server, CONTENT, step=64, seconds=0.01)  # at least half a minute in all
    with pytest.raises(TooSlowError, match=r"is too slow \(\d+ kB/s, another .* (s|min .*)\)") as caught:
        download(good, path, Limits(window=0.2, patience=10))
    assert 0 < caught.value.rate < 20_000
    assert CONTENT.startswith(path.read_bytes())


def test_the_watchdog_notices_a_server_that_slows_down_late(server, good, path):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:190_000])
        for place in range(190_000, len(CONTENT), 8):
            handler.wfile.write(CONTENT[place : place + 8])
            handler.wfile.flush()
            if server.ending.wait(0.01):
                return

    server.faults["file"] = answer
    with pytest.raises(TooSlowError):
        download(good, path, Limits(window=0.2, patience=2))
    assert path.stat().st_size >= 190_000


def test_a_server_that_does_not_say_how_long_the_file_is_will_do(server, good, path):
    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT)

    server.faults["file"] = answer
    download(good, path, PATIENT)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("says", [True, False])
def test_an_endless_file_is_refused(server, good, path, monkeypatch, says):
    def answer(handler):
        handler.send_response(200)
        if says:
            handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        while not server.ending.is_set():
            handler.wfile.write(CONTENT)

    monkeypatch.setattr(transfer, "MOST", 1_000_000)
    server.faults["file"] = answer
    with pytest.raises(DownloadError, match="sends more than 1 MB"):
        download(good, path, PATIENT)
    assert path.stat().st_size < 2_000_000


def redirect(to, code=302):
    def answer(handler):
        handler.send_response(code)
        handler.send_header("Location", to)
        handler.end_headers()

    return answer


def test_a_redirection_is_followed_and_keeps_the_range(server, good, path):
    server.faults["moved"] = redirect(good)
    path.write_bytes(CONTENT[:1000])
    download(server.address("moved"), path, PATIENT)
    assert path.read_bytes() == CONTENT
    assert server.asked == [("moved", "bytes=1000-"), ("file", "bytes=1000-")]


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("/loop", "refused .302 .*infinite loop"),
        ("file:///etc/passwd", "refused .302"),
        ("http://[", "cannot be reached"),
    ],
)
def test_a_redirection_to_nowhere_is_refused(server, path, to, words):
    server.faults["loop"] = redirect(to)
    with pytest.raises(DownloadError, match=words):
        download(server.address("loop"), path, PATIENT)
    assert not path.exists()


@pytest.mark.parametrize("code", [403, 404, 429, 500, 503])
def test_a_refusal_is_final(server, good, path, code):
    server.faults["file"] = lambda handler: handler.send_error(code)
    with pytest.raises(DownloadError, match=f"refused .{code} "):
        download(good, path, PATIENT)
    assert len(server.asked) == 1


def test_a_web_page_is_not_the_data(server, good, path):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html; charset=utf-8")
        handler.end_headers()
        handler.wfile.write(b"<html>Please log in</html>")

    server.faults["file"] = answer
    with pytest.raises(DownloadError, match=r"sent a web page .*log in"):
        download(good, path, PATIENT)
    assert not path.exists()


def test_a_server_that_speaks_no_http_is_left(server, good, path):
    server.faults["file"] = lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")
    with pytest.raises(DownloadError, match="cannot be reached"):
        download(good, path, PATIENT)


def test_a_port_where_nobody_listens_is_left(path):
    with pytest.raises(DownloadError, match=r"cannot be reached \(.*refused\)"):
        download("http://127.0.0.1:1/file", path, PATIENT)


def test_progress_shows_rate_and_a_log_gets_a_line_every_tenth(server, good, path, capsys):
    server.faults["file"] = crawling(server, CONTENT, step=10_000, seconds=0.001)
    download(good, path, PATIENT)
    lines = capsys.readouterr().out.splitlines()
    assert 1 <= len(lines) <= 10
    assert all(line.startswith("CIFAR-10 from 127.0.0.1: ") and " MB/s, " in line for line in lines)
