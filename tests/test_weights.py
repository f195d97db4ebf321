"""Weights are saved whole or not at all, and loaded safely or not at all."""

import json
import os
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torchvision
from torch import nn

from vgg_course import weights
from vgg_course.configuration import CONFIGURATIONS, Configuration
from vgg_course.model import VGG, vgg
from vgg_course.weights import WeightsError, load, read, save

FILES = ["vgg.pt", "vgg.safetensors"]
PAIRS = [("A", 11), ("B", 13), ("D", 16), ("E", 19)]


def made(name="D", seed=0, **options):
    """A small net with weights of its own."""
    options = {"input_size": 32, "classes": 3, "width": 1 / 16} | options
    model = vgg(name, generator=torch.Generator().manual_seed(seed), **options)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():  # biases and batch norms too
                tensor += 0.1 * torch.rand(tensor.shape, generator=torch.Generator().manual_seed(seed + 1))
    return model


def bits(model):
    """Every tensor of a model, as bytes."""
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def refused(source, model=None, part=None):
    """The message with which a source is refused; fails if it is not, or if the model is touched."""
    model = made() if model is None else model
    before = bits(model)
    with pytest.raises(WeightsError) as caught:
        load(model, source, part)
    assert bits(model) == before
    assert "weights_only=False" not in str(caught.value)
    return str(caught.value)


def written(path, content, **options):
    torch.save(content, path, **options)
    return path


# --- there and back ---


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("file", FILES)
def test_what_is_saved_is_loaded_bit_for_bit(tmp_path, name, batch_norm, file):
    model, other = (made(name, seed, batch_norm=batch_norm) for seed in (0, 5))
    assert bits(model) != bits(other)
    model.to(memory_format=torch.channels_last)  # as it lies in memory after training
    save(model, tmp_path / file)
    load(other, tmp_path / file)
    assert bits(other) == bits(model)


@pytest.mark.parametrize("file", FILES)
def test_a_saved_net_can_be_built_again_from_its_file_alone(tmp_path, file):
    model = made("C", batch_norm=True, in_channels=1)
    before = torch.get_rng_state()
    save(model, tmp_path / file, classes=("a", "b", "c"), epochs=[{"loss": 0.1}])
    again = weights.build(tmp_path / file)
    assert (bits(again), again.configuration, again.training) == (bits(model), model.configuration, False)
    assert torch.equal(torch.get_rng_state(), before)
    facts = weights.about(tmp_path / file)
    assert (facts["classes"], facts["epochs"]) == (["a", "b", "c"], [{"loss": 0.1}])
    assert facts.keys() == {"name", "notation", "input_size", "in_channels", "batch_norm", "classes", "epochs"}


def test_a_file_of_tensors_alone_does_not_say_what_it_is(tmp_path):
    path = written(tmp_path / "vgg.pth", made().state_dict())
    assert weights.about(path) == {}
    with pytest.raises(WeightsError, match="does not say what net it is of; build that yourself"):
        weights.build(path)
    save(made(), path)
    torch.save(torch.load(path, weights_only=True) | {"notation": "conv3-4 FC-2 maxpool"}, path)
    with pytest.raises(WeightsError, match=r"is of a net that cannot be built: .*behind a fully-connected layer"):
        weights.build(path)


@pytest.mark.parametrize("file", FILES)
def test_facts_that_are_not_plain_are_refused(tmp_path, file):
    with pytest.raises(WeightsError, match=r"can keep text, numbers, lists and dicts beside the weights: .*Tensor"):
        save(made(), tmp_path / file, mean=torch.zeros(3))
    with pytest.raises(TypeError, match="multiple values for keyword argument 'notation'"):
        save(made(), tmp_path / file, notation="conv3-4")
    assert not list(tmp_path.iterdir())


def test_a_saved_file_says_what_it_is_in_plain_text_and_numbers(tmp_path):
    model = made("C", batch_norm=True, in_channels=1)
    save(model, tmp_path / "vgg.pt")
    content = torch.load(tmp_path / "vgg.pt", weights_only=True)
    tensors = content.pop("state_dict")
    assert all(type(value) in (str, int, bool) for value in content.values())
    options = {key: content[key] for key in ("input_size", "in_channels", "batch_norm")}
    assert Configuration.parse(content["notation"], content["name"], **options) == model.configuration
    assert all(type(value) is torch.Tensor for value in tensors.values())


