"""How a model is found: by name, by folder, without a network; and MuQ-MuLan through a substitute of its package."""

import json
import sys
import types

import numpy as np
import pytest
import torch
from naturalistic import hub
from naturalistic.features import audio
from naturalistic.features.audio.embedder import Embedder
from safetensors.torch import save_file


def simple_embedder(batch_size):
    return Embedder("made", 16000, 1, 0.5, 3, lambda windows: windows[:, :3], batch_size=batch_size)


def test_a_model_of_ones_own_is_one_line(monkeypatch):
    module = types.ModuleType("own")
    module.load = lambda device="cpu", batch_size=4: simple_embedder(batch_size)
    monkeypatch.setitem(sys.modules, "own", module)
    monkeypatch.setitem(audio.MODELS, "own", audio.Entry("own:load"))
    assert audio.load("own").batch_size == 4
    assert audio.load("own", batch_size=2).batch_size == 2
    with pytest.raises(ValueError, match="layer: no option of 'own', expected one of batch_size"):
        audio.load("own", layer=3)


def no_network(*args, local_files_only=False, **kwargs):
    from huggingface_hub.errors import LocalEntryNotFoundError

    raise LocalEntryNotFoundError("no") if local_files_only else ConnectionError("no route")


@pytest.mark.parametrize("name", ["clap", "w2v-bert", "encodec", "facebook/musicgen-small"])
def test_without_a_network_the_error_says_how_to_get_the_files(name, monkeypatch):
    monkeypatch.setattr(hub, "snapshot_download", no_network)
    with pytest.raises(
        FileNotFoundError, match=r"could not be reached.*model.safetensors.*`hf download \w+/\S+ --local"
    ):
        audio.load(name)


def test_models_that_cannot_be_found(tmp_path, tiny_gpt2):
    with pytest.raises(FileNotFoundError, match="not a folder, nor can it be the id"):
        audio.load("no such/model/at all")
    with pytest.raises(FileNotFoundError, match=r"no config.json"):
        audio.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no weights"):
        audio.load(tmp_path)
    with pytest.raises(ValueError, match=r"model_type 'gpt2' \(GPT2Model\), expected .*'clap' \(clap\)"):
        audio.load(tiny_gpt2)


def test_bad_devices_and_number_formats(tmp_path):
    for device in ("tpu9", None):
        with pytest.raises(ValueError, match=f"device is {device!r}, expected 'cpu' or 'cuda'"):
            audio.load("clap", device=device)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="sees no GPU: pass device='cpu'"):
            audio.load("clap", device="cuda")
    with pytest.raises(ValueError, match="'float16' on device 'cpu', expected a GPU"):
        audio.load("clap", dtype="float16")
    with pytest.raises(ValueError, match="dtype is 'int8'"):
        audio.load("clap", dtype="int8")
    with pytest.raises(ValueError, match=r"layer: no option of 'clap', expected one of .*normalize"):
        audio.load("clap", layer=2)


class SubstituteMuLan(torch.nn.Module):
    """Has the interface of ``muq.MuQMuLan`` and nothing else of it."""

    sr, clip_secs = 24000, 10

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(100, 16)
        self.config = types.SimpleNamespace(mulan=types.SimpleNamespace(dim_latent=16))
        self.mulan_module = types.SimpleNamespace(get_audio_latents=self._latents)

    @classmethod
    def from_pretrained(cls, folder):
        return cls()

    def _latents(self, wavs):
        return torch.nn.functional.normalize(self.linear(wavs[:, ::2400]), dim=-1)

    def forward(self, wavs=None, texts=None):
        if texts is None:
            return torch.cat([self._latents(wav[None]) for wav in wavs])
        return torch.nn.functional.normalize(
            torch.tensor([[len(t) + k for k in range(16)] for t in texts]).float(), dim=-1
        )


def test_the_parts_of_muq_mulan_that_are_not_here(tmp_path, monkeypatch):
    class Offline(SubstituteMuLan):
        @classmethod
        def from_pretrained(cls, folder):
            raise OSError("no route to the hub")

    package = types.ModuleType("muq")
    package.MuQMuLan = Offline
    monkeypatch.setitem(sys.modules, "muq", package)
    message = (
        r"is built from other models of the hub that are not here \(.*OpenMuQ/MuQ-large-msd-iter, xlm-roberta-base\)"
    )
    with pytest.raises(FileNotFoundError, match=message):
        audio.load(muq_folder(tmp_path))


def muq_folder(folder, audio_model="OpenMuQ/MuQ-large-msd-iter"):
    parts = {"mulan": {"sr": 24000}, "audio_model": {"name": audio_model}, "text_model": {"name": "xlm-roberta-base"}}
    (folder / "config.json").write_text(json.dumps(parts))
    save_file({}, folder / "model.safetensors")
    return folder


def test_muq_mulan_through_a_substitute_of_its_package(tmp_path, monkeypatch):
    """Of the interface alone: the package is an optional extra, and its weights are not here."""
    package = types.ModuleType("muq")
    package.MuQMuLan = SubstituteMuLan
    monkeypatch.setitem(sys.modules, "muq", package)
    embedder = audio.load(muq_folder(tmp_path))
    assert (embedder.dim, embedder.sample_rate, embedder.window, embedder.has_text) == (16, 24000, 10, True)
    sounds = 0.1 * np.random.default_rng(0).standard_normal((2, 15 * 24000)).astype(np.float32)
    vectors = embedder.embed(sounds, 24000)
    assert vectors.shape == (2, 4, 16)
    window = torch.from_numpy(sounds[1:, 36000:276000])
    np.testing.assert_allclose(vectors[1, 1], SubstituteMuLan()(wavs=window)[0].detach(), atol=1e-6)
    assert embedder.embed_text(["a trumpet"]).shape == (1, 16)
    with pytest.raises(ValueError, match="window is 5 s, expected the 10 s"):
        audio.load(tmp_path, window=5)
    with pytest.raises(ValueError, match=r"audio_model from 'someone/else'.*runs code"):
        audio.load(muq_folder(tmp_path, "someone/else"))


def test_muq_mulan_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "muq", None)
    with pytest.raises(ImportError, match=r"pip install 'naturalistic\[muq\]'"):
        audio.load("muq-mulan")
