"""How much faster the ledger counts VGG-16 than torchinfo does, as a ratio within one run.

    python benchmarks/count.py

Both give the same 138,357,544 parameters. The ledger reads Table 1; torchinfo builds the network on the meta device
(so no time goes into drawing weights) and runs it. Medians of several runs; imports are not timed.
"""

from statistics import median
from time import perf_counter

import torch
import torchinfo

from vgg_course.accounting import ledger
from vgg_course.configuration import TABLE_1, Configuration
from vgg_course.model import vgg


def by_ledger():
    return ledger(Configuration.parse(TABLE_1["D"])).parameters


def by_torchinfo():
    with torch.device("meta"):
        return torchinfo.summary(vgg("D"), (1, 3, 224, 224), device="meta", verbose=0).total_params


def seconds(count, repeats):
    assert count() == 138_357_544
    times = []
    for _ in range(repeats):
        began = perf_counter()
        count()
        times.append(perf_counter() - began)
    return median(times)


if __name__ == "__main__":
    ours, theirs = seconds(by_ledger, 200), seconds(by_torchinfo, 10)
    print(f"ledger {1e3 * ours:.3f} ms, torchinfo {1e3 * theirs:.1f} ms: {theirs / ours:.0f} times")
