"""From a folder to a map: what `naturalistic encode` writes, that others open it, and that nothing half is left."""

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from naturalistic import cli
from naturalistic.anatomy import fslr
from naturalistic.anatomy.surface import meshes
from naturalistic.datasets.experiments import stimuli_by_run
from naturalistic.reporting.experiment import encode_folder

from tests.helpers import bids_tree

N_TRS = 120
MNI = "MNI152NLin2009cAsym"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return one subject with two runs, whose words are in a folder by run."""
    folder = tmp_path_factory.mktemp("lab") / "Hörbuch"
    bids_tree.write_description(folder, "Ours <b>")
    rng = np.random.default_rng(0)
    for run in (1, 2):
        bids_tree.write_run(folder, Path("sub-01/func"), f"sub-01_task-story_run-{run}", n_trs=N_TRS, seed=run)
        words = rng.choice([*"a boat sailed near the old harbour while she sang of storms".split(), "", ""], 230)
        bids_tree.write_textgrid(folder / "stimuli" / f"run-{run}.TextGrid", list(words))
    return folder


@pytest.fixture(scope="module")
def written(folder, tmp_path_factory):
    to = tmp_path_factory.mktemp("out") / "encoding"
    arguments = ["encode", folder, "--task", "story", "--stimulus", folder / "stimuli", "--model", "static:minilm",
                 "--permutations", "20", "--region", "brain", "--to", to]  # fmt: skip
    assert cli.main(list(map(str, arguments))) == 0
    return to


def test_it_is_a_derivative_with_scores_and_provenance(written):
    about = json.loads((written / "dataset_description.json").read_text())
    assert about["DatasetType"] == "derivative" and about["GeneratedBy"][0]["Name"] == "naturalistic"
    scores = pd.read_csv(written / "sub-01" / "sub-01_desc-encoding_scores.tsv", sep="\t")
    assert len(scores) == 60 and {"i", "x", "r_static", "r_beyond_controls", "p_static", "ceiling"} <= set(scores)
    provenance = json.loads((written / "provenance.json").read_text())
    choices = provenance["choices"]["01"]
    assert "trained on 1 other run, cut into 5 blocks" in choices["split"] and choices["space"] == f"mni, {MNI}"
    assert choices["confounds regressed out"] == "motion, wm_csf" and provenance["request"]["n_permutations"] == 20
    assert provenance["versions"]["nilearn"]


def test_maps_are_on_the_grid_of_the_scan(folder, written):
    image = nib.load(written / "sub-01" / f"sub-01_space-{MNI}_desc-rStatic_statmap.nii.gz")
    np.testing.assert_allclose(image.affine, bids_tree.AFFINE)
    assert image.shape == bids_tree.SHAPE and np.isfinite(image.get_fdata()).sum() == 60
    scores = pd.read_csv(written / "sub-01" / "sub-01_desc-encoding_scores.tsv", sep="\t").iloc[7]
    at = image.get_fdata()[int(scores["i"]), int(scores["j"]), int(scores["k"])]
    assert at == pytest.approx(scores["r_static"], abs=1e-5)


def test_the_report_is_one_page_that_loads_nothing(written):
    page = (written / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 2 and "Ours &lt;b&gt;" in page and "beyond controls" in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page) and "simulated" not in page.lower()
    for choice in ("split", "delays", "regression", "null", "ceiling", "confounds regressed out"):
        assert f"<td>{choice}</td>" in page


def test_an_earlier_result_is_replaced_and_another_folder_is_not(folder, written, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    words = stimuli_by_run([str(folder / "stimuli")])
    with pytest.raises(FileExistsError, match="mine exists and holds something else"):
        encode_folder(folder, tmp_path / "mine", stimulus=words)
    options = {"stimulus": words, "model": None, "n_permutations": 10, "region": "brain", "confounds": None}
    to = encode_folder(folder, tmp_path / "again", progress=False, **options)
    (to / "old.txt").touch()
    encode_folder(folder, to, progress=False, **options)
    assert not (to / "old.txt").exists() and (to / "report.html").is_file()
    assert [path.name for path in tmp_path.iterdir() if ".part" in path.name] == []
    choices = json.loads((to / "provenance.json").read_text())["choices"]["01"]
    assert choices["confounds regressed out"] == "none" and choices["main space"] == "word rate"


def test_problems_are_named_before_any_work(folder, tmp_path, capsys):
    status = cli.main(["encode", str(folder), "--stimulus", "none.srt", "--to", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert status == 2 and "1 problem (`naturalistic check` lists all): none.srt is missing" in error
    assert not (tmp_path / "out").exists()
    assert cli.main(["check", str(folder), "--stimulus", "none.srt"]) == 1
    assert "! none.srt is missing" in capsys.readouterr().out
    assert cli.main(["check", str(folder), "--stimulus", str(folder / "stimuli"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []


def test_a_slip_is_named_before_the_language_model_is_opened(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("naturalistic.reporting.experiment.load_model", lambda *_, **__: pytest.fail("opened"))
    arguments = ["encode", str(folder), "--stimulus", str(folder / "stimuli")]
    (tmp_path / "file").touch()
    slips = {
        "subject 01 has the runs task-story_run-1, task-story_run-2": [
            "--test",
            "run-9",
            "--to",
            str(tmp_path / "out"),
        ],
        "n_permutations is 0, expected": ["--permutations", "0", "--to", str(tmp_path / "out")],
        str(tmp_path / "file"): ["--to", str(tmp_path / "file" / "out")],  # where nothing can be written
    }
    for message, slip in slips.items():
        assert cli.main([*arguments, *slip]) == 2
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1


def test_fslr_is_drawn_by_the_sphere_of_templateflow(tmp_path, monkeypatch):
    """A vertex of fsaverage5 takes the value of the nearest vertex of fsLR on the sphere that both share."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((2, 32_492, 3))
    points *= 100 / np.linalg.norm(points, axis=2, keepdims=True)
    values = {"left": points[0, :, 2], "right": points[1, :, 1]}
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    assert fslr.fslr_to_fsaverage5(values) is None and str(tmp_path) in fslr.why_no_map(32_492)
    (tmp_path / "tpl-fsLR").mkdir()
    for side, x in zip("LR", points):
        array = nib.gifti.GiftiDataArray(x.astype(np.float32), intent="NIFTI_INTENT_POINTSET")
        name = f"tpl-fsLR_space-fsaverage_den-32k_hemi-{side}_sphere.surf.gii"  # entities in another order
        nib.save(nib.gifti.GiftiImage(darrays=[array]), tmp_path / "tpl-fsLR" / name)
    drawn = fslr.fslr_to_fsaverage5(values)
    for side, axis in (("left", 2), ("right", 1)):
        mesh = meshes("sphere")[("left", "right").index(side)].coordinates
        np.testing.assert_allclose(drawn[side], mesh[:, axis], atol=5)
    with pytest.raises(ValueError, match=r"sphere.surf.gii has points \(32492, 3\), expected"):
        monkeypatch.setitem(fslr._DENSITIES, 10, "32k")
        fslr.fslr_to_fsaverage5({side: np.zeros(10) for side in values})


