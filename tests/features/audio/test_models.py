"""CLAP, w2v-BERT and EnCodec: small random checkpoints of the same classes, loaded by path, against transformers."""

import shutil

import numpy as np
import pytest
import torch
from naturalistic.features import audio
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    ASTModel,
    ClapFeatureExtractor,
    ClapModel,
    EncodecModel,
    PreTrainedTokenizerFast,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
)

from tests.helpers.checkpoints import save_clap, save_encodec
from tests.helpers.devices import DEVICE, HALF, on_device

CAPTIONS = ["a sad trumpet", "Fast drums and an electric guitar that plays a long, loud solo."]


def save_w2v(folder, seed=0):
    torch.manual_seed(seed)
    config = Wav2Vec2BertConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, add_adapter=True
    )
    Wav2Vec2BertModel(config).save_pretrained(folder)
    SeamlessM4TFeatureExtractor().save_pretrained(folder)
    return folder


def save_ast(folder, seed=0):
    torch.manual_seed(seed)
    config = ASTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, initializer_range=0.2,
        max_length=1024, num_mel_bins=32, time_stride=64,
    )  # fmt: skip
    ASTForAudioClassification(config).save_pretrained(folder)
    ASTFeatureExtractor(num_mel_bins=32).save_pretrained(folder)
    return folder


SAVE = {"clap": save_clap, "w2v": save_w2v, "encodec": save_encodec, "ast": save_ast}
WINDOWS = {"clap": 4, "w2v": 7, "encodec": 10, "ast": 4}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: save(tmp_path_factory.mktemp(name)) for name, save in SAVE.items()}


def sounds(n_clips=2, rate=48000, seconds=15, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tones = [np.sin(2 * np.pi * f * time) * np.sin(3 * time) for f in rng.uniform(100, 2000, n_clips)]
    return (0.2 * np.stack(tones) + 0.02 * rng.standard_normal((n_clips, len(time)))).astype(np.float32)


@torch.inference_mode()
def plain_clap(folder, window):
    model, extractor = ClapModel.from_pretrained(folder).eval(), ClapFeatureExtractor.from_pretrained(folder)
    inputs = extractor(window, sampling_rate=48000, return_tensors="pt")
    return model.get_audio_features(**inputs).pooler_output[0].numpy()


@torch.inference_mode()
def plain_w2v(folder, window, layer=3):
    model = Wav2Vec2BertModel.from_pretrained(folder).eval()
    inputs = SeamlessM4TFeatureExtractor.from_pretrained(folder)(window, sampling_rate=16000, return_tensors="pt")
    states = model(**inputs, output_hidden_states=True).hidden_states[layer][0]
    return states[inputs["attention_mask"][0].bool()].mean(0).numpy()


@torch.inference_mode()
def plain_encodec(folder, window):
    model = EncodecModel.from_pretrained(folder).eval()
    return model.encoder(torch.from_numpy(window)[None, None]).mean(-1)[0].numpy()


@torch.inference_mode()
def plain_ast(folder, window):
    model = ASTModel.from_pretrained(folder).eval()
    extractor = ASTFeatureExtractor.from_pretrained(folder)
    return model(**extractor(window, sampling_rate=16000, return_tensors="pt")).pooler_output[0].numpy()


PLAIN = {"clap": plain_clap, "w2v": plain_w2v, "encodec": plain_encodec, "ast": plain_ast}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVE)
def test_equal_to_the_plain_call_on_the_same_window(folders, name):
    embedder = audio.load(folders[name])
    rate = embedder.sample_rate
    clips = sounds(rate=rate)
    vectors = embedder.embed(clips, rate)
    assert vectors.shape == (2, WINDOWS[name], embedder.dim) and vectors.dtype == np.float32
    assert vectors.reshape(-1, embedder.dim).std(0).min() > 5e-3  # or 1e-5 would say nothing
    for k, i in ((0, 0), (1, WINDOWS[name] - 1)):
        first = i * 3 * rate // 2
        window = clips[k, first : first + round(embedder.window * rate)]
        np.testing.assert_allclose(vectors[k, i], PLAIN[name](folders[name], window), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVE)
def test_the_batch_size_changes_nothing(folders, name):
    clips = sounds(rate=16000)
    one, three, many = (audio.load(folders[name], batch_size=n).embed(clips, 16000, cache=False) for n in (1, 3, 100))
    np.testing.assert_allclose(one, many, atol=1e-5)
    np.testing.assert_allclose(three, many, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
@pytest.mark.parametrize("name", SAVE)
def test_the_number_of_windows_at_every_rate(folders, name, rate):
    embedder = audio.load(folders[name])
    assert embedder.embed(sounds(1, rate)[0], rate).shape == (WINDOWS[name], embedder.dim)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVE)
