"""Nine hours of simulated film in the layout of ds005531.

The three dramas repeat, each time in other words.
"""

import functools
from collections.abc import Iterable

from naturalistic.datasets.movie_runs import N_OVERLAP, published_runs

from naturalistic_simulation.movie.screenplay import DRAMAS, Film, films, joined, read_drama

N_ANNOTATORS = {"Object": 5, "Story": 2, "Summary": 2, "TimePlace": 2}  # of the data set; Speech has none
N_WORDS = 5  # that a text gets from another one


def films_of(runs: Iterable) -> dict[str, Film]:
    """Return the film of each run, as long as in the data set.

    Parameters
    ----------
    runs : sequence of MovieRun
        An episode's runs one after another: each but its first begins with the last 20 s of the one before.
    """
    shown = {}
    at = 0
    last = None
    film = _all_dramas(0)
    for run in sorted(runs, key=lambda run: (run.episode, run.name)):
        at -= N_OVERLAP * (run.episode == last)
        while len(film) < at + run.n_seconds:
            film = joined([film, _all_dramas(len(film) // len(_all_dramas(0)))])
        shown[run.name] = film.part(at, at + run.n_seconds)
        last = run.episode
        at += run.n_seconds
    return shown


def all_runs() -> tuple:
    """Return all 43 runs of the data set."""
    return published_runs("paper")


@functools.cache
def _all_dramas(k: int) -> Film:
    """Return all dramas one after another, retold for the ``k``-th time."""
    parts = [part for name in DRAMAS for part in _without_overlaps(read_drama(name))]
    whole = joined(parts)
    texts = {level: retold(seconds, k, N_ANNOTATORS.get(level)) for level, seconds in whole.texts.items()}
    return Film(texts, whole.speakers, whole.luminance, whole.loudness, whole.cuts, whole.n_words)


def _without_overlaps(drama: dict) -> list[Film]:
    """Return the runs of a drama without their overlaps."""
    first, *others = films(drama)
    return [first, *(film.part(N_OVERLAP, len(film)) for film in others)]


def retold(seconds: list[list[str]], k: int, n_annotators: int | None = None) -> list[list[str]]:
    """Return texts with other endings.

    Each ends with the first words of another text of the same level.

    Parameters
    ----------
    seconds : list of n_seconds lists of str
    k : int
        Number of earlier tellings; 0 leaves the texts of the annotators as they are.
    n_annotators : int, optional
        Number of texts of a second; further ones retell the first. By default as many as there are.

    Returns
    -------
    seconds : list of n_seconds lists of str
    """
    known = list(dict.fromkeys(text for second in seconds for text in second))
    position = {text: j for j, text in enumerate(known)}

    def other(text: str, step: int) -> str:
        words = known[(position[text] + step) % len(known)].split()[:N_WORDS]
        return f"{text} {' '.join(words)}" if step else text

    def annotated(second: list[str]) -> list[str]:
        n = len(second) if n_annotators is None or not second else n_annotators
        return [other(second[a % len(second)], k + 31 * (a // len(second))) for a in range(n)]

    return [annotated(second) for second in seconds]
