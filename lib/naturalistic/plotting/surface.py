"""Maps on the cortical surface, inflated and flat."""

from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from nilearn import plotting as nilearn_plotting
from nilearn.surface import SurfaceMesh
from numpy.typing import ArrayLike, NDArray

from naturalistic.anatomy.regions import LANDMARKS
from naturalistic.anatomy.surface import SIDES, meshes, midthickness_coordinates, sulcal_depth

NAMED = ("primary auditory", "anterior temporal", "lateral prefrontal", "early visual", "hand motor", "precuneus")
BELOW = ("anterior temporal", "early visual")  # their names are written below them


def brain_map(
    values: Mapping[str, ArrayLike],
    title: str,
    label: str,
    *,
    vmin: float = 0.0,
    vmax: float | None = None,
    cmap: str = "viridis",
    regions: Sequence[str] = NAMED,
) -> Figure:
    """Draw a map on the inflated cortex (lateral and medial) and on the flat one.

    Parameters
    ----------
    values : dict of str to array (10242,)
        From `surface.to_surface`; NaN is drawn as the bare surface.
    title, label : str
        ``label`` with the unit.
    vmin, vmax : float
        Ends of the color bar; ``vmax`` is the 99.5th percentile by default.
    cmap : str
    regions : sequence of str
        Of `naturalistic.anatomy.regions`, named on the flat maps.

    Returns
    -------
    fig : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If no value is finite.
    """
    both = np.concatenate([values[side] for side in SIDES])
    if not np.isfinite(both).any():
        raise ValueError("values has no finite value on either hemisphere: do the coordinates lie in MNI152 mm?")
    vmax = float(np.nanpercentile(both, 99.5)) if vmax is None else vmax
    shading = {"cmap": cmap, "vmin": vmin, "vmax": vmax}
    fig = plt.figure(figsize=(7.4, 4.6))
    grid = fig.add_gridspec(2, 5, width_ratios=[1, 1, 1, 1, 0.07], height_ratios=[0.75, 1])
    for k, (side, view) in enumerate(
        [("left", "lateral"), ("left", "medial"), ("right", "medial"), ("right", "lateral")]
    ):
        ax = fig.add_subplot(grid[0, k], projection="3d")
        mesh = meshes("inflated")[SIDES.index(side)]
        nilearn_plotting.plot_surf_stat_map(
            mesh, stat_map=values[side], hemi=side, view=view, bg_map=sulcal_depth(side), axes=ax,
            figure=fig, **shading,
            symmetric_cbar=False, colorbar=False, threshold=None, engine="matplotlib",
        )  # fmt: skip
        ax.set_box_aspect(None, zoom=1.3)
        ax.set_title(f"{side}, {view}", fontsize="small", y=0.03)
    for k, side in enumerate(SIDES):
        ax = fig.add_subplot(grid[1, 2 * k : 2 * k + 2])
        draw_flat(ax, side, values[side], shading)
        name_regions(ax, k, regions)
        ax.set_title(f"{side}, flat", fontsize="small", y=-0.05)
    fig.colorbar(ScalarMappable(Normalize(vmin, vmax), cmap), cax=fig.add_subplot(grid[:, 4]), label=label)
    fig.suptitle(title)
    return fig


def draw_flat(
    ax: Axes, side: Literal["left", "right"], values: ArrayLike, shading: dict, classes: bool = False
) -> None:
    """Draw one flat hemisphere, with folds in gray below the values.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    side : {"left", "right"}
    values : array (10242,)
        NaN where folds alone are drawn.
    shading : dict
        ``cmap``, ``vmin`` and ``vmax``.
    classes : bool
        Values are class codes, which do not blend; folds are drawn paler.
    """
    mesh = meshes("flat")[SIDES.index(side)]
    x = mesh.coordinates[:, 0]
    y = mesh.coordinates[:, 1]
    faces = _inside(mesh)
    folds = (sulcal_depth(side) > 0).astype(float)
    ends = (-0.7, 7.5) if classes else (-1, 2)
    ax.tripcolor(x, y, faces, folds, cmap="Greys", vmin=ends[0], vmax=ends[1], shading="gouraud", rasterized=True)
    corners = np.isfinite(values[faces]).sum(axis=1)
    seen = faces[corners >= 2] if classes else faces[corners == 3]
    if len(seen) and classes:
        ax.tripcolor(x, y, seen, facecolors=majority_class(values[seen]), **shading, rasterized=True)
    elif len(seen):
        ax.tripcolor(x, y, seen, np.nan_to_num(values), **shading, shading="gouraud", rasterized=True)
    ax.set_aspect("equal")
    ax.axis("off")


def name_regions(ax: Axes, side: int, regions: Sequence[str]) -> None:
    """Write the name of each region beside the vertex nearest to its landmark.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With a flat map.
    side : int
        0, left, or 1, right.
    regions : sequence of str
        Of `naturalistic.anatomy.regions`.
    """
    flat = meshes("flat")[side].coordinates
    folded = np.split(midthickness_coordinates(), 2)[side]
    halo = [withStroke(linewidth=2, foreground="white")]
    for name in regions:
        x, y, z, _ = LANDMARKS[name][0]
        center = np.array([x if side else -x, y, z])
        vertex = np.linalg.norm(folded - center, axis=1).argmin()
        offset = -24 if name in BELOW else 18  # points: a name on its region would hide it
        ax.annotate(
            name, flat[vertex, :2], (0, offset), textcoords="offset points", fontsize=6.5, ha="center", va="center",
            path_effects=halo, arrowprops={"arrowstyle": "-", "lw": 0.6, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def _inside(mesh: SurfaceMesh) -> NDArray:
    """Return the triangles of a flat mesh, without those that span its cuts."""
    corners = mesh.coordinates[mesh.faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    return mesh.faces[longest < 8 * np.median(longest)]


def majority_class(corners: ArrayLike) -> NDArray:
    """Return the majority class of three corners, NaN if two are NaN.

    Without a majority it is the class of the first corner.

    A mean or median of the classes 0 and 2 would be class 1, which is at neither corner.

    Parameters
    ----------
    corners : array (..., 3)
        Class codes at the corners of triangles.

    Returns
    -------
    most : array (...)
    """
    a, b, c = np.moveaxis(np.asarray(corners), -1, 0)
    most = np.where((b == c) | np.isnan(a), b, a)
    return np.where(np.isnan(corners).sum(axis=-1) >= 2, np.nan, most)
