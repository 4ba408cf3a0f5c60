"""Which models of the hub are in its local cache; the hub itself is not asked."""

from pathlib import Path

# short name -> id; those of the loaders (features.*, generation.*), whose modules take seconds to import
HUB = {
    "clap": "laion/larger_clap_music",
    "muq-mulan": "OpenMuQ/MuQ-MuLan-large",
    "w2v-bert": "facebook/w2v-bert-2.0",
    "encodec": "facebook/encodec_24khz",
    "musicldm": "ucsd-reach/musicldm",
    "musicgen": "facebook/musicgen-small",
}


def models(folder=None):
    """Return the models that the chapters name and all others of the cache: id -> whether it is there.

    Parameters
    ----------
    folder : Path, optional
        The hub's cache unless given.
    """
    folder = Path(folder or _cache())
    there = {path.name.removeprefix("models--").replace("--", "/") for path in folder.glob("models--*")}
    # a download that was stopped has blobs, and no snapshot with a config
    whole = {name for name in there if _has_snapshot(folder / f"models--{name.replace('/', '--')}")}
    return {name: name in whole for name in [*HUB.values(), *sorted(there - set(HUB.values()))]}


def _has_snapshot(folder):
    return any(folder.glob("snapshots/*/config.json")) or any(folder.glob("snapshots/*/model_index.json"))


def _cache():
    from huggingface_hub.constants import HF_HUB_CACHE

    return HF_HUB_CACHE
