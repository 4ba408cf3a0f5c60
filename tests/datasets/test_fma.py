"""The Free Music Archive: downloaded whole, unpacked whole, read as it is."""

import csv
import hashlib
import io
import random
import re
import shutil
import zipfile

import naturalistic_simulation as simulation
import numpy as np
import pytest
import soundfile
from naturalistic import cache, cli
from naturalistic.cache import RequestError
from naturalistic.datasets import download as downloading
from naturalistic.datasets import fetch as fetching
from naturalistic.datasets import fma
from naturalistic.datasets.download import DownloadError, RemoteFile, TransferOptions
from naturalistic.datasets.fetch import describe, fetch

from tests.helpers.corpus import (
    HEADER,
    IDS,
    RATE,
    REASONS,
    write_mp3,
    write_table,
)
from tests.helpers.server import Server, contents

N = 20


# --- Fetching -------------------------------------------------------------------------------------------------


def pack(files, method=zipfile.ZIP_BZIP2):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return body.getvalue()


TABLES = {"fma_metadata/tracks.csv": b"a,b\n", "fma_metadata/genres.csv": b"c\n"}
METADATA = pack({**TABLES, "fma_metadata/not_found.pickle": b"code", "fma_metadata/features.csv": b"much"})
TRACKS = {f"fma_small/{k // 1000:03d}/{k:06d}.mp3": random.Random(k).randbytes(200) for k in range(2, 2 + N)}
STRANGERS = {"../evil.mp3": b"x", "fma_small/../../evil.mp3": b"x", "/evil.mp3": b"x", "fma_small/000/001000.mp3": b"x",
             "fma_small/checksums": b"x", "fma_large/000/000002.mp3": b"x"}  # fmt: skip
WHOLE = pack(STRANGERS | TRACKS)


def remote(path, body):
    return RemoteFile(path, "sha1:" + hashlib.sha1(body).hexdigest(), len(body), "tracks")


@pytest.fixture
def archives(monkeypatch):
    """Return a function that fetches these archives as FMA, to a disk that has room, and their server."""
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10**12}))
    server = Server({})
    quick = {"pause": 0.01, "timeout": 60}
    monkeypatch.setattr(downloading, "TransferOptions", lambda **how: TransferOptions(**quick | how))
    monkeypatch.setitem(fma.N_TRACKS, "small", N)

    def get(folder, tracks=WHOLE, metadata=METADATA, **how):
        server.bodies = {"fma_small.zip": tracks, "fma_metadata.zip": metadata}
        monkeypatch.setattr(fma, "METADATA", remote("fma_metadata.zip", metadata))
        monkeypatch.setitem(fma.SUBSETS, "small", remote("fma_small.zip", tracks))
        return fetch("fma", folder, subset="small", base_url=server.address, progress=False, **how)

    get.server = server
    yield get
    server.shutdown()
    server.server_close()


def test_fma_is_unpacked_whole_and_nothing_else(archives, tmp_path):
    archives.server.faults["fma_small.zip"] = ["redirect"]
    archives(tmp_path / "to")
    assert contents(tmp_path / "to") == TRACKS | TABLES and [p.name for p in tmp_path.iterdir()] == ["to"]
    n_asked = len(archives.server.asked)
    archives(tmp_path / "to")
    assert len(archives.server.asked) == n_asked, "what is there is not fetched again"
    with pytest.raises(FileNotFoundError, match="has no fma_large; it has small"):
        fma.load(tmp_path / "to", "large")


def test_fma_keeps_its_archives_on_request(archives, tmp_path):
    archives(tmp_path, keep=True)
    assert (tmp_path / "fma_small.zip").read_bytes() == WHOLE and (tmp_path / "fma_metadata.zip").is_file()


def test_an_unpacking_that_was_stopped_goes_on(archives, tmp_path, monkeypatch):
    written, extract = [], fma._extract

    def stop(file, info, target):
        if len(written) == 8:
            raise KeyboardInterrupt
        written.append(target.name)
        extract(file, info, target)

    monkeypatch.setattr(fma, "_extract", stop)
    with pytest.raises(KeyboardInterrupt):
        archives(tmp_path)
    assert not (tmp_path / "fma_small").exists() and (tmp_path / "fma_small.zip").is_file()
    half = tmp_path / ".fma_small-unpacking" / "fma_small" / "000"
    (half / "000003.mp3").write_bytes(b"cut")
    again = []
    monkeypatch.setattr(fma, "_extract", lambda f, i, t: again.append(t.name) or extract(f, i, t))
    n_asked = len(archives.server.asked)
    archives(tmp_path)
    assert contents(tmp_path) == TRACKS | TABLES and len(archives.server.asked) == n_asked
    assert len(again) == N + 2 - 8 + 1, "the one that was cut, and those that were not there"


