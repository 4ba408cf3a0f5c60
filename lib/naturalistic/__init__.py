"""Naturalistic experience in the human brain: the library under the book.

Lower layers never import higher ones; from low to high: ``runs`` and ``cache``, ``miniature``,
``datasets``, ``preprocessing`` and ``features``, ``ridge``, ``scoring`` and ``inference``, ``plotting`` and
``results``. Import the module that you need, for example ``from naturalistic.datasets import alice``.
"""

from importlib.metadata import version

__version__ = version("naturalistic")
