"""Tables of the page that sets the results of chapters beside the papers."""

from collections.abc import Mapping, Sequence

import numpy as np

from naturalistic.reporting import film, results, summaries

_WHAT = ("identification", "correlation")
_TRAINED_ON = {"own": "own data", "others'": "data of other subjects", "everybody's": "data of all subjects"}


def spread(published: Mapping) -> str:
    """Format a published mean, with its standard deviation where there is one."""
    text = f"{published['mean']:.3f}"
    return f"{text} ± {published['sd']:.3f}" if "sd" in published else text


def column_of(numbers: Mapping) -> str:
    """Return the heading of this run's values: by the data that the chapter opened."""
    return "this run, simulated" if results.is_simulated(numbers) else "this run, measured"


def _in_simulation(numbers: Mapping, text: str) -> str | None:
    """Return what a simulation put in, or None of measured data."""
    return text if results.is_simulated(numbers) else None


def context_rows(paper: Mapping, levels: Mapping, forrest: Mapping) -> dict[str, dict]:
    """Return the rows on the question whether a language model beats static vectors.

    Parameters
    ----------
    paper : dict
        Published numbers, of Nakagi et al. 2024.
    levels, forrest : dict
        Numbers of chapters 12 and 4.
    """
    claims = {level: x["beats_static"] for level, x in paper["levels"].items() if "beats_static" in x}
    printed = {
        "data": paper["data"],
        "ground truth": None,
        "difference (r)": "; ".join(f"{level}: {claim}" for level, claim in claims.items()),
        "control": "not reported",
    }
    gains = []
    for level, gain in levels["gain"].items():
        p = f", p {gain['p']:.3f}" if "p" in gain else ""
        gains.append(f"{level} {np.mean(gain['subjects']):+z.3f}{p}" if "subjects" in gain else f"{level} –")
    of_levels = {
        "data": levels["dataset"],
        "ground truth": _in_simulation(levels, "yes, for the levels of the paper"),
        "difference (r)": "; ".join(gains),
        "control": _controls_text(levels),
    }
    cells = film.results_row(forrest)
    of_film = {
        "data": f"{cells['data']}, {cells['subjects']} subjects",
        "ground truth": _in_simulation(forrest, "no: the simulated cortex follows words alone"),
        "difference (r)": cells["context less static words (r)"],
        "control": cells["the audio description adds (r)"],
    }
    of_this = [f"levels of meaning, {column_of(levels)}", f"*Forrest Gump*, {column_of(forrest)}"]
    return {paper["name"]: printed, of_this[0]: of_levels, of_this[1]: of_film}


def _controls_text(levels: Mapping) -> str:
    """Return the accuracy of the spaces that know no meaning, beside that of the best level."""
    accuracy = levels["accuracy"]
    controls = []
    for name, by_kind in accuracy.items():
        if name not in levels["models"]:
            controls += [f"{name} {np.mean(r):.3f}" for r in by_kind.values()]
    best = max(np.mean(r) for r in accuracy[levels["models"][-1]].values())
    return f"accuracy (r) of what knows no meaning: {', '.join(controls)}; of the best level {best:.3f}"


def level_rows(paper: Mapping, levels: Mapping) -> dict[str, dict]:
    """Return layers and accuracies of each level of a film."""
    small = levels["models"][0]
    large = levels["models"][-1]
    rows = {}
    for level in levels["levels"]:
        printed = paper["levels"].get(level, {})
        gain = levels["gain"][level]
        rows[level] = {
            "paper: layer of one subject": str(printed.get("layer", "–")),
            "paper: large beats static": printed.get("beats_static", "–"),
            "ground truth": _in_simulation(levels, "as in the paper") or "–",
            f"this run: layers of {large}": " ".join(map(str, levels["layers"][large][level])),
            f"r, {small.replace('static:', 'static vectors of ')}": summaries.mean_sd(levels["accuracy"][small][level]),
            f"r, {large}": summaries.mean_sd(levels["accuracy"][large][level]),
            "p of the difference (same shifts for all)": f"{gain['p']:.3f}" if "p" in gain else None,
        }
    return rows


def unique_text(paper: Mapping, levels: Mapping, joined: Mapping) -> str:
    """Return the table of unique r by level, with the paper's range, and the shares of the weights' axes."""
    rows = {}
    for level in levels["levels"]:
        region = max(joined["unique_r"], key=lambda name: joined["unique_r"][name][level])
        low = joined.get("unique_variance_interval", {}).get(region, {}).get(level, [1])[0]
        rows[level] = {
            "paper: where": paper["levels"].get(level, {}).get("unique"),
            "ground truth": _in_simulation(joined, "as in the paper") or "–",
            "this run: most, in": region if (low or 0) > 0 else "nowhere for sure",
            "this run: unique r": f"{joined['unique_r'][region][level]:.3f}",
        }
    axes = ", ".join(f"{x['mean']} ± {x['sd']}" for x in paper["axes_percent"])
    shares = ", ".join(f"{100 * x:.1f}" for x in joined["axes"]["share"][:3])
    return (
        f"The paper's unique r lies between {paper['unique_r']['low']} and {paper['unique_r']['high']}.\n\n"
        f"{results.table(rows, corner='level')}\n\nThe first axes of the weights of Story hold {axes} % of their "
        f"variance in the paper. In this run they hold {shares} %; where brains are simulated, that is a property of "
        "the simulation, and not to be compared."
    )


