"""Naturalistic experience in the human brain: the library under the book.

Lower layers never import higher ones; from low to high: ``arrays``, ``runs``, ``cache`` and ``simulated``,
``models`` (ridge, folds, scores), ``datasets``, ``anatomy``, ``inference``, ``preprocessing`` and ``features``,
``generation``, ``encoding``, ``decoding``, ``plotting`` and ``reporting``, ``doctor``, ``cli``. Import the module that
you need, for example ``from naturalistic.datasets import alice``.
"""

from importlib.metadata import version

from naturalistic.renamed import explain_old_names

__version__ = version("naturalistic")
explain_old_names()
