"""Tables and sentences of the chapters on levels of meaning in a film."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from naturalistic.inference import shared_stimulus_test
from naturalistic.reporting import results
from naturalistic.reporting.summaries import full_size_cost, mean_sd

if TYPE_CHECKING:
    from naturalistic.encoding import SplitHalves
    from naturalistic.inference import SharedStimulusResult

NO_TRUTH = "No ground truth is known."
NO_MEANING = "no meaning"  # level of spaces that know none


def by_model_and_level(accuracy: pd.DataFrame, column: str) -> dict[str, dict[str, list]]:
    """Return the values of subjects by model and level.

    Parameters
    ----------
    accuracy : pandas.DataFrame
        Columns ``model``, ``level``, ``subject``, and ``column``.
    column : str

    Returns
    -------
    values : dict of str to dict of str to list
        In the order of the rows.
    """
    values: dict[str, dict[str, list]] = {}
    for (model, level), rows in accuracy.groupby(["model", "level"], sort=False):
        values.setdefault(model, {})[level] = rows[column].tolist()
    return values


def mean_of_ceiling(accuracy: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Return the mean share of the noise ceiling by model and level.

    Parameters
    ----------
    accuracy : pandas.DataFrame
        As in `by_model_and_level`; with ``of_ceiling`` where there is a ceiling.

    Returns
    -------
    shares : dict of str to dict of str to float or None
    """
    if "of_ceiling" not in accuracy:
        return {model: dict.fromkeys(levels) for model, levels in by_model_and_level(accuracy, "r").items()}
    values = by_model_and_level(accuracy, "of_ceiling")
    return {model: {level: float(np.mean(x)) for level, x in of.items()} for model, of in values.items()}


def mean_by_point(curves: Mapping[str, NDArray], points: Iterable) -> dict[str, dict[str, float]]:
    """Return the mean over subjects at each point of some curves.

    Parameters
    ----------
    curves : dict of str to array (n_subjects, n_points)
    points : iterable
        Names of the points, as text.

    Returns
    -------
    means : dict of str to dict of str to float
    """
    names = [str(point) for point in points]
    return {curve: dict(zip(names, values.mean(axis=0))) for curve, values in curves.items()}


def gains(
    accuracy: pd.DataFrame, differences: pd.DataFrame, large: str, small: str
) -> dict[str, dict[str, float | list]]:
    """Return the gain of one model over another by level.

    Parameters
    ----------
    accuracy : pandas.DataFrame
        As in `by_model_and_level`, with ``r_same``.
    differences : pandas.DataFrame
        Columns ``first``, ``second``, ``mean``, ``low``, ``high``, ``p``.
    large, small : str
        The same model twice where there is one.

    Returns
    -------
    gains : dict of str to dict
        By level: ``subjects``, and where both were compared ``mean``, ``low``, ``high``, ``p``.
    """
    same = by_model_and_level(accuracy, "r_same")
    by_level: dict[str, dict[str, float | list]] = {}
    for level, values in same[large].items():
        by_level[level] = {"subjects": (np.array(values) - np.array(same[small][level])).tolist()}
        of = differences[(differences["first"] == f"{large} {level}") & (differences["second"] == f"{small} {level}")]
        for row in of.to_dict("records"):
            by_level[level] |= {name: row[name] for name in ("mean", "low", "high", "p")}
    return by_level


def control_sentence(accuracy: pd.DataFrame) -> str:
    """Describe where the controls stand beside the levels.

    Parameters
    ----------
    accuracy : pandas.DataFrame
        As in `by_model_and_level`, with ``r``.

    Returns
    -------
    text : str
    """
    mean = accuracy.groupby(["model", "level"], sort=False)["r"].mean()
    levels = mean[mean.index.get_level_values("level") != NO_MEANING].sort_values(ascending=False)
    control = mean["controls", NO_MEANING]
    above = levels[levels > control]
    model, level = levels.index[0]
    place = "**stand above every level**" if above.empty else f"are beaten by {len(above)} of {len(levels)} levels"
    return (
        f"What knows no meaning first: the controls reach r = {control:.3f} and {place}, each in voxels of its own "
        f"(word rate alone: {mean['word rate', NO_MEANING]:.3f}). The best level is {level} of {model}, "
        f"r = {levels.iloc[0]:.3f}."
    )


