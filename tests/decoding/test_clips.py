"""From prepared scans to decoded clips: layouts, no leak between training and test, groups and captions."""

from types import SimpleNamespace

import numpy as np
import pytest
from naturalistic import decoding
from naturalistic.datasets.captions import mentioned
from naturalistic.datasets.subject import Subject

N_TRAIN, N_TEST, DIM, N_VOXELS, TRS = 40, 10, 6, 30, 10


class Recording:
    """Two training runs and a test run that plays each clip twice; half of the voxels follow the vectors."""

    def __init__(self, seed=0, runs=("Training_run-01", "Training_run-02", "Test_run-01"), noise=0.5):
        rng = np.random.default_rng(seed)
        self.vectors = rng.normal(size=(N_TRAIN + N_TEST, 2, DIM)).astype(np.float32)
        mixing = np.concatenate([rng.normal(size=(DIM, N_VOXELS // 2)), np.zeros((DIM, N_VOXELS // 2))], axis=1)
        test = [*range(N_TRAIN, N_TRAIN + N_TEST)] * 2
        played = {"Training_run-01": range(20), "Training_run-02": range(20, 40), "Test_run-01": test}
        self.clip_of_run = {name: np.repeat(list(played[name]), TRS) for name in runs}
        bold = []
        for clip_of_tr in self.clip_of_run.values():
            drive = self.vectors[clip_of_tr].mean(axis=1) @ mixing
            late = np.concatenate([np.zeros((3, N_VOXELS)), drive])[: len(drive)]  # 4.5 s
            bold.append((late + noise * rng.normal(size=late.shape)).astype(np.float32))
        run_of_tr = np.repeat(np.arange(len(runs)), [len(x) for x in bold])
        self.subject = Subject("001", np.concatenate(bold), run_of_tr, runs, 1.5, "raw")

    @property
    def experiment(self):
        clips = list(range(N_TRAIN + N_TEST))
        return SimpleNamespace(
            clips=clips, clip_of_tr=lambda names: np.concatenate([self.clip_of_run[n] for n in names])
        )


def windowed(recording, delay=4.5):
    return decoding.make_windows(recording.subject, recording.experiment, recording.vectors, 10.0, 5.0, delay)


def test_windows_of_both_halves_with_their_vectors():
    recording = Recording()
    data = windowed(recording)
    assert data.train.bold.shape == (2 * N_TRAIN, N_VOXELS) and data.test.bold.shape == (2 * N_TEST, N_VOXELS)
    assert set(data.train.clips) == set(range(N_TRAIN)) and set(data.test.clips) == set(range(N_TRAIN, 50))
    for rows in (data.train, data.test):
        assert np.array_equal(rows.targets, recording.vectors[rows.clips, rows.windows])
    # a test window is the mean of both hearings
    test = recording.subject.select("Test")
    once = decoding.window_bold(test.bold, recording.experiment.clip_of_tr(test.run_names), test.runs, 10.0, 5.0, 4.5)
    both = once.bold.reshape(2, N_TEST, 2, N_VOXELS).mean(axis=0)
    assert np.allclose(data.test.bold.reshape(N_TEST, 2, N_VOXELS), both, atol=1e-6)


def test_one_row_a_clip_is_the_mean_of_its_windows():
    data = windowed(Recording())
    averaged = decoding.average_by_clip(data)
    for rows, short in ((data.train, averaged.train), (data.test, averaged.test)):
        assert len(short.clips) == len(set(rows.clips)) == len(short.bold)
        for k, clip in enumerate(short.clips):
            assert np.allclose(short.bold[k], rows.bold[rows.clips == clip].mean(axis=0), atol=1e-6)
            assert np.allclose(short.targets[k], rows.targets[rows.clips == clip].mean(axis=0), atol=1e-6)


def test_the_simulated_delay_is_found_and_the_clips_are_decoded():
    recording = Recording()
    delay = decoding.select_subject_delay(
        recording.subject, recording.experiment, recording.vectors, 10.0, 5.0, slice(None)
    )
    assert abs(delay.best - 4.5) <= 1.5  # windows of 10 s in clips of 15 s: the top is flat
    assert max(delay.scores[[0, -1]]) < delay.scores.max() - 0.05
    parcels = np.repeat(np.arange(6), 5)
    decoded = decoding.decode(windowed(recording), "parcels", parcels=parcels, n_best=3)
    assert set(decoded.decoder.chosen) == {0, 1, 2}  # the voxels that follow the music
    scores = decoding.score_decoding(decoded.predicted, decoded.target, 99, 0)
    assert scores.identification.score > 0.9 and scores.identification.p == 0.01
    assert scores.identification.score == pytest.approx(scores.by_clip.mean())
    assert scores.top_1 <= scores.top_5 <= 1 and 1 <= scores.rank < 3
    assert 0.4 < scores.identification.null.mean() < 0.6


@pytest.mark.slow
def test_test_runs_move_no_fitted_number():
    one, other = Recording(), Recording()
    test = other.subject.runs == 2
    other.subject.bold[test] = other.subject.bold[test][::-1] + 1
    fitted = [decoding.decode(windowed(p), "whole").decoder for p in (one, other)]
    assert np.array_equal(fitted[0].coefs[0], fitted[1].coefs[0])
    again = [decoding.decode_calibrated(windowed(p), f).predicted for p, f in zip((one, other), fitted)]
    assert not np.array_equal(*again)
    calibrated = decoding.decode_calibrated(windowed(one), fitted[0]).predicted
    assert np.array_equal(again[0], calibrated)


def test_recalibrated_vectors_have_the_spread_of_the_targets():
    data = windowed(Recording(noise=3))
    decoded = decoding.decode(data, "whole")
    result = decoding.decode_calibrated(data, decoded.decoder)
    calibrated, target = result.predicted, result.target
    assert np.array_equal(target, decoded.target) and np.array_equal(result.clips, decoded.clips)
    shrunk, mended = (np.std(x, axis=0).mean() / np.std(target, axis=0).mean() for x in (decoded.predicted, calibrated))
    assert shrunk < 0.85 * mended and abs(mended - 1) < 0.3


def test_other_genres_are_left_out_of_training():
    recording = Recording()
    data, genres = windowed(recording), np.array(["jazz", "rock"])[np.arange(50) % 2]
    result = decoding.decode_left_out_genres(data, genres, "whole")
    for genre in ("jazz", "rock"):
        rows = genres[data.train.clips] != genre
        train = data.train
        decoder = decoding.fit_decoder(train.bold[rows], train.targets[rows], train.clips[rows], "whole")
        expected = decoding.average_result(decoder.predict(data.test.bold), data.test)
        of_genre = genres[result.clips] == genre
        assert np.allclose(result.predicted[of_genre], expected.predicted[of_genre], atol=1e-6)


def test_groups_equal_a_loop():
    rng = np.random.default_rng(1)
    target, labels = rng.normal(size=(12, 5)), np.repeat(["a", "b", "c"], [5, 6, 1])
    predicted = target + rng.normal(size=target.shape)
    r = np.array([[np.corrcoef(p, t)[0, 1] for t in target] for p in predicted])
    among, names = decoding.identification_by_label(predicted, target, labels)
    assert list(names) == ["a", "b", "c"]
    for k, name in enumerate(names):
        rows = np.flatnonzero(labels == name)
        assert among[k] == pytest.approx(np.mean([[r[i, i] > r[i, j] for j in range(12) if j != i] for i in rows]))
    inside = decoding.within_label_test(predicted, target, labels, 200, 0)
    pairs = [
        np.mean([r[i, i] > r[i, j] for j in range(12) if j != i and labels[j] == labels[i]]) for i in range(11)
    ]  # fmt: skip
    assert inside.score == pytest.approx(np.mean(pairs))
    assert 0.4 < inside.null.mean() < 0.6 and 1 / 201 <= inside.p <= 1


def test_labels_that_are_all_one_knows_find_nothing_inside_them():
    """Predictions that hold the label alone identify among all, and not inside a label: p is uniform."""
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(6), 5)
    p = []
    for _ in range(40):
        centres = rng.normal(size=(6, 8))[labels]
        target, predicted = (centres + 0.5 * rng.normal(size=centres.shape) for _ in range(2))
        assert decoding.identification_by_label(predicted, target, labels)[0].mean() > 0.8
        p.append(decoding.within_label_test(predicted, target, labels, 99, 0).p)
    assert 0.3 < np.mean(p) < 0.7 and np.mean(np.array(p) < 0.05) < 0.2


def test_rows_that_are_alone_with_their_label_tell_nothing():
    tested = decoding.within_label_test(np.eye(4), np.eye(4), list("abcd"), 5)
    assert np.isnan([tested.score, tested.p, *tested.null]).all()


def test_the_calibration_that_helps_held_out_training_clips_is_taken():
    """Dimensions that the brain does not hold: giving them their full spread would drown the others."""
    recording = Recording(noise=0.3)
    hidden = np.random.default_rng(3).normal(size=(50, 2, 40)).astype(np.float32)
    recording.vectors = np.concatenate([recording.vectors, hidden], axis=2)
    data = windowed(recording)
    decoder = decoding.decode(data, "whole").decoder
    one = {m: decoding.decode_calibrated(data, decoder, m) for m in (None, "variance", "regression")}
    found = {m: decoding.identification(x.predicted, x.target).mean() for m, x in one.items()}
    assert found["regression"] > found["variance"] and np.array_equal(one[None].predicted, one["regression"].predicted)


def test_what_captions_mention():
    words = {"guitar": ("guitar",), "drums": ("drum", "percussion"), "sax": ("saxophone", "sax")}
    found = mentioned(["Two Guitars and a drum", "A saxophonist hums", "Percussion, no guitarist"], words)
    assert found.tolist() == [[True, True, False], [False, False, False], [False, True, False]]


BAD = [
    (lambda: windowed(Recording(runs=("Training_run-01",))), "subject 001 has no Test runs, only Training_run-01"),
    (lambda: windowed(Recording(runs=("Test_run-01",))), "has no Training runs"),
    (
        lambda: decoding.make_windows(Recording().subject, Recording().experiment, np.zeros((7, 2, 3)), 10, 5, 0),
        "vectors are of 7 clips",
    ),
    (lambda: decoding.identification_by_label(np.eye(4), np.eye(4), ["a"]), "labels has shape (1,), expected (4,)"),
]


@pytest.mark.parametrize("call, message", BAD, ids=[m for _, m in BAD])
def test_bad_input(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)
