"""Maps on the cortical surface: from voxels to the vertices of fsaverage5, inflated and flat."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
from nilearn import plotting as nilearn_plotting
from nilearn.datasets import load_fsaverage, load_fsaverage_data
from scipy.spatial import cKDTree

SIDES = ("left", "right")
REACH = 1.0  # of a voxel's diagonal: how far from a vertex the nearest voxel may be


@cache
def meshes(kind):
    """Return the left and right mesh of fsaverage5 that nilearn carries: pial, white_matter, inflated, flat..."""
    mesh = load_fsaverage("fsaverage5")[kind]
    return mesh.parts["left"], mesh.parts["right"]


def to_surface(values, coordinates, voxel_size):
    """Return values at the vertices of fsaverage5: that of the nearest voxel, half-way through the cortex.

    Parameters
    ----------
    values : array (n_voxels,)
    coordinates : array (n_voxels, 3) or None
        MNI152 mm of the voxels; None if ``values`` are at the 20,484 vertices already.
    voxel_size : float
        mm. A vertex with no voxel within `REACH` diagonals is NaN.

    Returns
    -------
    values : dict of str to array (10242,)
        ``"left"`` and ``"right"``.
    """
    values = np.asarray(values, dtype=float)
    n_left = len(meshes("pial")[0].coordinates)
    if coordinates is None:
        if len(values) != 2 * n_left:
            raise ValueError(f"values has {len(values)} numbers, expected {2 * n_left} vertices of fsaverage5")
        return {"left": values[:n_left], "right": values[n_left:]}
    tree, found = cKDTree(coordinates), {}
    for side, pial, white in zip(SIDES, meshes("pial"), meshes("white_matter")):
        distance, nearest = tree.query((pial.coordinates + white.coordinates) / 2)
        far = distance > REACH * np.sqrt(3) / 2 * voxel_size
        found[side] = np.where(far, np.nan, values[nearest])
    return found


def brain_map(values, title, label, *, vmin=0.0, vmax=None, cmap="viridis"):
    """Draw a map on the inflated cortex (outside and inside of both hemispheres) and on the flat one.

    Parameters
    ----------
    values : dict of str to array (10242,)
        From `to_surface`; NaN is drawn as the bare surface.
    title, label : str
        ``label`` with the unit.
    vmin, vmax : float
        Ends of the colour bar; ``vmax`` is the 99.5th percentile by default.
    cmap : str
    """
    both = np.concatenate([values[side] for side in SIDES])
    vmax = float(np.nanpercentile(both, 99.5)) if vmax is None else vmax
    fig = plt.figure(figsize=(7.4, 4.6))
    grid = fig.add_gridspec(2, 5, width_ratios=[1, 1, 1, 1, 0.07], height_ratios=[0.75, 1])
    relief = load_fsaverage_data("fsaverage5", data_type="sulcal").data.parts
    for k, (side, view) in enumerate([("left", "lateral"), ("left", "medial"), ("right", "medial"), ("right", "lateral")]):
        ax = fig.add_subplot(grid[0, k], projection="3d")
        mesh = meshes("inflated")[SIDES.index(side)]
        nilearn_plotting.plot_surf_stat_map(
            mesh, stat_map=values[side], hemi=side, view=view, bg_map=np.asarray(relief[side]), axes=ax, figure=fig,
            cmap=cmap, vmin=vmin, vmax=vmax, symmetric_cbar=False, colorbar=False, threshold=None, engine="matplotlib",
        )  # fmt: skip
        ax.set_title(f"{side}, {view}", fontsize="small", y=-0.1)
    for k, side in enumerate(SIDES):
        ax = fig.add_subplot(grid[1, 2 * k : 2 * k + 2])
        shown = _flat(ax, side, values[side], np.asarray(relief[side]), cmap, vmin, vmax)
        ax.set_title(f"{side}, flat", fontsize="small", y=-0.05)
    fig.colorbar(shown, cax=fig.add_subplot(grid[:, 4]), label=label)
    fig.suptitle(title)
    return fig


def _flat(ax, side, values, relief, cmap, vmin, vmax):
    """Draw one flat hemisphere: folds in grey, values above them where there are any."""
    mesh = meshes("flat")[SIDES.index(side)]
    x, y, faces = mesh.coordinates[:, 0], mesh.coordinates[:, 1], _inside(mesh)
    ax.tripcolor(x, y, faces, (relief > 0).astype(float), cmap="Greys", vmin=-1, vmax=2, shading="gouraud", rasterized=True)
    seen = np.isfinite(values[faces]).all(axis=1)
    shown = ax.tripcolor(
        x, y, faces[seen], np.nan_to_num(values), cmap=cmap, vmin=vmin, vmax=vmax, shading="gouraud", rasterized=True
    )
    ax.set_aspect("equal")
    ax.axis("off")
    return shown


def _inside(mesh):
    """Return the triangles of a flat mesh, without those that span its cuts."""
    corners = mesh.coordinates[mesh.faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    return mesh.faces[longest < 8 * np.median(longest)]
