"""The program that starts an engine, run by path with the interpreter of its environment.

::

    ENGINE/bin/python -I .../engines/launch.py NAME

That environment does not contain this project, and must not see the packages installed beside it.
So the package `failure_destinations` is loaded from its directory without adding that to the path.
The modules that an engine imports need only the standard library and the engine.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

_PACKAGE = "failure_destinations"


def main() -> None:
    """Run `main` of the engine that the first argument names."""
    (name,) = sys.argv[1:]
    directory = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, directory / "__init__.py", submodule_search_locations=[str(directory)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load the package in {directory}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = package
    spec.loader.exec_module(package)
    importlib.import_module(f"{_PACKAGE}.testing.engines.{name}.main").main()


if __name__ == "__main__":
    main()
