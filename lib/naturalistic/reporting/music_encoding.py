"""Tables, summaries and sentences of the chapters on noise ceilings and encoding models of music."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from naturalistic.reporting import results

LEAST = 0.05  # share of voxels that must be significant for a region to count as predicted


def ceiling_table(voxels: pd.DataFrame) -> pd.DataFrame:
    """Return quantiles of noise ceilings by subject and region.

    Parameters
    ----------
    voxels : DataFrame
        A row for each voxel: ``subject``, ``region`` and ``ceiling``, NaN outside of the scan.

    Returns
    -------
    table : DataFrame
        ``subject``, ``region`` ("all" of them first), ``n_voxels``, ``median``, ``q95`` and ``q99.5``.
    """
    finite = voxels[np.isfinite(voxels["ceiling"])]
    rows = []
    for subject, of_subject in finite.groupby("subject", sort=False):
        regions = {"all": of_subject}
        for region, of_region in of_subject.groupby("region", observed=True):
            regions[str(region)] = of_region
        for region, of_region in regions.items():
            values = of_region["ceiling"].to_numpy()
            row = {"subject": subject, "region": region, "n_voxels": len(values), "median": np.median(values)}
            row["q95"] = np.quantile(values, 0.95)
            row["q99.5"] = np.quantile(values, 0.995)
            rows.append(row)
    return pd.DataFrame(rows)


def ceiling_summary(ceilings: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return noise ceilings of each subject: quantiles over cortex, and medians of regions.

    Parameters
    ----------
    ceilings : DataFrame
        From `ceiling_table`.

    Returns
    -------
    numbers : dict of str to dict of str to float
        By subject, such as ``"sub-001"``.
    """
    numbers = {}
    for subject, rows in ceilings.groupby("subject", sort=False):
        by_region = rows.set_index("region")
        of_all = by_region.loc["all"]
        row = {
            "median": float(of_all["median"]),
            "95th percentile": float(of_all["q95"]),
            "99.5th percentile": float(of_all["q99.5"]),
        }
        for region, median in by_region["median"].drop("all").items():
            row[str(region)] = float(median)
        numbers[f"sub-{subject}"] = row
    return numbers


def ceiling_text(ceilings: pd.DataFrame) -> str:
    """Return a table of noise ceilings in Markdown.

    Parameters
    ----------
    ceilings : DataFrame
        From `ceiling_table`.
    """
    about = "Noise ceilings (r, mean of four repeats) over the cortex and by region (medians):\n\n"
    by_subject = pd.DataFrame(ceiling_summary(ceilings))  # a column for each: regions are too many for columns
    return about + results.table(by_subject, corner="ceiling")


def ceiling_check_text(numbers: Mapping[str, Any]) -> str:
    """Return sentences on how well ceilings agree with the truth, and with themselves.

    Parameters
    ----------
    numbers : dict
        Of the chapter, with ``halves_r`` and, of simulated data, ``ground_truth``.
    """
    text = f"The two halves of the test runs agree by r = {numbers['halves_r']:.2f} over voxels."
    if "ground_truth" in numbers:
        truth = numbers["ground_truth"]
        text += (
            f" Explainable variance correlates {truth['r']:.2f} with the ground truth (slope {truth['slope']:.2f}, "
            f"offset {truth['offset']:.3f}); motion is off by at most {truth['shift_error_mm']:.2f} mm and "
            f"{truth['turn_error_degrees']:.2f} degrees."
        )
    return text


def _mean(values: pd.Series) -> float | None:
    """Return the mean of the values that are numbers, None where there is none."""
    mean = values.mean()
    return None if pd.isna(mean) else float(mean)


def region_summary(accuracy: pd.DataFrame, winners: pd.DataFrame) -> dict[str, dict]:
    """Summarize encoding accuracy over subjects, by region and feature space.

    Parameters
    ----------
    accuracy : DataFrame
        A row for each ``region``, ``subject`` and ``space``, with ``r``, ``of_ceiling``, ``significant`` (share of
        voxels), ``ceiling`` and ``reliable`` (share of voxels).
    winners : DataFrame
        A row for each ``region``: ``best`` space and the ``p`` that it beats each of the others.

    Returns
    -------
    numbers : dict of str to dict
        By region: ``best``, ``p_best``, ``reliable``, ``ceiling``, and by space ``r``, ``of_ceiling`` and
        ``significant``; None where no subject has a value.
    """
    best = winners.set_index("region")
    numbers: dict[str, dict] = {}
    for region, rows in accuracy.groupby("region", sort=False):
        summary: dict[str, Any] = {"best": best.loc[region, "best"], "p_best": float(best.loc[region, "p"])}
        for name, of_space in rows.groupby("space", sort=False):
            if "reliable" not in summary:  # the same for all spaces
                summary["reliable"] = _mean(of_space["reliable"])
                summary["ceiling"] = _mean(of_space["ceiling"])
            summary[str(name)] = {column: _mean(of_space[column]) for column in ("r", "of_ceiling", "significant")}
        numbers[str(region)] = summary
    return numbers


