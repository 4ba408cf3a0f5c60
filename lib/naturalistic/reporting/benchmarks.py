"""Tables of the page of benchmarks."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

# chapters whose results the full-size run keeps
SCANS = "05-music-experiment"
DECODING = "07-music-decoding"
ENCODING = "09-music-encoding"
LANGUAGE = "12-language-encoding"
MAPS = "13-semantic-maps"


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
