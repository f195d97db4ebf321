import contextlib
import copy
import random

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from vgg_course.configuration import CONFIGURATIONS, Configuration, Conv, Linear, LocalResponseNorm, MaxPool
from vgg_course.model import vgg
from vgg_course.shapes import UNSEEN, ShapeError, broken_promises, trace

SIZE = 64
WORDS = {letter: CONFIGURATIONS[letter].variant(width=1 / 16, input_size=SIZE, classes=5) for letter in CONFIGURATIONS}


class Net(nn.Module):
    """Layers as they are written down, whether they fit or not: unlike VGG, it promises nothing and checks nothing."""

    def __init__(self, specs, in_channels=3, size=SIZE, fitting=True, promised=None):
        """Built for what reaches each layer (``fitting``), or for what ``promised`` says would have reached it."""
        super().__init__()
        takes = {} if promised is None else {id(layer.spec): layer.input_shape for layer in promised}
        features, classifier, channels, side, flat = [], [], in_channels, size, None
        for spec in specs:
            came = takes.get(id(spec)) if not fitting else None
            match spec:
                case Conv():
                    came = came[0] if came else channels
                    features += [nn.Conv2d(came, spec.channels, spec.kernel, spec.stride, spec.padding), nn.ReLU()]
                    channels, side = spec.channels, (side + 2 * spec.padding - spec.kernel) // spec.stride + 1
                case MaxPool():
                    features.append(nn.MaxPool2d(spec.kernel, spec.stride, spec.padding))
                    side = (side + 2 * spec.padding - spec.kernel) // spec.stride + 1
                case LocalResponseNorm():
                    features.append(nn.LocalResponseNorm(spec.size, spec.alpha * spec.size, spec.beta, spec.k))
                case Linear():
                    flat = channels * side * side if flat is None else flat
                    wide = torch.Size(came).numel() if came else flat
                    classifier += [nn.Linear(wide, spec.features), nn.ReLU()]
                    flat = spec.features
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(*classifier[:-1])

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


def distinct(specs):
    """The same specs as different objects, so that each can be told from its equals."""
    return [copy.copy(spec) for spec in specs]


def copied(configuration):
    return Configuration(configuration.name, tuple(distinct(configuration.specs)), configuration.input_size)


def meta(*arguments, **options):
    with torch.device("meta"):
        return Net(*arguments, **options)


# --- trace ---


@pytest.mark.parametrize("seed", range(40))
def test_the_trace_of_a_random_net_is_the_shapes_of_its_configuration(seed):
    draw = random.Random(seed)
    specs = []
    for _ in range(draw.randint(1, 8)):
        kernel = draw.choice([1, 2, 3, 5])
        conv = Conv(draw.randint(1, 6), kernel, draw.choice([1, 1, 2]), draw.randint(0, 2))
        specs.append(draw.choice([conv, conv, MaxPool(draw.choice([2, 3]), draw.choice([1, 2])), LocalResponseNorm()]))
    specs += [Linear(draw.randint(1, 9)) for _ in range(draw.randint(1, 3))]
    configuration = Configuration("random", tuple(specs), draw.randint(96, 130))
    model = vgg(configuration)
    batch = draw.randint(1, 3)
    for x in ((batch, *configuration.input_shape), torch.zeros(batch, *configuration.input_shape)):
        found = [step for step in trace(model, x) if step.spec is not None]
        assert [step.output_shape for step in found] == [(batch, *layer.output_shape) for layer in configuration]
        assert [step.spec for step in found] == list(configuration.specs)
    assert not broken_promises(model, configuration)


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_our_nets_keep_every_promise(name, batch_norm):
    configuration = WORDS[name].variant(batch_norm=batch_norm)
    assert not broken_promises(vgg(configuration), configuration)


