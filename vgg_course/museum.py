"""The museum of broken VGGs: networks that look right and are not. Every bug is one that somebody really published.

:func:`visit` opens a room and hands you the exhibit as it was found: a model, the way its author prepares images, and
pictures to try it on. :class:`Exhibit` can be asked, looked into (:meth:`Exhibit.inside`) and repaired: assign another
``model`` or another ``prepare``. What is wrong is one of :data:`DIAGNOSES`; ``check.diagnosis`` and ``check.cured`` judge.

All is small (an eighth of the width, 64 pixels), so that a room takes a second. Rooms whose damage shows only in a net
that has learned something share one that is trained here, in some ten seconds, on drawn pictures that are tinted: airplanes
toward blue, automobiles toward red, birds toward green. So color is evidence, as it is in photographs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from types import MappingProxyType

import torch
from torch import Tensor, nn

from vgg_course import show, synthetic
from vgg_course.configuration import CONFIGURATIONS, Configuration
from vgg_course.data import Dataset, Split
from vgg_course.model import VGG, vgg
from vgg_course.training import accuracy, fit

DIAGNOSES: Mapping[str, str] = MappingProxyType(
    {
        "missing-convolution": "a block has fewer convolutions than the configuration says",
        "missing-pool": "a pool is left out",
        "missing-relu": "two convolutions follow each other with no ReLU between them",
        "no-padding": "the convolutions do not pad, and the maps shrink",
        "shared-weights": "one convolution is used in several places",
        "relu-on-logits": "a ReLU stands behind the last layer",
        "softmax-twice": "the net ends in a soft-max, and the loss applies another",
        "variance-as-deviation": "the weights were drawn with the variance in place of its root",
        "batch-norm-in-training-mode": "batch norm uses the statistics of the batch when it should use the stored ones",
        "dropout-on": "dropout is still dropping when the net is used",
        "bgr-for-rgb": "the color channels arrive in the reverse order",
        "wrong-scale": "the pixels arrive in another range than the weights were trained with",
        "flatten-order": "the first fully-connected layer gets its inputs in another order than it was trained with",
        "flipped-kernels": "every kernel is rotated by half a turn",
    }
)
"""What can be wrong, by name, in words. Twelve of these are on display."""


# --- looking inside ---


@dataclass(frozen=True)
class Step:
    """A convolution, pool or fully-connected layer as it ran: shapes without the batch, and what entered it."""

    name: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    smallest: float  # of all values that entered
    deviation: float  # their standard deviation
    parameters: int


@dataclass(frozen=True, repr=False)
class Inside(show.Shown):
    """What ran, in the order in which it ran, whatever the code looks like; shows itself as a table.

    Layers are named by what happened: a pool ends a block. ``smallest`` and ``deviation`` are those of the answers.
    """

    steps: tuple[Step, ...]
    images: int
    answers: Tensor  # (B, classes), as they came out

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(f"no layer {name!r} ran; these did: {', '.join(step.name for step in self.steps)}")

    def kind(self, prefix: str) -> tuple[Step, ...]:
        """The steps of a kind: ``conv``, ``pool`` or ``fc``."""
        return tuple(step for step in self.steps if step.name.startswith(prefix))

    def _table(self) -> show.Table:
        def size(shape: tuple[int, ...]) -> str:
            return "x".join(map(str, shape))

        last = (
            "answer",
            size(tuple(self.answers.shape[1:])),
            "",
            f"{self.answers.min().item():.3g}",
            f"{self.answers.std().item():.3g}",
            None,
        )
        return show.Table(
            f"What ran, on {self.images} images",
            ("layer", "takes in", "puts out", "smallest in", "deviation in", "parameters"),
            [
                (
                    s.name,
                    size(s.input_shape),
                    size(s.output_shape),
                    f"{s.smallest:.3g}",
                    f"{s.deviation:.3g}",
                    s.parameters,
                )
                for s in self
            ],
            [last],
        )


def look_inside(model: nn.Module, inputs: Tensor) -> Inside:
    """Send prepared images ``(B, C, H, W)`` through a copy of ``model``, in the mode it is in, and write down what runs."""
    steps: list[Step] = []
    block, place, linear = 1, 0, 0

    def record(module: nn.Module, arguments: tuple, output: Tensor) -> None:
        nonlocal block, place, linear
        entered = entering[module]
        if isinstance(module, nn.Conv2d):
            place += 1
            name = f"conv{block}_{place}"
        elif isinstance(module, nn.MaxPool2d):
            name, block, place = f"pool{block}", block + 1, 0
        else:
            linear += 1
            name = f"fc{block + linear - 1 + (place > 0)}"
        count = sum(p.numel() for p in module.parameters())
        steps.append(Step(name, *entered[:1], tuple(output.shape[1:]), *entered[1:], count))

    entering: dict[nn.Module, tuple] = {}

    def arrive(module: nn.Module, arguments: tuple) -> None:
        x = arguments[0]
        entering[module] = (tuple(x.shape[1:]), x.min().item(), x.std().item())

    copy = deepcopy(model)  # batch norms in training mode write when they are asked
    for module in copy.modules():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.Linear):
            module.register_forward_pre_hook(arrive)  # now: an in-place ReLU overwrites later what is here
            module.register_forward_hook(record)
    with torch.no_grad(), torch.random.fork_rng([]):  # dropout may throw dice
        answers = copy(inputs)
    return Inside(tuple(steps), len(inputs), answers)


# --- exhibits ---


@dataclass(repr=False)
class Exhibit:
    """A net as its author uses it: ``exhibit(images)`` prepares uint8 images ``(B, 3, H, W)`` and asks the model.

    ``model`` and ``prepare`` (images to what the model takes) are yours to replace. ``images`` and ``labels`` are
    pictures that it was not trained on. ``original`` is the net that it was converted from, where there was one.
    """

    number: int
    title: str
    claim: str
    letter: str
    trained: bool
    model: nn.Module
    prepare: Callable[[Tensor], Tensor]
    images: Tensor
    labels: Tensor
    original: Exhibit | None = None

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Answers ``(B, classes)``; the model is in the mode in which its author left it."""
        return self.model(self.prepare(images))

    def accuracy(self) -> float:
        """The share of ``images`` that it gets right, all in one batch, on a copy of the model."""
        return accuracy(replace(self, model=deepcopy(self.model))(self.images), self.labels)

    def inside(self) -> Inside:
        """What runs, layer by layer, when it is asked about ``images``."""
        return look_inside(self.model, self.prepare(self.images))

    def __repr__(self) -> str:
        return f'Room {self.number}, "{self.title}". The label says: {self.claim}'


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, red first, as torchvision's weights want it
TINTS = torch.tensor([(0.45, 0.62, 0.95), (0.95, 0.42, 0.32), (0.45, 0.72, 0.35)])  # airplane, automobile, bird


