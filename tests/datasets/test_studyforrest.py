"""Forrest Gump: time, layouts, annotations on the TRs, and what is wrong with damaged files."""

import csv
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from naturalistic.datasets import studyforrest
from naturalistic.datasets import studyforrest_files as published
from naturalistic.datasets.studyforrest_tables import FilmGrid, line_bounds, spoken_words
from naturalistic.features.text import stories
from naturalistic.features.text.language_model import load_model
from naturalistic.inference import leave_one_out_correlation
from naturalistic.preprocessing import open_subjects

from tests.helpers.small_film import TABLES, put

LINKED = "brains", "published/sub-01", "published/segments", "published/researchcut", "annotations"


@pytest.fixture
def copy(small_film, tmp_path):
    """A copy of the small film that a test may damage."""
    return shutil.copytree(small_film, tmp_path / "film")


@pytest.fixture
def tables(tmp_path):
    """The small tables in one folder, without subjects."""
    for name, text in TABLES.items():
        put(tmp_path / Path(name).name, text)
    return tmp_path


def linked(real, folder, leave_out=()):
    """Return a folder that has some of the real files."""
    folder.mkdir()
    for path in real.iterdir():
        if path.is_file():
            (folder / path.name).symlink_to(path)
    for name in LINKED:
        if name not in leave_out:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).symlink_to(real / name)
    return folder


# --- time ----------------------------------------------------------------------------------------------------------


def test_the_real_runs(real_forrest):
    film = studyforrest.load()
    assert film.folder == real_forrest and film.is_whole and not film.is_simulated and film.notes == []
    assert film.subjects == ("01", "02", "03", "04", "05", "06", "09", "10", "14", "15", "16", "17", "18", "19", "20")
    assert film.run_names == tuple(f"run-{k}" for k in range(1, 9)) and len(film.labels) == 267
    assert film.n_trs == (451, 441, 438, 488, 462, 439, 542, 338) and len(film.runs) == 3599
    assert film.run_starts == (0, 886, 1752.08, 2612.16, 3572.2, 4480.28, 5342.36, 6410.44)
    times = film.tr_times()
    assert times[0] == 0 and times[451] == 886 and times[452] == 888 and times[-1] == pytest.approx(7084.44)
    repeated = film.is_repeated()
    assert [int(repeated[film.runs == run].sum()) for run in range(8)] == [0] + [8] * 7
    assert not (repeated & ~film.is_dropped()).any() and film.is_dropped().sum() == 8 * film.n_dropped == 96
    text = str(film)
    for words in ("15 subjects x 3,599 TRs of 2 s x 267 parcels", "PDDL", "CC0", "German", "Hanke et al. (2014"):
        assert words in text
    assert film.title("x") == "x"


@pytest.mark.slow
def test_the_real_frames_tell_where_runs_begin_and_that_16_s_are_shown_twice(real_forrest):
    """The frames of 2 to 12 s of a run are those of the run before, as many s later as the run starts are apart."""

    def frames(run):
        path = published.find_file(real_forrest, f"segments/avmovie/conf_visual_run-{run}_events.tsv")
        rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
        return np.array([float(row[2]) for row in rows]), np.array([row[5] for row in rows])

    pieces = [frames(run) for run in range(1, 9)]
    for run, ((light, hashes), (next_light, next_hashes)) in enumerate(pairwise(pieces)):
        sought = next_light[50:300]  # a fade of 1 s hides the first frames, and one of 2 s the last
        candidates = range(len(light) - 1000, len(light) - 300)
        found = min(candidates, key=lambda first: np.abs(light[first : first + 250] - sought).mean()) - 50
        apart = studyforrest.RUN_STARTS[run + 1] - studyforrest.RUN_STARTS[run]
        assert found * 0.04 == pytest.approx(apart, abs=1e-6)
        same = (hashes[found + 50 : found + 300] == next_hashes[50:300]).mean()
        other = (hashes[found + 75 : found + 325] == next_hashes[50:300]).mean()
        assert same > 0.15 and same > other + 0.15
        assert apart + 15.9 < studyforrest.N_TRS[run] * 2 < apart + 16.1


@pytest.fixture(scope="session")
def real_signals(real_forrest):
    """The film, the mean brain, and the columns of two auditory parcels."""
    film = studyforrest.load(real_forrest)
    subjects = open_subjects(film)
    bold = np.stack([subject.bold for subject in subjects.values()])
    centers = subjects["01"].coordinates
    auditory = [int(np.argmin(np.linalg.norm(centers - (side * 55, -20, 5), axis=1))) for side in (-1, 1)]
    return film, bold, auditory


