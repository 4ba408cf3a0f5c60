"""Twenty subjects who follow nothing: how often the whole way from features to p-values finds something in them.

Their responses are first-order autoregressive noise (phi 0.6) as long as the miniature's runs; the features are made
like those of a language model: texts that stand for some seconds, on slow changes, mixed into layers of 384 numbers.
Predictions come from models that were fitted on the noise of the training runs, alphas chosen there, and are tested on
that of the test runs by circular shifts.
"""

import numpy as np
import pytest
from naturalistic import encoding
from naturalistic.encoding import Split
from naturalistic.inference import circular_shift_null, max_statistic, t_test_over_subjects
from naturalistic.models.ridge import RidgeCV
from scipy import stats
from scipy.signal import lfilter

pytestmark = pytest.mark.slow

N_SUBJECTS, N_VOXELS, N_LAYERS, DIM, LEVEL = 20, 150, 5, 384, 0.05
RUNS = np.repeat(np.arange(6), 450)
HOW = {"test": RUNS >= 3, "delays": [(4, 5, 6)], "tr": 1.0, "runs": RUNS}
MODEL = RidgeCV(np.logspace(0, 6, 7), cv=3, progress=False)
# families of tests (subjects) in which anything may be found: more than 4 of 20 come by chance in 3 of 1,000 cases
MOST_FAMILIES = int(stats.binom.isf(0.005, N_SUBJECTS, LEVEL))


def ar1(rng, phi, *shape):
    return lfilter([1], [1, -phi], rng.standard_normal((shape[0] + 50, *shape[1:])), axis=0)[50:]


def layers_like_text(rng):
    """Return features (n_trs, n_layers, 384), float32: each layer a bent mixture of the one before."""
    n_trs, latent = len(RUNS), []
    for mean_length in (2, 5, 15, 60):
        which = np.cumsum(rng.uniform(size=n_trs) < 1 / mean_length)
        latent.append(rng.standard_normal((which[-1] + 1, 15))[which])
    state = np.concatenate([*latent, ar1(rng, 0.95, n_trs, 5) / 3], axis=1)
    layers = []
    for _ in range(N_LAYERS):
        state = np.tanh(state @ rng.standard_normal((state.shape[1], DIM)) / np.sqrt(state.shape[1]))
        state = state + 0.1 * rng.standard_normal(DIM)
        layers.append(state)
    return np.stack(layers, axis=1).astype(np.float32)


def noise_of_subjects(rng, correlated):
    """Return noise of 20 subjects side by side: voxels for themselves, or with a fifth of the variance in common."""
    noise = ar1(rng, 0.6, len(RUNS), N_SUBJECTS, N_VOXELS)
    if correlated:
        noise = np.sqrt(0.8) * noise + np.sqrt(0.2) * ar1(rng, 0.6, len(RUNS), N_SUBJECTS, 1)
    return noise.reshape(len(RUNS), -1).astype(np.float32)


def by_subject(x):
    return np.split(x, N_SUBJECTS, axis=-1)


@pytest.fixture(scope="module")
def features():
    return layers_like_text(np.random.default_rng(0))


def nominal(p):
    """Say whether the share of p (n_subjects, n_voxels) at the level is the level, within four standard errors.

    If voxels are independent, that of a share of 3,000 tests is 0.4 %. Those of a subject are not if they have noise in
    common: subjects are, so the error is that of the mean of their shares. The larger of the two is taken.
    """
    shares = np.mean(p <= LEVEL, axis=1)
    binomial = np.sqrt(LEVEL * (1 - LEVEL) / p.size)
    error = max(binomial, shares.std(ddof=1) / np.sqrt(len(shares)))
    print(f"share {shares.mean():.4f}, standard error {error:.4f} (binomial {binomial:.4f})")
    return abs(shares.mean() - LEVEL) < 4 * error


