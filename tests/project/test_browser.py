"""The built book in a browser without a network: pages, figures, formulas, search, no console error."""

import base64
import functools
import html
import importlib
import inspect
import io
import json
import pkgutil
import queue
import re
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import naturalistic
import numpy as np
import pytest
import soundfile
from naturalistic_simulation.models import embedders as mini

from tests.helpers.browser import CHROMIUM, command, opened

HTML = Path(__file__).resolve().parents[2] / "_build" / "html"
LOOK = Path(__file__).parents[1] / "helpers" / "look.html"
API = "book/api"
FOUND = queue.Queue()  # what the browser sends back from look.html
CHAPTERS = ("07-music-decoding", "08-music-reconstruction")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (HTML / "index.html").is_file(), reason="the book is not built: make book"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def address():
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            if not self.path.startswith("/look.html"):
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(LOOK.read_bytes())

        def do_POST(self):
            found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()  # before the browser is ended: a page without its answer complains
            self.server.found.put(found)

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(HTML)))
    server.found = FOUND
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def errors_of(log):
    """Return the errors among the lines of a browser's console."""
    console = [line.split("CONSOLE", 1)[1] for line in log.splitlines() if "CONSOLE" in line]
    return [line for line in console if re.search("uncaught|error|ERR_|failed|refused|blocked", line, re.I)]


def open_page(url, tmp_path):
    """Return the document after its scripts ran, and the console's errors."""
    document, log = opened(url, tmp_path, "--virtual-time-budget=10000")
    return document, errors_of(log)


def pages():
    listed = [p for folder in ("notebooks", "book", API) for p in sorted(HTML.glob(f"{folder}/*.html"))]
    return [p.relative_to(HTML).as_posix() for p in listed]


@pytest.fixture(scope="module")
def seen(address, tmp_path_factory):
    """What there is on each page in a frame of 400 pixels; see look.html."""
    asked = "&".join(f"page={page}" for page in pages())
    folder = tmp_path_factory.mktemp("look")
    with open(folder / "log", "w") as log:
        started = command(f"{address}/look.html?{asked}", folder, "--remote-debugging-port=0")
        browser = subprocess.Popen(started, stdout=subprocess.DEVNULL, stderr=log)
        try:
            found = FOUND.get(timeout=240)
        finally:
            browser.terminate()
            try:
                browser.wait(20)
            except subprocess.TimeoutExpired:
                browser.kill()
                browser.wait()
    assert errors_of((folder / "log").read_text()) == []
    assert [each for each in found if "error" in each] == []
    return {each["page"]: each for each in found}


def test_every_page_holds_on_a_telephone(seen):
    assert list(seen) == pages()
    wide = [(page, each["width"], *each["wide"]) for page, each in seen.items() if each["width"] > 400]
    assert wide == [], wide
    assert [page for page, each in seen.items() if each["text"] < 200] == []


def test_every_figure_is_there_and_described_in_words(seen):
    assert {page: each["broken"] for page, each in seen.items() if each["broken"]} == {}
    assert {page: each["silent"] for page, each in seen.items() if each["silent"]} == {}


def test_formulas_have_a_size_and_players_a_width_and_a_name(seen):
    assert sum(len(each["formulas"]) for each in seen.values()) > 30
    for page, each in seen.items():
        assert min(each["formulas"], default=9) > 5, page
        # narrower, Chromium leaves out the button that plays
        assert all(width > 100 and name for width, name in each["players"]), page
    assert len(seen["notebooks/00-overview.html"]["players"]) == 9


def test_one_page_has_a_surface_to_turn_and_a_telephone_shows_all_of_it(seen):
    frames = {page: each["frames"] for page, each in seen.items() if each["frames"]}
    assert list(frames) == ["notebooks/13-semantic-maps.html"] and len(frames["notebooks/13-semantic-maps.html"]) == 1
    assert all(inside <= outside for inside, outside in frames["notebooks/13-semantic-maps.html"]), frames


def test_dark_is_dark_and_text_can_be_read(seen):
    def luminance(colour):
        parts = np.array([float(x) for x in re.findall(r"[0-9.]+", colour)[:3]]) / 255
        return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for page, each in seen.items():
        for theme, colours in each["shades"].items():
            back, text = map(luminance, colours)
            assert (back < 0.1) == (theme == "dark"), (page, theme, colours)
            assert (max(back, text) + 0.05) / (min(back, text) + 0.05) > 7, (page, theme, colours)  # WCAG AAA


