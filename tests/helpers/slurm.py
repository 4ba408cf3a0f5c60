"""A SLURM of one machine, started for a test and ended with it; skips where the packages are missing."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "munged")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/d.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ReturnToService=2
KillWait=2
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} CPUs=2 RealMemory=2000 State=UNKNOWN NodeAddr=127.0.0.1
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def running_slurm(folder):
    """Yield the environment of a SLURM with two cores; ``folder`` takes its state and logs."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    missing = [name for name in PROGRAMS if shutil.which(name, path=search) is None]
    if missing:
        pytest.skip(f"SLURM is not installed ({', '.join(missing)} missing): apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("the test's SLURM has to be started by root")
    folder = Path(folder)
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    _start_munge()
    host = socket.gethostname().split(".")[0]
    configuration = folder / "slurm.conf"
    configuration.write_text(CONFIGURATION.format(host=host, folder=folder, ports=_free_ports(2)), encoding="utf-8")
    environment = {**os.environ, "SLURM_CONF": str(configuration), "PATH": search}
    with contextlib.ExitStack() as stack:
        for program in ("slurmctld", "slurmd"):
            process = subprocess.Popen(
                [program, "-D", "-f", str(configuration)], env=environment,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.callback(_end, process)
        _wait_until_idle(environment, folder)
        yield environment


def jobs_in_queue(environment):
    """Return the lines of squeue, one a job."""
    shown = subprocess.run(["squeue", "-h", "-o", "%i %T"], env=environment, capture_output=True, text=True, check=True)
    return [line for line in shown.stdout.splitlines() if "COMPLETING" not in line]


def _start_munge():
    """Start the daemon that signs SLURM's messages, unless it answers already."""
    if subprocess.run(["munge", "-n"], capture_output=True).returncode == 0:
        return
    Path("/run/munge").mkdir(exist_ok=True)
    shutil.chown("/run/munge", "munge", "munge")
    subprocess.run(["su", "-s", "/bin/sh", "munge", "-c", "/usr/sbin/munged"], capture_output=True)
    if subprocess.run(["munge", "-n"], capture_output=True).returncode:
        pytest.skip("munge does not start on this machine")


def _wait_until_idle(environment, folder, timeout=60):
    """Wait until the node takes jobs."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        shown = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
        if shown.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = "\n".join(path.read_text(errors="replace")[-1500:] for path in sorted(Path(folder).glob("*.log")))
    pytest.skip(f"SLURM is installed, but its node is not idle on this machine after {timeout} s:\n{logs}")


def _end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports(n):
    """Return ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
