"""From one brain to another, by the music that both heard.

The training clips are the same for all subjects, in the same order. Each brain is reduced to its principal components
on the training rows; a ridge regression or a rotation (Procrustes; Haxby et al. 2011, Neuron 72:404-416) then carries
the components of one to those of the other. Nothing is learnt from test rows, and no embedding is used.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from naturalistic.arrays import as_floats, check_finite
from naturalistic.decoding.decoder import ridge
from naturalistic.parameters import whole

METHODS = ("ridge", "procrustes")


@dataclass(frozen=True)
class Components:
    """Principal components of a subject's training rows.

    Attributes
    ----------
    mean : array (n_voxels,)
    axes : array (n_components, n_voxels)
        Orthonormal, the largest first.
    """

    mean: np.ndarray
    axes: np.ndarray

    def __call__(self, bold):
        """Return the components (n_rows, n_components) of BOLD (n_rows, n_voxels)."""
        bold = _as_rows(bold, "bold")
        if bold.shape[1] != len(self.mean):
            raise ValueError(f"bold has {bold.shape[1]} voxels, expected {len(self.mean)} as in training")
        return (bold - self.mean) @ self.axes.T

    def voxels(self, components):
        """Return BOLD (n_rows, n_voxels) from components."""
        return components @ self.axes + self.mean


@dataclass(frozen=True)
class Alignment:
    """A linear map from one subject's voxels to another's; called with BOLD it returns the other's voxels.

    Attributes
    ----------
    source, target : Components
    matrix : array (n_components, n_components)
    offset : array (n_components,)
    """

    source: Components
    target: Components
    matrix: np.ndarray
    offset: np.ndarray

    def components(self, bold):
        """Return the target's components (n_rows, n_components) for the source's BOLD (n_rows, n_voxels)."""
        return self.source(bold) @ self.matrix + self.offset

    def __call__(self, bold):
        """Return the target's voxels (n_rows, n_target_voxels) for the source's BOLD (n_rows, n_voxels)."""
        return self.target.voxels(self.components(bold))


class Pooled(NamedTuple):
    """The training rows of several subjects in the space of one.

    Attributes
    ----------
    bold : array (n_subjects * n_rows, n_components or n_voxels)
    targets : array (n_subjects * n_rows, dim)
    clips : array (n_subjects * n_rows,)
        The same clip has the same id in all subjects, so that no fold divides it.
    subjects : array (n_subjects * n_rows,)
    to_reference : dict of callable
        For each subject: from its own BOLD to the space of ``bold``.
    """

    bold: np.ndarray
    targets: np.ndarray
    clips: np.ndarray
    subjects: np.ndarray
    to_reference: dict


def principal_components(bold, n_components):
    """Return the principal components of BOLD, by the smaller of its two Gram matrices, in float64.

    Parameters
    ----------
    bold : array (n_rows, n_voxels)
    n_components : int
        From 1 to the smaller of n_rows - 1 and n_voxels.

    Returns
    -------
    components : Components
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
    centred = bold - mean
    if len(centred) < centred.shape[1]:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        values, vectors = values[::-1][:n_components], vectors[:, ::-1][:, :n_components]
        axes = (centred.T @ vectors / np.sqrt(np.maximum(values, np.finfo(float).tiny))).T
    else:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        values, axes = values[::-1][:n_components], vectors[:, ::-1][:, :n_components].T
    if values[-1] <= values[0] * 1e-12:
        rank = int((values > values[0] * 1e-12).sum())
        raise ValueError(f"n_components is {n_components}, but the rows span only {rank} dimensions: take fewer")
    return Components(mean.astype(bold.dtype), axes.astype(bold.dtype))


def align(source, target, clips=None, method="ridge", n_components=100, model=None):
    """Learn to carry one subject's BOLD to another's voxels.

    Parameters
    ----------
    source : array (n_rows, n_source_voxels)
        Training windows of the one.
    target : array (n_rows, n_target_voxels)
        The same windows of the same clips, in the same order, of the other.
    clips : array-like (n_rows,), optional
        Clip of each row, for the folds in which ridge chooses its alphas; needed by "ridge".
    method : {"ridge", "procrustes"}
        "procrustes": a rotation and one scale.
    n_components : int
        Of each subject.
    model : RidgeCV, optional
        `decoder.ridge()` by default.

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


def _align(source, target, space, clips, method, n_components, model):
    """Do as `align` does, with the target's components at hand."""
    source = _as_rows(source, "source")
    if len(source) != len(target):
        raise ValueError(
            f"source has {len(source)} rows and target {len(target)}, expected the same windows of the same clips"
        )
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, expected 'ridge' or 'procrustes'")
    n_components = whole("n_components", n_components)
    own = principal_components(source, n_components)
    S, T = own(source), space(target)
    if method == "ridge":
        if clips is None:
            raise ValueError("clips is missing: ridge chooses its alphas in folds of whole clips")
        fitted = (ridge() if model is None else clone(model)).fit(S, T, groups=np.asarray(clips))
        return Alignment(own, space, fitted.coef_.T, fitted.intercept_)
    U, s, Vt = np.linalg.svd(S.T.astype(float) @ T)
    matrix = (U @ Vt) * (s.sum() / np.square(S, dtype=float).sum())
    return Alignment(own, space, matrix.astype(S.dtype), np.zeros(n_components, S.dtype))


def pool(training, targets, clips, reference, *, to_voxels=False, n_components=100, **options):
    """Carry the training rows of all subjects to the space of one, and put them together.

    Parameters
    ----------
    training : dict of str to array (n_rows, n_voxels)
        By subject: the same windows of the same clips in the same order.
    targets : array (n_rows, dim)
    clips : array-like (n_rows,)
    reference : str
        Subject whose space it is.
    to_voxels : bool
        The reference's voxels (for strategies of parcels or voxels) instead of its components.
    n_components, options
        As of `align`: ``method``, ``model``.

    Returns
    -------
    pooled : Pooled

    Raises
    ------
    ValueError
        If subjects differ in rows, or the reference is not one of them.
    """
    targets, clips = as_floats(targets, "targets"), np.asarray(clips)
    n_components = whole("n_components", n_components)
    if reference not in training:
        raise ValueError(f"reference is {reference!r}, expected one of {', '.join(map(str, training))}")
    for subject, bold in training.items():
        if len(bold) != len(targets) or len(clips) != len(targets):
            raise ValueError(
                f"subject {subject} has {len(bold)} rows, targets {len(targets)} and clips {len(clips)}, expected the "
                "same windows of the same clips for all"
            )
    of_reference = _as_rows(training[reference], "target")
    space = principal_components(of_reference, n_components)
    options = {"clips": clips, "method": "ridge", "model": None, **options}
    to_reference = {}
    for subject, bold in training.items():
        if subject == reference:
            to_reference[subject] = _unchanged if to_voxels else space
        else:
            found = _align(bold, of_reference, space, n_components=n_components, **options)
            to_reference[subject] = found if to_voxels else found.components
    n = len(training)
    return Pooled(
        np.concatenate([to_reference[subject](bold) for subject, bold in training.items()]),
        np.concatenate([targets] * n),
        np.concatenate([clips] * n),
        np.repeat(list(training), len(targets)),
        to_reference,
    )


def _unchanged(bold):
    return bold


def _as_rows(bold, name):
    """Return windows of BOLD as a finite array (n_rows, n_voxels) of floats."""
    bold = as_floats(bold, name)
    if bold.ndim != 2 or not bold.size:
        raise ValueError(f"{name} has shape {bold.shape}, expected (n_rows, n_voxels)")
    check_finite(bold, name)
    return bold
