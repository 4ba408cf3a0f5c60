"""Large downloads from a server on this machine that does all that servers do wrong."""

import errno
import gzip
import hashlib
import io
import json
import os
import random
import re
import tarfile
import threading
from pathlib import Path

import pytest
from naturalistic import cache
from naturalistic.cache import RequestError
from naturalistic.datasets import download as downloading
from naturalistic.datasets import fetch as fetching
from naturalistic.datasets import gtzan as gtzan_data
from naturalistic.datasets import openneuro
from naturalistic.datasets.download import (
    CHUNK,
    NOTE,
    DownloadError,
    DownloadPlan,
    DownloadStoppedError,
    RemoteFile,
    TransferOptions,
    VerifiedFiles,
    download_files,
    target_of,
    transfer,
)
from naturalistic.datasets.fetch import describe, fetch

from tests.helpers.server import Server, contents

BIG, SMALL = "sub-1/func/big.nii", "README"
RANDOM = random.Random(0)
BODIES = {
    BIG: RANDOM.randbytes(6 * CHUNK + 123),
    "sub-1/anat/t1.nii": RANDOM.randbytes(2 * CHUNK),
    SMALL: b"read me\n",
}
FILES = tuple(
    RemoteFile(name, "md5:" + hashlib.md5(body).hexdigest(), len(body), name.rpartition("/")[0])
    for name, body in BODIES.items()
)
N_BYTES = sum(map(len, BODIES.values()))


@pytest.fixture
def server():
    server = Server(BODIES)
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def toy(server, monkeypatch):
    """Make ``fetch("toy", ...)`` fetch FILES from the server, without long pauses."""
    monkeypatch.setitem(fetching.DATA_SETS, "toy", lambda: DownloadPlan("toy", server.address, FILES))
    quick = {"pause": 0.01, "timeout": 60}
    monkeypatch.setattr(downloading, "TransferOptions", lambda **how: TransferOptions(**quick | how))
    return server


def fetch_big(server, folder, **how):
    """Fetch the big file only."""
    how = {"pause": 0.01, "timeout": 60, "progress": False} | how
    download_files(FILES[:1], server.address, folder, **how)


def test_a_data_set_comes_whole_and_once(toy, tmp_path, capfd):
    (tmp_path / "mine.txt").write_text("mine")
    assert fetch("toy", tmp_path) == tmp_path
    assert contents(tmp_path) == BODIES | {"mine.txt": b"mine"}
    assert toy.n_sent == N_BYTES and len(toy.asked) == 3
    assert "100%" in capfd.readouterr().err  # one bar, in bytes
    fetch("toy", tmp_path, progress=False)
    assert len(toy.asked) == 3


def test_connections_side_by_side(server, tmp_path):
    server.meeting = threading.Barrier(3, timeout=60)
    server.bodies = {f"f{k}": bytes([k]) * 1000 for k in range(6)}
    files = [RemoteFile(n, "md5:" + hashlib.md5(b).hexdigest(), len(b)) for n, b in server.bodies.items()]
    download_files(files, server.address, tmp_path, n_connections=3, progress=False, timeout=90)
    assert server.most_at_once == 3
    assert contents(tmp_path) == server.bodies


@pytest.mark.parametrize(
    ("faults", "n_asked"),
    [
        (["broken"], 2),
        (["no length"], 2),  # a body that ends early, and no header that says so
        (["broken", "broken"], 3),
        ([503, 503], 3),
        ([429, 500, "broken", 502], 5),
        (["redirect"], 2),
        (["broken", "redirect"], 3),  # the range goes with the redirection
        (["corrupt"], 2),
        (["longer"], 2),
        (["endless"], 2),
        (["not packed"], 2),
        (["broken", "no ranges"], 2),
        (["broken", "other range"], 3),
        (["broken", "odd range"], 3),
        (["broken", 416], 3),
    ],
)
def test_what_a_later_try_mends(server, tmp_path, faults, n_asked):
    server.faults[BIG] = list(faults)
    fetch_big(server, tmp_path)
    assert contents(tmp_path) == {BIG: BODIES[BIG]}
    assert len(server.asked) == n_asked


