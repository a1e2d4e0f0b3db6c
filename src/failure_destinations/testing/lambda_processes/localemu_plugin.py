"""Makes localemu run Lambda functions in processes of this package.

localemu, a fork of LocalStack, asks a "runtime executor" for each execution environment, and finds
executors through the plugin manager plux.
"""

# localemu is installed where this runs, not where it is checked.
# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

from localemu import config
from localemu.services.lambda_.invocation import runtime_executor
from localemu.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localemu.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from plux import PluginFinder, PluginManager, PluginSpec

from .execution_environment import ExecutionEnvironment
from .handler_runtimes import Function, runtime_command

PLUGIN_NAME = "process"
"""What localemu's variable LAMBDA_RUNTIME_EXECUTOR must be for it to use these processes."""

_LOOPBACK = "127.0.0.1"

# Variables for the program that localemu runs in its containers.
_CONTAINER_VARIABLES = ("EDGE_PORT", "LAMBDA_RUNTIME_DIR", "LOCALEMU_")


class ProcessRuntimeExecutor(runtime_executor.RuntimeExecutor):
    """One of localemu's execution environments, in a process."""

    _environment: ExecutionEnvironment | None = None

    def start(self, env_vars: dict[str, str]) -> None:
        """Prepares the environment; the handler is loaded by its first invocation.

        A handler that cannot be loaded must fail as an invocation: what fails here is to
        localemu an error of its own, which it retries without end.
        """
        self._environment = ExecutionEnvironment(_function(self.function_version, env_vars))

    def stop(self) -> None:
        """Ends the process."""
        if self._environment:
            self._environment.stop()

    def invoke(
        self,
        payload: dict[str, str],
        function_timeout: int | None = None,  # noqa: ARG002
    ) -> InvocationResult:
        """Runs the handler once; the timeout is the one the environment was started with."""
        if self._environment is None:
            raise RuntimeError("the execution environment was not started")
        request_id = payload["invoke-id"]
        result = self._environment.invoke(
            request_id,
            payload["invoked-function-arn"],
            payload["payload"].encode(),
            payload.get("trace-id", ""),
        )
        return InvocationResult(
            request_id, result.payload, is_error=result.is_error, logs=result.logs
        )

    def get_address(self) -> str:
        """Where the environment is, from localemu's view."""
        return _LOOPBACK

    def get_endpoint_from_executor(self) -> str:
        """Where localemu is, from the environment's view."""
        return _LOOPBACK

    def get_runtime_endpoint(self) -> str:
        """Where localemu's own program in a container would report to; nothing uses it."""
        return f"http://{_LOOPBACK}:{config.GATEWAY_LISTEN[0].port}"

    def get_logs(self) -> str:
        """Nothing: the logs come with the results of invocations."""
        return ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpacks the code of a function's new version.

        Raises:
            UnsupportedRuntimeError: No program here runs functions of that runtime. localemu shows
                the message as the reason for the function's state Failed.
        """
        if function_version.config.code is None:
            raise ValueError("package_type must be Zip: container images need Docker")
        function_version.config.code.prepare_for_execution()
        runtime_command(_function(function_version, {}))

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing: localemu deletes the code itself."""


class ProcessRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    """Tells localemu of the executor."""

    name = PLUGIN_NAME

    def load(self, *_args: object, **_kwargs: object) -> type[ProcessRuntimeExecutor]:
        """Answers the executor class."""
        return ProcessRuntimeExecutor


class _ThisPlugin(PluginFinder):
    """Stands in for an installed entry point, which a package found by its path has not."""

    def find_plugins(self) -> list[PluginSpec]:
        return [
            PluginSpec(RuntimeExecutorPlugin.namespace, PLUGIN_NAME, ProcessRuntimeExecutorPlugin)
        ]


def register() -> None:
    """Makes this package's executor the one that localemu finds."""
    runtime_executor.EXECUTOR_PLUGIN_MANAGER = PluginManager(
        RuntimeExecutorPlugin.namespace, finder=_ThisPlugin()
    )


def _function(version: FunctionVersion, variables: dict[str, str]) -> Function:
    settings = version.config
    own_variables = settings.environment or {}
    return Function(
        runtime=settings.runtime,
        handler=settings.handler,
        code_directory=settings.code.get_unzipped_code_location(),
        timeout_seconds=settings.timeout,
        memory_mb=settings.memory_size,
        version=version.id.qualifier,
        variables={
            name: str(value)
            for name, value in variables.items()
            if name in own_variables or not name.startswith(_CONTAINER_VARIABLES)
        },
    )
