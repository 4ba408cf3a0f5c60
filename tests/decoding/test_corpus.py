"""A corpus to retrieve from: fetched whole, read as it is, its index complete about what it leaves out."""

import csv
import hashlib
import io
import json
import random
import re
import shutil
import zipfile

import naturalistic_simulation as simulation
import numpy as np
import pytest
import soundfile
from naturalistic import cache, cli, decoding
from naturalistic.cache import RequestError
from naturalistic.datasets import download as downloading
from naturalistic.datasets import fetch as fetching
from naturalistic.datasets import fma
from naturalistic.datasets.download import DownloadError, RemoteFile, TransferOptions
from naturalistic.datasets.fetch import describe, fetch
from naturalistic.datasets.presentation import as_played
from naturalistic.decoding import corpus as indexing
from naturalistic.features import audio
from naturalistic.features.audio.embedder import Embedder
from naturalistic_simulation import corpus as simulated
from naturalistic_simulation import corpus_tracks, corpus_vectors, simulate_corpus
from naturalistic_simulation import folders as whole
from naturalistic_simulation.music import experiment as music
from naturalistic_simulation.training import pieces

from tests.helpers.server import Server, contents

RATE = 22050
N = 20
IDS = ["000002", "000005", "000010", "001000"]


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

HEADER = [("", "album", "artist", "set", "set", "track", "track", "track"),
          ("", "title", "name", "split", "subset", "duration", "genre_top", "title"),
          ("track_id", "", "", "", "", "", "", "")]  # fmt: skip


def tone(seconds, rate, frequency=440, seed=0):
    t = np.arange(round(seconds * rate)) / rate
    return (
        0.3 * np.sin(2 * np.pi * frequency * t) + 0.01 * np.random.default_rng(seed).standard_normal(len(t))
    ).astype(np.float32)


def write_mp3(path, seconds=16.0, rate=44100, n_channels=2, frequency=440, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([tone(seconds, rate, frequency, seed)] * n_channels, axis=1), rate, format="MP3")


