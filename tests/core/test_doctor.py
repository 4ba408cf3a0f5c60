"""What `naturalistic doctor` says: of this machine as it is, and where something is missing or cut short."""

import importlib
import json
import os
import re
from importlib import metadata
from pathlib import Path

import pytest
from naturalistic import cli, doctor, hub
from naturalistic.datasets import alice, fma, gtzan, openneuro, studyforrest_files, studyforrest_tables
from naturalistic.datasets.download import VerifiedFiles, target_of
from naturalistic.features import video

ROOT = Path(__file__).resolve().parents[2]
PLACES, MEMORY, MODELS = doctor.places, doctor.memory, doctor.cached_models


@pytest.fixture(autouse=True)
def nothing_around(tmp_path, monkeypatch):
    """Work inside the checkout on a machine with room, and find no data but those of the test."""
    monkeypatch.setattr(doctor, "memory", lambda: (16 * 10**9, 8 * 10**9))
    monkeypatch.setattr(doctor, "free_bytes", lambda _: 10**12)
    monkeypatch.setattr(doctor, "cached_models", lambda: MODELS(tmp_path / "hub"))
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(doctor, "find_repository", lambda: ROOT)
    monkeypatch.setattr(doctor, "places", lambda given, root: [Path(place) for place in given])


def sparse(folder, name, subject, leave_out=()):
    """Lay out the files of a subject with their sizes, without their contents."""
    for file in openneuro.download_plan(name, subjects=[subject]).files:
        if file.path not in leave_out:
            path = target_of(file, folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as out:
                out.truncate(file.n_bytes)
    return folder


def test_this_machine(capsys):
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    for part in ("the default book can be built", "the package", "cores", "ds003720", "chapters (each", "09-music-enc"):
        assert part in said
    assert max(map(len, said.splitlines())) < 400


def test_json(capsys):
    assert cli.main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == [] and found["machine"]["cores"] >= 1
    assert {p["name"] for p in found["packages"]} >= {"numpy", "jupyter-book", "accelerate"}
    assert set(found["chapters"]) == {path.stem for path in (ROOT / "notebooks").glob("*.md")}
    assert all(one["state"] == "not found" and one["get"] for one in found["data"].values())


def test_it_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "not" / "there"))
    doctor.examine()
    assert list(tmp_path.iterdir()) == []


def test_a_package_is_missing(monkeypatch, capsys):
    there = metadata.version

    def version(name):
        if name in ("nilearn", "papermill", "diffusers"):
            raise metadata.PackageNotFoundError(name)
        return there(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "! nilearn is not installed" in said and "! papermill is not installed" in said
    assert "! diffusers" not in said  # not needed for the default book
    assert 'lacks diffusers: pip install -e ".[generate]" -c constraints.txt' in said
    assert "can be built" not in said


def test_versions_that_do_not_fit(monkeypatch, tmp_path):
    there = metadata.version
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "1.26.4" if name == "numpy" else there(name))
    found = doctor.packages(ROOT)
    assert doctor.lacking(found) == ["numpy is 1.26.4, expected >=2"]
    assert any(re.fullmatch(r"numpy 1\.26\.4 \(tried: 2\.\S+\)", text) for text in doctor.differ(found))
    assert "3.10.2" in doctor.python("3.10.2")["problem"] and doctor.python("3.11.9")["problem"] is None


def test_packages_outside_a_checkout():
    """As the metadata of the installed package have them; they may be older than the checkout."""
    found = doctor.packages()
    assert {"numpy", "papermill"} <= {p["name"] for p in found} and doctor.lacking(found) == []
    assert all(p["tried"] is None for p in found) and doctor.differ(found) == []
    names = {p["name"]: p["extra"] for p in found}
    assert names["numpy"] == "" and names["papermill"] == "book"


def test_outside_a_checkout(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "find_repository", lambda: None)
    assert cli.main(["doctor"]) == 1
    assert "! no checkout of the repository here" in capsys.readouterr().out


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "file" / "cache"))
    assert cli.main(["doctor"]) == 1
    assert f"! {tmp_path / 'file'} is a file; expected a folder" in capsys.readouterr().out

    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path))
    monkeypatch.setattr("naturalistic.cache.tempfile.TemporaryFile", refuse)
    assert doctor.examine()["problems"] == [
        f"{tmp_path} cannot be written to (Permission denied); choose another folder"
    ]