def test_the_cache_knows_the_weights(folders, name, tmp_path, monkeypatch):
    clips = sounds(1, 16000)
    embedder = audio.load(folders[name])
    first = embedder.embed(clips, 16000)
    again = audio.load(folders[name])
    monkeypatch.setattr(type(again), "_pass", lambda *args: pytest.fail("the model ran"))
    np.testing.assert_array_equal(again.embed(clips, 16000), first)
    with pytest.raises(pytest.fail.Exception, match="the model ran"):
        again.embed(1.01 * clips, 16000)
    with pytest.raises(pytest.fail.Exception, match="the model ran"):
        audio.load(SAVE[name](tmp_path, seed=1)).embed(clips, 16000)


def test_clap_reads(folders):
    embedder = audio.load(folders["clap"])
    vectors = embedder.embed_text(CAPTIONS)
    assert vectors.shape == (2, 12) and np.abs(vectors[0] - vectors[1]).max() > 1e-2
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    model = ClapModel.from_pretrained(folders["clap"]).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folders["clap"])
    with torch.inference_mode():
        for caption, vector in zip(CAPTIONS, vectors):
            plain = model.get_text_features(**tokenizer(caption, return_tensors="pt", return_token_type_ids=False))
            np.testing.assert_allclose(vector, plain.pooler_output[0], atol=1e-5)


def test_clap_says_when_a_caption_is_too_long(folders):
    embedder = audio.load(folders["clap"])
    with pytest.warns(UserWarning, match="1 of 2 sentences have more than 80 tokens"):
        vectors = embedder.embed_text(["drums", "drums " * 20])
    assert vectors.shape == (2, 12)


@pytest.mark.slow
def test_clap_projections_of_any_length(folders):
    clip = sounds(1, 48000)
    plain, free = (audio.load(folders["clap"], normalize=n).embed(clip, 48000)[0] for n in (True, False))
    lengths = np.linalg.norm(free, axis=1, keepdims=True)
    assert np.abs(lengths - 1).min() > 1e-3
    np.testing.assert_allclose(free / lengths, plain, atol=1e-5)
    plain, free = (audio.load(folders["clap"], normalize=n).embed_text(CAPTIONS) for n in (True, False))
    np.testing.assert_allclose(free / np.linalg.norm(free, axis=1, keepdims=True), plain, atol=1e-5)


@pytest.mark.slow
def test_a_short_window_of_clap_is_repeated_and_a_long_one_refused(folders):
    clip = sounds(1, 48000, 6)[0]
    vectors = audio.load(folders["clap"], window=5).embed(clip, 48000)
    twice = np.concatenate([clip[:240000]] * 2)
    np.testing.assert_allclose(vectors[0], plain_clap(folders["clap"], twice), atol=1e-5)
    with pytest.raises(ValueError, match="window is 15 s, expected at most the 10 s"):
        audio.load(folders["clap"], window=15)


@pytest.mark.parametrize("layer", [0, 1, 2, 4, -1, -5])
def test_layers_of_w2v_bert(folders, layer):
    clip = sounds(1, 16000, 5)[0]
    vectors = audio.load(folders["w2v"], layer=layer).embed(clip, 16000)
    np.testing.assert_allclose(vectors[0], plain_w2v(folders["w2v"], clip, layer), atol=1e-5)


def test_padding_of_w2v_bert_does_not_count(folders):
    """A window of 1.005 s has 99 frames, one of which is filled up to a pair."""
    clip = sounds(1, 16000, 1.005)[0]
    vectors = audio.load(folders["w2v"], window=1.005).embed(clip, 16000)
    np.testing.assert_allclose(vectors[0], plain_w2v(folders["w2v"], clip), atol=1e-5)


@pytest.mark.parametrize("layer", [5, -6, 1.5, "last", True])
def test_layers_that_w2v_bert_lacks(folders, layer):
    with pytest.raises(ValueError, match=r"layer is .*, expected 0 .* to 4"):
        audio.load(folders["w2v"], layer=layer)


