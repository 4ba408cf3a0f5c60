"""How fast words become features: exact and chunked, against one word at a time and the matrix-product rate.

Run it with ``python tests/benchmarks/bench_text.py [window ...]``. Everything is measured in one process, one thing
after the other; the rate of float32 matrix products is taken before and after each measurement, since it is what
the machine gives at that moment. Work is counted on the tokens that a text has (no padding): two operations for
each parameter of a linear layer and token, and four for each dimension and pair of tokens in attention.
"""

import os
import re
import sys
import time
from pathlib import Path

import numpy as np
import torch
from naturalistic.features import text
from naturalistic.features.text.word_encoder import chunked_texts, exact_texts


def random_words(n_words=2109, n_vocabulary=600):
    """Words of the model's own vocabulary, as often as Zipf says (seeded)."""
    rng = np.random.default_rng(0)
    vocabulary = [word for word in text.load_model().tokenizer.get_vocab() if word.isalpha() and word.isascii()]
    chosen = rng.choice(sorted(vocabulary), n_vocabulary, replace=False)
    return rng.choice(chosen, n_words, p=(p := 1 / np.arange(1, n_vocabulary + 1)) / p.sum()).tolist()


def story_words():
    """Words of Alice if the real data are here, else made ones."""
    folder = Path(os.environ.get("NATURALISTIC_DATA", "/nowhere")) / "alice"
    grids = sorted(folder.rglob("*.TextGrid"))
    if not grids:
        return "made words", random_words()
    words = re.findall(r'text = "(.*)"', grids[0].read_text())
    return "Alice", [word for word in words if word not in ("", "sp")]


def matmul_rate(n=2048, repeats=12):
    """Rate of a float32 matrix product, in GFLOP/s: the median of some."""
    a, b = torch.randn(n, n), torch.randn(n, n)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return 2e-9 * n**3 / np.median(seconds)


def work(model, lengths):
    """Operations of texts of these lengths, in GFLOP."""
    blocks = [
        part
        for name, part in model.network.named_modules()
        if isinstance(part, torch.nn.Linear) and "pooler" not in name
    ]
    n_parameters = sum(part.weight.numel() for part in blocks)
    lengths = np.array(list(lengths), float)
    attention = 4 * model.dim * (model.n_layers - 1) * (lengths**2).sum()
    return 1e-9 * (2 * n_parameters * lengths.sum() + attention)


def timed(function):
    """Result, seconds, and the matrix-product rate around it."""
    before = matmul_rate()
    start = time.perf_counter()
    result = function()
    seconds = time.perf_counter() - start
    return result, seconds, (before + matmul_rate()) / 2


@torch.inference_mode()
def one_at_a_time(model, ids):
    for row in ids:
        model.network(input_ids=torch.from_numpy(row)[None], output_hidden_states=True)


def bench(model, words, window):
    """Print one block of the table."""
    starts = text.context_starts(np.arange(len(words)), window)
    rows = exact_texts(model, words, starts, "word")[0]
    some = [row.ids for row in rows[:: max(1, len(rows) // 200)]]
    _, seconds, rate = timed(lambda: one_at_a_time(model, some))
    single = seconds * sum(len(row.ids) for row in rows) / sum(map(len, some))
    share = work(model, map(len, some)) / seconds / rate
    line = "{:>6} {:<22} {:8d} {:8.2f} {:8.1f} {:8.0f} {:8.0f} {:6.0%}"
    n_tokens = sum(len(row.ids) for row in rows)
    print(line.format(window, "one at a time *", n_tokens, single, 1.0, share * rate, rate, share))
    results = {}
    for name, kwargs in (
        ("exact", {}),
        ("chunked", {"method": "chunked"}),
        ("chunked, look-ahead", {"method": "chunked", "look_ahead": True}),
    ):
        if name != "exact":
            rows = chunked_texts(model, words, starts, "word", name != "chunked")[0]
        lengths = [len(row.ids) for row in rows]
        results[name], seconds, rate = timed(
            lambda kwargs=kwargs: text.contextual(model, words, starts, cache=False, progress=False, **kwargs)
        )
        speed = work(model, lengths) / seconds
        print(line.format("", name, sum(lengths), seconds, single / seconds, speed, rate, speed / rate), flush=True)
        if name == "exact":
            exact_seconds = seconds
        else:
            print(f"{'':30}{exact_seconds / seconds:.1f} times as fast as exact; by layer, from the embeddings on:")
            for key, values in text.compare(results["exact"], results[name]).items():
                print(f"{'':30}{key:18}", *(f"{value:.3f}" for value in values))


def main():
    torch.manual_seed(0)
    model = text.load_model()
    source, words = story_words()
    text.contextual(model, words[:100], np.arange(100), cache=False, progress=False)  # warm up
    print(f"{source}: {len(words)} words, {model.name}, {torch.get_num_threads()} threads, float32")
    print("* measured on 1 text in 10 or so, tokenizing left out")
    print("window way                      tokens  seconds   faster  GFLOP/s   matmul  share")
    for window in [int(argument) for argument in sys.argv[1:]] or [8, 32, 128]:
        bench(model, words, window)


if __name__ == "__main__":
    main()
