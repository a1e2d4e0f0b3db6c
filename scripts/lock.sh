#!/bin/sh
# Writes uv.lock anew, without the addresses of the index it was made with: the lock then holds for
# every index and mirror, and `scripts/setup.sh` installs from it by name, version and hash.
set -eu
cd "$(dirname "$0")/.."
rm -f uv.lock
uv=${UV:-.venv/bin/uv}
"$uv" lock --quiet "$@"
sed -E -i.bak \
  -e 's#registry = "https?://[^"]*"#registry = "index"#' \
  -e 's#\{ url = "https?://[^"]*/([^"/]+)"#{ filename = "\1"#' uv.lock
rm uv.lock.bak
"$uv" export --quiet --frozen --no-emit-project --all-groups --all-extras -o /dev/null
