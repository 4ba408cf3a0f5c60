"""Encoding models: prediction, scores, layers, joint models, weight axes, groups."""

import lazy_loader

from naturalistic.renamed import explain_old_attributes

# what __init__.pyi names is imported when it is first asked for: importing the package alone is quick
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = explain_old_attributes(__name__, __getattr__)
