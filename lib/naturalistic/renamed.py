"""Names of modules of the first edition: importing one says what it is called now. They go with the next release."""

import sys

RENAMED = {
    "naturalistic.banded": "naturalistic.models.banded",
    "naturalistic.datasets.made": "naturalistic.simulated",
    "naturalistic.datasets.truth": "naturalistic_simulation.truth",
    "naturalistic.decoding.atlas": "naturalistic.anatomy.atlas",
    "naturalistic.decoding.parcels": "naturalistic.anatomy.parcels",
    "naturalistic.design": "naturalistic.encoding.design",
    "naturalistic.engine": "naturalistic.models.engine",
    "naturalistic.features.acoustic": "naturalistic.features.audio.acoustic",
    "naturalistic.features.checkpoint": "naturalistic.features.audio.checkpoint",
    "naturalistic.features.clap": "naturalistic.features.audio.clap",
    "naturalistic.features.contexts": "naturalistic.features.text.contexts",
    "naturalistic.features.controls": "naturalistic.features.audiovisual",
    "naturalistic.features.embedder": "naturalistic.features.audio.embedder",
    "naturalistic.features.encodec": "naturalistic.features.audio.encodec",
    "naturalistic.features.language_model": "naturalistic.features.text.language_model",
    "naturalistic.features.levels": "naturalistic.features.text.levels",
    "naturalistic.features.mel": "naturalistic_simulation.models.mel",
    "naturalistic.features.mini": "naturalistic_simulation.models.embedders",
    "naturalistic.features.muq": "naturalistic.features.audio.muq",
    "naturalistic.features.networks": "naturalistic_simulation.models.networks",
    "naturalistic.features.on_trs": "naturalistic.features.audio.on_trs",
    "naturalistic.features.passes": "naturalistic.features.text.forward",
    "naturalistic.features.planted_text": "naturalistic_simulation.movie.text_embedding",
    "naturalistic.features.reduce": "naturalistic.features.pca",
    "naturalistic.features.rows": "naturalistic.features.text.word_encoder",
    "naturalistic.features.sentences": "naturalistic.features.text.text_encoder",
    "naturalistic.features.shards": "naturalistic.features.text.shards",
    "naturalistic.features.spans": "naturalistic.features.text.tokens",
    "naturalistic.features.stories": "naturalistic.features.text.stories",
    "naturalistic.features.text_models": "naturalistic.features.text.language_model",
    "naturalistic.features.text_vectors": "naturalistic.features.text.text_encoder",
    "naturalistic.features.tokenizer_files": "naturalistic.features.text.tokenizer_files",
    "naturalistic.features.wav2vec": "naturalistic.features.audio.wav2vec",
    "naturalistic.features.windows": "naturalistic.features.audio.windows",
    "naturalistic.features.word_vectors": "naturalistic.features.text.word_vectors",
    "naturalistic.folds": "naturalistic.models.folds",
    "naturalistic.generation.assembly": "naturalistic.generation.musicldm",
    "naturalistic.generation.mini": "naturalistic_simulation.models.generator",
    "naturalistic.generation.sampling": "naturalistic_simulation.models.sampling",
    "naturalistic.generation.score_model": "naturalistic_simulation.models.score_model",
    "naturalistic.generation.tokens": "naturalistic_simulation.models.tokens",
    "naturalistic.geometry": "naturalistic.features.geometry",
    "naturalistic.miniature": "naturalistic_simulation",
    "naturalistic.probes": "naturalistic.features.probes",
    "naturalistic.regions": "naturalistic.anatomy.regions",
    "naturalistic.rehearsal": "naturalistic_simulation.full_size",
    "naturalistic.results": "naturalistic.reporting.results",
    "naturalistic.ridge": "naturalistic.models.ridge",
    "naturalistic.scoring": "naturalistic.models.scoring",
    "naturalistic.sound": "naturalistic.datasets.presentation",
    "naturalistic.summaries": "naturalistic.reporting.summaries",
    "naturalistic.surface": "naturalistic.anatomy.surface",
    "naturalistic.training": "naturalistic_simulation.training",
    "naturalistic.variance": "naturalistic.encoding",
    "naturalistic.variance.axes": "naturalistic.encoding.axes",
    "naturalistic.variance.axes_null": "naturalistic.encoding.axes_null",
    "naturalistic.variance.axes_stability": "naturalistic.encoding.axes_null",
    "naturalistic.variance.axes_texts": "naturalistic.encoding.axes",
    "naturalistic.variance.blocks": "naturalistic.encoding.layers",
    "naturalistic.variance.chosen": "naturalistic.encoding.layers",
    "naturalistic.variance.compare": "naturalistic.encoding.comparison",
    "naturalistic.variance.group": "naturalistic.encoding.group",
    "naturalistic.variance.held_out": "naturalistic.encoding.held_out",
    "naturalistic.variance.joint": "naturalistic.encoding.joint",
    "naturalistic.variance.learning": "naturalistic.encoding.learning",
    "naturalistic.variance.planted": "naturalistic_simulation.false_positives",
    "naturalistic.variance.reliability": "naturalistic.encoding.reliability",
    "naturalistic.variance.rows": "naturalistic.encoding.rows",
    "naturalistic.variance.scores": "naturalistic.encoding.scores",
    "naturalistic.variance.side_by_side": "naturalistic.encoding.multi_subject",
    "naturalistic.variance.split": "naturalistic.encoding.partition",
    "naturalistic.variance.stacking": "naturalistic.encoding.stacking",
    "naturalistic.variance.sums": "naturalistic.encoding.bootstrap",
    "naturalistic.variance.sweep": "naturalistic.encoding.layers",
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
