"""From the scanner's signal to the targets of a model; each step stays inside a run.

:mod:`.filters` takes out drifts, :mod:`.scaling` brings voxels to one scale, :mod:`.motion` puts the head back,
:mod:`.masks` says where brain and cortex are, :mod:`.registration` where a voxel lies in the MNI space,
:mod:`.store` does all of it for a subject, once.
"""

import lazy_loader

from naturalistic.renamed import explain_old_attributes

# what __init__.pyi names is imported when it is first asked for: importing the package alone is quick
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__getattr__ = explain_old_attributes(__name__, __getattr__)
