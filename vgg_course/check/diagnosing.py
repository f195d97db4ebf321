"""Checks for the chapter that diagnoses real bugs: the right name for what is wrong, and a repair that holds.

Every diagnosis has its evidence: an experiment on the exhibit that comes out one way if the diagnosis is right and
another if it is not. A wrong diagnosis is answered with what its own experiment found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from math import e, log, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from vgg_course import museum
from vgg_course.check import beside
from vgg_course.check.verdict import Verdict, ask
from vgg_course.configuration import CONFIGURATIONS, Conv, MaxPool
from vgg_course.museum import Exhibit
from vgg_course.receptive_field import receptive_field
from vgg_course.training import accuracy

Finding = tuple[bool, str]
"""Whether the experiment speaks for the diagnosis, and what it found."""

MUCH = 0.2  # a gain in right answers that chance does not explain
GOOD = 0.8  # the share of right answers that a net has whose bug is undone


# --- experiments ---


@contextmanager
def _same_dice() -> Iterator[None]:
    """Dropout throws the same dice every time, and torch's own are put back."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        yield


def _answers(exhibit: Exhibit, images: Tensor) -> Tensor:
    """What it says, asked without leaving a trace."""
    with _same_dice():
        return replace(exhibit, model=deepcopy(exhibit.model))(images)


def _accuracy_with(exhibit: Exhibit, change: Callable[[Exhibit], Exhibit]) -> float:
    with _same_dice():
        return change(replace(exhibit, model=deepcopy(exhibit.model))).accuracy()


def _prepared(then: Callable[[Tensor], Tensor]) -> Callable[[Exhibit], Exhibit]:
    return lambda exhibit: replace(exhibit, prepare=lambda images: then(exhibit.prepare(images)))


def _undoing(what: str, changes: list[Callable[[Exhibit], Exhibit]]) -> Callable[[Exhibit], Finding]:
    """If that were the bug, undoing it would cure the net; helping a little is not enough."""

    def experiment(exhibit: Exhibit) -> Finding:
        if not exhibit.trained:
            return False, f"{what} could matter only to trained weights; these are as they were drawn."
        before = _accuracy_with(exhibit, lambda same: same)
        after = max(_accuracy_with(exhibit, change) for change in changes)
        return (
            after > max(GOOD, before + MUCH),
            f"{what}: undone, the share of right answers goes from {before:.0%} to {after:.0%}.",
        )

    return experiment


def _convolutions(exhibit: Exhibit) -> Finding:
    wanted = sum(isinstance(spec, Conv) for spec in CONFIGURATIONS[exhibit.letter].specs)
    ran = len(exhibit.inside().kind("conv"))
    return ran < wanted, f"configuration {exhibit.letter} has {wanted} convolutions, and {ran} ran."


def _pools(exhibit: Exhibit) -> Finding:
    wanted = sum(isinstance(spec, MaxPool) for spec in CONFIGURATIONS[exhibit.letter].specs)
    pools = exhibit.inside().kind("pool")
    last = f"{pools[-1].output_shape[-1]} pixels wide" if pools else "gone"
    return (
        len(pools) < wanted,
        f"configuration {exhibit.letter} has {wanted} pools, and {len(pools)} ran; the last grid is {last}.",
    )


def _relus(exhibit: Exhibit) -> Finding:
    hidden = [step for step in exhibit.inside() if step.parameters][1:]
    lowest = min(hidden, key=lambda step: step.smallest)
    return (
        lowest.smallest < 0,
        "a missing ReLU lets negative values into the next layer; the smallest that enters one behind the first "
        f"is {lowest.smallest:.2g} (into {lowest.name}).",
    )


def _padding(exhibit: Exhibit) -> Finding:
    convolutions = exhibit.inside().kind("conv")
    shrunk = [step for step in convolutions if step.output_shape[-1] < step.input_shape[-1]]
    return (
        bool(shrunk),
        f"without padding a 3x3 convolution takes 2 pixels off a side; {len(shrunk)} of {len(convolutions)} do so.",
    )


def _sharing(exhibit: Exhibit) -> Finding:
    calls = len(exhibit.inside().kind("conv"))
    own = len({id(m.weight) for m in exhibit.model.modules() if isinstance(m, nn.Conv2d)})
    return own < calls, f"{calls} convolutions ran, with {own} weight tensors of their own."


