"""The index is exact, goes on where it stopped, and knows whose vectors it holds; tags agree as sets of classes do."""

import json

import numpy as np
import pytest
from naturalistic import decoding
from naturalistic.decoding import retrieval

NAMES = [f"fma/{k:06d}" for k in range(500)]
MODEL = "mini-mulan 1"


def corpus(n=500, dim=16, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32) * 5


def by_hand(vectors, queries, k):
    """Sort all cosines of the vectors as they are stored; of equals the first in the index."""
    wide = vectors.astype(float)
    stored = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float16).astype(float)
    cosines = np.array(
        [[np.sum(v * q) / np.linalg.norm(q) / np.linalg.norm(v) for v in stored] for q in queries.astype(float)]
    )
    rows = np.array([sorted(range(len(stored)), key=lambda j: (-round(c[j], 12), j))[:k] for c in cosines])
    return rows, np.take_along_axis(cosines, rows, axis=1)


@pytest.mark.parametrize("block", [8192, 64, 7])
@pytest.mark.parametrize("k", [1, 10, 500])
def test_search_equals_a_sort_of_everything(tmp_path, monkeypatch, block, k):
    monkeypatch.setattr(retrieval, "BLOCK", block)
    vectors, queries = corpus(), corpus(9, seed=1)
    vectors[300:320] = vectors[7]  # ties: the first in the index comes first
    queries[0] = 3 * vectors[7]
    index = decoding.build_index(tmp_path, NAMES, vectors, MODEL)
    rows, cosines = index.search(queries, k)
    expected, values = by_hand(vectors, queries, k)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(cosines, values, atol=1e-9)
    assert rows[0, 0] == 7 and index.names_of(rows[0, :1]) == ["fma/000007"]
    if k == 10:
        assert rows[0].tolist() == [7, *range(300, 309)]


def test_what_is_stored(tmp_path):
    vectors = corpus()
    index = decoding.build_index(tmp_path, NAMES, vectors, MODEL, batch_size=33)
    assert isinstance(index.vectors, np.memmap) and index.vectors.dtype == np.float16
    np.testing.assert_allclose(np.linalg.norm(index.vectors.astype(float), axis=1), 1, atol=1e-3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index.json", "vectors.npy"]
    again = decoding.Index.open(tmp_path, MODEL)
    assert again.names == tuple(NAMES) and again.skipped == () and again.identity == MODEL
    np.testing.assert_array_equal(again.search(vectors[3])[0], index.search(vectors[3])[0])


def test_it_goes_on_where_it_stopped(tmp_path):
    vectors, asked = corpus(), []
    place = {name: k for k, name in enumerate(NAMES)}

    def embed(names, stop=None):
        if stop is not None and len(asked) >= stop:
            raise KeyboardInterrupt
        asked.extend(names)
        return vectors[[place[name] for name in names]]

    with pytest.raises(KeyboardInterrupt):
        decoding.build_index(tmp_path, NAMES, lambda names: embed(names, 200), MODEL, batch_size=64)
    assert len(asked) == 256 and not (tmp_path / "index.json").exists() and not (tmp_path / "vectors.npy").exists()
    with pytest.raises(FileNotFoundError, match="holds no finished index"):
        decoding.Index.open(tmp_path, MODEL)
    index = decoding.build_index(tmp_path, NAMES, embed, MODEL, batch_size=100)
    assert asked == NAMES, "what was done is not asked for again"
    whole = decoding.build_index(tmp_path / "at once", NAMES, vectors, MODEL)
    np.testing.assert_array_equal(index.vectors, whole.vectors)
    opened = decoding.build_index(tmp_path, NAMES, lambda names: pytest.fail("it is finished"), MODEL)
    assert opened.names == index.names


def test_unreadable_recordings_are_left_out_and_named(tmp_path):
    vectors = corpus()
    vectors[[3, 499]] = np.nan
    index = decoding.build_index(tmp_path, NAMES, vectors, MODEL)
    assert index.skipped == ("fma/000003", "fma/000499") and len(index.names) == len(index.vectors) == 498
    assert index.names_of(index.search(vectors[4], 1)[0]) == [["fma/000004"]]
    with pytest.raises(ValueError, match="none of the 500 recordings could be read"):
        decoding.build_index(tmp_path / "none", NAMES, np.full((500, 4), np.nan), MODEL)


def test_an_index_of_another_model_is_refused(tmp_path):
    decoding.build_index(tmp_path, NAMES, corpus(), MODEL)
    for call in (
        lambda: decoding.Index.open(tmp_path, "clap"),
        lambda: decoding.build_index(tmp_path, NAMES, corpus(), "clap"),
    ):
        with pytest.raises(ValueError, match="is an index of mini-mulan 1, expected clap: cosines between two models"):
            call()
    with pytest.raises(ValueError, match="holds a finished index of other recordings"):
        decoding.build_index(tmp_path, NAMES[1:], corpus(499), MODEL)


def test_a_begun_index_of_another_model_is_refused(tmp_path):
    def broken(names):
        if names[0] != NAMES[0]:
            raise KeyboardInterrupt
        return corpus()[: len(names)]

    with pytest.raises(KeyboardInterrupt):
        decoding.build_index(tmp_path, NAMES, broken, MODEL)
    with pytest.raises(ValueError, match="is an index of mini-mulan 1, expected clap"):
        decoding.build_index(tmp_path, NAMES, corpus(), "clap")
    with pytest.raises(ValueError, match="holds an unfinished index of other recordings"):
        decoding.build_index(tmp_path, NAMES[::-1], corpus(), MODEL)


def test_a_damaged_file_is_noticed(tmp_path):
    decoding.build_index(tmp_path, NAMES, corpus(), MODEL)
    about = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**about, "names": about["names"][1:]}))
    with pytest.raises(ValueError, match=r"float16 \(500, 16\), expected float16 \(499, 16\)"):
        decoding.Index.open(tmp_path, MODEL)