def write_table(folder, ids=IDS, header=HEADER):
    (folder / "fma_metadata").mkdir(parents=True, exist_ok=True)
    rows = [(int(k), "Album", f"Artist {k}", "training", "small", 168, "" if k == ids[-1] else "Rock", f"Tune, {k}")
            for k in ids]  # fmt: skip
    with open(folder / "fma_metadata" / "tracks.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*header, *rows])


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A small corpus as FMA is, with all that goes wrong in it."""
    folder = tmp_path_factory.mktemp("fma")
    tracks = folder / "fma_small"
    for k, name in enumerate(IDS):
        write_mp3(tracks / name[:3] / f"{name}.mp3", frequency=300 + 200 * k, seed=k)
    write_table(folder)
    (tracks / "README.txt").write_text("FMA")
    (tracks / "000" / "000020.mp3").write_bytes(np.random.default_rng(0).bytes(20000))
    (tracks / "000" / "000021.mp3").write_bytes(b"")
    write_mp3(tracks / "000" / "000022.mp3", seconds=4.0)
    soundfile.write(tracks / "000" / "000023.mp3", np.zeros((16 * 44100, 2)), 44100, format="MP3")
    whole = (tracks / "000" / "000002.mp3").read_bytes()
    (tracks / "000" / "000024.mp3").write_bytes(whole[: len(whole) // 3])
    return folder


REASONS = {
    "000020": "cannot be read as sound",
    "000021": "is an empty file",
    "000022": r"lasts 4\.\d\d s, expected 15 s or more",
    "000023": "is silent in its first 15 s",
    "000024": r"lasts \d\.\d\d s, expected 15 s or more",
}


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


# --- The simulated corpus -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "corpus"
    return simulate_corpus(folder, 5, n_jobs=1, render_all=True, progress=False)


def test_the_simulated_corpus_is_read_as_the_real_one(small_corpus):
    corpus = fma.load(small_corpus)
    assert corpus.is_simulated and str(corpus) == "Simulated data (layout of FMA): 5 tracks of 5 genres"
    assert (small_corpus / "fma_simulated/000/000005.mp3").is_file() and corpus.notes == ()
    track = corpus["000004"]
    piece = corpus_tracks.piece_of(4)
    assert track.genre == piece.genre and "(simulated)" in track.title and "(simulated)" in track.artist
    assert piece.mood in track.title and f"{piece.tempo:.0f} beats" in track.title
    heard = fma.first_seconds(track.path, sample_rate=RATE)
    written = corpus_tracks.render(piece, RATE)
    assert np.corrcoef(heard, written)[0, 1] > 0.99, "packed, but in time and in tune"


def test_the_same_seed_gives_the_same_corpus(small_corpus, tmp_path):
    again = simulate_corpus(tmp_path / "c", 5, n_jobs=2, render_all=True, progress=False)
    assert contents(again) == contents(small_corpus)
    assert simulate_corpus(again, 5, progress=False) == again and contents(again) == contents(small_corpus)
    other = simulate_corpus(tmp_path / "d", 1, seed=1, n_jobs=1, render_all=True, progress=False)
    assert contents(other)["fma_simulated/000/000001.mp3"] != contents(again)["fma_simulated/000/000001.mp3"]
    with pytest.raises(FileExistsError, match="is not this corpus"):
        simulate_corpus(again, 6, progress=False)


def sounds_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.suffix in (".mp3", ".part"))


def test_a_track_is_rendered_when_it_is_first_read(small_corpus, tmp_path):
    corpus = fma.load(simulate_corpus(tmp_path / "c", 5, progress=False))
    assert len(corpus) == 5 and corpus["000003"].title == fma.load(small_corpus)["000003"].title
    assert sounds_in(tmp_path) == []
    heard = fma.first_seconds(corpus["000003"].path)
    assert sounds_in(tmp_path) == ["000003.mp3"]
    np.testing.assert_array_equal(heard, fma.first_seconds(fma.load(small_corpus)["000003"].path))
    simulate_corpus(tmp_path / "c", 5, n_jobs=1, render_all=True, progress=False)
    assert contents(tmp_path / "c") == contents(small_corpus)
    with pytest.raises(FileNotFoundError, match=r"000006\.mp3 is missing, and none of the 5 tracks"):
        fma.first_seconds(corpus.folder / "000/000006.mp3")


def test_a_track_that_cannot_be_rendered_leaves_nothing(tmp_path, monkeypatch):
    corpus = fma.load(simulate_corpus(tmp_path / "c", 2, progress=False))
    write = soundfile.write

    def stop(path, *how, **more):
        write(path, *how, **more)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus_tracks.soundfile, "write", stop)
    with pytest.raises(OSError, match="No space left"):
        fma.first_seconds(corpus["000001"].path)
    assert sounds_in(tmp_path) == []
    monkeypatch.setattr(simulated, "recipe", lambda: "other")
    simulated._numbers_in.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"was not written by this version of the simulation.*simulate corpus"):
        fma.first_seconds(corpus["000001"].path)
    simulated._numbers_in.cache_clear()


def test_its_pieces_are_nobody_elses():
    first, last = corpus_tracks.piece_of(1).seed, corpus_tracks.piece_of(corpus_tracks.SEEDS - 1, 999).seed
    assert first > max(999_999 * 1000 + 99, pieces.FIRST_SEED + 999 * 1_000_000) and last < 3_000_000_000
    genres = [corpus_tracks.piece_of(k).genre for k in range(1, 21)]
    assert sorted(genres) == sorted([*corpus_tracks.GENRES, *corpus_tracks.GENRES])


def write_code(folder, code):
    (folder / "code.py").write_bytes(code)
    return folder / "code.py"


def test_the_corpus_changes_no_other_recipe(monkeypatch, tmp_path):
    """What is in music/ is part of the recipe of the music experiment and of the training pieces' key."""
    before = music.recipe(), pieces._own_code(), corpus_tracks.recipe()
    plain = type(music.Path()).read_bytes
    changed = type(music.Path())(corpus_tracks.__file__)
    harmless = b"# a comment\nimport this as THAT\n\ndef f(x: int) -> int:\n    return x\n"
    bare = b"def f(x):\n    return x\n"
    with_f = whole.recipe_of([write_code(tmp_path, bare)])
    assert whole.recipe_of([write_code(tmp_path, harmless)]) == with_f
    assert whole.recipe_of([write_code(tmp_path, bare.replace(b"x\n", b"2 * x\n"))]) != with_f
    for more, same in ((b"# a comment\n", True), (b"OTHER = 1\n", False)):
        monkeypatch.setattr(type(changed), "read_bytes", lambda p, more=more: plain(p) + more * (p == changed))
        assert (music.recipe(), pieces._own_code()) == before[:2] and (corpus_tracks.recipe() == before[2]) is same


def test_two_processes_do_not_replace_each_others(tmp_path, monkeypatch):
    def write(folder, *_):
        (tmp_path / "c").mkdir()
        readme = simulated.README.format(recipe=corpus_tracks.recipe(), seed=0, n_tracks=3)
        (tmp_path / "c" / "README").write_text(readme)
        (tmp_path / "c" / "first").write_text("there")

    monkeypatch.setattr(simulated, "_write_table", write)
    simulate_corpus(tmp_path / "c", 3)
    assert (tmp_path / "c" / "first").is_file() and [p.name for p in tmp_path.iterdir()] == ["c"]


def test_an_older_corpus_is_replaced_and_a_broken_one_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(simulated, "_write_table", lambda folder, *_: (folder / "x").write_text(simulated.recipe()))
    for name in ("old", "new"):
        monkeypatch.setattr(simulated, "recipe", lambda name=name: name)
        simulate_corpus(tmp_path / "c")
        assert (tmp_path / "c" / "x").read_text() == name
    assert "older recipe" in capsys.readouterr().out

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(simulated, "_write_table", fail)
    with pytest.raises(OSError, match="No space left"):
        simulate_corpus(tmp_path / "d")
    assert [p.name for p in tmp_path.iterdir()] == ["c"]
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("usage", (), {"free": 5e6}))
    with pytest.raises(RequestError, match=r"5.00 MB free, but 300.30 MB are still needed"):
        simulate_corpus(tmp_path / "d", render_all=True)
    with pytest.raises(RequestError, match="cannot be written"):
        simulate_corpus("/proc/simulated/d")  # not even the superuser writes there
    for arguments, message in (
        ((0,), "n_tracks is 0"),
        ((5, 1000), "seed is 1000, expected a whole number from 0 to 999"),
    ):
        with pytest.raises(ValueError, match=message):
            simulate_corpus(tmp_path / "e", *arguments)