def peak_lags(film, feature, signal):
    """Return the delay in s at which a feature correlates most with a signal, by run."""
    lags = range(9)
    peaks = []
    for run in range(8):
        x = feature[film.runs == run][12:]
        y = signal[film.runs == run][12:]
        r = [np.corrcoef(x[: len(x) - lag], y[lag:])[0, 1] for lag in lags]
        peaks.append(2 * int(np.argmax(r)))
    return peaks


@pytest.mark.slow
def test_real_loudness_leads_auditory_cortex_by_4_s_in_every_run_and_not_on_the_wrong_base(real_signals, real_forrest):
    film, bold, auditory = real_signals
    signal = bold[:, :, auditory].mean(axis=(0, 2))
    loudness = film.low_level()["log_rms"]
    assert peak_lags(film, loudness, signal) == [4] * 8
    assert set(peak_lags(film, film.speech()["on"], signal)) <= {4, 6}
    with open(real_forrest / "fmri_segments.csv", encoding="utf-8") as file:
        bounds = [float(row["start"]) for row in csv.DictReader(file)]
    assert [round(a - b, 2) for a, b in zip(bounds[1:], studyforrest.RUN_STARTS[1:])] == [
        8, 7.92, 7.84, 7.8, 7.72, 7.64, 7.56,
    ]  # fmt: skip
    wrong = FilmGrid(film.run_names, tuple(bounds), film.n_trs)
    new = ~film.is_repeated()
    on_wrong_base = np.interp(wrong.tr_times, film.tr_times()[new], loudness[new])
    assert np.corrcoef(on_wrong_base, loudness)[0, 1] < 0.85
    assert peak_lags(film, on_wrong_base, signal) == [4] + [12] * 7


@pytest.mark.slow
def test_the_real_leave_one_out_correlation(real_signals):
    film, bold, _ = real_signals
    kept = ~film.is_dropped()
    values = leave_one_out_correlation(bold[:, kept], film.runs[kept])
    means = values.mean(axis=0)
    assert means.mean() == pytest.approx(0.226, abs=0.005) and np.median(means) == pytest.approx(0.201, abs=0.005)
    assert means.max() == pytest.approx(0.651, abs=0.005) and film.labels[means.argmax()] == 210
    by_subject = dict(zip(film.subjects, values.mean(axis=1)))
    assert by_subject.pop("20") == pytest.approx(0.103, abs=0.005)
    assert 0.18 < min(by_subject.values()) and max(by_subject.values()) < 0.3


def test_no_moment_of_the_film_counts_in_two_runs(real_forrest):
    """With the first TRs of each run dropped, what features with delays up to 8 s see is of one run alone."""
    film = studyforrest.load(real_forrest)
    kept = ~film.is_dropped()
    seen = [film.tr_times()[kept & (film.runs == run)] for run in range(8)]
    for before, after in pairwise(seen):
        assert before[-1] + film.tr <= after[0] - 8.0 + 1e-6
    times = film.tr_times()
    assert (np.diff(np.sort(times[kept])) > 1.9).all() and (np.diff(np.sort(times)) < 0.1).any()


@pytest.mark.slow
def test_some_runs_are_as_in_the_whole_film(real_forrest):
    film = studyforrest.load(real_forrest)
    part = studyforrest.load(real_forrest, runs=(run for run in ["run-3", "run-2"]), subjects=["sub-02", 1])
    assert part.run_names == ("run-2", "run-3") and part.subjects == ("02", "01") and not part.is_whole
    assert part.n_seconds == {"run-2": 882, "run-3": 876}
    trs = np.isin(film.runs, [1, 2])
    np.testing.assert_array_equal(part.tr_times(), film.tr_times()[trs])
    np.testing.assert_array_equal(part.is_repeated(), film.is_repeated()[trs])
    np.testing.assert_array_equal(part.cuts(), film.cuts()[trs])
    np.testing.assert_array_equal(part.emotions()[1], film.emotions()[1][trs])
    for name, values in part.low_level().items():
        np.testing.assert_array_equal(values, film.low_level()[name][trs])
    np.testing.assert_array_equal(part.open_subject("01").bold, film.open_subject("01").bold[trs])
    for level in film.levels:
        assert part.annotations(level).texts == film.annotations(level).texts[902:2660]
    events = part.words().events
    np.testing.assert_array_equal(events, film.words().events[np.isin(film.words().event_runs, [1, 2])])


