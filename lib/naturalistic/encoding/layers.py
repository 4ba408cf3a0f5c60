"""Layers of a model: scores, selection inside training runs, test accuracy.

Layer and voxels are selected by cross-validation inside the training runs, as in Nakagi et al. (2024); the test runs
only test.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from tqdm import tqdm

from naturalistic.arrays import ShapeRepr, as_real, as_stored, release_pages
from naturalistic.cluster import Workers
from naturalistic.encoding.design import check_spaces, shifted
from naturalistic.encoding.multi_subject import MultiSubjectBold
from naturalistic.encoding.prediction import Fitted, fit, shift_batches
from naturalistic.encoding.scores import reliable_voxels, shifted_p, shifted_scores
from naturalistic.encoding.split import FoldSplit, Split, as_responses, check_length, marked_rows
from naturalistic.encoding.split_data import SplitData, split_responses, with_features
from naturalistic.inference import noise_ceiling
from naturalistic.models.folds import GroupGapKFold
from naturalistic.models.ridge import RidgeCV, fit_in_turn
from naturalistic.parameters import whole

_REMEMBERED = 2**29  # bytes of averaged test responses that are kept from layer to layer
_BLOCK = 8192  # voxels tested at once: 0.25 GB of responses for two hours of test film


@dataclass(frozen=True, repr=False)
class LayerScores(ShapeRepr):
    """Scores of each layer in each voxel.

    Attributes
    ----------
    cv : array (n_layers, n_voxels)
        Mean score over folds of the training runs, at the best alpha.
    r : array (n_layers, n_voxels)
        Pearson correlation on the test runs.
    p : array (n_layers, n_voxels)
        Of r, one-sided, from shifted predictions; NaN if no permutations were asked for.
    p_max : array (n_layers, n_voxels)
        The same corrected for all voxels of a subject, by the best of them in each shift (family-wise).
    """

    cv: NDArray
    r: NDArray
    p: NDArray
    p_max: NDArray


def sweep_layers(
    features: ArrayLike,
    bold: ArrayLike | MultiSubjectBold,
    model: RidgeCV,
    split: Split,
    *,
    n_permutations: int = 0,
    seed: int = 0,
    name: str = "layers",
    workers: Workers | None = None,
) -> LayerScores:
    """Fit and test one model for each layer of a feature space.

    Parameters
    ----------
    features : array (n_trs, n_layers, dim) or (n_trs, dim)
    bold : array (n_trs, n_voxels) or MultiSubjectBold
    model : RidgeCV
    split : Split
    n_permutations : int
        Circular shifts of the null, see `score`; 0 for none.
    seed : int
        The same shifts for every layer, so that layers differ by what they predict alone.
    name : str
        Of the progress bar.
    workers : cluster.Workers, optional
        Does each layer of each subject as a unit of its own, and finds what was done before; by default all subjects
        are fitted at once, here. Scores are the same up to rounding.

    Returns
    -------
    layers : LayerScores

    Raises
    ------
    ValueError
        As `fit_predict`; if a layer does not vary.
    """
    bold = as_responses(bold)
    features = as_stored(features, "features")
    n_permutations = whole("n_permutations", n_permutations, 0)
    features = features[:, None] if features.ndim == 2 else features
    if features.ndim != 3:
        raise ValueError(f"features has shape {features.shape}, expected (n_trs, n_layers, dim) or (n_trs, dim)")
    if workers is not None and workers.folder is not None:
        options = {"model": model, "split": split, "n_permutations": n_permutations, "seed": seed, "name": name}
        return _sweep_in_units(features, bold, workers, options)
    subjects = bold.columns.values() if isinstance(bold, MultiSubjectBold) else [slice(0, bold.shape[1])]
    size = features.shape[1], bold.shape[1]
    cv, r = np.full((2, *size), np.nan, np.float32)
    p, p_max = np.full((2, *size), np.nan)  # in float64: rounded up, one at the level itself would not count
    for k, fitted in enumerate(_fitted_layers(features, bold, model, split, name)):
        cv[k] = fitted.model.cv_scores_.max(axis=0)
        for columns in subjects:  # the best voxel of a shift is that of a subject
            starts = range(columns.start, columns.stop, _BLOCK)
            blocks = (fitted.predict(slice(v, min(v + _BLOCK, columns.stop))) for v in starts)
            if n_permutations:
                r[k, columns], p[k, columns], p_max[k, columns] = shifted_p(blocks, n_permutations, seed=seed)
            else:
                r[k, columns] = np.concatenate([block.correlation() for block in blocks])
    return LayerScores(cv, r, p, p_max)


def _fitted_layers(
    features: NDArray, bold: NDArray | MultiSubjectBold, model: RidgeCV, split: Split, name: str
) -> Iterator[Fitted]:
    """Yield the model of each layer; responses are checked, and those of the test runs averaged, once for all."""
    spaces = [{f"{name}, layer {k}": features[:, k]} for k in range(features.shape[1])]
    check_spaces(spaces[0], split.delays, len(bold))  # before responses are read
    check_length(split, len(bold))
    responses = split_responses(bold, split, _REMEMBERED)
    data: list[SplitData] = []

    def designs() -> Iterator[NDArray]:
        for space in spaces:
            data[:] = [with_features(responses, space, split)]
            yield from data[0].train.values()

    models = fit_in_turn(model, designs(), responses.train, split.groups[~split.test])
    for fitted in tqdm(models, total=len(spaces), desc=name, delay=3, leave=False):
        yield Fitted(fitted, data[0])


def sweep_unit(features: NDArray, bold: NDArray, **options: Any) -> dict[str, NDArray]:
    """Fit and test one layer in one subject, as a unit of work; see `sweep_layers`."""
    return asdict(sweep_layers(features, bold, **options))


def _sweep_in_units(
    features: NDArray, bold: NDArray | MultiSubjectBold, workers: Workers, options: dict[str, Any]
) -> LayerScores:
    """Fit and test all layers in all subjects, each layer of a subject a unit of work."""
    by_subject = list(bold.bold.values()) if isinstance(bold, MultiSubjectBold) else [bold]
    n_layers = features.shape[1]
    options = options | {"model": clone(options["model"]).set_params(progress=False)}
    layers = [np.ascontiguousarray(features[:, k : k + 1]) for k in range(n_layers)]
    units = [{"features": x, "bold": responses, **options} for responses in by_subject for x in layers]
    results = workers.map(sweep_unit, units, label=options["name"])
    scores = {}
    for field in ("cv", "r", "p", "p_max"):
        values = [result[field] for result in results]
        of_subjects = [np.concatenate(values[k : k + n_layers]) for k in range(0, len(values), n_layers)]
        scores[field] = np.concatenate(of_subjects, axis=1)
    return LayerScores(**scores)


@dataclass(frozen=True, eq=False)
class Selection:
    """Layer and voxels that the training runs selected for one subject.

    Attributes
    ----------
    layer : int
    voxels : int array (n_best,)
        The best first.
    cv : array (n_layers,)
        Mean score of the ``n_best`` voxels of each layer.
    """

    layer: int
    voxels: NDArray
    cv: NDArray

    def __repr__(self) -> str:
        return f"Selection(layer {self.layer} of {len(self.cv)}, {len(self.voxels)} voxels)"


class Selections(Mapping):
    """Layer and voxels of each subject: a mapping of subjects to `Selection`.

    Parameters
    ----------
    by_subject : dict of str to Selection
    """

    def __init__(self, by_subject: Mapping[str, Selection]) -> None:
        self._by_subject = dict(by_subject)

    def __getitem__(self, subject: str) -> Selection:
        return self._by_subject[subject]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_subject)

    def __len__(self) -> int:
        return len(self._by_subject)

    def __repr__(self) -> str:
        return f"Selections({self._by_subject})"

    def at_layer(self, values: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Return values at the selected layer.

        Parameters
        ----------
        values : dict of str to array (n_layers, n_voxels)
            By subject.

        Returns
        -------
        values : dict of str to array (n_voxels,)
        """
        return {subject: x[self[subject].layer] for subject, x in values.items()}

    def mean_over_voxels(self, values: Mapping[str, NDArray]) -> NDArray:
        """Return each subject's mean over the selected voxels, NaN left out.

        Parameters
        ----------
        values : dict of str to array (n_voxels,)
            By subject.

        Returns
        -------
        means : array (n_subjects,)
        """
        return np.array([np.nanmean(x[self[subject].voxels]) for subject, x in values.items()])


