"""Example data of an encoding model, as arrays: the simulated story and the mean of its brains."""

from dataclasses import dataclass

from naturalistic.arrays import ShapeRepr
from naturalistic.datasets import alice
from naturalistic.features.text import load_model, stories
from naturalistic.models import contiguous_groups
from numpy.typing import NDArray

N_PARTS = 6  # of the story, each of two minutes


@dataclass(frozen=True, repr=False)
class Example(ShapeRepr):
    """Features of a story and simulated responses to it, on one grid of TRs.

    Attributes
    ----------
    features : dict of str to array (n_trs, n_features)
        ``"word rate"``, and ``"word vectors"`` of MiniLM, which comes with the package. Not delayed.
    bold : array (n_trs, n_regions)
        Mean of 27 simulated brains.
    regions : tuple of str
    runs : array (n_trs,)
        Part of the story, 0 to 5.
    tr : float
        Repetition time in s.
    """

    features: dict[str, NDArray]
    bold: NDArray
    regions: tuple[str, ...]
    runs: NDArray
    tr: float


def load_example() -> Example:
    """Return the example data, simulated in the cache at the first call.

    It needs no network and takes some seconds, later less.

    Returns
    -------
    example : Example
    """
    story = alice.load("simulated")
    seen = story.covered
    features = {
        "word rate": stories.word_rate(story),
        "word vectors": stories.static_features(story, load_model("minilm")),
    }
    bold = story.bold[:, seen].mean(axis=0)
    runs = contiguous_groups(story.runs[seen], N_PARTS)
    return Example(features, bold, tuple(story.rois), runs, story.tr)
