"""Run every chapter and build the book: notebooks/*.md in, _build/html/index.html out.

0. Simulated data are made in the cache, unless they are there or no chapter to be run opens them.
1. Each notebooks/NN-name.md is run by papermill into _build/runs/. A chapter whose key (its text, the library,
   the pinned versions, its parameters and where its data come from) is unchanged is not run again. Chapters that do
   not read each other's results run side by side, a core each.
2. _build/stage/ mirrors the repository (book/ and the executed notebooks/), so that relative links hold.
3. Jupyter Book and Sphinx make the pages from the stage; any warning fails the build. An unchanged stage is not built
   again.
"""

import argparse
import ast
import hashlib
import html
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from lanes import cores, in_lanes, number_of_lanes
from launch import repository, with_buttons

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
RUNS, STAGE, HTML = BUILD / "runs", BUILD / "stage", BUILD / "html"
CELL_TIMEOUT = 1800  # s
FIRST_PAGE = "notebooks/00-overview"  # root of _toc.yml
SUMMARIES = ("00-overview", "91-results")  # read the numbers of the other chapters: run last
READS = {"13-semantic-maps": ("12-language-encoding",)}  # chapters that take something from the results of others
# these start first: others find in the cache what they prepared, or wait for their results; then the one that waits
EARLY = ("05-music-experiment", "12-language-encoding", "13-semantic-maps")
# simulated data -> the call that opens them, and the parameter of a chapter that names them
OPENS = {
    "music": ("music_genre.load(", "dataset"),
    "corpus": ("fma.load(", "corpus"),
    "movie": ("narrative_movie.load(", "dataset"),
}
SOURCES = ("NATURALISTIC_DATA", "NATURALISTIC_CACHE")  # folders that hold data: what they hold is part of the key


def main():
    """Run what the command line asks for; without an argument, what changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", help="run these only, by the start of their names; default all")
    parser.add_argument(
        "-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
        help="papermill parameter for every chapter that has it, value read as YAML",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="run chapters again though nothing changed")
    parser.add_argument("--no-html", action="store_true", help="run the chapters, build no pages")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="chapters at once; default as many as cores and memory allow"
    )
    options = parser.parse_args()
    if options.jobs is not None and options.jobs < 1:
        parser.error(f"--jobs is {options.jobs}, expected 1 or more")
    sources = with_summaries(find_chapters(options.chapters))
    parameters = read_parameters(options.parameter)
    check_parameters(parameters, sources)
    address = repository(ROOT)
    run_chapters(sources, parameters, options.force, options.jobs or lanes_for(parameters))
    missing = [s.stem for s in find_chapters([]) if not (RUNS / f"{s.stem}.ipynb").is_file()]
    if missing:
        print(f"pages: not built, {', '.join(missing)} were never run; make book runs them")
    elif not options.no_html:
        make_stage(address)
        make_pages()


def find_chapters(wanted):
    """Return the chapters' sources, all or those whose names start with one of ``wanted``."""
    sources = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.md"))
    unknown = [w for w in wanted if not any(s.stem.startswith(w) for s in sources)]
    if unknown:
        sys.exit(f"no chapter starts with {', '.join(unknown)}; there are {', '.join(s.stem for s in sources)}")
    return [s for s in sources if not wanted or any(s.stem.startswith(w) for w in wanted)]


def with_summaries(sources):
    """Return the sources, and last the pages that sum up: those asked for, those whose chapters all have results."""
    chapters = [source for source in sources if source.stem not in SUMMARIES]
    wanted = []
    for page in (ROOT / "notebooks" / f"{name}.md" for name in SUMMARIES):
        read = re.findall(r'"(\d\d-[a-z-]+)"', page.read_text(encoding="utf-8")) if page.is_file() else []
        there = all((BUILD / "results" / f"{chapter}.json").is_file() for chapter in read)
        concerned = any(source.stem in read for source in chapters)
        if page in sources or (there and concerned):
            wanted.append(page)
    return [*chapters, *wanted]


