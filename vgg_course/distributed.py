"""Many processes that train one net together, each on its part of every batch: synchronous data parallel.

``torchrun --nproc_per_node=2 train.py`` starts the same program twice, and ``train.py`` says::

    with joined():
        history = fit(model, data)

Started in the plain way the same program is a group of one. They talk through gloo on CPUs and NCCL on GPUs.

**Shards of unequal size.** The loss of a batch of B images is a mean over B. A process that has n of them knows the mean
over its n. ``DistributedDataParallel`` averages the gradients of the N processes as if each had as many images: right
if all have B/N, wrong otherwise, with no error. 7 images on two processes are 4 and 3; their plain average counts each
image of the smaller shard as 4/3 of one of the larger. :func:`weighted` is the cure: it weights a mean by its share::

    1/N * sum over processes of (N n/B * gradient of the mean over n)  =  gradient of the mean over B

**Batch norm** breaks the equality all the same. It normalizes with the mean and deviation of the images that it sees, and
a process sees only its own: the sum of the parts is then the gradient of another function, as if batches were smaller.
In a net of many layers that is no small change: the tests have it at a quarter of the gradient's length after one batch norm.
``nn.SyncBatchNorm.convert_sync_batchnorm(model)`` shares the statistics of all processes in every layer and restores the
equality, for two more messages a layer and step; torch has it for GPUs only. Here every process keeps its own, and the
*running* statistics, which are used in eval mode, are averaged after every epoch (:func:`average_statistics`).
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that torchrun started, and leave them at the end. Started otherwise, do nothing.

    Raises:
        ValueError: there are more processes than GPUs; two on one GPU would only wait for each other.
    """
    if "RANK" not in os.environ or not dist.is_available() or dist.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        if (here := int(os.environ["LOCAL_WORLD_SIZE"])) > torch.cuda.device_count():
            raise ValueError(f"{here} processes share {torch.cuda.device_count()} GPUs; start one a GPU, no more.")
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # from now on "cuda" means this one
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    yield  # after an error we do not get further: who leaves in good order waits for the others, and they may wait for us
    dist.destroy_process_group()


def rank() -> int:
    """The number of this process: 0 is the one that prints, judges and writes."""
    return dist.get_rank() if _together() else 0


def size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if _together() else 1


def _together() -> bool:
    if dist.is_available() and dist.is_initialized():
        return True
    if "RANK" in os.environ and (count := int(os.environ.get("WORLD_SIZE", 1))) > 1:
        raise ValueError(
            f"torchrun started {count} processes, but each would train alone; write `with distributed.joined():` around "
            "the training."
        )
    return False


def weighted(mean: Tensor, here: int, everywhere: int) -> Tensor:
    """The mean over ``here`` images of this process, so that averaging over processes gives the mean over ``everywhere``."""
    return mean * (size() * here / everywhere)


def add_up(values: Tensor) -> Tensor:
    """The sum of what all processes have, element by element."""
    if size() > 1:
        dist.all_reduce(values)
    return values


def gathered(value: Any) -> list:
    """What every process has, in the order of their ranks."""
    if size() == 1:
        return [value]
    values = [None] * size()
    dist.all_gather_object(values, value)
    return values


def on_first(work: Callable[[], Any]) -> Any:
    """Let process 0 do it, alone, and give all of them what came of it: the value, or the error."""
    if size() == 1:
        return work()
    outcome = [None, None]
    if rank() == 0:
        try:
            outcome = [work(), None]
        except Exception as error:
            outcome = [None, error]
    dist.broadcast_object_list(outcome)
    if outcome[1] is not None:
        outcome[1].is_echo = rank() > 0  # one process is enough to tell the user
        raise outcome[1]
    return outcome[0]


def average_statistics(model: nn.Module) -> None:
    """Make the running statistics of all processes equal: their mean."""
    for buffer in model.buffers() if size() > 1 else ():
        if buffer.is_floating_point():
            buffer.copy_(add_up(buffer.clone()) / size())


def parallel(model: nn.Module) -> nn.Module:
    """The model itself, or one that averages its gradients over all processes while ``backward()`` computes them.

    All begin with the weights of process 0.
    """
    if size() == 1:
        return model
    for tensor in model.state_dict().values():
        dist.broadcast(tensor, 0)
    names = inspect.signature(nn.parallel.DistributedDataParallel).parameters
    old_or_new = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
    return nn.parallel.DistributedDataParallel(model, **{old_or_new: False})  # average_statistics() sees to the buffers
