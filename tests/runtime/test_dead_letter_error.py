"""The error of a function's dead letter."""

from __future__ import annotations

import json

import pytest

from failure_destinations.runtime.dead_letter_error import dead_letter_error

ERROR = {"errorMessage": 'no "data"\n', "errorType": "ValueError", "stackTrace": ["x" * 2000]}


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("200", "no data", ("FunctionError", "no data")),
        ("200", json.dumps(ERROR), ("ValueError", 'no "data"\n')),
        # Lambda keeps the first 1 KB.
        ("200", json.dumps(ERROR)[:1024], ("ValueError", 'no "data"\n')),
        ("200", '{"errorMessage": "no d', ("FunctionError", '{"errorMessage": "no d')),
        ("200", '{"order": 1}', ("FunctionError", '{"order": 1}')),
        ("200", '{"errorType": 5}', ("5", '{"errorType": 5}')),
        ("200", "", ("FunctionError", None)),
        ("429", "Rate exceeded", ("429 Too Many Requests", "Rate exceeded")),
        ("499", "?", ("HTTP status 499", "?")),
        ("Throttled", "?", ("Throttled", "?")),
        ("", "", (None, None)),
    ],
)
def test_names_an_error_that_a_person_understands(
    code: str, message: str, expected: tuple[str | None, str | None]
) -> None:
    """200 is the HTTP status of an invocation whose function failed."""
    assert dead_letter_error(code, message) == expected
