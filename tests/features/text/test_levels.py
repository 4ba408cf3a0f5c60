"""Language features of annotated film: windows, models of each class, cache, word2vec files, components, controls."""

import dataclasses
import gzip
import struct
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from huggingface_hub.errors import GatedRepoError
from naturalistic.cache import cache_dir
from naturalistic.features import audiovisual, delays, pca
from naturalistic.features.text import forward, language_model, levels, shards, text_encoder, word_vectors

from tests.helpers.checkpoints import save_tiny
from tests.helpers.devices import DEVICE, on_device

RUNS = np.repeat([0, 1], [7, 5])
# two annotators, one of whom is silent at times, and both in seconds 3 and 9
FILM = [
    ["a man walks", "rain"],
    ["a man walks", "rain falls on the roof"],
    ["", "rain falls on the roof"],
    ["", ".."],
    ["he runs", "a dog barks at the tall man who runs"],
    ["he runs", ""],
    ["he stops", "he stops"],
    ["night", "the moon"],
    ["night", "the moon"],
    ["", ""],
    ["雨が屋根に降る", "犬が吠える"],
    ["the moon", "night"],
]
SPEECH = [["Who is there?"], ["Who is there?", "Me."], ["Me."], [""], ["Me."], ["Go!", "No."]] + [[""]] * 6


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {kind: save_tiny(kind, tmp_path_factory.mktemp(kind)) for kind in ("bert", "gpt2", "opt", "llama")}


@pytest.fixture(scope="module")
def by_kind(folders):
    loaded = {kind: language_model.load_model(folder) for kind, folder in folders.items()}
    return {"minilm": language_model.load_model(), **loaded}


@pytest.fixture(params=["minilm", "bert", "gpt2", "opt", "llama"])
def model(request, by_kind):
    return by_kind[request.param]


def features(model, texts, window=1, **options):
    return levels.level_features(model, texts, window, progress=False, **options)


def one_text(model, text):
    """The plainest way: one call of the tokenizer and of the network, mean over tokens that are not special."""
    tokens = model.tokenizer(text, return_special_tokens_mask=True)
    ids, special = np.array(tokens["input_ids"]), np.array(tokens["special_tokens_mask"], bool)
    if len(ids) > model.max_tokens:  # keep the special tokens and the end
        kept = np.ones(len(ids), bool)
        kept[np.flatnonzero(~special)[: len(ids) - model.max_tokens]] = False
        ids, special = ids[kept], special[kept]
    with torch.inference_mode():
        states = model.network(input_ids=torch.tensor(ids)[None], output_hidden_states=True).hidden_states
    return np.stack([state[0, ~special].mean(0).numpy() for state in states])


def plain_loop(model, texts, window, runs):
    """Second by second and annotator by annotator, every text by itself."""
    out = np.zeros((len(texts), model.n_layers, model.dim))
    for t in range(len(texts)):
        written = []
        for a in range(len(texts[0])):
            said, before = "", None
            for s in range(max(0, t - window + 1), t + 1):
                now = texts[s][a] if runs[s] == runs[t] and texts[s][a] != ".." else ""
                if now and now != before:
                    said = f"{said} {now}".strip()
                before = now
            written.append(said)
        if any(written):
            out[t] = np.mean([one_text(model, text or "..") for text in written], axis=0)
    return out


def close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max(), rtol=0)


# -- features ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 3])
def test_features_equal_a_loop_without_batches(model, window):
    expected = plain_loop(model, FILM, window, RUNS)
    found = features(model, FILM, window, runs=RUNS, cache=False, keep="float32")
    assert found.shape == (12, model.n_layers, model.dim) and found.dtype == np.float32
    close(found, expected, 2e-6)
    rounded = features(model, FILM, window, runs=RUNS)
    close(rounded, expected, 6e-4)
    again = features(model, FILM, window, runs=RUNS)  # from the cache
    np.testing.assert_array_equal(again, rounded)
    np.testing.assert_array_equal(features(model, FILM, window, runs=RUNS, cache=False), rounded)
    half = features(model, FILM, window, runs=RUNS, dtype="float16")
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half, rounded.astype(np.float16))