# --- brains --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_compact_and_published_agree_to_half_a_step(real_forrest, tmp_path):
    compact = studyforrest.load(real_forrest).open_subject("01")
    tree = studyforrest.load(linked(real_forrest, tmp_path / "tree", ["brains"]))
    assert tree.subjects == ("01",) and "no coordinates of parcels" in str(tree)
    as_published = tree.open_subject("01")
    step = np.load(real_forrest / "brains/sub-01_avmovie_shen278.npz", allow_pickle=False)["scale"]
    assert as_published.bold.dtype == compact.bold.dtype == np.float32
    assert np.abs(as_published.bold - compact.bold).max() <= step / 2 + 1e-6
    np.testing.assert_array_equal(tree.open_subject("01").bold, as_published.bold)  # from the cache
    assert tree.networks() is None and tree.atlas is None
    with pytest.raises(FileNotFoundError, match=r"has no shen_3mm_278.*naturalistic fetch studyforrest --parts atlas"):
        _ = as_published.coordinates


def test_the_real_subject(real_forrest):
    film = studyforrest.load(real_forrest)
    subject = open_subjects(film)["01"]
    assert subject.bold.shape == (3599, 267) and subject.tr == 2 and subject.space == "shen278"
    assert subject.select("run-2").bold.shape == (441, 267)
    assert subject.coordinates.shape == (267, 3) and 15 < subject.voxel_size < 18
    assert film.atlas.name == "shen_3mm_278.nii.gz"
    with pytest.raises(ValueError, match="subject is '07', expected one of 01, 02"):
        film.open_subject("07")


def test_codes_of_networks_lie_where_their_names_say(real_forrest):
    film = studyforrest.load(real_forrest)
    networks = np.array(film.networks())
    centers = open_subjects(film)["01"].coordinates
    assert set(networks) == set(published.NETWORKS) and len(networks) == 267
    where = {name: np.median(np.abs(centers[networks == name]) * [1, 0, 0], axis=0)[:1] for name in set(networks)}
    where = {name: (*where[name], *np.median(centers[networks == name], axis=0)[1:]) for name in where}
    assert min(where, key=lambda name: where[name][1]) == "visual"  # most posterior
    assert where["cerebellum"][2] < -25 and max(centers[networks == "cerebellum", 2]) < -5
    assert where["subcortical"][0] < 15 and -15 < where["subcortical"][2] < 5
    assert where["limbic"][2] < -15 and min(centers[networks == "limbic", 2]) < -30
    assert where["somatomotor"][2] > 40 and -30 < where["somatomotor"][1] < -10
    assert where["dorsal attention"][1] < -45 and where["dorsal attention"][2] > 40
    assert where["frontoparietal"][1] > 10 and where["ventral attention"][2] > 10
    assert np.median(np.abs(centers[networks == "default", 0])) < np.median(
        np.abs(centers[networks == "frontoparietal", 0])
    )  # the midline


@pytest.mark.slow
def test_picture_and_sound_are_found_in_the_networks_of_their_senses(real_signals):
    film, bold, auditory = real_signals
    kept = ~film.is_dropped()
    low_level = film.low_level()

    def best(name):
        delayed = np.roll(low_level[name], 2)
        r = [np.corrcoef(delayed[kept], column[kept])[0, 1] for column in bold.mean(axis=0).T]
        return np.argsort(r)[::-1][:5]

    assert {film.networks()[k] for k in best("frame_difference")} <= {"visual", "dorsal attention"}
    assert set(auditory) & set(best("log_rms").tolist())


# --- annotations ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_frames_and_their_means_agree(real_forrest, tmp_path):
    by_frame = studyforrest.load(real_forrest).low_level()
    by_tr = studyforrest.load(linked(real_forrest, tmp_path / "tables", ["published/segments"])).low_level()
    assert list(by_frame) == list(by_tr) and len(by_frame) == 6
    last = np.cumsum(studyforrest.N_TRS) - 1  # there the means have the gray frames behind the run too
    for name, values in by_frame.items():
        assert values.shape == (3599,) and np.isfinite(values).all()
        scale = values.std()
        np.testing.assert_allclose(np.delete(by_tr[name], last), np.delete(values, last), atol=5e-3 * scale)
    assert np.corrcoef(by_frame["brightness"], by_frame["log_rms"])[0, 1] < 0.5


