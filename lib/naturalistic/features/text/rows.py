"""From words and their contexts to the texts that a model runs: one for each context, or long chunks."""

import numpy as np

from naturalistic.features.text.contexts import cut_starts, plan_chunks
from naturalistic.features.text.passes import Row, run_rows
from naturalistic.features.text.spans import encode, join_words, token_spans, word_ids

_READ_WORDS = 32  # words read out of a chunk: with fewer, positions are nearer to the exact ones, and it is slower


def exact_rows(model, words, starts, pool):
    """One row for each different context, run by itself.

    A causal model's context that begins another one is read out of the longer one's row: the same numbers.

    Returns
    -------
    rows : list of Row
    n_cut : int
        Contexts that were longer than the model takes, and lost their beginning.
    """
    n_tokens, limit = _count_tokens(model, words)
    # generous, so that what is cut in the end depends on the context alone and not on how its words are counted
    likely = cut_starts(starts, n_tokens, limit + 32)
    ends = np.arange(len(words)) + 1
    texts, encodings, firsts = _encode_fitting(model, words, likely, ends, n_tokens)
    rows = {}
    for i, text in enumerate(texts):
        encoding = encodings[text]
        if text not in rows:
            rows[text] = Row(_without_closing(encoding) if model.causal else encoding.ids, [])
        span = [[len(text) - len(words[i]), len(text)]] if pool == "word" else [[0, len(text)]]
        rows[text].reads.append((i, *_owned(encoding, np.array(span), [i])[0]))
    rows = list(rows.values())
    return _share_prefixes(rows) if model.causal else rows, int((firsts > starts).sum())


