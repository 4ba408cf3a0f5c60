"""The MNI152 template of nilearn, without its interpolation."""

import nilearn.datasets
import numpy as np
import pytest
from naturalistic.anatomy.template import mni152_template

LOADERS = {
    "head": nilearn.datasets.load_mni152_template,
    "gray": nilearn.datasets.load_mni152_gm_template,
    "white": nilearn.datasets.load_mni152_wm_template,
    "brain": nilearn.datasets.load_mni152_brain_mask,
}


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 4])
@pytest.mark.parametrize("kind", LOADERS)
def test_it_is_what_nilearn_interpolates(kind, step):
    volume, affine = mni152_template(kind, step)
    expected = LOADERS[kind](resolution=step)
    np.testing.assert_array_equal(affine, expected.affine)
    np.testing.assert_allclose(volume, np.asarray(expected.dataobj), rtol=0, atol=1e-7)
    assert volume.dtype == (bool if kind == "brain" else np.float32)


def test_what_all_share_cannot_be_written_to():
    volume, _ = mni152_template("brain", 4)
    with pytest.raises(ValueError, match="read-only"):
        volume[0] = True