def test_no_link_inside_the_book_is_broken():
    texts = {path: path.read_text(encoding="utf-8") for path in HTML.rglob("*.html") if "_static" not in path.parts}
    names = {path: set(re.findall(r'\b(?:id|name)="([^"]+)"', text)) for path, text in texts.items()}
    broken = set()
    for path, text in texts.items():
        loaded = re.findall(r'<(?:script|link|img|audio)\b[^>]*?\b(?:src|href)="(https?:[^"]+)"', text)
        broken |= {
            (path.relative_to(HTML).as_posix(), link) for link in loaded
        }  # from elsewhere: not without a network
        for link in re.findall(r'<a\b[^>]*?\bhref="([^"]*)"', text):
            if re.match(r"[a-z]+:", link) or link in ("", "#"):
                continue
            file, _, part = html.unescape(link).partition("#")
            target = (path.parent / unquote(file.partition("?")[0])).resolve() if file else path
            if not target.is_file() or (part and target in names and unquote(part) not in names[target]):
                broken.add((path.relative_to(HTML).as_posix(), link))
    assert broken == set()


def test_pages_are_small():
    large = {p.name: p.stat().st_size for p in HTML.rglob("*.html") if p.stat().st_size >= 3e6}
    assert large == {}


def test_every_public_module_and_function_is_in_the_reference():
    found = set()
    for path in HTML.glob(f"{API}/*.html"):
        found |= set(re.findall(r'id="(?:module-)?(naturalistic[\w.]*)"', path.read_text(encoding="utf-8")))
    index = (HTML / API / "index.html").read_text(encoding="utf-8")
    missing = []
    for module in pkgutil.walk_packages(naturalistic.__path__, "naturalistic."):
        if any(part.startswith("_") for part in module.name.split(".")):
            continue
        assert module.name in found and f"module-{module.name}" in index, module.name
        there = vars(importlib.import_module(module.name)).items()
        made_here = [(n, x) for n, x in there if getattr(x, "__module__", None) == module.name and n[0] != "_"]
        own = [n for n, x in made_here if (inspect.isclass(x) or inspect.isroutine(x)) and x.__doc__]
        missing += [f"{module.name}.{name}" for name in own if f"{module.name}.{name}" not in found]
    assert missing == []


def test_the_glossary_has_the_words_of_the_chapters():
    text = (HTML / "book" / "glossary.html").read_text(encoding="utf-8")
    terms = set(re.findall(r'<dt id="term-([^"]+)"', text))
    assert len(terms) >= 45
    wanted = "voxel TR run HRF FIR ridge alpha banded-ridge encoding-model decoding-model embedding chance oracle FDR"
    wanted += " identification-accuracy noise-ceiling circular-shift-null prevalence unique-variance commonality"
    assert set(f"{wanted} hubness CSLS calibration layer context".split()) <= terms
    text = re.sub(r'<span class="bibtex-citation".*?</span>', "", text, flags=re.S)  # "et al." ends no sentence
    for definition in re.findall(r"<dd>(.*?)</dd>", text, re.S):
        assert 1 <= len(re.findall(r"[.](?:\s|<)", definition)) <= 3, definition


def test_the_first_page_says_what_was_found_and_plays_it():
    text = (HTML / "notebooks" / "00-overview.html").read_text(encoding="utf-8")
    assert "Traceback" not in text and "Show code cell source" not in text
    read, rebuilt = (json.loads((HTML.parent / "results" / f"{chapter}.json").read_text()) for chapter in CHAPTERS)
    assert f"<strong>{np.mean(read['scores'][read['joint']]['identification']):.0%}</strong>" in text
    by = rebuilt["identification"]["generated"][rebuilt["sound"]]
    assert f"<strong>{np.mean(by['identification']):.0%}</strong>" in text
    if read["dataset"].startswith("Simulated"):
        assert f"<strong>Simulated</strong>: music ({read['dataset']})" in text
    for player in re.findall(r'<audio controls[^>]+src="data:audio/mpeg;base64,([^"]+)"', text):
        wave, rate = soundfile.read(io.BytesIO(base64.b64decode(player)))
        assert len(wave) / rate == pytest.approx(15, abs=0.2) and 0.03 < np.sqrt(np.mean(wave**2)) < 0.3


@pytest.mark.parametrize("page", [page for page in pages() if page.startswith("notebooks")])
def test_page(page, address, tmp_path):
    document, console = open_page(f"{address}/{page}", tmp_path)
    assert console == []
    assert "</article>" in document
    for source in re.findall(r'<img[^>]+src="([^"]+)"', document):
        if not source.startswith("data:"):
            assert ((HTML / page).parent / source).resolve().is_file(), source
    outside = re.findall(r'(?:<script[^>]+src|<link[^>]+href|<img[^>]+src)="(https?:[^"]+)"', document)
    assert [o for o in outside if "127.0.0.1" not in o] == []