def normalize(images: Tensor) -> Tensor:
    """uint8 images ``(B, 3, H, W)``, red first, to float32 with mean 0 and deviation 1 or so in each channel."""
    return (images.float() / 255 - _channels(MEAN)) / _channels(STD)


def _channels(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values)[:, None, None]


@cache
def pictures(per_class: int, seed: int, size: int = 64) -> Split:
    """Drawn airplanes, automobiles and birds, each tinted toward the color of its class by 20 to 60 %."""
    drawn = synthetic.draw(per_class, seed, size)
    share = 0.2 + 0.4 * torch.rand(len(drawn), 1, 1, 1, generator=torch.Generator().manual_seed(seed))
    tinted = torch.lerp(drawn.images.float(), 255 * TINTS[drawn.labels][:, :, None, None], share)
    return Split(tinted.round().to(torch.uint8), drawn.labels)


class _Pictures(Dataset):
    def normalize(self, images: Tensor) -> Tensor:
        return normalize(images)


SMALL = {"input_size": 64, "classes": 3, "width": 1 / 8, "hidden": (128, 128)}
"""The size of every net on display but one: ``vgg("D", **museum.SMALL)``."""


@cache
@torch.enable_grad()
def trained() -> tuple[VGG, VGG]:
    """A small VGG-11 with batch norms, trained, and the plain VGG-11 that computes the same: the norms melted in.

    Both are in evaluation mode. Copy them before you change them.
    """
    split = pictures(300, seed=0)
    nothing = Split(split.images[:0], split.labels[:0])
    data = _Pictures(split, nothing, nothing, synthetic.CLASSES, "drawn by code and tinted", is_drawn=True)
    normed = vgg("A", **SMALL, batch_norm=True, initialization="he", generator=_seeded(0))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so that it comes out alike on every machine, or nearly so
    try:
        fit(normed, data, epochs=6, batch_size=32, learning_rate=0.05, label_smoothing=0.0, precision="float32")
    finally:
        torch.set_num_threads(threads)
    normed.to(memory_format=torch.contiguous_format).eval()
    return normed, _without_norms(normed)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def _without_norms(normed: VGG) -> VGG:
    """In evaluation mode a batch norm is a scale and a shift for each channel: part of the convolution before it."""
    plain = VGG(replace(normed.configuration, batch_norm=False))
    norms = [module for module in normed.features if isinstance(module, nn.BatchNorm2d)]
    for name, layer in normed.layers.items():
        if isinstance(layer, nn.Conv2d):
            norm = norms.pop(0)
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            plain.layers[name].weight.copy_(layer.weight * scale[:, None, None, None])
            plain.layers[name].bias.copy_((layer.bias - norm.running_mean) * scale + norm.bias)
        elif isinstance(layer, nn.Linear):
            plain.layers[name].load_state_dict(layer.state_dict())
    return plain.eval()


