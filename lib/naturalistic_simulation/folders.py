"""Folders of simulated data: whole or absent, and unchanged once written."""

import ast
import hashlib
import re
import sys
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from naturalistic.cache import check_room, check_writable, put_in_place, remove, whole_or_absent


def write_whole(
    folder: Path | str,
    readme: str,
    n_bytes: int,
    write: Callable[[Path], object],
    what: str = "simulated data set",
    readme_name: str = "README",
) -> Path:
    """Write a folder of files, unless its README says that it is this very one.

    Parameters
    ----------
    folder : str or Path
    readme : str
        Tells one from another; "recipe" and a hash in it name the code that wrote it, and one of another recipe is
        replaced.
    n_bytes : int
        Room that it needs.
    write : callable
        ``write(part)`` writes all files, README among them, into an empty folder.
    what : str
        Name of it in messages.
    readme_name : str
        Path of the README in the folder.

    Returns
    -------
    folder : Path

    Raises
    ------
    FileExistsError
        If the folder holds something else.
    RequestError
        If it cannot be written, or the disk has too little room.
    """
    folder = Path(folder)
    current = _readme_of(folder, readme_name)
    if current == readme:
        return folder
    if folder.exists() and _without_recipe(current) != _without_recipe(readme):
        raise FileExistsError(f"{folder} exists and is not this {what}; remove it, or name another folder")
    check_writable(folder.parent)
    check_room(folder.parent, n_bytes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(folder)
    part.mkdir()
    try:
        write(part)
        if _readme_of(folder, readme_name) == readme:  # another process was quicker, and may be read from already
            return folder
        if folder.exists():
            print(f"{folder} was written by an older recipe and is replaced")
            remove(folder)
        put_in_place(part, folder)
    finally:
        remove(part)
    return folder


def write_file(path: Path | str, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : str or Path
        In a folder that exists.
    write : callable
        ``write(part)`` writes the file ``part``, whose name ends as ``path`` does.
    """
    path = Path(path)
    with whole_or_absent(path, part_of(path)) as part:
        write(part)


def part_of(path: Path, mark: str | None = None) -> Path:
    """Return the name of a file or folder while it is written.

    It ends as the path does, since writers go by the suffix. ``mark`` tells one process from another and is drawn by
    default; ``"*"`` stands for all of them.
    """
    suffix = "".join(path.suffixes)
    return path.with_name(f".{path.name.removesuffix(suffix)}-{mark or uuid.uuid4().hex[:12]}{suffix}")


def _dump(tree: ast.AST) -> str:
    """Return the text of a tree as Python 3.11 writes it, whichever version runs."""
    show_empty = {"show_empty": True} if sys.version_info >= (3, 13) else {}
    return ast.dump(tree, **show_empty).replace(", type_params=[]", "")  # a field since 3.12


def recipe_of(sources: Iterable[Path], *more: bytes) -> str:
    """Return a short hash of the code that writes files.

    The files may differ between two recipes. Docstrings, imports and annotations do not count: they change no file.

    Parameters
    ----------
    sources : sequence of Path
        Python files.
    *more : bytes
        What else the files depend on.

    Returns
    -------
    recipe : str
        Eight hexadecimal digits.
    """
    total = hashlib.sha256()
    for path in sources:
        tree = _Bare().visit(ast.parse(path.read_bytes()))
        total.update(_dump(tree).encode())
    for part in more:
        total.update(part)
    return total.hexdigest()[:8]


class _Bare(ast.NodeTransformer):
    """Removal of code that changes no result: docstrings, imports, annotations."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Remove docstrings."""
        documented = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        if documented and ast.get_docstring(node) is not None:
            del node.body[0]
        return super().generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Remove the annotation of the returned value."""
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """Remove the annotation of a parameter."""
        node.annotation = None
        return node

    def visit_Import(self, node: ast.AST) -> None:
        """Remove an import."""
        return None

    visit_ImportFrom = visit_Import  # noqa: N815 (ast.NodeTransformer calls it so)


def _readme_of(folder: Path, name: str) -> str:
    path = folder / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _without_recipe(text: str) -> str:
    return re.sub(r"recipe \w+", "", text)
