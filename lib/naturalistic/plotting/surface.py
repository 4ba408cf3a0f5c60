"""Maps on the cortical surface, inflated and flat."""

import matplotlib.pyplot as plt
import numpy as np
from nilearn import plotting as nilearn_plotting

from naturalistic.surface import SIDES, meshes, relief


def brain_map(values, title, label, *, vmin=0.0, vmax=None, cmap="viridis"):
    """Draw a map on the inflated cortex (outside and inside of both hemispheres) and on the flat one.

    Parameters
    ----------
    values : dict of str to array (10242,)
        From `surface.to_surface`; NaN is drawn as the bare surface.
    title, label : str
        ``label`` with the unit.
    vmin, vmax : float
        Ends of the colour bar; ``vmax`` is the 99.5th percentile by default.
    cmap : str
    """
    both = np.concatenate([values[side] for side in SIDES])
    if not np.isfinite(both).any():
        raise ValueError("values has no finite value on either hemisphere: do the coordinates lie in MNI152 mm?")
    vmax = float(np.nanpercentile(both, 99.5)) if vmax is None else vmax
    fig = plt.figure(figsize=(7.4, 4.6))
    grid = fig.add_gridspec(2, 5, width_ratios=[1, 1, 1, 1, 0.07], height_ratios=[0.75, 1])
    for k, (side, view) in enumerate(
        [("left", "lateral"), ("left", "medial"), ("right", "medial"), ("right", "lateral")]
    ):
        ax = fig.add_subplot(grid[0, k], projection="3d")
        mesh = meshes("inflated")[SIDES.index(side)]
        nilearn_plotting.plot_surf_stat_map(
            mesh, stat_map=values[side], hemi=side, view=view, bg_map=relief(side), axes=ax, figure=fig,
            cmap=cmap, vmin=vmin, vmax=vmax, symmetric_cbar=False, colorbar=False, threshold=None, engine="matplotlib",
        )  # fmt: skip
        ax.set_title(f"{side}, {view}", fontsize="small", y=-0.1)
    for k, side in enumerate(SIDES):
        ax = fig.add_subplot(grid[1, 2 * k : 2 * k + 2])
        shown = _flat(ax, side, values[side], cmap, vmin, vmax)
        ax.set_title(f"{side}, flat", fontsize="small", y=-0.05)
    fig.colorbar(shown, cax=fig.add_subplot(grid[:, 4]), label=label)
    fig.suptitle(title)
    return fig


def _flat(ax, side, values, cmap, vmin, vmax):
    """Draw one flat hemisphere: folds in grey, values above them where there are any."""
    mesh = meshes("flat")[SIDES.index(side)]
    x, y, faces = mesh.coordinates[:, 0], mesh.coordinates[:, 1], _inside(mesh)
    ax.tripcolor(
        x, y, faces, (relief(side) > 0).astype(float), cmap="Greys", vmin=-1, vmax=2, shading="gouraud", rasterized=True
    )
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