def test_little_disk_and_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "free_bytes", lambda _: 10**9)
    monkeypatch.setattr(doctor, "memory", lambda: (2 * 10**9, 10**9))
    disk, memory = doctor.examine()["problems"]
    assert "has 1.00 GB free, expected 4.00 GB" in disk and "has 2.00 GB of memory, expected 3.00 GB or more" in memory


def test_memory_of_a_container(tmp_path, monkeypatch):
    machine = type("Memory", (), {"total": 1_024_000, "available": 614_400})
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: machine)
    limit = tmp_path / "memory"
    assert MEMORY(limit) == (1_024_000, 614_400)
    (tmp_path / "memory.max").write_text("500000\n")
    (tmp_path / "memory.current").write_text("200000\n")
    assert MEMORY(limit) == (500_000, 300_000)
    (tmp_path / "memory.max").write_text("max\n")
    assert MEMORY(limit) == (1_024_000, 614_400)


def test_gpu(monkeypatch, tmp_path):
    import torch

    assert doctor._gpu_seen(tmp_path) == "none seen"
    (tmp_path / "nvidia0").touch()
    assert "`naturalistic doctor --gpu` asks torch" in doctor._gpu_seen(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert doctor.machine(gpu=True)["gpu"].endswith("sees none: device='cpu'")
    card = type("card", (), {"name": "H200", "total_memory": 140e9})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    assert doctor.machine(gpu=True)["gpu"] == "H200, 140 GB: device='cuda'"


def test_whole_and_truncated_subjects(tmp_path):
    root = sparse(tmp_path / "ds003720", "ds003720", 1)
    found = doctor.find_openneuro("ds003720", [tmp_path])
    assert (found.state, found.subjects, found.get) == ("complete", ("001",), "")
    assert "1 of 5 subjects whole: 001; the hashes of 56 of their files were not compared" in found.says
    path = root / "sub-001/func/sub-001_task-Training_run-01_bold.nii"
    with open(path, "r+b") as file:
        file.truncate(1000)
    sparse(root, "ds003720", 2)
    found = doctor.find_openneuro("ds003720", [root])  # the folder itself does as well
    assert (found.state, found.subjects) == ("incomplete", ("002",))
    assert re.search(r"001: missing or cut short 1 of 56 files \(\d+\.\d+ MB\) each", found.says)
    assert found.get == f"naturalistic fetch ds003720 --subject 001 --to {root}"


def test_what_was_found_is_printed(tmp_path, monkeypatch, capsys):
    """Data that are there and cut, what caches hold, and packages that nobody tried."""
    root, there = sparse(tmp_path / "data" / "ds003720", "ds003720", 1, leave_out=["sub-001/anat/x"]), metadata.version
    next(root.rglob("*Training_run-01_bold.nii")).unlink()
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    for name, n_bytes in {"movie/a": 2500, "movie/of/b": 500, "index/c": 7, "file": 10**6}.items():
        (tmp_path / "cache" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cache" / name).write_bytes(bytes(n_bytes))
    (tmp_path / "cache" / "index" / "gone").symlink_to(tmp_path / "nowhere")
    link = len(str(tmp_path / "nowhere"))
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "9.9.9" if name == "scipy" else there(name))
    assert cli.main(["doctor", "--data", str(tmp_path / "data")]) == 0
    said = capsys.readouterr().out
    assert f"    index {7 + link} bytes, movie 3.00 kB\n" in said, "files of the folder itself are no cache"
    assert re.search(r"other versions than it was tried with: .*scipy 9\.9\.9 \(tried: ", said)
    assert re.search(rf"ds003720 +incomplete in {root}\n      .*001: missing or cut short 1 of 56 files", said)
    assert f"to get it: naturalistic fetch ds003720 --subject 001 --to {root}" in said


def test_a_file_that_goes_away_while_it_is_counted(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(10))
    lstat = doctor.os.lstat

    def look(path):
        if str(path).endswith("a"):
            raise FileNotFoundError(path)
        return lstat(path)

    monkeypatch.setattr(doctor.os, "lstat", look)
    assert doctor.size_of(tmp_path) == 10


def test_hashes_that_were_compared_are_known(tmp_path):
    sparse(tmp_path, "ds003720", 1)
    verified = VerifiedFiles(tmp_path)
    for file in openneuro.download_plan("ds003720", subjects=[1]).files[:50]:
        verified.add(file, target_of(file, tmp_path))
    n = int(re.search(r"the hashes of (\d+)", doctor.find_openneuro("ds003720", [tmp_path]).says)[1])
    assert 6 <= n < 56


def test_films_and_nothing(tmp_path):
    sparse(tmp_path / "ds005531", "ds005531", "S03")
    found = doctor.find_openneuro("ds005531", [tmp_path / "nowhere", tmp_path])
    assert (found.state, found.subjects, found.folder) == ("complete", ("S03",), str(tmp_path / "ds005531"))
    found = doctor.find_openneuro("ds003720", [tmp_path])
    assert (found.state, found.get) == ("not found", "naturalistic fetch ds003720 --subject 001 --to data/ds003720")


def test_short_films_by_region_without_their_events(tmp_path):
    for file in openneuro.download_plan("ds005165", subjects=[2], parts=["rois"]).files:
        path = target_of(file, tmp_path / "ds005165")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as out:
            out.truncate(file.n_bytes)
    found = doctor.find_openneuro("ds005165", [tmp_path])
    assert (found.state, found.folder) == ("incomplete", str(tmp_path / "ds005165"))
    assert "02: missing or cut short 52 of 98 files" in found.says


def test_simulated_data_are_not_taken_for_measured_data(tmp_path):
    sparse(tmp_path / "ds003720", "ds003720", 1)
    (tmp_path / "genres" / "blues").mkdir(parents=True)
    (tmp_path / "captions.csv").touch()
    (tmp_path / "README").write_text("SIMULATED DATA. No brain was measured.")
    found = doctor.data_sets([tmp_path])
    assert {one["state"] for one in found.values()} == {"not found"}


def test_simulated_data_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path))
    assert "naturalistic simulate movie --to " in doctor.find_simulated("movie").get
    (tmp_path / "simulated/movie").mkdir(parents=True)
    assert doctor.find_simulated("movie").state == "not found"  # a folder alone is none
    (tmp_path / "simulated/movie/README").write_text("SIMULATED DATA. No brain was measured")
    assert doctor.find_simulated("movie").state == "complete"