@pytest.mark.slow
def test_the_real_tables(real_forrest):
    film = studyforrest.load(real_forrest)
    counts = {"english_dialog.csv": 985, "german_audio_description.csv": 573, "locations.tsv": 869}
    assert {name: len(film.tables[name]) for name in counts} == counts
    assert film.levels == ("Speech", "Story", "TimePlace")
    for level in film.levels:
        text = film.annotations(level)
        assert len(text) == 7198 == len(text.runs) and text.run_names == film.run_names
        assert all(isinstance(second, list) and second for second in text.texts)
        assert (text.speakers is None) == (level != "Speech")
    speech = film.annotations("Speech")
    assert speech.texts[188:194] == [[""], *[["Hello. My name's Forrest Gump."]] * 5], "189.8 to 194.0 s"
    assert speech.texts[194] == [""] and speech.speakers[190] == ["FORREST"]
    assert speech.texts[238] == ["My feet hurt."] and speech.speakers[238] == ["BLACK WOMAN"]
    assert speech.texts[902:918] == speech.texts[886:902], "what two runs share"
    said = {text for second in speech.texts for text in second if text}
    in_film = {row["text"] for row in film.tables["english_dialog.csv"] if row["text"]}
    assert said == in_film, "each line is heard somewhere, the one that ends before it starts too"
    assert film.annotations("Story").texts[16] == ["Vor bewölktem Himmel schwebt eine grau-weiße Feder durch die Luft."]
    places = film.annotations("TimePlace").texts
    assert {len(second) for second in places} == {2}
    assert places[300] == ["Greenbow Alabama, doctor's office, inside, day", "doctors office, inside, day"]
    assert places[3] == ["Paramount, mountain logo, outside, day", ""]
    assert film.cuts()[84] == 1 and film.cuts()[85] == 0, "a shot begins at 168.16 s"
    new = ~film.is_repeated()
    assert film.cuts()[new].sum() == 848 and film.cuts().dtype.kind == "i"
    music = film.music()
    assert music[9] == 0 and music[10] == pytest.approx(0.74) and music[81] == 0
    np.testing.assert_allclose(music[11:81], 1)
    assert music[new].sum() * 2 == pytest.approx(3856.56, abs=3)


def test_the_real_words(real_forrest):
    film = studyforrest.load(real_forrest)
    words = film.words()
    assert words.words[:5] == ["Hello.", "My", "name's", "Forrest", "Gump."] and len(words.words) == 11011
    np.testing.assert_allclose(words.onsets[:2], [189.8, 189.8 + 4.2 / 5])
    assert words.lines[:6].tolist() == [0] * 5 + [1] and words.positions[:6].tolist() == [0, 1, 2, 3, 4, 0]
    assert (words.offsets > words.onsets).all() and words.offsets.max() < 7086
    twice = np.bincount(words.events, minlength=len(words.words))
    assert twice.min() == 1 and twice.max() == 2 and (twice == 2).sum() == 108
    shared = (words.onsets > 886.5) & (words.offsets < 901)
    assert shared.any() and (twice[shared] == 2).all()
    middles = (words.onsets + words.offsets) / 2
    for run in range(8):
        of_run = middles[words.events[words.event_runs == run]]
        start = film.run_starts[run]
        assert (np.diff(of_run) >= 0).all() and start <= of_run[0] and of_run[-1] < start + 2 * film.n_trs[run]
    rate = stories.on_trs(np.ones((len(words.words), 1)), words, "sum")[:, 0]
    assert rate.sum() == len(words.events)
    speech = film.speech()
    assert np.corrcoef(rate, speech["words_per_second"])[0, 1] > 0.9
    assert speech["on"].min() == 0 and speech["on"].max() == 1 and 0.5 < speech["on"].mean() < 0.6
    described = film.audio_description()
    assert np.corrcoef(described["on"], speech["on"])[0, 1] < -0.3, "it speaks where the film is silent"
    assert speech["words_per_second"].max() < 12


def test_contexts_are_lines(real_forrest):
    words = studyforrest.load(real_forrest).words()
    alone, with_two = words.context_starts(0), words.context_starts(2)
    np.testing.assert_array_equal(alone, np.arange(len(words.words)) - words.positions)
    k = int(np.flatnonzero(words.lines == 40)[3])
    assert (
        words.words[with_two[k]]
        == spoken_words(studyforrest.load(real_forrest).tables["english_dialog.csv"][38]["text"])[0]
    )
    assert (with_two <= alone).all() and with_two[: words.positions.argmax()].min() == 0


def test_the_real_lines(real_forrest):
    film = studyforrest.load(real_forrest)
    lines = film.lines()
    assert list(lines.columns) == ["line", "start", "end", "person", "text", "run", "start_in_run", "end_in_run"]
    assert lines["line"].nunique() == 985 and len(lines) == 996
    starts = np.array(film.run_starts)[lines["run"]]
    np.testing.assert_allclose(lines["start_in_run"] + starts, lines["start"])
    assert (lines["end"] > lines["start"]).all()
    rows = film.tables["english_dialog.csv"]
    raw = np.array([row["end"] for row in rows])
    assert (line_bounds(rows)[1] != raw).sum() == 68 and line_bounds(rows)[1][0] == 194.0


def test_the_real_emotions(real_forrest):
    film = studyforrest.load(real_forrest)
    names, values = film.emotions()
    assert values.shape == (3599, 22) == (3599, len(names)) and values.dtype == np.float32
    assert names[:3] == ("arousal", "valence_positive", "valence_negative") and names[-1] == "n_characters"
    assert "anger/rage" not in names and "love" in names
    first = int(192 / 2)
    assert not values[:first].any() and values[first, 0] == pytest.approx(-2 / 3) and values[first, -1] == 1
    assert -1 <= values[:, 0].min() and 0 <= values[:, 1:].min() and values[:, 1:-1].max() <= 1 + 1e-6


