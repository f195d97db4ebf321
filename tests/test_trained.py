"""The net that comes with the package is the one its card describes."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, fields, replace
from importlib.util import find_spec

import pytest
import torch

from experiments import provenance
from experiments import small_vgg as shipping
from vgg_course import data, results, trained, weights
from vgg_course.accounting import ledger
from vgg_course.answers import accuracy, predict
from vgg_course.cifar10 import DIGESTS
from vgg_course.configuration import Configuration
from vgg_course.recipes import QUICK, small_vgg
from vgg_course.sources import locate
from vgg_course.training import Recipe, fit
from vgg_course.weights import WeightsError

NAME = "small_vgg"
FILE, CARD = (trained.FOLDER / f"{NAME}{suffix}" for suffix in (".safetensors", ".json"))
SLACK = 2  # images whose two largest logits are so close that another machine's rounding may swap them


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The two files in a folder where they may be damaged."""
    for path in (FILE, CARD):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(trained, "FOLDER", tmp_path)
    return tmp_path


# --- file and card ---


def test_the_file_is_small_and_its_card_says_how_small():
    assert trained.card(NAME).bytes == FILE.stat().st_size < 4e6


def test_card_file_and_ledger_count_the_same_parameters():
    card, net = trained.card(NAME), trained.load(NAME)
    options = {key: card.configuration[key] for key in ("name", "input_size", "in_channels", "batch_norm")}
    configuration = Configuration.parse(card.configuration["notation"], **options)
    assert net.configuration == configuration == small_vgg().configuration
    assert card.parameters == ledger(configuration).parameters == sum(p.numel() for p in net.parameters())


def test_the_file_alone_knows_its_classes_and_pixels():
    card, said = trained.card(NAME), weights.about(FILE)
    assert (said["classes"], said["mean"], said["std"]) == (card.classes, card.mean, card.std)


def test_it_is_of_the_recipe_of_the_course():
    card = trained.card(NAME)
    assert list(card.recipe) == [field.name for field in fields(Recipe)]
    assert Recipe(**card.recipe) == QUICK, "the recipe has changed: python -m experiments.small_vgg"


def test_its_sisters_are_those_that_were_measured():
    card, live = trained.card(NAME), results.load("live_training")
    assert card.sisters == live["test_accuracy"] | {"seeds": live["seeds"]}, "python -m experiments.small_vgg"
    assert Recipe(**live["recipe"]) == Recipe(**card.recipe)
    assert live["images"] == card.data["images"]
    assert card.seed not in live["seeds"]


def test_the_card_says_on_what_and_how_it_was_made():
    card = trained.card(NAME)
    assert card.data["sha256"] == {name: DIGESTS[name] for name in card.classes}
    assert {"command", "date", "device", "threads", "versions"} <= card.made.keys()
    assert find_spec(card.made["command"].removeprefix("python -m "))
    assert asdict(card) == json.loads(CARD.read_text())


def test_the_card_shows_itself_in_a_terminal_and_in_a_notebook():
    card = trained.card(NAME)
    said = f"{card.test['accuracy']:.2%} of {card.test['images']:,} images"
    assert said in repr(card)
    assert said in card._repr_html_()
    assert max(map(len, repr(card).splitlines())) <= 100
    assert 'style="text-align:right"' not in card._repr_html_()


@pytest.mark.skipif(not locate().folder, reason="CIFAR-10 is not on this machine: `vgg-course data fetch`")
@pytest.mark.parametrize("part", ["test", "validation"])
def test_it_has_the_accuracy_that_its_card_says(part):
    card, net = trained.card(NAME), trained.load(NAME)
    split = getattr(data.reduced_cifar10(validation_per_class=500), part)
    said = getattr(card, part)
    assert said["images"] == len(split)
    found = accuracy(predict(net, card.normalize(split.images)), split.labels)
    assert abs(found - said["accuracy"]) * len(split) <= SLACK + 0.5


# --- taking it ---


def test_it_comes_ready_to_answer_and_leaves_no_trace():
    before = torch.get_rng_state()
    net = trained.load(NAME)
    assert not any(module.training for module in net.modules())
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    assert {p.device.type for p in net.parameters()} == {"cpu"}
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        net.classifier[0].bias += 1  # a copy of its own
    assert not torch.equal(net.classifier[0].bias, trained.load(NAME).classifier[0].bias)


def test_pixels_are_scaled_as_those_it_was_trained_on():
    card = trained.card(NAME)
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels = torch.stack([images[:, c].double() / 255 for c in range(3)], 1)
    for channel, (mean, std) in enumerate(zip(card.mean, card.std, strict=True)):
        expected = ((pixels[:, channel] - mean) / std).float()
        torch.testing.assert_close(card.normalize(images)[:, channel], expected)
    with pytest.raises(ValueError, match=r"images are torch\.float32; give them as torch\.uint8"):
        card.normalize(pixels.float())


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_a_card_needs_no_torch():
    code = f"import sys; from vgg_course import trained; repr(trained.card({NAME!r})); print('torch' in sys.modules)"
    assert python(code) == "False\n"


