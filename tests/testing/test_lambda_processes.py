"""Handlers of both kinds in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from failure_destinations.testing.lambda_processes import handler_runtimes
from failure_destinations.testing.lambda_processes.execution_environment import (
    ExecutionEnvironment,
    InvocationResult,
)
from failure_destinations.testing.lambda_processes.handler_runtimes import (
    NODE_VARIABLE,
    Function,
    UnsupportedRuntimeError,
)
from failure_destinations.testing.lambda_processes.process_output import OUTPUT_LIMIT_BYTES

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
PACKAGE = Path(handler_runtimes.__file__).parent


class Handler:
    """A function and its execution environment."""

    def __init__(self, function: Function) -> None:
        self.environment = ExecutionEnvironment(function)

    def invoke(self, event: object = None, request_id: str = "id-1") -> InvocationResult:
        """Run it once."""
        return self.environment.invoke(request_id, ARN, json.dumps(event).encode(), "Root=1-2")

    def response(self, event: object = None) -> Any:
        """Run it once and return the response, which must not be an error."""
        result = self.invoke(event)
        assert not result.is_error, result
        return json.loads(result.payload)

    def error(self, request_id: str = "id-1") -> dict[str, Any]:
        """Run it once and return the error."""
        result = self.invoke(request_id=request_id)
        assert result.is_error, result
        error: dict[str, Any] = json.loads(result.payload)
        return error


Define = Callable[..., Handler]


@pytest.fixture
def define(tmp_path: Path) -> Iterator[Define]:
    """Make handlers of code, and end their processes after the test."""
    made: list[Handler] = []

    def define(function: Function, file: str, code: str, **settings: Any) -> Handler:
        (tmp_path / file).write_text(textwrap.dedent(code), encoding="utf-8")
        handler = Handler(replace(function, code_directory=tmp_path, **settings))
        made.append(handler)
        return handler

    yield define
    for handler in made:
        handler.environment.stop()


@pytest.fixture
def python(define: Define) -> Define:
    """Make Python handlers."""
    function = Function("python3.13", "orders.handler", Path())
    return lambda code, **settings: define(function, "orders.py", code, **settings)


@pytest.fixture
def node(define: Define) -> Define:
    """Make Node handlers."""
    if (beside := Path(sys.executable).with_name("node")).exists():
        os.environ.setdefault(NODE_VARIABLE, str(beside))
    function = Function("nodejs22.x", "orders.handler", Path())

    def make(code: str, file: str = "orders.js", **settings: Any) -> Handler:
        return define(function, file, code, **settings)

    return make


def lines(result: InvocationResult) -> list[str]:
    """Return the log's lines, without the figures in the last one."""
    return [line.split("\t")[0] for line in result.logs.split("\n")]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until something is true, for two minutes at most."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(process_id: int) -> bool:
    """Return whether the process exists and has not ended."""
    try:
        if sys.platform == "linux":
            state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
            return state != "Z"
        os.kill(process_id, 0)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return True


def wait_until_ended(process_ids: Iterable[int]) -> None:
    """Wait for the end of processes that were killed."""
    wait_until(lambda: not any(map(is_running, process_ids)))


EVENT = {"nested": [{"a": None}, 1.5, 'é漢字💥\u0000"\\'], "number": 1234567890123456789}


def test_python_handler_gets_the_event_unchanged(python: Define) -> None:
    """The event and the response pass as JSON, whatever is in them."""
    assert python("def handler(event, context): return event").response(EVENT) == EVENT


def test_node_handler_gets_the_event_unchanged(node: Define) -> None:
    """The event and the response pass as JSON; JavaScript's numbers are its own."""
    event = {**EVENT, "number": 12}

    assert node("exports.handler = async (event) => event").response(event) == event


def test_python_handler_gets_its_context(python: Define) -> None:
    """The context says what AWS says in it."""
    handler = python(
        """
        def handler(event, context):
            return [
                context.aws_request_id,
                context.invoked_function_arn,
                context.get_remaining_time_in_millis(),
            ]
        """,
        timeout_seconds=30,
    )
    request_id, arn, remaining_ms = handler.response()

    assert (request_id, arn) == ("id-1", ARN)
    assert 0 < remaining_ms <= 30_000


