"""Controls of reconstructed films: what is known beforehand comes out, and slow scores equal the published ones."""

import numpy as np
import pytest
from naturalistic.decoding import film_controls
from naturalistic.decoding.film_controls import FilmMeasures
from naturalistic.decoding.films import film_features
from naturalistic.decoding.picture_metrics import hue_pairs, hue_similarity, ssim, ssim_shifts
from naturalistic.decoding.video_metrics import score_pairs
from naturalistic_simulation.clips.render import render
from naturalistic_simulation.clips.world import draw_storyboards
from naturalistic_simulation.models.film_classifier import load_film_classifier
from naturalistic_simulation.models.film_models import load_film_text

N_FILMS = 24
HIGHER = {metric: True for metric in film_controls.HONEST}


@pytest.fixture(scope="module")
def films():
    return render(draw_storyboards(N_FILMS, np.random.default_rng(4)), np.arange(N_FILMS))


@pytest.fixture(scope="module")
def true(films):
    return film_controls.measure_films(films, load_film_classifier(), load_film_text())


def with_noise(measures, size, seed):
    """Return measures with noise: a reader that is not exact."""
    rng = np.random.default_rng(seed)

    def noisy(values):
        return values + size * values.std() * rng.standard_normal(values.shape)

    classes = tuple(noisy(kind) for kind in measures.classes)
    return FilmMeasures(classes, noisy(measures.layout), noisy(measures.flow), measures.frames)


def constant(measures):
    """Return the same measures for all films: those of the first."""
    return measures.select(np.zeros(N_FILMS, int))


def scores_of(true, **methods):
    """Return scores by method of one subject each."""
    pairs = {}
    for method, measures in methods.items():
        pairs[method.replace("_", " ")] = {"01": film_controls.honest_pairs(measures, true)}
    return pairs


def test_measures_are_those_of_the_features(films, true):
    features = film_features(films, load_film_text())
    np.testing.assert_array_equal(true.layout, features["layout"])
    np.testing.assert_array_equal(true.flow.mean(axis=1).reshape(N_FILMS, -1), features["motion"])
    assert true.frames.shape[:2] == (N_FILMS, 4) and true.odds.shape == (N_FILMS, 14) and true.joint.shape[1] == 48
    np.testing.assert_allclose(np.exp(true.joint).sum(axis=1), 1, rtol=1e-4)


def test_the_mean_of_equal_draws_is_the_draw(true):
    mean = film_controls.mean_measures([true, true])
    for name in ("odds", "layout", "flow"):
        np.testing.assert_allclose(getattr(mean, name), getattr(true, name), rtol=1e-5, atol=1e-6)


def test_hue_and_structural_similarity_are_the_published_ones(films):
    made = np.roll(films[:6], 1, axis=0)[:, ::4]
    target = films[:6, ::4]
    for channels in ("bgr", "rgb"):
        expected = score_pairs(lambda one, other, c=channels: hue_similarity(one, other, c), made, target)
        np.testing.assert_allclose(hue_pairs(made, target, channels), expected, atol=1e-12)
    for definition in ("color", "columns"):
        values = ssim_shifts(made, target, [0, 2], definition)
        expected = [[ssim(made[i], target[(i + k) % 6], definition) for k in (0, 2)] for i in range(6)]
        np.testing.assert_allclose(values, expected, atol=1e-12)


def test_true_films_are_at_the_ceiling_and_blind_ones_at_chance(true):
    scores = scores_of(
        true, oracle=with_noise(true, 0.3, 0), brain=with_noise(true, 2, 1), mean_film=constant(true),
        shuffled=true.select(np.roll(np.arange(N_FILMS), 5)), nothing=with_noise(constant(true), 2, 3),
    )  # fmt: skip
    table = film_controls.control_table(scores, HIGHER, 400).set_index(["method", "metric"])
    assert (table.loc["oracle", "share"] == 1).all() and (table.loc["oracle", "p"] < 0.01).all()
    assert (table.loc["brain", "share"].between(0.05, 1)).all() and (table.loc["brain", "p"] < 0.05).all()
    identified = table.loc["mean film"].loc[["classifier", "layout", "motion"]]
    assert (identified["value"] == 0.5).all() and (table.loc["mean film", "p"] == 1).all()
    assert (table.loc["mean film", "share"].abs() < 1e-9).all()
    assert table.loc["shuffled", "p"].min() > 0.01 and table.loc["nothing", "p"].min() > 0.01
    assert table.loc["nothing", "share"].abs().max() < 0.3


