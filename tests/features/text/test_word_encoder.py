"""Text features: spans, contexts, both ways to extract, cache, and what comes in wrong."""

import functools
import json
import warnings

import numpy as np
import pytest
import torch
import transformers
from naturalistic import hub
from naturalistic.features import text
from naturalistic.features.text import language_model, tokens, word_encoder
from naturalistic.features.text.contexts import cut_starts, plan_chunks
from naturalistic.features.text.forward import TokenizedText, mean_states
from naturalistic.features.text.word_encoder import _count_tokens, exact_texts
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

SAMPLE = (
    "So Alice was considering in her own mind whether the pleasure of making a daisy - chain would be worth the "
    "trouble when suddenly a White Rabbit with pink eyes ran close by her and she did n't think it 's so very "
    "strange that you 'll hear the well-known Rabbit say café naïve oh dear I shall be late"
).split()
TINY = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}


def byte_level_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "</s>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(SAMPLE), "don't she'd you'll it's"] * 5, trainer)
    return tokenizer


def sentence_piece():
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    alphabet = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=alphabet, show_progress=False)
    tokenizer.train_from_iterator([f"▁{word}" for word in SAMPLE] * 5, trainer)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def save(folder, tokenizer, network):
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.save_pretrained(folder)
    network.save_pretrained(folder)
    return folder


def tiny(kind, folder):
    """A small random network of one kind, its weights large enough that context matters."""
    torch.manual_seed(0)
    large = {**TINY, "initializer_range": 0.2}
    if kind == "bert":
        tokenizer, network = byte_level_bpe(), transformers.BertModel(transformers.BertConfig(vocab_size=400, **large))
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
        )
    elif kind == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=400,
            n_embd=32,
            n_layer=2,
            n_head=4,
            n_positions=64,
            bos_token_id=0,
            eos_token_id=1,
            initializer_range=0.2,
        )
        tokenizer, network = byte_level_bpe(), transformers.GPT2Model(config)
    elif kind == "opt":
        config = transformers.OPTConfig(
            vocab_size=400,
            hidden_size=32,
            word_embed_proj_dim=32,
            ffn_dim=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=64,
            init_std=0.2,
        )
        tokenizer, network = byte_level_bpe(), transformers.OPTModel(config)
        tokenizer.post_processor = processors.TemplateProcessing(single="</s> $A", special_tokens=[("</s>", 1)])
    elif kind == "llama":
        tokenizer, network = (
            sentence_piece(),
            transformers.LlamaModel(transformers.LlamaConfig(vocab_size=500, num_key_value_heads=2, **large)),
        )
    else:
        config = transformers.T5Config(vocab_size=400, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4)
        tokenizer, network = byte_level_bpe(), transformers.T5Model(config)
    return save(folder, tokenizer, network)


@pytest.fixture(scope="module")
def models_by_kind(tmp_path_factory):
    loaded = {"minilm": text.load_model()}
    for kind in ("bert", "gpt2", "opt", "llama", "t5"):
        loaded[kind] = text.load_model(tiny(kind, tmp_path_factory.mktemp(kind)))
    return loaded


@pytest.fixture(params=[pytest.param("minilm", marks=pytest.mark.slow), "bert", "gpt2", "opt", "llama", "t5"])
def model(request, models_by_kind):
    return models_by_kind[request.param]


@pytest.fixture(scope="module")
def minilm(models_by_kind):
    return models_by_kind["minilm"]


def extract(model, words, starts, **kwargs):
    return text.contextual(model, words, starts, cache=False, progress=False, **kwargs)


def sliding(n_words, window):
    return np.maximum(0, np.arange(n_words) - window + 1)


def one_at_a_time(model, words, starts, pool="word"):
    """The plainest way: a call of the tokenizer and one of the network for each word, characters by sets."""
    out = np.zeros((model.n_layers, len(words), model.dim), np.float32)
    for i, start in enumerate(starts):
        joined, places = "", []
        for word in words[start : i + 1]:
            joined += "" if not joined or word[0] in "'’" or word == "n't" else " "
            places.append(set(range(len(joined), len(joined) + len(word))))
            joined += word
        tokens = model.tokenizer(joined, return_offsets_mapping=True, return_special_tokens_mask=True)
        owned = [
            k
            for k, (a, b) in enumerate(tokens["offset_mapping"])
            if not tokens["special_tokens_mask"][k] and (pool == "context" or places[-1] & set(range(a, b)))
        ]
        with torch.inference_mode():
            states = model.network(input_ids=torch.tensor([tokens["input_ids"]]), output_hidden_states=True)
        out[:, i] = np.stack([h[0, owned].mean(0).numpy() for h in states.hidden_states])
    return out


