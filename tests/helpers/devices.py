"""Device of the tests that need a GPU.

``NATURALISTIC_TEST_DEVICE=cpu`` runs them where there is none, so that what leads up to a GPU is tested everywhere.
"""

import os

import pytest
import torch

DEVICE = os.environ.get("NATURALISTIC_TEST_DEVICE") or ("cuda" if torch.cuda.is_available() else None)
# autocast of embedders and generators in half precision is refused on a CPU
HALF = ("float16",) if DEVICE and DEVICE.startswith("cuda") else ()


def on_device(test):
    """Mark a test that runs on `DEVICE`, and is skipped where there is no GPU."""
    return pytest.mark.gpu(pytest.mark.skipif(DEVICE is None, reason="no GPU")(test))
