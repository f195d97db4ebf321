"""A VGG as a backbone: what others took from it, at which stride, and what a new head makes of it.

Whoever detects or segments keeps a VGG's convolutions, cuts off its classifier, reads some of its maps and puts a head of
their own there. :data:`BACKBONES` holds what five systems read and what they changed, in the paper's notation with one suffix
more, ``/d6``: a dilated ("a trous") convolution, whose kernel values stand 6 cells apart. To a receptive field such a 3x3 is
a 13x13, to the ledger it stays a 3x3; grid and jump are those of both. So every number is derived, none is typed.

The rest is what the chapter builds: :func:`atrous` keeps a net's jump small without training it anew, :class:`Segmenter` is
a head of the form of FCN, :func:`mean_iou` judges it, :func:`best_of_grid` says how good any head of that stride could be,
and :func:`roi_pool` cuts a box out of a map.

Sources of the records: what each system's authors published as code; ``source`` names the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import ceil, floor

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course import show
from vgg_course.accounting import Ledger, ledger
from vgg_course.activations import steps
from vgg_course.configuration import Configuration, ConfigurationError
from vgg_course.receptive_field import Field, receptive_field
from vgg_course.synthetic import CLASSES, Pictures

PARTS = ("background", *CLASSES)  # what a pixel can be, in the order of the scores

# --- what others took ---

_WORD = re.compile(r"conv(\d+)-(\d+)((?:/s\d+)?)/d(\d+)(?!\S)")


def span(kernel: int, dilation: int = 1) -> int:
    """Cells from the first to the last value of a kernel, both counted, when neighbors stand ``dilation`` cells apart.

    >>> span(3, 6)
    13
    """
    return (kernel - 1) * dilation + 1


def dilated(notation: str, *, wide: bool, **options) -> Configuration:
    """A configuration from words that may end in ``/d`` and a dilation; such a convolution keeps the size.

    Args:
        notation: as :meth:`Configuration.parse` reads it, and ``conv3-1024/d6``.
        wide: True puts the full kernel in the place of the dilated one, which is right for receptive fields; False the
            kernel without its holes, which is right for parameters and MACs. Shapes and jumps are the same.
        options: what :class:`Configuration` takes.

    Raises:
        ConfigurationError: see :meth:`Configuration.parse`; and an even kernel with holes, which cannot keep the size.
    """

    def without(match: re.Match) -> str:
        kernel, channels, stride, dilation = int(match[1]), match[2], match[3], int(match[4])
        if kernel % 2 == 0 or dilation < 1:
            raise ConfigurationError(f"{match[0]!r}: a dilation is at least 1, and a dilated kernel is odd here.")
        return f"conv{span(kernel, dilation) if wide else kernel}-{channels}{stride}"

    return Configuration.parse(_WORD.sub(without, notation), **options)


@dataclass(frozen=True)
class Backbone:
    """What one system made of VGG-16.

    ``notation`` runs from the image to the last layer that heads read. ``reads`` has for each of those layers, by its name
    in the configuration, the name that the system's authors gave it.
    """

    name: str
    year: int
    notation: str
    reads: Mapping[str, str]
    changed: str
    source: str

    def field(self, layer: str, input_size: int = 224) -> Field:
        """What one value of a layer sees, holes counted in."""
        return receptive_field(dilated(self.notation, wide=True, name=self.name, input_size=input_size))[layer]

    def ledger(self, input_size: int = 224) -> Ledger:
        """Parameters, MACs and values of all layers, for one image; a hole costs nothing."""
        return ledger(dilated(self.notation, wide=False, name=self.name, input_size=input_size))


_BLOCKS = (
    "conv3-64 conv3-64",
    "conv3-128 conv3-128",
    "conv3-256 conv3-256 conv3-256",
    "conv3-512 conv3-512 conv3-512",
    "conv3-512 conv3-512 conv3-512",
)
_TO_CONV5 = " maxpool ".join(_BLOCKS)
_DILATED_5 = _BLOCKS[4].replace("512", "512/d2")

BACKBONES = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "FCN-8s",
            2015,
            _TO_CONV5.replace("conv3-64", "conv3-64/p100", 1) + " maxpool conv7-4096/p0 conv1-4096",
            {"pool3": "pool3", "pool4": "pool4", "conv6_2": "fc7"},
            "fc6 and fc7 slide as convolutions; the image is padded by 100",
            "shelhamer/fcn.berkeleyvision.org, voc-fcn8s/train.prototxt",
        ),
        Backbone(
            "DeepLab-LargeFOV",
            2015,
            " maxpool3/p1 ".join(_BLOCKS[:4])
            + f" maxpool3/s1/p1 {_DILATED_5} maxpool3/s1/p1 maxpool3/s1/p1 conv3-1024/d12 conv1-1024",
            {"conv7_2": "fc7"},
            "pool4 and pool5 have stride 1; conv5 dilated by 2, fc6 is a 3x3 dilated by 12; all pools are 3x3, and one more, an "
            "average, stands before fc6",
            "DeepLab-LargeFOV, test.prototxt",
        ),
        Backbone(
            "Faster R-CNN",
            2015,
            _TO_CONV5 + " conv3-512",
            {"conv5_3": "conv5_3", "conv5_4": "rpn_conv/3x3"},
            "pool5 gives way to a 7x7 RoI pooling; fc6 and fc7 follow, once for each box",
            "rbgirshick/py-faster-rcnn, VGG16/faster_rcnn_end2end/test.prototxt",
        ),
        Backbone(
            "SSD300",
            2016,
            _TO_CONV5 + " maxpool3/s1/p1 conv3-1024/d6 conv1-1024",
            {"conv4_3": "conv4_3", "conv6_2": "fc7"},
            "pool5 is 3x3 with stride 1; fc6 is a 3x3 dilated by 6; conv4_3 is brought to length 20 at every place",
            "weiliu89/caffe, python/caffe/model_libs.py; torchvision, ssd300_vgg16",
        ),
        Backbone(
            "U-Net with VGG-16",
            2018,
            _TO_CONV5 + " maxpool",
            {name: name for name in ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3", "pool5")},
            "nothing; a decoder reads the end of every block",
            "ternaus/TernausNet, unet_models.py, UNet16",
        ),
    )
}
"""By name, in order of year."""


@dataclass(frozen=True, repr=False)
class Audit(show.Shown):
    """What each system reads and where; shows itself as a table."""

    backbones: tuple[Backbone, ...]
    input_size: int = 224

    def _table(self) -> show.Table:
        rows = []
        for backbone in self.backbones:
            costs = backbone.ledger(self.input_size)
            for i, (layer, theirs) in enumerate(backbone.reads.items()):
                field = backbone.field(layer, self.input_size)
                total = ("", "") if i else (f"{costs.parameters / 1e6:.1f}", f"{costs.macs / 1e9:.1f}")
                rows.append(("" if i else backbone.name, theirs, field.jump, field.size, *total))
        header = ("system", "reads", "stride", "sees", "parameters, M", f"GMACs at {self.input_size}")
        return show.Table("What was taken from VGG-16", header, rows)


def audit(input_size: int = 224) -> Audit:
    """All of :data:`BACKBONES`, with numbers for a square image of that size; a RoI head's own layers are not counted."""
    return Audit(tuple(BACKBONES.values()), input_size)


