"""What a folder may have wrong, on the command line: `check` lists it, `encode` stops at once or notes it."""

import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from naturalistic import cli

from tests.helpers import bids_tree

N_TRS = 90
PREPARED = "derivatives/fmriprep/sub-01/func/sub-01_task-story_run-{}_"
IMAGE = PREPARED + f"{bids_tree.MNI}_desc-preproc_bold.nii.gz"
MASK = PREPARED + f"{bids_tree.MNI}_desc-brain_mask.nii.gz"
TABLE = PREPARED + "desc-confounds_timeseries.tsv"


@pytest.fixture
def lab(tmp_path):
    """Return the folder of a subject with two runs of 180 s, and that of its words by run."""
    folder = tmp_path / "lab"
    bids_tree.write_description(folder, "Ours")
    rng = np.random.default_rng(0)
    for run in (1, 2):
        bids_tree.write_run(folder, Path("sub-01/func"), f"sub-01_task-story_run-{run}", n_trs=N_TRS, seed=run)
        words = rng.choice(["boat", "storm", "sailed", "", "home"], 170)
        bids_tree.write_textgrid(tmp_path / "words" / f"run-{run}.TextGrid", list(words))
    return folder


def no_derivatives(folder):
    shutil.rmtree(folder / "derivatives")


def half_downloaded(folder):
    path = folder / IMAGE.format(2)
    path.write_bytes(path.read_bytes()[:9000])


def another_tr(folder):
    (folder / "sub-01/func/sub-01_task-story_run-2_bold.json").write_text(json.dumps({"RepetitionTime": 1.5}))


def much_shorter(folder):
    bids_tree.write_image(folder / IMAGE.format(2), 40, seed=9)
    bids_tree.write_confounds(folder / TABLE.format(2), 40)


def stimulus_of_a_later_run(folder):
    bids_tree.write_textgrid(folder.parent / "words" / "run-2.TextGrid", ["boat", "storm"] * 80, start=400.0)


def stimulus_of_one_run_alone(folder):
    (folder.parent / "words" / "run-2.TextGrid").unlink()


def spaces_differ(folder):
    path = folder / IMAGE.format(2)
    path.rename(path.with_name(path.name.replace(bids_tree.MNI, "space-T1w")))


def mask_of_another_place(folder):
    affine = bids_tree.AFFINE.copy()
    affine[:3, 3] += 300
    nib.save(nib.Nifti1Image(np.ones(bids_tree.SHAPE, np.uint8), affine), folder / MASK.format(1))


def no_voxel(folder):
    nib.save(nib.Nifti1Image(np.zeros(bids_tree.SHAPE, np.uint8), bids_tree.AFFINE), folder / MASK.format(1))


def confounds_not_a_number(folder):
    path = folder / TABLE.format(1)
    rows = path.read_text().splitlines()
    cells = rows[9].split("\t")
    cells[0] = "n/a"
    path.write_text("\n".join([*rows[:9], "\t".join(cells), *rows[10:]]))


def link_to_nowhere(folder):
    path = folder / IMAGE.format(2)
    path.unlink()
    path.symlink_to("../../../../.git/annex/objects/none.nii.gz")


def confounds_missing(folder):
    (folder / TABLE.format(2)).unlink()


def words_only_named(folder):
    (folder.parent / "words" / "run-2.TextGrid").write_text("/annex/objects/MD5E-s33--0123.TextGrid\n")


def link_of_words_to_nowhere(folder):
    path = folder.parent / "words" / "run-2.TextGrid"
    path.unlink()
    path.symlink_to("../.git/annex/objects/none.TextGrid")


def no_words(folder):
    bids_tree.write_textgrid(folder.parent / "words" / "run-2.TextGrid", [""] * 170)


