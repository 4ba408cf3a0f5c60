"""Surprisal of words by a small causal model, against a loop over single contexts."""

import numpy as np
import pytest
import torch
import transformers
from naturalistic.features.text import context_starts, load_model, surprisal

from tests.helpers.checkpoints import save_tiny, save_tokenizer

WORDS = "the cat sat on the mat and the dog did n't see the cat that sat there".split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A GPT-2 of two blocks with its layer for the next token."""
    folder = tmp_path_factory.mktemp("causal")
    n_tokens = save_tokenizer(folder)
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=n_tokens, n_embd=32, n_layer=2, n_head=2, n_positions=128, initializer_range=0.5,
        bos_token_id=0, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def by_hand(folder, contexts):
    """Return the bits of the last word of each context, from the text up to it and the text with it."""
    network = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    opening = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id

    def information(text):
        ids = torch.tensor([[opening, *tokenizer(text, add_special_tokens=False).input_ids]])
        with torch.inference_mode():
            log_p = torch.log_softmax(network(ids).logits[0, :-1].double(), dim=1)
        return [-log_p[k, token].item() / np.log(2) for k, token in enumerate(ids[0, 1:])]

    bits = []
    for before, text in contexts:
        # this tokenizer has a token for the blank, which belongs to no word
        n_before = len(tokenizer(f"{before} ", add_special_tokens=False).input_ids) if before else 0
        bits.append(sum(information(text)[n_before:]))
    return bits


@pytest.mark.parametrize("window", [1, 4, None])
def test_surprisal_is_that_of_a_loop_over_contexts(folder, window):
    words = [word for word in WORDS if word != "n't"]  # a clitic shares its token with the word before
    model = load_model(folder)
    starts = context_starts(np.arange(len(words)), window)
    bits = surprisal(model, words, starts, cache=False)
    assert bits.shape == (len(words),) and bits.dtype == np.float32 and (bits > 0).all()
    contexts = [(" ".join(words[start:k]), " ".join(words[start : k + 1])) for k, start in enumerate(starts)]
    np.testing.assert_allclose(bits, by_hand(folder, contexts), rtol=2e-4, atol=2e-4)


def test_a_word_depends_on_what_came_before_and_on_nothing_later(folder):
    model = load_model(folder)
    starts = np.zeros(len(WORDS), int)
    bits = surprisal(model, WORDS, starts, cache=False)
    other = surprisal(model, [*WORDS[:-1], "mat"], starts, cache=False)
    np.testing.assert_allclose(bits[:-1], other[:-1], atol=1e-4)
    changed = surprisal(model, ["dog", *WORDS[1:]], starts, cache=False)
    assert np.abs(bits[1:] - changed[1:]).max() > 1e-3


def test_the_cache_returns_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_CACHE", str(tmp_path))
    model = load_model(folder)
    first = surprisal(model, WORDS, np.zeros(len(WORDS), int))
    np.testing.assert_array_equal(first, surprisal(model, WORDS, np.zeros(len(WORDS), int)))


def test_a_context_as_long_as_the_model_takes(folder):
    model = load_model(folder)
    words = WORDS * 8
    with pytest.warns(UserWarning, match=r"words have a context longer than .* takes \(128 tokens\)"):
        bits = surprisal(model, words, np.zeros(len(words), int), cache=False)
    assert np.isfinite(bits).all() and (bits > 0).all()


def test_a_model_that_looks_ahead_predicts_no_word(tmp_path):
    save_tiny("bert", tmp_path)
    with pytest.raises(ValueError, match="sees the words after a word, so it predicts none: expected a causal model"):
        surprisal(load_model(tmp_path), WORDS, np.zeros(len(WORDS), int))