def accuracy_table(accuracy: pd.DataFrame, null: Mapping[tuple[str, str], NDArray]) -> str:
    """Return the accuracy of controls and levels as a table, controls first.

    Parameters
    ----------
    accuracy : pandas.DataFrame
        As in `by_model_and_level`, with ``r``, ``r_same`` and ``layer``; ``of_ceiling`` where there is a ceiling.
    null : dict of (str, str) to array (n_permutations, n_subjects)
        By model and level: ``r_same`` under the same shifts for all subjects.

    Returns
    -------
    text : str
    """
    table = {}
    groups = dict(list(accuracy.groupby(["model", "level"], sort=False)))
    for model, level in sorted(groups, key=lambda key: key[1] != NO_MEANING):
        rows = groups[model, level]
        p = shared_stimulus_test(rows["r_same"].to_numpy(), null[model, level]).p
        table[f"{model} ({NO_MEANING})" if level == NO_MEANING else f"{level}, {model}"] = {
            "r, its own voxels": mean_sd(rows["r"]),
            "r, same voxels for all": mean_sd(rows["r_same"]),
            "p (same shifts for all)": f"{p:.3f}",
            "r / ceiling": float(rows["of_ceiling"].mean()) if "of_ceiling" in rows else None,
            "layers of the subjects": " ".join(map(str, rows["layer"])),
        }
    return results.table(table, corner="level, model")


def difference_table(differences: pd.DataFrame) -> str:
    """Return differences in the same voxels as a table, bold where significant.

    Parameters
    ----------
    differences : pandas.DataFrame
        Columns ``first``, ``second``, ``mean``, ``low``, ``high``, ``p``, ``significant``.

    Returns
    -------
    text : str
    """
    table = {}
    for row in differences.to_dict("records"):
        mark = "**" if row["significant"] else ""
        table[f"{row['first']} − {row['second'].removesuffix(f' {NO_MEANING}')}"] = {
            "difference of r": f"{row['mean']:+z.3f}",
            "95 % interval": f"{row['low']:+z.3f}\u00a0to\u00a0{row['high']:+z.3f}",
            "p (bold: FDR 5 %)": f"{mark}{row['p']:.3f}{mark}",
        }
    text = "Differences in the same voxels, mean over subjects; p and interval by the same shifts for all:\n\n"
    return text + results.table(table, corner="first − second")


def story_sentence(
    r: Mapping[str, NDArray], gained: "Mapping[str, SharedStimulusResult]", layers: Sequence[int] | NDArray
) -> str:
    """Describe what a language model adds to its controls in a story.

    Parameters
    ----------
    r : dict of str to array (n_subjects, n_regions)
        By space.
    gained : dict of str to inference.SharedStimulusResult
        Layers less ``static``, and less ``controls``.
    layers : sequence of int
        Selected without each block.

    Returns
    -------
    text : str
    """
    text = "Mean over regions: " + ", ".join(f"{name} {values.mean():.3f}" for name, values in r.items()) + ". "
    for name, test in gained.items():
        text += f"Layers − {name}: {test.mean:+z.3f} (p = {test.p:.2g}, shifts of all subjects alike). "
    text += f"Layers chosen without each block: {' '.join(map(str, layers))}. "
    adds = "adds to" if gained["static"].p <= 0.05 else "does not clearly add to"
    beats = "beats" if gained["controls"].p <= 0.05 else "does not beat"
    return text + f"**What holds**: context {adds} the words alone; it {beats} the mere number of words."


