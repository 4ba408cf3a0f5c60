"""BOLD of several subjects side by side, read only where it is needed."""

import operator
from collections.abc import Mapping
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.arrays import release_pages, take_columns
from naturalistic.encoding.split import as_responses, marked_rows


class MultiSubjectBold:
    """Responses of subjects who share a stimulus, as one array that is never built.

    Its shape is (n_trs, n_voxels of all). A regression on it makes the inner products of the features once for all
    subjects, and reads the voxels of each from its own (memory-mapped) array, a batch at a time.

    Parameters
    ----------
    bold : dict of str to array or memory map (n_trs, n_voxels)
        By subject, on the same TRs.

    Attributes
    ----------
    columns : dict of str to slice
        Columns of each subject's voxels.

    Raises
    ------
    ValueError
        If there is no subject, or they differ in length or type.
    """

    def __init__(self, bold: Mapping[str, ArrayLike]) -> None:
        if not bold:
            raise ValueError("bold has no subject, expected one or more")
        shapes = {name: np.shape(x) for name, x in bold.items()}
        if any(len(shape) != 2 for shape in shapes.values()) or len({shape[0] for shape in shapes.values()}) > 1:
            raise ValueError(f"bold has shapes {shapes}, expected (n_trs, n_voxels) with the same TRs for all subjects")
        bold = {name: as_responses(x, f"bold of {name}") for name, x in bold.items()}
        if len({x.dtype for x in bold.values()}) > 1:
            raise ValueError(f"bold has types { {name: str(x.dtype) for name, x in bold.items()} }, expected one")
        self.bold = dict(bold)
        ends = np.cumsum([0, *(shape[1] for shape in shapes.values())]).tolist()
        self.columns = {name: slice(a, b) for name, a, b in zip(bold, ends[:-1], ends[1:])}
        self.shape = next(iter(shapes.values()))[0], ends[-1]
        self.dtype = next(iter(bold.values())).dtype

    def __len__(self) -> int:
        return self.shape[0]

    @overload
    def __getitem__(self, index: slice | NDArray) -> "MultiSubjectBold": ...
    @overload
    def __getitem__(self, index: tuple[slice | NDArray, slice]) -> NDArray: ...
    def __getitem__(self, index: slice | NDArray | tuple[slice | NDArray, slice]) -> "MultiSubjectBold | NDArray":
        """Return TRs (a slice or marks) of all subjects, or an array of a block.

        TRs alone leave the subjects apart; TRs and a slice of columns give one array.
        """
        if not isinstance(index, tuple):
            marks = isinstance(index, np.ndarray) and index.dtype == bool  # neighbors stay a view
            select = marked_rows if marks else operator.getitem
            return MultiSubjectBold({name: select(x, index) for name, x in self.bold.items()})
        rows, columns = index
        first, last, step = columns.indices(self.shape[1])
        if step != 1:
            raise IndexError(f"columns are taken every {step}, expected neighbors")
        parts = [
            _read(x, (rows, slice(max(first - span.start, 0), last - span.start)))
            for x, span in zip(self.bold.values(), self.columns.values())
            if span.start < last and first < span.stop
        ]
        return np.concatenate(parts, axis=1) if len(parts) != 1 else parts[0]

    def split(self, values: NDArray) -> dict[str, NDArray]:
        """Return values by subject, as views.

        Parameters
        ----------
        values : array (..., n_voxels of all)

        Returns
        -------
        values : dict of str to array (..., n_voxels)
        """
        return {name: values[..., columns] for name, columns in self.columns.items()}

    def select_voxels(self, voxels: Mapping[str, NDArray]) -> "MultiSubjectBold":
        """Return some voxels of each subject, read into memory.

        Parameters
        ----------
        voxels : dict of str to int array (n,)
            By subject; or their marks, bool array (n_voxels,).

        Returns
        -------
        selected : MultiSubjectBold
        """
        return MultiSubjectBold({name: take_columns(x, voxels[name]) for name, x in self.bold.items()})


def _read(x: NDArray, index: tuple[slice | NDArray, slice | NDArray]) -> NDArray:
    """Return a part of an array; of a memory map, a copy.

    After a copy the pages of a map no longer count as memory of this process.
    """
    if getattr(x, "mode", None) != "r":
        return x[index]
    part = np.array(x[index])
    release_pages(x)
    return part