STOPS = {
    confounds_missing: "no confounds of run task-story_run-2 of subject 01",
    words_only_named: "run-2.TextGrid is a git-annex pointer, not the file itself",
    link_of_words_to_nowhere: "run-2.TextGrid is missing: expected a transcript with times, and is there by name only",
    no_words: "run-2.TextGrid has no words: is it the right file",
    no_derivatives: "lab has no derivatives/fmriprep: run fMRIPrep, name its output folder",
    half_downloaded: "ends after other bytes than its header promises|was cut short|is damaged",
    another_tr: "runs have several repetition times (2 s: sub-01_task-story_run-1; 1.5 s: sub-01_task-story_run-2)",
    much_shorter: "sub-01_task-story_run-2 is scanned for 80 s: 5",
    stimulus_of_a_later_run: "run-2.TextGrid plays 400 to 560 s, sub-01_task-story_run-2 is scanned for 180 s: 100% ",
    stimulus_of_one_run_alone: "run 'task-story_run-2' has 0 of the transcripts run-1, expected one",
    spaces_differ: "1 of 2 runs are not there in space",
    mask_of_another_place: "brain_mask.nii.gz lies elsewhere than the run, 0% of it in the field of view",
    no_voxel: "brain_mask.nii.gz is empty",
    confounds_not_a_number: "row 9",
    link_to_nowhere: "1 of 2 runs are not there in space mni: sub-01_task-story_run-2: fetch them",
}


def arguments_of(folder):
    words = folder.parent / "words"
    return [str(folder), "--task", "story", "--stimulus", str(words), "--confounds", "motion", "wm_csf"]


@pytest.mark.parametrize("damage", STOPS, ids=lambda damage: damage.__name__)
def test_what_stops_is_listed_and_stops_at_once(lab, tmp_path, capsys, damage):
    damage(lab)
    assert cli.main(["check", *arguments_of(lab)]) == 1
    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ! ")]
    assert any(part in line for line in listed for part in STOPS[damage].split("|")), listed
    assert len(listed) == len(set(listed))
    assert cli.main(["encode", *arguments_of(lab), "--region", "brain", "--to", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert any(part in said for part in STOPS[damage].split("|")), said
    assert re.search(r"\d problems? \(`naturalistic check` lists all\)", said) and said.count("\n") == 1
    assert not list(tmp_path.glob("out*"))


def words_outside(folder):
    bids_tree.write_textgrid(folder.parent / "words" / "run-2.TextGrid", ["boat", "", "storm"] * 75)


def mask_of_another_grid(folder):
    """The same place in coarser voxels."""
    affine = bids_tree.AFFINE @ np.diag([2, 2, 2, 1.0])
    nib.save(nib.Nifti1Image(np.ones((3, 4, 3), np.uint8), affine), folder / MASK.format(1))


def session_missing_for_one(folder):
    for seed in (7, 8):
        stem = f"sub-02_task-story_run-{seed - 6}"
        bids_tree.write_run(folder, Path("sub-02/func"), stem, n_trs=N_TRS, seed=seed)
    bids_tree.write_run(folder, Path("sub-02/func"), "sub-02_task-story_run-3", n_trs=N_TRS, seed=9)
    words = folder.parent / "words"
    shutil.copy(words / "run-1.TextGrid", words / "run-3.TextGrid")  # and it repeats the first


def names_not_ascii(folder):
    for path in sorted(folder.rglob("*task-story*")):
        path.rename(path.with_name(path.name.replace("task-story", "task-größe")))


NOTED = {
    mask_of_another_grid: "brain_mask.nii.gz has another grid than its run (shape (3, 4, 3)",
    words_outside: "run-2.TextGrid plays 0 to 224 s, sub-01_task-story_run-2 is scanned for 180 s: 20% lie outside",
    session_missing_for_one: "2 of 3 runs are there of every subject; not all of sub-01 (task-story_run-3)",
    names_not_ascii: "2 names are not ASCII (sub-01_task-größe_run-1, sub-01_task-größe_run-2): they work here",
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", NOTED, ids=lambda damage: damage.__name__)
def test_what_does_not_stop_is_noted_in_the_report(lab, tmp_path, capsys, damage):
    damage(lab)
    arguments = arguments_of(lab)
    if damage is names_not_ascii:
        arguments[arguments.index("story")] = "größe"
    assert cli.main(["check", *arguments]) == 0
    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ? ")]
    assert any(NOTED[damage] in line for line in listed), listed
    to = tmp_path / "out"
    options = ["--model", "static:minilm", "--permutations", "10", "--region", "brain", "--to", str(to)]
    assert cli.main(["encode", *arguments, *options]) == 0
    notes = json.loads((to / "provenance.json").read_text(encoding="utf-8"))["notes"]
    assert any(NOTED[damage] in note for note in notes), notes