def test_layers_are_those_of_all(by_kind):
    whole = features(by_kind["opt"], FILM)
    for layers in ([2], [-1], [1, 0], [0, -2]):
        np.testing.assert_array_equal(features(by_kind["opt"], FILM, layers=layers, cache=False), whole[:, layers])
        np.testing.assert_array_equal(features(by_kind["opt"], FILM, layers=layers), whole[:, layers])


def test_empty_and_zero(by_kind):
    model = by_kind["bert"]
    found = features(model, FILM, keep="float32")
    assert not found[[3, 9]].any() and np.abs(found).max(axis=(1, 2))[[0, 2, 5]].all()
    close(found[5], (one_text(model, "he runs") + one_text(model, "..")) / 2, 2e-6)
    before = features(model, FILM, 2, runs=RUNS, keep="float32")
    close(before[3], (one_text(model, "..") + one_text(model, "rain falls on the roof")) / 2, 2e-6)
    np.testing.assert_array_equal(before[7], found[7])  # a run begins: nothing of the one before


def test_window_texts():
    texts = levels.window_texts(FILM, 4, RUNS)
    assert texts[3] == ["a man walks", "rain rain falls on the roof"]
    assert texts[6] == ["he runs he stops", "a dog barks at the tall man who runs he stops"]
    assert texts[11] == ["night 雨が屋根に降る the moon", "the moon 犬が吠える night"]
    assert levels.window_texts(FILM)[3] == [] and levels.window_texts(FILM)[2] == ["..", "rain falls on the roof"]
    assert levels.window_texts(SPEECH, utterances=True)[:4] == [
        ["Who is there?"],
        ["Who is there?", "Me."],
        ["Me."],
        [],
    ]
    spoken = levels.window_texts(SPEECH, 3, utterances=True)
    assert spoken[:3] == [["Who is there?"], ["Who is there?", "Who is there? Me."], ["Who is there? Me."]]
    assert spoken[3:6] == [["Who is there? Me."], ["Me. Me."], ["Me. Go!", "Me. No."]]
    assert spoken[6:] == [["Me. Go! No."], ["Go! No."], [], [], [], []]


def test_annotations_bring_runs_and_utterances(by_kind):
    spoken = SimpleNamespace(texts=SPEECH, runs=RUNS, speakers=[[""]] * 12)
    found = features(by_kind["gpt2"], spoken, 2, keep="float32")
    said = [one_text(by_kind["gpt2"], text) for text in ("Who is there?", "Who is there? Me.")]
    close(found[1], np.mean(said, axis=0), 2e-6)
    close(
        features(by_kind["gpt2"], spoken)[5],
        (one_text(by_kind["gpt2"], "Go!") + one_text(by_kind["gpt2"], "No.")) / 2,
        6e-4,
    )
    again = features(by_kind["gpt2"], SPEECH, 2, runs=RUNS, utterances=True, keep="float32")
    np.testing.assert_array_equal(found, again)
    written = SimpleNamespace(texts=FILM, runs=RUNS, speakers=None)
    np.testing.assert_array_equal(features(by_kind["gpt2"], written, 3), features(by_kind["gpt2"], FILM, 3, runs=RUNS))


def test_no_run_and_no_later_second_moves_a_feature(by_kind):
    before = features(by_kind["llama"], FILM, 3, runs=RUNS)
    changed = [list(second) for second in FILM]
    changed[4] = ["something else", "and more"]
    moved = (features(by_kind["llama"], changed, 3, runs=RUNS) != before).any(axis=(1, 2))
    assert np.flatnonzero(moved).tolist() == [4, 5, 6]


@pytest.mark.slow
def test_order_and_batches_do_not_matter(by_kind, monkeypatch):
    texts = sorted({text for second in FILM for text in second if text.strip(".")})
    for model in by_kind.values():
        whole = text_encoder.text_vectors(model, texts, cache=False, keep="float32").vectors
        monkeypatch.setattr(text_encoder, "_BLOCK_TEXTS", 3)
        monkeypatch.setattr(forward, "_BATCH_TOKENS", {"cpu": 70})
        other = text_encoder.text_vectors(model, texts[::-1], cache=False, keep="float32").vectors[::-1]
        close(other, whole, 2e-6)
        monkeypatch.undo()


