"""Sentences and tables of the first page, from the results of chapters."""

from collections.abc import Mapping

import numpy as np

from naturalistic.plotting.style import ROI_NAMES
from naturalistic.reporting import results
from naturalistic.reporting.film_controls import BRAIN, answer_text
from naturalistic.reporting.summaries import joined, level_cells

_LEVEL_CONTENT = {
    "Speech": "what is said",
    "Object": "what is to be seen",
    "Story": "what happens",
    "Summary": "the scene in a sentence or two",
    "TimePlace": "when and where it is",
}
# as the first page calls them, by the name of the method in chapter 15
_FILM_CONTROLS = {
    "the nearest film of the training set": "nearest training film",
    "a film retrieved from a collection": "retrieved",
    "the generator without a brain": "no brain",
    "the generator given the true targets": "oracle",
}
_SIMULATED_NOTE = (
    "What is found in simulated brains shows that a method finds what was put there, and nothing about brains. Each "
    "chapter opens other data by one parameter."
)


def brains_of(numbers: Mapping, subjects: str = "brains") -> str:
    """Return ``subjects``, called simulated or measured by the data that the chapter opened."""
    return f"{'simulated' if results.is_simulated(numbers) else 'measured'} {subjects}"


def data_note(by_topic: Mapping[str, Mapping]) -> str:
    """Return an admonition that names the data of each topic, measured and simulated ones apart.

    Parameters
    ----------
    by_topic : dict of str to dict
        Numbers of a chapter by what it is about.

    Returns
    -------
    text : str
        Markdown.
    """
    lines = []
    for word, wanted in (("Measured", False), ("Simulated", True)):
        named = [f"{k} ({n['dataset']})" for k, n in by_topic.items() if results.is_simulated(n) == wanted]
        if named:
            lines.append(f"**{word}**: {'; '.join(named)}.")
    has_simulated = any(map(results.is_simulated, by_topic.values()))
    kind, note = ("warning", f" {_SIMULATED_NOTE}") if has_simulated else ("note", "")
    return f":::{{admonition}} The data of this page\n:class: {kind}\n{' '.join(lines)}{note}\n:::"


def music_text(read: Mapping, rebuilt: Mapping) -> str:
    """Say how well music is decoded and identified once generated, beside chance and oracle."""
    decoded = read["scores"][read["joint"]]
    again = rebuilt["identification"]["generated"][rebuilt["sound"]]
    rates = decoded["identification"]
    return (
        f"From the brain, a regression reads a vector that stands for the music. Of two clips, the vector says which "
        f"was played, right in **{np.mean(rates):.0%}** of cases, where chance is {decoded['chance']:.0%} "
        f"({read['n_test_clips']} clips, {read['n_subjects']} {brains_of(read)}, from {min(rates):.0%} to "
        f"{max(rates):.0%}). Then music is generated from the vector. Judged by a model that had no part in making it, "
        f"this music says which of two clips was played in **{np.mean(again['identification']):.0%}** of cases (it "
        f"would in {again['oracle']:.0%} if brains could be read without error). "
        "{numref}`Chapter %s <ch:music-decoding>` reads the vector, {numref}`chapter %s <ch:music-reconstruction>` "
        "makes the music."
    )


def films_text(proved: Mapping) -> str:
    """Say how well reconstructed films are identified beside their controls, and which claims that supports.

    Parameters
    ----------
    proved : dict
        Numbers of chapter 15.
    """
    table = results.frame(proved["table"])
    identified = table[table["metric"] == "classifier"].set_index("method")
    said = [f"{name} {identified.loc[method, 'value']:.0%}" for name, method in _FILM_CONTROLS.items()]
    return (
        f"A classifier that had no part in making it says which of two films a generated film was made from in "
        f"**{identified.loc[BRAIN, 'value']:.0%}** of cases ({proved['n_subjects']} {brains_of(proved)}, "
        f"{proved['n_test_films']} films, chance {identified.loc[BRAIN, 'chance']:.0%}). Beside it: {', '.join(said)}. "
        "{numref}`Chapter %s <ch:video-reconstruction>` makes the films, {numref}`chapter %s "
        "<ch:what-reconstruction-proves>` holds them against all controls.\n\n"
        f"{answer_text(results.frame(proved['claims']), proved['dataset'])}"
    )