# --- The index ------------------------------------------------------------------------------------------------


def embedder(identity="a", name="toy", passes=None):
    """Loudness and zero crossings of a window, and two more numbers; no network."""

    def tower(windows):
        if passes is not None:
            passes.append(len(windows))
        crossings = (np.diff(np.signbit(windows), axis=1)).mean(axis=1)
        return np.stack([windows.std(axis=1), 10 * crossings, windows[:, 1000], np.ones(len(windows))], axis=1)

    return Embedder(name, 16000, 10.0, 1.5, 4, tower, identity=lambda: identity)


def test_the_index_is_of_the_mean_window_of_the_first_seconds(archive, tmp_path, capsys):
    corpus, model = fma.load(archive), embedder()
    index = decoding.index_corpus(corpus, model, tmp_path / "i", batch_size=2)
    assert index.names == tuple(IDS)
    for name, stored in zip(index.names, index.vectors):
        sound = as_played(fma.first_seconds(corpus[name].path, 15.0, 16000), 16000)
        vector = model.embed(sound, 16000, cache=False).mean(axis=0)
        np.testing.assert_allclose(stored, vector / np.linalg.norm(vector), atol=1e-3)
    assert index.names_of(index.search(index.vectors[2].astype(float), 1)[0]) == [["000010"]]


def test_what_cannot_be_read_is_left_out_counted_and_named(archive, tmp_path, capsys):
    index = decoding.index_corpus(fma.load(archive), embedder(), tmp_path / "i", batch_size=3)
    assert index.skipped == tuple(REASONS)
    found = decoding.unreadable_tracks(tmp_path / "i")
    assert list(found) == list(REASONS)
    for name, reason in REASONS.items():
        assert re.search(reason, found[name]) and f"{name}.mp3" in found[name]
    said = capsys.readouterr().out
    assert "5 of 9 tracks could not be read and are left out, such as 000020" in said and "unreadable.json" in said
    again = decoding.index_corpus(fma.load(archive), embedder(), tmp_path / "i")
    assert again.skipped == index.skipped and len(again.names) == 4


