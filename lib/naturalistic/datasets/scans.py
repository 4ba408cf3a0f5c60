"""Scans: one run of one subject on disk, as the scanner wrote it or as fMRIPrep left it.

A `Scan` says what is to be read and how long it must be; `check` looks at headers and sidecars of many scans
before any long work, `volumes` and `vertices` read one run.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from naturalistic.datasets import fmriprep
from naturalistic.datasets.bids_files import repetition_time, sidecars_of
from naturalistic.datasets.images import (
    NO_PLACE,
    describe_grid,
    header_tr,
    is_grayordinates,
    is_scaled,
    mask_on_grid,
    open_image,
    read_values,
    same_grid,
    silence_unseen,
    states_coordinates,
)
from naturalistic.text_files import number, read_cells

SPACES = ("raw", *fmriprep.SPACES, *fmriprep.MESHES, *fmriprep.GRAYORDINATES)
_CORTEX = ("CIFTI_STRUCTURE_CORTEX_LEFT", "CIFTI_STRUCTURE_CORTEX_RIGHT")
MNI = fmriprep.TEMPLATES[0]
_TR_TOLERANCE = 1e-3  # s
MOTION = tuple(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")
_OLD_MOTION = ("X", "Y", "Z", "RotX", "RotY", "RotZ")  # of fMRIPrep before 1.2


@dataclass(frozen=True)
class Scan:
    """One run of one subject.

    Attributes
    ----------
    subject, run : str
        Such as ``"001"`` and ``"Training_run-01"``.
    space : str
        One of `SPACES`; ``"raw"`` is before any preprocessing.
    paths : tuple of Path
        One image; two surface files (left, right) in an fsaverage space; one CIFTI series in fsLR.
    tr : float
        Repetition time in s that the scan must have.
    n_trs : int
        Volumes that it must have.
    mask, confounds, sidecar : Path or None
        fMRIPrep's brain mask and confounds; the sidecar beside the raw run (those above it count too).
    """

    subject: str
    run: str
    space: str
    paths: tuple
    tr: float
    n_trs: int
    mask: Path | None = None
    confounds: Path | None = None
    sidecar: Path | None = None

    @property
    def is_surface(self) -> bool:
        """Whether the run is on the vertices of a surface."""
        return self.space in (*fmriprep.MESHES, *fmriprep.GRAYORDINATES)


def find(
    folder: Path, subject: str, run: str, *, space: str, tr: float, n_trs: int, derivatives: Path | str | None = None
) -> Scan:
    """Return the `Scan` of a run; files need not be there (`check` says which are not).

    Parameters
    ----------
    folder : Path
        Root of the BIDS data set.
    subject, run : str
        Labels, as in `Scan`.
    space : str
        ``"raw"``, or fMRIPrep's output: ``"native"`` (the subject's T1w), ``"mni"``, ``"fsaverage5"``... Of several
        variants (templates, ``res-``) one is taken: see `fmriprep.volume_files`.
    tr, n_trs
        What the scan must have.
    derivatives : Path, optional
        fMRIPrep's output folder; ``folder/derivatives/fmriprep`` by default.

    Raises
    ------
    ValueError
        If ``space`` is none of `SPACES`.
    """
    if space not in SPACES:
        raise ValueError(f"space is {space!r}, expected one of {', '.join(SPACES)}")
    stem = f"sub-{subject}_task-{run}"
    raw = Path(folder) / f"sub-{subject}" / "func"
    sidecar = raw / f"{stem}_bold.json"
    if space == "raw":
        return Scan(
            subject, run, space, (fmriprep.plain_or_compressed(raw / f"{stem}_bold.nii"),), tr, n_trs, sidecar=sidecar
        )
    func = Path(derivatives or Path(folder) / "derivatives" / "fmriprep") / f"sub-{subject}" / "func"
    more = {"tr": tr, "n_trs": n_trs, "confounds": fmriprep.confounds_file(func, stem), "sidecar": sidecar}
    if space in fmriprep.MESHES:
        return Scan(subject, run, space, fmriprep.surface_files(func, stem, space), **more)
    if space in fmriprep.GRAYORDINATES:
        return Scan(subject, run, space, (fmriprep.grayordinates_file(func, stem, space),), **more)
    bold, mask = fmriprep.volume_files(func, stem, space)
    return Scan(subject, run, space, (bold,), mask=mask, **more)


def check(scans: Sequence[Scan]) -> None:
    """Look at headers, sidecars, masks and confounds of all scans before any long work.

    One warning lists runs without confounds among others that have them, headers that state another repetition time
    than the sidecar, and images whose header states no place.

    Raises
    ------
    FileNotFoundError
        Naming every file that is missing, all at once.
    ValueError
        Naming each file that is truncated, is no image, has another length or TR, or lies elsewhere: another grid or
        mesh than the subject's first run, a mask beside the brain.
    """
    wanted = [path for scan in scans for path in (*scan.paths, scan.mask) if path is not None]
    missing = [path for path in wanted if not path.is_file()]
    sidecars = [scan.sidecar for scan in scans if scan.space == "raw" and scan.sidecar is not None]
    missing += [path for path in sidecars if not sidecars_of(path)]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(wanted) + len(sidecars)} files are missing: {_some(missing)}; "
            f"{_others(scans, missing)}fetch them (`naturalistic fetch --help` "
            "lists the data sets), or name the runs and the space that you have"
        )
    wrong, doubts = problems(scans)
    if wrong:
        raise ValueError("; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""))
    if doubts:
        more = f"; and {len(doubts) - 3} more" if len(doubts) > 3 else ""
        warnings.warn("; ".join(doubts[:3]) + more, stacklevel=2)


def problems(scans: Sequence[Scan]) -> tuple[list[str], list[str]]:
    """Return what is wrong with the files of scans, which are there, and what is doubtful; a sentence each.

    Parameters
    ----------
    scans : list of Scan
    """
    firsts: dict = {}
    doubts = _lacking_confounds(scans)
    return [problem for scan in scans for problem in _problems(scan, firsts, doubts)], doubts


def other_grids(scans: Sequence[Scan]) -> list[str]:
    """Return a sentence for each mask that has another grid than its run: it is laid on it by coordinates.

    Parameters
    ----------
    scans : list of Scan
    """
    sentences = []
    for scan in scans:
        if scan.mask is None or scan.is_surface:
            continue
        try:
            mask = open_image(scan.mask)
            image = open_image(scan.paths[0])
        except ValueError:
            continue  # said elsewhere
        if not same_grid(mask.shape, mask.affine, image.shape[:3], image.affine):
            sentences.append(
                f"{scan.mask} has another grid than its run ({describe_grid(mask.shape, mask.affine)}): it is laid on "
                "it by coordinates"
            )
    return sentences


def volumes(scan: Scan) -> tuple[NDArray, NDArray]:
    """Open the run of a volume scan.

    Returns
    -------
    data : array or array proxy (x, y, z, n_trs)
        Indexed as ``data[..., t]``. An uncompressed file stays on disk and is read volume by volume; a
        compressed one is read whole, as the integers that it holds, or as float32 if they have a slope or intercept.
    affine : array (4, 4)
        From voxel indices to mm.

    Raises
    ------
    ValueError
        If the file cannot be read to its end.
    """
    path = scan.paths[0]
    image = open_image(path)
    if path.name.endswith(".nii"):
        return image.dataobj, image.affine
    return read_values(image, np.float32 if is_scaled(image) else None), image.affine


def masks_on_grid(scans: Sequence[Scan], shape: Sequence[int], affine: NDArray) -> NDArray:
    """Return what is in the brain masks of all scans, on the grid of the first: bool (x, y, z).

    Raises
    ------
    ValueError
        As `mask_on_grid`, or if the masks have no voxel in common.
    """
    mask = np.all([mask_on_grid(scan.mask, shape, affine, scan.paths[0]) for scan in scans], axis=0)
    if not mask.any():
        raise ValueError(f"the masks of {len(scans)} runs have no voxel in common: {_some([s.mask for s in scans])}")
    return mask


def vertices(scan: Scan) -> NDArray:
    """Return the run of a surface scan, left vertices before right ones: float32 (n_trs, n_vertices).

    Vertices that fMRIPrep left without values (its option for the medial surface) are 0, as others outside of the scan.

    Raises
    ------
    ValueError
        Naming the file, if it is damaged, or vertices are not finite at some TRs only.
    """
    if scan.space in fmriprep.GRAYORDINATES:
        path = scan.paths[0]
        image = open_image(path)
        columns = np.concatenate([columns for columns, _ in _cortex(path, image)])
        bold = read_values(image, np.float32)[:, columns]
        silence_unseen(bold, path, "vertices", "fetch it again, or run fMRIPrep again")
        return bold
    sides = []
    for path in scan.paths:
        side = np.stack([array.data for array in open_image(path).darrays]).astype(np.float32)
        silence_unseen(side, path, "vertices", "fetch it again, or run fMRIPrep again")
        sides.append(side)
    return np.concatenate(sides, axis=1)


def vertex_indices(scan: Scan) -> tuple[NDArray, NDArray]:
    """Return the vertices of the left and of the right mesh that the columns of `vertices` are of."""
    if scan.space in fmriprep.GRAYORDINATES:
        left, right = (indices for _, indices in _cortex(scan.paths[0], open_image(scan.paths[0])))
        return left, right
    left, right = (np.arange(int(open_image(path).darrays[0].dims[0])) for path in scan.paths)
    return left, right


def _cortex(path: Path, image: SpatialImage) -> list[tuple[NDArray, NDArray]]:
    """Return the columns and the vertices of the left and of the right cortex of a CIFTI series."""
    axis = image.header.get_axis(1)
    parts = {name: (np.arange(axis.size)[columns], part.vertex) for name, columns, part in axis.iter_structures()}
    absent = [name for name in _CORTEX if name not in parts]
    if absent:
        raise ValueError(f"{path} has no {', '.join(absent)}, but {', '.join(parts)}; expected both hemispheres")
    return [parts[name] for name in _CORTEX]


def confounds_motion(scan: Scan) -> NDArray | None:
    """Return fMRIPrep's motion estimates (n_trs, 6), mm and rad, or None where it left none.

    Raises
    ------
    ValueError
        If columns are missing, a value is no number, or the table has another number of rows than the scan must have
        volumes.
    """
    if scan.confounds is None or not scan.confounds.is_file():
        return None
    rows = read_cells(scan.confounds, "\t")
    there = [name.strip() for name in rows[0]] if rows else []
    names = _OLD_MOTION if set(_OLD_MOTION) <= set(there) else MOTION
    absent = [name for name in names if name not in there]
    if absent:
        raise ValueError(f"{scan.confounds} has no column {', '.join(absent)}: expected fMRIPrep's confounds")
    columns = [there.index(name) for name in names]
    if len(rows) - 1 != scan.n_trs:
        raise ValueError(f"{scan.confounds} has {len(rows) - 1} rows, expected {scan.n_trs}: one a volume of the run")
    motion = np.empty((scan.n_trs, len(names)))
    for k, row in enumerate(rows[1:]):
        if len(row) != len(there):
            raise ValueError(f"{scan.confounds}, row {k + 1} has {len(row)} cells, expected {len(there)} as its header")
        for j, column in enumerate(columns):
            try:
                motion[k, j] = number(row[column])
            except ValueError as error:
                raise ValueError(
                    f"{scan.confounds}, row {k + 1}: {names[j]} is no number ({row[column]!r}), expected mm or rad"
                ) from error
    return motion


def _some(paths: Sequence[Path], n: int = 4) -> str:
    return ", ".join(map(str, paths[:n])) + (f" and {len(paths) - n} more" if len(paths) > n else "")


def _others(scans: Sequence[Scan], missing: Sequence[Path]) -> str:
    """Return which spaces are there of the first run whose image is missing, as a part of the message."""
    for scan in scans:
        if scan.space != "raw" and scan.paths[0] in missing:
            spaces = fmriprep.spaces_present(scan.paths[0].parent, f"sub-{scan.subject}_task-{scan.run}")
            return f"of this run there are {', '.join(spaces)}; " if spaces else ""
    return ""


def _lacking_confounds(scans: Sequence[Scan]) -> list[str]:
    """Return a list of one sentence if some runs have confounds and others have none, else an empty list."""
    asked = [scan.confounds for scan in scans if scan.confounds is not None]
    lacking = [path for path in asked if not path.is_file()]
    if not 0 < len(lacking) < len(asked):
        return []
    return [
        f"{len(lacking)} of {len(asked)} runs have no confounds, so the motion of all is None: {_some(lacking)} is not "
        "there; fetch it, or leave the run out"
    ]


def _problems(scan: Scan, firsts: dict, doubts: list) -> Iterator[str]:
    """Yield what is wrong with the files of a scan, one sentence each.

    ``firsts`` keeps the first run of a subject, ``doubts`` collects what is not wrong for sure.
    """
    images = []
    for path in scan.paths:
        try:
            images.append(open_image(path))
        except ValueError as error:
            yield str(error)
    if len(images) == len(scan.paths):
        yield from _wrong_length(scan, images)
        yield from _wrong_place(scan, images, firsts)
        if not scan.is_surface and not states_coordinates(images[0]):
            doubts.append(f"{scan.paths[0]} {NO_PLACE}: left and right may be confused")
    for problem in (_wrong_tr(scan, images[:1], doubts), _wrong_confounds(scan)):
        if problem:
            yield problem


def _wrong_length(scan: Scan, images: list) -> Iterator[str]:
    """Compare the volumes of a run with those that it must have."""
    for path, image in zip(scan.paths, images):
        if is_grayordinates(image):
            shape = image.shape
            n_found = shape[0]
        elif scan.is_surface:
            shape = "a surface"
            n_found = len(image.darrays)
        else:
            shape = image.shape
            n_found = shape[3] if len(shape) == 4 else 0
            yield from _truncated(path, image)
        if n_found != scan.n_trs:
            yield f"{path} has {n_found} volumes ({shape}), expected {scan.n_trs}: the run is not whole"


def _wrong_place(scan: Scan, images: list, firsts: dict) -> Iterator[str]:
    """Compare grid or mesh with what the space has and with the subject's first run; and the mask with the grid."""
    path = scan.paths[0]
    image = images[0]
    first, first_image = firsts.setdefault((scan.subject, scan.space), (scan, image))
    if fmriprep.variant_of(path) != fmriprep.variant_of(first.paths[0]):
        yield f"{path} is of another space than the subject's first run, {first.paths[0]}: expected one variant for all"
    if is_grayordinates(image):
        try:
            vertices_here, vertices_first = (_cortex(p.paths[0], i) for p, i in ((scan, image), (first, first_image)))
        except (ValueError, AttributeError) as error:
            yield f"{path} is no series of grayordinates ({error})"
            return
        if any(not np.array_equal(here[1], there[1]) for here, there in zip(vertices_here, vertices_first)):
            yield f"{path} has other vertices than the subject's first run, {first.paths[0]}: expected one mesh for all"
        return
    if scan.is_surface:
        n_expected = fmriprep.MESHES[scan.space][1]
        for side, surface in zip(scan.paths, images):
            sizes = {int(array.dims[0]) for array in surface.darrays}
            if sizes - {n_expected}:
                yield f"{side} has {sorted(sizes)} vertices, expected {n_expected:,}: those of {scan.space}"
        return
    if len(image.shape) != 4:
        return  # its length is wrong, which was said
    shape = image.shape[:3]
    affine = image.affine
    if not same_grid(shape, affine, first_image.shape[:3], first_image.affine):
        yield (
            f"{path} has another grid than the subject's first run: {describe_grid(shape, affine)}; {first.paths[0]} "
            f"has {describe_grid(first_image.shape[:3], first_image.affine)}; prepare it by itself, or resample it"
        )
    if scan.mask is not None:
        try:
            mask_on_grid(scan.mask, shape, affine, path)
        except ValueError as error:
            yield str(error)


