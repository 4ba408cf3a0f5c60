"""The event files of ds003720: which clip was played when.

41 rows of 15 s a run. Row 0 is a dummy: it repeats the clip that came last before the run (in a test run, the
last clip of the same run), so that the first clip that counts follows another one, as all do. Genres are quoted
with ``'``; three rows of the published files lack the opening quote.
"""

from dataclasses import dataclass
from pathlib import Path

from naturalistic.text_files import number, read_text

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
COLUMNS = ("onset", "duration", "genre", "track", "start", "end")
_N_ROWS = 41
CLIP = 15.0  # s
_TRACK = 30.0  # s that a GTZAN track lasts
N_REPEATS = 4  # of each clip of a test run


@dataclass(frozen=True, order=True)
class Clip:
    """Seconds ``start`` to ``end`` of a track of GTZAN; two clips are the same if all four fields agree."""

    genre: str
    track: int
    start: float
    end: float

    @property
    def track_name(self) -> str:
        """Return GTZAN's name of the track, such as ``"blues.00098"``."""
        return f"{self.genre}.{self.track:05d}"

    def __str__(self) -> str:
        """Return track and seconds."""
        return f"{self.track_name} {self.start:g}-{self.end:g} s"


def read_events(path: Path | str) -> list[Clip]:
    """Return the clips of a run in the order in which they were played, the dummy left out.

    Parameters
    ----------
    path : str or Path
        An ``events.tsv`` of ds003720.

    Returns
    -------
    clips : list of Clip
        40, the i-th from ``15 i`` to ``15 (i + 1)`` s after the dummy.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file, the row, what was expected and what came.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: expected the events of a run")
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    if not lines or tuple(_cells(lines[0])) != COLUMNS:
        raise ValueError(f"{path} begins with {lines[:1]}, expected the columns {', '.join(COLUMNS)}")
    if len(lines) - 1 != _N_ROWS:
        raise ValueError(f"{path} has {len(lines) - 1} rows, expected {_N_ROWS}: a dummy and 40 clips")
    return [_row(path, k, line) for k, line in enumerate(lines[1:])][1:]


def _row(path: Path, k: int, line: str) -> Clip:
    """Return the clip of row ``k``, checked."""
    where = f"{path}, row {k}"
    cells = _cells(line)
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{where} has {len(cells)} cells, expected {len(COLUMNS)}")
    genre = cells[2].strip("'")
    try:
        onset, duration, start, end = (number(cells[i]) for i in (0, 1, 4, 5))
        track = int(cells[3])
    except ValueError as error:
        raise ValueError(f"{where} ({line!r}) is not of numbers: {error}") from error
    if onset != k * CLIP or duration != CLIP:
        raise ValueError(
            f"{where} lasts from {onset:g} s for {duration:g} s, expected from {k * CLIP:g} s for {CLIP:g} s: "
            f"the run has {_N_ROWS} clips, one after another, and ends at {_N_ROWS * CLIP:g} s"
        )
    if genre not in GENRES:
        raise ValueError(f"{where} has the genre {genre!r}, expected one of {', '.join(GENRES)}")
    if not (0 <= track <= 99 and 0 <= start and end <= _TRACK and abs(end - start - CLIP) < 0.011):
        raise ValueError(
            f"{where} is track {track} from {start:g} to {end:g} s, expected a track of 0 to 99 and {CLIP:g} s "
            f"inside its {_TRACK:g} s"
        )
    return Clip(genre, track, start, end)


def _cells(line: str) -> list[str]:
    """Return the cells of a line, without the double quotes and blanks that spreadsheets put around them."""
    return [cell.strip().strip('"') for cell in line.split("\t")]


def check_repeats(path: Path | str, clips: list[Clip]) -> list[Clip]:
    """Return the ten clips of a test run.

    Parameters
    ----------
    path : str or Path
        What the error calls the run.
    clips : list of Clip
        40, as `read_events` returns them.

    Returns
    -------
    clips : list of Clip
        10, in the order in which they are first played.

    Raises
    ------
    ValueError
        If they are not played four times over in the same order: then repeats cannot be laid side by side.
    """
    n = len(clips) // N_REPEATS
    if clips != clips[:n] * N_REPEATS or len(set(clips[:n])) != n:
        raise ValueError(f"{path}: expected {n} clips, {N_REPEATS} times over in the same order")
    return clips[:n]
