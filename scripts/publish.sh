#!/bin/sh
# Uploads what is in a folder to the package index, with publib: sh scripts/publish.sh dist/python
#
# publib runs `pip install --user --upgrade` for twine and for what signs attestations. This script
# installs them first, by hash, and forbids publib's pip to ask an index: the job that may publish
# downloads nothing that is not pinned. PUBLISH_ENVIRONMENT is the folder of their environment.
set -eu
folder=$1
here=$(cd "$(dirname "$0")/.." && pwd)
environment=${PUBLISH_ENVIRONMENT:-$here/.cache/publish}

export PYTHONUSERBASE="$environment/user"
if [ ! -e "$environment/ready" ]; then
  # `pip install --user` refuses an environment that does not see the system's packages. Only wheels:
  # what builds an sdist is not pinned.
  "${PYTHON:-python3}" -m venv --clear --system-site-packages "$environment"
  "$environment/bin/python3" -m pip install --quiet --disable-pip-version-check \
    --ignore-installed --no-deps --no-compile --no-warn-conflicts \
    --only-binary :all: --require-hashes --requirement "$here/requirements/publish.txt"
  touch "$environment/ready"
fi

unset PIP_FIND_LINKS
export PATH="$environment/bin:$PATH"
export PIP_NO_INDEX=1 PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1
"$here/node_modules/.bin/publib-pypi" "$folder"
