"""Everything that turns text into vectors, by one name: language models, their own embeddings, word2vec files."""

import dataclasses
import functools
import hashlib
import importlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from huggingface_hub.errors import GatedRepoError

from naturalistic.datasets.words import without_marks
from naturalistic.features.devices import check_device
from naturalistic.features.text.language_model import MINILM, LanguageModel, load_model
from naturalistic.features.text.spans import encode
from naturalistic.features.text.word_vectors import SUFFIXES, open_word_vectors

STATIC = "static:"  # stands before the name of a model of which the input embeddings alone are wanted
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class StaticVectors:
    """The input embeddings of a model: what a token is, without context and position.

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
    def _table(self):
        return self.model.network.get_input_embeddings().weight.detach()

    @property
    def tokenizer(self):
        """Return the tokenizer of the model."""
        return self.model.tokenizer

    @property
    def dim(self):
        """Return the size of a vector."""
        return self._table.shape[1]

    @functools.cached_property
    def digest(self):
        """Return a hash of the model's, told apart from it."""
        return hashlib.sha256(f"{STATIC}{self.model.digest} without marks".encode()).hexdigest()

    def means(self, texts):
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
        means, counts = np.zeros((len(texts), self.dim), np.float32), np.zeros((len(texts), 2), int)
        for k, encoding in enumerate(encode(self.tokenizer, list(map(without_marks, texts)))):
            ids = encoding.ids[encoding.n_opening : len(encoding.ids) - encoding.n_closing]
            if len(ids):
                means[k] = self._table[ids].float().mean(0).cpu().numpy()
            counts[k, 0] = len(ids)
        return means, counts


def load(name=MINILM, device="cpu", dtype="float32", device_map=None):
    """Load what gives vectors of text; only tensors are read, and no code is run.

    Parameters
    ----------
    name : str or Path
        - "minilm" (no network needed), a folder, or the id of a model on the Hugging Face hub, such as
          "bert-base-uncased", "gpt2-large", "facebook/opt-6.7b" or "meta-llama/Llama-2-7b-hf" (gated).
        - "static:" and one of these: its input embeddings alone.
        - a file of word vectors of word2vec or GloVe, binary or text.
    device : str
        "cpu", "cuda".
    dtype : {"float32", "bfloat16", "float16"}
        Of the parameters. A model of 7 billion has 28 GB in float32 and 14 GB in bfloat16.
    device_map : str or dict, optional
        Spread the model over several GPUs and, where they do not suffice, main memory, as accelerate does: "auto", or
        devices by part. It is first loaded into main memory.

    Returns
    -------
    model : LanguageModel, StaticVectors or WordVectors
        With ``name``, ``n_layers``, ``dim`` and ``digest``, for `levels.level_features`.

    Raises
    ------
    FileNotFoundError, ValueError
        See `language_model.load_model` and `word_vectors.open_word_vectors`; an unknown device or dtype.
    PermissionError
        If the model is gated, with the page of its licence and how to log in.
    ImportError
        If ``device_map`` is given and accelerate is not installed.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}, expected one of {', '.join(map(repr, DTYPES))}")
    check_device(device)
    if str(name).startswith(STATIC):
        return StaticVectors(str(name), _load_network(str(name).removeprefix(STATIC), device, dtype, None))
    path = Path(name).expanduser()
    if path.is_file() or (path.suffix in SUFFIXES and not path.is_dir()):
        return open_word_vectors(name)
    return _load_network(name, device, dtype, device_map)


def _load_network(name, device, dtype, device_map):
    accelerate = None if device_map is None else _accelerate()
    try:
        model = load_model(name, "cpu" if accelerate else device, dtype)
    except (OSError, ValueError) as error:
        if _is_gated(error):
            raise PermissionError(
                f"{name!r} is a gated model: accept its licence at https://huggingface.co/{name}, make a token at "
                "https://huggingface.co/settings/tokens, and log in with `hf auth login` (or set HF_TOKEN). A folder "
                "that holds the model needs no log-in; 'facebook/opt-6.7b' is as large and open"
            ) from error
        raise
    return _spread(model, accelerate, device_map) if accelerate else model


def _is_gated(error):
    """Whether the hub refused for want of a licence; other libraries wrap what it said."""
    while error is not None:
        if isinstance(error, GatedRepoError) or "access a gated repo" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _accelerate():
    try:
        return importlib.import_module("accelerate")
    except ImportError:
        raise ImportError(
            "device_map needs the package accelerate: pip install accelerate; or pass device='cuda' and no device_map, "
            "if one GPU holds the model"
        ) from None


def _spread(model, accelerate, device_map):
    """Return the model with its parts where ``device_map`` says."""
    network = model.network
    if device_map == "auto":
        whole = getattr(network, "_no_split_modules", None)
        device_map = accelerate.infer_auto_device_map(network, no_split_module_classes=sorted(whole or []))
    network = accelerate.dispatch_model(network, device_map)
    # inputs go to where the embeddings run; those kept in main memory are moved to the first GPU by their hook
    first = next((str(place) for place in device_map.values() if str(place) not in ("cpu", "disk")), "cpu")
    device = f"cuda:{first}" if first.isdigit() else first
    return dataclasses.replace(model, network=network, device=device if torch.cuda.is_available() else "cpu")
