"""Whatever the images came in, the blocks are the same; whatever is wrong is refused in words."""

import pickle
import sys
import types

import conftest
import pytest

from vgg_course import cifar10, containers
from vgg_course.cifar10 import DataError


@pytest.fixture
def blocks(tiny):
    return cifar10.arranged(tiny)


@pytest.fixture
def packed(tmp_path):
    """Write an archive and return its path."""

    def write(content, name="archive"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def test_a_block_has_all_images_of_its_class_training_images_first(tiny, blocks):
    images = [pixels for split in ("train", "test") for s, label, pixels in tiny if (s, label) == (split, 2)]
    block = bytes(blocks["bird"])
    found = [block[start : start + cifar10.IMAGE] for start in range(0, len(block), cifar10.IMAGE)]
    assert sorted(found[:10]) == sorted(images[:10])
    assert sorted(found[10:]) == sorted(images[10:])


def test_the_order_of_the_images_does_not_matter(tiny, blocks):
    assert cifar10.arranged(reversed(tiny)) == blocks


def test_a_folder_an_archive_of_batches_and_an_archive_of_pictures_give_the_same(tiny, blocks, folder, packed):
    found = {
        "folder": containers.batch_folder(folder / "cifar-10-batches-py"),
        "batches": containers.batch_archive(packed(conftest.batch_archive(tiny), "batches")),
        "pictures": containers.picture_archive(packed(conftest.picture_archive(tiny), "pictures")),
    }
    for images in found.values():
        assert cifar10.arranged(images) == blocks


def test_parquet_gives_the_same(tiny, blocks, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for split in ("train", "test"):
        rows = [
            {"img": {"bytes": conftest.png(pixels), "path": "x.png"}, "label": label}
            for s, label, pixels in tiny
            if s == split
        ]
        parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / split)
    assert cifar10.arranged(containers.parquet(tmp_path / "train", tmp_path / "test")) == blocks
    (tmp_path / "test").write_bytes(b"PAR1 is how it begins")
    with pytest.raises(DataError, match="test cannot be read"):
        cifar10.arranged(containers.parquet(tmp_path / "train", tmp_path / "test"))


def test_parquet_is_read_as_pyarrow_presents_it(tiny, blocks, monkeypatch, tmp_path):
    """The same without pyarrow: this stands in for it, so that our half of the reader is tested everywhere."""

    class ParquetFile:
        def __init__(self, path):
            self.split = path.name

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def iter_batches(self, batch_size, columns):
            assert columns == ["img", "label"]
            yield types.SimpleNamespace(
                to_pylist=lambda: [
                    {"img": {"bytes": conftest.png(pixels), "path": None}, "label": label}
                    for split, label, pixels in tiny
                    if split == self.split
                ]
            )

    monkeypatch.setitem(sys.modules, "pyarrow", types.ModuleType("pyarrow"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", types.SimpleNamespace(ParquetFile=ParquetFile))
    assert cifar10.arranged(containers.parquet(tmp_path / "train", tmp_path / "test")) == blocks


# --- what is wrong ---


def changed(images, number, **parts):
    fields = dict(zip(("split", "label", "pixels"), images[number], strict=True)) | parts
    return [*images[:number], tuple(fields.values()), *images[number + 1 :]]


def test_one_wrong_pixel_is_refused(tiny):
    pixels = bytearray(tiny[7][2])
    pixels[100] ^= 1
    with pytest.raises(DataError, match="other pixels in class"):
        cifar10.arranged(changed(tiny, 7, pixels=bytes(pixels)))


def test_two_swapped_labels_are_refused(tiny):
    one = 0
    two = next(number for number, image in enumerate(tiny) if image[:2] != tiny[0][:2] and image[0] == "train")
    swapped = changed(changed(tiny, one, label=tiny[two][1]), two, label=tiny[one][1])
    with pytest.raises(DataError, match="other pixels in class"):
        cifar10.arranged(swapped)


def test_a_test_image_among_the_training_images_is_refused(tiny):
    with pytest.raises(DataError, match="other pixels in class"):
        cifar10.arranged(changed(tiny, len(tiny) - 1, split="train"))


def test_a_missing_and_a_doubled_image_are_refused_with_the_count(tiny):
    with pytest.raises(DataError, match=r"13 images of class .*, not 14"):
        cifar10.arranged(tiny[1:])
    with pytest.raises(DataError, match=r"15 images of class .*, not 14"):
        cifar10.arranged([*tiny, tiny[0]])


@pytest.mark.parametrize("reader", [containers.batch_archive, containers.picture_archive])
@pytest.mark.parametrize("content", [b"", b"<html>log in</html>", b"\x1f\x8b\x08 rubbish"])
def test_what_is_no_archive_is_refused_in_one_line(packed, reader, content):
    with pytest.raises(DataError, match=r"^archive cannot be read \([^\n]*\)$"):
        list(reader(packed(content)))


@pytest.mark.parametrize("kind", ["batch_archive", "picture_archive"])
def test_an_archive_cut_short_is_refused(tiny, packed, kind):
    content = getattr(conftest, kind)(tiny)
    with pytest.raises(DataError, match="archive cannot be read"):
        list(getattr(containers, kind)(packed(content[: len(content) // 2])))


def test_a_pickle_that_asks_for_a_function_is_not_obeyed(packed, tmp_path):
    class Bad:
        def __reduce__(self):
            return (eval, (f"open({str(tmp_path / 'proof')!r}, 'w')",))

    archive = packed(conftest.tar({"cifar-10-batches-py/test_batch": pickle.dumps({"data": Bad(), "labels": []})}))
    with pytest.raises(DataError, match=r"asks for builtins\.eval, which no batch of CIFAR-10 needs"):
        list(containers.batch_archive(archive))
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_batch_pickled_anew_is_as_good(tiny, blocks, packed, protocol):
    anew = {
        f"any/{name}": pickle.dumps(pickle.loads(content), protocol) for name, content in conftest.batches(tiny).items()
    }
    assert cifar10.arranged(containers.batch_archive(packed(conftest.tar(anew)))) == blocks


@pytest.mark.parametrize(
    "batch", [{}, [], {"data": 1, "labels": 2}, {"data": [1], "labels": [1]}, {"data": None, "labels": [[]]}]
)
def test_a_batch_of_another_form_is_refused(packed, batch):
    archive = packed(conftest.tar({"cifar-10-batches-py/test_batch": pickle.dumps(batch)}))
    with pytest.raises(DataError, match="archive cannot be read"):
        list(containers.batch_archive(archive))


def test_a_picture_of_another_size_or_kind_is_refused(packed):
    from PIL import Image

    path = packed(b"", "picture.png")
    Image.new("RGB", (33, 32)).save(path)
    for content in (path.read_bytes(), b"no picture"):
        with pytest.raises(DataError, match="archive cannot be read"):
            list(containers.picture_archive(packed(conftest.tar({"train/bird/1.png": content}))))


def test_a_folder_of_no_class_of_ours_is_refused(tiny, packed):
    archive = conftest.tar({"train/zebra/1.png": conftest.png(tiny[0][2])})
    with pytest.raises(DataError, match="archive cannot be read"):
        list(containers.picture_archive(packed(archive)))


# --- the file of blocks ---


def test_a_written_file_is_read_back_class_by_class(blocks, tmp_path):
    file = tmp_path / "file"
    cifar10.write(file, blocks)
    assert file.stat().st_size == cifar10.file_bytes() == 140 * 3072
    assert cifar10.read(file) == blocks
    assert cifar10.read(file, ["truck", "bird"]) == {"truck": blocks["truck"], "bird": blocks["bird"]}


def test_every_part_of_the_file_is_checked(blocks, tmp_path):
    file = tmp_path / "file"
    cifar10.write(file, blocks)
    content = file.read_bytes()
    for place in (0, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DataError, match="other pixels"):
            cifar10.read(file)
    file.write_bytes(content[:-1])
    with pytest.raises(DataError, match="other pixels in class truck"):
        cifar10.read(file)
