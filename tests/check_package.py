"""Build wheel and sdist, install the wheel into an empty environment and run README's example from it.

``make package`` calls it; it needs the package registry. What the wheel must hold is said here too, since nothing else
looks at files that only a wheel can lack.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# files that no import would miss at once
IN_WHEEL = (
    "naturalistic/py.typed",
    "naturalistic/encoding/__init__.pyi",
    "naturalistic/datasets/alice_sha256.txt",
    "naturalistic/datasets/ds003720.txt",
    "naturalistic/datasets/studyforrest_manifest.tsv",
    "naturalistic/plotting/interactive.html",
    "naturalistic/reporting/published.json",
    "naturalistic_simulation/corpus_vectors.safetensors",
    "naturalistic_simulation/models/weights/film-text.safetensors",
    "naturalistic_simulation/models/weights/mini-mulan.safetensors",
    "naturalistic_simulation/movie/dramas/station.json",
)
IN_SDIST = ("pyproject.toml", "README.md", "LICENSE", "notebooks/01-first-model.md", "tests/conftest.py")


def readme_example() -> str:
    """Return the code of README's example."""
    return re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]


def build(target: Path) -> tuple[Path, Path]:
    """Build both into a folder and return their paths."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(target), str(ROOT)], check=True)
    (wheel,) = target.glob("*.whl")
    (sdist,) = target.glob("*.tar.gz")
    return wheel, sdist


def check_contents(wheel: Path, sdist: Path) -> None:
    """Stop if a file is missing, or something that nobody asked for came along."""
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    in_sdist = {name.partition("/")[2] for name in tarfile.open(sdist).getnames()}
    missing = sorted({*IN_WHEEL} - in_wheel) + sorted({*IN_SDIST} - in_sdist)
    if missing:
        sys.exit(f"not in {wheel.name} or {sdist.name}: {', '.join(missing)}")
    tops = {name.split("/")[0] for name in in_wheel}
    other = sorted(top for top in tops if not top.startswith("naturalistic"))
    if other:
        sys.exit(f"{wheel.name} holds {', '.join(other)} besides the packages")


def run_example(wheel: Path) -> str:
    """Install a wheel, and nothing else, into an empty environment and return what README's example prints."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        venv.create(environment, with_pip=True)
        python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        constraints = str(ROOT / "constraints.txt")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-c", constraints, str(wheel)], check=True)
        # in an empty folder, so that nothing of the checkout is found
        command = [python, "-c", readme_example()]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"README's example failed:\n{done.stderr}")
        return done.stdout


def main() -> None:
    """Build, look, install, run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=ROOT / "_build" / "dist", help="folder of both files")
    wheel, sdist = build(parser.parse_args().to)
    check_contents(wheel, sdist)
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, {sdist.name}: {sdist.stat().st_size / 1e6:.1f} MB")
    print(f"README's example: {run_example(wheel)}", end="")


if __name__ == "__main__":
    main()
