"""Forrest Gump from a server on this machine that breaks connections, and what stands in for it."""

import functools
import shutil

import numpy as np
import pytest
from naturalistic import cli
from naturalistic.cache import RequestError, cache_dir
from naturalistic.datasets import fetch as fetching
from naturalistic.datasets import studyforrest
from naturalistic.datasets import studyforrest_files as published
from naturalistic.datasets.download import CHUNK, DownloadError, download_files
from naturalistic.datasets.fetch import fetch

from tests.helpers.server import Server, contents
from tests.helpers.small_film import manifest_of

# the server breaks its own sockets on purpose
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ATLAS = "shen_3mm_278.nii.gz"


@pytest.fixture
def server(small_film, tmp_path, monkeypatch):
    """A server with the small film and a file for the atlas, and a manifest of them."""
    folder = shutil.copytree(small_film, tmp_path / "served", ignore=shutil.ignore_patterns("whole"))
    (folder / ATLAS).write_bytes(b"no image")
    manifest = manifest_of(folder)
    monkeypatch.setattr(published, "manifest", lambda: manifest)
    monkeypatch.delenv("NATURALISTIC_DATA", raising=False)
    monkeypatch.setattr(fetching, "download_files", functools.partial(download_files, pause=0.01))
    served = Server({file.remote_path: (folder / name).read_bytes() for name, file in manifest.items()})
    monkeypatch.setattr(published, "HOST", served.address)
    yield served
    served.shutdown()
    served.server_close()


def address(path):
    return published.manifest()[path].remote_path


def bold(run, subject="01"):
    return f"sub-{subject}/shen_fconn/sub-{subject}_task-avmovie_run-{run}_bold.csv"


def test_all_that_the_loader_reads_is_in_the_manifest():
    manifest = published.manifest()
    assert len(manifest) == 145 and published.published_subjects()[-3:] == ("18", "19", "20")
    by_part = {part: [f for f in manifest.values() if f.group == part] for part in published.PARTS}
    assert {part: len(files) for part, files in by_part.items()} == {"bold": 120, "annotations": 23, "atlas": 2}
    assert round(sum(f.n_bytes for f in by_part["bold"]) / 1e6) == 202
    for path in [*studyforrest.TABLES, studyforrest.EMOTIONS, published.ATLAS, published.NETWORKS_FILE, bold(8, "20")]:
        assert path in manifest and manifest[path].digest.startswith("sha256:")
    assert manifest[bold(1)].remote_path == (
        "psychoinformatics-de/studyforrest-data-aggregate/9f0f805d39506f89aabbb51bee831799b1f37136/" + bold(1)
    )


def test_one_subject_is_downloaded_into_the_cache_once(server, small_film, capsys):
    film = studyforrest.load(subjects=[1], runs=["run-8", "run-1"])
    assert film.folder == cache_dir() / "studyforrest" and film.subjects == ("01",) and not film.is_simulated
    expected = studyforrest.load(small_film, subjects=[1], runs=["run-8", "run-1"])
    np.testing.assert_array_equal(film.open_subject("01").bold, expected.open_subject("01").bold)
    np.testing.assert_array_equal(film.low_level()["log_rms"], expected.low_level()["log_rms"])
    asked = [name for name, _ in server.asked]
    assert len(asked) == len(set(asked)) == 32 and not any("sub-02" in name for name in asked)
    server.asked.clear()
    server.shutdown()  # what is there needs no network
    assert studyforrest.load(subjects=["01"]).subjects == ("01",) and server.asked == []
    assert film.atlas is not None and "no coordinates" not in str(film)


def test_the_other_subject_is_added(server):
    studyforrest.load(subjects=["02"])
    server.asked.clear()
    assert studyforrest.load().subjects == ("01", "02")
    assert len(server.asked) == 8 and all("sub-01" in name for name, _ in server.asked)


@pytest.mark.parametrize("path", [bold(3), "old/structure/shots.csv", "segments/avmovie/conf_visual_run-7_events.tsv"])
@pytest.mark.parametrize("fault", ["broken", "corrupt", 500, "no ranges", "longer"])
def test_a_download_that_breaks_is_gone_on_with(server, small_film, monkeypatch, path, fault):
    server.faults[address(path)] = [fault]
    fetch("studyforrest", cache_dir() / "studyforrest", subjects=[1], progress=False)
    film = studyforrest.load(subjects=[1])
    assert (film.folder / path).read_bytes() == (small_film / path).read_bytes()
    ranges = [first for name, first in server.asked if name == address(path)]
    if fault == "broken" and path == bold(3):
        assert ranges == [None, f"bytes={3 * CHUNK}-"], "from what was written when it broke"


