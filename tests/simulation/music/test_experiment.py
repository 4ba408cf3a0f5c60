"""The simulated music experiment: the same bytes again, the layout of the real files, the ground truth found again."""

import hashlib
import json

import nibabel as nib
import numpy as np
import pytest
import soundfile
from naturalistic import cache
from naturalistic.anatomy import regions
from naturalistic.datasets import gtzan, music_genre, scans
from naturalistic.datasets.events import GENRES
from naturalistic_simulation import simulate_music
from naturalistic_simulation.brain import cortex, head, scanner
from naturalistic_simulation.music import experiment as music

FULL = {"acoustics": 13, "genre": 10, "instruments": 8, "character": 3, "mood": 6}


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_an_older_recipe_is_replaced(tmp_path, monkeypatch, capsys):
    def write(folder, readme, *_):
        (folder / "README").write_text(readme)

    monkeypatch.setattr(music, "_write", write)
    monkeypatch.setattr(music, "recipe", lambda: "old")
    simulate_music(tmp_path / "m", subjects=2)
    monkeypatch.setattr(music, "recipe", lambda: "new")
    simulate_music(tmp_path / "m", subjects=2)
    assert "recipe new" in (tmp_path / "m" / "README").read_text() and "older recipe" in capsys.readouterr().out
    with pytest.raises(FileExistsError):
        simulate_music(tmp_path / "m", subjects=3)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(tmp_path, small_music):
    """In one process or two, in any order of work."""
    again = simulate_music(tmp_path / "again", seed=5, subjects=1, n_training=1, n_test=2, n_jobs=2, progress=False)
    assert hashes(again) == hashes(small_music)
    assert simulate_music(small_music, seed=5, subjects=1, n_training=1, n_test=2, progress=False) == small_music


@pytest.mark.slow
def test_the_loader_takes_it_as_the_real_thing(small_music):
    experiment = music_genre.load(small_music)
    assert experiment.runs == ("Training_run-01", "Test_run-01", "Test_run-02")
    assert experiment.is_simulated and str(experiment).startswith("Simulated data (layout of ds003720)")
    assert experiment.title("x") == "x (simulated)" and "CC0" not in str(experiment)
    assert len(experiment.clips) == 60 and experiment.subjects == ("001",)
    found = experiment.scans("001")
    scans.check(found)
    data, affine = scans.volumes(found[0])
    assert data.shape == (*head.SHAPE, 410) and data.dtype == np.int16
    np.testing.assert_array_equal(affine, head.AFFINE)
    header = nib.load(found[0].paths[0]).header
    assert header.get_zooms()[3] == pytest.approx(1.5) and header.get_xyzt_units() == ("mm", "sec")
    gtzan.check_tracks(experiment.audio, experiment.clips)
    wave = gtzan.load_clip(experiment.audio, experiment.clips[3])
    assert wave.shape == (15 * 22050,)
    assert (
        "SIMULATED" in (small_music / "README").read_text()
        and "SIMULATED" in (small_music / "ds003720/README").read_text()
    )


@pytest.mark.slow
def test_tracks_are_of_gtzans_form_and_captions_of_each_clip(small_music):
    info = soundfile.info(next((small_music / "genres" / "jazz").iterdir()))
    assert (info.samplerate, info.channels, info.frames) == (22050, 1, 661500)
    captions = (small_music / "captions.csv").read_text().splitlines()
    facts = json.loads((small_music / "truth" / "clips.json").read_text())
    assert len(captions) == 61 and len(facts) == 60
    assert all(name in facts[0] for name in ("genre", "instruments", "tempo", "energy", "mood", "mode"))


def test_events_keep_the_quirk_of_the_real_files():
    clips = [("pop", 1, 0.5, 15.5), ("metal", 22, 10.0, 25.0), ("jazz", 3, 1.25, 16.25), ("rock", 4, 2.0, 17.0)]
    from naturalistic_simulation.brain import bids

    lines = bids.events(clips, "Training_run-04").splitlines()
    assert lines[1] == "0\t15\t'pop'\t1\t0.5\t15.5" and lines[2] == "15\t15\tmetal'\t22\t10\t25"
    assert "'metal'" in bids.events(clips, "Training_run-05") and not bids.events(clips, "x").endswith("\n")