def _pivot(table: pd.DataFrame, value: str) -> dict[str, dict[str, float | None]]:
    """Return means over subjects by region and space."""
    cells: dict[str, dict[str, float | None]] = {}
    for (region, space), rows in table.groupby(["region", "space"], sort=False):
        cells.setdefault(region, {})[space] = _mean(rows[value])
    return cells


def region_text(accuracy: pd.DataFrame) -> str:
    """Return encoding accuracy as a share of the ceiling, by region, as a table in Markdown.

    Parameters
    ----------
    accuracy : DataFrame
        As in `region_summary`.
    """
    cells = _pivot(accuracy, "of_ceiling")
    for region, rows in accuracy.groupby("region", sort=False):
        cells[str(region)]["voxels that repeat"] = _mean(rows["reliable"])
    about = (
        "Accuracy as a share of the ceiling, mean of subjects, over voxels whose responses repeat (a dash: there are "
        "none; where their share is small, it says little):\n\n"
    )
    return about + results.table(cells, corner="r / ceiling")


def winner_text(winners: pd.DataFrame, accuracy: pd.DataFrame) -> str:
    """Return which feature space predicts each region best, and whether it beats all others.

    Parameters
    ----------
    winners : DataFrame
        A row for each ``region``: ``best``, ``p`` and ``better`` (after FDR over all regions).
    accuracy : DataFrame
        As in `region_summary`; regions in which too few voxels are significant are not listed.
    """
    summary = region_summary(accuracy, winners)
    lines = []
    for row in winners.to_dict("records"):
        best = summary[row["region"]][row["best"]]
        if (best["significant"] or 0) <= LEAST:
            continue
        p = f", p = {row['p']:.2g}" if np.isfinite(row["p"]) else ""
        verdict = "beats each of the others" if row["better"] else "not better than each of the others"
        lines.append(f"- {row['region']}: **{row['best']}** (r = {best['r']:.2f}{p}): {verdict}")
    if not lines:
        return "No region has more than a twentieth of its voxels predicted."
    about = (
        f"Regions with more than a twentieth of their voxels predicted ({len(lines)} of {len(winners)}; FDR 5 % over "
        f"all {len(winners)}, also those not listed):\n\n"
    )
    return about + "\n".join(lines)


def unique_text(unique: pd.DataFrame) -> str:
    """Return the parts of a variance partition by region as a table in Markdown.

    Parameters
    ----------
    unique : DataFrame
        A row for each ``region``, ``subject`` and ``space`` (the part), with ``r2``.
    """
    about = "Explained variance (R²), mean of subjects over all voxels of a region:\n\n"
    return about + results.table(_pivot(unique, "r2"), digits=3)


def permuted_text(permuted: pd.DataFrame) -> str:
    """Return a sentence on what vectors find that were given to other clips.

    Parameters
    ----------
    permuted : DataFrame
        A row for each ``subject``: ``p_below_0.05`` (share of voxels), ``n_significant`` and ``n_voxels``.
    """
    share = permuted["p_below_0.05"]
    corrected = (permuted["n_significant"] / permuted["n_voxels"]).mean()
    return (
        f"Permuted among clips, the joint model has p ≤ 0.05 in {share.mean():.1%} of voxels ({share.min():.1%} to "
        f"{share.max():.1%} in single subjects), and {corrected:.2%} after correction."
    )


def ground_truth_text(false_shares: pd.DataFrame, recovered: pd.DataFrame, advantage: pd.DataFrame) -> str:
    """Return tables that compare results with the ground truth, in Markdown.

    Parameters
    ----------
    false_shares : DataFrame
        A row for each ``subject`` and ``space``, with ``share``, ``beside`` and ``false``; empty without a truth.
    recovered : DataFrame
        A row for each ``region`` of the truth, ``subject`` and ``space``, with ``r``.
    advantage : DataFrame
        A row for each ``region``: ``difference`` of the joint model and acoustics, and ``p``.
    """
    if false_shares.empty:
        return "There is no ground truth for these data: nothing to compare with."
    names = {
        "share": "p ≤ 0.05, no response",
        "beside": "p ≤ 0.05, beside a responsive voxel",
        "false": "false share of discoveries",
    }
    cells = {}
    for space, rows in false_shares.groupby("space", sort=False):
        cells[str(space)] = {label: _mean(rows[column]) for column, label in names.items()}
    text = "**Where there is no response** (means over subjects):\n\n" + results.table(cells, digits=3)
    by_region = _pivot(recovered, "r")
    for row in advantage.to_dict("records"):
        by_region[row["region"]]["joint - acoustic"] = row["difference"]
        by_region[row["region"]]["p"] = row["p"]
    text += (
        "\n\n**Where there is a response**, accuracy by the truth's own borders, and p of the difference against the "
    )
    return text + "same shifts for all subjects:\n\n" + results.table(by_region, digits=3)
