"""Checkpoints on the Hugging Face hub: found in a folder or its local cache, or downloaded, safe weights first."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    CacheNotFound,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

# short name -> id; those of the loaders in features.audio, features.video and generation, which take seconds to import
MODELS = {
    "clap": "laion/larger_clap_music",
    "muq-mulan": "OpenMuQ/MuQ-MuLan-large",
    "w2v-bert": "facebook/w2v-bert-2.0",
    "encodec": "facebook/encodec_24khz",
    "musicldm": "ucsd-reach/musicldm",
    "musicgen": "facebook/musicgen-small",
    "ast": "MIT/ast-finetuned-audioset-10-10-0.4593",
    "clip": "openai/clip-vit-base-patch32",
    "siglip2": "google/siglip2-base-patch16-224",
    "blip-2": "Salesforce/blip2-itm-vit-g",
    "git": "microsoft/git-base",
    "deit": "facebook/deit-base-distilled-patch16-224",
    "x-clip": "microsoft/xclip-base-patch32",
    "videomae": "MCG-NJU/videomae-base",
    "v-jepa2": "facebook/vjepa2-vitl-fpc64-256",
    "animatediff": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "svd": "stabilityai/stable-video-diffusion-img2vid",
    "kandinsky": "kandinsky-community/kandinsky-2-2-decoder",
    "stable-unclip": "stabilityai/stable-diffusion-2-1-unclip",
}
DESCRIPTIONS = ("config.json", "model_index.json")  # of a model of transformers, of a pipeline of diffusers
_SAFE = ("*.safetensors",)
_FILES = ("*.json", "*.txt", *_SAFE)


@dataclass(frozen=True)
class CheckpointFiles:
    """Files of one kind of checkpoint.

    Attributes
    ----------
    check : callable
        Returns a folder that has what a loader needs; raises FileNotFoundError, naming what is missing.
    has_weights : callable
        Called with a folder and patterns of names: whether weights of one of them are there.
    pickled : tuple of str
        Patterns of weights that are downloaded only where there are no safetensors. They are read by
        ``torch.load(weights_only=True)``, which builds tensors and nothing else.
    needed : str
        Names of all files, for the message where there is no network.
    instead : str
        Sentence about what needs no download.
    """

    check: Callable[[Path], Path]
    has_weights: Callable[[Path, tuple[str, ...]], bool]
    pickled: tuple[str, ...]
    needed: str
    instead: str


def checkpoint_folder(name: str | Path, revision: str | None, files: CheckpointFiles, example: str) -> Path:
    """Return the folder of a checkpoint, downloaded if it is a hub id that is not in the local cache.

    Parameters
    ----------
    name : str or Path
        A folder, or an id on the hub.
    revision : str, optional
        Branch, tag or commit on the hub.
    files : CheckpointFiles
    example : str
        An id, for messages.

    Returns
    -------
    folder : Path

    Raises
    ------
    FileNotFoundError
        If there is no such folder, no such model, no network, or files are missing; naming them, and how to get them.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return files.check(folder)
    check_id(name, f"pass a folder written by save_pretrained, or an id such as {example!r}")
    with contextlib.suppress(LocalEntryNotFoundError, FileNotFoundError):
        cached = Path(snapshot_download(str(name), revision=revision, local_files_only=True))
        if files.has_weights(cached, _SAFE + files.pickled):
            return files.check(cached)
    advice = (
        f"It needs {files.needed}: where there is a network, run `hf download {name} --local-dir FOLDER`, then pass "
        f"that folder. {files.instead}"
    )
    with _explained(str(name), revision, advice):
        folder = Path(snapshot_download(str(name), revision=revision, allow_patterns=_FILES))
        if not files.has_weights(folder, _SAFE):
            folder = Path(snapshot_download(str(name), revision=revision, allow_patterns=_FILES + files.pickled))
    return files.check(folder)


def hub_file(name: str, file: str) -> Path:
    """Return one file of a model on the hub, downloaded if it is not in the local cache.

    Parameters
    ----------
    name : str
        Id of the model.
    file : str
        Path in it.

    Raises
    ------
    FileNotFoundError
        If it is not here and cannot be fetched; naming the file, and how to get it.
    """
    cached = try_to_load_from_cache(name, file)
    if isinstance(cached, str):
        return Path(cached)
    advice = f"Where there is a network, run `hf download {name} {file} --local-dir FOLDER`, then pass that file"
    with _explained(name, None, advice):
        return Path(hf_hub_download(name, file))


def check_id(name: str | Path, advice: str) -> None:
    """Check that ``name``, which is no folder, can be the id of a model.

    Raises
    ------
    FileNotFoundError
        With the advice.
    """
    try:
        validate_repo_id(str(name))
    except ValueError:
        raise FileNotFoundError(
            f"{str(name)!r} is not a folder, nor can it be the id of a model on the hub: {advice}"
        ) from None


def check_published(name: str, advice: str) -> None:
    """Check that the hub has a model of this id.

    Raises
    ------
    FileNotFoundError
        If it has not, or cannot be reached; then with the advice.
    """
    with _explained(name, None, advice):
        HfApi().model_info(name, timeout=10)


def cached_folder(source: str | Path) -> Path | None:
    """Return a folder, or that of a hub id in the local cache; None if it is not there yet."""
    if Path(source).is_dir():
        return Path(source)
    found = try_to_load_from_cache(str(source), "config.json")
    return Path(found).parent if isinstance(found, str) else None


def cached_models(folder: Path | None = None) -> dict[str, bool]:
    """Return the `MODELS` and all others of the hub's cache, by id: whether the cache has them.

    A download that was stopped has files, and no description of the model.
    """
    try:
        repositories = scan_cache_dir(folder).repos
    except CacheNotFound:
        repositories = frozenset()
    cached = {
        repository.repo_id: any(file.file_name in DESCRIPTIONS for one in repository.revisions for file in one.files)
        for repository in repositories
        if repository.repo_type == "model"
    }
    return {name: cached.get(name, False) for name in [*MODELS.values(), *sorted(cached.keys() - MODELS.values())]}


@contextlib.contextmanager
def _explained(name: str, revision: str | None, advice: str) -> Iterator[None]:
    """Raise what goes wrong on the hub as FileNotFoundError, with the way out."""
    try:
        yield
    except RepositoryNotFoundError:
        raise FileNotFoundError(
            f"{name!r} is not a folder, and the hub has no model of that name (or it is a gated one: log in with "
            "`hf auth login`)"
        ) from None
    except RevisionNotFoundError:
        raise FileNotFoundError(f"the model {name!r} has no revision {revision!r} on the hub") from None
    except Exception as error:
        # whichever library carries the request has its own errors; all mean that there was no answer
        raise FileNotFoundError(
            f"{name!r} is not a folder, not in the local cache, and the hub could not be reached "
            f"({type(error).__name__}). {advice}"
        ) from error
