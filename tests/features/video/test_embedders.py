"""Models of pictures and films: small random checkpoints, loaded by path, against transformers."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from naturalistic import hub
from naturalistic.features import devices, video
from naturalistic.features.video import film_models, frames, picture_models
from safetensors.torch import load_file, save_file

from tests.helpers.devices import DEVICE, HALF, on_device
from tests.helpers.video_checkpoints import SAVE, SIZE, save_steps, save_video_model

RATE = 8
DIMS = {"clip": 12, "siglip2": 16, "blip-2": 10, "git": 16, "deit": 16, "x-clip": 12, "videomae": 16, "v-jepa2": 16}
JOINT = ("clip", "siglip2", "x-clip")
FILMS = ("x-clip", "videomae", "v-jepa2")  # that take several frames at once
CAPTIONS = ["a red ball", "Two blue boats that go to the left of a green house."]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("video-models")
    return {name: save_video_model(name, place / name) for name in SAVE}


@pytest.fixture(scope="module")
def embedders(folders):
    return {name: video.load(folder, window=1, hop=0.5, n_frames=4) for name, folder in folders.items()}


def films(n=2, seconds=2, size=(20, 28), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, seconds * RATE, *size, 3), np.uint8)


def plain_pixels(name, pictures):
    """What transformers' own processor makes of pictures (PIL; the same steps for a film model)."""
    options = {"clip": (18, 3, True), "siglip2": (None, 2, False), "blip-2": (None, 3, False), "git": (18, 3, True),
               "deit": (18, 3, True), "x-clip": (18, 2, True), "videomae": (18, 2, True),
               "v-jepa2": (18, 2, True)}  # fmt: skip
    edge, resample, crop = options[name]
    size = {"shortest_edge": edge} if edge else {"height": SIZE, "width": SIZE}
    processor = transformers.SiglipImageProcessorPil if name == "siglip2" else transformers.CLIPImageProcessorPil
    processor = processor(size=size, crop_size={"height": SIZE, "width": SIZE}, do_center_crop=crop, resample=resample,
                          image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.3, 0.25])  # fmt: skip
    return processor(list(pictures), return_tensors="pt")["pixel_values"]


@torch.inference_mode()
def plain(name, folder, pictures):
    """The vector of one window, straight from transformers."""
    pixels = plain_pixels(name, pictures)
    if name in ("clip", "siglip2"):
        vectors = transformers.AutoModel.from_pretrained(folder).eval().get_image_features(pixels).pooler_output
        return (vectors / vectors.norm(dim=-1, keepdim=True)).mean(0)
    if name == "blip-2":
        model = transformers.Blip2VisionModelWithProjection.from_pretrained(folder).eval()
        return model(pixels).image_embeds.mean((0, 1))
    if name == "git":
        model = transformers.GitModel.from_pretrained(folder).eval()
        return model(torch.full((len(pixels), 1), 3), pixel_values=pixels).last_hidden_state[:, -1].mean(0)
    if name == "deit":
        model = transformers.DeiTModel.from_pretrained(folder, add_pooling_layer=False).eval()
        return model(pixels).last_hidden_state.mean((0, 1))
    if name == "x-clip":
        return transformers.XCLIPModel.from_pretrained(folder).eval().get_video_features(pixels[None]).pooler_output[0]
    if name == "videomae":
        model = transformers.VideoMAEModel.from_pretrained(folder).eval()
        return model(pixels[None]).last_hidden_state.mean((0, 1))
    return transformers.VJEPA2Model.from_pretrained(folder).eval().get_vision_features(pixels[None]).mean((0, 1))