def level_rows(numbers: Mapping) -> dict[str, dict]:
    """Return the rows of the table of levels and of their controls.

    Parameters
    ----------
    numbers : dict
        Of chapter 12, as `results.load` returns them. Models that it does not name as language models are controls.

    Returns
    -------
    rows : dict of str to dict
        Controls first: a level means something only beside them.
    """
    models = numbers["models"]
    content = "what it holds"
    columns = list(level_cells(numbers, next(iter(numbers["accuracy"][models[-1]]))))
    rows = {}
    for model, by_kind in numbers["accuracy"].items():
        if model in models:
            continue
        for accuracy in by_kind.values():
            name = "light, loudness, speech" if model == "controls" else model
            row = {content: "no meaning: a control", **dict.fromkeys(columns, None)}
            rows[name] = row | {columns[0]: f"{np.mean(accuracy):.2f}"}
    for level in numbers["accuracy"][models[-1]]:
        rows[level] = {content: _LEVEL_CONTENT.get(level, "–"), **level_cells(numbers, level)}
    return rows


def levels_text(numbers: Mapping) -> str:
    """Return the paragraph and the table of levels of meaning."""
    large = numbers["models"][-1]
    return (
        f"People wrote down what there is in every second of a film. A language model ({large}) reads it, and a "
        f"regression on its layers predicts {numbers['n_subjects']} {brains_of(numbers)} in film that it has not met "
        f"({numbers['dataset']}). Controls, which know no meaning, come first; a level below them has shown "
        f"nothing about meaning:\n\n{results.table(level_rows(numbers), corner='level')}\n\n"
        "{numref}`Chapter %s <ch:language-encoding>` asks what else it could be, and {numref}`chapter %s "
        "<ch:semantic-maps>` draws what each level explains that no other does, on a brain that you can turn."
    )


def story_text(numbers: Mapping) -> str:
    """Say how a story's language model predicts the region where it does best, beside its control."""
    layer = numbers["accuracy"][f"layer {numbers['middle']}"]
    control = numbers["accuracy"]["controls"]
    ceiling = numbers["leave_one_out_correlation"]
    where = max(layer, key=layer.get)
    best_control = max(control, key=control.get)
    return (
        f"A story ({numbers['dataset']}, {numbers['n_subjects']} {brains_of(numbers, 'listeners')}): a language model "
        f"does best in {ROI_NAMES[where]} cortex, r = {layer[where]:.2f}, where the number of words and their loudness "
        f"have {control[where]:.2f}. Number and loudness do best in {ROI_NAMES[best_control]} cortex, "
        f"{control[best_control]:.2f}, where the model has {layer[best_control]:.2f} and listeners predict each other "
        f"at {ceiling[best_control]:.2f}. {_beaten(numbers)}("
        "{numref}`chapter %s <ch:first-model>`)."
    )


def _beaten(numbers: Mapping) -> str:
    """Name the regions where the model of a story is significantly above its controls, where that was tested."""
    tested = numbers.get("difference_significant")
    if tested is None:
        return ""
    above = [ROI_NAMES[roi] for roi, flag in tested.items() if flag and numbers["difference"][roi] > 0]
    return f"The model is significantly above them in {joined(above) if above else 'no region'} "


def music_map_text(mapped: Mapping) -> str:
    """Say where vectors of music predict best, beside the ceiling and the acoustic control."""
    joint = mapped["joint"]
    regions = {name: x for name, x in mapped["regions"].items() if x[joint]["r"] is not None}
    best = max(regions, key=lambda name: regions[name][joint]["r"])
    control = regions[best].get("acoustic", {}).get("r")
    beside = "" if control is None else f", acoustic measures alone {control:.2f}"
    ceiling = regions[best]["ceiling"]
    allowed = "" if ceiling is None else f", where the noise of measurement allows {ceiling:.2f}"
    return (
        f"And music ({mapped['dataset']}): the vectors that were read above predict **{best}** cortex best, "
        f"r = {regions[best][joint]['r']:.2f}{beside}{allowed} (" + "{numref}`chapter %s <ch:music-encoding>`)."
    )
