"""The parts of a diffusion pipeline, each loaded and checked by itself.

The pipeline's own loader fills gaps in the weights with random numbers and a warning; here a gap is an error.
"""

import inspect

from safetensors import SafetensorError
from transformers import ClapFeatureExtractor, ClapModel, SpeechT5HifiGan

from naturalistic.features.audio import checkpoint
from naturalistic.features.text.language_model import quiet
from naturalistic.features.weight_files import check_weights
from naturalistic.intact import read_json

PARTS = ("text_encoder", "tokenizer", "feature_extractor", "unet", "vae", "vocoder", "scheduler")


def assemble(diffusers, folder, name):
    """Return a `diffusers.MusicLDMPipeline`, on the CPU, float32.

    Parameters
    ----------
    diffusers : module
        Handed over, so that this library can be imported without it.
    folder : Path
        As `save_pretrained` wrote it.
    name : str
        Of the checkpoint, for messages.

    Raises
    ------
    FileNotFoundError, ValueError
        If a part is missing, damaged, lacks parameters or does not fit the others; naming it.
    """
    if missing := [part for part in PARTS if not (folder / part).is_dir()]:
        raise FileNotFoundError(
            f"{name!r} lacks {', '.join(missing)} in {folder}, expected the folders {', '.join(PARTS)}"
        )
    parts = {
        "text_encoder": _network(folder, "text_encoder", ClapModel, name),
        "tokenizer": checkpoint.tokenizer_of(folder / "tokenizer", name),
        "feature_extractor": checkpoint.extractor_of(folder / "feature_extractor", ClapFeatureExtractor, name),
        "unet": _network(folder, "unet", diffusers.UNet2DConditionModel, name),
        "vae": _network(folder, "vae", diffusers.AutoencoderKL, name),
        "vocoder": _network(folder, "vocoder", SpeechT5HifiGan, name),
        "scheduler": _scheduler(diffusers, folder / "scheduler", name),
    }
    dims = parts["text_encoder"].config.projection_dim, parts["unet"].config.projection_class_embeddings_input_dim
    if dims[0] != dims[1]:
        raise ValueError(
            f"{name!r}: its CLAP has {dims[0]} dimensions and its unet takes {dims[1]}: not one checkpoint"
        )
    log = diffusers.utils.logging
    verbosity = log.get_verbosity()
    log.set_verbosity_error()  # that the pipeline gets no new features is said at each construction
    try:
        return diffusers.MusicLDMPipeline(**parts)
    finally:
        log.set_verbosity(verbosity)


def _network(folder, part, cls, name):
    """Return a part in evaluation mode, float32; see `checkpoint.load_network` for what is refused."""
    called = f"{name}/{part}"
    if cls.__module__.startswith("transformers"):
        return checkpoint.load_network(folder / part, cls, called, "cpu")
    check_weights(folder / part)
    try:
        with quiet():
            network, info = cls.from_pretrained(
                folder / part, local_files_only=True, low_cpu_mem_usage=False, output_loading_info=True
            )
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ValueError(
            f"{called!r} cannot be read in {folder / part}, its weights are missing or damaged: {error}"
        ) from error
    if missing := sorted(info["missing_keys"]):
        raise ValueError(
            f"{called!r} lacks {len(missing)} parameters of {cls.__name__} ({missing[0]}, ...): the checkpoint is "
            "of another class, or not complete"
        )
    return network.float().eval().requires_grad_(False)


def _scheduler(diffusers, folder, name):
    """Return the scheduler that a folder names, if it is one of diffusers."""
    path = folder / "scheduler_config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{name!r} has no scheduler_config.json, expected it in {folder}")
    kind = read_json(path).get("_class_name", "")
    cls = getattr(diffusers, kind, None) if kind.endswith("Scheduler") else None
    if not inspect.isclass(cls):
        raise ValueError(f"{name!r} has the scheduler {kind!r}, expected one of diffusers, such as DDIMScheduler")
    return cls.from_pretrained(folder, local_files_only=True)
