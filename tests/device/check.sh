#!/usr/bin/env bash
# Everything that needs a GPU, on a machine that has one for minutes: build, tests on the device, benchmarks.
#
#     tests/device/check.sh                        # a GPU; writes book/benchmarks/device.json, which the book shows
#     tests/device/check.sh --device cpu --quick --out /tmp/device.json    # tries the way where there is none
#
# The environment is .venv, or that of PYTHON=...; without either .venv is made. Eight minutes at most.
set -euo pipefail
cd "$(dirname "$0")/../.."
DEVICE=cuda
QUICK=()
OUT=book/benchmarks/device.json
SECONDS_OF_TESTS="${SECONDS_OF_TESTS:-210}"
SECONDS_OF_BENCHMARKS="${SECONDS_OF_BENCHMARKS:-210}"
while [ $# -gt 0 ]; do
    case "$1" in
        --device) DEVICE="$2"; shift 2 ;;
        --quick) QUICK=(--quick); shift ;;
        --out) OUT="$2"; shift 2 ;;
        *) echo "unknown option $1; there are --device, --quick, --out" >&2; exit 2 ;;
    esac
done
if [ -z "${PYTHON:-}" ] && [ ! -x .venv/bin/python ]; then
    make .venv/installed
fi
PYTHON="${PYTHON:-.venv/bin/python}"
export PYTHONPATH="$PWD/lib${PYTHONPATH:+:$PYTHONPATH}" NATURALISTIC_TEST_DEVICE="$DEVICE"
if [ "$DEVICE" != cpu ]; then
    "$PYTHON" -c "import sys, torch; sys.exit(not torch.cuda.is_available() and f'torch {torch.__version__} sees no GPU')"
fi
REPORT="$(mktemp -d)/device.xml"
status=0
# tests and benchmarks both, whatever the other finds: the device is there once
timeout "$SECONDS_OF_TESTS" "$PYTHON" -m pytest -m gpu --junit-xml "$REPORT" tests/models tests/features tests/generation ||
    status=$?
timeout "$SECONDS_OF_BENCHMARKS" "$PYTHON" tests/device/bench_device.py \
    --device "$DEVICE" ${QUICK[@]+"${QUICK[@]}"} --tests "$REPORT" --out "$OUT" || status=$?
exit "$status"
