"""The built book in a browser without a network: pages, figures, formulas, search, no console error."""

import base64
import functools
import io
import json
import re
import shutil
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
from naturalistic.features import mini

HTML = Path(__file__).resolve().parents[1] / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.skipif(not (HTML / "index.html").is_file(), reason="the book is not built: make book"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def address():
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def open_page(url, tmp_path):
    """Return the document after its scripts ran, and the console's errors; no name but loopback resolves."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--enable-logging=stderr", "--v=0",
        "--virtual-time-budget=10000", "--dump-dom", url,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    console = [line.split("CONSOLE", 1)[1] for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, [
        line for line in console if re.search("uncaught|error|ERR_|failed|refused|blocked", line, re.I)
    ]


def pages():
    listed = sorted(HTML.glob("notebooks/*.html")) + sorted(HTML.glob("book/*.html"))
    return [p.relative_to(HTML).as_posix() for p in listed]


@pytest.mark.parametrize("page", pages())
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
    document, _ = open_page(f"{address}/notebooks/02-music-experiment.html", tmp_path)
    assert len(re.findall(r"<figure\b", document)) == 7 and "Traceback" not in document
    players = re.findall(r'<audio controls[^>]+src="data:audio/mpeg;base64,([^"]+)"', document)
    assert len(players) == 10
    for player in players:
        wave, rate = soundfile.read(io.BytesIO(base64.b64decode(player)))
        assert len(wave) / rate == pytest.approx(15, abs=0.2) and 0.03 < np.sqrt(np.mean(wave**2)) < 0.3
    assert (HTML / "notebooks" / "02-music-experiment.html").stat().st_size < 3e6


def test_fourth_chapter_shows_its_figures_and_measures_what_the_cards_say(address, tmp_path):
    document, _ = open_page(f"{address}/notebooks/04-music-features.html", tmp_path)
    assert len(re.findall(r"<figure\b", document)) == 4 and "Traceback" not in document
    assert document.count("<audio controls") == 5
    assert (HTML / "notebooks" / "04-music-features.html").stat().st_size < 3e6
    numbers = json.loads((HTML.parent / "results" / "04-music-features.json").read_text())
    if numbers["dataset"].startswith("MADE MINIATURE") and numbers["n_clips"] == 540:
        card = mini.card("mini-mulan")["scores"]
        assert numbers["caption_to_clip_median_rank"] == pytest.approx(card["caption_to_clip_median_rank"], abs=1)
        assert numbers["zero_shot_genre_accuracy"] == pytest.approx(card["zero_shot_genre_accuracy"], abs=0.01)


def test_the_music_chapters_show_their_figures_and_play_what_was_rebuilt(address, tmp_path):
    chapters = [("06-music-decoding", 6, 0), ("07-music-reconstruction", 3, 30), ("08-music-encoding", 4, 0)]
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
    for chapter, n_figures in [("03-movie-experiment", 3), ("05-language-features", 5)]:
        document, console = open_page(f"{address}/notebooks/{chapter}.html", tmp_path)
        assert console == [] and "Traceback" not in document
        assert len(re.findall(r"<figure\b", document)) == n_figures


def test_the_page_of_results_shows_what_the_chapters_wrote(address, tmp_path):
    document, console = open_page(f"{address}/notebooks/91-results.html", tmp_path)
    assert console == [] and "Traceback" not in document
    read = json.loads((HTML.parent / "results" / "06-music-decoding.json").read_text())
    for name in (read["joint"], read["sound"], "text"):
        assert f"{np.mean(read['scores'][name]['identification']):.3f}" in document
    rebuilt = json.loads((HTML.parent / "results" / "07-music-reconstruction.json").read_text())
    for by in rebuilt["identification"].values():
        assert all(f"{x['oracle']:.3f}" in document for x in by.values())


def test_search(address, tmp_path):
    document, console = open_page(f"{address}/search.html?q=haemodynamic", tmp_path)
    assert console == []
    assert re.search(r'<ul class="search">.*01-first-model', document, re.S)