@overload
def select_layer_and_voxels(cv: Mapping[str, ArrayLike], n_best: int) -> Selections: ...
@overload
def select_layer_and_voxels(cv: ArrayLike, n_best: int) -> Selection: ...
def select_layer_and_voxels(cv: ArrayLike | Mapping[str, ArrayLike], n_best: int) -> Selection | Selections:
    """Select a layer and its best voxels, by scores inside the training runs.

    A layer is judged by the mean over its own best voxels (Nakagi et al. 2024: 5,000 of about 70,000).

    Parameters
    ----------
    cv : array (n_layers, n_voxels), or dict of such by subject
        From `sweep_layers`.
    n_best : int
        Voxels of a subject.

    Returns
    -------
    selection : Selection, or Selections of a dict

    Raises
    ------
    ValueError
        If ``n_best`` is not from 1 to the number of voxels.
    """
    if isinstance(cv, Mapping):
        return Selections({subject: select_layer_and_voxels(x, n_best) for subject, x in cv.items()})
    cv = as_real(cv, "cv")
    if cv.ndim != 2:
        raise ValueError(f"cv has shape {cv.shape}, expected (n_layers, n_voxels)")
    n_best = whole("n_best", n_best, 1, cv.shape[1], hint=f"cv is of {cv.shape[1]} voxels")
    best = np.argsort(-cv, axis=1, kind="stable")[:, :n_best]
    means = np.take_along_axis(cv, best, axis=1).mean(axis=1)
    layer = int(np.argmax(means))
    return Selection(layer, best[layer], means)


