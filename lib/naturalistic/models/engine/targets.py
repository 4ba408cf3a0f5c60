"""A batch of targets as the folds see it: read once and summed once, for any number of judges."""

from typing import NamedTuple

import numpy as np
import torch

from naturalistic.models.engine.moments import TargetStats


class Seen(NamedTuple):
    """A batch of targets in one fold."""

    train: torch.Tensor | None  # (q, n_targets) ``Q_train' Y_train``; None if all folds are dual
    test: torch.Tensor | None  # the same of the test rows
    y_test: torch.Tensor  # (n_test, n_targets)
    stats: TargetStats


def load_targets(Y, batch, device, dtype, fit_intercept):
    """Read a batch of targets: a contiguous copy in working precision, its means taken off.

    Returns
    -------
    y : tensor (n_samples, n_targets)
    y_mean : array (n_targets,)
        float64; zeros without intercept.
    """
    native = np.float32 if Y.dtype == np.float32 else np.float64  # integers, half precision, other byte orders
    y = torch.as_tensor(np.array(Y[:, batch], dtype=native, order="C"), device=device)
    if not fit_intercept:
        return y.to(dtype), np.zeros(y.shape[1])
    y_mean = y.mean(dim=0, dtype=torch.float64)
    y = y.to(dtype).sub_(y_mean.to(dtype)) if y.dtype == dtype else (y - y_mean).to(dtype)
    return y, y_mean.cpu().numpy()


def look(y, rows, products, fit_intercept):
    """Return what each fold sees of a batch of targets.

    Parameters
    ----------
    y : tensor (n_samples, n_targets)
    rows : naturalistic.models.engine.rows.Rows
    products : naturalistic.models.engine.rows.FoldProducts, or None
        Of the features with ``y``; None if all folds are dual.
    fit_intercept : bool

    Returns
    -------
    seen : list of Seen
    """
    constant, seen = constant_targets(y, rows, fit_intercept), []
    for k, fold in enumerate(rows.folds):
        y_test = y[fold.test]
        train, test = (None, None) if products is None else (products.train[k], products.test[k])
        sums = y[fold.train].sum(dim=0) if train is None else train[-1]
        test_mean = y_test.mean(dim=0)
        test_ss = (y_test - test_mean).square_().sum(dim=0).to(torch.float64)
        train_mean = sums.to(torch.float64) / fold.n_train * fit_intercept
        stats = TargetStats(test_mean, test_ss * ~constant[1][k], train_mean, ~constant[0][k])
        seen.append(Seen(train, test, y_test, stats))
    return seen


def score_folds(judges, seen, y, rows, heard=None):
    """Return the mean scores over folds.

    Parameters
    ----------
    judges : list of naturalistic.models.engine.moments.Judge
        One a fold.
    seen : list of Seen
    y : tensor (n_samples, n_targets)
    rows : naturalistic.models.engine.rows.Rows
    heard : tensor of int, optional
        Columns of the features that the judges have, if not all.

    Returns
    -------
    scores : tensor (n_alphas, n_targets), float64
    """
    scores = 0
    for judge, fold, of_fold in zip(judges, rows.folds, seen):
        if judge.dual:
            B_train, B_test = y[fold.train], of_fold.y_test
        else:
            B_train, B_test = (x if heard is None else x[heard] for x in (of_fold.train, of_fold.test))
        scores = scores + judge.scores(B_train, B_test, of_fold.y_test, of_fold.stats)
    return scores / len(judges)


def constant_targets(y, rows, fit_intercept):
    """Say which targets are exactly constant over each fold's training and over its test rows.

    Without intercept a constant training target still moves the weights, unless it is zero.

    Returns
    -------
    train, test : list of bool tensor (n_targets,)
    """

    def extremes(index):
        return torch.stack([y[index].amax(dim=0), -y[index].amin(dim=0)])

    test = [extremes(fold.test) for fold in rows.folds]
    if rows.partition and len(test) > 1 and not any(fold.n_gap for fold in rows.folds):
        train = [torch.stack(test[:k] + test[k + 1 :]).amax(dim=0) for k in range(len(test))]
    else:
        train = [extremes(fold.train) for fold in rows.folds]
    constant = [ends[0] == -ends[1] for ends in train]
    if not fit_intercept:
        constant = [same & (ends[0] == 0) for same, ends in zip(constant, train)]
    return constant, [ends[0] == -ends[1] for ends in test]
