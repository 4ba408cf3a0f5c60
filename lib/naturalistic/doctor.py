"""Report of what is installed, what the machine has, which data sets are found, and how to get what is missing.

Nothing is changed or downloaded, and the network is not asked.
"""

import os
import platform
import shlex
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from naturalistic.cache import RequestError, cache_dir, check_writable, format_bytes, free_bytes
from naturalistic.datasets import alice, captions, fma, gtzan, music_genre, openneuro, studyforrest_files
from naturalistic.datasets.download import DownloadPlan, VerifiedFiles, bytes_present, target_of
from naturalistic.datasets.events import GENRES, Clip
from naturalistic.datasets.studyforrest_tables import TABLES
from naturalistic.hub import cached_models
from naturalistic.reporting.results import find_repository
from naturalistic.simulated import data_folder, is_simulated

_ROOM = 4_000_000_000  # bytes that simulated data, caches and pages take on the disk
MEMORY = 3_000_000_000  # bytes that the largest chapter takes of a machine's memory
_LIMIT = Path("/sys/fs/cgroup/memory")  # of a container, of which psutil knows nothing: .max and .current
COMPLETE = "complete"
PARTLY = "incomplete"
ABSENT = "not found"
PAGES = {
    "captions": "https://www.kaggle.com/datasets/nishimotolab/music-caption-brain2music",
}
_KINDS = ("music", "corpus", "movie")  # simulated data that the chapters open
_NEEDED = ("", "book")  # extras without which the default book cannot be built; "" is the package itself
_OTHERS = ("accelerate",)  # of no extra: language models over several GPUs
# what a chapter's source calls -> the data sets of its full run
_OPENS = {
    "alice.load(": ("alice",),
    "music_genre.load(": ("ds003720", "gtzan"),
    "load_captions(": ("captions",),
    "fma.load(": ("fma",),
    "narrative_movie.load(": ("ds005531",),
    "studyforrest.load(": ("studyforrest",),
    "bold_moments.load(": ("ds005165",),
}
_PARAMETERS = {"fma": "corpus", "captions": "captions"}  # all others are the chapter's dataset


@dataclass
class Found:
    """A data set as it was found."""

    name: str
    state: str = ABSENT  # or COMPLETE, or PARTLY
    folder: str = ""
    says: str = ""  # what is there, and what is missing
    subjects: tuple[str, ...] = ()  # those whose files are whole
    get: str = ""  # command that downloads what is missing, or page of the license


def examine(data: Sequence[Path | str] = (), gpu: bool = False) -> dict[str, Any]:
    """Return what was found, as plain names, texts and numbers.

    Parameters
    ----------
    data : sequence of str or Path
        Folders to look in first.
    gpu : bool
        Ask torch for the GPU (seconds).

    Returns
    -------
    found : dict
        ``checkout``, the folder of the repository or None; ``python``, ``packages``, ``machine``, ``cache``, ``data``,
        ``models``, ``chapters``; ``problems``, what keeps the default book from being built: none if it can.
    """
    root = find_repository()
    found: dict[str, Any] = {"checkout": str(root) if root else None, "python": python(), "packages": packages(root)}
    found |= {"machine": machine(gpu), "cache": cache(), "data": data_sets(places(data, root))}
    found |= {"models": cached_models(), "chapters": chapters(root, found["data"]) if root else {}}
    return found | {"problems": list(_problems(found))}


def _problems(found: dict[str, Any]) -> Iterator[str]:
    if not found["checkout"]:
        yield "no checkout of the repository here: the book is built inside one"
    if found["python"]["problem"]:
        yield found["python"]["problem"]
    yield from lacking(found["packages"])
    kept = found["cache"]
    needed = _ROOM - sum(kept["sizes"].values())
    if kept["problem"]:
        yield kept["problem"]
    elif kept["free"] < needed:
        yield f"the disk of {kept['folder']} has {format_bytes(kept['free'])} free, expected {format_bytes(needed)}"
    total = found["machine"]["memory"]
    if total < MEMORY:
        yield f"the machine has {format_bytes(total)} of memory, expected {format_bytes(MEMORY)} or more"


def report(found: dict[str, Any]) -> str:
    """Return what `examine` found as text for people."""
    problems = [f"  ! {problem}" for problem in found["problems"]]
    lines = ["book", *(problems or ["  the default book can be built: make book"])]
    return "\n".join([*lines, *_installed(found), *_machine(found), *_data(found), *_models(found), *_chapters(found)])