@pytest.mark.parametrize("kind", ["bert", "opt"])
def test_a_long_text_loses_its_beginning_and_it_is_said(by_kind, kind):
    model, long = by_kind[kind], "what came long before all of this " * 3 + "and its end"
    n_special = {"bert": 2, "opt": 1}[kind]
    n_lost = len(long) + n_special - 64
    message = rf"1 of 2 different texts are longer than .* takes \(64 tokens\).* \({n_lost} of {len(long) + 5} in all\)"
    for _ in range(2):  # the second time from the cache
        with pytest.warns(UserWarning, match=message):
            found = features(model, [[long], ["short"]], keep="float32")
        close(found[0], one_text(model, long), 2e-6)
    other = "X" + long[1:]
    with pytest.warns(UserWarning):
        np.testing.assert_array_equal(features(model, [[other], ["short"]], keep="float32"), found)


def test_bfloat16(folders):
    model = language_model.load_model(folders["llama"], dtype="bfloat16")
    exact = language_model.load_model(folders["llama"])
    assert model.digest != exact.digest and model.network.dtype == torch.bfloat16
    found, expected = features(model, FILM), features(exact, FILM)
    assert 0 < np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.slow
def test_static_vectors_are_means_of_the_embedding_matrix(by_kind, folders, monkeypatch):
    static = language_model.load_model("static:minilm")
    table = by_kind["minilm"].network.get_input_embeddings().weight.detach().numpy()
    ids = by_kind["minilm"].tokenizer("the tall man", add_special_tokens=False)["input_ids"]
    found = features(static, [["the tall man"], ["man the tall"]], keep="float32")
    assert found.shape == (2, 1, 384)
    close(found[0, 0], table[ids].mean(0), 1e-6)
    close(found[1], found[0], 1e-6)  # no order, no position
    monkeypatch.setattr(text_encoder, "_BLOCK_TEXTS", 4)
    texts = sorted({text for second in FILM for text in second if text.strip(".")})
    vectors = text_encoder.text_vectors(static, texts, cache=False).vectors
    np.testing.assert_array_equal(vectors[::-1], text_encoder.text_vectors(static, texts[::-1]).vectors)
    again = language_model.load_model(f"static:{folders['opt']}")
    assert features(again, FILM).shape == (12, 1, 32) and again.digest != by_kind["opt"].digest


def test_japanese_becomes_tokens_of_its_own(model):
    texts = ["雨が屋根に降る", "犬が吠える"]
    vectors = text_encoder.text_vectors(model, texts, keep="float32").vectors
    close(vectors, np.stack([one_text(model, text) for text in texts]), 2e-6)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


# -- cache -------------------------------------------------------------------------------------------------------


def count_passes(monkeypatch):
    calls, run = [], forward._run_batch

    def counted(model, batch, layers):
        calls.append(len(batch))
        return run(model, batch, layers)

    monkeypatch.setattr(forward, "_run_batch", counted)
    return calls


def shard_files():
    return sorted((cache_dir() / "levels").rglob("*.shard"))


def test_every_text_goes_through_the_model_once(by_kind, monkeypatch):
    calls = count_passes(monkeypatch)
    model = by_kind["gpt2"]
    first = features(model, FILM)
    different = {text for second in levels.window_texts(FILM) for text in second}
    assert sum(calls) == len(different) and len(calls) < len(different)
    features(model, FILM, layers=[1])
    features(model, FILM[::-1])
    features(model, [[b, a] for a, b in FILM])
    assert sum(calls) == len(different)
    features(model, [*FILM, ["a new text", "night"]])
    assert sum(calls) == len(different) + 1
    assert not list((cache_dir() / "levels").rglob("*.part"))
    np.testing.assert_array_equal(features(model, FILM), first)


def test_layers_of_several_shards_come_together(by_kind, monkeypatch):
    calls = count_passes(monkeypatch)
    parts = [features(by_kind["bert"], FILM, layers=[a]) for a in range(3)]
    n = sum(calls)
    np.testing.assert_array_equal(features(by_kind["bert"], FILM), np.concatenate(parts, axis=1))
    assert sum(calls) == n and len(shard_files()) == 3


def test_models_and_formats_do_not_share(by_kind, monkeypatch):
    calls = count_passes(monkeypatch)
    for kind in ("bert", "gpt2"):
        for keep in ("float16", "float32"):
            n = sum(calls)
            features(by_kind[kind], FILM, keep=keep)
            assert sum(calls) > n


