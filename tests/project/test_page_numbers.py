"""Pages of results are run on other numbers, and every number that they show changes."""

import ast
import contextlib
import io
import json
import re

import jupytext
import numpy as np
import pandas as pd
import pytest
from naturalistic import plotting
from naturalistic.plotting import ROI_NAMES
from naturalistic.plotting.film import AVERAGE
from naturalistic.reporting import film, results

from tests.helpers.chapters import ROOT

PAGES = ("00-overview", "91-results", "92-benchmarks")
NUMBER = re.compile(r"(?<![\w.-])-?\d[\d,]*(?:\.\d+)?(?!\w)")  # not the 2 of w2v, nor that of GPT-2
# the shape of a result, which prose cannot know: a decimal number or a percentage
RESULT = re.compile(r"\d\.\d|\d ?%|\bpercent\b", re.IGNORECASE)
ALLOWED = re.compile(r"Python 3\.11, 3\.12 or 3\.13|\b95 % (?=intervals?\b)")
# what a page may always say: where to read on, a chapter's file, the level of an interval, the name of a score
LABELS = re.compile(r"\b[Cc]hapters? \d+(?: and \d+)?|\b\d\d-[a-z]+(?:-[a-z]+)+|\b95 %(?! of)|\b\d+-way\b")


def results_in_prose(cells):
    """Return the decimal numbers and percentages in a page's text, captions and alternative texts."""
    said = []
    for cell in cells:
        if cell.cell_type == "markdown":
            said.append(re.sub(r"```.*?```|`[^`]*`", " ", cell.source, flags=re.DOTALL))  # code, and targets of links
        else:
            shown = cell.metadata.get("mystnb", {})
            said += [shown.get("image", {}).get("alt", ""), shown.get("figure", {}).get("caption", "")]
    text = ALLOWED.sub(" ", " ".join(" ".join(said).split()))
    return [text[max(m.start() - 30, 0) : m.end() + 20] for m in RESULT.finditer(text)]


def shown(cells):
    """Run a page's cells in this process; return all that they say, as one text."""
    space, said = {"display": lambda *things: said.extend(getattr(x, "data", str(x)) for x in things)}, []
    for cell in cells:
        if cell.cell_type != "code":
            continue
        tree = ast.parse(cell.source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(tree, "cell", "exec"), space)
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), space) if last else None
        said.append(printed.getvalue())
        if value is not None:
            space["display"](value)
    return "\n".join(said)


def other(value, rng):
    """Return the same numbers file with every number in it another one, those inside of words too."""
    if isinstance(value, dict):
        return {name: other(x, rng) for name, x in value.items()}
    if isinstance(value, list):
        return [other(x, rng) for x in value]
    if isinstance(value, str):
        return NUMBER.sub(lambda _: str(rng.integers(100, 10_000)), value)
    if isinstance(value, bool) or value is None:
        return value
    return int(rng.integers(100, 10_000)) if isinstance(value, int) else float(rng.uniform(0.1, 100))