def test_an_interrupted_index_goes_on_and_forgets_no_reason(archive, tmp_path, monkeypatch):
    corpus, passes, means = fma.load(archive), [], indexing._means

    def stop(model, sounds):
        if sum(passes):
            raise KeyboardInterrupt
        return means(model, sounds)

    monkeypatch.setattr(indexing, "_means", stop)
    with pytest.raises(KeyboardInterrupt):
        decoding.index_corpus(corpus, embedder(passes=passes), tmp_path / "i", batch_size=5)
    assert passes == [8, 4], "three tracks of four windows, and two that cannot be read"
    monkeypatch.setattr(indexing, "_means", means)
    more = []
    index = decoding.index_corpus(corpus, embedder(passes=more), tmp_path / "i", batch_size=4)
    assert sum(more) == 4, "only the track that was not done"
    assert index.names == tuple(IDS) and list(decoding.unreadable_tracks(tmp_path / "i")) == list(REASONS)
    whole = decoding.index_corpus(corpus, embedder(), tmp_path / "whole")
    np.testing.assert_array_equal(index.vectors, whole.vectors)


def test_an_index_of_another_model_or_of_another_corpus_is_refused(archive, tmp_path):
    corpus = fma.load(archive)
    decoding.index_corpus(corpus, embedder(), tmp_path / "i", progress=False)
    with pytest.raises(ValueError, match=r"is an index of toy \w+, first 15 s, expected clap \w+, first 15 s: cosines"):
        decoding.index_corpus(corpus, embedder(name="clap"), tmp_path / "i")
    with pytest.raises(ValueError, match=r"is an index of toy \w+, first 15 s, expected toy \w+, first 15 s: cosines"):
        decoding.index_corpus(corpus, embedder("other weights"), tmp_path / "i")
    with pytest.raises(ValueError, match=r"expected toy \w+, first 10 s"):
        decoding.index_corpus(corpus, embedder(), tmp_path / "i", seconds=10)
    fewer = fma.Corpus(corpus.name, False, corpus.folder, corpus.tracks[1:], ())
    with pytest.raises(
        ValueError, match=r"corpus that has changed since: 0 tracks are new, 1 are gone, 0 have another"
    ):
        decoding.index_corpus(fewer, embedder(), tmp_path / "i")
    note = json.loads((tmp_path / "i" / "corpus.json").read_text())
    (tmp_path / "i" / "corpus.json").write_text(json.dumps(note | {"000005": 1}))
    with pytest.raises(ValueError, match=r"1 have another size \(such as 000005\); delete the folder"):
        decoding.index_corpus(corpus, embedder(), tmp_path / "i")


def test_each_model_and_corpus_has_a_folder_in_the_cache(archive, tmp_path):
    corpus, folder = fma.load(archive), decoding.index_folder(fma.load(archive), embedder())
    backwards = fma.Corpus(corpus.name, False, corpus.folder, corpus.tracks[::-1], ())
    assert decoding.index_folder(backwards, embedder()) == folder and folder.parent.name == "index"
    fewer = fma.Corpus(corpus.name, False, corpus.folder, corpus.tracks[1:], ())
    (tmp_path / "fma_small").mkdir()
    for track in corpus.tracks:
        shutil.copy(track.path, tmp_path / "fma_small")
    copied = tuple(fma.Track(track.id, tmp_path / "fma_small" / track.path.name) for track in corpus.tracks)
    longer = fma.Corpus(corpus.name, False, corpus.folder, copied, ())
    assert decoding.index_folder(longer, embedder()) == folder, "the sizes count, not where a track lies"
    with open(longer.tracks[0].path, "ab") as file:
        file.write(b"x")
    others = [(longer, embedder()), (fewer, embedder()), (corpus, embedder("b")), (corpus, embedder(name="clap"))]
    found = {decoding.index_folder(*other) for other in others} | {decoding.index_folder(corpus, embedder(), 10.0)}
    assert len(found | {folder}) == 6


def test_a_corpus_in_which_nothing_can_be_read(archive, tmp_path):
    corpus = fma.load(archive)
    broken = tuple(track for track in corpus.tracks if track.id in REASONS)
    with pytest.raises(ValueError, match="none of the 5 recordings could be read"):
        decoding.index_corpus(fma.Corpus("x", False, corpus.folder, broken, ()), embedder(), tmp_path / "i")
    assert len(decoding.unreadable_tracks(tmp_path / "i")) == 5


def test_the_small_models_hear_the_simulated_corpus(small_corpus, tmp_path):
    index = decoding.index_corpus(fma.load(small_corpus), audio.load("mini-mulan"), tmp_path / "i", progress=False)
    assert index.vectors.shape == (5, 128) and index.skipped == () and index.identity.startswith("mini-mulan ")
    same = index.vectors.astype(float) @ index.vectors.astype(float).T
    assert np.median(same[np.triu_indices(5, 1)]) < 0.9


