"""The JSON files beside an index: read where they are, written whole or not at all."""

import json

from naturalistic import intact
from naturalistic.cache import write_text

AGAIN = "delete its folder and build the index again"


def read_json(path):
    """Return what a file holds, or None where there is none.

    Parameters
    ----------
    path : Path

    Returns
    -------
    content : dict or None

    Raises
    ------
    ValueError
        If the file was cut short.
    """
    return intact.read_json(path, AGAIN) if path.is_file() else None


def write_json(path, content):
    """Write a file under another name, then give it its own.

    Parameters
    ----------
    path : Path
    content : dict
        An entry a line, so that a long list can be looked through.
    """
    write_text(path, json.dumps(content, indent=0))
