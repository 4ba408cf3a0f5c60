"""Folders of models as people have them: without a tokenizer, cut short, pointers, layers of several sizes."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers
from naturalistic.features import audio, text
from naturalistic.features.text import language_model
from naturalistic.features.text.text_encoder import sentence_vectors, text_vectors
from naturalistic.features.text.tokens import check_tokenizer
from naturalistic_simulation.models import embedders as mini
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = "the cat sat on a mat and then it was gone".split()
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(WORDS)), "Paris", "paris"]
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
FEW_HEADS = {"num_key_value_heads": 1, "head_dim": 8}
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
BARE = {
    "bert": (transformers.BertConfig(vocab_size=1000, **SMALL), "vocab.txt"),
    "deberta-v2": (transformers.DebertaV2Config(vocab_size=1000, **SMALL), "spm.model"),
    "t5": (transformers.T5Config(**T5), "spiece.model"),
    "xlm-roberta": (transformers.XLMRobertaConfig(vocab_size=1000, **SMALL), "sentencepiece.bpe.model"),
    "gemma3": (transformers.Gemma3TextConfig(vocab_size=1000, **FEW_HEADS, **SMALL), ""),
    "llama": (transformers.LlamaConfig(vocab_size=1000, **SMALL), ""),
}


def save_bert(folder, **options):
    """A small BERT with a tokenizer of whole words."""
    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig(vocab_size=len(VOCABULARY), **SMALL)).save_pretrained(folder)
    vocabulary = {word: k for k, word in enumerate(VOCABULARY)}
    transformers.BertTokenizer(vocab=vocabulary, **options).save_pretrained(folder)
    return folder


def save_words(folder):
    """A tokenizer of whole words without anything that depends on a model."""
    entries = {word: k for k, word in enumerate(["[UNK]", *sorted(set(WORDS))])}
    tokenizer = Tokenizer(models.WordLevel(entries, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[UNK]"
    ).save_pretrained(folder)


# --- what is missing beside the weights -------------------------------------------------------------------------


@pytest.mark.parametrize("static", ["", language_model.STATIC])
@pytest.mark.parametrize("name", BARE)
def test_a_folder_without_a_tokenizer(tmp_path, name, static):
    config, file = BARE[name]
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    wanted = f"tokenizer.json or {file}" if file else "tokenizer.json"
    with pytest.raises(FileNotFoundError, match=f"has no {wanted}, expected it in {re.escape(str(tmp_path))} beside"):
        language_model.load_model(f"{static}{tmp_path}")


LOAD = """
from naturalistic.features.text import language_model
for name in ("some/whole", "some/bare", "some/pointer"):
    try:
        print(language_model.load_model(name))
    except (OSError, ValueError) as error:
        print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_hub_ids_that_are_in_the_cache(tmp_path):
    """In a process of its own: where the cache is, and that there is no network, is read once."""
    snapshots = {}
    for name in ("whole", "bare", "pointer"):
        hub = tmp_path / f"models--some--{name}"
        snapshots[name] = hub / "snapshots" / ("0" * 40)
        snapshots[name].mkdir(parents=True)
        (hub / "refs").mkdir()
        (hub / "refs" / "main").write_text("0" * 40)
        save_bert(snapshots[name])
    for path in snapshots["bare"].glob("tokenizer*"):
        path.unlink()
    (snapshots["pointer"] / "model.safetensors").write_bytes(LFS)
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True)
    whole, bare, pointer = done.stdout.splitlines()
    assert whole.startswith("LanguageModel(name='some/whole'")
    assert bare.startswith("FileNotFoundError 'some/bare' has no tokenizer.json or vocab.txt, expected it in ")
    assert "ValueError" in pointer and "model.safetensors is a Git LFS pointer" in pointer


@pytest.mark.parametrize("files", [("vocab.json",), ("merges.txt",)])
def test_half_a_vocabulary(tmp_path, files):
    transformers.GPT2Model(transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    for file in files:
        (tmp_path / file).write_text("{}")
    with pytest.raises(ValueError, match=r"the tokenizer of .* cannot be read .*vocab.* and .*merges"):
        language_model.load_model(tmp_path)


@pytest.mark.parametrize("kept", ["tokenizer.json", "vocab.txt"])
def test_options_that_are_invented(tmp_path, kept):
    """Without its options, transformers takes a cased BERT for one of lower case."""
    save_bert(tmp_path, do_lower_case=False)
    assert language_model.load_model(tmp_path).tokenizer.tokenize("Paris") == ["Paris"]
    (tmp_path / "tokenizer_config.json").unlink()
    if kept == "vocab.txt":
        (tmp_path / "tokenizer.json").unlink()
        (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY))
    with pytest.raises(FileNotFoundError, match=r"has no tokenizer_config\.json .* lower case"):
        language_model.load_model(tmp_path)


