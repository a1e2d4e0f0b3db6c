"""A Lambda execution environment, which runs a function's invocations one at a time.

Every invocation has a result. When a handler times out, crashes or cannot be loaded, the result is
the error that Lambda would report, and the next invocation gets a fresh process:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import math
import signal
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone

from .handler_process import HandlerProcess, ProcessEvent, ProcessExited
from .handler_runtimes import Function, runtime_command, runtime_environment
from .runtime_api import InitFailed, Invocation, InvocationEnded, RuntimeReady, error_payload

INIT_TIMEOUT_SECONDS = 10
"""The number of seconds that a handler may take to load, in addition to the function's timeout.

After 10 seconds, Lambda loads it again within the function's timeout; here, loading continues.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""


@dataclass(frozen=True)
class InvocationResult:
    """The result of an invocation.

    Args:
        payload: The handler's response or the error, as JSON.
        is_error: Whether the invocation failed, in the handler or around it.
        logs: The handler's output, between the lines that Lambda logs.
    """

    payload: bytes
    is_error: bool
    logs: str


@dataclass(frozen=True)
class _Ending:
    """How an invocation ended, with the lines that Lambda adds to its log if it failed."""

    payload: bytes
    is_error: bool
    log_lines: str = ""
    report: str = ""


class ExecutionEnvironment:
    """Runs one function, one invocation at a time.

    Args:
        function: The function.

    Raises:
        UnsupportedRuntimeError: No program here runs functions of that runtime.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._command = runtime_command(function)
        self._variables = runtime_environment(function)
        self._invoking = threading.Lock()
        self._process: HandlerProcess | None = None
        self._process_lock = threading.Lock()
        self._stopped = False

    def invoke(
        self,
        request_id: str,
        function_arn: str,
        payload: bytes,
        trace_id: str = "",
        client_context: str = "",
    ) -> InvocationResult:
        """Run the handler once.

        Args:
            request_id: The invocation's request id.
            function_arn: The ARN that the function was invoked with.
            payload: The event, as JSON.
            trace_id: The X-Ray trace header. Default: the handler gets none.
            client_context: The client context, as JSON. Default: the handler gets none.

        Returns:
            The handler's response, or an error.

        Raises:
            RuntimeError: The environment was stopped.
        """
        timeout_seconds = self._function.timeout_seconds
        with self._invoking:
            process, event = self._idle_process()
            earlier_output = process.output.take()
            started = time.monotonic()
            if isinstance(event, RuntimeReady):
                deadline_ms = int((time.time() + timeout_seconds) * 1000)
                process.api.offer(
                    Invocation(
                        request_id, function_arn, payload, deadline_ms, trace_id, client_context
                    )
                )
                event = process.next_event(timeout_seconds)
            duration_ms = min(time.monotonic() - started, timeout_seconds) * 1000
            memory_mb = process.peak_memory_mb()
            if not isinstance(event, InvocationEnded):
                self._discard(process)
            ending = self._ending(request_id, event)
            logs = [
                earlier_output,
                f"START RequestId: {request_id} Version: {self._function.version}\n",
                process.output.take(),
                ending.log_lines,
                f"END RequestId: {request_id}\n",
                f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
                f"Billed Duration: {math.ceil(duration_ms)} ms\t"
                f"Memory Size: {self._function.memory_mb} MB\t"
                + (f"Max Memory Used: {memory_mb} MB\t" if memory_mb else "")
                + ending.report,
            ]
            return InvocationResult(
                ending.payload, ending.is_error, "".join(_with_newline(part) for part in logs)
            )

    def stop(self) -> None:
        """End the process; a running invocation fails as if its process had crashed."""
        with self._process_lock:
            self._stopped = True
            process, self._process = self._process, None
        if process:
            process.kill()

    def _idle_process(self) -> tuple[HandlerProcess, ProcessEvent | None]:
        """Return a process and its first event: ready, or why its handler did not load."""
        if process := self._process:
            event = process.next_event(self._function.timeout_seconds)
            if isinstance(event, RuntimeReady) and not process.has_ended:
                return process, event
            # The process ended after its last response.
            self._discard(process)
        with self._process_lock:
            if self._stopped:
                raise RuntimeError("the execution environment was stopped")
            process = self._process = HandlerProcess(
                self._command, self._variables, self._function.code_directory
            )
        return process, process.next_event(INIT_TIMEOUT_SECONDS + self._function.timeout_seconds)

    def _discard(self, process: HandlerProcess) -> None:
        with self._process_lock:
            if self._process is process:
                self._process = None
        process.kill()

    def _ending(self, request_id: str, event: ProcessEvent | None) -> _Ending:
        match event:
            case InvocationEnded(payload, is_error):
                return _Ending(payload, is_error)
            case InitFailed(payload):
                return _Ending(payload, is_error=True, report="Status: error")
            case ProcessExited(returncode):
                message = f"RequestId: {request_id} Error: {_exit_message(returncode)}"
                return _Ending(
                    error_payload("Runtime.ExitError", message),
                    is_error=True,
                    log_lines=f"{message}\nRuntime.ExitError\n",
                    report="Status: error\tError Type: Runtime.ExitError",
                )
            case _:
                timed_out = f"Task timed out after {self._function.timeout_seconds:.2f} seconds"
                return _Ending(
                    error_payload(
                        "Sandbox.Timedout", f"RequestId: {request_id} Error: {timed_out}"
                    ),
                    is_error=True,
                    log_lines=f"{_timestamp()} {request_id} {timed_out}\n",
                    report="Status: timeout",
                )


def _exit_message(returncode: int) -> str:
    if returncode == 0:
        return "Runtime exited without providing a reason"
    if returncode > 0:
        return f"Runtime exited with error: exit status {returncode}"
    # On macOS, the signal's number follows its name.
    name = (signal.strsignal(-returncode) or str(-returncode)).split(":")[0].lower()
    return f"Runtime exited with error: signal: {name}"


def _timestamp() -> str:
    now = datetime.now(timezone.utc)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"


def _with_newline(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
