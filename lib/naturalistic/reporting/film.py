"""Tables and sentences of the chapter on *Forrest Gump*, and what other pages say of it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from naturalistic.encoding import JointModel, mean_by_label, score_interval, unique_variance, unique_variance_interval
from naturalistic.plotting.film import AVERAGE, plain_name
from naturalistic.reporting import results
from naturalistic.reporting.summaries import joined

CHAPTER = "04-real-film"
ALL = "all parcels"
CONTROL = "audio description"
CONTROLS = ("audio description", "picture", "sound", "speech", "random")


# --- tables of the chapter -----------------------------------------------------------------------------------------


def accuracy_table(r: Mapping[str, ArrayLike], subjects: Sequence[str], networks: Sequence[str]) -> pd.DataFrame:
    """Return mean accuracy by space, subject and network, and over all parcels.

    Parameters
    ----------
    r : dict of str to array (1 + n_subjects, n_parcels) or (1, n_parcels)
        By space; the average brain first, or alone.
    subjects : sequence of str, n_subjects
    networks : sequence of str, n_parcels

    Returns
    -------
    table : DataFrame
        Columns ``space``, ``subject``, ``network`` and ``r``.
    """
    networks = np.asarray(networks)
    names = list(dict.fromkeys(networks.tolist()))
    rows = []
    for space, by_subject in r.items():
        for subject, values in zip([AVERAGE, *subjects], np.asarray(by_subject)):
            for network in [ALL, *names]:
                inside = values if network == ALL else values[networks == network]
                rows.append({"space": space, "subject": subject, "network": network, "r": float(inside.mean())})
    return pd.DataFrame(rows)


def select(table: pd.DataFrame, **values: str | Sequence[str]) -> pd.DataFrame:
    """Return the rows that have one of the values in each column named, in the order of the table."""
    for column, wanted in values.items():
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        table = table[table[column].isin(wanted)]
    return table.reset_index(drop=True)


def joint_differences(
    joint: JointModel,
    comparisons: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]],
    networks: Sequence[str],
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Return differences in accuracy of models with and without a space, with intervals.

    Parameters
    ----------
    joint : JointModel
    comparisons : dict of str to (model, model)
        Models of ``joint`` of which the second is taken from the first.
    networks : sequence of str, n_parcels
    seed : int
        Of the bootstrap over blocks of film.

    Returns
    -------
    table : DataFrame
        Columns ``comparison``, ``network`` (``"all parcels"`` first), ``value`` (mean difference of r over the
        parcels), ``low`` and ``high`` (95 %).
    """
    networks = np.asarray(networks)
    names = list(dict.fromkeys(networks.tolist()))
    labelings = [([ALL], np.zeros(len(networks), dtype=int)), (names, np.array([names.index(n) for n in networks]))]
    rows = []
    for comparison, (plus, minus) in comparisons.items():
        difference = joint.sums.score(plus, "r") - joint.sums.score(minus, "r")
        for regions, labels in labelings:
            values = mean_by_label(difference, labels, len(regions))
            ends = score_interval(joint.sums, [(1, plus), (-1, minus)], labels=labels, kind="r", seed=seed)
            for region, value, low, high in zip(regions, values, ends.low, ends.high):
                rows.append({"comparison": comparison, "network": region, "value": value, "low": low, "high": high})
    return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})


