"""Tables of stimulus features beside the annotations: named columns of numbers, a row a second.

Any data set in the layout of ds005531 may have them, as ``derivatives/annotation/<run>_features_each1sec.tsv``: a
header and one row for each second of the whole run, tab-separated, the same columns in all runs. A run that repeats
another needs no table of its own. Columns are what was measured in picture and sound, such as ``luminance``,
``loudness`` and ``cuts``; models take them as a feature space, or as controls (`features.controls`), for which
``n_words`` is the words spoken by their exact times. ds005531 was published without such tables.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalistic.datasets.narrative_movie import NarrativeMovie
from naturalistic.text_files import number, read_cells


def stimulus_features(movie: NarrativeMovie, runs: Sequence[str] | str | None = None) -> dict[str, NDArray]:
    """Return the features of each second by name, overlaps dropped.

    Parameters
    ----------
    movie : NarrativeMovie
    runs : optional
        As everywhere in `narrative_movie`.

    Returns
    -------
    features : dict of str to float32 array (n_trs,)
        By column; empty where the data set has no tables.

    Raises
    ------
    FileNotFoundError, ValueError
        If some runs have a table and others none, rows are missing, columns differ, or a cell is no number.
    """
    paths = {run: _table_path(movie.folder, run.repeat_of or run.name) for run in movie.select(runs)}
    there = [run for run, path in paths.items() if path.is_file()]
    if not there:
        return {}
    blocks = []
    columns = None
    for run, path in paths.items():
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing, while {paths[there[0]].name} is there")
        names, values = _read(path)
        if len(values) != run.n_seconds:
            raise ValueError(f"{path} has {len(values)} rows, expected {run.n_seconds}, one a second of {run.name}")
        if columns not in (None, names):
            raise ValueError(f"{path} has the columns {', '.join(names)}, other files {', '.join(columns)}")
        columns = names
        blocks.append(values[run.n_overlap :])
    return dict(zip(columns, np.concatenate(blocks).T.astype(np.float32)))


def _table_path(folder: Path, run: str) -> Path:
    """Return the table of a run; where it is not there, that of the first edition, if there is one.

    Parameters
    ----------
    folder : Path
        Root of the data set.
    run : str
        Such as ``"station_run-01"``.
    """
    path = folder / "derivatives" / "annotation" / f"{run}_features_each1sec.tsv"
    first_edition = folder / "derivatives" / "stimulus" / f"{run}_each1sec.tsv"
    return first_edition if first_edition.is_file() and not path.is_file() else path


def _read(path: Path) -> tuple[list[str], NDArray]:
    lines = read_cells(path, "\t")
    if not lines:
        raise ValueError(f"{path} is empty, expected the names of columns and a row a second")
    header = lines[0]
    rows = lines[1:]
    values = np.zeros((len(rows), len(header)))
    for k, row in enumerate(rows):
        try:
            numbers = [number(cell) for cell in row]
            if len(numbers) != len(header):
                raise ValueError(f"it has {len(numbers)} cells")
        except ValueError as error:
            raise ValueError(
                f"{path}, line {k + 2} has no number in each column: expected {len(header)} numbers in each row, "
                f"tab-separated ({error})"
            ) from error
        values[k] = numbers
    return header, values
