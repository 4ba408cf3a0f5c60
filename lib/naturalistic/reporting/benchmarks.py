"""Tables of the page of benchmarks."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from naturalistic.reporting import results

# chapters whose results the full-size run keeps
SCANS = "05-music-experiment"
DECODING = "07-music-decoding"
ENCODING = "09-music-encoding"
LANGUAGE = "12-language-encoding"
MAPS = "13-semantic-maps"

_PEER_COLUMNS = ["seconds", "times ours", "processor time, times ours", "memory (GB)", "alpha as good"]
_DEVICE_COLUMNS = ["seconds", "times ours, or float32", "memory (GB)", "alpha as good, or error"]


NOT_MEASURED = "**Not measured**: `{command}` measures it."


def load_if_measured(name: str) -> dict | None:
    """Return the results of a benchmark, or None where it was not measured.

    Parameters
    ----------
    name : str
        As in `results.load_benchmark`.

    Returns
    -------
    results : dict or None
    """
    try:
        return results.load_benchmark(name)
    except FileNotFoundError:
        return None


def fresh_clone_text(fresh: Mapping | None) -> str:
    """Return what a newcomer waits for, step after step, in Markdown.

    Parameters
    ----------
    fresh : dict or None
        Of `load_if_measured`.

    Returns
    -------
    text : str
    """
    if fresh is None:
        return NOT_MEASURED.format(command="python tests/benchmarks/fresh_clone.py")
    rows = {}
    for step, seconds in fresh["steps"].items():
        time = f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.1f} s"
        rows[step] = {"time": time, "tests": fresh["tests"].get(step, "–")}
    slowest = sorted(fresh["chapters_s"].items(), key=lambda item: -item[1])[:5]
    longest = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in slowest)
    return (
        f"{results.table(rows, corner='step')}\n\n{fresh['machine']}, Python {fresh['python']}, {fresh['date']}, "
        f"load {fresh['load']} before. Chapters run side by side; the longest: {longest}."
    )


def peer_table(ridge: Mapping) -> pd.DataFrame:
    """Return all solvers of the ridge benchmark as text, a row for each case and solver.

    Parameters
    ----------
    ridge : dict
        Of `results.load_benchmark`.

    Returns
    -------
    table : DataFrame
        Columns of seconds, memory, their ratios to ours, and the share of targets whose alpha scores as well; a solver
        that was left out has the reason in the first.
    """
    rows = {}
    for case, solvers in ridge["cases"].items():
        ours = solvers["ours"]
        for name, row in solvers.items():
            if name == "himalaya_best":
                continue
            if "seconds" not in row:
                rows[f"{case}: {name}"] = dict.fromkeys(_PEER_COLUMNS) | {"seconds": row.get("left_out", "left out")}
                continue
            rows[f"{case}: {name}"] = {
                "seconds": f"{row['seconds']:.1f}",
                "times ours": None if row is ours else f"{row['seconds'] / ours['seconds']:.1f}",
                "processor time, times ours": None
                if row is ours
                else f"{row['cpu_seconds'] / ours['cpu_seconds']:.1f}",
                "memory (GB)": f"{row['peak_gb']:.2f}",
                "alpha as good": f"{row['as_good']:.4f}",
            }
    return pd.DataFrame.from_dict(rows, orient="index", columns=_PEER_COLUMNS)


def cluster_text(cluster: Mapping | None) -> str:
    """Return what workers gain and cost, and the plan of the whole study, in Markdown.

    Parameters
    ----------
    cluster : dict or None
        Of `load_if_measured`.

    Returns
    -------
    text : str
    """
    if cluster is None:
        return NOT_MEASURED.format(command="python tests/benchmarks/bench_cluster.py")
    one = min(cluster["one_s"])
    two = min(cluster["two_s"])
    rows = {}
    for row in cluster["plan"]:
        rows[f"{row['workers']}"] = {
            "hours": f"{row['hours']:.1f}",
            "hours, levels undivided": f"{row['hours_by_level']:.1f}",
            "of the time at work": f"{row['busy']:.0%}",
            "held up by": row["bottleneck"],
        }
    table = results.table(rows, corner="workers")
    sweep = (
        f"The same sweep of {cluster['n_units']} units took {min(cluster['local_s']):.1f} s without workers, "
        f"{one:.1f} s with one and {two:.1f} s with two: an efficiency of **{cluster['efficiency']:.0%}**."
    )
    alone = cluster["unit_s"]
    among = cluster["unit_of_many_s"]
    units = f"A unit that does nothing took {1000 * alone:.0f} ms alone and {1000 * among:.0f} ms among many."
    return f"{sweep} {units}\n\nThe study: {cluster['study']}.\n\n{table}"


def device_text(device: Mapping | None) -> str:
    """Return what a GPU took, as Markdown.

    Parameters
    ----------
    device : dict or None
        Of `load_if_measured`.

    Returns
    -------
    text : str
    """
    if device is None or device.get("quick"):  # a quick one measures nothing
        return NOT_MEASURED.format(command="tests/device/check.sh")
    rows = {}
    for row in device["ridge"]:
        figures = dict.fromkeys(_DEVICE_COLUMNS) | {"seconds": row.get("left_out", "left out")}
        if "seconds" in row:
            figures = {
                "seconds": f"{row['seconds']:.2f}",
                "times ours, or float32": f"{row['ratio']:.1f}",
                "memory (GB)": None if row["gb"] is None else f"{row['gb']:.2f}",
                "alpha as good, or error": f"{row['as_good']:.4f}",
            }
        rows[f"ridge, {row['case']}: {row['solver']}"] = figures
    single = device["precisions"][0]["seconds"]
    for row in device["precisions"]:
        rows[f"{row['model']}, {row['dtype']}"] = {
            "seconds": f"{row['seconds']:.2f}",
            "times ours, or float32": f"{row['seconds'] / single:.1f}",
            "memory (GB)": None if row["gb"] is None else f"{row['gb']:.2f}",
            "alpha as good, or error": f"{row['error']:.1e}",
        }
    tests = ", ".join(f"{n} {kind}" for kind, n in device.get("tests", {}).items())
    tests = f" Tests on it: {tests}." if tests else ""
    about = f"{device['device']}, torch {device['torch']}.{tests}"
    return f"{results.table(pd.DataFrame.from_dict(rows, orient='index'))}\n\n{about}"


def sweep_table(sweep: Mapping) -> pd.DataFrame:
    """Return the seconds of sweeps over layers, a row for each case.

    Parameters
    ----------
    sweep : dict
        Of `results.load_benchmark`.

    Returns
    -------
    table : DataFrame
        Column ``seconds``.
    """
    small = sweep["simulated"]
    full = sweep["tenth"]
    seconds = {
        f"simulated data, {small['n_layers']} layers": small["whole_s"],
        "simulated data, one layer": small["one_layer_s"],
        "the same, each subject alone": small["one_layer_apart_s"],
        f"{full['n_voxels']:,} voxels x {full['n_trs']:,} s, one layer": full["all_s"],
        "ten times the voxels, by the rate": full["subject_s"],
    }
    return pd.DataFrame({"seconds": seconds})


def step_table(steps: Mapping[str, Mapping]) -> pd.DataFrame:
    """Return what each step of the full-size run took, as text.

    Parameters
    ----------
    steps : dict of str to dict
        Costs by the name of the step.

    Returns
    -------
    table : DataFrame
        A row for each step; a dash where a step has no parameters.
    """
    rows = {}
    for name, cost in steps.items():
        given = [f"{key} = {value}" for key, value in cost.get("parameters", {}).items()]
        rows[name.replace(", made", ", simulated")] = {
            "minutes": f"{cost['seconds'] / 60:.1f}",
            "minutes of one core": f"{cost['cpu_s'] / 60:.1f}" if cost["cpu_s"] else None,
            "memory, most (GB)": f"{cost['peak_mb'] / 1000:.1f}",
            "disk after it (GB)": f"{cost['disk_gb']:.0f}",
            "started": str(cost["goes"]),
            "measured": cost.get("date") or "–",
            "beside dataset and subjects": ", ".join(given) or "–",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def full_size_peaks(full_size: Mapping) -> str:
    """Return a sentence on the machine of a full-size run, its largest memory and its largest disk."""
    steps = full_size["steps"].values()
    memory = max(cost["peak_mb"] for cost in steps) / 1000
    disk = max(cost["disk_gb"] for cost in steps)
    return (
        f"{full_size['machine']}. No step held more than **{memory:.1f} GB** of memory; the disk held at most "
        f"{disk:.0f} GB, as one data set is removed before the next is simulated."
    )


def found_lines(found: Mapping[str, Mapping]) -> list[str]:
    """Return what the chapters of a full-size run found, a line for each.

    Parameters
    ----------
    found : dict of str to dict
        Results by the name of the chapter.

    Returns
    -------
    lines : list of str
    """
    scans, music, heard, films, joint = (found[name] for name in (SCANS, DECODING, ENCODING, LANGUAGE, MAPS))
    decoded = music["scores"][music["joint"]]
    permuted = list(heard["dealt"]["p_below_0.05"].values())
    model = films["models"][-1]
    by_level = "; ".join(f"{level} {np.mean(r):.2f}" for level, r in films["accuracy"][model].items())
    return [
        f"voxels of the subject of music: {scans['n_voxels']['sub-001']:,}, whose ceilings agree between halves of the "
        f"test runs by r = {scans['halves_r']:.2f}",
        f"clips identified by the vector that was decoded: {np.mean(decoded['identification']):.2f} (chance "
        f"{decoded['chance']:.2f})",
        f"voxels that {heard['joint']} predicts: {np.sum(heard['n_significant'][heard['joint']]):,}; given to other "
        f"clips, it reaches the level of one test in {np.mean(permuted):.1%}",
        f"voxels of the subject of films: {films['n_voxels']:,}, in the best of which {model} predicts the test film "
        f"by r = {by_level}",
        f"accuracy (r) that one space adds to all others, in its best region: {_best_regions(joint['unique_r'])}",
    ]


def _best_regions(unique: Mapping[str, Mapping[str, float]]) -> str:
    """Return what each space adds at most, with the region where it is."""
    by_region = pd.DataFrame(unique)  # (n_spaces, n_regions)
    parts = []
    for space, row in by_region.iterrows():
        parts.append(f"{space} {row.max():.3f} ({row.idxmax()})")
    return "; ".join(parts)