def decoding_rows(paper: Mapping, read: Mapping) -> dict[str, dict]:
    """Return identification accuracy and correlation of each embedding, of the paper and of this run."""
    roles = {printed: ours for ours, printed in read["stood_for"].items()}
    rows = {}
    for printed in paper["identification"]:
        ours = roles.get(printed)
        scores = read["scores"].get(ours)
        row = {}
        for what in _WHAT:
            row[f"paper: {what}"] = spread(paper[what][printed])
            row[f"{column_of(read)}: {what}"] = summaries.mean_sd(scores[what]) if scores else None
        truth = _in_simulation(read, "yes") if scores else None
        rows[f"{printed} / {ours or '–'}"] = row | {"ground truth": truth or "–"}
    return rows


def across_rows(works: Sequence[Mapping], read: Mapping) -> dict[str, dict]:
    """Return identification accuracy of later work, and of this run with the data of other subjects."""
    rows = {}
    for work in works:
        for name, x in work["identification"].items():
            rows[f"{work['name']}, {name}"] = {"identification": spread(x), "data": work["data"]}
    for whose, x in read["across"].items():
        row = {"identification": summaries.mean_sd(x["subjects"]), "data": read["dataset"]}
        rows[f"this run, {read['joint']}, {_TRAINED_ON.get(whose, whose)}"] = row
    return rows


def rebuilding_rows(guided: Mapping, rebuilt: Mapping) -> dict[str, dict]:
    """Return identification accuracy of generated and retrieved sound, with its oracle."""
    printed = {"scored by": "CLAP", "identification": spread(guided["generated"]["CLAP"]), "oracle": None}
    rows = {f"{guided['name']}, generated": printed}
    for way, by_model in rebuilt["identification"].items():
        for model, x in by_model.items():
            identified = summaries.mean_sd(x["identification"])
            row = {"scored by": model, "identification": identified, "oracle": f"{x['oracle']:.3f}"}
            rows[f"this run, {way}, {model}"] = row
    return rows


def video_rows(works: Sequence[Mapping], proved: Mapping) -> dict[str, dict]:
    """Return the published scores of films from the brain, beside those of this run's controls.

    Parameters
    ----------
    works : sequence of dict
        Published numbers.
    proved : dict
        Numbers of chapter 15.

    Returns
    -------
    rows : dict of dict
        Scores by number of classes; where this run measured a score's chance, it stands behind it.
    """
    columns = ("data", "2-way score", "2-way chance", "20-way score", "20-way chance", "50-way score")
    rows: dict[str, dict] = {}
    for work in works:
        printed = {f"{name} score": f"{value:.3f}" for name, value in work["scores"].items()}
        rows[work["name"]] = {"data": work["data"], "2-way chance": "not printed", **printed}
    field = results.frame(proved["field"])
    for method, of_method in field.groupby("method", sort=False):
        of_score = of_method.set_index("metric")
        rows[str(method)] = {
            "data": column_of(proved),
            "2-way score": f"{of_score.loc['2-way', 'value']:.3f}",
            "2-way chance": f"{of_score.loc['2-way', 'chance']:.3f}",
            "20-way score": f"{of_score.loc['20-way', 'value']:.3f}",
            "20-way chance": f"{of_score.loc['20-way', 'chance']:.3f}",
        }
    return {name: {column: row.get(column) for column in columns} for name, row in rows.items()}


def agreement_rows(rebuilt: Mapping) -> dict[str, dict]:
    """Return the agreement of classes of reconstructed sound, with its chance and its oracle."""
    rows = {}
    for kind, by_way in rebuilt["agreement"].items():
        for way, x in by_way.items():
            row = {"agreement": summaries.mean_sd(x["subjects"]), "chance": f"{x['chance']:.3f}"}
            rows[f"{kind}, {way}"] = row | {"oracle": f"{x['oracle']:.3f}"}
    return rows


def agreement_text(rebuilt: Mapping) -> str:
    """Say on which classes generated sound agrees more than retrieved sound, and on which less, by their means."""
    more: dict[str, list[str]] = {"generated": [], "retrieved": []}
    for kind, by_way in rebuilt["agreement"].items():
        means = {way: np.mean(by_way[way]["subjects"]) for way in more}
        more[max(means, key=means.__getitem__)].append(kind)
    said = [f"what is {way} agrees more on {' and '.join(kinds)}" for way, kinds in more.items() if kinds]
    return f"In this run {'; '.join(said)} (means over subjects, without a test between them)."


def region_rows(mapped: Mapping) -> dict[str, dict]:
    """Return accuracies of the embeddings of music by region, with the ceiling."""
    rows = {}
    for region, x in mapped["regions"].items():
        r = {name: x[name]["r"] for name in mapped["spaces"]}
        row = {name: None if value is None else f"{round(value, 2) + 0.0:.2f}" for name, value in r.items()}
        predicted = max(x[name].get("significant", 1) for name in mapped["spaces"]) > 0.05
        row["ceiling"] = f"{x['ceiling']:.2f}" if x["ceiling"] is not None else None
        row["best"] = x["best"] if predicted else None
        rows[region] = row
    return rows


def costs_text(costs: Mapping | None) -> str:
    """Return the table of minutes and memory of each chapter, as `results.build_costs` returns them."""
    if not costs or not costs["chapters"]:
        return "Nothing was measured: `make book` does it when it runs a chapter."
    rows = {}
    for chapter, x in costs["chapters"].items():
        peak = f"{x['peak_mb'] / 1000:.1f} GB" if x["peak_mb"] else None
        rows[chapter] = {"data": x["dataset"], "minutes": f"{x['seconds'] / 60:.1f}", "peak memory": peak}
    return f"On {costs['machine']}:\n\n{results.table(rows, corner='chapter')}"
