"""How much of each eigenvector each alpha keeps, written in as few dimensions as the precision needs."""

import torch

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-14}


def shrinkage(eigenvalues, alphas):
    """Return ``e / (e + alpha)`` (rank, n_alphas), float64."""
    return eigenvalues[:, None] / (eigenvalues[:, None] + alphas[None, :])


def compress(filters, tolerance):
    r"""Write the filters of all alphas as combinations of few.

    The matrix :math:`e_i / (e_i + \alpha_j)` is of Cauchy type, its singular values fall geometrically: 25
    alphas from 1e-12 to 1e12 span 7 to 10 dimensions at 1e-6. As many are kept as make every single entry, not
    only their sum, right to ``tolerance`` times itself.

    Parameters
    ----------
    filters : tensor (rank, n_alphas)
        Positive, float64.
    tolerance : float
        Largest relative error of an entry.

    Returns
    -------
    factors : tensor (rank, n_kept)
    mixing : tensor (n_kept, n_alphas)
        ``factors @ mixing`` is ``filters`` to the tolerance, exactly if nothing is gained by compressing.
    """
    rank, n_alphas = filters.shape
    columns = filters.amax(dim=0) if rank else torch.ones(n_alphas, dtype=filters.dtype, device=filters.device)
    scaled = filters / columns  # scores do not mind the size of a prediction; neither must the tolerance
    exact = scaled, torch.diag(columns)
    if n_alphas < 3 or rank == 0:
        return exact
    rows = scaled.amax(dim=1, keepdim=True)
    scaled = scaled / rows
    U, s, Vt = torch.linalg.svd(scaled, full_matrices=False)
    for kept in range(1, min(len(s), n_alphas - 1) + 1):
        error = (U[:, :kept] * s[:kept]) @ Vt[:kept] - scaled
        if float((error.abs() / scaled).max()) <= tolerance:
            return rows * U[:, :kept] * s[:kept], Vt[:kept] * columns
    return exact
