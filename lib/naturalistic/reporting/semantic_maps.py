"""Tables and sentences of the chapter on joint models of several feature spaces."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from naturalistic.reporting import results
from naturalistic.reporting.summaries import full_size_cost

if TYPE_CHECKING:
    from naturalistic.encoding import AxesStability, AxesTest, AxisEnds, GroupMap, ScoreInterval

NO_TRUTH = "No ground truth is known."
BOUND_BY_CHANCE = 0.025  # of a one-sided end of a 95 % interval


def nested(frame: pd.DataFrame, outer: str, inner: str, value: str) -> dict[str, dict]:
    """Return one column of a tidy table as a dict of dicts, in its order.

    Parameters
    ----------
    frame : pandas.DataFrame
    outer, inner, value : str
        Columns: keys of the outer and of the inner dicts, and their values.

    Returns
    -------
    values : dict of str to dict
    """
    values: dict[str, dict] = {}
    for first, second, x in zip(frame[outer], frame[inner], frame[value]):
        values.setdefault(first, {})[second] = x
    return values


def nested_interval(frame: pd.DataFrame, outer: str, inner: str) -> dict[str, dict]:
    """Return intervals of a tidy table (``low``, ``high``) as a dict of dicts.

    Parameters
    ----------
    frame : pandas.DataFrame
    outer, inner : str
        As in `nested`.

    Returns
    -------
    intervals : dict of str to dict of str to list
    """
    return nested(frame.assign(interval=frame[["low", "high"]].to_numpy().tolist()), outer, inner, "interval")


def rivals_sentence(rivals: pd.DataFrame) -> str:
    """Describe where the joint model wins and where it loses.

    Parameters
    ----------
    rivals : pandas.DataFrame
        Columns ``model`` (banded, stacked, plain), ``voxels`` (all, reliable, others), ``r2``.

    Returns
    -------
    text : str
    """
    sentences = []
    for voxels, place in (("all", "Over all voxels"), ("reliable", "In reliable voxels")):
        scores = rivals[rivals["voxels"] == voxels].set_index("model")["r2"].sort_values(ascending=False)
        if not np.isfinite(scores["banded"]):
            continue
        place_of_banded = ["best", "second", "last"][list(scores.index).index("banded")]
        others = ", ".join(f"{name} {scores[name]:.3f}" for name in scores.index if name != "banded")
        sentences.append(f"{place}, banded ridge comes **{place_of_banded}**: R² = {scores['banded']:.3f} ({others}).")
    return " ".join(sentences)


def rivals_table(rivals: pd.DataFrame) -> str:
    """Return the scores of rival models by voxels, with intervals of the gain.

    Parameters
    ----------
    rivals : pandas.DataFrame
        As in `rivals_sentence`, with ``gain_low`` and ``gain_high``, the interval of banded ridge less the model.

    Returns
    -------
    text : str
    """
    rows: dict[str, dict] = {}
    for row in rivals.to_dict("records"):
        cells = rows.setdefault(row["model"], {})
        cells[f"R², {row['voxels']}"] = f"{row['r2']:.3f}"
        if row["voxels"] != "all":
            gain = f"{row['gain_low']:+z.3f} to {row['gain_high']:+z.3f}"
            cells[f"banded less this, {row['voxels']}"] = None if row["model"] == "banded" else gain
    return results.table(rows, corner="model")


def learning_sentence(minutes: ArrayLike, curves: Mapping[str, NDArray]) -> str:
    """Describe how the gap between two models changes with training film.

    Parameters
    ----------
    minutes : array (n_points,)
    curves : dict of str to array (n_subjects, n_points)
        Of two models.

    Returns
    -------
    text : str
    """
    minutes = np.asarray(minutes)
    (first, a), (second, b) = curves.items()
    gaps = np.nanmean(a, axis=0) - np.nanmean(b, axis=0)
    steps = ", ".join(f"{gap:+z.3f} ({m:.0f} min)" for m, gap in zip(minutes, gaps))
    largest = "is largest" if gaps[-1] > max(gaps[:-1].max(), 0) else "is not largest"
    return f"r of {first} less that of {second}: {steps}. The gap {largest} with all of the film."


def group_shares(group: "GroupMap | None") -> dict[str, float]:
    """Return the shares of the surface that pass the shared-stimulus test.

    Parameters
    ----------
    group : encoding.GroupMap, or None

    Returns
    -------
    shares : dict of str to float
        Of vertices with two subjects or more; empty without a group.
    """
    if group is None:
        return {}

    def whole(by_side: Mapping[str, NDArray]) -> NDArray:
        return np.concatenate(list(by_side.values()))

    counted = whole(group.n) >= 2
    return {
        "same shifts for all, FDR 5 %": float(whole(group.significant)[counted].mean()),
        "same shifts for all, family-wise 5 %": float((whole(group.p_family)[counted] <= 0.05).mean()),
    }


def group_sentence(group: "GroupMap | None") -> str:
    """Describe the share of the surface that passes the shared-stimulus test."""
    shares = group_shares(group)
    if not shares:
        return "One subject: nothing can be said of a group."
    return "Share of the surface that passes: " + ", ".join(f"{x:.1%} ({name})" for name, x in shares.items()) + "."


def excess_sentence(by_region: pd.DataFrame) -> str:
    """Name the regions in which one space alone beats the joint model.

    Parameters
    ----------
    by_region : pandas.DataFrame
        Columns ``region``, ``space``, ``alone``, ``unique``, ``all_spaces``, in R².

    Returns
    -------
    text : str
    """
    beaten = []
    exceeded = []
    for region, rows in by_region.groupby("region", sort=False):
        best = rows.loc[rows["alone"].idxmax()]
        if best["alone"] > max(best["all_spaces"], 0):
            beaten.append(f"{region} ({best['space']} alone {best['alone']:.3f}, all {best['all_spaces']:.3f})")
        most = rows.loc[rows["unique"].idxmax()]
        if most["unique"] > most["all_spaces"] > 0:
            exceeded.append(f"{region} ({most['space']}: {most['unique']:.3f} of {most['all_spaces']:.3f})")
    text = f"One space alone predicts better than all together in: {', '.join(beaten) or 'no region'}."
    return text + f" A unique part is **larger than the whole** in: {', '.join(exceeded) or 'no region'}."


def region_table(by_region: pd.DataFrame) -> str:
    """Return a table of the best single space, all spaces and unique variance.

    Parameters
    ----------
    by_region : pandas.DataFrame
        As in `excess_sentence`, with ``low`` and ``high`` of the interval of ``unique``.

    Returns
    -------
    text : str
        A row for each region; unique parts whose interval is above 0.
    """
    table = {}
    for region, rows in by_region.groupby("region", sort=False):
        best = rows.loc[rows["alone"].idxmax()]
        above = rows[rows["low"] > 0].sort_values("unique", ascending=False)
        parts = [f"{row['space']} {row['unique']:.3f}" for _, row in above.iterrows()]
        table[region] = {
            "best alone (R²)": f"{best['space']} {best['alone']:.3f}",
            "all spaces (R²)": f"{best['all_spaces']:.3f}",
            "unique, interval above 0": ", ".join(parts) or None,
        }
    return results.table(table, corner="region")


def unique_by_truth(
    unique: Mapping[str, NDArray], interval: "ScoreInterval", region: NDArray, plan: Any
) -> pd.DataFrame:
    """Return unique variance by the true regions of simulated data.

    Parameters
    ----------
    unique : dict of str to array (n_voxels,)
        By space.
    interval : encoding.ScoreInterval
        Arrays (n_spaces, n_regions).
    region : int array (n_voxels,)
        Index into ``plan.names``; their number is elsewhere.
    plan : object
        ``names`` of the regions, and ``shares`` of each: true shares of variance by space.

    Returns
    -------
    table : pandas.DataFrame
        Columns ``region``, ``space``, ``true_share``, ``unique``, ``low``, ``high``; regions without a voxel are left
        out.
    """
    rows = []
    for k, name in enumerate([*plan.names, "elsewhere"]):
        here = region == k
        if not here.any():
            continue
        shares = plan.shares.get(name, {})
        for i, (space, values) in enumerate(unique.items()):
            sources = ("loudness", "luminance") if space == "controls" else (space,)
            row = {"region": name, "space": space, "true_share": float(sum(shares.get(x, 0) for x in sources))}
            row |= {"unique": values[here].mean(), "low": interval.low[i, k], "high": interval.high[i, k]}
            rows.append(row)
    return pd.DataFrame(rows)


def truth_text(checks: pd.DataFrame, claimed: Mapping[str, float]) -> str:
    """Return the table of unique variance by true regions, and false claims.

    Parameters
    ----------
    checks : pandas.DataFrame
        From `unique_by_truth`.
    claimed : dict of str to float
        By space: share of the voxels without response whose interval is above 0.

    Returns
    -------
    text : str
    """
    if checks.empty:
        return NO_TRUTH
    table: dict[str, dict] = {}
    for row in checks.to_dict("records"):
        cells = table.setdefault(row["region"], {"truth": ""})
        if row["true_share"]:
            cells["truth"] += f"{', ' if cells['truth'] else ''}{row['space']} {row['true_share']:.2g}"
        mark = "**" if row["low"] > 0 else ""
        cells[row["space"]] = f"{mark}{row['unique']:+z.3f}{mark}"
    for cells in table.values():
        cells["truth"] = cells["truth"] or "nothing"
    shares = ", ".join(f"{x:.1%} ({name})" for name, x in claimed.items())
    return (
        "Unique variance (R²) by true region; bold where the interval is above zero:\n\n"
        f"{results.table(table, corner='region')}\n\nWhere there is no response, the interval of a single voxel lies "
        f"above zero in {shares} of voxels ({BOUND_BY_CHANCE:.1%} may, by chance)."
    )


def axes_text(tested: "AxesTest", ends: "Sequence[AxisEnds]", n_axes: int) -> str:
    """List the texts at the ends of the first axes.

    Parameters
    ----------
    tested : encoding.AxesTest
    ends : list of encoding.AxisEnds
    n_axes : int

    Returns
    -------
    text : str
    """

    def quoted(end: Sequence[tuple[str, float]]) -> str:
        return "; ".join(f"“{text}” ({x:+z.1f})" for text, x in end)

    lines = []
    for k in range(n_axes):
        lines.append(f"- **axis {k + 1}** (p = {tested.p[k]:.2g}), at one end: {quoted(ends[k].high)}; at the other: ")
        lines[-1] += quoted(ends[k].low)
    return "\n".join(lines)


def stability_sentence(stability: "AxesStability | None", n_axes: int) -> str:
    """Describe how far the axes of other subjects hold in each subject.

    Parameters
    ----------
    stability : encoding.AxesStability, or None
    n_axes : int

    Returns
    -------
    text : str
    """
    if stability is None:
        return "One subject: there is nobody to compare with."
    pairs = zip(stability.cosines.mean(axis=0), stability.null_cosines.mean(axis=(0, 1)))
    cosines = ", ".join(f"{x:.2f} (shifted: {y:.2f})" for x, y in pairs)
    n_shifts = len(stability.null)
    return (
        f"Of a subject's weight variance {stability.others.mean():.1%} lies along the {n_axes} axes of the others, "
        f"{stability.own.mean():.1%} along the subject's own, {stability.null.mean():.1%} along those of shifted "
        f"responses (p = {stability.p:.2g}; with {n_shifts} shifts no p is below {1 / (n_shifts + 1):.2g}). Paired one "
        f"by one, axes of others and own have cosines of {cosines} on average. An axis whose cosine is not above that "
        "of shifted responses is not the same in all, though their common plane may be."
    )


def directions_table(frame: pd.DataFrame) -> str:
    """Return the share of weights in the true directions of each region.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``voxels``, ``directions``, ``share``.

    Returns
    -------
    text : str
    """
    if frame.empty:
        return NO_TRUTH
    table = nested(frame, "voxels", "directions", "share")
    text = "Share of the weights' variance in the directions that drive (columns of the table):\n\n"
    return text + results.table(table, corner="voxels of")


def axes_numbers(tested: "AxesTest", n_axes: int, stability: "AxesStability | None") -> dict:
    """Return the numbers of weight axes for the results file.

    Parameters
    ----------
    tested : encoding.AxesTest
    n_axes : int
    stability : encoding.AxesStability, or None

    Returns
    -------
    numbers : dict
    """
    numbers: dict[str, Any] = {"share": tested.axes.explained, "p": tested.p, "null": tested.null.mean(axis=0)}
    numbers |= {"n": n_axes, "stability": None}
    if stability is not None:
        numbers["stability"] = {
            "others": stability.others,
            "own": stability.own,
            "shifted": stability.null.mean(axis=0),
            "p": stability.p,
            "cosines": stability.cosines.mean(axis=0),
        }
    return numbers


def joint_cost(numbers: Mapping, n_sets: int, n_permutations: int) -> str:
    """Describe the time of the joint model here and at full size.

    Parameters
    ----------
    numbers : dict
        Of the chapter, as `results.save` returns them.
    n_sets, n_permutations : int

    Returns
    -------
    text : str
    """
    cost = full_size_cost("13-semantic-maps")
    return (
        f"The joint model, its {n_sets} sets of spaces and {n_permutations} shifts took {numbers['seconds_joint']:.0f} "
        f"s for {numbers['n_voxels']:,} voxels. {cost}"
    )
