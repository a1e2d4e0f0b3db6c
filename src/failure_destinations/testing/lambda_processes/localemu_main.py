"""Starts localemu with Lambda functions as child processes; run by path, as a script.

Run it with the interpreter of the environment that has localemu and awslambdaric; nothing else
of this project needs to be, or may be, importable there::

    ENGINE/bin/python .../lambda_processes/localemu_main.py

Environment variables:
    GATEWAY_LISTEN: ``127.0.0.1:PORT``. Required. Nothing listens on any other address, and
        nothing but the Runtime APIs of running functions on another port.
    FILESYSTEM_ROOT: An existing directory for all files. Required. It is the caller's to delete
        once the program has ended.
    FAILURE_DESTINATIONS_NODE: The ``node`` that runs Node handlers. Default: the one on PATH.
    LAMBDA_RETRY_BASE_DELAY: Seconds before the first retry of an asynchronous invocation; twice
        as long before the second. Default: 1, where AWS waits 1 and 2 minutes.

Any other setting of localemu may be given as well, such as ``DEBUG=1`` or ``IAM_ENFORCEMENT=1``.

The program ends, and with it every handler, on SIGTERM or SIGINT, and when its parent ends,
however that happens: **the parent must give it a pipe as standard input and keep the other end
open**, neither writing to it nor passing it on to other children (``subprocess.Popen(...,
stdin=subprocess.PIPE)`` does all that). The end of that pipe is what tells of the parent's end.
Any other kind of standard input is ignored. On Linux the kernel kills the handlers together
with this program; elsewhere they exit as soon as they find their Runtime API gone.
"""

# localemu is installed where this runs, not where it is checked, and reads its settings when it
# is imported.
# mypy: disable-error-code="import-not-found"
# ruff: noqa: PLC0415

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import signal
import stat
import sys
import threading
import warnings
from pathlib import Path
from types import FrameType, SimpleNamespace

_SHUTDOWN_SECONDS = 1
"""How long localemu gets to end by itself."""

_LOOPBACK = "127.0.0.1"


def main() -> None:
    """Runs localemu until it is told to end."""
    _end_with_parent()
    _configure()
    _load_package("lambda_processes")
    _provide_warnings_deprecated()

    from localemu.logging.setup import setup_logging_from_config
    from localemu.runtime import current

    setup_logging_from_config()
    _listen_on_loopback_only()
    _keep_s3_objects_in_temporary_directory()
    importlib.import_module("lambda_processes.localemu_plugin").register()
    for patches in ("dead_letters", "queue_policies", "updates"):
        importlib.import_module(f"lambda_processes.localemu_{patches}").apply()
    runtime = current.initialize_runtime()

    def end(_signal: int, _frame: FrameType | None) -> None:
        # localemu may wait 10 seconds for its threads; there is no state to save.
        deadline = threading.Timer(_SHUTDOWN_SECONDS, os._exit, args=(0,))
        deadline.daemon = True
        deadline.start()
        runtime.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    runtime.run()
    # Threads that still wait for something would keep the interpreter from ending.
    os._exit(runtime.exit_code)


def _end_with_parent() -> None:
    """Ends the program when its standard input, if it is a pipe, ends."""
    mode = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _configure() -> None:
    if not os.environ.get("GATEWAY_LISTEN", "").startswith(f"{_LOOPBACK}:"):
        sys.exit(f"GATEWAY_LISTEN must be {_LOOPBACK}:PORT")
    directory = Path(os.environ.get("FILESYSTEM_ROOT", "")).resolve()
    if "FILESYSTEM_ROOT" not in os.environ or not directory.is_dir():
        sys.exit("FILESYSTEM_ROOT must be an existing directory")
    temporary_directory = directory / "tmp"
    temporary_directory.mkdir(exist_ok=True)
    os.environ.update(
        {
            "CONFIG_DIR": str(directory),
            "DNS_ADDRESS": "0",
            "FILESYSTEM_ROOT": str(directory),
            "LAMBDA_RUNTIME_EXECUTOR": "process",
            # In a container it would use directories of its own.
            "OVERRIDE_IN_DOCKER": "0",
            "TMPDIR": str(temporary_directory),
        }
    )
    for name, value in {
        "DISABLE_EVENTS": "1",
        "LAMBDA_RETRY_BASE_DELAY": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }.items():
        os.environ.setdefault(name, value)


def _load_package(name: str) -> None:
    """Makes the package this file is in importable under a name of its own.

    The directory above would make everything importable that is installed beside the package.
    """
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    spec = importlib.util.spec_from_file_location(
        name, here / "__init__.py", submodule_search_locations=[str(here)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load the package in {here}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)


def _provide_warnings_deprecated() -> None:
    """Adds what localemu's S3 imports on every version of Python and only 3.13 has."""
    if sys.version_info < (3, 13):
        from typing_extensions import deprecated

        vars(warnings)["deprecated"] = deprecated


def _listen_on_loopback_only() -> None:
    """Makes localemu bind its port on 127.0.0.1, where it ignores the host it is told."""
    from localemu.runtime.server import twisted
    from twisted.internet import endpoints

    twisted.endpoints = SimpleNamespace(
        TCP4ServerEndpoint=functools.partial(endpoints.TCP4ServerEndpoint, interface=_LOOPBACK)
    )


def _keep_s3_objects_in_temporary_directory() -> None:
    """Moves the fixed directory ``/tmp/localemu-s3-storage`` that all localemus share."""
    from localemu.services.s3 import provider

    provider.DEFAULT_S3_TMP_DIR = str(Path(os.environ["TMPDIR"]) / "s3")


if __name__ == "__main__":
    main()
