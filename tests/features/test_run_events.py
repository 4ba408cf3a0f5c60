"""Events of BIDS as a stimulus: words, categories and numbers on the TRs of each run, and files that are wrong."""

from pathlib import Path

import numpy as np
import pytest
from naturalistic.datasets.run_events import read_run_events
from naturalistic.datasets.subject import Subject
from naturalistic.features.run_events import event_spaces
from naturalistic.features.stimulus import stimulus_spaces

TR = 2.0
HEADER = "onset\tduration\ttrial_type\tluminance\tface\n"
ROWS = "0\t4\tindoor\t1.5\tyes\n4\t2\toutdoor\t2\tno\n8\t0\tindoor\t4\tn/a\n13\t3\toutdoor\t3\tyes\n"
WORDS = "onset\tduration\tword\tsurprisal\n" + "".join(
    f"{2 * k + 2}\t1\t{w}\t{k % 3}\n" for k, w in enumerate("ab" * 9)
)


@pytest.fixture
def subject():
    runs = np.repeat([0, 1], [20, 20])
    names = ("task-film_run-1", "task-film_run-2")
    return Subject("01", np.zeros((40, 1), np.float32), runs, names, TR, "mni", first_trs=(0, 1))


def write(folder, text, name="sub-01_task-film_events.tsv"):
    path = Path(folder) / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_lie_on_the_trs_of_each_run(subject, tmp_path):
    events = read_run_events(write(tmp_path, HEADER + ROWS))
    spaces = event_spaces(subject, events, columns=["trial_type", "luminance"])
    assert {name: x.shape for name, x in spaces.items()} == {
        "event rate": (40, 2), "trial_type": (40, 2), "luminance": (40, 1),
    }  # fmt: skip
    # indoor 0 to 4 s, and the moment 8 s; outdoor 4 to 6 and 13 to 16 s
    assert spaces["trial_type"][:9].T.tolist() == [[1, 1, 0, 0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0.5, 1, 0]]
    assert spaces["luminance"][:9, 0].tolist() == [1.5, 1.5, 2, 0, 4, 0, 1.5, 3, 0]
    assert spaces["event rate"][:9].T.tolist() == [[1, 0, 1, 0, 1, 0, 1, 0, 0], [1, 1, 1, 0, 1, 0, 0.5, 1, 0]]
    # a volume was dropped at the start of the second run
    np.testing.assert_array_equal(spaces["luminance"][20:39], spaces["luminance"][1:20])
    late = event_spaces(subject, events, columns=["luminance"], offset={"run-1": 4.0, "run-2": 0.0})
    assert late["luminance"][:5, 0].tolist() == [0, 0, 1.5, 1.5, 2]


def test_events_are_a_stimulus_like_any_other(subject, tmp_path):
    made = stimulus_spaces(subject, write(tmp_path, HEADER + ROWS), columns=["luminance", "trial_type"])
    assert list(made.spaces) == ["event rate", "luminance", "trial_type"] and made.controls == ("event rate",)
    assert made.words is None and len({each.recording for each in made.played}) == 1  # one file of both runs
    np.testing.assert_array_equal(made.clock, made.spaces["event rate"][:, 0])
    second = write(tmp_path, HEADER + ROWS.replace("luminance", "x").replace("1.5", "9"), "run-2_events.tsv")
    by_run = {"run-1": tmp_path / "sub-01_task-film_events.tsv", "run-2": second}
    other = stimulus_spaces(subject, by_run, columns=["luminance"])
    assert len({each.recording for each in other.played}) == 2 and other.spaces["luminance"].max() == 9


def test_words_of_events_are_read_as_those_of_a_transcript(subject, tmp_path):
    path = write(tmp_path, WORDS)
    made = stimulus_spaces(subject, path, model="static:minilm")
    assert set(made.spaces) == {"word rate", "static"} and made.words.words == list("ab" * 9)
    table = write(tmp_path, WORDS.replace("\t", ","), "words.csv")
    same = stimulus_spaces(subject, table, model="static:minilm")
    np.testing.assert_array_equal(made.spaces["static"], same.spaces["static"])
    both = stimulus_spaces(subject, path, model=None, columns=["surprisal"])
    assert list(both.spaces) == ["word rate", "event rate", "surprisal"]
    named = write(tmp_path, WORDS.replace("word", "spoken"), "named_events.tsv")
    assert set(stimulus_spaces(subject, named, model=None, text="spoken").spaces) == {"word rate"}
    with pytest.raises(ValueError, match=r"named_events.tsv has no column 'heard', but besides onset and duration sp"):
        stimulus_spaces(subject, named, model=None, text="heard")
    sentences = "onset\tduration\tsentence\n2\t4\tthe old boat\n6\t4\tsailed home\n"
    spread = stimulus_spaces(subject, write(tmp_path, sentences, "s_events.tsv"), model=None)
    assert spread.words.words == "the old boat sailed home".split() and spread.spaces["word rate"][:20].sum() == 5