def read_parameters(pairs):
    """Return the papermill parameters of the command line as a dict."""
    import yaml

    # a chapter runs in notebooks/: a path is meant from where make was called
    def placed(value):
        if isinstance(value, list):
            return [placed(item) for item in value]
        is_path = isinstance(value, str) and ("/" in value or Path(value).suffix) and Path(value).exists()
        return str(Path(value).resolve()) if is_path else value

    return {name: placed(yaml.safe_load(value)) for name, value in pairs}


def digest(paths, *more):
    """Return a hash of the contents of files and of further strings."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    total.update("\0".join(map(str, more)).encode())
    return total.hexdigest()


def key_of(source, parameters):
    """Return what determines a chapter's output: a hash of what is run, and the data at hand."""
    return code_key(source, parameters) + state_key(source, parameters)


def code_key(source, parameters):
    """Return a hash of a chapter's text, the library, versions, parameters and committed measurements."""
    kinds = {".py", ".txt", ".json", ".safetensors"}
    library = [p for p in (ROOT / "lib").rglob("*") if p.is_file() and p.suffix in kinds]
    library = [p for p in library if ".egg-info" not in str(p)]
    measured = (ROOT / "book" / "benchmarks").glob("*.json")
    mine = [source, ROOT / "constraints.txt", ROOT / "book" / "build.py", *library, *measured]
    return digest(mine, sorted(parameters.items()), platform.python_version())


def state_key(source, parameters):
    """Return what a chapter finds when it is run: data, and the results of other chapters that it reads."""
    found = sorted((BUILD / "results").glob("*.[jn][sp]*")) if source.stem in SUMMARIES else []  # .json, .npz
    names = () if source.stem in SUMMARIES else (source.stem, *READS.get(source.stem, ()))  # its own: a run by hand
    read = found or [path for name in names if (path := BUILD / "results" / f"{name}.json").is_file()]
    return data_key(parameters) + (digest(read) if read else "")


