"""Sampling of scores from the network, token by token.

Every sampled score can be played. Tokens that the grammar does not allow have no chance: voices that the header does
not name, events out of order, pitches that an instrument does not have. All is computed in double precision, because
single-precision sums depend on how many rows stand beside each other: a piece depends on its vector and its seed
alone.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from naturalistic_simulation.models.score_model import (
    BAR,
    BEGIN,
    LAGS,
    N_BARS,
    N_FIELDS,
    NOW,
    PLACE,
    RANKS,
    STARTS,
    ScoreModel,
    recalled,
)
from naturalistic_simulation.models.tokens import (
    END,
    HEADER_STARTS,
    LOWEST,
    N_PITCHED,
    RANGES,
    SIZES,
    SPANS,
    Score,
    decode,
    read_header,
)
from naturalistic_simulation.music.piece import step_seconds

# Sharper than what was learned, and without its tail, where a small network errs (nucleus: Holtzman et al. 2020, ICLR).
# Of five pairs, chosen on 60 pieces composed for it, neither trained on nor among the 540 clips: with this one, bars
# come back most nearly as often as in composed pieces; the sound is identified about equally well with all five.
TEMPERATURE = 0.8
TOP_P = 0.95
MOST_A_SECOND = 60  # events; the densest composed piece has 40
WIDTH = SIZES[1] * RANKS


@torch.inference_mode()
def write_scores(network: ScoreModel, vectors: torch.Tensor, seeds: Sequence[int], duration: float) -> list[Score]:
    """Return a score for each vector and seed.

    Parameters
    ----------
    network : ScoreModel
        In double precision.
    vectors : float tensor (n, dim)
        Of length 1, in double precision.
    seeds : list of int
    duration : float
        s.

    Returns
    -------
    scores : list of Score
    """
    generators = [np.random.default_rng(seed) for seed in seeds]
    condition = network.conditions(vectors)
    headers, states = write_headers(network, condition, generators)
    plan = network.plans(states, condition)
    writing = Writing([read_header(header) for header in headers], duration)
    state = torch.tanh(network.start(plan))
    active = np.arange(len(seeds))
    for _ in range(writing.events.shape[1]):
        known = torch.from_numpy(writing.known(active)).to(plan.device)
        inputs = network.heard(known, plan[active])
        state[active] = network.next_state(network.into(inputs), state[active])
        branches = network.branches(state[active], inputs)
        uniform = np.stack([generators[row].random(N_FIELDS) for row in active])
        drawn = np.zeros((len(active), N_FIELDS), dtype=np.int64)
        for k in range(N_FIELDS):
            logits = network.field(k, branches, torch.from_numpy(drawn[:, :k]).to(plan.device), known)
            drawn[:, k] = draw(logits.cpu().numpy(), writing.allowed(active, drawn, k), uniform[:, k])
        active = active[writing.add(active, drawn)]
        if not len(active):
            break
    return [decode(header, events[:n], duration) for header, events, n in zip(headers, writing.events, writing.n)]


def write_headers(
    network: ScoreModel, condition: torch.Tensor, generators: list[np.random.Generator]
) -> tuple[list[NDArray], torch.Tensor]:
    """Draw a header for each condition.

    Parameters
    ----------
    network : ScoreModel
    condition : float tensor (n, width)
        From `ScoreModel.conditions`.
    generators : list of numpy.random.Generator
        One a row.

    Returns
    -------
    headers : list of int array (n_tokens,)
    states : float tensor (n, header_width)
        After them.
    """
    n = len(condition)
    device = condition.device
    kind = np.searchsorted(HEADER_STARTS, np.arange(BEGIN), side="right") - 1
    position = np.arange(BEGIN)
    headers = [[] for _ in range(n)]
    over = np.zeros(n, dtype=bool)
    token = np.full(n, BEGIN)
    state = None
    last = torch.zeros(n, network.token.embedding_dim, dtype=condition.dtype, device=device)
    for k in range(BEGIN):
        logits, states, state = network.read_header(torch.from_numpy(token)[:, None].to(device), condition, state)
        going = np.flatnonzero(~over)
        last[going] = states[going, 0]
        over |= token == END
        if over.all():
            break
        allowed = np.tile(kind == k, (n, 1))
        if k >= 4:
            allowed = (position > token[:, None]) & (kind >= 4) & ((k > 4) | (position != END))
        allowed[over] = position == END
        uniform = np.array([0.0 if done else rng.random() for done, rng in zip(over, generators)])
        token = draw(logits[:, 0].cpu().numpy(), allowed, uniform)
        for row in np.flatnonzero(~over):
            headers[row].append(token[row])
    return [np.array(header) for header in headers], last


def draw(logits: NDArray, allowed: NDArray, uniform: NDArray) -> NDArray:
    """Return a token of each row by nucleus sampling from allowed ones.

    Each row has a number from 0 to 1 of its own.

    Parameters
    ----------
    logits : array (n, size)
    allowed : bool array (n, size)
        One or more of each row.
    uniform : array (n,)

    Returns
    -------
    tokens : int array (n,)
    """
    scaled = np.where(allowed, logits / TEMPERATURE, -np.inf)
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    order = np.argsort(-shares, axis=1, kind="stable")
    shares = np.take_along_axis(shares, order, axis=1)
    before = np.cumsum(shares, axis=1) - shares
    shares[before >= TOP_P] = 0
    upto = np.cumsum(shares, axis=1)
    chosen = (upto <= uniform[:, None] * upto[:, -1:]).sum(axis=1)
    return order[np.arange(len(order)), np.minimum(chosen, (shares > 0).sum(axis=1) - 1)]


class Writing:
    """Scores in writing, and the state of each.

    Parameters
    ----------
    headers : list of tuple
        From `read_header`.
    duration : float
        s.
    """

    def __init__(self, headers: list[tuple], duration: float) -> None:
        n = len(headers)
        most = int(np.ceil(MOST_A_SECOND * duration))
        self.duration = duration
        self.bar_steps = np.array([4 * metre for metre, *_ in headers])
        self.tempo, self.swing = (np.array([header[k] for header in headers]) for k in (1, 2))
        self.key = np.array([header[3] for header in headers])
        self.plays = np.zeros((n, SIZES[1]), dtype=bool)
        for row, header in enumerate(headers):
            self.plays[row, header[4]] = True
        self.events = np.zeros((n, most, N_FIELDS), dtype=np.int64)
        self.keys = np.zeros((n, most), dtype=np.int64)
        self.n = np.zeros(n, dtype=int)
        self.step, self.voice, self.pitch = (np.zeros(n, dtype=int) for _ in range(3))

    def known(self, rows: NDArray) -> NDArray:
        """Return the input of the next event of rows (n, 26): see `known_before`."""
        known = np.zeros((len(rows), 2 + N_FIELDS * (1 + len(LAGS))), dtype=np.int64)
        step = self.step[rows]
        bar_steps = self.bar_steps[rows]
        count = int(self.n[rows[0]])
        known[:, 0] = PLACE + step % bar_steps
        known[:, 1] = BAR + np.minimum(step // bar_steps, N_BARS - 1)
        if count == 0:
            known[:, 2] = 1
            return known
        known[:, 2 : 2 + N_FIELDS] = NOW + STARTS[:-1] + self.events[rows, count - 1]
        for k, lag in enumerate(LAGS, start=1):
            reached = np.flatnonzero(step >= lag * bar_steps)
            at = rows[reached]
            back = lag * bar_steps[reached]
            index = (self.keys[at, :count] <= (self.keys[at, count - 1] - back * WIDTH)[:, None]).sum(axis=1)
            advance = self.keys[at, index] // WIDTH - (step[reached] - back)
            known[reached, 2 + k * N_FIELDS : 2 + (k + 1) * N_FIELDS] = recalled(self.events[at, index], advance, k)
        return known

    def allowed(self, rows: NDArray, drawn: NDArray, k: int) -> NDArray:
        """Return the tokens of a field that may follow, given the fields before it.

        Parameters
        ----------
        rows : int array (n,)
        drawn : int array (n, 6)
            Fields of the event, drawn up to ``k``.
        k : int
            Of the field.

        Returns
        -------
        allowed : bool array (n, size)
        """
        allowed = np.ones((len(rows), SIZES[k]), dtype=bool)
        voice = drawn[:, 1]
        first = self.n[rows] == 0
        before = self.voice[rows]
        low_pitch = self.pitch[rows]
        again = low_pitch < RANGES[before, 1]  # the same voice can begin another chord above
        order = np.arange(SIZES[1])
        at_once = self.plays[rows] & ((order > before[:, None]) | ((order == before[:, None]) & again[:, None]))
        together = (drawn[:, 0] == 0) & ~first
        if k == 0:
            allowed[:, 0] = first | at_once.any(axis=1)
            waits = step_seconds(np.arange(SIZES[0]), self.tempo[rows, None], self.swing[rows, None])
            allowed &= ~first[:, None] | (waits < self.duration)  # a piece is not silent
        elif k == 1:
            allowed = np.where(together[:, None], at_once, self.plays[rows])
        elif k == 2:
            pitch = self.pitches(rows, voice, np.arange(SIZES[2]))
            floor = np.where(together & (voice == before), low_pitch + 1, RANGES[voice, 0])
            allowed = (pitch >= floor[:, None]) & (pitch <= RANGES[voice, 1][:, None])
        elif k == 3:
            pitch = self.pitches(rows, voice, drawn[:, 2:3])
            allowed = (pitch + SPANS <= RANGES[voice, 1][:, None]) & ((SPANS == 0) | (voice < N_PITCHED)[:, None])
        elif k == 4:
            allowed[voice >= N_PITCHED, 1:] = False
        return allowed

    def pitches(self, rows: NDArray, voice: NDArray, tokens: NDArray) -> NDArray:
        """Return MIDI pitches of tokens (n, n_tokens) for the voice of each row."""
        return tokens + LOWEST + np.where(voice < N_PITCHED, self.key[rows], 0)[:, None]

    def add(self, rows: NDArray, drawn: NDArray) -> NDArray:
        """Add an event to each row, and return the rows that go on.

        Parameters
        ----------
        rows : int array (n,)
        drawn : int array (n, 6)

        Returns
        -------
        going : bool array (n,)
        """
        at = self.n[rows]
        rank = np.zeros(len(rows), dtype=int)
        same = (at > 0) & (drawn[:, 0] == 0) & (drawn[:, 1] == self.voice[rows])
        rank[same] = np.minimum(self.keys[rows[same], at[same] - 1] % RANKS + 1, RANKS - 1)
        self.step[rows] += drawn[:, 0]
        self.voice[rows] = drawn[:, 1]
        self.pitch[rows] = self.pitches(rows, drawn[:, 1], drawn[:, 2:3])[:, 0]
        self.events[rows, at] = drawn
        self.keys[rows, at] = (self.step[rows] * SIZES[1] + drawn[:, 1]) * RANKS + rank
        self.n[rows] += 1
        return step_seconds(self.step[rows], self.tempo[rows], self.swing[rows]) < self.duration