def test_the_small_tables(tables):
    film = studyforrest.load(tables)
    assert film.subjects == () and "only the film's annotations can be read" in str(film)
    speech = film.annotations("Speech")
    assert speech.texts[12] == speech.texts[13] == ["Yes, now."] and speech.texts[3] == ["No."]
    assert speech.texts[5] == ["So."] and speech.texts[0] == [""], "a line that ends before it starts"
    places = [second[1] for second in film.annotations("TimePlace").texts]
    assert places[:12] == ["house, inside, day"] * 10 + ["park, outside, day"] * 2  # rows that are out of order
    assert film.cuts()[:5].tolist() == [1, 0, 0, 1, 0] and film.cuts()[444] == film.cuts()[452] == 1
    np.testing.assert_allclose(film.music()[:4], [0, 1, 0.5, 0])
    on = film.speech()["on"]
    np.testing.assert_allclose(on[:8], [0, 0.5, 1 / 6, 0, 0, 0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(film.speech()["words_per_second"][6], 1.0)
    words = film.words()
    assert words.words == "No. So. Yes, now. Twice heard a b c d e f The end.".split()
    heard = [words.words[k] for k in words.events[words.event_runs == 1]]
    assert heard == ["Twice", "heard", *"abcdef"], "a line in what two runs share"
    assert [words.words[k] for k in words.events[words.event_runs == 2]] == list("cdef"), "from 1752.08 s"
    names, values = film.emotions()
    assert names == ("arousal", "valence_positive", "valence_negative", "fear", "n_characters")
    np.testing.assert_allclose(values[:2, 0], [-1 / 3, 1], atol=1e-6)  # 2 s of ANN, 1 s of BEN
    np.testing.assert_allclose(values[:3, -1], [1.5, 1, 0])
    np.testing.assert_allclose(values[0, 3], (2 * 0.5 + 0.25) / 3, rtol=1e-6)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_are_the_same_in_every_spelling(tables, encoding, end):
    before = studyforrest.load(tables, runs=["run-1"])
    for name, text in TABLES.items():
        (tables / Path(name).name).write_bytes((text.replace("\n", end) + end).encode(encoding))
    film = studyforrest.load(tables, runs=["run-1"])
    for level in film.levels:
        assert film.annotations(level).texts == before.annotations(level).texts
    assert film.annotations("Story").texts[1] == ["Näher"]
    np.testing.assert_array_equal(film.cuts(), before.cuts())
    np.testing.assert_array_equal(film.emotions()[1], before.emotions()[1])


BROKEN_TABLES = {
    "before its start": ("english_dialog.csv", "3,4,", "-3,4,", r"row 2 .*begins 3 s before the film"),
    "a cut before its start": ("shots.csv", "7.5", "-7.5", r"shots\.csv, row 2 .*begins 7.5 s before the film"),
    "backwards": ("english_dialog.csv", "3,4,", "3,1,", "row 2 .*ends 2 s before it begins"),
    "a negative duration": ("music.tsv", "2\t3", "2\t-3", "row 1 .*ends 3 s before it begins"),
    "n/a": ("music.tsv", "2\t3", "n/a\t3", r"music\.tsv, row 1 .*could not convert 'n/a'"),
    "nan": ("shots.csv", "7.5", "nan", r"shots\.csv, row 2 .*could not convert 'nan'"),
    "a decimal comma": ("shots.csv", "7.5", '"7,5"', "row 2 .*write the decimal comma as a point"),
    "a header alone": ("shots.csv", "0.0\n7.5\n888.0\n7082\n", "", "has a header and no row"),
    "semicolons": ("scenes.csv", ",", ";", r"divided by another sign \(semicolon\)"),
    "a column of another name": ("english_dialog.csv", "person", "who", "has the columns start, end, who, text, expe"),
    "cut inside of a row": ("english_dialog.csv", "ANN,The end.\n", "", "row 6 .*cells are missing; was the file cut"),
    "lines end early": ("english_dialog.csv", "6990,6992,ANN,The end.\n", "", r"ends at 1,754\.0 s .* 7,086 s: expect"),
    "shots end early": ("shots.csv", "7082\n", "", r"shots\.csv ends at 888\.0 s .*was the file cut short"),
    "places end early": ("locations.tsv", "7082", "708", r"locations\.tsv ends at 708\.0 s"),
    "scenes end early": ("scenes.csv", "6950,END,DAY,INT\n", "", r"scenes\.csv ends at 10\.0 s"),
    "music ends early": ("music.tsv", "6999\t2\tA\tB\n", "", r"music\.tsv ends at 5\.0 s"),
}


@pytest.mark.parametrize("name, old, new, message", BROKEN_TABLES.values(), ids=BROKEN_TABLES)
def test_broken_tables(tables, name, old, new, message):
    path = tables / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        studyforrest.load(tables)
    assert name in str(error.value)


def test_tables_that_are_missing_or_in_another_encoding(tables):
    path = tables / "english_dialog.csv"
    path.write_bytes(TABLES["old/speech/english_dialog.csv"].replace("No.", "Él").encode("latin-1"))
    with pytest.raises(ValueError, match=r"english_dialog\.csv is Latin-1 .*, expected UTF-8 \(byte \d+"):
        studyforrest.load(tables)
    for name in ("shots.csv", "music.tsv"):
        (tables / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks shots\.csv, music\.tsv: .*fetch studyforrest --parts annotat"):
        studyforrest.load(tables)


def test_emotions_that_end_early_or_are_missing(tables):
    path = tables / "emotions_av_1s_events.tsv"
    whole = path.read_text()
    path.write_text(whole.replace("7000\t1", "70\t1"))
    with pytest.raises(ValueError, match=r"emotions_av_1s_events\.tsv ends at 71\.0 s"):
        studyforrest.load(tables).emotions()
    path.write_text(whole.replace("0.25", "some"))
    with pytest.raises(ValueError, match=r"emotions_av_1s_events\.tsv: could not convert 'some'"):
        studyforrest.load(tables).emotions()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"has no researchcut/emotions_av_1s.*fetch studyforrest --parts annot"):
        studyforrest.load(tables).emotions()


def test_levels_and_runs_that_do_not_exist(tables):
    film = studyforrest.load(tables)
    for level in ("Object", "Summary"):
        with pytest.raises(ValueError, match=f"level is '{level}', the tables have Speech, Story, TimePlace"):
            film.annotations(level)
    for runs in ("run-1", ["run-9"], []):
        with pytest.raises(ValueError, match="expected a list of some of run-1, "):
            studyforrest.load(tables, runs=runs)
    with pytest.raises(ValueError, match="fallback is 'none', expected None or 'simulated'"):
        studyforrest.load(tables, fallback="none")


def test_features_of_words_come_onto_the_trs_of_each_run_in_which_they_are_spoken(tables, tiny_gpt2):
    words = studyforrest.load(tables).words()
    model = load_model(tiny_gpt2)
    layers = stories.contextual_features(words, model, n_lines=1, method="mean")
    assert layers.shape == (3599, 3, 32)
    spoken = np.flatnonzero(stories.on_trs(np.ones((14, 1)), words, "sum")[:, 0])
    np.testing.assert_array_equal(np.flatnonzero(np.abs(layers).sum(axis=(1, 2))), spoken)
    times = studyforrest.load(tables).tr_times()
    twice = [np.flatnonzero(np.isclose(times, 890))[k] for k in (0, 1)]  # "Twice": the end of a run, and the next one
    np.testing.assert_array_equal(layers[twice[0]], layers[twice[1]])
    alone = stories.contextual_features(words, model, n_lines=0, method="mean")
    assert not np.allclose(alone[spoken[-1]], layers[spoken[-1]]), "the line before counts"
    by_words = stories.contextual_features(words, model, 1, method="mean")
    first = int(np.flatnonzero(times == 2)[0])  # "No." is the first word: it has no context
    np.testing.assert_allclose(by_words[first], layers[first], atol=1e-6)
    assert stories.static_features(words, model).shape == (3599, 32)
    assert stories.word_rate(words).sum() == 19 and len(words.events) == 20, "one begins before its run does"
    with pytest.raises(ValueError, match="n_lines is -1, expected a whole number of at least 0"):
        words.context_starts(-1)


# --- the published layout, whole and damaged -----------------------------------------------------------------------


def bold_path(folder, run=2, subject="02"):
    return folder / f"sub-{subject}/shen_fconn/sub-{subject}_task-avmovie_run-{run}_bold.csv"


def test_the_published_layout(small_film):
    film = studyforrest.load(small_film)
    assert film.subjects == ("01", "02")
    subject = film.open_subject("02")
    assert subject.bold.shape == (3599, 267) and subject.bold.dtype == np.float32
    header, *rows = bold_path(small_film, 1).read_text().splitlines()
    assert len(header.split(",")) == 276, "more parcels than everybody has"
    column = header.split(",").index(str(film.labels[100]))
    assert [int(row.split(",")[column]) for row in rows] == subject.bold[:451, 100].astype(int).tolist()
    low_level = film.low_level()
    np.testing.assert_allclose(np.exp(low_level["log_rms"]) * 1e4, low_level["brightness"])
    only = studyforrest.load(small_film, subjects="[2]", runs=["run-8"]).open_subject("02")
    np.testing.assert_array_equal(only.bold, subject.bold[-338:])


def test_subjects_that_do_not_exist_or_come_twice(small_film):
    with pytest.raises(ValueError, match="has no subject '7'; there are: 01, 02"):
        studyforrest.load(small_film, subjects=[7])
    with pytest.raises(ValueError, match="subjects 01, 01: expected each once"):
        studyforrest.load(small_film, subjects=["01", "sub-01"])
    with pytest.raises(ValueError, match="subjects is '01', expected a list"):
        studyforrest.load(small_film, subjects="01")


def cut_row(text):
    return text[: text.rindex("\n", 0, -1) + 100]


def cut_last_number(text):
    return text.rstrip("\n")


def cut_at_a_row(text):
    return "".join(text.splitlines(keepends=True)[:300])


def longer(text):
    return text + text.splitlines(keepends=True)[-1]


def another_column(text):
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:40], "1," + lines[40], *lines[41:]])


