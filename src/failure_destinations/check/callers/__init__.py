"""The callers of functions: one module for each service, one reader for each resource type."""

from __future__ import annotations

from collections.abc import Callable

from ..resource import Resource
from . import (
    alarms,
    apis,
    cognito,
    config,
    custom_resources,
    event_sources,
    events,
    iot,
    logs,
    mail,
    operations,
    permissions,
    roles,
    s3,
    serverless_framework,
    sns,
    synchronous,
    workflows,
)

CALLERS: dict[str, Callable[[Resource], None]] = {}
for _module in (
    events,
    roles,
    sns,
    s3,
    serverless_framework,
    mail,
    iot,
    operations,
    config,
    logs,
    alarms,
    apis,
    cognito,
    synchronous,
    event_sources,
    workflows,
    custom_resources,
    permissions,
):
    CALLERS |= _module.CALLERS

CUSTOM_RESOURCE = custom_resources.read

__all__ = ["CALLERS", "CUSTOM_RESOURCE"]
