"""Simulated story in 27 simulated brains, in the layout of the Alice data.

The words come from a small grammar whose scenes change every dozen seconds, so that twelve minutes hold each kind of
scene many times: with scenes of half a minute no model can learn what a kind does from four examples. Each region mixes
the rate of words, a response to the kind of scene, a signal of its own that all subjects share, and noise of its
subject. The ground truth is saved beside the data.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from naturalistic.parameters import whole
from nilearn.glm.first_level import spm_hrf
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from naturalistic_simulation.folders import write_whole

TR = 2.0
N_TRS = 362
N_DISCARDED = 10
SUBJECTS = tuple(f"s{k:02d}" for k in (18, 22, 23, 24, 26, 28, 30, 31, 33, *range(35, 54)))
N_BYTES = 6_000_000  # at most, measured
SCENE_LENGTH = (8.0, 16.0)  # s
SILENT = "s33"  # zero everywhere, as one of the real subjects is
# weights of word rate, kind of scene and the other shared signal in a region's response; noise has sd 1
WEIGHTS = {
    "LATL": (0.15, 0.30, 0.15),
    "RATL": (0.15, 0.00, 0.15),
    "LPTL": (0.45, 0.45, 0.30),
    "LIPL": (0.00, 0.00, 0.25),
    "LPreM": (0.20, 0.00, 0.15),
    "LIFG": (0.10, 0.30, 0.10),
}
SCENES = {  # kind of scene: who, does what, to what, where, how it is
    "sea": (
        "sailor captain gull diver", "rowed steered hauled watched", "boat net anchor wave",
        "harbour shore reef", "salty blue rough",
    ),
    "kitchen": (
        "cook baker aunt butler", "stirred tasted baked peeled", "soup bread onion kettle",
        "oven table pantry", "hot sweet buttered",
    ),
    "forest": (
        "fox owl hunter badger", "followed smelled buried chased", "mushroom branch acorn trail",
        "thicket hollow clearing", "mossy dark quiet",
    ),
    "court": (
        "judge lawyer witness clerk", "accused questioned sentenced defended", "law verdict oath letter",
        "bench dock chamber", "solemn guilty stern",
    ),
    "music": (
        "violinist drummer singer pianist", "played tuned practised sang", "song violin melody drum",
        "stage hall balcony", "loud gentle merry",
    ),
    "weather": (
        "farmer traveller shepherd miller", "feared expected cursed noticed", "storm frost rainbow hail",
        "hill valley meadow", "cold windy grey",
    ),
}  # fmt: skip
# the README tells one simulated story from another: raise the number of its recipe when the same seed makes other files
README = """SIMULATED DATA. No brain was measured and nobody heard this story.

