"""Network that writes scores from an embedding.

Two recurrent networks, for the header and for the events, are conditioned on it. An event is predicted from the one
before it, the place in the bar, and the event that came next at the same place one, two and four bars ago: music
repeats itself, and so a small network need not remember whole bars. Its six fields are predicted one after another,
each from those before it (Hsiao et al. 2021, AAAI). The condition is given at each step, as MusicLM is conditioned on
MuLan (Agostinelli et al. 2023, arXiv 2301.11325).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from naturalistic_simulation.models.tokens import FIELDS, HEADER_STARTS, SIZES

LAGS = (1, 2, 4)  # bars
RANKS = 8  # chords that one voice may begin at once
LONGEST_BAR = 16
N_BARS = 32
N_FIELDS = len(FIELDS)
STARTS = np.cumsum((0, *SIZES))  # of each field's tokens; the last is their number
# one table of vectors for all that is known before an event: nothing (0), the beginning (1), place in the bar, bar,
# then the fields of the event before it and of those at the lags
PLACE = 2
BAR = 2 + LONGEST_BAR
NOW = 2 + LONGEST_BAR + N_BARS
N_KNOWN = NOW + (1 + len(LAGS)) * int(STARTS[-1])
BEGIN = HEADER_STARTS[-1]  # the token from which a header's first one is predicted


def keys_of(events: NDArray) -> NDArray:
    """Return the order of events: step, voice and rank as one number each (n,)."""
    steps = np.cumsum(events[:, 0].astype(np.int64))
    voices = events[:, 1].astype(np.int64)
    order = steps * SIZES[1] + voices
    first = np.searchsorted(order, order)
    return order * RANKS + np.minimum(np.arange(len(order)) - first, RANKS - 1)


def known_before(events: NDArray, bar_steps: int) -> NDArray:
    """Return the known tokens before each event, as rows of the network's table.

    Parameters
    ----------
    events : int array (n_events, 6)
    bar_steps : int

    Returns
    -------
    known : int32 array (n_events + 1, 2 + 4 x 6)
        The last row is of an event that is still to come.
    """
    keys = keys_of(events)
    width = SIZES[1] * RANKS
    steps = keys // width
    known = np.zeros((len(events) + 1, 2 + N_FIELDS * (1 + len(LAGS))), dtype=np.int32)
    now = np.concatenate([[0], steps])
    known[:, 0] = PLACE + now % bar_steps
    known[:, 1] = BAR + np.minimum(now // bar_steps, N_BARS - 1)
    known[0, 2] = 1
    known[1:, 2 : 2 + N_FIELDS] = NOW + STARTS[:-1] + events
    for k, lag in enumerate(LAGS, start=1):
        reached = np.flatnonzero(now >= lag * bar_steps)
        reached = reached[reached > 0]
        ago = keys[reached - 1] - lag * bar_steps * width
        index = np.searchsorted(keys, ago, side="right")
        columns = slice(2 + k * N_FIELDS, 2 + (k + 1) * N_FIELDS)
        known[reached, columns] = recalled(events[index], steps[index] - (now[reached] - lag * bar_steps), k)
    return known


def recalled(events: NDArray, advance: NDArray, k: int) -> NDArray:
    """Return rows of the table for events of the ``k``-th lag."""
    events = np.array(events, dtype=np.int64)
    events[:, 0] = np.minimum(advance, SIZES[0] - 1)
    return NOW + k * STARTS[-1] + STARTS[:-1] + events


class ScoreModel(nn.Module):
    """Network from an embedding to the probabilities of tokens of a score.

    Parameters
    ----------
    dim : int
        Of the embedding.
    width : int
        Of the state from which events are predicted.
    header_width : int
        Of the state from which the header is predicted.
    field_width : int
        Of what one field is predicted from.
    """

    def __init__(self, dim: int = 128, width: int = 192, header_width: int = 128, field_width: int = 96) -> None:
        super().__init__()
        self.condition = nn.Sequential(nn.Linear(dim, width), nn.GELU(), nn.Dropout(0.1), nn.Linear(width, width))
        self.token = nn.Embedding(BEGIN + 1, header_width)
        self.tell = nn.Linear(width, header_width)
        self.header = nn.GRU(header_width, header_width, batch_first=True)
        self.header_start = nn.Linear(width, header_width)
        self.header_out = nn.Sequential(nn.Linear(header_width + width, width), nn.GELU(), nn.Linear(width, BEGIN))
        self.known = nn.EmbeddingBag(N_KNOWN, width, mode="sum", padding_idx=0)
        self.plan = nn.Linear(header_width + width, width)
        self.start = nn.Linear(width, width)
        self.into = nn.Linear(width, 3 * width)
        self.again = nn.Linear(width, 3 * width)
        self.split = nn.Linear(2 * width, N_FIELDS * field_width)
        self.earlier = nn.ModuleList(nn.EmbeddingBag(int(STARTS[k]), field_width, mode="sum") for k in range(1, 6))
        self.fields = nn.ModuleList(nn.Linear(field_width, size) for size in SIZES)
        self.gates = nn.ModuleList(nn.Linear(field_width, 2 * len(LAGS)) for _ in SIZES)
        nn.init.normal_(self.known.weight, std=0.2)
        for table in self.earlier:
            nn.init.normal_(table.weight, std=0.3)

    def conditions(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map vectors of length 1 (n, dim) to conditions (n, width)."""
        return self.condition(vectors * vectors.shape[1] ** 0.5)

    def read_header(
        self, tokens: torch.Tensor, condition: torch.Tensor, state: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return logits of the next header tokens (n, n_tokens, 119) and a state.

        Header tokens are (n, n_tokens), the first `BEGIN`.
        """
        if state is None:
            state = torch.tanh(self.header_start(condition))[None]
        states, last = self.header(self.token(tokens) + self.tell(condition)[:, None], state)
        around = condition[:, None].expand(-1, tokens.shape[1], -1)
        return self.header_out(torch.cat([states, around], dim=2)), states, last

    def plans(self, states: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Map states after headers (n, header_width) to plans of events (n, width)."""
        return self.plan(torch.cat([states, condition], dim=1))

    def heard(self, known: torch.Tensor, plan: torch.Tensor) -> torch.Tensor:
        """Map known rows (n, 26) and plans (n, width) to inputs of events (n, width)."""
        return nn.functional.gelu(self.known(known) + plan)

    def next_state(self, gates: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """Return the next state (n, width) of a gated unit (Cho et al. 2014, EMNLP)."""
        width = state.shape[1]
        (open_in, new_in), (open_again, new_again) = (
            x.split([2 * width, width], dim=1) for x in (gates, self.again(state))
        )
        reset, keep = torch.sigmoid(open_in + open_again).chunk(2, dim=1)
        return torch.lerp(torch.tanh(new_in + reset * new_again), state, keep)

    def all_states(self, inputs: torch.Tensor, state: torch.Tensor, sizes: list[int]) -> torch.Tensor:
        """Return states of packed inputs; `torch.nn.GRU` takes quadratic time for them."""
        states = []
        for gates in self.into(inputs).split(sizes):
            state = self.next_state(gates, state[: len(gates)])
            states.append(state)
        return torch.cat(states)

    def branches(self, states: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Map states and inputs (n, width) to inputs of fields (n, 6, field_width)."""
        return self.split(torch.cat([states, inputs], dim=1)).unflatten(1, (N_FIELDS, -1))

    def field(self, k: int, branches: torch.Tensor, earlier: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Return logits of a field, given the fields before it.

        The token of the field at each lag becomes more likely by a learned amount (a gate, as in See et al. 2017, ACL),
        and by another amount if the fields before it, too, are the same.

        Parameters
        ----------
        k : int
            Of the field.
        branches : float tensor (n, 6, field_width)
        earlier : int tensor (n, k)
            Tokens of the fields before it.
        known : int tensor (n, 26)
            Rows of the table.

        Returns
        -------
        logits : float tensor (n, size)
        """
        x = branches[:, k]
        if k:
            starts = torch.as_tensor(STARTS[:k], device=earlier.device)
            x = x + self.earlier[k - 1](earlier + starts)
        x = nn.functional.gelu(x)
        rows = known[:, 2 + N_FIELDS :].long().unflatten(1, (len(LAGS), N_FIELDS))
        offsets = NOW + np.arange(1, 1 + len(LAGS))[:, None] * STARTS[-1] + STARTS[:-1]
        ago = (rows - torch.as_tensor(offsets, device=known.device)).clamp(min=0)
        same = (ago[:, :, :k] == earlier[:, None]).all(dim=2)
        otherwise, again = self.gates[k](x).chunk(2, dim=1)
        more = torch.where(same, again, otherwise) * (rows[:, :, 0] > 0)
        return self.fields[k](x).scatter_add(1, ago[:, :, k], more)

    def forward(
        self,
        vectors: torch.Tensor,
        headers: torch.Tensor,
        known: torch.Tensor,
        events: torch.Tensor,
        rows: torch.Tensor,
        sizes: list[int],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the losses of n scores.

        Parameters
        ----------
        vectors : float tensor (n, dim)
        headers : int tensor (n, n_tokens)
            Padded with -1.
        known, events : int tensors (n_events, 26), (n_events, 6)
            Of all scores, packed: the first events of all scores, then the second of those that have one ...
        rows : int tensor (n_events,)
            Score of each event; scores come sorted, the longest first.
        sizes : list of int
            Events of each step of the packing.

        Returns
        -------
        event_loss, header_loss : float tensor ()
            Nats an event, and nats a header token.
        """
        condition = self.conditions(vectors)
        begin = torch.full_like(headers[:, :1], BEGIN)
        logits, states, _ = self.read_header(torch.cat([begin, headers.clamp(min=0)], dim=1), condition)
        header_loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), headers.flatten(), ignore_index=-1)
        lengths = (headers >= 0).sum(dim=1)
        plan = self.plans(states[torch.arange(len(states)), lengths], condition)
        inputs = self.heard(known, plan[rows])
        start = torch.tanh(self.start(plan))
        branches = self.branches(self.all_states(inputs, start, sizes), inputs)
        losses = [
            nn.functional.cross_entropy(self.field(k, branches, events[:, :k], known), events[:, k])
            for k in range(N_FIELDS)
        ]
        return sum(losses), header_loss
