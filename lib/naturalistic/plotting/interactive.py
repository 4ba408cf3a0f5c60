"""Interactive cortical surface in one self-contained page.

nilearn's `view_surf` was the first choice, but with both hemispheres its frame is 3.2 MB, it draws one map on white
paper alone, asks the network for an icon, and needs plotly. Here the mesh of fsaverage5 is stored once, as 16-bit
numbers, each map as one byte a vertex, and a short script fills the triangles: about half a megabyte for six maps.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Colormap, to_rgb
from numpy.typing import ArrayLike, NDArray

from naturalistic.anatomy.surface import N_VERTICES, SIDES, meshes, sulcal_depth
from naturalistic.plotting.style import space_color

_PAGE = Path(__file__).with_name("interactive.html")
NONE = 255  # byte of a vertex that has no value
UNIT = 100  # 16-bit steps in a mm


class SurfacePage:
    """Page with an interactive surface; a notebook shows it in a frame.

    Attributes
    ----------
    html : str
        The whole page; loads nothing.
    title : str
    height : int
        Pixels of the frame.
    """

    def __init__(self, html: str, title: str, height: int) -> None:
        self.html = html
        self.title = title
        self.height = height

    def _repr_html_(self) -> str:
        style = "width: 100%; border: 0"
        return (
            f'<iframe title="{escape(self.title)}" style="{style}" height="{self.height}" '
            f'srcdoc="{escape(self.html)}"></iframe>'
        )


def surface_page(
    maps: Mapping[str, Mapping[str, ArrayLike]],
    title: str,
    label: str,
    *,
    best: Mapping[str, ArrayLike] | None = None,
    vmin: float = 0.0,
    vmax: float | None = None,
    cmap: str | Colormap = "viridis",
    height: int = 320,
) -> SurfacePage:
    """Make an interactive page of maps on the inflated cortex.

    Parameters
    ----------
    maps : dict of str to dict of str to array (10242,)
        By name, such as a level's; each from `surface.to_surface`. NaN is drawn as the bare surface.
    title, label : str
        The title names simulated data as such; ``label`` with the unit.
    best : dict of str to array (10242,), optional
        Index of the best of ``maps`` at each vertex, NaN where nothing is drawn; shown first, in the colors of
        the levels.
    vmin, vmax : float
        Ends of the color bar of all maps; ``vmax`` is the 99.8th percentile of all by default.
    cmap : str or Colormap
    height : int
        Pixels of the brain; the frame has 140 more.

    Returns
    -------
    page : SurfacePage
        About 0.4 MB, and 0.03 MB a map.

    Raises
    ------
    ValueError
        If there is no map, a map is not of 10242 vertices a side, no value is finite, ``vmax`` is not above ``vmin``,
        or ``best`` holds no index into ``maps``.
    """
    maps = {name: _checked(by_side, f"maps[{name!r}]") for name, by_side in maps.items()}
    if not maps:
        raise ValueError("maps is empty, expected one map or more")
    values = np.concatenate([by_side[side] for by_side in maps.values() for side in SIDES])
    if not np.isfinite(values).any():
        raise ValueError("maps has no finite value: do the coordinates lie in MNI152 mm?")
    vmax = float(np.nanpercentile(values, 99.8)) if vmax is None else float(vmax)
    if not vmin < vmax:
        raise ValueError(f"vmin is {vmin:g} and vmax {vmax:g}, expected vmax above vmin")
    shown = [] if best is None else [_classes(_checked(best, "best"), list(maps))]
    shown += [{"name": name, "values": _bytes_of(m, vmin, vmax)} for name, m in maps.items()]
    data = {
        **_mesh(),
        "maps": shown,
        "palette": _rgb(plt.get_cmap(cmap)(np.linspace(0, 1, NONE))),
        **{"vmin": float(vmin), "vmax": vmax, "low": f"{vmin:.2g}", "high": f"{vmax:.2g}"},
        **{"label": label, "height": int(height)},
    }
    script = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")  # no text may end the script
    page = _PAGE.read_text(encoding="utf-8").replace("@TITLE@", escape(title)).replace("@DATA@", script)
    return SurfacePage(page, title, int(height) + 140)


def _mesh() -> dict:
    """Return coordinates, folds as gray levels, and triangles of the mesh."""
    left, right = meshes("inflated")
    if not np.array_equal(left.faces, right.faces):
        raise ValueError("the hemispheres of fsaverage5 differ in their triangles, expected the same in both")
    coordinates = [np.rint(mesh.coordinates * UNIT).astype("<i2") for mesh in (left, right)]
    folds = [np.where(sulcal_depth(side) > 0, 150, 200).astype(np.uint8) for side in SIDES]
    return {
        "unit": UNIT,
        "faces": _text(left.faces.astype("<u2")),
        "coordinates": [_text(x) for x in coordinates],
        "folds": [_text(x) for x in folds],
    }


def _classes(best: Mapping[str, NDArray], names: Sequence[str]) -> dict:
    """Return the map of the best of several maps."""
    both = np.concatenate([best[side] for side in SIDES])
    index = both[np.isfinite(both)]
    if ((index != np.rint(index)) | (index < 0) | (index >= len(names))).any():
        raise ValueError(f"best holds values from {index.min():g} to {index.max():g}, expected 0 to {len(names) - 1}")
    colors = [to_rgb(space_color(name)) for name in names]
    values = [_text(np.where(np.isfinite(best[side]), best[side], NONE).astype(np.uint8)) for side in SIDES]
    return {"name": "best of all", "values": values, "classes": names, "colors": _rgb(colors)}


def _bytes_of(by_side: Mapping[str, NDArray], vmin: float, vmax: float) -> list[str]:
    """Return a map as text, one byte a vertex, clipped to ``vmin`` and ``vmax``."""
    texts = []
    for side in SIDES:
        x = by_side[side]
        steps = np.rint(np.clip((x - vmin) / (vmax - vmin), 0, 1) * (NONE - 1))
        texts.append(_text(np.where(np.isfinite(x), steps, NONE).astype(np.uint8)))
    return texts


def _checked(by_side: Mapping[str, ArrayLike], name: str) -> dict[str, NDArray]:
    shapes = {side: np.shape(by_side.get(side)) for side in SIDES}
    if set(shapes.values()) != {(N_VERTICES,)}:
        raise ValueError(f"{name} has shapes {shapes}, expected ({N_VERTICES},) left and right: use surface.to_surface")
    return {side: np.asarray(by_side[side], dtype=float) for side in SIDES}


def _rgb(colors: ArrayLike) -> list[list[int]]:
    return np.rint(np.asarray(colors)[:, :3] * 255).astype(int).tolist()


def _text(array: NDArray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
