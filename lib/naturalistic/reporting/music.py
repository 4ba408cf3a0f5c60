"""Tables, summaries and sentences of the chapters on features, decoding and reconstruction of music.

Results of single tests become tidy tables, a row for each combination of names such as (embedding, subject). Sentences
are built from these, so that they change with the data.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from naturalistic.decoding.nulls import DecodingScores, PermutationResult
from naturalistic.reporting import results, summaries

ALPHA = 0.05  # of significance in sentences
NEAR = 0.03  # scores of probes that differ by less are not called different
ORACLE = "true"  # "subject" whose vectors are the true ones
TESTED = ("identification accuracy", "95 % interval over clips", "chance, measured", "largest p")  # of `score_cells`
RANKS = ("correlation", "first", "among first 5", "mean rank")


def score_table(scores: Mapping[tuple, DecodingScores], names: Sequence[str]) -> pd.DataFrame:
    """Return decoding scores as a table, one row a key.

    Parameters
    ----------
    scores : dict of tuple to DecodingScores
    names : sequence of str
        Columns of the parts of a key, such as ``("embedding", "subject")``.

    Returns
    -------
    table : DataFrame
        And ``identification``, ``correlation``, ``top_1``, ``top_5``, ``mean_rank``, ``p`` and ``chance`` (the mean of
        the null).
    """
    rows = []
    for key, scored in scores.items():
        row = dict(zip(names, key, strict=True))
        row["identification"] = scored.identification.score
        row["correlation"] = scored.correlation.score
        row["top_1"] = scored.top_1
        row["top_5"] = scored.top_5
        row["mean_rank"] = scored.rank
        row["p"] = scored.identification.p
        row["chance"] = float(scored.identification.null.mean())
        rows.append(row)
    return pd.DataFrame(rows)


def permutation_table(tests: Mapping[tuple, PermutationResult], names: Sequence[str]) -> pd.DataFrame:
    """Return permutation tests as a table, one row a key.

    Parameters
    ----------
    tests : dict of tuple to PermutationResult
    names : sequence of str
        Columns of the parts of a key.

    Returns
    -------
    table : DataFrame
        And ``score``, ``p`` (one-sided, above chance), ``p_below`` (below chance) and ``chance``.
    """
    rows = []
    for key, test in tests.items():
        row = dict(zip(names, key, strict=True))
        row["score"] = test.score
        row["p"] = test.p
        row["p_below"] = float((1 + np.sum(test.null <= test.score)) / (1 + len(test.null)))
        row["chance"] = float(test.null.mean())
        rows.append(row)
    return pd.DataFrame(rows)


def score_summary(scores: Mapping[tuple[str, str], DecodingScores], seed: int = 0) -> dict[str, dict]:
    """Summarize decoding scores over subjects, by embedding.

    Parameters
    ----------
    scores : dict of (embedding, subject) to DecodingScores
    seed : int
        Of the bootstrap over clips.

    Returns
    -------
    numbers : dict of str to dict
        As `summaries.summarize_scores`.
    """
    by_name: dict[str, dict[str, DecodingScores]] = {}
    for (name, subject), scored in scores.items():
        by_name.setdefault(name, {})[subject] = scored
    return {name: summaries.summarize_scores(of_subjects, seed) for name, of_subjects in by_name.items()}


def permutation_summary(table: pd.DataFrame, by: str) -> dict[str, dict]:
    """Summarize permutation tests over subjects.

    Parameters
    ----------
    table : DataFrame
        From `permutation_table`.
    by : str
        Column of the names.

    Returns
    -------
    numbers : dict of str to dict
        ``subjects``, their scores, and ``p`` (n_subjects,); ``chance``.
    """
    numbers = {}
    for name, rows in table.groupby(by, sort=False):
        numbers[str(name)] = {
            "subjects": rows["score"].to_numpy(),
            "p": rows["p"].to_numpy(),
            "chance": float(rows["chance"].mean()),
        }
    return numbers


def significant_text(table: pd.DataFrame, by: str) -> str:
    """Return a sentence on which names are above chance in every subject.

    Parameters
    ----------
    table : DataFrame
        With ``p``, from `score_table` or `permutation_table`.
    by : str
        Column of the names.

    Returns
    -------
    text : str
    """
    largest = table.groupby(by, sort=False)["p"].max()
    above = [str(name) for name, p in largest.items() if p <= ALPHA]
    rest = [str(name) for name, p in largest.items() if p > ALPHA]
    parts = []
    if above:
        parts.append(f"Above chance in every subject (p ≤ {ALPHA:g}): {', '.join(above)}.")
    if rest:
        parts.append(f"Not above chance in every subject: {', '.join(rest)}.")
    return " ".join(parts)


def paper_names(joint: str, sound: str) -> dict[str, str]:
    """Return which embedding of Denk et al. (2023) each of this book's stands for.

    Parameters
    ----------
    joint, sound : str
        Names of the joint model and of the model of sound alone.

    Returns
    -------
    names : dict of str to str
    """
    theirs = "SoundStream-avg" if sound == "encodec" else "w2v-BERT-avg"
    return {joint: "MuLan_music", "text": "MuLan_text", sound: theirs}


def search_text(numbers: Mapping[str, Any], n_genres: int) -> str:
    """Return sentences on sound that was looked up by words.

    Parameters
    ----------
    numbers : dict
        Of the chapter.
    n_genres : int
    """
    n_clips = numbers["n_clips"]
    return (
        f"With a clip's own caption as the query, **{numbers['joint']}** puts the clip at rank "
        f"{numbers['caption_to_clip_median_rank']:g} of {n_clips} (median; by chance {(n_clips + 1) / 2:g}) and first "
        f"in {numbers['first']:.0%} of cases. By the nearest phrase, {numbers['zero_shot_genre_accuracy']:.0%} of the "
        f"clips get their genre (by chance {1 / n_genres:.0%})."
    )


def probe_summary(probed: pd.DataFrame, column: str) -> dict[str, dict[str, float]]:
    """Return a column of a table of probes by property and embedding.

    Parameters
    ----------
    probed : DataFrame
        A row for each ``property`` and ``embedding``.
    column : str
    """
    numbers: dict[str, dict[str, float]] = {}
    for row in probed.to_dict("records"):
        numbers.setdefault(row["property"], {})[row["embedding"]] = float(row[column])
    return numbers


def probe_text(probed: pd.DataFrame, models: Sequence[str]) -> str:
    """Return a table of probes in Markdown, and which model reads which property best.

    Parameters
    ----------
    probed : DataFrame
        A row for each ``property`` and ``embedding``, with ``score`` and ``chance``.
    models : sequence of str
        Embeddings that are compared in the sentence.
    """
    scores = probe_summary(probed, "score")
    chance = probe_summary(probed, "chance")
    cells = {name: {**row, "chance": next(iter(chance[name].values()))} for name, row in scores.items()}
    text = "Scores of linear probes on clips that were left out (r for numbers, share right for names):\n\n"
    text += results.table(cells)
    if len(models) < 2:
        return text
    leads: dict[str, list[str]] = {}
    near = []
    for name, row in scores.items():
        best, second = sorted(models, key=lambda model: -row[model])[:2]
        if row[best] - row[second] < NEAR:
            near.append(name)
        else:
            leads.setdefault(best, []).append(name)
    sentences = [f"**{model}** reads {', '.join(names)} best" for model, names in leads.items()]
    if near:
        sentences.append(f"within {NEAR:g} of each other, which these clips do not tell apart: {', '.join(near)}")
    return text + f"\n\nOf the models, {'; '.join(sentences)}."


def embedding_costs_text(costs: Mapping[str, Any]) -> str:
    """Return the benchmark of embedders as a table in Markdown.

    Parameters
    ----------
    costs : dict
        From ``results.load_benchmark("audio")``.
    """
    corner = "seconds of computing per hour of audio"
    return f"{results.table(costs['seconds_per_hour'], digits=0, corner=corner)}\n\n{costs['about']}"


def score_text(summary: Mapping[str, Mapping], accuracy: pd.DataFrame) -> str:
    """Return two tables of decoding scores in Markdown, with a sentence on chance.

    One table of all columns would be wider than a page: correlation and ranks have their own.

    Parameters
    ----------
    summary : dict of str to dict
        From `score_summary`.
    accuracy : DataFrame
        From `score_table`, with the column ``embedding``.
    """
    n_subjects = accuracy["subject"].nunique()
    cells = {name: summaries.score_cells(numbers) for name, numbers in summary.items()}
    tables = []
    for names in (TESTED, RANKS):
        kept = {name: {column: row[column] for column in names} for name, row in cells.items()}
        tables.append(results.table(kept, corner="embedding"))
    about = f"Mean ± SD over subjects (n = {n_subjects}), one row a clip:"
    return f"{about}\n\n{tables[0]}\n\n{significant_text(accuracy, 'embedding')}\n\n{tables[1]}"


def correction_text(corrected: pd.DataFrame) -> str:
    """Return identification accuracy by embedding and correction as a table in Markdown.

    Parameters
    ----------
    corrected : DataFrame
        A row for each ``embedding``, ``subject`` and ``correction``, with ``identification``.
    """
    cells: dict[str, dict[str, str]] = {}
    for (embedding, correction), rows in corrected.groupby(["embedding", "correction"], sort=False):
        cells.setdefault(embedding, {})[correction] = summaries.mean_sd(rows["identification"])
    about = "Identification accuracy of the paper's decoder, mean ± SD of subjects:\n\n"
    return about + results.table(cells, corner="embedding")


def _test_cells(rows: pd.DataFrame) -> dict[str, str]:
    """Format the tests of several subjects as the cells of a table row."""
    return {
        "score": summaries.mean_sd(rows["score"]),
        "chance, measured": f"{rows['chance'].mean():.3f}",
        "largest p": f"{rows['p'].max():.2g}",
    }


def genre_text(tests: pd.DataFrame) -> str:
    """Return a table and sentences on decoding within genres and of unseen genres.

    Parameters
    ----------
    tests : DataFrame
        From `permutation_table`, with the columns ``candidates``, ``decoder`` and ``subject``.
    """
    cells = {}
    sentences = []
    n_subjects = tests["subject"].nunique()
    for (candidates, decoder), rows in tests.groupby(["candidates", "decoder"], sort=False):
        cells[f"{candidates}, {decoder}"] = _test_cells(rows)
        n_above = int((rows["p"] <= ALPHA).sum())
        n_below = int((rows["p_below"] <= ALPHA).sum())
        sentences.append(f"{candidates}, {decoder}: {n_above} above and {n_below} below chance")
    table = results.table(cells, corner="candidates, decoder; centered")
    counts = "; ".join(sentences)
    return f"{table}\n\nNumber of subjects (of {n_subjects}) at p ≤ {ALPHA:g} to that side: {counts}."


def across_text(across: pd.DataFrame) -> str:
    """Return a table of decoders by whose data they were fitted on, in Markdown.

    Parameters
    ----------
    across : DataFrame
        From `permutation_table`, with the columns ``data`` ("own" among them) and ``subject``.
    """
    own = across[across["data"] == "own"].set_index("subject")["score"]
    cells = {}
    for data, rows in across.groupby("data", sort=False):
        difference = (rows.set_index("subject")["score"] - own).mean()
        cells[str(data)] = {**_test_cells(rows), "against own": f"{difference:+z.3f}"}
    return results.table(cells, corner="identification, data of")


def reconstruction_summary(
    scores: Mapping[tuple[str, str, str], DecodingScores], seed: int = 0
) -> dict[str, dict[str, dict]]:
    """Summarize scores of reconstructed sound over subjects, by method and embedding.

    Parameters
    ----------
    scores : dict of (method, embedding, subject) to DecodingScores
        With `ORACLE` among the subjects.
    seed : int
        Of the bootstrap over clips.

    Returns
    -------
    numbers : dict of str to dict of str to dict
        As `summaries.summarize_scores`, and ``oracle``.
    """
    by_pair: dict[tuple[str, str], dict[str, DecodingScores]] = {}
    for (method, embedding, subject), scored in scores.items():
        by_pair.setdefault((method, embedding), {})[subject] = scored
    numbers: dict[str, dict[str, dict]] = {}
    for (method, embedding), by_subject in by_pair.items():
        of_subjects = {label: scored for label, scored in by_subject.items() if label != ORACLE}
        summary = summaries.summarize_scores(of_subjects, seed)
        summary["oracle"] = by_subject[ORACLE].identification.score
        numbers.setdefault(method, {})[embedding] = summary
    return numbers


def reconstruction_text(summary: Mapping[str, Mapping[str, Mapping]]) -> str:
    """Return a table of scores of reconstructed sound in Markdown.

    Parameters
    ----------
    summary : dict of str to dict of str to dict
        From `reconstruction_summary`.
    """
    cells = {}
    for method, by_embedding in summary.items():
        for embedding, numbers in by_embedding.items():
            row = summaries.score_cells(numbers)
            cells[f"{method}, {embedding}"] = {name: row[name] for name in TESTED}
            cells[f"{method}, {embedding}"]["oracle"] = f"{numbers['oracle']:.3f}"
    return results.table(cells, corner="sound, embedding")


def agreement_summary(agreement: pd.DataFrame) -> dict[str, dict[str, dict]]:
    """Summarize class agreement over subjects, by property and method.

    Parameters
    ----------
    agreement : DataFrame
        From `permutation_table`, with the columns ``property``, ``method`` and ``subject``.

    Returns
    -------
    numbers : dict of str to dict of str to dict
        ``subjects``, ``p``, ``chance`` and ``oracle``.
    """
    numbers: dict[str, dict[str, dict]] = {}
    for (name, method), rows in agreement.groupby(["property", "method"], sort=False):
        of_subjects = rows[rows["subject"] != ORACLE]
        summary = permutation_summary(of_subjects, "method")[method]
        summary["oracle"] = float(rows.loc[rows["subject"] == ORACLE, "score"].iloc[0])
        numbers.setdefault(name, {})[method] = summary
    return numbers


def agreement_text(agreement: pd.DataFrame, tagger_accuracy: Mapping[str, float]) -> str:
    """Return a table and sentences on class agreement in Markdown.

    Parameters
    ----------
    agreement : DataFrame
        As in `agreement_summary`.
    tagger_accuracy : dict of str to float
        Share of test clips that the tagger names right, by property.
    """
    of_subjects = agreement[agreement["subject"] != ORACLE]
    cells = {}
    for name, by_method in agreement_summary(agreement).items():
        for method, numbers in by_method.items():
            row = {**summaries.test_cells(numbers), "oracle": f"{numbers['oracle']:.3f}"}
            cells[f"{name}, {method}"] = row
    named = of_subjects["property"] + " " + of_subjects["method"]
    right = ", ".join(f"{name} {share:.0%}" for name, share in tagger_accuracy.items())
    sentence = significant_text(of_subjects.assign(name=named), "name")
    table = results.table(cells, corner="agreement of classes, sound")
    return f"{table}\n\nThe tagger itself names right, of the test clips: {right}. {sentence}"


def player_text(corpus: str, generator: str, all_simulated: bool) -> str:
    """Return what the columns of the players are.

    Parameters
    ----------
    corpus, generator : str
        Names of the collection and of the generator.
    all_simulated : bool
        Whether no recorded music is among it.
    """
    text = f"Columns: heard, as played to the subject; retrieved from {corpus}; generated by {generator}."
    return text + " All of these sounds are simulated." * all_simulated


def novelty_text(card: Mapping[str, float] | None) -> str:
    """Return sentences on how much of its training a generator repeats.

    Parameters
    ----------
    card : dict of str to float, or None
        Scores of the card of the simulation's generator; None of another.
    """
    if card is None:
        return "The card is that of the simulation's own generator, which was not used here."
    notes = "notes_in_one_training_piece"
    return (
        "Shifted and transposed as fits best, the training piece that is most similar to a generated one has "
        f"{card[f'generated_{notes}']:.0%} of its notes on average, and at most {card[f'generated_{notes}_most']:.0%}; "
        f"of *other composed pieces* it has {card[f'composed_{notes}']:.0%}, and at most "
        f"{card[f'composed_{notes}_most']:.0%}. Of whole bars, {card['generated_bars_in_any_training_piece']:.1%} "
        f"occur in any training piece ({card['composed_bars_in_any_training_piece']:.1%} of composed ones)."
    )