# --- a smaller jump for a trained net ---


def atrous(features: nn.Sequential, jump: int) -> nn.Sequential:
    """A copy of ``features`` whose jump stops at ``jump``: as many values more, and the old ones among them.

    From there on a pool still takes the largest of its window, but moves by 1 cell, and every layer behind it reads cells
    that are as far apart as neighbors were. Weights stay as they are ("A trous" is French: with holes.)

    Args:
        features: convolutions of stride 1, max-pools, and what treats each place alone, as in a VGG.
        jump: a product of the first strides: 1, 2, 4, 8, 16 for a VGG.

    Raises:
        ValueError: the pools never reach that jump exactly, or a convolution strides.
    """
    dense, reached, dilation = deepcopy(features), 1, 1
    for module in dense:
        if isinstance(module, nn.Conv2d):
            if module.stride != (1, 1):
                raise ValueError(
                    f"a convolution has stride {module.stride}; only pools may stride here. Hand over a part without it."
                )
            module.padding = tuple(p * dilation for p in module.padding)
            module.dilation = tuple(d * dilation for d in module.dilation)
        elif isinstance(module, nn.MaxPool2d):
            stride, module.dilation = module.stride, dilation
            module.padding *= dilation
            if reached == jump:
                module.stride, dilation = 1, dilation * stride
            else:
                reached *= stride
    if reached != jump:
        raise ValueError(f"jump is {jump!r}; the pools of this net lead to {reached}, so {jump} is not on the way.")
    return dense


