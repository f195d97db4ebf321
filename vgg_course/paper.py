"""Numbers as the paper prints them, each with its place, so that prose and tests can ask for them by name.

Tables 2 to 12 are in :data:`TABLES`, by number; ``TABLE_3`` is the same as ``TABLES[3]``. A table has rows by name, and a
row is a typed record::

    TABLE_3["D_jitter"].top_1             25.6
    TABLE_7.vgg_submission.top_5_test     in a {fact} role: paper.TABLE_7.vgg_submission.top_5_test

Rows of Tables 3 and 4 are named after the configuration and the scale it was trained at: ``D_256``, ``D_384``,
``D_jitter``. Errors and precisions are percentages; None is a cell that the paper leaves empty.

Source: Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
arXiv:1409.1556v6. Table 1 is in :mod:`vgg_course.configuration`. Standard library only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from vgg_course import show

TABLE_2: Mapping[str, int] = MappingProxyType({"A": 133, "A-LRN": 133, "B": 133, "C": 134, "D": 138, "E": 144})
"""Number of parameters of each configuration, in millions (Table 2)."""


# --- what a row says ---


@dataclass(frozen=True)
class Scales:
    """The smallest side of the rescaled image, in pixels: one number, a range to draw from, or a list to average over."""

    sides: tuple[int, ...]
    jittered: bool = False  # drawn from [first; last] anew for every image

    def __str__(self) -> str:
        return "[{}; {}]".format(*self.sides) if self.jittered else ", ".join(map(str, self.sides))


@dataclass(frozen=True)
class Size:
    """A row of Table 2."""

    configuration: str
    millions: int


@dataclass(frozen=True)
class Evaluation:
    """A row of Table 3 or 4: one network, densely evaluated. Errors on the validation images, in percent."""

    configuration: str
    train: Scales
    test: Scales
    top_1: float
    top_5: float


@dataclass(frozen=True)
class Cropping:
    """A row of Table 5: one network, evaluated in one way. Errors on the validation images, in percent."""

    configuration: str
    method: str  # dense, multi-crop, or both averaged
    top_1: float
    top_5: float


@dataclass(frozen=True)
class Network:
    """One member of an ensemble."""

    configuration: str
    train: Scales
    test: Scales

    def __str__(self) -> str:
        return f"{self.configuration}/{self.train}/{self.test}"


@dataclass(frozen=True)
class Fusion:
    """A row of Table 6: several networks whose soft-max outputs are averaged. Errors in percent."""

    networks: tuple[Network, ...]
    method: str
    top_1_val: float
    top_5_val: float
    top_5_test: float | None


@dataclass(frozen=True)
class Contender:
    """A row of Table 7. Errors in percent; ``networks`` is how many were averaged, None where the paper says "multiple".

    GoogLeNet's rows give one top-5 error for the validation and the test images together; it stands under ``val``.
    """

    method: str
    networks: int | None
    top_1_val: float | None
    top_5_val: float | None
    top_5_test: float | None


@dataclass(frozen=True)
class BoxRegression:
    """A row of Table 8: how the localization net was tuned. Error in percent."""

    tuned: str  # which layers
    regression: str  # SCR: one box for all classes; PCR: one a class
    error: float


@dataclass(frozen=True)
class Localization:
    """A row of Table 9. Top-5 localization errors in percent."""

    train: str
    test: str
    val_error: float
    test_error: float | None


@dataclass(frozen=True)
class Localizer:
    """A row of Table 10. Top-5 localization errors in percent."""

    method: str
    val_error: float | None
    test_error: float


@dataclass(frozen=True)
class Transfer:
    """A row of Table 11: features on other data sets. Mean average precision (VOC) and mean class recall, in percent.

    The Caltech results come with a spread over random splits. A parenthesis in the paper is a second number of the
    same row, from a net that was trained on more classes.
    """

    method: str
    voc_2007: float | None
    voc_2012: float | None
    caltech_101: float | None = None
    caltech_101_spread: float | None = None
    caltech_256: float | None = None
    caltech_256_spread: float | None = None
    voc_2007_more_classes: float | None = None
    voc_2012_more_classes: float | None = None


@dataclass(frozen=True)
class Action:
    """A row of Table 12: recognizing what a person does in one image (VOC-2012). Mean average precision in percent."""

    method: str
    precision: float


# --- a table ---


@dataclass(frozen=True, repr=False)
class Table(show.Shown):
    """One table of the paper: rows by name, the number of the table and its section. Shows itself as a table."""

    number: int
    section: str
    caption: str  # in our words
    rows: Mapping[str, object]
    blank: str = "-"  # what an empty cell shows

    def __getitem__(self, name: str):
        try:
            return self.rows[name]
        except KeyError:
            raise KeyError(f"Table {self.number} has no row {name!r}; it has {', '.join(self.rows)}") from None

    def __iter__(self) -> Iterator:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)

    def __dir__(self):
        return [*super().__dir__(), *self.rows]  # so that a mistyped fact can be told the rows there are

    def _table(self) -> show.Table:
        records = list(self)
        # a column that no row fills is left out
        names = [f.name for f in fields(records[0]) if any(getattr(r, f.name) is not None for r in records)]
        header = [name.replace("_", " ").replace("top ", "top-") for name in names]
        rows = [[_cell(getattr(record, name), self.blank) for name in names] for record in records]
        return show.Table(f"Table {self.number} (section {self.section}). {self.caption}", header, rows)


def _cell(value: object, blank: str) -> show.Cell:
    if value is None:
        return blank
    if isinstance(value, tuple):  # of networks
        counts = Counter(network.configuration for network in value)
        return ", ".join(f"{count} x {configuration}" for configuration, count in counts.items())
    return value if isinstance(value, int | float) else str(value)


def _table(number: int, section: str, caption: str, **rows: object) -> Table:
    return Table(number, section, caption, MappingProxyType(rows))


# --- the tables ---

JITTER = Scales((256, 512), jittered=True)
S256, S384 = Scales((256,)), Scales((384,))
_AROUND_256, _AROUND_384 = Scales((224, 256, 288)), Scales((352, 384, 416))
_WIDE = Scales((256, 384, 512))

TABLE_3 = _table(
    3,
    "4.1",
    "One test scale: error on the validation images, %.",
    A_256=Evaluation("A", S256, S256, 29.6, 10.4),
    A_LRN_256=Evaluation("A-LRN", S256, S256, 29.7, 10.5),
    B_256=Evaluation("B", S256, S256, 28.7, 9.9),
    C_256=Evaluation("C", S256, S256, 28.1, 9.4),
    C_384=Evaluation("C", S384, S384, 28.1, 9.3),
    C_jitter=Evaluation("C", JITTER, S384, 27.3, 8.8),
    D_256=Evaluation("D", S256, S256, 27.0, 8.8),
    D_384=Evaluation("D", S384, S384, 26.8, 8.7),
    D_jitter=Evaluation("D", JITTER, S384, 25.6, 8.1),
    E_256=Evaluation("E", S256, S256, 27.3, 9.0),
    E_384=Evaluation("E", S384, S384, 26.9, 8.7),
    E_jitter=Evaluation("E", JITTER, S384, 25.5, 8.0),
)

TABLE_4 = _table(
    4,
    "4.2",
    "Several test scales, averaged: error on the validation images, %.",
    B_256=Evaluation("B", S256, _AROUND_256, 28.2, 9.6),
    C_256=Evaluation("C", S256, _AROUND_256, 27.7, 9.2),
    C_384=Evaluation("C", S384, _AROUND_384, 27.8, 9.2),
    C_jitter=Evaluation("C", JITTER, _WIDE, 26.3, 8.2),
    D_256=Evaluation("D", S256, _AROUND_256, 26.6, 8.6),
    D_384=Evaluation("D", S384, _AROUND_384, 26.5, 8.6),
    D_jitter=Evaluation("D", JITTER, _WIDE, 24.8, 7.5),
    E_256=Evaluation("E", S256, _AROUND_256, 26.9, 8.7),
    E_384=Evaluation("E", S384, _AROUND_384, 26.7, 8.6),
    E_jitter=Evaluation("E", JITTER, _WIDE, 24.8, 7.5),
)

TABLE_5 = _table(
    5,
    "4.3",
    "Whole image against crops; trained with scales of [256; 512], tested at 256, 384, 512: error, %.",
    D_dense=Cropping("D", "dense", 24.8, 7.5),
    D_multi_crop=Cropping("D", "multi-crop", 24.6, 7.5),
    D_both=Cropping("D", "both", 24.4, 7.2),
    E_dense=Cropping("E", "dense", 24.8, 7.5),
    E_multi_crop=Cropping("E", "multi-crop", 24.6, 7.4),
    E_both=Cropping("E", "both", 24.4, 7.1),
)

SUBMISSION = (
    Network("D", S256, _AROUND_256),
    Network("D", S384, _AROUND_384),
    Network("D", JITTER, _WIDE),  # of this one, only the fully-connected layers were trained with jitter by then
    Network("C", S256, _AROUND_256),
    Network("C", S384, _AROUND_384),
    Network("E", S256, _AROUND_256),
    Network("E", S384, _AROUND_384),
)
"""The seven networks of the ILSVRC-2014 submission (Table 6)."""

_PAIR = (Network("D", JITTER, _WIDE), Network("E", JITTER, _WIDE))

TABLE_6 = _table(
    6,
    "4.4",
    "Averaged networks: error, %.",
    submission=Fusion(SUBMISSION, "dense", 24.7, 7.5, 7.3),
    dense=Fusion(_PAIR, "dense", 24.0, 7.1, 7.0),
    multi_crop=Fusion(_PAIR, "multi-crop", 23.9, 7.2, None),
    both=Fusion(_PAIR, "both", 23.7, 6.8, 6.8),
)

TABLE_7 = _table(
    7,
    "4.5",
    "VGG and its contemporaries on ILSVRC: error, %.",
    vgg_2_nets=Contender("VGG, multi-crop and dense", 2, 23.7, 6.8, 6.8),
    vgg_1_net=Contender("VGG, multi-crop and dense", 1, 24.4, 7.1, 7.0),
    vgg_submission=Contender("VGG, ILSVRC submission, dense", 7, 24.7, 7.5, 7.3),
    googlenet_1_net=Contender("GoogLeNet", 1, None, 7.9, None),
    googlenet_7_nets=Contender("GoogLeNet", 7, None, 6.7, None),
    msra_11_nets=Contender("MSRA", 11, None, None, 8.1),
    msra_1_net=Contender("MSRA", 1, 27.9, 9.1, 9.1),
    clarifai=Contender("Clarifai", None, None, None, 11.7),
    clarifai_1_net=Contender("Clarifai", 1, None, None, 12.5),
    zeiler_fergus_6_nets=Contender("Zeiler & Fergus", 6, 36.0, 14.7, 14.8),
    zeiler_fergus_1_net=Contender("Zeiler & Fergus", 1, 37.5, 16.0, 16.1),
    overfeat_7_nets=Contender("OverFeat", 7, 34.0, 13.2, 13.6),
    overfeat_1_net=Contender("OverFeat", 1, 35.7, 14.2, None),
    krizhevsky_5_nets=Contender("Krizhevsky et al.", 5, 38.1, 16.4, 16.4),
    krizhevsky_1_net=Contender("Krizhevsky et al.", 1, 40.7, 18.2, None),
)

TABLE_8 = _table(
    8,
    "A.2",
    "Ways to tune the localization net; central crop, class given: error, %.",
    scr=BoxRegression("first two fully-connected", "SCR", 36.4),
    pcr=BoxRegression("first two fully-connected", "PCR", 34.3),
    pcr_all=BoxRegression("all layers", "PCR", 33.1),
)

TABLE_9 = _table(
    9,
    "A.2",
    "Localization: top-5 error, %.",
    s256=Localization("256", "256", 29.5, None),
    s384=Localization("384", "384", 28.2, 26.7),
    s384_two_scales=Localization("384", "352, 384", 27.5, None),
    fusion=Localization("256 and 384, averaged", "256 and 352, 384", 26.9, 25.3),
)

TABLE_10 = _table(
    10,
    "A.2",
    "VGG and its contemporaries in localization: top-5 error, %.",
    vgg=Localizer("VGG", 26.9, 25.3),
    googlenet=Localizer("GoogLeNet", None, 26.7),
    overfeat=Localizer("OverFeat", 30.0, 29.9),
    krizhevsky=Localizer("Krizhevsky et al.", None, 34.2),
)

TABLE_11 = _table(
    11,
    "B",
    "Features on other data sets, with a linear classifier: precision and recall, %.",
    zeiler_fergus=Transfer("Zeiler & Fergus", None, 79.0, 86.5, 0.5, 74.2, 0.3),
    chatfield=Transfer("Chatfield et al.", 82.4, 83.2, 88.4, 0.6, 77.6, 0.1),
    he=Transfer("He et al.", 82.4, None, 93.4, 0.5),
    wei=Transfer("Wei et al.", 81.5, 81.7, voc_2007_more_classes=85.2, voc_2012_more_classes=90.3),
    D=Transfer("VGG, net D", 89.3, 89.0, 91.8, 1.0, 85.0, 0.2),
    E=Transfer("VGG, net E", 89.3, 89.0, 92.3, 0.5, 85.1, 0.3),
    D_and_E=Transfer("VGG, nets D and E", 89.7, 89.3, 92.7, 0.5, 86.2, 0.3),
)

TABLE_12 = _table(
    12,
    "B",
    "Recognizing an action in one image: precision, %.",
    oquab=Action("Oquab et al., pre-trained on 1512 classes", 70.2),
    gkioxari=Action("Gkioxari et al.", 73.6),
    hoai=Action("Hoai", 76.3),
    vgg_image=Action("VGG, nets D and E, the image alone", 79.2),
    vgg_image_and_box=Action("VGG, nets D and E, the image and the box", 84.0),
)

TABLES: Mapping[int, Table] = MappingProxyType(
    {
        2: _table(
            2,
            "2.2",
            "Parameters, in millions.",
            **{letter.replace("-", "_"): Size(letter, millions) for letter, millions in TABLE_2.items()},
        )
    }
    | {
        t.number: t
        for t in (TABLE_3, TABLE_4, TABLE_5, TABLE_6, TABLE_7, TABLE_8, TABLE_9, TABLE_10, TABLE_11, TABLE_12)
    }
)
"""Tables 2 to 12 by number."""


# --- hyper-parameters ---

TRAINING: Mapping[str, float] = MappingProxyType(
    {
        "batch_size": 256,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "dropout": 0.5,
        "learning_rate": 1e-2,
        "learning_rate_drops": 3,
        "iterations": 370_000,
        "epochs": 74,
    }
)
"""How the networks were trained (section 3.1)."""

INITIALIZATION: Mapping[str, float] = MappingProxyType(
    {
        "variance": 1e-2,  # as printed
        "bias": 0,
        "copied_convolutions": 4,  # from net A, into the deeper nets
        "copied_fully_connected": 3,
    }
)
"""How the weights began (section 3.1)."""

AUGMENTATION: Mapping[str, float] = MappingProxyType(
    {
        "crop": 224,
        "smallest_side": 256,  # S, where it is fixed; also 384
        "jitter_from": 256,
        "jitter_to": 512,
        "learning_rate_at_384": 1e-3,  # the S=384 nets start from the S=256 ones
    }
)
"""What became of a training image (section 3.1): rescaled to smallest side S, a random crop and flip, a color shift."""

TESTING: Mapping[str, int] = MappingProxyType(
    {"grid": 5, "flips": 2, "scales": 3, "crops": 150, "googlenet_crops": 144}
)
"""How multi-crop evaluation counts its crops (section 3.2)."""

HARDWARE: Mapping[str, float] = MappingProxyType({"gpus": 4, "speedup": 3.75, "weeks_from": 2, "weeks_to": 3})
"""What the networks were trained on (section 3.3)."""

ILSVRC: Mapping[str, int] = MappingProxyType(
    {"classes": 1000, "train_images": 1_281_167, "validation_images": 50_000, "test_images": 100_000}
)
"""The data. The paper rounds the training images to 1.3M (section 4); the count is that of the ILSVRC-2012 release."""
