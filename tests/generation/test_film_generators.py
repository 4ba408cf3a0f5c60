"""AnimateDiff, Stable Video Diffusion, Kandinsky and Stable unCLIP: small random checkpoints, from disk to frames."""

import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from naturalistic import generation, hub
from naturalistic.generation import animatediff, stable_video
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from tests.helpers.checkpoints import save_tokenizer
from tests.helpers.devices import DEVICE, HALF, on_device

DIMS = {"animatediff": 10, "svd": 12, "kandinsky": 14, "stable-unclip": 6}
NAMES = sorted(DIMS)
WIDTH = 8  # of the attention to words
SIZE = 16
UNET = {"block_out_channels": (8, 16), "norm_num_groups": 4, "layers_per_block": 1, "sample_size": 2,
        "attention_head_dim": 4}  # fmt: skip
CROSS = {"down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
         "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "cross_attention_dim": WIDTH}  # fmt: skip
VAE = {"block_out_channels": (4, 4, 8, 8), "norm_num_groups": 2, "latent_channels": 4,
       "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}  # fmt: skip


def save_text(folder):
    (folder / "tokenizer").mkdir(parents=True)
    n_words = save_tokenizer(folder / "tokenizer")
    path = folder / "tokenizer" / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": 8}))
    config = CLIPTextConfig(
        vocab_size=n_words, hidden_size=WIDTH, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=8, bos_token_id=0, eos_token_id=2, pad_token_id=1,
    )  # fmt: skip
    CLIPTextModel(config).save_pretrained(folder / "text_encoder")


def save_index(folder, name):
    (folder / "model_index.json").write_text(json.dumps({"_class_name": name}))


def save_adapter(path, unet, width=WIDTH, dim=DIMS["animatediff"]):
    """Weights of an IP-Adapter of four tokens, for each attention to words of a network with motion."""
    sizes = [
        module.to_q.out_features
        for key, module in unet.named_modules()
        if key.endswith("attn2") and "motion_modules" not in key
    ]
    weights = {"image_proj.proj.weight": torch.randn(4 * width, dim), "image_proj.proj.bias": torch.randn(4 * width),
               "image_proj.norm.weight": torch.ones(width), "image_proj.norm.bias": torch.zeros(width)}  # fmt: skip
    for k, size in enumerate(sizes):
        for part in ("k", "v"):
            weights[f"ip_adapter.{2 * k + 1}.to_{part}_ip.weight"] = torch.randn(size, width)
    save_file(weights, path)


def save_animatediff(folder):
    import diffusers

    unet = diffusers.UNet2DConditionModel(**UNET, **CROSS, in_channels=4, out_channels=4)
    unet.save_pretrained(folder / "unet")
    diffusers.AutoencoderKL(**VAE).save_pretrained(folder / "vae")
    save_text(folder)
    diffusers.DDIMScheduler(clip_sample=False, steps_offset=1).save_pretrained(folder / "scheduler")
    save_index(folder, "StableDiffusionPipeline")
    motion = diffusers.MotionAdapter(
        block_out_channels=(8, 16), motion_layers_per_block=1, motion_norm_num_groups=4, motion_num_attention_heads=2,
        motion_max_seq_length=6, motion_mid_block_layers_per_block=1,
    )  # fmt: skip
    motion.save_pretrained(folder / "motion")
    save_adapter(folder / "ip.safetensors", diffusers.UNetMotionModel.from_unet2d(unet, motion))


def save_svd(folder):
    import diffusers

    diffusers.UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=2, num_frames=3, cross_attention_dim=DIMS["svd"],
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"), num_attention_heads=(2, 4),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"), addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=12,
    ).save_pretrained(folder / "unet")  # fmt: skip
    diffusers.AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 32, 32, 32), down_block_types=("DownEncoderBlock2D",) * 4, layers_per_block=1
    ).save_pretrained(folder / "vae")
    diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
        use_karras_sigmas=True, timestep_type="continuous", sigma_max=700.0, sigma_min=0.002,
        interpolation_type="linear", timestep_spacing="leading", steps_offset=1,
    ).save_pretrained(folder / "scheduler")  # fmt: skip
    save_index(folder, "StableVideoDiffusionPipeline")