@pytest.mark.parametrize("damage", ["cut", "head", "sizes", "keys", "vectors", "longer", "empty", "other"])
def test_a_damaged_shard_is_computed_anew(by_kind, damage):
    first = features(by_kind["opt"], FILM)
    (path,) = shard_files()
    content = bytearray(path.read_bytes())
    if damage in ("sizes", "keys", "vectors"):
        first_byte = {"sizes": 25, "keys": 60, "vectors": len(content) - 70}[damage]
        content[first_byte : first_byte + 64] = bytes(64)
    else:
        rest = {"cut": len(content) // 2, "head": 20, "empty": 0}.get(damage)
        content = b"something else" if damage == "other" else content[:rest] + b"x" * (damage == "longer")
    path.write_bytes(content)
    close(features(by_kind["opt"], FILM), first, 6e-4)
    assert len(shard_files()) == 2
    close(features(by_kind["opt"], FILM), first, 6e-4)
    assert len(shard_files()) == 2  # nothing was left to compute


@pytest.mark.slow
def test_no_changed_byte_changes_a_feature(by_kind):
    first = features(by_kind["gpt2"], FILM)
    (path,) = shard_files()
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for place in [*range(60), *rng.choice(len(content), 60, replace=False)]:
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        close(features(by_kind["gpt2"], FILM), first, 6e-4)
        for other in set(shard_files()) - {path}:
            other.unlink()


def test_an_interrupted_computation_keeps_whole_shards(by_kind, monkeypatch):
    expected = features(by_kind["gpt2"], FILM, cache=False)
    monkeypatch.setattr(text_encoder, "_BLOCK_TEXTS", 4)
    calls, write = [], shards.write

    def stop(*arguments):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(write(*arguments))

    monkeypatch.setattr(shards, "write", stop)
    with pytest.raises(KeyboardInterrupt):
        features(by_kind["gpt2"], FILM)
    monkeypatch.setattr(shards, "write", write)
    assert len(shard_files()) == 2
    passes = count_passes(monkeypatch)
    close(features(by_kind["gpt2"], FILM), expected, 6e-4)
    different = {text for second in levels.window_texts(FILM) for text in second}
    assert sum(passes) == len(different) - 8


def test_a_write_that_fails_leaves_nothing(monkeypatch):
    monkeypatch.setattr("naturalistic.cache.os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        shards.write("levels/x", [bytes(16)], [0], [[1, 0]], np.ones((1, 1, 4), np.float16))
    assert list((cache_dir() / "levels" / "x").iterdir()) == []


WRITER = """
import sys
import numpy as np
from naturalistic.features.text import shards

rng = np.random.default_rng(int(sys.argv[1]))
for k in range(20):
    numbers = rng.choice(200, 20, replace=False)
    rows = np.repeat(numbers[None, :, None], 8, axis=2).astype(np.float16)
    shards.write("levels/both", [shards.text_key(f"text {i}") for i in numbers], [3], [[k, 0]] * 20, rows)
"""


@pytest.mark.slow
def test_two_processes_write_at_once():
    workers = [subprocess.Popen([sys.executable, "-c", WRITER, seed]) for seed in ("1", "2")]
    assert [worker.wait() for worker in workers] == [0, 0]
    out = np.full((200, 1, 8), -1, np.float16)
    found, _ = shards.read("levels/both", [shards.text_key(f"text {i}") for i in range(200)], [3], out)
    assert found.sum() > 150 and (out[found, 0, 0] == np.flatnonzero(found)).all() and (out[~found] == -1).all()


# -- word2vec files ----------------------------------------------------------------------------------------------

KNOWN = {"rain": [1, 2, 3], "the": [0, 0, 1], "Paris": [4, 4, 4], "don't": [1, 1, 0], "well": [2, 0, 0]}
KNOWN["雨"] = [0, 5, 0]


def write_word2vec(path, vectors, line_breaks=True):
    n_dims = len(next(iter(vectors.values())))
    content = f"{len(vectors)} {n_dims}\n".encode()
    for word, vector in vectors.items():
        if path.suffix == ".bin":
            content += word.encode() + b" " + struct.pack(f"<{n_dims}f", *vector) + b"\n" * line_breaks
        else:
            content += f"{word} {' '.join(map(str, vector))}\n".encode()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name, breaks", [("a.bin", True), ("a.bin", False), ("a.txt", True), ("a.vec", True)])
def test_word2vec_files(tmp_path, name, breaks):
    opened = language_model.load_model(write_word2vec(tmp_path / name, KNOWN, breaks))
    assert len(opened) == 6 and opened.dim == 3 and opened.n_layers == 1
    for word, vector in KNOWN.items():
        assert opened.vector(word).tolist() == vector and opened.vector(word).dtype == np.float32
    texts = [["The rain, the RAIN!", ""], ["Paris don't", "xyz"], ["", "the well-rain xyz"], ["xyz", ""], ["", ".."]]
    with pytest.warns(UserWarning, match=r"2 of 11 words, in 2 of 5 different texts, are not in .*: they were skipped"):
        found = features(opened, texts)
    expected = [[0.5, 1, 2], [2.5, 2.5, 2], [1, 2 / 3, 4 / 3], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-3)


def test_word2vec_of_a_language_without_blanks(tmp_path):
    path = write_word2vec(tmp_path / "a.txt", KNOWN)
    plain, split = word_vectors.open_word_vectors(path), word_vectors.open_word_vectors(path, split=list)
    assert plain.known("雨降") == ([], 1) and split.known("雨降") == (["雨"], 1)
    assert plain.digest != split.digest
    assert plain.digest == word_vectors.open_word_vectors(path).digest


def test_word2vec_of_random_vectors_in_both_formats(tmp_path):
    rng = np.random.default_rng(0)
    # bytes of blanks and line breaks among the numbers
    raw = rng.choice(np.array([10, 32, 60, 61], np.uint8), 50 * 7 * 4).tobytes()
    numbers = np.frombuffer(raw, "<f4").reshape(50, 7)
    vectors = {f"w{k}": row.tolist() for k, row in enumerate(numbers)}
    for name in ("a.bin", "a.txt"):
        opened = word_vectors.open_word_vectors(write_word2vec(tmp_path / name, vectors))
        assert list(opened.places) == list(vectors)
        found = np.stack([opened.vector(word) for word in vectors])
        np.testing.assert_array_equal(found, numbers)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.bin", b"2 3\nrain " + bytes(12) + b"\nthe " + bytes(11), "ends in word 2 of 2: it was cut short"),
        ("a.bin", b"rain 1\nthe 2\n", "expected the number of words and of dimensions"),
        ("a.txt", b"3 3\nrain 1 2 3\nthe 1 2 3\n", "ends in word 3 of 3: it was cut short"),
        ("a.txt", b"2 3\nrain 1 2 3\nthe 1 2", "its last line has 2 numbers, expected 3: it was cut short"),
        ("a.vec", b"1 3\nrain 1 x 3\n", "its last line is b'1 x 3', expected numbers"),
        ("a.gz", gzip.compress(b"1 3\nrain 1 2 3\n", mtime=0), r"is packed, .*: unpack it first \(gunzip\)"),
        ("a.txt", b"", "expected the number of words"),
    ],
)
def test_bad_word2vec_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        word_vectors.open_word_vectors(tmp_path / name)