@pytest.mark.parametrize("file", FILES)
def test_saving_replaces_the_old_file_and_leaves_nothing_beside_it(tmp_path, file):
    for seed in range(2):
        save(made(seed=seed), tmp_path / file)
    model = made(seed=7)
    load(model, str(tmp_path / file))
    assert bits(model) == bits(made(seed=1))
    assert [path.name for path in tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("problem", [OSError("disk full"), KeyboardInterrupt()])
def test_a_stopped_save_leaves_the_old_file_whole(tmp_path, monkeypatch, problem, file):
    save(made(), tmp_path / file)
    before = (tmp_path / file).read_bytes()

    def stopped(number):
        raise problem

    monkeypatch.setattr(os, "fsync", stopped)  # all is written, but not yet safely
    with pytest.raises((WeightsError, KeyboardInterrupt)):
        save(made(seed=1), tmp_path / file)
    assert (tmp_path / file).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_save_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(WeightsError, match="is a folder; name a file in it"):
        save(made(), tmp_path)
    with pytest.raises(WeightsError, match=r"there is no folder .*make it first"):
        save(made(), tmp_path / "no" / "vgg.pt")
    model = made()
    with torch.no_grad():
        model.classifier[0].bias[1] = float("nan")
    with pytest.raises(WeightsError, match=r"the model: 1 of the 256 numbers of classifier\.0\.bias are not finite"):
        save(model, tmp_path / "vgg.pt")
    with pytest.raises(WeightsError, match="DataParallel; hand over the VGG itself"):
        save(nn.DataParallel(made()), tmp_path / "vgg.pt")
    assert not list(tmp_path.iterdir())


# --- torchvision's, and ours into torchvision ---


@pytest.mark.parametrize("suffix", ["", "_bn"])
@pytest.mark.parametrize(("name", "depth"), PAIRS)
def test_torchvisions_tensors_have_the_names_and_shapes_that_load_wants(name, depth, suffix):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, f"vgg{depth}{suffix}")().state_dict()
        ours = vgg(name, batch_norm=bool(suffix))
    weights._same_configuration(ours.configuration, theirs, "theirs")
    weights._same_names(ours.state_dict(), theirs, None, "theirs")
    weights._same_shapes(ours.configuration, ours.state_dict(), theirs, "theirs")


def theirs_like(name, depth, suffix, seed):
    """torchvision's class, cut to the size of ``made``: its own features, and a classifier of our shapes."""
    torch.manual_seed(seed)
    ours = made(name, batch_norm=bool(suffix))
    configuration = ours.configuration
    cfg = [s.channels if hasattr(s, "channels") else "M" for s in configuration.specs if not hasattr(s, "features")]
    features = torchvision.models.vgg.make_layers(cfg, batch_norm=bool(suffix))
    with torch.device("meta"):  # its own classifier is large and soon replaced
        theirs = torchvision.models.VGG(features, num_classes=3, init_weights=False)
    theirs.avgpool, theirs.classifier = nn.Identity(), made(name, seed).classifier
    return ours, theirs.eval()


@pytest.mark.parametrize("suffix", ["", "_bn"])
@pytest.mark.parametrize(("name", "depth"), PAIRS)
def test_weights_move_from_torchvision_to_ours_and_back(tmp_path, name, depth, suffix):
    with torch.random.fork_rng():
        ours, theirs = theirs_like(name, depth, suffix, 3)
        _, others = theirs_like(name, depth, suffix, 4)
    load(ours, written(tmp_path / "theirs.pth", theirs.state_dict()))
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), theirs(images))
        save(ours, tmp_path / "ours.pt")
        others.load_state_dict(read(tmp_path / "ours.pt"))
        torch.testing.assert_close(others(images), theirs(images))


def test_the_old_file_format_is_read_too(tmp_path):
    model = made(seed=1)
    path = written(tmp_path / "old.pth", made().state_dict(), _use_new_zipfile_serialization=False)
    load(model, path)
    assert bits(model) == bits(made())


def test_files_from_before_batch_norms_counted_batches_are_read_too():
    model, tensors = made(batch_norm=True), made(seed=1, batch_norm=True).state_dict()
    load(model, {name: tensor for name, tensor in tensors.items() if "num_batches" not in name})
    assert torch.equal(model.features[1].running_var, tensors["features.1.running_var"])


