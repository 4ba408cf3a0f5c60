"""Decoding within subjects, of pooled subjects and of a left-out subject."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.decoding.alignment import pool_subjects, principal_components
from naturalistic.decoding.decoder import Decoder
from naturalistic.parameters import whole

Fit = Callable[[NDArray, NDArray, NDArray], Decoder]


def decode_pooled(
    training: Mapping[str, ArrayLike],
    test: Mapping[str, ArrayLike],
    targets: ArrayLike,
    clips: ArrayLike,
    fit: Fit,
    reference: str,
    **options: Any,
) -> dict[str, NDArray]:
    """Fit one decoder on the aligned data of all subjects and decode each of them.

    Parameters
    ----------
    training : dict of str to array (n_rows, n_voxels)
        Training windows by subject: the same windows of the same clips in the same order.
    test : dict of str to array (n_test_rows, n_voxels)
        Test windows by subject.
    targets : array (n_rows, dim)
        Embeddings of the training windows.
    clips : array-like (n_rows,)
    fit : callable
        ``fit(bold, targets, clips) -> decoder``, such as ``partial(fit_decoder, strategy="whole")``.
    reference : str
        Subject to whose space all are mapped.
    **options
        Of `alignment.pool_subjects`: ``method``, ``n_components``, ``to_voxels``, ``model``.

    Returns
    -------
    predicted : dict of str to array (n_test_rows, dim)

    Raises
    ------
    ValueError
        If subjects differ in rows, the reference is not one of them, or a subject has no test runs.
    """
    _check_test(test, training)
    pooled = pool_subjects(training, targets, clips, reference, **options)
    decoder = fit(pooled.bold, pooled.targets, pooled.clips)
    return {subject: decoder.predict(pooled.to_reference[subject](test[subject])) for subject in training}


def decode_within_subjects(
    training: Mapping[str, ArrayLike],
    test: Mapping[str, ArrayLike],
    targets: ArrayLike,
    clips: ArrayLike,
    fit: Fit,
    n_components: int = 100,
) -> dict[str, NDArray]:
    """Fit and test a decoder of each subject on its own components.

    It is the reference for decoding across subjects.

    Parameters
    ----------
    training : dict of str to array (n_rows, n_voxels)
        Training windows by subject.
    test : dict of str to array (n_test_rows, n_voxels)
        Test windows by subject.
    targets : array (n_rows, dim)
    clips : array-like (n_rows,)
    fit : callable
        ``fit(bold, targets, clips) -> decoder``.
    n_components : int
        The same number as across subjects makes the two comparable.

    Returns
    -------
    predicted : dict of str to array (n_test_rows, dim)

    Raises
    ------
    ValueError
        If a subject has no test runs, or its rows span fewer than ``n_components``.
    """
    _check_test(test, training)
    n_components = whole("n_components", n_components)
    predicted = {}
    for subject, bold in training.items():
        components = principal_components(bold, n_components)
        predicted[subject] = fit(components(bold), targets, clips).predict(components(test[subject]))
    return predicted


def decode_left_out_subject(
    training: Mapping[str, ArrayLike],
    test: Mapping[str, ArrayLike],
    targets: ArrayLike,
    clips: ArrayLike,
    left_out: str,
    fit: Fit,
    reference: str | None = None,
    **options: Any,
) -> NDArray:
    """Fit a decoder on all subjects but one and decode that one.

    Training runs of the left-out subject are used for its alignment, and not for the decoder.

    Parameters
    ----------
    training : dict of str to array (n_rows, n_voxels)
        By subject: the same windows of the same clips in the same order.
    test : dict of str to array (n_test_rows, n_voxels)
        Needs the left-out subject alone.
    targets : array (n_rows, dim)
    clips : array-like (n_rows,)
    left_out : str
    fit : callable
        ``fit(bold, targets, clips) -> decoder``.
    reference : str, optional
        One of the other subjects, the first by default.
    **options
        Of `alignment.pool_subjects`.

    Returns
    -------
    predicted : array (n_test_rows, dim)
        Of the left-out subject.

    Raises
    ------
    ValueError
        If ``left_out`` or ``reference`` is not one of the subjects, both are the same, or subjects differ in rows.
    """
    if left_out not in training or len(training) < 2:
        raise ValueError(f"left_out is {left_out!r}, expected one of two subjects or more: {', '.join(training)}")
    others = [subject for subject in training if subject != left_out]
    reference = others[0] if reference is None else reference
    if reference == left_out:
        raise ValueError(f"reference is {reference!r}, the subject that is left out; take one of {', '.join(others)}")
    _check_test(test, [left_out])
    pooled = pool_subjects(training, targets, clips, reference, **options)
    rows = pooled.subjects != left_out
    decoder = fit(pooled.bold[rows], pooled.targets[rows], pooled.clips[rows])
    return decoder.predict(pooled.to_reference[left_out](test[left_out]))


def _check_test(test: Mapping[str, ArrayLike], subjects: Iterable[str]) -> None:
    """Raise an error if a subject has no test rows."""
    for subject in subjects:
        if subject not in test or not np.size(test[subject]):
            raise ValueError(f"subject {subject} has no test runs: leave it out, or download them")
