import shutil

import numpy as np
import pytest
from naturalistic.datasets import alice
from naturalistic.datasets.download import DownloadError
from naturalistic.datasets.words import read_textgrid
from naturalistic.inference import leave_one_out_correlation
from naturalistic.preprocessing import high_pass
from naturalistic_simulation import simulate_story, truth


@pytest.fixture
def copy(simulated_story, tmp_path):
    """A copy of the simulated story that a test may damage."""
    return shutil.copytree(simulated_story, tmp_path / "alice")


def test_the_real_data_open(real_alice):
    story = alice.load()
    assert story.folder == real_alice and not story.is_simulated
    assert story.bold.shape == (27, 362, 6) and story.bold.dtype == np.float32
    assert story.motion.shape == (27, 362, 6)
    assert "s33" not in story.subjects and any("s33" in note for note in story.notes)
    assert story.words[:6] == ["Alice", "was", "beginning", "to", "get", "very"]
    assert story.onsets[0] == pytest.approx(0.0589, abs=1e-3)  # TR 0 is at 20 s of the TextGrid
    assert all(word.strip() == word != "" for word in story.words)


def test_the_real_data_have_the_known_leave_one_out_correlation(real_alice):
    story = alice.load()
    bold = np.stack([high_pass(b, story.tr, 0.008) for b in story.bold])
    values = leave_one_out_correlation(bold, story.runs).mean(axis=0)
    np.testing.assert_allclose(values, alice.KNOWN_LEAVE_ONE_OUT, atol=0.03)


def test_the_real_word_rate_lies_at_20_s(real_alice):
    """Word onsets convolved with an HRF agree with the supplied regressor at the offset that we use, and no other."""
    from nilearn.glm.first_level import spm_hrf

    story, step = alice.load(), 0.1
    hrf = spm_hrf(step, oversampling=1)

    def agreement(offset):
        counts = np.histogram(story.onsets + offset, bins=np.arange(0, 724 + step / 2, step))[0]
        rate = np.convolve(counts, hrf)[: len(counts)][::20]
        return np.corrcoef(rate[story.covered], story.word_rate[story.covered])[0, 1]

    by_offset = {offset: agreement(offset) for offset in (-4, -2, 0, 2, 4)}
    assert max(by_offset, key=by_offset.get) == 0 and by_offset[0] > 0.9


def test_the_ground_truth_of_a_story_is_known(simulated_story, tmp_path):
    known = truth.of_story(simulated_story)
    assert list(known.columns) == ["region", "word rate", "kind of scene", "shared"]
    assert tuple(known["region"]) == alice.ROIS
    assert list(known[known["kind of scene"] > 0]["region"]) == ["LATL", "LPTL", "LIFG"]
    assert truth.of_story(tmp_path) is None  # measured data have none


def test_the_simulated_story_has_the_same_shape(simulated_story):
    story = alice.load(simulated_story)
    assert story.is_simulated and story.bold.shape == (27, 362, 6) and story.covered.all()
    assert story.notes == ["s33: left out, every value is zero"]
    assert 1500 < len(story.words) < 2500
    assert (np.diff(story.onsets) > 0).all() and (story.offsets >= story.onsets).all()


@pytest.mark.slow
def test_the_simulated_story_is_the_same_for_the_same_seed(simulated_story, tmp_path):
    again = simulate_story(tmp_path / "again")
    names = sorted(p.relative_to(simulated_story) for p in simulated_story.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    assert all((simulated_story / n).read_bytes() == (again / n).read_bytes() for n in names)
    assert simulate_story(tmp_path / "again") == again  # there already: left alone
    other = simulate_story(tmp_path / "other", seed=1)
    assert (other / alice.TEXTGRID).read_bytes() != (again / alice.TEXTGRID).read_bytes()


def test_the_simulated_story_does_not_overwrite(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileExistsError, match="is not this simulated story"):
        simulate_story(tmp_path / "mine")


def test_subjects_and_radius(simulated_story):
    story = alice.load(simulated_story, radius=6, subjects=["s22", "s18"])
    assert story.subjects == ["s22", "s18"] and len(story.bold) == 2
    assert not np.array_equal(story.bold, alice.load(simulated_story, subjects=["s22", "s18"]).bold)
    assert alice.load(simulated_story, subjects="[s22, s18]").subjects == [
        "s22",
        "s18",
    ]  # as papermill -p hands it over


def cut_textgrid(folder):
    path = folder / alice.TEXTGRID
    path.write_text(path.read_text()[:100_000])


def short_run(folder):
    path = folder / "alice_data_shared" / "10mm" / "s22-timecourses.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:361]))


def letters(folder):
    path = folder / "alice_data_shared" / "10mm" / "s22-timecourses.txt"
    path.write_text(path.read_text().replace("e+", "x", 1))


def nan(folder):
    path = folder / "alice_data_shared" / "10mm" / "s22-timecourses.txt"
    table = np.loadtxt(path)
    table[3, 2] = np.nan
    np.savetxt(path, table)


def no_motion(folder):
    (folder / "alice_data_shared" / "s22-rp_made.txt").unlink()


def no_textgrid(folder):
    (folder / alice.TEXTGRID).unlink()


def no_rate(folder):
    (folder / "alice_data_shared" / "s22-rate.txt").unlink()


def constant_rate(folder):
    np.savetxt(folder / "alice_data_shared" / "s22-rate.txt", np.full(362, 1.5))


def no_text(folder):
    (folder / alice.TEXTGRID).write_text("")


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (cut_textgrid, ValueError, r"TextGrid is cut: it announces \d+ intervals up to .* s and holds \d+, up to"),
        (short_run, ValueError, "s22-timecourses.txt has 361 rows and 6 columns, expected 362 and 6"),
        (letters, ValueError, "s22-timecourses.txt is not a table of numbers"),
        (nan, ValueError, "s22-timecourses.txt has 1 values that are NaN"),
        (no_motion, FileNotFoundError, r"has 0 files s22-rp_\*.txt, expected one"),
        (no_textgrid, FileNotFoundError, "TextGrid is missing"),
        (no_rate, FileNotFoundError, "s22-rate.txt is missing: expected 362 rows"),
        (constant_rate, ValueError, r"alice_data_shared: s22-rate\.txt is constant"),
        (no_text, ValueError, "is not a TextGrid"),
    ],
)
def test_damaged_data(copy, damage, error, message):
    damage(copy)
    with pytest.raises(error, match=message):
        alice.load(copy)