def test_node_handler_gets_its_context(node: Define) -> None:
    """The context says what AWS says in it."""
    handler = node(
        """
        exports.handler = async (event, context) => [
            context.awsRequestId,
            context.invokedFunctionArn,
            context.functionName,
            context.getRemainingTimeInMillis(),
        ]
        """,
        timeout_seconds=30,
        variables={"AWS_LAMBDA_FUNCTION_NAME": "orders"},
    )
    *texts, remaining_ms = handler.response()

    assert texts == ["id-1", ARN, "orders"]
    assert 0 < remaining_ms <= 30_000


@pytest.mark.parametrize("context", ["", '{"custom": {"failure_destinations_replay": "nightly"}}'])
def test_handlers_get_the_client_context(python: Define, node: Define, context: str) -> None:
    """Of an invocation that has one; otherwise none, as in AWS."""
    handlers = [
        python(
            """
            def handler(event, context):
                return context.client_context and context.client_context.custom
            """
        ),
        node("exports.handler = async (event, context) => context.clientContext?.custom ?? null"),
    ]
    expected = json.loads(context)["custom"] if context else None
    for handler in handlers:
        result = handler.environment.invoke("id-1", ARN, b"{}", client_context=context)
        assert json.loads(result.payload) == expected


def test_handler_sees_lambdas_variables_and_its_own(
    python: Define, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of the engine's environment a handler gets only where programs are found."""
    monkeypatch.setenv("ENGINES_SECRET", "1")
    handler = python(
        "import os\ndef handler(event, context): return dict(os.environ)",
        variables={"AWS_REGION": "eu-west-1", "LANG": "C", "AWS_EXECUTION_ENV": "mine"},
    )
    variables = handler.response()

    assert "ENGINES_SECRET" not in variables
    assert {
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_REGION": "eu-west-1",
        "HOME": os.environ.get("TMPDIR", "/tmp"),
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "LANG": "C",
        "TZ": ":UTC",
        "_HANDLER": "orders.handler",
        "_X_AMZN_TRACE_ID": "Root=1-2",
    }.items() <= variables.items()


def test_python_code_comes_first_on_the_path(python: Define, tmp_path: Path) -> None:
    """A module beside the handler wins over one that is installed."""
    (tmp_path / "pytest.py").write_text("OWN = True")
    handler = python("import pytest\ndef handler(event, context): return pytest.OWN")

    assert handler.response() is True


def test_log_is_lambdas(python: Define) -> None:
    """What the handler writes is between the lines that Lambda writes."""
    handler = python(
        """
        import sys
        print("loading")
        def handler(event, context):
            print("é")
            print("no newline", end="", file=sys.stderr)
        """,
        memory_mb=512,
    )
    result = handler.invoke()

    assert lines(result) == [
        "loading",
        "START RequestId: id-1 Version: $LATEST",
        "é",
        "no newline",
        "END RequestId: id-1",
        "REPORT RequestId: id-1",
        "",
    ]
    assert "\tMemory Size: 512 MB\t" in result.logs
    assert "loading" not in handler.invoke().logs


def test_log_is_bounded(python: Define) -> None:
    """A handler that writes without end costs a megabyte, and the end of its output stays."""
    handler = python(
        f"""
        def handler(event, context):
            print("x" * {2 * OUTPUT_LIMIT_BYTES})
            print("last")
        """
    )
    logs = handler.invoke().logs

    assert len(logs) < OUTPUT_LIMIT_BYTES + 1000
    assert "bytes of earlier output dropped]\n" in logs
    assert "x\nlast\nEND RequestId: id-1\n" in logs


def test_node_log_line_is_one_event(node: Define) -> None:
    """Lines of one message stay together, with time, request id and level in front."""
    handler = node('exports.handler = async () => { console.warn("a\\nb", { c: 1 }); }')
    message = handler.invoke().logs.split("\n")[1].split("\t")

    assert message[1:] == ["id-1", "WARN", "a\rb { c: 1 }"]


def test_python_error(python: Define) -> None:
    """An exception is an error with its type, message and stack trace."""
    error = python('def handler(event, context): raise ValueError("ü")').error()

    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "ü")
    assert error["requestId"] == "id-1"
    assert "orders.py" in error["stackTrace"][0]