# --- the bugs ---


class VGG16(VGG):
    """A VGG whose forward pass ends in something of its author's."""

    end: Callable[[Tensor], Tensor] = staticmethod(torch.nn.functional.relu)

    def forward(self, x: Tensor) -> Tensor:
        return self.end(super().forward(x))


class VGG16Classifier(VGG16):
    end = staticmethod(partial(torch.softmax, dim=1))


def _ending_in(kind: type[VGG16]) -> VGG:
    plain = trained()[1]
    model = kind(plain.configuration)
    model.load_state_dict(plain.state_dict())
    return model.eval()


def _without_conv3_3() -> VGG:
    words = CONFIGURATIONS["D"].notation().replace("conv3-256 conv3-256 conv3-256", "conv3-256 conv3-256")
    return vgg(Configuration.parse(words, "D"), **SMALL, generator=_seeded(1)).eval()


def _unpadded() -> VGG:
    model = vgg("D", **SMALL | {"input_size": 224}, generator=_seeded(2))
    for layer in model.features:
        if isinstance(layer, nn.Conv2d):
            layer.padding = (0, 0)
    model.avgpool = nn.AdaptiveAvgPool2d((7, 7))  # torchvision has one too
    return model.eval()


def _without_pool4() -> VGG:
    model = vgg("D", **SMALL, generator=_seeded(3))
    left_out = model.layers["pool4"]
    model.features = nn.Sequential(*(module for module in model.features if module is not left_out))
    model.avgpool = nn.AdaptiveAvgPool2d((2, 2))
    return model.eval()


def _one_relu_a_block() -> VGG:
    model = vgg("D", **SMALL, generator=_seeded(4))
    modules = list(model.features)
    last = [isinstance(after, nn.MaxPool2d) for after in modules[1:]] + [True]
    kept = (m for m, ends in zip(modules, last, strict=True) if ends or not isinstance(m, nn.ReLU))
    model.features = nn.Sequential(*kept)
    return model.eval()


@torch.no_grad()
def _variance_for_deviation() -> VGG:
    model, generator = vgg("D", **SMALL), _seeded(5)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in, fan_out = layer.weight[0].numel(), layer.weight[:, 0].numel()
            layer.weight.normal_(0, 2 / (fan_in + fan_out), generator=generator)
    return model.eval()


def _never_in_eval_mode() -> VGG:
    normed = trained()[0]
    model = VGG(normed.configuration, dropout=0.0)  # so that batch norm alone is to blame
    model.load_state_dict(normed.state_dict())
    return model.train()


def _plain() -> VGG:
    return deepcopy(trained()[1])


