"""Exact cross-validated ridge at the speed of the matrix product: free functions over arrays.

===============  ==========================================================================
`validation`     shapes, types, finite values, alphas; errors before long work
`device`         devices, parallel work, batches of targets
`decomposition`  an orthonormal basis of the features' span; the eigenproblem of each fold
`fold_data`      training and test rows of folds, products over them without cancellation
`scoring`        scores of every alpha on one fold
`solve`          ridge: the loop over batches of targets
`small`          the same for many small problems at once
`spaces`         several feature spaces side by side, each with its weight
`banded`         the random search over those weights, and the fit at the best
===============  ==========================================================================

Notation: ``n_samples x n_features`` X is replaced by ``Q diag(s)`` of rank r; ridge on either is the same
problem, with weights turned by an orthonormal matrix V. A fold whose training Gram matrix
has the eigenvalues e predicts ``Z diag(h(alpha)) W Q_train' Y_train`` with ``h = e / (e + alpha)``. Only h depends
on alpha, so alphas differ in vectors and never in matrices.
"""

from naturalistic.models.engine.solve import RidgeSolution, solve_ridge_cv

__all__ = ["RidgeSolution", "solve_ridge_cv"]
