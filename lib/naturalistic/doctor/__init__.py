"""What is installed, what the machine has, which data are found, what is missing and how to get it.

Nothing is changed or fetched, and the network is not asked.
"""

from naturalistic.datasets.plan import amount
from naturalistic.doctor.data import data_sets, places
from naturalistic.doctor.hardware import cache, machine
from naturalistic.doctor.hub import models
from naturalistic.doctor.installed import differ, lacking, packages, python
from naturalistic.doctor.runnable import chapters
from naturalistic.reporting.results import find_repository

__all__ = ["examine", "report"]

ROOM = 4_000_000_000  # bytes that simulated data, caches and pages take on the disk
MEMORY = 3_000_000_000  # bytes that the largest chapter takes of a machine's memory


def examine(data=(), gpu=False):
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
        ``python``, ``packages``, ``machine``, ``cache``, ``data``, ``models``, ``chapters``; ``checkout``, the folder
        of the repository or None; ``problems``, what keeps the default book from being built: none if it can.
    """
    root = find_repository()
    found = {"checkout": str(root) if root else None, "python": python()}
    found["packages"] = packages(root)
    found |= {"machine": machine(gpu), "cache": cache(), "data": data_sets(places(data, root)), "models": models()}
    found["chapters"] = chapters(root, found["data"]) if root else {}
    return found | {"problems": _problems(found)}


def _problems(found):
    problems = [] if found["checkout"] else ["no checkout of the repository here: the book is built inside one"]
    problems += [found["python"]["problem"]] if found["python"]["problem"] else []
    problems += lacking(found["packages"])
    kept = found["cache"]
    there = sum(kept["sizes"].values())
    if kept["problem"]:
        problems.append(kept["problem"])
    elif kept["free"] + there < ROOM:
        problems.append(
            f"the disk of {kept['folder']} has {amount(kept['free'])} free, expected {amount(ROOM - there)}"
        )
    total = found["machine"]["memory"]
    if total is not None and total < MEMORY:
        problems.append(f"the machine has {amount(total)} of memory, expected {amount(MEMORY)} or more")
    return problems


def report(found):
    """Return what `examine` found as text for people."""
    lines = ["book", *(f"  ! {problem}" for problem in found["problems"])]
    lines += [] if found["problems"] else ["  the default book can be built: make book"]
    return "\n".join([*lines, *_installed(found), *_machine(found), *_data(found), *_models(found), *_chapters(found)])


def _installed(found):
    listed, extras = found["packages"], {}
    for package in listed:
        extras.setdefault(package["extra"], []).append(package)
    yield f"\ninstalled (Python {found['python']['version']})"
    for extra, members in extras.items():
        name = {"": "the package", None: "beside it"}.get(extra, f"extra {extra}")
        missing = [package["name"] for package in members if package["problem"]]
        there = f"{len(members) - len(missing)} of {len(members)} packages"
        get = f'pip install -e ".[{extra}]"' if extra else f"pip install {' '.join(missing)}"
        lacks = f"; lacks {', '.join(missing)}: {get} -c constraints.txt" if missing else ""
        yield f"  {name:<14} {there}{lacks}"
    versions = {package["name"]: package["installed"] for package in listed}
    key = ("numpy", "scipy", "torch", "transformers", "nilearn", "jupyter-book", "papermill")
    yield "  " + ", ".join(f"{name} {versions[name]}" for name in key if versions.get(name))
    if others := differ(listed):
        yield f"  other versions than it was tried with: {', '.join(others)}"


def _machine(found):
    has, kept = found["machine"], found["cache"]
    free = f"{amount(has['memory_free'])} of {amount(has['memory'])} memory free" if has["memory"] else "memory unknown"
    yield f"\nmachine\n  {has['cores']} cores, {free}; GPU: {has['gpu']}"
    yield f"  cache {kept['folder']}: {amount(kept['free'])} free on its disk"
    if kept["sizes"]:
        yield "    " + ", ".join(f"{name} {amount(size)}" for name, size in kept["sizes"].items())


def _data(found):
    yield "\ndata"
    for name, one in found["data"].items():
        yield f"  {name:<16} {one['state']}" + f" in {one['folder']}" * bool(one["folder"])
        if one["says"]:
            yield f"      {one['says']}"
        if one["get"]:
            yield f"      to get it: {one['get']}"


def _models(found):
    there = [name for name, is_there in found["models"].items() if is_there]
    others = [name for name, is_there in found["models"].items() if not is_there]
    yield "\nmodels of the Hugging Face hub (the defaults need none)"
    yield f"  in the local cache: {', '.join(there) or 'none'}"
    yield f"  downloaded when first asked for: {', '.join(others) or 'none'}"


def _chapters(found):
    yield "\nchapters (each runs on its default data)"
    for name, one in found["chapters"].items():
        if one["missing"]:
            yield f"  {name:<24} in full: lacks {', '.join(one['missing'])}"
        else:
            yield f"  {name:<24} in full: {one['command'] or 'needs no data'}"
