"""MusicLDM and MusicGen: small random checkpoints of the same classes, from disk to sound."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from naturalistic import generation, hub
from naturalistic.features import audio
from naturalistic.features.audio.embedder import Embedder
from naturalistic.generation import musicgen, musicldm
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    ClapFeatureExtractor,
    ClapModel,
    EncodecModel,
    MusicgenConfig,
    MusicgenForConditionalGeneration,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
)

from tests.helpers.checkpoints import save_clap, save_encodec, save_tokenizer
from tests.helpers.devices import DEVICE, HALF, on_device

DIM = 12
VECTORS = np.random.default_rng(0).standard_normal((3, DIM)).astype(np.float32)


def save_musicldm(folder):
    """A pipeline of a few thousand random weights, as `save_pretrained` writes it."""
    from diffusers import AutoencoderKL, DDIMScheduler, MusicLDMPipeline, UNet2DConditionModel

    torch.manual_seed(0)
    parts = folder.with_name("clap")
    parts.mkdir()
    save_clap(parts)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=1, sample_size=32, in_channels=4,
        out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), attention_head_dim=4,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=(8, 16),
        class_embed_type="simple_projection", projection_class_embeddings_input_dim=DIM, class_embeddings_concat=True,
    )  # fmt: skip
    scheduler = DDIMScheduler(
        beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=[8, 16], in_channels=1, out_channels=1, norm_num_groups=4, latent_channels=4,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
    )  # fmt: skip
    vocoder = SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=8, sampling_rate=16000, upsample_initial_channel=16, upsample_rates=[4, 4, 10],
            upsample_kernel_sizes=[8, 8, 20], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]],
            normalize_before=False,
        )
    )  # fmt: skip
    for weight in vocoder.parameters():
        weight.data *= 20  # else so small a vocoder gives next to nothing
    MusicLDMPipeline(
        vae=vae, text_encoder=ClapModel.from_pretrained(parts), tokenizer=AutoTokenizer.from_pretrained(parts),
        feature_extractor=ClapFeatureExtractor.from_pretrained(parts), unet=unet, scheduler=scheduler, vocoder=vocoder,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def save_musicgen(folder, channels=1):
    torch.manual_seed(0)
    codec = folder.with_name(f"codec{channels}")
    codec.mkdir()
    save_encodec(codec, codebook_size=16, upsampling_ratios=[8, 5, 4, 2], target_bandwidths=[1.2])
    n_words = save_tokenizer(folder)
    text = T5Config(
        vocab_size=n_words, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, is_encoder_decoder=False
    )
    decoder = {"vocab_size": 16, "hidden_size": 16, "num_hidden_layers": 1, "ffn_dim": 32, "num_attention_heads": 2,
               "num_codebooks": 4 * channels, "pad_token_id": 16, "bos_token_id": 16, "audio_channels": channels,
               "max_position_embeddings": 512}  # fmt: skip
    encodec = EncodecModel.from_pretrained(codec)
    config = MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=encodec.config.to_dict(), decoder=decoder)
    model = MusicgenForConditionalGeneration(config)
    model.audio_encoder.load_state_dict(encodec.state_dict())
    for weight in model.decoder.parameters():
        weight.data *= 5 if weight.ndim > 1 else 1  # else words hardly change what so small a decoder says
    model.generation_config.update(
        do_sample=True, guidance_scale=3.0, decoder_start_token_id=16, pad_token_id=16, bos_token_id=16
    )
    model.save_pretrained(folder)
    return folder


def joint(dim=DIM, reads=True):
    """An embedder whose words lie along the axes, in the order of their lengths."""

    def read(sentences):
        return np.eye(dim, dtype=np.float32)[[len(sentence) % dim for sentence in sentences]]

    return Embedder("joint", 16000, 10, 1.5, dim, lambda x: x[:, :dim], read if reads else None)


WORDS = ["a", "bb", "ccc", "dddd"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    made = {"musicldm": place / "musicldm", "musicgen": place / "musicgen"}
    made["musicgen"].mkdir()
    save_musicldm(made["musicldm"])
    save_musicgen(made["musicgen"])
    return made


@pytest.fixture(scope="module")
def generators(folders):
    return {
        "musicldm": generation.load(folders["musicldm"], steps=2),
        "musicgen": generation.load(folders["musicgen"], embedder=joint(), words=WORDS, n_words=2),
    }


RATES = {"musicldm": 16000, "musicgen": 24000}
NAMES = sorted(RATES)
SECONDS = 0.12


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_from_disk_to_sound(generators, name):
    generator = generators[name]
    assert (generator.dim, generator.sample_rate) == (DIM, RATES[name])
    waveform, rate = generator.generate(VECTORS[0], seed=1, duration=SECONDS)
    assert waveform.shape == (round(SECONDS * rate),) and waveform.dtype == np.float32 and rate == RATES[name]
    assert np.isfinite(waveform).all() and waveform.std() > 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_vectors_make_the_piece_and_nothing_else_does(generators, name, capsys):
    generator = generators[name]
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    pieces, _ = generator.generate_all(VECTORS[[0, 0, 1]], [1, 2, 1], SECONDS, progress=False)
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's own random numbers are left alone"
    again = generator.generate(VECTORS[0], 1, SECONDS)[0]
    np.testing.assert_array_equal(again, pieces[0])
    scale = pieces[0].std()
    np.testing.assert_allclose(generator.generate(7 * VECTORS[0], 1, SECONDS)[0], pieces[0], atol=1e-3 * scale)
    assert np.abs(pieces[0] - pieces[1]).max() > 0.1 * scale, "another seed, another piece"
    assert np.abs(pieces[0] - pieces[2]).max() > 1e-3 * scale, "another vector, another piece"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("vectors", "seeds", "duration", "message"),
    [
        (VECTORS[:, :5], [1, 2, 3], 1, r"embeddings have shape \(3, 5\), expected \(n, 12\)"),
        (VECTORS * np.nan, [1, 2, 3], 1, "3 of 3 rows are not finite"),
        (0 * VECTORS, [1, 2, 3], 1, "rows are zero"),
        (VECTORS, [1, 2], 1, "seeds: 2 for 3 embeddings"),
        (VECTORS, [1, 2, 3], 0, "duration is 0 s"),
    ],
)
def test_bad_vectors(generators, name, vectors, seeds, duration, message):
    with pytest.raises(ValueError, match=message):
        generators[name].generate_all(vectors, seeds, duration)


# --- MusicLDM -------------------------------------------------------------------------------------------------


def plain_musicldm(folder, vectors, seeds, guidance, nothing=None):
    from diffusers import MusicLDMPipeline

    pipeline = MusicLDMPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    unit = torch.from_numpy(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    noises = [torch.Generator().manual_seed(seed) for seed in seeds]
    with torch.inference_mode():
        if nothing is not None:
            inputs = pipeline.tokenizer([nothing], padding="max_length", max_length=DIM, return_tensors="pt")
            ids, mask = inputs["input_ids"], inputs["attention_mask"]
            nothing = pipeline.text_encoder.get_text_features(ids, attention_mask=mask).pooler_output
            assert torch.linalg.norm(nothing) == pytest.approx(1, abs=1e-5), "what conditions it has length 1"
        return pipeline(
            prompt_embeds=unit, negative_prompt_embeds=nothing if nothing is None else nothing.expand(len(unit), -1),
            audio_length_in_s=SECONDS, num_inference_steps=2, guidance_scale=guidance, generator=noises,
        ).audios  # fmt: skip


@pytest.mark.parametrize(("guidance", "nothing"), [(2.0, ""), (1.0, None)])
def test_equal_to_the_plain_pipeline(folders, generators, guidance, nothing):
    """The empty sentence as the pipeline itself pads it."""
    expected = plain_musicldm(folders["musicldm"], VECTORS, [1, 2, 3], guidance, nothing)
    generator = dataclasses.replace(generators["musicldm"], guidance=guidance, batch_size=2)
    found, _ = generator.generate_all(VECTORS, [1, 2, 3], SECONDS, progress=False)
    np.testing.assert_allclose(np.stack(found), expected, atol=1e-4 * expected.std())


@pytest.mark.slow
def test_guidance_and_steps_count(generators, folders):
    few = generators["musicldm"]
    first = few.generate(VECTORS[0], 1, SECONDS)[0]
    for option in ({"guidance": 5.0}, {"steps": 3}):
        other = dataclasses.replace(few, **option).generate(VECTORS[0], 1, SECONDS)[0]
        assert np.abs(first - other).max() > 1e-3 * first.std()
    asked = generation.load(folders["musicldm"], steps=7, guidance=1.5, batch_size=4)
    assert (asked.steps, asked.guidance, asked.batch_size, few.guidance) == (7, 1.5, 4, 2.0)


def test_its_own_clap_can_be_loaded(folders, tmp_path, generators):
    embedder = audio.load(musicldm.extract_clap(folders["musicldm"], tmp_path / "clap"))
    assert embedder.dim == DIM and embedder.has_text
    nothing = generators["musicldm"]._empty_sentence().numpy()[0]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "clap")
    assert tokenizer("")["input_ids"] == [0, 2]
    np.testing.assert_allclose(np.linalg.norm(nothing), 1, atol=1e-5)
    assert embedder.embed_text(["a trumpet"])[0] @ nothing < 0.999999


def test_without_diffusers(folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ImportError, match=r"MusicLDM needs diffusers.*pip install 'naturalistic\[generate\]'"):
        generation.load(folders["musicldm"])


def copy(folders, name, to):
    return Path(shutil.copytree(folders[name], to / name))


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def drop(path):
    weights = load_file(path)
    weights.pop(min(weights))
    save_file(weights, path, metadata={"format": "pt"})


def other_unet(folder, dim):
    from diffusers import UNet2DConditionModel

    config = dict(UNet2DConditionModel.load_config(folder))
    UNet2DConditionModel.from_config(config | {"projection_class_embeddings_input_dim": dim}).save_pretrained(folder)


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


BROKEN = [
    ("musicldm", lambda f: cut(f / "unet/diffusion_pytorch_model.safetensors"), ValueError,
     r"unet.diffusion_pytorch_model\.safetensors was cut short: it has .* bytes; fetch it again"),
    ("musicldm", lambda f: cut(f / "text_encoder/model.safetensors"), ValueError,
     r"text_encoder.model\.safetensors was cut short: it has .* bytes; fetch it again"),
    ("musicldm", lambda f: drop(f / "vae/diffusion_pytorch_model.safetensors"), ValueError,
     "vae' lacks 1 parameters of AutoencoderKL"),
    ("musicldm", lambda f: drop(f / "vocoder/model.safetensors"), ValueError, "vocoder' lacks 1 parameters"),
    ("musicldm", lambda f: shutil.rmtree(f / "vocoder"), FileNotFoundError, "lacks vocoder in .*expected the folders"),
    ("musicldm", lambda f: (f / "tokenizer/tokenizer.json").unlink(), FileNotFoundError, "has no tokenizer.json"),
    ("musicldm", lambda f: rewrite(f / "scheduler/scheduler_config.json", _class_name="os"), ValueError,
     "has the scheduler 'os', expected one of diffusers"),
    ("musicldm", lambda f: (f / "scheduler/scheduler_config.json").unlink(), FileNotFoundError,
     "has no scheduler_config.json, expected it in .*scheduler"),
    ("musicldm", lambda f: other_unet(f / "unet", DIM + 1), ValueError,
     f"its CLAP has {DIM} dimensions and its unet takes {DIM + 1}: not one checkpoint"),
    ("musicldm", lambda f: rewrite(f / "model_index.json", _class_name="AudioLDMPipeline"), ValueError,
     r"is a pipeline of diffusers \(AudioLDMPipeline\), expected one of MusicLDMPipeline \(musicldm\), musicgen"),
    ("musicldm", lambda f: (f / "model_index.json").write_text("{"), ValueError, "model_index.json is not JSON"),
    ("musicldm", lambda f: (f / "model_index.json").unlink(), FileNotFoundError,
     "has no model_index.json and no config.json"),
    ("musicldm", lambda f: (f / "tokenizer/tokenizer.json").write_text("{"), ValueError,
     r"tokenizer.tokenizer\.json is not JSON.* fetch it again"),
    ("musicgen", lambda f: cut(f / "model.safetensors"), ValueError,
     r"model\.safetensors was cut short: it has .* bytes; fetch it again"),
    ("musicgen", lambda f: drop(f / "model.safetensors"), ValueError, "lacks 1 parameters of Musicgen"),
    ("musicgen", lambda f: (f / "tokenizer.json").unlink(), FileNotFoundError, "has no tokenizer.json"),
    ("musicgen", lambda f: rewrite(f / "config.json", model_type="gpt2"), ValueError,
     r"model_type 'gpt2' \(Musicgen\w+\), expected one of MusicLDMPipeline \(musicldm\), musicgen \(musicgen\)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "damage", "error", "message"), BROKEN)
def test_damaged_checkpoints(folders, tmp_path, name, damage, error, message):
    folder = copy(folders, name, tmp_path)
    damage(folder)
    options = {"embedder": joint(), "words": WORDS} if name == "musicgen" else {}
    with pytest.raises(error, match=message):
        generation.load(folder, **options)


def test_an_adapter_names_what_it_got(folders):
    with pytest.raises(ValueError, match=r"MusicLDMPipeline\), expected model_type 'musicgen'"):
        musicgen.load(folders["musicldm"], embedder=joint())
    with pytest.raises(ValueError, match=r"model_type 'musicgen' .*, expected MusicLDMPipeline"):
        musicldm.load(folders["musicgen"])


def test_sound_that_is_not_finite_is_not_handed_on(folders):
    generator = generation.load(folders["musicldm"], steps=1, guidance=1.0)
    with torch.no_grad():
        next(generator.parts.vocoder.parameters()).fill_(np.nan)
    with pytest.raises(RuntimeError, match="gave sound that is not finite: load it with dtype='float32'"):
        generator.generate(VECTORS[0], 0, SECONDS)


# --- MusicGen -------------------------------------------------------------------------------------------------


def test_a_vector_is_put_into_words(generators):
    words = generators["musicgen"].words
    vector = np.zeros(DIM)
    vector[[3, 2, 1]] = 5, 9, -1
    assert words(vector) == "bb, ccc" == words(100 * vector)
    with pytest.raises(ValueError, match=r"expected \(n, 12\)"):
        words(vector[:4])


@pytest.mark.slow
def test_the_best_of_each_kind_is_said(folders):
    kinds = {"genre": ["a", "bb"], "instrument": ["ccc", "dddd"]}
    generator = generation.load(folders["musicgen"], embedder=joint(), words=kinds)
    vector = np.zeros(DIM)
    vector[[1, 4]] = 1, 1
    assert generator.words(vector) == "a, dddd"
    default = generation.load(folders["musicgen"], embedder=joint())
    said = default.words(vector).split(", ")
    assert [word in listed for word, listed in zip(said, musicgen.WORDS.values())] == [True] * 4


@pytest.mark.slow
def test_equal_to_plain_transformers(folders, generators):
    generator = generators["musicgen"]
    text = generator.words(VECTORS[0])
    model = MusicgenForConditionalGeneration.from_pretrained(folders["musicgen"]).eval()
    inputs = AutoTokenizer.from_pretrained(folders["musicgen"])(
        [text], return_tensors="pt", return_token_type_ids=False
    )
    torch.manual_seed(1)
    with torch.inference_mode():
        plain = model.generate(**inputs, do_sample=True, guidance_scale=3.0, max_new_tokens=13)[0, 0].numpy()
    found = generator.generate(VECTORS[0], 1, SECONDS)[0]
    np.testing.assert_allclose(found, plain[: len(found)], atol=1e-5 * plain.std())


def test_two_channels_are_mixed_down(tmp_path):
    (tmp_path / "stereo").mkdir()
    generator = generation.load(save_musicgen(tmp_path / "stereo", channels=2), embedder=joint(), words=WORDS)
    assert generator.generate(VECTORS[0], 1, 0.05)[0].shape == (1200,)


def test_a_piece_longer_than_the_model_can_count(generators):
    with pytest.raises(ValueError, match=r"duration is 11 s, expected at most 6.77333 s"):
        generators["musicgen"].generate(VECTORS[0], 1, 11)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"embedder": joint(reads=False)}, ValueError, "joint hears and does not read"),
        ({"embedder": joint(), "words": []}, ValueError, "n_words is 3, expected from 1 to 0"),
        ({"embedder": joint(), "words": {"genre": []}}, ValueError, "words is empty, or a kind of it"),
        ({"embedder": joint(), "words": "jazz"}, TypeError, "words is the string 'jazz', expected a list"),
        ({"embedder": joint(), "words": WORDS, "n_words": 5}, ValueError, "n_words is 5, expected from 1 to 4"),
        ({"guidance": np.nan}, ValueError, "guidance is nan"),
        ({"steps": 3}, ValueError, "steps: no option of .*, expected one of embedder, words"),
    ],
)
def test_bad_options_of_musicgen(folders, options, error, message):
    with pytest.raises(error, match=message):
        generation.load(folders["musicgen"], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0, expected a whole number, 1 or more"),
        ({"steps": 2.5}, "steps is 2.5"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"guidance": np.inf}, "guidance is inf"),
        ({"dtype": "float16"}, "'float16' on device 'cpu', expected a GPU"),
        ({"device": "tpu9"}, "device is 'tpu9'"),
        ({"words": []}, "words: no option of .*, expected one of dtype, steps"),
    ],
)
def test_bad_options_of_musicldm(folders, options, message):
    with pytest.raises(ValueError, match=message):
        generation.load(folders["musicldm"], **options)


# --- Where they are found -------------------------------------------------------------------------------------


def no_network(*_, local_files_only=False, **__):
    from huggingface_hub.errors import LocalEntryNotFoundError

    raise LocalEntryNotFoundError("no") if local_files_only else ConnectionError("no route")


@pytest.mark.parametrize(
    ("name", "file"),
    [("musicldm", "model_index.json"), ("musicgen", "config.json"), ("someone/else", "model_index.json and folders")],
)
def test_without_a_network_the_error_says_how_to_get_the_files(name, file, monkeypatch):
    monkeypatch.setattr(hub, "snapshot_download", no_network)
    message = (
        rf"could not be reached.*{'model_index.json' if 'index' in file else file}.*`hf download \S+/\S+ --local-dir"
    )
    with pytest.raises(FileNotFoundError, match=message):
        generation.load(name)


def test_what_is_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="not a folder, nor can it be the id"):
        generation.load("no such/model/at all")
    with pytest.raises(FileNotFoundError, match=r"has no model_index.json and no config.json"):
        generation.load(tmp_path)


@on_device
@pytest.mark.parametrize("name", NAMES)
def test_on_a_gpu(folders, generators, name):
    options = {"steps": 2} if name == "musicldm" else {"embedder": joint(), "words": WORDS, "n_words": 2}
    for dtype in ("float32", *HALF):
        generator = generation.load(folders[name], DEVICE, dtype=dtype, **options)
        waveform = generator.generate(VECTORS[0], 1, SECONDS)[0]
        np.testing.assert_array_equal(generator.generate(VECTORS[0], 1, SECONDS)[0], waveform)
        assert np.isfinite(waveform).all() and waveform.shape == (round(SECONDS * RATES[name]),)
        if name == "musicldm" and dtype == "float32":  # its noise is drawn on the CPU
            expected = generators[name].generate(VECTORS[0], 1, SECONDS)[0]
            np.testing.assert_allclose(waveform, expected, atol=0.05 * expected.std())