# --- Vectors that come with the package -----------------------------------------------------------------------


def test_the_vectors_that_come_are_those_of_this_corpus_and_this_embedder(tmp_path):
    """Whoever changes the composer, the corpus or mini-mulan computes them again: naturalistic train corpus-vectors."""
    corpus, embedder = fma.load(simulate_corpus(tmp_path / "c", 2000, progress=False)), audio.load("mini-mulan")
    identity, ids = indexing.index_identity(embedder), [track.id for track in corpus.tracks]
    known = corpus_vectors.known_vectors(tmp_path / "c", ids, identity)
    assert known is not None, "run: naturalistic train corpus-vectors --to " + str(corpus_vectors.path_of())
    assert known.shape == (2000, 128) and known.dtype == np.float32 and np.isfinite(known).all()
    picked = tuple(corpus[f"{k:06d}"] for k in (1, 777, 2000))
    few = fma.Corpus(corpus.name, True, corpus.folder, picked, (), corpus.recipe)
    again = indexing.track_vectors(few, embedder)
    np.testing.assert_allclose(again, known[[0, 776, 1999]], atol=1e-5)


def test_an_index_of_known_vectors_renders_nothing(small_corpus, tmp_path):
    corpus, embedder = fma.load(simulate_corpus(tmp_path / "c", 5, progress=False)), audio.load("mini-mulan")
    index = decoding.index_corpus(corpus, embedder, tmp_path / "i", progress=False)
    assert sounds_in(tmp_path) == [] and index.names == tuple(track.id for track in corpus.tracks)
    folder = decoding.index_folder(corpus, embedder)
    fma.first_seconds(corpus["000001"].path)
    assert decoding.index_folder(fma.load(tmp_path / "c"), embedder) == folder, "what was heard is the same corpus"
    again = decoding.index_corpus(corpus, embedder, tmp_path / "i", progress=False)
    np.testing.assert_array_equal(again.vectors, index.vectors)
    vectors = indexing.track_vectors(fma.load(small_corpus), embedder, progress=False)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(index.vectors.astype(np.float32), units, atol=1e-3)


@pytest.mark.parametrize(("seed", "model"), [(1, "mini-mulan"), (0, "toy")])
def test_other_pieces_and_other_models_are_rendered_and_embedded(tmp_path, seed, model):
    corpus = fma.load(simulate_corpus(tmp_path / "c", 3, seed=seed, progress=False))
    chosen = embedder() if model == "toy" else audio.load(model)
    index = decoding.index_corpus(corpus, chosen, tmp_path / "i", progress=False)
    assert sounds_in(tmp_path / "c") == [f"{k:06d}.mp3" for k in (1, 2, 3)] and len(index.names) == 3
    vectors = indexing.track_vectors(corpus, chosen, progress=False)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(index.vectors.astype(np.float32), units, atol=1e-3)


def test_vectors_are_written_whole_and_known_again(tmp_path):
    path = corpus_vectors.write_vectors(tmp_path / "v.safetensors", tmp_path / "c", seed=2, n_tracks=3)
    identity, ids = indexing.index_identity(audio.load("mini-mulan")), ["000001", "000003"]
    known = corpus_vectors.known_vectors(tmp_path / "c", ids, identity, path)
    assert known.shape == (2, 128) and {p.name for p in tmp_path.iterdir()} == {"c", "v.safetensors"}
    assert corpus_vectors.known_vectors(tmp_path / "c", ids, "another model", path) is None
    assert corpus_vectors.known_vectors(tmp_path / "c", ["000004"], identity, path) is None
    other = simulate_corpus(tmp_path / "d", 3, seed=3, progress=False)
    assert corpus_vectors.known_vectors(other, ids, identity, path) is None
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"v\.safetensors .*install the package again"):
        corpus_vectors.known_vectors(tmp_path / "c", ids, identity, path)


def test_the_command_that_computes_the_vectors(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    command = ["train", "corpus-vectors", "--to", str(tmp_path / "v.safetensors"), "--pieces", "2"]
    assert cli.main(command) == 0 and (tmp_path / "v.safetensors").is_file()
    assert "vectors of 2 tracks" in capsys.readouterr().out
    assert cli.main([*command, "--seed", "1000"]) == 2 and "seed is 1000" in capsys.readouterr().err