def fewer_columns(text):
    return "".join(line.partition(",")[2] for line in text.splitlines(keepends=True))


def another_label(text):
    return text.replace("278\n", "300\n", 1)


def a_label_twice(text):
    return text.replace(",277,278\n", ",277,277\n", 1)


def a_letter(text):
    return text[:-2] + "x\n"


def a_nan(text):
    return text[:-2] + "nan\n"


def no_header(text):
    return text.partition("\n")[2].replace("5", "5.5")


def empty(text):
    return ""


def pointer(text):
    return "../.git/annex/objects/xx/yy/MD5E-s1--0.csv/MD5E-s1--0.csv"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_row, r"run-2_bold\.csv, row 441 has \d+ columns, expected 276 .*: the file was cut short; fetch it again"),
        (cut_last_number, r"run-2_bold\.csv has 441 TRs, and ends inside of a row, expected 441: it was cut short"),
        (
            cut_at_a_row,
            r"run-2_bold\.csv has 299 TRs, expected 441: it was cut short; fetch it again: naturalistic fet",
        ),
        (longer, r"run-2_bold\.csv has 442 TRs, expected 441"),
        (another_column, r"run-2_bold\.csv, row 40 has 277 columns, expected 276 as in its first row"),
        (fewer_columns, r"run-2_bold\.csv lacks the parcels 1: expected the 267 parcels that all subjects have"),
        (another_label, r"run-2_bold\.csv lacks the parcels 278: "),
        (a_label_twice, r"run-2_bold\.csv lacks the parcels 278: "),
        (a_letter, r"run-2_bold\.csv is not a table of numbers"),
        (a_nan, r"run-2_bold\.csv has 1 values that are NaN"),
        (no_header, r"run-2_bold\.csv begins with '.*', expected a row of labels of parcels"),
        (empty, r"run-2_bold\.csv is empty: it was cut short; fetch it again"),
        (pointer, r"run-2_bold\.csv is a git-annex pointer"),
    ],
)
def test_a_damaged_csv(copy, damage, message):
    path = bold_path(copy)
    path.write_text(damage(path.read_text()))
    film = studyforrest.load(copy)
    with pytest.raises(ValueError, match=message):
        film.open_subject("02")
    assert studyforrest.load(copy, runs=["run-1"]).open_subject("02").bold.shape == (451, 267)
    assert film.open_subject("01").bold.shape == (3599, 267)


