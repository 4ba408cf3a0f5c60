"""Facts of the played seconds of a piece: rate of onsets and register."""

import numpy as np

from naturalistic_simulation.music.composer import VOICES, step_seconds
from naturalistic_simulation.music.instruments import PITCHED
from naturalistic_simulation.music.piece import Piece


def clip_facts(piece: Piece, start: float, end: float) -> dict[str, float]:
    """Return facts of an excerpt of a piece.

    Parameters
    ----------
    piece : Piece
    start, end : float
        s.

    Returns
    -------
    facts : dict of str to float
        ``onset_rate``: moments a second at which one or more notes begin; ``register``: mean pitch (MIDI) of the
        pitched notes, weighted by their lengths.
    """
    at = step_seconds(piece.notes["step"], piece.tempo, piece.swing)
    notes = piece.notes[(at >= start) & (at < end)]
    pitched = notes[np.isin(notes["instrument"], [VOICES.index(name) for name in PITCHED])]
    n_moments = len(np.unique(notes["step"]))
    length = pitched["length"].astype(float)
    register = float(np.average(pitched["pitch"], weights=length)) if len(pitched) else float("nan")
    return {"onset_rate": n_moments / (end - start), "register": register}
