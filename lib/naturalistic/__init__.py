"""Naturalistic experience in the human brain: the library under the book.

Lower layers never import higher ones; from low to high: ``runs``, ``cache`` and ``simulated``, ``datasets``,
``scoring`` and ``folds``, ``inference``, ``preprocessing`` and ``features``, ``engine``, ``ridge`` and ``banded``,
``design``, ``generation``, ``encoding`` and ``variance``, ``decoding``, ``plotting`` and ``results``,
``doctor``, ``cli``. Import the module that you need, for example ``from naturalistic.datasets import alice``.
"""

from importlib.metadata import version

from naturalistic.renamed import explain_old_names

__version__ = version("naturalistic")
explain_old_names()