def test_a_missing_or_damaged_word2vec_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.bin is missing: expected a word2vec file"):
        language_model.load_model(tmp_path / "no.bin")
    path = write_word2vec(tmp_path / "a.bin", {"rain": [1, np.nan, 3]})
    with pytest.raises(ValueError, match="the vector of 'rain' has 3 numbers, not all finite"):
        features(language_model.load_model(path), [["rain"]])


# -- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts, options, error, message",
    [
        (FILM, {"layers": [3]}, ValueError, r"layers has 3, expected some of 0 \(the embedding layer\) to 2"),
        (FILM, {"layers": []}, ValueError, "layers has no layer"),
        (FILM, {"window": 0}, ValueError, "window is 0, expected a whole number of seconds"),
        (FILM, {"window": 1.5}, ValueError, "window is 1.5"),
        (FILM, {"window": np.nan}, ValueError, "window is nan"),
        (FILM, {"dtype": "int8"}, ValueError, "dtype is 'int8', expected 'float32' or 'float16'"),
        (FILM, {"keep": "int8"}, ValueError, "keep is 'int8'"),
        (FILM, {"runs": [0] * 5}, ValueError, r"runs has shape \(5,\), expected \(12,\)"),
        ([["", ".."], ["..."]], {}, ValueError, "texts has no text at all in its 2 s: leave this level out"),
        ([], {}, ValueError, "texts has no text at all in its 0 s"),
        ([["a", "b"], ["a"]], {}, ValueError, r"texts\[1\] has 1 annotators and texts\[0\] has 2.*utterances=True"),
        ([["a"], [None]], {}, TypeError, r"texts\[1\] holds None, expected str"),
        ("a text", {}, TypeError, "expected.*a list over seconds of lists of str"),
        (["a text"], {}, TypeError, "a list over seconds of lists of str"),
        ([["a"], None], {}, TypeError, "a list over seconds of lists of str"),
    ],
)
def test_bad_annotations(by_kind, texts, options, error, message):
    with pytest.raises(error, match=message):
        levels.level_features(by_kind["bert"], texts, progress=False, **options)


