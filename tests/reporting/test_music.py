"""Tables and sentences of the music chapters change with the data, and say no more than these do."""

import numpy as np
import pandas as pd
import pytest
from naturalistic import decoding
from naturalistic.reporting import music, results, summaries
from naturalistic.reporting.music import ORACLE


@pytest.fixture(scope="module")
def scores():
    """Two embeddings of two subjects: one read perfectly, the other not at all."""
    rng = np.random.default_rng(0)
    target = rng.standard_normal((20, 8))
    found = {}
    for subject in ("1", "2"):
        found["good", subject] = decoding.score_decoding(target, target, 60, 0)
        found["none", subject] = decoding.score_decoding(rng.standard_normal((20, 8)), target, 60, 0)
    return found


def test_a_score_is_a_row(scores):
    table = music.score_table(scores, ("embedding", "subject"))
    assert list(table["embedding"]) == ["good", "none", "good", "none"] and list(table["subject"]) == list("1122")
    good = table[table["embedding"] == "good"]
    assert (good["identification"] == 1).all() and (good["mean_rank"] == 1).all() and (good["p"] < 0.02).all()
    assert table["chance"].between(0.4, 0.6).all()
    with pytest.raises(ValueError, match="zip"):
        music.score_table(scores, ("embedding",))


def test_a_summary_equals_that_of_each_embedding(scores):
    summary = music.score_summary(scores, 3)
    alone = summaries.summarize_scores({subject: scores["good", subject] for subject in "12"}, 3)
    assert list(summary) == ["good", "none"] and summary["good"].keys() == alone.keys()
    for key, value in alone.items():
        np.testing.assert_array_equal(summary["good"][key], value)
    text = music.score_text(summary, music.score_table(scores, ("embedding", "subject")))
    assert "over subjects (n = 2)" in text and "Above chance in every subject (p ≤ 0.05): good." in text
    assert "Not above chance in every subject: none." in text


def permutation(score, p=0.01):
    return decoding.PermutationResult(score, np.linspace(0.4, 0.6, 41), p)


def test_tests_say_on_which_side_of_chance_they_are():
    tests = {("seen", "1"): permutation(0.9), ("unseen", "1"): permutation(0.1, 1.0)}
    table = music.permutation_table(tests, ("decoder", "subject")).assign(candidates="all")
    assert list(table["p"]) == [0.01, 1.0] and table["p_below"].tolist() == [1.0, pytest.approx(1 / 42)]
    text = music.genre_text(table)
    assert "all, seen: 1 above and 0 below chance" in text and "all, unseen: 0 above and 1 below chance" in text
    summary = music.permutation_summary(table, "decoder")
    assert summary["seen"]["subjects"].tolist() == [0.9] and summary["seen"]["chance"] == pytest.approx(0.5)


def test_other_data_are_compared_with_ones_own():
    tests = {("own", "1"): 0.9, ("own", "2"): 0.8, ("others'", "1"): 0.7, ("others'", "2"): 0.8}
    tests = {key: permutation(score) for key, score in tests.items()}
    rows = music.across_text(music.permutation_table(tests, ("data", "subject"))).splitlines()
    assert rows[2].endswith("+0.000 |") and rows[3].endswith("-0.100 |")


def test_corrections_are_columns():
    rows = [
        {"embedding": name, "subject": subject, "correction": correction, "identification": value}
        for name in ("a", "b")
        for subject in ("1", "2")
        for correction, value in (("none", 0.5), ("centered", 0.75))
    ]
    lines = music.correction_text(pd.DataFrame(rows)).splitlines()
    assert lines[2] == "| embedding | none | centered |" and lines[4] == "| a | 0.500 ± 0.000 | 0.750 ± 0.000 |"


def test_the_oracle_is_no_subject(scores):
    sounds = {("retrieved", name, subject): x for (name, subject), x in scores.items()}
    sounds |= {("retrieved", name, ORACLE): scores["good", "1"] for name in ("good", "none")}
    summary = music.reconstruction_summary(sounds)
    assert len(summary["retrieved"]["none"]["identification"]) == 2 and summary["retrieved"]["none"]["oracle"] == 1
    assert "| retrieved, good | 1.000 ± 0.000 |" in music.reconstruction_text(summary)
    tests = {("genre", "retrieved", "1"): permutation(0.6, 0.2), ("genre", "retrieved", ORACLE): permutation(0.8)}
    agreement = music.permutation_table(tests, ("property", "method", "subject"))
    found = music.agreement_summary(agreement)["genre"]["retrieved"]
    assert found["subjects"].tolist() == [0.6] and found["oracle"] == 0.8
    text = music.agreement_text(agreement, {"genre": 0.5})
    assert "genre 50%" in text and "Not above chance in every subject: genre retrieved." in text


def test_a_probe_names_the_better_model():
    rows = [
        {"property": name, "embedding": embedding, "score": score, "chance": 0.1}
        for name, by in {"genre": (0.9, 0.5), "onsets": (0.2, 0.4)}.items()
        for embedding, score in zip(("joint", "sound"), by)
    ]
    probed = pd.DataFrame(rows)
    assert music.probe_summary(probed, "score") == {
        "genre": {"joint": 0.9, "sound": 0.5},
        "onsets": {"joint": 0.2, "sound": 0.4},
    }
    text = music.probe_text(probed, ["joint", "sound"])
    assert (
        "**joint** reads genre best; **sound** reads onsets best" in text and "| genre | 0.90 | 0.50 | 0.10 |" in text
    )
    assert "best" not in music.probe_text(probed, ["joint"]) and "within" not in text
    equal = probed.assign(score=[0.9, 0.88, 0.2, 0.4])
    assert "**sound** reads onsets best; within 0.03 of each other" in music.probe_text(equal, ["joint", "sound"])


def test_sentences_follow_the_data():
    numbers = {"n_clips": 9, "joint": "m", "first": 0.5, "zero_shot_genre_accuracy": 0.25}
    text = music.search_text({**numbers, "caption_to_clip_median_rank": 2.0}, n_genres=4)
    assert "rank 2 of 9 (median; by chance 5)" in text and "25% of the clips get their genre (by chance 25%)" in text
    assert "simulated" not in music.player_text("FMA", "musicldm", False)
    assert music.player_text("FMA", "mini", True).endswith("All of these sounds are simulated.")
    assert "not used" in music.novelty_text(None)
    costs = music.embedding_costs_text({"seconds_per_hour": {"m": {"cpu": 12.0}}, "about": "On two cores."})
    assert costs.startswith("| seconds of computing per hour of audio | cpu |") and costs.endswith("On two cores.")
    assert music.paper_names("a", "encodec") == {"a": "MuLan_music", "text": "MuLan_text", "encodec": "SoundStream-avg"}


def test_a_table_of_scores_is_stored(scores, tmp_path, monkeypatch):
    monkeypatch.setenv("NATURALISTIC_RESULTS", str(tmp_path))
    table = music.score_table(scores, ("embedding", "subject"))
    results.save("07-x", {"accuracy": table}, dataset="x", seed=0)
    pd.testing.assert_frame_equal(results.frame(results.load("07-x")["accuracy"]), table)
