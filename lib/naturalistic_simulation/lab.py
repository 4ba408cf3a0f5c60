"""Simulated experiment of a lab: a story in three simulated brains, in the layout that fMRIPrep leaves.

Two sessions of two runs, TR 1.5 s; the third subject lacks a run. Each run plays another part of a story whose scenes
change. Auditory regions follow the rate of words, language regions the kind of scene, all voxels move with the head.
The raw scans are not there: only their sidecar. The ground truth is saved beside the data.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from naturalistic.anatomy.regions import NAMES, nearest
from naturalistic.anatomy.template import mni152_template
from naturalistic.datasets.images import nearest_values
from naturalistic.parameters import whole
from nilearn.glm.first_level import spm_hrf
from numpy.typing import NDArray

from naturalistic_simulation.false_positives import smooth_noise
from naturalistic_simulation.folders import write_whole
from naturalistic_simulation.story import SCENES, tell

TR = 1.5
N_TRS = 180
N_DUMMIES = 2
START = 6.0  # s of the scan at which the story begins
SUBJECTS = ("01", "02", "03")
RUNS = (("1", "1"), ("1", "2"), ("2", "1"), ("2", "2"))  # session, run
LACKING = ("03", ("1", "2"))
TASK = "story"
SPACE = "MNI152NLin2009cAsym"
AFFINE = np.array([[-9.0, 0, 0, 81], [0, 9, 0, -117], [0, 0, 9, -72], [0, 0, 0, 1]])
SHAPE = (19, 23, 19)
SCENE_LENGTH = (8.0, 16.0)  # s
# what a region follows, and the standard deviation of it beside that of the noise, 1
FOLLOWS = {
    "primary auditory": ("word rate", 1.2),
    "auditory belt": ("word rate", 0.9),
    "anterior temporal": ("kind of scene", 1.0),
    "lateral prefrontal": ("kind of scene", 0.9),
    "precuneus": ("kind of scene", 0.9),
}
HEAD = 1.0  # of the motion in all voxels
N_BYTES = 60_000_000  # at most
_STEP = 0.1  # s
_SCALE = 10.0  # units of the scanner in a standard deviation of the noise
_MOTION = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
README = """SIMULATED DATA. No brain was measured and nobody heard this story.