@pytest.mark.parametrize("suffix", ["", "_bn"])
@pytest.mark.parametrize(("name", "depth"), [("A", 11), ("B", 13), ("D", 16), ("E", 19)])
def test_torchvisions_nets_keep_every_promise(name, depth, suffix):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, f"vgg{depth}{suffix}")()
    found = broken_promises(theirs, CONFIGURATIONS[name].variant(batch_norm=bool(suffix)))
    assert not found, found
    assert found.first is None
    assert "kept" in repr(found)


def test_a_trace_leaves_no_mark():
    model = vgg("A", input_size=32, width=1 / 16, batch_norm=True).train()
    model.features[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    for x in ((2, 3, 32, 32), torch.randn(2, 3, 32, 32), (2, 3, 31, 31), (2, 4, 32, 32)):
        state = torch.get_rng_state()
        with contextlib.suppress(ShapeError):
            trace(model, x)
        assert torch.equal(state, torch.get_rng_state())
        assert modes == [module.training for module in model.modules()]
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
        assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())


def test_a_trace_keeps_the_hooks_that_were_there():
    model, calls = vgg("A", input_size=32, width=1 / 16), []
    model.features[0].register_forward_hook(lambda *_: calls.append(1))
    trace(model, (1, 3, 32, 32))
    model(torch.zeros(1, 3, 32, 32))
    assert len(calls) == 2


def test_a_net_without_values_can_be_traced():
    with torch.device("meta"):
        model = vgg("D")
    assert trace(model, (1, 3, 224, 224))["features.30"].output_shape == (1, 512, 7, 7)


def test_dropout_in_a_forward_draws_nothing_from_outside():
    class Dropping(nn.Linear):
        def forward(self, x):
            return functional.dropout(super().forward(x))

    model, state = Dropping(4, 4), torch.get_rng_state()
    trace(model, torch.zeros(1, 4))
    assert torch.equal(state, torch.get_rng_state())


def test_a_module_that_runs_twice_has_two_rows():
    relu = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(3, 4, 3), relu, nn.Conv2d(4, 5, 3), relu)
    assert [step.path for step in trace(model, (1, 3, 9, 9))] == ["0", "1", "2", "1"]


def test_what_no_module_does_has_a_row_of_its_own():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x):
            return functional.max_pool2d(self.two(functional.max_pool2d(self.one(x), 2)), 2)

    steps = trace(Pooled(), (1, 3, 16, 16)).steps
    assert [(step.kind, step.output_shape[-1]) for step in steps] == [
        ("Conv2d", 16),
        (UNSEEN, 8),
        ("Conv2d", 8),
        (UNSEEN, 4),
    ]


def test_a_trace_shows_itself_as_a_table():
    shown = repr(trace(vgg("A", input_size=32, width=1 / 16), (2, 3, 32, 32)))
    assert "features.0" in shown
    assert "(2, 4, 32, 32)" in shown
    assert "<table" in trace(nn.Conv2d(1, 1, 1), (1, 1, 2, 2))._repr_html_()


def test_a_model_that_is_one_layer_is_traced():
    assert trace(nn.Linear(3, 2), (5, 3)).steps[0].output_shape == (5, 2)
    with pytest.raises(ShapeError, match="Linear refuses"):
        trace(nn.Linear(3, 2), (5, 4))


@pytest.mark.parametrize(
    ("model", "x", "kind", "words"),
    [
        (lambda x: x, (1, 3, 8, 8), TypeError, "hand over an nn.Module"),
        (nn.Conv2d(3, 4, 3), "an image", TypeError, "its shape, such as"),
        (nn.Conv2d(3, 4, 3), (1, 3, 8.0, 8), TypeError, "its shape, such as"),
        (nn.LazyConv2d(3, 4), (1, 3, 8, 8), ValueError, "lazy"),
    ],
)
def test_what_cannot_be_traced_is_refused_with_a_remedy(model, x, kind, words):
    with pytest.raises(kind, match=words):
        trace(model, x)


