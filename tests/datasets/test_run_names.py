"""Names of runs in any container: read once, the same as a list; none, one str or unknown ones are refused."""

import numpy as np
import pandas as pd
import pytest
from naturalistic.cache import RequestError
from naturalistic.datasets import movie_runs, music_genre, openneuro
from naturalistic.datasets.captions import load_captions
from naturalistic.datasets.events import Clip
from naturalistic.datasets.movie_runs import published_runs
from naturalistic.datasets.narrative_movie import NarrativeMovie
from naturalistic.parameters import some_of

CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "generator": lambda names: (name for name in names),
    "filter": lambda names: filter(None, names),
    "iterator": iter,
    "map": lambda names: map(str, names),
    "keys": lambda names: dict.fromkeys(names).keys(),
    "array": np.array,
    "objects": lambda names: np.array(names, dtype=object),
    "Series": pd.Series,
    "shuffled Series": lambda names: pd.Series(names, index=[7, 3][: len(names)]),
    "Index": pd.Index,
    "text": lambda names: f"[{', '.join(names)}]",
}
TABLE = published_runs()
FILM = NarrativeMovie("film", "", None, (), TABLE, [])
LOADERS = {
    "music": (music_genre.select_runs, ["Training_run-02", "Test_run-01"]),
    "films": (lambda runs: [run.name for run in movie_runs.select_runs(runs, TABLE)], ["crown_run-01", "suits_run-02"]),
    "select": (lambda runs: [run.name for run in FILM.select(runs)], ["crown_run-01", "suits_run-02"]),
    "seconds": (lambda runs: FILM.run_of_tr(runs).tolist(), ["crown_run-01", "suits_run-02"]),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("load, names", LOADERS.values(), ids=LOADERS)
def test_any_container_is_as_good_as_a_list(load, names, container):
    expected = list(load(names))
    assert expected and list(load(container(names))) == expected


@pytest.mark.parametrize("load, names", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize(
    "wrong",
    [[], (), iter(()), np.array([]), pd.Series([], dtype=object), "none-01", ["none-01"], 3, {}, [["a"]]],
    ids=["list", "tuple", "iterator", "array", "Series", "text", "unknown", "number", "dict", "nested"],
)
def test_no_name_is_no_experiment(load, names, wrong):
    with pytest.raises(ValueError, match=r"runs .*: expected a list of some of "):
        load(wrong)


def test_names_come_in_their_order():
    assert some_of("levels", (x for x in "ba"), ("a", "b", "c")) == ["b", "a"]
    with pytest.raises(ValueError, match=r"levels of type generator, no name in it: expected a list of some of a, b"):
        some_of("levels", (x for x in ()), ("a", "b"))


@pytest.mark.parametrize("container", [v for k, v in CONTAINERS.items() if k != "text"])
def test_plans_of_downloads(container):
    arguments = {"subjects": ["001"], "runs": ["Training_run-01", "Test_run-02"], "parts": ["func"]}
    expected = openneuro.download_plan("ds003720", **arguments)
    selected = openneuro.download_plan("ds003720", **{k: container(v) for k, v in arguments.items()})
    assert selected.files == expected.files


@pytest.mark.parametrize("argument", ["subjects", "runs", "parts"])
def test_a_single_str_is_no_list_of_what_to_fetch(argument):
    with pytest.raises(RequestError, match=rf"{argument} is 'func', expected a list .*: {argument}=\['func'\]"):
        openneuro.download_plan("ds003720", **{argument: "func"})


@pytest.mark.parametrize("container", [list, iter, lambda x: np.array(x, dtype=object), pd.Series, dict.fromkeys])
def test_captions_of_clips_in_any_container(tmp_path, container):
    clips = [Clip("jazz", 4, 0.0, 15.0), Clip("blues", 98, 3.5, 18.5)]
    path = tmp_path / "captions.csv"
    path.write_text("track,caption\nblues.00098,A guitar.\njazz.00004,A piano.\npop.00001,Unknown.\n")
    assert list(load_captions(path, container(clips)).values()) == ["A piano.", "A guitar."]
    with pytest.raises(ValueError, match="clips is empty, expected the clips whose captions are wanted"):
        load_captions(path, container([]))


def test_runs_of_full_size_data_are_looked_up(tmp_path, monkeypatch):
    from naturalistic_simulation.full_size import movie_subject

    monkeypatch.setattr(
        movie_subject, "check_disk", lambda root, paths, sizes: (_ for _ in ()).throw(RequestError(len(paths)))
    )
    with pytest.raises(RequestError, match=r"^2$"):
        movie_subject.simulate_movie_subject(tmp_path, runs=(name for name in ["crown_run-01", "suits_run-02"]))
    with pytest.raises(ValueError, match=r"runs \['crown'\]: expected a list of some of"):
        movie_subject.simulate_movie_subject(tmp_path, runs=["crown"])
