"""Which data sets are found, what each lacks, and how to get it; asks the loaders' own lists, and reads no scan."""

import os
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from naturalistic.cache import cache_dir
from naturalistic.datasets import alice_files, captions, fma_files, gtzan, music_genre, openneuro, studyforrest
from naturalistic.datasets.events import GENRES, Clip
from naturalistic.datasets.plan import RequestError, amount, bytes_there, target_of
from naturalistic.datasets.verified import Verified
from naturalistic.simulated import data_folder, is_simulated

COMPLETE, PARTLY, ABSENT = "complete", "incomplete", "not found"
PAGES = {
    "captions": "https://www.kaggle.com/datasets/nishimotolab/music-caption-brain2music",
    "studyforrest": "https://github.com/psychoinformatics-de/studyforrest-data-annotations",
}
KINDS = ("music", "corpus", "movie")  # what `naturalistic simulate` calls what the chapters open


@dataclass
class Found:
    """A data set as it was found.

    Attributes
    ----------
    name : str
    state : str
        `COMPLETE`, `PARTLY` or `ABSENT`.
    folder : str
        "" where it was not found.
    says : str
        What is there, and what is missing.
    subjects : tuple of str
        Those whose files are whole.
    get : str
        Command that fetches what is missing, or page of the licence; "" if it is complete.
    """

    name: str
    state: str = ABSENT
    folder: str = ""
    says: str = ""
    subjects: tuple = ()
    get: str = ""


def places(given=(), repository=None):
    """Return where to look: folders given, ``$NATURALISTIC_DATA``, ``data`` here and in a checkout, the cache."""
    own = os.environ.get("NATURALISTIC_DATA")
    listed = [*given, *([own] if own else []), "data", *([repository / "data"] if repository else []), cache_dir()]
    return list(dict.fromkeys(Path(place).expanduser().absolute() for place in listed))


def data_sets(where):
    """Return a dict for each data set of the book, as `Found` has it, by name.

    Parameters
    ----------
    where : list of Path
        See `places`. A folder may be a data set, or hold some.
    """
    music, movie = (open_neuro(name, where) for name in ("ds003720", "ds005531"))
    beside = [Path(music.folder)] if music.folder else []
    listed = [alice(where), music, tracks(beside + where), captioned(beside + where, music), corpus(where), movie,
              forrest(where), *map(simulated_data, KINDS)]  # fmt: skip
    return {found.name: asdict(found) for found in listed}


def open_neuro(name, where):
    """Look for a data set of OpenNeuro, and compare the size of each file of each subject with the published one."""
    plan = openneuro.plan(name)
    subjects = sorted({openneuro.subject_of(file.path) for file in plan.files} - {None})
    get = f"naturalistic fetch {name} --subject {subjects[0]} --to {{to}}"
    for folder in (inner for place in where for inner in (place / name, place)):
        holds = [*folder.glob("sub-*"), *folder.glob("derivatives/*/sub-*")]
        if not _is_simulated(folder) and any(path.name == f"sub-{s}" for path in holds for s in subjects):
            break
    else:
        return Found(name, get=get.format(to=f"data/{name}"))
    whole, begun = [], {}
    for subject in subjects:
        files = [file for file in plan.files if openneuro.subject_of(file.path) == subject]
        there = [bytes_there(file, folder) for file in files]
        if all(n == file.n_bytes for n, file in zip(there, files)):
            whole.append(subject)
        elif any(there) or any(target_of(file, folder).exists() for file in files):
            lack = sum(n != file.n_bytes for n, file in zip(there, files))
            begun[subject] = f"{lack} of {len(files)} files ({amount(sum(f.n_bytes for f in files) - sum(there))})"
    says = [f"{len(whole)} of {len(subjects)} subjects whole" + f": {', '.join(whole)}" * bool(whole)]
    if n := _never_hashed(plan, folder, whole):
        says.append(f"the hashes of {n} of their files were not compared (fetching again compares them)")
    for lack in dict.fromkeys(begun.values()):
        says.append(f"{', '.join(s for s in begun if begun[s] == lack)}: missing or cut short {lack} each")
    state = COMPLETE if whole and not begun else PARTLY
    again = f"naturalistic fetch {name} --subject {' '.join(begun or subjects[:1])} --to {_quoted(folder)}"
    return Found(name, state, str(folder), "; ".join(says), tuple(whole), "" if state == COMPLETE else again)


