#!/bin/sh
# Make .venv from requirements.lock with nothing but Python itself. Said plainly where that cannot work.
# usage: set_up.sh PYTHON
set -eu
python=$1
stop() {
    echo "livermet set-up: $1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 || stop "there is no '$python'. Install Python 3.11 or newer, or name one: make PYTHON=python3.12 demo"
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
    stop "$("$python" --version 2>&1) is not supported (3.11 to 3.13 are). Name another: make PYTHON=python3.12 demo"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    stop "this Python has no venv module. On Debian or Ubuntu: apt-get install python3-venv"

echo "livermet set-up: installing requirements.lock into .venv (a minute or two, once)"
[ -x .venv/bin/python ] || "$python" -m venv .venv || stop "could not make .venv here. Is the folder writable, is there space?"
# The lock is whole, so nothing is resolved; pip byte-compiles, which every job of a run then profits from.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock ||
    stop "the packages could not be installed. Set-up (and it alone) needs the package index: is there a network?"
.venv/bin/python -m pip check --disable-pip-version-check >/dev/null || stop "the environment is not consistent: remove .venv and try again"
# Numba compiles edgepython's and UMAP's kernels on first use and keeps them: done here, no run pays for it.
.venv/bin/python tools/warm_caches.py || stop "the environment does not work: remove .venv and try again"
# Every job of a run is a fresh process that imports the package: compiled once, here.
.venv/bin/python -m compileall -q workflow/scripts/livermet
touch .venv/.set-up
