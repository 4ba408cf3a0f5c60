"""The command ``naturalistic``: check and encode a folder; fetch, simulate, train; run a chapter; doctor.

Exit status: 0 done, 1 it failed on the way, 2 what was asked for is not possible, 130 stopped with Ctrl-C.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from naturalistic.cache import RequestError, cache_dir, check_writable
from naturalistic.datasets.openneuro import PARTS, manifest, subjects_of


class Parser(argparse.ArgumentParser):
    """Parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and where help is, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : list of str, optional
        Those of the process unless given.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["make"]:  # its name in the first edition
        now = shlex.join(["naturalistic", "simulate", *arguments[1:]])
        print(f"naturalistic: make is called simulate now: {now}", file=sys.stderr)
        return 2
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.run(parsed) or 0
    except KeyboardInterrupt:
        again = shlex.join(["naturalistic", *arguments])
        print(f"\nnaturalistic: stopped; {parsed.kept}. To go on: {again}", file=sys.stderr)
        return 130
    except (RequestError, FileExistsError) as error:
        print(f"naturalistic: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # DownloadError among them
        print(f"naturalistic: {error}", file=sys.stderr)
        return 1


def run_fetch(parsed: argparse.Namespace) -> None:
    """Fetch a data set and print its folder."""
    from naturalistic.datasets.fetch import fetch, plan_of  # slow to import, as is what other commands need

    choices = ("subjects", "runs", "parts", "subset", "keep")
    selection = {key: getattr(parsed, key) for key in choices if hasattr(parsed, key)}
    if "subjects" in selection:
        selection["subjects"] = _subjects(parsed.name, parsed.subjects)
    options = {"base_url": parsed.base_url, "n_connections": parsed.connections, "dry_run": parsed.dry_run}
    folder = fetch(parsed.name, parsed.to or cache_dir() / parsed.name, **options, **selection)
    if not parsed.dry_run:
        files = plan_of(parsed.name, **selection).files
        print(f"{parsed.name}: all that was asked for ({len(files)} file{'s'[: len(files) != 1]}) is in {folder}")


def run_simulate(parsed: argparse.Namespace) -> None:
    """Simulate a data set and print its folder."""
    simulation = _simulation()
    options = {key: value for key in parsed.options if (value := getattr(parsed, key)) is not None}
    if not Path(parsed.to).exists():  # one that is there may be whole, and on a disk that can only be read
        check_writable(parsed.to)
    try:
        folder = getattr(simulation, f"simulate_{parsed.kind}")(parsed.to, **options)
    except ValueError as error:
        raise RequestError(str(error)) from error
    print(f"simulated, not measured: {folder or parsed.to}")


def run_chapters(parsed: argparse.Namespace) -> None:
    """Run a chapter, with a cluster one subject a job, and print the notebooks."""
    from naturalistic.chapters import read_parameters, run_subjects

    parameters = read_parameters(parsed.parameter)
    if parsed.dataset is not None:
        parameters["dataset"] = parsed.dataset
    subjects = parsed.subjects or []
    if subjects == ["all"]:
        subjects = _all_subjects(parsed.dataset)
    for path in run_subjects(parsed.name, parameters, subjects=subjects, cluster=parsed.cluster, to=parsed.to):
        print(path)


def _all_subjects(dataset: str | None) -> list[str]:
    """Return the labels of the folders ``sub-...`` of a data set."""
    folder = Path(dataset or "simulated").expanduser()
    labels = sorted(path.name[4:] for path in folder.glob("sub-*") if path.is_dir())
    if not labels:
        raise RequestError(f"--subjects all: {folder} has no folders sub-...; name the subjects")
    return labels


def _simulation(module: str = "") -> Any:
    """Return the package that simulates, or a module of it."""
    from naturalistic.simulated import simulation

    try:
        return simulation(module, "this command")
    except ModuleNotFoundError as error:
        raise RequestError(str(error)) from error


def run_train(parsed: argparse.Namespace) -> None:
    """Train a small model of simulated music or films, and print its card."""
    if parsed.name == "corpus-vectors":
        return _train_corpus_vectors(parsed)
    of_films = parsed.name in ("film-text", "film-classifier", "storyboards")
    train = _simulation("training.films" if of_films else "training.cards").train
    size = {key: value for key in ("n_pieces", "epochs") if (value := getattr(parsed, key)) is not None}
    try:
        card = train(parsed.name, parsed.to, parsed.seed, **size)
    except ValueError as error:
        raise RequestError(str(error)) from error
    print(json.dumps(card, indent=1))


def _train_corpus_vectors(parsed: argparse.Namespace) -> None:
    """Compute the vectors of the simulated corpus again, in a corpus that is kept in the cache."""
    module = _simulation("corpus_vectors")
    path = Path(parsed.to).expanduser()
    check_writable(path.parent)
    n_tracks = parsed.n_pieces or 2000
    try:
        module.write_vectors(path, cache_dir() / "training" / f"corpus-{parsed.seed}-{n_tracks}", parsed.seed, n_tracks)
    except ValueError as error:
        raise RequestError(str(error)) from error
    print(f"vectors of {n_tracks:,} tracks: {path}")


def run_doctor(parsed: argparse.Namespace) -> int:
    """Report what is installed; return 1 if the default book cannot be built."""
    from naturalistic.doctor import examine, report

    absent = [folder for folder in parsed.data if not Path(folder).expanduser().is_dir()]
    if absent:
        raise RequestError(f"{', '.join(absent)}: no such folder; expected --data with folders that hold data sets")
    findings = examine(parsed.data, parsed.gpu)
    print(json.dumps(findings, indent=1) if parsed.json else report(findings))
    return 1 if findings["problems"] else 0


def run_check(parsed: argparse.Namespace) -> int:
    """List what would stop an encoding model of a folder; return 1 if anything would."""
    from naturalistic.datasets.check import check_folder

    request = _request(parsed)
    findings = check_folder(parsed.folder, **request)
    if parsed.json:
        print(json.dumps(vars(findings), indent=1))
    else:
        print(findings.report())
    return 1 if findings.problems else 0


def run_encode(parsed: argparse.Namespace) -> None:
    """Encode the subjects of a folder and print where the report is."""
    from naturalistic.reporting.experiment import encode_folder

    names = ("model", "layer", "n_words", "test", "main", "region", "n_permutations", "seed", "device")
    options = {name: getattr(parsed, name) for name in names}
    request = _request(parsed)
    if parsed.confounds is None:
        del request["confounds"]
    try:
        folder = encode_folder(parsed.folder, parsed.to, **request, **options)
    except (ValueError, ImportError) as error:
        raise RequestError(str(error)) from error
    print(f"report: {folder / 'report.html'}")


def _request(parsed: argparse.Namespace) -> dict[str, Any]:
    """Return what names the data and the stimulus."""
    from naturalistic.datasets.experiments import stimuli_by_run

    try:
        request = {what: stimuli_by_run(getattr(parsed, what)) for what in ("stimulus", "audio")}
    except ValueError as error:
        raise RequestError(str(error)) from error
    task = parsed.task[0] if parsed.task and len(parsed.task) == 1 else parsed.task
    confounds = parsed.confounds if parsed.confounds != ["none"] else None
    names = ("subjects", "sessions", "space", "derivatives", "tr", "offset", "columns", "text")
    return {**request, "task": task, "confounds": confounds, **{name: getattr(parsed, name) for name in names}}


def _subjects(name: str, labels: list[str] | None) -> list[str] | None:
    """Return the requested labels, None for all, which has to be named where they are large."""
    if labels == ["all"] or (not labels and name in IN_CACHE):
        return None
    if not labels:
        known = subjects_of(manifest(name))
        raise RequestError(f"say which subjects of {name}: --subject with some of {', '.join(known)}, or all")
    return labels


def _openneuro_options(parser: argparse.ArgumentParser, name: str) -> None:
    example = {"ds003720": "Training_run-01", "ds005531": "crown_run-01", "ds005165": "train_run-1"}[name]
    parser.add_argument(
        "--subject", "--subjects", nargs="+", dest="subjects", metavar="S", help="1 2 ..., or all (needed)"
    )
    parser.add_argument("--runs", nargs="+", metavar="RUN", help=f"only these, such as {example}; default: all")
    parser.add_argument("--parts", nargs="+", metavar="PART", help=f"default: {' '.join(PARTS[name])}")


def _gtzan_options(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--keep", action="store_true", help="keep the archive after it was unpacked")


def _fma_options(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("--subset", required=True, choices=("small", "large"), help="8,000 tracks, or 106,574")
    parser.add_argument("--keep", action="store_true", help="keep the archives after they were unpacked")


def _studyforrest_options(parser: argparse.ArgumentParser, name: str) -> None:
    help_subject = "1 2 ..., or all (default)"
    parser.add_argument("--subject", "--subjects", nargs="+", dest="subjects", metavar="S", help=help_subject)
    parser.add_argument("--parts", nargs="+", metavar="PART", help="default: bold annotations atlas")


# name -> what it is, what can be chosen, an example
FETCHABLE = {
    "ds003720": (
        "music in five brains (OpenNeuro, 46.5 GB; 9.3 GB a subject)", _openneuro_options,
        "--subject 1 2 --to data/ds003720 --dry-run",
    ),
    "ds005531": (
        "films in six brains (OpenNeuro, 282 GB; 23 GB a subject as preprocessed)", _openneuro_options,
        "--subject 1 --to data/ds005531 --dry-run",
    ),
    "ds005165": (
        "short films in ten brains (OpenNeuro, BOLD Moments: responses by region 0.5 GB a subject, betas 2.9 GB)",
        _openneuro_options, "--subject 1 --parts rois annotations --to data/ds005165 --dry-run",
    ),
    "gtzan": (
        "the sound of the music (GTZAN, 1.2 GB, unpacked to genres/; the loader looks for it in ds003720 or beside it)",
        _gtzan_options, "--to data/ds003720",
    ),
    "fma": (
        "music to retrieve from (Free Music Archive, 30-s excerpts: small 7.7 GB, large 100 GB; twice that to unpack)",
        _fma_options, "--subset small --to data/fma",
    ),
    "studyforrest": (
        "a film in 15 brains (studyforrest.org: parcel time series 202 MB, annotations 19 MB)", _studyforrest_options,
        "--subject 1 2 --to data/studyforrest",
    ),
}  # fmt: skip
IN_CACHE = ("studyforrest",)  # small enough to be fetched to the cache
# name -> what it is, options (whole numbers, but for those of SWITCHES)
SWITCHES = ("render-all",)
SIMULATED = {
    "music": ("the music experiment in simulated brains, in the layout of ds003720",
              {"seed": "of all that is drawn at random", "subjects": "how many"}),
    "corpus": ("2,000 pieces of simulated music to retrieve from, in the layout of the Free Music Archive",
               {"seed": "another seed, other pieces",
                "render-all": "render all tracks now, not when they are first heard"}),
    "movie": ("the movie experiment in simulated brains, in the layout of ds005531",
              {"seed": "of all that is drawn at random", "subjects": "how many"}),
    "film": ("a film of two hours in 15 simulated brains, in the layout of studyforrest",
             {"seed": "of all that is drawn at random", "subjects": "how many"}),
    "lab": ("a story in three simulated brains, in the layout that fMRIPrep leaves",
            {"seed": "of all that is drawn at random"}),
    "story": ("a story in 27 simulated brains, in the layout of the Alice data",
              {"seed": "of all that is drawn at random"}),
    "clips": ("short films in five simulated brains, in the layout of BOLD Moments",
              {"seed": "of all that is drawn at random", "subjects": "how many"}),
}  # fmt: skip


# name -> what it is
TRAINABLE = {
    "mini-mulan": "the joint model of simulated music and its captions",
    "mini-ssl": "the model of simulated music that reads no captions",
    "mini-generator": "the generator of simulated music from vectors of mini-mulan",
    "film-text": "the joint model of simulated films and sentences",
    "film-classifier": "the classifier of things and places in simulated films",
    "storyboards": "the generator of simulated films from decoded targets",
    "corpus-vectors": "no model, but the vectors of the simulated corpus by mini-mulan, which its index is built from",
}


def _parser() -> Parser:
    example = (
        f"example:\n  naturalistic fetch ds003720 {FETCHABLE['ds003720'][2]}\n  naturalistic simulate music --to DIR"
    )
    parser = _new(Parser, prog="naturalistic", description="Data for the book on music, films and the brain.",
                  epilog=example)  # fmt: skip
    parser.add_argument("--version", action="version", version=f"naturalistic {version('naturalistic')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    what = "say what would stop an encoding model of a folder, before hours of work"
    _add_check(_new(commands.add_parser, "check", help=what, description=(
        "List all that would stop an encoding model of a folder: files that are missing or cut short, runs of other "
        "lengths, grids or repetition times, confounds with n/a, stimuli of other runs. Nothing is changed. Exit "
        "status 1 if there is a problem."), epilog=(
        "example:\n  naturalistic check data/lab --task story --stimulus words.TextGrid")))  # fmt: skip
    what = "fit encoding models to a folder: report, scores, maps"
    _add_encode(_new(commands.add_parser, "encode", help=what, description=(
        "Fit encoding models of a stimulus to each subject of a folder in BIDS with fMRIPrep's output (or of "
        "ds003020): split, control, null, ceiling, clock; write a report, a table of scores, and maps."), epilog=(
        "example:\n  naturalistic encode data/lab --task story --stimulus words.TextGrid --model minilm --to results"
    )))  # fmt: skip
    _add_fetch(
        _new(
            commands.add_parser,
            "fetch",
            help="fetch a published data set",
            description=(
                "Fetch a published data set. Safe to stop and to repeat: what is there and whole is not fetched again."
            ),
        )
    )
    _add_simulate(_new(commands.add_parser, "simulate", help="simulate small data in the layout of a data set",
                       description="Simulate small data in the layout of a data set, from a seed: no network, and no "
                       "brain."))  # fmt: skip
    _add_run(_new(commands.add_parser, "run", help="run a chapter, one subject a job on a cluster",
                  description="Run a chapter by papermill. With --cluster and more than one subject, each subject is a "
                  "job of its own, and the run of all of them follows and finds what the jobs have fitted.",
                  epilog="example:\n  naturalistic run language-encoding --dataset data/ds005531 --subjects all "
                  "--cluster slurm.yaml --to runs"))  # fmt: skip
    _add_train(_new(commands.add_parser, "train", help="train a small model of the simulation again", description=(
        "Train a small model of simulated music or films again; stopped, it goes on at the last epoch. Its weights "
        "come with the package: this is how they were made.")))  # fmt: skip
    _add_doctor(_new(commands.add_parser, "doctor", help="say what is installed and found, and what is missing",
                     description="Say what is installed, what the machine has, which data sets are found, what is "
                     "missing and how to get it. Exit status 0 if the default book can be built, 1 if not.",
                     epilog="example:\n  naturalistic doctor --data data"))  # fmt: skip
    return parser


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", nargs="+", default=[], metavar="DIR", help="folders to look for data sets in")
    parser.add_argument("--gpu", action="store_true", help="ask torch for the GPU, which takes some seconds")
    parser.add_argument("--json", action="store_true", help="print all that was found, for programs")
    parser.set_defaults(run=run_doctor, kept="nothing was changed")


def _add_data(parser: argparse.ArgumentParser) -> None:
    """Add the options that name data and stimulus."""
    parser.add_argument("folder", metavar="FOLDER", help="root of the data set, or fMRIPrep's output itself")
    parser.add_argument("--task", nargs="+", metavar="NAME", help="of the runs; needed if there are several")
    parser.add_argument("--subjects", nargs="+", metavar="S", help="labels without sub- (default: all)")
    parser.add_argument("--sessions", nargs="+", metavar="S", help="labels without ses- (default: all)")
    parser.add_argument(
        "--space", metavar="NAME", help="mni, fsaverage5, fsaverage6, fsLR, native, raw, or a whole name"
    )
    parser.add_argument("--derivatives", metavar="DIR", help="fMRIPrep's output (default: derivatives/fmriprep)")
    parser.add_argument("--tr", type=float, metavar="S", help="repetition time, where no file has it")
    what = (
        "words with times, as FILE, as RUN=FILE for some runs each, or a folder of files named by run; or the word "
        "events: each run's own events.tsv"
    )
    parser.add_argument("--stimulus", nargs="+", metavar="FILE", help=what)
    parser.add_argument("--audio", nargs="+", metavar="FILE", help="sound files likewise")
    parser.add_argument("--offset", type=float, default=0.0, metavar="S", help="s of the scan at which it begins")
    what = "of events, as features (default: all that can be, none if there is one of words)"
    parser.add_argument("--columns", nargs="+", metavar="NAME", help=what)
    parser.add_argument(
        "--text", metavar="NAME", help="column of events that holds words (default: word, sentence ...)"
    )
    what = "taken out: motion wm_csf global_signal compcor scrub, or none (default: motion wm_csf where they are)"
    parser.add_argument("--confounds", nargs="+", metavar="NAME", help=what)


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument("--json", action="store_true", help="print what was found, for programs")
    parser.set_defaults(run=run_check, kept="nothing was changed")


def _add_encode(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument("--to", required=True, metavar="DIR", help="folder to write, whole or not at all")
    what = "language model: minilm, any id on the hub, a folder, glove, static:MODEL (default: minilm)"
    parser.add_argument("--model", default="minilm", metavar="NAME", help=what)
    parser.add_argument("--layer", type=int, metavar="N", help="of it (default: the middle one)")
    parser.add_argument("--words", type=int, dest="n_words", default=32, metavar="N", help="of context (default: 32)")
    parser.add_argument("--test", nargs="+", metavar="RUN", help="runs to test on (default: the repeated, or the last)")
    what = "feature space of interest (default: words in context, else the last one)"
    parser.add_argument("--main", metavar="NAME", help=what)
    parser.add_argument("--region", choices=("cortex", "brain"), default="cortex", help="voxels (default: cortex)")
    what = "shifts of the null (default: 1000)"
    parser.add_argument("--permutations", type=int, dest="n_permutations", default=1000, metavar="N", help=what)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn at random (default: 0)")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda")
    parser.set_defaults(run=run_encode, kept="prepared runs and features are kept in the cache")


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    data_sets = parser.add_subparsers(required=True, metavar="DATASET")
    for name, (description, add_options, example) in FETCHABLE.items():
        one = _new(data_sets.add_parser, name, help=description, description=description,
                   epilog=f"example:\n  naturalistic fetch {name} {example}")  # fmt: skip
        in_cache = name in IN_CACHE
        where = "folder to fetch to; made if it is not there" + "; default: the cache, where load() looks" * in_cache
        one.add_argument("--to", required=not in_cache, metavar="DIR", help=where)
        add_options(one, name)
        one.add_argument("--dry-run", action="store_true", help="say what would be fetched, and fetch nothing")
        one.add_argument("--connections", type=int, default=2, metavar="N", help="files side by side (default: 2)")
        one.add_argument("--base-url", help=argparse.SUPPRESS)  # another copy of the same files
        one.set_defaults(run=run_fetch, name=name, kept="what has arrived is kept")


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    data_parsers = parser.add_subparsers(required=True, metavar="KIND")
    for name, (description, options) in SIMULATED.items():
        one = _new(data_parsers.add_parser, name, help=description, description=description,
                   epilog=f"example:\n  naturalistic simulate {name} --to data/{name} --seed 1")  # fmt: skip
        one.add_argument("--to", required=True, metavar="DIR", help="folder to make")
        for option, meaning in options.items():
            kind = {"action": "store_true", "default": None} if option in SWITCHES else {"type": int, "metavar": "N"}
            one.add_argument(f"--{option}", help=meaning, **kind)
        names = tuple(option.replace("-", "_") for option in options)
        one.set_defaults(run=run_simulate, kind=name, options=names, kept="nothing half written is left")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="CHAPTER", help="such as language-encoding, or its number")
    parser.add_argument("--dataset", metavar="DIR", help="folder of a data set; default: the chapter's own")
    parser.add_argument("--subject", "--subjects", nargs="+", dest="subjects", metavar="S", help="labels, or all")
    parser.add_argument(
        "--cluster", default="local", metavar="WHERE",
        help="local (default), dask, the address of a scheduler, or a YAML file of dask-jobqueue",
    )  # fmt: skip
    parser.add_argument("--to", default="runs", metavar="DIR", help="folder of the notebooks (default: runs)")
    parser.add_argument(
        "-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
        help="another parameter, its value read as YAML",
    )  # fmt: skip
    parser.set_defaults(run=run_chapters, kept="subjects that are done are kept")


def _add_train(parser: argparse.ArgumentParser) -> None:
    models = parser.add_subparsers(required=True, metavar="MODEL")
    for name, description in TRAINABLE.items():
        one = _new(models.add_parser, name, help=description, description=description,
                   epilog=f"example:\n  naturalistic train {name} --to models/{name}.safetensors")  # fmt: skip
        is_model = name != "corpus-vectors"
        what = "weights; the card is written beside them" if is_model else "of the vectors (safetensors)"
        one.add_argument("--to", required=True, metavar="FILE", help=what)
        one.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn at random (default: 0)")
        what = "pieces of music or films to train on" if is_model else "tracks of the corpus (default: 2000)"
        one.add_argument("--pieces", type=int, dest="n_pieces", metavar="N", help=what)
        if is_model:
            one.add_argument("--epochs", type=int, metavar="N", help="passes over them")
        one.set_defaults(run=run_train, name=name, kept="the last epoch is kept")


def _new(make: Callable, *args: Any, **kwargs: Any) -> Any:
    """Make a parser whose examples keep their lines, and which takes options by their full names only."""
    return make(*args, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **kwargs)
