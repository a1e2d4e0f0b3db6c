"""AWS CDK constructs that keep every event that a Lambda function failed to handle.

The constructs are exported lazily (PEP 562), so that importing this package neither imports the
CDK nor starts Node.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .check import UncoveredFunction, find_uncovered_functions
    from .constructs.channel.channel import FailureChannel
    from .constructs.check_plugin import FailureDestinationCheck
    from .constructs.function import FailureNotifiedFunction
    from .constructs.monitoring.monitoring import FailureMonitoring, MonitoringThresholds
    from .constructs.notifier.notifier import FailureNotifier
    from .constructs.notifier.webhook import Webhook
    from .constructs.replayer.replayer import FailureReplayer
    from .constructs.watchdog.watchdog import FailureWatchdog

__all__ = [
    "FailureChannel",
    "FailureDestinationCheck",
    "FailureMonitoring",
    "FailureNotifiedFunction",
    "FailureNotifier",
    "FailureReplayer",
    "FailureWatchdog",
    "MonitoringThresholds",
    "UncoveredFunction",
    "Webhook",
    "__version__",
    "find_uncovered_functions",
]

__version__ = "0.1.0"

_MODULES = {
    "FailureChannel": ".constructs.channel.channel",
    "FailureDestinationCheck": ".constructs.check_plugin",
    "FailureMonitoring": ".constructs.monitoring.monitoring",
    "FailureNotifiedFunction": ".constructs.function",
    "FailureNotifier": ".constructs.notifier.notifier",
    "FailureReplayer": ".constructs.replayer.replayer",
    "FailureWatchdog": ".constructs.watchdog.watchdog",
    "MonitoringThresholds": ".constructs.monitoring.thresholds",
    "UncoveredFunction": ".check",
    "Webhook": ".constructs.notifier.webhook",
    "find_uncovered_functions": ".check",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