@pytest.mark.parametrize("correlated", [False, True])
def test_one_layer(features, correlated):
    bold = noise_of_subjects(np.random.default_rng(1 + correlated), correlated)
    held_out = encoding.fit_predict(features[:, 2], bold, MODEL, Split(**HOW))
    p, n_found, family = [], [], []
    for measured, predicted in zip(by_subject(held_out.measured), by_subject(held_out.predicted)):
        own = encoding.Prediction(measured, predicted, held_out.runs)
        scored = encoding.score(own, seed=len(p))
        p.append(scored.p)
        n_found.append(scored.significant.sum())
        null = circular_shift_null(measured, predicted, held_out.runs, 1000, 1, len(p))
        family.append(max_statistic(scored.r, null).min())
    print(f"FDR finds something in {np.count_nonzero(n_found)}, family-wise in {np.sum(np.array(family) <= LEVEL)}")
    assert nominal(np.array(p))
    assert np.count_nonzero(n_found) <= MOST_FAMILIES and np.sum(n_found) < 0.01 * bold.shape[1]
    assert np.sum(np.array(family) <= LEVEL) <= MOST_FAMILIES
    # TRs taken as independent do not hold the level in these data, so that the test can fail
    r = np.array(by_subject(held_out.correlation()))
    n_free = len(held_out.runs) - 2
    assert not nominal(stats.t.sf(r * np.sqrt(n_free / (1 - r**2)), n_free))


def test_the_layer_that_the_training_runs_select(features):
    bold = noise_of_subjects(np.random.default_rng(5), correlated=True)
    subjects = encoding.MultiSubjectBold(dict(enumerate(by_subject(bold))))
    layers = encoding.sweep_layers(features, subjects, MODEL, Split(**HOW), n_permutations=1000)
    cv, p, p_max = (subjects.split(x) for x in (layers.cv, layers.p, layers.p_max))
    choices = encoding.select_layer_and_voxels(cv, 50)
    chosen, family = (np.array(list(choices.at_layer(x).values())) for x in (p, p_max))
    print("layers chosen", np.bincount([c.layer for c in choices.values()], minlength=N_LAYERS))
    assert len({c.layer for c in choices.values()}) > 1  # chance chooses another one in another person
    assert nominal(chosen)
    assert nominal(np.array([row[c.voxels] for row, c in zip(chosen, choices.values())]))  # and in the best voxels
    assert np.sum(family.min(axis=1) <= LEVEL) <= MOST_FAMILIES


def watchers(rng):
    """Return noise of 20 subjects of which 30 % is a response to one film that the features know nothing of."""
    film = ar1(rng, 0.6, len(RUNS), 1, N_VOXELS)
    own = ar1(rng, 0.6, len(RUNS), N_SUBJECTS, N_VOXELS)
    return (np.sqrt(0.3) * film + np.sqrt(0.7) * own).reshape(len(RUNS), -1).astype(np.float32)


def test_a_group_that_shares_a_film(features):
    """The mean over subjects against the same shifts for all holds the level; a t-test over subjects does not."""
    p, found, student = [], [], []
    for seed in range(8):
        bold = watchers(np.random.default_rng(20 + seed))
        held_out = encoding.fit_predict(features[:, 2], bold, MODEL, Split(**HOW))
        scored = encoding.score(held_out, n_permutations=400, seed=seed, keep_null=True)
        r, null = by_subject(scored.r), by_subject(scored.null)
        group = encoding.group_map([{"left": x} for x in r], ({"left": x} for x in null))
        p.append(group.p["left"])
        found.append([group.significant["left"].any(), np.nanmin(group.p_family["left"]) <= LEVEL])
        student.append(t_test_over_subjects(np.array(r), tail="greater").p)
    print("FDR, family-wise find something in", np.mean(found, axis=0), "t", np.mean(np.array(student) <= LEVEL))
    assert nominal(np.array(p))
    assert np.sum(found, axis=0).max() <= 2  # of 8: three or more come by chance in .6 % of cases
    assert not nominal(np.array(student))