def null_over_voxels(
    features: ArrayLike,
    bold: MultiSubjectBold,
    model: RidgeCV,
    split: Split,
    selections: Selections,
    voxels: dict[str, NDArray],
    *,
    n_permutations: int = 1000,
    seed: int = 0,
) -> NDArray:
    """Return the null of each subject's mean r over voxels at the selected layer.

    For a test of subjects who share the stimulus (`inference.shared_stimulus_test`). Layers are selected after
    `sweep_layers`, and the null of every layer and voxel would not fit into memory; so the selected layer is fitted
    once more, to these voxels alone.

    Parameters
    ----------
    features, bold, model, split
        As in `sweep_layers`; ``bold`` is a `MultiSubjectBold`.
    selections : Selections
        Of which the layer is taken.
    voxels : dict of str to int array (n,)
        By subject, chosen without the test runs.
    n_permutations, seed
        As in `inference.circular_shift_null`.

    Returns
    -------
    null : array (n_permutations, n_subjects)
    """
    features = as_real(features, "features")
    features = features[:, None] if features.ndim == 2 else features
    subjects = list(bold.bold)
    null = {}
    for layer in sorted({selections[s].layer for s in subjects}):
        members = [s for s in subjects if selections[s].layer == layer]
        selected = MultiSubjectBold({s: bold.bold[s] for s in members}).select_voxels({s: voxels[s] for s in members})
        fitted = fit({"layer": features[:, layer]}, selected, model, split)
        for s, columns in selected.columns.items():
            shifted = shifted_scores([fitted.predict(columns)], n_permutations, seed=seed)[1]
            null[s] = np.nanmean(shifted, axis=1, dtype=np.float64)
    return np.stack([null[s] for s in subjects], axis=1)


@dataclass(frozen=True, repr=False)
class NoiseCeilings(ShapeRepr):
    """Noise ceilings of subjects; both are empty where no test run was repeated.

    Attributes
    ----------
    r : dict of str to array (n_voxels,)
        By subject: r of a perfect model with the mean of all repeats.
    reliable : dict of str to bool array (n_voxels,)
        By subject: whether the ceiling is more than noise, see `reliable_voxels`.
    """

    r: dict[str, NDArray]
    reliable: dict[str, NDArray]


def noise_ceilings(bold: MultiSubjectBold, split: Split, *, n_permutations: int = 1000, seed: int = 0) -> NoiseCeilings:
    """Return the noise ceilings of subjects in test runs with repeats.

    Parameters
    ----------
    bold : MultiSubjectBold
    split : Split
    n_permutations, seed : int
        Of the shifts that say where responses repeat, see `reliable_voxels`.

    Returns
    -------
    ceilings : NoiseCeilings
        Empty if ``split.repeats`` is None.
    """
    ceilings = NoiseCeilings({}, {})
    if split.repeats is None:
        return ceilings
    for subject, x in bold.bold.items():
        repeats, ids = split.repeats(marked_rows(x, split.test), split.runs[split.test])
        release_pages(x)  # repeats are a copy
        ceilings.r[subject] = noise_ceiling(repeats, len(repeats), ids)
        ceilings.reliable[subject] = reliable_voxels(repeats, ids, n_permutations=n_permutations, seed=seed)
    return ceilings


