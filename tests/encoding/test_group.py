"""Maps of a group: against one vertex at a time, what is found and what is not, subjects who do not fit together."""

import numpy as np
import pytest
from naturalistic.encoding.comparison import consensus_map
from naturalistic.encoding.group import map_over_subjects, stacked
from naturalistic.inference import fdr
from naturalistic.inference.prevalence import prevalence
from scipy import stats

N = {"left": 40, "right": 30}


def sides(rows):
    """Return maps of subjects from an array (n_subjects, n_vertices)."""
    return [{"left": row[: N["left"]], "right": row[N["left"] :]} for row in rows]


def joined(by_side):
    return np.concatenate([by_side["left"], by_side["right"]])


@pytest.fixture
def group_maps():
    """Six subjects: an effect at the first 20 vertices; some without a voxel here and there."""
    rng = np.random.default_rng(0)
    r = 0.05 * rng.standard_normal((6, 70))
    r[:, :20] += 0.25
    p = stats.norm.sf(r / 0.05)
    holes = np.zeros(r.shape, dtype=bool)
    holes[0, 5], holes[:4, 33], holes[:5, 34], holes[:, 35] = True, True, True, True
    r[holes] = p[holes] = np.nan
    return r, p


def test_each_vertex_is_what_scipy_says_of_it_alone(group_maps):
    r, p = group_maps
    group = map_over_subjects(sides(r), sides(p))
    t, p_t, n = (joined(getattr(group, name)) for name in ("t", "p", "n"))
    for k in range(70):
        x = r[:, k][~np.isnan(r[:, k])]
        if len(x) < 2:
            assert np.isnan([t[k], p_t[k], joined(group.mean)[k], joined(group.prevalence)[k]]).all() and n[k] == 0
            assert not joined(group.significant)[k] and np.isnan(joined(group.p_family)[k])
            continue
        expected = stats.ttest_1samp(x, 0, alternative="greater")
        assert n[k] == len(x)
        np.testing.assert_allclose([t[k], p_t[k]], expected, rtol=1e-9)
        assert joined(group.mean)[k] == pytest.approx(x.mean())
        n_significant = np.sum(p[:, k] <= 0.05)
        assert joined(group.n_significant)[k] == n_significant
        found = prevalence(n_significant, len(x))
        assert joined(group.prevalence)[k] == pytest.approx(found.estimate)
        assert joined(group.prevalence_low)[k] == pytest.approx(found.low)
    np.testing.assert_array_equal(joined(group.significant), fdr(p_t)[0])  # both sides together
    assert group.mean["left"].shape == (40,) and group.n["right"].shape == (30,)


def test_the_family_wise_p_is_the_best_of_all_vertices_in_all_64_flips(group_maps):
    r = group_maps[0][:, :33]  # without the vertices that only some have
    group = map_over_subjects([{"left": row} for row in r])
    x = np.nan_to_num(r)
    length = np.sqrt(np.sum(x**2, axis=0))
    flips = np.array(np.meshgrid(*[[1, -1]] * 6)).reshape(6, -1).T
    scores = flips @ (x / length)
    observed = (x / length).sum(axis=0)
    expected = np.mean(scores.max(axis=1)[:, None] >= observed - 1e-12, axis=0)
    np.testing.assert_allclose(group.p_family["left"], expected)
    assert group.p_family["left"].min() == 1 / 64 and group.prevalence is group.n_significant is None


def test_a_simulated_effect_is_found_and_noise_is_not(group_maps):
    group = map_over_subjects(*map(sides, group_maps))
    found = joined(group.significant)
    assert found[:20].mean() > 0.9 and found[20:].sum() <= 2
    # chance finds one subject of six in a quarter of vertices, and three in one of 500
    assert np.nanmin(joined(group.prevalence_low)[:20]) > 0.5 and np.nanmax(joined(group.prevalence_low)[20:]) < 0.5


@pytest.mark.slow
def test_over_noise_the_family_wise_error_is_held():
    rng = np.random.default_rng(5)
    any_found = [
        np.nanmin(map_over_subjects([{"left": x} for x in rng.standard_normal((7, 200))]).p_family["left"]) <= 0.05
        for _ in range(300)
    ]
    assert np.mean(any_found) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 300)


def test_fewer_subjects_than_least_do_not_count(group_maps):
    r, p = group_maps
    strict = map_over_subjects(sides(r), sides(p), least=6)
    assert joined(strict.n)[5] == joined(strict.n_significant)[5] == 0 and np.isnan(joined(strict.prevalence)[5])
    np.testing.assert_array_equal(joined(map_over_subjects(sides(r), sides(p)).n)[[5, 33, 34, 35]], [5, 2, 0, 0])


def test_a_shared_map_is_the_mean_where_most_are_significant(group_maps):
    r, p = group_maps
    marks = np.where(np.isnan(p), np.nan, p <= 0.05)
    shared = joined(consensus_map(sides(r), sides(marks)))
    wide = [np.mean(marks[:, k][~np.isnan(marks[:, k])]) > 0.5 if k != 35 else False for k in range(70)]
    expected = [np.nanmean(r[:, k]) if wide[k] else np.nan for k in range(70)]
    np.testing.assert_allclose(shared, expected)
    with pytest.raises(ValueError, match=r"significant\[0\] has shapes .* expected .*as of the first subject"):
        consensus_map(sides(r), [{"left": m["left"]} for m in sides(marks)])


GOOD = sides(np.zeros((3, 70)) + np.arange(3)[:, None])
SHORT = [*GOOD[:2], {"left": np.zeros(39), "right": np.zeros(30)}]


@pytest.mark.parametrize(
    "maps, p_maps, options, message",
    [
        (
            SHORT,
            None,
            {},
            r"maps\[2\] has shapes .*39.* expected .*40.*own voxels cannot be averaged; bring each.*to_surf",
        ),
        ([np.zeros(2950), np.zeros(2811)], None, {}, r"maps\[0\] has shape \(2950,\), expected a dict .*to_surface"),
        ([{"left": np.zeros((4, 3))}] * 2, None, {}, r"maps\[0\] has shapes .*\(4, 3\)"),
        ([], None, {}, "maps is empty, expected a map of each subject"),
        (GOOD[:1], None, {}, r"maps are of 1 subject\(s\) .* expected two subjects or more"),
        (GOOD, None, {"least": 4}, "least is 4, expected .* least from 2 to all of them"),
        (GOOD, GOOD[:2], {}, "p_maps are of 2 subjects, expected 3 as in maps"),
        (GOOD, SHORT, {}, r"p_maps\[2\] has shapes .*39"),
        (GOOD, GOOD, {}, r"p_maps holds values outside \[0, 1\], expected p-values, not scores"),
        (GOOD, sides(np.full((3, 70), 0.5)), {"alpha": 1.5}, "alpha is 1.5 and sensitivity"),
        (GOOD, None, {"q": 0}, "q is 0, expected between 0 and 1"),
        (GOOD, None, {"tail": "up"}, "tail is 'up', expected one of"),
    ],
)
def test_bad_input(maps, p_maps, options, message):
    with pytest.raises(ValueError, match=message):
        map_over_subjects(maps, p_maps, **options)


def test_maps_are_stacked_in_the_order_of_subjects_and_of_the_first_ones_sides():
    turned = [GOOD[0], {"right": GOOD[1]["right"], "left": GOOD[1]["left"]}]
    found = stacked(turned)
    assert list(found) == ["left", "right"]
    np.testing.assert_array_equal(found["right"], np.repeat([[0.0], [1.0]], 30, axis=1))