@pytest.mark.parametrize(
    "texts, error, message",
    [
        ([], ValueError, "texts is empty"),
        ("abc", TypeError, r"texts is the string 'abc', expected a list of them: \['abc'\]"),
        (["a", 3], TypeError, r"texts\[1\] is 3, expected str"),
        (["a", " "], ValueError, r"texts\[1\] is ' ', an empty text: write '\.\.'"),
    ],
)
def test_bad_texts(by_kind, texts, error, message):
    with pytest.raises(error, match=message):
        text_encoder.text_vectors(by_kind["bert"], texts)


def test_states_that_float16_cannot_hold(by_kind, folders):
    model = language_model.load_model(folders["gpt2"])
    with torch.no_grad():
        model.network.wte.weight[:] *= 1e7
    with pytest.raises(ValueError, match=r"states beyond the 65,504 of float16: pass keep='float32'"):
        features(model, FILM, cache=False)
    assert np.abs(features(model, FILM, cache=False, keep="float32")).max() > 65504
    with torch.no_grad():
        model.network.wte.weight[:] = np.nan
    with pytest.raises(ValueError, match="numbers that are not finite: load it with dtype='float32' or 'bfloat16'"):
        features(model, FILM, cache=False)


def test_bad_models(folders, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="dtype is 'int4', expected one of 'float32', 'bfloat16', 'float16'"):
        language_model.load_model(folders["bert"], dtype="int4")
    with pytest.raises(ValueError, match="device is 'toaster'"):
        language_model.load_model(folders["bert"], device="toaster")
    with pytest.raises(FileNotFoundError, match="not a folder"):
        language_model.load_model(tmp_path / "no" / "such" / "folder")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match="device_map needs the package accelerate: pip install accelerate"):
        language_model.load_model(folders["bert"], device_map="auto")


def test_a_device_map_where_accelerate_is_installed(folders):
    pytest.importorskip("accelerate")
    spread, whole = (language_model.load_model(folders["opt"], device_map=chosen) for chosen in ("auto", None))
    assert spread.network.hf_device_map and spread.digest == whole.digest
    np.testing.assert_array_equal(features(spread, FILM, cache=False), features(whole, FILM, cache=False))


@pytest.mark.parametrize("where", ["config", "tokenizer", "weights"])
def test_a_gated_model_names_its_licence_and_the_log_in(folders, monkeypatch, where):
    name = str(folders["llama"])

    def refuse(*_, **__):
        try:
            raise GatedRepoError("401", response=SimpleNamespace(headers={}, request=None, status_code=401))
        except GatedRepoError as error:
            raise OSError("You are trying to read what is not public") from error

    part = {"config": "_source_of", "tokenizer": "transformers.AutoTokenizer.from_pretrained"}.get(where)
    part = part or "transformers.AutoModel.from_pretrained"
    monkeypatch.setattr(f"naturalistic.features.text.language_model.{part}", refuse)
    message = rf"gated model: accept its license at https://huggingface\.co/{name}.*hf auth login"
    with pytest.raises(PermissionError, match=message):
        language_model.load_model(name)


