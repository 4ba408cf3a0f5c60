"""Training loop of all small models, with a checkpoint after each epoch."""

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from naturalistic.cache import RequestError, check_writable
from naturalistic.intact import check_whole
from naturalistic.parameters import whole
from numpy.typing import NDArray
from safetensors.torch import save_file
from tqdm import tqdm

from naturalistic_simulation.folders import write_file


@dataclass(frozen=True)
class TrainingRequest:
    """File and numbers of a training, checked.

    Attributes
    ----------
    path : Path
        Of the weights.
    n_pieces, epochs, seed, batch_size : int
    """

    path: Path
    n_pieces: int
    epochs: int
    seed: int
    batch_size: int


def fit(
    module: torch.nn.Module,
    loss_of: Callable[[NDArray, np.random.Generator], torch.Tensor],
    request: TrainingRequest,
    *,
    rate: float,
    decay: float = 0.05,
    progress: bool = True,
) -> list[float]:
    """Train a module and write its weights, whole or not at all.

    An interrupted training resumes after the last finished epoch. The order of samples depends on the seed and
    the epoch alone, so that a resumed training sees what an uninterrupted one sees.

    Parameters
    ----------
    module : torch.nn.Module
    loss_of : callable
        ``(indices, rng) -> loss``: of a batch of samples, with random excerpts drawn from ``rng``.
    request : TrainingRequest
        The checkpoint is kept beside its file, with ``.part`` at its end.
    rate : float
        Highest learning rate.
    decay : float
        Weight decay.
    progress : bool

    Returns
    -------
    losses : list of float
        Mean loss of each epoch of this call.

    Raises
    ------
    ValueError
        If the checkpoint is of a training with other numbers, or was cut short.
    """
    path = request.path
    seed = request.seed
    epochs = request.epochs
    batch_size = request.batch_size
    n_samples = request.n_pieces
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=decay)
    n_batches = max(n_samples // batch_size, 1)
    settings = {"seed": seed, "n_samples": n_samples, "epochs": epochs, "batch_size": batch_size, "rate": rate}
    first = _resume(part, module, optimizer, settings)
    losses = []
    bar = tqdm(range(first, epochs), initial=first, total=epochs, desc=path.stem, unit="epoch", disable=not progress)
    for epoch in bar:
        rng = np.random.default_rng([seed, epoch])
        torch.manual_seed(seed * 10_000 + epoch)  # dropout
        module.train()
        order = rng.permutation(n_samples)
        total = 0.0
        for k in range(n_batches):
            done = (epoch + k / n_batches) / epochs
            for group in optimizer.param_groups:
                group["lr"] = rate * min(20 * done + 0.02, 0.5 + 0.5 * math.cos(math.pi * done))
            loss = loss_of(order[k * batch_size : (k + 1) * batch_size], rng)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            total += float(loss.detach())
        losses.append(total / n_batches)
        bar.set_postfix(loss=f"{losses[-1]:.3f}")
        state = {
            "module": module.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch + 1,
            "asked": settings,
        }
        write_file(part, partial(torch.save, state))
    half = {name: weight.half().contiguous() for name, weight in module.eval().state_dict().items()}
    write_file(path, lambda weights: save_file(half, str(weights)))
    part.unlink(missing_ok=True)
    return losses


def check_training(path: Path | str, *, n_pieces: int, epochs: int, seed: int, batch_size: int = 1) -> TrainingRequest:
    """Check the numbers and the file of a training before the first piece is composed.

    Parameters
    ----------
    path : str or Path
        Of the weights.
    n_pieces, epochs, seed, batch_size : int

    Returns
    -------
    request : TrainingRequest

    Raises
    ------
    ValueError
        If a number is out of range, ``path`` cannot be written or is a folder, or a checkpoint beside it is of another
        training.
    """
    path = Path(path).expanduser()
    request = TrainingRequest(
        path,
        whole("n_pieces", n_pieces),
        whole("epochs", epochs),
        whole("seed", seed, 0),
        whole("batch_size", batch_size),
    )
    if path.is_dir():
        raise RequestError(f"{path} is a folder, expected the file of the weights, such as {path / 'x.safetensors'}")
    if path.suffix in (".json", ".part"):
        raise RequestError(f"{path} ends in {path.suffix}, expected a name such as {path.with_suffix('.safetensors')}")
    check_writable(path.parent)
    settings = {"seed": request.seed, "n_samples": request.n_pieces, "epochs": request.epochs}
    _check_same(path.with_name(path.name + ".part"), settings)
    return request


def _check_same(part: Path, settings: dict[str, float]) -> dict | None:
    """Return the state of a checkpoint of the same training, or None without one."""
    if not part.is_file():
        return None
    again = "delete it, and train from the beginning"
    check_whole(part, again)
    try:
        state = torch.load(part, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{part} is damaged or was cut short ({error}); {again}") from error
    differ = [name for name, value in settings.items() if state["asked"][name] != value]
    if differ:
        name = differ[0]
        raise ValueError(
            f"{part} is of a training with {name} {state['asked'][name]}, expected {settings[name]}: remove it, or "
            "go on with that one"
        )
    return state


def _resume(part: Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer, settings: dict[str, float]) -> int:
    """Load the checkpoint of the same training, and return the first epoch."""
    state = _check_same(part, settings)
    if state is None:
        return 0
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    return state["epoch"]
