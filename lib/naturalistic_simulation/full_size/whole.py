"""Files that are written whole or not at all, and left alone where they are there: an interrupted making goes on."""

import json
import os
from pathlib import Path

from naturalistic.cache import check_room, check_writable
from naturalistic.simulated import MARKS


def written(path, write):
    """Write a file under another name and rename it, unless it is there.

    Parameters
    ----------
    path : Path
    write : callable
        ``write(part)`` writes the file ``part``.

    Returns
    -------
    is_new : bool
    """
    path = Path(path)
    if path.is_file():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    write(part)
    os.replace(part, path)
    return True


def write_text(path, text):
    """Write a small text file as `written` does."""
    return written(path, lambda part: part.write_text(text, encoding="utf-8", newline="\n"))


def write_top(root, readme, name, version):
    """Write what stands at the top of a data set, and says first of all that it was made.

    Parameters
    ----------
    root : Path
    readme : str
        What follows on those words.
    name : str
        Of the data set in whose layout it is.
    version : str
        Of BIDS, as that data set has it.
    """
    write_text(root / "README", f"{MARKS[0]}. {readme}")
    about = {"Name": f"Simulated data in the layout of the {name}", "BIDSVersion": version}
    write_text(root / "dataset_description.json", json.dumps(about, indent=4))


def check_disk(folder, paths, n_bytes):
    """Look whether the folder can be written, and for room for those files that are not there yet.

    Parameters
    ----------
    folder : Path
    paths : list of Path
    n_bytes : list of int
        Of each.

    Raises
    ------
    RequestError
        With what is needed and what there is.
    """
    if not all(path.is_file() for path in paths):  # what is whole may be on a disk that can only be read
        check_writable(folder)
    check_room(Path(folder), sum(n for path, n in zip(paths, n_bytes) if not path.is_file()))
