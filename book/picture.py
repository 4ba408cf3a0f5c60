"""Draw README's picture: four descriptions of a film predict the average of 15 brains on runs that were left out.

``make picture`` calls it. The analysis is that of chapter 4 without its nulls and intervals, a minute of work; the data
are the measured ones of studyforrest.org, fetched where they are not at hand.
"""

import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from naturalistic import encoding, plotting, preprocessing
from naturalistic.anatomy import surface
from naturalistic.datasets import studyforrest
from naturalistic.features.pca import TrainingPCA
from naturalistic.features.text import load_model, stories
from naturalistic.features.text.word_encoder import contextual
from naturalistic.models import RidgeCV
from PIL import Image

TARGET = Path(__file__).parent / "_static" / "film-maps.png"
DELAYS = [2, 4, 6, 8]  # s
WIDTH = 900  # pixels: twice what README shows


def describe(film):
    """Return the feature spaces (n_trs, n_features) by name."""
    low_level, speech = film.low_level(), film.speech()
    picture = [values for name, values in low_level.items() if name.startswith(("brightness", "frame"))]
    words = film.words()
    model = load_model("minilm")
    states = contextual(model, words.words, words.context_starts(3), "chunked")  # (n_layers, n_words, dim)
    return {
        "light and cuts": np.stack([*picture, film.cuts()], axis=1),
        "sound": np.stack([low_level["log_rms"], low_level["loudness_left_right"], film.music()], axis=1),
        "speech is on": np.stack(list(speech.values()), axis=1),
        "language model": stories.on_trs(states[model.n_layers // 2], words, "mean"),
    }


def predict(film, bold, spaces):
    """Return the held-out accuracy (n_parcels,) of each space."""
    ridge = RidgeCV(np.logspace(0, 6, 13), cv=7, scoring="r2", progress=False)
    split = encoding.FoldSplit(film.runs, 8, film.tr, DELAYS, film.runs, keep=~film.is_dropped())
    accuracy = {}
    for name, values in spaces.items():
        reduced = TrainingPCA({name: values.astype(np.float32)}, 50)
        accuracy[name] = encoding.group_accuracy(reduced, bold[None], ridge, split, n_permutations=0).r[0]
        print(f"{name}: r {accuracy[name].mean():.3f}, mean over parcels")
    return accuracy


def draw(film, accuracy):
    """Write the figure in few colors, so that it stays small."""
    plotting.set_style()
    maps = {name: surface.parcels_to_surface(r, film.atlas, film.labels) for name, r in accuracy.items()}
    title = film.title("A film in 15 brains: which description predicts which part of cortex?")
    figure = plotting.space_maps(maps, title, "r on runs that were left out")
    png = io.BytesIO()
    figure.savefig(png, dpi=WIDTH / figure.get_size_inches()[0])
    plt.close(figure)
    Image.open(png).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1000:.0f} kB")


def main():
    """Open, predict, draw."""
    film = studyforrest.load()
    bold = np.mean([subject.bold for subject in preprocessing.open_subjects(film).values()], axis=0)
    draw(film, predict(film, bold, describe(film)))


if __name__ == "__main__":
    main()
