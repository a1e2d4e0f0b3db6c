#!/bin/sh
# Writes requirements/*.txt: every package with its version and hashes, without the address of an
# index, so that uv and pip install the same from any index or mirror.
#
# sh scripts/lock.sh            add and remove what pyproject.toml says, and keep all other versions
# sh scripts/lock.sh --upgrade  take the newest versions that pyproject.toml allows
# sh scripts/lock.sh --check    fail if the files are not current; change nothing, upgrade nothing
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

# compile TARGET SOURCE [OPTION…]: uv prefers the versions and hashes that TARGET already has.
compile() {
  target=$1
  shift
  "$uv" pip compile --quiet --universal --python-version 3.10 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
    --output-file "$target" "$@" > /dev/null
}

# compile_all FOLDER [OPTION…]
compile_all() {
  folder=$1
  shift
  compile "$folder/dev.txt" pyproject.toml --all-extras --group dev --group docs --group release "$@" &&
    compile "$folder/publish.txt" requirements/publish.in "$@" &&
    compile "$folder/uv.txt" requirements/uv.in --constraint "$folder/dev.txt" --no-annotate "$@"
}

# recompile FOLDER [OPTION…]: compile copies of the committed files.
recompile() {
  cp requirements/*.txt "$1"
  compile_all "$@" 2> "$1/errors"
}

is_current() {
  for file in requirements/*.txt; do cmp -s "$file" "$1/$(basename "$file")" || return 1; done
}

if [ "${1-}" != --check ]; then
  compile_all requirements "$@"
  exit
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# uv's cache usually knows everything; if not, ask the index.
if recompile "$folder" --offline && is_current "$folder"; then exit; fi
if recompile "$folder"; then
  is_current "$folder" && exit
  for file in requirements/*.txt; do diff -u "$file" "$folder/$(basename "$file")" >&2 || true; done
  echo 'requirements: not current: make lock' >&2
  exit 1
fi
cat "$folder/errors" >&2
if grep -qE 'Failed to fetch|Could not connect|error sending request' "$folder/errors"; then
  echo 'requirements: cannot reach the package index, so whether they are current is not checked' >&2
  exit
fi
exit 1