def test_the_net_needs_neither_matplotlib_nor_torchvision_nor_torchinfo():
    code = (
        "import sys; sys.modules |= dict.fromkeys(('matplotlib', 'torchvision', 'torchinfo', 'PIL'));"
        f"from vgg_course import trained; print(trained.load({NAME!r}).training)"
    )
    assert python(code) == "False\n"


# --- damage ---


def test_a_net_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match=r"there is no trained net 'large_vgg'; there are .*small_vgg"):
        trained.load("large_vgg")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content.replace(b"maxpool", b"maxpoo1", 1),
        lambda content: b"version https://git-lfs.github.com/spec/v1\n",
    ],
)
def test_a_file_that_was_cut_off_or_changed_is_refused_with_the_remedy(copied, damage):
    path = copied / FILE.name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        WeightsError, match=r"is not the file that its card describes: .*git checkout -- vgg_course/trained"
    ):
        trained.load(NAME)


def test_a_missing_file_is_refused_with_the_remedy(copied):
    (copied / FILE.name).unlink()
    with pytest.raises(WeightsError, match=r"could not be read: .*install the package anew"):
        trained.load(NAME)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"name": "small_vgg"}', "\x00"])
def test_a_damaged_card_is_refused_with_the_remedy(copied, text):
    (copied / CARD.name).write_text(text)
    for take in (trained.card, trained.load):
        with pytest.raises(WeightsError, match=r"card .* is damaged\. Get both files again"):
            take(NAME)


# --- making it ---


@pytest.fixture(scope="module")
def run():
    """A run as the command makes it, on a few drawn pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("VGG_COURSE_DATA", raising=False)
        patch.setenv("VGG_COURSE_CACHE", "/nowhere")
        patch.setenv("VGG_COURSE_OFFLINE", "1")
        patch.setattr(data, "PER_CLASS", {"train": 20, "test": 5})
        few = data.reduced_cifar10(train_per_class=20, test_per_class=5, validation_per_class=4)
    model = small_vgg()
    return model, few, fit(model, few, QUICK, epochs=1)


def test_file_and_card_are_made_together(run, tmp_path, monkeypatch):
    model, few, history = run
    folder = tmp_path / "trained"
    folder.mkdir()
    card = shipping.ship(*run, results.load("live_training"), folder)
    assert sorted(path.name for path in folder.iterdir()) == [CARD.name, FILE.name]
    assert [path.name for path in tmp_path.iterdir()] == ["trained"]
    monkeypatch.setattr(trained, "FOLDER", folder)
    assert trained.card(NAME) == card
    net = trained.load(NAME)
    assert all(torch.equal(one, other) for one, other in zip(net.parameters(), model.parameters(), strict=True))
    found = accuracy(predict(model, few.normalize(few.test.images)), few.test.labels)
    assert card.test == {"images": 15, "accuracy": found}
    assert card.recipe == asdict(replace(QUICK, epochs=1)) == asdict(history.recipe)
    assert card.mean == few.mean.tolist()


@pytest.mark.parametrize("stage", ["weights.save", "judged"])
def test_whoever_stops_it_finds_the_old_file_and_the_old_card(run, tmp_path, monkeypatch, stage):
    folder = tmp_path / "trained"
    folder.mkdir()
    shipping.ship(*run, results.load("live_training"), folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}

    def stopped(*_, **__):
        raise KeyboardInterrupt

    module, _, function = f"shipping.{stage}".rpartition(".")
    monkeypatch.setattr({"shipping": shipping, "shipping.weights": weights}[module], function, stopped)
    with pytest.raises(KeyboardInterrupt):
        shipping.ship(*run, results.load("live_training"), folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["trained"]


def test_drawn_stand_ins_another_recipe_and_half_a_run_are_not_shipped(run, monkeypatch):
    _, few, history = run
    monkeypatch.setattr(shipping, "ship", lambda *_: pytest.fail("shipped"))
    monkeypatch.setattr(provenance, "reduced_cifar10", lambda **_: few)
    with pytest.raises(SystemExit, match="photographs, and there are none here"):
        shipping.main()
    photographs = replace(few, is_drawn=False)  # as far as the command can tell
    monkeypatch.setattr(provenance, "reduced_cifar10", lambda **_: photographs)
    with pytest.raises(SystemExit, match=r"of another recipe\. First: python -m experiments\.live_training"):
        shipping.main()
    live = {"recipe": asdict(QUICK), "images": {"train": 48, "validation": 12, "test": 15}}
    monkeypatch.setattr(results, "load", lambda _: live)
    assert shipping.same_run(live, photographs)
    assert not shipping.same_run(live | {"recipe": live["recipe"] | {"epochs": 99}}, photographs)
    assert not shipping.same_run(live | {"recipe": live["recipe"] | {"gone": 1}}, photographs)
    monkeypatch.setattr(shipping, "fit", lambda *_, **__: replace(history, interrupted=True))
    with pytest.raises(SystemExit, match="stopped; nothing was written"):
        shipping.main()
