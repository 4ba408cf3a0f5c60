"""Names of modules of the first edition: importing one says what it is called now. They go with the next release."""

import sys
from collections.abc import Callable, Sequence
from types import ModuleType

RENAMED = {
    "naturalistic.banded": "naturalistic.models.banded",
    "naturalistic.datasets.alice_files": "naturalistic.datasets.alice",
    "naturalistic.datasets.asked": "naturalistic.datasets.bids_files",
    "naturalistic.datasets.fma_files": "naturalistic.datasets.fma",
    "naturalistic.datasets.gtzan_files": "naturalistic.datasets.gtzan",
    "naturalistic.datasets.made": "naturalistic.simulated",
    "naturalistic.datasets.movie_files": "naturalistic.datasets.movie_runs",
    "naturalistic.datasets.movie_titles": "naturalistic.datasets.movie_runs",
    "naturalistic.datasets.music_files": "naturalistic.datasets.music_genre",
    "naturalistic.datasets.place": "naturalistic.cache",
    "naturalistic.datasets.plan": "naturalistic.datasets.download",
    "naturalistic.datasets.sidecars": "naturalistic.datasets.bids_files",
    "naturalistic.datasets.transfer": "naturalistic.datasets.download",
    "naturalistic.datasets.truth": "naturalistic_simulation.truth",
    "naturalistic.datasets.verified": "naturalistic.datasets.download",
    "naturalistic.datasets.viewings": "naturalistic.datasets.repeats",
    "naturalistic.decoding.atlas": "naturalistic.anatomy.parcels",
    "naturalistic.decoding.files": "naturalistic.decoding.retrieval",
    "naturalistic.decoding.groups": "naturalistic.decoding.metrics",
    "naturalistic.decoding.listening": "naturalistic.decoding.windows",
    "naturalistic.decoding.parcels": "naturalistic.anatomy.parcels",
    "naturalistic.decoding.scores": "naturalistic.decoding.nulls",
    "naturalistic.decoding.splits": "naturalistic.decoding.decoder",
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
    "naturalistic.features.on_trs": "naturalistic.features.audio.windows",
    "naturalistic.features.passes": "naturalistic.features.text.forward",
    "naturalistic.features.planted_text": "naturalistic_simulation.movie.text_embedding",
    "naturalistic.features.reduce": "naturalistic.features.pca",
    "naturalistic.features.rows": "naturalistic.features.text.word_encoder",
    "naturalistic.features.sentences": "naturalistic.features.text.text_encoder",
    "naturalistic.features.shards": "naturalistic.features.text.shards",
    "naturalistic.features.spans": "naturalistic.features.text.tokens",
    "naturalistic.features.stories": "naturalistic.features.text.stories",
    "naturalistic.features.stored": "naturalistic.cache",
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
    "naturalistic.inference.blocks": "naturalistic.inference.nulls",
    "naturalistic.preprocessing.checks": "naturalistic.preprocessing.validation",
    "naturalistic.preprocessing.prepared": "naturalistic.preprocessing.store",
    "naturalistic.preprocessing.rigid": "naturalistic.preprocessing.motion",
    "naturalistic.plotting.axes": "naturalistic.plotting.encoding",
    "naturalistic.plotting.embeddings": "naturalistic.plotting.music",
    "naturalistic.plotting.joint": "naturalistic.plotting.encoding",
    "naturalistic.plotting.models": "naturalistic.plotting.encoding",
    "naturalistic.plotting.movie": "naturalistic.plotting.language",
    "naturalistic.plotting.overview": "naturalistic.plotting.decoding",
    "naturalistic.plotting.rebuilt": "naturalistic.plotting.decoding",
    "naturalistic.plotting.spectrum": "naturalistic.plotting.music",
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
}