def close(a, b, atol=1e-5):
    np.testing.assert_allclose(a, b, atol=atol * max(1, np.abs(b).max()), rtol=0)


# -- words and tokens --------------------------------------------------------------------------------------------


def test_join_attaches_clitics_and_tells_where_words_are():
    words = ["I", "do", "n't", "know", "you", "'ll", "Ma'am", "’s", "N’T"]
    joined, places = tokens.join_words(words)
    assert joined == "I don't know you'll Ma'am’sN’T"
    assert [joined[a:b] for a, b in places] == words


@pytest.mark.parametrize(
    "words, expected",
    [
        (["café", "naïve"], [["cafe"], ["naive"]]),
        (["cafe\u0301", "bar"], [["cafe"], ["bar"]]),  # the accent as a character of its own
        (["well-known", "cat"], [["well", "-", "known"], ["cat"]]),
        (["do", "n't", "go"], [["don"], ["don", "'", "t"], ["go"]]),  # one token over two words is of both
        (["don't", "go"], [["don", "'", "t"], ["go"]]),
        (["you", "'ll", "go"], [["you"], ["'", "ll"], ["go"]]),
        (["the", "jabberwock"], [["the"], ["ja", "##bber", "##wo", "##ck"]]),
        (["😀", "yes"], [["[UNK]"], ["yes"]]),
        (["日本", "a"], [["日", "本"], ["a"]]),
        (["New York", "x"], [["new", "york"], ["x"]]),
    ],
)
def test_spans_of_wordpiece(minilm, words, expected):
    assert owned_tokens(minilm, words) == expected


@pytest.mark.parametrize(
    "words, expected",
    [
        (["the", "Rabbit"], [["the"], ["ĠRabbit"]]),  # the blank in front is of the token, not of the word before
        (["do", "n't"], [["don"], ["don", "'t"]]),
        (["é", "é"], [["Ã©"], ["Ġ", "Ã©"]]),
    ],
)
def test_spans_of_byte_level_bpe(models_by_kind, words, expected):
    found = owned_tokens(models_by_kind["gpt2"], words)
    assert ["".join(part).lstrip("Ġ") for part in found] == ["".join(part).lstrip("Ġ") for part in expected]


def owned_tokens(model, words):
    joined, places = tokens.join_words(words)
    encoding = tokens.encode(model.tokenizer, [joined])[0]
    return [
        model.tokenizer.convert_ids_to_tokens(encoding.ids[a:b].tolist())
        for a, b in tokens.token_spans(encoding.offsets, places)
    ]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_every_word_has_tokens_that_spell_it(models_by_kind, kind):
    words = [*SAMPLE, "zqx", "😀", "日本語", "é", "e\u0301"]
    joined, places = tokens.join_words(words)
    encoding = tokens.encode(models_by_kind[kind].tokenizer, [joined])[0]
    for word, (first, end) in zip(words, tokens.token_spans(encoding.offsets, places)):
        offsets = encoding.offsets[first:end]
        assert word in joined[offsets[0, 0] : offsets[-1, 1]]
        assert len(joined[offsets[0, 0] : offsets[-1, 1]].split()) <= 2


def test_a_tokenizer_files_own_truncation_is_off(minilm):
    assert len(tokens.encode(minilm.tokenizer, ["word " * 400])[0].ids) == 402  # the file says 128, padded


