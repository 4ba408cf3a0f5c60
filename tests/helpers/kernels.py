"""Kernels forked from a process that has imported torch and nilearn once: eight seconds of imports less for a chapter.

Only other people's packages are imported beforehand: a chapter imports the library itself, as a reader's does. Run as a
script, this is that process: it reads a line of JSON for each kernel wanted or asked about, and answers with a number.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from coverage import Coverage
from jupyter_client.manager import AsyncKernelManager
from traitlets import Float

IMPORTED = (
    "h5py", "ipykernel.kernelapp", "librosa", "matplotlib.pyplot", "nilearn.plotting", "nilearn.surface", "pandas",
    "safetensors.torch", "SimpleITK", "sklearn.linear_model", "sklearn.model_selection", "soundfile", "torch",
    "transformers",
)  # fmt: skip
RUNS = -1  # the answer about a kernel that has not ended


class Patient(AsyncKernelManager):
    """Lets a kernel end by itself where lines are counted, for it writes at its end which it ran.

    A kernel that started joblib's processes takes half a minute to end: one of them minds no signal, and the kernel
    waits for it. Elsewhere nobody needs to see it out, and it is forked.
    """

    shutdown_wait_time = Float(120.0 if Coverage.current() else 5.0)  # s

    async def _async_launch_kernel(self, command, **how):
        if Coverage.current() or not hasattr(os, "fork"):
            return await super()._async_launch_kernel(command, **how)
        provisioner = self.provisioner
        provisioner.process = Forked(command, how)
        provisioner.pid = provisioner.pgid = provisioner.process.pid
        self._reconcile_connection_info(provisioner.connection_info)


class Forked:
    """A forked kernel, with what jupyter_client asks of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, command, how):
        arguments = command[command.index("-f") :]
        self.pid = ask({"arguments": arguments, "cwd": how.get("cwd"), "env": dict(how.get("env") or os.environ)})
        self.returncode = None

    def poll(self):
        if self.returncode is None and (answer := ask({"pid": self.pid})) != RUNS:
            self.returncode = answer
        return self.returncode

    def wait(self):
        return self.poll()  # called when it has ended

    def send_signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


def ask(question):
    """Return the answer of the process that forks."""
    process = server()
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"the process that forks kernels ended with {process.wait()}")
    return int(answer)


@functools.cache
def server():
    """Start the process that forks; it ends with this one, when nothing can be read any more."""
    command, env = [sys.executable, __file__], os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    atexit.register(end, process)
    return process


def end(process):
    """See the process that forks out, so that nobody is warned of it."""
    with process:  # its input ends, and so does it
        process.stdin.close()


def serve():
    """Answer questions until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library or a kernel prints is no answer
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        question = json.loads(line)
        answers.write(f"{state(question['pid']) if 'pid' in question else fork(**question)}\n")
        answers.flush()


def state(pid):
    """Return the exit status of a kernel, or `RUNS`."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) & 0xFF if ended else RUNS


def fork(arguments, cwd, env):
    """Fork a kernel and return its process id."""
    parent = os.getpid()
    if pid := os.fork():
        return pid
    os.setsid()  # a group of its own, as that of any kernel
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd or ".")
    random.seed()
    import numpy as np
    from ipykernel.kernelapp import IPKernelApp

    np.random.seed()  # noqa: NPY002
    try:
        IPKernelApp.launch_instance(argv=[*arguments, f"--IPKernelApp.parent_handle={parent}"])
    finally:
        os._exit(0)


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    serve()
