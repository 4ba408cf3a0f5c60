"""How fast 45 minutes of film, annotated on five levels, become features of all layers of MiniLM.

Run it with ``python tests/benchmarks/bench_levels.py [--window 1 4 16]``. The text is that of the miniature's dramas,
three times 15 minutes. Each way runs in this process on the same texts, tokenizing included: as here (every different
text once, batched by length, nothing cached before), and from the cache; against one text at a time, of every second
and annotator (what a plain loop over the annotations does) and of different texts only, both extrapolated from every
tenth text of the loop. The rate of float32 matrix products is taken before and after, since it is what the machine
gives at that moment, and the load of the machine is printed.
"""

import argparse
import json
import os
import tempfile
import time
from importlib import resources

import numpy as np
import torch
from naturalistic.features.text import language_model, levels
from naturalistic.features.text.text_encoder import text_vectors


def dramas():
    """Texts of each level, second by second, and the run of each second."""
    folder = resources.files("naturalistic_simulation.movie") / "dramas"
    by_level = {level: [] for level in ("Speech", "Object", "Story", "Summary", "TimePlace")}
    runs = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.endswith(".json"):
            for run in json.loads(path.read_text(encoding="utf-8"))["runs"]:
                before = len(by_level["Object"])
                for scene in run["scenes"]:
                    add_scene(by_level, scene)
                runs += [len(set(runs))] * (len(by_level["Object"]) - before)
    return by_level, np.array(runs)


def add_scene(by_level, scene):
    """Add the rows of a scene."""
    n_seconds = sum(shot["seconds"] for shot in scene["shots"])
    said = [[] for _ in range(n_seconds)]
    for line in scene["lines"]:
        end = line["at"] + 0.3 + 0.4 * len(line["text"].split())
        for second in range(int(line["at"]), min(int(np.ceil(end)), n_seconds)):
            said[second].append(line["text"])
    by_level["Speech"] += [second or [""] for second in said]
    by_level["Object"] += [shot["seen"] for shot in scene["shots"] for _ in range(shot["seconds"])]
    by_level["Story"] += [pair for pair in scene["story"] for _ in range(5)]
    by_level["Summary"] += [scene["summary"]] * n_seconds
    by_level["TimePlace"] += [[f"{p}, {t}" for p, t in zip(scene["place"], scene["time"])]] * n_seconds


def matmul_rate(n=1536, repeats=8):
    """Rate of a float32 matrix product in GFLOP/s, the median of some."""
    a, b = torch.randn(n, n), torch.randn(n, n)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return 2e-9 * n**3 / np.median(seconds)


def timed(function):
    """Result and seconds."""
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


@torch.inference_mode()
def one_at_a_time(model, texts):
    """Mean of each layer over the tokens of each text, a call of tokenizer and network for each."""
    vectors = []
    for text in texts:
        tokens = model.tokenizer(text, return_tensors="pt", truncation=True, max_length=model.max_tokens)
        states = model.network(**tokens, output_hidden_states=True).hidden_states
        vectors.append(np.stack([state[0, 1:-1].mean(0).numpy() for state in states]))
    return np.stack(vectors)


def bench(model, by_level, runs, window):
    """Print one block of the table."""
    each, different = [], 0
    for level, texts in by_level.items():
        written = levels.window_texts(texts, window, runs, level == "Speech")
        each += [text for second in written for text in second]
        different += len({text for second in written for text in second})

    def ours():
        return {
            level: levels.level_features(model, texts, window, runs=runs, utterances=level == "Speech", progress=False)
            for level, texts in by_level.items()
        }

    rate = matmul_rate()
    _, first = timed(ours)
    found, again = timed(ours)
    some = sorted({text: None for text in each}, key=len)[::10]
    single, seconds = timed(lambda: one_at_a_time(model, some))
    once = seconds * different / len(some)
    some_of_all = each[::10]
    seconds_of_all = timed(lambda: one_at_a_time(model, some_of_all))[1] * len(each) / len(some_of_all)
    near = np.abs(text_vectors(model, some, cache=False, progress=False).vectors - single).max()
    rate = (rate + matmul_rate()) / 2
    shape = found["Object"].shape
    print(
        f"window {window} s: {shape} a level; {len(each):,} texts of seconds and annotators, {different:,} different;"
    )
    print(f"  {rate:.0f} GFLOP/s of matrix products; no number farther than {near:.4f} from one at a time")
    for name, took in (
        ("as here, nothing cached", first),
        ("from the cache", again),
        ("one at a time, each once *", once),
        ("one at a time, all *", seconds_of_all),
    ):
        print(f"  {name:28} {took:8.1f} s {took / first:8.1f} times", flush=True)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--window", type=int, nargs="+", default=[1, 8])
    windows = parser.parse_args().window
    torch.manual_seed(0)
    model = language_model.load_model()
    by_level, runs = dramas()
    load = os.getloadavg()[0]
    print(f"{len(runs) / 60:.0f} minutes x {len(by_level)} levels, {model.name}, {torch.get_num_threads()} threads")
    print(f"load of the machine before: {load:.1f} of {os.cpu_count()} cores; * from every tenth text")
    one_at_a_time(model, ["warm up"] * 20)
    for window in windows:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["NATURALISTIC_CACHE"] = folder
            bench(model, by_level, runs, window)


if __name__ == "__main__":
    main()