def test_static_is_the_mean_of_the_words_own_embeddings(minilm, models_by_kind):
    table = minilm.network.get_input_embeddings().weight.detach().numpy()
    vectors = text.static(minilm, ["king", "jabberwock", "king", "n't", "'ll"])
    ids = minilm.tokenizer.convert_tokens_to_ids(["ja", "##bber", "##wo", "##ck"])
    assert vectors.shape == (5, 384) and vectors.dtype == np.float32
    close(vectors[1], table[ids].mean(0))
    assert np.array_equal(vectors[0], vectors[2])
    near = text.static(minilm, ["king", "queen", "guitar"])
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    assert near[0] @ near[1] > near[0] @ near[2] + 0.1
    gpt2 = models_by_kind["gpt2"]
    ids = gpt2.tokenizer.convert_tokens_to_ids(["ĠRabbit"])
    close(text.static(gpt2, ["Rabbit"])[0], gpt2.network.get_input_embeddings().weight.detach().numpy()[ids[0]])


# -- contexts ----------------------------------------------------------------------------------------------------


def slow_starts(onsets, window, unit, mode, runs):
    starts = []
    for i in range(len(onsets)):
        run = [j for j in range(i + 1) if runs[j] == runs[i]]

        def fits(j, i=i, window=window):
            length, longest = (i - j + 1, window) if unit == "words" else (onsets[i] - onsets[j], window)
            return longest is None or length <= longest + 1e-9

        if mode == "sliding" or window is None:
            starts.append(min(j for j in run if fits(j)))
        elif i == run[0]:
            starts.append(i)
        elif fits(starts[-1]):
            starts.append(starts[-1])
        elif unit == "words":
            starts.append(i - window // 2)
        else:
            starts.append(min(j for j in run if onsets[i] - onsets[j] <= window / 2 + 1e-9))
    return starts


@pytest.mark.parametrize("mode", ["sliding", "growing"])
@pytest.mark.parametrize(
    "unit, window",
    [
        ("words", 1),
        ("words", 2),
        ("words", 7),
        ("words", 500),
        ("words", None),
        ("seconds", 0.01),
        ("seconds", 2.5),
        ("seconds", 11),
        ("seconds", None),
    ],
)
def test_starts_equal_a_plain_loop(unit, window, mode):
    rng = np.random.default_rng(0)
    runs = np.repeat([3, 1, 2], [40, 1, 59])
    onsets = np.concatenate([np.sort(rng.uniform(0, 20, n)).round(1) for n in (40, 1, 59)])
    found = text.context_starts(onsets, window, unit=unit, mode=mode, runs=runs)
    assert found.tolist() == slow_starts(onsets, window, unit, mode, runs)
    assert (runs[found] == runs).all()


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"onsets": [0.0, 2.0, 1.0]}, r"onsets\[2\] is 1 s after 2 s, expected onsets in order"),
        ({"onsets": [0.0, np.nan, 1.0]}, r"onsets\[1\] is nan"),
        ({"onsets": [[0.0, 1.0]]}, r"onsets has shape \(1, 2\), expected \(n_words,\)"),
        ({"window": 0}, "window is 0, expected a number of words above 0"),
        ({"window": -1.5, "unit": "seconds"}, "window is -1.5, expected a number of seconds above 0"),
        ({"window": float("nan")}, "window is nan"),
        ({"window": 2.5}, "whole number of words"),
        ({"unit": "minutes"}, "unit is 'minutes', expected 'words' or 'seconds'"),
        ({"mode": "fixed"}, "mode is 'fixed', expected 'sliding' or 'growing'"),
        ({"runs": [0, 0]}, r"runs has shape \(2,\), expected \(3,\)"),
    ],
)
def test_starts_refuse(kwargs, message):
    with pytest.raises(ValueError, match=message):
        text.context_starts(**{"onsets": [0.0, 1.0, 2.0], "window": 4, **kwargs})


def test_chunks_hold_every_context_and_cross_no_run():
    rng = np.random.default_rng(1)
    for _ in range(50):
        runs = np.repeat(np.arange(3), rng.integers(1, 60, 3))
        window = int(rng.integers(1, 30))
        mode = rng.choice(["sliding", "growing"])
        starts = text.context_starts(np.arange(len(runs)), window, mode=mode, runs=runs)
        n_tokens = rng.integers(1, 4, len(runs))
        chunks = plan_chunks(starts, n_tokens, limit=80, n_read=16)
        assert [i for _, a, b in chunks for i in range(a, b)] == list(range(len(runs)))
        for first, begin, end in chunks:
            assert (starts[begin:end] >= first).all() and len(set(runs[first:end])) == 1 and end - begin <= 16
            assert n_tokens[first:end].sum() <= 80 or end - begin == 1