def data_key(parameters):
    """Say which folder of data is the reader's own, whether it and the cache hold data, and what a data set holds."""
    folder = Path(str(parameters.get("dataset", "")))
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_absolute() and folder.is_dir() else []
    state = [(str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    own, cache = (os.environ.get(name, "") for name in SOURCES)
    held = [str(Path(place, "alice").is_dir()) for place in (own, cache) if place]
    return "\n".join(["", own, hashlib.sha256(repr(state).encode()).hexdigest(), *held])


def lanes_for(parameters):
    """Return how many chapters run at once: one where they share a graphics card, whose memory is not divided."""
    return number_of_lanes() if parameters.get("device", "cpu") == "cpu" else 1


def run_chapters(sources, parameters, force, lanes=1):
    """Run the chapters whose key changed, up to ``lanes`` at once, with a bar over chapters."""
    from tqdm import tqdm

    RUNS.mkdir(parents=True, exist_ok=True)
    todo = changed_chapters(sources, parameters, force)
    print(f"chapters: {len(todo)} to run, {len(sources) - len(todo)} unchanged", flush=True)
    simulate_data([source for source, *_ in todo.values()], parameters)
    with tqdm(total=len(todo), desc="chapters", unit="chapter", disable=not todo) as bar:
        for name, cost in run_each(todo, parameters, lanes, bar.set_postfix_str):
            source, code, stamp = todo[name]
            note_cost(source, cost)
            stamp.write_text(code + state_key(source, parameters))  # the run itself may have fetched the data
            memory = f", {cost['peak_mb'] / 1000:.1f} GB of memory" if cost["peak_mb"] else ""
            tqdm.write(f"{name}: {cost['seconds']:.0f} s{memory}")
            bar.update()


def changed_chapters(sources, parameters, force):
    """Return the chapters that must run, by name: source, key of their code, and file of their key."""
    todo = {}
    for source in sources:
        key, stamp = key_of(source, parameters), RUNS / f"{source.stem}.key"
        fresh = stamp.is_file() and stamp.read_text() == key and (RUNS / f"{source.stem}.ipynb").is_file()
        if todo.keys() & read_by(source.stem, todo):  # what it reads will change
            fresh = False
        if force or not fresh:
            stamp.unlink(missing_ok=True)
            todo[source.stem] = source, code_key(source, parameters), stamp
        elif is_a_fallback(source):
            print(
                f"{source.stem}: unchanged, and run on simulated data; BOOKFLAGS=--force tries for the real ones again"
            )
    return todo


def read_by(name, chapters):
    """Return the chapters whose results a chapter reads: a page that sums up reads all of ``chapters``."""
    if name in SUMMARIES:
        return {chapter for chapter in chapters if chapter not in SUMMARIES}
    return set(READS.get(name, ()))


def run_each(todo, parameters, lanes, show):
    """Yield the name and the cost of each chapter as it ends."""
    if lanes == 1 or len(todo) < 2:
        for name, (source, *_) in todo.items():
            show(name)
            yield name, run_measured(parameters, source)
        return
    first = [name for name in EARLY if name in todo]
    order = first + [name for name in todo if name not in first]
    waits_for = {name: read_by(name, todo) for name in todo}
    work = partial(run_named, {name: source for name, (source, *_) in todo.items()}, parameters)
    yield from in_lanes(order, waits_for, work, lanes, lambda running: show(", ".join(running)))


def run_named(sources, parameters, name):
    """Run a chapter in a lane, without a bar of its own, and return its cost."""
    return run_measured(parameters, sources[name], bar=False)


def run_measured(parameters, source, bar=True):
    """Run a chapter and return its cost."""
    from costs import measured

    with measured() as cost:
        run_chapter(source, parameters, bar)
    return cost


def note_cost(source, cost):
    """Keep what a chapter cost, and on which data, for the page that sums up; its own cost would change that page."""
    from costs import record

    results = BUILD / "results" / f"{source.stem}.json"
    if source.stem not in SUMMARIES and results.is_file():
        dataset = json.loads(results.read_text(encoding="utf-8"))["dataset"]
        stems = [path.stem for path in find_chapters([])]
        record(BUILD / "results" / "build.json", source.stem, {**cost, "dataset": dataset}, stems)


def simulate_data(sources, parameters):
    """Simulate the data that the chapters open, beforehand, so that no chapter's time is that of simulating them."""
    import jupytext

    text = "\n".join(c.source for s in sources for c in jupytext.read(s).cells if c.cell_type == "code")

    for kind, (call, name) in OPENS.items():
        asked = parameters.get(name, "simulated" if f'{name} = "simulated"' in text else None)
        if call in text and asked == "simulated":
            from naturalistic.simulated import simulate

            simulate(kind)


def is_a_fallback(source):
    """Say whether a chapter's last results are of a simulated story in place of the measured one."""
    results = BUILD / "results" / f"{source.stem}.json"
    return results.is_file() and json.loads(results.read_text())["dataset"] == "Simulated data (layout of Alice)"


def run_chapter(source, parameters, bar=True):
    """Run one chapter by papermill; on an error say which cell, and keep what was run."""
    import jupytext
    import nbformat
    import papermill
    from execution import execute

    notebook = jupytext.read(source)
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"{source.stem}-{i:03d}"  # stable, so that pages do not change without reason
    raw, part, done = (RUNS / f"{source.stem}{end}" for end in (".source.ipynb", ".part.ipynb", ".ipynb"))
    nbformat.write(notebook, raw)
    known = parameters_of(notebook)
    try:
        execute(
            str(raw), str(part), {k: v for k, v in parameters.items() if k in known},
            cwd=str(ROOT / "notebooks"), progress_bar=bar and {"leave": False, "desc": source.stem},
            execution_timeout=CELL_TIMEOUT,
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        sys.exit(f"{source.relative_to(ROOT)} failed; what ran is in {part.relative_to(ROOT)}\n{error}")
    executed = nbformat.read(part, 4)
    executed.metadata.pop("papermill", None)
    for cell in executed.cells:
        cell.metadata.pop("papermill", None)
    nbformat.write(executed, part)
    os.replace(part, done)


def parameters_of(notebook):
    """Return the names that a notebook's parameters cell sets."""
    cells = [c.source for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    names = [n for source in cells for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)]
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}


def check_parameters(parameters, sources):
    """Stop on a parameter that none of the chapters has."""
    import jupytext
    from naturalistic.parameters import did_you_mean

    known = set().union(*(parameters_of(jupytext.read(source)) for source in sources))
    for name in sorted(set(parameters) - known):
        nearest = did_you_mean(name, known)
        sys.exit(f"no chapter has the parameter {name}{nearest or ';'} there are {', '.join(sorted(known))}")


def make_stage(address=None):
    """Lay out the sources of the pages as the repository has them, with the notebooks executed.

    ``address`` is that of the repository in public, if it has one: pages get buttons that open their chapter there.
    """
    shutil.rmtree(STAGE, ignore_errors=True)
    tools = shutil.ignore_patterns(
        "__pycache__", "build.py", "costs.py", "execution.py", "lanes.py", "launch.py", "picture.py", "rehearsal.py"
    )
    shutil.copytree(ROOT / "book", STAGE / "book", ignore=tools)
    for name in ("_config.yml", "_toc.yml", "_static"):
        shutil.move(STAGE / "book" / name, STAGE / name)
    if address:
        config = STAGE / "_config.yml"
        config.write_text(with_buttons(config.read_text(), address, os.environ.get("BRANCH") or "main"))
        print(f"pages: with buttons that open a chapter of {address}")
    (STAGE / "notebooks").mkdir()
    for source in sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.md")):
        page = STAGE / "notebooks" / f"{source.stem}.ipynb"
        page.write_text(with_badge((RUNS / page.name).read_text(encoding="utf-8"), opened(source)), encoding="utf-8")


def opened(source):
    """Return the name of the data that a chapter's last run opened, None of a page that opens none."""
    results = BUILD / "results" / f"{source.stem}.json"
    return json.loads(results.read_text(encoding="utf-8"))["dataset"] if results.is_file() else None


def with_badge(page, dataset):
    """Return the text of a notebook with a badge under its title: what the data are that were opened."""
    from naturalistic.simulated import has_simulated_name

    if dataset is None or dataset == "simulated":  # a simulation without a data set's layout
        return page
    kind = "simulated" if has_simulated_name(dataset) else "measured"
    said = f"{dataset}: no brain was measured" if kind == "simulated" else f"Measured data: {dataset}"
    badge = f'<p class="data-badge {kind}">{html.escape(said)}</p>'
    notebook = json.loads(page)
    first = notebook["cells"][0]
    text = "".join(first["source"])
    first["source"] = re.sub(r"^(# .*)$", lambda title: f"{title[0]}\n\n{badge}", text, count=1, flags=re.MULTILINE)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def make_pages():
    """Build the pages with Jupyter Book; warnings are errors."""
    stamp = BUILD / "pages.key"
    read = [p for p in STAGE.rglob("*") if p.is_file()] + list((ROOT / "lib").rglob("*.py"))  # docstrings are pages too
    key = digest(read, digest([ROOT / "constraints.txt"]))
    index = HTML / "index.html"
    if stamp.is_file() and stamp.read_text() == key and index.is_file():
        print(f"pages: unchanged, {index.relative_to(ROOT)}")
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(HTML, ignore_errors=True)  # no page of an earlier book stays behind
    programs = Path(sys.executable).parent
    configure = [programs / "jupyter-book", "config", "sphinx", STAGE]
    # by Sphinx itself, which Jupyter Book runs on one core. All pages anew (-a, -E): an incremental build repeats no
    # warning of a page that did not change
    build = [programs / "sphinx-build", "-b", "html", "-j", cores(), "-d", BUILD / ".doctrees"]
    build += ["-a", "-E", "-W", "-n", "--keep-going", "-q", STAGE, HTML]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(STAGE / "book"), os.environ.get("PYTHONPATH", "")])}
    subprocess.run(list(map(str, configure)), check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(list(map(str, build)), env=environment)
    if done.returncode or not (HTML / f"{FIRST_PAGE}.html").is_file():
        sys.exit("the pages were not built: see the warnings above, each of which is an error")
    index.write_text(f'<meta http-equiv="Refresh" content="0; url={FIRST_PAGE}.html" />\n')
    stamp.write_text(key)
    print(f"pages: {index.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
