"""Does what a command of the AWS CLI says, on an engine."""

from __future__ import annotations

import json
import shlex
from typing import Any

from failure_destinations.testing import LocalCloud

# Options of the AWS CLI that boto3 takes as structures and not as text.
_STRUCTURES = ("--attributes", "--destination-config", "--dead-letter-config", "--cli-input-json")
_LISTS = ("--alarm-names",)


def mended_by(cloud: LocalCloud, mend: str) -> dict[str, Any]:
    """Do what a command of the AWS CLI says, with boto3, and return its parameters."""
    _, service, operation, *words = shlex.split(mend)
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options.pop("--region") == cloud.region
    parameters = {_parameter(name): _value(name, text) for name, text in options.items()}
    if "NotificationEndpoint" in parameters:
        parameters["Endpoint"] = parameters.pop("NotificationEndpoint")
    parameters.update(parameters.pop("CliInputJson", {}))
    client: Any = cloud.client(service)
    getattr(client, operation.replace("-", "_"))(**parameters)
    return parameters


def _parameter(name: str) -> str:
    return "".join(part.capitalize() for part in name[2:].split("-"))


def _value(name: str, text: str) -> Any:
    if name in _STRUCTURES:
        return json.loads(text)
    return [text] if name in _LISTS else text