V = corpus()
ZERO = V.copy()
ZERO[8] = 0


@pytest.mark.parametrize(
    ("names", "vectors", "message"),
    [
        (NAMES[:3] * 2, V[:6], "names has 6 names, 3 of them different"),
        ([], V[:0], "names has 0 names"),
        (NAMES, V[:9], r"vectors has shape \(9, 16\), expected \(500, dim\)"),
        (NAMES, ZERO, "the vector of fma/000008 is all zeros or not finite"),
        (NAMES, lambda names: V[:3], r"vectors has shape \(3, 16\) for 256 names, expected \(256, dim\)"),
        (NAMES, lambda names: V[: len(names), : 16 if names[0] == NAMES[0] else 4], r"expected \(244, 16\)"),
    ],
)
def test_bad_corpus(tmp_path, names, vectors, message):
    with pytest.raises(ValueError, match=message):
        decoding.build_index(tmp_path, names, vectors, MODEL)


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (V[:2, :5], 3, r"queries has shape \(2, 5\), expected \(n_queries, 16\)"),
        (V[:2], 501, "k is 501, expected a whole number from 1 to 500"),
        (V[:2] * np.nan, 3, "queries holds 32 value"),
        (ZERO[7:9], 3, "query 1 is all zeros: it has no direction"),
    ],
)
def test_bad_queries(tmp_path, queries, k, message):
    with pytest.raises(ValueError, match=message):
        decoding.build_index(tmp_path, NAMES, V, MODEL).search(queries, k)


def test_agreement_equals_sets():
    rng = np.random.default_rng(0)
    p, q = rng.random((20, 40)), rng.random((20, 40))
    p[3] = q[3] = 0.5  # ties: the first classes
    for n in (1, 2, 5):
        tops = [[set(sorted(range(40), key=lambda c: (-row[c], c))[:n]) for row in m] for m in (p, q)]
        expected = [len(a & b) / n for a, b in zip(*tops)]
        np.testing.assert_allclose(decoding.top_n_agreement(p, q, n), expected)
        matrix = decoding.agreement_matrix(p, q, n)
        assert matrix[2, 5] == pytest.approx(len(tops[1][2] & tops[0][5]) / n)
    assert (decoding.top_n_agreement(p, p, 2) == 1).all()


def test_chance_of_agreement():
    rng = np.random.default_rng(0)
    p = rng.random((60, 10))
    same = decoding.matching_test(decoding.agreement_matrix(p, p + 0.3 * rng.random(p.shape), 2), n_permutations=500)
    assert same.p == pytest.approx(1 / 501) and same.null.mean() == pytest.approx(0.2, abs=0.02)
    other = decoding.matching_test(decoding.agreement_matrix(p, rng.random(p.shape), 2), n_permutations=500)
    assert other.p > 0.01


def test_a_tagger_names_the_classes_of_a_sound():
    rng = np.random.default_rng(0)
    genre, has = rng.integers(0, 3, 300), rng.integers(0, 2, (300, 4))
    x = np.concatenate([np.eye(3)[genre], has], axis=1) @ rng.standard_normal((7, 12)) * 100
    x = (x + 20 * rng.standard_normal(x.shape)).astype(np.float32)
    names = np.array(["blues", "jazz", "rock"])[genre]
    one = decoding.fit_tagger(x[:200], names[:200])
    p = one.predict_proba(x[200:])
    assert one.names == ("blues", "jazz", "rock") and p.shape == (100, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    assert np.mean(np.array(one.names)[p.argmax(axis=1)] == names[200:]) > 0.9
    many = decoding.fit_tagger(x[:200], has[:200], names=["drums", "bass", "guitar", "piano"])
    assert many.names[3] == "piano" and np.mean((many.predict_proba(x[200:]) > 0.5) == has[200:]) > 0.9


X = np.random.default_rng(0).standard_normal((6, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decoding.fit_tagger(X, ["a"] * 6), "all clips are of the class a, expected two classes"),
        (lambda: decoding.fit_tagger(X, ["a", "b"]), r"labels has shape \(2,\), expected \(6,\) or \(6, n_classes\)"),
        (lambda: decoding.fit_tagger(X, np.eye(6) * 2), "other values than 0 and 1"),
        (lambda: decoding.fit_tagger(X, np.eye(6)[:, :2], ["a"]), "names has 1 names, expected 2"),
        (lambda: decoding.fit_tagger(X, np.ones((6, 2), int), ["a", "b"]), "the class a is in none or in all"),
        (lambda: decoding.fit_tagger(X * np.nan, list("ababab")), "features holds 18 value"),
        (
            lambda: decoding.fit_tagger(X, list("ababab")).predict_proba(X[:, :2]),
            "2 columns, expected 3 as in training",
        ),
        (lambda: decoding.top_n_agreement(X, X[:3], 1), r"p_true has shape \(6, 3\) and p_reconstructed \(3, 3\)"),
        (lambda: decoding.top_n_agreement(X, X, 3), "n is 3, expected a whole number from 1 to 2: there are 3 classes"),
        (lambda: decoding.top_n_agreement(X, X * np.nan, 1), "p_reconstructed holds 18 value"),
    ],
)
def test_bad_classes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
