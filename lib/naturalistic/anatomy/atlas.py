"""Parcels of an atlas where there is one, and of equal area where there is none."""

from pathlib import Path

import nibabel as nib
import numpy as np

from naturalistic.anatomy.parcels import equal_area_parcels
from naturalistic.datasets.images import nearest_values, read_volume

OUTSIDE = ("unknown", "medial_wall", "medial wall", "corpuscallosum", "???")  # names of what is no cortex


def parcels_of(person, atlas=None, n_parcels=150):
    """Return the parcel of each voxel or vertex of a subject.

    The paper's parcels are those of Destrieux et al. (2010, NeuroImage 53), 74 a hemisphere: of fsaverage5,
    FreeSurfer's ``lh.aparc.a2009s.annot`` and ``rh.aparc.a2009s.annot``; in volumes, a label image in MNI152.

    Parameters
    ----------
    person : Prepared
    atlas : str or Path, or two of them, optional
        A NIfTI image of whole-number labels in MNI152 mm, 0 outside; or, for a subject on fsaverage5, the annotations
        of the left and the right hemisphere (of fsaverage5 or finer, whose first 10,242 vertices are those of
        fsaverage5). None: parcels of equal area.
    n_parcels : int
        Of equal area.

    Returns
    -------
    parcels : int array (n_voxels,)
        0 .. n - 1 without a gap, those of the left hemisphere's annotation first; -1 outside of all.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file, and what was expected.
    """
    if atlas is None:
        return equal_area_parcels(person.coordinates, n_parcels)
    paths = [Path(p).expanduser() for p in ([atlas] if isinstance(atlas, (str, Path)) else atlas)]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there; expected an atlas: a NIfTI label image or two .annot files")
    if len(paths) == 2:
        if person.mask is not None:
            raise ValueError(
                f"atlas has two files, annotations of a surface, but the subject is in the volume ({person.space}): "
                "give a label image in MNI152"
            )
        labels = np.concatenate(_of_both_sides(paths, len(person.coordinates) // 2))
    elif len(paths) == 1:
        labels = _of_volume(paths[0], person.coordinates)
    else:
        raise ValueError(f"atlas names {len(paths)} files, expected one label image, or a left and a right annotation")
    return _numbered(labels, paths)


def _of_volume(path, coordinates):
    """Return the label of the atlas's voxel that holds each place; 0 outside of its field of view."""
    volume, affine = read_volume(path, placed=True)
    if not np.array_equal(volume, np.round(volume)):
        raise ValueError(f"{path} has broken numbers, expected one volume of whole labels")
    return nearest_values(volume, affine, coordinates).astype(int)


def _of_both_sides(paths, n_vertices):
    """Return the labels of the left and of the right vertices; 0 for what is no cortex, left and right apart."""
    found, first = [], 1
    for path in paths:
        try:
            labels, _, names = nib.freesurfer.read_annot(path)
        except Exception as error:  # a damaged file raises a dozen kinds
            raise ValueError(f"{path} is no annotation of FreeSurfer, or was cut short ({error})") from error
        if not _is_mesh(len(labels), n_vertices):
            raise ValueError(
                f"{path} has {len(labels):,} vertices, expected {n_vertices:,} or a finer fsaverage mesh's"
            )
        names = [name.decode().lower() for name in names]
        cortex = np.array([name not in OUTSIDE for name in names] + [False])  # -1: of no label
        labels = labels[:n_vertices]
        found.append(np.where(cortex[labels], labels + first, 0))
        first += len(names)
    return found


def _is_mesh(n_vertices, n_coarse):
    """Return whether a mesh is the coarse one or divides its triangles in four, once or more often."""
    while n_vertices > n_coarse and (n_vertices - 2) % 4 == 0:
        n_vertices = (n_vertices - 2) // 4 + 2
    return n_vertices == n_coarse


def _numbered(labels, paths):
    """Number the labels that occur from 0 on; -1 where the label is 0 or less."""
    there = np.unique(labels[labels > 0])
    if not len(there):
        raise ValueError(f"{paths[0]} has no label at any voxel of the subject: is it in MNI152 mm?")
    return np.where(labels > 0, np.searchsorted(there, labels), -1)