@pytest.mark.parametrize(
    ("body", "error_type", "message"),
    [
        ('async () => { throw new TypeError("ü"); }', "TypeError", "ü"),
        ('() => { throw new RangeError("at once"); }', "RangeError", "at once"),
        ('(event, context, callback) => callback(new Error("back"))', "Error", "back"),
        ('(event, context, callback) => callback("text")', "string", "text"),
        ("async () => { throw undefined; }", "undefined", "undefined"),
        (
            "async () => { const a = {}; a.a = a; return a; }",
            "Error",
            "Unable to stringify response body",
        ),
    ],
)
def test_node_error(node: Define, body: str, error_type: str, message: str) -> None:
    """Whatever is thrown or called back is an error with a type and a message."""
    error = node(f"exports.handler = {body}").error()

    assert [error_type, message] == [error["errorType"], error["errorMessage"]]
    assert isinstance(error["trace"], list)


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        ('setTimeout(() => { throw new TypeError("later"); }, 1)', "TypeError"),
        ('Promise.reject(new Error("unseen"))', "Runtime.UnhandledPromiseRejection"),
    ],
)
def test_node_error_outside_the_handler(node: Define, body: str, error_type: str) -> None:
    """An error nobody caught ends the invocation and the process."""
    handler = node(f"exports.handler = () => new Promise(() => {{ {body}; }})")

    assert [error_type] * 2 == [handler.error()["errorType"] for _ in range(2)]


@pytest.mark.parametrize(
    ("body", "response"),
    [
        ("(event, context, callback) => setTimeout(() => callback(null, 1), 1)", 1),
        ("(event, context) => context.succeed(2)", 2),
        ("() => 3", None),
        ("async () => {}", None),
        ("async () => process.env.TZ", ":UTC"),
    ],
)
def test_node_response(node: Define, body: str, response: object) -> None:
    """A handler answers with a promise or a callback; a plain return value does not count."""
    handler = node(f"exports.handler = {body}")

    assert [response] * 2 == [handler.response() for _ in range(2)]


def test_node_callback_need_not_wait_for_the_event_loop(node: Define) -> None:
    """A handler may leave a timer behind, if it says so."""
    handler = node(
        """
        exports.handler = (event, context, callback) => {
            context.callbackWaitsForEmptyEventLoop = event;
            setInterval(() => {}, 1000);
            callback(null, "called");
        }
        """,
        timeout_seconds=0.5,
    )

    assert handler.response(False) == "called"
    assert handler.invoke(True).is_error


@pytest.mark.parametrize(
    ("file", "handler", "code"),
    [
        ("orders.mjs", "orders.handler", "export const handler = async () => 1"),
        ("orders.mjs", "orders.handler", "export default { handler: async () => 1 }"),
        ("orders.cjs", "orders.handler", "exports.handler = async () => 1"),
        ("orders.js", "orders.a.b", "exports.a = { b: async () => 1 }"),
        ("orders.js", "./orders.handler", "module.exports = { handler: async () => 1 }"),
    ],
)
def test_node_finds_the_handler(node: Define, file: str, handler: str, code: str) -> None:
    """Modules of both kinds and nested exports work as handlers."""
    assert node(code, file, handler=handler).response() == 1


@pytest.mark.parametrize(
    ("code", "handler", "error_type"),
    [
        ("import nothing_there", "orders.handler", "Runtime.ImportModuleError"),
        ("def handler(:", "orders.handler", "Runtime.UserCodeSyntaxError"),
        ("", "orders.handler", "Runtime.HandlerNotFound"),
        ("1 / 0", "orders.handler", "ZeroDivisionError"),
    ],
)
def test_python_handler_that_does_not_load(
    python: Define, code: str, handler: str, error_type: str
) -> None:
    """Each invocation tries again, and fails with the reason."""
    broken = python(code, handler=handler)

    assert [error_type] * 2 == [broken.error()["errorType"] for _ in range(2)]


