"""What the machine has: cores, memory, a GPU, and where caches are kept."""

import os
from pathlib import Path

from naturalistic.cache import cache_dir
from naturalistic.datasets.place import check_writable, free_bytes
from naturalistic.datasets.plan import RequestError

LIMIT = Path("/sys/fs/cgroup/memory")  # of a container, where there is one: .max and .current


def machine(gpu=False):
    """Return ``cores``, ``memory`` and ``memory_free`` in bytes (None where nobody says), and ``gpu``.

    Parameters
    ----------
    gpu : bool
        Ask torch for the GPU, which takes seconds to import. Without it a device of NVIDIA is looked for.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    total, free = memory()
    return {"cores": cores, "memory": total, "memory_free": free, "gpu": _asked() if gpu else _seen()}


def memory(meminfo=Path("/proc/meminfo"), limit=LIMIT):
    """Return the bytes of memory and those that are free, those of the container where it allows less."""
    try:
        lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
        total, free = (1024 * int(lines[key].split()[0]) for key in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return None, None
    try:
        allowed, used = (int(limit.with_suffix(end).read_text()) for end in (".max", ".current"))
    except (OSError, ValueError):  # no container, or no limit ("max")
        return total, free
    return min(total, allowed), min(free, allowed - used)


def cache():
    """Return the folder of caches, whether it can be written, its free bytes, and the bytes of each cache in it."""
    folder = cache_dir()
    try:
        check_writable(folder)
        problem = None
    except RequestError as error:
        problem = str(error)
    caches = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    sizes = {path.name: size_of(path) for path in caches}
    return {"folder": str(folder), "problem": problem, "free": free_bytes(folder), "sizes": sizes}


def size_of(folder):
    """Return the bytes of all files in a folder; what goes away meanwhile does not count."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return total


def _seen(devices=Path("/dev")):
    if any(devices.glob("nvidia[0-9]*")):
        return "a device of NVIDIA is there; `naturalistic doctor --gpu` asks torch whether it can use it"
    return "none seen"


def _asked():
    import torch

    if not torch.cuda.is_available():
        return f"torch {torch.__version__} sees none: device='cpu'"
    found = torch.cuda.get_device_properties(0)
    return f"{found.name}, {found.total_memory / 1e9:.0f} GB: device='cuda'"