def test_real_text_files_without_scans(real_music):
    found = doctor.find_openneuro("ds003720", [real_music.parent])
    assert found.state == "incomplete" and found.subjects == () and "(9.30 GB) each" in found.says


def test_alice(tmp_path, real_alice):
    assert doctor.find_alice([tmp_path, real_alice.parent]).state == "complete"
    (tmp_path / "alice").mkdir()
    found = doctor.find_alice([tmp_path])
    assert found.state == "incomplete" and f"lacks {len(alice.manifest())} of" in found.says


def test_tracks(tmp_path):
    for track in gtzan.TRACKS[:-1]:
        path = tmp_path / "genres" / track
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert doctor.find_tracks([tmp_path]).says == "999 of 1000 tracks"
    assert doctor.find_tracks([tmp_path / "genres"]).state == "incomplete"  # as --data itself
    (tmp_path / "genres" / gtzan.TRACKS[-1]).with_suffix(".au").touch()  # older copies
    assert doctor.find_tracks([tmp_path]).state == "complete"


def test_captions(tmp_path):
    path = tmp_path / "my_captions.csv"
    path.write_text("track,caption,start,end\nblues.00001,a sad song,0,15\n")
    none = doctor.Found("ds003720")
    assert doctor.find_captions([tmp_path], none).says == "1 captions"
    path.write_text("track,caption\nblues.00001,a sad song\n")
    found = doctor.find_captions([tmp_path], none)
    assert found.state == "incomplete" and "expected start and end too" in found.says
    assert doctor.find_captions([tmp_path / "no"], none).get.startswith("https://www.kaggle.com")


def test_corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(fma, "N_TRACKS", {"small": 2, "large": 4})
    assert doctor.find_corpus([tmp_path]).get == "naturalistic fetch fma --subset small --to data/fma"
    (tmp_path / "fma/fma_metadata").mkdir(parents=True)
    (tmp_path / "fma/fma_metadata/tracks.csv").touch()
    tracks = tmp_path / "fma/fma_small/000"
    tracks.mkdir(parents=True)
    (tracks / "000001.mp3").write_bytes(b"1")
    found = doctor.find_corpus([tmp_path])
    assert found.state == "incomplete" and "holds 1 of the 2 tracks" in found.says and "--subset small" in found.get
    (tracks / "000002.mp3").write_bytes(b"2")
    assert doctor.find_corpus([tmp_path]).says == "small: 2 tracks or more"


