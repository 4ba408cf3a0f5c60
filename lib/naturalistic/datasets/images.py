"""Images on disk: opened, read in the units in which they were saved, and laid on another grid by place."""

import gzip
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import DTypeLike, NDArray

NO_PLACE = "states no place (its sform and qform codes are 0, or its axes lie in one plane)"
_FLAT = 1e-9  # mm3; a voxel that is smaller has axes in one plane
_SAME_AFFINE = 1e-3  # mm; a larger difference is another grid
_MIN_INSIDE = 0.5  # share of a mask that must lie in the field of view of a run; less is the mask of something else
# s; outside of them a header mixes up s and ms
SHORTEST_TR = 0.02
LONGEST_TR = 100.0
_UNITS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}  # s


def open_image(path: Path | str) -> SpatialImage:
    """Open an image, whose values stay on disk.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file, if it is missing or is no image.
    """
    try:
        return nib.load(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file raises a dozen kinds
        raise ValueError(f"{path} cannot be read as an image ({error}); fetch it again") from error


def read_values(image: SpatialImage, dtype: DTypeLike | None = None) -> NDArray:
    """Return the values of an image from `open_image`, with its slope and intercept.

    They are those of ``image.dataobj``: nibabel takes both out of ``image.header`` when it opens a file.

    Parameters
    ----------
    image : nibabel image
    dtype : dtype, optional
        The one that is stored by default; a float if the image has a slope or an intercept.

    Raises
    ------
    ValueError
        Naming the file, if it cannot be read to its end.
    """
    try:
        if dtype is None or not is_scaled(image):
            return np.asanyarray(image.dataobj, dtype=dtype)
        # scaled at once, a run would need memory for all of its values in float64
        stored = image.dataobj.get_unscaled()
        values = np.empty(image.shape, dtype=dtype, order="F")
        for k in range(image.shape[-1]):
            values[..., k] = stored[..., k] * float(image.dataobj.slope) + float(image.dataobj.inter)
        return values
    except Exception as error:  # gzip, zlib, the disk and numpy each have their own
        raise ValueError(f"{image.get_filename()} is damaged or was cut short ({error}); fetch it again") from error


def is_scaled(image: SpatialImage) -> bool:
    """Return whether the stored numbers of an image have a slope or an intercept."""
    return (image.dataobj.slope, image.dataobj.inter) != (1, 0)


def read_volume(path: Path | str, dtype: DTypeLike | None = None, placed: bool = False) -> tuple[NDArray, NDArray]:
    """Return the values (x, y, z) and the affine (4, 4) of an image of one volume; (x, y, z, 1) is one volume too.

    Parameters
    ----------
    path : Path
    dtype : dtype, optional
        See `read_values`.
    placed : bool
        The header must state where voxels lie.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file, if it is missing, damaged, has another number of dimensions, or states no place.
    """
    image = open_image(path)
    shape = image.shape
    if len(shape) < 3 or any(n != 1 for n in shape[3:]):
        raise ValueError(f"{path} has shape {shape}, expected one volume (x, y, z)")
    if placed and not states_coordinates(image):
        raise ValueError(f"{path} {NO_PLACE}, expected an affine to mm")
    return read_values(image, dtype).reshape(shape[:3]), image.affine


def gzip_problem(path: Path) -> Iterator[str]:
    """Yield that a compressed image ends after other bytes than its header promises.

    Parameters
    ----------
    path : Path
    """
    if not path.name.endswith(".nii.gz"):
        return
    with open(path, "rb") as file:
        if file.read(2) != b"\x1f\x8b":
            yield f"{path} is no compressed image; fetch it again"
            return
        file.seek(-4, 2)
        (stated,) = struct.unpack("<I", file.read(4))
    try:
        image = open_image(path)
        promised = image.dataobj.offset + int(np.prod(image.shape, dtype=np.int64)) * image.dataobj.dtype.itemsize
    except (ValueError, AttributeError, EOFError, gzip.BadGzipFile):
        return  # said elsewhere
    # written in blocks, the last of which is empty, a file states nothing
    if stated not in (0, promised % 2**32):
        yield f"{path} ends after other bytes than its header promises ({promised:,}): it was cut short; fetch it again"


def is_grayordinates(image: SpatialImage) -> bool:
    """Return whether an image is a CIFTI file: a table of TRs and grayordinates."""
    return isinstance(image, nib.Cifti2Image)


def header_tr(image: SpatialImage) -> float | None:
    """Return the repetition time in s that the header of an image states, or None if it states none.

    A number without a unit that is 1 counts as none: programs that know no repetition time write it. Numbers that are
    no repetition time in their unit (2000 s, .002 s) are taken for ms, or s.
    """
    if is_grayordinates(image):
        axis = image.header.get_axis(0)
        return float(axis.step) if getattr(axis, "unit", None) == "SECOND" and axis.step > 0 else None
    zooms = image.header.get_zooms()
    if len(zooms) < 4 or not hasattr(image.header, "get_xyzt_units"):
        return None
    unit = image.header.get_xyzt_units()[1]
    tr = float(zooms[3]) * _UNITS.get(unit, 0.0)
    if tr <= 0 or not np.isfinite(tr) or (unit == "unknown" and tr == 1):
        return None
    if tr >= LONGEST_TR:
        return tr / 1000
    return tr * 1000 if tr < SHORTEST_TR else tr


def states_coordinates(image: SpatialImage) -> bool:
    """Return whether the header of an image says where its voxels lie; nibabel centers those that do not."""
    header = image.header
    if abs(np.linalg.det(image.affine[:3, :3])) < _FLAT:
        return False
    return "sform_code" not in header or bool(header["sform_code"] or header["qform_code"])


def same_grid(shape: Sequence[int], affine: NDArray, other_shape: Sequence[int], other_affine: NDArray) -> bool:
    """Return whether two grids have the same voxels at the same coordinates."""
    return tuple(shape) == tuple(other_shape) and np.allclose(affine, other_affine, atol=_SAME_AFFINE)


def describe_grid(shape: Sequence[int], affine: NDArray) -> str:
    """Return shape and affine of a grid in one line, for a message."""
    return f"shape {tuple(shape)} and affine {np.round(affine[:3], 3).tolist()}"


def nearest_values(volume: NDArray, affine: NDArray, places: NDArray, outside: float = 0) -> NDArray:
    """Return the value of the voxel that holds each place.

    Parameters
    ----------
    volume : array (x, y, z)
    affine : array (4, 4)
        Voxel indices to mm.
    places : array (n_places, 3)
        mm.
    outside : scalar
        What places outside of the volume get.

    Returns
    -------
    values : array (n_places,)
    """
    indices = np.round(nib.affines.apply_affine(np.linalg.inv(affine), places)).astype(int)
    inside = ((indices >= 0) & (indices < volume.shape)).all(axis=1)
    values = np.full(len(places), outside, dtype=volume.dtype)
    values[inside] = volume[tuple(indices[inside].T)]
    return values


def mask_on_grid(path: Path, shape: Sequence[int], affine: NDArray, run: Path | str) -> NDArray:
    """Return a mask on the grid of a run, by coordinates of voxels and not by indices.

    Parameters
    ----------
    path : Path
        Mask; what is above 0 is inside.
    shape : tuple of 3 int
    affine : array (4, 4)
        Grid of the run.
    run : Path
        Image of the run, for messages.

    Returns
    -------
    mask : bool array (x, y, z)
        As stored if the grid is that of the run, else the nearest voxel of the mask at each place.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the mask and the run, if the mask is no single volume, is empty, or lies elsewhere.
    """
    stored, stored_affine = read_volume(path)
    mask = stored > 0
    if not mask.any():
        raise ValueError(f"{path} is empty: no voxel is above 0, expected the brain mask of {run}")
    if same_grid(mask.shape, stored_affine, shape, affine):
        return mask
    if not states_coordinates(open_image(path)):
        raise ValueError(
            f"{path} {NO_PLACE}, so it cannot be laid on {run}: save it with the affine of "
            f"its grid; it has {describe_grid(mask.shape, stored_affine)}, the run has "
            f"{describe_grid(shape, affine)}"
        )
    every = nib.affines.apply_affine(affine, np.argwhere(np.ones(shape, dtype=bool)))
    on_grid = nearest_values(mask, stored_affine, every, outside=False).reshape(shape)
    view = np.ones(shape, dtype=bool)
    places = nib.affines.apply_affine(stored_affine, np.argwhere(mask))
    inside = nearest_values(view, affine, places, outside=False).mean()
    if inside < _MIN_INSIDE or not on_grid.any():
        raise ValueError(
            f"{path} lies elsewhere than the run, {inside:.0%} of it in the field of view: the mask has "
            f"{describe_grid(mask.shape, stored_affine)}, {run} has {describe_grid(shape, affine)}; give the mask "
            "that belongs to this run"
        )
    return on_grid


def silence_unseen(bold: NDArray, path: Path | str, what: str, advice: str) -> None:
    """Set to 0, in place, columns that are NaN at all TRs: what lies outside of the scan.

    Parameters
    ----------
    bold : float array (n_trs, n_columns)
    path : Path
        Where they were read, for the message.
    what, advice : str
        Name of a column, such as ``"vertices"``, and what to do.

    Raises
    ------
    ValueError
        Naming the file, if a column is not finite at some TRs only.
    """
    with np.errstate(invalid="ignore"):  # infinity minus infinity is suspect too
        suspect = np.flatnonzero(~np.isfinite(bold.sum(axis=0, dtype=np.float64)))
    if not len(suspect):
        return
    columns = bold[:, suspect]
    unseen = np.isnan(columns).all(axis=0)
    bad = ~np.isfinite(columns[:, ~unseen])
    if bad.any():
        t = int(np.flatnonzero(bad.any(axis=1))[0])
        raise ValueError(
            f"{path}: {bad.any(axis=0).sum():,} of {bold.shape[1]:,} {what} are not finite at some TRs, the first at "
            f"TR {t}, expected numbers; {advice}"
        )
    bold[:, suspect] = 0