def _installed(found: dict[str, Any]) -> Iterator[str]:
    listed = found["packages"]
    yield f"\ninstalled (Python {found['python']['version']})"
    for extra in dict.fromkeys(package["extra"] for package in listed):
        members = [package for package in listed if package["extra"] == extra]
        missing = [package["name"] for package in members if package["problem"]]
        name = {"": "the package", None: "beside it"}.get(extra, f"extra {extra}")
        get = f'pip install -e ".[{extra}]"' if extra else f"pip install {' '.join(missing)}"
        lacks = f"; lacks {', '.join(missing)}: {get} -c constraints.txt" if missing else ""
        yield f"  {name:<14} {len(members) - len(missing)} of {len(members)} packages{lacks}"
    versions = {package["name"]: package["installed"] for package in listed}
    key = ("numpy", "scipy", "torch", "transformers", "nilearn", "jupyter-book", "papermill")
    yield "  " + ", ".join(f"{name} {versions[name]}" for name in key if versions.get(name))
    if others := differ(listed):
        yield f"  other versions than it was tried with: {', '.join(others)}"


def _machine(found: dict[str, Any]) -> Iterator[str]:
    has = found["machine"]
    kept = found["cache"]
    free = f"{format_bytes(has['memory_free'])} of {format_bytes(has['memory'])} memory free"
    yield f"\nmachine\n  {has['cores']} cores, {free}; GPU: {has['gpu']}"
    yield f"  cache {kept['folder']}: {format_bytes(kept['free'])} free on its disk"
    if kept["sizes"]:
        yield "    " + ", ".join(f"{name} {format_bytes(size)}" for name, size in kept["sizes"].items())


def _data(found: dict[str, Any]) -> Iterator[str]:
    yield "\ndata"
    for name, one in found["data"].items():
        yield f"  {name:<16} {one['state']}" + f" in {one['folder']}" * bool(one["folder"])
        if one["says"]:
            yield f"      {one['says']}"
        if one["get"]:
            yield f"      to get it: {one['get']}"


def _models(found: dict[str, Any]) -> Iterator[str]:
    present = [name for name, is_there in found["models"].items() if is_there]
    absent = [name for name, is_there in found["models"].items() if not is_there]
    yield "\nmodels of the Hugging Face hub (the defaults need none)"
    for where, names in (("in the local cache", present), ("downloaded when first asked for", absent)):
        text = f"  {where}: {', '.join(names) or 'none'}"
        yield textwrap.fill(text, 120, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)


def _chapters(found: dict[str, Any]) -> Iterator[str]:
    yield "\nchapters (each runs on its default data)"
    for name, one in found["chapters"].items():
        lacks = f"lacks {', '.join(one['missing'])}" if one["missing"] else ""
        yield f"  {name:<24} in full: {lacks or one['command'] or 'needs no data'}"


def python(version: str | None = None) -> dict[str, str | None]:
    """Return the version of Python, and a problem if it is not the one that the project asks for."""
    version = version or platform.python_version()
    asked = metadata.metadata("naturalistic")["Requires-Python"]
    fits = SpecifierSet(asked).contains(version)
    return {"version": version, "problem": None if fits else f"Python is {version}, expected {asked}"}


def packages(checkout: Path | None = None) -> list[dict[str, Any]]:
    """Return the packages of the project and of its extras.

    Parameters
    ----------
    checkout : Path, optional
        The repository, whose ``pyproject.toml`` may be newer than what was installed from it, and whose
        ``constraints.txt`` has the versions that the project was tried with.

    Returns
    -------
    packages : list of dict
        ``name``; ``extra`` that asks for it, "" if none; ``installed`` version or None; ``tried`` version or None;
        ``problem``, None where all is well.
    """
    tried = _constraints(checkout / "constraints.txt") if checkout else {}
    found: dict[str, dict[str, Any]] = {}
    for extra, text in [*_requirements(checkout), *((None, name) for name in _OTHERS)]:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name == "naturalistic" or name in found:
            continue
        try:
            installed = metadata.version(name)
            fits = requirement.specifier.contains(installed, prereleases=True)
            problem = None if fits else f"{name} is {installed}, expected {requirement.specifier}"
        except metadata.PackageNotFoundError:
            installed = None
            problem = f"{name} is not installed"
        found[name] = dict(name=name, extra=extra, installed=installed, tried=tried.get(name), problem=problem)
    return list(found.values())


