"""Two small networks of music: one of sound and text, one of sound alone.

Both read the same log-mel frames (64 bands, one every 20 ms), brought to one loudness within what they are shown.
`JointSound` and `JointText` are trained to agree on a clip and its caption, as MuLan is (Huang et al. 2022, ISMIR);
`MaskedSound` is trained to fill in frames that were hidden from it, as w2v-BERT is in its own way (Chung et al.
2021, ASRU): it never reads a word.
"""

import torch
from torch import nn

from naturalistic_simulation.models.mel import N_MELS, same_loudness


class Block(nn.Module):
    """Convolution over time, normalization over channels, and nonlinearity."""

    def __init__(self, n_in: int, n_out: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(n_in, n_out, width, stride, padding=width // 2)
        self.norm = nn.GroupNorm(1, n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, n_in, n_frames) to (n, n_out, n_frames / stride)."""
        return torch.nn.functional.gelu(self.norm(self.convolution(x)))


class JointSound(nn.Module):
    """Network from log-mel frames to a vector of length 1 in the joint space."""

    def __init__(self, dim: int = 128, widths: tuple[int, int, int] = (128, 192, 256)) -> None:
        super().__init__()
        a, b, c = widths
        self.blocks = nn.Sequential(Block(N_MELS, a, 5), Block(a, b, 5, 2), Block(b, c, 5, 2), Block(c, c, 5, 2))
        self.project = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * c, 256), nn.GELU(), nn.Linear(256, dim))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (n, n_frames, 64) to (n, dim)."""
        x = self.blocks(same_loudness(frames).transpose(1, 2) / 4)
        pooled = torch.cat([x.mean(dim=2), x.std(dim=2)], dim=1)
        return nn.functional.normalize(self.project(pooled), dim=1)


class JointText(nn.Module):
    """Network from a sentence vector (384) to a unit vector in the joint space."""

    def __init__(self, dim: int = 128) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(384, 256), nn.GELU(), nn.Dropout(0.1), nn.Linear(256, dim))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map (n, 384) to (n, dim)."""
        return nn.functional.normalize(self.project(20 * vectors), dim=1)


class MaskedSound(nn.Module):
    """Network from log-mel frames with gaps to one state a frame."""

    def __init__(self, dim: int = 192, n_blocks: int = 5) -> None:
        super().__init__()
        self.gap = nn.Parameter(torch.zeros(N_MELS))
        self.first = Block(N_MELS, dim, 3)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv1d(dim, dim, 3, padding=2**k, dilation=2**k), nn.GroupNorm(1, dim), nn.GELU())
            for k in range(n_blocks)
        )
        self.last = Block(dim, dim, 1)
        self.fill = nn.Conv1d(dim, 2 * N_MELS, 1)

    def states(
        self, frames: torch.Tensor, hidden: torch.Tensor | None = None, n_layers: int | None = None
    ) -> list[torch.Tensor]:
        """Return the states of the first layers, all seven by default.

        (n, n_frames, 64) becomes one (n, n_frames, dim) for each layer. Frames that are ``hidden`` (n, n_frames) are
        replaced by a learned one.
        """
        n_layers = len(self.blocks) + 2 if n_layers is None else n_layers
        x = same_loudness(frames) / 4
        if hidden is not None:
            x = torch.where(hidden[..., None], self.gap, x)
        x = self.first(x.transpose(1, 2))
        layers = [x]
        for block in self.blocks[: n_layers - 1]:
            x = x + block(x)
            layers.append(x)
        if n_layers > len(layers):
            layers.append(self.last(x))
        return [layer.transpose(1, 2) for layer in layers[:n_layers]]

    def forward(self, frames: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Return the squared error of hidden frames and a third of that of others."""
        power = same_loudness(frames)
        rise = torch.diff(power, dim=1, prepend=power[:, :1]).clamp(min=0)
        predicted = self.fill(self.states(frames, hidden)[-1].transpose(1, 2)).transpose(1, 2)
        error = ((4 * predicted - torch.cat([power, rise], dim=2)) ** 2).mean(dim=2)
        return error[hidden].mean() + error[~hidden].mean() / 3