def test_a_model_that_looks_at_values_asks_for_images():
    class Looking(nn.Conv2d):
        def forward(self, x):
            return super().forward(x / 255 if x.max().item() > 1 else x)

    with pytest.raises(ValueError, match="Hand over a batch of images"):
        trace(Looking(3, 4, 3), (1, 3, 8, 8))
    assert trace(Looking(3, 4, 3), torch.zeros(1, 3, 8, 8)).steps[0].output_shape == (1, 4, 6, 6)


# --- who refuses, and why ---


D = Net(CONFIGURATIONS["D"].variant(width=1 / 16, classes=5).specs, size=224)


@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize(
    ("x", "layer", "words"),
    [
        (
            (1, 3, 192, 192),
            "classifier.0",
            ["1,568", "32x7x7", "1,152", "32x6x6", "224 to 255 pixels", "Linear(1152, "],
        ),
        ((1, 3, 448, 448), "classifier.0", ["32x14x14", "one pool more", "it makes 7 of 14"]),
        ((1, 3, 96, 96), "classifier.0", ["32x3x3", "one pool less"]),
        ((1, 3, 192, 224), "classifier.0", ["32x6x7", "224 to 255 pixels instead of 192x224"]),
        ((3, 224, 224), "classifier.0", ["image[None]"]),
        ((1, 224, 224, 3), "features.0", ["permute(0, 3, 1, 2)"]),
        ((224, 224, 3), "features.0", ["permute(2, 0, 1)[None]"]),
        ((1, 1, 224, 224), "features.0", ["gray", "expand(-1, 3, -1, -1)"]),
        ((1, 4, 224, 224), "features.0", ["opacity", "x[:, :3]"]),
        ((1, 5, 224, 224), "features.0", ["in_channels=5"]),
        (
            (1, 3, 16, 16),
            "features.30",
            ["2x2 window", "the 1x1 that is left of an image of 16x16", "32 pixels or more"],
        ),
        ((7,), "features.0", ["(B, C, H, W)"]),
    ],
)
def test_the_message_names_the_layer_the_shape_and_the_remedy(x, layer, words, computed):
    with pytest.raises(ShapeError) as caught:
        trace(D, torch.zeros(x) if computed else x)
    error = caught.value
    assert error.layer == layer
    assert layer in str(error)
    assert "Remedy: " in str(error)
    assert str(error.shape) in str(error)
    assert isinstance(error.__cause__, RuntimeError | IndexError)
    for word in words:
        assert word in str(error)


@pytest.mark.parametrize(
    ("dtype", "words"), [(torch.uint8, "float() / 255"), (torch.float64, "to(torch.float32)"), (torch.int64, "/ 255")]
)
def test_images_of_another_type_are_named(dtype, words):
    with pytest.raises(ShapeError, match="float32 and got") as caught:
        trace(D, torch.zeros(1, 3, 224, 224, dtype=dtype))
    assert caught.value.layer == "features.0"
    assert words in str(caught.value)


@pytest.mark.parametrize("size", [32, 63, 64, 100, 192, 223, 256, 300, 448])
def test_the_remedy_for_a_linear_layer_works(size):
    """Build the net as the message says, or hand over the images it asks for: it runs."""
    with pytest.raises(ShapeError) as caught:
        trace(D, (1, 3, size, size))
    words = str(caught.value)
    wide, out = map(int, words.split("Linear(")[1].split(")")[0].split(", "))
    rebuilt = copy.deepcopy(D)
    rebuilt.classifier[0] = nn.Linear(wide, out)
    trace(rebuilt, (1, 3, size, size))
    low, high = map(int, words.split("images of ")[1].split(" pixels")[0].split(" to "))
    for right in (low, high):
        trace(D, (1, 3, right, right))
    for wrong in (low - 1, high + 1):
        with pytest.raises(ShapeError):
            trace(D, (1, 3, wrong, wrong))


