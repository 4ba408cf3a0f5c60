"""Subjects who share a stimulus: the group test holds its level, tests over subjects do not."""

import numpy as np
import pytest
from naturalistic import encoding, inference
from naturalistic.inference import circular_shift_null, shared_stimulus_test
from naturalistic.models.scoring import correlation
from scipy.signal import lfilter

N_SUBJECTS, N_TRS, N_VOXELS, LEVEL = 6, 300, 100, 0.05


def ar1(rng, *shape):
    return lfilter([1], [1, -0.8], rng.standard_normal((shape[0] + 100, *shape[1:])), axis=0)[100:]


def experiments(n, shared, seed=0, effect=0.0):
    """Yield r (n_subjects, n_voxels) and null (n_permutations, n_subjects, n_voxels) of predictions that know nothing.

    Subjects share a response to the film (leave-one-out correlation about .4), or the same but at other times.
    """
    rng = np.random.default_rng(seed)
    for k in range(n):
        film = ar1(rng, N_TRS, N_VOXELS)
        bold = np.stack([0.55 * film + ar1(rng, N_TRS, N_VOXELS) for _ in range(N_SUBJECTS)])
        if not shared:
            bold = np.stack([np.roll(x, rng.integers(N_TRS), axis=0) for x in bold])
        prediction = effect * film + ar1(rng, N_TRS, N_VOXELS)
        r = np.stack([correlation(x, prediction) for x in bold])
        null = np.stack([circular_shift_null(x, prediction, None, 99, 1, k) for x in bold], axis=1)
        yield r, null


