"""What the Hugging Face hub answers, and what is said of it: by all three that ask it for models."""

import types

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
from naturalistic import hub as naturalistic_hub
from naturalistic.features.audio import checkpoint
from naturalistic.features.text import language_model
from naturalistic.generation import sources

MODULES = {"embedders": checkpoint, "generators": sources}
UNASKED = types.SimpleNamespace(headers={}, request=None)  # an answer without anything in it


class Hub:
    """Stands for the hub's client: a model with some files, a cache, and what the hub answers in place of it."""

    def __init__(self, folder, files=(), cached=(), error=None):
        self.folder, self.files, self.error, self.asked = folder, files, error, []
        self._put(cached)

    def _put(self, names):
        for name in names:
            (self.folder / name).write_text("{}")

    def snapshot_download(self, name, revision=None, local_files_only=False, allow_patterns=()):
        if not local_files_only:
            self.asked.append(allow_patterns)
            if self.error is not None:
                raise self.error("no", response=UNASKED)
            self._put(f for f in self.files if f.rpartition(".")[2] in {p.rpartition(".")[2] for p in allow_patterns})
        elif not any(self.folder.iterdir()):
            raise LocalEntryNotFoundError("not in the cache")
        return str(self.folder)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    def make(**how):
        made = Hub(tmp_path, **how)
        monkeypatch.setattr(naturalistic_hub, "snapshot_download", made.snapshot_download)
        return made

    return make


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RepositoryNotFoundError,
            r"'some/one' is not a folder, and the hub has no model of that name \(or it is a gated",
        ),
        (RevisionNotFoundError, r"the model 'some/one' has no revision 'v9' on the hub"),
    ],
)
def test_what_the_hub_does_not_have(hub, module, error, message):
    hub(error=error)
    with pytest.raises(FileNotFoundError, match=message):
        module.locate("some/one", "v9")


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_what_the_cache_holds_whole_is_not_requested(hub, module, tmp_path):
    there = hub(cached=("config.json", "model.safetensors"))
    assert module.locate("some/one") == tmp_path and there.asked == []


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
@pytest.mark.parametrize("cached", [(), ("config.json",)], ids=["nothing there", "an interrupted download"])
def test_safe_weights_come_first_and_others_only_where_there_are_none(hub, module, tmp_path, cached):
    there = hub(cached=cached, files=("config.json", "model.safetensors", "pytorch_model.bin"))
    assert module.locate("some/one") == tmp_path and len(there.asked) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_older_weights_are_requested_by_themselves(hub, module, tmp_path):
    there = hub(files=("config.json", "pytorch_model.bin"))
    assert module.locate("some/one") == tmp_path and len(there.asked) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "pytorch_model.bin"]


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_a_repository_that_is_no_model(hub, module):
    hub(files=("notes.txt",))
    with pytest.raises(FileNotFoundError, match=r"has no .*config\.json, expected a folder written by save_pretrained"):
        module.locate("some/one")


def test_a_language_model_that_the_hub_does_not_have(monkeypatch):
    def refuse(self, name, timeout):
        raise RepositoryNotFoundError("no", response=UNASKED)

    monkeypatch.setattr(naturalistic_hub.HfApi, "model_info", refuse)
    monkeypatch.setattr(language_model.transformers.AutoConfig, "from_pretrained", cached_nowhere)
    message = r"'some/one' is not a folder, and the hub has no model of that name \(or it is a gated one"
    with pytest.raises(FileNotFoundError, match=message):
        language_model.load_model("some/one")


def cached_nowhere(*_, **__):
    raise OSError("not in the cache")


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_a_description_that_was_cut_short(module, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": ')
    say = checkpoint.kind if module is checkpoint else sources.kind_of
    with pytest.raises(ValueError, match=r"config\.json is not JSON: Expecting value"):
        say(tmp_path)