def _requirements(checkout: Path | None) -> list[tuple[str, str]]:
    """Return ``(extra, requirement)`` of each package that the project asks for; the extra is "" for all."""
    if checkout:
        project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = {"": project["dependencies"], **project["optional-dependencies"]}
        return [(extra, text) for extra, texts in extras.items() for text in texts]
    extras = ["", *(metadata.metadata("naturalistic").get_all("Provides-Extra") or [])]
    listed = [(Requirement(text).marker, text) for text in metadata.requires("naturalistic") or []]
    return [(e, text) for e in extras for marker, text in listed if not marker or marker.evaluate({"extra": e})]


def _constraints(path: Path) -> dict[str, str]:
    """Return ``{name: version}`` of a file of constraints; lines of another kind are left out."""
    lines = [line.split("==") for line in path.read_text(encoding="utf-8").splitlines() if "==" in line]
    return {canonicalize_name(name): version.strip() for name, version in lines if not name.startswith("#")}


def lacking(found: list[dict[str, Any]]) -> list[str]:
    """Return the problems of those packages without which the default book cannot be built."""
    return [package["problem"] for package in found if package["extra"] in _NEEDED and package["problem"]]


def differ(found: list[dict[str, Any]]) -> list[str]:
    """Return the packages that are installed in another version than the project was tried with, as text."""
    both = [package for package in found if package["installed"] and package["tried"]]
    others = [package for package in both if Version(package["installed"]).public != package["tried"]]
    return [f"{package['name']} {package['installed']} (tried: {package['tried']})" for package in others]


def machine(gpu: bool = False) -> dict[str, Any]:
    """Return ``cores``, ``memory`` and ``memory_free`` in bytes, and ``gpu``; asking torch for it takes seconds."""
    total, free = memory()
    affinity = getattr(psutil.Process(), "cpu_affinity", None)  # macOS has none
    cores = len(affinity()) if affinity else psutil.cpu_count()
    return {"cores": cores, "memory": total, "memory_free": free, "gpu": _gpu_of_torch() if gpu else _gpu_seen()}


def memory(limit: Path = _LIMIT) -> tuple[int, int]:
    """Return the bytes of memory and those that are free, those of the container where it allows less."""
    has = psutil.virtual_memory()
    try:
        allowed, used = (int(limit.with_suffix(end).read_text()) for end in (".max", ".current"))
    except (OSError, ValueError):  # no container, or no limit ("max")
        return has.total, has.available
    return min(has.total, allowed), min(has.available, allowed - used)


def cache() -> dict[str, Any]:
    """Return the folder of caches, whether it can be written, its free bytes, and the bytes of each cache in it."""
    folder = cache_dir()
    problem = None
    try:
        check_writable(folder)
    except RequestError as error:
        problem = str(error)
    caches = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    sizes = {path.name: size_of(path) for path in caches}
    return {"folder": str(folder), "problem": problem, "free": free_bytes(folder), "sizes": sizes}


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder; what goes away meanwhile does not count."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return total


def _gpu_seen(devices: Path = Path("/dev")) -> str:
    if any(devices.glob("nvidia[0-9]*")):
        return "a device of NVIDIA is there; `naturalistic doctor --gpu` asks torch whether it can use it"
    return "none seen"


def _gpu_of_torch() -> str:
    import torch

    if not torch.cuda.is_available():
        return f"torch {torch.__version__} sees none: device='cpu'"
    found = torch.cuda.get_device_properties(0)
    return f"{found.name}, {found.total_memory / 1e9:.0f} GB: device='cuda'"


def places(given: Sequence[Path | str] = (), root: Path | None = None) -> list[Path]:
    """Return where to look: folders given, ``$NATURALISTIC_DATA``, ``data`` here and in a checkout, the cache."""
    own = os.environ.get("NATURALISTIC_DATA")
    listed = [*given, *([own] if own else []), "data", *([root / "data"] if root else []), cache_dir()]
    return list(dict.fromkeys(Path(place).expanduser().absolute() for place in listed))