Written by naturalistic_simulation.story (recipe 2, seed {seed}) in the layout of the Alice data of Brennan et al.
(2016), so that a chapter can run where those data cannot be had. The ground truth is in truth.json.
"""


def simulate_story(folder: Path | str, seed: int = 2016) -> Path:
    """Write the simulated story, unless the folder holds it already.

    Parameters
    ----------
    folder : str or Path
        Written whole or not at all.
    seed : int
        The same seed gives the same bytes.

    Returns
    -------
    folder : Path

    Raises
    ------
    FileExistsError
        If the folder holds something else.
    RequestError
        If the folder cannot be written, or the disk has too little room.
    """
    seed = whole("seed", seed, 0)
    readme = README.format(seed=seed)

    def write(part: Path) -> None:
        _write(part, readme, np.random.default_rng(seed))

    return write_whole(folder, readme, N_BYTES, write, "simulated story", "alice_data_shared/README.txt")


def tell(
    rng: np.random.Generator, duration: float = N_TRS * TR, scene_length: tuple[float, float] = (20, 40)
) -> tuple[list[tuple], list[tuple]]:
    """Return a simulated story as intervals and scenes, in s.

    Intervals are ``(onset, offset, word or "sp")``, scenes ``(onset, kind)``; a scene ends with the sentence during
    which its length, drawn between the two of ``scene_length``, is reached.
    """
    intervals = []
    scenes = []
    now = 0.0
    kind = None
    while now < duration:
        kind = rng.choice([k for k in SCENES if k != kind])
        who, does, what, where, how = (words.split() for words in SCENES[kind])
        scenes.append((now, kind))
        until = now + rng.uniform(*scene_length)
        while now < min(until, duration):
            adjective = rng.choice(how)
            noun = rng.choice(what)
            sentence = f"the {adjective} {rng.choice(who)} {rng.choice(does)} the {noun} near the {rng.choice(where)}"
            if rng.random() < 0.4:
                sentence += f" and {rng.choice(('he', 'she'))} {rng.choice(does)} the {rng.choice(what)}"
            pace = rng.uniform(0.85, 1.3)  # sentences are said slowly or fast, so that word rate varies
            for word in sentence.split():
                length = pace * (0.12 + 0.045 * len(word)) * rng.uniform(0.8, 1.2)
                intervals.append((now, now + length, word))
                now += length
            pause = rng.gamma(2.0, 0.35)
            intervals.append((now, now + pause, "sp"))
            now += pause
    return intervals, scenes


def _write(folder: Path, readme: str, rng: np.random.Generator) -> None:
    data = folder / "alice_data_shared"
    stimulus = folder / "alice_stim_shared"
    for name in (data / "10mm", data / "6mm", stimulus):
        name.mkdir(parents=True)
    intervals, scenes = tell(rng, scene_length=SCENE_LENGTH)
    _write_textgrid(stimulus / "DownTheRabbitHoleFinal_exp120_pad_1.TextGrid", intervals)
    rate, power, by_kind = _regressors(intervals, scenes, rng)
    truth = {"weights": WEIGHTS, "columns": ["word rate", "kind of scene", "shared"], "kind_of_scene": {}}
    shared = {roi: _noise(rng, N_TRS, 0.7) for roi in WEIGHTS}
    for roi in WEIGHTS:
        truth["kind_of_scene"][roi] = dict(zip(SCENES, rng.standard_normal(len(SCENES)).round(3).tolist()))
    for subject in SUBJECTS:
        bold = np.empty((N_TRS, len(WEIGHTS)))
        for k, (roi, (by_rate, by_scene, by_shared)) in enumerate(WEIGHTS.items()):
            scene = _unit(by_kind @ np.array(list(truth["kind_of_scene"][roi].values())))
            signal = by_rate * rate + by_scene * scene + by_shared * shared[roi]
            drift = np.interp(np.arange(N_TRS), np.linspace(0, N_TRS, 5), rng.standard_normal(5))
            bold[:, k] = rng.uniform(60, 200) + signal + _noise(rng, N_TRS, 0.5) + drift
        for radius, extra in (("10mm", 0.0), ("6mm", 0.3)):
            noisy = bold + extra * rng.standard_normal(bold.shape)
            _save(data / radius / f"{subject}-timecourses.txt", noisy * (subject != SILENT))
        steps = rng.standard_normal((N_TRS + N_DISCARDED, 6)) * ([0.01] * 3 + [2e-4] * 3)
        motion = np.cumsum(steps, axis=0)  # mm and rad
        _save(data / f"{subject}-rp_made.txt", motion)
        _save(data / f"{subject}-rate.txt", rate)
        _save(data / f"{subject}-sndpwr.txt", power)
    (folder / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    (data / "README.txt").write_text(readme, encoding="utf-8")


def _regressors(
    intervals: Sequence[tuple[float, float, str]], scenes: Sequence[tuple[float, str]], rng: np.random.Generator
) -> tuple[NDArray, NDArray, NDArray]:
    """Return word rate, sound power, scene kinds (n_trs, n_kinds) through an HRF."""
    step = 0.1
    t = np.arange(0, N_TRS * TR, step)
    onsets = np.array([a for a, _, word in intervals if word != "sp"])
    rate = np.histogram(onsets, bins=np.append(t, t[-1] + step))[0] / step
    speech = np.zeros(len(t))
    for a, b, word in intervals:
        speech[int(a / step) : int(b / step) + 1] = word != "sp"
    power = speech * np.exp(0.5 * _noise(rng, len(t), 0.98))
    starts = np.array([a for a, _ in scenes])
    now = np.searchsorted(starts, t, side="right") - 1
    kinds = np.array([[scenes[i][1] == kind for kind in SCENES] for i in now], dtype=float)
    hrf = spm_hrf(step, oversampling=1, time_length=32.0)
    every = round(TR / step)

    def respond(x: NDArray) -> NDArray:
        return np.apply_along_axis(lambda column: np.convolve(column, hrf)[: len(t)], 0, x)[::every]

    return _unit(respond(rate)), _unit(respond(power)), respond(kinds)


def _unit(x: NDArray) -> NDArray:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _noise(rng: np.random.Generator, n: int, phi: float) -> NDArray:
    """Return first-order autoregressive noise of sd 1."""
    return lfilter([np.sqrt(1 - phi**2)], [1, -phi], rng.standard_normal(n + 100))[100:]


def _save(path: Path, table: ArrayLike) -> None:
    np.savetxt(path, table, fmt="%.7e")


def _write_textgrid(path: Path, intervals: Sequence[tuple[float, float, str]]) -> None:
    start = N_DISCARDED * TR  # the scanner ran for 20 s before the story
    rows = [(start - 8.0, start, "sp")] + [(a + start, b + start, word) for a, b, word in intervals]
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = {rows[0][0]}\nxmax = {rows[-1][1]}\n'
    tier = (
        "tiers? <exists>\nsize = 1\nitem []:\n    item [1]:\n"
        '        class = "IntervalTier"\n        name = "word"\n'
        f"        xmin = {rows[0][0]}\n        xmax = {rows[-1][1]}\n        intervals: size = {len(rows)}\n"
    )
    body = "".join(
        f'        intervals [{k}]:\n            xmin = {a}\n            xmax = {b}\n            text = "{word}"\n'
        for k, (a, b, word) in enumerate(rows, 1)
    )
    path.write_text(head + tier + body, encoding="utf-8")