def _is_softmax(answers: Tensor) -> bool:
    return bool((answers >= 0).all()) and torch.allclose(answers.sum(1), torch.ones(len(answers)), atol=1e-3)


def _clipped(exhibit: Exhibit) -> Finding:
    answers = _answers(exhibit, exhibit.images)
    negative, zero = (answers < 0).float().mean().item(), (answers == 0).float().mean().item()
    return (
        negative == 0 and zero > 0 and not _is_softmax(answers),
        f"behind a ReLU no answer is negative and many are exactly 0; here {negative:.0%} are negative, {zero:.0%} are 0.",
    )


def _softmax(exhibit: Exhibit) -> Finding:
    sums = _answers(exhibit, exhibit.images).sum(1)
    return (
        _is_softmax(_answers(exhibit, exhibit.images)),
        f"a soft-max makes answers that sum to 1 for every image; here the sums run from {sums.min():.3g} to "
        f"{sums.max():.3g}.",
    )


def _vanishing(exhibit: Exhibit) -> Finding:
    inside = exhibit.inside()
    first, last = inside.kind("conv")[0], inside.kind("fc")[0]
    ratio = last.deviation / first.deviation
    return (
        ratio < 1e-4,
        "weights drawn too small shrink the signal in every layer; from the images to the first fully-connected layer "
        f"its deviation goes from {first.deviation:.2g} to {last.deviation:.2g}.",
    )


def _repeated(exhibit: Exhibit) -> float:
    """The largest change of an answer when the same batch is asked about twice."""
    with _same_dice():
        model = deepcopy(exhibit.model)
        first, second = (replace(exhibit, model=model)(exhibit.images) for _ in range(2))
    return (first - second).abs().max().item()


