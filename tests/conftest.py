"""What the tests share: data in the real layout, and a cache folder that no test leaves behind."""

import os
from pathlib import Path

import matplotlib
import pytest

from naturalistic.miniature import make_story

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep downloads and caches of a test out of the user's folders."""
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    """Folder of the made story in 27 made brains."""
    return make_story(tmp_path_factory.mktemp("made") / "alice-stand-in")


@pytest.fixture
def real_alice():
    """Folder of the real Alice data; the test is skipped where they are not."""
    folder = Path(os.environ.get("NATURALISTIC_DATA", "/nowhere")) / "alice"
    if not folder.is_dir():
        pytest.skip("the real Alice data are not here: set NATURALISTIC_DATA")
    return folder
