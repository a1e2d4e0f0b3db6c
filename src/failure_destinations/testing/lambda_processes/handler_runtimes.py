"""The program that runs a function's handler, and its environment variables."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NODE_VARIABLE = "FAILURE_DESTINATIONS_NODE"
"""The environment variable that names the ``node`` program. Default: the one on PATH."""

_HERE = Path(__file__).parent

# The variables that a program needs to start; it gets nothing else from the engine's environment.
_INHERITED_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")


class UnsupportedRuntimeError(ValueError):
    """No program on this machine can run functions of that Lambda runtime."""


@dataclass(frozen=True)
class Function:
    """A version of a Lambda function, with its code unpacked.

    Args:
        runtime: The Lambda runtime, such as ``python3.13`` or ``nodejs22.x``. Whatever its
            version, Python handlers run on this interpreter and Node handlers on the
            available ``node``.
        handler: The handler, such as ``orders.handler``.
        code_directory: The directory of its code.
        timeout_seconds: The function's timeout.
        memory_mb: The function's memory size; reported in its logs, not enforced.
        version: The function's version.
        variables: Its environment variables, including Lambda's own such as AWS_REGION.
    """

    runtime: str
    handler: str
    code_directory: Path
    timeout_seconds: float = 3
    memory_mb: int = 128
    version: str = "$LATEST"
    variables: Mapping[str, str] = field(default_factory=dict)


def runtime_command(function: Function) -> list[str]:
    """Return the absolute path of the program, and the arguments, that run a function.

    Raises:
        UnsupportedRuntimeError: The runtime is neither Python nor Node, or there is no ``node``.
    """
    if function.runtime.startswith("python"):
        return [sys.executable, "-m", "awslambdaric", function.handler]
    if function.runtime.startswith("nodejs"):
        return [_node(function.runtime), str(_HERE / "node_runtime.mjs"), function.handler]
    raise UnsupportedRuntimeError(
        f"runtime must be a python or nodejs runtime, got {function.runtime!r}: "
        "no other kind of handler runs without Docker"
    )


def runtime_environment(function: Function) -> dict[str, str]:
    """Return the environment variables of a function's process.

    As in Lambda, the function's own variables override the general ones, and those that define what
    to run override the function's:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    code_directory = str(function.code_directory)
    environment = {
        **{name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ},
        # Never the user's home directory, which contains credentials.
        "HOME": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        **function.variables,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "LAMBDA_TASK_ROOT": code_directory,
        "_HANDLER": function.handler,
    }
    if function.runtime.startswith("python"):
        python_path = [code_directory, environment.get("PYTHONPATH", "")]
        if sys.platform != "linux":
            # awslambdaric has its HTTP client only on Linux.
            python_path.append(str(_HERE / "python_client"))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, python_path))
    return environment


def _node(runtime: str) -> str:
    program = shutil.which(os.environ.get(NODE_VARIABLE) or "node")
    if program is None:
        raise UnsupportedRuntimeError(
            f"a function with runtime {runtime!r} needs Node: put node on PATH, or its path "
            f"in the environment variable {NODE_VARIABLE}"
        )
    return _executable(program)


@functools.cache
def _executable(node: str) -> str:
    """Return the binary behind a ``node`` that may be a version manager's script."""
    command = [str(Path(node).absolute()), "-p", "process.execPath"]
    answer = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603
    return answer.stdout.strip()
