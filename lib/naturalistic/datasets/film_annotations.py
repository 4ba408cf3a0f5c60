"""Names, annotations and presentations of BOLD Moments' films."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naturalistic.intact import read_json
from naturalistic.text_files import number, read_cells

_FIELDS = ("text_descriptions", "objects", "scenes", "actions")
_NOTHING = "--"  # an annotator who named fewer objects


@dataclass(frozen=True)
class FilmAnnotation:
    """What five people wrote about a film.

    Attributes
    ----------
    captions : tuple of str
    objects : tuple of tuples of str
        Of each annotator.
    scenes, actions : tuple of str
    split : str
        ``"train"`` or ``"test"``; empty where it is not said.
    """

    captions: tuple[str, ...]
    objects: tuple[tuple[str, ...], ...]
    scenes: tuple[str, ...]
    actions: tuple[str, ...]
    split: str


def read_annotations(path: Path | str) -> dict[str, FilmAnnotation]:
    """Return what people wrote about each film, by the film's name.

    Parameters
    ----------
    path : str or Path
        ``annotations.json``.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file and the film that lacks something.
    """
    content = read_json(path, "get it: naturalistic fetch ds005165 --subject 1 --parts annotations --to data/ds005165")
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path} holds no films, expected an object of film names and annotations")
    return {film_name(name): _annotation(path, name, entry) for name, entry in content.items()}


def _annotation(path: Path | str, name: str, entry: Any) -> FilmAnnotation:
    if not isinstance(entry, dict) or any(not isinstance(entry.get(field), list) for field in _FIELDS):
        raise ValueError(f"{path}: film {name} lacks one of the lists {', '.join(_FIELDS)}")
    captions, scenes, actions = (tuple(map(str, entry[field])) for field in ("text_descriptions", "scenes", "actions"))
    objects = tuple(tuple(word for word in each if word != _NOTHING) for each in entry["objects"])
    return FilmAnnotation(captions, objects, scenes, actions, str(entry.get("set", "")))


def read_film_events(path: Path | str) -> list[tuple[float, str]]:
    """Return onset in s and film of each presentation of a run, oddballs left out.

    Parameters
    ----------
    path : str or Path
        An ``events.tsv`` of ds005165.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file and the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected the events of a run")
    lines = read_cells(path, "\t")
    columns = lines[0] if lines else []
    if not {"onset", "stim_file"} <= set(columns):
        raise ValueError(f"{path} has the columns {', '.join(columns) or 'none'}, expected onset and stim_file")
    events = []
    for k, row in enumerate(lines[1:], 2):
        cells = dict(zip(columns, row))
        try:
            if cells["stim_file"] != "n/a":
                events.append((number(cells["onset"]), film_name(cells["stim_file"])))
        except (KeyError, ValueError) as error:
            raise ValueError(f"{path}, line {k}: expected an onset in s and a film ({error})") from error
    return events


def film_name(text: str) -> str:
    """Return the name of a film, ``"0001"``, of ``vid0001``, ``vid_idx0001``, ``train/0001.mp4`` and the like.

    Raises
    ------
    ValueError
        If the text ends with no number.
    """
    found = re.search(r"(\d+)(?:\.\w+)?$", str(text))
    if not found:
        raise ValueError(f"{text!r} names no film: expected a number such as in vid0001")
    return f"{int(found[1]):04d}"
