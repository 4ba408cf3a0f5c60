"""Features of films: layout, motion, embedders by name, and any film file on the grid of TRs."""

import lazy_loader

# what __init__.pyi names is imported when it is first asked for: importing the package alone is quick
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
