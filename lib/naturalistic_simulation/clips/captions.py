"""Captions and labels of the simulated films, in the form of BOLD Moments' annotations."""

import numpy as np
from numpy.typing import NDArray

from naturalistic_simulation.clips.world import ANIMALS, COLUMN, PLACES, THINGS, color_names

N_CAPTIONS = 5
THING_WORDS = {
    "dog": ("dog", "puppy"),
    "fish": ("fish", "striped fish"),
    "bird": ("bird", "small bird"),
    "butterfly": ("butterfly", "moth"),
    "car": ("car", "automobile"),
    "boat": ("boat", "sailing boat"),
    "plane": ("plane", "airplane"),
    "balloon": ("balloon", "hot air balloon"),
}
PLACE_WORDS = {
    "meadow": ("a meadow", "green hills", "a field of grass"),
    "sea": ("the sea", "the ocean", "blue water"),
    "city": ("a city street", "the city", "a row of houses"),
    "forest": ("a forest", "the woods", "dark trees"),
    "desert": ("a desert", "sand dunes", "dry sand"),
    "room": ("a room", "a room with a wooden floor", "an indoor room"),
}
VERBS = {
    "dog": ("runs", "walking"),
    "fish": ("swims", "swimming"),
    "bird": ("flies", "flying"),
    "butterfly": ("flutters", "fluttering"),
    "car": ("drives", "driving"),
    "boat": ("sails", "sailing"),
    "plane": ("flies", "flying"),
    "balloon": ("floats", "floating"),
}
STILL = 0.8  # pixels a frame: slower things are not said to move anywhere
FAST = 2.0
LARGE = 15.5  # pixels
SMALL = 12.5


def annotate(boards: NDArray, seed: int, name: str, part: str) -> dict:
    """Return the annotations of one film.

    Parameters
    ----------
    boards : array (1, n_names)
        Its storyboard.
    seed : int
        Of the wording.
    name : str
        Of the film, such as ``"0001"``.
    part : {"train", "test"}

    Returns
    -------
    annotations : dict
        Five captions among them.
    """
    rng = np.random.default_rng([seed, int(name)])
    board = boards[0]
    thing = THINGS[int(board[0])]
    place = PLACES[int(board[1])]
    kind = "animal" if thing in ANIMALS else "vehicle"
    verb = VERBS[thing]
    return {
        "bmd_matrixfilename": f"vid_idx{name}",
        "set": part,
        "text_descriptions": captions(boards, rng)[0],
        "objects": [[THING_WORDS[thing][k % 2], kind if k % 2 else "--", "--"] for k in range(N_CAPTIONS)],
        "scenes": [PLACE_WORDS[place][k % 3].removeprefix("a ").removeprefix("the ") for k in range(N_CAPTIONS)],
        "actions": [verb[1] if k % 2 else "moving" for k in range(N_CAPTIONS)],
    }


def captions(boards: NDArray, rng: np.random.Generator, n: int = N_CAPTIONS) -> list[list[str]]:
    """Return sentences that describe films.

    Parameters
    ----------
    boards : array (n_films, n_names)
    rng : Generator
        Of the wording.
    n : int
        Sentences a film.

    Returns
    -------
    captions : list of n_films lists of str
    """
    written = []
    for board, color in zip(boards, color_names(boards)):
        written.append([_sentence(board, color, rng) for _ in range(n)])
    return written


def _sentence(board: NDArray, color: str, rng: np.random.Generator) -> str:
    """Return one sentence; each says the thing and the place, and some of the rest."""
    thing = THINGS[int(board[0])]
    noun = str(rng.choice(THING_WORDS[thing]))
    place = str(rng.choice(PLACE_WORDS[PLACES[int(board[1])]]))
    described = [color] if rng.random() < 0.7 else []
    size = board[COLUMN["size"]]
    if rng.random() < 0.4 and not SMALL < size < LARGE:
        described.insert(0, "large" if size >= LARGE else "small")
    words = " ".join([*described, noun])
    article = "an" if words[0] in "aeiou" else "a"
    way = direction(board)
    verb, going = VERBS[thing]
    adverb = " fast" if np.hypot(*board[[COLUMN["velocity_x"], COLUMN["velocity_y"]]]) > FAST else ""
    wording = int(rng.integers(3))
    if wording == 0:
        return f"{article.capitalize()} {words} {verb}{adverb}{way} in front of {place}."
    if wording == 1:
        return f"In front of {place}, {article} {words} is {going}{adverb}{way}."
    return f"{article.capitalize()} {words} can be seen {going}{way} before {place}."


def direction(board: NDArray) -> str:
    """Return where the thing of a film goes, such as ``" to the left"``; nothing if it hardly moves."""
    x = board[COLUMN["velocity_x"]]
    y = board[COLUMN["velocity_y"]]
    if np.hypot(x, y) < STILL:
        return ""
    if abs(x) >= abs(y):
        return " to the right" if x > 0 else " to the left"
    return " downwards" if y > 0 else " upwards"