@pytest.mark.parametrize(
    ("code", "handler", "error_type"),
    [
        ('require("nothing_there")', "orders.handler", "Runtime.ImportModuleError"),
        ("exports.handler = (", "orders.handler", "Runtime.UserCodeSyntaxError"),
        ("", "orders.handler", "Runtime.HandlerNotFound"),
        ("", "other.handler", "Runtime.ImportModuleError"),
        ("", "orders", "Runtime.MalformedHandlerName"),
        ('throw new RangeError("x")', "orders.handler", "RangeError"),
    ],
)
def test_node_handler_that_does_not_load(
    node: Define, code: str, handler: str, error_type: str
) -> None:
    """Each invocation tries again, and fails with the reason."""
    broken = node(code, handler=handler)

    assert [error_type] * 2 == [broken.error()["errorType"] for _ in range(2)]


BUSY = {
    "python": "def handler(event, context):\n    while event != 1: pass\n    return 1",
    "node": "exports.handler = async (event) => { while (event !== 1); return 1; }",
}


@pytest.mark.parametrize("language", BUSY)
def test_timeout(language: str, request: pytest.FixtureRequest) -> None:
    """A handler that takes too long is killed, and the next invocation gets a fresh one."""
    handler = request.getfixturevalue(language)(BUSY[language], timeout_seconds=0.5)
    result = handler.invoke(request_id="id-2")

    assert result.is_error
    assert json.loads(result.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: id-2 Error: Task timed out after 0.50 seconds",
    }
    assert " id-2 Task timed out after 0.50 seconds\nEND RequestId: id-2\n" in result.logs
    assert result.logs.endswith("\tStatus: timeout\n")
    assert handler.response(1) == 1


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_crash(python: Define, statement: str, reason: str) -> None:
    """The end of a process is an error with the reason; the next invocation gets a fresh one."""
    handler = python(
        f"""
        import os
        def handler(event, context):
            if event != 1: {statement}
            return 1
        """
    )
    result = handler.invoke()

    assert result.is_error
    assert json.loads(result.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: id-1 Error: {reason}",
    }
    assert f"RequestId: id-1 Error: {reason}\nRuntime.ExitError\nEND" in result.logs
    assert handler.response(1) == 1


def test_process_is_kept_for_the_next_invocation(python: Define) -> None:
    """A function's second invocation finds what the first left in memory."""
    handler = python("seen = []\ndef handler(event, context): seen.append(event); return seen")
    handler.response(1)

    assert handler.response(2) == [1, 2]


def test_process_that_ended_between_invocations_is_replaced(python: Define) -> None:
    """An invocation does not fail because a process was killed before it."""
    handler = python("import os\ndef handler(event, context): return os.getpid()")
    first = handler.response()
    os.kill(first, signal.SIGKILL)
    wait_until_ended([first])

    assert handler.response() != first


def test_response_over_the_limit_is_an_error(python: Define) -> None:
    """Lambda's error takes the place of a response of more than 6 MB."""
    handler = python("def handler(event, context): return 'x' * 7_000_000")

    assert handler.error()["errorType"] == "Function.ResponseSizeTooLarge"


START_SLEEPER = """
    import os, subprocess, sys, time
    def handler(event, context):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open("pids", "w") as file:
            file.write(f"{os.getpid()} {child.pid}\\n")
        if event == "crash":
            os._exit(1)
        time.sleep(600)
"""


def pids(directory: Path) -> list[int]:
    """Return the ids of the handler's process and of the one it started, once both run."""
    file = directory / "pids"
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
    return [int(text) for text in file.read_text().split()]


@pytest.mark.parametrize("event", ["crash", "time out"])
def test_no_process_stays_after_an_invocation(python: Define, tmp_path: Path, event: str) -> None:
    """The processes that a handler started end with it."""
    python(START_SLEEPER, timeout_seconds=1).invoke(event)

    wait_until_ended(pids(tmp_path))


