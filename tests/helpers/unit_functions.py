"""Functions that workers of the tests call: they have to be importable there."""

import os
import signal
import time
from pathlib import Path

import numpy as np


def moments(x, power, log=None, seconds=0.0):
    """Return sums over time of a power of an array, and who computed them."""
    note(log, power)
    time.sleep(seconds)
    total = np.sum(np.asarray(x, dtype=np.float64) ** power, axis=0)
    return {"total": total, "power": power, "pid": os.getpid(), "map": isinstance(x, np.memmap)}


def killed_once(x, power, log, seconds=0.0):
    """Kill the worker at the first try of power 2; go on as `moments`."""
    mark = Path(f"{log}.killed")
    if power == 2 and not mark.exists():
        mark.touch()
        note(log, power)
        os.kill(os.getpid(), signal.SIGKILL)
    return moments(x, power, log, seconds)


def always_killed(power):
    """Kill the worker."""
    os.kill(os.getpid(), signal.SIGKILL)


def fails_at(power, bad, log):
    """Raise at one power."""
    note(log, power)
    if power == bad:
        raise ArithmeticError(f"power {power} is bad")
    return {"power": power}


def returns(value):
    """Return what was passed."""
    return value


def note(log, power):
    """Append a line to a file: appended lines of processes do not mix."""
    if log is not None:
        with open(log, "a", encoding="ascii") as file:
            file.write(f"{power}\n")


def noted(log):
    """Return the powers that were computed, in order."""
    return [int(line) for line in Path(log).read_text(encoding="ascii").split()]