def write_results(rng):
    """Write what the pages read of chapters, with numbers that mean nothing."""

    def few(n=5):
        return rng.uniform(0.1, 0.9, n).tolist()

    def one():
        return few(1)[0]

    def whole():
        return int(rng.integers(100, 10_000))

    def scores():
        names = ("chance", "low", "high", "oracle")
        return {"identification": few(), "correlation": few(), "p": few(), **{name: one() for name in names}}

    def tests():
        return {"subjects": few(), "p": few(), "chance": one(), "oracle": one()}

    def of_levels(make):
        return {level: make() for level in ("Speech", "Object", "Story", "Summary", "TimePlace")}

    def save(chapter, **numbers):
        results.save(chapter, numbers, dataset=f"Simulated data (layout of ds{whole()})", seed=0)

    models, ours = ("mini-mulan", "mini-ssl", "text"), ("MuLan_music", "w2v-BERT-avg", "MuLan_text")
    save(
        "07-music-decoding",
        **{"joint": "mini-mulan", "n_test_clips": whole(), "n_subjects": whole(), "stood_for": dict(zip(models, ours))},
        scores={model: scores() for model in models},
        across={whose: tests() for whose in ("own", "others'", "everybody's")},
    )
    ways = ("retrieved", "generated")
    save(
        "08-music-reconstruction",
        **{"sound": "mini-ssl", "sample_rates": dict.fromkeys(("heard", *ways), 100)},
        played={f"{how}: clip {whole()}": one() for how in ("best", "middle", "worst")},
        identification={way: {model: scores() for model in models} for way in ways},
        agreement={kind: {way: tests() for way in ways} for kind in ("genre", "mood")},
    )
    regions = {}
    for region in ("primary auditory", "auditory belt"):
        regions[region] = {model: {"r": one()} for model in models} | {"ceiling": one(), "best": "text"}
    save("09-music-encoding", joint="mini-mulan", spaces=dict.fromkeys(models, 1), regions=regions)
    middle = whole()
    r, ceiling = (dict(zip(ROI_NAMES, few(len(ROI_NAMES)))) for _ in range(2))
    accuracy = {f"layer {middle}": r, "controls": dict(zip(ROI_NAMES, few(len(ROI_NAMES))))}
    save("01-first-model", middle=middle, accuracy=accuracy, leave_one_out_correlation=ceiling, n_subjects=whole())
    language = ("static:minilm", "minilm")
    found = {"accuracy": {model: of_levels(few) for model in language}, "levels": list(of_levels(one))}
    found["accuracy"]["controls"] = {"no meaning": few()}
    found["layers"] = {model: of_levels(lambda: [whole(), whole()]) for model in language}
    found["gain"] = of_levels(lambda: {"subjects": few(), "p": one(), "low": one(), "high": one()})
    save("12-language-encoding", models=list(language), n_subjects=whole(), **found)
    unique = {region: of_levels(one) for region in ("auditory belt", "precuneus")}
    save("13-semantic-maps", unique_r=unique, axes={"share": few(), "p": few(), "null": few(), "n": whole()})
    about_films = {"n_subjects": whole(), "n_test_films": whole()}
    save("15-what-reconstruction-proves", **about_films, **of_short_films(rng))
    save("14-video-reconstruction", shown={how: one() for how in ("best", "middle", "worst")})
    save("04-real-film", **of_film(whole(), rng), n_subjects=whole(), n_trs=whole(), n_parcels=whole())
    about = {"seconds": whole(), "peak_mb": whole(), "dataset": f"ds{whole()}"}
    costs = {"machine": f"{whole()} cores, {whole()} GB", "chapters": {"first model": about}}
    (results.results_dir() / "build.json").write_text(json.dumps(costs))
    results.save_arrays("08-music-reconstruction", {name: np.zeros((3, 2)) for name in (*SOUNDS, "response")})
    results.save_arrays("09-music-encoding", {"left": np.zeros(2)})
    kinds = ("shown", "nearest training film", "retrieved", "generated")
    results.save_arrays("14-video-reconstruction", {kind: np.zeros((3, 2, 4, 4, 3), np.uint8) for kind in kinds})


def of_short_films(rng):
    """Return the tables that pages read of the chapter on films that were made from brains."""
    methods = [(method, metric) for method in ("brain, one draw", "no brain") for metric in ("2-way", "20-way")]
    field = pd.DataFrame(methods, columns=["method", "metric"])
    field["value"], field["chance"] = rng.uniform(0.1, 0.9, (2, len(field)))
    table = pd.DataFrame({"method": ["brain, one draw", "nearest training film", "retrieved", "no brain", "oracle"]})
    table["metric"], table["value"], table["chance"] = "classifier", *rng.uniform(0.1, 0.9, (2, len(table)))
    claims = pd.DataFrame(
        {"claim": ["the brain adds to the prior", "motion is reconstructed", "structure is evidence"]}
    )
    for column in ("number", "control"):
        claims[column] = [f"{column} {x:.3f}" for x in rng.uniform(0.1, 0.9, len(claims))]
    return {"table": table, "field": field, "claims": claims.assign(verdict=["holds", "does not hold", "open"])}