def sides(rows):
    return [{"left": row} for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_the_group_test_holds_its_level_whether_or_not_subjects_share_the_film(shared):
    """Over 200 experiments: .046 to .050. Student's t: .18 of vertices if the film is shared, .05 if not."""
    p, found, student = [], [], []
    for r, null in experiments(60, shared):
        group = encoding.group_map(sides(r), [{"left": null[:, k]} for k in range(N_SUBJECTS)])
        p.append(group.p["left"])
        found.append([group.significant["left"].any(), (group.p_family["left"] <= LEVEL).any()])
        student.append(inference.t_test_over_subjects(r, tail="greater").p)
    by_experiment = np.mean(np.array(p) <= LEVEL, axis=1)
    share = by_experiment.mean()
    error = by_experiment.std() / np.sqrt(len(by_experiment))
    by_t = np.mean(np.array(student) <= LEVEL)
    print(f"group {share:.3f} +- {error:.3f}, FDR and family {np.mean(found, axis=0)}, t {by_t:.3f}")
    assert abs(share - LEVEL) < 4 * max(error, 0.003)
    assert np.mean(found, axis=0).max() <= 0.15  # .05 expected: more than 9 of 60 come by chance in .3 % of cases
    if shared:
        assert by_t > 0.1  # this test can fail


@pytest.mark.slow
def test_the_difference_of_two_models_against_the_difference_of_their_nulls():
    """Two predictions that know nothing: the one that happens to fit the film better fits all subjects better."""
    p, student = [], []
    for (a, null_a), (b, null_b) in zip(experiments(40, True, 1), experiments(40, True, 1, effect=0.0)):
        rolled = np.roll(b, 1, axis=1)  # the other film's scores, of another voxel's response: another prediction
        null = np.roll(null_b, 1, axis=2)
        p.append(shared_stimulus_test(a - rolled, null_a - null, tail="two-sided").p)
        student.append(inference.t_test_over_subjects(a - rolled).p)
    assert np.mean(np.array(p) <= LEVEL) == pytest.approx(LEVEL, abs=0.025)
    assert np.mean(np.array(student) <= LEVEL) > 0.12


def test_what_is_there_is_found():
    r, null = next(experiments(1, True, 2, effect=1.0))
    found = shared_stimulus_test(r, null)
    assert np.mean(found.p <= LEVEL) > 0.95 and np.mean(found.p_family <= LEVEL) > 0.8
    np.testing.assert_allclose(found.mean, r.mean(axis=0))
    np.testing.assert_array_equal(found.p, inference.p_values(r.mean(axis=0), null.mean(axis=1)))
    np.testing.assert_array_equal(found.p_family, inference.max_statistic(r.mean(axis=0), null.mean(axis=1)))


def test_a_subject_without_a_voxel_is_left_out_of_score_and_null():
    r, null = next(experiments(1, True, 3))
    r[2, 4] = np.nan
    r[:, 5] = np.nan
    null[:, 2, 4] = np.nan
    found = shared_stimulus_test(r, null)
    kept = [0, 1, 3, 4, 5]
    assert found.n[[3, 4, 5]].tolist() == [6, 5, 0] and np.isnan([found.mean[5], found.p[5], found.p_family[5]]).all()
    alone = shared_stimulus_test(r[kept][:, 4], null[:, kept][:, :, 4])
    assert (found.mean[4], found.p[4]) == (pytest.approx(alone.mean), alone.p)
    assert np.isnan(shared_stimulus_test(r, null, least=6).p[4])
    maps = sides(r)
    group = encoding.group_map(maps, ({"left": null[:, k]} for k in range(N_SUBJECTS)))
    np.testing.assert_allclose(group.p["left"], found.p)
    np.testing.assert_allclose(group.mean["left"], found.mean)


@pytest.mark.slow
def test_best_space_over_subjects_who_share_the_film():
    """Of three that know nothing none may beat the others in more than 5 %, whoever shares the film."""
    p = []
    for first, second, third in zip(*(experiments(30, True, 7) for _ in range(3))):
        scores = np.stack([np.roll(x[0], k, axis=1) for k, x in enumerate((first, second, third))])
        null = np.stack([np.roll(x[1], k, axis=2) for k, x in enumerate((first, second, third))])
        p.append(encoding.best_space(scores, null).p)
    assert np.mean(np.array(p) <= LEVEL) < 0.05


GOOD = np.zeros((3, 4)), np.zeros((9, 3, 4))


@pytest.mark.parametrize(
    "scores, null, message",
    [
        (GOOD[0], GOOD[1][:, :2], r"scores has shape \(3, 4\) and null \(9, 2, 4\), expected \(n_subjects, ...\)"),
        (GOOD[0], GOOD[1].mean(axis=1), r"null \(9, 4\), expected"),
        (
            GOOD[0],
            np.full((9, 3, 4), np.nan),
            r"null holds NaN for 12 score\(s\) that are numbers, the first at \(0, 0\)",
        ),
    ],
)
def test_bad_nulls_are_named(scores, null, message):
    with pytest.raises(ValueError, match=message):
        shared_stimulus_test(scores, null)


def test_bad_nulls_of_maps_are_named():
    maps, null = sides(GOOD[0]), {"left": np.zeros((9, 4))}
    with pytest.raises(ValueError, match="nulls are of 2 subjects, expected 3 as in maps"):
        encoding.group_map(maps, [null] * 2)
    with pytest.raises(ValueError, match="nulls are of more than 3 subjects"):
        encoding.group_map(maps, [null] * 4)
    with pytest.raises(ValueError, match=r"nulls\[1\] has 8 permutations, expected 9 as of the first subject"):
        encoding.group_map(maps, [null, {"left": np.zeros((8, 4))}, null])
    with pytest.raises(ValueError, match=r"nulls\[0\] has shapes .*5.*expected .*4.* as in maps"):
        encoding.group_map(maps, [{"left": np.zeros((9, 5))}] * 3)
    with pytest.raises(ValueError, match=r"nulls\[0\] has shapes \(9, 4\)"):
        encoding.group_map(maps, [np.zeros((9, 4))] * 3)
    with pytest.raises(ValueError, match=r"nulls\[2\] holds NaN at vertices where maps\[2\] has a score"):
        encoding.group_map(maps, [null, null, {"left": np.full((9, 4), np.nan)}])
    with pytest.raises(ValueError, match=r"least is 4, expected from 1 to the 3 subject"):
        encoding.group_map(maps, [null] * 3, least=4)
    with pytest.raises(ValueError, match=r"null \(2, 9, 3, 5\), expected \(n_spaces, n_subjects, ...\)"):
        encoding.best_space(np.zeros((2, 3, 4)), np.zeros((2, 9, 3, 5)))