def save_kandinsky(folder):
    import diffusers

    diffusers.UNet2DConditionModel(
        **UNET, in_channels=4, out_channels=8, cross_attention_dim=WIDTH, encoder_hid_dim=DIMS["kandinsky"],
        encoder_hid_dim_type="image_proj", addition_embed_type="image", mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), resnet_time_scale_shift="scale_shift",
    ).save_pretrained(folder / "unet")  # fmt: skip
    diffusers.VQModel(
        block_out_channels=(32,) * 4, down_block_types=("DownEncoderBlock2D",) * 3 + ("AttnDownEncoderBlock2D",),
        up_block_types=("AttnUpDecoderBlock2D",) + ("UpDecoderBlock2D",) * 3, latent_channels=4,
        num_vq_embeddings=8, norm_type="spatial", vq_embed_dim=4,
    ).save_pretrained(folder / "movq")  # fmt: skip
    diffusers.DDPMScheduler(
        beta_schedule="linear", clip_sample=False, variance_type="learned_range"
    ).save_pretrained(folder / "scheduler")  # fmt: skip
    save_index(folder, "KandinskyV22Pipeline")


def save_stable_unclip(folder):
    import diffusers
    from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer

    dim = DIMS["stable-unclip"]
    diffusers.UNet2DConditionModel(
        **UNET, **CROSS, in_channels=4, out_channels=4, class_embed_type="projection",
        projection_class_embeddings_input_dim=2 * dim,
    ).save_pretrained(folder / "unet")  # fmt: skip
    diffusers.AutoencoderKL(**VAE).save_pretrained(folder / "vae")
    save_text(folder)
    StableUnCLIPImageNormalizer(dim).save_pretrained(folder / "image_normalizer")
    diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2").save_pretrained(folder / "image_noising_scheduler")
    diffusers.DDIMScheduler(clip_sample=False, steps_offset=1).save_pretrained(folder / "scheduler")
    save_index(folder, "StableUnCLIPImg2ImgPipeline")


SAVE = {"animatediff": save_animatediff, "svd": save_svd, "kandinsky": save_kandinsky,
        "stable-unclip": save_stable_unclip}  # fmt: skip
OPTIONS = {"animatediff": {"n_frames": 4}, "svd": {}, "kandinsky": {"n_frames": 2, "size": 64}, "stable-unclip": {}}
SIZES = {"kandinsky": 64}
N_FRAMES = {"animatediff": 4, "svd": 3, "kandinsky": 2, "stable-unclip": 1}


def load(name, folder, **changes):
    options = {"steps": 2, "size": SIZE, **OPTIONS[name]} | changes
    if name == "animatediff":
        options = {"motion_adapter": folder / "motion", "ip_adapter": folder / "ip.safetensors"} | options
    return generation.load(folder, **options)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("film-generators")
    for name, save in SAVE.items():
        torch.manual_seed(0)
        (place / name).mkdir()
        save(place / name)
    return {name: place / name for name in SAVE}


@pytest.fixture(scope="module")
def generators(folders):
    return {name: load(name, folder) for name, folder in folders.items()}


def vectors(name, n=2):
    return np.random.default_rng(0).standard_normal((n, DIMS[name])).astype(np.float32)


