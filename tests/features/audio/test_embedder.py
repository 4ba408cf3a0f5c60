"""The embedder: the same checks, windows, batches and cache for every model."""

import numpy as np
import pytest
import torch
from naturalistic.cache import cache_dir, write_array
from naturalistic.features.audio.embedder import Embedder

RATE = 16000


def clips(n_clips=3, seconds=4, rate=RATE, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal((n_clips, round(seconds * rate))).astype(np.float32)


def simple_embedder(identity="made", text=True, batch_size=8, calls=None, **kwargs):
    """An embedder whose vectors are easy to know: mean square, first sample, last sample of the window."""

    def hear(windows):
        if calls is not None:
            calls.append(len(windows))
        return torch.from_numpy(np.stack([np.mean(windows**2, axis=1), windows[:, 0], windows[:, -1]], axis=1))

    def read(sentences):
        if calls is not None:
            calls.append(len(sentences))
        return np.array([[len(s), s.count(" "), 1] for s in sentences])

    kwargs = {"sample_rate": RATE, "window": 1, "hop": 0.5, "dim": 3} | kwargs
    return Embedder("made", audio_tower=hear, text_tower=read if text else None, identity=identity,
                    batch_size=batch_size, **kwargs)  # fmt: skip


def test_vectors_are_those_of_the_windows():
    sounds = clips()
    vectors = simple_embedder().embed(sounds, RATE)
    assert vectors.shape == (3, 7, 3) and vectors.dtype == np.float32
    for i in range(7):
        np.testing.assert_array_equal(vectors[:, i, 1], sounds[:, i * RATE // 2])
        np.testing.assert_array_equal(vectors[:, i, 2], sounds[:, i * RATE // 2 + RATE - 1])
    single = simple_embedder().embed(sounds[1], RATE)
    assert single.shape == (7, 3)
    np.testing.assert_array_equal(single, vectors[1])
    np.testing.assert_array_equal(simple_embedder().embed(list(sounds), RATE), vectors)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_batches_go_across_clips_and_change_nothing(batch_size):
    calls = []
    vectors = simple_embedder(batch_size=batch_size, calls=calls).embed(clips(), RATE, cache=False)
    assert sum(calls) == 21 and len(calls) == -(-21 // batch_size)
    np.testing.assert_array_equal(vectors, simple_embedder().embed(clips(), RATE, cache=False))


def test_clips_that_rounding_left_a_sample_longer_or_shorter():
    """As those of tracks cut at hundredths of a second: each is cut by itself, whatever comes with it."""
    sounds = [clip[: 4 * RATE - 1 + k] for k, clip in enumerate(clips(3, 5))]
    vectors = simple_embedder().embed(sounds, RATE, cache=False)
    assert vectors.shape == (3, 7, 3) and vectors[0, -1, 2] == 0 and vectors[1, -1, 2] != 0
    for sound, vector in zip(sounds, vectors):
        np.testing.assert_array_equal(simple_embedder().embed(sound, RATE, cache=False), vector)


def test_sound_of_another_rate_is_resampled():
    time = np.arange(4 * 44100) / 44100
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    vectors = simple_embedder().embed(tone, 44100)
    assert vectors.shape == (7, 3)
    np.testing.assert_allclose(vectors[1:-1, 0], 0.125, atol=1e-4)


def test_the_second_time_nothing_runs_and_another_sound_does():
    calls, sounds = [], clips()
    embedder = simple_embedder(calls=calls)
    first = embedder.embed(sounds, RATE)
    assert sum(calls) == 21
    np.testing.assert_array_equal(embedder.embed(sounds, RATE), first)
    assert sum(calls) == 21
    other = np.concatenate([sounds, clips(1, seed=9)])
    np.testing.assert_array_equal(embedder.embed(other, RATE)[:3], first)
    assert sum(calls) == 28  # the new clip alone
    embedder.embed(sounds, RATE, cache=False)
    assert sum(calls) == 49


@pytest.mark.parametrize("change", [{"identity": "other"}, {"window": 1.5}, {"hop": 1}, {"sample_rate": 24000}])
def test_another_model_window_or_hop_is_not_taken_from_the_cache(change):
    calls = []
    simple_embedder().embed(clips(), RATE)
    simple_embedder(calls=calls, **change).embed(clips(), RATE)
    assert calls


def test_a_rate_is_part_of_what_a_sound_is():
    calls = []
    embedder = simple_embedder(calls=calls)
    embedder.embed(clips(), RATE)
    n = sum(calls)
    embedder.embed(clips(), 2 * RATE)
    assert sum(calls) > n


def test_clips_that_were_done_are_kept_when_the_run_breaks():
    calls = []

    def broken(windows):
        calls.append(len(windows))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return windows[:, :3]

    def whole(windows):
        calls.append(len(windows))
        return windows[:, :3]

    how = {"sample_rate": RATE, "window": 1, "hop": 0.5, "dim": 3, "identity": "x", "batch_size": 7}
    with pytest.raises(KeyboardInterrupt):
        Embedder("made", audio_tower=broken, **how).embed(clips(), RATE)
    calls.clear()
    vectors = Embedder("made", audio_tower=whole, **how).embed(clips(), RATE)
    assert calls == [7]
    np.testing.assert_array_equal(vectors[:, 0], clips()[:, :3])


def test_a_damaged_file_of_the_cache_is_computed_again():
    calls = []
    first = simple_embedder(calls=calls).embed(clips(), RATE)
    files = sorted(cache_dir().rglob("*.npy"))
    assert len(files) == 3 and not list(cache_dir().rglob("*.part"))
    files[0].write_bytes(files[0].read_bytes()[:100])
    files[1].write_bytes(b"")
    np.testing.assert_array_equal(simple_embedder(calls=calls).embed(clips(), RATE), first)
    assert sum(calls) == 35


def test_nothing_half_written_stays(monkeypatch):
    monkeypatch.setattr(np, "save", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_array("audio", "abc", np.ones(3))
    assert not [path for path in cache_dir().rglob("*") if path.is_file()]


def test_text():
    calls = []
    embedder = simple_embedder(calls=calls)
    assert embedder.has_text
    vectors = embedder.embed_text(["a b", "jazz"] * 40)
    np.testing.assert_array_equal(vectors[:2], [[3, 1, 1], [4, 0, 1]])
    assert vectors.shape == (80, 3) and vectors.dtype == np.float32
    n = sum(calls)
    embedder.embed_text(["jazz"])
    assert sum(calls) == n
    embedder.embed_text(["jazz"], cache=False)
    assert sum(calls) == n + 1


@pytest.mark.parametrize(
    ("sentences", "error", "message"),
    [
        ("a trumpet", TypeError, r"is the string 'a trumpet', expected a list"),
        (["a", "", "  "], ValueError, r"empty captions \(index 1, 2\)"),
        ([], ValueError, "none given"),
        (["a", 3], TypeError, r"sentences\[1\] is 3"),
    ],
)
def test_bad_sentences(sentences, error, message):
    with pytest.raises(error, match=message):
        simple_embedder().embed_text(sentences)


def test_a_model_without_a_text_tower_says_so():
    assert not simple_embedder(text=False).has_text
    with pytest.raises(ValueError, match=r"made hears and does not read.*mini-mulan"):
        simple_embedder(text=False).embed_text(["a trumpet"])


def test_bad_sound_is_refused_before_the_model_runs():
    calls = []
    embedder = simple_embedder(calls=calls)
    with pytest.raises(ValueError, match=r"clips of 0.5 s \(8000 samples at 16000 Hz\), expected at least the 1 s"):
        embedder.embed(clips(seconds=0.5), RATE)
    with pytest.raises(ValueError, match="allow_low_rate"):
        embedder.embed(clips(), 8000)
    with pytest.raises(TypeError, match="integer PCM"):
        embedder.embed(np.ones((2, RATE), np.int16), RATE)
    assert not calls
    assert embedder.embed(clips(), 8000, allow_low_rate=True).shape[0] == 3


def test_a_tower_that_gives_something_else_is_caught():
    how = {"sample_rate": RATE, "window": 1, "hop": 0.5, "dim": 3}
    with pytest.raises(RuntimeError, match=r"gave an array \(8, 2\), expected \(8, 3\)"):
        Embedder("made", audio_tower=lambda w: w[:, :2], **how).embed(clips(), RATE)
    with pytest.raises(RuntimeError, match=r"not finite.*dtype='float32'"):
        Embedder("made", audio_tower=lambda w: w[:, :3] * np.nan, **how).embed(clips(), RATE)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"batch_size": 0}, "batch_size is 0"), ({"hop": 0}, "hop is 0"), ({"window": -1}, "window")],
)
def test_bad_choices(change, message):
    with pytest.raises(ValueError, match=message):
        simple_embedder(**change)