# functions and classes of packages; an attribute that is not there is looked up here
RENAMED_NAMES = {
    "naturalistic.decoding.Components": "naturalistic.decoding.PrincipalComponents",
    "naturalistic.decoding.Decoded": "naturalistic.decoding.DecodingResult",
    "naturalistic.decoding.Delay": "naturalistic.decoding.DelaySelection",
    "naturalistic.decoding.Heard": "naturalistic.decoding.WindowedData",
    "naturalistic.decoding.Pairs": "naturalistic.decoding.WindowPairs",
    "naturalistic.decoding.Pooled": "naturalistic.decoding.PooledSubjects",
    "naturalistic.decoding.Scores": "naturalistic.decoding.DecodingScores",
    "naturalistic.decoding.Split": "naturalistic.decoding.GroupSplit",
    "naturalistic.decoding.Tested": "naturalistic.decoding.PermutationResult",
    "naturalistic.decoding.Windows": "naturalistic.decoding.BoldWindows",
    "naturalistic.decoding.accuracies": "naturalistic.decoding.identification_by_subject",
    "naturalistic.decoding.by_group": "naturalistic.decoding.identification_by_label",
    "naturalistic.decoding.centred": "naturalistic.decoding.centered_similarity",
    "naturalistic.decoding.choose_delay": "naturalistic.decoding.select_delay",
    "naturalistic.decoding.clip_orders": "naturalistic.decoding.permute_clips",
    "naturalistic.decoding.confusion": "naturalistic.decoding.label_confusion",
    "naturalistic.decoding.correlate": "naturalistic.decoding.correlation_similarity",
    "naturalistic.decoding.decode_alone": "naturalistic.decoding.decode_within_subjects",
    "naturalistic.decoding.decode_left_out": "naturalistic.decoding.decode_left_out_subject",
    "naturalistic.decoding.decode_other_genres": "naturalistic.decoding.decode_left_out_genres",
    "naturalistic.decoding.delay_of": "naturalistic.decoding.select_subject_delay",
    "naturalistic.decoding.held_out": "naturalistic.decoding.held_out_predictions",
    "naturalistic.decoding.listen": "naturalistic.decoding.make_windows",
    "naturalistic.decoding.matched_test": "naturalistic.decoding.matching_test",
    "naturalistic.decoding.n_way": "naturalistic.decoding.n_way_accuracy",
    "naturalistic.decoding.of_clips": "naturalistic.decoding.average_result",
    "naturalistic.decoding.one_group_out": "naturalistic.decoding.leave_one_group_out",
    "naturalistic.decoding.pair": "naturalistic.decoding.pair_windows",
    "naturalistic.decoding.parcels_of": "naturalistic.anatomy.subject_parcels",
    "naturalistic.decoding.per_clip": "naturalistic.decoding.average_by_clip",
    "naturalistic.decoding.pool": "naturalistic.decoding.pool_subjects",
    "naturalistic.decoding.recalibrated": "naturalistic.decoding.decode_calibrated",
    "naturalistic.decoding.ridge": "naturalistic.decoding.default_ridge",
    "naturalistic.decoding.score": "naturalistic.decoding.score_decoding",
    "naturalistic.decoding.shares": "naturalistic.decoding.pairwise_accuracy_matrix",
    "naturalistic.decoding.tagger": "naturalistic.decoding.fit_tagger",
    "naturalistic.decoding.top_k": "naturalistic.decoding.top_k_accuracy",
    "naturalistic.decoding.unreadable": "naturalistic.decoding.unreadable_tracks",
    "naturalistic.decoding.within_group_test": "naturalistic.decoding.within_label_test",
    "naturalistic.encoding.HeldOut": "naturalistic.encoding.Prediction",
    "naturalistic.encoding.SideBySide": "naturalistic.encoding.MultiSubjectBold",
    "naturalistic.encoding.as_ridge_sees": "naturalistic.encoding.shrunken_weights",
    "naturalistic.encoding.at_layer": "naturalistic.encoding.Selections.at_layer",
    "naturalistic.encoding.by_region": "naturalistic.encoding.mean_by_region",
    "naturalistic.encoding.ceilings": "naturalistic.encoding.noise_ceilings",
    "naturalistic.encoding.choose": "naturalistic.encoding.select_layer_and_voxels",
    "naturalistic.encoding.choose_each": "naturalistic.encoding.select_layer_and_voxels",
    "naturalistic.encoding.divide": "naturalistic.encoding.variance_partitioning",
    "naturalistic.encoding.extremes": "naturalistic.encoding.extreme_texts",
    "naturalistic.encoding.fit_training_runs": "naturalistic.encoding.fit",
    "naturalistic.encoding.half_annotators": "naturalistic.encoding.split_half_annotators",
    "naturalistic.encoding.half_data": "naturalistic.encoding.split_half_data",
    "naturalistic.encoding.held_out_predictions": "naturalistic.encoding.fit_predict",
    "naturalistic.encoding.interval": "naturalistic.encoding.score_interval",
    "naturalistic.encoding.of_annotators": "naturalistic.encoding.select_annotators",
    "naturalistic.encoding.over_voxels": "naturalistic.encoding.Selections.mean_over_voxels",
    "naturalistic.encoding.pair_parts": "naturalistic.encoding.commonality",
    "naturalistic.encoding.parts_by_region": "naturalistic.encoding.partition_by_region",
    "naturalistic.encoding.permuted_axes": "naturalistic.encoding.weight_axes_null",
    "naturalistic.encoding.predict_from": "naturalistic.encoding.fit_predict_part",
    "naturalistic.encoding.predict_test_runs": "naturalistic.encoding.fit_predict",
    "naturalistic.encoding.project": "naturalistic.encoding.project_weights",
    "naturalistic.encoding.refitted": "naturalistic.encoding.refit_weight_axes",
    "naturalistic.encoding.repeats_itself": "naturalistic.encoding.reliable_voxels",
    "naturalistic.encoding.share_in_span": "naturalistic.encoding.variance_in_subspace",
    "naturalistic.encoding.shared_interval": "naturalistic.encoding.score_interval",
    "naturalistic.encoding.shared_map": "naturalistic.encoding.consensus_map",
    "naturalistic.encoding.split_r": "naturalistic.encoding.r_by_space",
    "naturalistic.encoding.split_r2": "naturalistic.encoding.r2_by_space",
    "naturalistic.encoding.stability": "naturalistic.encoding.axes_stability",
    "naturalistic.encoding.sweep": "naturalistic.encoding.sweep_layers",
    "naturalistic.encoding.sweep_blocks": "naturalistic.encoding.sweep_layers_in_folds",
    "naturalistic.encoding.text_scores": "naturalistic.encoding.project_texts",
    "naturalistic.encoding.unique": "naturalistic.encoding.unique_variance",
    "naturalistic.encoding.unique_interval": "naturalistic.encoding.unique_variance_interval",
    "naturalistic.inference.normalise": "naturalistic.inference.normalize",
    "naturalistic.inference.sign_flip": "naturalistic.inference.sign_flip_over_subjects",
    "naturalistic.inference.t_test": "naturalistic.inference.t_test_over_subjects",
    "naturalistic.plotting.COLOURS": "naturalistic.plotting.COLORS",
    "naturalistic.plotting.GENRE_COLOURS": "naturalistic.plotting.GENRE_COLORS",
    "naturalistic.plotting.LEVEL_COLOURS": "naturalistic.plotting.LEVEL_COLORS",
    "naturalistic.plotting.agreement": "naturalistic.plotting.class_agreement",
    "naturalistic.plotting.alignment": "naturalistic.plotting.space_similarity",
    "naturalistic.plotting.best_map": "naturalistic.plotting.best_space_map",
    "naturalistic.plotting.by_layer": "naturalistic.plotting.values_by_layer",
    "naturalistic.plotting.colour_of": "naturalistic.plotting.feature_color",
    "naturalistic.plotting.likeness": "naturalistic.plotting.clip_similarity",
    "naturalistic.plotting.maps_of_spaces": "naturalistic.plotting.space_maps",
    "naturalistic.plotting.planted_and_found": "naturalistic.plotting.explainable_variance",
    "naturalistic.plotting.rebuilt_scores": "naturalistic.plotting.reconstruction_scores",
    "naturalistic.plotting.responses": "naturalistic.plotting.fir_responses",
    "naturalistic.plotting.space_colour": "naturalistic.plotting.space_color",
    "naturalistic.plotting.triples": "naturalistic.plotting.reconstruction_spectrograms",
    "naturalistic.preprocessing.Places": "naturalistic.datasets.subject.VoxelCoordinates",
    "naturalistic.preprocessing.Prepared": "naturalistic.datasets.subject.Subject",
    "naturalistic.preprocessing.movie_places": "naturalistic.preprocessing.open_subjects",
}


class Explainer:
    """Finder that comes last, and raises an error on an old name."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Raise an error if ``name`` is an old one; find nothing otherwise.

        Raises
        ------
        ImportError
            Naming the module that it is now.
        """
        new = RENAMED.get(name) or RENAMED_NAMES.get(name)
        if new:
            raise ImportError(f"{name} is called {new} now", name=name)


def explain_old_names() -> None:
    """Have imports of old names explained."""
    if not any(isinstance(finder, type) and finder.__name__ == Explainer.__name__ for finder in sys.meta_path):
        sys.meta_path.append(Explainer)


def explain_old_attributes(package: str, getattr_: Callable[[str], object] | None = None) -> Callable[[str], object]:
    """Return a package's ``__getattr__`` that raises an error on the old name of a function or class.

    Parameters
    ----------
    package : str
        Name of the package.
    getattr_ : callable, optional
        Its own ``__getattr__``, asked first.

    Returns
    -------
    getattr_ : callable
    """

    def explaining(name: str) -> object:
        new = RENAMED_NAMES.get(f"{package}.{name}")
        if new:
            raise AttributeError(f"{package}.{name} is called {new} now", name=name)
        if getattr_ is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        return getattr_(name)

    return explaining
