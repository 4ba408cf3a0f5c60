"""The library finds the simulation by name, and says what is missing where it is not installed."""

import sys

import pytest
from naturalistic import generation, simulated
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
    monkeypatch.delitem(sys.modules, "naturalistic_simulation.corpus", raising=False)
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(ModuleNotFoundError, match="soxr"):
        simulated.simulation("corpus")
