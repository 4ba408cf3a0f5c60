"""The library finds the simulation by name, and says what is missing where it is not installed."""

import importlib
import sys

import naturalistic_simulation
import pytest
from naturalistic import generation, renamed, simulated
from naturalistic.datasets import alice, fma, music_genre, narrative_movie, studyforrest
from naturalistic.features import audio


@pytest.fixture
def not_installed(monkeypatch):
    """Hide the second package, as on a machine that lacks it."""
    for name in [name for name in sys.modules if name.split(".")[0] == simulated.PACKAGE]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, simulated.PACKAGE, None)


def test_small_models_are_found_by_name():
    for path in simulated.MODELS.values():
        assert callable(simulated.find_loader(path))
    assert simulated.simulation().__name__ == simulated.PACKAGE
    assert callable(simulated.simulation("training.cards").train)


def test_without_the_simulation(not_installed):
    expected = "needs the package naturalistic_simulation, which comes with naturalistic; it is not installed here"
    with pytest.raises(ModuleNotFoundError, match=f"simulated data {expected}"):
        simulated.simulation()
    for load, name in ((audio.load, "mini-mulan"), (audio.load, "mini-ssl"), (generation.load, "mini")):
        with pytest.raises(ModuleNotFoundError, match=f"the model '{name}' {expected}"):
            load(name)


def test_a_library_that_the_simulation_lacks_is_named_as_it_is(monkeypatch):
    monkeypatch.delitem(sys.modules, "naturalistic_simulation.corpus_tracks", raising=False)
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(ModuleNotFoundError, match="soxr"):
        simulated.simulation("corpus_tracks")


LOADERS = {
    "music": music_genre.load, "movie": narrative_movie.load, "film": studyforrest.load, "story": alice.load,
    "corpus": fma.load,
}  # fmt: skip


@pytest.mark.parametrize("kind", LOADERS)
def test_loaders_find_the_maker_by_name(kind, monkeypatch):
    asked = []
    monkeypatch.setattr(naturalistic_simulation, f"simulate_{kind}", asked.append, raising=False)
    with pytest.raises(FileNotFoundError):  # nothing was made
        LOADERS[kind]("simulated")
    for name in simulated.OLD_NAMES:
        with pytest.warns(FutureWarning, match=f'="{name}" is called .*="simulated" now'), pytest.raises(OSError):
            LOADERS[kind](name)
    assert asked == [simulated.data_folder(kind)] * 3


@pytest.mark.parametrize("kind", LOADERS)
def test_loaders_without_the_simulation(kind, not_installed):
    with pytest.raises(ModuleNotFoundError, match='dataset="simulated" needs the package naturalistic_simulation'):
        LOADERS[kind]("simulated")


def test_titles():
    name = simulated.name_of("ds003720")
    assert simulated.title("x", name) == "x (simulated)"
    assert simulated.title("x", "ds003720, Music Genre fMRI") == "x"


@pytest.mark.parametrize("mark", simulated.MARKS)
def test_simulated_data_of_the_first_edition_are_known(mark, tmp_path):
    assert not simulated.is_simulated(tmp_path)
    (tmp_path / "README").write_text(f"{mark}. No brain was measured.")
    assert simulated.is_simulated(tmp_path)


@pytest.mark.parametrize("name", renamed.RENAMED)
def test_old_names_say_what_they_are_called_now(name):
    with pytest.raises(ImportError, match=f"{name} is called {renamed.RENAMED[name]} now"):
        importlib.import_module(name)
    assert importlib.import_module(renamed.RENAMED[name])
    package, _, module = name.rpartition(".")
    with pytest.raises(ImportError, match="is called"):
        exec(f"from {package} import {module}")


@pytest.mark.parametrize("name", renamed.RENAMED_NAMES)
def test_old_functions_say_what_they_are_called_now(name):
    new = renamed.RENAMED_NAMES[name]
    package, _, function = name.rpartition(".")
    with pytest.raises(AttributeError, match=f"{name} is called {new} now"):
        getattr(importlib.import_module(package), function)
    with pytest.raises(ImportError, match="is called"):
        exec(f"from {package} import {function}")
    module, _, attribute = new.rpartition(".")
    package, _, owner = module.rpartition(".")
    if owner[0].isupper():  # a method
        assert hasattr(getattr(importlib.import_module(package), owner), attribute)
    else:
        assert hasattr(importlib.import_module(module), attribute)