def test_a_resumed_file_costs_only_the_rest(server, tmp_path):
    server.faults[BIG] = ["broken", "redirect"]
    with pytest.raises(DownloadError, match="the connection broke before the file was whole"):
        fetch_big(server, tmp_path, n_tries=1)
    part = tmp_path / (BIG + ".part")
    there = part.stat().st_size
    assert contents(tmp_path) == {BIG + ".part": BODIES[BIG][:there]} and there >= 3 * CHUNK
    server.n_sent = 0
    fetch_big(server, tmp_path)
    assert contents(tmp_path) == {BIG: BODIES[BIG]} and server.n_sent == len(BODIES[BIG]) - there
    assert server.asked[-1] == (f"moved/{BIG}", f"bytes={there}-")


@pytest.mark.parametrize("there", [len(BODIES[BIG]), len(BODIES[BIG]) + 5])
def test_a_part_that_is_whole_or_too_long(server, tmp_path, there):
    part = tmp_path / (BIG + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes((BODIES[BIG] + b"extra")[:there])
    fetch_big(server, tmp_path)
    assert contents(tmp_path) == {BIG: BODIES[BIG]}
    assert len(server.asked) == (there > len(BODIES[BIG]))  # a whole part is only looked at


def test_a_part_of_another_file_is_thrown_away(server, tmp_path):
    part = tmp_path / (BIG + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(CHUNK))
    fetch_big(server, tmp_path)
    assert contents(tmp_path) == {BIG: BODIES[BIG]} and [r for _, r in server.asked] == [f"bytes={CHUNK}-", None]


@pytest.mark.parametrize(
    ("faults", "reason", "n_asked", "kept"),
    [
        ([404] * 9, "the server answered 404", 1, False),
        ([403] * 9, "the server answered 403", 1, False),
        ([503] * 9, "the server answered 503", 3, False),
        (["corrupt"] * 9, "another MD5 than the published file", 2, False),
        (["longer"] * 9, "published", 2, False),
        (["endless"] * 9, rf"sends more than the {len(BODIES[BIG])} bytes that were published", 2, False),
        (["broken", 500, 500, 500], "the server answered 500", 3, True),
    ],
)
def test_what_no_try_mends(server, tmp_path, faults, reason, n_asked, kept):
    server.faults[BIG] = list(faults)
    with pytest.raises(DownloadError, match=reason) as error:
        fetch_big(server, tmp_path, n_tries=3)
    assert f"{server.address}/{BIG}" in str(error.value)
    assert len(server.asked) == n_asked
    assert set(contents(tmp_path)) == ({BIG + ".part"} if kept else set())


def test_a_file_that_is_refused_does_not_keep_the_others_away(toy, tmp_path):
    toy.faults[BIG], toy.faults[SMALL] = [404], [404]
    with pytest.raises(DownloadError, match=r"answered 404 \(and 1 more of 3 files\).*is kept in .*fetch again"):
        fetch("toy", tmp_path, progress=False)
    assert set(contents(tmp_path)) == {"sub-1/anat/t1.nii"}
    fetch("toy", tmp_path, progress=False)
    assert contents(tmp_path) == BODIES


def test_nobody_answers(tmp_path):
    with pytest.raises(DownloadError, match="could not be reached"):
        download_files(FILES, "http://127.0.0.1:9", tmp_path, n_tries=2, pause=0.01, progress=False)
    with pytest.raises(DownloadError, match="nowhere/README"):
        download_files(FILES[2:], "nowhere", tmp_path, progress=False)
    assert contents(tmp_path) == {}


def test_silence_is_given_up(server, tmp_path):
    server.delay = 60  # s, or until the test ends
    with pytest.raises(DownloadError, match="did not answer in time"):
        fetch_big(server, tmp_path, n_tries=2, timeout=0.1)


@pytest.mark.parametrize(
    "damage", [lambda body: bytes([body[0] ^ 1]) + body[1:], lambda body: body[:50]], ids=["other bytes", "shorter"]
)
def test_a_damaged_file_is_reported_and_fetched_anew(toy, tmp_path, damage, capsys):
    fetch("toy", tmp_path, progress=False)
    (tmp_path / BIG).write_bytes(damage(BODIES[BIG]))
    os.utime(tmp_path / BIG, ns=(1, 1))
    toy.asked.clear()
    fetch("toy", tmp_path, progress=False)
    assert contents(tmp_path) == BODIES and toy.asked == [(BIG, None)]
    assert "is not the published file" in capsys.readouterr().err


def test_files_are_hashed_once(toy, tmp_path, monkeypatch):
    for name, body in BODIES.items():  # brought by other means
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)
    looked = []
    monkeypatch.setattr(downloading, "is_whole", lambda path, file: looked.append(file) or True)
    fetch("toy", tmp_path, progress=False)
    assert len(looked) == 3 and toy.asked == []
    fetch("toy", tmp_path, progress=False)
    assert len(looked) == 3
    os.utime(tmp_path / SMALL, ns=(1, 1))
    fetch("toy", tmp_path, progress=False)
    assert len(looked) == 4
    (tmp_path / NOTE).write_text("[not json")
    fetch("toy", tmp_path, progress=False)
    assert len(looked) == 7 and set(json.loads((tmp_path / NOTE).read_text())) == set(BODIES)


