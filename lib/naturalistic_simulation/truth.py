"""Ground truth of simulated data, to check results against."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from naturalistic.datasets.narrative_movie import NarrativeMovie
from naturalistic.intact import open_arrays, read_json
from numpy.typing import NDArray

_AGAIN = "delete the folder of the simulated data: it is simulated again"


@dataclass(frozen=True)
class Truth:
    """Ground truth of one simulated brain.

    Attributes
    ----------
    runs : tuple of str
    motion : array (n_runs, n_trs, 6)
        Where the head went from the subject's first volume: mm and rad.
    explainable : array (n_runs, x, y, z)
        Share of variance that is response, on the scanner's grid as the head lay in that run.
    region : int array (n_runs, x, y, z)
        Index into `regions.NAMES`; -1 where there is no response.
    pose : array (4, 4)
        Scanner mm to MNI152 mm in the subject's first volume.
    hrf_peaks : dict of str to float
        s, by region.
    """

    runs: tuple
    motion: np.ndarray
    explainable: np.ndarray
    region: np.ndarray
    pose: np.ndarray
    hrf_peaks: dict

    def of_voxels(self, mask: NDArray, start: str) -> tuple[NDArray, NDArray]:
        """Return explainable share and region of the voxels of a mask.

        Parameters
        ----------
        mask : bool array (x, y, z)
        start : str
            First letters of the runs, such as ``"Test"``.

        Returns
        -------
        explainable : array (n_voxels,)
            Mean over those runs.
        region : int array (n_voxels,)
            In the first of them.
        """
        wanted = [k for k, run in enumerate(self.runs) if run.startswith(start)]
        return self.explainable[wanted].mean(axis=0)[mask], self.region[wanted[0]][mask]


def of_clips(folder: Path | str, clips: Sequence) -> dict[str, NDArray]:
    """Return the composer's facts of simulated clips, by name.

    Arrays (n_clips,), in the order of ``clips``.

    Parameters
    ----------
    folder : Path
        Of the BIDS data set; the ground truth lies beside it.
    clips : list of Clip
    """
    known = read_json(Path(folder).parent / "truth" / "clips.json", _AGAIN)
    by_track = {fact["track"]: fact for fact in known}
    facts = [by_track[clip.track_name] for clip in clips]
    single = [name for name, value in facts[0].items() if not isinstance(value, (list, dict))]
    return {name: np.array([fact[name] for fact in facts]) for name in single}


def of_subject(folder: Path | str, subject: str, shape: tuple[int, ...]) -> Truth | None:
    """Return the ground truth of a subject, or None for measured data.

    Parameters
    ----------
    folder : Path
        Of the BIDS data set; the ground truth lies beside it.
    subject : str
        Label, such as ``"001"``.
    shape : tuple of int
        Of the scanner's grid.
    """
    path = Path(folder).parent / "truth" / f"sub-{subject}.npz"
    if not path.is_file():
        return None
    arrays = open_arrays(path, _AGAIN)
    runs = tuple(map(str, arrays["runs"]))
    return Truth(
        runs=runs,
        motion=arrays["motion"],
        explainable=arrays["explainable"].reshape(len(runs), *shape),
        region=arrays["region"].reshape(len(runs), *shape),
        pose=arrays["pose"],
        hrf_peaks=dict(zip(map(str, arrays["regions"]), arrays["hrf_peaks"].tolist())),
    )


@dataclass(frozen=True)
class MoviePlan:
    """Ground truth of the subjects of simulated films.

    Attributes
    ----------
    names : tuple of str
        Of regions.
    shares : dict of str to dict of str to float
        By region, then level (or loudness, luminance): share in the variance of the response.
    layers : dict of str to int
        By level: hidden state of the language model from which its responses come.
    region : dict of str to int array (n_voxels,)
        By subject: index into ``names``; -1 where there is no response.
    explainable : dict of str to array (n_voxels,)
        By subject: share of the variance that is response, mean over runs.
    """

    names: tuple
    shares: dict
    layers: dict
    region: dict
    explainable: dict


def of_movie(movie: NarrativeMovie) -> MoviePlan | None:
    """Return the ground truth of a movie experiment, or None for measured data."""
    path = Path(movie.folder).parent / "truth" / "plan.json"
    if not path.is_file():
        return None
    plan = read_json(path, _AGAIN)
    region = {}
    explainable = {}
    for subject in movie.subjects:
        grid = movie.voxel_grid(subject)
        truth = of_subject(movie.folder, subject, grid.shape)
        at = (..., *grid.indices.T)
        region[subject] = truth.region[at][0]
        explainable[subject] = truth.explainable[at].mean(axis=0)
    shares = {row["region"]: row["shares"] for row in plan["regions"]}
    return MoviePlan(tuple(plan["names"]), shares, plan["layers"], region, explainable)


def mixtures_of(movie: NarrativeMovie, level: str) -> dict[str, NDArray]:
    """Return the feature directions of a level that regions follow.

    Arrays (n_columns, n_features) by region, for a simulated movie.
    """
    ending = f" {level}"
    mixtures = open_arrays(Path(movie.folder).parent / "truth" / "mixtures.npz", _AGAIN)
    return {key.removesuffix(ending): mixtures[key].T for key in mixtures if key.endswith(ending)}


def of_story(folder: Path | str) -> pd.DataFrame | None:
    """Return the ground truth of the regions of a simulated story, or None for measured data.

    Parameters
    ----------
    folder : Path
        Of the data set.

    Returns
    -------
    truth : DataFrame
        A row a region, with its name in ``region``; the other columns are the weights in its response of the rate of
        words, of the kind of scene, and of a signal that subjects share and no feature knows. Noise has weight 1.
    """
    path = Path(folder) / "truth.json"
    if not path.is_file():
        return None
    truth = read_json(path, _AGAIN)
    weights = pd.DataFrame.from_dict(truth["weights"], orient="index", columns=truth["columns"])
    return weights.rename_axis("region").reset_index()


def of_short_films(folder: Path | str) -> pd.DataFrame | None:
    """Return the storyboards of simulated short films, or None for measured data.

    Parameters
    ----------
    folder : Path
        Of the data set; the ground truth lies beside it.

    Returns
    -------
    films : DataFrame
        A row a film: ``name``, ``part`` ("train", "test", "corpus"), ``plan`` ("category" for the films of the thing
        that can be left out, "all" for others), ``thing``, ``place``, and what else its storyboard says.
    """
    path = Path(folder).parent / "truth" / "films.tsv"
    if not path.is_file():
        return None
    return pd.read_csv(path, sep="\t", dtype={"name": str})


def of_short_film_regions(folder: Path | str, subject: str) -> pd.DataFrame | None:
    """Return what each region of a subject follows in simulated short films, or None for measured data.

    Parameters
    ----------
    folder : Path
        Of the data set; the ground truth lies beside it.
    subject : str
        Label, such as ``"01"``.

    Returns
    -------
    regions : DataFrame
        A row a region: shares of ``layout``, ``motion``, ``thing`` and ``place`` in the variance of its signal, and
        ``explainable``, the share of signal in the mean of ten repeats (mean over voxels).
    """
    place = Path(folder).parent / "truth"
    if not (place / "plan.json").is_file():
        return None
    shares = read_json(place / "plan.json", _AGAIN)["shares"]
    known = open_arrays(place / f"sub-{subject}.npz", _AGAIN)
    rows = []
    for region, of_region in shares.items():
        explainable = np.mean([known[f"explainable {side}{region}"].mean() for side in "lr"])
        drives = {drive: of_region.get(drive, 0.0) for drive in ("layout", "motion", "thing", "place")}
        rows.append({"region": region, **drives, "explainable": float(explainable)})
    return pd.DataFrame(rows)
