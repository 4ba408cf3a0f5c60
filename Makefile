# Two commands do everything on a bare clone with Python 3.11, 3.12 or 3.13 and pip: make book, make test.
# Both make .venv first, and again only when pyproject.toml or constraints.txt changed.

# the newest that runs: the name alone may be a shim of pyenv for a version that is not chosen, and venv may be missing
SUPPORTED := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c '$(SUPPORTED)' 2>/dev/null && echo $$name && break; done)
WHICH_PYTHON = Python 3.11, 3.12 or 3.13 with venv is needed, found $(or $(PYTHON),none): name one with make PYTHON=...
BIN := .venv/bin
# what is downloaded and what is slow to compute is kept beside what is built
export NATURALISTIC_CACHE ?= $(CURDIR)/_build/cache
# a thread that waits must sleep: spinning, two threads on a busy core are ten times slower than one
export OMP_WAIT_POLICY ?= PASSIVE
# two files of tests side by side, each with one thread: two processes of two threads each are slower than one
# in the order of tests/conftest.py, which starts with the longest
MARKS ?= not long
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder
test test-fast test-long test-all coverage: export OMP_NUM_THREADS := 1
# so what is made is made in its own process: two files of tests fill two cores, and joblib's would only be started
test test-fast test-long test-all coverage: export LOKY_MAX_CPU_COUNT := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# some images forbid it: then each process compiles the library again, and pytest all assertions of all tests
unexport PYTHONDONTWRITEBYTECODE

.PHONY: book lint test test-fast test-long test-all coverage bench rehearsal doctor pairs picture package clean

book: .venv/installed
	$(BIN)/python book/build.py $(BOOKFLAGS)

lint: .venv/installed
	$(BIN)/ruff check lib tests book
	$(BIN)/ruff format --check --quiet lib tests book
	$(BIN)/mypy

test: lint
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "$(MARKS)" $(TESTFLAGS)

# the two that would make it more than ten minutes: the music chapters in a row as on measured data, a run of full size
test-long: .venv/installed
	$(BIN)/pytest $(SIDE_BY_SIDE) -m long $(TESTFLAGS)

# both at once: beside a long test the others run, and no core waits for its end
test-all: MARKS :=
test-all: test

test-fast: .venv/installed
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not slow" $(TESTFLAGS)

# which lines of the library no test reaches; fails if they are more than a tenth
coverage: .venv/installed
	@mkdir -p _build/coverage
	$(BIN)/pytest $(SIDE_BY_SIDE) --cov --cov-report=term-missing:skip-covered --cov-fail-under=90 $(TESTFLAGS)

bench: .venv/installed
	for script in tests/benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

# one subject of each data set made at full size, and its chapters run on it: 38 GB of disk, hours; goes on when repeated
rehearsal: .venv/installed
	$(BIN)/python book/rehearsal.py $(REHEARSALFLAGS)

# what is installed and found, with the cache that make uses
doctor: .venv/installed
	$(BIN)/naturalistic doctor $(DOCTORFLAGS)

# the .md is the source; its .ipynb pair is made from it, without outputs
pairs: .venv/installed
	$(BIN)/jupytext --quiet --to ipynb --update notebooks/*.md

# README's picture, from the measured film of chapter 4
picture: .venv/installed
	$(BIN)/python book/picture.py

# wheel and sdist in _build/dist; README's example is run from the wheel in an empty environment
package: .venv/installed
	$(BIN)/python tests/check_package.py

.venv/installed: pyproject.toml constraints.txt
	@$(or $(PYTHON),false) -c '$(SUPPORTED)' || { echo >&2 '$(WHICH_PYTHON)'; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e ".[book,test]"
# half of pip's time is its compiling on one core, also of files that are of another Python on purpose
	$(BIN)/python -m compileall -qq -j 0 -x /tests/ .venv/lib || true
	touch $@

clean:
	rm -rf _build .venv
