"""Published files of studyforrest: manifest, layouts of a folder, parcel time series, atlas and networks.

Three public repositories hold them. The manifest of the package has repository, commit, path, size and SHA-256 of each
file. A folder has them in one of two layouts:

- as published: the paths of the manifest, such as ``sub-01/shen_fconn/sub-01_task-avmovie_run-1_bold.csv``;
- compact: ``brains/sub-01_avmovie_shen278.npz`` with ``bold`` (int16, times ``scale``), ``labels`` and ``run_lengths``,
  and the tables without their folders.

The image and the networks of the atlas are of a third repository that states no license: they are downloaded, never
shipped.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from zlib import error as zlib_error

import numpy as np
from numpy.typing import NDArray

from naturalistic.cache import RequestError, content_key, read_array, write_array
from naturalistic.datasets.download import DownloadPlan, RemoteFile
from naturalistic.datasets.images import read_volume
from naturalistic.datasets.openneuro import subject_of
from naturalistic.datasets.subject import VoxelCoordinates
from naturalistic.intact import check_whole, open_arrays
from naturalistic.text_files import read_cells, read_text

NAME = "studyforrest"
HOST = "https://raw.githubusercontent.com"
TR = 2.0  # s
N_TRS = (451, 441, 438, 488, 462, 439, 542, 338)  # of each run
N_PARCELS = 278  # of the atlas
# parcels that lack in somebody: ten of the cerebellum and one of the brain stem
ABSENT = (13, 38, 76, 126, 130, 141, 142, 159, 174, 219, 272)
LABELS = np.setdiff1d(np.arange(1, N_PARCELS + 1), ABSENT)
ATLAS = "shen_3mm_278.nii.gz"
NETWORKS_FILE = "yeo_RS7_278.mat"
# codes 1 to 9 of that file; by the centers of their parcels: see `networks`
NETWORKS = (
    "visual",
    "somatomotor",
    "dorsal attention",
    "ventral attention",
    "limbic",
    "frontoparietal",
    "default",
    "subcortical",
    "cerebellum",
)
PARTS = ("bold", "annotations", "atlas")
_PART_OF_REPOSITORY = {
    "psychoinformatics-de/studyforrest-data-aggregate": "bold",
    "psychoinformatics-de/studyforrest-data-annotations": "annotations",
    "danielemarinazzo/Visibility_LA5C_data": "atlas",
}
_COMPACT = "sub-{}_avmovie_shen278.npz"
_BOLD = "sub-{0}/shen_fconn/sub-{0}_task-avmovie_run-{1}_bold.csv"
_CACHED = "studyforrest-bold"  # folder of the cache with the CSV as float32
_RECIPE = 1  # part of its key


@functools.cache
def manifest() -> dict[str, RemoteFile]:
    """Return the published files by their path in the repository; ``group`` is one of `PARTS`."""
    header, *rows = read_cells(files("naturalistic.datasets") / "studyforrest_manifest.tsv", "\t")
    published = {}
    for row in rows:
        cells = dict(zip(header, row))
        path = cells["path"]
        published[path] = RemoteFile(
            path,
            f"sha256:{cells['sha256']}",
            int(cells["bytes"]),
            _PART_OF_REPOSITORY[cells["repository"]],
            f"{cells['repository']}/{cells['commit']}/{path}",
        )
    return published


def published_subjects() -> tuple[str, ...]:
    """Return the labels of the 15 subjects."""
    return tuple(sorted({subject for path in manifest() if (subject := subject_of(path))}))


def download_plan(
    name: str = NAME, *, subjects: Iterable[int | str] | None = None, parts: Iterable[str] | None = None
) -> DownloadPlan:
    """Return the `DownloadPlan` of the data set, or of some of it.

    Parameters
    ----------
    name : str
    subjects : iterable, optional
        Such as ``1``, ``"01"`` or ``"sub-01"``; all 15 by default (202 MB as CSV).
    parts : iterable of {"bold", "annotations", "atlas"}, optional
        All by default.

    Returns
    -------
    plan : DownloadPlan

    Raises
    ------
    RequestError
        Naming the subject or part that does not exist.
    """
    known = published_subjects()
    if isinstance(subjects, str) or isinstance(parts, str):
        raise RequestError(f"{name}: subjects and parts are lists, such as subjects=['01'] and parts=['bold']")
    labels = known if subjects is None else [subject_label(each, known, name) for each in subjects]
    wanted = PARTS if parts is None else list(parts)
    if unknown := [part for part in wanted if part not in PARTS]:
        raise RequestError(f"{name} has no part {unknown[0]!r}; there are: {', '.join(PARTS)}")
    if not labels or not wanted:
        raise RequestError(f"nothing of {name} is asked for; there are subjects {', '.join(known)}")
    selected = tuple(
        replace(file, group=f"sub-{subject} {file.group}" if (subject := subject_of(file.path)) else file.group)
        for file in manifest().values()
        if file.group in wanted and subject_of(file.path) in (None, *labels)
    )
    n_subjects = len(set(labels)) if "bold" in wanted else 0
    return DownloadPlan(name, HOST, selected, n_subjects * 4 * sum(N_TRS) * len(LABELS))


def subject_label(subject: int | str, known: Sequence[str], where: Path | str) -> str:
    """Return the label of a subject, such as ``"01"`` for ``1``, ``"1"`` or ``"sub-01"``.

    Raises
    ------
    RequestError
        If it is none of ``known``.
    """
    label = str(subject).removeprefix("sub-")
    label = label.zfill(2) if label.isdigit() else label
    if label not in known:
        raise RequestError(f"{where} has no subject {subject!r}; there are: {', '.join(known) or 'none'}")
    return label


def find_file(folder: Path, path: str) -> Path | None:
    """Return where a published file lies in a folder of either layout, or None."""
    name = path.rpartition("/")[2]
    candidates = (folder / path, folder / "published" / path, folder / name, folder / "brains" / name)
    return next((each for each in candidates if each.is_file()), None)


def needed_file(folder: Path, path: str, purpose: str) -> Path:
    """Return where a published file lies in a folder.

    Raises
    ------
    FileNotFoundError
        With the command that downloads it.
    """
    found = find_file(folder, path)
    if found is None:
        part = manifest()[path].group
        raise FileNotFoundError(
            f"{folder} has no {path} (nor {path.rpartition('/')[2]}), needed for {purpose}; download it: "
            f"naturalistic fetch studyforrest --parts {part} --to {folder}"
        )
    return found


def check_published(path: Path, published: str) -> None:
    """Compare the SHA-256 of a file with the published one.

    Raises
    ------
    ValueError
        If it is another file.
    """
    _check_digest(path, published, hashlib.sha256(path.read_bytes()).hexdigest())


def _check_digest(path: Path, published: str, digest: str) -> None:
    file = manifest()[published]
    if file.digest != f"sha256:{digest}":
        raise ValueError(
            f"{path} is not the published file: its SHA-256 is {digest[:12]}..., expected {file.digest[7:19]}... of "
            f"{file.remote_path} (another commit, or damaged); fetch it again, or open the folder itself: "
            f"load({str(path.parent)!r})"
        )


# --- parcel time series --------------------------------------------------------------------------------------------


def subjects_present(folder: Path) -> tuple[str, ...]:
    """Return the subjects of whom a folder has time series, in either layout."""
    patterns = ["brains/sub-*_avmovie_shen278.npz", "sub-*_avmovie_shen278.npz"]
    patterns += [f"{place}sub-*/shen_fconn/sub-*_bold.csv" for place in ("", "published/")]
    found = {subject_of(path.name) for pattern in patterns for path in folder.glob(pattern)}
    return tuple(sorted(subject for subject in found if subject))


def read_bold(folder: Path, subject: str, runs: Sequence[int], published: bool = False) -> NDArray[np.float32]:
    """Return the time series of the parcels that everybody has.

    Parameters
    ----------
    folder : Path
    subject : str
        Label.
    runs : sequence of int
        From 0.
    published : bool
        Compare published files with their SHA-256.

    Returns
    -------
    bold : float32 array (n_trs, 267)
        CSV are read once and stored as float32 in the cache, found again by their content.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file, what was expected, and what to do.
    """
    compact = find_file(folder, _COMPACT.format(subject))
    if compact is not None:
        whole = _read_compact(compact)
        ends = np.cumsum(N_TRS)
        return np.concatenate([whole[ends[k] - N_TRS[k] : ends[k]] for k in runs])
    names = [_BOLD.format(subject, k + 1) for k in runs]
    again = f"naturalistic fetch studyforrest --subject {subject} --to {folder}"
    paths = [find_file(folder, name) for name in names]
    if missing := [name for name, path in zip(names, paths) if path is None]:
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(missing)}: expected a CSV of each run (or brains/{_COMPACT.format(subject)}); "
            f"download what is missing: {again}, or select other runs"
        )
    advice = f"fetch it again: {again}"
    for path in paths:
        check_whole(path, advice)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    if published:
        for path, name, digest in zip(paths, names, digests):
            _check_digest(path, name, digest)
    key = content_key(_CACHED, _RECIPE, digests)
    bold = read_array(_CACHED, key, (sum(N_TRS[k] for k in runs), len(LABELS)))
    if bold is None:
        bold = np.concatenate([_read_csv(path, N_TRS[k], advice) for path, k in zip(paths, runs)])
        with contextlib.suppress(OSError):  # a cache that cannot be written to costs a second a subject, no more
            write_array(_CACHED, key, bold)
    return bold


def _read_compact(path: Path) -> NDArray[np.float32]:
    """Return all runs of a compact file (n_trs, 267)."""
    advice = "copy it again, or download the CSV of the subject"
    arrays = open_arrays(path, advice)
    if absent := [name for name in ("bold", "scale", "labels", "run_lengths") if name not in arrays]:
        raise ValueError(f"{path} lacks {', '.join(absent)}, expected bold, scale, labels and run_lengths; {advice}")
    if tuple(arrays["run_lengths"].tolist()) != N_TRS:
        raise ValueError(f"{path} has runs of {arrays['run_lengths'].tolist()} TRs, expected {list(N_TRS)}; {advice}")
    columns = _columns(path, arrays["labels"])
    bold = arrays["bold"]
    if bold.shape != (sum(N_TRS), len(arrays["labels"])):
        expected = (sum(N_TRS), len(arrays["labels"]))
        raise ValueError(f"{path} has bold of shape {bold.shape}, expected {expected} of run_lengths and labels")
    scaled = bold[:, columns].astype(np.float32) * np.float32(arrays["scale"])
    if not np.isfinite(scaled).all():
        raise ValueError(f"{path} has values that are NaN or infinite; {advice}")
    return scaled


def _columns(path: Path, labels: NDArray) -> NDArray:
    """Return the columns of the parcels that everybody has, in order of their labels."""
    labels = np.asarray(labels)
    lacking = np.setdiff1d(LABELS, labels)
    unknown = np.setdiff1d(labels, np.arange(1, N_PARCELS + 1))
    if len(lacking) or len(unknown) or len(np.unique(labels)) != len(labels):
        what = f"lacks the parcels {_some(lacking)}" if len(lacking) else f"has the labels {_some(unknown)}"
        what = what if len(lacking) or len(unknown) else "has a parcel twice"
        raise ValueError(
            f"{path} {what}: expected the {len(LABELS)} parcels that all subjects have, of the labels 1 to {N_PARCELS} "
            "of the Shen atlas, each once; leave this subject out (subjects=[...]), or fetch it again"
        )
    order = np.argsort(labels)
    return order[np.searchsorted(labels[order], LABELS)]


def _some(labels: NDArray) -> str:
    return ", ".join(map(str, labels[:5])) + " ..." * (len(labels) > 5)


def _read_csv(path: Path, n_trs: int, advice: str) -> NDArray[np.float32]:
    """Return the time series of a run as published (n_trs, 267)."""
    text = read_text(path)
    header, *rows = text.splitlines() or [""]
    try:
        labels = np.array([int(cell) for cell in header.split(",")])
    except ValueError:
        raise ValueError(f"{path} begins with {header[:40]!r}, expected a row of labels of parcels; {advice}") from None
    columns = _columns(path, labels)
    for k, row in enumerate(rows, 1):
        if row.count(",") + 1 != len(labels):
            raise ValueError(
                f"{path}, row {k} has {row.count(',') + 1} columns, expected {len(labels)} as in its first row"
                + (": the file was cut short" if k == len(rows) else "")
                + f"; {advice}"
            )
    if len(rows) != n_trs or not text.endswith("\n"):
        inside = "" if text.endswith("\n") else ", and ends inside of a row"
        raise ValueError(f"{path} has {len(rows)} TRs{inside}, expected {n_trs}: it was cut short; {advice}")
    try:
        values = np.loadtxt(rows, delimiter=",", ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} is not a table of numbers ({error}); {advice}") from error
    if not np.isfinite(values).all():
        raise ValueError(f"{path} has {(~np.isfinite(values)).sum()} values that are NaN or infinite; {advice}")
    return values[:, columns].astype(np.float32)


# --- atlas ---------------------------------------------------------------------------------------------------------


def atlas_path(folder: Path) -> Path | None:
    """Return the image of the atlas in a folder, or None."""
    return find_file(folder, ATLAS)


def parcel_coordinates(folder: Path) -> VoxelCoordinates:
    """Return the center of each parcel in MNI mm, from the image of the atlas.

    Returns
    -------
    located : VoxelCoordinates
        ``voxel_size`` is the edge of a cube of the median parcel's volume, 17 mm.

    Raises
    ------
    FileNotFoundError, ValueError
        If the image is not in the folder, with the command that downloads it; if it lacks parcels.
    """
    path = needed_file(folder, ATLAS, "the coordinates of the parcels")
    volume, affine = read_volume(path, placed=True)
    inside = np.argwhere(volume > 0)
    labels = volume[volume > 0].astype(int)
    n_voxels = np.bincount(labels, minlength=N_PARCELS + 1)
    if len(n_voxels) != N_PARCELS + 1 or not n_voxels[LABELS].all():
        raise ValueError(
            f"{path} has labels up to {labels.max(initial=0)} and {np.count_nonzero(n_voxels[1:])} parcels, expected "
            f"the Shen atlas of {N_PARCELS}; fetch it again"
        )
    mm = inside @ affine[:3, :3].T + affine[:3, 3]
    sums = np.stack([np.bincount(labels, mm[:, k], N_PARCELS + 1) for k in range(3)], axis=1)
    centers = sums[LABELS] / n_voxels[LABELS, None]
    volume_of_voxel = abs(np.linalg.det(affine[:3, :3]))
    return VoxelCoordinates(centers, float(np.median(n_voxels[LABELS]) * volume_of_voxel) ** (1 / 3))


def networks(folder: Path) -> tuple[str, ...] | None:
    """Return the network of each parcel (267), one of `NETWORKS`, or None where the file is not in the folder.

    The file has codes and no names. Their order is that of Yeo et al. (2011, J Neurophysiol 106:1125-65), followed by
    subcortical and cerebellar parcels: median centers of the codes in MNI mm are (+-22, -78, 5), (+-40, -21, 46),
    (+-31, -56, 53), (+-36, 7, 24), (+-24, 18, -22), (+-38, 23, 29), (+-25, 8, 16), (+-13, -19, -4) and
    (+-23, -65, -34). A test compares them with the image of the atlas.

    Raises
    ------
    ValueError
        If the file is damaged or has other codes.
    """
    path = find_file(folder, NETWORKS_FILE)
    if path is None:
        return None
    import scipy.io  # slow to import, and `naturalistic fetch` needs it not

    try:
        codes = np.ravel(scipy.io.loadmat(path)["yeoROIs"])
    except (ValueError, KeyError, TypeError, OSError, NotImplementedError, zlib_error) as error:
        raise ValueError(f"{path} is damaged or has no yeoROIs ({error}); fetch it again") from error
    if codes.shape != (N_PARCELS,) or not np.isin(codes, np.arange(1, len(NETWORKS) + 1)).all():
        raise ValueError(
            f"{path} has {codes.size} codes up to {codes.max(initial=0)}, expected {N_PARCELS} from 1 to "
            f"{len(NETWORKS)}; fetch it again"
        )
    return tuple(NETWORKS[code - 1] for code in codes[LABELS - 1])
