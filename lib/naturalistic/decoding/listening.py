"""One listener's windows beside the embeddings of what was played in them, from the scans to decoded clips."""

from functools import partial
from typing import NamedTuple

import numpy as np

from naturalistic.decoding.calibration import calibrate
from naturalistic.decoding.clips import average_clips
from naturalistic.decoding.decoder import Decoder, fit_decoder, held_out
from naturalistic.decoding.delay import choose_delay
from naturalistic.decoding.metrics import identification
from naturalistic.decoding.splits import one_group_out
from naturalistic.decoding.windows import Pairs, pair, window_bold

TRAINING, TEST = "Training", "Test"


class Heard(NamedTuple):
    """Windows of one listener with their embeddings.

    Attributes
    ----------
    train, test : Pairs
        ``clips`` are indices into the clips of the experiment. Test clips are means over their four hearings.
    """

    train: Pairs
    test: Pairs


class Decoded(NamedTuple):
    """Embeddings of the test clips, as they are and as they were read from the brain.

    Attributes
    ----------
    predicted, target : array (n_clips, dim)
        Means over the windows of a clip.
    clips : int array (n_clips,)
        Indices into the clips of the experiment.
    decoder : Decoder
    """

    predicted: np.ndarray
    target: np.ndarray
    clips: np.ndarray
    decoder: Decoder


def listen(person, experiment, vectors, window, hop, delay):
    """Return the windows of the training and of the test runs, with their embeddings.

    Parameters
    ----------
    person : Prepared
    experiment : MusicGenre
    vectors : array (n_clips, n_windows, dim)
        Of all clips of the experiment, in its order.
    window, hop, delay : float
        s.

    Returns
    -------
    heard : Heard

    Raises
    ------
    ValueError
        If the subject has no training or no test runs, or the vectors are not one row a clip.
    """
    if len(vectors) != len(experiment.clips):
        raise ValueError(
            f"vectors are of {len(vectors)} clips, but the experiment has {len(experiment.clips)}: embed all of "
            "experiment.clips, in that order"
        )
    return Heard(*(_windows(person, experiment, vectors, window, hop, delay, split) for split in (TRAINING, TEST)))


def per_clip(heard):
    """Return the same with one row a clip: brain and embedding averaged over its windows, in a fraction of the time.

    Parameters
    ----------
    heard : Heard

    Returns
    -------
    heard : Heard
        ``windows`` are 0.
    """
    return Heard(*(_averaged(pairs) for pairs in heard))


def delay_of(person, experiment, vectors, window, hop, voxels, **options):
    """Choose the delay from sound to brain on the training runs; see `delay.choose_delay`.

    Parameters
    ----------
    person, experiment, vectors, window, hop
        As of `listen`.
    voxels : bool or int array
        Where to look, such as auditory cortex.

    Returns
    -------
    delay : Delay

    Raises
    ------
    ValueError
        If the subject has no training runs; as of `delay.choose_delay`.
    """
    bold, runs, names = select(person, TRAINING)
    return choose_delay(bold[:, voxels], experiment.clip_of_tr(names), runs, vectors, window, hop, **options)


def decode(heard, strategy="parcels", **options):
    """Fit a decoder on a listener's training windows, and read the test clips.

    Parameters
    ----------
    heard : Heard
    strategy, options
        As of `decoder.fit_decoder`.

    Returns
    -------
    decoded : Decoded
    """
    train, test = heard
    decoder = fit_decoder(train.bold, train.targets, train.clips, strategy, **options)
    return Decoded(*of_clips(decoder.predict(test.bold), test), decoder)


def decode_other_genres(heard, genres, strategy="parcels", **options):
    """Read each test clip by a decoder that was trained without clips of its genre.

    Parameters
    ----------
    heard : Heard
    genres : array (n_clips,) of str
        Of all clips of the experiment.
    strategy, options
        As of `decoder.fit_decoder`.

    Returns
    -------
    predicted, target, clips
        As of `Decoded`.

    Raises
    ------
    ValueError
        As of `splits.one_group_out` and `decoder.fit_decoder`.
    """
    (train, test), genres = heard, np.asarray(genres)
    predicted = np.empty_like(test.targets)
    for split in one_group_out(genres[train.clips], genres[test.clips]):
        rows = split.train
        decoder = fit_decoder(train.bold[rows], train.targets[rows], train.clips[rows], strategy, **options)
        predicted[split.test] = decoder.predict(test.bold[split.test])
    return of_clips(predicted, test)


def recalibrated(heard, decoder, method=None, cv=5, **options):
    """Read the test clips again, with the shrinkage of each dimension undone.

    Parameters
    ----------
    heard : Heard
    decoder : Decoder
        Fitted on the training windows.
    method : str, optional
        As of `calibration.calibrate`, which learns from the training windows, each predicted by a decoder of the same
        strategy that was fitted without its clip's fold. By default the method by which these predictions identify
        their windows better.
    cv : int
        Folds.
    options
        Of the strategy, such as ``parcels``.

    Returns
    -------
    predicted, target, clips
        As of `Decoded`.
    """
    train, test = heard
    fit = partial(fit_decoder, strategy=decoder.strategy, **options)
    unseen = held_out(fit, train.bold, train.targets, train.clips, cv)
    ways = [calibrate(unseen, train.targets, one) for one in ([method] if method else ("variance", "regression"))]
    told = [identification(way(unseen), train.targets, train.clips).mean() if len(ways) > 1 else 1 for way in ways]
    calibration = ways[int(np.argmax(told))]
    return of_clips(calibration(decoder.predict(test.bold)), test)


def of_clips(predicted, test):
    """Return predictions and targets of test windows as means over clips, and the clips.

    Parameters
    ----------
    predicted : array (n_rows, dim)
    test : Pairs

    Returns
    -------
    predicted, target, clips
        As of `Decoded`.
    """
    predicted, clips = average_clips(predicted, test.clips)
    return predicted, average_clips(test.targets, test.clips)[0], clips


def select(person, split):
    """Return BOLD, runs and names of a subject's training or test runs, or say that there are none.

    Parameters
    ----------
    person : Prepared
    split : {"Training", "Test"}

    Returns
    -------
    bold : array (n_trs, n_voxels)
    runs : array (n_trs,)
    names : list of str

    Raises
    ------
    ValueError
        If the subject has no such run; with the command that fetches one.
    """
    if not any(name.startswith(split) for name in person.run_names):
        there = ", ".join(person.run_names)
        fetch = f"naturalistic fetch ds003720 --subject {person.subject} --runs {split}_run-01 --to DIR"
        raise ValueError(
            f"subject {person.subject} has no {split} runs, only {there}: fetch them ({fetch}), or leave it out"
        )
    return person.select(split)


def _averaged(pairs):
    bold, clips = average_clips(pairs.bold, pairs.clips)
    return Pairs(bold, average_clips(pairs.targets, pairs.clips)[0], clips, np.zeros(len(clips), dtype=int))


def _windows(person, experiment, vectors, window, hop, delay, split):
    bold, runs, names = select(person, split)
    windows = window_bold(bold, experiment.clip_of_tr(names), runs, window, hop, delay, average=split == TEST)
    return pair(windows, vectors)
