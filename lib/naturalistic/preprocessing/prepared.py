"""A subject as `store.prepare` keeps it: one matrix of all runs, and where its columns lie in the brain."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from naturalistic.anatomy.surface import SPACING, mid_coordinates
from naturalistic.intact import open_array, open_arrays, read_json


@dataclass(frozen=True)
class Prepared:
    """One subject, ready for a model.

    Attributes
    ----------
    subject : str
    space : str
        As of the scans.
    bold : float32 memory map (n_trs, n_voxels)
        All runs, one after another; mean 0 and sd 1 in each run, 0 where a voxel is constant.
    runs : int array (n_trs,)
        Index into ``run_names``.
    run_names : tuple of str
    motion : array (n_trs, 6) or None
        mm and rad; None where fMRIPrep left no confounds of a run.
    mask : bool array (x, y, z) or None
        Voxels that are kept; None on a surface.
    affine : array (4, 4) or None
        Voxel indices to mm of the subject's space.
    to_mni : array (4, 4) or None
        mm of the subject's space to MNI152 mm.
    tr : float
        s.
    folder : Path
        Where it is kept.
    """

    subject: str
    space: str
    bold: np.ndarray
    runs: np.ndarray
    run_names: tuple
    motion: np.ndarray
    mask: np.ndarray
    affine: np.ndarray
    to_mni: np.ndarray
    tr: float
    folder: Path

    @property
    def coordinates(self):
        """Return the MNI152 mm of each voxel, or vertex of fsaverage5: (n_voxels, 3); a ValueError on other meshes."""
        if self.mask is None:
            if self.space != "fsaverage5":
                raise ValueError(f"the mesh of {self.space} is not at hand; ask fMRIPrep for fsaverage5")
            return mid_coordinates()
        matrix = self.to_mni @ self.affine
        return np.argwhere(self.mask) @ matrix[:3, :3].T + matrix[:3, 3]

    @property
    def voxel_size(self):
        """Return the edge of a cube of a voxel's volume, or the spacing of vertices, mm."""
        return SPACING if self.mask is None else float(abs(np.linalg.det(self.affine[:3, :3])) ** (1 / 3))

    def motion_of(self, run):
        """Return the motion of a whole run, the dropped volumes too (n_trs, 6), mm and rad; None if unknown."""
        motion = open_array(self.folder / f"{self.run_names.index(run):03d}-motion.npy", _again(self.folder))
        return None if np.isnan(motion).any() else motion

    def select(self, start):
        """Return the runs whose names begin with ``start``.

        Parameters
        ----------
        start : str
            Such as ``"Test"``.

        Returns
        -------
        bold : float32 array (n_trs, n_voxels)
            Still mapped where the runs lie side by side.
        runs : int array (n_trs,)
        names : tuple of str

        Raises
        ------
        ValueError
            If no run begins so.
        """
        names = tuple(name for name in self.run_names if name.startswith(start))
        if not names:
            raise ValueError(f"no run begins with {start!r}; there are {', '.join(self.run_names)}")
        rows = np.isin(self.runs, [self.run_names.index(name) for name in names])
        first, last = np.flatnonzero(rows)[[0, -1]]
        adjacent = last - first + 1 == rows.sum()
        return (self.bold[first : last + 1] if adjacent else self.bold[rows]), self.runs[rows], names

    def image(self, values):
        """Return values (n_voxels,) as a NIfTI image in MNI152 space, NaN outside of the mask; no image of a surface.

        Raises
        ------
        ValueError
            If the subject is on a surface.
        """
        if self.mask is None:
            raise ValueError("values on a surface are no volume: draw them on the mesh itself")
        volume = np.full(self.mask.shape, np.nan, dtype=np.float32)
        volume[self.mask] = values
        return nib.Nifti1Image(volume, self.to_mni @ self.affine)


def open_prepared(place):
    """Open a folder that `store.prepare` finished.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file of it is missing or was cut short since.
    """
    again = _again(place)
    about = read_json(place / "about.json", again)
    space = open_arrays(place / "space.npz", again)
    n_dropped, n_runs = about["n_dropped"], len(about["run_names"])
    motion = np.concatenate([open_array(place / f"{k:03d}-motion.npy", again)[n_dropped:] for k in range(n_runs)])
    return Prepared(
        subject=about["subject"],
        space=about["space"],
        bold=open_array(place / "bold.npy", again, mmap_mode="r"),
        runs=np.repeat(np.arange(n_runs), about["n_trs"]),
        run_names=tuple(about["run_names"]),
        motion=None if np.isnan(motion).any() else motion,
        mask=space.get("mask"),
        affine=space.get("affine"),
        to_mni=space.get("to_mni"),
        tr=about["tr"],
        folder=place,
    )


def _again(place):
    return f"delete {place} and prepare the subject again"
