"""The MNI152 template of nilearn on grids of whole millimeters."""

from functools import cache
from typing import Literal

import nilearn.datasets
import numpy as np
from numpy.typing import NDArray


@cache
def mni152_template(kind: Literal["head", "gray", "white", "brain"] = "head", step: int = 2) -> tuple[NDArray, NDArray]:
    """Return a volume of the MNI152 template at each ``step`` mm, and its affine.

    nilearn holds the volumes at 1 mm and interpolates splines for a coarser grid, most of a second for each call.
    The points of a grid of 2 or 4 mm are among those of 1 mm: the values are the same to 1e-15.

    Parameters
    ----------
    kind : {"head", "gray", "white", "brain"}
        T1-weighted image, share of gray matter, share of white matter, or mask of the brain.
    step : int
        Voxel size in mm.

    Returns
    -------
    volume : ndarray of shape (x, y, z)
        float32 in 0 to 1, bool for the mask; not to be written to.
    affine : ndarray of shape (4, 4)
        From voxel indices to MNI152 mm.
    """
    load = {
        "head": nilearn.datasets.load_mni152_template,
        "gray": nilearn.datasets.load_mni152_gm_template,
        "white": nilearn.datasets.load_mni152_wm_template,
        "brain": nilearn.datasets.load_mni152_brain_mask,
    }[kind]
    image = load(resolution=1)
    volume = np.asarray(image.dataobj)[::step, ::step, ::step]
    volume = np.array(volume > 0 if kind == "brain" else volume, dtype=bool if kind == "brain" else np.float32)
    affine = image.affine @ np.diag([step, step, step, 1.0])
    for array in (volume, affine):
        array.flags.writeable = False  # shared by all who ask
    return volume, affine