def test_data_parallels_prefix_and_a_nested_state_dict_are_seen_through(tmp_path):
    state = nn.DataParallel(made()).state_dict()
    assert all(name.startswith("module.") for name in state)
    for source in (state, {"state_dict": state, "epoch": 3}, {"state_dict": made().state_dict()}):
        model = made(seed=1)
        load(model, source)
        assert bits(model) == bits(made())


def test_types_of_floating_point_convert_and_the_models_stays():
    model = made(seed=1)
    load(model, {name: tensor.half() for name, tensor in made().state_dict().items()})
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert torch.equal(model.features[0].weight, made().features[0].weight.half().float())


# --- the convolutional part ---


def test_the_features_alone_are_loaded_and_the_classifier_stays():
    model, source = made(classes=7, seed=1), made()
    classifier = {name: value for name, value in bits(model).items() if name.startswith("classifier")}
    only = {name: tensor for name, tensor in source.state_dict().items() if name.startswith("features")}
    for tensors in (only, source.state_dict()):
        load(model, tensors, part="features")
        assert {n: v for n, v in bits(model).items() if n.startswith("features")} == {
            n: v for n, v in bits(source).items() if n.startswith("features")
        }
        assert {n: v for n, v in bits(model).items() if n.startswith("classifier")} == classifier
    assert 'load that with part="features"' in refused(only)
    assert re.search(r"part is 'head'; it can be None", refused(only, part="head"))
    assert "Missing: features.0.weight" in refused({"classifier.0.weight": torch.zeros(1)}, part="features")


@pytest.mark.parametrize("value", [None, ""])
def test_the_environment_may_name_no_file(monkeypatch, value):
    monkeypatch.delenv(weights.ENVIRONMENT, raising=False)
    if value is not None:
        monkeypatch.setenv(weights.ENVIRONMENT, value)
    model = made()
    before = bits(model)
    assert weights.features_from_environment(model) is False
    assert bits(model) == before


def test_the_environment_may_name_a_file(monkeypatch, tmp_path):
    only = {name: tensor.half() for name, tensor in made().state_dict().items() if name.startswith("features")}
    monkeypatch.setenv(weights.ENVIRONMENT, str(written(tmp_path / "features.pth", only)))
    model = made(seed=1)
    assert weights.features_from_environment(model) is True
    assert torch.equal(model.features[2].weight, only["features.2.weight"].float())
    monkeypatch.setenv(weights.ENVIRONMENT, str(tmp_path / "nothing.pth"))
    with pytest.raises(WeightsError, match="there is no file"):
        weights.features_from_environment(model)


@pytest.mark.skipif(not os.environ.get(weights.ENVIRONMENT), reason=f"{weights.ENVIRONMENT} names no file of weights")
def test_imagenets_features_give_the_same_activations_in_ours_and_in_torchvisions():
    ours = vgg("D", hidden=(), classes=2).eval()
    assert weights.features_from_environment(ours)
    theirs = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    tensors = read(os.environ[weights.ENVIRONMENT])
    theirs.load_state_dict({name.removeprefix("features."): tensor for name, tensor in tensors.items()})
    x = y = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for place, (mine, other) in enumerate(zip(ours.features, theirs, strict=True)):
            x, y = mine(x), other(y)
            assert torch.equal(x, y), place
    assert x.shape == (2, 512, 7, 7)
    assert x.std() > 0.1  # trained weights: the signal neither died nor exploded on its way


# --- tensors that do not fit ---


def changed(**changes):
    return {name: changes.get(name.replace(".", "_"), tensor) for name, tensor in made().state_dict().items()}