# --- a segmenter ---


def stages(vgg: nn.Module, images: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
    """The maps of the named layers, in the mode the net is in: unlike ``activations``, it can be used in training.

    Name pools: what a convolution put out may be overwritten by the ReLU behind it.
    """
    wanted, kept, x = set(names), {}, images
    for name, module in steps(vgg):
        if len(kept) == len(wanted):
            break
        x = module(x)
        if name in wanted:
            kept[name] = x
    return kept


class Segmenter(nn.Module):
    """A class for every pixel from some of a VGG's maps, in the manner of FCN.

    Each map is scored by a 1x1 convolution. The scores of the deepest are enlarged to the grid of the next, added to its
    scores, and so on; the sum is enlarged to the pixels. Enlarging is bilinear and not learned. Ours: before it is
    scored, every channel is brought to mean 0 and deviation 1, so that no map speaks louder than another.

    Args:
        vgg: its features are used as they are, not copied.
        reads: names of pools, the deepest first, as in ``("pool5", "pool4", "pool3")``.
        classes: what a pixel can be.
    """

    def __init__(self, vgg: nn.Module, reads: Sequence[str], classes: int = len(PARTS)) -> None:
        super().__init__()
        self.vgg, self.reads = vgg, tuple(reads)
        channels, found = 0, {}
        for name, module in steps(vgg):
            channels = getattr(module, "out_channels", channels)
            found[name] = channels
        if not self.reads or any(not name.startswith("pool") or name not in found for name in self.reads):
            pools = [name for name in found if name.startswith("pool")]
            raise ValueError(f"reads is {reads!r}; it must name pools of this net, the deepest first: {pools[::-1]}.")
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.BatchNorm2d(found[name], affine=False), nn.Conv2d(found[name], classes, 1))
                for name in self.reads
            }
        )
        for head in self.heads.values():
            nn.init.zeros_(head[1].weight)  # no chance in it: every training begins with equal scores
            nn.init.zeros_(head[1].bias)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized images ``(B, 3, H, W)`` to scores ``(B, classes, H, W)``."""
        return self.score(stages(self.vgg, images, self.reads), images.shape[2:])

    def score(self, maps: Mapping[str, Tensor], size: Sequence[int]) -> Tensor:
        """The same from the maps: what a frozen net has to compute once only."""
        total: Tensor | None = None
        for name in self.reads:
            scores = self.heads[name](maps[name])
            total = scores if total is None else scores + enlarged(total, scores.shape[2:])
        return enlarged(total, size)


def enlarged(scores: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, cell centers kept where they are: ``(B, C, h, w)`` to ``(B, C, *size)``."""
    return functional.interpolate(scores, size=tuple(size), mode="bilinear", align_corners=False)


def pixel_labels(pictures: Pictures) -> Tensor:
    """The class of every pixel ``(N, H, W)``: 0 for the background, 1 more than the picture's label on its object."""
    return pictures.masks * (pictures.labels + 1)[:, None, None]


def train_heads(
    net: Segmenter, maps: Mapping[str, Tensor], truth: Tensor, *, steps: int = 150, rate: float = 0.02, seed: int = 0
) -> None:
    """Train the heads of ``net`` alone, in place, on the frozen maps of all pictures ``(N, ...)``: Adam, batches of 32."""
    learned, generator = list(net.heads.parameters()), torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(learned, lr=rate)
    net.heads.train()
    for step in range(steps):
        chosen = torch.randint(len(truth), (32,), generator=generator)
        scores = net.score({name: maps[name][chosen] for name in net.reads}, truth.shape[1:])
        adam.param_groups[0]["lr"] = rate * (1 - step / steps)
        adam.zero_grad()
        functional.cross_entropy(scores, truth[chosen]).backward()
        adam.step()
    net.heads.eval()


