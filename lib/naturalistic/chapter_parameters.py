"""Parameters of a chapter, checked all together in its first cell.

papermill takes any name and any text: ``-p n_permutation 10`` sets a variable that nobody reads, and
``-p subjects None,`` is the text of a tuple that nobody meant. Both would cost an hour before somebody notices.
"""

import re
import sys
from ast import Name, Store, parse, walk
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from naturalistic.parameters import checked, did_you_mean
from naturalistic.simulated import NAME, OLD_NAMES

NOTHING = ("none", "null", "~", "")  # texts that -y, a file of parameters or a shell make of None
DEVICES = re.compile(r"cpu|mps|cuda(:\d+)?")
WINDOWS = re.compile(r"[A-Za-z]:[\\/]|[^/]*\\")  # how a path under Windows begins
INJECTED = "# Parameters"  # how papermill begins its cell


@dataclass(frozen=True)
class Rule:
    """What a parameter may be.

    Attributes
    ----------
    kind : {int, float, str, Path, dict} or a list of one of these
        ``Path`` is a file or folder that is there.
    optional : bool
        None will do too.
    names : tuple of str
        Words that stand for data, in place of a path.
    least, among, groups, example
        As in `parameters.checked`.
    """

    kind: Any
    optional: bool = False
    names: tuple[str, ...] = ()
    least: float | None = None
    among: tuple[str, ...] | None = None
    groups: bool = False
    example: Any = None


_SPACES = ("raw", "native", "mni", "fsaverage5")
_COUNT = Rule(int, least=1)
_MODEL = Rule(str, example="minilm")
_MODELS = Rule([str], example=["minilm", "gpt2"])
_DELAYS = Rule([float], groups=True, least=0)
RULES: Mapping[str, Rule] = {
    # data
    "dataset": Rule(Path, names=(NAME, "alice", "studyforrest")),
    "story": Rule(Path, names=(NAME, "alice")),
    "corpus": Rule(Path, names=(NAME,)),
    "audio": Rule(Path, optional=True),
    "captions": Rule(Path, optional=True),
    "atlas": Rule([Path], optional=True),
    "subjects": Rule([str], optional=True, example=["1", "3"]),
    "space": Rule(str, among=_SPACES),
    "bold_space": Rule(str, optional=True, among=(*_SPACES[1:], "fsaverage6", "fsLR")),
    "task": Rule(str, optional=True, example="story"),
    "stimulus": Rule(Path, optional=True, names=("events",)),
    "confounds": Rule([str], optional=True, example=["motion", "wm_csf"]),
    "overlap": Rule(str, among=("authors", "paper")),
    # models
    "cluster": Rule(str, example="local"),
    "device": Rule(str, example="cpu"),
    "dtype": Rule(str, among=("float32", "bfloat16", "float16")),
    "generator": Rule(str, example="musicldm"),
    "joint_model": Rule(str, example="clap"),
    "language_model": _MODEL,
    "language_models": _MODELS,
    "models": Rule([str], example=["clap", "w2v-bert"]),
    "query": Rule(str, example="a sad piano"),
    "sound_model": Rule(str, example="w2v-bert"),
    "word_vectors": Rule(str, example="glove"),
    # numbers; every n_... is a count
    "context": Rule(float, least=0),
    "contexts": Rule([int], least=1),
    "delays": _DELAYS,
    "layer": Rule(int, optional=True, least=0),
    "layers": Rule(dict, optional=True),
    "offset": Rule(float),
    "length": Rule(float, least=1),
    "n_alphas": Rule(int, least=3),
    "n_experiments": Rule(int, least=2),
    "seed": Rule(int, least=0),
    "start": Rule(float, least=0),
    "story_permutations": _COUNT,
    "sweep": Rule([float], least=1),
    "window": _COUNT,
}


def check_chapter(**values: Any) -> SimpleNamespace:
    """Return the values of a chapter's parameters, after checking each of them.

    A chapter calls it in its first cell with all of its parameters::

        checked = check_chapter(dataset=dataset, subjects=subjects, delays=delays, device=device, seed=seed)
        globals().update(vars(checked))

    and goes on with ``delays``, in which the text of a list has become a list.

    Parameters
    ----------
    **values
        Each parameter of the chapter by its name; ``n_...`` are counts, others without a rule come back as they are.

    Returns
    -------
    values : types.SimpleNamespace
        Numbers, text, lists of them, paths as text, or None.

    Raises
    ------
    ValueError
        Naming the parameter, what came, what was expected and how to write it; also for a name that is none of
        ``values`` and that papermill was given.
    FileNotFoundError
        If a path leads nowhere.
    """
    check_names(injected_names(), values)
    return SimpleNamespace(**{name: check_parameter(name, value) for name, value in values.items()})


