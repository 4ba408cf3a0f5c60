"""Functional alignment of subjects by responses to the same stimuli.

The training clips are the same for all subjects, in the same order. BOLD of each subject is reduced to its principal
components on the training rows; a ridge regression or a rotation (Procrustes; Haxby et al. 2011, Neuron 72:404-416)
then maps the components of one subject to those of another. No test row and no embedding is used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from naturalistic.arrays import ShapeRepr, as_floats, check_finite
from naturalistic.decoding.decoder import default_ridge
from naturalistic.models.ridge import RidgeCV
from naturalistic.parameters import whole

Method = Literal["ridge", "procrustes"]
METHODS: tuple[Method, ...] = ("ridge", "procrustes")


@dataclass(frozen=True, eq=False, repr=False)
class PrincipalComponents(ShapeRepr):
    """Principal components of the training rows of a subject.

    Attributes
    ----------
    mean : array (n_voxels,)
    axes : array (n_components, n_voxels)
        Orthonormal, by decreasing variance.
    """

    mean: NDArray
    axes: NDArray

    def __call__(self, bold: ArrayLike) -> NDArray:
        """Return the components (n_rows, n_components) of BOLD (n_rows, n_voxels)."""
        bold = _as_rows(bold, "bold")
        if bold.shape[1] != len(self.mean):
            raise ValueError(f"bold has {bold.shape[1]} voxels, expected {len(self.mean)} as in training")
        return (bold - self.mean) @ self.axes.T

    def voxels(self, components: NDArray) -> NDArray:
        """Return BOLD (n_rows, n_voxels) from components."""
        return components @ self.axes + self.mean


@dataclass(frozen=True, eq=False, repr=False)
class Alignment(ShapeRepr):
    """Linear map from the voxels of a source subject to those of a target subject.

    Attributes
    ----------
    source, target : PrincipalComponents
    matrix : array (n_components, n_components)
    offset : array (n_components,)
    """

    source: PrincipalComponents
    target: PrincipalComponents
    matrix: NDArray
    offset: NDArray

    def components(self, bold: ArrayLike) -> NDArray:
        """Return components (n_rows, n_components) of the target for BOLD of the source."""
        return self.source(bold) @ self.matrix + self.offset

    def __call__(self, bold: ArrayLike) -> NDArray:
        """Return voxels (n_rows, n_target_voxels) of the target for BOLD of the source."""
        return self.target.voxels(self.components(bold))


@dataclass(frozen=True, eq=False, repr=False)
class PooledSubjects(ShapeRepr):
    """Training rows of several subjects in the space of a reference subject.

    Attributes
    ----------
    bold : array (n_subjects * n_rows, n_components or n_voxels)
    targets : array (n_subjects * n_rows, dim)
    clips : array (n_subjects * n_rows,)
        The same clip has the same id in all subjects, so that no fold divides it.
    subjects : array (n_subjects * n_rows,)
    to_reference : dict of str to callable
        By subject: map from its BOLD to the space of ``bold``.
    """

    bold: NDArray
    targets: NDArray
    clips: NDArray
    subjects: NDArray
    to_reference: dict[str, Callable[[ArrayLike], NDArray]]


def principal_components(bold: ArrayLike, n_components: int) -> PrincipalComponents:
    """Return the principal components of BOLD.

    They are the eigenvectors of the smaller of its two Gram matrices, in float64.

    Parameters
    ----------
    bold : array (n_rows, n_voxels)
    n_components : int
        From 1 to the smaller of n_rows - 1 and n_voxels.

    Returns
    -------
    components : PrincipalComponents
        float32 when ``bold`` is.

    Raises
    ------
    ValueError
        If ``n_components`` is more than the rows span, or a value is not finite.
    """
    bold = _as_rows(bold, "bold")
    most = min(len(bold) - 1, bold.shape[1])
    n_components = whole("n_components", n_components, 1, most, hint=f"bold has {bold.shape} rows and voxels")
    mean = bold.mean(axis=0, dtype=np.float64)
    centered = bold - mean
    few_rows = len(centered) < centered.shape[1]
    values, vectors = np.linalg.eigh(centered @ centered.T if few_rows else centered.T @ centered)
    values = values[::-1][:n_components]
    vectors = vectors[:, ::-1][:, :n_components]
    if few_rows:
        axes = (centered.T @ vectors / np.sqrt(np.maximum(values, np.finfo(float).tiny))).T
    else:
        axes = vectors.T
    if values[-1] <= values[0] * 1e-12:
        rank = int((values > values[0] * 1e-12).sum())
        raise ValueError(f"n_components is {n_components}, but the rows span only {rank} dimensions: take fewer")
    return PrincipalComponents(mean.astype(bold.dtype), axes.astype(bold.dtype))


def align(
    source: ArrayLike,
    target: ArrayLike,
    clips: ArrayLike | None = None,
    method: Method = "ridge",
    n_components: int = 100,
    model: RidgeCV | None = None,
) -> Alignment:
    """Fit the map from BOLD of a source subject to the voxels of a target subject.

    Parameters
    ----------
    source : array (n_rows, n_source_voxels)
        Training windows of the source subject.
    target : array (n_rows, n_target_voxels)
        The same windows of the same clips, in the same order, of the target subject.
    clips : array-like (n_rows,), optional
        Clip of each row, for the folds in which ridge selects its alphas; needed by "ridge".
    method : {"ridge", "procrustes"}
        "procrustes": a rotation and one scale.
    n_components : int
        Of each subject.
    model : RidgeCV, optional
        `decoder.default_ridge()` by default.

    Returns
    -------
    alignment : Alignment

    Raises
    ------
    ValueError
        If rows do not match, are not finite, or are too few for ``n_components``.
    """
    target = _as_rows(target, "target")
    return _align(source, target, principal_components(target, n_components), clips, method, n_components, model)


def _align(
    source: ArrayLike,
    target: NDArray,
    target_components: PrincipalComponents,
    clips: ArrayLike | None,
    method: Method,
    n_components: int,
    model: RidgeCV | None,
) -> Alignment:
    """Fit an alignment to components of the target that are already there."""
    source = _as_rows(source, "source")
    if len(source) != len(target):
        raise ValueError(
            f"source has {len(source)} rows and target {len(target)}, expected the same windows of the same clips"
        )
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, expected 'ridge' or 'procrustes'")
    n_components = whole("n_components", n_components)
    source_components = principal_components(source, n_components)
    S = source_components(source)
    T = target_components(target)
    if method == "ridge":
        if clips is None:
            raise ValueError("clips is missing: ridge selects its alphas in folds of whole clips")
        fitted = (default_ridge() if model is None else clone(model)).fit(S, T, groups=np.asarray(clips))
        return Alignment(source_components, target_components, fitted.coef_.T, fitted.intercept_)
    U, s, Vt = np.linalg.svd(S.T.astype(float) @ T)
    matrix = (U @ Vt) * (s.sum() / np.square(S, dtype=float).sum())
    offset = np.zeros(n_components, S.dtype)
    return Alignment(source_components, target_components, matrix.astype(S.dtype), offset)


def pool_subjects(
    training: Mapping[str, ArrayLike],
    targets: ArrayLike,
    clips: ArrayLike,
    reference: str,
    *,
    to_voxels: bool = False,
    n_components: int = 100,
    method: Method = "ridge",
    model: RidgeCV | None = None,
) -> PooledSubjects:
    """Map the training rows of all subjects to the space of one and concatenate them.

    Parameters
    ----------
    training : dict of str to array (n_rows, n_voxels)
        By subject: the same windows of the same clips in the same order.
    targets : array (n_rows, dim)
    clips : array-like (n_rows,)
    reference : str
        Subject to whose space all are mapped.
    to_voxels : bool
        Map to the voxels of the reference (for strategies of parcels or voxels) instead of its components.
    n_components : int
        Of each subject.
    method : {"ridge", "procrustes"}
    model : RidgeCV, optional
        `decoder.default_ridge()` by default.

    Returns
    -------
    pooled : PooledSubjects

    Raises
    ------
    ValueError
        If subjects differ in rows, or the reference is not one of them.
    """
    targets = as_floats(targets, "targets")
    clips = np.asarray(clips)
    n_components = whole("n_components", n_components)
    if reference not in training:
        raise ValueError(f"reference is {reference!r}, expected one of {', '.join(map(str, training))}")
    for subject, bold in training.items():
        if len(bold) != len(targets) or len(clips) != len(targets):
            raise ValueError(
                f"subject {subject} has {len(bold)} rows, targets {len(targets)} and clips {len(clips)}, expected the "
                "same windows of the same clips for all"
            )
    reference_bold = _as_rows(training[reference], "target")
    components = principal_components(reference_bold, n_components)
    to_reference: dict[str, Callable[[ArrayLike], NDArray]] = {}
    for subject, bold in training.items():
        if subject == reference:
            to_reference[subject] = np.asarray if to_voxels else components
        else:
            alignment = _align(bold, reference_bold, components, clips, method, n_components, model)
            to_reference[subject] = alignment if to_voxels else alignment.components
    return PooledSubjects(
        bold=np.concatenate([to_reference[subject](bold) for subject, bold in training.items()]),
        targets=np.concatenate([targets] * len(training)),
        clips=np.concatenate([clips] * len(training)),
        subjects=np.repeat(list(training), len(targets)),
        to_reference=to_reference,
    )


def _as_rows(bold: ArrayLike, name: str) -> NDArray:
    """Return windows of BOLD as a finite array (n_rows, n_voxels) of floats."""
    bold = as_floats(bold, name)
    if bold.ndim != 2 or not bold.size:
        raise ValueError(f"{name} has shape {bold.shape}, expected (n_rows, n_voxels)")
    check_finite(bold, name)
    return bold
