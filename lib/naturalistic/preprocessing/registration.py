"""Affine registration of a subject's volumes to MNI space, which is approximate.

Two brains differ by more than an affine: expect some mm between a person's sulcus and the template's. It names
regions and picks cortex where nothing better is there; results stay on the subject's own voxels. A lab that has
run fMRIPrep reads its output instead, which is registered non-linearly and through the anatomy.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import numpy as np
import SimpleITK as sitk
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from naturalistic.anatomy.template import mni152_template
from naturalistic.preprocessing.masks import brain_mask
from naturalistic.preprocessing.validation import check_affine, check_mask, check_volume, voxel_sizes

RESOLUTION = 4  # mm of the template: finer gains nothing for an affine
RIM = 12.0  # mm around the template's brain that is compared too: the outline is the strongest feature
LEVELS = ((8.0, 6.0), (4.0, 3.0))  # coarse to fine: grid, standard deviation of the smoothing, in mm
# Dice overlap of the brains: below, a warning and an error
GOOD = 0.9
POOR = 0.8
TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # SimpleITK's x and y point the other way


def to_mni(
    mean_volume: ArrayLike,
    affine: ArrayLike,
    brain: ArrayLike | None = None,
    t1w: ArrayLike | None = None,
    t1w_affine: ArrayLike | None = None,
) -> NDArray:
    """Find the affine that takes a subject's mm to MNI152 mm.

    The image is compared with nilearn's MNI152 template (T1-weighted, brain only) by mutual information (Mattes et
    al. 2003, IEEE Transactions on Medical Imaging 22:120), which asks only that tissues differ, not which is bright;
    rigid first, then with 12 parameters, by SimpleITK, coarse to fine. The search starts with the centers of the
    brains on each other and the axes of the scanner: a header that confuses left and right cannot be noticed.
    No random numbers, one thread: the same input gives the same matrix.

    Parameters
    ----------
    mean_volume : array (x, y, z)
        Mean echo-planar image, raw (or any image of the brain with contrast between tissues).
    affine : array (4, 4)
        Voxel indices to the subject's mm, x to the right, y to the front, z up (as nibabel gives it).
    brain : array (x, y, z), optional
        Brain mask; :func:`brain_mask` of the image by default.
    t1w : array (x, y, z), optional
        Anatomy of the same subject, with or without skull: the mean image is then taken to it rigidly, and it to
        the template, for its tissues are sharper. It must come from the same session (the same mm, but for motion).
    t1w_affine : array (4, 4), optional
        Voxel indices of ``t1w`` to mm.

    Returns
    -------
    matrix : array (4, 4)
        The subject's mm to MNI152 mm.

    Raises
    ------
    ValueError
        If the brains overlap less than 0.8 (:func:`brain_overlap`); below 0.9 there is a warning.
    """
    volume = check_volume(mean_volume, "mean_volume")
    affine = check_affine(affine)
    brain = brain_mask(volume, affine) if brain is None else check_mask(brain, "brain", volume.shape)
    template, inside, template_affine = _template()
    fixed = template, template_affine, _with_rim(inside, template_affine)
    centers = _middle(inside, template_affine), _middle(brain, affine)
    to_subject = np.eye(4)
    if t1w is not None:
        t1w = check_volume(t1w, "t1w")
        t1w_affine = check_affine(t1w_affine, "t1w_affine")
        masked_volume = volume * brain, affine, brain
        to_t1w = _search(masked_volume, t1w, t1w_affine, (centers[1], centers[1]), (sitk.Euler3DTransform,))
        brain_on_t1w = _carry(brain, affine, t1w.shape, np.linalg.inv(to_t1w) @ t1w_affine)
        if not brain_on_t1w.any():
            raise ValueError("t1w and mean_volume do not overlap, expected the same session and the same mm")
        volume = t1w
        brain_of_volume = brain_on_t1w
        volume_affine = t1w_affine
        centers = (centers[0], _middle(brain_on_t1w, t1w_affine))
        to_subject = to_t1w
    else:
        brain_of_volume = brain
        volume_affine = affine
    template_to_volume = _search(fixed, _even(volume, brain_of_volume), volume_affine, centers)
    matrix = np.linalg.inv(template_to_volume) @ to_subject
    _judge(brain_overlap(brain, affine, matrix))
    return matrix


def brain_overlap(brain: ArrayLike, affine: ArrayLike, to_mni: ArrayLike) -> float:
    """Return the Dice overlap of a subject's brain and the template's.

    From 0 to 1, inside the field of view.

    Parameters
    ----------
    brain : array (x, y, z)
        Brain mask.
    affine : array (4, 4)
        Its voxel indices to mm.
    to_mni : array (4, 4)
        The subject's mm to MNI152 mm.

    Returns
    -------
    overlap : float
        About 0.95 for a good match; it sees size, place and outline, not left and right.
    """
    affine = check_affine(affine)
    to_mni = check_affine(to_mni, "to_mni")
    brain = check_mask(brain, "brain", np.shape(brain))
    _, inside, template_affine = _template()
    to_voxels = np.linalg.inv(to_mni @ affine) @ template_affine
    subject_brain = _carry(brain, np.eye(4), inside.shape, to_voxels)
    field_of_view = _carry(np.ones_like(brain), np.eye(4), inside.shape, to_voxels)
    return 2 * float((subject_brain & inside).sum()) / max(1, int(subject_brain.sum() + (inside & field_of_view).sum()))


def _judge(overlap: float) -> None:
    advice = "look at the mean volume and its brain mask, give brain or t1w, or read fMRIPrep's registration instead"
    if overlap < POOR:
        raise ValueError(f"no match with MNI152: the brains overlap {overlap:.2f}, expected {GOOD} or more; {advice}")
    if overlap < GOOD:
        warnings.warn(f"the match with MNI152 is poor: the brains overlap {overlap:.2f}; {advice}", stacklevel=3)


@cache
def _template() -> tuple[NDArray, NDArray, NDArray]:
    """Return the template, its brain mask and affine."""
    inside, affine = mni152_template("brain", RESOLUTION)
    return mni152_template("head", RESOLUTION)[0] * inside, inside, affine


def _middle(mask: NDArray, affine: NDArray) -> NDArray:
    """Return the center of mass (3,) of a mask in mm."""
    return affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3]


def _with_rim(mask: NDArray, affine: NDArray) -> NDArray:
    return ndimage.distance_transform_edt(~mask, sampling=voxel_sizes(affine)) <= RIM


def _carry(mask: NDArray, affine: NDArray, shape: tuple[int, ...], to_mm: NDArray) -> NDArray:
    """Return a mask on another grid, whose voxel indices ``to_mm`` takes to the mm of ``affine``."""
    step = np.linalg.inv(affine) @ to_mm
    carried = ndimage.affine_transform(mask.astype(np.float32), step[:3, :3], step[:3, 3], output_shape=shape, order=1)
    return carried > 0.5


def _even(volume: NDArray, brain: NDArray) -> NDArray:
    """Return the volume inside the brain, 0 outside, without the coil's slow change of brightness.

    The change is a polynomial of second degree in the logarithm: left in, it draws an affine several mm astray.
    """
    places = np.argwhere(brain)
    places = (places - places.mean(axis=0)) / np.maximum(places.std(axis=0), 1e-6)
    factors = [c for n in (0, 1, 2) for c in itertools.combinations_with_replacement(range(3), n)]
    powers = np.stack([places[:, list(c)].prod(axis=1) for c in factors], axis=1)
    values = volume[brain].astype(np.float64)
    logs = np.log(np.maximum(values, 1e-3 * values.max()))
    slow = powers @ np.linalg.lstsq(powers, logs, rcond=None)[0]
    even = np.zeros(volume.shape, dtype=np.float32)
    even[brain] = np.exp(logs - slow)
    return even


def _search(
    fixed: tuple[NDArray, NDArray, NDArray],
    moving: NDArray,
    moving_affine: NDArray,
    centers: tuple[NDArray, NDArray],
    transforms: Sequence[Callable] = (sitk.Euler3DTransform, lambda: sitk.AffineTransform(3)),
) -> NDArray:
    """Return the matrix (4, 4) from the mm of ``fixed`` to those of ``moving`` with the most mutual information.

    ``fixed`` is an image, its affine and the mask of what is compared; ``centers`` are the two brains' (3,), in mm;
    ``kinds`` the transforms fitted one after another.
    """
    image, affine, mask = fixed
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(sitk.Cast(_image(mask, affine), sitk.sitkUInt8))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsConjugateGradientLineSearch(1.0, 40, 1e-5, 8)
    method.SetOptimizerScalesFromPhysicalShift()
    size = voxel_sizes(affine).mean()
    method.SetShrinkFactorsPerLevel([max(1, round(grid / size)) for grid, _ in LEVELS])
    method.SetSmoothingSigmasPerLevel([sd for _, sd in LEVELS])
    before = None
    for kind in transforms:
        transform = kind()
        transform.SetCenter((TO_LPS[:3, :3] @ centers[0]).tolist())
        if before is None:
            transform.SetTranslation((TO_LPS[:3, :3] @ (centers[1] - centers[0])).tolist())
        else:
            transform.SetMatrix(before.GetMatrix())
            transform.SetTranslation(before.GetTranslation())
        method.SetInitialTransform(transform, inPlace=True)
        try:
            with _one_thread():
                method.SetNumberOfThreads(1)
                method.Execute(_image(image, affine), _image(moving, moving_affine))
        except RuntimeError as error:  # SimpleITK's way of saying that the images do not overlap
            raise ValueError(
                "no match was found: the images hold nothing in common where they lie, expected the mm of one scanner"
            ) from error
        before = transform
    matrix = np.eye(4)
    center = np.array(transform.GetCenter())
    matrix[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    matrix[:3, 3] = np.array(transform.GetTranslation()) + center - matrix[:3, :3] @ center
    return TO_LPS @ matrix @ TO_LPS


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep SimpleITK to one thread: the order of a sum is part of its rounding. Not every filter has its own switch."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _image(array: NDArray, affine: NDArray) -> sitk.Image:
    """Return a SimpleITK image of an array (x, y, z): it counts z first, and x and y the other way."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(np.transpose(array), dtype=np.float32))
    sizes = voxel_sizes(affine)
    lps = TO_LPS @ affine
    image.SetSpacing(sizes.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / sizes).ravel().tolist())
    return image
