"""The command ``vgg-course``. Every command imports what it needs and no more: ``count`` answers without torch."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 good, 1 something is wrong here, 2 wrong input, 130 stopped."""
    options = _parser().parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except Exception as error:
        if not _is_ours(error):
            raise
        if not getattr(error, "is_echo", False):  # of many processes that train together, one tells it
            print(f"error: {error}", file=sys.stderr)
        return 2


def _is_ours(error: Exception) -> bool:
    """Whether the message is meant for the user; any other error is a bug and keeps its traceback."""
    return isinstance(error, ValueError) or type(error).__module__.startswith("vgg_course.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vgg-course", description="Small filters, stacked very deep: the VGG course.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    count = commands.add_parser("count", help="parameters, MACs, activations and receptive fields of a configuration")
    count.add_argument("configuration", help="the letter in the paper's Table 1: A, A-LRN, B, C, D or E")
    count.add_argument("--input", type=int, metavar="PIXELS", help="side of the image (224)")
    count.add_argument("--channels", type=int, help="channels of the image (3)")
    count.add_argument("--classes", type=int, help="outputs of the last layer (1000)")
    count.add_argument("--width", type=_number, default=1, help="multiplies all channels, such as 0.25 or 1/4 (1)")
    count.add_argument(
        "--hidden", type=int, nargs="*", metavar="FEATURES", help="hidden fully-connected layers (4096 4096)"
    )
    count.add_argument("--batch-norm", action="store_true", help="with a batch norm behind every convolution")
    count.set_defaults(run=_count)

    train = commands.add_parser(
        "train",
        help="train a small VGG on reduced CIFAR-10, in half a minute on two CPU cores",
        epilog="On many GPUs or cores: torchrun --nproc_per_node=N -m vgg_course train ...",
    )
    train.add_argument("--epochs", type=int, help="passes over the training images (the course's recipe)")
    train.add_argument("--seed", type=int, default=0, help="decides weights, order and augmentation (0)")
    train.add_argument(
        "--output", type=Path, metavar="FILE", help="save the trained weights here, as .safetensors or .pt"
    )
    train.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="keep the state of every epoch here: the same command again goes on",
    )
    train.set_defaults(run=_train)

    data = commands.add_parser("data", help="CIFAR-10 on this machine: show, fetch, verify or delete it")
    data.add_argument(
        "action",
        nargs="?",
        choices=("show", "fetch", "verify", "delete"),
        default="show",
        help="show what is here (the default); fetch it into the cache; verify every image and label; delete the cache",
    )
    data.set_defaults(run=_data)

    doctor = commands.add_parser("doctor", help="look at this machine: versions, devices, data, disk, with remedies")
    doctor.set_defaults(run=_doctor)
    return parser


def _number(text: str) -> float:
    """A decimal number, or a fraction such as 1/4."""
    numerator, _, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; write 0.25 or 1/4") from None


def _count(options: argparse.Namespace) -> int:
    from vgg_course.accounting import ledger
    from vgg_course.configuration import as_configuration
    from vgg_course.receptive_field import receptive_field

    configuration = as_configuration(options.configuration).variant(
        input_size=options.input,
        in_channels=options.channels,
        classes=options.classes,
        width=options.width,
        hidden=options.hidden,
        batch_norm=options.batch_norm,
    )
    print(ledger(configuration), receptive_field(configuration), sep="\n\n")
    return 0


def _train(options: argparse.Namespace) -> int:
    if options.output and (problem := _unwritable(options.output)):
        raise ValueError(problem)  # now, not after half a minute of training
    from vgg_course.distributed import joined

    with joined():
        return _train_together(options)


def _train_together(options: argparse.Namespace) -> int:
    """In every process that torchrun started; the first alone fetches data, prints, judges and writes."""
    from vgg_course.data import reduced_cifar10
    from vgg_course.distributed import on_first, rank
    from vgg_course.recipes import QUICK, small_vgg
    from vgg_course.training import best_device, evaluate, fit

    recipe = QUICK if options.epochs is None else replace(QUICK, epochs=options.epochs)
    data = on_first(lambda: reduced_cifar10(validation_per_class=500))
    model = small_vgg(len(data.classes), options.seed).to(best_device())
    if rank() == 0:
        print(data, flush=True)
    history = fit(model, data, recipe, seed=options.seed, checkpoint=options.checkpoint)
    if rank() > 0:
        return 0
    print(history)
    if options.output:
        _save(model, data, history, options.output)
    if history.interrupted:
        return 130
    test = evaluate(model, data, data.test)
    print(
        f"test accuracy {test.accuracy:.2%} on {test.images:,} {'DRAWN STAND-INS' if data.is_drawn else 'photographs'}"
    )
    return 0


def _unwritable(path: Path) -> str | None:
    folder = path.absolute().parent
    if path.is_dir():
        return f"--output {path} is a folder; name a file, such as {path / 'vgg.safetensors'}."
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return f"--output {path}: the folder {folder} is not there or cannot be written; make it, or name another."
    return None


def _save(model, data, history, path: Path) -> None:
    """The weights, and what is needed to use them and to know where they come from."""
    from vgg_course import weights

    weights.save(
        model,
        path,
        classes=data.classes,
        mean=data.mean.tolist(),
        std=data.std.tolist(),
        is_drawn=data.is_drawn,
        recipe=asdict(history.recipe),
        seed=history.seed,
        precision=history.precision,
        epochs=[asdict(epoch) for epoch in history],
    )
    print(f"saved {path}")


def _data(options: argparse.Namespace) -> int:
    from vgg_course import sources

    if options.action == "delete":
        print(f"{sources.delete() / 1e6:,.0f} MB deleted from the cache, {sources.cache_folder()}")
        return 0
    source = sources.locate()
    if options.action == "fetch" and source.kind != "folder":
        if sources.offline():
            raise ValueError("VGG_COURSE_OFFLINE forbids the download; unset it.")
        sources.fetch()
        source = sources.locate()
    print(f"{source}{f', in {source.folder}' if source.folder else ''}")
    if options.action in ("fetch", "verify"):
        if source.folder is None:
            raise ValueError("there is no CIFAR-10 to verify; `vgg-course data fetch` gets it.")
        images = sources.verify(source)
        print(f"every pixel and label of its {images:,} images is right")
    else:
        print(_about_the_cache())
    return 0


def _about_the_cache() -> str:
    from vgg_course import sources

    size = sources.occupied(sources.cache_folder())
    removal = ", `vgg-course data delete` removes it" if size else ""
    return (
        f"the cache is {sources.cache_folder()} ({size / 1e6:,.0f} MB{removal}; VGG_COURSE_CACHE names another folder)\n"
        f"`vgg-course data fetch` asks, in this order: {', '.join(map(str, sources.COPIES))}"
    )


def _doctor(options: argparse.Namespace) -> int:
    from vgg_course.doctor import examine

    report = examine()
    print(report)
    return 0 if report.healthy else 1
