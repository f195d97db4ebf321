"""Figures are closed, chance is fixed; and, for the data: a CIFAR-10 of 140 images, with a server that misbehaves on command."""

import hashlib
import http.server
import io
import pickle
import re
import sys
import tarfile
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from vgg_course import cifar10, containers, data, sources, transfer

COUNTS = {"train": 10, "test": 4}


@pytest.fixture(autouse=True)
def _figures_are_closed():
    """A figure that a test has drawn does not stay open; where none can be, matplotlib is not even imported."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def _chance_is_the_same_every_time():
    """A test that draws from torch's own generator, as students do, draws the same in any order of tests."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture
def nothing_of_this_machine(monkeypatch, tmp_path):
    """No test may see this machine's data, cache or network."""
    monkeypatch.delenv("VGG_COURSE_DATA", raising=False)
    monkeypatch.setenv("VGG_COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VGG_COURSE_OFFLINE", "1")


@pytest.fixture
def tiny(monkeypatch):
    """The images of the tiny CIFAR-10, as a reader would yield them; from now on these are the right ones."""
    random = np.random.default_rng(0)
    images = [
        (split, label, random.integers(0, 256, cifar10.IMAGE, dtype=np.uint8).tobytes())
        for split, count in COUNTS.items()
        for label in random.permutation(np.repeat(np.arange(10), count)).tolist()
    ]
    digests = {}
    for label, name in enumerate(cifar10.CLASSES):  # as the docstring of vgg_course.cifar10 defines it, in other words
        block = b""
        for split in COUNTS:
            block += b"".join(sorted((i[2] for i in images if i[:2] == (split, label)), key=sha256))
        digests[name] = sha256(block).hex()
    for module in (cifar10, data):
        monkeypatch.setattr(module, "PER_CLASS", COUNTS)
    monkeypatch.setattr(cifar10, "DIGESTS", digests)
    return images


def sha256(content):
    return hashlib.sha256(content).digest()


@pytest.fixture
def folder(tiny, tmp_path):
    """What VGG_COURSE_DATA names: the tiny CIFAR-10 in the official form."""
    place = tmp_path / "given" / sources.FOLDER
    place.mkdir(parents=True)
    for name, content in batches(tiny).items():
        (place / name).write_bytes(content)
    return place.parent


def batches(images):
    """The six files of the official Python version."""
    train, test = ([image for image in images if image[0] == split] for split in COUNTS)
    parts = [*(train[start::5] for start in range(5)), test]
    return {
        name: pickle.dumps(
            {
                "data": np.stack([np.frombuffer(pixels, np.uint8) for _, _, pixels in part]),
                "labels": [label for _, label, _ in part],
            }
        )
        for name, part in zip(containers.BATCHES, parts, strict=True)
    }


def tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def batch_archive(images):
    return tar(
        {"cifar-10-batches-py/readme.html": b"<html>"}
        | {f"{sources.FOLDER}/{n}": c for n, c in batches(images).items()}
    )


def picture_archive(images):
    """The images in another order and another container."""
    return tar(
        {"cifar10/labels.txt": b"airplane\n..."}
        | {
            f"cifar10/{split}/{cifar10.CLASSES[label]}/{number}_x.png": png(pixels)
            for number, (split, label, pixels) in reversed(list(enumerate(images)))
        }
    )


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(np.frombuffer(pixels, np.uint8).reshape(3, 32, 32).transpose(1, 2, 0)).save(buffer, "PNG")
    return buffer.getvalue()


# --- the server ---


@dataclass
class Server:
    """``files`` has the content of each path, ``faults`` what to do instead of serving it; ``asked`` is what came in."""

    port: int = 0
    files: dict = field(default_factory=dict)
    faults: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def address(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        state, path = self.server.state, self.path.strip("/")
        state.asked.append((path, self.headers.get("Range")))
        try:
            fault = state.faults.get(path)
            fault(self) if fault else serve(self, state.files[path])
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has left

    def log_message(self, *_):
        pass


def serve(handler, content, ranges=True, until=None):
    """Answer as a good server does; ``until``: break off after that many bytes of the file."""
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
    start = int(asked[1]) if asked and ranges else 0
    if start and start >= len(content):
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(content)}")
        handler.end_headers()
        return
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - start))
    handler.end_headers()
    handler.wfile.write(content[start:until])


@pytest.fixture
def server(tiny, nothing_of_this_machine, monkeypatch):
    """Three copies of the tiny CIFAR-10: two official archives and one of pictures, at three paths of one server."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VGG_COURSE_OFFLINE", "0")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        listener.daemon_threads = True
        state = listener.state = Server(listener.server_port)
        state.files = {
            "official": batch_archive(tiny),
            "pictures": picture_archive(tiny),
            "mirror": batch_archive(tiny),
        }
        copies = [
            sources.Copy((state.address("official"),), containers.batch_archive, "numpy"),
            sources.Copy((state.address("pictures"),), containers.picture_archive, "PIL"),
            sources.Copy((state.address("mirror"),), containers.batch_archive, "numpy"),
        ]
        monkeypatch.setattr(sources, "COPIES", tuple(copies))
        monkeypatch.setattr(sources.Copy, "__str__", lambda copy: copy.addresses[0].rpartition("/")[2])
        monkeypatch.setattr(sources, "LIMITS", transfer.Limits(pause=0.001))
        threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
        yield state
        state.ending.set()
        listener.shutdown()