def test_a_lower_case_vocabulary_alone_is_enough(tmp_path):
    save_bert(tmp_path)
    expected = text.static(language_model.load_model(tmp_path), WORDS)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).unlink()
    (tmp_path / "vocab.txt").write_text("\n".join(word.lower() for word in VOCABULARY).replace("pad", "PAD"))
    special = {"unk": "UNK", "cls": "CLS", "sep": "SEP", "mask": "MASK"}
    content = (tmp_path / "vocab.txt").read_text()
    for lower, upper in special.items():
        content = content.replace(f"[{lower}]", f"[{upper}]")
    (tmp_path / "vocab.txt").write_text(content)
    np.testing.assert_array_equal(text.static(language_model.load_model(tmp_path), WORDS), expected)


def test_what_the_error_on_pickles_advises(tmp_path):
    """The commands of the message, run as they stand, give a folder that loads."""
    old, new = tmp_path / "old", tmp_path / "new"
    save_bert(old)
    network = transformers.BertModel.from_pretrained(old)
    (old / "model.safetensors").unlink()
    torch.save(network.state_dict(), old / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"has no \*\.safetensors") as error:
        language_model.load_model(old)
    advised = re.findall(r"Auto\w+\.from_pretrained\('[^']*'\)\.save_pretrained\(NEW\)", str(error.value))
    assert len(advised) == 2
    for command in advised:
        name = command.partition(".")[0]  # transformers imports its classes when they are asked for
        eval(command, {name: getattr(transformers, name), "NEW": str(new)})
    assert len(np.unique(text.static(language_model.load_model(new), WORDS), axis=0)) == len(set(WORDS))


def save_extractor(folder, about, name="preprocessor_config.json"):
    config = transformers.Wav2Vec2BertConfig(**SMALL)
    transformers.Wav2Vec2BertModel(config).save_pretrained(folder)
    (folder / name).write_text(json.dumps(about))


def test_a_feature_extractor_without_options(tmp_path):
    save_extractor(tmp_path, {})
    with pytest.raises(ValueError, match=r"preprocessor_config\.json states no sampling_rate"):
        audio.load(tmp_path)


def test_a_feature_extractor_that_a_processor_wrote(tmp_path):
    about = transformers.SeamlessM4TFeatureExtractor(sampling_rate=8000).to_dict()
    save_extractor(tmp_path, {"feature_extractor": about}, "processor_config.json")
    assert audio.load(tmp_path).sample_rate == 8000


# --- different words that are one to the tokenizer ----------------------------------------------------------------


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return language_model.load_model(save_bert(tmp_path_factory.mktemp("bert")))


@pytest.fixture(scope="module")
def bert_static(bert):
    return language_model.StaticVectors("static:bert", bert)


OTHERS = "Katze Hund Maus Vogel".split()
ROUTES = {
    "static": lambda model, words: text.static(model, words),
    "contextual": lambda model, words: text.contextual(model, words, np.arange(len(words)), cache=False),
    "chunked": lambda model, words: text.contextual(
        model, words, np.arange(len(words)), "chunked", cache=False
    ),
    "texts": lambda model, words: text_vectors(model, words, cache=False),
    "static texts": lambda model, words: text_vectors(
        language_model.StaticVectors("static:bert", model), words, cache=False
    ),
    "sentences": lambda model, words: sentence_vectors(words, model),
}  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_words_that_are_unknown(bert, route):
    with pytest.raises(ValueError, match=r"4 of 5 different texts \('katze', .*\) are \[UNK\] to it, so that they"):
        ROUTES[route](bert, [*OTHERS, "cat"])
    ROUTES[route](bert, ["Katze", *WORDS])  # one unknown word among many is nobody's fault