def damage(body, name):
    """Change a byte of what is packed under a name."""
    body = bytearray(body)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        info = archive.getinfo(name)
    body[info.header_offset + 30 + len(name) + info.compress_size // 2] ^= 255
    return bytes(body)


LAST = f"fma_small/000/{N + 1:06d}.mp3"
SHORT = {name: body for name, body in TRACKS.items() if name != LAST}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"tracks": damage(WHOLE, LAST)}, "fma_small.zip is damaged or is not FMA"),
        ({"tracks": damage(pack(TRACKS, zipfile.ZIP_STORED), LAST)}, "Bad CRC-32"),
        ({"tracks": damage(pack(TRACKS, zipfile.ZIP_DEFLATED), LAST)}, "fma_small.zip is damaged or is not FMA"),
        ({"tracks": WHOLE[:-40]}, "not a zip file"),
        ({"tracks": b"<html>not found</html>"}, "not a zip file"),
        ({"tracks": pack(SHORT | STRANGERS)}, "it has 19 of 20 tracks"),
        ({"metadata": pack({"fma_metadata/genres.csv": b"c"})}, "it lacks fma_metadata/tracks.csv"),
    ],
    ids=["bzip2", "stored", "deflated", "cut", "no archive", "a track missing", "no table"],
)
def test_a_damaged_archive_leaves_no_half_folder(archives, tmp_path, how, reason):
    with pytest.raises(DownloadError, match=rf"{reason}.*deleted; fetch it again|{reason}"):
        archives(tmp_path, **how)
    left = {name.split("/")[0] for name in contents(tmp_path)}
    assert left <= {"fma_metadata", "fma_metadata.zip", "fma_small.zip"} and not (tmp_path / "fma_small").exists()
    archives(tmp_path)
    assert contents(tmp_path) == TRACKS | TABLES


def test_an_archive_of_another_hash_is_refused(archives, tmp_path):
    archives.server.faults["fma_small.zip"] = ["corrupt", "corrupt"]
    with pytest.raises(DownloadError, match=r"fma_small.zip: what came has another SHA-1"):
        archives(tmp_path)
    assert not (tmp_path / "fma_small").exists()


def test_the_published_archives(tmp_path):
    plan = fetching.plan_of("fma", subset="large")
    assert re.search(r"total +2 +100.66 GB", describe(plan, tmp_path))
    assert [file.path for file in plan.files] == ["fma_metadata.zip", "fma_large.zip"]
    assert plan.base_url == "https://os.unil.cloud.switch.ch/fma"
    assert all(len(file.digest) == len("sha1:") + 40 for file in plan.files)
    for subset, n_gib in (("small", 7.2), ("large", 93)):  # as its own page says
        assert fma.SUBSETS[subset].n_bytes / 2**30 == pytest.approx(n_gib, abs=0.5)
    for subset in (None, "full"):
        with pytest.raises(RequestError, match=rf"subset is {subset!r}, expected 'small' .*or 'large'"):
            fetching.plan_of("fma", subset=subset)


def test_a_folder_of_somebody_and_a_small_disk(archives, tmp_path, monkeypatch):
    disk = type("Usage", (), {"free": cache.MARGIN + len(WHOLE) + len(METADATA) + fma.TABLES_BYTES})
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: disk)
    with pytest.raises(RequestError, match="are still needed"):
        archives(tmp_path)
    assert archives.server.asked == []
    disk.free = 10**12
    monkeypatch.setattr(fma, "check_room", lambda *_: disk.check())
    disk.check = staticmethod(lambda: (_ for _ in ()).throw(RequestError("the disk has 1 byte free")))
    with pytest.raises(DownloadError, match="cannot be unpacked: the disk has 1 byte free; it is kept"):
        archives(tmp_path)
    assert set(contents(tmp_path)) == {"fma_small.zip", "fma_metadata.zip"}
    (tmp_path / "fma_small" / "000").mkdir(parents=True)
    (tmp_path / "fma_small" / "000" / "000002.mp3").write_bytes(b"mine")
    with pytest.raises(RequestError, match="holds 1 of the 20 tracks; move it away"):
        archives(tmp_path)
    (tmp_path / "fma_metadata").mkdir()
    with pytest.raises(RequestError, match=r"fma_metadata is there but holds no tracks\.csv; move it away"):
        archives(tmp_path)


def test_dry_run(archives, tmp_path, capsys):
    archives(tmp_path / "to", dry_run=True)
    said = capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [] and archives.server.asked == [] and "nothing was fetched" in said


def test_the_commands(archives, tmp_path, capsys, monkeypatch):
    archives(tmp_path / "first")  # the archives' sizes and hashes are now those of this test
    where = ["--to", str(tmp_path / "to"), "--base-url", archives.server.address]
    assert cli.main(["fetch", "fma", "--subset", "small", *where]) == 0
    assert contents(tmp_path / "to") == TRACKS | TABLES
    assert "fma: all that was asked for (2 files) is in" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["fetch", "fma", *where])
    assert "required: --subset" in capsys.readouterr().err
    asked = []
    monkeypatch.setattr(simulation, "simulate_corpus", lambda folder, **how: asked.append((folder, how)))
    assert cli.main(["simulate", "corpus", "--to", "here", "--seed", "4"]) == 0 and asked == [("here", {"seed": 4})]
    assert cli.main(["simulate", "corpus", "--to", "here", "--render-all"]) == 0
    assert asked[1:] == [("here", {"render_all": True})]


