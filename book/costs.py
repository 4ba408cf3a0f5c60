"""What each chapter costs when it is run: seconds, processor time, and the most memory that its processes held."""

import json
import os
import platform
import threading
import time
from contextlib import contextmanager
from pathlib import Path

PROC = Path("/proc")
EVERY = 0.25  # s between two looks


@contextmanager
def measured():
    """Measure what runs inside: yields a dict, which has ``seconds``, ``cpu_s`` and ``peak_mb`` at the end.

    The processor time is that of all processes started inside, as they were seen last: it says more than ``seconds``
    where other work went on beside them.
    The memory is that of all processes that were started inside and of those that they started (a kernel and its
    workers): the largest sum that was seen, and no less than the largest that the system noted of one of them
    (``VmHWM``). Pages that two of them share count twice. None where the system has no ``/proc``.
    """
    before, cost, end = descendants(os.getpid()), {}, threading.Event()
    peak, cpu = [0], {}

    def watch():
        while not end.wait(EVERY):
            pids = descendants(os.getpid()) - before
            sizes = [size_of(pid) for pid in pids]
            peak[0] = max(peak[0], sum(now for now, _ in sizes), *(most for _, most in sizes), 0)
            cpu.update({pid: max(cpu_of(pid), cpu.get(pid, 0)) for pid in pids})

    watcher, start = threading.Thread(target=watch, daemon=True), time.perf_counter()
    watcher.start()
    try:
        yield cost
    finally:
        end.set()
        watcher.join()
        cost["seconds"] = round(time.perf_counter() - start, 1)
        cost["peak_mb"] = round(peak[0] / 1e6) or None
        cost["cpu_s"] = round(sum(cpu.values()), 1) if cpu else None


def descendants(ancestor):
    """Return the ids of all processes below one."""
    children = {}
    for path in PROC.glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])  # a name may hold spaces and brackets
        except (OSError, ValueError, IndexError):  # it has ended meanwhile
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found, todo = set(), [ancestor]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo += below
    return found


def size_of(pid):
    """Return the bytes of memory that a process holds, and the most that it has held; 0, 0 if it has ended."""
    try:
        lines = dict(line.split(":", 1) for line in (PROC / str(pid) / "status").read_text().splitlines())
        return tuple(1024 * int(lines[key].split()[0]) for key in ("VmRSS", "VmHWM"))
    except (OSError, KeyError, ValueError):
        return 0, 0


def cpu_of(pid):
    """Return the seconds of processor time that a process has taken; 0 if it has ended."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0


def record(path, chapter, cost, chapters):
    """Write what a chapter cost beside what others cost before; of ``chapters`` alone, whole or not at all."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))["chapters"]
    except (OSError, ValueError, KeyError):  # the first, or damaged: measured anew
        kept = {}
    kept = {name: kept[name] for name in kept if name in chapters} | {chapter: cost}
    write(path, {"machine": machine(), "chapters": dict(sorted(kept.items()))})


def write(path, content):
    """Write a JSON file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def machine():
    """Say on what this runs: cores, and memory where the system says it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB of memory"
    except (OSError, ValueError, AttributeError):
        memory = ""
    return f"{cores} cores ({platform.machine()}){memory}"