def truth_checks(
    by_region: pd.DataFrame,
    false_found: pd.DataFrame,
    chosen_layers: Mapping[str, NDArray],
    true_layers: Mapping[str, int],
) -> dict[str, Any]:
    """Return what was found beside the ground truth of simulated data.

    Parameters
    ----------
    by_region : pandas.DataFrame
        Columns ``region``, ``level``, ``r``, ``true_share``.
    false_found : pandas.DataFrame
        Columns ``level``, ``share``, ``false``, a row for each subject.
    chosen_layers : dict of str to int array (n_subjects,)
    true_layers : dict of str to int
        Empty where nothing is known.

    Returns
    -------
    checks : dict
        ``layer_steps``, ``region_level_found``, ``region_level_true``, ``false_share``, ``false_discoveries``; empty
        where nothing is known.
    """
    if not true_layers:
        return {}
    found = {}
    true = {}
    for region, rows in by_region.groupby("region", sort=False):
        if rows["true_share"].max() > 0:
            found[region] = rows.loc[rows["r"].idxmax(), "level"]
            true[region] = rows.loc[rows["true_share"].idxmax(), "level"]
    means = false_found.groupby("level", sort=False)[["share", "false"]].mean()
    return {
        "layer_steps": {level: [int(x - true_layers[level]) for x in of] for level, of in chosen_layers.items()},
        "region_level_found": found,
        "region_level_true": true,
        "false_share": means["share"].to_dict(),
        "false_discoveries": means["false"].to_dict(),
    }


def truth_text(checks: Mapping[str, Any], by_region: pd.DataFrame, driving: Sequence[str]) -> str:
    """Return accuracy by true region, layers beside the true ones, and false finds.

    Parameters
    ----------
    checks : dict
        From `truth_checks`.
    by_region : pandas.DataFrame
    driving : sequence of str
        Levels that drive responses.

    Returns
    -------
    text : str
    """
    if not checks:
        return NO_TRUTH
    table: dict[str, dict] = {}
    for row in by_region.to_dict("records"):
        true = checks["region_level_true"].get(row["region"])
        name = f"{row['region']} ({true})" if true else row["region"]
        table.setdefault(name, {})[row["level"]] = float(row["r"])
    steps = checks["layer_steps"]
    counted = [abs(x) <= 1 for level in driving for x in steps[level]]
    by_level = "; ".join(f"{level} {' '.join(f'{x:+d}' for x in of)}" for level, of in steps.items())
    shares = ", ".join(f"{x:.1%} ({level})" for level, x in checks["false_share"].items())
    false = ", ".join(f"{x:.1%} ({level})" for level, x in checks["false_discoveries"].items() if np.isfinite(x))
    return (
        "Accuracy by region (in brackets the level that drives it most; sound or light may drive it too):\n\n"
        f"{results.table(table, corner='test r')}\n\nLayer that each subject chose, less the true one: {by_level}. Of "
        f"{', '.join(driving)}: within one in {sum(counted)} of {len(counted)}.\n\nWhere there is no response, p ≤ "
        f"0.05 in {shares} of voxels, and there lie {false or 'none'} of the discoveries."
    )


def annotator_sentence(halves: "SplitHalves", all_annotators: float, similarity: float) -> str:
    """Describe what half of the annotators reach.

    Parameters
    ----------
    halves : encoding.SplitHalves
    all_annotators : float
        Accuracy with all of them.
    similarity : float
        CKA of the features of both halves.

    Returns
    -------
    text : str
    """
    return (
        f"One half of the annotators of Object reaches r = {np.nanmean(halves.first):.3f}, the other "
        f"{np.nanmean(halves.second):.3f}, all {all_annotators:.3f}; the features of both halves have a CKA of "
        f"{similarity:.2f}."
    )


def sweep_cost(numbers: Mapping, n_fits: int, n_training: int) -> str:
    """Describe the time of the sweep here and at full size.

    Parameters
    ----------
    numbers : dict
        Of the chapter, as `results.save` returns them.
    n_fits, n_training : int
        Models fitted, and TRs that each was fitted on.

    Returns
    -------
    text : str
    """
    layer = results.load_benchmark("sweep")["tenth"]
    return (
        f"Here {n_fits} models of {numbers['n_voxels']:,} voxels and {n_training:,} training seconds took "
        f"{numbers['seconds']:.0f} s, their shifts included. At full size, one layer of {layer['dim']:,} features over "
        f"{layer['n_trs']:,} s took {layer['all_s']:.0f} s for {layer['n_voxels']:,} voxels (a tenth of a subject, two "
        f"cores, {layer['peak_gb']:.0f} GB at most): about {layer['subject_s'] / 60:.0f} minutes a layer for a whole "
        f"subject. {full_size_cost('12-language-encoding')}"
    )