def test_the_plan_is_that_of_the_experiment():
    clips, played = music.plan(1)
    assert len(set(clips)) == 540 and len({(g, t) for g, t, *_ in clips}) == 540
    for genre in GENRES:
        assert sum(c[0] == genre for c in clips) == 54 and sum(c[0] == genre for c in clips[480:]) == 6
    assert all(0 <= start and end <= 30 and abs(end - start - 15) < 0.01 for *_, start, end in clips)
    assert played["Training_run-01"][0] == played["Training_run-12"][-1]
    assert played["Training_run-07"][0] == played["Training_run-06"][-1]
    test = played["Test_run-03"]
    assert len(test) == 41 and test[1:11] == test[31:] and test[0] == test[-1]
    assert {clips[i][0] for i in test} == set(GENRES)
    assert music.plan(2)[0] != clips


@pytest.mark.slow
def test_a_folder_of_something_else_is_left_alone(tmp_path, small_music):
    with pytest.raises(FileExistsError, match="is not this simulated data set"):
        simulate_music(tmp_path)
    with pytest.raises(FileExistsError, match="is not this simulated data set"):
        simulate_music(small_music, seed=6, subjects=1)


def test_no_room_on_the_disk(tmp_path, monkeypatch):
    full = type("usage", (), {"free": 5e6})
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: full)
    with pytest.raises(cache.RequestError, match=r"5.00 MB free, but 9\d\d.\d\d MB are still needed"):
        simulate_music(tmp_path / "music")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(cache.RequestError, match="file is a file; expected a folder to write to"):
        simulate_music(tmp_path / "file" / "music" / "x")
    with pytest.raises(cache.RequestError, match="cannot be written"):
        simulate_music("/proc/simulated/music")  # not even the superuser writes there


def test_what_breaks_half_way_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(music, "_simulate_subject", fail)
    sound = np.random.default_rng(0).standard_normal((40, 30, 13))
    monkeypatch.setattr(
        music, "in_parallel", lambda *_: [(x, {**FACTS, "tempo": 90 + k}, "x") for k, x in enumerate(sound)]
    )
    monkeypatch.setattr(music, "description", lambda *_: {})
    with pytest.raises(OSError, match="No space left"):
        simulate_music(tmp_path / "music", n_training=1, n_test=0, progress=False)
    assert list(tmp_path.iterdir()) == []


FACTS = {"genre": "jazz", "instruments": [], "tempo": 120, "energy": 0.5, "mode": "major", "mood": "Sad"}