def test_the_note_knows_size_time_and_hash(tmp_path):
    file, target = FILES[2], tmp_path / SMALL
    target.write_bytes(BODIES[SMALL])
    VerifiedFiles(tmp_path).add(file, target)
    assert VerifiedFiles(tmp_path).holds(file, target)
    assert not VerifiedFiles(tmp_path).holds(RemoteFile(SMALL, "md5:0", file.n_bytes), target)
    target.unlink()
    assert not VerifiedFiles(tmp_path).holds(file, target)


def test_dry_run_says_all_and_makes_nothing(toy, tmp_path, capsys):
    fetch("toy", tmp_path / "to", dry_run=True)
    said = capsys.readouterr().out
    assert re.search(rf"total +3 +{N_BYTES / 1e3:.2f} kB +0 bytes +{N_BYTES / 1e3:.2f} kB", said) and "free" in said
    assert list(tmp_path.iterdir()) == [] and toy.asked == []
    (tmp_path / BIG).parent.mkdir(parents=True)
    (tmp_path / (BIG + ".part")).write_bytes(bytes(1000))
    (tmp_path / SMALL).write_bytes(BODIES[SMALL])
    assert re.search(r"total +3 +\S+ kB +1.01 kB", describe(fetching.plan_of("toy"), tmp_path))


def test_too_little_disk_is_seen_before_the_start(toy, tmp_path, monkeypatch):
    disk = type("Usage", (), {"free": cache.MARGIN + N_BYTES - 1})
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: disk)
    with pytest.raises(RequestError, match=r"200.52 MB free, but 524.42 kB are still needed"):
        fetch("toy", tmp_path / "to", progress=False)
    assert list(tmp_path.iterdir()) == [] and toy.asked == []
    disk.free += 1
    fetch("toy", tmp_path / "to", progress=False)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fills_on_the_way(toy, tmp_path, monkeypatch, number):
    class Full(io.FileIO):
        def write(self, data):
            if self.tell() + len(data) > 2 * CHUNK + 5:
                raise OSError(number, os.strerror(number))
            return super().write(data)

    monkeypatch.setattr(downloading, "open", lambda p, mode: (open if mode == "rb" else Full)(p, mode), raising=False)
    reason = "the disk is full" if number == errno.ENOSPC else "cannot be written"
    with pytest.raises(DownloadError, match=f"big.nii: {reason}.*fetch again"):
        fetch("toy", tmp_path, progress=False, n_connections=1)
    assert contents(tmp_path)[BIG + ".part"] == BODIES[BIG][: 2 * CHUNK] and BIG not in contents(tmp_path)
    monkeypatch.undo()
    download_files(FILES, toy.address, tmp_path, progress=False)
    assert contents(tmp_path) == BODIES