def data_sets(where: list[Path]) -> dict[str, dict[str, Any]]:
    """Return a dict for each data set of the book, as `Found` has it, by name.

    Each folder of ``where`` may be a data set, or hold some.
    """
    music = find_openneuro("ds003720", where)
    movie = find_openneuro("ds005531", where)
    short_films = find_openneuro("ds005165", where)
    beside = [Path(music.folder)] if music.folder else []
    listed = [find_alice(where), music, find_tracks(beside + where), find_captions(beside + where, music)]
    listed += [find_corpus(where), movie, short_films, find_studyforrest(where), *map(find_simulated, _KINDS)]
    return {found.name: asdict(found) for found in listed}


def find_openneuro(name: str, where: list[Path]) -> Found:
    """Look for a data set of OpenNeuro, and compare the size of each file of each subject with the published one."""
    plan = openneuro.download_plan(name)
    subjects = openneuro.subjects_of(plan.files)
    get = f"naturalistic fetch {name} --subject {subjects[0]} --to {{to}}"
    for folder in (inner for place in where for inner in (place / name, place)):
        holds = [*folder.glob("sub-*"), *folder.glob("derivatives/*/sub-*"), *folder.glob("derivatives/*/*/*/sub-*")]
        if not _is_simulated(folder) and any(path.name == f"sub-{s}" for path in holds for s in subjects):
            break
    else:
        return Found(name, get=get.format(to=f"data/{name}"))
    whole = []
    begun = {}
    for subject in subjects:
        files = [file for file in plan.files if openneuro.subject_of(file.path) == subject]
        there = [bytes_present(file, folder) for file in files]
        if all(n == file.n_bytes for n, file in zip(there, files)):
            whole.append(subject)
        elif any(there) or any(target_of(file, folder).exists() for file in files):
            n_bytes = sum(f.n_bytes for f in files) - sum(there)
            lack = sum(n != file.n_bytes for n, file in zip(there, files))
            begun[subject] = f"{lack} of {len(files)} files ({format_bytes(n_bytes)})"
    says = [f"{len(whole)} of {len(subjects)} subjects whole" + f": {', '.join(whole)}" * bool(whole)]
    if n := _never_hashed(plan, folder, whole):
        says.append(f"the hashes of {n} of their files were not compared (fetching again compares them)")
    for lack in dict.fromkeys(begun.values()):
        says.append(f"{', '.join(s for s in begun if begun[s] == lack)}: missing or cut short {lack} each")
    state = COMPLETE if whole and not begun else PARTLY
    again = f"naturalistic fetch {name} --subject {' '.join(begun or subjects[:1])} --to {_quoted(folder)}"
    return Found(name, state, str(folder), "; ".join(says), tuple(whole), "" if state == COMPLETE else again)


def _never_hashed(plan: DownloadPlan, folder: Path, subjects: list[str]) -> int:
    """Count the files of whole subjects that were seen by their size alone."""
    verified = VerifiedFiles(folder)
    files = [file for file in plan.files if openneuro.subject_of(file.path) in subjects and file.digest]
    return sum(not verified.holds(file, target_of(file, folder)) for file in files)


def find_alice(where: list[Path]) -> Found:
    """Look for the Alice data, and compare the hash of each file."""
    get = "make book (chapter 1 fetches it, 3.5 MB)"
    problem = Found("alice", get=get)
    for folder in (place / "alice" for place in where):
        if folder.is_dir():
            try:
                alice.check_published(folder)
            except (OSError, ValueError) as error:
                problem = Found("alice", PARTLY, str(folder), str(error), get=get)
            else:
                return Found("alice", COMPLETE, str(folder), f"{len(alice.manifest())} files")
    return problem


def find_tracks(where: list[Path]) -> Found:
    """Look for GTZAN's tracks, beside the music experiment's scans or elsewhere."""
    get = "naturalistic fetch gtzan --to data/ds003720"
    for place in where:
        folder = gtzan.locate(place) or _or_none(gtzan.locate, place, audio=place)
        if folder is not None and not _is_simulated(folder.parent):
            names = [Clip(genre, number, 0, 0) for genre in GENRES for number in range(100)]
            n = sum(gtzan.track_path(folder, clip).is_file() for clip in names)
            state = COMPLETE if n == len(names) else PARTLY
            says = f"{n} of {len(names)} tracks"
            return Found("gtzan", state, str(folder), says, get="" if state == COMPLETE else get)
    return Found("gtzan", get=get)


