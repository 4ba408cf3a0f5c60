"""Small BIDS data sets with fMRIPrep's output, under the names that labs have."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from naturalistic.anatomy.surface import meshes, to_mni152

SHAPE = (6, 7, 5)
MNI = "space-MNI152NLin2009cAsym_res-2"
AFFINE = np.array([[-20.0, 0, 0, 60], [0, 20, 0, -70], [0, 0, 20, -40], [0, 0, 0, 1]])


def write_image(path, n_trs, tr=2.0, seed=0, shape=SHAPE):
    """Write a small functional image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = 500 + 20 * np.random.default_rng(seed).standard_normal((*shape, n_trs))
    image = nib.Nifti1Image(values.astype(np.float32), AFFINE)
    image.header.set_zooms((20.0, 20.0, 20.0, tr))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)


def write_mask(path, shape=SHAPE):
    """Write a mask of all voxels but the outermost."""
    mask = np.zeros(shape, np.uint8)
    mask[1:-1, 1:-1, 1:-1] = 1
    nib.save(nib.Nifti1Image(mask, AFFINE), path)


def write_confounds(path, n_trs, n_dummies=0, seed=0):
    """Write fMRIPrep's table of confounds; the first derivative is n/a, as it has none."""
    rng = np.random.default_rng(seed)
    motion = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    names = [*motion, *(f"{name}_derivative1" for name in motion), "csf", "white_matter", "global_signal"]
    names += [f"non_steady_state_outlier{k:02d}" for k in range(n_dummies)]
    rows = ["\t".join(names)]
    for t in range(n_trs):
        cells = [f"{x:.5f}" for x in rng.standard_normal(len(names) - n_dummies)]
        if t == 0:
            cells[6:12] = ["n/a"] * 6
        rows.append("\t".join([*cells, *(str(int(t == k)) for k in range(n_dummies))]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")


def write_surfaces(func, stem, mesh="fsaverage5", n_vertices=10_242, n_trs=20):
    """Write the two hemispheres of a run."""
    rng = np.random.default_rng(1)
    for side in "LR":
        data = [nib.gifti.GiftiDataArray(rng.standard_normal(n_vertices).astype(np.float32)) for _ in range(n_trs)]
        nib.save(nib.gifti.GiftiImage(darrays=data), func / f"{stem}_hemi-{side}_space-{mesh}_bold.func.gii")


def write_description(folder, name, kind="raw"):
    """Write the description that every BIDS data set has."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"Name": name, "BIDSVersion": "1.8.0", "DatasetType": kind}
    (folder / "dataset_description.json").write_text(json.dumps(content))


def write_run(folder, func, stem, *, n_trs=20, tr=2.0, n_dummies=0, raw=True, prepared=True, seed=0):
    """Write one run: raw with its sidecar, and prepared in MNI with mask and confounds."""
    if raw:
        write_image(folder / func / f"{stem}_bold.nii.gz", n_trs, tr, seed)
        (folder / func / f"{stem}_bold.json").write_text(json.dumps({"RepetitionTime": tr}))
    if prepared:
        out = folder / "derivatives" / "fmriprep" / func
        write_image(out / f"{stem}_{MNI}_desc-preproc_bold.nii.gz", n_trs, tr, seed + 100)
        write_mask(out / f"{stem}_{MNI}_desc-brain_mask.nii.gz")
        write_confounds(out / f"{stem}_desc-confounds_timeseries.tsv", n_trs, n_dummies, seed)


def write_data_set(folder):
    """Write two subjects x two sessions; the second lacks the last run.

    Returns
    -------
    folder : Path
    """
    folder = Path(folder)
    write_description(folder, "A story of ours")
    write_description(folder / "derivatives" / "fmriprep", "fMRIPrep", "derivative")
    for seed, (subject, session, run) in enumerate(
        [("01", "a", 1), ("01", "a", 2), ("01", "b", 10), ("02", "a", 1), ("02", "a", 2)]
    ):
        func = Path(f"sub-{subject}", f"ses-{session}", "func")
        write_run(folder, func, f"sub-{subject}_ses-{session}_task-story_run-{run}", n_dummies=run % 2, seed=seed)
    return folder


def write_grayordinates(path, n_trs=20, tr=2.0, n_vertices=32_492, n_cortex=40, seed=0):
    """Write a CIFTI series of some vertices of each cortex, and of voxels below it."""
    cortex = np.zeros(n_vertices, bool)
    cortex[5 : 5 + n_cortex] = True
    axes = [nib.cifti2.BrainModelAxis.from_mask(cortex, name=f"cortex_{side}") for side in ("left", "right")]
    below = np.zeros((4, 4, 4), bool)
    below[1, 1] = True
    axes.append(nib.cifti2.BrainModelAxis.from_mask(below, name="thalamus_left", affine=np.eye(4)))
    columns = axes[0] + axes[1] + axes[2]
    values = 100 + np.random.default_rng(seed).standard_normal((n_trs, len(columns)))
    series = nib.cifti2.SeriesAxis(0, tr, n_trs)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Cifti2Image(values.astype(np.float32), (series, columns)), path)


def write_textgrid(path, words, step=1.0, start=0.0):
    """Write words of one length, one after another, as a TextGrid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    end = start + step * len(words)
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n'
    rows = "".join(f'{start + step * k}\n{start + step * (k + 1)}\n"{word}"\n' for k, word in enumerate(words))
    tier = f'"IntervalTier"\n"word"\n{start}\n{end}\n{len(words)}\n{rows}'
    path.write_text(f"{head}\n{start}\n{end}\n<exists>\n1\n{tier}", encoding="utf-8")


def write_series(folder, stories, subjects=("UTS01", "UTS02"), n_trs=40, n_voxels=12, pause=0):
    """Write stories in the layout of ds003020: HDF5 series, the first voxel outside of the scan, and TextGrids."""
    import h5py

    write_description(folder, "Stories")
    for k, subject in enumerate(subjects):
        below = folder / "derivative/preprocessed_data" / subject
        below.mkdir(parents=True)
        for j, story in enumerate(stories):
            values = np.random.default_rng(10 * k + j).standard_normal((n_trs, n_voxels))
            values[:, 0] = np.nan
            with h5py.File(below / f"{story}.hf5", "w") as file:
                file["data"] = values
    for story in stories:
        words = [f"{story}{k}" if not pause or k % pause else "" for k in range(2 * n_trs + 15)]
        write_textgrid(folder / "derivative/TextGrids" / f"{story}.TextGrid", words)
    return folder


def write_head(path, n_trs, tr=2.0, seed=0):
    """Write a functional image of a bright ball in the dark, of which a brain mask can be made."""
    shape = (14, 16, 14)
    affine = np.array([[-10.0, 0, 0, 65], [0, 10, 0, -90], [0, 0, 10, -60], [0, 0, 0, 1]])
    x = np.indices(shape) - (np.array(shape) - 1).reshape(3, 1, 1, 1) / 2
    ball = (np.sqrt((x**2).sum(axis=0)) < 5.5)[..., None]
    rng = np.random.default_rng(seed)
    values = 20 + 5 * rng.standard_normal((*shape, n_trs)) + ball * (800 + 10 * rng.standard_normal((*shape, n_trs)))
    image = nib.Nifti1Image(values.astype(np.float32), affine)
    image.header.set_zooms((10.0, 10.0, 10.0, tr))
    image.header.set_xyzt_units("mm", "sec")
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


def write_pycortex(folder, subject="UTS01", voxel_size=4.0, npz=False):
    """Write pycortex's files of a subject whose brain is fsaverage5, in the layout of ds003020.

    Returns
    -------
    coordinates : array (n_voxels, 3)
        MNI152 mm of each voxel of the mask in pycortex's order: x runs fastest, z slowest.
    """
    affine = np.diag([-voxel_size, voxel_size, voxel_size, 1.0])
    affine[:3, 3] = [90.0, -120.0, -70.0]
    to_voxels = np.linalg.inv(affine)
    shape = tuple(round(n / voxel_size) for n in (180, 200, 160))
    store = folder / "derivative/pycortex-db" / subject
    transform = store / "transforms" / f"{subject}_auto"
    spheres = folder / "derivative/freesurfer_subjdir" / subject / "surf"
    for each in (store / "surfaces", transform, spheres):
        each.mkdir(parents=True)
    mask = np.zeros(shape, np.uint8)
    for k, short in enumerate(("lh", "rh")):
        middle = []
        for name, kind in (("wm", "white_matter"), ("pia", "pial")):
            mesh = meshes(kind)[k]
            points = np.asarray(mesh.coordinates, np.float32)
            middle.append(points)
            path = store / "surfaces" / f"{name}_{short}"
            if npz:
                np.savez(path.with_suffix(".npz"), pts=points, polys=mesh.faces)
                continue
            intents = ("NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE")
            arrays = [
                nib.gifti.GiftiDataArray(x, intent=intent)
                for x, intent in zip((points, np.asarray(mesh.faces, np.int32)), intents)
            ]
            nib.save(nib.gifti.GiftiImage(darrays=arrays), path.with_suffix(".gii"))
        at = (middle[0] + middle[1]) / 2 @ to_voxels[:3, :3].T + to_voxels[:3, 3]
        mask[tuple(np.round(at).astype(int).T)] = 1
        sphere = meshes("sphere")[k]
        nib.freesurfer.write_geometry(spheres / f"{short}.sphere.reg", sphere.coordinates, sphere.faces)
    for name, values in (("cortical", np.zeros_like(mask)), ("thick", mask)):
        nib.save(nib.Nifti1Image(values, affine), transform / f"mask_{name}.nii.gz")
    (transform / "matrices.xfm").write_text(json.dumps({"coord": to_voxels.tolist()}))
    ordered = [(x, y, z) for z in range(shape[2]) for y in range(shape[1]) for x in range(shape[0]) if mask[x, y, z]]
    return to_mni152(np.array(ordered) @ affine[:3, :3].T + affine[:3, 3])


def follow_words(folder, columns, subject="UTS01", tr=2.0, first_tr=5):
    """Add a late response to the rate of words to columns of the series of ds003020."""
    import h5py
    from naturalistic.datasets.transcripts import read_transcript

    for path in (folder / "derivative/preprocessed_data" / subject).glob("*.hf5"):
        onsets = read_transcript(folder / "derivative/TextGrids" / f"{path.stem}.TextGrid").onsets
        with h5py.File(path, "r+") as file:
            n_trs = len(file["data"])
            rate = np.bincount((onsets // tr).astype(int), minlength=n_trs + first_tr).astype(float)
            late = (np.roll(rate, 2) + np.roll(rate, 3))[first_tr : first_tr + n_trs]
            file["data"][:, np.flatnonzero(columns)] += 3 * ((late - late.mean()) / late.std())[:, None]
