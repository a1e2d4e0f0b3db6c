"""The program that runs localemu for programs on this machine, with Lambda functions as processes.

`launch.py` runs it with the interpreter of the environment that has localemu and awslambdaric.

Environment variables:
    GATEWAY_LISTEN: ``127.0.0.1:PORT``. Required. The program listens on no other address, and
        on other ports only for the Runtime APIs of running functions.
    FILESYSTEM_ROOT: An existing directory for all files. Required. The caller deletes it after
        the program has ended.
    FAILURE_DESTINATIONS_NODE: The ``node`` that runs Node handlers. Default: the one on PATH.
    LAMBDA_RETRY_BASE_DELAY: Seconds before the first retry of an asynchronous invocation; the
        second retry waits twice as long. Default: 1, where AWS waits 1 and 2 minutes.

Any other localemu setting may be set as well, such as ``DEBUG=1`` or ``IAM_ENFORCEMENT=1``.

The program and every handler end on SIGTERM or SIGINT, and when the parent process ends, however
that happens: **the parent must give it a pipe as standard input and keep the other end open**,
neither writing to it nor passing it on to other children (``subprocess.Popen(...,
stdin=subprocess.PIPE)`` does all that). The program ends when that pipe is closed, and ignores any
other kind of standard input. On Linux the kernel kills the handlers together with this program;
elsewhere they exit as soon as they find their Runtime API closed.
"""

# localemu is installed where this module runs, not where it is type-checked, and reads its settings
# when it is imported.
# mypy: disable-error-code="import-not-found"
# ruff: noqa: PLC0415

from __future__ import annotations

import functools
import os
import signal
import stat
import sys
import threading
import warnings
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

_SHUTDOWN_SECONDS = 1
"""The number of seconds that localemu may take to end by itself."""

_LOOPBACK = "127.0.0.1"


def main() -> None:
    """Run localemu until it gets a signal to end or its parent ends."""
    _end_with_parent()
    _configure()
    _provide_warnings_deprecated()

    from localemu.logging.setup import setup_logging_from_config
    from localemu.runtime import current

    from . import (
        client_contexts,
        clients,
        cloudtrail_events,
        conditional_writes,
        dead_letters,
        fifo_queues,
        metrics,
        outputs,
        plugin,
        queue_policies,
        sequence_numbers,
        stream_mappings,
        updates,
    )

    setup_logging_from_config()
    _listen_on_loopback_only()
    _refuse_foreign_requests()
    _keep_s3_objects_in_temporary_directory()
    plugin.register()
    for patches in (
        client_contexts,
        clients,
        cloudtrail_events,
        conditional_writes,
        dead_letters,
        fifo_queues,
        metrics,
        outputs,
        queue_policies,
        sequence_numbers,
        stream_mappings,
        updates,
    ):
        patches.apply()
    runtime = current.initialize_runtime()

    def end(_signal: int, _frame: FrameType | None) -> None:
        # localemu may wait 10 seconds for its threads, but has nothing to save.
        deadline = threading.Timer(_SHUTDOWN_SECONDS, os._exit, args=(0,))
        deadline.daemon = True
        deadline.start()
        runtime.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    runtime.run()
    # Threads that are still waiting would keep the interpreter alive.
    os._exit(runtime.exit_code)


def _end_with_parent() -> None:
    """End the program when its standard input, if it is a pipe, is closed."""
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
            # In a container it would use other directories.
            "OVERRIDE_IN_DOCKER": "0",
            "TMPDIR": str(temporary_directory),
        }
    )
    for name, value in {
        "DISABLE_EVENTS": "1",
        "LAMBDA_RETRY_BASE_DELAY": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "SQS_ENABLE_MESSAGE_RETENTION_PERIOD": "1",
    }.items():
        os.environ.setdefault(name, value)


def _provide_warnings_deprecated() -> None:
    """Add `warnings.deprecated`, which localemu's S3 imports and Python has since 3.13."""
    if sys.version_info < (3, 13):
        from typing_extensions import deprecated

        vars(warnings)["deprecated"] = deprecated


def _listen_on_loopback_only() -> None:
    """Make localemu bind its port on 127.0.0.1, since it ignores the host in GATEWAY_LISTEN."""
    from localemu.runtime.server import twisted
    from twisted.internet import endpoints

    twisted.endpoints = SimpleNamespace(
        TCP4ServerEndpoint=functools.partial(endpoints.TCP4ServerEndpoint, interface=_LOOPBACK)
    )


def _refuse_foreign_requests() -> None:
    """Make localemu refuse the requests that `loopback_only` refuses before it handles them.

    Version 1.3.2 only checks the origin, and not for requests to S3 and REST APIs.
    """
    from localemu.aws.app import LocalemuAwsGateway

    from ..loopback_only import refusal

    process = LocalemuAwsGateway.process

    def guarded(gateway: Any, request: Any, response: Any) -> None:
        if reason := refusal(request.headers.items()):
            response.status_code = 403
            response.content_type = "text/plain"
            response.data = f"{reason}\n".encode()
        else:
            process(gateway, request, response)

    # Websockets take this path too.
    LocalemuAwsGateway.process = guarded


def _keep_s3_objects_in_temporary_directory() -> None:
    """Move S3's files out of ``/tmp/localemu-s3-storage``, which all localemu processes share."""
    from localemu.services.s3 import provider

    provider.DEFAULT_S3_TMP_DIR = str(Path(os.environ["TMPDIR"]) / "s3")


if __name__ == "__main__":
    main()