def _never_hashed(plan, folder, subjects):
    """Count the files of whole subjects that were seen by their size alone."""
    verified = Verified(folder)
    files = [file for file in plan.files if openneuro.subject_of(file.path) in subjects and file.digest]
    return sum(not verified.holds(file, target_of(file, folder)) for file in files)


def alice(where):
    """Look for the Alice data, and compare the hash of each file."""
    get = "make book (chapter 1 fetches it, 3.5 MB)"
    problem = Found("alice", get=get)
    for folder in (place / "alice" for place in where):
        if folder.is_dir():
            try:
                alice_files.check_published(folder)
            except (OSError, ValueError) as error:
                problem = Found("alice", PARTLY, str(folder), str(error), get=get)
            else:
                return Found("alice", COMPLETE, str(folder), f"{len(alice_files.manifest())} files")
    return problem


def tracks(where):
    """Look for GTZAN's tracks, beside the music experiment's scans or elsewhere."""
    get = "naturalistic fetch gtzan --to data/ds003720"
    for place in where:
        folder = gtzan.locate(place) or _or_none(gtzan.locate, place, audio=place)
        if folder is not None and not _is_simulated(folder.parent):
            names = [Clip(genre, number, 0, 0) for genre in GENRES for number in range(100)]
            n = sum(gtzan.track_path(folder, clip).is_file() for clip in names)
            state = COMPLETE if n == len(names) else PARTLY
            return Found(
                "gtzan", state, str(folder), f"{n} of {len(names)} tracks", get="" if state == COMPLETE else get
            )
    return Found("gtzan", get=get)


def captioned(where, music):
    """Look for the table of captions; where the experiment is there, each of its clips must have one."""
    paths = [path for place in where for path in sorted(place.glob("*caption*.csv")) if not _is_simulated(place)]
    if not paths:
        return Found("captions", get=PAGES["captions"])
    experiment = _or_none(music_genre.load, music.folder) if music.folder else None
    try:
        known = captions.load_captions(paths[0], experiment and experiment.clips)
    except (OSError, ValueError) as error:
        return Found("captions", PARTLY, str(paths[0]), str(error).splitlines()[0], get=PAGES["captions"])
    return Found("captions", COMPLETE, str(paths[0]), f"{len(known)} captions")


def corpus(where):
    """Look for the subsets of the Free Music Archive."""
    get = "naturalistic fetch fma --subset small --to data/fma"
    problem = Found("fma", get=get)
    for folder in (inner for place in where for inner in (place / "fma", place)):
        for subset, n in fma_files.N_TRACKS.items():
            try:
                if fma_files.is_unpacked(folder, subset):
                    return Found("fma", COMPLETE, str(folder), f"{subset}: {n:,} tracks or more")
            except RequestError as error:
                problem = Found(
                    "fma",
                    PARTLY,
                    str(folder),
                    str(error),
                    get=f"naturalistic fetch fma --subset {subset} --to {_quoted(folder)}",
                )
    return problem


def forrest(where):
    """Look for the annotations of studyforrest."""
    problem = Found("studyforrest", get=PAGES["studyforrest"])
    for folder in (inner for place in where for inner in (place / "studyforrest", place)):
        missing = [name for name in studyforrest.TABLES if not (folder / name).is_file()]
        if not missing:
            return Found("studyforrest", COMPLETE, str(folder), f"{len(studyforrest.TABLES)} tables")
        if len(missing) < len(studyforrest.TABLES):
            says = f"lacks {', '.join(missing)}"
            problem = Found("studyforrest", PARTLY, str(folder), says, get=PAGES["studyforrest"])
    return problem


def simulated_data(kind):
    """Look for simulated data in the cache; the chapters make what is not there."""
    folder, name = data_folder(kind), f"simulated {kind}"
    if _is_simulated(folder):
        return Found(name, COMPLETE, str(folder), "simulated, not measured")
    return Found(name, get=f"naturalistic simulate {kind} --to {_quoted(folder)} (or make book)")


def _quoted(folder):
    return shlex.quote(str(folder))


def _is_simulated(folder):
    return any(is_simulated(place) for place in (folder, folder.parent))


def _or_none(load, *args, **kwargs):
    try:
        return load(*args, **kwargs)
    except (OSError, ValueError):
        return None
