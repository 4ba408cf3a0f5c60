"""Decoders across brains: trained on some people, tested on another; or trained on all of them at once."""

import numpy as np

from naturalistic.decoding.alignment import pool, principal_components
from naturalistic.parameters import whole


def decode_pooled(training, test, targets, clips, fit, reference, **options):
    """Train one decoder on the aligned data of all subjects, and decode each of them.

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
        Subject in whose space they meet.
    options
        As of `alignment.pool`: ``method``, ``n_components``, ``to_voxels``, ``model``.

    Returns
    -------
    predicted : dict of str to array (n_test_rows, dim)

    Raises
    ------
    ValueError
        As of `alignment.pool`, or if a subject has no test runs.
    """
    _check_test(test, training)
    pooled = pool(training, targets, clips, reference, **options)
    decoder = fit(pooled.bold, pooled.targets, pooled.clips)
    return {subject: decoder.predict(pooled.to_reference[subject](test[subject])) for subject in training}


def decode_alone(training, test, targets, clips, fit, n_components=100):
    """Train a decoder for each subject on its own components: what data of others are to be held against.

    Parameters
    ----------
    training, test, targets, clips, fit
        As of `decode_pooled`.
    n_components : int
        As many as the others' decoders read.

    Returns
    -------
    predicted : dict of str to array (n_test_rows, dim)

    Raises
    ------
    ValueError
        If a subject has no test runs; as of `alignment.principal_components`.
    """
    _check_test(test, training)
    n_components, predicted = whole("n_components", n_components), {}
    for subject, bold in training.items():
        space = principal_components(bold, n_components)
        predicted[subject] = fit(space(bold), targets, clips).predict(space(test[subject]))
    return predicted


def decode_left_out(training, test, targets, clips, left_out, fit, reference=None, **options):
    """Train a decoder on all subjects but one, and decode that one.

    The left-out subject's training runs serve to align its brain, as do everybody's; no decoder is trained on them.

    Parameters
    ----------
    training, test, targets, clips, fit, options
        As of `decode_pooled`; ``test`` needs the left-out subject alone.
    left_out : str
    reference : str, optional
        One of the others, the first by default.

    Returns
    -------
    predicted : array (n_test_rows, dim)
        Of the left-out subject.

    Raises
    ------
    ValueError
        If ``left_out`` or ``reference`` is none of the subjects, or both are one; as of `decode_pooled`.
    """
    if left_out not in training or len(training) < 2:
        raise ValueError(f"left_out is {left_out!r}, expected one of two subjects or more: {', '.join(training)}")
    others = [subject for subject in training if subject != left_out]
    reference = others[0] if reference is None else reference
    if reference == left_out:
        raise ValueError(f"reference is {reference!r}, the subject that is left out; take one of {', '.join(others)}")
    _check_test(test, [left_out])
    pooled = pool(training, targets, clips, reference, **options)
    rows = pooled.subjects != left_out
    decoder = fit(pooled.bold[rows], pooled.targets[rows], pooled.clips[rows])
    return decoder.predict(pooled.to_reference[left_out](test[left_out]))


def _check_test(test, subjects):
    for subject in subjects:
        if subject not in test or not np.size(test[subject]):
            raise ValueError(f"subject {subject} has no test runs: leave it out, or download them")
