"""Figures of films: a sheet keeps every film in its place and stays small."""

import numpy as np
import pytest
from naturalistic.plotting import video
from naturalistic_simulation.clips.render import render
from naturalistic_simulation.clips.world import draw_storyboards


@pytest.fixture(scope="module")
def films():
    made = render(draw_storyboards(6, np.random.default_rng(0)))
    return {"shown": made[:3], "generated & drawn": made[3:]}


def test_a_sheet_has_each_film_in_its_place(films):
    sheet = video.sheet_frames(films)
    assert sheet.shape == (8, 3 * 68 - 4, 2 * 68 - 4, 3)
    np.testing.assert_array_equal(sheet[:, 136:, 68:], films["generated & drawn"][2])
    assert (sheet[:, 64:68] == 255).all()


def test_a_sheet_is_small_and_has_a_text_alternative(films):
    page = video.film_sheet(films, 'films of "two" kinds').data
    assert len(page) < 1.4 * video.MOST_BYTES and "data:image/webp" in page
    assert 'alt="films of &quot;two&quot; kinds"' in page and "generated &amp; drawn" in page


def test_films_of_two_shapes_are_refused(films):
    with pytest.raises(ValueError, match="expected one"):
        video.sheet_frames({"shown": films["shown"], "other": films["shown"][:2]})


def test_stills_show_first_and_last_frame(films):
    figure = video.film_stills(films, ["a", "b", "c"], "Simulated data")
    assert len(figure.axes) == 6 and figure.axes[0].images[0].get_array().shape == (64, 128, 3)
