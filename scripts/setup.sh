#!/bin/sh
# Makes .venv and node_modules from requirements/*.txt and package-lock.json. `make` calls it.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

say() { printf '%s\n' "setup: $*" >&2; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
  say "$("$python" --version) is too old; name a Python from 3.10 on: make PYTHON=python3.12 …"
  exit 1
}
started=$(date +%s)
say "$("$python" --version), packages into .venv (about a minute on a new machine)"
"$python" -m venv --clear .venv || {
  say "cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"
  exit 1
}
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
  --require-hashes --requirement requirements/uv.txt
export VIRTUAL_ENV="$PWD/.venv"
.venv/bin/uv pip install --quiet --require-hashes --requirement requirements/dev.txt
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .

say "the CDK CLI, esbuild, Graphviz and publib into node_modules"
PATH="$PWD/.venv/bin:$PATH" npm ci --silent --no-audit --no-fund
command -v chromium > /dev/null && command -v chromedriver > /dev/null ||
  say "no Chromium: the tests of the operator's page are skipped; on Debian: sh scripts/install_browser.sh"
touch .venv/ready
say "ready after $(($(date +%s) - started)) s"
