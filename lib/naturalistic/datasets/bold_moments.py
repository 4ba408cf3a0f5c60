"""Short films in ten brains: BOLD Moments, OpenNeuro ds005165, 1,102 films of 3 s.

Lahner et al. (2024), Nature Communications 15:6241; CC0. 1,000 training films were shown three times and 102 test films
ten times to each of 10 subjects, one every 4 s. Responses are GLMsingle's estimates of each presentation, z-scored by
the training films of its session, as the data set publishes them: by region in MNI space (``parts="rois"``, 0.5 GB a
subject), or of all 91,282 grayordinates in fsLR32k (``parts="betas"``, 2.9 GB). Both are pickles, which are read as
data (`naturalistic.pickles`). The films themselves come from their authors, after accepting terms.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from naturalistic.datasets import video
from naturalistic.datasets.bids_files import dataset_root, select_subjects
from naturalistic.datasets.film_annotations import FilmAnnotation, film_name, read_annotations
from naturalistic.datasets.film_responses import FilmResponses, check_targets, grayordinate_labels
from naturalistic.datasets.images import silence_unseen
from naturalistic.parameters import some_of
from naturalistic.pickles import read_pickle
from naturalistic.simulated import Titled, is_simulated, name_of

TERMS = "https://boldmomentsdataset.csail.mit.edu/stimuli_metadata"
ATTRIBUTION = "Data: Lahner et al. (2024), BOLD Moments, OpenNeuro ds005165, CC0. Films: by their authors' terms."
SECONDS = 3.0  # of a film
REGIONS = (
    "V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "V3ab", "hV4", "MT", "LOC", "EBA", "FFA", "OFA", "STS", "PPA", "RSC",
    "TOS", "IPS0", "IPS1-2-3", "7AL", "BA2", "PFt", "PFop",
)  # fmt: skip
WHOLE = ("BMDgeneral", "WB")  # packs that hold the voxels of others; read only when they are named
SPLITS = ("train", "test")
FILMS = ("stimulus_set/stimuli", "stimuli", "derivatives/stimuli_metadata/mp4_h264", "mp4_h264")
FILM_FILES = (".avi", ".mkv", ".mov", ".mp4", ".npz", ".webm")
_PACKS = "derivatives/versionB/MNI152/prepared_allvoxel_pkl"
_BETAS = "derivatives/versionB/fsLR32k/GLM"
_ANNOTATIONS = "derivatives/stimuli_metadata/annotations.json"
_N_PUBLISHED = (1000, 102)  # films of training and test
_PACK_NAME = re.compile(r"sub-(\w+)_roi-(.+)_betas_normalized\.pkl")


@dataclass(frozen=True)
class BoldMoments(Titled):
    """Where the files of the experiment are.

    Attributes
    ----------
    name : str
    is_simulated : bool
        Whether films and brains were simulated, and nothing was measured.
    folder : Path
        Root of the BIDS data set.
    subjects : tuple of str
        Labels, such as ``"01"``.
    films : dict of str to Path
        File of each film by name, such as ``"0001"``; those that are there.
    notes : list of str
        What is missing and why; to be shown.
    """

    name: str
    is_simulated: bool
    folder: Path
    subjects: tuple
    films: dict
    notes: list

    def responses(
        self,
        subject: int | str,
        parts: Literal["rois", "betas"] = "rois",
        regions: Sequence[str] | None = None,
        targets: ArrayLike | None = None,
    ) -> FilmResponses:
        """Return the responses of a subject; see `load_bold_moments`."""
        (label,) = select_subjects([subject], self.subjects, self.folder, _label)
        (parts,) = some_of("parts", [parts], ("rois", "betas"))
        if parts == "betas":
            if regions is not None:
                raise ValueError(
                    'regions are of parts="rois", parts="betas" has grayordinates: select them with targets'
                )
            return _read_betas(self.folder, label, targets)
        if targets is not None:
            raise ValueError('targets are of parts="betas", parts="rois" has regions: select them with regions')
        return _read_rois(self.folder, label, regions)

    def annotations(self) -> dict[str, FilmAnnotation]:
        """Return what people wrote about each film, by the film's name."""
        return read_annotations(self.folder / _ANNOTATIONS)

    def film(
        self,
        name: str,
        size: video.Size = None,
        rate: float | None = None,
        start: float = 0.0,
        stop: float | None = None,
    ) -> NDArray:
        """Return the frames of a film (n, height, width, 3); see `video.read_frames`.

        Raises
        ------
        FileNotFoundError
            If it is not there; with the address at which its authors give it out.
        """
        if name not in self.films:
            raise FileNotFoundError(
                f"film {name} is not there ({len(self.films)} are): the films of BOLD Moments come from {TERMS}, after "
                f"accepting the terms; put their folder stimuli into {self.folder}, or name it: load(..., films=FOLDER)"
            )
        return video.read_frames(self.films[name], size, rate, start, stop)

    def __str__(self) -> str:
        """Say what this is, how much, what was left out, and whose it is."""
        lines = [
            f"{self.name}: no brain was measured" if self.is_simulated else self.name,
            f"{len(self.subjects)} subjects; {len(self.films)} films of {SECONDS:g} s",
            *self.notes,
        ]
        return "\n".join(lines if self.is_simulated else [*lines, ATTRIBUTION])


