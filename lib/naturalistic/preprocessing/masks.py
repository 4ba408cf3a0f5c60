"""Brain and cortex masks."""

import warnings
from functools import cache

import nibabel as nib
import numpy as np
from nilearn.datasets import fetch_surf_fsaverage
from nilearn.masking import compute_epi_mask
from nilearn.surface import load_surf_mesh
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from naturalistic.anatomy.surface import to_mni152
from naturalistic.anatomy.template import mni152_template
from naturalistic.preprocessing.validation import check_affine, check_mask, check_volume, voxel_sizes

OPENING = 4.0  # mm taken off and put back: it cuts the optic nerves and veins that tie the eyes to the brain
BRAIN_SIZE = 300, 3000  # cm3; outside of it no adult's brain was found
GRAY = 0.3  # share of gray matter in the template from which on a place is gray
NEAR = 4.0  # mm; a place of cortex lies no farther from the surface of the mean cortex


def brain_mask(mean_volume: ArrayLike, affine: ArrayLike) -> NDArray:
    """Find the brain in a mean echo-planar image.

    The threshold is nilearn's (:func:`nilearn.masking.compute_epi_mask`, after T. Nichols: the emptiest place of the
    histogram between background and brain); what is smaller than the brain goes, holes are filled.

    Parameters
    ----------
    mean_volume : array (x, y, z)
        Mean over time, or one volume, as it comes from the scanner: not centered, not filtered.
    affine : array (4, 4)
        Voxel indices to mm: the opening is of 4 mm, whatever the voxel; voxels of 8 mm are not opened at all, for
        one voxel would be a good part of the brain.

    Returns
    -------
    mask : bool array (x, y, z)

    Raises
    ------
    ValueError
        If what is found has not the size of a brain (300 to 3000 cm3).
    """
    volume = check_volume(mean_volume, "mean_volume")
    affine = check_affine(affine)
    opening = round(OPENING / voxel_sizes(affine).mean())  # Python rounds a half to even: 8 mm gives 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nilearn warns of an empty mask; here it is an error
        epi_mask = compute_epi_mask(nib.Nifti1Image(volume, affine), opening=opening or False)
    mask = ndimage.binary_fill_holes(np.asarray(epi_mask.dataobj) > 0)
    size = mask.sum() * abs(np.linalg.det(affine[:3, :3])) / 1000
    if not BRAIN_SIZE[0] <= size <= BRAIN_SIZE[1]:
        raise ValueError(
            f"the brain found in mean_volume has {size:.0f} cm3 ({mask.sum()} voxels), expected "
            f"{BRAIN_SIZE[0]} to {BRAIN_SIZE[1]}: is it a mean over time of raw volumes, and does affine give mm?"
        )
    return mask


def cortex_mask(
    shape: tuple[int, ...], affine: ArrayLike, to_mni: ArrayLike, brain: ArrayLike | None = None, share: float = 0.4
) -> NDArray:
    """Return the mask of the template's cortex on a subject's own grid.

    Cortex is what is gray in the MNI152 template and lies within 4 mm of the mean cortex of 40 people (fsaverage5:
    white surface, pial surface, and the middle), both of which nilearn ships. That leaves out cerebellum, brain
    stem, thalamus and basal ganglia, and keeps hippocampus and amygdala in part. It is approximate: the fold of a
    single person may lie several mm from the template's. Where a lab has FreeSurfer's ribbon, that is better.

    Parameters
    ----------
    shape : tuple of 3 int
        Grid of the subject's volumes.
    affine : array (4, 4)
        Voxel indices to the subject's mm.
    to_mni : array (4, 4)
        The subject's mm to MNI152 mm, from :func:`naturalistic.preprocessing.to_mni`; the unit matrix for data that
        are in MNI space.
    brain : array (x, y, z), optional
        Brain mask: only voxels inside it are marked.
    share : float
        Part of a voxel that must be cortex, above 0 and up to 1. With 0.4, about 2,100 voxels of 8 mm and 110,000
        of 2 mm: more than a person's own ribbon, for the template is smooth.

    Returns
    -------
    mask : bool array (x, y, z)

    Raises
    ------
    ValueError
        If an affine, the shape, the brain mask or ``share`` is not as described, or no voxel is cortex.
    """
    affine = check_affine(affine)
    to_mni = check_affine(to_mni, "to_mni")
    if len(shape) != 3:
        raise ValueError(f"shape is {tuple(shape)}, expected three numbers of voxels (x, y, z)")
    if not 0 < share <= 1:
        raise ValueError(f"share is {share!r}, expected more than 0 and at most 1")
    cortex, template_affine = _template_cortex()
    step = to_mni @ affine
    # a voxel sees the mean over itself: smoothing as a box of its size does (variance size^2 / 12)
    wide = np.abs(np.linalg.inv(template_affine)[:3, :3] @ step[:3, :3]).max(axis=1)
    smoothed = ndimage.gaussian_filter(cortex, np.sqrt(np.maximum(wide**2 - 1, 0) / 12))
    index = np.linalg.inv(template_affine) @ step
    part = ndimage.affine_transform(smoothed, index[:3, :3], index[:3, 3], output_shape=tuple(shape), order=1)
    mask = part >= share
    if brain is not None:
        mask &= check_mask(brain, "brain", shape)
    if not mask.any():
        raise ValueError(
            "no voxel of this grid is cortex: expected affine to give mm and to_mni to lead from them to MNI152"
        )
    return mask


@cache
def _template_cortex() -> tuple[NDArray, NDArray]:
    """Return the cortex of the template, 1 or 0, on a grid of 2 mm, and its affine."""
    values, affine = mni152_template("gray")
    gray = values > GRAY
    places = nib.affines.apply_affine(affine, np.argwhere(gray))
    distance, _ = cKDTree(_mean_cortex()).query(places, distance_upper_bound=NEAR)
    cortex = np.zeros(gray.shape, dtype=np.float32)
    cortex[gray] = np.isfinite(distance)  # inf where nothing is that near
    return cortex, affine


def _mean_cortex() -> NDArray:
    """Return points (n_points, 3) in MNI152 mm on fsaverage5's white, middle and pial surfaces."""
    files = fetch_surf_fsaverage("fsaverage5")
    points = []
    for side in ("left", "right"):
        white, pial = (load_surf_mesh(files[f"{name}_{side}"]).coordinates for name in ("white", "pial"))
        # the cut through callosum, thalamus and midbrain closes the surface, and has no thickness
        cortical = np.linalg.norm(pial - white, axis=1) > 0.5
        points += [(white + depth * (pial - white))[cortical] for depth in (0, 0.5, 1)]
    return to_mni152(np.concatenate(points))