def test_stop_ends_a_running_invocation(python: Define, tmp_path: Path) -> None:
    """Stopping does not wait for the handler; its invocation fails."""
    handler = python(START_SLEEPER, timeout_seconds=600)
    results: list[InvocationResult] = []
    thread = threading.Thread(target=lambda: results.append(handler.invoke()))
    thread.start()
    processes = pids(tmp_path)
    handler.environment.stop()
    thread.join(120)

    assert json.loads(results[0].payload)["errorType"] == "Runtime.ExitError"
    wait_until_ended(processes)


def test_rejects_invocations_after_stop(python: Define) -> None:
    """A stopped environment does not start another process."""
    handler = python("def handler(event, context): return 1")
    handler.environment.stop()

    with pytest.raises(RuntimeError, match="was stopped"):
        handler.invoke()


ENGINE = """
import sys
from pathlib import Path
sys.path.insert(0, {directory!r})
from lambda_processes import execution_environment, handler_process, handler_runtimes
if {portable}:
    handler_process.sys = type("sys", (), {{"platform": "darwin"}})
function = handler_runtimes.Function({runtime!r}, "orders.handler", Path.cwd(), timeout_seconds=600)
environment = execution_environment.ExecutionEnvironment(function)
environment.invoke("id-1", "arn", b"0")
environment.invoke("id-2", "arn", b"1")
"""

PYTHON_PID_WRITER = """
import os, time
def handler(event, context):
    with open("pids", "w") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(event)
"""

NODE_PID_WRITER = """
exports.handler = async (event) => {
    require("fs").writeFileSync("pids", `${process.pid}\\n`);
    await new Promise((resolve) => setTimeout(resolve, event * 1000));
}
"""

PID_WRITERS = {
    "python3.13": ("orders.py", PYTHON_PID_WRITER),
    "nodejs22.x": ("orders.js", NODE_PID_WRITER),
}


@pytest.mark.parametrize("runtime", PID_WRITERS)
@pytest.mark.parametrize(
    "portable",
    [pytest.param(False, id="kernel"), pytest.param(True, id="runtime")],
)
def test_handler_does_not_outlive_its_engine(tmp_path: Path, runtime: str, portable: bool) -> None:
    """An engine killed with SIGKILL takes its handlers along, on Linux and elsewhere."""
    file, code = PID_WRITERS[runtime]
    (tmp_path / file).write_text(code)
    if (beside := Path(sys.executable).with_name("node")).exists():
        os.environ.setdefault(NODE_VARIABLE, str(beside))
    engine = subprocess.Popen(
        [
            sys.executable,
            "-c",
            ENGINE.format(directory=str(PACKAGE.parent), portable=portable, runtime=runtime),
        ],
        cwd=tmp_path,
    )
    handler = pids(tmp_path)
    engine.kill()
    engine.wait()

    wait_until_ended(handler)


def test_python_handlers_run_without_awslambdarics_own_client(python: Define) -> None:
    """The HTTP client of awslambdaric exists on Linux only; the stand-in does the same."""
    handler = python(
        """
        import runtime_client
        def handler(event, context):
            return [event, runtime_client.__file__] if event else 1 / 0
        """,
        variables={"PYTHONPATH": str(PACKAGE / "python_client")},
    )

    assert handler.response("é") == ["é", str(PACKAGE / "python_client" / "runtime_client.py")]
    assert handler.error()["errorType"] == "ZeroDivisionError"
    assert handler.response(2)[0] == 2


def test_rejects_other_runtimes() -> None:
    """A runtime that needs Docker is refused by name."""
    with pytest.raises(UnsupportedRuntimeError, match="python or nodejs runtime, got 'java21'"):
        ExecutionEnvironment(Function("java21", "Orders::handle", Path()))


def test_rejects_node_handlers_without_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Node the message says how to name one."""
    monkeypatch.setenv(NODE_VARIABLE, "/nowhere/node")

    with pytest.raises(UnsupportedRuntimeError, match=f"nodejs22.x.*{NODE_VARIABLE}"):
        ExecutionEnvironment(Function("nodejs22.x", "orders.handler", Path()))
