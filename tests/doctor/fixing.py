"""Reads the AWS CLI commands of fixes by the service models that the CLI has, and does them."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from failure_destinations.testing import LocalCloud

_GLOBAL = ("--profile", "--region", "--endpoint-url")
# https://github.com/aws/aws-cli/blob/develop/awscli/customizations/argrename.py
_SERVICES = {"s3api": "s3"}
_RENAMED = {("sns", "subscribe", "--notification-endpoint"): "Endpoint"}


class Call(NamedTuple):
    """What a command of the AWS CLI calls.

    Attributes:
        service: Such as `sqs`.
        operation: Such as `set-queue-attributes`.
        parameters: As boto3 takes them.
        place: Profile, Region and endpoint, as far as they are given.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    place: dict[str, str]


@functools.cache
def operations(service: str) -> dict[str, OperationModel]:
    """Return a service's operations by their names in the AWS CLI."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}


def parsed(command: Sequence[str]) -> Call:
    """Return what a command calls; an unknown word of it is a KeyError."""
    program, service, operation, *words = command
    assert program == "aws"
    service = _SERVICES.get(service, service)
    shape: Any = operations(service)[operation].input_shape
    members: dict[str, str] = {f"--{xform_name(name, '-')}": name for name in shape.members}
    parameters: dict[str, Any] = {}
    place: dict[str, str] = {}
    while words:
        option, given, value = words.pop(0).partition("=")
        name = _RENAMED.get((service, operation, option)) or members.get(option)
        if name is not None and shape.members[name].type_name == "boolean":
            parameters[name] = True
            continue
        value = value if given else words.pop(0)
        assert given or not value.startswith("--"), command
        if option in _GLOBAL:
            place[option] = value
        elif option == "--cli-input-json":
            parameters.update(json.loads(value))
        else:
            parameters[members[option] if name is None else name] = _read(
                value, shape.members[name or members[option]]
            )
    return Call(service, operation, parameters, place)


def faults(call: Call) -> str:
    """Return what the service's model has against a call's parameters."""
    shape: Any = operations(call.service)[call.operation].input_shape
    return str(ParamValidator().validate(call.parameters, shape).generate_report())


def do(cloud: LocalCloud, command: Sequence[str]) -> Call:
    """Do on an engine what a command of the AWS CLI says, and return it."""
    call = parsed(command)
    assert call.place["--region"] == cloud.region
    client = cloud.client(call.service)
    getattr(client, call.operation.replace("-", "_"))(**call.parameters)
    return call


def _read(value: str, shape: Shape) -> Any:
    return value if shape.type_name == "string" else json.loads(value)
