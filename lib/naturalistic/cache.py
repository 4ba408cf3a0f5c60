"""Where made and downloaded files are kept, and the cache of what is slow to compute."""

import os
from pathlib import Path

import joblib
import pooch


def cache_dir():
    """Return the folder for downloads and caches: ``$NATURALISTIC_CACHE``, or the user's cache folder."""
    folder = os.environ.get("NATURALISTIC_CACHE")
    return Path(folder).expanduser() if folder else Path(pooch.os_cache("naturalistic"))


def memory(name):
    """Return the `joblib.Memory` called ``name`` inside `cache_dir` (made when something is first stored)."""
    return joblib.Memory(cache_dir() / name, verbose=0)
