import hashlib
import os
from pathlib import Path

import pytest
import torch

from vgg_course import cifar10, data, sources, synthetic
from vgg_course.data import DataError, reduced_cifar10

pytestmark = pytest.mark.usefixtures("nothing_of_this_machine")

FEW = {"train_per_class": 10, "test_per_class": 4}


@pytest.fixture
def given(folder, monkeypatch):
    monkeypatch.setenv("VGG_COURSE_DATA", str(folder))
    return folder


# --- which images ---


def test_every_image_of_the_classes_is_there_with_its_label(given, tiny):
    found = reduced_cifar10(("bird", "ship"), **FEW)
    birds = {pixels for split, label, pixels in tiny if (split, label) == ("train", 2)}
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


def test_a_named_folder_without_the_data_is_an_error_and_nothing_else_is_tried(tmp_path, monkeypatch):
    monkeypatch.setenv("VGG_COURSE_DATA", str(tmp_path))
    for look in (sources.locate, reduced_cifar10):
        with pytest.raises(DataError, match=r"VGG_COURSE_DATA is .* no cifar-10-batches-py/data_batch_1 in it"):
            look()


def test_a_damaged_folder_is_an_error_and_no_reason_to_draw(given):
    path = given / sources.FOLDER / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        DataError, match=r"cifar-10-batches-py cannot be used: data_batch_3 cannot be read .* Copy it again"
    ):
        reduced_cifar10(**FEW)


def test_the_same_images_are_chosen_wherever_they_come_from(given, server, monkeypatch):
    wish = {"train_per_class": 6, "test_per_class": 2, "validation_per_class": 2, "seed": 5}
    first = reduced_cifar10(**wish)
    monkeypatch.delenv("VGG_COURSE_DATA")
    server.faults["official"] = lambda handler: handler.send_error(503)
    fetched, cached = reduced_cifar10(**wish), reduced_cifar10(**wish)  # from an archive of PNG files
    for split in ("train", "validation", "test"):
        for other in (fetched, cached):
            assert torch.equal(getattr(first, split).images, getattr(other, split).images)
            assert torch.equal(getattr(first, split).labels, getattr(other, split).labels)
    assert (fetched.source, cached.source) == ("CIFAR-10 from the cache", "CIFAR-10 from the cache")


def test_the_cache_is_used_without_a_network(server, monkeypatch):
    reduced_cifar10(**FEW)
    monkeypatch.setenv("VGG_COURSE_OFFLINE", "1")
    server.asked.clear()
    assert not reduced_cifar10(**FEW).is_drawn
    assert not server.asked


def damage(position):
    """Change one byte of the cache."""
    file = sources.cache_folder() / sources.FILE
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def test_a_damaged_cache_is_fetched_anew_and_says_so(server, capsys):
    good = reduced_cifar10(**FEW)
    damage(1000)
    again = reduced_cifar10(**FEW)
    assert torch.equal(again.train.images, good.train.images)
    assert "cifar-10.uint8 cannot be used: other pixels in class airplane" in capsys.readouterr().out
    assert [path for path, _ in server.asked] == ["official", "official"]


def test_a_damaged_cache_without_a_network_is_an_error(server, monkeypatch):
    reduced_cifar10(**FEW)
    damage(1000)
    monkeypatch.setenv("VGG_COURSE_OFFLINE", "1")
    with pytest.raises(DataError, match=r"cannot be used.*Fetch it anew: vgg-course data fetch"):
        reduced_cifar10(**FEW)


def test_damage_in_a_class_that_nobody_asked_for_does_no_harm(server):
    reduced_cifar10(**FEW)
    damage(-1)  # a truck
    assert not reduced_cifar10(("bird", "ship"), **FEW).is_drawn
    assert len(server.asked) == 1


def test_a_truncated_cache_is_fetched_anew(server):
    reduced_cifar10(**FEW)
    file = sources.cache_folder() / sources.FILE
    file.write_bytes(file.read_bytes()[:-1])
    assert sources.locate().kind == "download"
    assert not reduced_cifar10(**FEW).is_drawn
    assert file.stat().st_size == cifar10.file_bytes()


def test_when_no_server_delivers_the_pictures_are_drawn_and_say_why(server):
    for name in server.files:
        server.faults[name] = lambda handler: handler.send_error(503)
    found = reduced_cifar10(**FEW)
    assert found.is_drawn
    assert "official, pictures, mirror: refused (503 Service Unavailable)" in found.source
    assert "VGG_COURSE_DATA" in found.source  # the remedy


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


# --- the real thing ---


@pytest.mark.skipif(not os.environ.get("VGG_COURSE_DATA"), reason="VGG_COURSE_DATA is not set")
def test_the_real_data_has_15000_and_3000_images(monkeypatch):
    monkeypatch.setenv("VGG_COURSE_DATA", REAL)
    found = reduced_cifar10(validation_per_class=500)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [13_500, 1_500, 3_000]
    assert len(set(keys(found.train)) | set(keys(found.validation))) > 14_980  # CIFAR-10 has a few true duplicates
    assert not found.is_drawn


@pytest.mark.skipif(not os.environ.get("VGG_COURSE_DATA"), reason="VGG_COURSE_DATA is not set")
def test_the_digests_are_those_of_the_files_that_torchvision_knows(monkeypatch):
    from torchvision.datasets import CIFAR10

    for name, md5 in (*CIFAR10.train_list, *CIFAR10.test_list):
        content = (Path(REAL) / sources.FOLDER / name).read_bytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == md5
    monkeypatch.setenv("VGG_COURSE_DATA", REAL)
    assert sources.verify(sources.locate()) == 60_000


REAL = os.environ.get("VGG_COURSE_DATA", "")