def find_captions(where: list[Path], music: Found) -> Found:
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


def find_corpus(where: list[Path]) -> Found:
    """Look for the subsets of the Free Music Archive."""
    get = "naturalistic fetch fma --subset small --to data/fma"
    problem = Found("fma", get=get)
    for folder in (inner for place in where for inner in (place / "fma", place)):
        for subset, n in fma.N_TRACKS.items():
            try:
                if fma.is_unpacked(folder, subset):
                    return Found("fma", COMPLETE, str(folder), f"{subset}: {n:,} tracks or more")
            except RequestError as error:
                again = f"naturalistic fetch fma --subset {subset} --to {_quoted(folder)}"
                problem = Found("fma", PARTLY, str(folder), str(error), get=again)
    return problem


def find_studyforrest(where: list[Path]) -> Found:
    """Look for the tables of studyforrest and for subjects, in either layout."""
    get = "naturalistic fetch studyforrest --subject all (or make book, 0.2 GB)"
    problem = Found("studyforrest", get=get)
    n_published = len(studyforrest_files.published_subjects())
    for folder in (inner for place in where for inner in (place / "studyforrest", place)):
        paths = {name.rpartition("/")[2]: studyforrest_files.find_file(folder, name) for name in TABLES}
        missing = [name for name, path in paths.items() if path is None]
        if len(missing) == len(TABLES) or _is_simulated(folder):
            continue
        subjects = studyforrest_files.subjects_present(folder)
        says = f"{len(TABLES) - len(missing)} of {len(TABLES)} tables, {len(subjects)} of {n_published} subjects"
        says += f"; lacks {', '.join(missing)}" * bool(missing)
        if not missing and len(subjects) == n_published:
            return Found("studyforrest", COMPLETE, str(folder), says, subjects)
        again = f"naturalistic fetch studyforrest --subject all --to {_quoted(folder)}"
        problem = Found("studyforrest", PARTLY, str(folder), says, () if missing else subjects, again)
    return problem


def find_simulated(kind: str) -> Found:
    """Look for simulated data in the cache; the chapters make what is not there."""
    folder = data_folder(kind)
    name = f"simulated {kind}"
    if _is_simulated(folder):
        return Found(name, COMPLETE, str(folder), "simulated, not measured")
    return Found(name, get=f"naturalistic simulate {kind} --to {_quoted(folder)} (or make book)")


def _quoted(folder: Path) -> str:
    return shlex.quote(str(folder))


def _is_simulated(folder: Path) -> bool:
    return any(is_simulated(place) for place in (folder, folder.parent))


def _or_none(load: Callable, *args: Any, **kwargs: Any) -> Any:
    try:
        return load(*args, **kwargs)
    except (OSError, ValueError):
        return None


def chapters(root: Path, data: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what each chapter can be run on.

    By name: ``needs``, the data sets of a full run; ``missing``, those of them without a whole subject; ``command``,
    which runs it on what was found, or "" where something is missing or nothing is needed.
    """
    found = {}
    for source in sorted((root / "notebooks").glob("[0-9][0-9]-*.md")):
        text = source.read_text(encoding="utf-8")
        needs = [name for call, names in _OPENS.items() if call in text for name in names]
        missing = [name for name in needs if not _usable(data[name])]
        command = _command(source.stem, [data[name] for name in needs]) if needs and not missing else ""
        found[source.stem] = {"needs": needs, "missing": missing, "command": command}
    return found


def _usable(found: dict[str, Any]) -> bool:
    return found["state"] == "complete" or bool(found["subjects"])


def _command(chapter: str, needed: list[dict[str, Any]]) -> str:
    words = [f"papermill notebooks/{chapter}.ipynb out.ipynb"]
    for found in needed:
        if found["name"] != "gtzan":  # it is found beside the scans, or named as audio
            words.append(f"-p {_PARAMETERS.get(found['name'], 'dataset')} {shlex.quote(found['folder'])}")
        elif not any(gtzan.locate(Path(other["folder"])) for other in needed if other["name"] == "ds003720"):
            words.append(f"-p audio {shlex.quote(found['folder'])}")
        if found["subjects"] and found["state"] != "complete":
            words.append(f'-p subjects "[{", ".join(found["subjects"])}]"')
    return " ".join(words)
