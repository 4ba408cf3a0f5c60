"""Simulated films: three short dramas, and their annotations.

The dramas were written for this book; each second has text on five levels. A drama is a JSON file of shots
and scenes (``movie/dramas``). All else derives from it: speech, objects and story of each second, luminance,
loudness and cuts. Speech is kept by utterance: each second in which some of a line is spoken has all of the
line, and two lines if one ends and the next begins in it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DRAMAS = ("lighthouse", "bakery", "station")
# s: of film in a run, shown again when the next run begins, of one entry of Story
RUN = 450
OVERLAP = 20
BEAT = 5
# s, shortest and longest
SCENES = (50, 120)
SHOTS = (2, 12)
# level -> kind in the names of its files, number of annotators
LEVELS = {
    "Speech": ("speechTranscription_EN", None),
    "Object": ("objectiveAnnot50chara", 3),
    "Story": ("story", 2),
    "Summary": ("summary", 2),
    "TimePlace": ("timePlace", 2),
}
MARKER = "メイン#"  # stands before what is said, as in the real files
NOTHING = ".."
VOICE = 0.7  # loudness of speech, where 1 is the loudest background
_FORBIDDEN = ("/", "[", "]", "\n", "#", "不明")  # they would part or mark a row
_KEYS = {"place", "time", "summary", "sound", "shots", "story", "lines"}


@dataclass(frozen=True)
class Film:
    """Film of one run, second by second.

    Attributes
    ----------
    texts : dict of str to list of n_seconds lists of str
        By level: one text of each annotator; in Speech one of each line, and none in silence.
    speakers : list of n_seconds lists of str
        Of each line.
    luminance, loudness : arrays (n_seconds,)
        0 to 1, and to 1.2 where someone speaks in a noise.
    cuts : array (n_seconds,)
        1 where a shot begins, else 0.
    n_words : array (n_seconds,)
        Words spoken: those of a line are spread evenly over it.
    """

    texts: dict
    speakers: list
    luminance: np.ndarray
    loudness: np.ndarray
    cuts: np.ndarray
    n_words: np.ndarray

    def __len__(self) -> int:
        """Return the number of seconds."""
        return len(self.luminance)

    def part(self, first: int, last: int) -> "Film":
        """Return the film from second ``first`` to before second ``last``."""
        wanted = slice(first, last)
        arrays = (self.luminance, self.loudness, self.cuts, self.n_words)
        texts = {level: seconds[wanted] for level, seconds in self.texts.items()}
        return Film(texts, self.speakers[wanted], *(array[wanted] for array in arrays))


def read_drama(name: Path | str) -> dict:
    """Return a drama from its file, checked.

    Parameters
    ----------
    name : str or Path
        One of `DRAMAS`, or a file.

    Raises
    ------
    ValueError, FileNotFoundError
        Naming the file, the run and the scene, what was expected and what came.
    """
    path = Path(__file__).parent / "dramas" / f"{name}.json" if name in DRAMAS else Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected a drama, one of {', '.join(DRAMAS)} or a JSON file")
    try:
        drama = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error})") from error
    check_drama(drama, path.name)
    return drama


def check_drama(drama: dict, where: str) -> None:
    """Check each scene of a drama, and raise at the first wrong one.

    Parameters
    ----------
    drama : dict
    where : str
        How to call it in the message.

    Raises
    ------
    ValueError
    """
    missing = {"title", "genre", "people", "runs"} - set(drama)
    if missing:
        raise ValueError(f"{where} lacks {', '.join(sorted(missing))}")
    for k, run in enumerate(drama["runs"], 1):
        for j, scene in enumerate(run["scenes"], 1):
            _check_scene(scene, drama["people"], f"{where}, run {k}, scene {j}")
        length = sum(_length(scene) for scene in run["scenes"])
        if length != RUN:
            raise ValueError(f"{where}, run {k} lasts {length} s, expected {RUN} s")


def line_length(text: str) -> float:
    """Return the duration of a spoken line, in s."""
    return 0.4 * len(text.split()) + 0.3


def films(drama: dict) -> list[Film]:
    """Return a `Film` for each run; it begins with the last 20 s of the one before."""
    scenes = [scene for run in drama["runs"] for scene in run["scenes"]]
    whole = joined([_of_scene(scene) for scene in scenes])
    return [whole.part(max(k * RUN - OVERLAP, 0), (k + 1) * RUN) for k in range(len(drama["runs"]))]


def rows(film: Film, level: str) -> list[str]:
    """Return the rows of an annotation file in the format of ds005531, one a second."""
    if level == "Speech":
        said = [
            "/".join(f"{name}:{text}" for name, text in zip(*second)) or NOTHING
            for second in zip(film.speakers, film.texts[level])
        ]
        return [f"[{k}]{MARKER}{text}" for k, text in enumerate(said)]
    return [f"[{k}]" + "/".join(second) for k, second in enumerate(film.texts[level])]


def _length(scene: dict) -> int:
    return sum(shot["seconds"] for shot in scene["shots"])


def _check_scene(scene: dict, people: Iterable[str], where: str) -> None:
    if missing := _KEYS - set(scene):
        raise ValueError(f"{where} lacks {', '.join(sorted(missing))}")
    shots = scene["shots"]
    length = _length(scene)
    if length % BEAT or not SCENES[0] <= length <= SCENES[1]:
        raise ValueError(f"{where} lasts {length} s, expected a multiple of {BEAT} s from {SCENES[0]} to {SCENES[1]} s")
    wrong = [shot["seconds"] for shot in shots if shot["seconds"] not in range(SHOTS[0], SHOTS[1] + 1)]
    if wrong:
        raise ValueError(f"{where} has a shot of {wrong[0]} s, expected whole seconds from {SHOTS[0]} to {SHOTS[1]}")
    levels = [scene["sound"], *(shot["light"] for shot in shots)]
    if not all(0 <= level <= 1 for level in levels):
        raise ValueError(f"{where}: sound and light are {levels}, expected 0 to 1")
    if len(scene["story"]) != length // BEAT:
        raise ValueError(
            f"{where} has {len(scene['story'])} entries of story, expected {length // BEAT}, one for each {BEAT} s"
        )
    of_level = {"Object": [shot["seen"] for shot in shots], "Story": scene["story"], "Summary": [scene["summary"]],
                "TimePlace": [scene["place"], scene["time"]]}  # fmt: skip
    for level, entries in of_level.items():
        for entry in entries:
            if isinstance(entry, str) or len(entry) != LEVELS[level][1]:
                raise ValueError(f"{where}: {entry!r} is no list of {LEVELS[level][1]} texts, as {level} has")
            for text in entry:
                _check_text(text, f"{where}, {level}")
    _check_lines(scene["lines"], length, people, where)


def _check_lines(lines: list[dict], length: int, people: Iterable[str], where: str) -> None:
    """Check speakers and texts, and that lines lie in the scene one after another."""
    end = 0.0
    for line in lines:
        _check_text(line["text"], f"{where}, line at {line['at']} s")
        if line["speaker"] not in people or ":" in line["speaker"]:
            raise ValueError(f"{where}: {line['speaker']!r} speaks, expected one of {', '.join(people)}")
        if line["at"] < end - 1e-6:
            raise ValueError(f"{where}: the line at {line['at']} s begins before {end:.1f} s, when another one ends")
        end = line["at"] + line_length(line["text"])
        if end > length + 1e-6:
            raise ValueError(f"{where}: the line at {line['at']} s ends at {end:.1f} s, after the scene ({length} s)")


def _check_text(text: str, where: str) -> None:
    found = [sign for sign in _FORBIDDEN if sign in text]
    if found or not text.strip(" ."):
        raise ValueError(f"{where}: text is {text!r}, expected some words, and none of {' '.join(_FORBIDDEN).split()}")


def _of_scene(scene: dict) -> Film:
    """Return the `Film` of one scene."""
    n = _length(scene)
    of_shot = np.repeat(np.arange(len(scene["shots"])), [shot["seconds"] for shot in scene["shots"]])
    place = [f"{where}, {when}" for where, when in zip(scene["place"], scene["time"])]
    said = [[] for _ in range(n)]
    speakers = [[] for _ in range(n)]
    spoken = np.zeros(n)
    n_words = np.zeros(n)
    for line in scene["lines"]:
        first = line["at"]
        last = line["at"] + line_length(line["text"])
        inside = np.clip(np.minimum(np.arange(n) + 1, last) - np.maximum(np.arange(n), first), 0, None)
        for k in np.flatnonzero(inside > 1e-6):
            said[k].append(line["text"])
            speakers[k].append(line["speaker"])
        spoken += inside
        n_words += inside / (last - first) * len(line["text"].split())
    texts = {
        "Speech": said,
        "Object": [list(scene["shots"][k]["seen"]) for k in of_shot],
        "Story": [list(scene["story"][k // BEAT]) for k in range(n)],
        "Summary": [list(scene["summary"])] * n,
        "TimePlace": [place] * n,
    }
    light = np.array([shot["light"] for shot in scene["shots"]], dtype=float)
    cuts = np.diff(of_shot, prepend=-1).astype(float)
    return Film(texts, speakers, light[of_shot], np.hypot(scene["sound"], VOICE * spoken), cuts, n_words)


def joined(parts: list[Film]) -> Film:
    """Return films joined in time."""
    texts = {level: [second for part in parts for second in part.texts[level]] for level in LEVELS}
    speakers = [second for part in parts for second in part.speakers]
    names = ("luminance", "loudness", "cuts", "n_words")
    return Film(texts, speakers, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))