def test_subjects_are_averaged_before_films_are_permuted(true):
    """Copies of one subject are no further evidence: p stays what it is."""
    one = film_controls.honest_pairs(with_noise(true, 6, 2), true)
    oracle = {film_controls.ALL: film_controls.honest_pairs(true, true)}
    p = []
    for labels in (["01"], ["01", "02", "03"]):
        scores = {"oracle": oracle, "brain": dict.fromkeys(labels, one)}
        table = film_controls.control_table(scores, HIGHER, 300).set_index(["method", "metric"])
        p.append(table.loc["brain", "p"].to_numpy())
        assert (table.loc["brain", "n_subjects"] == len(labels)).all()
    np.testing.assert_array_equal(p[0], p[1])


def test_a_still_film_has_no_motion_and_beats_published_scores(films, true):
    still = film_controls.still_films(films)
    assert (still == still[:, :1]).all() and (still[:, 0] == films[:, 4]).all()
    measures = film_controls.measure_films(still, load_film_classifier(), load_film_text())
    honest = film_controls.honest_pairs(measures, true)
    assert (honest["motion"] == 0.5).all()
    other = np.roll(np.arange(N_FILMS), 1)
    moving = film_controls.published_pairs(films[other], true.select(other), films, true)
    standing = film_controls.published_pairs(still[other], measures.select(other), films, true)
    assert set(moving) == set(film_controls.PUBLISHED)
    assert np.diag(standing["consistency"]).min() > 0.999 > np.diag(moving["consistency"]).max()
    assert np.diag(standing["EPE"]).mean() < np.diag(moving["EPE"]).mean()  # lower is better
    scores = {"oracle": {"all": moving}, "still": {"all": standing}}
    table = film_controls.control_table(scores, film_controls.PUBLISHED, 200).set_index(["method", "metric"])
    assert table.loc[("still", "consistency"), "p"] == 1 and table.loc[("still", "EPE"), "p"] == 1
    assert np.isnan(table.loc[("still", "SSIM"), "p"])
    assert abs(table.loc[("still", "2-way"), "chance"] - 0.5) > 0.1


def test_the_interval_of_a_difference_knows_its_sign(true):
    scores = scores_of(true, good=with_noise(true, 0.5, 0), bad=with_noise(true, 20, 1))
    scores["shared"] = {film_controls.ALL: scores["bad"]["01"]}
    row = film_controls.difference_over_films(scores, "good", "bad", "layout")
    assert row["low"] > 0 and row["n_ahead"] == row["n_subjects"] == 1
    assert film_controls.difference_over_films(scores, "good", "shared", "layout") == {**row, "control": "shared"}
    same = film_controls.difference_over_films(scores, "good", "good", "layout")
    assert same["low"] == same["difference"] == same["high"] == 0
    ranking = film_controls.ranking_over_films(scores, HIGHER, "bad").set_index(["method", "metric"])["rank"]
    assert (ranking["good"] == "above").all() and (ranking["bad"] == "itself").all()
    ranking = film_controls.ranking_over_films(scores, {"layout": False}, "bad").set_index("method")["rank"]
    assert ranking["good"] == "below"


def test_a_category_that_is_named_where_it_is_shown():
    shows = np.arange(40) < 8
    rng = np.random.default_rng(0)
    blind = rng.random((3, 40)) < 0.3
    table = film_controls.category_table(
        {("generated", "with"): np.tile(shows, (3, 1)), ("generated", "without"): blind,
         ("none", "without"): np.zeros((3, 40), bool)}, shows, 500,
    )  # fmt: skip
    assert table["hits"].tolist()[::2] == [1, 0] and table["false"].tolist()[::2] == [0, 0]
    assert table["p"][0] < 0.01 < table["p"][1] and table["p"][2] == 1
    assert table["lowest"][1] <= table["hits"][1] <= table["highest"][1]


def test_bad_input_is_named(films, true):
    pairs = {"layout": np.eye(4)}
    with pytest.raises(ValueError, match="expected 'oracle' among them"):
        film_controls.control_table({"brain": {"01": pairs}}, {"layout": True}, 10)
    with pytest.raises(ValueError, match="expected one for all subjects"):
        scores = {"oracle": {"01": pairs, "02": {"layout": np.eye(5)}}}
        film_controls.control_table(scores, {"layout": True}, 10)
    with pytest.raises(ValueError, match="0 of 5 films show the category"):
        film_controls.category_table({("a", "with"): np.zeros((1, 5), bool)}, np.zeros(5, bool))
    with pytest.raises(ValueError, match="named has 4 films"):
        film_controls.category_table({("a", "with"): np.zeros((1, 4), bool)}, np.arange(5) < 2)
    with pytest.raises(ValueError, match="has no scores of subject 01"):
        scores = {"brain": {"01": pairs}, "other": {"02": pairs}}
        film_controls.difference_over_films(scores, "brain", "other", "layout")
    with pytest.raises(ValueError, match="no embeddings of frames"):
        film_controls.published_pairs(films, film_controls.mean_measures([true]), films, true)
    with pytest.raises(ValueError, match="expected the same"):
        hue_pairs(films[:3], films[:4])