@pytest.mark.parametrize("n_bytes", [0, 1, 1000, 123_456, -1, None])
def test_a_download_that_broke_at_any_byte_is_gone_on_with(server, small_film, tmp_path, n_bytes):
    """A part of any length, and one of the full length, becomes the published file."""
    body = (small_film / bold(5)).read_bytes()
    part = tmp_path / "to" / (bold(5) + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(body[:n_bytes])
    fetch("studyforrest", tmp_path / "to", subjects=[1], parts=["bold"], progress=False)
    assert (tmp_path / "to" / bold(5)).read_bytes() == body and not part.exists()
    part.write_bytes(b"x" + body[1:n_bytes])
    (tmp_path / "to" / bold(5)).unlink()
    fetch("studyforrest", tmp_path / "to", subjects=[1], parts=["bold"], progress=False)
    assert (tmp_path / "to" / bold(5)).read_bytes() == body and not part.exists()


@pytest.mark.slow
def test_a_download_that_cannot_be_finished_leaves_nothing_half(server, small_film, tmp_path, monkeypatch):
    server.faults[address(bold(3))] = ["broken"] + ["corrupt"] * 9
    folder = tmp_path / "to"
    with pytest.raises(DownloadError, match=r"run-3_bold\.csv: what came has another SHA-256.*is kept in .*go on"):
        fetch("studyforrest", folder, subjects=[1], progress=False)
    there = contents(folder)
    assert bold(3) not in there and not any(name.endswith(".part") and "run-3" not in name for name in there)
    assert all(body == (small_film / name).read_bytes() for name, body in there.items() if name in contents(small_film))
    server.faults.clear()
    fetch("studyforrest", folder, subjects=[1], progress=False)
    assert studyforrest.load(folder, subjects=[1]).open_subject("01").bold.shape == (3599, 267)


@pytest.mark.slow
def test_without_an_atlas_everything_else_is_there(server):
    server.faults[address(ATLAS)] = [404] * 9
    film = studyforrest.load(subjects=[1])
    assert film.atlas is None and "the atlas could not be downloaded" in str(film) and "no maps" in str(film)
    assert film.open_subject("01").bold.shape == (3599, 267)


@pytest.mark.slow
def test_a_file_of_another_commit(server, small_film, tmp_path, monkeypatch):
    """Whole, but not the published one: named with what was expected, by name of the data set only."""
    for path in (bold(2), "old/speech/english_dialog.csv", "segments/avmovie/conf_audio_run-4_events.tsv"):
        data = tmp_path / f"data-{path.count('/')}-{len(path)}"
        shutil.copytree(small_film, data / "studyforrest")
        target = data / "studyforrest" / path
        *rows, last, final = target.read_text().splitlines(keepends=True)
        target.write_text("".join([*rows, final, last]))
        monkeypatch.setenv("NATURALISTIC_DATA", str(data))
        name = path.rpartition("/")[2]
        with pytest.raises(ValueError, match=rf"{name} is not the published file: .*commit/.*another commit, or damag"):
            film = studyforrest.load()
            film.open_subject("01")
            film.low_level()
        film = studyforrest.load(data / "studyforrest")
        assert film.open_subject("01").bold.shape == (3599, 267) and film.low_level()


def test_requests_that_cannot_be_begun(server, tmp_path, monkeypatch):
    for subjects in ([7], ["sub-99"]):
        with pytest.raises(RequestError, match=r"studyforrest has no subject .*; there are: 01, 02"):
            studyforrest.load(subjects=subjects)
    with pytest.raises(RequestError, match="has no part 'sound'; there are: bold, annotations, atlas"):
        fetch("studyforrest", tmp_path / "to", parts=["sound"])
    with pytest.raises(RequestError, match="nothing of studyforrest is asked for"):
        fetch("studyforrest", tmp_path / "to", subjects=[])
    monkeypatch.setattr("naturalistic.cache.free_bytes", lambda folder: 250_000_000)
    monkeypatch.setattr("naturalistic.cache.MARGIN", 248_000_000)
    with pytest.raises(
        RequestError, match=r"the disk of .*studyforrest has 250\.00 MB free, but .* MB are still needed"
    ):
        studyforrest.load(subjects=[1])
    assert server.asked == []


def test_a_disk_that_fills_up(server, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("naturalistic.datasets.download.put_in_place", full)
    with pytest.raises(DownloadError, match=r"(csv|tsv): the disk is full.*is kept in"):
        studyforrest.load(subjects=[1])


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_to_costs_time_alone(server, monkeypatch):
    film = studyforrest.load(subjects=[1])

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(published, "write_array", full)
    assert film.open_subject("01").bold.shape == (3599, 267)


def test_the_command(server, tmp_path, capsys):
    assert cli.main(["fetch", "studyforrest", "--subject", "2", "--to", str(tmp_path / "to"), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "sub-02 bold" in out and "sub-01" not in out and "annotations" in out and "atlas" in out
    assert not (tmp_path / "to").exists() and server.asked == []
    assert cli.main(["fetch", "studyforrest", "--parts", "annotations"]) == 0
    assert f"is in {cache_dir() / 'studyforrest'}" in capsys.readouterr().out
    assert len(server.asked) == 23
    assert cli.main(["fetch", "studyforrest", "--subject", "9"]) == 2
    assert "studyforrest has no subject '9'; there are: 01, 02" in capsys.readouterr().err


def test_without_network_the_error_says_so(monkeypatch):
    monkeypatch.delenv("NATURALISTIC_DATA", raising=False)
    monkeypatch.setattr(published, "HOST", "http://127.0.0.1:9")
    monkeypatch.setattr(fetching, "download_files", functools.partial(download_files, pause=0.01))
    with pytest.raises(DownloadError, match=r"could not be reached.*is kept in .*studyforrest: fetch again to go on"):
        studyforrest.load()


def test_a_folder_of_data_without_the_film_says_where_it_looks(server, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NATURALISTIC_DATA", str(tmp_path))
    assert studyforrest.load(subjects=[1]).folder == cache_dir() / "studyforrest"
    assert "has no folder studyforrest; looking in the cache" in capsys.readouterr().out