def check_names(given: Iterable[str], known: Iterable[str]) -> None:
    """Raise ValueError for a given name that is not known, with the nearest one.

    Parameters
    ----------
    given, known : iterable of str
        Names of parameters.
    """
    known = list(known)
    for name in given:
        if name not in known:
            nearest = did_you_mean(name, known).lstrip("; ")
            raise ValueError(
                f"no parameter is called {name!r}; there are {', '.join(known)}. {nearest.capitalize()}".strip()
            )


def injected_names() -> list[str]:
    """Return the names that papermill set in this notebook, empty outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    cells = shell.user_ns.get("In", []) if shell else []
    trees = [parse(cell) for cell in cells if cell.startswith(INJECTED)]
    return [node.id for tree in trees for node in walk(tree) if isinstance(node, Name) and isinstance(node.ctx, Store)]


def check_parameter(name: str, value: Any) -> Any:
    """Return the value of one parameter by its rule, after checking it.

    Parameters
    ----------
    name : str
        One of `RULES`; any other comes back as it is.
    value : object
        A value, or the text of one.

    Returns
    -------
    value : int, float, str, list of such, dict, or None

    Raises
    ------
    ValueError, FileNotFoundError
        As `check_chapter` does.
    """
    rule = RULES.get(name, _COUNT if name.startswith("n_") else None)
    if rule is None:
        return value
    if value is None or (isinstance(value, str) and value.strip().lower() in NOTHING):
        if rule.optional:
            return None
        raise ValueError(f"{name} is {value!r}, and has to be given: {_how(name, rule)}")
    if isinstance(value, str) and value[:1] == value[-1:] in ("'", '"'):
        raise ValueError(f"{name} is {value!r}, quotes within quotes: {_how(name, rule)}")
    if rule.kind is dict:
        if not isinstance(value, dict):
            raise ValueError(f'{name} is {value!r}, expected a mapping; of papermill: -y "{name}: {{Speech: 5}}"')
        return value
    if rule.kind is Path:
        return _path(name, value, rule)
    if rule.kind == [Path]:
        one = isinstance(value, (str, Path)) and str(value).strip()[:1] not in ("[", "(")
        return _path(name, value, rule) if one else [_path(name, path, rule) for path in checked(name, value, [str])]
    limits = {"least": rule.least, "among": rule.among, "groups": rule.groups, "example": rule.example}
    value = checked(name, value, rule.kind, **limits)
    return _device(value) if name == "device" else value


def _how(name: str, rule: Rule) -> str:
    """Say how a parameter is written, here and to papermill."""
    example = rule.example or (rule.among or rule.names or (None,))[0]
    if example is None:
        example = "data/folder" if rule.kind in (Path, [Path]) else 10
    return f'{name} = {example!r}, or of papermill: -p {name} "{example}"'


def _path(name: str, value: Any, rule: Rule) -> str:
    """Return a name of data, or the path of a file or folder that is there."""
    if not isinstance(value, (str, Path)):
        raise ValueError(f"{name} is {value!r}, expected the path of a file or folder: {_how(name, rule)}")
    text = str(value)
    if text in rule.names or text in OLD_NAMES:  # what opens it warns of the latter
        return text
    path = Path(text).expanduser()
    if path.exists():
        return str(path)
    raise FileNotFoundError(f"{name} is {text!r}, and nothing is there{_reason(text, path, rule.names)}")


def _reason(text: str, path: Path, names: tuple[str, ...]) -> str:
    """Say why a path may lead nowhere."""
    if text != text.strip():
        return ": it begins or ends with a blank"
    if sys.platform != "win32" and WINDOWS.match(text):
        return r": it is written as under Windows; inside WSL, C:\data is /mnt/c/data"
    if text[:1] in ("[", "("):
        return ": expected one path, this is the text of a list"
    known = f"; known by name: {', '.join(names)}" if names else ""
    where = "" if path.is_absolute() else f" in {Path.cwd()}, where this runs"
    return f"{where}{known}{did_you_mean(text, [*names, *_neighbors(path)])}"


def _neighbors(path: Path) -> list[str]:
    """Return the paths beside one, written as it is."""
    try:
        return [str(path.parent / other.name) for other in path.parent.iterdir()]
    except OSError:
        return []


def _device(device: str) -> str:
    """Return the name of a device that torch has."""
    if not DEVICES.fullmatch(device):
        raise ValueError(
            f"device is {device!r}, expected 'cpu' or 'cuda'{did_you_mean(device, ('cpu', 'cuda', 'mps'))}"
        )
    if device.startswith("cuda"):
        import torch  # slow to import, and cells before the first model do without

        if not torch.cuda.is_available():
            raise ValueError(f"device is {device!r}, but torch {torch.__version__} sees no GPU: pass device='cpu'")
    return device