@pytest.mark.parametrize(
    ("model", "x", "layer", "words"),
    [
        (
            nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(9, 8, 3)),
            (1, 3, 9, 9),
            "1",
            ["got 8", "that module 0 gives", "let module 0 give 9"],
        ),
        (nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(9)), (1, 3, 9, 9), "1", ["9 channels", "BatchNorm2d(8)"]),
        (nn.Sequential(nn.Conv2d(3, 8, 7)), (1, 3, 6, 6), "0", ["7x7 window", "7 pixels or more"]),
        (nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(8 * 49, 2)), (1, 3, 9, 9), "1", ["flatten(x, 1) before it"]),
        (
            nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(0), nn.Linear(8 * 49, 2)),
            (2, 3, 9, 9),
            "2",
            ["whole batch in one row"],
        ),
        (nn.Sequential(nn.Flatten(), nn.Conv2d(3, 8, 3)), (2, 3, 9, 9), "1", ["flatten behind the last pool"]),
        (nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 6)), (2, 3), "1", ["takes 5 numbers and got 4", "Linear(4, 6)"]),
        (nn.Sequential(nn.Conv2d(3, 8, 3), nn.Unflatten(1, (3, 3))), (1, 3, 9, 9), "1", ["In its own words"]),
    ],
)
def test_other_ways_not_to_fit(model, x, layer, words):
    with pytest.raises(ShapeError) as caught:
        trace(model, x)
    assert caught.value.layer == layer
    for word in words:
        assert word in str(caught.value)


def test_a_view_that_fails_between_modules_says_behind_which():
    class Viewing(Net):
        def forward(self, x):
            return self.classifier(self.features(x).view(-1, 1569))

    with pytest.raises(ShapeError, match=r"last to run was module features.30, it gave \(1, 32, 7, 7\)") as caught:
        trace(Viewing(CONFIGURATIONS["D"].variant(width=1 / 16, classes=5).specs, size=224), (1, 3, 224, 224))
    assert caught.value.layer == ""


def test_a_model_that_refuses_at_the_door_keeps_its_words():
    with pytest.raises(ShapeError, match=r"VGG refuses .* Resize or crop the images"):
        trace(vgg("A", input_size=32, width=1 / 16), (1, 3, 64, 64))


# --- the contract: every seeded breakage is found where it is ---


def without(specs, place):
    return specs[:place] + specs[place + 1 :]


PLACES = [(letter, place) for letter in ("A-LRN", "C", "E") for place in range(len(WORDS[letter]))]


@pytest.mark.parametrize(("letter", "place"), PLACES)
def test_a_missing_layer_is_named_when_all_others_are_as_promised(letter, place):
    promised = copied(WORDS[letter])
    model = meta(without(list(promised.specs), place), fitting=False, promised=promised)
    found = broken_promises(model, promised)
    name = promised.layers[place].name
    assert found.first.problem == "missing"
    assert name in (found.first.layer, *found.first.alike), found
    assert len(found) == 1, found
    for other in found.first.alike:  # those that are named beside it give the same net
        again = without(list(promised.specs), [layer.name for layer in promised].index(other))
        twin = meta(again, fitting=False, promised=promised)
        assert other == name or same_net(twin, model) or same_net(fitted(again), fitted_without(promised, name))


def fitted(specs):
    return meta(specs)


def fitted_without(promised, name):
    return meta(without(list(promised.specs), [layer.name for layer in promised].index(name)))


def same_net(one, other):
    return repr(one) == repr(other)


@pytest.mark.parametrize(("letter", "place"), PLACES)
def test_a_missing_layer_is_named_when_the_others_were_made_to_fit(letter, place):
    promised = WORDS[letter]
    model = meta(without(list(promised.specs), place))
    found = broken_promises(model, promised)
    name = promised.layers[place].name
    assert found.first.problem == "missing", found
    assert found.complaint is None
    right = [la.name for i, la in enumerate(promised) if same_net(meta(without(list(promised.specs), i)), model)]
    assert found.first.layer in right
    assert name in (found.first.layer, *found.first.alike)
    assert set(right) <= {found.first.layer, *found.first.alike}
    assert len(found) == 1, found


