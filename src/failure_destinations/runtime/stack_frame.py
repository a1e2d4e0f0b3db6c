"""Find the frame of the user's own code in a stack trace of any of Lambda's runtimes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .json_text import inner_members, string

_PYTHON = re.compile(r'\s*File "(?P<file>[^"]+)", line \d+(?:, in (?P<name>[^\n]+))?')
# `at handler (/var/task/index.js:3:11)`, `at async file:///var/task/index.mjs:3:11`.
_NODE = re.compile(
    r"\s*at (?:async )?(?:(?P<name>[^()\n]{1,200}) \()?(?:file://)?(?P<file>[^()\n]+?)"
    r":\d+(?::\d+)?\)?\s*"
)
_RUBY = re.compile(r"(?P<file>[^:\n]+\.rb):\d+(?::in [`'](?P<name>[^'\n]+)')?")
_METHOD = r"(?P<name>[\w$/<>`+-]+(?:\.[\w$/<>`+-]*)+)"
# `com.example.Orders.handle(Orders.java:17)`: Lambda's runtime writes Java's frames without `at`.
_JAVA = re.compile(
    rf"\s*{_METHOD}\((?:[^()\n]*\.(?:java|kts?|scala|groovy|cljc?)(?::\d+)?|SourceFile(?::\d+)?"
    r"|Native Method|Unknown Source)\)\s*"
)
# `at Shop.Orders.Handle(Order order) in /src/Orders.cs:line 17`; Java's elsewhere begin so too.
_DOT_NET = re.compile(rf"\s*at {_METHOD}(?:\[[^\[\]\n]*\])?\([^()\n]*\)(?: in [^\n]*)?\s*")
# Node indents frames. Before them, it writes the message, of which each line is an entry.
_INDENTED = re.compile(r"(?: {3,4}|\t)at \S")

_LIBRARY = re.compile(
    r"^(?:node:|internal/|<|/var/runtime/|/var/lang/|/opt/)"
    r"|/(?:site-packages|dist-packages|node_modules|gems)/|/lib/python\d|aws-lambda-go/"
)
_LIBRARY_NAME = re.compile(
    r"(?:java|javax|jdk|sun|kotlin|scala|lambdainternal|software\.amazon|com\.amazonaws|System"
    r"|Microsoft|Amazon)[./]|[^(]*\$\$Lambda"
)
# Packages that people put beside their code in the function's archive.
_VENDORED_NAMES = (
    "aiohttp aws_lambda_powertools aws_xray_sdk awslambdaric boto3 botocore certifi click "
    "cryptography dateutil django fastapi flask google grpc httpcore httpx jinja2 jmespath "
    "jsonschema jwt mangum numpy opentelemetry pandas psycopg psycopg2 pydantic pymongo pymysql "
    "redis requests s3transfer sentry_sdk simplejson sqlalchemy starlette urllib3 werkzeug"
)
_VENDORED = frozenset(_VENDORED_NAMES.split())
_TASK = "/var/task/"


def own_frame(stack_trace: Sequence[str]) -> str | None:
    """Return the frame of the user's code that is nearest to where the error was raised.

    Args:
        stack_trace: The entries of the record's stack trace, in the runtime's order: Python's last
            entry is where the error was raised, everybody else's first.

    Returns:
        File and function without line number, such as `orders/stock.py reserve`, or the qualified
        method of Java and .NET. The file is relative to the function's archive; elsewhere it is
        the file's name alone, because the folders may differ in each environment. None if no entry
        is of code other than the runtime's, the language's and installed packages'.
    """
    stack_trace = [entry for entry in stack_trace if _INDENTED.match(entry)] or stack_trace
    is_python = any(_PYTHON.match(entry) for entry in stack_trace)
    for entry in reversed(stack_trace) if is_python else stack_trace:
        frame = _frame(entry)
        if frame is not None:
            return frame
    return None


def _frame(entry: str) -> str | None:
    """Return the frame of an entry; None if it is not of the user's code."""
    match = _PYTHON.match(entry) or _RUBY.match(entry) or _NODE.fullmatch(entry)
    if match is not None:
        return _of_file(match["file"], match["name"] or "")
    if entry.startswith("{"):
        # Go's entries are objects.
        members = inner_members(entry)
        return _of_file(string(members.get("path")) or "", string(members.get("label")) or "")
    method = _JAVA.fullmatch(entry) or _DOT_NET.fullmatch(entry)
    if method is None or _LIBRARY_NAME.match(method["name"]):
        return None
    return method["name"]


def _of_file(file: str, name: str) -> str | None:
    if not file or _LIBRARY.search(file):
        return None
    path = file.partition(_TASK)[2]
    if path.partition("/")[0] in _VENDORED:
        return None
    path = path or file.replace("\\", "/").rpartition("/")[2]
    return f"{path} {name}".strip()
