"""The error in the attributes of a function's dead letter, which has no member for its type."""

from __future__ import annotations

import re
from http import HTTPStatus

from .json_text import inner_members, is_json, string

# What a runtime returned for an error that the handler raised.
FUNCTION_ERROR = "FunctionError"

_HTTP_STATUS = re.compile(r"[1-5][0-9]{2}", re.ASCII)
# The attribute is cut after 1 KB, so that JSON may have no end.
_MEMBER = r'"{name}"\s*:\s*("(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{{4}})*")'
_ERROR_TYPE = re.compile(_MEMBER.format(name="errorType"))
_ERROR_MESSAGE = re.compile(_MEMBER.format(name="errorMessage"))


def dead_letter_error(code: str, message: str) -> tuple[str | None, str | None]:
    """Return type and text of the error of a function's dead letter.

    Args:
        code: The attribute ErrorCode, an HTTP status: 200 if the function ran and failed.
        message: The attribute ErrorMessage, the first 1 KB: the error's text, or the runtime's JSON
            with type and text.

    Returns:
        The type is the one in the JSON. Without one it is `FunctionError` for status 200, the
        status with its name for others, such as `429 Too Many Requests`, and the code as it is if
        it is not a status. Either is None if the attributes are empty.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    kind, text = _of_json(message) if message.lstrip().startswith("{") else (None, None)
    return kind or _of_status(code), text or message or None


def _of_json(message: str) -> tuple[str | None, str | None]:
    if is_json(message):
        members = inner_members(message)
        return string(members.get("errorType")), string(members.get("errorMessage"))
    kind, text = _ERROR_TYPE.search(message), _ERROR_MESSAGE.search(message)
    return string(kind[1] if kind else None), string(text[1] if text else None)


def _of_status(code: str) -> str | None:
    if _HTTP_STATUS.fullmatch(code) is None:
        return code or None
    if code == str(HTTPStatus.OK.value):
        return FUNCTION_ERROR
    try:
        return f"{code} {HTTPStatus(int(code)).phrase}"
    except ValueError:
        return f"HTTP status {code}"