@pytest.mark.slow
def test_surfaces_and_grayordinates_are_files_of_their_kind(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path / "templateflow"))
    func = folder / "derivatives/fmriprep/sub-01/func"
    for run in (1, 2):
        stem = f"sub-01_task-story_run-{run}"
        bids_tree.write_surfaces(func, stem, n_trs=N_TRS)
        bids_tree.write_grayordinates(func / f"{stem}_space-fsLR_den-91k_bold.dtseries.nii", N_TRS, seed=run)
    words = stimuli_by_run([str(folder / "stimuli")])
    options = {"stimulus": words, "model": None, "n_permutations": 5, "progress": False}
    to = encode_folder(folder, tmp_path / "surface", space="fsaverage5", **options)
    pair = [
        nib.load(to / "sub-01" / f"sub-01_hemi-{h}_space-fsaverage5_desc-rWordRate_statmap.shape.gii") for h in "LR"
    ]
    assert [image.darrays[0].data.shape for image in pair] == [(10_242,)] * 2
    assert pair[0].meta["AnatomicalStructurePrimary"] == "CortexLeft"
    to = encode_folder(folder, tmp_path / "gray", space="fsLR", **options)
    image = nib.load(to / "sub-01" / "sub-01_space-fsLR_desc-encoding_statmap.dscalar.nii")
    assert image.shape == (3, 80) and image.header.get_axis(0).name[0] == "rWordRate"
    scores = pd.read_csv(to / "sub-01" / "sub-01_desc-encoding_scores.tsv", sep="\t")
    assert scores["hemisphere"].tolist() == ["left"] * 40 + ["right"] * 40 and scores["vertex"][0] == 5
    page = (to / "report.html").read_text(encoding="utf-8")
    assert "nilearn has no mesh of fsLR" in page and "templateflow.api.get(&#x27;fsLR&#x27;" in page
    assert "By hemisphere" in page and page.count("<td>40</td>") == 2


