"""Tools for testing Lambda failure paths on this machine, without Docker or an AWS account.

Everything here is imported on first use, because an engine's own environment, which has no boto3,
loads this package too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import LocalCloudError
    from .local_cloud import LocalCloud
    from .observations import Mail, Message

__all__ = ["LocalCloud", "LocalCloudError", "Mail", "Message"]

_MODULES = {
    "LocalCloud": "local_cloud",
    "LocalCloudError": "errors",
    "Mail": "observations",
    "Message": "observations",
}


def __getattr__(name: str) -> Any:
    try:
        module = _MODULES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