def test_folders_that_cannot_be_written(toy, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RequestError, match="file is a file; expected a folder"):
            fetch("toy", target, progress=False)

    def read_only(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(cache.tempfile, "TemporaryFile", read_only)
    with pytest.raises(RequestError, match=r"cannot be written to \(Read-only file system\)"):
        fetch("toy", tmp_path, progress=False)
    assert toy.asked == []


@pytest.mark.skipif(cache.fcntl is None, reason="no locks on this system")
def test_two_fetches_to_one_folder(toy, tmp_path):
    with cache.folder_lock(tmp_path), pytest.raises(RequestError, match=r"another process is at work in"):
        fetch("toy", tmp_path, progress=False)
    fetch("toy", tmp_path, progress=False)


def no_lock(*_):
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize("locks", [None, type("Refuses", (), {"LOCK_EX": 2, "LOCK_NB": 4, "flock": no_lock})])
def test_a_disk_or_a_system_without_locks_is_fetched_to_all_the_same(toy, tmp_path, monkeypatch, locks):
    monkeypatch.setattr(cache, "fcntl", locks)
    fetch("toy", tmp_path, progress=False)
    assert {path: body for path, body in contents(tmp_path).items() if path in BODIES} == BODIES


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a//x", "", "c:/x", "a\\..\\..\\x", "."])
def test_no_path_leads_out_of_the_folder(server, tmp_path, path):
    with pytest.raises(RequestError, match="no path inside a folder"):
        target_of(RemoteFile(path, "md5:0", 1), tmp_path)
    with pytest.raises(RequestError, match="no path inside a folder"):
        download_files([RemoteFile(path, "md5:0", 1)], server.address, tmp_path, progress=False)


def test_stop_leaves_the_part(server, tmp_path):
    stop, target = threading.Event(), tmp_path / "big"
    counted = []

    def count(n):
        counted.append(n)
        if sum(counted) >= 2 * CHUNK:
            stop.set()

    part = tmp_path / "big.part"
    with pytest.raises(DownloadStoppedError):
        transfer(FILES[0], f"{server.address}/{BIG}", target, part, TransferOptions(stop=stop, count=count))
    assert contents(tmp_path) == {"big.part": BODIES[BIG][: 2 * CHUNK]}
    server.faults[BIG] = [503]
    with pytest.raises(DownloadStoppedError):  # pauses end as well
        transfer(FILES[0], f"{server.address}/{BIG}", target, part, TransferOptions(stop=stop, pause=60))


def test_the_count_ends_at_the_size(server, tmp_path):
    server.faults[BIG] = ["broken", "broken", "no ranges", "corrupt"]
    counted = []
    options = TransferOptions(count=counted.append, pause=0)
    transfer(FILES[0], f"{server.address}/{BIG}", tmp_path / "b", tmp_path / "p", options)
    assert sum(counted) == len(BODIES[BIG])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"name": "ds1"}, "there is no data set 'ds1'; there are: ds003720, ds005531, ds005165, gtzan"),
        (
            {"name": "ds005165", "parts": ["WB"]},
            "no part 'WB'; there are: annotations, betas, events, rois, whole_brain",
        ),
        ({"name": "ds005165", "subjects": [11]}, "no subject '11'; there are: 01, 02"),
        ({"name": "ds003720", "subjects": [6]}, "no subject '6'; there are: 001, 002, 003, 004, 005"),
        ({"name": "ds003720", "subjects": ["sub-01x"]}, "no subject 'sub-01x'"),
        ({"name": "ds003720", "subjects": []}, "no subject of ds003720 is asked for"),
        ({"name": "ds003720", "runs": ["Training_run-13"]}, "no run 'Training_run-13'; there are: Test_run-01, "),
        ({"name": "ds005531", "parts": ["audio"]}, "no part 'audio'; there are: accuracy, anat, annotation"),
        ({"name": "gtzan", "subjects": [1]}, "gtzan takes no 'subjects'; it takes: keep"),
        ({"name": "gtzan", "n_connections": 0}, "n_connections is 0, expected a whole number of at least 1"),
    ],
)
def test_bad_requests(tmp_path, arguments, reason):
    with pytest.raises(RequestError, match=reason):
        fetch(folder=tmp_path / "to", dry_run=True, **arguments)
    assert list(tmp_path.iterdir()) == []