@pytest.mark.slow
def test_codebooks_of_encodec(folders):
    clip = sounds(1, 24000, 1.5)[0]
    embedder = audio.load(folders["encodec"], bandwidth=0.9)
    vectors = embedder.embed(clip, 24000)
    model = EncodecModel.from_pretrained(folders["encodec"]).eval()
    with torch.inference_mode():
        codes = model.encode(torch.from_numpy(clip)[None, None], bandwidth=0.9).audio_codes[0]
        plain = model.quantizer.decode(codes.transpose(0, 1)).mean(-1)[0]
    np.testing.assert_allclose(vectors[0], plain, atol=1e-5)
    assert np.abs(vectors - audio.load(folders["encodec"]).embed(clip, 24000)).max() > 1e-3
    with pytest.raises(ValueError, match=r"bandwidth is 6, expected None or one of 0.45, 0.9"):
        audio.load(folders["encodec"], bandwidth=6)


@pytest.mark.slow
def test_an_encodec_of_two_channels_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"EnCodec of 2 channel.*expected a mono one"):
        audio.load(save_encodec(tmp_path, audio_channels=2))


@pytest.mark.parametrize("name", ["w2v", "encodec"])
def test_models_that_do_not_read(folders, name):
    with pytest.raises(ValueError, match="hears and does not read"):
        audio.load(folders[name]).embed_text(CAPTIONS)


def test_an_adapter_names_the_class_that_it_got(folders):
    from naturalistic.features.audio import clap, encodec, wav2vec

    with pytest.raises(ValueError, match=r"'encodec' \(EncodecModel\), expected model_type 'clap' \(ClapModel\)"):
        clap.load(folders["encodec"])
    with pytest.raises(ValueError, match="expected model_type 'wav2vec2-bert'"):
        wav2vec.load(folders["clap"])
    with pytest.raises(ValueError, match="expected model_type 'encodec'"):
        encodec.load(folders["w2v"])


@pytest.mark.parametrize(
    ("name", "file"),
    [("clap", "preprocessor_config.json"), ("w2v", "preprocessor_config.json"), ("clap", "tokenizer.json")],
)
def test_a_missing_part_is_named(name, file, tmp_path):
    SAVE[name](tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(FileNotFoundError, match=file):
        audio.load(tmp_path)


def test_missing_parameters_are_named(tmp_path, folders):
    from safetensors.torch import load_file, save_file

    save_encodec(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    dropped = next(key for key in weights if key.startswith("encoder"))
    del weights[dropped]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="lacks 1 parameters of EncodecModel"):
        audio.load(tmp_path)


def test_weights_of_older_checkpoints_are_read_as_tensors_alone(tmp_path):
    save_encodec(tmp_path)
    expected = audio.load(tmp_path).embed(sounds(1, 24000), 24000, cache=False)
    model = EncodecModel.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    np.testing.assert_allclose(audio.load(tmp_path).embed(sounds(1, 24000), 24000, cache=False), expected, atol=1e-6)

    class Code:
        def __reduce__(self):
            return pytest.fail, ("code of a checkpoint ran",)

    torch.save({"encoder": Code()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model.bin .* would run code"):
        audio.load(tmp_path)


@on_device
@pytest.mark.parametrize("name", SAVE)
def test_each_precision_on_a_gpu(folders, name):
    clip = sounds(1, 16000)[0]
    exact = audio.load(folders[name]).embed(clip, 16000, cache=False)
    single = audio.load(folders[name], DEVICE, dtype="float32").embed(clip, 16000, cache=False)
    scale = np.abs(exact).max()
    assert np.abs(single - exact).max() < 2e-3 * scale
    for dtype in HALF:
        half = audio.load(folders[name], DEVICE, dtype=dtype).embed(clip, 16000, cache=False)
        assert 0 < np.abs(half - exact).max() < 3e-2 * scale


def test_layers_and_windows_of_ast(folders, tmp_path):
    published = shutil.copytree(folders["ast"], tmp_path / "ast")
    path = published / "preprocessor_config.json"
    path.write_text(path.read_text().replace('"num_mel_bins": 32', '"num_mel_bins": 128'))
    assert audio.load(published).dim == 16, "its empty bands are nobody's fault"
    clips = sounds(1, 16000)[0]
    vectors = audio.load(folders["ast"], layer=1, window=2, hop=2).embed(clips, 16000)
    assert vectors.shape == (7, 16) and np.isfinite(vectors).all()
    with pytest.raises(ValueError, match=r"layer is 3, expected 0 \(input of the first layer\) to 2"):
        audio.load(folders["ast"], layer=3)
    with pytest.raises(ValueError, match=r"window is 11 s, expected at most the 10\.255 s"):
        audio.load(folders["ast"], window=11)
