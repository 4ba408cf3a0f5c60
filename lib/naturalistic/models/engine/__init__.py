"""Exact cross-validated ridge at the speed of the matrix product: free functions over arrays.

===========  =============================================================================
`inputs`     what comes in: shapes, types, finite values, alphas; errors before long work
`device`     where it runs and how much of it at a time
`basis`      features to an orthonormal basis of their span, once (primal or dual by size)
`rows`       which rows a fold trains on and tests; products over them without cancellation
`spectrum`   the eigenproblem of one fold, primal or dual
`filters`    the shrinkage of each eigenvector by each alpha, and its few dimensions
`moments`    norm and cross product of the test predictions of every alpha; their scores
`solve`      the loop over batches of targets
`spaces`     several feature spaces side by side, each with its own weight
`bands`      the random search over those weights, and the fit at the best
===========  =============================================================================

Notation: ``n_samples x n_features`` X is replaced by ``Q diag(s)`` of rank r; ridge on either is the same
problem, with weights turned by an orthonormal matrix V. A fold whose training Gram matrix
has the eigenvalues e predicts ``Z diag(h(alpha)) W Q_train' Y_train`` with ``h = e / (e + alpha)``. Only h depends
on alpha, so alphas are told apart by vectors and never by matrices.
"""

from naturalistic.models.engine.solve import RidgeSolution, solve_ridge_cv

__all__ = ["RidgeSolution", "solve_ridge_cv"]