def films(name, n=2):
    """Blurry films where the generator takes them."""
    if name not in ("animatediff", "svd"):
        return None
    return np.random.default_rng(1).integers(0, 256, (n, 5, 12, 20, 3), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_from_disk_to_frames(generators, name, capsys):
    generator = generators[name]
    size = SIZES.get(name, SIZE)
    assert (generator.dim, generator.n_frames, generator.size) == (DIMS[name], N_FRAMES[name], (size, size))
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    two = vectors(name)
    blurry = films(name)
    frames = generator.generate_all(two, [1, 2], blurry, progress=False)
    assert frames.shape == (2, N_FRAMES[name], size, size, 3) and frames.dtype == np.uint8
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's own random numbers are left alone"
    own = None if blurry is None else blurry[1]
    np.testing.assert_array_equal(generator.generate(two[1], 2, own), frames[1])
    assert (generator.generate(two[1], 3, own) != frames[1]).any(), "another seed, another film"
    assert (generator.generate(-3 * two[1], 2, own) != frames[1]).any(), "another vector, another film"
    if name in ("kandinsky", "stable-unclip"):
        assert (frames == frames[:, :1]).all(), "a picture does not move"
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_animatediff_from_noise_and_from_a_film(generators):
    generator = generators["animatediff"]
    vector = vectors("animatediff")[0]
    blurry = films("animatediff")
    from_noise = generator.generate(vector, 1)
    assert from_noise.shape == (4, SIZE, SIZE, 3)
    first, second = (generator.generate(vector, 1, film) for film in blurry)
    assert (first != second).any() and (first != from_noise).any(), "another film, another film"


@pytest.mark.slow
def test_animatediff_is_the_plain_pipeline(folders, generators):
    """What is handed over: the vector against zeros, the prompt, the noise."""
    import diffusers

    folder = folders["animatediff"]
    generator = generators["animatediff"]
    from_noise, _ = generator.pipeline
    vector = torch.from_numpy(vectors("animatediff"))[:1, None]
    with torch.inference_mode():
        expected = from_noise(
            prompt="", num_frames=4, height=SIZE, width=SIZE, num_inference_steps=2, guidance_scale=7.5,
            ip_adapter_image_embeds=[torch.cat([0 * vector, vector])], generator=torch.Generator().manual_seed(1),
            output_type="np",
        ).frames[0]  # fmt: skip
    found = generator.generate(vectors("animatediff")[0], 1)
    np.testing.assert_array_equal(found, (255 * expected).round().astype(np.uint8))
    assert isinstance(from_noise.unet, diffusers.UNetMotionModel)
    ids = from_noise.tokenizer("", padding="max_length", max_length=8, return_tensors="pt")["input_ids"]
    states = from_noise.text_encoder(ids)[0].numpy()
    np.testing.assert_array_equal(generator.generate(vectors("animatediff")[0], 1, text=states[0]), found)
    blurry = films("animatediff")[0]
    texted = generator.generate(vectors("animatediff")[0], 1, blurry, text=-2 * states[0])
    assert (texted != generator.generate(vectors("animatediff")[0], 1, blurry)).any(), "another text, another film"
    plain = load("animatediff", folder, guidance=1.0)
    assert (plain.generate(vectors("animatediff")[0], 1) != found).any()


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_of_another_size_is_refused_before_weights_are_read(folders, name, monkeypatch):
    generator = load(name, folders[name])
    generator = dataclasses.replace(generator, open=lambda: pytest.fail("weights were read"))
    message = rf"embeddings have shape \(2, 5\), expected \(n, {DIMS[name]}\)"
    with pytest.raises(ValueError, match=message):
        generator.generate_all(np.ones((2, 5)), [1, 2], films(name))
    with pytest.raises(ValueError, match="1 of 2 rows are not finite"):
        generator.generate_all(vectors(name) * [[1], [np.nan]], [1, 2], films(name))
    with pytest.raises(ValueError, match="seeds: 1 for 2 embeddings"):
        generator.generate_all(vectors(name), [1], films(name))
    with pytest.raises(pytest.fail.Exception, match="weights were read"):
        generator.generate_all(vectors(name), [1, 2], films(name))


def test_films_that_do_not_fit(folders):
    with pytest.raises(ValueError, match=r"films: none given, and .* begins from one: pass what was decoded"):
        load("svd", folders["svd"]).generate(vectors("svd")[0], 1)
    with pytest.raises(ValueError, match="takes none, it is conditioned on vectors alone"):
        load("kandinsky", folders["kandinsky"]).generate(vectors("kandinsky")[0], 1, films("svd")[0])
    with pytest.raises(ValueError, match="films: 1 for 2 embeddings"):
        load("svd", folders["svd"]).generate_all(vectors("svd"), [1, 2], films("svd", 1))
    with pytest.raises(ValueError, match=r"texts have shape \(1, 5, 8\), expected \(1, 8, 8\), finite"):
        load("animatediff", folders["animatediff"]).generate(vectors("animatediff")[0], 1, text=np.zeros((5, 8)))
    with pytest.raises(ValueError, match=r"texts: .* takes none"):
        load("kandinsky", folders["kandinsky"]).generate(vectors("kandinsky")[0], 1, text=np.zeros((8, 8)))
    with pytest.raises(TypeError, match="is of float64, expected uint8"):
        load("svd", folders["svd"]).generate(vectors("svd")[0], 1, np.zeros((2, 8, 8, 3)))


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def drop(path):
    weights = load_file(path)
    weights.pop(min(weights))
    save_file(weights, path, metadata={"format": "pt"})


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def pickle(folder):
    (weights,) = folder.glob("*.safetensors")
    torch.save(load_file(weights), folder / "diffusion_pytorch_model.bin")
    weights.unlink()


WEIGHTS = "diffusion_pytorch_model.safetensors"
BROKEN = [
    ("svd", lambda f: cut(f / "unet" / WEIGHTS), ValueError, r"unet.diffusion_pytorch_model\.safetensors was cut"),
    ("svd", lambda f: pickle(f / "vae"), FileNotFoundError, r"has no \.safetensors in .*vae.*pickles are not read"),
    ("svd", lambda f: shutil.rmtree(f / "scheduler"), FileNotFoundError, "lacks scheduler in .*expected the folders"),
    ("kandinsky", lambda f: shutil.rmtree(f / "movq"), FileNotFoundError, "lacks movq in"),
    ("kandinsky", lambda f: rewrite(f / "model_index.json", _class_name="KandinskyPipeline"), ValueError,
     r"\(KandinskyPipeline\), expected one of MusicLDMPipeline .*KandinskyV22Pipeline \(kandinsky\)"),
    ("stable-unclip", lambda f: rewrite(f / "image_normalizer/config.json", embedding_dim=5), ValueError,
     "its image_normalizer has 5 dimensions and its unet takes 12"),
    ("animatediff", lambda f: cut(f / "motion" / WEIGHTS), ValueError, "was cut short"),
    ("animatediff", lambda f: cut(f / "ip.safetensors"), ValueError, r"ip\.safetensors was cut short"),
    ("animatediff", lambda f: (f / "ip.safetensors").unlink(), FileNotFoundError, "pass the file ip-adapter_sd15"),
    ("animatediff", lambda f: save_file({"image_proj.latents": torch.zeros(2)}, f / "ip.safetensors"), ValueError,
     r"expected an IP-Adapter of one pooled vector.*a 'plus' or 'faceid' one takes others"),
    ("animatediff", lambda f: rewrite(f / "unet/config.json", cross_attention_dim=9), ValueError,
     "is for an attention of 8 dimensions, and the unet has 9"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "damage", "error", "message"), BROKEN)
def test_damaged_checkpoints(folders, tmp_path, name, damage, error, message):
    folder = shutil.copytree(folders[name], tmp_path / name)
    damage(folder)
    with pytest.raises(error, match=message):
        load(name, folder)


@pytest.mark.parametrize(
    ("name", "part"),
    [("svd", "unet"), ("kandinsky", "movq"), ("stable-unclip", "vae"), ("animatediff", "motion")],
)
def test_gaps_in_weights_are_named(folders, tmp_path, name, part):
    folder = shutil.copytree(folders[name], tmp_path / name)
    drop(folder / part / WEIGHTS)
    with pytest.raises(ValueError, match="lacks 1 parameters of"):
        load(name, folder).generate(vectors(name)[0], 1, None if films(name) is None else films(name)[0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("animatediff", {"strength": 0}, "strength is 0, expected above 0 and at most 1"),
        ("animatediff", {"strength": 0.1}, r"strength is 0.1: of 2 steps none is left, expected 0.5 or more"),
        ("animatediff", {"n_frames": 7}, "n_frames is 7, expected .*the motion adapter counts no further"),
        ("animatediff", {"guidance": np.inf}, "guidance is inf"),
        ("animatediff", {"size": (16, 20)}, r"size is \(16, 20\), expected multiples of 8"),
        ("kandinsky", {"size": 96}, "size is 96, expected multiples of 64"),
        ("svd", {"motion": 0}, "motion is 0"),
        ("svd", {"steps": 0}, "steps is 0"),
        ("kandinsky", {"strength": 1}, "strength: no option of .*, expected one of dtype, steps"),
        ("stable-unclip", {"noise_level": 1000}, "noise_level is 1000, expected a whole number from 0 to 999"),
        ("stable-unclip", {"dtype": "float16"}, "'float16' on device 'cpu', expected a GPU"),
    ],
)
def test_bad_options(folders, name, options, message):
    with pytest.raises(ValueError, match=message):
        load(name, folders[name], **options)


def test_an_adapter_names_what_it_got(folders, monkeypatch):
    with pytest.raises(ValueError, match=r"\(KandinskyV22Pipeline\), expected StableVideoDiffusionPipeline"):
        stable_video.load(folders["kandinsky"])
    with pytest.raises(ValueError, match=r"\(StableVideoDiffusionPipeline\), expected StableDiffusionPipeline"):
        animatediff.load(folders["svd"])
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ImportError, match=r"Kandinsky needs diffusers.*pip install 'naturalistic\[generate\]'"):
        load("kandinsky", folders["kandinsky"])


