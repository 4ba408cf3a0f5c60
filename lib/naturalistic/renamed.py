"""Names of modules of the first edition: importing one says what it is called now. They go with the next release."""

import sys

RENAMED = {
    "naturalistic.datasets.made": "naturalistic.simulated",
    "naturalistic.datasets.truth": "naturalistic_simulation.truth",
    "naturalistic.features.mel": "naturalistic_simulation.models.mel",
    "naturalistic.features.mini": "naturalistic_simulation.models.embedders",
    "naturalistic.features.networks": "naturalistic_simulation.models.networks",
    "naturalistic.features.planted_text": "naturalistic_simulation.movie.text_embedding",
    "naturalistic.generation.mini": "naturalistic_simulation.models.generator",
    "naturalistic.generation.sampling": "naturalistic_simulation.models.sampling",
    "naturalistic.generation.score_model": "naturalistic_simulation.models.score_model",
    "naturalistic.generation.tokens": "naturalistic_simulation.models.tokens",
    "naturalistic.miniature": "naturalistic_simulation",
    "naturalistic.rehearsal": "naturalistic_simulation.full_size",
    "naturalistic.training": "naturalistic_simulation.training",
    "naturalistic.variance.planted": "naturalistic_simulation.false_positives",
}


class Explainer:
    """Finder that is asked last, and raises an error on an old name."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Raise an error if ``name`` is an old one; find nothing otherwise.

        Raises
        ------
        ImportError
            Naming the module that it is now.
        """
        if name in RENAMED:
            raise ImportError(f"{name} is called {RENAMED[name]} now", name=name)


def explain_old_names():
    """Have imports of old names explained."""
    if not any(isinstance(finder, type) and finder.__name__ == Explainer.__name__ for finder in sys.meta_path):
        sys.meta_path.append(Explainer)