def test_words_that_are_alike_without_an_unknown_token(tmp_path):
    tokenizer = Tokenizer(models.WordLevel({"x": 0, "cat": 1}, unk_token="x"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=None)
    with pytest.raises(ValueError, match=r"4 of 5 different texts .* are the same tokens to it"):
        check_tokenizer(fast, [*OTHERS, "cat"])


@pytest.mark.parametrize("texts", [["The", "the", "THE", "tHe"], ["...", "…"], ["Katze"], [], ["Katze", "cat"]])
def test_texts_that_may_be_alike(bert, texts):
    check_tokenizer(bert.tokenizer, texts)


# --- layers of several sizes ----------------------------------------------------------------------------------------


def save_opt(folder, **changes):
    torch.manual_seed(0)
    options = {"hidden_size": 16, "word_embed_proj_dim": 8, "num_hidden_layers": 3, "num_attention_heads": 2,
               "ffn_dim": 32, "do_layer_norm_before": False, "vocab_size": 40}  # fmt: skip
    transformers.OPTModel(transformers.OPTConfig(**options | changes)).save_pretrained(folder)
    save_words(folder)
    return folder


def test_a_last_state_of_another_size_is_left_out(tmp_path):
    with pytest.warns(UserWarning, match=r"projects its last hidden state from 16 to 8 .* layers are 0 .* to 2"):
        model = language_model.load_model(save_opt(tmp_path))
    assert (model.n_layers, model.dim, model.causal) == (3, 16, True)
    features = text.contextual(model, WORDS, np.arange(len(WORDS)), cache=False)
    ids = model.tokenizer(WORDS[0], return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        states = model.network(ids, output_hidden_states=True).hidden_states[:3]
    assert features.shape == (3, len(WORDS), 16)
    np.testing.assert_allclose(features[:, 0], [state[0, 0] for state in states], atol=1e-6)
    assert text_vectors(model, WORDS[:4], [-1], cache=False).vectors.shape == (4, 1, 16)
    assert sentence_vectors(WORDS[:4], model).shape == (4, 16)
    assert text.static(model, WORDS).shape == (len(WORDS), 8)
    with pytest.raises(ValueError, match=r"0 .the embedding layer. to 2"):
        text_vectors(model, WORDS[:4], [3], cache=False)


def test_the_embeddings_of_a_model_with_a_projected_last_state(tmp_path):
    with pytest.warns(UserWarning, match="projects its last hidden state"):
        model = language_model.load_model(f"static:{save_opt(tmp_path)}")
    assert (model.dim, model.n_layers) == (8, 1)
    assert text_vectors(model, WORDS[:4], cache=False).vectors.shape == (4, 1, 8)


EMBEDDED = {"vocab_size": 40, "embedding_size": 8, **SMALL}
FACTORED = {
    "electra": transformers.ElectraConfig(**EMBEDDED),
    "albert": transformers.AlbertConfig(**EMBEDDED),
    "deberta-v2": transformers.DebertaV2Config(**EMBEDDED),
    "convbert": transformers.ConvBertConfig(**EMBEDDED),
    "roformer": transformers.RoFormerConfig(**EMBEDDED),
    "mobilebert": transformers.MobileBertConfig(intra_bottleneck_size=8, true_hidden_size=8, **EMBEDDED),
}


@pytest.mark.parametrize("name", FACTORED)
def test_embeddings_smaller_than_the_layers(tmp_path, name):
    transformers.AutoModel.from_config(FACTORED[name]).save_pretrained(tmp_path)
    save_words(tmp_path)
    model = language_model.load_model(tmp_path)
    assert (model.n_layers, model.dim) == (3, 16)
    assert text_vectors(model, WORDS[:4], cache=False).vectors.shape == (4, 3, 16)
    assert language_model.StaticVectors("static", model).dim == 8


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ([(1, 8, 4), (1, 8, 6), (1, 8, 6)], r"several shapes .*\(1, 8, 4\), \(1, 8, 6\)"),
        ([(1, 8, 4), (1, 4, 4), (1, 2, 4)], "several shapes"),
        ([(2, 1, 8, 4)], "expected .1, 8, dim. of each"),
        ([], "expected .1, 8, dim. of each"),
    ],
)
def test_states_that_are_not_one_vector_of_a_token(shapes, says):
    from naturalistic.features.text.language_model import _count_layers

    with pytest.raises(ValueError, match=says):
        _count_layers([torch.zeros(shape) for shape in shapes], "some/one")


