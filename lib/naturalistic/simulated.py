"""Simulated data: their marks, their folders, and the second package.

``naturalistic_simulation`` is found by name and imported when it is asked for. Nothing else in the library imports it.
"""

import hashlib
import importlib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from naturalistic.cache import cache_dir
from naturalistic.text_files import read_start

PACKAGE = "naturalistic_simulation"
NAME = "simulated"  # as a data set: dataset="simulated"
OLD_NAMES = ("miniature", "stand-in")
# the README of a simulated data set begins with the first; the others are those of the first edition
MARKS = ("SIMULATED DATA", "MADE MINIATURE", "MADE REHEARSAL", "MADE STAND-IN")
# small models that come with the simulation: name -> "module:function" that loads it
MODELS = {
    "mini-mulan": f"{PACKAGE}.models.embedders:load_mulan",
    "mini-ssl": f"{PACKAGE}.models.embedders:load_ssl",
    "mini": f"{PACKAGE}.models.generator:load",
}


class Titled:
    """Titles of figures, for data sets with a ``name`` and an attribute ``is_simulated``."""

    name: str
    is_simulated: bool

    def title(self, text: str) -> str:
        """Return ``text`` as a title, with the word if the data are simulated."""
        return title(text, self.name)


def name_of(layout: str) -> str:
    """Return the name of simulated data in titles and results.

    Parameters
    ----------
    layout : str
        Data set whose layout they have, such as ``"ds003720"``.
    """
    return f"Simulated data (layout of {layout})"


def has_simulated_name(name: str) -> bool:
    """Return whether a data set's name, as results keep it, is that of simulated data.

    Parameters
    ----------
    name : str
    """
    return name.lower().startswith(("simulated data", "made "))


def title(text: str, name: str) -> str:
    """Return ``text`` as the title of a figure or a sound, with one word if it is of simulated data.

    A figure leaves its page, so each says so by itself; what the data are stands once, on the page's badge.

    Parameters
    ----------
    text : str
    name : str
        Of the data set.
    """
    return f"{text} (simulated)" if has_simulated_name(name) else text


def is_simulated(folder: str | Path, readme: str = "README") -> bool:
    """Return whether a data set was simulated, by the first words of its README.

    Parameters
    ----------
    folder : str or Path
        Root of the data set.
    readme : str
        Where it lies in it.
    """
    return read_start(Path(folder) / readme).startswith(MARKS)


def is_requested(dataset: str | Path, parameter: str = "dataset") -> bool:
    """Return whether ``dataset`` is the name of simulated data.

    A name of the first edition gets a warning.

    Parameters
    ----------
    dataset : str or Path
    parameter : str
        Of which it is the value, for the warning.
    """
    if str(dataset) in OLD_NAMES:
        warnings.warn(
            f'{parameter}="{dataset}" is called {parameter}="{NAME}" now; the old name goes with the next release',
            FutureWarning,
            stacklevel=4,
        )
        return True
    return str(dataset) == NAME


def data_folder(kind: Literal["music", "movie", "film", "story", "corpus", "lab", "clips"]) -> Path:
    """Return the folder of simulated data.

    Parameters
    ----------
    kind : {"music", "movie", "film", "story", "corpus", "lab", "clips"}
    """
    return cache_dir() / NAME / kind


def simulate(
    kind: Literal["music", "movie", "film", "story", "corpus", "lab", "clips"],
    folder: str | Path | None = None,
    **options: Any,
) -> Path:
    """Simulate a data set unless it exists.

    Parameters
    ----------
    kind : {"music", "movie", "film", "story", "corpus", "lab", "clips"}
    folder : str or Path, optional
        `data_folder` by default.
    **options
        Such as ``seed``, ``subjects``.

    Returns
    -------
    folder : Path

    Raises
    ------
    ModuleNotFoundError
        If the second package is not installed.
    """
    folder = Path(folder) if folder is not None else data_folder(kind)
    getattr(simulation(wanted=f'dataset="{NAME}"'), f"simulate_{kind}")(folder, **options)
    return folder


def recipe_of(folder: Path | str) -> str:
    """Return what the files of a simulated data set depend on, as its README states it.

    Parameters
    ----------
    folder : str or Path
        Root of the data set.

    Returns
    -------
    recipe : str
        A hash.
    """
    return hashlib.sha256((Path(folder) / "README").read_bytes()).hexdigest()[:12]


def render_tracks(paths: Sequence[Path], n_jobs: int | None = 1, progress: bool = False) -> None:
    """Render tracks of a simulated corpus that are not there yet; leave those of other folders alone.

    Parameters
    ----------
    paths : sequence of Path
        Of one corpus.
    n_jobs : int, optional
        Processes; as many as there are cores if None.
    progress : bool
        Show a progress bar.
    """
    if missing := [path for path in paths if not path.is_file() and is_simulated(path.parent.parent.parent)]:
        simulation("corpus", "a track of the simulated corpus").render_tracks(missing, n_jobs=n_jobs, progress=progress)


def known_vectors(corpus: Any, identity: str) -> Any:
    """Return the vectors of a simulated corpus that come with the simulation.

    Parameters
    ----------
    corpus : datasets.fma.Corpus
    identity : str
        Of the embedder, as of `decoding.corpus.index_identity`.

    Returns
    -------
    vectors : float32 array (n_tracks, dim) or None
        None if there are none of this corpus and embedder.
    """
    module = simulation("corpus_vectors", "the simulated corpus")
    return module.known_vectors(corpus.folder.parent, [track.id for track in corpus.tracks], identity)


def simulation(module: str = "", wanted: str = "simulated data") -> Any:
    """Return the simulation, or a module of it.

    Parameters
    ----------
    module : str
        Below the package, such as ``"training.cards"``; the package itself by default.
    wanted : str
        What needs it, for the message.

    Returns
    -------
    module : module

    Raises
    ------
    ModuleNotFoundError
        If the second package is not installed.
    """
    return _imported(f"{PACKAGE}.{module}" if module else PACKAGE, wanted)


def find_loader(path: str) -> Callable:
    """Return the function of a registry entry ``"module:function"``.

    Parameters
    ----------
    path : str

    Returns
    -------
    function : callable

    Raises
    ------
    ModuleNotFoundError
        If it is of the simulation, and that is not installed.
    """
    module, function = path.split(":")
    name = next((name for name, known in MODELS.items() if known == path), path)
    return getattr(_imported(module, f"the model {name!r}"), function)


def _imported(module: str, wanted: str) -> Any:
    try:
        return [importlib.import_module(name) for name in (module.partition(".")[0], module)][1]
    except ModuleNotFoundError as error:
        if error.name != PACKAGE:
            raise
        raise ModuleNotFoundError(
            f"{wanted} needs the package {PACKAGE}, which comes with naturalistic; it is not installed here: install "
            'naturalistic again (in a checkout: pip install -e .), or name a folder of measured data as dataset="..."',
            name=PACKAGE,
        ) from None