def unique_table(joint: JointModel, networks: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Return the unique variance of each space by network, with intervals.

    Parameters
    ----------
    joint : JointModel
    networks : sequence of str, n_parcels
    seed : int

    Returns
    -------
    table : DataFrame
        Columns ``space``, ``network``, ``value`` (explained variance), ``low`` and ``high`` (95 %; NaN where the
        joint model predicts nothing).
    """
    names = list(dict.fromkeys(networks))
    labels = np.array([names.index(name) for name in networks])
    values = mean_by_label(unique_variance(joint), labels, len(names))
    ends = unique_variance_interval(joint, labels=labels, n_labels=len(names), seed=seed)
    rows = []
    for space, value, low, high in zip(joint.spaces, values, ends.low, ends.high):
        columns = {"space": space, "network": names, "value": value, "low": low, "high": high}
        rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True).astype({"value": float, "low": float, "high": float})


# --- sentences ------------------------------------------------------------------------------------------------------


def has_results() -> bool:
    """Return whether the chapter has been run."""
    return results.has_results(CHAPTER)


def number_row(table: pd.DataFrame, **values: str) -> pd.Series:
    """Return the one row with these values."""
    return select(table, **values).iloc[0]


def interval_text(row: Mapping, digits: int = 4) -> str:
    """Format a difference with its interval, such as ``"+0.012 (95 % interval +0.010 to +0.014)"``."""
    value, low, high = (f"{row[name]:+.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} (95 % interval {low} to {high})"


def accuracy_rows(numbers: Mapping) -> dict[str, dict]:
    """Return the rows of the table of models: accuracy, and what is left beyond sound and presence."""
    accuracy = select(results.frame(numbers["accuracy"]), network=ALL)
    beyond = results.frame(numbers["beyond"]).set_index("space")
    rows = {}
    for space in accuracy["space"].unique():
        of_space = accuracy[accuracy["space"] == space]
        is_average = of_space["subject"] == AVERAGE
        has_test = space in beyond.index
        rows[space] = {
            AVERAGE: float(of_space["r"][is_average].iloc[0]),
            "subjects": None if is_average.all() else float(of_space["r"][~is_average].mean()),
            "beyond picture, sound, speech": float(beyond["r"][space]) if has_test else None,
            "p": f"{beyond['p'][space]:.2g}" if has_test else None,
            "parcels (FWE 5 %)": f"{beyond['n_parcels'][space]:.0f}" if has_test else None,
        }
    return rows


def clock_text(curves: pd.DataFrame) -> str:
    """Say at which lag loudness is followed best, by run."""
    best = curves.loc[curves.groupby("run", sort=False)["r"].idxmax()]
    inside = int(best["lag"].between(4, 6).sum())
    return f"loudness is followed best 4 to 6 s later in {inside} of {len(best)} runs"


def context_text(numbers: Mapping) -> str:
    """Say what context adds to static words, beside what the control adds under the same test."""
    differences = results.frame(numbers["differences"])
    gain = number_row(differences, comparison="context, not static", network=ALL)
    adds = number_row(differences, comparison="layer", network=ALL)
    static = number_row(differences, comparison="static", network=ALL)
    control = number_row(differences, comparison=CONTROL, network=ALL)
    verdict = _verdict(gain)
    lesson = "an interval that holds zero"
    if control["low"] > 0:
        lesson = "clear of zero: timing that no other space has is enough for a gain, so a gain alone proves no meaning"
    return (
        f"words in context {verdict} static ones, {interval_text(gain)}; beside static words they add "
        f"{interval_text(adds)}, static words beside them {interval_text(static)}. The audio description, which was "
        f"not played in the scanner, adds {interval_text(control)} to all others, {lesson}"
    )


def summary(numbers: Mapping) -> str:
    """Return the findings of the chapter as a list in Markdown.

    Parameters
    ----------
    numbers : dict
        As `results.load` returns them.
    """
    differences = results.frame(numbers["differences"])
    is_clear = (differences["network"] != ALL) & (differences["low"] > 0)
    clear = differences[is_clear & (differences["comparison"] == "context, not static")]["network"]
    control = differences[is_clear & (differences["comparison"] == CONTROL)]["network"]
    beyond = results.frame(numbers["beyond"])
    tests = "; ".join(f"{row.space} {row.r:.3f} (p {row.p:.2g})" for row in beyond.itertuples())
    chosen = results.frame(numbers["selected"])
    decoded = results.frame(numbers["decoded"])
    read = ", ".join(f"{row.feature} r {row.r:.2f} (p {row.p:.2g})" for row in decoded.itertuples())
    lines = [
        f"**Clock**: {clock_text(results.frame(numbers['lags']))}.",
        f"**Beyond** picture, sound and the presence of speech: {tests}.",
        f"**Context** in the joint model: {context_text(numbers)}. Context over static words is above zero in "
        f"{joined(clear, 'no network')}; what the audio description adds, in {joined(control, 'no network')}.",
        f"**Layer and parcels selected in training runs**: {_selected_text(chosen)}.",
        f"**From the average brain**: {read}.",
        f"**More film**: {_length_text(results.frame(numbers['length']))}.",
    ]
    about = f"{numbers['dataset']}, {numbers['n_subjects']} subjects, {numbers['n_trs']:,} TRs, {numbers['model']}."
    return f"{about}\n\n" + "\n".join(f"- {line}" for line in lines)


def _verdict(row: Mapping) -> str:
    if row["low"] > 0:
        return "predict more than"
    return "predict less than" if row["high"] < 0 else "are not told from"


def _selected_text(chosen: pd.DataFrame) -> str:
    """Say how the selected layer does beside static vectors in the same parcels."""
    people = chosen[chosen["subject"] != AVERAGE].groupby("subject")[["context", "static"]].mean()
    average = chosen[chosen["subject"] == AVERAGE]
    layers = ", ".join(str(k) for k in sorted(average["layer"].unique()))
    better = int((people["context"] > people["static"]).sum())
    return (
        f"layer {layers} for the average brain, r {average['context'].mean():.3f} where static words have "
        f"{average['static'].mean():.3f}; in single subjects {people['context'].mean():.3f} on average where static "
        f"words have {people['static'].mean():.3f}, and context is better in {better} of {len(people)}"
    )


def _length_text(curve: pd.DataFrame) -> str:
    """Say how accuracy grows with training runs."""
    few = curve["n_runs"].min()
    many = curve["n_runs"].max()
    is_average = curve["subject"] == AVERAGE

    def ends(rows: pd.DataFrame) -> str:
        means = rows.groupby("n_runs")["r"].mean()
        return f"{means[few]:.3f} to {means[many]:.3f}"

    whose = f"{ends(curve[is_average])} in the average brain, {ends(curve[~is_average])} in subjects"
    return f"from {few} to {many} training runs r goes from {whose}"


# --- other pages -----------------------------------------------------------------------------------------------------


def ladder_accuracy(numbers: Mapping) -> dict[str, float]:
    """Return the accuracy of the average brain by space: controls, words, and the layer of the joint model."""
    accuracy = select(results.frame(numbers["accuracy"]), network=ALL, subject=AVERAGE).set_index("space")["r"]
    names = [*CONTROLS, "static", f"layer {numbers['layer']}"]
    return {name: float(accuracy[name]) for name in names if name in accuracy.index}


def added(numbers: Mapping) -> pd.DataFrame:
    """Return what each space adds to all others in the joint model, over all parcels.

    Returns
    -------
    table : DataFrame
        Columns ``added``, ``value``, ``low`` and ``high``.
    """
    differences = select(results.frame(numbers["differences"]), network=ALL)
    differences = differences[~differences["comparison"].str.contains(",")]
    layer = f"layer {numbers['layer']}"
    table = differences.rename(columns={"comparison": "added"}).replace({"added": {"layer": layer}})
    return table[["added", "value", "low", "high"]].reset_index(drop=True)


def headline(numbers: Mapping) -> str:
    """Return a list for the first page: accuracies with controls, the paired difference, single subjects."""
    accuracy = ladder_accuracy(numbers)
    layer = f"layer {numbers['layer']}"
    values = ", ".join(f"{plain_name(name)} {accuracy[name]:.3f}" for name in accuracy if name != layer)
    whose = "simulated brains" if results.is_simulated(numbers) else "measured brains"
    return (
        f"{numbers['n_subjects']} {whose} and {numbers['n_trs']:,} TRs of film ({numbers['dataset']}):\n\n"
        f"- **By itself** a language model that reads the dialogue in context predicts the average brain in runs that "
        f"it has not met at r = {accuracy[layer]:.3f}, mean over {numbers['n_parcels']} parcels. Its controls: "
        f"{values}.\n"
        f"- **In one model** of these but the random vectors, {context_text(numbers)}.\n"
        f"- **Where training runs select** layer and parcels: "
        f"{_selected_text(results.frame(numbers['selected']))}.\n\n"
        "{numref}`Chapter %s <ch:real-film>` has the maps, the networks, the ceilings, and the way back from the brain."
    )


def results_row(numbers: Mapping) -> dict[str, str]:
    """Return the cells of the page of results: the difference, and that of the control under the same test."""
    differences = results.frame(numbers["differences"])
    gain = number_row(differences, comparison="context, not static", network=ALL)
    control = number_row(differences, comparison=CONTROL, network=ALL)
    return {
        "data": numbers["dataset"],
        "context less static words (r)": interval_text(gain),
        "the audio description adds (r)": interval_text(control),
        "subjects": f"{numbers['n_subjects']}",
    }