def test_a_model_that_is_not_of_text(tmp_path):
    config = transformers.ViTConfig(image_size=8, patch_size=4, **SMALL)
    transformers.ViTModel(config).save_pretrained(tmp_path)
    save_words(tmp_path)
    with pytest.raises(ValueError, match=r"\(ViTModel\) cannot be run on the tokens of a text alone"):
        language_model.load_model(tmp_path)


# --- cut short, or a pointer ------------------------------------------------------------------------------------------

DAMAGE = {
    "cut": (lambda content: content[:-100], r"was cut short: it has .* bytes"),
    "pointer": (lambda content: LFS, "is a Git LFS pointer"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
def test_damaged_files_of_a_text_model(tmp_path, file, damage):
    save_bert(tmp_path)
    change, says = DAMAGE[damage]
    (tmp_path / file).write_bytes(change((tmp_path / file).read_bytes()))
    says = "is not JSON" if file.endswith(".json") and damage == "cut" else says
    with pytest.raises(ValueError, match=rf"{re.escape(str(tmp_path / file))} {says}.*; fetch it again"):
        language_model.load_model(tmp_path)


def test_a_vocabulary_that_is_a_pointer(tmp_path):
    save_bert(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.txt").write_bytes(LFS)
    with pytest.raises(ValueError, match=r"vocab\.txt is a Git LFS pointer"):
        language_model.load_model(tmp_path)


def test_shards(tmp_path):
    save_bert(tmp_path)
    network = transformers.BertModel.from_pretrained(tmp_path)
    expected = text.static(language_model.load_model(tmp_path), WORDS)
    (tmp_path / "model.safetensors").unlink()
    network.save_pretrained(tmp_path, max_shard_size="8KB")
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 2
    np.testing.assert_array_equal(text.static(language_model.load_model(tmp_path), WORDS), expected)
    content = shards[1].read_bytes()
    shards[1].write_bytes(content[:-5])
    with pytest.raises(ValueError, match=rf"{shards[1].name} was cut short"):
        language_model.load_model(tmp_path)
    shards[1].unlink()
    with pytest.raises(FileNotFoundError, match=rf"{shards[1].name} is not there; fetch it again"):
        language_model.load_model(tmp_path)


def test_pointers_beside_what_is_read_harm_nobody(tmp_path):
    """As `GIT_LFS_SKIP_SMUDGE=1 git clone` and `git lfs pull --include "*.safetensors"` leave a folder."""
    save_bert(tmp_path)
    for name in ("pytorch_model.bin", "tf_model.h5", "consolidated.safetensors", "spiece.model"):
        (tmp_path / name).write_bytes(LFS)
    assert language_model.load_model(tmp_path).n_layers == 3


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encodec")
    options = {"num_filters": 4, "hidden_size": 8, "codebook_dim": 8, "codebook_size": 16}
    transformers.EncodecModel(transformers.EncodecConfig(**options)).save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_damaged_weights_of_an_audio_model(codec, tmp_path, file, damage):
    shutil.copy(codec / "config.json", tmp_path)
    if file.endswith("bin"):
        torch.save(transformers.EncodecModel.from_pretrained(codec).state_dict(), tmp_path / file)
    else:
        shutil.copy(codec / file, tmp_path)
    (tmp_path / file).write_bytes(DAMAGE[damage][0]((tmp_path / file).read_bytes()))
    with pytest.raises(ValueError, match=rf"{file} (was cut short|is a Git LFS pointer).*; fetch it again"):
        audio.load(tmp_path)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["mini-mulan", "mini-ssl"])
def test_damaged_weights_of_the_small_models(tmp_path, name, damage):
    change, says = DAMAGE[damage]
    path = tmp_path / "my weights.safetensors"
    path.write_bytes(change(mini.path_of(name).read_bytes()))
    load = {"mini-mulan": mini.load_mulan, "mini-ssl": mini.load_ssl}[name]
    command = rf"naturalistic train {name} --to '{re.escape(str(path))}'"
    with pytest.raises(
        ValueError, match=rf"weights\.safetensors {says}.*; fetch it again, or train it again.*{command}"
    ):
        load(weights=path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"is not there: expected weights from {command}"):
        load(weights=path)
