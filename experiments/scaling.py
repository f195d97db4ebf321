"""What does it cost two processes on this machine to train as one, and does a model of two constants know it beforehand?

    python -m experiments.scaling        about two minutes on two quiet cores, and six gigabytes of memory

Linux only: each process is bound to a core of its own, and what travels is counted where the kernel counts it. All
times are those of the slower process, from a common start; every kind of step is taken in turn, so that a disturbance
meets all kinds alike. Float32, one thread a process, gloo over the loopback interface. Writes book/results/scaling.json:

    traffic[i]          processes, bytes of one message, and bytes_sent, counted: of all processes together, over the message's
    all_reduce[i]       bytes, seconds (over the repetitions), use: "fit" or "check", predicted: by the model, from the fit
    model               latency of a round in seconds and bandwidth in bytes a second, fitted to the "fit" rows
    steps[net]          words, parameters, gradient_bytes, batch_size (of all), and seconds over the rounds:
      .alone            one process takes the whole batch
      .half             one process takes half of it, the other core rests
      .side_by_side     two processes take a half each and do not talk
      .together         two processes take a half each and average their gradients: the real thing
      .predicted        side_by_side, and the model's message on top
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional

from experiments.provenance import provenance, summary, write
from vgg_course import distributed
from vgg_course.model import vgg

MESSAGE = 16 * 10**6  # bytes, for the count of what travels
VALUES = [4**k for k in range(5, 14)]  # of a message: 4 KiB to 256 MiB
NETS: dict[str, dict] = {
    "small": {"words": "D at a quarter of the width for 32x32 images, one linear layer", "batch_size": 128,
              "configuration": {"input_size": 32, "classes": 3, "width": 1 / 4, "hidden": ()}},
    "small_wide_head": {"words": "the same with two hidden layers of 4,096", "batch_size": 128,
                        "configuration": {"input_size": 32, "classes": 3, "width": 1 / 4, "hidden": (4096, 4096)}},
    "vgg16": {"words": "configuration D as published, 224x224 images", "batch_size": 4, "configuration": {}},
}  # fmt: skip
KINDS = ("alone", "half", "side_by_side", "together")
ROUNDS = {"small": 9, "small_wide_head": 7, "vgg16": 3}
LIMIT = 600  # seconds; processes that wait for each other never end by themselves


# --- in every process ---


def timed(work: Callable[[], object]) -> float:
    """Seconds from a common start to the end of the slower process. All of them must call it."""
    dist.barrier()
    began = time.perf_counter()
    work()
    return max(distributed.gathered(time.perf_counter() - began))


def all_reduces(repetitions: int) -> list[dict]:
    """Seconds for messages of many sizes. A size for the fit alternates with one that the fit never sees."""
    sizes = {4 * values: "fit" if place % 2 == 0 else "check" for place, values in enumerate(VALUES)}
    sizes |= {4 * parameters(name): "check" for name in NETS}
    largest = torch.zeros(max(sizes) // 4)
    rows = []
    for size, use in sorted(sizes.items()):
        message = largest[: size // 4]
        count = max(4, min(5 * repetitions, repetitions * 10**8 // size))
        seconds = [timed(lambda message=message: dist.all_reduce(message)) for _ in range(count + 2)][2:]
        rows.append({"bytes": size, "use": use, "seconds": brief(seconds)})
    return rows


def steps(name: str, rounds: int) -> dict:
    """Seconds for one step of SGD with momentum on a net, in four kinds."""
    whole, plain = NETS[name]["batch_size"], build(name)
    shared = distributed.parallel(build(name))  # a copy: hooks that send would stay on the plain one
    side = plain.configuration.input_size
    images, labels = torch.randn(whole, 3, side, side), torch.arange(whole) % plain.configuration.classes
    optimizers = {net: torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9) for net in (plain, shared)}

    def step(net: nn.Module, count: int) -> None:
        optimizers[net].zero_grad()
        functional.cross_entropy(net(images[:count]), labels[:count]).backward()
        optimizers[net].step()

    first = distributed.rank() == 0
    kinds = {
        "alone": lambda: step(plain, whole) if first else None,
        "half": lambda: step(plain, whole // 2) if first else None,
        "side_by_side": lambda: step(plain, whole // 2),
        "together": lambda: step(shared, whole // 2),
    }
    assert tuple(kinds) == KINDS
    for work in (kinds["side_by_side"], kinds["together"], kinds["together"]):  # torch arranges its messages anew
        timed(work)
    seconds = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, work in kinds.items():
            seconds[kind].append(timed(work))
    return {kind: brief(values) for kind, values in seconds.items()}


def build(name: str) -> nn.Module:
    return vgg("D", **NETS[name]["configuration"], dropout=0.0, generator=torch.Generator().manual_seed(0))


def parameters(name: str) -> int:
    from vgg_course.accounting import ledger
    from vgg_course.configuration import CONFIGURATIONS

    return ledger(CONFIGURATIONS["D"].variant(**NETS[name]["configuration"])).parameters


def brief(seconds: list[float]) -> dict:
    """A summary with the median, which a single disturbance does not move."""
    rounded = [float(f"{value:.4g}") for value in seconds]
    found = summary(rounded) | {"median": statistics.median(rounded)}
    return found if len(rounded) <= 15 else {key: value for key, value in found.items() if key != "values"}


def traffic(messages: int = 5) -> dict:
    """Bytes that all processes together send for one message, by the kernel's own count; the calmest of some messages."""
    message, counts = torch.zeros(MESSAGE // 4), []
    for _ in range(messages):
        dist.barrier()
        before = sent()
        dist.barrier()  # nobody sends before the count
        dist.all_reduce(message)
        dist.barrier()
        counts.append(sent() - before)
    count = min(counts)  # whatever else used the loopback interface meanwhile is in the others
    return {"processes": distributed.size(), "bytes": MESSAGE, "bytes_sent": count, "ratio": count / MESSAGE}


def sent() -> int:
    """Bytes that went out over the loopback interface since the machine started."""
    (line,) = (line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    return int(line.split()[9])


def work_inside(what: str, folder: Path, fewer: int) -> None:
    with distributed.joined():
        torch.set_num_threads(1)
        torch.manual_seed(distributed.rank())
        if what == "traffic":
            found = traffic()
        else:
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[distributed.rank() % len(cores)]})
            found = {"all_reduce": all_reduces(max(1, 10 // fewer))}
            found["steps"] = {name: steps(name, max(1, ROUNDS[name] // fewer)) for name in NETS}
        if distributed.rank() == 0:
            (folder / "found.json").write_text(json.dumps(found))


# --- outside ---


def run(what: str, processes: int, fewer: int) -> dict:
    """Start processes with torchrun, and read what the first of them wrote."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--standalone", "--local_addr=127.0.0.1", f"--nproc_per_node={processes}", "-m", "experiments.scaling"]
        subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", *words, "--inside", what, folder, "--fewer", str(fewer)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
            check=True,
            timeout=LIMIT,
        )
        return json.loads((Path(folder) / "found.json").read_text())


def fitted(rows: list[dict]) -> dict:
    """Latency and bandwidth of a ring of two, ``seconds = 2 * (latency + bytes / 2 / bandwidth)``.

    Least squares of *relative* errors: the times span four powers of ten, and with absolute errors the largest message
    alone would decide.
    """
    rows = [(row["bytes"], row["seconds"]["median"]) for row in rows if row["use"] == "fit"]
    table = torch.tensor([[2 / seconds, size / seconds] for size, seconds in rows], dtype=torch.float64)
    latency, per_byte = torch.linalg.lstsq(table, torch.ones(len(rows), 1, dtype=torch.float64)).solution.flatten()
    return {"latency": latency.item(), "bandwidth": 1 / per_byte.item()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inside", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--fewer", type=int, default=1, help="repeat less often by this factor, and write nothing")
    options = parser.parse_args()
    if options.inside:
        work_inside(options.inside[0], Path(options.inside[1]), options.fewer)
        return
    result = {
        **provenance("python -m experiments.scaling"),
        "what": "seconds of all-reduces and of training steps, two processes on two cores against one on one",
        "setting": {"backend": "gloo", "interface": "loopback", "threads_per_process": 1, "precision": "float32"},
    }
    result["traffic"] = [run("traffic", processes, options.fewer) for processes in (2, 3, 4)]
    print("counted; now the clock", flush=True)
    found = run("times", 2, options.fewer)
    model = fitted(found["all_reduce"])

    def predicted(size: int) -> float:
        return 2 * model["latency"] + size / model["bandwidth"]

    result["model"] = model
    result["all_reduce"] = [row | {"predicted": predicted(row["bytes"])} for row in found["all_reduce"]]
    result["steps"] = {
        name: {
            "words": NETS[name]["words"],
            "batch_size": NETS[name]["batch_size"],
            "parameters": parameters(name),
            "gradient_bytes": 4 * parameters(name),
            **seconds,
            "predicted": seconds["side_by_side"]["median"] + predicted(4 * parameters(name)),
        }
        for name, seconds in found["steps"].items()
    }
    print(write("scaling", result) if options.fewer == 1 else json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
