"""Which chapters there are, and which data each can be run on."""

import shlex
from pathlib import Path

from naturalistic.datasets import gtzan

# what a chapter's source calls -> the data sets of its full run
OPENS = {
    "alice.load(": ("alice",),
    "music_genre.load(": ("ds003720", "gtzan"),
    "captions_of.load_captions(": ("captions",),
    "fma.load(": ("fma",),
    "narrative_movie.load(": ("ds005531",),
}
PARAMETERS = {"fma": "corpus", "captions": "captions"}  # all others are the chapter's dataset


def chapters(repository, data):
    """Return what each chapter can be run on.

    Parameters
    ----------
    repository : Path
    data : dict
        As `data.data_sets` returns it.

    Returns
    -------
    chapters : dict of str to dict
        By name: ``needs``, the data sets of a full run; ``missing``, those of them without a whole subject;
        ``command``, which runs it on what was found, or "" where something is missing or nothing is needed.
    """
    found = {}
    for source in sorted((repository / "notebooks").glob("[0-9][0-9]-*.md")):
        text = source.read_text(encoding="utf-8")
        needs = [name for call, names in OPENS.items() if call in text for name in names]
        missing = [name for name in needs if not _usable(data[name])]
        command = _command(source.stem, [data[name] for name in needs]) if needs and not missing else ""
        found[source.stem] = {"needs": needs, "missing": missing, "command": command}
    return found


def _usable(found):
    return found["state"] == "complete" or bool(found["subjects"])


def _command(chapter, needed):
    words = [f"papermill notebooks/{chapter}.ipynb out.ipynb"]
    for found in needed:
        if found["name"] != "gtzan":  # it is found beside the scans, or named as audio
            words.append(f"-p {PARAMETERS.get(found['name'], 'dataset')} {shlex.quote(found['folder'])}")
        elif not any(gtzan.locate(Path(other["folder"])) for other in needed if other["name"] == "ds003720"):
            words.append(f"-p audio {shlex.quote(found['folder'])}")
        if found["subjects"] and found["state"] != "complete":
            words.append(f'-p subjects "[{", ".join(found["subjects"])}]"')
    return " ".join(words)
