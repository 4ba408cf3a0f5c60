"""Short films and the brains of two people that saw them, small enough for the tests of chapters."""

from functools import partial

from naturalistic_simulation import simulate_clips

from tests.helpers.once import write_once

SIZE = {"subjects": 2, "n_train": 144, "n_test": 48, "n_corpus": 150, "progress": False}


def films_of_a_chapter(tmp_path_factory):
    """Return a folder in the layout of ds005165 that all processes of a run of tests share."""
    return write_once(tmp_path_factory, "films of a chapter", partial(simulate_clips, seed=14, **SIZE))