def without(*names):
    return {name: tensor for name, tensor in made().state_dict().items() if name not in names}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (lambda: without("features.0.bias"), r"Missing: features\.0\.bias\. Is it from"),
        (lambda: without("features.5.weight"), r"Missing: features\.5\.weight\."),
        (lambda: without("classifier.0.bias", "classifier.3.bias"), r'the convolutional part only; load that with part='),
        (lambda: without(*list(made().state_dict())[:9]), r"Missing: features.0.weight, .*, and 6 more\."),
        (lambda: made().state_dict() | {"extra": torch.zeros(1)}, r"Unexpected: extra\."),
        (lambda: {"fc.weight": torch.zeros(3)}, r"Missing: features.0.weight, .* more\. Unexpected: fc\.weight\."),
        (lambda: made(hidden=()).state_dict(), r"Missing: classifier\.3\.weight, .* classifier\.6\.weight"),
        (lambda: made(width=1 / 8).state_dict(), r"features\.0\.weight is 8x3x3x3, the model's is 4x3x3x3; .* another width"),
        (lambda: made(in_channels=1).state_dict(), r"is 4x1x3x3, the model's is 4x3x3x3\. .*with in_channels=1"),
        (lambda: made(classes=10).state_dict(), r"classifier\.6\.weight is 10x256, .* has 10 classes, the model has 3"),
        (
            lambda: made(input_size=64).state_dict(),
            r"is 256x128, the model's is 256x32\. Its classifier is for a grid of 2x2, the model's is for 1x1: .*input_size",
        ),
        (lambda: made(hidden=(5, 256)).state_dict(), r"Its hidden layers have other sizes: .*hidden and width"),
        (lambda: changed(features_0_weight=torch.zeros(4)), "another kind of layer"),
        (lambda: changed(features_0_bias=torch.zeros(())), "is a single number, the model's is 4"),
        (lambda: changed(features_2_bias=torch.tensor([1, 2, 3, 4])), r"features\.2\.bias is torch\.int64, where .*float32"),
        (lambda: changed(features_2_bias=torch.tensor([True] * 4)), r"is torch\.bool"),
        (lambda: changed(features_2_bias=torch.zeros(4, dtype=torch.complex64)), r"is torch\.complex64, where"),
        (lambda: changed(features_2_bias=torch.zeros(4, device="meta")), "no plain numbers"),
        (lambda: changed(features_2_bias=torch.zeros(4).to_sparse()), "no plain numbers"),
        (lambda: changed(features_2_bias=torch.tensor([1, float("nan"), 3, 4])), r"1 of the 4 numbers of features\.2\.bias"),
        (lambda: changed(classifier_6_bias=torch.tensor([float("-inf")] * 3)), "3 of the 3 numbers .* not finite"),
        (lambda: changed(classifier_6_bias=torch.full((3,), 1e300, dtype=torch.float64)), "too large for it"),
        (lambda: changed(features_2_bias=[1.0, 2.0, 3.0, 4.0]), r"'features\.2\.bias' is a list"),
        (lambda: {}, "it is empty"),
        (lambda: {3: torch.zeros(1)}, "no state dict"),
        (lambda: {"model": made().state_dict(), "epoch": 3}, r"more than weights: 'model', 'epoch'.*its \['model'\]"),
        (lambda: {"epoch": 3}, "'epoch' is a int"),
        (lambda: made(), "the source is a VGG; give the path of a file, or a state dict"),
        (lambda: None, "the source is a NoneType"),
        (lambda: {"format": "vgg_course", "state_dict": made().state_dict()}, "lacks a part; save the model again"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_refused_by_name_and_the_model_is_as_it_was(source, words):
    message = refused(source())
    assert re.search(words, message), message


def test_the_same_faults_are_found_in_a_file(tmp_path):
    path = written(tmp_path / "bad.pth", changed(features_2_bias=torch.tensor([1, float("nan"), 3, 4])))
    message = refused(path)
    assert message.startswith(f"{path}: 1 of the 4 numbers of features.2.bias")
    model = made(width=1 / 8)
    save(model, path)
    assert "another width" in refused(path)


@pytest.mark.parametrize(("ours", "our_norm"), [("D", False), ("A", True)])
@pytest.mark.parametrize("their_norm", [False, True])
@pytest.mark.parametrize("theirs", CONFIGURATIONS)
def test_another_configuration_is_recognized_by_its_tensors(theirs, their_norm, ours, our_norm):
    if (theirs, their_norm) == (ours, our_norm):
        return  # the right one
    model, source = made(ours, batch_norm=our_norm), made(theirs, width=1 / 32, batch_norm=their_norm).state_dict()
    yes = {False: "without", True: "with"}
    for part in (None, "features"):
        message = refused(source, model, part)
        assert f"the weights of configuration {theirs} {yes[their_norm]} batch norm, but the model is" in message
        assert f"configuration {ours} {yes[our_norm]} batch norm." in message
        assert f'vgg("{theirs}", batch_norm={their_norm})' in message


def test_torchvisions_vgg13_is_recognized_when_the_model_is_vgg16():
    with torch.device("meta"):
        source = torchvision.models.vgg13().state_dict()
    assert "has the weights of configuration B without batch norm, but the model is configuration D" in refused(source)


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit_in_a_file_is_noticed(tmp_path, file):
    path = tmp_path / file
    save(made(), path)
    content = bytearray(path.read_bytes())
    weight = made().features[0].weight.detach().numpy().tobytes()
    place = bytes(content).index(weight[:64])  # inside the first tensor, as it lies in the file
    content[place] ^= 1
    path.write_bytes(content)
    assert "checksum" in refused(path)


@pytest.mark.parametrize("file", FILES)
def test_pools_have_no_weights_but_a_saved_file_tells_them_apart(tmp_path, file):
    words = "conv3-4 {} conv3-8 maxpool FC-3"
    one, other = (VGG(Configuration.parse(words.format(p), input_size=16)) for p in ("maxpool", "maxpool3/s2/p1"))
    save(one, tmp_path / file)
    assert "saved from configuration custom, conv3-4 maxpool conv3-8 maxpool; the model" in refused(
        tmp_path / file, other
    )


# --- files that are none ---


def test_no_file_and_a_folder_are_told_apart(tmp_path):
    assert "there is no file" in refused(tmp_path / "no.pth")
    assert "is a folder, not a file of weights" in refused(tmp_path)


TEXTS = [
    (b"", "is empty, 0 bytes"),
    (
        b"<!DOCTYPE html>\n<html><title>404 Not Found</title>",
        "is a web page, not weights. It begins with '<!DOCTYPE",
    ),
    (b"\n  <html>" + "é".encode() * 400, "is a web page"),
    (b'{"error": "rate limit exceeded"}', "is text, not weights"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 29425336\n", "Run: git lfs pull"),
]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        *TEXTS,
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "could not be read as weights"),
        (b"\x93NUMPY\x01\x00" + bytes(200), "could not be read as weights"),
        (bytes(1000), "could not be read as weights"),
        (b"\x80\x02.", "could not be read as weights"),
        (bytes(range(256)) * 9, "could not be read as weights"),
        (b"PK\x03\x04" + bytes(3000), "ends too soon, after 3,004 bytes"),
    ],
)
def test_what_is_no_file_of_weights_is_called_what_it_is(tmp_path, content, words):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    message = refused(path)
    assert words in message, message
    assert str(path) in message


