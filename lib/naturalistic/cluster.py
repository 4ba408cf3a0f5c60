"""Workers for units of work: this process, Dask on this machine, a scheduler by address, or a batch system.

`connect` starts them, ends them whatever happens, and gives `Workers`, whose ``map`` does the work::

    with cluster.connect("slurm.yaml") as workers:
        results = workers.map(score_block, [{"bold": block, "features": x} for block in blocks])

Everything but ``"local"`` needs ``pip install "naturalistic[cluster]"``.
"""

import contextlib
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from naturalistic.cache import RequestError, cache_dir, check_writable, scratch_folder
from naturalistic.parameters import did_you_mean, whole
from naturalistic.units import (
    Requirements,
    Result,
    Unit,
    UnitError,
    as_result,
    check_worker,
    make_unit,
    read_result,
    requirements_of,
    run_unit,
)

EXTRA = 'pip install "naturalistic[cluster]"'
BATCH_SYSTEMS = {  # name in the YAML file -> class of dask-jobqueue
    "slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster", "oar": "OARCluster",
    "moab": "MoabCluster", "htcondor": "HTCondorCluster",
}  # fmt: skip
UNITS = "NATURALISTIC_UNITS"  # variable: folder in which "local" keeps units too
PASSED_ON = ("NATURALISTIC_CACHE", "NATURALISTIC_DATA", "HF_HOME", "HF_HUB_OFFLINE")  # not every system passes them
QUIET = {"distributed.admin.log-format": "%(message)s", "distributed.scheduler.allowed-failures": 3}


class Workers:
    """Workers and the folder that they share, as `connect` yields them.

    Attributes
    ----------
    folder : Path or None
        Shared folder of arrays and results; None keeps all in memory, and nothing of it is found again.
    name : str
        As it was passed to `connect`.
    """

    def __init__(self, name: str, folder: Path | None, client: Any = None, timeout: float = 300) -> None:
        self.name = name
        self.folder = folder
        self._client = client
        self._timeout = timeout

    def __repr__(self) -> str:
        where = "in memory" if self.folder is None else str(self.folder)
        return f"Workers({self.name!r}, {self.n_workers} at work, results {where})"

    @property
    def n_workers(self) -> int:
        """Return how many workers there are now, 1 for this process."""
        return 1 if self._client is None else len(self._client.scheduler_info(n_workers=-1)["workers"])

    def map(
        self, function: Callable[..., Mapping[str, Any]], units: Sequence[Mapping[str, Any]], *, label: str = "units"
    ) -> list[Result]:
        """Call a function once for each unit, and return the results in order.

        Units whose results are in the folder are not computed again. A worker that is lost costs the unit it was at,
        which another one does; a unit that is lost four times is an error.

        Parameters
        ----------
        function : callable
            Of keyword arguments; plain, without state. Returns a dict of arrays, numbers and text by name.
        units : sequence of dict
            Keyword arguments of each call. Large arrays reach workers as memory maps of the shared folder.
        label : str
            Of the progress bar.

        Returns
        -------
        results : list of dict of str to array

        Raises
        ------
        UnitError
            If workers do not see the folder, have other versions, or are lost.
        Exception
            What the function raises; results of other units stay in the folder.
        """
        if self.folder is None:
            return [_call(function, unit) for unit in tqdm(units, desc=label, delay=3, leave=False)]
        prepared = [make_unit(function, unit, self.folder) for unit in units]
        by_key = {unit.key: unit for unit in prepared}
        missing = [unit for unit in by_key.values() if read_result(unit, self.folder) is None]
        with tqdm(total=len(by_key), initial=len(by_key) - len(missing), desc=label, delay=3, leave=False) as bar:
            if self._client is None:
                for unit in missing:
                    run_unit(unit, self.folder)
                    bar.update()
            else:
                self._run(missing, bar)
        results = {unit.key: read_result(unit, self.folder) for unit in by_key.values()}
        absent = [unit.name for unit in by_key.values() if results[unit.key] is None]
        if absent:
            raise UnitError(f"no result of {', '.join(absent[:3])} in {self.folder}: were files deleted meanwhile?")
        return [results[unit.key] for unit in prepared]

    def _run(self, units: Sequence[Unit], bar: tqdm) -> None:
        """Have units done by workers; after the loss of the scheduler, by those of the next one at its address."""
        requirements = requirements_of(self.folder)
        missing = list(units)
        while missing:
            before = len(missing)
            lost = self._run_once(missing, requirements, bar)
            missing = [unit for unit in missing if read_result(unit, self.folder) is None]
            if missing and not lost:
                raise UnitError(f"{len(missing)} units ended without a result in {self.folder}")
            if missing:
                self._reconnect(f"{before - len(missing)} of {before} units were done")

    def _run_once(self, units: Sequence[Unit], requirements: Requirements, bar: tqdm) -> bool:
        """Submit units and wait for them; return whether the scheduler was lost on the way."""
        from distributed import CancelledError, KilledWorker, as_completed
        from distributed.comm import CommClosedError

        client = self._client
        futures = {}
        try:
            for unit in units:
                future = client.submit(run_unit, unit, self.folder, requirements, key=unit.name, pure=False)
                futures[future.key] = future
            for future in as_completed(futures.values(), loop=client.loop):
                if future.status in ("cancelled", "lost"):
                    return True
                future.result()
                bar.update()
        except KilledWorker as error:
            raise UnitError(
                f"{error.task} was lost with {error.allowed_failures + 1} workers one after another: too little memory "
                "for a unit, or a time limit that is too short; see the logs of the workers"
            ) from None
        except (CancelledError, CommClosedError, TimeoutError):
            return True
        finally:
            with contextlib.suppress(Exception):  # of a scheduler that is gone
                client.cancel(list(futures.values()))
        return False

    def _reconnect(self, state: str) -> None:
        """Wait for a scheduler at the old address.

        Raises
        ------
        UnitError
            If there is none until the timeout, or this process was the scheduler.
        """
        from distributed import Client

        address = self._client.scheduler.address if self._client.scheduler else self.name
        with contextlib.suppress(Exception):
            self._client.close(timeout=1)
        error = UnitError(
            f"the scheduler {address} is gone ({state}); their results are in {self.folder}, and the same call goes on "
            "with the rest"
        )
        if not _is_address(self.name):
            raise error
        end = time.monotonic() + self._timeout
        while time.monotonic() < end:
            try:
                self._client = Client(self.name, timeout=5, set_as_default=False)
                return _wait(self._client, max(1, end - time.monotonic()), self.name)
            except (OSError, TimeoutError):
                time.sleep(0.5)
        raise error