def test_first_chapter_shows_its_figures_and_formulas(address, tmp_path):
    document, _ = open_page(f"{address}/notebooks/01-first-model.html", tmp_path)
    assert len(re.findall(r"<figure\b", document)) == 6 and document.count("<figcaption") == 6
    assert document.count("<math") >= 8 and 'display="block"' in document
    assert document.count("<table") >= 2  # accuracies and recap
    assert "Traceback" not in document


def test_second_chapter_shows_its_figures_and_plays_its_clips(address, tmp_path):
    document, _ = open_page(f"{address}/notebooks/05-music-experiment.html", tmp_path)
    assert len(re.findall(r"<figure\b", document)) == 7 and "Traceback" not in document
    players = re.findall(r'<audio controls[^>]+src="data:audio/mpeg;base64,([^"]+)"', document)
    assert len(players) == 10
    for player in players:
        wave, rate = soundfile.read(io.BytesIO(base64.b64decode(player)))
        assert len(wave) / rate == pytest.approx(15, abs=0.2) and 0.03 < np.sqrt(np.mean(wave**2)) < 0.3
    assert (HTML / "notebooks" / "05-music-experiment.html").stat().st_size < 3e6


def test_fourth_chapter_shows_its_figures_and_measures_what_the_cards_say(address, tmp_path):
    document, _ = open_page(f"{address}/notebooks/06-music-features.html", tmp_path)
    assert len(re.findall(r"<figure\b", document)) == 3 and "Traceback" not in document
    assert document.count("<audio controls") == 5
    assert (HTML / "notebooks" / "06-music-features.html").stat().st_size < 3e6
    numbers = json.loads((HTML.parent / "results" / "06-music-features.json").read_text())
    if numbers["dataset"].startswith("Simulated data") and numbers["n_clips"] == 540:
        card = mini.card("mini-mulan")["scores"]
        assert numbers["caption_to_clip_median_rank"] == pytest.approx(card["caption_to_clip_median_rank"], abs=1)
        assert numbers["zero_shot_genre_accuracy"] == pytest.approx(card["zero_shot_genre_accuracy"], abs=0.01)


def test_the_music_chapters_show_their_figures_and_play_the_reconstructions(address, tmp_path):
    chapters = [("07-music-decoding", 6, 0), ("08-music-reconstruction", 3, 30), ("09-music-encoding", 4, 0)]
    for chapter, n_figures, n_players in chapters:
        document, console = open_page(f"{address}/notebooks/{chapter}.html", tmp_path)
        assert console == [] and "Traceback" not in document
        assert len(re.findall(r"<figure\b", document)) == n_figures
        players = re.findall(r'<audio controls[^>]+src="data:audio/mpeg;base64,([^"]+)"', document)
        assert len(players) == n_players
        for player in players:
            wave, rate = soundfile.read(io.BytesIO(base64.b64decode(player)))
            assert len(wave) / rate == pytest.approx(15, abs=0.2) and 0.03 < np.sqrt(np.mean(wave**2)) < 0.3
        assert (HTML / "notebooks" / f"{chapter}.html").stat().st_size < 3e6


def test_the_movie_chapters_show_their_figures(address, tmp_path):
    for chapter, n_figures in [("10-movie-experiment", 3), ("11-language-features", 3)]:
        document, console = open_page(f"{address}/notebooks/{chapter}.html", tmp_path)
        assert console == [] and "Traceback" not in document
        assert len(re.findall(r"<figure\b", document)) == n_figures


def test_the_page_of_results_shows_what_the_chapters_wrote(address, tmp_path):
    document, console = open_page(f"{address}/notebooks/91-results.html", tmp_path)
    assert console == [] and "Traceback" not in document
    read = json.loads((HTML.parent / "results" / "07-music-decoding.json").read_text())
    for name in (read["joint"], read["sound"], "text"):
        assert f"{np.mean(read['scores'][name]['identification']):.3f}" in document
    rebuilt = json.loads((HTML.parent / "results" / "08-music-reconstruction.json").read_text())
    for by in rebuilt["identification"].values():
        assert all(f"{x['oracle']:.3f}" in document for x in by.values())


def test_search(address, tmp_path):
    document, console = open_page(f"{address}/search.html?q=hemodynamic", tmp_path)
    assert console == []
    assert re.search(r'<ul class="search">.*01-first-model', document, re.S)
    document, _ = open_page(f"{address}/search.html?q=hubness", tmp_path)
    assert re.search(r'<ul class="search">.*book/glossary', document, re.S)