CONVS = [(letter, i) for letter in ("C", "E") for i, s in enumerate(WORDS[letter].specs) if isinstance(s, Conv)]
CHANGES = {
    "padding": lambda s: Conv(s.channels, s.kernel, s.stride, 0 if s.padding else 1),
    "channels": lambda s: Conv(s.channels + 3, s.kernel, s.stride, s.padding),
    "stride": lambda s: Conv(s.channels, s.kernel, 2, s.padding),
    "kernel": lambda s: Conv(s.channels, s.kernel + 2, s.stride, s.padding + 1),
}


@pytest.mark.parametrize("fitting", [True, False])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("letter", "place"), CONVS)
def test_a_changed_convolution_is_named(letter, place, change, fitting):
    promised = WORDS[letter]
    specs = list(promised.specs)
    specs[place] = CHANGES[change](specs[place])
    model = meta(specs)
    if not fitting:  # the other layers stay as they were
        right = meta(list(promised.specs))
        mine = [m for m in model.features if isinstance(m, nn.Conv2d)]
        index = sum(isinstance(s, Conv) for s in specs[:place])
        changed = mine[index]
        number = [i for i, m in enumerate(right.features) if isinstance(m, nn.Conv2d)][index]
        right.features[number] = changed
        model = right
    found = broken_promises(model, promised)
    assert found.first.layer == promised.layers[place].name, found
    assert found.first.problem in ((change, "padding") if change == "kernel" else (change,))
    assert len(found) == 1, found


def test_a_padded_1x1_says_what_it_does():
    specs = list(WORDS["C"].specs)
    place = specs.index(Conv(16, 1))
    specs[place] = Conv(16, 1, 1, 1)
    first = broken_promises(meta(specs), WORDS["C"]).first
    assert "1x1 window and padding 1: each side grows by 2, a frame that no pixel reaches" in first.message
    assert "It gives 16x18x18 instead of 16x16x16" in first.message


@pytest.mark.parametrize(("letter", "place"), PLACES)
def test_a_layer_too_many_is_named(letter, place):
    promised = WORDS[letter]
    specs = list(promised.specs)
    spec = specs[place]
    if isinstance(spec, MaxPool) and promised.layers[place].name == "pool5":
        size = 128  # one pool more needs a larger image
        promised = promised.variant(input_size=size)
    size = promised.input_size
    found = broken_promises(meta([*specs[: place + 1], spec, *specs[place + 1 :]], size=size), promised)
    extra = [broken for broken in found if broken.problem == "extra"]
    assert len(found) == len(extra) == 1, found
    block = promised.layers[place].block
    assert extra[0].layer in {la.name for la in promised if la.block in (block, block + 1)}


def test_a_run_of_equal_layers_is_told_by_its_number():
    """VGG-16 held to E: one convolution is missing in each of the last three blocks."""
    found = broken_promises(meta(list(WORDS["D"].specs)), WORDS["E"])
    assert [(b.problem, b.layer) for b in found] == [("missing", f"conv{n}_4") for n in (3, 4, 5)]
    found = broken_promises(meta(list(WORDS["E"].specs)), WORDS["D"])
    assert [(b.problem, b.layer) for b in found] == [("extra", f"pool{n}") for n in (3, 4, 5)]


def test_a_missing_pool_is_blamed_and_not_the_layer_that_complains():
    promised = copied(CONFIGURATIONS["D"])
    place = [layer.name for layer in promised].index("pool3")
    model = meta(without(list(promised.specs), place), size=224, fitting=False, promised=promised)
    found = broken_promises(model, promised)
    assert (found.first.layer, found.complains, found.late) == ("pool3", "fc6", 9)
    assert isinstance(found.complaint, ShapeError)
    assert "The complaint comes from fc6, 9 layers later" in repr(found)
    grids = {grid.layer: (grid.promised, grid.found) for grid in found.grids}
    assert grids["conv3_3"] == (56, 56)
    assert grids["pool3"] == (28, None)
    assert grids["conv4_1"] == (28, 56)


