"""Numbers and sentences of the chapters of part I: a first model, ridge and delays, ceilings and nulls."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from naturalistic.datasets.alice import KNOWN_LEAVE_ONE_OUT
from naturalistic.reporting import results
from naturalistic.reporting.summaries import joined

if TYPE_CHECKING:
    from naturalistic.datasets.alice import Alice

LARGEST_DEVIATION = 0.03  # of leave-one-out correlations from the known ones


def collect(
    story: "Alice",
    means: pd.DataFrame,
    difference: pd.DataFrame,
    beyond: pd.DataFrame,
    context: pd.DataFrame,
    check: pd.DataFrame,
) -> dict:
    """Return the numbers of the chapter from its tables.

    Parameters
    ----------
    story : Alice
    means : DataFrame
        Columns model, region, r, p, significant, tested.
    difference, beyond : DataFrame
        Columns region, r, p, significant; of the second also low and high.
    context : DataFrame
        Columns window, subject, region, r.
    check : DataFrame
        Columns region, weights of the ground truth, r beyond rhythm, p, significant.

    Returns
    -------
    numbers : dict
        As `results.save` takes them.
    """
    tested = means[means["tested"]]
    by_window = context.groupby(["window", "region"], sort=False)["r"].mean().reset_index()
    columns = {"p": "beyond_p", "r": "beyond", "significant": "beyond_significant", "low": "beyond_low"}
    return {
        "n_subjects": len(story.subjects),
        "n_trs": int(story.covered.sum()),
        "notes": story.notes,
        "accuracy": _nested(means, "model", "r"),
        "p": _nested(tested, "model", "p"),
        "significant": _nested(tested, "model", "significant"),
        "difference": _by_region(difference, "r"),
        "difference_p": _by_region(difference, "p"),
        "difference_significant": _by_region(difference, "significant"),
        **{name: _by_region(beyond, column) for column, name in columns.items()},
        "accuracy_by_context": _nested(by_window, "window", "r"),
        "known_leave_one_out": dict(zip(story.rois, KNOWN_LEAVE_ONE_OUT)) if story.is_whole else None,
        "check": check.set_index("region").to_dict("index"),
    }


def _by_region(frame: pd.DataFrame, column: str) -> dict:
    return dict(zip(frame["region"], frame[column].tolist()))


def _nested(frame: pd.DataFrame, outer: str, column: str) -> dict:
    return {str(name): _by_region(rows, column) for name, rows in frame.groupby(outer, sort=False)}


def truth_sentence(check: pd.DataFrame) -> str:
    """Return what the check on simulated data found, as a sentence.

    Parameters
    ----------
    check : DataFrame
        Columns region, "kind of scene" (weight) and significant.

    Returns
    -------
    text : str
        Markdown.
    """
    with_scenes = check["kind of scene"] > 0
    found = check[with_scenes & check["significant"]]["region"]
    missed = check[with_scenes & ~check["significant"]]["region"]
    false = check[~with_scenes & check["significant"]]["region"]
    return (
        f"**Simulated data.** Scenes drive {joined(check[with_scenes]['region'])}. Beyond rhythm they are found in "
        f"{joined(found)} and missed in {joined(missed)}; significant without a cause: {joined(false)}."
    )


def findings(numbers: Mapping) -> str:
    """Return what the chapter found, as Markdown.

    Parameters
    ----------
    numbers : dict
        As `results.load` returns them.

    Returns
    -------
    text : str
    """
    middle = f"layer {numbers['middle']}"
    layer = numbers["significant"][middle]
    controls = numbers["significant"]["controls"]
    gains = numbers["difference"]
    beats = {roi: flag and gains[roi] > 0 for roi, flag in numbers["difference_significant"].items()}
    loses = {roi: flag and gains[roi] < 0 for roi, flag in numbers["difference_significant"].items()}
    beyond = numbers["beyond_significant"]
    clear = {roi: numbers["beyond_low"][roi] is not None and numbers["beyond_low"][roi] > 0 for roi in beyond}
    lesson = {roi: clear[roi] and not beyond[roi] for roi in beyond}
    context = numbers["accuracy_by_context"]
    windows = list(context)
    first = windows[0]
    last = windows[-1]
    change = ", ".join(f"{context[last][roi] - context[first][roi]:+z.2f} in {roi}" for roi in layer)
    bold = {name: numbers["significant"].get(name, dict.fromkeys(layer, False)) for name in numbers["accuracy"]}
    lines = [
        results.table(numbers["accuracy"], bold, corner="accuracy (r)"),
        "",
        f"Bold: significant (refitted shift null, FDR 0.05; tested were {joined(numbers['p'])}). {numbers['dataset']}, "
        f"{numbers['n_subjects']} listeners, {numbers['n_trs']} TRs, {numbers['model']}.",
        "",
        f"**Does it?** In {sum(layer.values())} of {len(layer)} regions {middle} predicts minutes that it never saw; "
        f"in {sum(beats.values()) or 'none'} it does so significantly better than word rate and loudness.",
        "",
        f"- **{middle.capitalize()}** with {numbers['window']} words of context predicts {_marked(layer)}; **word rate "
        f"and loudness** predict {_marked(controls)}.",
        f"- Between the two (shift null, FDR 0.05), the layer is **above** in {_marked(beats)} and **below** in "
        f"{_marked(loses)}. (The null is that neither predicts.)",
        f"- **Beyond** word rate, loudness and motion the layer predicts {_marked(beyond)}. An interval over listeners "
        f"clear of zero and yet not significant: {_marked(lesson)}.",
        f"- **Context**: from {first} to {last} words, r changes by {change}.",
    ]
    return "\n".join([*lines, *_known(numbers)])


def ridge_found(numbers: Mapping) -> str:
    """Return what the chapter on ridge and delays found, as Markdown.

    Parameters
    ----------
    numbers : dict
        As `results.load` returns them.

    Returns
    -------
    text : str
    """
    choices = ", ".join(f"{r:.3f} ({name})" for name, r in numbers["by_choice"].items())
    delays = ", ".join(f"{r:.3f} ({name})" for name, r in numbers["by_delays"].items())
    scaled = ", ".join(f"{r:.3f} ({name})" for name, r in numbers["by_scaling"].items())
    peaks = ", ".join(f"{s:g} s in {roi}" for roi, s in numbers["response_peak_s"].items() if s is not None)
    bands = []
    for case, gains in numbers["banded_gain"].items():
        listed = ", ".join(f"{gain:+z.3f} with {n} rows" for n, gain in gains.items())
        bands.append(f"- Banded ridge against ridge where {case}: {listed}.")
    return "\n".join(
        [
            f"- {numbers['dataset']}, {numbers['n_subjects']} listeners. Held-out r by the choice of alpha: {choices}.",
            f"- Held-out r by delays: {delays}.",
            f"- The response to word rate peaks after {peaks or 'no clear time'}; elsewhere no peak stands out from "
            "the weights before zero.",
            *bands,
            f"- Simulated runs, held-out r by scaling: {scaled}.",
        ]
    )


def nulls_found(numbers: Mapping) -> str:
    """Return what the chapter on ceilings and nulls counted, as Markdown.

    Parameters
    ----------
    numbers : dict
        As `results.load` returns them.

    Returns
    -------
    text : str
    """
    counted = ", ".join(f"{share:.0%} ({name})" for name, share in numbers["false_positives"].items())
    maps = ", ".join(f"{share:.0%} ({name})" for name, share in numbers["false_maps"].items())
    wrong = numbers["wrong_time"]
    means = {name: sum(by_region.values()) / len(by_region) for name, by_region in numbers["accuracy"].items()}
    models = ", ".join(f"{r:.3f} ({name})" for name, r in means.items())
    return "\n".join(
        [
            f"- Of regions that follow nothing, p is at most 0.05 in {counted}.",
            f"- Of {numbers['n_experiments']} simulated experiments in which nothing is, a test finds something in "
            f"{maps}.",
            f"- {numbers['dataset']}: a model at the wrong time is significant by a t-test over "
            f"{numbers['n_subjects']} listeners in {wrong['share']:.0%} of regions, and in {wrong['map']:.0%} of maps "
            "after FDR.",
            f"- Mean accuracy over regions: {models}.",
        ]
    )


def _known(numbers: Mapping) -> list[str]:
    """Return a line on leave-one-out correlations that were known before any model, if they were."""
    known = numbers["known_leave_one_out"]
    if known is None:
        return []
    off = max(abs(numbers["leave_one_out_correlation"][roi] - value) for roi, value in known.items())
    if off >= LARGEST_DEVIATION:
        raise ValueError(f"leave-one-out correlations are off by {off:.3f}, expected at most {LARGEST_DEVIATION}")
    return [
        "- **Check**: the leave-one-out correlations of these data were known before this book; those of this run "
        f"differ from them by at most {off:.3f}."
    ]


def _marked(flags: Mapping[str, bool]) -> str:
    return joined([name for name, flag in flags.items() if flag])
