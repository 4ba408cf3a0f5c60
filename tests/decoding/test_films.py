"""Films decoded from regions: what was planted comes back, errors are those of new films, blind sets are at chance."""

import numpy as np
import pytest
from naturalistic.decoding import identification
from naturalistic.decoding.bayes import (
    fit_likelihood,
    likeliest,
    log_likelihood_of_targets,
    mean_of_likeliest,
)
from naturalistic.decoding.films import decode_regions, fit_film_decoder, target_space
from naturalistic_simulation.clips.brain import REGIONS, ClipBrain, film_drives
from naturalistic_simulation.clips.render import render
from naturalistic_simulation.clips.world import PLACES, THINGS, draw_storyboards
from scipy.stats import binom

N_TRAIN = 300
N_TEST = 60
TABLE_REGIONS = ("V1v", "V1d", "MT", "LOC", "PPA", "BA2")


@pytest.fixture(scope="module")
def simulated():
    """Responses of a brain to films, its regions, and targets that come from the storyboards."""
    boards = draw_storyboards(N_TRAIN + N_TEST, np.random.default_rng(3))
    films = render(boards)
    drives = film_drives(films, boards)
    brain = ClipBrain(1, 77)
    train = []
    test = []
    regions = []
    for pack in brain.packs:
        signals = brain.signals(pack, drives)
        train.append(brain.respond(pack, signals[:N_TRAIN], "train")[0].mean(axis=1))
        test.append(brain.respond(pack, signals[N_TRAIN:], "test")[0].mean(axis=1))
        regions += [pack[1:]] * signals.shape[1]
    layout = drives["layout"].reshape(len(films), -1)
    classes = [np.eye(len(names))[boards[:, k].astype(int)] for k, names in enumerate((THINGS, PLACES))]
    features = {
        "layout": (layout, 8),
        "motion": (drives["motion"].reshape(len(films), -1), 6),
        "thing": (classes[0], 7),
    }
    targets = {}
    for name, (values, n) in features.items():
        space = target_space(values[:N_TRAIN], n)
        targets[name] = (space.transform(values[:N_TRAIN]), space.transform(values[N_TRAIN:]))
    return np.concatenate(train, axis=1), np.concatenate(test, axis=1), np.array(regions), targets


def test_dissociation_comes_back_and_the_empty_region_is_at_chance(simulated):
    train, test, regions, targets = simulated
    where = {region: regions == region for region in TABLE_REGIONS}
    table = decode_regions(train, test, where, targets, n_permutations=500)
    scores = table.pivot(index="region", columns="target", values="identification")
    assert scores["thing"].idxmax() == "LOC" and scores["motion"].idxmax() == "MT"
    assert scores.loc["LOC", "thing"] > 0.8 and scores.loc["MT", "motion"] > 0.7
    assert max(scores.loc[["V1v", "V1d"], "layout"]) > 0.75
    # double dissociation: each reads its own better than the other does
    assert scores.loc["LOC", "thing"] > scores.loc["MT", "thing"] + 0.15
    assert scores.loc["MT", "motion"] > scores.loc["LOC", "motion"] + 0.15
    p = table.set_index(["region", "target"])["p"]
    assert p["BA2"].min() > 0.01 and p["LOC", "thing"] < 0.01 and p["MT", "motion"] < 0.01


@pytest.mark.slow
def test_a_stack_is_no_worse_than_its_best_region_and_knows_its_error(simulated):
    train, test, regions, targets = simulated
    codes = np.array([list(REGIONS).index(region) for region in regions])
    for name in ("layout", "thing"):
        of_train, of_test = targets[name]
        decoder = fit_film_decoder(train, of_train, codes)
        predicted = decoder.predict(test)
        best = decode_regions(train, test, {"LOC": regions == "LOC", "V1v": regions == "V1v"}, {name: targets[name]},
                              n_permutations=10)["identification"].max()  # fmt: skip
        assert identification(predicted, of_test).mean() > best - 0.02
        # test films have ten repeats for three: their error is no larger than was measured in training
        error = np.sqrt(np.mean((predicted - of_test) ** 2, axis=0))
        assert (error < 1.25 * decoder.error + 0.05).all()
        slopes = [np.polyfit(decoder.predicted_cv[:, k], of_train[:, k], 1)[0] for k in range(3)]
        np.testing.assert_allclose(slopes, 1, atol=1e-3)  # calibrated