@pytest.mark.parametrize("name", SAVE)
def test_equal_to_plain_transformers_on_the_same_frames(folders, embedders, name):
    embedder = embedders[name]
    assert (embedder.dim, embedder.has_text) == (DIMS[name], name in JOINT)
    clips = films()
    vectors = embedder.embed(clips, RATE)
    assert vectors.shape == (2, 3, DIMS[name]) and vectors.dtype == np.float32
    for k, i in ((0, 0), (1, 2)):
        window = clips[k, 4 * i : 4 * i + RATE][[1, 3, 5, 7]]  # the middles of four quarters of a second
        np.testing.assert_allclose(vectors[k, i], plain(name, folders[name], window), atol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3, "another film, another vector"


@pytest.mark.parametrize("name", SAVE)
def test_batches_change_nothing_and_the_cache_knows_the_weights(folders, embedders, name, tmp_path, monkeypatch):
    clips = films()
    vectors = embedders[name].embed(clips, RATE)
    single = video.load(folders[name], window=1, hop=0.5, n_frames=4, batch_size=1)
    np.testing.assert_allclose(single.embed(clips, RATE, cache=False), vectors, atol=1e-5)
    monkeypatch.setattr(type(single), "_pass", lambda *args: pytest.fail("the model ran"))
    np.testing.assert_array_equal(single.embed(clips[1], RATE), vectors[1])
    with pytest.raises(pytest.fail.Exception, match="the model ran"):
        single.embed(clips[:, ::-1], RATE)
    other = video.load(save_video_model(name, tmp_path / "other", seed=1), window=1, hop=0.5, n_frames=4)
    with pytest.raises(pytest.fail.Exception, match="the model ran"):
        other.embed(clips, RATE)


@pytest.mark.parametrize("name", SAVE)
def test_layers(folders, name):
    clips = films(1)[0]
    by_layer = [video.load(folders[name], layer=k, window=None, n_frames=4).embed(clips, RATE) for k in (0, 1, -1)]
    assert all(vectors.shape == (1, 16) and np.isfinite(vectors).all() for vectors in by_layer)
    assert np.abs(by_layer[0] - by_layer[1]).max() > 1e-4 and np.abs(by_layer[1] - by_layer[2]).max() > 1e-4
    with pytest.raises(ValueError, match=r"layer is 3, expected 0 \(input of the first layer\) to 2"):
        video.load(folders[name], layer=3)


@pytest.mark.parametrize("name", SAVE)
def test_a_constant_film_and_a_short_one_give_finite_vectors(embedders, name):
    constant = np.full((3 * RATE, 9, 40, 3), 128, np.uint8)
    vectors = embedders[name].embed(constant, RATE)
    assert np.isfinite(vectors).all() and np.ptp(vectors, axis=0).max() < 1e-6
    assert np.isfinite(embedders[name].embed(constant[:2], 2)).all(), "two frames stand for four"


@pytest.mark.parametrize("name", JOINT)
def test_joint_models_read(folders, embedders, name):
    vectors = embedders[name].embed_text(CAPTIONS)
    assert vectors.shape == (2, DIMS[name]) and np.abs(vectors[0] - vectors[1]).max() > 1e-4
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    model = transformers.AutoModel.from_pretrained(folders[name]).eval()
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folders[name])
    padding = {"padding": "max_length", "max_length": 64} if name == "siglip2" else {}
    for caption, vector in zip(CAPTIONS, vectors):
        inputs = tokenizer(caption, return_tensors="pt", return_token_type_ids=False, **padding)
        if name == "siglip2":
            inputs.pop("attention_mask")
        with torch.inference_mode():
            expected = model.get_text_features(**inputs).pooler_output[0]
        np.testing.assert_allclose(vector, expected / expected.norm(), atol=1e-5)


def test_sentences_that_cannot_be_read(embedders):
    with pytest.raises(ValueError, match=r"sees and does not read.*such as 'clip'"):
        embedders["deit"].embed_text(CAPTIONS)
    with pytest.warns(UserWarning, match="1 of 2 sentences have more than 64 tokens"):
        embedders["siglip2"].embed_text(["a", "boat " * 30])
    with pytest.raises(TypeError, match="sentences is the string"):
        embedders["clip"].embed_text("a boat")


def test_vectors_as_they_come(folders):
    raw = video.load(folders["clip"], normalize=False, n_frames=1, window=None).embed(films(1)[0], RATE)[0]
    unit = video.load(folders["clip"], n_frames=1, window=None).embed(films(1)[0], RATE)[0]
    np.testing.assert_allclose(raw / np.linalg.norm(raw), unit, atol=1e-5)
    assert abs(np.linalg.norm(raw) - 1) > 1e-2


def test_windows_and_their_frames():
    assert frames.count_windows(24, 8, 2, 0.5) == 3 and frames.count_windows(24, 8, None, 1) == 1
    np.testing.assert_array_equal(frames.frames_of_windows(24, 8, 3, 2, 0.5, 2), [[4, 12], [8, 16], [12, 20]])
    np.testing.assert_array_equal(frames.frames_of_windows(3, 1, 1, None, 1, 6), [[0, 0, 1, 1, 2, 2]])
    np.testing.assert_allclose(frames.window_middles(3, 2, 0.5), [1, 1.5, 2])


@pytest.mark.parametrize(
    ("change", "rate", "message"),
    [
        (lambda f: f[:, :4], 8, "films has one of 0.5 s .4 frames at 8 a second., expected at least the 1 s"),
        (lambda f: [f[0], f[1][:8]], 8, "films has some of 1 and of 3 windows"),
        (lambda f: f, np.nan, "rate is nan, expected a positive number of frames a second"),
        (lambda f: f[..., 0], 8, r"has shape .*, expected \(n_frames, height, width, 3\)"),
    ],
)
def test_films_that_cannot_be_embedded(embedders, change, rate, message):
    with pytest.raises(ValueError, match=message):
        embedders["clip"].embed(change(films()), rate)


# --- checkpoints ----------------------------------------------------------------------------------------------------


def drop(path):
    weights = load_file(path)
    weights.pop(max(key for key in weights if "visual_projection" in key or "encoder" in key))
    save_file(weights, path, metadata={"format": "pt"})


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


