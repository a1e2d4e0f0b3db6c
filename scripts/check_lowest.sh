#!/bin/sh
# Runs the tests with the lowest versions that pyproject.toml allows, on the oldest supported Python.
set -eu
cd "$(dirname "$0")/.."
environment=$PWD/.cache/lowest
uv=.venv/bin/uv
pyenv=${PYENV_ROOT:-$HOME/.pyenv}
for bin in "$pyenv"/versions/3.10*/bin; do PATH=$PATH:$bin; done
python=$("$uv" python find --no-project --system --no-python-downloads 3.10 2>/dev/null) || python=python3

"$uv" venv --quiet --clear --python "$python" "$environment"
export VIRTUAL_ENV="$environment"
# Hundreds of programs that tests start import the same modules: compiled once, they start faster.
unset PYTHONDONTWRITEBYTECODE
"$uv" pip install --quiet --resolution lowest-direct --group test --editable '.[testing,node,cli,sam,ui]'
"$uv" pip list --quiet | grep -E '^(aws-cdk-lib|constructs|jsii|boto3|click|nicegui|rich|pytest|hypothesis|sybil) '
"$environment/bin/python" --version
FAILURE_DESTINATIONS_CACHE=$PWD/.cache \
  "$environment/bin/python" -m pytest -p no:cacheprovider -m "not soak" -n 3 --dist loadfile "$@"