def test_what_can_be_no_feature_is_left_out_and_said(subject, tmp_path):
    text = HEADER.replace("face", "response_time\tstim_file") + (
        "0\t2\tfilm\t1\t0.5\ta.png\n6\t2\tfilm\t2\tn/a\tb.png\n12\t2\tfilm\t3\t0.7\tc.png\n"
    )
    path = write(tmp_path, text)
    with pytest.warns(UserWarning, match="columns that are no features") as caught:
        spaces = event_spaces(subject, read_run_events(path))
    assert list(spaces) == ["event rate", "luminance", "stim_file"]  # both runs showed the same pictures
    message = str(caught[0].message)
    assert "column 'trial_type' is 'film' in all events" in message
    assert "row 2: column 'response_time' is n/a (1 of 3 rows), expected a number" in message
    for column, reason in (
        ("trial_type", "events.tsv, column 'trial_type' is 'film' in all events .*: name other columns"),
        ("response_time", "events.tsv, row 2: column 'response_time' is n/a"),
        ("speed", "events.tsv has no column 'speed', but besides onset and duration trial_type, luminance"),
    ):
        with pytest.raises(ValueError, match=reason):
            event_spaces(subject, read_run_events(path), columns=[column])


BROKEN = {
    "no onset": ("start\tduration\tx\n0\t1\t2\n", r"has the columns start, duration, x, expected onset, duration: on"),
    "no duration": ("onset\tword\n0\ta\n", "duration is missing"),
    "commas": ("onset,duration,x\n0,1,2\n", r"its columns are divided by another sign"),
    "no row": (HEADER, "has a header and no row, expected one row or more"),
    "empty": ("", "onset, duration are missing"),
    "onset n/a": (HEADER + ROWS.replace("4\t2", "n/a\t2"), r"row 2: onset is 'n/a' \(1 of 4"),
    "onset text": (HEADER + ROWS.replace("4\t2", "four\t2"), r"row 2: onset is 'four', expected s"),
    "duration below 0": (HEADER + ROWS.replace("4\t2", "4\t-2"), "row 2: duration is -2, expected 0 s or more"),
    "cut": (HEADER + ROWS + "20\t1\n", r"row 5 .* has 2 cells, expected 5"),
    "in ms": (HEADER + ROWS.replace("0\t4", "90\t4").replace("4\t2", "4000\t2").replace("13\t", "13000\t"),
              r"3 of 4 events lie outside of run .* in row 1 \(onset 90 s, scan 0 to 40 s\): are they of"
              " another run, in ms"),
    "nothing but times": ("onset\tduration\n0\t1\n4\t2\n", "can be a feature: there is none; expected one of words"),
    "constant": ("onset\tduration\tx\n0\t1\t2\n4\t2\t2\n", "column 'x' is '2' in all events and tells nothing beyond"),
    "only names": ("onset\tduration\tx\n0\t1\ta\n4\t2\tb\n6\t2\tn/a\n", r"has 2 different texts in 2 events, most"),
}  # fmt: skip


@pytest.mark.parametrize("text, message", BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_named_with_file_and_place(subject, tmp_path, text, message):
    path = write(tmp_path, text)
    one_run = subject.select(["task-film_run-1"])
    with pytest.raises(ValueError, match=message) as error:
        stimulus_spaces(one_run, path, model=None)
    assert "events.tsv" in str(error.value)


def test_some_events_outside_are_warned_of(subject, tmp_path):
    path = write(tmp_path, HEADER + ROWS + "60\t2\tindoor\t1\tno\n")
    with pytest.warns(UserWarning, match=r"1 of 5 events lie outside of run 'task-film_run-.' .* the first in row 5"):
        event_spaces(subject, read_run_events(path), columns=["luminance"])


def test_a_column_that_is_silent_in_a_run_names_the_file(subject, tmp_path):
    write(tmp_path, HEADER + ROWS, "run-1_events.tsv")
    flat = "0\t4\tindoor\t0\tyes\n6\t4\toutdoor\t0\tno\n"
    by_run = {"run-1": tmp_path / "run-1_events.tsv", "run-2": write(tmp_path, HEADER + flat, "run-2_events.tsv")}
    with pytest.raises(ValueError, match=r"run-2_events.tsv, column 'luminance' is the same at all TRs of the run"):
        stimulus_spaces(subject, by_run, columns=["luminance"])
    with pytest.raises(ValueError, match="columns and text are of events, and the stimulus has none"):
        table = write(tmp_path, WORDS.replace("\t", ","), "words.csv")
        stimulus_spaces(subject, table, model=None, columns=["surprisal"])
    with pytest.raises(ValueError, match="columns of events are called word rate, as spaces of words or sound are"):
        named = write(tmp_path, WORDS.replace("surprisal", "word rate"), "other_events.tsv")
        stimulus_spaces(subject, named, model=None, columns=["word rate"])