@pytest.mark.parametrize("index", [4, 9, 16, 23, 30])
def test_an_adaptive_pool_does_not_hide_a_missing_one(index):
    with torch.device("meta"):
        model = torchvision.models.vgg16()
    del model.features[index]
    found = broken_promises(model, "D")
    number = [4, 9, 16, 23, 30].index(index) + 1
    assert found.first.layer == f"pool{number}"
    assert found.complaint is None
    words = "is AdaptiveAvgPool2d instead of MaxPool2d" if number == 5 else "hides what is wrong before it"
    assert words in repr(found)


def test_a_model_for_another_size_is_found_out():
    found = broken_promises(vgg("D", width=1 / 16, input_size=32), CONFIGURATIONS["D"].variant(width=1 / 16))
    assert found.first.layer == "fc6"
    assert found.first.problem == "takes"
    assert "VGG refuses" in str(found.complaint)


def edited(edit, letter="D"):
    model = meta(list(WORDS[letter].specs))
    with torch.device("meta"):
        edit(model)
    return broken_promises(model, WORDS[letter])


def put(at, module):
    def edit(model):
        part, index = at.split(".")
        getattr(model, part)[int(index)] = module()

    return edit


def idle(model):
    model.spare = nn.Linear(2, 2)


def twice(model):
    model.features[26] = model.features[24]


@pytest.mark.parametrize(
    ("edit", "layer", "problem", "words"),
    [
        (put("features.0", lambda: nn.Conv2d(3, 4, 3, padding=1, bias=False)), "conv1_1", "parameters", "no bias"),
        (put("features.2", lambda: nn.Conv2d(4, 4, 3, padding=2, dilation=2)), "conv1_2", "padding", "dilation"),
        (put("features.2", lambda: nn.Conv2d(4, 4, 3, padding=1, groups=2)), "conv1_2", "settings", "groups=2"),
        (put("features.2", lambda: nn.Conv2d(4, 4, (3, 1), padding=(1, 0))), "conv1_2", "kernel", "not square"),
        (put("features.4", lambda: nn.AvgPool2d(2)), "pool1", "kind", "AvgPool2d instead of MaxPool2d"),
        (put("features.4", lambda: nn.MaxPool2d(2, ceil_mode=True)), "pool1", "settings", "ceil_mode"),
        (put("features.4", lambda: nn.MaxPool2d(3, 2, 1)), "pool1", "kernel", "3x3 window instead of 2x2"),
        (put("classifier.2", lambda: nn.Linear(256, 99)), "fc7", "features", "99 features instead of 256"),
        (put("classifier.4", lambda: nn.Linear(256, 10)), "fc8", "features", "10 features instead of 5"),
        (idle, "", "parameters", "spare never ran"),
        (twice, "conv5_2", "shared", "shares its weights with conv5_1"),
    ],
)
def test_one_edit_is_found(edit, layer, problem, words):
    found = edited(edit)
    assert (found.first.layer, found.first.problem) == (layer, problem), found
    assert words in found.first.message


def test_torchs_alpha_in_the_norm_is_found():
    found = edited(put("features.2", lambda: nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0)), "A-LRN")
    assert (found.first.layer, found.first.problem) == ("lrn1_1", "alpha")
    assert "torch divides alpha by the size" in found.first.message


def test_batch_norm_that_was_not_promised_is_found_and_one_that_was():
    plain, normed = WORDS["A"], WORDS["A"].variant(batch_norm=True)
    found = broken_promises(vgg(normed), plain)
    assert [b.problem for b in found] == ["extra"] * 8
    found = broken_promises(vgg(plain), normed)
    assert [(b.problem, b.layer) for b in found][:2] == [("missing", "bn1_1"), ("missing", "bn2_1")]