# -- components --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape, dtype", [((300, 20), np.float32), ((40, 90), np.float32), ((300, 20), np.float16)])
def test_components_are_those_of_a_singular_value_decomposition(shape, dtype, monkeypatch):
    monkeypatch.setattr(pca, "_BLOCK", 64)
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(shape) * np.linspace(3, 1, shape[1]) + 5).astype(dtype)
    training = rng.random(shape[0]) < 0.7
    fitted = pca.fit_components(x, training, 6)
    exact = x[training].astype(float)
    u, s, vt = np.linalg.svd(exact - exact.mean(0), full_matrices=False)
    np.testing.assert_allclose(fitted.variances, s[:6] ** 2 / (training.sum() - 1), rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(fitted.axes * vt[:6], axis=1)), 1, rtol=1e-9)
    np.testing.assert_allclose(fitted.axes @ fitted.axes.T, np.eye(6), atol=1e-9)
    assert fitted.explained == pytest.approx((s[:6] ** 2).sum() / (s**2).sum())
    low = fitted.transform(x)
    assert low.dtype == np.float32 and low.shape == (shape[0], 6)
    np.testing.assert_allclose(np.abs(low[training]), np.abs(u[:, :6] * s[:6]), rtol=1e-4, atol=1e-4)
    assert (fitted.axes[np.arange(6), np.abs(fitted.axes).argmax(1)] > 0).all()


@pytest.mark.parametrize("shape", [(60, 2, 12), (20, 2, 30)])
def test_components_do_not_know_test_seconds(shape, monkeypatch):
    monkeypatch.setattr(pca, "_BLOCK", 7)
    rng = np.random.default_rng(1)
    x = rng.standard_normal(shape).astype(np.float32)
    training = np.arange(shape[0]) % 4 > 0
    before, fitted = pca.pca_transform(x, training, 5), pca.fit_components(x[:, 1], training, 5)
    x[~training] = np.nan
    after, again = pca.pca_transform(x, training, 5), pca.fit_components(x[:, 1], training, 5)
    for field in dataclasses.fields(fitted):
        np.testing.assert_array_equal(getattr(fitted, field.name), getattr(again, field.name))
    np.testing.assert_array_equal(before[training], after[training])
    assert before.shape == (shape[0], 2, 5)


def test_small_layers_are_left_as_they_are():
    x = np.ones((4, 2, 384), np.float16)
    kept = pca.pca_transform(x, np.ones(4, bool))
    assert kept.dtype == np.float32 and kept.shape == x.shape


@pytest.mark.parametrize(
    "shape, training, n, message",
    [
        ((10, 4), np.ones(10, bool), 5, "expected a whole number from 1 to 4: there are 4 features and 10 training"),
        ((10, 40), np.arange(10) < 5, 5, "expected a whole number from 1 to 4: there are 40 features"),
        ((10, 4), np.ones(10, bool), 0, "n_components is 0"),
        ((10, 4), np.ones(9, bool), 2, r"training is bool of shape \(9,\), expected bool \(10,\)"),
        ((10, 4), np.arange(10), 2, "training is int64"),
        ((10,), np.ones(10, bool), 2, r"shape \(10,\), expected \(n_samples, n_features\)"),
    ],
)
def test_bad_components(shape, training, n, message):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    with pytest.raises(ValueError, match=message):
        pca.fit_components(x, training, n)


def test_components_of_flat_or_broken_features():
    x = np.outer(np.arange(10.0), np.ones(4))
    with pytest.raises(ValueError, match="n_components is 2, but training samples vary in 1 directions alone"):
        pca.fit_components(x, np.ones(10, bool), 2)
    with pytest.raises(ValueError, match="vary in 0 directions"):
        pca.fit_components(np.ones((10, 4)), np.ones(10, bool), 1)
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match="training samples that are not finite"):
        pca.fit_components(x, np.ones(10, bool), 1)
    fitted = pca.fit_components(np.random.default_rng(0).standard_normal((10, 4)), np.ones(10, bool), 2)
    with pytest.raises(ValueError, match=r"features has shape \(3, 5\), expected \(n_samples, 4\) as fitted"):
        fitted.transform(np.ones((3, 5)))
    with pytest.raises(ValueError, match=r"expected \(n_seconds, n_layers, dim\)"):
        pca.pca_transform(np.ones((3, 5)), np.ones(3, bool))


def test_shift_average_of_the_paper_within_runs():
    runs = np.repeat([0, 1], [30, 25])
    x = np.random.default_rng(0).standard_normal((55, 3)).astype(np.float32)
    found, expected = delays.shift_average(x, [8, 9, 10], 1.0, runs), np.zeros((55, 3))
    for t in range(55):
        for d in (8, 9, 10):
            if t >= d and runs[t - d] == runs[t]:
                expected[t] += x[t - d] / 3
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not found[:8].any() and not found[30:38].any()


# -- controls ----------------------------------------------------------------------------------------------------