Written by naturalistic_simulation.lab (recipe 1, seed {seed}) in the layout of a lab's BIDS folder with fMRIPrep's
output, so that an analysis can be tried before there are data. The ground truth is in derivatives/truth.
"""


def simulate_lab(folder: Path | str, seed: int = 2026) -> Path:
    """Write the simulated experiment, unless the folder holds it already.

    Parameters
    ----------
    folder : str or Path
        Written whole or not at all.
    seed : int
        The same seed gives the same data.

    Returns
    -------
    folder : Path

    Raises
    ------
    FileExistsError
        If the folder holds something else.
    RequestError
        If the folder cannot be written, or the disk has too little room.
    """
    seed = whole("seed", seed, 0)
    readme = README.format(seed=seed)

    def write(part: Path) -> None:
        _write(part, readme, seed)

    return write_whole(folder, readme, N_BYTES, write, "simulated experiment")


def load_truth(folder: Path | str) -> NDArray:
    """Return what each voxel follows: 0 nothing, 1 the rate of words, 2 the kind of scene; int8 (x, y, z).

    Parameters
    ----------
    folder : str or Path
        Of `simulate_lab`.
    """
    return np.asarray(nib.load(Path(folder) / "derivatives" / "truth" / "follows.nii.gz").dataobj).astype(np.int8)


def _write(folder: Path, readme: str, seed: int) -> None:
    prepared = folder / "derivatives" / "fmriprep"
    _describe(folder, "Simulated data (a story, layout of fMRIPrep)", "raw")
    _describe(prepared, "Simulated output of fMRIPrep", "derivative")
    (folder / "README").write_text(readme, encoding="utf-8")
    sidecar = {"RepetitionTime": TR, "TaskName": TASK, "ImageComments": "simulated, no brain was measured"}
    (folder / f"task-{TASK}_bold.json").write_text(json.dumps(sidecar, indent=1), encoding="utf-8")
    brain = _brain()
    follows, strength = _regions(brain)
    preferences = np.random.default_rng([seed, 0]).standard_normal((len(SCENES), len(FOLLOWS)))
    drives = []
    for k, (session, run) in enumerate(RUNS):
        intervals, scenes = _part_of_story(np.random.default_rng([seed, 1, k]))
        _write_words(folder / "stimuli" / f"ses-{session}_run-{run}.TextGrid", intervals)
        drives.append(_drives(intervals, scenes, preferences))
    for subject in SUBJECTS:
        for k, (session, run) in enumerate(RUNS):
            if (subject, (session, run)) == LACKING:
                continue
            rng = np.random.default_rng([seed, 2, int(subject), k])
            stem = f"sub-{subject}_ses-{session}_task-{TASK}_run-{run}"
            func = prepared / f"sub-{subject}" / f"ses-{session}" / "func"
            func.mkdir(parents=True, exist_ok=True)
            motion = np.cumsum(rng.standard_normal((N_TRS, 6)) * ([0.02] * 3 + [4e-4] * 3), axis=0)
            signal = drives[k][:, follows[brain]] * strength[brain]
            _write_run(func, stem, brain, signal, motion, rng)
    truth = folder / "derivatives" / "truth"
    truth.mkdir(parents=True)
    kinds = np.array([0, *(1 if what == "word rate" else 2 for what, _ in FOLLOWS.values())], dtype=np.int8)
    nib.save(nib.Nifti1Image(np.where(brain, kinds[follows], 0).astype(np.int8), AFFINE), truth / "follows.nii.gz")
    about = {"follows.nii.gz": {"1": "word rate", "2": "kind of scene"}, "regions": FOLLOWS, "motion": HEAD}
    (truth / "truth.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def _part_of_story(rng: np.random.Generator) -> tuple[list[tuple], list[tuple]]:
    """Return words and scenes of a run, in s of its scan."""
    intervals, scenes = tell(rng, N_TRS * TR - 2 * START, SCENE_LENGTH)
    spoken = [(onset + START, offset + START, word) for onset, offset, word in intervals]
    return [(0.0, START, "sp"), *spoken], [(onset + START, kind) for onset, kind in scenes]


def _describe(folder: Path, name: str, kind: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    about = {"Name": name, "BIDSVersion": "1.8.0", "DatasetType": kind, "License": "CC0"}
    if kind == "derivative":
        about["GeneratedBy"] = [{"Name": "naturalistic_simulation"}]
    (folder / "dataset_description.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def _brain() -> NDArray:
    """Return the brain mask on the grid: bool (x, y, z)."""
    mask, affine = mni152_template("brain", 4)
    coordinates = np.argwhere(np.ones(SHAPE, dtype=bool)) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    return nearest_values(mask, affine, coordinates, False).reshape(SHAPE)


def _regions(brain: NDArray) -> tuple[NDArray, NDArray]:
    """Return the number of each voxel's region, 0 for none, and the strength of its response."""
    indices = np.argwhere(np.ones(SHAPE, dtype=bool))
    labels, _ = nearest(indices @ AFFINE[:3, :3].T + AFFINE[:3, 3])
    labels = labels.reshape(SHAPE)
    follows = np.zeros(SHAPE, dtype=int)
    strength = np.zeros(SHAPE)
    for number, (name, (_, sd)) in enumerate(FOLLOWS.items(), 1):
        here = (labels == NAMES.index(name)) & brain
        follows[here] = number
        strength[here] = sd
    return follows, strength