def test_cut_starts_leaves_what_fits():
    starts = cut_starts(np.zeros(5, int), np.array([2, 2, 1, 3, 9]), limit=4)
    assert starts.tolist() == [0, 0, 1, 2, 4]


# -- exact -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["word", "context"])
def test_exact_equals_one_call_a_word(model, pool):
    starts = sliding(len(SAMPLE), 9)
    found = extract(model, SAMPLE, starts, pool=pool)
    assert found.shape == (model.n_layers, len(SAMPLE), model.dim) and found.dtype == np.float32
    close(found, one_at_a_time(model, SAMPLE, starts, pool))


@pytest.mark.slow
def test_exact_with_a_context_beyond_the_tokenizer_files_limit(minilm):
    words = (SAMPLE * 4)[:200]
    starts = np.arange(200)
    starts[-1] = 0
    found = extract(minilm, words, starts)[:, -1]
    encoded = minilm.tokenizer(tokens.join_words(words)[0], return_tensors="pt")
    with torch.inference_mode():
        states = minilm.network(**encoded, output_hidden_states=True).hidden_states
    assert encoded.input_ids.shape[1] > 200
    close(found, np.stack([h[0, -2].numpy() for h in states]))


@pytest.mark.parametrize("kind", ["gpt2", "opt", "llama"])
def test_causal_contexts_that_begin_alike_share_a_pass(models_by_kind, kind):
    model = models_by_kind[kind]
    assert model.causal
    words = SAMPLE[:24]
    starts = text.context_starts(np.arange(24), 8, mode="growing")
    rows, _ = exact_texts(model, words, starts, "word")
    assert sum(len(row.spans) for row in rows) == 24
    assert len(rows) < 12
    close(extract(model, words, starts), one_at_a_time(model, words, starts))


def test_bidirectional_models_are_found_to_be(models_by_kind):
    assert [models_by_kind[kind].causal for kind in ("minilm", "bert", "t5")] == [False] * 3


def test_equal_contexts_run_once(minilm):
    rows, _ = exact_texts(minilm, ["yes", "no"] * 10, sliding(20, 2), "word")
    assert len(rows) == 3  # "yes", "yes no", "no yes"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "chunked"])
def test_batches_change_nothing(minilm, method, monkeypatch):
    starts = sliding(len(SAMPLE), 6)
    found = extract(minilm, SAMPLE, starts, method=method)
    monkeypatch.setattr("naturalistic.features.text.forward._BATCH_TOKENS", {"cpu": 1})
    close(extract(minilm, SAMPLE, starts, method=method), found)


def test_a_subset_of_layers(minilm):
    starts = sliding(10, 4)
    everything = extract(minilm, SAMPLE[:10], starts)
    close(extract(minilm, SAMPLE[:10], starts, layers=[3, -1]), everything[[3, 6]])
    with pytest.raises(ValueError, match=r"layers has 7, expected some of 0 \(the embedding layer\) to 6"):
        extract(minilm, SAMPLE[:10], starts, layers=[7])
    with pytest.raises(ValueError, match="layers has no layer, expected some of 0"):
        extract(minilm, SAMPLE[:10], starts, layers=[])


@pytest.mark.parametrize("method", ["exact", "chunked"])
@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
def test_what_is_too_long_loses_its_first_words(models_by_kind, kind, method):
    model, words = models_by_kind[kind], (SAMPLE * 2)[:80]
    assert model.max_tokens == 64
    with pytest.warns(UserWarning, match=r"\d+ of 80 words have a context longer than .* takes \(64 tokens\)"):
        found = extract(model, words, np.zeros(80, int), method=method)
    assert np.isfinite(found).all() and (found.std(-1) > 0).all()
    if method == "exact":  # what was kept is the longest end of the context that fits, on a word's boundary
        sizes = [len(model.tokenizer(tokens.join_words(words[s:])[0]).input_ids) for s in range(80)]
        start = next(s for s in range(80) if sizes[s] <= 64)
        expected = one_at_a_time(model, words[start:], [0] * (80 - start))[:, -1]
        close(found[:, -1], expected)


