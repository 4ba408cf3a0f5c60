"""What can be measured in picture and sound of a film, second by second, where it lies beside the annotations.

The miniature writes ``derivatives/stimulus/<run>_each1sec.tsv``; ds005531 has no such files, and its films are not
public.
"""

import numpy as np

from naturalistic.text_files import number, read_cells


def measured(movie, runs=None):
    """Return luminance, loudness, cuts and words spoken of each second, overlaps dropped.

    Parameters
    ----------
    movie : NarrativeMovie
    runs : optional
        As everywhere in `narrative_movie`.

    Returns
    -------
    values : dict of str to float32 array (n_trs,)
        By column; empty where the data set has no such files.

    Raises
    ------
    FileNotFoundError, ValueError
        If some runs have a file and others none, rows are missing, columns differ, or a cell is no number.
    """
    folder = movie.folder / "derivatives" / "stimulus"
    chosen = movie.select(runs)
    paths = {run: folder / f"{run.repeat_of or run.name}_each1sec.tsv" for run in chosen}
    there = [run for run, path in paths.items() if path.is_file()]
    if not there:
        return {}
    blocks, columns = [], None
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


def _read(path):
    lines = read_cells(path, "\t")
    if not lines:
        raise ValueError(f"{path} is empty, expected the names of columns and a row a second")
    header, rows = lines[0], lines[1:]
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
