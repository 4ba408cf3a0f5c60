"""The simulated film experiment: rows agree with the dramas, the loader takes it, the ground truth is found again."""

import copy
import hashlib
import json
import re

import numpy as np
import pytest
from naturalistic import cache
from naturalistic.anatomy.regions import FILM_LANDMARKS, LANDMARKS, label, nearest
from naturalistic.datasets import narrative_movie, stimulus
from naturalistic.datasets.annotations import LEVELS, read_annotation
from naturalistic_simulation import truth
from naturalistic_simulation.brain.cortex import hrf
from naturalistic_simulation.brain.head import SHAPE, coordinates
from naturalistic_simulation.movie import cortex, experiment, files, scanner, screenplay, text_embedding
from naturalistic_simulation.movie.experiment import simulate_movie

from tests.helpers.small_movie import TITLES, embed, write


@pytest.fixture
def drama():
    """A drama to be spoilt."""
    return copy.deepcopy(screenplay.read_drama("bakery"))


# --- the dramas -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", screenplay.DRAMAS)
def test_dramas_keep_their_rules(name):
    drama = screenplay.read_drama(name)
    assert 3 <= len(drama["people"]) <= 6 and len(drama["runs"]) == 2
    seen, told = [], []
    for run in drama["runs"]:
        assert 5 <= len(run["scenes"]) <= 8
        lines = [line for scene in run["scenes"] for line in scene["lines"]]
        assert 0.30 <= sum(screenplay.line_length(line["text"]) for line in lines) / 450 <= 0.65
        shots = [shot for scene in run["scenes"] for shot in scene["shots"]]
        assert 4.5 <= np.mean([shot["seconds"] for shot in shots]) <= 6.5
        seen += [text for shot in shots for text in shot["seen"]]
        told += [text for scene in run["scenes"] for entry in scene["story"] for text in entry]
    for texts, shortest, longest in ((seen, 10, 25), (told, 8, 22)):
        assert len(set(texts)) == len(texts), "a sentence is there twice"
        lengths = [len(text.split()) for text in texts]
        assert min(lengths) >= shortest and max(lengths) <= longest
    assert any(not scene["lines"] for run in drama["runs"] for scene in run["scenes"]), "no scene is silent"


