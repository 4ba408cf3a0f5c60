"""The command line: what it says, what it returns, and that it can be stopped."""

import functools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import naturalistic_simulation as simulation
import pytest
from naturalistic import __version__, cli
from naturalistic.datasets import fetch as fetching
from naturalistic.datasets.download import DownloadError


def run(capsys, *arguments):
    """Run the command; return its status, what it printed, and what it complained about."""
    try:
        status = cli.main(arguments)
    except SystemExit as end:
        status = end.code
    said = capsys.readouterr()
    return status, said.out, said.err


DATA_SETS = ["fetch ds003720", "fetch ds005531", "fetch ds005165", "fetch gtzan", "fetch fma", "fetch studyforrest"]
SIMULATIONS = [f"simulate {kind}" for kind in ("music", "corpus", "movie", "film", "story", "lab", "clips")]
COMMANDS = ["", "check", "encode", "run", "doctor", "fetch", *DATA_SETS, "simulate", *SIMULATIONS]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_at_each_level(capsys, command):
    status, out, _ = run(capsys, *command.split(), "--help")
    assert status == 0 and f"usage: naturalistic {command}".strip() in out
    if command not in ("fetch", "simulate"):
        assert "example" in out


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"naturalistic {__version__}\n", "")


def test_python_m_naturalistic():
    done = subprocess.run([sys.executable, "-m", "naturalistic", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"naturalistic {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("", "COMMAND"),
        ("fetch", "DATASET"),
        ("fetch ds1 --to x", "invalid choice: 'ds1' (choose from"),
        ("fetch ds003720 --subject 1", "required: --to"),
        ("fetch ds003720 --to x", "--subject with some of 001, 002, 003, 004, 005, or all"),
        ("fetch ds003720 --subject 9 --to x", "no subject '9'; there are: 001, 002"),
        ("fetch ds003720 --subject 1 --runs rest --to x", "no run 'rest'; there are: Test_run-01"),
        ("fetch ds003720 --subject 1 --to x --connections two", "invalid int value: 'two'"),
        ("fetch ds003720 --subject 1 --to x --connections 0", "expected a whole number of at least 1"),
        ("fetch gtzan --subject 1 --to x", "unrecognized arguments: --subject 1"),
        ("make music --to x", "make is called simulate now: naturalistic simulate music --to x"),
        ("simulate opera --to x", "invalid choice: 'opera'"),
        ("simulate music --to x --seed one", "invalid int value: 'one'"),
    ],
)
def test_bad_commands_get_one_line(capsys, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments.split())
    assert status == 2 and out == "" and reason in err and err.startswith("naturalistic") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_every_data_set_has_its_command():
    assert set(cli.FETCHABLE) == set(fetching.DATA_SETS)


def test_dry_run(capsys, tmp_path):
    command = ["fetch", "ds003720", "--subject", "1", "002", "--to", str(tmp_path / "to"), "--dry-run"]
    status, out, err = run(capsys, *command)
    assert (status, err) == (0, "")
    for line in (r"sub-001 func +54 +9.25 GB", r"sub-002 anat +2", r"total +115 +18.61 GB +0 bytes +18.61 GB"):
        assert re.search(line, out)
    assert list(tmp_path.iterdir()) == []
    assert "46.52 GB" in run(capsys, *command[:3], "all", *command[5:])[1]


def test_runs_are_selected(capsys, tmp_path):
    _, out, _ = run(capsys, "fetch", "ds003720", "--subject", "1", "--runs", "Training_run-01", "Test_run-01",
                    "--to", str(tmp_path), "--dry-run")  # fmt: skip
    assert re.search(r"sub-001 func +6 +1.03 GB", out) and re.search("disk needed: 1.08 GB, free: ", out)


def test_a_fetch_is_passed_on_and_its_failure_reported(capsys, monkeypatch, tmp_path):
    asked = {}
    monkeypatch.setattr(fetching, "fetch", lambda name, to, **how: asked.update(how, name=name, to=to) or to)
    status, out, _ = run(capsys, "fetch", "gtzan", "--to", "there", "--keep", "--connections", "3")
    assert status == 0 and "gtzan: all that was asked for (1 file) is in there" in out
    how = {"base_url": None, "n_connections": 3, "dry_run": False}
    assert asked == {"name": "gtzan", "to": "there", "keep": True} | how

    def fail(*_, **__):
        raise DownloadError("the server answered 500")

    monkeypatch.setattr(fetching, "fetch", fail)
    assert run(capsys, "fetch", "gtzan", "--to", "there") == (1, "", "naturalistic: the server answered 500\n")


def test_simulate_music(capsys, monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(simulation, "simulate_music", lambda folder, **how: made.append((folder, how)), raising=False)
    assert run(capsys, "simulate", "music", "--to", "here")[:2] == (0, "simulated, not measured: here\n")
    run(capsys, "simulate", "music", "--to", "here", "--seed", "0", "--subjects", "2")
    assert made == [("here", {}), ("here", {"seed": 0, "subjects": 2})]

    def refuse(folder, **_):
        raise ValueError("subjects is 0, expected 1 or more")

    monkeypatch.setattr(simulation, "simulate_music", refuse, raising=False)
    assert run(capsys, "simulate", "music", "--to", "here") == (
        2,
        "",
        "naturalistic: subjects is 0, expected 1 or more\n",
    )


class Slow(BaseHTTPRequestHandler):
    """Sends an anatomical image for ever; has nothing else."""

    def do_GET(self):
        if not self.path.endswith("T1w.nii"):
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", "54526304")
        self.end_headers()
        while not self.server.over.wait(0.02):
            self.wfile.write(bytes(1 << 16))

    def log_message(self, *_):
        pass


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to another process")
def test_ctrl_c_leaves_what_can_be_gone_on_with(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.over, server.handle_error = threading.Event(), lambda *_: None
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    command = ["fetch", "ds003720", "--subject", "1", "--runs", "Test_run-01", "--to", str(tmp_path / "to")]
    address = ["--base-url", f"http://127.0.0.1:{server.server_port}"]
    whole = [sys.executable, "-m", "naturalistic", *command, *address]
    # processes that run tests side by side, or in the background, ignore Ctrl-C, and so would their children
    heeding = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(whole, stderr=subprocess.PIPE, text=True, preexec_fn=heeding)
    part = tmp_path / "to" / "sub-001" / "anat" / "sub-001_T1w.nii.part"
    try:
        end = time.monotonic() + 120
        while not (part.exists() and part.stat().st_size) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=30)[1]
    finally:
        server.over.set()
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
    assert process.returncode == 130
    assert "stopped; what has arrived is kept. To go on: naturalistic fetch ds003720 --subject 1" in err
    assert "Traceback" not in err
    assert part.stat().st_size > 0 and not part.with_suffix("").exists()


def test_without_the_simulation(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "naturalistic_simulation", None)
    for command in ("simulate music", "train mini-ssl"):
        status, out, err = run(capsys, *command.split(), "--to", str(tmp_path / "x"))
        assert (status, out) == (2, "") and "this command needs the package naturalistic_simulation" in err


def test_help_imports_nothing_slow():
    code = "import sys; from naturalistic import cli; cli._parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"numpy", "torch", "requests", "joblib", "pooch", "tqdm"} & set(loaded) == set()
