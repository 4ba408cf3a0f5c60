"""How fast sound becomes embeddings, at the real models' size with random weights: batched, and a window at a time.

Run it with ``python tests/benchmarks/bench_audio.py [--device cuda] [--seconds 5] [clap w2v-bert encodec]``. Both ways
run turn by turn in one process on the same clips, resampled from GTZAN's 22,050 Hz; the rate of float32 matrix products
is taken before and after each turn. Work is what torch counts in the matrix products and convolutions of a window
(recurrent layers, which it does not count, are added). "an hour" is the time for an hour of clips of 15 s; "work alone"
what it would be at the full matrix-product rate.
"""

import argparse
import functools
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from naturalistic.features import audio
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    EncodecConfig,
    EncodecModel,
    PreTrainedTokenizerFast,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
)

RATE, CLIP = 22050, 15
MINI = ("mini-mulan", "mini-ssl")


def save_clap(folder):
    """laion/larger_clap_music: HTSAT-base (patches of 128, depths 2 2 12 2) and RoBERTa-base."""
    from tokenizers import Tokenizer, models

    sound = {"depths": [2, 2, 12, 2], "patch_embeds_hidden_size": 128, "hidden_size": 1024}
    ClapModel(ClapConfig(audio_config=sound)).save_pretrained(folder)
    ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad", frequency_min=50).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({"<pad>": 1, "a": 3}, unk_token="a"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(folder)


def save_w2v_bert(folder):
    """facebook/w2v-bert-2.0: 24 layers of 1,024, which are the class's own defaults."""
    Wav2Vec2BertModel(Wav2Vec2BertConfig()).save_pretrained(folder)
    SeamlessM4TFeatureExtractor().save_pretrained(folder)


def save_encodec(folder):
    """facebook/encodec_24khz: the class's own defaults."""
    EncodecModel(EncodecConfig()).save_pretrained(folder)


SAVE = {"clap": save_clap, "w2v-bert": save_w2v_bert, "encodec": save_encodec}


def network_of(embedder):
    """The network inside an embedder's audio tower."""
    return next(part for part in embedder.audio_tower.args if isinstance(part, torch.nn.Module))


def recurrent_work(network, n_frames):
    """Operations of the recurrent layers over n_frames."""
    layers = [part for part in network.modules() if isinstance(part, torch.nn.LSTM)]
    return sum(2 * n_frames * w.numel() for part in layers for name, w in part.named_parameters() if "weight" in name)


@torch.inference_mode()
def work_of_a_window(embedder):
    """Operations, in GFLOP."""
    window = np.random.default_rng(0).standard_normal((1, round(embedder.window * embedder.sample_rate)))
    window = 0.1 * window.astype(np.float32)
    with FlopCounterMode(display=False) as counter:
        embedder.audio_tower(window)
    frames = embedder.window * 75  # of EnCodec, whose encoder ends with recurrent layers
    return 1e-9 * (counter.get_total_flops() + recurrent_work(network_of(embedder), frames))


def synchronise(device):
    if device != "cpu":
        torch.cuda.synchronize()


def matmul_rate(device, n=2048, repeats=8):
    """Rate of a float32 matrix product, in GFLOP/s: the median of some."""
    a, b = (torch.randn(n, n, device=device) for _ in range(2))
    seconds = []
    for _ in range(repeats):
        synchronise(device)
        start = time.perf_counter()
        a @ b
        synchronise(device)
        seconds.append(time.perf_counter() - start)
    return 2e-9 * n**3 / np.median(seconds)


def turn(function, device):
    """Seconds, and the matrix-product rate around them."""
    before = matmul_rate(device)
    start = time.perf_counter()
    function()
    seconds = time.perf_counter() - start
    return seconds, (before + matmul_rate(device)) / 2


def bench(name, device, least):
    """Print the lines of a model; return seconds for an hour of audio, by way."""
    with tempfile.TemporaryDirectory() as folder:
        if name in SAVE:
            SAVE[name](Path(folder))
        load = functools.partial(audio.load, folder if name in SAVE else name, device=device)
        ways = {"a window at a time": load(batch_size=1), "batched": load()}
        if device != "cpu":
            ways["batched, float32"] = load(dtype="float32")
    size = 1e-6 * sum(p.numel() for p in network_of(ways["batched"]).parameters())
    work = work_of_a_window(ways["batched"])
    clip = 0.1 * np.random.default_rng(0).standard_normal((1, CLIP * RATE)).astype(np.float32)
    run = {way: functools.partial(e.embed, sample_rate=RATE, cache=False, progress=False) for way, e in ways.items()}
    n_windows = run["batched"](clip).shape[1]  # warm
    run["a window at a time"](clip)
    start = time.perf_counter()
    run["a window at a time"](clip)
    n_clips = max(1, round(least / (time.perf_counter() - start)))
    clips = np.repeat(clip, n_clips, axis=0)
    turns = {way: [turn(lambda go=go: go(clips), device) for _ in range(2)] for way, go in run.items()}
    print(f"{name}: {size:.0f} M parameters run, {work:.1f} GFLOP a window, {n_clips} clip(s) of {n_windows} windows")
    single = min(seconds for seconds, _ in turns["a window at a time"])
    found = {}
    for way, results in turns.items():
        seconds, rate = min(results)
        speed = work * n_windows * n_clips / seconds
        hour = 3600 / CLIP / n_clips * seconds
        found[way] = hour
        share = 100 * speed / rate
        print(
            f"  {way:20} {1e3 * seconds / n_clips / n_windows:8.1f} ms/window {single / seconds:6.2f} x "
            f"{speed:9.0f} GFLOP/s of {rate:7.0f}: {speed / rate:5.0%}   an hour: {hour / 60:6.1f} min"
            f"   (work alone: {hour / 60 * speed / rate:.1f})",
            flush=True,
        )
    found["share of matmul rate, batched (%)"] = share
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", choices=[*SAVE, *MINI, []], help="all by default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=5, help="of a turn, about")
    parser.add_argument("--out", help="JSON file for what was measured")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    print(f"random weights, {torch.get_num_threads()} threads, {arguments.device}; matmul in float32")
    found = {name: bench(name, arguments.device, arguments.seconds) for name in arguments.models or [*SAVE, *MINI]}
    if arguments.out:
        threads = torch.get_num_threads()
        about = (
            f"Random weights at the models' size, {arguments.device}, {threads} thread(s), clips of {CLIP} s; the last "
            "column is the share of the rate of a float32 matrix product that the batched way reached, give or take "
            "what the rate itself varies."
        )
        Path(arguments.out).write_text(json.dumps({"about": about, "seconds_per_hour": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
