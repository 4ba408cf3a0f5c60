"""Devices of the engine, parallel work on them, and batches of targets."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from naturalistic.parameters import whole

FEW_BYTES = 2**22  # that fit anywhere: free memory is not asked for
BATCH_BYTES = 2**27  # of working arrays on a CPU, all workers together: long enough products, little memory
MIN_BATCH = 64  # targets: fewer are not shared out among workers


def pick_device(device: str | torch.device) -> torch.device:
    """Return ``device`` as an available `torch.device`.

    Raises
    ------
    ValueError
        If torch does not know the device, or it is not in this machine.
    """
    try:
        picked = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device is {device!r}, expected 'cpu', 'cuda' or 'cuda:<number>'") from error
    if picked.type == "cuda":
        n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (picked.index or 0) >= n_devices:
            raise ValueError(f"device is {device!r}, but torch finds {n_devices} CUDA devices here; use device='cpu'")
    elif picked.type != "cpu":
        raise ValueError(f"device is {device!r}, expected 'cpu' or 'cuda' (the engine needs float64)")
    return picked


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be allocated on ``device`` (2 GiB where unknown)."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):
            return 2**31


def n_workers(device: torch.device) -> int:
    """Return the number of parallel batches: torch's threads on a CPU, one on a GPU."""
    return torch.get_num_threads() if device.type == "cpu" else 1


def in_parallel(function: Callable, items: Sequence, device: torch.device, bytes_per_item: int = 0) -> Iterator[Any]:
    """Yield ``function(item)`` in order, `n_workers` at a time with one thread each.

    Two threads that work on two items do not wait for each other inside every product, as two threads that
    share one product do. Those waits cost more than the work: OpenBLAS waits at full load, also for a while after a
    product, and takes the cores from whoever works then. So the outermost loop that fits into memory runs in parallel;
    what a function of it calls finds one thread, and loops inside of it one item after another.

    Parameters
    ----------
    function : callable
    items : sequence
    device : torch.device
    bytes_per_item : int
        Working memory of one item. Where half of what is free does not hold all workers, fewer work at a time; one
        alone has all threads.
    """
    workers = min(n_workers(device), len(items))
    if workers > 1 and bytes_per_item * workers > FEW_BYTES:
        workers = min(workers, int(free_memory(device) // 2 // bytes_per_item))
    if workers < 2:
        yield from map(function, items)
        return
    threads = torch.get_num_threads()
    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        try:
            yield from pool.map(function, items)
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)


def batches(
    n_targets: int, bytes_per_target: int, device: torch.device, n_targets_batch: int | None = None
) -> list[slice]:
    """Return slices over the targets, sized to fit in a share of free memory.

    Parameters
    ----------
    n_targets : int
    bytes_per_target : int
        Working memory that one target takes.
    device : torch.device
    n_targets_batch : int, optional
        Targets in a batch; by default they fill a quarter of the free memory, on a CPU `BATCH_BYTES` at most.

    Returns
    -------
    batches : list of slice
    """
    n_targets_batch = whole("n_targets_batch", n_targets_batch, optional=True)
    if n_targets_batch is None:
        workers = n_workers(device)
        few = device.type == "cpu" and n_targets * bytes_per_target <= FEW_BYTES
        share = FEW_BYTES * workers if few else free_memory(device) // 4
        if device.type == "cpu":
            share = min(share, BATCH_BYTES)
        n_targets_batch = max(1, int(share // workers // max(1, bytes_per_target)))
        n_batches = max(-(-n_targets // n_targets_batch), min(workers, n_targets // MIN_BATCH))
        n_batches = -(-max(1, n_batches) // workers) * workers if n_batches > workers else max(1, n_batches)
        n_targets_batch = -(-n_targets // n_batches)  # all of about one size
    return [slice(k, min(k + n_targets_batch, n_targets)) for k in range(0, n_targets, n_targets_batch)]
