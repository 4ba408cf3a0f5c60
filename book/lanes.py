"""Chapters side by side: one process a lane, each with its share of the cores."""

import multiprocessing
import os
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

GB_A_LANE = 6  # the largest chapter holds 5.2 at most
MOST = 4  # more lanes than chapters that can run at once are of no use


def number_of_lanes():
    """Return how many chapters can run at once: as many as there are cores, and memory for them."""
    import psutil

    memory = psutil.virtual_memory().available / 1e9
    return max(1, min(cores(), int(memory / GB_A_LANE), MOST))


def cores():
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_lanes(tasks, waits_for, work, lanes, on_start=lambda running: None):
    """Yield each task and what ``work(task)`` returned, as they end; up to ``lanes`` run at once.

    After an error nothing new is started; what runs comes to its end and is yielded, then the error is raised.

    Parameters
    ----------
    tasks : list of str
        In the order in which they are to be started.
    waits_for : dict of str to set of str
        The tasks that must have ended before a task starts.
    work : callable
        At the top of a module: it is called in another process.
    lanes : int
    on_start : callable
        Called with the names of the running tasks whenever they change.
    """
    waiting, running, error = list(tasks), {}, None
    context = multiprocessing.get_context("spawn")  # a fork of a process that has threads may hang
    with ProcessPoolExecutor(lanes, context, share_cores, (lanes,)) as pool:
        while running or (waiting and error is None):
            unfinished = {*waiting, *running.values()}
            startable = [task for task in waiting if not waits_for.get(task, set()) & unfinished]
            for task in startable[: lanes - len(running)] if error is None else ():
                waiting.remove(task)
                running[pool.submit(work, task)] = task
            on_start(list(running.values()))
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                task = running.pop(future)
                problem = future.exception()
                if problem is None:
                    yield task, future.result()
                elif isinstance(problem, BrokenProcessPool):
                    message = f"a chapter was killed, perhaps for want of memory: {task} or one beside it"
                    error = error or SystemExit(f"{message}; make book BOOKFLAGS='--jobs 1' runs one at a time")
                else:
                    error = error or problem
    if error is not None:
        raise error


def share_cores(lanes):
    """Give this process, and the kernels that it starts, its share of the cores."""
    share = str(max(1, cores() // lanes))
    os.environ.setdefault("OMP_NUM_THREADS", share)
    os.environ.setdefault("LOKY_MAX_CPU_COUNT", share)