class Functional(nn.Module):
    """Pools and the flatten are calls in forward, as many write it: hooks see only convolutions and linear layers."""

    def __init__(self, configuration, pools=5, flatten=lambda x: torch.flatten(x, 1)):
        super().__init__()
        self.convs = nn.ModuleList()
        self.fcs = nn.ModuleList()
        self.plan, self.flatten = [], flatten
        for layer in configuration:
            if isinstance(layer.spec, Conv):
                self.convs.append(nn.Conv2d(layer.input_shape[0], layer.spec.channels, 3, padding=1))
                self.plan.append(self.convs[-1])
            elif isinstance(layer.spec, MaxPool) and pools:
                self.plan.append(None)
                pools -= 1
            elif isinstance(layer.spec, Linear):
                self.fcs.append(nn.Linear(torch.Size(layer.input_shape).numel(), layer.spec.features))

    def forward(self, x):
        for conv in self.plan:
            x = functional.max_pool2d(x, 2) if conv is None else functional.relu(conv(x))
        x = self.flatten(x)
        for fc in self.fcs:
            x = fc(x)
        return x


def test_pools_that_are_calls_count_as_kept():
    with torch.device("meta"):
        assert not broken_promises(Functional(WORDS["D"]), WORDS["D"])


@pytest.mark.parametrize("missing", [1, 2, 3, 4])
def test_a_missing_call_of_a_pool_is_found(missing):
    with torch.device("meta"):
        model = Functional(WORDS["D"])
    pools = [i for i, layer in enumerate(model.plan) if layer is None]
    del model.plan[pools[missing - 1]]
    found = broken_promises(model, WORDS["D"])
    assert found.first.layer == f"pool{missing}", found
    assert found.complains == "fc6"


def test_a_view_that_lengthens_the_batch_is_found():
    large = WORDS["A"].variant(input_size=2 * SIZE)
    wide = WORDS["A"]["fc6"].input_shape
    with torch.device("meta"):
        model = Functional(WORDS["A"], flatten=lambda x: x.reshape(-1, torch.Size(wide).numel()))
    found = broken_promises(model, large)
    assert "batch" in [broken.problem for broken in found], found
    assert "batch of 2 into one of 8" in repr(found)


def test_a_chain_with_a_flatten_in_it_keeps_the_promise():
    model = meta(list(WORDS["C"].specs))
    chain = nn.Sequential(*model.features, nn.Flatten(), *model.classifier)
    assert not broken_promises(chain, WORDS["C"])
    del chain[4]
    assert [broken.layer for broken in broken_promises(chain, WORDS["C"])] == ["pool1"]


def test_a_convolutional_classifier_keeps_the_promise():
    model = meta(list(WORDS["A"].specs))
    wide = WORDS["A"]["fc6"].input_shape
    with torch.device("meta"):
        head = [nn.Conv2d(wide[0], 256, wide[1]), nn.Conv2d(256, 256, 1), nn.Conv2d(256, 5, 1)]
    assert not broken_promises(nn.Sequential(*model.features, *head), WORDS["A"])


def test_a_model_that_looks_at_values_is_held_with_images():
    class Looking(Net):
        def forward(self, x):
            return super().forward(x / 255 if x.max().item() > 1 else x)

    model = Looking(list(WORDS["A"].specs))
    with pytest.raises(ValueError, match="Hand over a batch"):
        broken_promises(model, WORDS["A"])
    assert not broken_promises(model, WORDS["A"], torch.zeros(2, 3, SIZE, SIZE))


def test_a_model_without_modules_keeps_nothing():
    class Empty(nn.Module):
        def forward(self, x):
            return x

    found = broken_promises(Empty(), WORDS["A"])
    assert [b.layer for b in found] == [layer.name for layer in WORDS["A"]]