def test_a_word_longer_than_the_model_takes(models_by_kind):
    with pytest.raises(ValueError, match="word 1 alone has more tokens than the 64"):
        extract(models_by_kind["gpt2"], ["a", "qz" * 80], [0, 0])


# -- chunked -----------------------------------------------------------------------------------------------------


def test_chunked_is_exact_for_a_causal_model_that_reads_everything(models_by_kind):
    words = SAMPLE[:16]
    for kind in ("gpt2", "opt", "llama"):
        starts = np.zeros(16, int)
        for pool in ("word", "context"):
            close(
                extract(models_by_kind[kind], words, starts, method="chunked", pool=pool),
                extract(models_by_kind[kind], words, starts, pool=pool),
            )


@pytest.mark.slow
def test_chunked_is_near_to_exact_and_look_ahead_is_farther(minilm):
    words = (SAMPLE + SAMPLE[::-1]) * 2
    starts = sliding(len(words), 12)
    exact = extract(minilm, words, starts)
    near = text.compare(exact, extract(minilm, words, starts, method="chunked"))
    far = text.compare(exact, extract(minilm, words, starts, method="chunked", look_ahead=True))
    assert (near["correlation_mean"] > 0.8).all()
    assert near["correlation_mean"][2:].mean() > far["correlation_mean"][2:].mean() + 0.02


@functools.cache
def unchanged(model, words, starts, options):
    """Features of words of which none was changed, once for all changes."""
    return extract(model, list(words), np.array(starts), **dict(options))


def changed_words(model, words, starts, j, new, **kwargs):
    """Words whose features move when word ``j`` becomes ``new``."""
    other = [*words[:j], new, *words[j + 1 :]]
    before = unchanged(model, tuple(words), tuple(starts.tolist()), tuple(kwargs.items()))
    after = extract(model, other, starts, **kwargs)
    return np.flatnonzero(np.abs(after - before).max((0, 2)) > 1e-5 * np.abs(before).max())


@pytest.mark.parametrize("pool", ["word", "context"])
@pytest.mark.parametrize("method", ["exact", "chunked"])
@pytest.mark.parametrize(
    "j, new", [(8, "elephant"), (30, "n't"), (30, "'s"), (30, "supercalifragilistic"), (SAMPLE.index("n't"), "cat")]
)
def test_no_word_knows_what_comes_after_it(model, method, pool, j, new):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the tiny models' 64 tokens are few
        moved = changed_words(model, SAMPLE, sliding(len(SAMPLE), 8), j, new, method=method, pool=pool)
    assert moved[0] == j
    if method == "exact":
        assert moved[-1] <= j + 7


def test_look_ahead_looks_ahead(minilm):
    assert (
        changed_words(minilm, SAMPLE, sliding(len(SAMPLE), 8), 20, "elephant", method="chunked", look_ahead=True)[0]
        < 20
    )


@pytest.mark.parametrize("mode", ["sliding", "growing"])
@pytest.mark.parametrize("method", ["exact", "chunked"])
def test_no_run_knows_another(model, method, mode):
    runs = np.repeat([0, 1, 2], [15, 15, 10])
    starts = text.context_starts(np.arange(40), 8, mode=mode, runs=runs)
    for j in (3, 29):
        moved = changed_words(model, SAMPLE[:40], starts, j, "elephant", method=method)
        assert len(moved) and (runs[moved] == runs[j]).all()


def test_a_masked_chunk_reads_no_further_back_than_the_window(tmp_path):
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=400, **{**TINY, "num_hidden_layers": 1})
    model = text.load_model(save(tmp_path / "one-block", byte_level_bpe(), transformers.BertModel(config)))
    words = ["the"] * 10 + ["a"] * 20
    moved = changed_words(model, words, sliding(30, 5), 10, "be", method="chunked")
    assert moved.tolist() == [10, 11, 12, 13, 14]


# -- cache -------------------------------------------------------------------------------------------------------


