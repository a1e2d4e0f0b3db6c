#!/bin/sh
# Runs the tests with the newest versions that pyproject.toml allows, which users get today;
# `make test` uses the versions in requirements/dev.txt.
set -eu
cd "$(dirname "$0")/.."
environment=$PWD/.cache/latest
uv=.venv/bin/uv

"$uv" venv --quiet --clear --python "${PYTHON:-python3}" "$environment"
export VIRTUAL_ENV="$environment"
"$uv" pip install --quiet --group test --editable '.[testing,node,cli,sam]'
"$uv" pip list --quiet | grep -E '^(aws-cdk-lib|constructs|jsii|boto3|click|pytest) '
"$environment/bin/python" --version
FAILURE_DESTINATIONS_CACHE=$PWD/.cache \
  "$environment/bin/python" -m pytest -p no:cacheprovider -m "not soak" -n 2 --dist loadfile "$@"
