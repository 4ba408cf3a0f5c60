"""Chapters as programs: found by name, run by papermill with parameters, one subject a job where there is a cluster."""

import ast
import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from naturalistic.cache import RequestError, check_folder, whole_or_absent
from naturalistic.cluster import UNITS, connect
from naturalistic.parameters import did_you_mean

EXTRA = 'pip install "naturalistic[book]"'


def find_chapter(name: str, folder: Path | str | None = None) -> Path:
    """Return the notebook of a chapter.

    Parameters
    ----------
    name : str
        Of the file, with or without its number: ``"language-encoding"``, ``"12-language-encoding"``, ``"12"``.
    folder : Path or str, optional
        That holds ``notebooks``; by default the current folder or the clone that is installed.

    Returns
    -------
    path : Path
        Of the ``.ipynb``.

    Raises
    ------
    RequestError
        If there are no notebooks, or none has the name.
    """
    places = [Path(folder)] if folder else [Path.cwd(), Path(__file__).parents[2]]
    found = [sorted((place / "notebooks").glob("[0-9][0-9]-*.ipynb")) for place in places]
    chapters = next((paths for paths in found if paths), None)
    if chapters is None:
        where = " and ".join(str(place / "notebooks") for place in places)
        raise RequestError(f"no chapters in {where}: run this in a clone of the book")
    names = {alias: path for path in chapters for alias in (path.stem, path.stem[3:], path.stem[:2])}
    if name not in names:
        raise RequestError(
            f"no chapter is called {name!r}{did_you_mean(name, names)}; there are "
            f"{', '.join(path.stem for path in chapters)}"
        )
    return names[name]


def chapter_parameters(path: Path) -> dict[str, Any]:
    """Return the parameters of a chapter and their defaults, from the cell that papermill replaces."""
    import json

    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
    tree = ast.parse("".join(tagged[0]["source"])) if tagged else ast.Module([], [])
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    return {node.targets[0].id: ast.literal_eval(node.value) for node in assigned}


def read_parameters(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return parameters of a command line, their values read as YAML.

    Parameters
    ----------
    pairs : sequence of (name, text)

    Returns
    -------
    parameters : dict

    Raises
    ------
    RequestError
        If a value is no YAML.
    """
    if not pairs:
        return {}
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise RequestError(f"parameters are read by PyYAML: {EXTRA}") from error
    parameters = {}
    for name, value in pairs:
        try:
            parameters[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise RequestError(f"{name} is {value!r}, which is no YAML: {error}") from error
    return parameters


def run_chapter(path: str, parameters: Mapping[str, Any], output: str) -> dict[str, str]:
    """Run one chapter by papermill, as a unit of work; its output is whole or absent.

    Parameters
    ----------
    path, output : str
        Notebooks.
    parameters : dict

    Returns
    -------
    result : dict
        ``output``.
    """
    import papermill

    part = Path(output).with_name(f".{Path(output).stem}.{os.getpid()}.part.ipynb")  # papermill writes no other kind
    with whole_or_absent(output, part):
        papermill.execute_notebook(
            path, part, dict(parameters), cwd=Path(path).parent, kernel_name="python3", progress_bar=False
        )
    return {"output": output}


def run_subjects(
    name: str,
    parameters: Mapping[str, Any],
    *,
    subjects: Sequence[str] = (),
    cluster: str | Path = "local",
    to: Path | str = "runs",
    folder: Path | str | None = None,
) -> list[Path]:
    """Run a chapter for each subject as a job, and then for all of them.

    What the jobs fit is kept as units in the shared folder, where the last run finds it.

    Parameters
    ----------
    name : str
        See `find_chapter`.
    parameters : dict
        Of the chapter.
    subjects : sequence of str
        Labels; with fewer than two the chapter is run once.
    cluster : str or Path
        See `cluster.connect`.
    to : Path or str
        Folder of the notebooks that were run.
    folder : Path or str, optional
        That holds ``notebooks``.

    Returns
    -------
    outputs : list of Path
        Those of the subjects, and last that of all.

    Raises
    ------
    RequestError
        If the chapter, a parameter or the cluster is not there, before anything runs.
    """
    path = find_chapter(name, folder)
    known = chapter_parameters(path)
    for given in [*parameters, *["subjects"][: bool(subjects)]]:
        if given not in known:
            raise RequestError(
                f"{path.stem} has no parameter {given!r}{did_you_mean(given, known)}; there are {', '.join(known)}"
            )
    try:
        import papermill  # noqa: F401 (before any job starts)
    except ModuleNotFoundError as error:
        raise RequestError(f"chapters are run by papermill: {EXTRA}") from error
    check_folder(to)
    to = Path(to).absolute()
    whole = dict(parameters) | ({"subjects": list(subjects)} if subjects else {})
    outputs = []
    with connect(cluster) as workers, _units_kept(workers.folder):
        if workers.folder is not None and len(subjects) > 1:
            units = []
            for subject in subjects:
                outputs.append(to / f"{path.stem}-{subject}.ipynb")
                own = {**parameters, "subjects": [subject]}
                units.append({"path": str(path), "parameters": own, "output": str(outputs[-1])})
            workers.map(_run_with_units, [unit | {"units": str(workers.folder)} for unit in units], label="subjects")
        outputs.append(to / f"{path.stem}.ipynb")
        run_chapter(str(path), whole, str(outputs[-1]))
    return outputs


def _run_with_units(path: str, parameters: Mapping[str, Any], output: str, units: str) -> dict[str, str]:
    """Run a chapter on a worker, with the folder of units of those who sent it."""
    with _units_kept(Path(units)):
        return run_chapter(path, parameters, output)


@contextlib.contextmanager
def _units_kept(folder: Path | None) -> Iterator[None]:
    """Name the folder of units to the chapter's process."""
    before = os.environ.get(UNITS)
    if folder is not None:
        os.environ[UNITS] = str(folder)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(UNITS, None)
        else:
            os.environ[UNITS] = before