# --- Reading --------------------------------------------------------------------------------------------------


def test_tracks_and_their_titles(archive):
    corpus = fma.load(archive)
    assert len(corpus) == 9 and [t.id for t in corpus.tracks] == sorted(t.id for t in corpus.tracks)
    assert corpus.folder == archive / "fma_small" and not corpus.is_simulated
    track = corpus["000005"]
    assert track == fma.Track("000005", archive / "fma_small/000/000005.mp3", "Tune, 000005", "Artist 000005", "Rock")
    assert str(track) == "Artist 000005: Tune, 000005 (Rock)" and str(corpus["000020"]) == "track 000020"
    assert str(corpus["001000"]) == "Artist 001000: Tune, 001000"
    assert "5 of 9 tracks are not in tracks.csv, such as 000020" in str(corpus) and "CC BY" in str(corpus)
    assert fma.load(archive / "fma_small").tracks == corpus.tracks == fma.load(archive, "small").tracks
    with pytest.raises(KeyError, match="has no track '2'"):
        corpus["2"]


def test_without_a_table(archive, tmp_path):
    (tmp_path / "fma_small").symlink_to(archive / "fma_small")
    corpus = fma.load(tmp_path)
    assert corpus["000005"].title == "" and len(corpus.notes) == 1
    assert "tracks.csv is not there: no titles" in str(corpus)


def test_how_a_track_begins(archive):
    wave = fma.first_seconds(archive / "fma_small/000/000002.mp3", sample_rate=RATE)
    assert wave.dtype == np.float32 and wave.shape == (15 * RATE,)
    assert np.argmax(np.abs(np.fft.rfft(wave))) / 15 == pytest.approx(300, abs=0.2)
    assert fma.first_seconds(archive / "fma_small/000/000022.mp3", 3, 48000).shape == (3 * 48000,)
    paths = [archive / f"fma_small/000/0000{k}.mp3" for k in ("02", "22")]
    together = fma.load_beginnings(paths, 3, 48000)
    np.testing.assert_array_equal(together, [fma.first_seconds(path, 3, 48000) for path in paths])


@pytest.mark.parametrize("name", REASONS)
def test_tracks_that_cannot_be_used_are_named(archive, name):
    with pytest.raises(ValueError, match=REASONS[name]) as error:
        fma.first_seconds(archive / "fma_small" / "000" / f"{name}.mp3")
    assert f"{name}.mp3" in str(error.value)


def test_a_track_that_is_not_there_or_not_finite(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.mp3 is missing"):
        fma.first_seconds(tmp_path / "x.mp3")
    soundfile.write(tmp_path / "x.wav", np.full(16 * RATE, np.nan), RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"x\.wav has samples that are NaN"):
        fma.first_seconds(tmp_path / "x.wav")


@pytest.mark.parametrize(
    ("prepare", "error", "message"),
    [
        (lambda f: f / "none", FileNotFoundError, "none is not a folder; expected FMA .naturalistic fetch fma"),
        (lambda f: f, FileNotFoundError, "has no fma_small, fma_large or such"),
        (lambda f: (f / "fma_small").mkdir() or f, FileNotFoundError, "has no tracks; expected the layout of FMA"),
        (lambda f: [(f / f"fma_{s}").mkdir() for s in ("large", "small")] and f, ValueError, "has large, small: say"),
        (lambda f: write_mp3(f / "fma_small/000/000002.mp3") or write_table(f, header=HEADER[:2]) or f, ValueError,
         "is not FMA's table: expected a header of three rows"),
        (lambda f: write_mp3(f / "fma_small/000/000002.mp3") or write_table(f, header=[h[:5] for h in HEADER]) or f,
         ValueError, "is not FMA's table"),
    ],
)  # fmt: skip
def test_folders_that_are_no_corpus(tmp_path, prepare, error, message):
    with pytest.raises(error, match=message):
        fma.load(prepare(tmp_path))


def test_the_corpus_is_simulated_on_request(archive, monkeypatch):
    asked = []
    monkeypatch.setattr(simulation, "simulate_corpus", lambda to: asked.append(to) or shutil.copytree(archive, to))
    corpus = fma.load()
    assert len(corpus) == 9 and asked == [corpus.folder.parent]


@pytest.mark.slow
def test_long_biographies_and_a_table_that_is_no_text(tmp_path):
    write_mp3(tmp_path / "fma_small/000/000002.mp3")
    write_table(tmp_path, IDS[:1])
    table = tmp_path / "fma_metadata" / "tracks.csv"
    table.write_text(table.read_text().replace("Album", "A" * 200_000))
    limit = csv.field_size_limit()
    assert fma.load(tmp_path)["000002"].artist == "Artist 000002" and csv.field_size_limit() == limit
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"tracks\.csv ends inside of a character: it was cut short"):
        fma.load(tmp_path)