def _norms(exhibit: Exhibit) -> Finding:
    norms = [m for m in exhibit.model.modules() if isinstance(m, nn.BatchNorm2d)]
    if not norms:
        return False, "there is no batch norm in this net."
    if (change := _repeated(exhibit)) > 1e-3:
        return False, f"the same batch twice gives answers that differ by {change:.2g}: look at that first."
    mixed = _answers(exhibit, exhibit.images)
    alone = torch.cat([_answers(exhibit, part) for part in exhibit.images.split(len(exhibit.images) // 3)])
    change = (mixed - alone).abs().max().item()
    return (
        change > 1e-3,
        f"asked in a batch of its own class instead of a mixed one, an image changes its answers by up to {change:.2g}.",
    )


def _dropping(exhibit: Exhibit) -> Finding:
    change = _repeated(exhibit)
    return change > 1e-6, f"the same batch asked about twice gives answers that differ by {change:.2g} at most."


def _scaled(factor: float) -> Callable[[Exhibit], Exhibit]:
    return _prepared(lambda x: x * factor)


def _range(exhibit: Exhibit) -> Finding:
    if exhibit.trained:
        return _undoing("a wrong range of the pixels", [_scaled(s) for s in (1 / 255, 1 / 127.5, 127.5, 255)])(exhibit)
    deviation = exhibit.inside().kind("conv")[0].deviation
    return not 0.1 < deviation < 10, f"pixels that enter have a deviation of {deviation:.2g}, as they should."


def _reordered(back: bool) -> Callable[[Exhibit], Exhibit]:
    """The columns of the first fully-connected layer, from (H, W, C) to (C, H, W) or the other way."""

    def change(exhibit: Exhibit) -> Exhibit:
        first = next(m for m in exhibit.model.modules() if isinstance(m, nn.Linear))
        c, h, w = exhibit.inside().kind("pool")[-1].output_shape
        shape, order = ((h, w, c), (0, 3, 1, 2)) if back else ((c, h, w), (0, 2, 3, 1))
        with torch.no_grad():
            first.weight.copy_(first.weight.view(-1, *shape).permute(order).flatten(1))
        return exhibit

    return change


def _rotated(exhibit: Exhibit) -> Exhibit:
    with torch.no_grad():
        for module in exhibit.model.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight.flip(2, 3))
    return exhibit


EVIDENCE: Mapping[str, Callable[[Exhibit], Finding]] = {
    "missing-convolution": _convolutions,
    "missing-pool": _pools,
    "missing-relu": _relus,
    "no-padding": _padding,
    "shared-weights": _sharing,
    "relu-on-logits": _clipped,
    "softmax-twice": _softmax,
    "variance-as-deviation": _vanishing,
    "batch-norm-in-training-mode": _norms,
    "dropout-on": _dropping,
    "bgr-for-rgb": _undoing("a reversed order of the channels", [_prepared(lambda x: x.flip(1))]),
    "wrong-scale": _range,
    "flatten-order": _undoing("another order of the flattening", [_reordered(True), _reordered(False)]),
    "flipped-kernels": _undoing("kernels rotated by half a turn", [_rotated]),
}
"""The experiment of every diagnosis."""


# --- what it costs ---


def _loss(exhibit: Exhibit) -> float:
    return functional.cross_entropy(_answers(exhibit, exhibit.images), exhibit.labels).item()


def _accuracies(found: Exhibit, right: Exhibit) -> str:
    return f"right answers: {found.accuracy():.0%} as found, {right.accuracy():.0%} cured."


def _losses(found: Exhibit, right: Exhibit) -> str:
    return f"the same {found.accuracy():.0%} of answers right, but a loss of {_loss(found):.2f} instead of {_loss(right):.2f}"


def _cost(number: int) -> str:
    found, right = museum.visit(number), museum.cured(number)
    match museum.ROOMS[number].bug:
        case "missing-convolution":
            fields = [receptive_field(x.model.configuration)["pool5"].size for x in (found, right)]
            d = CONFIGURATIONS["D"]["conv3_3"]
            lost = 9 * d.input_shape[0] * d.output_shape[0] + d.output_shape[0]
            return f"at full width {lost:,} parameters, and a view of {fields[0]} pixels at pool5, not {fields[1]}."
        case "no-padding":
            a, b = (x.inside()["pool5"].output_shape[-1] for x in (found, right))
            return f"pool5 is {a}x{a}, not {b}x{b}: an average pool behind it copies one value to all {b * b} places."
        case "missing-pool":
            a, b = (x.inside().kind("conv")[-1].output_shape[-1] for x in (found, right))
            return f"the last three convolutions work on {a}x{a} places instead of {b}x{b}: {a * a // b**2} times the work."
        case "missing-relu":
            steps = found.inside().kind("conv")[1:]
            linear = sum(step.smallest < 0 for step in steps)
            return f"{linear} of 13 convolutions follow another linearly: as a function, each melts into it."
        case "variance-as-deviation":
            a, b = (_answers(x, x.images).std().item() for x in (found, right))
            return f"the answers have a deviation of {a:.0e}; with the root it is {b:.0e}. Nothing to learn from."
        case "relu-on-logits":
            return f"{_losses(found, right)}: what is wrong can no longer be said to be unlikely."
        case "softmax-twice":
            least = log(e + 999) - 1
            return (
                f"{_losses(found, right)}. With 1000 classes it could never fall below {least:.2f}, and guessing has "
                f"{log(1000):.2f}."
            )
        case "batch-norm-in-training-mode":
            parts = found.images.split(len(found.images) // 3)
            alone = accuracy(torch.cat([_answers(found, part) for part in parts]), found.labels)
            return (
                f"right answers: {found.accuracy():.0%} in mixed batches, {alone:.0%} one class at a time, "
                f"{right.accuracy():.0%} cured."
            )
        case "dropout-on":
            with _same_dice():
                runs = [found(found.images) for _ in range(20)]
            changed = sum((a.argmax(1) != runs[0].argmax(1)).float().mean().item() for a in runs[1:]) / 19
            return f"{changed:.1%} of the images get another class from one run to the next."
    return _accuracies(found, right)


# --- the checks ---

HAND_OVER = "hand over the exhibit (or its repaired model), or a function without arguments that returns it"


def _said(attempt: object) -> tuple[object, Exception | None]:
    """The answer itself, or what a function without arguments returns."""
    if isinstance(attempt, Exhibit | nn.Module) or not callable(attempt):
        return attempt, None
    try:
        return ask(attempt), None
    except Exception as error:  # whatever a student's code raises becomes part of the verdict
        return None, error


def _unattempted(task: str, attempt: object, answer: object, error: Exception | None, what: str) -> Verdict | None:
    if answer is ... or isinstance(error, NotImplementedError) or (attempt is None):
        return Verdict(task, "not attempted", f"{what}, and run the cell again.")
    if error is not None:
        return Verdict(task, "wrong", f"it raised {type(error).__name__}: {error}")
    if answer is None:
        return Verdict(task, "wrong", "it returned None. Does it end in a return?")
    return None


def _no_room(task: str, number: object) -> Verdict | None:
    if isinstance(number, int) and not isinstance(number, bool) and number in museum.ROOMS:
        return None
    return Verdict(task, "wrong", f"there is no room {number!r}; the rooms are numbered from 1 to {len(museum.ROOMS)}.")


def diagnosis(number: int, answer: object) -> Verdict:
    """Check what is wrong in room ``number``: a name from ``museum.DIAGNOSES``, or a function that returns one."""
    with _same_dice():
        return _diagnosis(number, answer)


def _diagnosis(number: int, answer: object) -> Verdict:
    task = f"what is wrong in room {number}"
    if (verdict := _no_room(task, number)) is not None:
        return verdict
    attempt, (answer, error) = answer, _said(answer)
    if (verdict := _unattempted(task, attempt, answer, error, "say one of museum.DIAGNOSES")) is not None:
        return verdict
    if not isinstance(answer, str) or answer.strip().lower().replace("_", "-") not in museum.DIAGNOSES:
        return Verdict(task, "wrong", f"{answer!r} is none of the names: {', '.join(museum.DIAGNOSES)}.")
    answer = answer.strip().lower().replace("_", "-")
    room = museum.ROOMS[number]
    _, words = EVIDENCE[answer](museum.visit(number))
    if answer != room.bug:
        return Verdict(task, "wrong", f"not {answer}. The experiment speaks against it: {words}")
    return Verdict(
        task, "passed", f"{answer}. The evidence: {words} The cost: {_cost(number)} Seen in {', '.join(room.sources)}."
    )


def cured(number: int, repaired: object) -> Verdict:
    """Check a repair of room ``number``: the exhibit with another model or another way to prepare images.

    It must do what the right net does: with trained weights, give its answers for fresh images; with untrained ones, have
    its parameters and compute the same from any weights.
    """
    with _same_dice():
        return _cured(number, repaired)


def _cured(number: int, repaired: object) -> Verdict:
    task = f"the cure in room {number}"
    if (verdict := _no_room(task, number)) is not None:
        return verdict
    attempt, (repaired, error) = repaired, _said(repaired)
    if (verdict := _unattempted(task, attempt, repaired, error, "repair the exhibit")) is not None:
        return verdict
    if isinstance(repaired, nn.Module):
        repaired = replace(museum.visit(number), model=repaired)
    if not isinstance(repaired, Exhibit) or not isinstance(repaired.model, nn.Module):
        return Verdict(task, "wrong", f"this is {type(repaired).__name__}; {HAND_OVER}.")
    room = museum.ROOMS[number]
    try:
        compare = _draws if room.bug == "variance-as-deviation" else _answering if room.trained else _structure
        wrong, picture = _preparing(number, repaired)
        wrong = wrong or compare(number, repaired)
    except Exception as error:  # the student's model may do anything
        wrong, picture = f"asked about fresh images it raised {type(error).__name__}: {error}", ""
    if wrong:
        return Verdict(task, "wrong", wrong, picture=picture)
    return Verdict(task, "passed", "it does what the right net does.")


def _still_there(number: int, repaired: Exhibit) -> str:
    """What the experiments still find, on the pictures of the room."""
    asked = replace(museum.visit(number), model=repaired.model, prepare=repaired.prepare)
    asked.images, asked.labels = asked.images[::2], asked.labels[::2]
    found = []
    for name, experiment in EVIDENCE.items():
        try:
            present, words = experiment(asked)
        except Exception:  # an experiment that cannot be made on this model has nothing to say
            continue
        if present:
            found.append(f"{name}: {words}")
    return " Still there: " + " ".join(found) if found else ""


def _preparing(number: int, repaired: Exhibit) -> tuple[str, str]:
    """What is wrong with the prepared images, in words and as a picture."""
    images = museum.pictures(2, seed=7, size=museum.ROOMS[number].size).images
    ours, theirs = museum.cured(number).prepare(images), repaired.prepare(images)
    if not isinstance(theirs, Tensor) or theirs.shape != ours.shape:
        return f"prepare must make {tuple(ours.shape)} of {tuple(images.shape)}; it made {_shape(theirs)}.", ""
    if torch.allclose(ours, theirs.float(), atol=2e-3 * ours.abs().max().item()):
        return "", ""
    means = [", ".join(f"{m:.2f}" for m in x.float().mean((0, 2, 3))) for x in (theirs, ours)]
    deviations = [x.float().std().item() for x in (theirs, ours)]
    words = (
        f"the prepared images are not those that the weights were trained with: their channels have means {means[0]}, not "
        f"{means[1]}; their deviation is {deviations[0]:.3g}, not {deviations[1]:.3g}."
    )
    return words, beside.grids(ours, theirs)


def _shape(value: object) -> object:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__


def _answering(number: int, repaired: Exhibit) -> str:
    split = museum.pictures(20, seed=8)
    right, mine = museum.cured(number)(split.images), _answers(repaired, split.images)
    if mine.shape != right.shape:
        return f"{len(right)} images must give answers of shape {tuple(right.shape)}; they gave {tuple(mine.shape)}."
    if torch.allclose(mine, right, atol=1e-3 * right.abs().max().item()):
        return ""
    alike = (mine.argmax(1) == right.argmax(1)).float().mean().item()
    words = (
        f"on {len(right)} fresh images its answers differ from the right ones by up to {(mine - right).abs().max():.2g}, "
        f"and {alike:.0%} name the same class."
    )
    return words + _moved(number, repaired) + _still_there(number, repaired)


def _moved(number: int, repaired: Exhibit) -> str:
    """Looking at a net whose batch norms are in training mode changes it."""
    stored, theirs = museum.cured(number).model.state_dict(), repaired.model.state_dict()
    if any(
        name in theirs and theirs[name].shape == value.shape and not torch.equal(theirs[name], value)
        for name, value in stored.items()
        if name.endswith(("running_mean", "running_var"))
    ):
        return (
            " Its stored statistics are not those of the training any more: every question in training mode overwrites "
            "them. Visit the room anew and repair before you ask."
        )
    return ""


def _structure(number: int, repaired: Exhibit) -> str:
    reference = museum.cured(number).model
    ours = {name: tuple(value.shape) for name, value in reference.state_dict().items()}
    theirs = {name: tuple(value.shape) for name, value in repaired.model.state_dict().items()}
    for name in ours:
        if theirs.get(name) != ours[name]:
            there = "there is none" if name not in theirs else f"it is {theirs[name]}"
            return f"its tensor {name} should be of shape {ours[name]}; {there}." + _still_there(number, repaired)
    if extra := [name for name in theirs if name not in ours]:
        return f"it has tensors that the right net has not: {', '.join(extra)}." + _still_there(number, repaired)
    twin = deepcopy(repaired.model).eval()
    twin.load_state_dict(reference.state_dict())
    images = museum.pictures(2, seed=8, size=museum.ROOMS[number].size).images
    asked = replace(museum.cured(number), model=twin)
    right, mine = museum.cured(number)(images), asked(images)
    if mine.shape == right.shape and torch.allclose(mine, right, rtol=1e-3, atol=1e-4 * right.abs().max().item()):
        return ""
    return "with the same weights as the right net it gives other answers." + _still_there(number, repaired)


def _draws(number: int, repaired: Exhibit) -> str:
    if wrong := _structure(number, repaired):
        return wrong
    for name, weight in repaired.model.named_parameters():
        if weight.ndim < 2:
            continue
        fan_in, fan_out = weight[0].numel(), weight[:, 0].numel()
        wanted, found = sqrt(2 / (fan_in + fan_out)), weight.std().item()
        if not 0.75 < found / wanted < 1.3:
            return (
                f"{name} has {fan_in} inputs and {fan_out} outputs, so Glorot's deviation is sqrt(2 / {fan_in + fan_out}) = "
                f"{wanted:.3g}; the weights have {found:.3g}."
            )
    return ""