def load(
    dataset: Path | str = "simulated",
    *,
    subjects: Sequence[int | str] | None = None,
    films: Path | str | None = None,
) -> BoldMoments:
    """Open the experiment: paths of files, no response yet.

    Parameters
    ----------
    dataset : str or Path
        ``"simulated"`` (in the cache, where it is made at the first call), or the folder of ds005165 as downloaded.
    subjects : list of int or str, optional
        Such as ``[1, 3]``; all that the folder has by default.
    films : str or Path, optional
        Folder of the films, or an HDF5 file of them; by default looked for in the data set.

    Returns
    -------
    experiment : BoldMoments

    Raises
    ------
    FileNotFoundError, ValueError
        On a folder that is not ds005165, a subject or a folder of films that is not there.
    """
    folder = dataset_root(dataset, "ds005165", "clips")
    there = _subjects_there(folder)
    if not there:
        get = _command(1, "rois", folder)
        raise FileNotFoundError(f"{folder} has no {_PACKS}/sub-01 and no {_BETAS}/sub-01: expected ds005165 ({get})")
    selected = select_subjects(subjects, there, folder, _label)
    found = _find_films(folder, films)
    notes = [] if found else [f"the films are not there: they come from {TERMS}, after accepting the terms"]
    simulated = is_simulated(folder)
    return BoldMoments(
        name=name_of("ds005165") if simulated else "ds005165, BOLD Moments",
        is_simulated=simulated,
        folder=folder,
        subjects=selected,
        films=found,
        notes=notes,
    )


def load_bold_moments(
    dataset: Path | str,
    subject: int | str,
    parts: Literal["rois", "betas"] = "rois",
    regions: Sequence[str] | None = None,
    targets: ArrayLike | None = None,
) -> FilmResponses:
    """Return the responses of a subject to the films of training and test.

    Parameters
    ----------
    dataset : str or Path
        See `load`.
    subject : int or str
        Such as ``1`` or ``"01"``.
    parts : {"rois", "betas"}
        Regions in MNI space, or grayordinates in fsLR32k.
    regions : list of str, optional
        Of ``"rois"``: such as ``["V1v", "MT"]`` for both hemispheres, ``["lMT"]`` for one; all of `REGIONS` that the
        folder has by default. One pack is in memory at a time.
    targets : int array, optional
        Of ``"betas"``: indices of grayordinates; all by default, which takes 5 GB on the way.

    Returns
    -------
    responses : FilmResponses
        A target that was not scanned (NaN in all films) is 0.

    Raises
    ------
    FileNotFoundError, ValueError
        Naming the file: it is missing (with the command that downloads it), cut short, holds something else than
        responses and names of films, or its films are not those of the other files.
    """
    return load(dataset).responses(subject, parts, regions, targets)


def _label(subject: int | str) -> str:
    """Return ``"01"`` of 1, "1", "01" or "sub-01"."""
    text = str(subject).removeprefix("sub-")
    return f"{int(text):02d}" if text.isdigit() else text


def _command(subject: int | str, parts: str, folder: Path) -> str:
    """Return the command that downloads a part."""
    return f"naturalistic fetch ds005165 --subject {subject} --parts {parts} --to {shlex.quote(str(folder))}"