def both(folder, to, capsys, *arguments, n_permutations=20):
    """Check and encode a folder from the command line, as the chapter says; return what the check printed."""
    capsys.readouterr()
    assert cli.main(["check", str(folder), *arguments]) == 0
    report = capsys.readouterr().out
    options = ["--model", "static:minilm", "--permutations", str(n_permutations), "--region", "brain", "--to", str(to)]
    assert cli.main(["encode", str(folder), *arguments, *options]) == 0
    assert capsys.readouterr().out == f"report: {to / 'report.html'}\n" and (to / "report.html").is_file()
    return report


def test_published_series_need_no_stimulus(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    folder = bids_tree.write_series(tmp_path / "ds003020", ("avatar", "hangtime", "life", "naked"), ("UTS01",), pause=7)
    assert both(folder, tmp_path / "out", capsys, "--subjects", "UTS01").endswith("nothing would stop it\n")
    to = tmp_path / "out"
    assert "No map on the cortex (scores are in the table)" in (to / "report.html").read_text(encoding="utf-8")
    assert not list(to.glob("sub-*/*statmap*"))
    scores = pd.read_csv(to / "sub-UTS01" / "sub-UTS01_desc-encoding_scores.tsv", sep="\t")
    assert len(scores) == 12 and scores["r_word_rate"].isna()[0]
    assert "published series" in json.loads((to / "provenance.json").read_text())["choices"]["UTS01"]["preparation"]


def test_published_series_are_drawn_by_the_surfaces_that_come_with_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "ds003020"
    coordinates = bids_tree.write_pycortex(folder, voxel_size=6.0)
    stories = ("avatar", "hangtime", "life", "naked")
    bids_tree.write_series(folder, stories, ("UTS01",), n_voxels=len(coordinates), pause=7)
    bids_tree.follow_words(folder, coordinates[:, 1] < -40)  # the back of the brain follows the rate of words
    report = both(folder, tmp_path / "out", capsys, "--subjects", "UTS01", n_permutations=100)
    assert "to be looked at: 0" in report
    own = tmp_path / "out" / "sub-UTS01"
    scores = pd.read_csv(own / "sub-UTS01_desc-encoding_scores.tsv", sep="\t")
    np.testing.assert_allclose(scores[["x", "y", "z"]], coordinates, atol=1.5)
    follows = scores["y"] < -40
    assert scores["r_word_rate"][follows].mean() > 0.5 > 0.1 > scores["r_word_rate"][~follows].mean()
    image = nib.load(own / "sub-UTS01_space-func_desc-rWordRate_statmap.nii.gz")
    values = image.get_fdata()[tuple(scores[axis] for axis in "ijk")]
    np.testing.assert_allclose(values, scores["r_word_rate"], atol=1e-5, equal_nan=True)
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "No map" not in page and "on flat maps of fsaverage5" in page


def write_events(folder, run, columns, subject="01"):
    """Write events of a run beside its image, columns by name."""
    path = folder / f"sub-{subject}/func/sub-{subject}_task-story_run-{run}_events.tsv"
    pd.DataFrame(columns).to_csv(path, sep="\t", index=False, na_rep="n/a")
    return path


@pytest.fixture
def eventful(tmp_path):
    """Return one subject with three runs, each with events of its own."""
    folder = tmp_path / "lab"
    bids_tree.write_description(folder, "Events")
    for run in (1, 2, 3):
        bids_tree.write_run(folder, Path("sub-01/func"), f"sub-01_task-story_run-{run}", n_trs=90, seed=run)
        rng = np.random.default_rng(run)
        onsets = np.cumsum(rng.uniform(1.5, 5, 50)).round(2)
        columns = {
            "onset": onsets, "duration": 1.5, "trial_type": rng.choice(["indoor", "outdoor"], 50),
            "luminance": rng.uniform(1, 9, 50).round(2), "word": rng.choice(["boat", "storm", "sailed"], 50),
            "response_time": np.nan,
        }  # fmt: skip
        write_events(folder, run, columns)
    return folder


COMMON = ["--model", "static:minilm", "--permutations", "20", "--region", "brain", "--stimulus", "events"]


@pytest.mark.slow
def test_events_of_runs_are_a_stimulus(eventful, tmp_path, capsys):
    arguments = ["encode", str(eventful), *COMMON, "--to", str(tmp_path / "words")]
    assert cli.main(arguments) == 0
    scores = pd.read_csv(tmp_path / "words/summary.tsv", sep="\t")
    assert scores["model"].tolist() == ["word rate", "static", "beyond controls"]
    for path in eventful.glob("sub-01/func/*_events.tsv"):
        pd.read_csv(path, sep="\t").drop(columns="word").to_csv(path, sep="\t", index=False, na_rep="n/a")
    capsys.readouterr()
    assert cli.main(["check", str(eventful), "--stimulus", "events"]) == 0
    said = capsys.readouterr().out
    assert "features of events: trial_type, luminance" in said and "column 'response_time' is empty" in said
    arguments = ["encode", str(eventful), *COMMON, "--main", "trial_type", "--to", str(tmp_path / "columns")]
    assert cli.main(arguments) == 0
    scores = pd.read_csv(tmp_path / "columns/summary.tsv", sep="\t")
    assert scores["model"].tolist() == ["event rate", "trial_type", "luminance", "beyond controls"]
    provenance = json.loads((tmp_path / "columns/provenance.json").read_text())
    assert provenance["choices"]["01"]["main space"] == "trial_type" and provenance["request"]["stimulus"] == "events"
    assert provenance["choices"]["01"]["controls"].startswith("event rate, at each TR")
    assert any("column 'response_time' is empty" in note for note in provenance["notes"])


def test_what_is_wrong_with_events_is_said_before_any_work(eventful, tmp_path, capsys):
    to = ["--to", str(tmp_path / "out")]
    path = eventful / "sub-01/func/sub-01_task-story_run-2_events.tsv"
    assert cli.main(["encode", str(eventful), *COMMON, "--columns", "speed", *to]) == 2
    assert "run-1_events.tsv has no column 'speed', but besides onset and duration" in capsys.readouterr().err
    path.rename(tmp_path / "kept.tsv")
    assert cli.main(["encode", str(eventful), *COMMON, *to]) == 2
    assert "1 of 3 runs have no file of events: sub-01_task-story_run-2" in capsys.readouterr().err
    table = pd.read_csv(tmp_path / "kept.tsv", sep="\t")
    table["onset"] *= 1000
    table.to_csv(path, sep="\t", index=False)
    assert cli.main(["encode", str(eventful), *COMMON, *to]) == 2
    assert "run-2_events.tsv: 50 of 50 events lie outside of sub-01" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def choices_of(to, label):
    return json.loads((to / "provenance.json").read_text(encoding="utf-8"))["choices"][label]


@pytest.mark.slow
def test_layout_of_narratives(tmp_path, capsys):
    """Raw names and sidecars of ds002345, fMRIPrep 20.0's names, words aligned by Gentle; two runs play one story."""
    folder = tmp_path / "ds002345"
    bids_tree.write_description(folder, "Narratives")
    func = Path("sub-001/func")
    for run in (1, 2):
        stem = f"sub-001_task-pieman_run-{run}"
        bids_tree.write_run(folder, func, stem, n_trs=150, tr=1.5, seed=run)
        table = folder / "derivatives/fmriprep" / func / f"{stem}_desc-confounds_timeseries.tsv"
        table.rename(table.with_name(f"{stem}_desc-confounds_regressors.tsv"))
        events = "onset\tduration\ttrial_type\n0.0\t12.0\tmusic\n12.0\t210.0\tstory\n"
        (folder / func / f"{stem}_events.tsv").write_text(events)
    bids_tree.write_run(folder, func, "sub-001_task-tunnel", n_trs=150, tr=1.5)
    rng = np.random.default_rng(1)
    starts = np.cumsum(rng.uniform(0.2, 1.2, 290))
    words = [{"word": f"w{k}", "case": "success", "start": s, "end": s + 0.2} for k, s in enumerate(starts)]
    (tmp_path / "align.json").write_text(json.dumps({"transcript": "", "words": words}))
    where = ["--task", "pieman", "--stimulus", str(tmp_path / "align.json")]
    assert "1 subject with 2 runs" in both(folder, tmp_path / "out", capsys, *where)
    choices = choices_of(tmp_path / "out", "001")
    assert choices["split"].startswith("All 2 runs played the same and were averaged. One run, cut into 6 blocks")
    assert "presented 2 times" in choices["ceiling"] and choices["confounds regressed out"] == "motion, wm_csf"


@pytest.mark.slow
def test_layout_of_le_petit_prince(tmp_path, capsys):
    """Derivatives of ds003643 lie in derivatives/ itself, without masks and confounds; raw runs have three echoes."""
    folder = tmp_path / "ds003643"
    bids_tree.write_description(folder, "Le Petit Prince")
    rng = np.random.default_rng(2)
    for run in (15, 16, 17):
        stem = f"sub-EN057_task-lppEN_run-{run}"
        for echo in (1, 2, 3):
            bids_tree.write_run(folder, Path("sub-EN057/func"), f"{stem}_echo-{echo}", n_trs=5, prepared=False)
        image = folder / "derivatives/sub-EN057/func" / f"{stem}_space-MNIColin27_desc-preproc_bold.nii.gz"
        bids_tree.write_head(image, 100, seed=run)
        words = rng.choice(["le", "petit", "prince", "", "dessine"], 190)
        bids_tree.write_textgrid(tmp_path / "words" / f"run-{run}.TextGrid", list(words))
    to = tmp_path / "out"
    where = ["--task", "lppEN", "--subjects", "EN057", "--stimulus", str(tmp_path / "words")]
    assert "3 of 3 runs have no brain mask" in both(folder, to, capsys, *where)
    choices = choices_of(to, "EN057")
    assert "Tested on task-lppEN_run-17, trained on 2 other runs" in choices["split"]
    assert choices["confounds regressed out"] == "none" and choices["space"] == "mni, MNIColin27"
    assert (to / "sub-EN057/sub-EN057_space-MNIColin27_desc-rStatic_statmap.nii.gz").is_file()
    notes = json.loads((to / "provenance.json").read_text(encoding="utf-8"))["notes"]
    assert any("3 of 3 runs have no brain mask" in note for note in notes)
