"""A localemu plugin that runs Lambda functions in the processes of `lambda_processes`.

localemu, a fork of LocalStack, asks a "runtime executor" for each execution environment, and finds
executors through the plugin manager plux.
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

from localemu import config
from localemu.services.lambda_.invocation import runtime_executor
from localemu.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localemu.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from plux import PluginFinder, PluginManager, PluginSpec

from ...lambda_processes.execution_environment import ExecutionEnvironment
from ...lambda_processes.handler_runtimes import Function, runtime_command

PLUGIN_NAME = "process"
"""The value of localemu's LAMBDA_RUNTIME_EXECUTOR that selects these processes."""

_LOOPBACK = "127.0.0.1"

# Variables for the program that localemu runs in its containers.
_CONTAINER_VARIABLES = ("EDGE_PORT", "LAMBDA_RUNTIME_DIR", "LOCALEMU_")


class ProcessRuntimeExecutor(runtime_executor.RuntimeExecutor):
    """Runs one of localemu's execution environments in a process."""

    client_context = ""
    """The client context of the next invocation, which `client_contexts` sets."""

    _environment: ExecutionEnvironment | None = None

    def start(self, env_vars: dict[str, str]) -> None:
        """Prepare the environment; the first invocation loads the handler.

        A handler that cannot be loaded must fail as an invocation: localemu mistakes an exception
        raised here for an internal error, and retries endlessly.
        """
        self._environment = ExecutionEnvironment(_function(self.function_version, env_vars))

    def stop(self) -> None:
        """End the process."""
        if self._environment:
            self._environment.stop()

    def invoke(
        self,
        payload: dict[str, str],
        function_timeout: int | None = None,  # noqa: ARG002
    ) -> InvocationResult:
        """Run the handler once, with the environment's timeout."""
        if self._environment is None:
            raise RuntimeError("the execution environment was not started")
        request_id = payload["invoke-id"]
        result = self._environment.invoke(
            request_id,
            payload["invoked-function-arn"],
            payload["payload"].encode(),
            payload.get("trace-id", ""),
            self.client_context,
        )
        return InvocationResult(
            request_id, result.payload, is_error=result.is_error, logs=result.logs
        )

    def get_address(self) -> str:
        """Return the address at which localemu reaches the environment."""
        return _LOOPBACK

    def get_endpoint_from_executor(self) -> str:
        """Return the address at which the environment reaches localemu."""
        return _LOOPBACK

    def get_runtime_endpoint(self) -> str:
        """Return the address for localemu's program in a container, which is not used here."""
        return f"http://{_LOOPBACK}:{config.GATEWAY_LISTEN[0].port}"

    def get_logs(self) -> str:
        """Return nothing: the logs come with the results of invocations."""
        return ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack the code of a function's new version.

        localemu shows the error's message as the reason for the function's state Failed.

        Raises:
            ValueError: The function is a container image.
            UnsupportedRuntimeError: No program here runs functions of that runtime.
        """
        if function_version.config.code is None:
            raise ValueError("package_type must be Zip: container images need Docker")
        function_version.config.code.prepare_for_execution()
        runtime_command(_function(function_version, {}))

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Do nothing: localemu deletes the code itself."""


class ProcessRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    """Offers the executor to localemu."""

    name = PLUGIN_NAME

    def load(self, *_args: object, **_kwargs: object) -> type[ProcessRuntimeExecutor]:
        """Return the executor class."""
        return ProcessRuntimeExecutor


class _ThisPlugin(PluginFinder):
    """Replaces an installed entry point, which a package that is loaded by path does not have."""

    def find_plugins(self) -> list[PluginSpec]:
        return [
            PluginSpec(RuntimeExecutorPlugin.namespace, PLUGIN_NAME, ProcessRuntimeExecutorPlugin)
        ]


def register() -> None:
    """Make this executor the one that localemu finds."""
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