def _subjects_there(folder: Path) -> tuple[str, ...]:
    found = {path.name for part in (_PACKS, _BETAS) for path in (folder / part).glob("sub-*") if path.is_dir()}
    return tuple(sorted(name.removeprefix("sub-") for name in found))


def _find_films(folder: Path, films: Path | str | None) -> dict[str, Path]:
    """Return the file, or the place in an HDF5 file, of each film."""
    if films is not None:
        path = Path(films).expanduser()
        found = video.films_in(path, FILM_FILES)
        if not found:
            raise FileNotFoundError(
                f"{path} has no films such as 0001.mp4: expected the folder stimuli of BOLD Moments ({TERMS}), or an "
                "HDF5 file with a dataset for each film"
            )
    else:
        found = {}
        for place in FILMS:
            found = found or video.films_in(folder / place, FILM_FILES)
    named = {stem: path for stem, path in found.items() if re.fullmatch(r"(vid_?(idx)?)?\d+", stem)}
    return {film_name(stem): named[stem] for stem in sorted(named, key=film_name)}


def _read_rois(folder: Path, label: str, regions: Sequence[str] | None) -> FilmResponses:
    """Return the responses of some regions, read one pack at a time."""
    place = folder / _PACKS / f"sub-{label}"
    packs = {found[2]: path for path in place.glob("*.pkl") if (found := _PACK_NAME.fullmatch(path.name))}
    if not packs:
        get = _command(label, "rois", folder)
        raise FileNotFoundError(f"{place} has no sub-{label}_roi-lV1v_betas_normalized.pkl and the like ({get})")
    selected = _select_packs(packs, regions)
    blocks: dict[str, list[NDArray]] = {split: [] for split in SPLITS}
    films = None
    first = None
    names = []
    hemispheres = []
    for pack, (region, hemisphere) in selected.items():
        found = _read_pack(packs[pack])
        if films not in (None, found["films"]):
            raise ValueError(f"{packs[pack]} has other films than {first}, or in another order: fetch both again")
        films = found["films"]
        first = packs[pack]
        for split in SPLITS:
            blocks[split].append(found[split])
        n_voxels = found["train"].shape[2]
        names += [region] * n_voxels
        hemispheres += [hemisphere] * n_voxels
    return FilmResponses(
        label=label,
        train=np.concatenate(blocks["train"], axis=2),
        test=np.concatenate(blocks["test"], axis=2),
        train_films=films[0],
        test_films=films[1],
        regions=np.array(names),
        hemispheres=np.array(hemispheres),
    )


def _select_packs(packs: dict[str, Path], regions: Sequence[str] | None) -> dict[str, tuple[str, str]]:
    """Return region and hemisphere of each pack to be read, the hemispheres of a region after each other."""
    known = {}
    for region in (*REGIONS, *sorted(set(packs) - {h + r for h in "lr" for r in REGIONS})):
        for pack, hemisphere in ((f"l{region}", "L"), (f"r{region}", "R"), (region, "")):
            if pack in packs:
                known[pack] = (region, hemisphere)
    if regions is None:
        return {pack: where for pack, where in known.items() if pack not in WHOLE}
    names = dict.fromkeys([*(region for region, _ in known.values()), *known])
    wanted = some_of("regions", regions, tuple(names))
    return {pack: where for name in wanted for pack, where in known.items() if name in (where[0], pack)}


def _read_pack(path: Path) -> dict[str, Any]:
    """Return train and test (n_films, n_repeats, n_voxels) of a region, and the names of their films."""
    content = read_pickle(path, "fetch it again")
    arrays: list[tuple[str, NDArray]] = []
    lists: list[tuple[str, tuple[str, ...]]] = []
    _collect(content, "", arrays, lists)
    if len(arrays) != 2:
        shapes = ", ".join(f"{trail or 'it'} {array.shape}" for trail, array in arrays) or "none"
        raise ValueError(
            f"{path} holds {len(arrays)} arrays of three dimensions ({shapes}), expected two: train and test, each "
            "(n_films, n_repeats, n_voxels)"
        )
    # the keys say which is which; where they do not, test films have more repeats
    by_split = sorted(arrays, key=lambda each: ("test" in each[0], each[1].shape[1]))
    train, test = (array for _, array in by_split)
    if train.shape[2] != test.shape[2]:
        raise ValueError(f"{path} has {train.shape[2]} voxels in training and {test.shape[2]} in test")
    films = tuple(_films_of(path, split, len(array), lists) for split, array in zip(SPLITS, (train, test)))
    if films[0] is None or films[1] is None:
        if (len(train), len(test)) != _N_PUBLISHED:
            raise ValueError(f"{path} does not name the films of its {len(train)} and {len(test)} rows")
        names = [f"{k:04d}" for k in range(1, sum(_N_PUBLISHED) + 1)]  # the order that the authors' code states
        films = tuple(names[: _N_PUBLISHED[0]]), tuple(names[_N_PUBLISHED[0] :])
    return {"train": _floats(path, train), "test": _floats(path, test), "films": films}