@torch.no_grad()
def _as_caffe_trained_it() -> VGG:
    """The same net with weights for pixels from 0 to 255, less their mean: the first layer takes the factor."""
    model = _plain()
    model.layers["conv1_1"].weight.div_(255 * _channels(STD))
    return model


class _ChannelsLast(VGG):
    """A net as TensorFlow flattens it: place by place, and within a place channel by channel."""

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).permute(0, 2, 3, 1).flatten(1))


@torch.no_grad()
def _channels_last() -> _ChannelsLast:
    plain = trained()[1]
    model = _ChannelsLast(plain.configuration)
    model.load_state_dict(plain.state_dict())
    pool5 = next(layer for layer in plain.configuration if layer.name == "pool5")
    grid = (len(plain.layers["fc6"].weight), *pool5.output_shape)
    model.layers["fc6"].weight.copy_(plain.layers["fc6"].weight.view(grid).permute(0, 2, 3, 1).flatten(1))
    return model.eval()


def _converted() -> VGG:
    model = _plain()
    model.load_state_dict(_channels_last().state_dict())
    return model


def subtract_mean(images: Tensor) -> Tensor:
    """uint8 images ``(B, 3, H, W)``, red first, less ImageNet's mean color; from -124 to 152 or so. Caffe's way."""
    return images.float() - 255 * _channels(MEAN)


def _reversed_channels(images: Tensor) -> Tensor:
    return normalize(images.flip(1))


