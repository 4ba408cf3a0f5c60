"""One listener's windows beside the embeddings of what was played in them."""

from naturalistic.decoding.windows import pair, window_bold


def rows_of(person, experiment, vectors, window, hop, delay, split, columns=None):
    """Return the windows of the training or of the test runs, with their embeddings.

    Test clips are averaged over their four hearings.

    Parameters
    ----------
    person : Prepared
    experiment : MusicGenre
    vectors : array (n_clips, n_windows, dim)
        Of all clips of the experiment, in its order.
    window, hop, delay : float
        s.
    split : {"Training", "Test"}
    columns : array, optional
        Voxels to keep.

    Returns
    -------
    pairs : Pairs
    """
    bold, runs, names = person.select(split)
    bold = bold if columns is None else bold[:, columns]
    windows = window_bold(bold, experiment.clip_of_tr(names), runs, window, hop, delay, average=split == "Test")
    return pair(windows, vectors)