DAMAGED = [
    (lambda f: cut(f / "model.safetensors"), ValueError, r"model\.safetensors was cut short.*fetch it again"),
    (lambda f: drop(f / "model.safetensors"), ValueError, "lacks 1 parameters of CLIPModel"),
    (lambda f: (f / "model.safetensors").unlink(), FileNotFoundError, "has no weights"),
    (lambda f: (f / "preprocessor_config.json").unlink(), FileNotFoundError, "has no preprocessor_config.json"),
    (lambda f: (f / "preprocessor_config.json").write_text("{"), ValueError, "preprocessor_config.json is not JSON"),
    (lambda f: (f / "preprocessor_config.json").write_text('{"size": 224}'), ValueError,
     "states no image_mean, image_std"),
    (lambda f: save_steps(f, {"size": {"height": 24, "width": 24}}), ValueError,
     r"makes pictures of 24 x 24 pixels, and the network of .* takes 16 x 16"),
    (lambda f: (f / "tokenizer.json").unlink(), FileNotFoundError, "has no tokenizer.json"),
    (lambda f: rewrite(f / "config.json", model_type="gpt2"), ValueError,
     r"model_type 'gpt2' \(CLIPModel\), expected a model_type of 'clip' \(clip\), 'siglip' \(siglip2\)"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "error", "message"), DAMAGED)
def test_damaged_checkpoints(folders, tmp_path, damage, error, message):
    folder = shutil.copytree(folders["clip"], tmp_path / "clip")
    damage(folder)
    with pytest.raises(error, match=message):
        video.load(folder)


def test_a_pickle_of_weights_that_holds_code(folders, tmp_path):
    folder = shutil.copytree(folders["deit"], tmp_path / "deit")
    (folder / "model.safetensors").unlink()
    torch.save({"weight": torch.nn.Linear(2, 2)}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="holds more than tensors and would run code"):
        video.load(folder)


def test_models_of_another_kind(folders):
    with pytest.raises(ValueError, match=r"model_type 'clip' \(CLIPModel\), expected a model_type of xclip, videomae"):
        film_models.load(folders["clip"])
    with pytest.raises(ValueError, match=r"model_type 'videomae' .*, expected a model_type of clip, siglip"):
        picture_models.load(folders["videomae"])
    with pytest.raises(ValueError, match=r"bandwidth: no option of .*, expected one of batch_size, dtype, window"):
        video.load(folders["clip"], bandwidth=3)


@pytest.mark.parametrize("name", FILMS)
def test_numbers_of_frames_that_a_model_cannot_take(folders, name):
    message = "n_frames is 3, expected a multiple of 2" if name == "v-jepa2" else "n_frames is 3, expected the 4 that"
    with pytest.raises(ValueError, match=message):
        video.load(folders[name], n_frames=3)
    with pytest.raises(ValueError, match="n_frames is 0"):
        video.load(folders[name], n_frames=0)
    assert video.load(folders[name]).n_frames == 4


def test_v_jepa_takes_other_numbers_of_frames(folders):
    assert video.load(folders["v-jepa2"], n_frames=6, window=None).embed(films(1)[0], RATE).shape == (1, 16)


def test_batches_fit_the_free_memory(monkeypatch):
    monkeypatch.setattr(devices, "free_memory", lambda device: 4000)
    assert devices.fitting_batch(None, "cpu", 300, 8, 64) == 3
    assert devices.fitting_batch(None, "cpu", 5000, 8, 64) == 1
    assert devices.fitting_batch(None, "cpu", 1, 8, 64) == 8
    assert devices.fitting_batch(5, "cpu", 5000, 8, 64) == 5


@pytest.mark.parametrize("name", ["clip", "x-clip", "v-jepa2"])
def test_without_a_network_the_error_says_how_to_get_the_files(name, monkeypatch):
    def no_network(*args, local_files_only=False, **kwargs):
        from huggingface_hub.errors import LocalEntryNotFoundError

        raise LocalEntryNotFoundError("no") if local_files_only else ConnectionError("no route")

    monkeypatch.setattr(hub, "snapshot_download", no_network)
    with pytest.raises(FileNotFoundError, match=r"could not be reached.*`hf download \w+/\S+ --local-dir"):
        video.load(name)


@on_device
@pytest.mark.parametrize("name", SAVE)
def test_on_a_gpu(folders, embedders, name):
    expected = embedders[name].embed(films(), RATE, cache=False)
    for dtype in ("float32", *HALF):
        atol = {"float32": 1e-3, "float16": 0.05}[dtype]
        embedder = video.load(folders[name], DEVICE, dtype=dtype, window=1, hop=0.5, n_frames=4)
        vectors = embedder.embed(films(), RATE, cache=False)
        np.testing.assert_allclose(vectors, expected, atol=atol * np.abs(expected).max())