def _collect(item: Any, trail: str, arrays: list, lists: list) -> None:
    """Find arrays of three dimensions and lists of film names at any depth, with the keys that lead to them."""
    if isinstance(item, np.ndarray) and item.ndim == 3:
        arrays.append((trail, item))
    elif isinstance(item, dict):
        for key, value in item.items():
            _collect(value, f"{trail} {str(key).lower()}", arrays, lists)
    elif isinstance(item, (list, tuple, np.ndarray)):
        texts = item.tolist() if isinstance(item, np.ndarray) and item.ndim == 1 else item
        if len(texts) and all(isinstance(each, str) and re.search(r"\d", each) for each in texts):
            lists.append((trail, tuple(texts)))
        elif not isinstance(item, np.ndarray):
            for value in item:
                _collect(value, trail, arrays, lists)


def _films_of(path: Path, split: str, n_films: int, lists: list) -> tuple[str, ...] | None:
    """Return the names of the rows of an array; None if the file has no list of that length."""
    other = SPLITS[1 - SPLITS.index(split)]
    fitting = [(trail, names) for trail, names in lists if len(names) == n_films and other not in trail]
    said = [names for trail, names in fitting if split in trail]
    found = set(said or [names for _, names in fitting])
    if len(found) > 1:
        raise ValueError(f"{path} has {len(found)} lists of {n_films} names, expected the films of {split} once")
    return tuple(map(film_name, found.pop())) if found else None


def _floats(path: Path, values: NDArray) -> NDArray:
    """Return responses as float32, 0 where a target was not scanned."""
    if values.dtype.kind not in "fiu" or not values.size:
        raise ValueError(f"{path} holds an array of {values.dtype} and shape {values.shape}, expected responses")
    # what was read is a view of the file's bytes, which cannot be written to
    found = np.require(values, dtype=np.float32, requirements=["C", "W", "O"])
    silence_unseen(found.reshape(-1, found.shape[2]), path, "targets", "fetch it again")
    return found


def _read_betas(folder: Path, label: str, targets: ArrayLike | None) -> FilmResponses:
    """Return the responses of grayordinates."""
    values = {}
    films = {}
    for split in SPLITS:
        name = f"sub-{label}_organized_betas_task-{split}_normalized.pkl"
        path = folder / _BETAS / f"sub-{label}" / "prepared_betas" / name
        content = read_pickle(path, f"get it: {_command(label, 'betas', folder)}")
        if not isinstance(content, tuple) or len(content) < 2 or getattr(content[0], "ndim", 0) != 3:
            raise ValueError(f"{path} holds no pair of responses (n_films, n_repeats, n_targets) and names of films")
        n_targets = content[0].shape[2]
        columns = check_targets(targets, n_targets)
        films[split] = tuple(map(film_name, content[1]))
        if len(films[split]) != len(content[0]):
            raise ValueError(f"{path} names {len(films[split])} films of {len(content[0])} rows")
        kept = np.empty((*content[0].shape[:2], len(columns)), dtype=np.float32)
        for k in range(len(kept)):  # film by film: as float64 all of them take 2.2 GB once more
            kept[k] = content[0][k][:, columns]
        del content
        values[split] = _floats(path, kept)
    regions, hemispheres = grayordinate_labels(n_targets)
    return FilmResponses(
        label=label,
        train=values["train"],
        test=values["test"],
        train_films=films["train"],
        test_films=films["test"],
        regions=regions[columns],
        hemispheres=hemispheres[columns],
    )