def test_studyforrest(tmp_path):
    assert doctor.find_studyforrest([tmp_path]).get.startswith("naturalistic fetch studyforrest")
    for name in studyforrest_tables.TABLES:
        (tmp_path / Path(name).name).touch()
    found = doctor.find_studyforrest([tmp_path])
    assert (found.state, found.says) == ("incomplete", "6 of 6 tables, 0 of 15 subjects")
    (tmp_path / "brains").mkdir()
    for subject in studyforrest_files.published_subjects():
        (tmp_path / f"brains/sub-{subject}_avmovie_shen278.npz").touch()
    found = doctor.find_studyforrest([tmp_path])
    assert found.state == "complete" and found.subjects[-1] == "20"
    (tmp_path / "scenes.csv").unlink()
    found = doctor.find_studyforrest([tmp_path])
    assert found.says == "5 of 6 tables, 15 of 15 subjects; lacks scenes.csv" and found.subjects == ()
    assert found.get == f"naturalistic fetch studyforrest --subject all --to {tmp_path}"


def test_the_real_film_is_found(monkeypatch):
    folder = Path(os.environ.get("NATURALISTIC_DATA", "/nowhere"))
    if not (folder / "studyforrest").is_dir():
        pytest.skip("the data of studyforrest.org are not here: set NATURALISTIC_DATA")
    assert doctor.find_studyforrest([folder]).state == "complete"


def test_what_chapters_can_be_run_on(tmp_path):
    sparse(tmp_path / "ds003720", "ds003720", 2)
    sparse(tmp_path / "ds003720", "ds003720", 1, leave_out=["sub-001/func/sub-001_task-Test_run-01_bold.nii"])
    for track in gtzan.TRACKS:
        path = tmp_path / "elsewhere" / "genres" / track
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = doctor.data_sets([tmp_path, tmp_path / "elsewhere"])
    can = doctor.chapters(ROOT, found)
    assert can["05-music-experiment"]["command"] == (
        f"papermill notebooks/05-music-experiment.ipynb out.ipynb -p dataset {tmp_path / 'ds003720'} "
        f'-p subjects "[002]" -p audio {tmp_path / "elsewhere/genres"}'
    )
    assert can["08-music-reconstruction"]["missing"] == ["captions", "fma"]
    assert can["10-movie-experiment"] == {"needs": ["ds005531"], "missing": ["ds005531"], "command": ""}
    assert can["90-ridge-engine"] == {"needs": [], "missing": [], "command": ""}


def test_where_data_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert PLACES([tmp_path / "given"]) == [tmp_path / name for name in ("given", "own", "data", "cache")]
    assert tmp_path / "checkout" / "data" in PLACES(root=tmp_path / "checkout")


def test_a_folder_that_is_not_there(capsys, tmp_path):
    assert cli.main(["doctor", "--data", str(tmp_path / "none")]) == 2
    assert "no such folder; expected --data with folders" in capsys.readouterr().err


def test_models_of_the_hub(tmp_path):
    for name, file in {"laion/larger_clap_music": "config.json", "me/mine": "model_index.json", "me/half": ""}.items():
        folder = tmp_path / f"models--{name.replace('/', '--')}" / "snapshots" / "1"
        folder.mkdir(parents=True)
        if file:
            (folder / file).touch()
    found = hub.cached_models(tmp_path)
    assert {name for name, there in found.items() if there} == {"laion/larger_clap_music", "me/mine"}
    assert found["me/half"] is False and set(hub.MODELS.values()) <= set(found)


def test_names_of_models_are_those_of_the_loaders():
    heard = {"clap": "clap", "muq-mulan": "muq", "w2v-bert": "wav2vec", "encodec": "encodec"}
    heard["ast"] = "spectrogram_transformer"
    loaders = {name: f"features.audio.{module}" for name, module in heard.items()}
    loaders |= {name: f"generation.{name}" for name in ("musicldm", "musicgen", "animatediff", "kandinsky")}
    loaders |= {"svd": "generation.stable_video", "stable-unclip": "generation.stable_unclip"}
    ids = {n: importlib.import_module(f"naturalistic.{m}").HUB for n, m in loaders.items()}
    assert ids | {name: hub.MODELS[name] for name in video.MODELS} == hub.MODELS