def test_cache_gives_the_same_and_is_found_by_content(models_by_kind, monkeypatch, tmp_path):
    model, starts = models_by_kind["bert"], sliding(12, 4)
    calls = []
    extract_words = word_encoder._extract
    monkeypatch.setattr(word_encoder, "_extract", lambda *a: calls.append(1) or extract_words(*a))
    first = text.contextual(model, SAMPLE[:12], starts, progress=False)
    assert np.array_equal(text.contextual(model, SAMPLE[:12], starts, progress=True), first) and len(calls) == 1
    again = text.load_model(tiny("bert", tmp_path / "elsewhere"))  # the same content at another path
    assert again.digest == model.digest
    assert np.array_equal(text.contextual(again, SAMPLE[:12], starts, progress=False), first) and len(calls) == 1
    with torch.no_grad():
        network = transformers.AutoModel.from_pretrained(tmp_path / "elsewhere")
        network.encoder.layer[0].output.dense.weight[0, 0] += 1
    network.save_pretrained(tmp_path / "elsewhere")
    other = text.load_model(tmp_path / "elsewhere")
    assert other.digest != model.digest
    for n, (m, words, kwargs) in enumerate(
        [
            (other, SAMPLE[:12], {}),
            (model, SAMPLE[1:13], {}),
            (model, SAMPLE[:12], {"method": "chunked"}),
            (model, SAMPLE[:12], {"pool": "context"}),
            (model, SAMPLE[:12], {"layers": [1]}),
        ]
    ):
        text.contextual(m, words, starts, progress=False, **kwargs)
        assert len(calls) == n + 2
    text.contextual(model, SAMPLE[:12], sliding(12, 5), progress=False)
    text.contextual(model, SAMPLE[:12], starts, progress=False, cache=False)
    assert len(calls) == 8


def test_a_cached_result_warns_again(models_by_kind):
    for _ in range(2):
        with pytest.warns(UserWarning, match="longer than"):
            text.contextual(models_by_kind["gpt2"], SAMPLE, np.zeros(len(SAMPLE), int), progress=False)


# -- compare -----------------------------------------------------------------------------------------------------


def test_compare_of_equal_shuffled_and_constant():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 200, 30))
    same = text.compare(x, x)
    assert set(same) == {"cosine_mean", "cosine_p05", "correlation_mean", "correlation_p05"}
    assert all(np.allclose(values, 1) and values.shape == (2,) for values in same.values())
    shuffled = text.compare(x, x[:, rng.permutation(200)])
    assert (np.abs(shuffled["correlation_mean"]) < 0.05).all()
    x[0, :, :] = 1.0
    assert np.isnan(text.compare(x, x)["correlation_mean"][0])
    with pytest.raises(ValueError, match="expected both"):
        text.compare(x, x[:1])


# -- what comes in wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, error, message",
    [
        ([], ValueError, "words is empty"),
        ("a story", TypeError, "words is one str"),
        (["a", "", "b"], ValueError, r"words\[1\] is '', an empty word"),
        (["a", "b", " \t"], ValueError, r"words\[2\] is ' \\t', an empty word"),
        (["a", None], TypeError, r"words\[1\] is None, expected str"),
        (["a", "\u200b"], ValueError, r"words\[1\] is '\\u200b', of which the tokenizer leaves no token"),
        (["a", "\x07"], ValueError, r"words\[1\] is '\\x07', of which the tokenizer leaves no token"),
    ],
)
def test_words_are_refused(minilm, words, error, message):
    with pytest.raises(error, match=message):
        extract(minilm, words, np.zeros(len(words), int))
    with pytest.raises(error, match=message):
        text.static(minilm, words)


@pytest.mark.parametrize(
    "starts, kwargs, message",
    [
        ([0, 2, 0], {}, r"starts\[1\] is 2, expected 0 to 1"),
        ([0, -1, 0], {}, r"starts\[1\] is -1, expected 0 to 1"),
        ([0, 0], {}, r"of shape \(2,\), expected whole numbers of shape \(3,\)"),
        ([0.0, 0.0, 0.0], {}, "starts is float64"),
        ([0, 0, 0], {"method": "fast"}, "method is 'fast', expected one of 'exact', 'chunked'"),
        ([0, 0, 0], {"pool": "last"}, "pool is 'last', expected one of 'word', 'context'"),
        ([0, 0, 0], {"look_ahead": True}, "pass method='chunked'"),
    ],
)
def test_calls_are_refused(minilm, starts, kwargs, message):
    with pytest.raises(ValueError, match=message):
        extract(minilm, ["a", "b", "c"], starts, **kwargs)


