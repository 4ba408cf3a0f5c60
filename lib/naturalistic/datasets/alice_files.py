"""Where the files of the Alice data are: the reader's own copy, the cache, or the public copy."""

import os
from importlib.resources import files
from pathlib import Path

from naturalistic import simulated
from naturalistic.cache import cache_dir
from naturalistic.datasets.fetch import DownloadError, download, read_manifest, sha256

ADDRESS = (
    "https://raw.githubusercontent.com/daandouwe/Thesis/ec54039b6ac5ad7bf8c81b91768108e5be5c1ce0/"
    "brain-data/syntax-in-rnng"
)
TEXTGRID = "alice_stim_shared/DownTheRabbitHoleFinal_exp120_pad_1.TextGrid"
# a copy of the TextGrid in circulation stops after 298,496 of its 301,992 bytes, 28 intervals early
CUT_TEXTGRID = "fead733c77de2ba50919bf2594c86119d09c6f2124cee5b1f7c69543341c4e0c"


def manifest():
    """Return the SHA-256 of each published file, by its path."""
    return read_manifest(files("naturalistic.datasets") / "alice_sha256.txt")


def locate(fallback=None):
    """Return the folder of the published data, downloading it if it must.

    Looked for in ``$NATURALISTIC_DATA/alice``, then in the cache, then at the public copy. Every file is
    compared with its SHA-256.

    Parameters
    ----------
    fallback : {"simulated"}, optional
        What stands in for the data where they are not to be had.

    Raises
    ------
    ValueError
        If a file of ``$NATURALISTIC_DATA/alice`` is missing or is not the published one.
    DownloadError
        If the data are nowhere and there is no ``fallback``.
    """
    own = os.environ.get("NATURALISTIC_DATA")
    if own and (Path(own).expanduser() / "alice").is_dir():
        folder = Path(own).expanduser() / "alice"
        check_published(folder)
        return folder
    if own:
        print(f"$NATURALISTIC_DATA ({own}) has no folder alice; looking in the cache and at the public copy.")
    folder = cache_dir() / "alice"
    try:
        return download(manifest(), ADDRESS, folder)
    except DownloadError as error:
        if fallback is None:
            raise
        print(f"SIMULATED DATA: the Alice data are not to be had here, what follows is no brain's. ({error})")
        return simulated.simulate("story")


def check_published(folder):
    """Compare the files of a folder with the published ones, by SHA-256.

    Raises
    ------
    FileNotFoundError, ValueError
        If one is missing, or is another one.
    """
    published = manifest()
    missing = [name for name in published if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {len(missing)} of {len(published)} files of the Alice data: {', '.join(missing[:5])}"
            f"{' ...' if len(missing) > 5 else ''}; copy them there, or unset $NATURALISTIC_DATA if it leads here"
        )
    wrong = [name for name in published if sha256(folder / name) not in (published[name], _known_cut(name))]
    if wrong:
        raise ValueError(
            f"{folder}: {', '.join(wrong[:5])}{' ...' if len(wrong) > 5 else ''} "
            "is not the published file (another SHA-256); fetch it again, or open it with load(folder)"
        )


def _known_cut(name):
    return CUT_TEXTGRID if name == TEXTGRID else None