def of_film(layer, rng):
    """Return the tables that pages read of the chapter on a film, and the layer of its joint model."""
    spaces = [*film.CONTROLS, "static", f"layer {layer}"]
    accuracy = {"space": spaces, "subject": AVERAGE, "network": film.ALL, "r": rng.uniform(0.1, 0.9, len(spaces))}
    names = ["context, not static", film.CONTROL, "speech", "static", "layer"]
    ends = {name: rng.uniform(0.1, 0.9, len(names)) for name in ("value", "low", "high")}
    differences = pd.DataFrame({"comparison": names, "network": film.ALL, **ends})
    subjects = [AVERAGE, *(f"sub-{k}" for k in range(int(rng.integers(100, 1000))))]
    selected = pd.DataFrame({"subject": subjects, "fold": 0, "layer": layer})
    selected["context"] = rng.uniform(0.1, 0.9, len(subjects))
    selected["static"] = rng.uniform(0.1, 0.9, len(subjects))
    accuracy = pd.DataFrame(accuracy)
    return {"layer": layer, "accuracy": accuracy, "differences": differences, "selected": selected}


SOUNDS = ("heard", "retrieved", "generated", "read", "true")


@pytest.fixture
def say(tmp_path, monkeypatch):
    """A function that gives the pages other numbers, runs some cells, and returns all that they say."""
    published, benchmark = results.published, results.load_benchmark
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(plotting, "reconstruction_pipeline", lambda *given: given[-1])  # its title
    monkeypatch.setattr(plotting, "controls_bars", lambda *given: given[-1])
    monkeypatch.setattr(plotting, "play_table", lambda sounds, rates, names: " ".join(names))

    def say_with(cells, seed):
        monkeypatch.setenv("NATURALISTIC_RESULTS", str(tmp_path / str(seed)))
        rng = np.random.default_rng(seed)
        write_results(rng)
        monkeypatch.setattr(results, "published", lambda work: other(published(work), rng))
        monkeypatch.setattr(results, "load_benchmark", lambda name: other(benchmark(name), rng))
        return shown(cells)

    return say_with


def unchanged_numbers(cells, say):
    """Return the numbers that a page shows whatever the files say."""
    said = [LABELS.sub(" ", say(cells, seed)) for seed in range(3)]
    places = [list(NUMBER.finditer(text)) for text in said]
    assert len({len(found) for found in places}) == 1 and places[0]
    same = [three[0] for three in zip(*places) if len({m[0] for m in three}) == 1]
    return [said[0][max(m.start() - 30, 0) : m.end() + 20] for m in same]


@pytest.mark.parametrize("page", PAGES)
def test_the_prose_of_a_page_has_no_result(page):
    """Prose does not change with the files."""
    assert results_in_prose(jupytext.read(ROOT / "notebooks" / f"{page}.md").cells) == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_number_that_a_page_shows_changes_with_the_files(page, say):
    """Three times other numbers, of this run, of the papers and of the benchmarks: none stays at its place."""
    assert unchanged_numbers(jupytext.read(ROOT / "notebooks" / f"{page}.md").cells, say) == []


TYPED = {
    "in words": ("The agreement of this run", "The agreement of this run, ninety percent at best"),
    "in prose": ("The agreement of this run", "The agreement of this run, 0.59 at best"),
    "a percentage": ("The agreement of this run", "The agreement, in 95 % of clips"),
    "of this run": (
        "beside.agreement_rows(rebuilt)",
        '{"genre": {"agreement": "0.59", "chance": "0.213", "oracle": "0.901"}}',
    ),
    "of a paper": (
        'beside.across_rows((aligned, guided), found["07-music-decoding"])',
        'beside.across_rows((aligned | {"name": "0.901"}, guided), found["07-music-decoding"])',
    ),
    "in a sentence": ("Markdown(beside.unique_text(", 'Markdown("from 0.03 " + beside.unique_text('),
    "of a film": (
        "beside.video_rows(video, proved)",
        'beside.video_rows([video[0] | {"name": "0.901"}, *video[1:]], proved)',
    ),
    "in a list": ('Markdown(f"The data of this run', 'Markdown(f"{[0.115, 11.5]} The data of this run'),
}


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), TYPED.values(), ids=TYPED)
def test_a_typed_number_is_found(old, new, say):
    """The two tests above can fail: here the page has one number more, typed."""
    text = (ROOT / "notebooks" / "91-results.md").read_text()
    assert old in text
    cells = jupytext.reads(text.replace(old, new), fmt="md:myst").cells
    found = results_in_prose(cells) or unchanged_numbers(cells, say)
    assert any(re.search(r"0\.59|ninety|95|0\.213|0\.901|0\.03|11\.5", place) for place in found)