@contextlib.contextmanager
def connect(
    cluster: str | Path = "local",
    *,
    folder: Path | str | None = None,
    n_workers: int | None = None,
    timeout: float = 300,
) -> Iterator[Workers]:
    """Yield workers, and end them when the block ends, also by an error, Ctrl-C or SIGTERM.

    Parameters
    ----------
    cluster : str or Path
        ``"local"`` (this process, whose products use its cores), ``"dask"`` (processes of this machine, a thread each),
        the address of a scheduler such as ``"tcp://host:8786"``, or a YAML file of dask-jobqueue: a section
        ``jobqueue`` with one batch system and its options, and ``jobs``, their number.
    folder : Path or str, optional
        Shared folder of arrays and results, under the same path on all machines; default ``$NATURALISTIC_UNITS``, or
        ``units`` in the cache. With ``"local"`` nothing is stored unless one of the first two is given.
    n_workers : int, optional
        Of ``"dask"``: by default as many as cores. Of a YAML file: jobs, in place of ``jobs`` there.
    timeout : float
        Seconds to wait for the first worker, and for a scheduler that is gone to come back.

    Yields
    ------
    workers : Workers

    Raises
    ------
    RequestError
        If the cluster is not one of these, its file is wrong, a package is missing, or the folder cannot be written.
    UnitError
        If no worker comes, or the first does not see the folder or has other versions.
    """
    name = str(cluster)
    if n_workers is not None:
        n_workers = whole("n_workers", n_workers, 1)
    if name == "local":
        folder = folder or os.environ.get(UNITS)
        if folder is not None:
            check_writable(folder)
        yield Workers(name, None if folder is None else Path(folder).expanduser().absolute())
        return
    folder = Path(folder or os.environ.get(UNITS) or cache_dir() / "units").expanduser().absolute()
    check_writable(folder)
    start = _starter(name, n_workers)
    with _terminated_as_interrupt(), contextlib.ExitStack() as stack:
        client = start(stack, timeout)
        _wait(client, timeout, name)
        requirements = requirements_of(folder)
        client.run(check_worker, folder, requirements, workers=_first(client))
        yield Workers(name, folder, client, timeout)


def _starter(name: str, n_workers: int | None) -> Callable[[contextlib.ExitStack, float], Any]:
    """Return the function that starts a cluster and gives its client, after checking what can be checked.

    Raises
    ------
    RequestError
    """
    is_file = name.endswith((".yaml", ".yml"))
    if not (name == "dask" or is_file or _is_address(name)):
        raise RequestError(
            f"cluster is {name!r}, expected 'local', 'dask', the address of a scheduler such as 'tcp://host:8786', or "
            f"a YAML file of dask-jobqueue{did_you_mean(name, ('local', 'dask'))}"
        )
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise RequestError(f"cluster {name!r} needs Dask: {EXTRA}") from error
    if is_file:
        system, options, n_jobs = read_jobs(name)
        return lambda stack, timeout: _start_jobs(stack, system, options, n_workers or n_jobs)
    if name == "dask":
        options = {"n_workers": n_workers or len(os.sched_getaffinity(0)), "threads_per_worker": 1}
        options |= {"dashboard_address": ":0", "silence_logs": 50}

        def start_here(stack: contextlib.ExitStack, timeout: float) -> Any:
            scratch = str(stack.enter_context(scratch_folder()))
            try:
                here = stack.enter_context(distributed.LocalCluster(**options, local_directory=scratch))
            except RuntimeError as error:
                script = 'in a script, what starts them stands under if __name__ == "__main__":'
                raise UnitError(f"the workers of this machine did not start ({error}); {script}") from error
            return stack.enter_context(distributed.Client(here, set_as_default=False))

        return start_here

    def start_there(stack: contextlib.ExitStack, timeout: float) -> Any:
        try:
            return stack.enter_context(distributed.Client(name, timeout=min(timeout, 30), set_as_default=False))
        except OSError as error:
            raise RequestError(f"no scheduler answers at {name}: start one with `dask scheduler`") from error

    return start_there


