"""Whether a data set was made: its README says so with its first two words, and titles and results repeat it."""

from pathlib import Path

from naturalistic.text_files import read_start

MINIATURE = "MADE MINIATURE"  # small, with what was planted beside it
REHEARSAL = "MADE REHEARSAL"  # as large as the data set that it stands for, and opened as that is


class Labelled:
    """What a data set says of itself by its attribute ``made``: `MINIATURE`, `REHEARSAL`, or empty if measured."""

    made: str

    @property
    def is_made(self):
        """Return whether stimuli and brains were made, and nothing was measured."""
        return bool(self.made)

    def title(self, text):
        """Return ``text`` as a figure title, marked if the data are made."""
        return f"{self.made}, NO BRAIN: {text}" if self.is_made else text


def made(folder):
    """Return how a data set was made, `MINIATURE` or `REHEARSAL`; empty if it was measured.

    Parameters
    ----------
    folder : str or Path
        Root of the data set.
    """
    text = read_start(Path(folder) / "README")
    return next((kind for kind in (MINIATURE, REHEARSAL) if text.startswith(kind)), "")
