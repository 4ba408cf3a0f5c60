"""One run of the size that the scanner writes: 513,884,512 bytes, prepared with less than 3 GB of memory."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.helpers.simulated_head import drifting, grid, image, rigid

SHAPE, N_TRS = (96, 96, 68), 410
PREPARE = """
import json, sys
from naturalistic.datasets import scans
from naturalistic import preprocessing
scan = scans.find(sys.argv[1], "001", "Training_run-01", space="raw", tr=1.5, n_trs=410)
person = preprocessing.prepare([scan], n_dropped=10, folder=sys.argv[1] + "/kept", n_jobs=1)
kilobytes = dict(line.split(":") for line in open("/proc/self/status"))["VmHWM"].split()[0]
peak = 1024 * int(kilobytes)
print(json.dumps({"shape": person.bold.shape, "peak": peak, "motion": person.scan_motion[scan.run].tolist()}))
"""


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_a_run_of_full_size(tmp_path):
    func = tmp_path / "sub-001" / "func"
    func.mkdir(parents=True)
    (func / "sub-001_task-Training_run-01_bold.json").write_text(json.dumps({"RepetitionTime": 1.5}))
    path = func / "sub-001_task-Training_run-01_bold.nii"
    motion = write_run(path)
    assert path.stat().st_size == 513_884_512
    done = subprocess.run([sys.executable, "-c", PREPARE, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["shape"][0] == 400 and 60_000 < found["shape"][1] < 150_000
    assert found["peak"] < 3e9
    wrong = np.abs(np.array(found["motion"]) - np.repeat(motion, 10, axis=0))
    assert wrong[:, :3].max() < 0.2 and np.rad2deg(wrong[:, 3:].max()) < 0.2
    assert np.abs(motion[:, :3]).max() > 0.5


def write_run(path):
    """Write a head that moves every tenth volume; return where it went (41, 6), mm and rad."""
    _, affine = grid(2.0)
    affine[:3, 3] += affine[:3, :3] @ ((np.array(grid(2.0)[0]) - SHAPE) / 2)  # centred again, on the real grid
    centre = affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2) + affine[:3, 3]
    rng = np.random.default_rng(0)
    motion = drifting(rng, N_TRS // 10)
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((*SHAPE, N_TRS))
    header.set_zooms((2, 2, 2, 1.5))
    header.set_sform(affine, 1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with open(path, "wb") as file:
        file.write(header.binaryblock + bytes(4))
        for moved in motion:
            still = image(SHAPE, affine, np.linalg.inv(rigid(moved, centre)))
            for _ in range(10):
                noisy = np.hypot(still + 15 * rng.standard_normal(SHAPE, np.float32), 10.0)
                file.write(noisy.astype(np.int16).tobytes(order="F"))
    return motion
