"""Which packages are installed, against what the project asks for and the versions that it was tried with."""

import platform
import tomllib
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

NAME = "naturalistic"
NEEDED = ("", "book")  # what the default book takes: the package itself, and this extra
# of no extra: what for
OTHERS = {"accelerate": "language models over several GPUs"}


def python(version=None):
    """Return the version of Python, and a problem if it is not the one that the project asks for."""
    version, asked = version or platform.python_version(), metadata.metadata(NAME)["Requires-Python"]
    fits = Requirement(f"python{asked}").specifier.contains(version)
    return {"version": version, "problem": None if fits else f"Python is {version}, expected {asked}"}


def packages(checkout=None):
    """Return the packages of the project and of its extras.

    Parameters
    ----------
    checkout : Path, optional
        The repository, whose ``pyproject.toml`` may be newer than what was installed from it, and whose
        ``constraints.txt`` says which versions the project was tried with.

    Returns
    -------
    packages : list of dict
        ``name``; ``extra`` that asks for it, "" if none; ``installed`` version or None; ``tried`` version or None;
        ``problem``, None where all is well: a package that lacks or does not fit.
    """
    tried = read_constraints(checkout / "constraints.txt") if checkout else {}
    found = {}
    for extra, text in [*_asked(checkout), *((None, name) for name in OTHERS)]:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name != NAME and name not in found:
            found[name] = {"name": name, "extra": extra, **_state(name, requirement.specifier, tried)}
    return list(found.values())


def _asked(checkout):
    """Return ``(extra, requirement)`` of each package that the project asks for; the extra is "" for all."""
    if checkout:
        project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = {"": project["dependencies"], **project["optional-dependencies"]}
        return [(extra, text) for extra, texts in extras.items() for text in texts]
    extras = ["", *(metadata.metadata(NAME).get_all("Provides-Extra") or [])]
    listed = [(Requirement(text).marker, text) for text in metadata.requires(NAME) or []]
    return [(e, text) for e in extras for marker, text in listed if marker is None or marker.evaluate({"extra": e})]


def lacking(found):
    """Return the problems of those packages without which the default book cannot be built."""
    return [package["problem"] for package in found if package["extra"] in NEEDED and package["problem"]]


def read_constraints(path):
    """Return ``{name: version}`` of a file of constraints; lines of another kind are left out."""
    lines = [line.split("==") for line in path.read_text(encoding="utf-8").splitlines() if "==" in line]
    return {canonicalize_name(name): version.strip() for name, version in lines if not name.startswith("#")}


def _state(name, specifier, tried):
    try:
        installed = metadata.version(name)
    except metadata.PackageNotFoundError:
        return {"installed": None, "tried": tried.get(name), "problem": f"{name} is not installed"}
    fits = specifier.contains(installed, prereleases=True)
    problem = None if fits else f"{name} is {installed}, expected {specifier}"
    return {"installed": installed, "tried": tried.get(name), "problem": problem}


def differ(found):
    """Return the packages that are installed in another version than the project was tried with, as text."""
    return [
        f"{p['name']} {p['installed']} (tried: {p['tried']})"
        for p in found
        if p["installed"] and p["tried"] and Version(p["installed"]).public != p["tried"]
    ]
