"""Sentences of the chapter on one's own experiment follow the numbers."""

import pandas as pd
from naturalistic.reporting import results, your_experiment


def numbers_of(monkeypatch, tmp_path, significant, kind="subjects", lag=4.5):
    monkeypatch.setenv("NATURALISTIC_RESULTS", str(tmp_path))
    rows = [{"subject": "01", "model": name, "significant": n, "voxels": 1000} for name, n in significant.items()]
    ceilings = pd.DataFrame({"subject": ["01"], "ceiling": [kind], "reliable": [3], "median share": [0.5]})
    numbers = {"scores": pd.DataFrame(rows), "ceilings": ceilings, "lags": {"01": lag}, "main": "context"}
    return results.save("16-your-experiment", numbers, dataset="ours", seed=0)


def test_findings(monkeypatch, tmp_path):
    text = your_experiment.findings(numbers_of(monkeypatch, tmp_path, {"context": 12, "beyond controls": 7}))
    assert "- Subjects: 1. “context” is significant in 12 of 1,000 voxels" in text
    assert "Beyond the controls it is significant in 7:" in text and "ceiling: other subjects with the same" in text
    assert "after 4.5 s" in text
    text = your_experiment.findings(numbers_of(monkeypatch, tmp_path, {"context": 0}, "halves", None))
    assert "Beyond" not in text and "clock" not in text and "halves" in text


def test_ground_truth_of_data_that_were_measured():
    class Measured:
        is_simulated = False
        folder = "."

    truth = your_experiment.ground_truth(Measured(), {})
    assert truth.empty and "no ground truth" in your_experiment.truth_sentence(truth)
    shares = [0.9, 0.02, 0.001]
    found = pd.DataFrame({
        "model": "beyond controls", "voxels follow": ["kind of scene", "rate of words", "nothing"],
        "significant": shares,
    })  # fmt: skip
    assert "90% of the voxels" in your_experiment.truth_sentence(found)