@pytest.mark.parametrize("new", [True, False], ids=["zip", "old format"])
@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_refused(tmp_path, new, share):
    path = written(tmp_path / "vgg.pth", made().state_dict(), _use_new_zipfile_serialization=new)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    message = refused(path)
    assert ("ends too soon" if new else "damaged, cut off") in message, message


def test_a_file_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path / "vgg.pth", made().state_dict())

    def denied(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(torch, "load", denied)
    assert "could not be read: [Errno 13] Permission denied" in refused(path)


# --- files that are programs ---


class Runs:
    """When unpickled, it makes a file: the canary."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


def legacy(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def pickled(protocol):
    def write(content, path):
        path.write_bytes(pickle.dumps(content, protocol))

    return write


def scripted(content, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.ReLU()), path)


@pytest.mark.parametrize("write", [torch.save, legacy, pickled(0), pickled(2), pickled(5)])
@pytest.mark.parametrize("hide", [lambda bad: bad, lambda bad: made().state_dict() | {"extra": bad}])
@pytest.mark.parametrize("force", ["0", "1"])
def test_nothing_in_a_file_is_ever_run(tmp_path, monkeypatch, write, hide, force):
    canary, path = tmp_path / "canary", tmp_path / "weights.pth"
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", force)
    write(hide(Runs(canary)), path)
    message = refused(path)
    assert not canary.exists()
    if write in (torch.save, legacy):
        assert re.search(r"reading it would run (posix|nt)\.system\. It was refused", message), message
    pickle.loads(pickle.dumps(Runs(canary)))
    assert canary.exists()  # the file would have done it


def test_a_whole_pickled_model_and_a_script_are_refused(tmp_path):
    torch.save(made(), tmp_path / "model.pth")
    assert "would run vgg_course.model.VGG" in refused(tmp_path / "model.pth")
    scripted(None, tmp_path / "script.pt")
    assert "could not be read as weights" in refused(tmp_path / "script.pt")


def test_numpy_arrays_are_refused_with_the_way_to_convert_them(tmp_path):
    arrays = {name: tensor.numpy() for name, tensor in made().state_dict().items()}
    torch.save(arrays, tmp_path / "arrays.pth")
    assert "holds numpy arrays" in refused(tmp_path / "arrays.pth")
    pickled(2)(arrays, tmp_path / "arrays.pkl")
    assert "holds numpy arrays" in refused(tmp_path / "arrays.pkl")


def test_a_file_with_something_else_than_tensors_is_refused(tmp_path):
    assert "holds a list, not tensors by name" in refused(written(tmp_path / "list.pth", [torch.zeros(1)]))
    assert "holds a Tensor, not tensors by name" in refused(written(tmp_path / "one.pth", torch.zeros(1)))


def test_the_error_does_not_carry_torchs_advice_to_load_unsafely(tmp_path):
    torch.save(Runs(tmp_path / "canary"), tmp_path / "bad.pth")
    with pytest.raises(WeightsError) as caught:
        read(tmp_path / "bad.pth")
    assert caught.value.__suppress_context__


# --- safetensors ---


def safe(tmp_path, tensors, metadata=None, change=None):
    """A safetensors file as the library writes it; ``change`` is given its header, a dict, and may return bytes."""
    content = safetensors.torch.save(dict(tensors), metadata)
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    changed = change(header) if change else None
    words = changed if isinstance(changed, bytes) else json.dumps(header).encode()
    path = tmp_path / "vgg.safetensors"
    path.write_bytes(len(words).to_bytes(8, "little") + words + content[end:])
    return path


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"format": "vgg_course"}])
def test_a_safetensors_file_from_anywhere_is_read(tmp_path, metadata):
    model = made(seed=1)
    load(model, safe(tmp_path, made().state_dict(), metadata))
    assert bits(model) == bits(made())


def test_what_is_saved_as_safetensors_others_can_read(tmp_path):
    save(made(batch_norm=True), tmp_path / "vgg.safetensors")
    tensors = safetensors.torch.load_file(tmp_path / "vgg.safetensors")
    other = made(seed=1, batch_norm=True)
    other.load_state_dict(tensors)
    assert bits(other) == bits(made(batch_norm=True))
    with safetensors.safe_open(tmp_path / "vgg.safetensors", "pt") as file:
        said = json.loads(file.metadata()["vgg_course"])
    assert said["notation"] == other.configuration.notation()


def test_the_same_net_gives_the_same_file_to_the_byte(tmp_path):
    program = (
        "import sys, torch; from vgg_course import weights; from vgg_course.model import vgg;"
        "model = vgg(input_size=32, width=1/16, generator=torch.Generator().manual_seed(0));"
        "weights.save(model, sys.argv[1], a=1, b=2, c=3)"
    )
    files = [tmp_path / f"{number}.safetensors" for number in range(2)]
    for file in files:  # two processes: within one, an order drawn by lot may stay the same
        subprocess.run([sys.executable, "-c", program, str(file)], check=True)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_types_of_floating_point_convert_from_safetensors_too(tmp_path, dtype):
    model = made(seed=1)
    load(model, safe(tmp_path, {name: tensor.to(dtype) for name, tensor in made().state_dict().items()}))
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert torch.equal(model.features[0].weight, made().features[0].weight.to(dtype).float())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (lambda: without("features.5.weight"), r"Missing: features\.5\.weight\."),
        (lambda: made().state_dict() | {"extra": torch.zeros(1)}, r"Unexpected: extra\."),
        (lambda: made(width=1 / 8).state_dict(), r"features\.0\.weight is 8x3x3x3, .* another width"),
        (lambda: changed(features_2_bias=torch.tensor([1, float("nan"), 3, 4])), r"1 of the 4 numbers of features\.2\.bias"),
        (lambda: changed(features_2_bias=torch.full((4,), 1e300, dtype=torch.float64)), "too large for it"),
        (lambda: changed(features_2_bias=torch.tensor([1, 2, 3, 4])), r"is torch\.int64, where"),
        (lambda: changed(features_2_bias=torch.zeros(4, dtype=torch.bool)), r"is torch\.bool, where"),
        (lambda: {}, "it is empty"),
    ],
)  # fmt: skip
def test_safetensors_that_do_not_fit_are_refused_by_name(tmp_path, source, words):
    message = refused(safe(tmp_path, source()))
    assert re.search(words, message), message


def entry(header, **parts):
    header["features.0.bias"] |= parts


def twice(header):
    words = json.dumps(header)[:-1]
    return f'{words}, "features.0.bias": {json.dumps(header["features.0.bias"])}}}'.encode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (twice, r"two entries 'features\.0\.bias'; which one counts"),
        (lambda header: b"{", "could not be read as safetensors. It is damaged"),
        (lambda header: b"[1]", "could not be read as safetensors. It is damaged"),
        (lambda header: b"[" * 100_000, "could not be read as safetensors. It is damaged"),
        (lambda header: b"\xff" * 40, "could not be read as safetensors. It is damaged"),
        (lambda header: entry(header, dtype="F99"), "could not be read as safetensors. It is damaged"),
        (lambda header: entry(header, dtype="F64"), "could not be read as safetensors. It is damaged"),
        (lambda header: entry(header, shape=[5]), "could not be read as safetensors. It is damaged"),
        (lambda header: entry(header, shape=[-4]), "could not be read as safetensors. It is damaged"),
        (lambda header: entry(header, shape=[2**40, 2**40]), "could not be read as safetensors. It is damaged"),
        (lambda header: entry(header, data_offsets=[10**6, 10**6 + 16]), "ends too soon, after"),
        (lambda header: entry(header, data_offsets=[0]), "could not be read as safetensors. It is damaged"),
        (lambda header: header.pop("features.0.bias") and None, "could not be read as safetensors. It is damaged"),
        (lambda header: header.update(__metadata__={"vgg_course": 3}), "could not be read as safetensors. It is damaged"),
        (lambda header: header.update(__metadata__={"vgg_course": "{"}), "its checksum is wrong"),
        (lambda header: header.update(__metadata__={"vgg_course": "[1]"}), "its checksum is wrong"),
        (lambda header: header.update(__metadata__={"vgg_course": "{}"}), "its checksum is wrong"),
    ],
)  # fmt: skip
def test_a_damaged_header_is_refused(tmp_path, change, words):
    path = safe(tmp_path, made().state_dict(), change=change)
    message = refused(path)
    assert re.search(words, message), message
    assert str(path) in message


def test_a_changed_fact_is_noticed(tmp_path):
    path = tmp_path / "vgg.safetensors"
    save(made(), path, mean=[0.4375])
    path.write_bytes(path.read_bytes().replace(b"0.4375", b"0.4376"))
    assert "its checksum is wrong" in refused(path)


@pytest.mark.parametrize(("content", "words"), TEXTS)
def test_text_under_the_name_of_safetensors_is_called_what_it_is(tmp_path, content, words):
    path = tmp_path / "vgg.safetensors"
    path.write_bytes(content)
    assert words in refused(path)


@pytest.mark.parametrize("content", [bytes(1000), bytes(range(256)) * 9, b"\x89HDF\r\n\x1a\n" + bytes(200), b"\0"])
def test_anything_else_under_the_name_of_safetensors_is_refused(tmp_path, content):
    path = tmp_path / "vgg.safetensors"
    path.write_bytes(content)
    assert "safetensors" in refused(path)


def test_every_length_of_a_file_that_was_cut_off_is_refused(tmp_path):
    small = VGG(Configuration.parse("conv3-2 FC-2", input_size=2))
    path = tmp_path / "vgg.safetensors"
    save(small, path)
    whole = path.read_bytes()
    for length in range(8, len(whole)):
        path.write_bytes(whole[:length])
        assert f"ends too soon, after {length:,}" in refused(path, small)
    path.write_bytes(whole + b"\0")
    assert "could not be read as safetensors. It is damaged" in refused(path, small)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "old format"])
def test_the_wrong_name_is_said(tmp_path, new):
    path = tmp_path / "vgg.safetensors"
    torch.save(made().state_dict(), path, _use_new_zipfile_serialization=new)
    assert "is a file of torch.save, under the wrong name; call it vgg.pt" in refused(path)
    save(made(), path)
    path = path.rename(tmp_path / "vgg.pth")
    assert "looks like safetensors, under another name; call it vgg.safetensors" in refused(path)


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = safe(tmp_path, made().state_dict())

    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(WeightsError, match=r"could not be read: \[Errno 13\] Permission denied"):
        read(path)