def chunked_rows(model, words, starts, pool, look_ahead):
    """Long overlapping chunks, each read out at many words.

    The contexts are cut to 3/4 of what the model takes, which leaves room for words to read.

    Returns
    -------
    rows : list of Row
    n_cut : int
        Contexts that lost their beginning.
    """
    masked = not (model.causal or look_ahead)
    if masked:
        _check_pair_mask(model)
    n_tokens, limit = _count_tokens(model, words)
    shorter = cut_starts(starts, n_tokens, 3 * limit // 4)
    longest = int((np.arange(len(words)) - shorter).max()) + 1
    chunks = plan_chunks(shorter, n_tokens, limit - limit // 16, max(_READ_WORDS, longest // 4))
    rows, moved = [], shorter.copy()
    while chunks:
        firsts, _, ends = np.array(chunks).T
        texts, encodings, firsts = _encode_fitting(model, words, firsts, ends, n_tokens)
        again = []
        for text, first, (_, begin, end) in zip(texts, firsts, chunks):
            row, split = _chunk_row(encodings[text], words[first:end], first, begin, shorter, pool, look_ahead, masked)
            rows.append(row)
            again += [(first, i, i + 1) for i in split]
            moved[begin:end] = np.maximum(moved[begin:end], first)
        chunks = again
    return [row for row in rows if row.reads], int((moved > starts).sum())


def _chunk_row(encoding, words, first, begin, starts, pool, look_ahead, masked):
    """Row of the chunk ``words`` (from word ``first`` on) read from word ``begin`` on; words left to read again.

    "do" before "n't" is one token with it, "don". Read here, it would know the next word: it gets a chunk that
    ends with itself.
    """
    word_spans = join_words(words)[1]
    spans = _owned(encoding, word_spans, range(first, first + len(words)))
    shared = np.append(spans[1:, 0] < spans[:-1, 1], False)
    reads, split = [], []
    for i in range(begin, first + len(words)):
        if shared[i - first]:
            split.append(i)
            continue
        from_word = i if pool == "word" else max(starts[i], first)
        reads.append((i, spans[from_word - first, 0], spans[i - first, 1]))
    if look_ahead:
        return Row(encoding.ids, reads), split
    row = Row(_without_closing(encoding), reads)
    if masked:
        owners = _token_owners(encoding, word_spans)
        row.owners = np.where(owners < 0, owners, owners + first)
        row.since = np.where(owners < 0, owners, starts[np.maximum(row.owners, 0)])
    return row, split


def _token_owners(encoding, word_spans):
    """Word that each token is of, the last one if of two; -1 for opening special tokens."""
    offsets = encoding.offsets[: len(encoding.ids) - encoding.n_closing]
    owners = np.searchsorted(word_spans[:, 0], offsets[:, 1], side="left") - 1
    blank = (owners >= 0) & (offsets[:, 0] >= word_spans[np.maximum(owners, 0), 1])  # between two words: the next's
    return np.minimum(owners + blank, len(word_spans) - 1)


def _without_closing(encoding):
    return encoding.ids[: len(encoding.ids) - encoding.n_closing]


def _owned(encoding, word_spans, indices):
    """Token spans of words, each with one token or more."""
    spans = token_spans(encoding.offsets, word_spans)
    for i, (first, end) in zip(indices, spans):
        if first == end:
            raise ValueError(f"word {i} has no token of its own between its neighbours: write it in plain characters")
    return spans


def _count_tokens(model, words):
    """Tokens of each word by itself, and how many the model takes beside its special tokens."""
    n_tokens = np.array([len(ids) for ids in word_ids(model.tokenizer, words)])
    plain = encode(model.tokenizer, ["a"])[0]
    limit = model.max_tokens - plain.n_opening - plain.n_closing
    return n_tokens, limit


def _encode_fitting(model, words, firsts, ends, n_tokens):
    """Encode ``words[first:end]``, each different text once, without as many first words as are too many.

    Returns
    -------
    texts : list of str, one for each pair of first and end
    encodings : dict of str to Encoding
    firsts : int array
    """
    firsts, texts, encodings = np.array(firsts), [""] * len(firsts), {}
    total = np.concatenate([[0], np.cumsum(n_tokens)])
    todo = range(len(firsts))
    while todo:
        for r in todo:
            texts[r] = join_words(words[firsts[r] : ends[r]])[0]
        new = [text for text in dict.fromkeys(texts[r] for r in todo) if text not in encodings]
        encodings.update(zip(new, encode(model.tokenizer, new)))
        n_over = {r: len(encodings[texts[r]].ids) - model.max_tokens for r in todo}
        todo = [r for r in todo if n_over[r] > 0]
        for r in todo:
            if firsts[r] == ends[r] - 1:
                raise ValueError(
                    f"word {firsts[r]} alone has more tokens than the {model.max_tokens} that the model takes: split it"
                )
            enough = np.searchsorted(total, total[firsts[r]] + n_over[r], side="left")
            firsts[r] = min(enough, ends[r] - 1)
    return texts, encodings, firsts


def _share_prefixes(rows):
    """Read each row that begins another one out of that one."""
    kept = []
    for row in sorted(rows, key=lambda row: row.ids.tolist(), reverse=True):  # what begins others comes after them
        if kept and np.array_equal(kept[-1].ids[: len(row.ids)], row.ids):
            kept[-1].reads += row.reads
        else:
            kept.append(row)
    return kept


def _check_pair_mask(model):
    """Raise if a token of a bidirectional model sees what a mask of pairs forbids."""
    n_tokens, n_vocabulary = 8, model.network.get_input_embeddings().weight.shape[0]
    order, ids = np.arange(n_tokens), np.arange(n_tokens) % n_vocabulary
    other = np.append(ids[:-1], (ids[-1] + 1) % n_vocabulary)
    rows = [Row(x, [(k + n_tokens * r, k, k + 1) for k in order], order, 0 * order) for r, x in enumerate((ids, other))]
    try:
        states = run_rows(model, rows, 2 * n_tokens, list(range(model.n_layers)))
    except (RuntimeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{model.name} takes no attention mask of pairs of tokens, which chunks without look-ahead "
            "need: use method='exact', or look_ahead=True"
        ) from error
    moved = np.abs(states[:, : n_tokens - 1] - states[:, n_tokens:-1]).max()
    if moved > 1e-5 * np.abs(states).max():
        raise ValueError(
            f"{model.name} looks ahead through an attention mask of pairs of tokens: use method='exact', "
            "or look_ahead=True"
        )
