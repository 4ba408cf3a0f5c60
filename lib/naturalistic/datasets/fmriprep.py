"""Names of the files that fMRIPrep leaves of a run, of all its versions."""

import re
from pathlib import Path

# in the order in which they are taken; all are of adults and in MNI mm (Colin27 is one head, in the same frame)
TEMPLATES = ("MNI152NLin2009cAsym", "MNI152NLin6Asym", "MNI152NLin2009cSym", "MNI152NLin6Sym", "MNIColin27")
SPACES = {"native": ("T1w",), "mni": TEMPLATES}
# an fsaverage space: the names under which it comes, and the vertices of a hemisphere
MESHES = {
    "fsaverage5": (("fsaverage5", "fsaverage_den-10k"), 10_242),
    "fsaverage6": (("fsaverage6", "fsaverage_den-41k"), 40_962),
    "fsaverage": (("fsaverage", "fsaverage_den-164k"), 163_842),
}
# cortex left and right without the medial wall, and gray matter below it; vertices of a hemisphere of the mesh
GRAYORDINATES = {"fsLR": (("fsLR_den-91k", 32_492), ("fsLR", 32_492), ("fsLR_den-170k", 59_292))}
# BOLD and mask: since 1.2, before
_VOLUMES = (("desc-preproc_bold", "desc-brain_mask"), ("preproc", "brainmask"))
# since 20.2, since 20.0, since 1.2, before
SURFACES = (
    "{stem}_hemi-{side}_space-{mesh}_bold.func.gii",
    "{stem}_space-{mesh}_hemi-{side}_bold.func.gii",
    "{stem}_space-{mesh}_hemi-{side}.func.gii",
    "{stem}_bold_space-{mesh}.{side}.func.gii",
)
# since 20.2, since 1.2, before
CONFOUNDS = ("desc-confounds_timeseries", "desc-confounds_regressors", "bold_confounds", "confounds")
_ENTITIES = r"(?:_[a-z]+-[A-Za-z0-9]+)*"


def volume_files(func: Path, stem: str, space: str) -> tuple[Path, ...]:
    """Return the BOLD image of a run and the brain mask of the same variant.

    Of several variants the first in this order is taken: the template (`TEMPLATES`); no ``res-``, ``res-native``,
    the others by name. Uncompressed comes before compressed.

    Parameters
    ----------
    func : Path
        Folder of the subject's functional outputs.
    stem : str
        Such as ``"sub-001_task-rest_run-01"``.
    space : str
        ``"native"``, ``"mni"``, or a space by its whole name, such as ``"MNI152NLin6Asym_res-2"``.

    Returns
    -------
    bold, mask : Path
        Names of the current version if nothing is there.
    """
    there = sorted(path.name for path in func.glob(f"{stem}_*")) if func.is_dir() else []
    for template in SPACES.get(space, (space,)):
        for bold, mask in _VOLUMES:
            name = re.compile(rf"({re.escape(stem)}(?:_bold)?_space-{template}({_ENTITIES}))_{bold}\.nii(?:\.gz)?")
            found = [match for match in map(name.fullmatch, there) if match]
            if found:
                first = min(found, key=lambda match: (match[2] != "", match[2] != "_res-native", match[2], match[0]))
                return func / first[0], plain_or_compressed(func / f"{first[1]}_{mask}.nii")
    start = func / f"{stem}_space-{SPACES.get(space, (space,))[0]}"
    return tuple(plain_or_compressed(start.with_name(f"{start.name}_{ending}.nii")) for ending in _VOLUMES[0])


def surface_files(func: Path, stem: str, space: str) -> tuple[Path, ...]:
    """Return the left and right surface files of a run, both of one variant; see `volume_files`."""
    variants = [
        tuple(func / form.format(stem=stem, mesh=mesh, side=side) for side in "LR")
        for mesh in MESHES[space][0]
        for form in SURFACES
    ]
    return next((pair for pair in variants if all(path.is_file() for path in pair)), variants[0])


def grayordinates_file(func: Path, stem: str, space: str) -> Path:
    """Return the CIFTI series of a run, under the name of the current version if none is there."""
    variants = [func / f"{stem}_space-{name}_bold.dtseries.nii" for name, _ in GRAYORDINATES[space]]
    return next((path for path in variants if path.is_file()), variants[0])


def n_vertices_of(space: str, n_columns: int) -> int:
    """Return the vertices of a hemisphere of the mesh of a surface space.

    Parameters
    ----------
    space : str
        Of `MESHES` or `GRAYORDINATES`.
    n_columns : int
        Columns of both hemispheres, which tell one density of fsLR from another.
    """
    if space in MESHES:
        return MESHES[space][1]
    return min(n for _, n in GRAYORDINATES[space] if 2 * n >= n_columns)


def confounds_file(func: Path, stem: str) -> Path:
    """Return the table of confounds of a run, under the name of the current version if none is there."""
    variants = [func / f"{stem}_{ending}.tsv" for ending in CONFOUNDS]
    return next((path for path in variants if path.is_file()), variants[0])


def is_mni(space: str) -> bool:
    """Return whether coordinates of a space are MNI152 mm."""
    return space == "mni" or space.partition("_")[0] in TEMPLATES


def variant_of(path: Path) -> str:
    """Return the space of a file and what stands beside it, such as ``"MNI152NLin6Asym_res-2"``, or "" if none."""
    found = re.search(r"_space-([A-Za-z0-9]+(?:_(?:res|den|cohort)-[A-Za-z0-9]+)*)", path.name)
    return found[1] if found else ""


def spaces_present(func: Path, stem: str) -> list[str]:
    """Return the variants of a run that are there, sorted; see `variant_of`."""
    names = func.glob(f"{stem}_*space-*") if func.is_dir() else []
    return sorted({variant_of(path) for path in names if path.name.endswith((".nii", ".nii.gz", ".gii"))} - {""})


def plain_or_compressed(path: Path) -> Path:
    """Return ``path``, or its compressed twin if only that is there."""
    packed = path.with_name(path.name + ".gz")
    return packed if packed.is_file() and not path.is_file() else path