def test_acoustics_follow_the_sound():
    rate = 22050
    t = np.arange(15 * rate) / rate
    low, high = np.sin(2 * np.pi * 100 * t), np.sin(2 * np.pi * 5000 * t)
    for tone, band in ((low, 1), (high, 10)):
        heard = cortex.acoustics(tone, rate)
        assert heard.shape == (30, 13)
        assert abs(int(np.argmax(heard[5, :12])) - band) <= 1
    clicks = np.random.default_rng(0).standard_normal(len(t)) * 0.01
    clicks[:: rate // 4] += 1
    assert cortex.acoustics(clicks, rate)[:, 12].mean() > 3 * cortex.acoustics(clicks * 0 + low, rate)[:, 12].mean()
    halves = np.where(t < 7.5, 1.0, 0.1) * low
    heard = cortex.acoustics(halves, rate)
    assert heard[3, 1] > heard[25, 1] + 3


def test_hrf_peaks_where_it_says():
    for peak in (4.0, 5.5, 7.0):
        response = cortex.hrf(peak, step=0.1)
        assert np.argmax(response) * 0.1 == pytest.approx(peak, abs=0.15) and response.sum() == pytest.approx(1)
        assert response.min() < 0


def test_preferences_are_smooth_shared_and_ones_own():
    a, b = (cortex.MusicBrain(n, FULL, seed=1) for n in (1, 2))
    rng = np.random.default_rng(0)
    places = rng.uniform(-60, 60, (400, 3))
    name = "auditory belt"

    def alike(x, y):
        return np.mean([np.corrcoef(p, q)[0, 1] for p, q in zip(x, y)])

    w = a.weights(name, places)
    assert w.shape == (27, 400) and w.std() == pytest.approx(1, abs=0.15)
    assert alike(w, a.weights(name, places + [2, 0, 0])) > 0.95
    assert abs(alike(w, a.weights(name, places + [60, 0, 0]))) < 0.15
    assert alike(w, b.weights(name, places)) == pytest.approx(cortex.SHARED**2, abs=0.12)
    labels, snr = a.strength(places)
    planted = [regions.NAMES.index(n) for n in cortex.PLAN]
    assert set(labels) <= {-1, *planted} and ((snr > 0) == (labels >= 0)).all()


def test_primary_auditory_cortex_follows_sound_alone_and_prefrontal_cortex_genre_and_mood():
    assert cortex.PLAN["primary auditory"][0] == ("acoustics",)
    assert set(cortex.PLAN["lateral prefrontal"][0]) == {"genre", "mood"}
    person = cortex.MusicBrain(1, FULL, seed=1)
    drives = {kind: np.zeros((60, n)) for kind, n in FULL.items()}
    drives["mood"][:] = 1
    assert not person.drive("primary auditory", drives).any() and person.drive("lateral prefrontal", drives).any()


@pytest.fixture(scope="module")
def scanned():
    """One run of a person who follows noise, and what was planted."""
    rng = np.random.default_rng(3)
    person = cortex.MusicBrain(1, FULL, seed=1)
    drives = {kind: rng.standard_normal((1230, n)) for kind, n in FULL.items()}
    responses = {name: music._on_trs(person.drive(name, drives)) for name in cortex.PLAN}
    covariances = {name: np.cov(x.T) for name, x in responses.items()}
    return scanner.scan(person, np.eye(4), responses, covariances, rng, first=True)


def test_scanner(scanned):
    volumes, truth = scanned
    assert volumes.dtype == np.int16 and volumes.shape == (*head.SHAPE, 410)
    assert truth.motion.shape == (410, 6) and not truth.motion[0].any()
    assert np.abs(truth.motion[:, :3]).max() < 4 and np.abs(np.rad2deg(truth.motion[:, 3:])).max() < 4
    flat = volumes.reshape(-1, 410).astype(float)
    inside = head.gray_matter(np.eye(4)) > 0.6
    assert 500 < np.median(flat[inside]) < 1200 and np.median(flat[head.brightness(np.eye(4)) == 0]) < 30
    nothing = truth.explainable[truth.region < 0]
    assert not nothing.any() and 0.2 < truth.explainable.max() < 0.6
    labels = {regions.NAMES[k] for k in set(truth.region) if k >= 0}
    assert labels == set(cortex.PLAN)


def test_the_head_is_where_the_pose_says():
    shifted = np.eye(4)
    shifted[:3, 3] = [head.VOXEL, 0, 0]  # one voxel to the right: the grid's first axis runs to the left
    a, b = (head.brightness(pose).reshape(head.SHAPE) for pose in (np.eye(4), shifted))
    np.testing.assert_allclose(b[1:], a[:-1], rtol=1e-4, atol=1e-2)
    turned = head.rigid([0, 0, 0, 0, 0, np.pi / 2])
    np.testing.assert_allclose(turned @ [*(head.CENTER + [10, 0, 0]), 1], [*(head.CENTER + [0, 10, 0]), 1], atol=1e-9)


def test_regions_are_mirror_images_and_do_not_overlap():
    grid = np.stack(np.meshgrid(*[np.arange(-90, 91, 3.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    labels = regions.label(grid)
    np.testing.assert_array_equal(labels, regions.label(grid * [-1, 1, 1]))
    assert set(labels) == {-1, *range(len(regions.NAMES))}
    assert regions.label([[46, -20, 6]]).tolist() == [0] and regions.label([[0, 0, 90]]).tolist() == [-1]
    with pytest.raises(ValueError, match=r"expected \(n_places, 3\)"):
        regions.label([1, 2, 3])
