"""Known accuracies on fifteen measured brains, of an independent analysis with other code."""

import numpy as np
import pytest
from naturalistic import encoding, inference
from naturalistic.datasets import studyforrest
from naturalistic.models.ridge import RidgeCV
from naturalistic.preprocessing import open_subjects

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def film(real_forrest):
    return studyforrest.load(real_forrest)


@pytest.fixture(scope="module")
def bold(film):
    return np.stack([subject.bold for subject in open_subjects(film).values()])


def test_what_subjects_share(film, bold):
    keep = ~film.is_dropped()
    shared = inference.leave_one_out_correlation(bold[:, keep], film.runs[keep])
    assert shared.mean() == pytest.approx(0.226, abs=0.004) and np.median(shared.mean(axis=0)) == pytest.approx(
        0.201, abs=0.005
    )
    assert shared.mean(axis=0).max() == pytest.approx(0.651, abs=0.005)
    by_subject = dict(zip(film.subjects, shared.mean(axis=1)))
    assert min(by_subject, key=by_subject.get) == "20" and by_subject["20"] == pytest.approx(0.103, abs=0.003)


@pytest.mark.parametrize(
    ("name", "average", "subjects", "visual"),
    [("picture", 0.117, 0.046, 0.302), ("sound", 0.102, 0.047, 0.129), ("speech", 0.130, 0.060, 0.160)],
)
def test_simple_descriptions_of_the_film(film, bold, name, average, subjects, visual):
    low = film.low_level()
    columns = {
        "picture": [low[k] for k in low if k.startswith(("brightness", "frame"))] + [film.cuts()],
        "sound": [low["log_rms"]],
        "speech": list(film.speech().values()),
    }[name]
    features = np.stack(columns, axis=1).astype(np.float32)
    split = encoding.FoldSplit(film.runs, 8, film.tr, [2, 4, 6, 8], film.runs, keep=~film.is_dropped())
    ridge = RidgeCV(np.logspace(0, 6, 13), cv=7, scoring="r2", progress=False)
    everybody = np.concatenate([bold.mean(axis=0)[None], bold])
    r = encoding.group_accuracy(features, everybody, ridge, split, n_permutations=0).r
    assert r[0].mean() == pytest.approx(average, abs=0.006)
    assert r[1:].mean() == pytest.approx(subjects, abs=0.004)
    in_visual = np.array(film.networks()) == "visual"
    assert r[0, in_visual].mean() == pytest.approx(visual, abs=0.015)
