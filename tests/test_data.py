import hashlib
import http.server
import io
import os
import pickle
import re
import tarfile
import threading

import numpy as np
import pytest
import torch

from vgg_course import data, sources, synthetic
from vgg_course.data import DataError, reduced_cifar10

FEW = {"train_per_class": 10, "test_per_class": 4}


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch, tmp_path):
    """No test may see this machine's data, cache or network."""
    monkeypatch.delenv("VGG_COURSE_DATA", raising=False)
    monkeypatch.setenv("VGG_COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VGG_COURSE_OFFLINE", "1")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A CIFAR-10 of 100 + 40 images, in the official form, and with sums that match."""
    place = tmp_path / "given" / sources.FOLDER
    place.mkdir(parents=True)
    random = np.random.default_rng(0)
    for files in (sources.TRAIN, sources.TEST):
        per_class = 10 if files is sources.TRAIN else 4
        labels = random.permutation(np.repeat(np.arange(10), per_class)).reshape(len(files), -1)
        sums = {}
        for name, some in zip(files, labels, strict=True):
            pixels = random.integers(0, 256, (len(some), 3072), dtype=np.uint8)
            content = pickle.dumps({"data": pixels, "labels": some.tolist()})
            (place / name).write_bytes(content)
            sums[name] = hashlib.md5(content, usedforsecurity=False).hexdigest()
        monkeypatch.setattr(sources, "TRAIN" if files is sources.TRAIN else "TEST", sums)
    monkeypatch.setattr(data, "PER_CLASS", {"train": 10, "test": 4})
    return place.parent


@pytest.fixture
def given(folder, monkeypatch):
    monkeypatch.setenv("VGG_COURSE_DATA", str(folder))
    return folder


# --- which images ---


def test_every_image_of_the_classes_is_there_with_its_label(given):
    found = reduced_cifar10(("bird", "ship"), **FEW)
    raw = [pickle.loads((given / sources.FOLDER / name).read_bytes()) for name in sources.TRAIN]
    birds = {
        row.tobytes() for batch in raw for row, label in zip(batch["data"], batch["labels"], strict=True) if label == 2
    }
    assert {image.numpy().tobytes() for image in found.train.images[found.train.labels == 0]} == birds
    assert found.train.labels.bincount().tolist() == [10, 10]
    assert found.test.labels.bincount().tolist() == [4, 4]
    assert found.train.images.shape == (20, 3, 32, 32)
    assert (found.train.images.dtype, found.train.labels.dtype) == (torch.uint8, torch.int64)
    assert not found.is_drawn


def keys(split):
    return [image.numpy().tobytes() for image in split.images]


def test_validation_images_come_from_the_training_images_and_are_not_in_them(given):
    whole, split = reduced_cifar10(**FEW), reduced_cifar10(**FEW, validation_per_class=3)
    assert (len(split.train), len(split.validation)) == (21, 9)
    assert not set(keys(split.train)) & set(keys(split.validation))
    assert set(keys(split.train)) | set(keys(split.validation)) == set(keys(whole.train))
    assert split.validation.labels.bincount().tolist() == [3, 3, 3]


def test_the_selection_repeats_by_seed_and_changes_with_it(given):
    first, again, other = (reduced_cifar10(train_per_class=5, test_per_class=2, seed=seed) for seed in (0, 0, 1))
    assert keys(first.train) == keys(again.train)
    assert keys(first.train) != keys(other.train)


def test_a_class_is_treated_alike_whatever_the_others_are(given):
    one = reduced_cifar10(("bird", "cat"), 5, 2)
    two = reduced_cifar10(("airplane", "automobile", "bird"), 5, 2)
    assert torch.equal(one.train.images[one.train.labels == 0], two.train.images[two.train.labels == 2])


def test_more_training_images_leave_the_validation_images_the_same(given):
    few, many = (reduced_cifar10(train_per_class=n, test_per_class=1, validation_per_class=2) for n in (5, 9))
    assert keys(few.validation) == keys(many.validation)


def test_mean_and_std_are_those_of_the_training_pixels(given):
    found = reduced_cifar10(**FEW, validation_per_class=4)
    pixels = found.train.images.double() / 255
    torch.testing.assert_close(found.mean.double(), pixels.mean((0, 2, 3)), rtol=0, atol=1e-7)
    torch.testing.assert_close(found.std.double(), pixels.std((0, 2, 3), correction=0), rtol=0, atol=1e-7)


def test_normalized_training_images_have_mean_zero_and_deviation_one(given):
    found = reduced_cifar10(**FEW)
    normal = found.normalize(found.train.images).double()
    torch.testing.assert_close(normal.mean((0, 2, 3)), torch.zeros(3).double(), rtol=0, atol=1e-5)
    torch.testing.assert_close(normal.std((0, 2, 3), correction=0), torch.ones(3).double(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"classes": ("airplane", "zebra")}, "'zebra', which CIFAR-10 has not"),
        ({"classes": "bird"}, "classes is the text 'bird'"),
        ({"classes": ("bird", "bird")}, "at least two, each once"),
        ({"classes": ("bird",)}, "at least two"),
        ({"classes": ()}, "at least two"),
        ({"train_per_class": 11}, "train_per_class is 11; it must be a whole number from 1 to 10"),
        ({"train_per_class": 0}, "train_per_class is 0"),
        ({"test_per_class": -1}, "test_per_class is -1"),
        ({"test_per_class": 2.0}, r"test_per_class is 2\.0"),
        ({"test_per_class": True}, "test_per_class is True"),
        ({"validation_per_class": 10}, "validation_per_class is 10; it must be a whole number from 0 to 9"),
    ],
)
def test_impossible_wishes_are_refused_by_name_value_and_rule(given, arguments, words):
    with pytest.raises(ValueError, match=words):
        reduced_cifar10(**{**FEW, **arguments})


# --- where from ---


def test_the_sums_and_the_address_are_those_of_torchvision():
    from torchvision.datasets import CIFAR10

    assert (CIFAR10.url, CIFAR10.tgz_md5, CIFAR10.base_folder) == (sources.URL, sources.ARCHIVE_MD5, sources.FOLDER)
    assert dict(CIFAR10.train_list) == sources.TRAIN
    assert dict(CIFAR10.test_list) == sources.TEST


def test_a_named_folder_without_the_data_is_an_error_and_nothing_else_is_tried(tmp_path, monkeypatch):
    monkeypatch.setenv("VGG_COURSE_DATA", str(tmp_path))
    for look in (sources.locate, reduced_cifar10):
        with pytest.raises(DataError, match=r"VGG_COURSE_DATA is .* no cifar-10-batches-py/data_batch_1 in it"):
            look()


def test_a_file_cut_short_is_an_error_that_names_it(given):
    path = given / sources.FOLDER / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=re.escape(str(path)) + ".*damaged or was cut short"):
        reduced_cifar10(**FEW)


def test_a_file_with_one_changed_byte_is_never_unpickled(given, monkeypatch):
    path = given / sources.FOLDER / "test_batch"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    loaded = []
    monkeypatch.setattr(data.pickle, "loads", lambda content, **_: loaded.append(content))
    with pytest.raises(DataError, match="not the official file"):
        data._read(data.Source("folder", given), sources.TEST)
    assert not loaded


def test_the_cache_is_used_without_a_network_and_checked_too(folder, monkeypatch):
    monkeypatch.setenv("VGG_COURSE_CACHE", str(folder))
    assert sources.locate() == data.Source("cache", folder)
    assert not reduced_cifar10(**FEW).is_drawn
    (folder / sources.FOLDER / "data_batch_1").write_bytes(b"rubbish")
    with pytest.raises(DataError, match="delete it"):
        reduced_cifar10(**FEW)


def test_locating_reads_nothing(given):
    for name in sources.TRAIN:
        (given / sources.FOLDER / name).write_bytes(b"")
    assert sources.locate().kind == "folder"


def test_the_source_names_no_folder_of_this_machine(given):
    assert str(given) not in repr(reduced_cifar10(**FEW))


# --- the stand-in ---


@pytest.fixture
def drawn(monkeypatch):
    monkeypatch.setattr(data, "PER_CLASS", {"train": 10, "test": 4})
    return reduced_cifar10(**FEW, validation_per_class=2)


def test_without_network_and_copy_the_pictures_are_drawn_and_say_so(drawn):
    assert drawn.is_drawn
    assert "VGG_COURSE_DATA" in drawn.source  # the remedy
    assert "DRAWN STAND-IN" in repr(drawn)
    assert "DRAWN STAND-IN" in drawn._repr_html_()
    assert [len(split) for split in (drawn.train, drawn.validation, drawn.test)] == [24, 6, 12]


def test_drawn_test_pictures_are_not_among_the_training_pictures(drawn):
    assert not set(keys(drawn.test)) & {*keys(drawn.train), *keys(drawn.validation)}


def test_drawn_classes_keep_their_names_in_any_order(monkeypatch):
    monkeypatch.setattr(data, "PER_CLASS", {"train": 10, "test": 4})
    found = reduced_cifar10(("bird", "airplane"), **FEW)
    birds = synthetic.draw(10, seed=0)
    assert torch.equal(found.train.images[found.train.labels == 0], birds.images[birds.labels == 2])


def test_the_stand_in_refuses_what_it_cannot_draw():
    with pytest.raises(DataError, match="has no 'cat'"):
        reduced_cifar10(("bird", "cat"))


# --- the download ---


def packed(folder):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(folder / sources.FOLDER, sources.FOLDER)
    return buffer.getvalue()


@pytest.fixture
def server(folder, monkeypatch):
    """The official server, on this machine. ``server.answer`` decides what it sends."""
    archive = packed(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.answer(self)

        def log_message(self, *_):
            pass

    def whole(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(archive)))
        handler.end_headers()
        handler.wfile.write(archive)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.answer, server.archive = whole, archive
        monkeypatch.setattr(sources, "URL", f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz")
        monkeypatch.setattr(sources, "ARCHIVE_MD5", hashlib.md5(archive, usedforsecurity=False).hexdigest())
        monkeypatch.setenv("VGG_COURSE_OFFLINE", "0")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def left_in_cache():
    cache = sources.cache_folder()
    return sorted(os.listdir(cache)) if cache.exists() else []


def test_a_download_is_kept_and_not_repeated(server):
    assert sources.locate().kind == "download"
    first = reduced_cifar10(**FEW)
    assert not first.is_drawn
    assert left_in_cache() == [sources.FOLDER]
    server.answer = None  # a second request would fail
    assert sources.locate().kind == "cache"
    assert keys(reduced_cifar10(**FEW).train) == keys(first.train)


def truncated(server):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(server.archive)))
        handler.end_headers()
        handler.wfile.write(server.archive[: len(server.archive) // 2])
        handler.close_connection = True

    return answer


def corrupted(server):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(server.archive)))
        handler.end_headers()
        handler.wfile.write(server.archive[:-1] + b"?")

    return answer


def refusing(server):
    return lambda handler: handler.send_error(503)


def crawling(server):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(server.archive)))
        handler.end_headers()
        for start in range(0, len(server.archive), 64):  # 64 bytes every hundredth of a second
            try:
                handler.wfile.write(server.archive[start : start + 64])
            except OSError:
                return
            server.pause.wait(0.01)

    server.pause = threading.Event()
    return answer


@pytest.mark.parametrize(
    ("fault", "words"),
    [(truncated, "broke off"), (corrupted, "sent something else"), (refusing, "503"), (crawling, "too slow")],
)
def test_a_faulty_server_leaves_nothing_behind_and_the_stand_in_says_why(server, monkeypatch, fault, words):
    monkeypatch.setattr(sources, "PATIENCE", 1)
    server.answer = fault(server)
    found = reduced_cifar10(**FEW)
    assert found.is_drawn
    assert words in found.source
    assert left_in_cache() == []


def test_a_good_archive_with_a_wrong_file_inside_is_refused(server, folder, monkeypatch):
    (folder / sources.FOLDER / "data_batch_2").write_bytes(b"rubbish")
    archive = packed(folder)
    monkeypatch.setattr(sources, "ARCHIVE_MD5", hashlib.md5(archive, usedforsecurity=False).hexdigest())
    server.archive = archive
    server.answer = lambda handler: (handler.send_response(200), handler.end_headers(), handler.wfile.write(archive))
    with pytest.raises(DataError, match="data_batch_2 is not the official file"):
        reduced_cifar10(**FEW)
    assert left_in_cache() == []


def test_an_incomplete_cache_is_downloaded_anew(server):
    place = sources.cache_folder() / sources.FOLDER
    place.mkdir(parents=True)
    (place / "data_batch_1").write_bytes(b"half")
    assert not reduced_cifar10(**FEW).is_drawn


def test_a_cache_that_cannot_be_written_is_an_error_with_a_remedy(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VGG_COURSE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="set VGG_COURSE_CACHE"):
        reduced_cifar10(**FEW)


# --- the real thing ---


@pytest.mark.skipif(not os.environ.get("VGG_COURSE_DATA"), reason="VGG_COURSE_DATA is not set")
def test_the_real_data_has_15000_and_3000_images(monkeypatch):
    monkeypatch.setenv("VGG_COURSE_DATA", REAL)
    found = reduced_cifar10(validation_per_class=500)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [13_500, 1_500, 3_000]
    assert len(set(keys(found.train)) | set(keys(found.validation))) > 14_980  # CIFAR-10 has a few true duplicates
    assert not found.is_drawn


REAL = os.environ.get("VGG_COURSE_DATA", "")
