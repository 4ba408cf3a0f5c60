"""Opens a page in a browser without a window, and without a network."""

import shutil
import subprocess

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def command(url, folder, *more):
    """Return the command that opens a page with a profile in a folder; no name but loopback resolves."""
    return [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--enable-logging=stderr", "--v=0", *more, url,
    ]  # fmt: skip


def opened(url, folder, *more):
    """Return the document after its scripts ran, and what the browser logged; one that hangs is started again."""
    for left in (2, 1, 0):
        started = command(url, folder / f"{left}-left", *more, "--dump-dom")
        try:
            done = subprocess.run(started, capture_output=True, text=True, timeout=120)
            return done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            if not left:
                raise