def _wrong_tr(scan: Scan, images: list, doubts: list) -> str | None:
    """Return what is wrong with the repetition time: that of sidecars, or of the header where no sidecar has one."""
    sidecars = [] if scan.sidecar is None else sidecars_of(scan.sidecar)
    own = scan.paths[0].with_name(scan.paths[0].name.split(".")[0] + ".json")
    try:
        tr, path = repetition_time([*sidecars, *([own] if own.is_file() else [])])
    except ValueError as error:
        return str(error)
    has_header = images and (not scan.is_surface or is_grayordinates(images[0]))
    stated = header_tr(images[0]) if has_header else None
    if tr is None and stated is not None:
        tr = stated
        path = f"the header of {scan.paths[0]}"
    if tr is None and scan.space == "raw":
        where = _some(sidecars) or f"no sidecar of {scan.paths[0]}"
        return f"{where} says RepetitionTime None s, expected {scan.tr:g} s"
    if tr is not None and abs(tr - scan.tr) > _TR_TOLERANCE:
        ms = ", not ms" if abs(tr / 1000 - scan.tr) <= _TR_TOLERANCE else ""
        return f"{path} says RepetitionTime {tr} s, expected {scan.tr:g} s{ms}: is it of this data set?"
    if stated is not None and abs(stated - scan.tr) > _TR_TOLERANCE:
        doubts.append(
            f"the header of {scan.paths[0]} says a TR of {stated:g} s, {path} says {tr:g} s: the sidecar is believed"
        )
    return None


def _wrong_confounds(scan: Scan) -> str | None:
    try:
        confounds_motion(scan)
    except ValueError as error:
        return str(error)
    return None


def _truncated(path: Path, image: SpatialImage) -> Iterator[str]:
    """Compare the size of an uncompressed NIfTI with what its header promises."""
    if path.name.endswith(".nii"):
        promised = image.dataobj.offset + int(np.prod(image.shape)) * image.dataobj.dtype.itemsize
        if path.stat().st_size < promised:
            yield f"{path} has {path.stat().st_size:,} of {promised:,} bytes: it was cut short; fetch it again"
