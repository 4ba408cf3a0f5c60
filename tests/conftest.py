"""What the tests share: data in the real layout, and a cache folder that no test leaves behind."""

import functools
import gc
import itertools
from pathlib import Path

import matplotlib
import pytest
import torch
from naturalistic import preprocessing
from naturalistic.datasets import music_genre
from naturalistic_simulation import simulate_corpus, simulate_music, simulate_story

from tests.helpers.corpus import write_archive
from tests.helpers.once import CHAPTERS, write_once
from tests.helpers.real_data import real_folder
from tests.helpers.small_film import write_film
from tests.helpers.small_movie import write

matplotlib.use("Agg")
gc.disable()  # until all tests are collected
TESTS = Path(__file__).parent
# of tests that run side by side the longest start first, so that no process is left alone with them at the end; each
# process is given two files at its start, every other one of these. By processor time, that of kernels with it
LONGEST = (
    "project/test_notebooks_measured.py",
    "project/test_notebooks_films.py",
    "project/test_notebooks_music.py",
    "project/test_notebooks_forrest.py",
    "simulation/training/test_commands.py",
    "project/test_notebooks.py",
    "preprocessing/test_full_size_run.py",
    "preprocessing/test_registration.py",
    "preprocessing/test_store.py",
    "simulation/models/test_embedders.py",
    "features/text/test_word_encoder.py",
    "simulation/models/test_generator.py",
    "encoding/test_false_positives.py",
    "encoding/test_prediction.py",
    "features/audio/test_models.py",
    "models/test_ridge.py",
    "encoding/test_joint.py",
)


def pytest_collection_modifyitems(items):
    """Put the longest files first; the others keep their order."""
    place = {name: k for k, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.relative_to(TESTS).as_posix(), len(LONGEST)))


def pytest_collection_finish():
    """Leave what was imported out of every later search for garbage: it stays, and is nearly all there is to search."""
    gc.freeze()
    gc.enable()


def pytest_runtest_setup():
    """Draw the same numbers in each run, whichever tests this process had before."""
    torch.random.default_generator.manual_seed(0)  # torch.manual_seed notes the call stack for each kind of device
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)


@pytest.fixture(scope="session")
def caches(tmp_path_factory):
    """Return the folder of the tests' caches and their numbers; mktemp would list all folders before it makes one."""
    return tmp_path_factory.mktemp("caches"), itertools.count()


@pytest.fixture(autouse=True)
def own_cache(caches, monkeypatch):
    """Keep downloads and caches of a test out of the user's folders."""
    folder, numbers = caches
    folder = folder / str(next(numbers))
    folder.mkdir()
    monkeypatch.setenv("NATURALISTIC_CACHE", str(folder))


@pytest.fixture
def chapters_cache(tmp_path_factory, own_cache, monkeypatch):
    """Give all chapters of a run one cache, as those of the book have: what one computed another finds."""
    folder = write_once(tmp_path_factory, CHAPTERS, lambda folder: folder.mkdir(exist_ok=True) or folder)
    monkeypatch.setenv("NATURALISTIC_CACHE", str(folder))


@pytest.fixture(scope="session")
def simulated_story(tmp_path_factory):
    """Folder of the simulated story in 27 simulated brains."""
    return write_once(tmp_path_factory, "alice-stand-in", simulate_story)


@pytest.fixture
def real_alice():
    """Folder of the real Alice data; the test is skipped where they are not."""
    return real_folder("alice", "the real Alice data")


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory):
    """Folder of a GPT-2 of a few thousand random weights, with a byte-level tokenizer of its own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-gpt2")
    vocabulary = {byte: k for k, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=None).save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(vocabulary), n_positions=256, n_embd=32, n_layer=2, n_head=2)
    GPT2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def short_minilm(tmp_path_factory):
    """Folder of the lower two layers of MiniLM: they tell the words that were planted, three times as fast as six."""
    from tests.helpers.checkpoints import save_short_minilm

    return write_once(tmp_path_factory, "short-minilm", save_short_minilm)


@pytest.fixture(scope="session")
def real_music():
    """Folder of the real text files of ds003720; the test is skipped where they are not."""
    return real_folder("ds003720", "the text files of ds003720")


@pytest.fixture(scope="session")
def small_music(tmp_path_factory):
    """Folder of a small simulated music experiment: one subject, one training run, two test runs."""
    how = {"seed": 5, "subjects": 1, "n_training": 1, "n_test": 2, "n_jobs": 1, "progress": False}
    return write_once(tmp_path_factory, "music", functools.partial(simulate_music, **how))


@pytest.fixture(scope="session")
def prepared_music(tmp_path_factory, small_music):
    """Its subject preprocessed, once, and where: in the cache that the chapters share."""
    scans = music_genre.load(small_music).scans("001")

    def prepare(folder):
        return preprocessing.prepare(scans, n_dropped=music_genre.N_DUMMY, folder=folder / "prepared", n_jobs=1)

    return write_once(tmp_path_factory, CHAPTERS, prepare)


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """Folder of a small corpus as FMA is, with all that goes wrong in it."""
    return write_archive(tmp_path_factory.mktemp("fma"))


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory):
    """Folder of a simulated corpus of five tracks, all rendered."""
    folder = tmp_path_factory.mktemp("simulated") / "corpus"
    return simulate_corpus(folder, 5, n_jobs=1, render_all=True, progress=False)


@pytest.fixture(scope="session")
def small_movie(tmp_path_factory):
    """Folder of a small simulated film experiment: one subject, two titles."""
    return write_once(tmp_path_factory, "movie", write)


@pytest.fixture(scope="session")
def real_forrest():
    """Folder of the real data; the test is skipped where they are not."""
    return real_folder("studyforrest", "the data of studyforrest.org")


@pytest.fixture(scope="session")
def small_film(tmp_path_factory):
    """Folder of two subjects in the published layout; not to be changed."""
    return write_once(tmp_path_factory, "small-film", write_film)