def _drives(intervals: Sequence[tuple], scenes: Sequence[tuple], preferences: NDArray) -> NDArray:
    """Return what regions respond (n_trs, 1 + n_regions), each of standard deviation 1; the first is nothing."""
    n_steps = round(N_TRS * TR / _STEP)
    rate = np.zeros(n_steps)
    for onset, _, word in intervals:
        step = int(onset / _STEP)
        if word != "sp" and step < n_steps:
            rate[step] += 1
    times = np.arange(n_steps) * _STEP
    current = np.searchsorted([onset for onset, _ in scenes], times, side="right") - 1
    kinds = np.array([[scenes[k][1] == kind for kind in SCENES] for k in current], dtype=float)
    kinds *= ((times >= START) & (times < intervals[-1][1]))[:, None]
    columns = [np.zeros(n_steps)]
    for number, (what, _) in enumerate(FOLLOWS.values()):
        columns.append(rate if what == "word rate" else kinds @ preferences[:, number])
    hrf = spm_hrf(_STEP, oversampling=1, time_length=32.0)
    middles = ((np.arange(N_TRS) + 0.5) * TR / _STEP).astype(int)
    responses = np.stack([np.convolve(column, hrf)[:n_steps][middles] for column in columns], axis=1)
    responses -= responses.mean(axis=0)
    return responses / np.maximum(responses.std(axis=0), 1e-12)


def _write_run(
    func: Path, stem: str, brain: NDArray, signal: NDArray, motion: NDArray, rng: np.random.Generator
) -> None:
    """Write the image of a run, its mask and its confounds."""
    n_voxels = int(brain.sum())
    scaled = (motion - motion.mean(axis=0)) / motion.std(axis=0)
    moved = scaled @ rng.standard_normal((6, n_voxels)) / np.sqrt(6)
    slow = smooth_noise(rng, N_TRS, 1, 0.95)
    series = signal + smooth_noise(rng, N_TRS, n_voxels, 0.5) + HEAD * moved + 0.5 * slow
    series[:N_DUMMIES] += 8.0  # not yet in the steady state
    volume = np.zeros((*SHAPE, N_TRS), dtype=np.int16)
    volume[brain] = np.rint(1000 + _SCALE * series).T
    image = nib.Nifti1Image(volume, AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((9.0, 9.0, 9.0, TR))
    image.header["descrip"] = "simulated by naturalistic_simulation"
    nib.save(image, func / f"{stem}_space-{SPACE}_desc-preproc_bold.nii.gz")
    nib.save(nib.Nifti1Image(brain.astype(np.uint8), AFFINE), func / f"{stem}_space-{SPACE}_desc-brain_mask.nii.gz")
    _write_confounds(func / f"{stem}_desc-confounds_timeseries.tsv", motion, slow[:, 0], rng)


def _write_confounds(path: Path, motion: NDArray, slow: NDArray, rng: np.random.Generator) -> None:
    """Write motion, signals of tissues, displacement and dummies as fMRIPrep does, n/a in the first row included."""
    steps = np.abs(np.diff(motion, axis=0) * ([1.0] * 3 + [50.0] * 3)).sum(axis=1)
    columns = {name: [f"{x:.6f}" for x in values] for name, values in zip(_MOTION, motion.T)}
    columns["framewise_displacement"] = ["n/a", *(f"{x:.6f}" for x in steps)]
    for name in ("csf", "white_matter", "global_signal"):
        values = slow + 0.3 * rng.standard_normal(len(slow))
        columns[name] = [f"{x:.6f}" for x in 1000 + _SCALE * values]
    for k in range(N_DUMMIES):
        columns[f"non_steady_state_outlier{k:02d}"] = [str(int(t == k)) for t in range(len(motion))]
    rows = ["\t".join(columns), *("\t".join(cells) for cells in zip(*columns.values()))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _write_words(path: Path, intervals: Sequence[tuple]) -> None:
    """Write the words of a run as a TextGrid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    end = intervals[-1][1]
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n'
    rows = "".join(f'{onset}\n{offset}\n"{"" if word == "sp" else word}"\n' for onset, offset, word in intervals)
    tier = f'{end}\n<exists>\n1\n"IntervalTier"\n"words"\n0\n{end}\n{len(intervals)}\n{rows}'
    path.write_text(head + tier, encoding="utf-8")