def expected(drama, t):
    """Return what the second ``t`` of a drama has on each level, scene by scene and line by line."""
    for scene in (scene for run in drama["runs"] for scene in run["scenes"]):
        length = sum(shot["seconds"] for shot in scene["shots"])
        if t >= length:
            t -= length
            continue
        said = [
            (line["speaker"], line["text"])
            for line in scene["lines"]
            if line["at"] < t + 1 - 1e-6 and line["at"] + 0.4 * len(line["text"].split()) + 0.3 > t + 1e-6
        ]
        left = t
        for shot in scene["shots"]:
            if left < shot["seconds"]:
                break
            left -= shot["seconds"]
        place = [f"{a}, {b}" for a, b in zip(scene["place"], scene["time"])]
        return said, shot, left == 0, scene["story"][t // 5], scene["summary"], place, scene
    raise AssertionError("after the end")


@pytest.mark.parametrize("title", TITLES)
def test_rows_agree_with_the_drama_second_by_second(small_movie, title):
    drama = screenplay.read_drama(title)
    movie = narrative_movie.load(small_movie)
    names = [f"{title}_run-01", f"{title}_run-02"]
    text = {level: movie.annotations(level, names) for level in LEVELS}
    measured = stimulus.stimulus_features(movie, names)
    assert {len(of_level) for of_level in text.values()} == {900} == {len(x) for x in measured.values()}
    for t in range(900):
        said, shot, is_cut, story, summary, place, scene = expected(drama, t)
        assert text["Speech"].texts[t] == ([line for _, line in said] or [""])
        assert text["Speech"].speakers[t] == ([name for name, _ in said] or [""])
        assert text["Object"].texts[t] == shot["seen"] and text["Story"].texts[t] == story
        assert text["Summary"].texts[t] == summary and text["TimePlace"].texts[t] == place
        assert measured["luminance"][t] == pytest.approx(shot["light"]) and measured["cuts"][t] == is_cut
        assert measured["loudness"][t] >= scene["sound"] - 1e-6 and bool(said) == (measured["n_words"][t] > 0)
    n_words = sum(len(line["text"].split()) for r in drama["runs"] for scene in r["scenes"] for line in scene["lines"])
    assert measured["n_words"].sum() == pytest.approx(n_words, abs=0.01)


def test_a_run_begins_with_the_end_of_the_one_before(small_movie):
    folder = small_movie / "ds005531" / "derivatives" / "annotation"
    for level, (kind, n_people) in screenplay.LEVELS.items():
        first, second = (
            read_annotation(folder / f"bakery_run-0{k}_{kind}_each1sec.txt", n, speech=level == "Speech")
            for k, n in ((1, 450), (2, 470))
        )
        assert first.texts[-20:] == second.texts[:20]
        assert n_people is None or {len(texts) for texts in second.texts} == {n_people}


def shots(scene, seconds):
    scene["shots"][0]["seconds"] = seconds


BAD_SCENES = {
    "shot": (lambda s: shots(s, 1.5), "run 1, scene 2 lasts .* expected a multiple of 5 s"),
    "long shot": (lambda s: shots(s, s["shots"][0]["seconds"] + 15), "has a shot of .* s, expected whole seconds"),
    "key": (lambda s: s.pop("sound"), "run 1, scene 2 lacks sound"),
    "light": (lambda s: s["shots"][0].update(light=1.5), "expected 0 to 1"),
    "story": (lambda s: s["story"].pop(), "has 17 entries of story, expected 18, one for each 5 s"),
    "people": (lambda s: s["shots"][0]["seen"].pop(), "is no list of 3 texts, as Object has"),
    "one text": (lambda s: s.update(summary="ab"), "'ab' is no list of 2 texts, as Summary has"),
    "empty": (lambda s: s["story"].__setitem__(0, ["..", "b"]), r"scene 2, Story: text is '\.\.', expected some words"),
    "slash": (lambda s: s["place"].__setitem__(0, "in/out"), "TimePlace: text is 'in/out'"),
    "speaker": (lambda s: s["lines"][0].update(speaker="NOBODY"), "'NOBODY' speaks, expected one of AGNES"),
    "overlap": (lambda s: s["lines"][1].update(at=s["lines"][0]["at"]), "begins before .* when another one ends"),
    "late": (lambda s: s["lines"][-1].update(at=89.9), r"the line at 89.9 s ends at .* after the scene \(90 s\)"),
    "length": (lambda s: (s["shots"].pop(), s["shots"].pop()), "lasts .* s, expected"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_SCENES.values(), ids=BAD_SCENES)
def test_bad_scenes(drama, spoil, message):
    spoil(drama["runs"][0]["scenes"][1])
    with pytest.raises(ValueError, match=message):
        screenplay.check_drama(drama, "bakery.json")


def test_bad_dramas(drama, tmp_path):
    drama["runs"][1]["scenes"].pop()
    path = tmp_path / "cut.json"
    path.write_text(json.dumps(drama))
    with pytest.raises(ValueError, match=r"cut.json, run 2 lasts 360 s, expected 450 s"):
        screenplay.read_drama(path)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"cut\.json is no JSON"):
        screenplay.read_drama(path)
    with pytest.raises(ValueError, match="x lacks genre, people, runs"):
        screenplay.check_drama({"title": "x"}, "x")
    with pytest.raises(FileNotFoundError, match="tide is missing: expected a drama, one of lighthouse"):
        screenplay.read_drama("tide")


# --- the files ------------------------------------------------------------------------------------------------


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(tmp_path):
    """Made at other times."""
    how = {"dramas": ("station",)}
    first = hashes(write(tmp_path / "a", **how))
    assert hashes(write(tmp_path / "b", **how)) == first and len(first) > 20
    assert write(tmp_path / "a", **how) == tmp_path / "a", "it is there already"
    other = hashes(write(tmp_path / "c", seed=6, **how))
    same = {name for name in first if first[name] == other[name]}
    assert not any("task-" in name or "truth/sub" in name for name in same) and any("story" in name for name in same)


@pytest.mark.slow
def test_the_loader_takes_it_as_the_real_thing(small_movie):
    movie = narrative_movie.load(small_movie)
    assert (
        movie.is_simulated and str(movie).startswith("Simulated data (layout of ds005531)") and movie.levels == LEVELS
    )
    assert [run.name for run in movie.select("Training")] == ["lighthouse_run-01", "bakery_run-01"]
    assert movie.repeats == [(f"{title}_run-02", f"{title}_run-03") for title in TITLES]
    assert [run.n_kept for run in movie.runs] == [450] * 6 and len(movie.folds()) == 2
    subject = movie.open_subject("S01", progress=False)
    bold, indices, shape, affine = subject.bold, subject.grid.indices, subject.grid.shape, subject.grid.affine
    assert shape == SHAPE and bold.shape == (2700, len(indices)) and not movie.notes
    mni = indices @ affine[:3, :3].T + affine[:3, 3]
    where = np.ravel_multi_index(tuple(indices.T), SHAPE)
    np.testing.assert_allclose(mni, coordinates(np.eye(4))[where], atol=1e-6)
    np.testing.assert_array_equal(np.sort(where), np.flatnonzero(scanner.in_mask()))
    assert (bold.std(axis=0) > 0.9).all(), "a voxel of the mask is constant"
    again = movie.annotations("Story", ["bakery_run-03"]).texts
    assert again == movie.annotations("Story", ["bakery_run-02"]).texts


def test_voxels_are_written_x_fastest():
    volume = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    np.testing.assert_array_equal(files.x_fastest(volume.reshape(-1)), volume.ravel(order="F"))
    np.testing.assert_array_equal(files.x_fastest(np.stack([volume.ravel()] * 2))[1], volume.ravel(order="F"))


def test_an_older_recipe_is_replaced(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(experiment, "_write", lambda folder, readme, *_: (folder / "README").write_text(readme))
    monkeypatch.setattr(experiment, "recipe", lambda _: "old")
    write(tmp_path / "m")
    monkeypatch.setattr(experiment, "recipe", lambda _: "new")
    write(tmp_path / "m")
    assert "recipe new" in (tmp_path / "m" / "README").read_text() and "older recipe" in capsys.readouterr().out
    for other in ({"seed": 6}, {"subjects": 2}, {"dramas": ("station",)}):
        with pytest.raises(FileExistsError, match="exists and is not this simulated data set"):
            write(tmp_path / "m", **other)
    with pytest.raises(FileExistsError, match="exists and is not this simulated data set"):
        simulate_movie(tmp_path / "m", 5, 1, embed=embed, embed_name="another model", dramas=TITLES)


def test_the_recipe_changes_with_a_word_of_a_drama(drama):
    before = experiment.recipe({"bakery": drama})
    drama["runs"][0]["scenes"][0]["story"][0][0] += " Then it rains."
    assert re.fullmatch("[0-9a-f]{8}", before) and experiment.recipe({"bakery": drama}) != before


BAD_CALLS = {
    "seed": ({"seed": -1}, "seed is -1, expected a whole number from 0 to 999999"),
    "subjects": ({"subjects": 7}, "subjects is 7, expected a whole number from 1 to 6"),
    "none": ({"subjects": 0}, "subjects is 0, expected a whole number from 1"),
    "one string": ({"dramas": "bakery"}, "dramas is 'bakery', expected a list of some of lighthouse"),
    "no drama": ({"dramas": ()}, r"dramas is \(\), expected a list"),
    "twice": ({"dramas": ("bakery", "bakery")}, "dramas are bakery, bakery, expected each once"),
}


@pytest.mark.parametrize(("options", "message"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_calls(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "movie", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "bad", [lambda t, _: np.zeros((len(t) + 1, 3)), lambda t, _: np.full((len(t), 3), np.nan), lambda t, _: np.zeros(3)]
)
def test_a_bad_embedding_leaves_nothing(tmp_path, bad):
    with pytest.raises(ValueError, match=r"embed gave an array .* at layer 5, expected finite numbers \(\d+, n_dims\)"):
        simulate_movie(tmp_path / "movie", subjects=1, embed=bad, embed_name="bad", dramas=TITLES, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_no_room_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("usage", (), {"free": 5e6}))
    with pytest.raises(cache.RequestError, match=r"5.00 MB free, but \d+.\d\d MB are still needed"):
        write(tmp_path / "movie")
    assert list(tmp_path.iterdir()) == []


def test_files_are_no_larger_than_the_room_checked_for(small_movie):
    for path in small_movie.rglob("*.mat"):
        assert path.stat().st_size < experiment.BYTES_PER_RUN


# --- what was planted -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def true_voxels(small_movie, tmp_path_factory):
    """The voxels of S01: all seconds, both showings of the test, planted share and region."""
    movie = narrative_movie.load(small_movie)
    grid = movie.voxel_grid("S01")
    known = truth.of_subject(movie.folder, "S01", grid.shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NATURALISTIC_CACHE", str(tmp_path_factory.mktemp("cache")))
        subject = movie.open_subject("S01", progress=False)
        by_run = {name: np.array(subject.select([name]).bold) for name in subject.run_names}
    return movie, by_run, known, tuple(grid.indices.T)


@pytest.mark.slow
def test_repeats_agree_as_much_as_was_simulated(true_voxels):
    movie, by_run, known, where = true_voxels
    region = known.region[0][where]
    shares, repeats = [], []
    for first, again in movie.repeats:
        k = known.runs.index(first)
        np.testing.assert_array_equal(known.explainable[k], known.explainable[known.runs.index(again)])
        shares.append(known.explainable[k][where])
        repeats.append((by_run[first] * by_run[again]).mean(axis=0))
    shares, repeats = np.mean(shares, axis=0), np.mean(repeats, axis=0)
    assert not shares[region < 0].any() and abs(repeats[region < 0].mean()) < 0.01
    assert 0.3 < shares.max() < 0.6, "as in the music miniature"
    for name in cortex.PLAN:
        here = region == cortex.NAMES.index(name)
        assert here.sum() > 15 and repeats[here].mean() == pytest.approx(shares[here].mean(), abs=0.05), name
    assert np.corrcoef(shares[region >= 0], repeats[region >= 0])[0, 1] > 0.7


def test_the_ground_truth_gives_the_response(true_voxels, small_movie):
    """Drives through the HRF, times the weights: it correlates with the data as the planted share says."""
    movie, by_run, known, where = true_voxels
    with np.load(small_movie / "truth" / "sub-S01.npz") as arrays:
        weights = {key: arrays[key] for key in arrays if key.startswith("weights")}
    region = known.region[0].reshape(-1)
    for run in movie.runs:
        with np.load(small_movie / "truth" / f"{run.repeat_of or run.name}_drives.npz") as arrays:
            drives = dict(arrays)
        response = np.zeros((run.n_seconds, region.size))
        for key, x in drives.items():
            name = next(name for name in cortex.PLAN if key.startswith(name))
            h = hrf(known.hrf_peaks[name], step=1.0)
            followed = np.apply_along_axis(lambda c, h=h: np.convolve(c, h)[: len(c)], 0, x)
            response[:, region == cortex.NAMES.index(name)] += followed @ weights[f"weights {key}"]
        response = response[run.n_overlap :].reshape(run.n_kept, *SHAPE)[:, *where]
        driven = response.std(axis=0) > 0
        np.testing.assert_array_equal(driven, known.region[0][where] >= 0)
        bold, response = by_run[run.name][:, driven], response[:, driven]
        r = ((response - response.mean(axis=0)) / response.std(axis=0) * bold).mean(axis=0)
        share = known.explainable[known.runs.index(run.name)][where][driven]
        assert r.mean() == pytest.approx(np.sqrt(share).mean(), abs=0.04)


def ridge_scores(movie, by_run, x, alpha=50.0):
    """Return r on the test of a ridge regression from a course convolved with one HRF for all."""
    h, stops = hrf(5.2, step=1.0), np.cumsum([run.n_kept for run in movie.runs])[:-1]
    parts = [np.apply_along_axis(lambda c: np.convolve(c, h)[: len(c)], 0, part) for part in np.split(x, stops)]
    parts = {run: part - part.mean(axis=0) for run, part in zip(by_run, parts)}
    train = [run.name for run in movie.select("Training")]
    a, b = (np.concatenate([source[run] for run in train]) for source in (parts, by_run))
    weights = np.linalg.solve(a.T @ a / a.var() + alpha * np.eye(a.shape[1]), a.T @ b / a.std())
    scores = []
    for first, again in movie.repeats:
        predicted = parts[first] @ weights
        scores.append(np.mean([np.mean(_z(predicted) * by_run[run], axis=0) for run in (first, again)], axis=0))
    return np.mean(scores, axis=0)


def _z(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.slow
def test_each_level_is_found_in_its_regions_and_not_elsewhere(true_voxels):
    movie, by_run, known, where = true_voxels
    region = known.region[0][where]
    mean = {}
    for level, layer in cortex.LAYERS.items():
        texts = [[text for text in second if text] for second in movie.annotations(level).texts]
        x, written = cortex.level_features(texts, embed, layer)
        x[written] -= x[written].mean(axis=0)
        r = ridge_scores(movie, by_run, x)
        assert abs(r[region < 0].mean()) < 0.02
        mean[level] = {name: r[region == cortex.NAMES.index(name)].mean() for name in cortex.PLAN}
    for name, (shares, _, _) in cortex.PLAN.items():
        followed = [level for level in LEVELS if shares.get(level, 0) > 0.2]
        for level in LEVELS:
            if level in followed:
                assert mean[level][name] > 0.04, (name, level)
            else:
                assert mean[level][name] < min(mean[other][name] for other in followed), (name, level)


def test_sound_and_light_add_to_speech_and_picture(true_voxels):
    movie, by_run, known, where = true_voxels
    region = known.region[0][where]
    measured = stimulus.stimulus_features(movie)
    for column, own in (("loudness", "primary auditory"), ("luminance", "early visual")):
        r = ridge_scores(movie, by_run, measured[column][:, None].astype(float))
        assert r[region == cortex.NAMES.index(own)].mean() > 0.2
        assert abs(r[region == cortex.NAMES.index("anterior temporal")].mean()) < 0.15
        assert abs(r[region < 0].mean()) < 0.02


def test_the_plan_is_that_of_the_report():
    assert set(cortex.LAYERS) == set(LEVELS) == set(screenplay.LEVELS)
    strongest = {level: {n for n, (s, _, _) in cortex.PLAN.items() if s.get(level, 0) > 0.2} for level in LEVELS}
    assert strongest == {
        "Speech": {"primary auditory", "auditory belt", "anterior temporal"},
        "Object": {"early visual", "higher visual"},
        "Story": {"higher visual", "precuneus", "lateral prefrontal"},
        "Summary": set(),
        "TimePlace": set(),
    }
    for name, (shares, _, _) in cortex.PLAN.items():
        assert sum(shares.values()) == pytest.approx(1) and name in cortex.NAMES
        assert shares.get("Summary", 0) + shares.get("TimePlace", 0) <= 0.1


def test_regions_are_those_of_the_book_and_higher_visual_cortex():
    rng = np.random.default_rng(0)
    mni = rng.uniform(-90, 90, (4000, 3))
    labels, distance = nearest(mni, landmarks=FILM_LANDMARKS)
    known, of_known = nearest(mni)
    higher = labels == len(LANDMARKS)
    np.testing.assert_array_equal(labels[~higher], known[~higher])
    assert higher.any() and (distance[higher] <= np.minimum(of_known[higher], 1)).all()
    np.testing.assert_array_equal(labels, nearest(mni * [-1, 1, 1], landmarks=FILM_LANDMARKS)[0])
    assert cortex.NAMES[label([[44, -72, 0]], FILM_LANDMARKS)[0]] == "higher visual"


def test_a_second_is_the_mean_of_its_texts():
    x, written = cortex.level_features([["a", "b"], [], ["a"]], embed, 3)
    a, b = np.round(embed(["a", "b"], 3).astype(np.float32), 4)
    np.testing.assert_allclose(x, [(a + b) / 2, 0 * a, a], atol=1e-6)
    assert written.tolist() == [True, False, True]


def test_noise_is_that_of_the_music_at_another_tr():
    noise = scanner._noise(600, np.random.default_rng(0))
    noise -= noise.mean(axis=0)
    lag = (noise[1:] * noise[:-1]).sum(axis=0) / (noise**2).sum(axis=0)
    assert scanner.CORRELATED == pytest.approx(0.45 ** (1 / 1.5))
    assert lag.mean() == pytest.approx((0.9 * scanner.CORRELATED + 0.09 * 1) / 0.99, abs=0.02)
    edge, middle = (noise.reshape(600, *SHAPE)[:, k].var(axis=0).mean() for k in (0, 10))
    assert edge == pytest.approx(middle, rel=0.15)
    assert noise.var(axis=0).mean() == pytest.approx(0.9**2 + 0.3**2 + 0.3**2, rel=0.1)


# --- the default embedding ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_simulated_text_is_the_mean_over_the_tokens_of_a_text():
    model = text_embedding._minilm()
    texts = ["Look at the lamp.", "A woman in a yellow coat steers a boat.", "Look at the lamp."]
    vectors = text_embedding.embed(texts, 4)
    assert vectors.shape == (3, model.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-6)
    import torch

    with torch.inference_mode():
        tokens = model.tokenizer(texts[1], return_tensors="pt")
        states = model.network(**tokens, output_hidden_states=True).hidden_states[4][0]
    np.testing.assert_allclose(vectors[1], states[1:-1].mean(dim=0).numpy(), atol=1e-5)
    assert text_embedding.embed([], 0).shape == (0, model.dim)
    assert max(cortex.LAYERS.values()) < model.n_layers


def test_simulated_text_of_bad_texts():
    with pytest.raises(ValueError, match=r"layer is 7, minilm has 0 \(the embedding layer\) to 6"):
        text_embedding.embed(["a"], 7)
    with pytest.raises(ValueError, match=r"texts\[1\] is '', which has no token"):
        text_embedding.embed(["a", ""], 1)


def test_make_movie_on_the_command_line(monkeypatch, capsys):
    from naturalistic import cli

    made = []
    monkeypatch.setattr(text_embedding, "simulate_movie", lambda folder, **how: made.append((folder, how)))
    assert cli.main(["simulate", "movie", "--to", "here", "--seed", "3", "--subjects", "2"]) == 0
    assert made == [("here", {"seed": 3, "subjects": 2})] and "simulated, not measured: here" in capsys.readouterr().out