def test_a_missing_run(copy):
    bold_path(copy, 3).unlink()
    with pytest.raises(
        FileNotFoundError, match=r"lacks .*run-3_bold\.csv: .*fetch studyforrest --subject 02 --to .*oth"
    ):
        studyforrest.load(copy).open_subject("02")


def test_a_converted_csv_is_read_from_the_cache_until_it_changes(copy, monkeypatch):
    film = studyforrest.load(copy)
    first = film.open_subject("02").bold
    monkeypatch.setattr(published, "_read_csv", lambda *_: pytest.fail("read again"))
    np.testing.assert_array_equal(film.open_subject("02").bold, first)
    monkeypatch.undo()
    path = bold_path(copy)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[2], lines[1], *lines[3:]]))
    assert not np.array_equal(film.open_subject("02").bold, first)


def compact_of(folder, tmp_path, **changes):
    """Write subject 02 in the compact form beside the tables, with some arrays changed."""
    bold = studyforrest.load(folder).open_subject("02").bold
    arrays = {
        "bold": (bold * 2000).astype(np.int16),
        "scale": np.float32(0.0005),
        "labels": studyforrest.LABELS.astype(np.int16),
        "run_lengths": np.array(studyforrest.N_TRS, np.int16),
    }
    arrays = {name: value for name, value in (arrays | changes).items() if value is not None}
    target = shutil.copytree(folder, tmp_path / "compact", ignore=shutil.ignore_patterns("sub-*"))
    (target / "brains").mkdir()
    np.savez_compressed(target / "brains/sub-02_avmovie_shen278.npz", **arrays)
    return target


