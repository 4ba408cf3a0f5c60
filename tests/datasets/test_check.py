"""A check of a folder lists everything that would stop an encoding model, and not only the first of it."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import soundfile
from naturalistic.datasets import experiments
from naturalistic.datasets.check import check_folder

from tests.helpers import bids_tree

N_TRS = 70
FUNC = "derivatives/fmriprep/sub-0{}/func/sub-0{}_task-story_run-{}"


@pytest.fixture
def folder(tmp_path):
    """Return two subjects with two runs of 140 s."""
    folder = tmp_path / "lab"
    bids_tree.write_description(folder, "Ours")
    for subject in "12":
        for run in (1, 2):
            stem = f"sub-0{subject}_task-story_run-{run}"
            bids_tree.write_run(folder, Path(f"sub-0{subject}/func"), stem, n_trs=N_TRS, seed=run)
    return folder


@pytest.fixture
def words(tmp_path):
    bids_tree.write_textgrid(tmp_path / "words.TextGrid", [f"w{k}" for k in range(135)])
    return tmp_path / "words.TextGrid"


def part(folder, subject, run, ending):
    return folder / f"{FUNC.format(subject, subject, run)}_{ending}"


def found(folder, **options):
    return check_folder(folder, **options)


def matches(sentences, *parts):
    return [s for s in sentences if all(p in s for p in parts)]


def test_a_whole_folder_has_no_problem(folder, words):
    findings = found(folder, stimulus=words, confounds=["motion", "wm_csf"])
    assert findings.problems == [] and findings.doubts == []
    report = findings.report()
    assert "2 subjects with 2 runs" in report and "repetition time 2 s" in report and "nothing would stop it" in report
    assert "the space by default: mni" in report


def test_all_problems_come_in_one_list(folder, tmp_path):
    image = part(folder, 1, 1, f"{bids_tree.MNI}_desc-preproc_bold.nii.gz")
    content = image.read_bytes()
    image.write_bytes(content[: len(content) // 2])  # half downloaded
    bids_tree.write_image(part(folder, 1, 2, f"{bids_tree.MNI}_desc-preproc_bold.nii.gz"), N_TRS, shape=(5, 5, 5))
    mask = part(folder, 2, 1, f"{bids_tree.MNI}_desc-brain_mask.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros(bids_tree.SHAPE, np.uint8), bids_tree.AFFINE), mask)  # 0 voxels
    (folder / "sub-02/func/sub-02_task-story_run-2_bold.json").write_text(json.dumps({"RepetitionTime": 1.5}))
    table = part(folder, 2, 2, "desc-confounds_timeseries.tsv")
    lines = table.read_text().splitlines()
    lines[9] = lines[9].replace(lines[9].split("\t")[12], "n/a")
    table.write_text("\n".join(lines))
    bids_tree.write_textgrid(tmp_path / "long.TextGrid", [f"w{k}" for k in range(400)])
    findings = found(folder, stimulus=tmp_path / "long.TextGrid", confounds=["wm_csf"])
    wanted = [
        ("sub-01_task-story_run-1", "cut short"), ("run-2", "another grid"), ("brain_mask", "is empty"),
        ("several repetition times", "1.5 s"), ("cells of csf are n/a", "row 9"), ("another run", "long.TextGrid"),
    ]  # fmt: skip
    for parts in wanted:
        assert matches(findings.problems, *parts), (parts, findings.problems)
    assert "it would stop" in findings.report()


def test_no_derivatives_and_no_folder(folder, tmp_path):
    shutil.rmtree(folder / "derivatives")
    findings = found(folder)
    assert matches(findings.problems, "has no derivatives/fmriprep: run fMRIPrep, name its output folder")
    assert not found(folder, space="raw").problems
    assert matches(found(tmp_path / "nowhere").problems, "nowhere is not a folder")
    (tmp_path / "empty").mkdir()
    assert matches(found(tmp_path / "empty").problems, "has no functional run")


def test_links_of_git_annex_and_spaces_that_differ(folder):
    image = part(folder, 2, 2, f"{bids_tree.MNI}_desc-preproc_bold.nii.gz")
    image.unlink()
    image.symlink_to("../../../.git/annex/objects/none")
    raw = folder / "sub-01/func/sub-01_task-story_run-1_bold.nii.gz"
    raw.write_text("/annex/objects/MD5E-s12--abc.nii.gz\n")
    findings = found(folder)
    assert matches(findings.doubts, "1 files are only named, links of git-annex", "git annex get")
    assert matches(findings.problems, "1 of 4 runs are not there in space mni: sub-02_task-story_run-2: fetch")
    assert matches(findings.problems, "is a git-annex pointer")


def test_missing_runs_sessions_tasks_and_names(folder):
    shutil.rmtree(folder / "derivatives/fmriprep/sub-02")
    for path in (folder / "sub-02/func").glob("*run-2*"):
        path.unlink()
    bids_tree.write_run(folder, Path("sub-01/func"), "sub-01_task-größe", n_trs=N_TRS)
    assert matches(found(folder).problems, "has the tasks größe, story: say which")
    findings = found(folder, task="story", subjects=[1, 2])
    assert matches(findings.doubts, "1 of 2 runs are there of every subject", "sub-02")
    assert matches(findings.problems, "1 of 3 runs are not there in space mni")
    assert matches(found(folder, task="größe").doubts, "names are not ASCII")
    assert matches(found(folder, task="story", subjects=[7]).problems, "has 01, 02")


def test_stimuli_that_do_not_fit(folder, words, tmp_path):
    by_run = {"run-1": words, "run-2": tmp_path / "none.srt"}
    findings = found(folder, stimulus=by_run)
    assert matches(findings.problems, "none.srt is missing") and len(findings.problems) == 1
    assert matches(found(folder, stimulus={"run-1": words}).problems, "has 0 of the transcripts run-1")
    assert len(matches(found(folder, stimulus=words, offset=20.0).doubts, "lie outside")) == 2
    soundfile.write(tmp_path / "short.wav", np.zeros(50 * 8000), 8000)
    assert matches(found(folder, audio=tmp_path / "short.wav").doubts, "90 s at its end have no stimulus")
    assert matches(found(folder, confounds=["compcor"]).problems, "confounds_timeseries.json is missing")


def test_published_series(tmp_path):
    folder = bids_tree.write_series(tmp_path / "ds003020", ("avatar", "hangtime"))
    findings = found(folder)
    assert not findings.problems and "2 subjects, 2 stories" in findings.report()
    (folder / "derivative/preprocessed_data/UTS01/avatar.hf5").write_bytes(b"\x89HDF")
    (folder / "derivative/TextGrids/hangtime.TextGrid").write_text("nothing")
    problems = found(folder).problems
    assert matches(problems, "avatar.hf5 is damaged") and matches(problems, "hangtime.TextGrid")


def test_files_of_a_stimulus_by_run(tmp_path):
    assert experiments.stimuli_by_run(None) is None and experiments.stimuli_by_run(["a.srt"]) == "a.srt"
    assert experiments.stimuli_by_run(["run-1=a.srt", "run-2=b.srt"]) == {"run-1": "a.srt", "run-2": "b.srt"}
    odd = tmp_path / "a=b.srt"
    odd.touch()
    assert experiments.stimuli_by_run([str(odd)]) == str(odd)
    with pytest.raises(ValueError, match=r"'b.srt' does not say of which run it is, expected RUN=FILE"):
        experiments.stimuli_by_run(["run-1=a.srt", "b.srt"])


def write_events(folder, subject, run, rows, header="onset\tduration\tword"):
    path = folder / f"sub-0{subject}/func/sub-0{subject}_task-story_run-{run}_events.tsv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_events_of_each_run(folder):
    rows = [f"{k}\t1\tw{k}" for k in range(135)]
    write_events(folder, 1, 1, rows)
    findings = found(folder, stimulus="events")
    assert matches(findings.problems, "3 of 4 runs have no file of events: sub-01_task-story_run-2, sub-02")
    (folder / "task-story_events.tsv").write_text("onset\tduration\tword\n" + "\n".join(rows) + "\n")
    findings = found(folder, stimulus="events")
    assert findings.problems == [] and findings.doubts == [] and "features of events: words of 'word'" in findings.facts
    assert len(matches(found(folder, stimulus="events", offset=20.0).doubts, "events lie outside of")) == 4
    assert matches(found(folder, stimulus="events", text="speech").problems, "has no column 'speech'")
    write_events(folder, 1, 1, [f"{200 + k}\t1\tw{k}" for k in range(135)])  # those of a later run
    write_events(folder, 1, 2, ["n/a\t1\tthe"])
    write_events(folder, 2, 1, ["0\t1\tthe"], "start\tduration\tword")
    write_events(folder, 2, 2, [])
    problems = found(folder, stimulus="events").problems
    assert matches(problems, "run-1_events.tsv: 135 of 135 events lie outside of sub-01", "are they of another run")
    assert matches(problems, "run-2_events.tsv, row 1: onset is 'n/a'", "fill it in, or remove the row")
    assert matches(problems, "sub-02_task-story_run-1_events.tsv has the columns start", "onset is missing")
    assert matches(problems, "sub-02_task-story_run-2_events.tsv has a header and no row") and len(problems) == 4


def test_columns_of_events(folder):
    header = "onset\tduration\ttrial_type\tloud\tresponse"
    rows = [f"{3 * k}\t3\tfilm\t{k % 5}\t{'n/a' if k == 7 else k}" for k in range(40)]
    (folder / "task-story_events.tsv").write_text("\n".join([header, *rows]) + "\n")
    findings = found(folder, stimulus="events")
    assert findings.problems == [] and "features of events: loud" in findings.facts
    assert matches(findings.doubts, "left out: ", "task-story_events.tsv, column 'trial_type' is 'film' in all events")
    assert matches(findings.doubts, "left out: ", "row 8: column 'response' is n/a (1 of 40 rows)")
    named = found(folder, stimulus="events", columns=["loud", "response", "size"])
    assert matches(named.problems, "row 8: column 'response' is n/a") and matches(named.problems, "no column 'size'")
    (folder / "task-story_events.tsv").write_text("onset\tduration\n0\t1\n")
    assert matches(found(folder, stimulus="events").problems, "events have no column besides onset and duration")


def test_a_file_of_events_may_be_named(folder, tmp_path):
    path = tmp_path / "other_events.tsv"
    path.write_text("onset\tduration\tloud\n" + "".join(f"{3 * k}\t3\t{k % 5}\n" for k in range(45)))
    assert found(folder, stimulus=path).problems == []
    path.write_text("onset\tduration\tloud\n" + "".join(f"{300 * k}\t3\t{k % 5}\n" for k in range(45)))
    assert matches(found(folder, stimulus=path).problems, "other_events.tsv plays", "lie outside")
    series = bids_tree.write_series(tmp_path / "ds003020", ("avatar",))
    assert matches(found(series, stimulus="events").problems, "no events of runs: leave the stimulus out")