# --- judging ---


def counts(predicted: Tensor, truth: Tensor, classes: int = len(PARTS)) -> Tensor:
    """Pixels ``(classes, classes)``: row is the true class, column the predicted one."""
    return torch.bincount((truth * classes + predicted).flatten(), minlength=classes**2).view(classes, classes)


def mean_iou(found: Tensor) -> float:
    """The mean over classes of intersection over union, from pixel counts ``(classes, classes)``.

    A class that is neither there nor predicted has no IoU and is left out.
    """
    shared = found.diag().double()
    union = found.sum(0) + found.sum(1) - shared
    return (shared[union > 0] / union[union > 0]).mean().item()


def object_iou(predicted: Tensor, truth: Tensor) -> Tensor:
    """For each picture ``(N,)``: IoU of the pixels called by the object's class with the object's pixels."""
    label = truth.flatten(1).amax(1)[:, None, None]
    ours, theirs = predicted == label, truth == label
    return (ours & theirs).sum((1, 2)) / (ours | theirs).sum((1, 2))


def sides(pictures: Pictures) -> Tensor:
    """The size of each object ``(N,)``, in pixels: the root of its visible area."""
    return pictures.masks.sum((1, 2)).sqrt()


def best_of_grid(masks: Tensor, jump: int) -> Tensor:
    """What a head of that stride could draw if it knew everything: masks ``(N, H, W)`` to the nearest it can put out.

    One score a cell, enlarged as in :class:`Segmenter`. The scores are those with the least squared distance to the mask (a
    closed form: enlarging is a matrix on rows and one on columns); then each picture is cut at that level of nineteen which
    gives the highest IoU. A head can put out any level as zero: a constant, enlarged, is a constant.
    """
    height, width = masks.shape[1:]
    if height % jump or width % jump:
        raise ValueError(f"a grid of stride {jump} does not fit pictures of {height}x{width} pixels.")
    up, across = (
        functional.interpolate(torch.eye(n // jump, dtype=torch.float64)[None], size=n, mode="linear")[0].T
        for n in (height, width)
    )  # (pixels, cells)
    values = up @ (up.pinverse() @ masks.double() @ across.pinverse().T) @ across.T
    cuts = values > torch.linspace(0.05, 0.95, 19, dtype=torch.float64)[:, None, None, None]  # (levels, N, H, W)
    shared, union = (cuts & masks).sum((2, 3)), (cuts | masks).sum((2, 3)).clamp(min=1)
    return cuts[(shared / union).argmax(0), torch.arange(len(masks))]


# --- boxes cut out of a map ---


def roi_pool(maps: Tensor, box: Sequence[float], jump: int, size: int = 7) -> Tensor:
    """The largest value in each of ``size x size`` parts of a box: ``(C, H, W)`` to ``(C, size, size)``.

    Fast R-CNN's layer, with its two roundings: the box goes to whole cells (the last one belongs to it), and the parts,
    which may overlap by a cell, to whole cells again.

    Args:
        maps: of one image.
        box: x0, y0, x1, y1 in pixels of the image.
        jump: of the maps.
    """
    x0, y0, x1, y1 = (floor(corner / jump + 0.5) for corner in box)
    height, width = maps.shape[1:]
    rows, columns = ((low, max(high - low + 1, 1) / size) for low, high in ((y0, y1), (x0, x1)))
    pooled = maps.new_zeros(len(maps), size, size)  # a part outside the map is 0
    for i in range(size):
        for j in range(size):
            top, bottom = _part(*rows, i, height)
            left, right = _part(*columns, j, width)
            if top < bottom and left < right:
                pooled[:, i, j] = maps[:, top:bottom, left:right].amax((1, 2))
    return pooled


def _part(first: int, step: float, place: int, end: int) -> tuple[int, int]:
    low, high = first + floor(place * step), first + ceil((place + 1) * step)
    return min(max(low, 0), end), min(max(high, 0), end)