@dataclass(frozen=True, repr=False)
class FoldedLayerScores(ShapeRepr):
    """Accuracy in folds at the layer that was selected without them.

    Attributes
    ----------
    r : array (n_voxels,)
        Pearson correlation on what was left out: mean over folds; a fold whose prediction is constant counts as 0.
    layers : int array (n_folds,)
        Chosen without each fold.
    null : array (n_permutations, n_voxels)
        The same of responses that were shifted before everything was fitted, and the layer chosen, again.
    """

    r: NDArray
    layers: NDArray
    null: NDArray


def sweep_layers_in_folds(
    features: ArrayLike, bold: ArrayLike, model: RidgeCV, split: FoldSplit, *, n_permutations: int = 0, seed: int = 0
) -> FoldedLayerScores:
    """Select a layer without each fold, and test it on the fold.

    Unlike runs, blocks of one run touch each other: TRs within ``gap`` of a fold are neither trained nor tested on, and
    no delay reaches from one side of a cut, or of the end of a run, to the other. For the null the responses are
    shifted circularly inside runs and all is done again, as the models of different folds were fitted on each other's
    test data (see `encoding.group_accuracy`).

    Parameters
    ----------
    features : array (n_trs, n_layers, dim) or (n_trs, dim)
    bold : array (n_trs, n_voxels)
        Voxels of all subjects who share the stimulus side by side: a shift moves all alike.
    model : RidgeCV
        Its own ``cv`` splits what is left of the training TRs by group.
    split : FoldSplit
        Groups are contiguous blocks; ``cv`` is a number of folds.
    n_permutations : int
        Rows of the null; 0 for none.
    seed : int
        Draws the shifts.

    Returns
    -------
    scores : FoldedLayerScores
        The layer is the one with the best mean CV score over all voxels.

    Raises
    ------
    ValueError
        As in `sweep_layers` and `models.folds.GroupGapKFold`.
    """
    bold = as_responses(bold)
    n_permutations = whole("n_permutations", n_permutations, 0)
    check_length(split, len(bold))
    if not split.keep.all():
        raise ValueError(
            f"keep leaves out {(~split.keep).sum()} TRs, expected none: take them out of bold and features"
        )
    groups = split.groups
    runs = split.runs
    n_folds = whole("cv", split.cv, 2)
    n_voxels = bold.shape[1]
    batches = shift_batches(runs, len(bold), n_voxels, n_permutations, seed)
    folds = GroupGapKFold(n_folds, split.gap, runs).split(bold, groups=groups)
    jobs = [(fold, batch) for fold in folds for batch in batches]
    scores = []
    layers = []
    for (train, test), batch in tqdm(jobs, desc="blocks", delay=3, leave=False):
        rows = np.sort(np.concatenate([train, test]))
        cut = (np.diff(rows) > 1) | (groups[rows[1:]] != groups[rows[:-1]]) | (runs[rows[1:]] != runs[rows[:-1]])
        pieces = np.concatenate([[0], np.cumsum(cut)])
        copies = np.concatenate([shifted(bold, row, runs)[rows] for row in batch], axis=1)
        inner = Split(np.isin(rows, test), pieces, split.tr, split.delays, groups=groups[rows])
        fold_scores = sweep_layers(features[rows], copies, model, inner)
        for k in range(len(batch)):
            columns = slice(k * n_voxels, (k + 1) * n_voxels)
            selection = select_layer_and_voxels(fold_scores.cv[:, columns], n_voxels)
            layers.append(selection.layer)
            scores.append(fold_scores.r[selection.layer, columns])
    scores = np.nan_to_num(scores).reshape(n_folds, -1, n_voxels).mean(axis=0)
    return FoldedLayerScores(scores[0], np.array(layers).reshape(n_folds, -1)[:, 0], scores[1:])
