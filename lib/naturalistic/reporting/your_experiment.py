"""Sentences and tables of the chapter on one's own experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from naturalistic.encoding.experiment import BEYOND, SubjectEncoding
from naturalistic.reporting import results
from naturalistic.simulated import simulation

_FOLLOWS = ("nothing", "rate of words", "kind of scene")

_CEILINGS = {
    "repeats": "repeats of the test",
    "subjects": "other subjects with the same test, a lower bound",
    "halves": "none, as nothing was repeated or shared; the agreement of two halves of the training is shown",
}


def scores(encodings: Mapping[str, SubjectEncoding]) -> pd.DataFrame:
    """Return a row for each subject and model."""
    return pd.concat([one.summary() for one in encodings.values()], ignore_index=True)


def ceilings(encodings: Mapping[str, SubjectEncoding]) -> pd.DataFrame:
    """Return a row for each subject: kind of ceiling, reliable voxels, and the score as a share of it."""
    rows = []
    for label, one in encodings.items():
        share = one.share_of_ceiling
        rows.append({
            "subject": label, "ceiling": one.ceiling.kind, "reliable": int(one.ceiling.reliable.sum()),
            "median share": float(np.nanmedian(share)) if np.isfinite(share).any() else np.nan,
        })  # fmt: skip
    return pd.DataFrame(rows)


def ground_truth(experiment: Any, encodings: Mapping[str, SubjectEncoding]) -> pd.DataFrame:
    """Return mean r and the share of significant voxels of each model, by what voxels follow; empty if measured.

    Parameters
    ----------
    experiment : BidsExperiment
    encodings : dict of str to SubjectEncoding
    """
    columns = ["model", "voxels follow", "voxels", "mean r", "significant"]
    if not getattr(experiment, "is_simulated", False) or not (Path(experiment.folder) / "derivatives/truth").is_dir():
        return pd.DataFrame(columns=columns)
    follows = simulation("lab").load_truth(experiment.folder)
    rows = []
    for one in encodings.values():
        of_voxel = follows[tuple(one.subject.grid.indices.T)]
        for name, score in one.scores.items():
            for kind, what in enumerate(_FOLLOWS):
                here = of_voxel == kind
                values = (
                    name,
                    what,
                    int(here.sum()),
                    float(np.nanmean(score.r[here])),
                    float(score.significant[here].mean()),
                )
                rows.append(dict(zip(columns, values)))
    frame = pd.DataFrame(rows)
    return frame.groupby(["model", "voxels follow"], sort=False, as_index=False).mean(numeric_only=True)


def truth_sentence(truth: pd.DataFrame) -> str:
    """Return what the comparison with the ground truth says.

    Parameters
    ----------
    truth : DataFrame
        From `ground_truth`.
    """
    if truth.empty:
        return 'These data have no ground truth: run the chapter once with `dataset = "simulated"`.'
    share = truth.set_index(["model", "voxels follow"])["significant"]
    return (
        f"Beyond the rate of words, {share[BEYOND, _FOLLOWS[2]]:.0%} of the voxels that follow the kind of scene are "
        f"found, and {share[BEYOND, _FOLLOWS[1]]:.1%} of those that follow the rate alone; of the voxels that follow "
        f"nothing {share[BEYOND, _FOLLOWS[0]]:.1%} are marked."
    )


def findings(numbers: Mapping[str, Any]) -> str:
    """Return the sentences of the chapter from its saved numbers.

    Parameters
    ----------
    numbers : dict
        From `results.save`: ``scores``, ``ceilings``, ``lags``, ``main``.
    """
    table = results.frame(numbers["scores"])
    ceiling = results.frame(numbers["ceilings"])
    main = table[table["model"] == numbers["main"]]
    lines = [
        f"- Subjects: {len(ceiling)}. “{numbers['main']}” is significant in "
        f"{_range_of(main['significant'])} of {main['voxels'].iloc[0]:,} voxels."
    ]
    beyond = table[table["model"] == BEYOND]
    if len(beyond):
        lines.append(
            f"- Beyond the controls it is significant in {_range_of(beyond['significant'])}: that is what language "
            "explains and the controls do not."
        )
    kinds = " or ".join(_CEILINGS[kind] for kind in sorted(set(ceiling["ceiling"])))
    lines.append(f"- The ceiling: {kinds}.")
    lags = [lag for lag in numbers["lags"].values() if lag is not None]
    if lags:
        lines.append(f"- The clock: BOLD follows the stimulus best after {_range_of(lags)} s.")
    return "\n".join(lines)


def _range_of(values: Sequence[float]) -> str:
    """Return the smallest and the largest of values, or their one value."""
    low = min(values)
    high = max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