def test_pictures_that_are_not_finite_are_not_handed_on(folders):
    generator = load("kandinsky", folders["kandinsky"])
    broken = dataclasses.replace(generator, draw=lambda *_: np.full((1, SIZE, SIZE, 3), np.nan))
    with pytest.raises(RuntimeError, match="gave pictures that are not finite: load it with dtype='float32'"):
        broken.generate(vectors("kandinsky")[0], 1)


def no_network(*_, local_files_only=False, **__):
    from huggingface_hub.errors import LocalEntryNotFoundError

    raise LocalEntryNotFoundError("no") if local_files_only else ConnectionError("no route")


@pytest.mark.parametrize("name", NAMES)
def test_without_a_network_the_error_says_how_to_get_the_files(name, monkeypatch):
    monkeypatch.setattr(hub, "snapshot_download", no_network)
    with pytest.raises(FileNotFoundError, match=r"could not be reached.*unet.*`hf download \S+/\S+ --local-dir"):
        generation.load(name)


def test_an_ip_adapter_that_is_not_here(folders, monkeypatch):
    monkeypatch.setattr(hub, "hf_hub_download", no_network)
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *_: None)
    message = r"`hf download h94/IP-Adapter models/ip-adapter_sd15.safetensors --local-dir FOLDER`, then pass that file"
    with pytest.raises(FileNotFoundError, match=message):
        load("animatediff", folders["animatediff"], ip_adapter=None)


@on_device
@pytest.mark.parametrize("name", NAMES)
def test_on_a_gpu(folders, generators, name):
    film = None if films(name) is None else films(name)[0]
    for dtype in ("float32", *HALF):
        generator = load(name, folders[name], device=DEVICE, dtype=dtype)
        frames = generator.generate(vectors(name)[0], 1, film)
        np.testing.assert_array_equal(generator.generate(vectors(name)[0], 1, film), frames)
        if dtype == "float32":  # its noise is drawn on the CPU
            expected = generators[name].generate(vectors(name)[0], 1, film).astype(float)
            assert np.abs(frames - expected).mean() < 3