def test_bad_arguments(simulated_story, tmp_path):
    with pytest.raises(ValueError, match=r"subjects is 's18', expected a list"):
        alice.load(simulated_story, subjects="s18")
    with pytest.raises(ValueError, match="radius is 8"):
        alice.load(simulated_story, radius=8)
    with pytest.raises(ValueError, match=r"subjects \['s99'\] are not in"):
        alice.load(simulated_story, subjects=["s18", "s99"])
    with pytest.raises(ValueError, match="subjects s18, s22, s18: expected each once"):
        alice.load(simulated_story, subjects=["s18", "s22", "s18"])
    with pytest.raises(ValueError, match=r"no subject of .* has a signal: s33"):
        alice.load(simulated_story, subjects=["s33"])
    with pytest.raises(FileNotFoundError, match="expected the Alice data's layout"):
        alice.load(tmp_path)
    with pytest.raises(ValueError, match="fallback is True, expected None or 'simulated'"):
        alice.load(simulated_story, fallback=True)


def test_own_copy_is_checked(copy, monkeypatch):
    """What $NATURALISTIC_DATA holds must be the published files, whole."""
    monkeypatch.setenv("NATURALISTIC_DATA", str(copy.parent))
    with pytest.raises(FileNotFoundError, match="lacks 30 of 144 files"):  # it names its motion otherwise
        alice.load()
    for name in alice.manifest():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).touch()
    with pytest.raises(ValueError, match=r"is not the published file \(another SHA-256\)"):
        alice.load()


def test_a_folder_without_alice_and_no_network(simulated_story, tmp_path, monkeypatch, capsys):
    """Each step down is said: from one's own data to the public copy, and from that to made data."""

    def unreachable(*_):
        raise DownloadError("the server could not be reached")

    monkeypatch.setenv("NATURALISTIC_DATA", str(tmp_path))
    monkeypatch.setattr(alice, "download_manifest", unreachable)
    with pytest.raises(DownloadError, match="the server could not be reached"):
        alice.load()
    assert alice.load(fallback="simulated").is_simulated
    said = capsys.readouterr().out
    assert said.count(f"$NATURALISTIC_DATA ({tmp_path}) has no folder alice; looking in the cache") == 2
    assert said.count("SIMULATED DATA: the Alice data are not to be had here") == 1


HEAD = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 9\ntiers? <exists>\nsize = 1\nitem []:\n'
)
HEAD += '  class = "IntervalTier"\n  name = "word"\n  xmin = 0\n  xmax = 9\n  intervals: size = {}\n'
ROW = '  intervals [{}]:\n  xmin = {}\n  xmax = {}\n  text = "{}"\n'


def test_textgrid_details(tmp_path):
    path = tmp_path / "t.TextGrid"
    rows = [(0, 1, "sp"), (1, 2, "caf\u00e9 "), (2, 3, ""), (3, 4, 'say ""so""'), (4, 5, "n't")]
    path.write_text(HEAD.format(6) + "".join(ROW.format(k, *r) for k, r in enumerate(rows, 1)), encoding="utf-8")
    with pytest.raises(ValueError, match=r"announces 6 intervals up to 9.0 s and holds 5, up to 5.0 s"):
        read_textgrid(path)
    transcript = read_textgrid(path, allow_cut=True)
    assert transcript.words == ["caf\u00e9", 'say "so"', "n't"]
    assert transcript.onsets.tolist() == [1, 3, 4] and transcript.missing == 1 and transcript.end == 5
    path.write_text(HEAD.format(2) + ROW.format(1, 3, 4, "a") + ROW.format(2, 1, 2, "b"))
    with pytest.raises(ValueError, match="times of interval 2 do not ascend"):
        read_textgrid(path)
