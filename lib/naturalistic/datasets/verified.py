"""A note of the files whose hashes were seen to be right, so that nobody hashes 46 GB again."""

import contextlib
import json
import os
import threading
from pathlib import Path

NAME = ".naturalistic-verified.json"


class Verified:
    """The note kept in a folder; a file that changed in size or time since then is no longer in it.

    Parameters
    ----------
    folder : str or Path
        The note is read from it where there is one; one that cannot be read counts as empty.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._lock = threading.Lock()
        try:
            noted = json.loads((self.folder / NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            noted = {}
        self._noted = noted if isinstance(noted, dict) else {}

    def holds(self, file, target):
        """Say whether ``target`` was noted as this `RemoteFile` and has not changed since."""
        stamp = _stamp(file, target)
        return stamp is not None and self._noted.get(file.path) == stamp

    def add(self, file, target):
        """Note that ``target`` is this `RemoteFile`; the note is replaced whole or not at all."""
        with self._lock:
            self._noted[file.path] = _stamp(file, target)
            new = self.folder / (NAME + ".new")
            with contextlib.suppress(OSError):  # without the note the file is hashed again, no more
                new.write_text(json.dumps(self._noted, indent=0), encoding="utf-8")
                os.replace(new, self.folder / NAME)


def _stamp(file, target):
    try:
        status = os.stat(target)
    except OSError:
        return None
    if status.st_size != file.n_bytes:
        return None
    return [status.st_size, status.st_mtime_ns, file.digest]