def _minus_one_to_one(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1


@dataclass(frozen=True)
class Room:
    """What hangs behind a door: the label, the bug (a name from :data:`DIAGNOSES`) and where it happened."""

    title: str
    claim: str
    letter: str
    bug: str
    sources: tuple[str, ...]  # owner/repository#number, of threads that say it
    found: Callable[[], nn.Module]
    right: Callable[[], nn.Module]
    found_prepare: Callable[[Tensor], Tensor] = normalize
    right_prepare: Callable[[Tensor], Tensor] = normalize
    original: Callable[[], nn.Module] | None = None
    trained: bool = False
    size: int = 64
    per_class: int = 30


def _right_d(size: int = 64) -> VGG:
    return vgg("D", **SMALL | {"input_size": size}, generator=_seeded(9)).eval()


@torch.no_grad()
def _right_glorot() -> VGG:
    model, generator = _right_d(), _seeded(5)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(layer.weight, generator=generator)
            layer.bias.zero_()
    return model


def _right_normed() -> VGG:
    return _never_in_eval_mode().eval()


ROOMS: Mapping[int, Room] = MappingProxyType(
    dict(
        enumerate(
            (
                Room(
                    "Sixteen layers",
                    "VGG-16, configuration D of the paper.",
                    "D",
                    "missing-convolution",
                    ("huyng/tensorflow-vgg#4", "huyng/tensorflow-vgg#18"),
                    _without_conv3_3,
                    _right_d,
                    per_class=10,
                ),
                Room(
                    "The optimist",
                    "VGG-11, trained. Three outputs, one for each class.",
                    "A",
                    "relu-on-logits",
                    ("chainer/chainer#2364", "huyng/tensorflow-vgg#13"),
                    partial(_ending_in, VGG16),
                    _plain,
                    trained=True,
                ),
                Room(
                    "Judged by its company",
                    "VGG-11 with batch norm, trained, evaluated with net(images) in batches.",
                    "A",
                    "batch-norm-in-training-mode",
                    ("sinhasam/vaal#2",),
                    _never_in_eval_mode,
                    _right_normed,
                    trained=True,
                ),
                Room(
                    "All alike",
                    "VGG-11, trained by Caffe; images centered around zero before they go in.",
                    "A",
                    "wrong-scale",
                    ("HzDmS/gaze_redirection#10", "alex04072000/CyclicGen#8", "pytorch/vision#433"),
                    _as_caffe_trained_it,
                    _as_caffe_trained_it,
                    found_prepare=_minus_one_to_one,
                    right_prepare=subtract_mean,
                    trained=True,
                ),
                Room(
                    "It will not learn",
                    "VGG-16, fresh, with Glorot's initialization: normal, variance 2 / (fan_in + fan_out).",
                    "D",
                    "variance-as-deviation",
                    ("SethHWeidman/DLFS_code#10", "NVIDIA/DIGITS#535"),
                    _variance_for_deviation,
                    _right_glorot,
                    per_class=10,
                ),
                Room(
                    "Converted from Caffe",
                    "VGG-16 for 224-pixel images. Every weight has the right shape, and it runs.",
                    "D",
                    "no-padding",
                    ("microsoft/MMdnn#397",),
                    _unpadded,
                    partial(_right_d, 224),
                    size=224,
                    per_class=2,
                ),
                Room(
                    "A loss with good taste",
                    "VGG-16 whose features judge how alike two pictures are.",
                    "D",
                    "missing-pool",
                    ("NVlabs/MUNIT#94", "marco-c/autowebcompat#134"),
                    _without_pool4,
                    _right_d,
                    per_class=10,
                ),
                Room(
                    "Built in a loop",
                    "VGG-16: a function makes each block, a loop calls it five times.",
                    "D",
                    "missing-relu",
                    ("hysts/pytorch_image_classification#20", "timgaripov/dnn-mode-connectivity#2"),
                    _one_relu_a_block,
                    _right_d,
                    per_class=10,
                ),
                Room(
                    "The cautious one",
                    "VGG-11, trained with cross_entropy(net(images), labels). Its loss would not fall.",
                    "A",
                    "softmax-twice",
                    ("ppplinday/tensorflow-vgg16-train-and-test#4", "tflearn/tflearn#562"),
                    partial(_ending_in, VGG16Classifier),
                    _plain,
                    trained=True,
                ),
                Room(
                    "Never the same twice",
                    "VGG-11, trained weights loaded. No batch norm anywhere.",
                    "A",
                    "dropout-on",
                    ("pytorch/vision#1302", "jazzsaxmafia/show_and_tell.tensorflow#9", "mitmul/deeppose#2"),
                    lambda: _plain().train(),
                    _plain,
                    trained=True,
                ),
                Room(
                    "Red fox, gray fox",
                    "VGG-11, trained weights; images read and normalized as the recipe says.",
                    "A",
                    "bgr-for-rgb",
                    ("karpathy/neuraltalk2#23", "keras-team/keras#3340", "imatge-upc/detection-2016-nipsws#11"),
                    _plain,
                    _plain,
                    found_prepare=_reversed_channels,
                    trained=True,
                ),
                Room(
                    "Lost in translation",
                    "VGG-11, its trained weights converted from another framework. load_state_dict was content.",
                    "A",
                    "flatten-order",
                    ("uhfband/keras2caffe#1", "rcmalli/keras-vggface#4"),
                    _converted,
                    _plain,
                    original=_channels_last,
                    trained=True,
                ),
            ),
            start=1,
        )
    )
)
"""The rooms by number: the first five are shown in the chapter. The answers are in here: visit first."""


def visit(number: int) -> Exhibit:
    """The exhibit of room ``number`` as it was found. Each visit hands out a fresh copy.

    Raises:
        ValueError: there is no such room.
    """
    room = _room(number)
    with torch.random.fork_rng([]):  # building a net throws dice, even if its weights are replaced at once
        exhibit = _exhibit(number, room.found(), room.found_prepare)
        if room.original:
            exhibit.original = _exhibit(number, room.original(), room.right_prepare)
    return exhibit


def cured(number: int) -> Exhibit:
    """The exhibit of room ``number`` with its bug taken out: what ``check.cured`` compares yours with."""
    room = _room(number)
    with torch.random.fork_rng([]):
        return _exhibit(number, room.right(), room.right_prepare)


def _room(number: int) -> Room:
    if isinstance(number, bool) or number not in ROOMS:
        raise ValueError(f"there is no room {number!r}; the rooms are numbered from 1 to {len(ROOMS)}.")
    return ROOMS[number]


def _exhibit(number: int, model: nn.Module, prepare: Callable[[Tensor], Tensor]) -> Exhibit:
    room = ROOMS[number]
    split = pictures(room.per_class, seed=1, size=room.size)
    return Exhibit(
        number,
        room.title,
        room.claim,
        room.letter,
        room.trained,
        model,
        prepare,
        split.images.clone(),
        split.labels.clone(),
    )
