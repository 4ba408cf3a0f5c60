"""Tokenizers of checkpoints, loaded only where their files are: transformers makes one up where they are not."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

import transformers
from transformers import PreTrainedTokenizerBase

from naturalistic.hub import cached_folder
from naturalistic.intact import check_whole

_WHOLE = "tokenizer.json"  # holds all of a tokenizer but options such as the names of special tokens
_OPTIONS = "tokenizer_config.json"
_READ = ("config.json", _WHOLE, _OPTIONS, "special_tokens_map.json", "added_tokens.json")
_MIXED = "The Paris CAT's naïve\tideas, isn't 12 it"


def load_tokenizer(source: str | Path, name: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a checkpoint, from files beside its weights and nothing else.

    Parameters
    ----------
    source : str or Path
        A folder, or the id of a model on the Hugging Face hub.
    name : str
        Name of the checkpoint, for messages.

    Returns
    -------
    tokenizer : transformers.PreTrainedTokenizerBase

    Raises
    ------
    FileNotFoundError
        If files are missing that transformers would make up; naming them and how to write them.
    ValueError
        If a file is a pointer, was cut short or cannot be read.
    """
    folder = cached_folder(source)
    if folder:
        _check_whole_files(folder, _READ)
    is_folder = Path(source).is_dir()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(source), trust_remote_code=False, local_files_only=is_folder
        )
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        if folder and not _any_vocabulary(folder):
            raise _missing(name, folder, [_WHOLE]) from error
        if is_folder:
            raise ValueError(
                f"the tokenizer of {name!r} in {source} cannot be read ({type(error).__name__}: {error})"
            ) from error
        raise
    if folder := cached_folder(source):
        _check_files(tokenizer, folder, name)
    return tokenizer


def _check_whole_files(folder: Path, files: Iterable[str]) -> None:
    for file in files:
        if (folder / file).is_file():
            check_whole(folder / file)


def _any_vocabulary(folder: Path) -> bool:
    """Return whether a folder has a file that may hold a vocabulary."""
    patterns = ("tokenizer.json", "tokenizer.*.json", "*vocab*", "*.model", "merges.txt", "tekken.json")
    return any(any(folder.glob(pattern)) for pattern in patterns)


def _check_files(tokenizer: PreTrainedTokenizerBase, folder: Path, name: str) -> None:
    """Check that a loaded tokenizer came from files, and that no option of it was invented."""
    parts = dict(getattr(type(tokenizer), "vocab_files_names", {}))
    parts.pop("tokenizer_file", None)
    versions = [path for path in folder.glob("tokenizer*.json") if path.name != _OPTIONS]
    if not versions:
        missing = [file for file in parts.values() if not (folder / file).is_file()]
        if missing or (not parts and getattr(tokenizer, "is_fast", False)):
            raise _missing(name, folder, missing or [_WHOLE])
        _check_whole_files(folder, parts.values())
    if not (folder / _OPTIONS).is_file() and getattr(tokenizer, "is_fast", False):
        _check_options(tokenizer, folder, name)


def _check_options(tokenizer: PreTrainedTokenizerBase, folder: Path, name: str) -> None:
    """Raise an error if options that transformers took for granted change what the tokenizer's own files say."""
    if (folder / _WHOLE).is_file():
        plain = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / _WHOLE))
        ids = [each(_MIXED, add_special_tokens=False)["input_ids"] for each in (plain, tokenizer)]
        differs = ids[0] != ids[1]
    else:
        differs = _lowers_a_cased_vocabulary(tokenizer)
    if differs:
        raise FileNotFoundError(
            f"{name!r} has no {_OPTIONS} in {folder}, and the options that transformers takes for granted (such as "
            f"lower case) are not those of its vocabulary: {_advice(folder)}"
        )


def _lowers_a_cased_vocabulary(tokenizer: PreTrainedTokenizerBase) -> bool:
    normalizer = tokenizer.backend_tokenizer.normalizer
    if normalizer is None or normalizer.normalize_str("A") != "a":
        return False
    special = set(tokenizer.all_special_tokens)
    words = [word for word in tokenizer.get_vocab() if word not in special and not word.startswith("[unused")]
    return any(word != word.lower() for word in words)


def _missing(name: str, folder: Path, files: Sequence[str]) -> FileNotFoundError:
    listed = _WHOLE if files == [_WHOLE] else f"{_WHOLE} or {' and '.join(files)}"
    return FileNotFoundError(
        f"{name!r} has no {listed}, expected it in {folder} beside the weights: without it transformers makes up a "
        f"tokenizer to which all words are alike. {_advice(folder)}"
    )


def _advice(folder: Path) -> str:
    return (
        "Write its files from where the model comes from, with "
        f"AutoTokenizer.from_pretrained(MODEL).save_pretrained({str(folder)!r}) or `hf download MODEL --local-dir "
        f"{shlex.quote(str(folder))}`"
    )
