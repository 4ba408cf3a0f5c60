"""Real data that lie beside the project, where they do."""

import os
from pathlib import Path

import pytest


def real_folder(name, contents):
    """Return a folder of real data, or skip the test where it is not."""
    folder = Path(os.environ.get("NATURALISTIC_DATA", "/nowhere")) / name
    if not folder.is_dir():
        pytest.skip(f"{contents} are not here: set NATURALISTIC_DATA")
    return folder
