"""The reference of the library, from its docstrings: every public module of the two installed packages, on these pages.

A page asks for a package by a block ``{modules} naturalistic.decoding``, or for the list of all by ``{modules} list``.
"""

import importlib
import inspect
import pkgutil
import re

BLOCK = re.compile(r"^```\{modules\} (\S+)\n```$", re.M)
PACKAGE, SIMULATION = "naturalistic", "naturalistic_simulation"
APART = ("training", "full_size")  # packages of the simulation with pages of their own
ALIAS = "Alias for field number"  # what Python writes where a field of a tuple has no text of its own


def public_modules():
    """Return the names of both packages and all their public modules, sorted."""
    names = [PACKAGE, SIMULATION]
    for package in names[:]:
        found = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
        names += [m.name for m in found if not any(part[0] == "_" for part in m.name.split("."))]
    return sorted(names)


def is_package(name):
    """Say whether a module has modules in it."""
    return hasattr(importlib.import_module(name), "__path__")


def page_of(name):
    """Return which page a module is on: that of its package, or that of the modules beside the packages.

    All of the simulation is on one page, but for what has a page of its own.
    """
    parts = name.split(".")
    if parts[0] == SIMULATION:
        return parts[1] if parts[1:2] and parts[1] in APART else "simulation"
    top = ".".join(parts[:2])
    return parts[1] if len(parts) > 1 and is_package(top) else "modules"


def first_line(thing):
    """Return what a thing is for, as a cell of a table."""
    line, _, rest = (inspect.getdoc(thing) or "").partition("\n")
    while line.count("`") % 2 and rest:  # a formula goes on in the next line
        more, _, rest = rest.partition("\n")
        line += f" {more.strip()}"
    return re.sub(r":(math|term|cite):`", r"{\1}`", line.replace("|", r"\|"))  # a role as this page writes it


def list_of_modules():
    """Return a table of all modules with what they are for, each with a link."""
    rows = ["| module | what it is for |", "|---|---|"]
    for name in public_modules():
        short = name.removeprefix(f"{PACKAGE}.")
        rows.append(f"| {{py:mod}}`{short} <{name}>` | {first_line(importlib.import_module(name))} |")
    return "\n".join(rows)


def of_package(wanted):
    """Return the page of a package, or of the modules that are in none: names it exports, then module by module."""
    page = page_of(wanted) if wanted.startswith(SIMULATION) else wanted.removeprefix(f"{PACKAGE}.")
    names = [name for name in public_modules() if page_of(name) == page]
    parts = []
    for name in names:
        module = importlib.import_module(name)
        parts.append(f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n   :ignore-module-all:\n```")
        if exported := exports(module):
            parts.append("\n".join(["| name | what it does |", "|---|---|", *exported]))
    return "\n\n".join(parts)


def exports(module):
    """Return the rows of a table of what a package hands on from its modules."""
    rows = []
    for name in getattr(module, "__all__", ()) if hasattr(module, "__path__") else ():
        thing = getattr(module, name)
        made_in = getattr(thing, "__module__", None)
        if callable(thing) and made_in and made_in != module.__name__:
            rows.append(f"| {{py:obj}}`{name} <{made_in}.{thing.__qualname__}>` | {first_line(thing)} |")
    return rows


def fill(app, name, source):
    """Put the reference in the place of the blocks that ask for it."""
    source[0] = BLOCK.sub(lambda m: list_of_modules() if m[1] == "list" else of_package(m[1]), source[0])


def leave_out(app, what, name, thing, skip, options):
    """Leave out fields of tuples, whose text is in the docstring of their class, and what other packages add."""
    is_field = (inspect.getdoc(thing) or "").startswith(ALIAS)
    of_others = inspect.isroutine(thing) and not (getattr(thing, "__module__", None) or PACKAGE).startswith(PACKAGE)
    return True if is_field or of_others else None


def setup(app):
    """Tell Sphinx to write the reference where a page asks for it."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("source-read", fill)
    app.connect("autodoc-skip-member", leave_out)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