# --- what is listed -------------------------------------------------------------------------------------------


def test_the_manifest_of_the_music_experiment():
    files = openneuro.manifest("ds003720")
    assert len(files) == 283 and sum(f.n_bytes for f in files) == 46_522_551_222
    scans = [f for f in files if f.path.endswith("_bold.nii")]
    assert len(scans) == 90 and {f.n_bytes for f in scans} == {513_884_512}
    assert {openneuro.subject_of(f.path) for f in files} == {None, "001", "002", "003", "004", "005"}
    assert all(re.fullmatch(r"md5:[0-9a-f]{32}", f.digest) for f in files)
    assert len({f.path for f in files}) == 283 and all(target_of(f, "x") for f in files)


def test_the_manifest_of_the_film_experiment():
    files = openneuro.manifest("ds005531")
    assert len(files) == 1842 and all(re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", f.digest) for f in files)
    assert sum(openneuro.part_of(f.path) == "preprocessed_data" for f in files) == 264
    plan = openneuro.download_plan("ds005531", subjects=["S01"], runs=["crown_run-01"])
    groups = {"about the data set", "annotation", "sub-S01 preprocessed_data", "sub-S01 pycortex_db"}
    assert {f.group for f in plan.files} == groups
    names = [f.path.rpartition("/")[2] for f in plan.files if f.group == "sub-S01 preprocessed_data"]
    assert names == ["sub-S01_task-crown_run-01.mat", "vset_100.mat"]
    # the image that places the viewer's voxels comes whatever the runs: the maps of chapters 12 and 13 need it
    assert any(f.path.endswith("fs_fullhead/reference.nii.gz") for f in plan.files)


@pytest.mark.parametrize("name", ["ds003720", "ds005531"])
def test_the_manifests_are_the_published_trees(name):
    folder = Path(os.environ.get("NATURALISTIC_DATA", "/nowhere")) / name
    if not (folder / "TREE.tsv").is_file():
        pytest.skip("the published tree is not here: set NATURALISTIC_DATA")
    rows = [line.split("\t") for line in (folder / "TREE.tsv").read_text().splitlines()[1:]]
    tree = {path: (int(n), digest) for path, n, digest, _ in rows if not path.startswith((".datalad", ".git"))}
    assert {f.path: f.n_bytes for f in openneuro.manifest(name)} == {path: n for path, (n, _) in tree.items()}
    for file in openneuro.manifest(name):
        digest = tree[file.path][1] or "md5:" + hashlib.md5((folder / file.path).read_bytes()).hexdigest()
        assert file.digest == digest, file.path


def test_the_manifest_of_bold_moments_is_the_published_tree():
    folder = Path(os.environ.get("NATURALISTIC_DATA", "/nowhere")) / "ds005165"
    if not (folder / "TREE.tsv").is_file():
        pytest.skip("the published tree is not here: set NATURALISTIC_DATA")
    rows = [line.split("\t") for line in (folder / "TREE.tsv").read_text().splitlines()[1:]]
    tree = {path: (int(n), digest) for path, n, digest, _ in rows}
    for file in openneuro.manifest("ds005165"):
        n_bytes, digest = tree[file.path]
        if not digest and (folder / file.path).is_file():
            digest = "md5:" + hashlib.md5((folder / file.path).read_bytes()).hexdigest()
        assert (file.n_bytes, file.digest) == (n_bytes, digest or None), file.path


def test_the_manifest_of_bold_moments():
    files = openneuro.manifest("ds005165")
    assert len(files) == len({f.path for f in files}) == 1072
    # pickles and annotations have checksums; of event files the tree states none
    assert all(
        re.fullmatch(r"sha256:[0-9a-f]{64}", f.digest) for f in files if f.path.endswith((".pkl", "/annotations.json"))
    )
    plan = openneuro.download_plan("ds005165", subjects=[1], parts=["rois"])
    packs = [f for f in plan.files if f.group == "sub-01 rois"]
    assert len(packs) == 46 and sum(f.n_bytes for f in packs) < 0.6e9
    assert not [f for f in plan.files if "roi-WB" in f.path or f.path.endswith(("_events.tsv", "annotations.json"))]
    (notes,) = {f.group for f in plan.files} - {"sub-01 rois"}
    assert notes == "about the data set"
    plan = openneuro.download_plan("ds005165", subjects=["sub-10"], parts=["betas"])
    names = {f.path.rpartition("/")[2] for f in plan.files if f.group == "sub-10 betas"}
    assert "sub-10_organized_betas_task-train_normalized.pkl" in names and len(names) == 6
    plan = openneuro.download_plan("ds005165", subjects=["02"], parts=["annotations"])
    assert any(f.path == "derivatives/stimuli_metadata/annotations.json" for f in plan.files)
    assert not openneuro.subjects_of(plan.files)
    plan = openneuro.download_plan("ds005165", subjects=["02"], runs=["test_run-1"])
    assert sum(f.path.endswith("_events.tsv") for f in plan.files) == 4  # of four sessions
    assert sum(f.n_bytes for f in openneuro.download_plan("ds005165", subjects=[3], parts=["whole_brain"]).files) > 3e9


def test_bold_moments_comes_by_subject_and_part(tmp_path, monkeypatch):
    bodies = {
        "README": b"about",
        "derivatives/stimuli_metadata/annotations.json": b"{}",
        "derivatives/versionB/MNI152/prepared_allvoxel_pkl/sub-01/sub-01_roi-lMT_betas_normalized.pkl": b"pack of 1",
        "derivatives/versionB/MNI152/prepared_allvoxel_pkl/sub-02/sub-02_roi-lMT_betas_normalized.pkl": b"pack of 2",
        "sub-01/ses-02/func/sub-01_ses-02_task-test_run-1_events.tsv": b"onset\n",
    }
    published = tuple(
        RemoteFile(path, None if path.endswith("tsv") else "md5:" + hashlib.md5(body).hexdigest(), len(body))
        for path, body in bodies.items()
    )
    monkeypatch.setattr(openneuro, "manifest", lambda name: published)
    server = Server(bodies)
    try:
        options = {"base_url": server.address, "progress": False}
        fetch("ds005165", tmp_path, subjects=[1], parts=["rois", "annotations"], **options)
        there = {str(path.relative_to(tmp_path).as_posix()) for path in tmp_path.rglob("*") if path.is_file()}
        assert there - {NOTE} == set(list(bodies)[:3])
        fetch("ds005165", tmp_path, subjects=[1], **options)
        assert (tmp_path / list(bodies)[4]).read_bytes() == b"onset\n"
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()


def test_selection_of_subjects_and_runs():
    plan = openneuro.download_plan("ds003720", subjects=[1, "sub-003"], runs=["Test_run-02"])
    assert plan.base_url == "https://s3.amazonaws.com/openneuro.org/ds003720"
    stems = [f"sub-{s}/{end}" for s in ("001", "003") for end in
             (f"anat/sub-{s}_T1w.json", f"anat/sub-{s}_T1w.nii", f"func/sub-{s}_task-Test_run-02_bold.json",
              f"func/sub-{s}_task-Test_run-02_bold.nii", f"func/sub-{s}_task-Test_run-02_events.tsv")]  # fmt: skip
    assert [f.path for f in plan.files] == ["CHANGES", "README", "dataset_description.json", *stems]
    assert len(openneuro.download_plan("ds003720").files) == 283
    assert len(openneuro.download_plan("ds003720", subjects=["002"], parts=["func"]).files) == 3 + 54


# --- GTZAN ----------------------------------------------------------------------------------------------------


def archive(n_tracks=1000):
    """GTZAN's archive with tracks of a few bytes, and with what must not be unpacked."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz", compresslevel=1) as tar:
        strangers = [("../evil.wav", tarfile.REGTYPE), ("genres/._blues.wav", tarfile.REGTYPE), ("/x", tarfile.REGTYPE)]
        tracks = [(f"genres/{track}", tarfile.REGTYPE) for track in gtzan_data.TRACKS[:n_tracks]]
        for name, kind in [("genres/blues/blues.00000.wav", tarfile.SYMTYPE), *strangers, *tracks]:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, 4 * (kind == tarfile.REGTYPE), "/etc/passwd"
            tar.addfile(member, io.BytesIO(b"RIFF"))
    return body.getvalue()


WHOLE = archive()


@pytest.fixture
def gtzan(server, monkeypatch):
    """Return a function that fetches this archive as GTZAN, to a disk that has room for all of it."""
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10**12}))

    def fetch_archive(body, folder, **how):
        monkeypatch.setattr(gtzan_data, "ARCHIVE", RemoteFile("genres.tar.gz", None, len(body), "archive"))
        server.bodies["genres.tar.gz"] = body
        return fetch("gtzan", folder, base_url=server.address, progress=False, **how)

    return fetch_archive


@pytest.mark.slow
def test_gtzan_is_unpacked_whole(server, gtzan, tmp_path):
    server.faults["genres.tar.gz"] = ["redirect"]
    gtzan(WHOLE, tmp_path / "to")
    found = contents(tmp_path)
    assert set(found) == {f"to/genres/{track}" for track in gtzan_data.TRACKS} and set(found.values()) == {b"RIFF"}
    n_asked = len(server.asked)
    gtzan(WHOLE, tmp_path / "to")
    gtzan(WHOLE, tmp_path / "to" / "genres")  # recognised by itself as well
    assert len(server.asked) == n_asked


def test_gtzan_keeps_its_archive_on_request(gtzan, tmp_path):
    gtzan(WHOLE, tmp_path, keep=True)
    assert (tmp_path / "genres.tar.gz").read_bytes() == WHOLE and (tmp_path / "genres").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (WHOLE[:-8] + b"1234" + WHOLE[-4:], "CRC"),
        (WHOLE[: len(WHOLE) // 2], "end"),
        (archive(999), "lacks 1 of 1000 tracks, such as genres/rock/rock.00099.wav"),
        (b"<html>not found</html>", "gzip"),
        (gzip.compress(b"no tar" * 1000), "is not GTZAN"),
    ],
    ids=["checksum", "cut", "a track missing", "no archive", "no tar"],
)
def test_a_damaged_archive_leaves_nothing(gtzan, tmp_path, body, reason):
    with pytest.raises(DownloadError, match=f"(?s)is damaged or is not GTZAN.*{reason}|{reason}.*deleted"):
        gtzan(body, tmp_path)
    assert contents(tmp_path) == {} and not (tmp_path / "genres").exists()
    gtzan(WHOLE, tmp_path)
    assert len(contents(tmp_path)) == 1000


def test_gtzan_does_not_touch_a_folder_of_somebody(server, gtzan, tmp_path):
    (tmp_path / "genres" / "blues").mkdir(parents=True)
    (tmp_path / "genres" / "blues" / "blues.00000.wav").write_bytes(b"mine")
    with pytest.raises(RequestError, match="holds 1 of the 1000 tracks; move it away"):
        gtzan(WHOLE, tmp_path)
    assert len(contents(tmp_path)) == 1 and server.asked == []


def test_gtzan_needs_room_to_unpack(gtzan, tmp_path, monkeypatch):
    disk = type("Usage", (), {"free": cache.MARGIN + len(WHOLE) + 1000 * 30 * 22050 * 2 - 1})
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: disk)
    with pytest.raises(RequestError, match=r"1.32 GB are still needed"):
        gtzan(WHOLE, tmp_path)


def test_a_full_disk_keeps_the_archive(gtzan, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gtzan_data.shutil, "copyfileobj", full)
    with pytest.raises(DownloadError, match="the disk is full; it is kept"):
        gtzan(WHOLE, tmp_path)
    assert contents(tmp_path) == {"genres.tar.gz": WHOLE}