def test_the_compact_layout(small_film, tmp_path):
    film = studyforrest.load(compact_of(small_film, tmp_path))
    assert film.subjects == ("02",)
    expected = studyforrest.load(small_film).open_subject("02").bold
    np.testing.assert_allclose(film.open_subject("02").bold, expected, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.arange(267)}, r"npz lacks the parcels 267, .*expected the 267 parcels that all subjects have"),
        ({"labels": np.arange(1, 279)}, r"npz has bold of shape \(3599, 267\), expected \(3599, 278\)"),
        ({"run_lengths": np.array([451, 441])}, r"has runs of \[451, 441\] TRs, expected \[451, 441, 438"),
        ({"bold": np.zeros((3000, 267), np.int16)}, r"has bold of shape \(3000, 267\), expected \(3599, 267\)"),
        ({"scale": None}, "npz lacks scale, expected bold, scale, labels and run_lengths"),
        ({"scale": np.float32("nan")}, "npz has values that are NaN"),
        ({"bold": np.array([None, 1], dtype=object)}, r"npz was cut short or is no archive of arrays .*allow_pickle"),
    ],
)
def test_a_damaged_compact_file(small_film, tmp_path, changes, message):
    film = studyforrest.load(compact_of(small_film, tmp_path, **changes))
    with pytest.raises(ValueError, match=message):
        film.open_subject("02")


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_compact_file_that_was_cut(small_film, tmp_path, share):
    folder = compact_of(small_film, tmp_path)
    path = folder / "brains/sub-02_avmovie_shen278.npz"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"sub-02_avmovie_shen278\.npz was cut short"):
        studyforrest.load(folder).open_subject("02")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("onset", "begin", r"conf_audio_run-2_events\.tsv has the columns begin, .*, and lacks onset"),
        ("\t0\n", "\tx\n", r"conf_audio_run-2_events\.tsv is not a table of numbers"),
        ("880.00\t0.04", "980.00\t0.04", r"frames from 0 to 980 s and none in TR 440, expected frames in all 441 TRs"),
    ],
)
def test_damaged_frames(copy, old, new, message):
    path = copy / "segments/avmovie/conf_audio_run-2_events.tsv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        studyforrest.load(copy).low_level()


def test_frames_that_end_early(copy):
    path = copy / "segments/avmovie/conf_visual_run-5_events.tsv"
    whole = path.read_text()
    path.write_text(whole[: whole.index("\n600.00") + 1])
    with pytest.raises(ValueError, match=r"run-5_events\.tsv has frames from 0 to 598 s and none in TR 300, .*462 TRs"):
        studyforrest.load(copy).low_level()
    path.write_text(whole[:-3])
    with pytest.raises(ValueError, match=r"run-5_events\.tsv ends inside of row 462: it was cut short"):
        studyforrest.load(copy).low_level()
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks .*visual_run-5_events\.tsv and annotations/lowlevel_per_TR"):
        studyforrest.load(copy).low_level()


def test_means_that_end_early(real_forrest, tmp_path):
    folder = linked(real_forrest, tmp_path / "tables", ["published/segments", "annotations"])
    lines = (real_forrest / "annotations/lowlevel_per_TR.csv").read_text().splitlines(keepends=True)
    put(folder / "annotations/lowlevel_per_TR.csv", "".join(lines[:3000]))
    with pytest.raises(ValueError, match=r"lowlevel_per_TR\.csv has 280 rows of run 7, expected 542"):
        studyforrest.load(folder).low_level()
    assert len(studyforrest.load(folder, runs=["run-6"]).low_level()["log_rms"]) == 439


def test_an_atlas_that_is_another(real_forrest, tmp_path):
    folder = linked(real_forrest, tmp_path / "film", ["brains"])
    shutil.copytree(real_forrest / "brains", folder / "brains")
    film = studyforrest.load(folder)
    networks = folder / "brains/yeo_RS7_278.mat"
    networks.chmod(0o644)
    networks.write_bytes(networks.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"yeo_RS7_278\.mat is damaged or has no yeoROIs"):
        film.networks()
    atlas = folder / "brains/shen_3mm_278.nii.gz"
    atlas.chmod(0o644)
    atlas.write_bytes(atlas.read_bytes()[:9000])
    with pytest.raises(ValueError, match=r"shen_3mm_278\.nii\.gz is damaged or was cut short"):
        _ = film.open_subject("01").coordinates
