"""What SARIF 2.1.0 demands of the parts that are used.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json
"""

from __future__ import annotations

from typing import Any


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


_TEXT: dict[str, Any] = {"type": "string"}
_MESSAGE = _object(["text"], text=_TEXT)
_URI = {"type": "string", "format": "uri"}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}

_RULE = _object(
    ["id"],
    id=_TEXT,
    name=_TEXT,
    shortDescription=_MESSAGE,
    helpUri=_URI,
    defaultConfiguration=_object([], level=_LEVEL),
)

_LOCATION = _object(
    [],
    physicalLocation=_object(
        ["artifactLocation"],
        # Relative, without a backslash or a space: a reference as RFC 3986 has it.
        artifactLocation=_object([], uri={"type": "string", "pattern": r"^[^\\ ]+$"}),
        region=_object([], startLine={"type": "integer", "minimum": 1}),
    ),
    logicalLocations={
        "type": "array",
        "items": _object([], fullyQualifiedName=_TEXT, kind=_TEXT),
    },
)

_RESULT = _object(
    ["message"],
    ruleId=_TEXT,
    ruleIndex={"type": "integer", "minimum": -1},
    level=_LEVEL,
    message=_MESSAGE,
    locations={"type": "array", "items": _LOCATION},
    partialFingerprints={"type": "object", "additionalProperties": _TEXT},
    suppressions={
        "type": "array",
        "items": _object(["kind"], kind={"enum": ["inSource", "external"]}, justification=_TEXT),
    },
)

_DRIVER = _object(
    ["name"],
    name=_TEXT,
    version=_TEXT,
    informationUri=_URI,
    rules={"type": "array", "uniqueItems": True, "items": _RULE},
)

_RUN = _object(
    ["tool"],
    tool=_object(["driver"], driver=_DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": _RESULT},
)

SARIF = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    **_object(
        ["version", "runs"],
        **{"$schema": _URI},
        version={"enum": ["2.1.0"]},
        runs={"type": "array", "items": _RUN},
    ),
}