def test_a_name_that_is_none(tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise ConnectionError

    monkeypatch.setattr(hub.HfApi, "model_info", no_network)
    with pytest.raises(FileNotFoundError, match="not in the local cache, and the hub could not be reached"):
        text.load_model("nobody/no-such-model")
    with pytest.raises(FileNotFoundError, match="not a folder, nor can it be the id"):
        text.load_model(tmp_path / "nothing" / "here")
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        text.load_model(tmp_path)


def test_pickled_weights_are_not_read(tmp_path):
    folder = tiny("gpt2", tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"no \*\.safetensors, and other weights .* are pickles"):
        text.load_model(folder)


def test_missing_parameters_are_not_invented(tmp_path):
    folder = tiny("bert", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(ValueError, match=r"lacks 16 parameters of BertModel \(encoder\.layer\.2"):
        text.load_model(folder)


def test_a_roberta_takes_fewer_tokens_than_it_has_positions():
    """Its positions are counted from behind the padding: one token more is an index that its table lacks."""
    config = transformers.RobertaConfig(
        vocab_size=40, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=24, pad_token_id=1,
    )  # fmt: skip
    network = transformers.RobertaModel(config).eval()
    tokenizer = type("Endless", (), {"model_max_length": 10**30})
    limit = language_model._max_tokens(network, tokenizer)
    assert limit == 22
    network(torch.full((1, limit), 5))
    with pytest.raises((IndexError, RuntimeError)):
        network(torch.full((1, limit + 1), 5))


@pytest.mark.slow
def test_a_tokenizer_without_offsets(tmp_path):
    config = transformers.CanineConfig(**{**TINY, "num_hidden_layers": 1})
    transformers.CanineModel(config).save_pretrained(tmp_path)
    transformers.CanineTokenizer().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="CanineTokenizer, which tells no character offsets"):
        text.load_model(tmp_path)


def test_a_model_that_looks_through_the_mask_is_refused(models_by_kind, monkeypatch):
    model = models_by_kind["bert"]
    forward = model.network.forward
    monkeypatch.setattr(model.network, "forward", lambda attention_mask=None, **kwargs: forward(**kwargs))
    with pytest.raises(ValueError, match="looks ahead through an attention mask"):
        extract(model, SAMPLE[:5], sliding(5, 2), method="chunked")


def test_a_model_that_takes_no_mask_of_pairs_names_the_way_out(models_by_kind, monkeypatch):
    model = models_by_kind["bert"]
    forward = model.network.forward

    def of_rows_alone(attention_mask=None, **kwargs):
        if attention_mask is not None and attention_mask.dim() > 2:
            raise ValueError(f"Wrong shape for attention_mask: {tuple(attention_mask.shape)}")
        return forward(attention_mask=attention_mask, **kwargs)

    monkeypatch.setattr(model.network, "forward", of_rows_alone)
    message = "takes no attention mask of pairs of tokens, .* need: use method='exact', or look_ahead=True"
    with pytest.raises(ValueError, match=message):
        extract(model, SAMPLE[:5], sliding(5, 2), method="chunked")
    plain = extract(model, SAMPLE[:5], sliding(5, 2), method="exact")
    assert np.isfinite(plain).all(), "what the message recommends does work"


def test_loading_is_silent_and_leaves_transformers_as_it_was(tmp_path, capfd):
    folder = tiny("gpt2", tmp_path / "model")
    capfd.readouterr()
    before = transformers.utils.logging.get_verbosity(), transformers.utils.logging.is_progress_bar_enabled()
    text.load_model(folder)
    assert capfd.readouterr() == ("", "")
    assert before == (transformers.utils.logging.get_verbosity(), transformers.utils.logging.is_progress_bar_enabled())


def test_rows_are_read_at_their_tokens(minilm):
    row = TokenizedText(np.array([101, 2000, 2001, 102]), [(0, 1, 2), (1, 1, 3), (2, 2, 3)])
    one, both, two = mean_states(minilm, [row], 3, [0, 6]).transpose(1, 0, 2)
    close(both, (one + two) / 2)
    assert _count_tokens(minilm, ["jabberwock", "a"])[0].tolist() == [4, 1]
