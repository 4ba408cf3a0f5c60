"""Overlap of pieces with others: whole bars, and notes aligned at best."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from naturalistic_simulation.models.tokens import N_PITCHED

REACH = 16  # steps, a bar of four beats: largest shift of a copy in time
TRANSPOSED = 6  # semitones up or down
# more than a piece has
STEPS = 4096
PITCHES = 512


def bars_of(header: NDArray, events: NDArray, apart: bool = False) -> list[bytes]:
    """Return the bars of a piece as bytes that are equal where bars are.

    Transposition and loudness do not count.

    Parameters
    ----------
    header : int array (n_tokens,)
    events : int array (n_events, 6)
    apart : bool
        Of each pitched voice by itself, instead of all that sounds.

    Returns
    -------
    bars : list of bytes
        Bars in which nothing begins, and the last one, which may be cut, are left out.
    """
    if not len(events):
        return []
    bar_steps = 4 * (3 + int(header[0]))
    steps = np.cumsum(np.asarray(events[:, 0], dtype=np.int64))
    rows = np.column_stack([steps % bar_steps, events[:, 1:5]]).astype(np.int16)
    bar = steps // bar_steps
    pitched = rows[:, 1] < N_PITCHED
    part = np.where(pitched, rows[:, 1], -1) if apart else np.zeros(len(rows), dtype=int)
    bars = []
    for index, voice in np.unique(np.column_stack([bar, part])[(bar < bar[-1]) & (part >= 0)], axis=0):
        inside = (bar == index) & (part == voice)
        kept = rows[inside]
        if pitched[inside].any():
            kept[pitched[inside], 2] -= kept[pitched[inside], 2].min()
        bars.append(kept.tobytes())
    return bars


def shared_bars(pieces: Sequence[tuple], learned: Sequence[tuple], apart: bool = False) -> tuple[NDArray, NDArray]:
    """Return the overlap of pieces with others, in bars.

    Parameters
    ----------
    pieces, learned : list of (header, events)
    apart : bool
        See `bars_of`.

    Returns
    -------
    known, closest : float array (n,)
        Share of the bars of each piece that are in any of the learned ones, and in the one with most of them: 1 is a
        copy.
    """
    owners = {}
    for k, piece in enumerate(learned):
        for bar in set(bars_of(*piece, apart)):
            owners.setdefault(bar, []).append(k)
    known = np.zeros(len(pieces))
    closest = np.zeros(len(pieces))
    for row, piece in enumerate(pieces):
        bars = bars_of(*piece, apart)
        found = [owners.get(bar, []) for bar in bars]
        known[row] = np.mean([bool(ks) for ks in found]) if bars else 0
        every = np.array([k for ks in found for k in ks], dtype=int)
        closest[row] = np.bincount(every).max() / len(bars) if len(every) else 0
    return known, closest


def shared_notes(
    pieces: Sequence[tuple], learned: Sequence[tuple], reach: int = REACH, transposed: int = TRANSPOSED
) -> NDArray:
    """Return the share of each piece's notes in the closest learned piece.

    1 is a copy, 0.9 one with changes. Notes match if the same voice plays the same pitch at the same step (length,
    loudness and chord shape do not count), after the whole piece was shifted in time and its pitched voices transposed
    as fits best.

    Parameters
    ----------
    pieces, learned : list of (header, events)
    reach : int
        Steps.
    transposed : int
        Semitones.

    Returns
    -------
    closest : float array (n,)
    """
    notes = [_notes_of(*piece) for piece in learned]
    owner = np.repeat(np.arange(len(notes)), [len(x) for x in notes])
    keys = _keys(np.concatenate(notes))
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    owner = owner[order]
    return np.array([_best_overlap(_notes_of(*piece), keys, owner, len(notes), reach, transposed) for piece in pieces])


def _notes_of(header: NDArray, events: NDArray) -> NDArray:
    """Return step, voice and pitch of each played note, once: (n_notes, 3)."""
    del header  # the key is no part of it: copies may be transposed
    return np.unique(np.column_stack([np.cumsum(events[:, 0]), events[:, 1], events[:, 2]]).astype(np.int64), axis=0)


def _keys(notes: NDArray) -> NDArray:
    """Return numbers that sort by voice, pitch and step."""
    return (notes[:, 1] * PITCHES + notes[:, 2] + PITCHES // 4) * STEPS + notes[:, 0] + STEPS // 4


def _best_overlap(notes: NDArray, keys: NDArray, owner: NDArray, n_learned: int, reach: int, transposed: int) -> float:
    """Return the largest share of notes in one learned piece, aligned at best."""
    if not len(notes):
        return 0.0
    n_shifts = 2 * reach + 1
    pitched = notes[:, 1] < N_PITCHED

    def counted(part: NDArray, up: int) -> NDArray:
        wanted = _keys(part + [0, 0, up])
        first = np.searchsorted(keys, wanted - reach)
        last = np.searchsorted(keys, wanted + reach, side="right")
        found = np.repeat(first - np.append(0, np.cumsum(last - first))[:-1], last - first) + np.arange(
            (last - first).sum()
        )
        shift = keys[found] - np.repeat(wanted, last - first) + reach
        return np.bincount(owner[found] * n_shifts + shift, minlength=n_learned * n_shifts)

    drums = counted(notes[~pitched], 0)
    ups = range(-transposed, transposed + 1) if pitched.any() else [0]
    return max(float((drums + counted(notes[pitched], up)).max()) for up in ups) / len(notes)