def test_targets_are_white_and_come_back():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((200, 5)) @ rng.standard_normal((5, 12))
    space = target_space(features, 5)
    targets = space.transform(features)
    np.testing.assert_allclose(np.cov(targets.T), np.eye(5), atol=1e-3)
    np.testing.assert_allclose(space.restore(targets), features, atol=1e-3)


@pytest.mark.slow
def test_share_of_false_positives_of_blind_sets_is_inside_its_bounds():
    """Brains that follow nothing: p < .05 in about 5 of 100 sets, by the whole way from fit to permutation."""
    n_sets = 200
    rng = np.random.default_rng(11)
    p = []
    for k in range(n_sets):
        targets = rng.standard_normal((60, 6))
        targets[:, 1] += targets[:, 0]  # dimensions of real targets depend on each other
        bold = rng.standard_normal((60, 12))
        table = decode_regions(
            bold[:40], bold[40:], {"blind": slice(None)}, {"target": (targets[:40], targets[40:])},
            n_permutations=199, seed=k,
        )  # fmt: skip
        p.append(table["p"][0])
    low, high = binom.interval(0.99, n_sets, 0.05)
    assert low <= np.sum(np.array(p) < 0.05) <= high


def test_bayes_finds_the_film_whose_response_was_measured():
    rng = np.random.default_rng(5)
    weights = rng.standard_normal((6, 40))
    weights[:, 30:] = 0  # these follow nothing
    features = rng.standard_normal((300, 6))
    noise = rng.standard_normal((300, 40)) + rng.standard_normal((300, 1))  # correlated between voxels
    likelihood = fit_likelihood(features, features @ weights + noise)
    assert (likelihood.voxels < 30).mean() > 0.8
    prior = rng.standard_normal((200, 6))
    shown = prior[:50] @ weights + 0.5 * rng.standard_normal((50, 40))
    values = likelihood.log_likelihood(shown, prior)
    assert (likeliest(values, 1)[:, 0] == np.arange(50)).mean() > 0.9
    mean = mean_of_likeliest(values, prior, 10)
    blind = mean_of_likeliest(likelihood.log_likelihood(rng.standard_normal((50, 40)), prior), prior, 10)
    assert identification(mean, prior[:50]).mean() > 0.95
    assert abs(identification(blind, prior[:50]).mean() - 0.5) < 0.15


def test_bayes_weighs_noise_that_voxels_share():
    """Differences of two voxels with the same noise are exact: a diagonal covariance would not know."""
    rng = np.random.default_rng(6)
    features = rng.standard_normal((500, 1))
    shared = 2 * rng.standard_normal((500, 1))
    responses = features * [1.0, -1.0] + shared + 0.1 * rng.standard_normal((500, 2))
    likelihood = fit_likelihood(features[:400], responses[:400])
    r = np.corrcoef(features[likeliest(likelihood.log_likelihood(responses[400:], features), 1)[:, 0], 0],
                    features[400:, 0])[0, 1]  # fmt: skip
    assert r > 0.8, r


def test_what_was_not_read_does_not_count_in_retrieval():
    rng = np.random.default_rng(7)
    targets = rng.standard_normal((100, 6))
    error = np.array([0.3, 0.3, 0.3, 1.0, 1.0, 1.0])
    share = 1 - error**2
    decoded = share * targets + np.sqrt(share * (1 - share)) * rng.standard_normal(targets.shape)
    values = log_likelihood_of_targets(decoded, error, targets)
    changed = targets.copy()
    changed[:, 3:] = 5 * rng.standard_normal((100, 3))
    np.testing.assert_allclose(log_likelihood_of_targets(decoded, error, changed), values, atol=1e-9)
    order = np.argsort(-values, axis=1)
    rank = (order == np.arange(100)[:, None]).argmax(axis=1)
    assert np.median(rank) < 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.zeros((9, 2))}, "expected a row a film in both"),
        ({"responses": np.full((10, 3), np.nan)}, "responses"),
    ],
)
def test_bad_input_is_named(change, message):
    rng = np.random.default_rng(0)
    given = {"features": rng.standard_normal((10, 2)), "responses": rng.standard_normal((10, 3))} | change
    with pytest.raises(ValueError, match=message):
        fit_likelihood(given["features"], given["responses"])