def test_word_rate_spreads_an_utterance_over_its_seconds():
    rate = audiovisual.word_rate(SPEECH)
    np.testing.assert_allclose(rate, [1.5, 2, 0.5, 0, 1, 2, 0, 0, 0, 0, 0, 0])
    assert rate.dtype == np.float32 and rate.sum() == pytest.approx(7)
    halves = audiovisual.word_rate([["a b c d"]] * 4, runs=[0, 0, 0, 1])  # each run hears all of it
    np.testing.assert_allclose(halves, [4 / 3, 4 / 3, 4 / 3, 4])
    np.testing.assert_allclose(audiovisual.word_rate([["雨が、降る。"], [".."]], unit="characters"), [4, 0])
    np.testing.assert_array_equal(audiovisual.speech_on(SPEECH), [1, 1, 1, 0, 1, 1] + [0] * 6)
    with pytest.raises(ValueError, match="unit is 'syllables'"):
        audiovisual.word_rate(SPEECH, unit="syllables")


@pytest.mark.parametrize("rate", [25, 29.97, 1, 2.2])
def test_measured_courses_on_seconds(rate):
    values = np.random.default_rng(0).random(int(rate * 20) + 3)
    expected = [values[[k for k in range(len(values)) if s <= k / rate + 1e-9 < s + 1]].mean() for s in range(20)]
    np.testing.assert_allclose(audiovisual.on_seconds(values, rate, 20), expected, rtol=1e-6)


def test_counted_cuts():
    np.testing.assert_array_equal(audiovisual.count_events([0, 0.4, 2.999, 4, 4.5], 5), [2, 0, 1, 0, 2])
    np.testing.assert_array_equal(audiovisual.count_events([], 3), [0, 0, 0])
    np.testing.assert_array_equal(audiovisual.count_events([1.9999999, 2.9999999], 3), [0, 0, 2])  # in the run


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: audiovisual.count_events([1, 5.0], 5), "times has 5 s, expected 0 up to 5 s"),
        (lambda: audiovisual.count_events([np.nan], 5), "times has nan s"),
        (lambda: audiovisual.on_seconds([1, 2, 3], 1, 4), r"values has 3 samples at 1 a second \(3.00 s\)"),
        (lambda: audiovisual.on_seconds([1, np.inf], 1, 2), "expected finite numbers"),
        (lambda: audiovisual.on_seconds([1, 2], 0, 2), "rate is 0, expected samples a second"),
        (lambda: audiovisual.controls(SPEECH, {"loudness": np.ones(3)}), r"measured\['loudness'\] has shape \(3,\)"),
        (lambda: audiovisual.controls(SPEECH, {"cuts": [np.nan] * 12}), r"measured\['cuts'\].*finite"),
    ],
)
def test_bad_measurements(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_controls_by_name():
    texts, light = [["yes"], [""], ["no no"]], np.array([0.75, 0.25, 0.5])
    spaces = audiovisual.controls(texts, {"luminance": light, "cuts": [2, 0, 1]})
    assert list(spaces) == ["word_rate", "speech", "luminance", "cuts"]
    assert all(space.shape == (3, 1) and space.dtype == np.float32 for space in spaces.values())
    np.testing.assert_array_equal(
        np.concatenate(list(spaces.values()), axis=1).T, [[1, 0, 2], [1, 0, 1], light, [2, 0, 1]]
    )
    exact = audiovisual.controls(texts, {"n_words": [0.5, 0.5, 2]})
    assert list(exact) == ["word_rate", "speech"] and exact["word_rate"].ravel().tolist() == [0.5, 0.5, 2]


@on_device
@pytest.mark.parametrize("kind", ["bert", "gpt2", "opt", "llama"])
def test_each_number_format_on_a_gpu(folders, by_kind, kind, monkeypatch):
    expected = features(by_kind[kind], FILM, window=2)
    scale = np.abs(expected).max()
    for number, (dtype, atol) in enumerate({"float32": 1e-3, "bfloat16": 0.1, "float16": 0.02}.items()):
        monkeypatch.setenv("NATURALISTIC_CACHE", str(cache_dir() / str(number)))  # nothing is found that another made
        model = language_model.load_model(folders[kind], device=DEVICE, dtype=dtype)
        vectors = features(model, FILM, window=2)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, expected, atol=atol * scale)