def read_jobs(path: Path | str) -> tuple[str, dict[str, Any], int]:
    """Return batch system, options of a job and number of jobs from a YAML file.

    Parameters
    ----------
    path : Path or str
        With ``jobs: 8`` and ``jobqueue: {slurm: {cores: 4, memory: 16GB, walltime: "02:00:00", ...}}``; the options
        are those of dask-jobqueue.

    Returns
    -------
    system : str
        Such as ``"slurm"``.
    options : dict
    n_jobs : int

    Raises
    ------
    RequestError
        Naming the file and the entry.
    """
    try:
        import dask
        import yaml

        _dask_jobqueue()  # its defaults name the options
    except ModuleNotFoundError as error:
        raise RequestError(f"{path} needs {error.name}: {EXTRA}") from error
    try:
        content = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except yaml.YAMLError as error:
        raise RequestError(f"{path} is no YAML: {error}") from error
    example = "expected jobs: 8 and jobqueue: {slurm: {cores: 4, memory: 16GB}}"
    section = content.get("jobqueue") if isinstance(content, dict) else None
    if not isinstance(section, dict) or len(section) != 1:
        raise RequestError(f"{path} has no section jobqueue of one batch system; {example}")
    system, options = next(iter(section.items()))
    if system not in BATCH_SYSTEMS:
        known = f"expected one of {', '.join(BATCH_SYSTEMS)}"
        raise RequestError(f"{path}: jobqueue is of {system!r}, {known}{did_you_mean(system, BATCH_SYSTEMS)}")
    if not isinstance(options, dict) or not {"cores", "memory"} <= set(options):
        raise RequestError(f"{path}: {system} needs cores and memory; {example}")
    known = {name.replace("_", "-") for name in dask.config.get(f"jobqueue.{system}")} | {"n-workers"}
    for name in options:
        if str(name).replace("_", "-") not in known:
            raise RequestError(f"{path}: {system} has no option {name!r}{did_you_mean(str(name), known)}")
    try:
        n_jobs = whole("jobs", content.get("jobs", 1), 1)
    except ValueError as error:
        raise RequestError(f"{path}: {error}") from error
    return system, {str(name).replace("-", "_"): value for name, value in options.items()}, n_jobs


def _start_jobs(stack: contextlib.ExitStack, system: str, options: dict[str, Any], n_jobs: int) -> Any:
    """Submit jobs of a batch system, which end with ``stack``, and return their client."""
    import distributed

    exports = [f"export {name}={shlex.quote(os.environ[name])}" for name in PASSED_ON if name in os.environ]
    prologue = [*exports, *options.pop("job_script_prologue", [])]
    scheduler = {"dashboard_address": ":0", **options.pop("scheduler_options", {})}
    # jobs that wait in the queue die with the scheduler only when they begin: scancel reaches them too
    jobs = getattr(_dask_jobqueue(), BATCH_SYSTEMS[system])(
        **options, job_script_prologue=prologue, scheduler_options=scheduler, silence_logs=50
    )
    stack.callback(jobs.close, timeout=30)
    jobs.scale(jobs=n_jobs)
    return stack.enter_context(distributed.Client(jobs, set_as_default=False))


def _dask_jobqueue() -> Any:
    """Import dask-jobqueue, and leave Ctrl-C what it was: its module ``runner`` makes it an exit without an error."""
    interrupt = signal.getsignal(signal.SIGINT)
    import dask_jobqueue

    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not interrupt:
        signal.signal(signal.SIGINT, interrupt)
    return dask_jobqueue


def _is_address(name: str) -> bool:
    return name.startswith(("tcp://", "tls://", "ucx://", "ws://", "wss://"))


def _wait(client: Any, timeout: float, name: str) -> None:
    """Wait for the first worker.

    Raises
    ------
    UnitError
        If none comes.
    """
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TimeoutError as error:
        advice = "start some with `dask worker`" if _is_address(name) else "are jobs waiting in the queue?"
        raise UnitError(f"no worker of {name} came within {timeout:g} s: {advice}") from error


def _first(client: Any) -> list[str]:
    """Return the address of one worker."""
    return list(client.scheduler_info(n_workers=-1)["workers"])[:1]


def _call(function: Callable[..., Mapping[str, Any]], arguments: Mapping[str, Any]) -> Result:
    """Call a function here and return its result as one that was stored."""
    return as_result(Unit(function, {}, ""), function(**arguments))


@contextlib.contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """Turn SIGTERM into an exit that unwinds, so that jobs are cancelled; in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
