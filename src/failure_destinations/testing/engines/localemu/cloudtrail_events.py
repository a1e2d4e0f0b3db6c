"""A patch that makes localemu tell EventBridge of API calls only where a rule may ask for them.

localemu 1.3.2 starts a thread for each call, which waits a minute and then makes a request.
"""

# localemu is installed where this module runs, not where it is type-checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import functools
import json
from typing import Any

from localemu.services.cloudtrail import recording_hook
from localemu.services.events.models import events_stores
from localemu.utils.event_matcher import matches_event


def apply() -> None:
    """Patch localemu."""
    emit = recording_hook._emit_cloudtrail_to_eventbridge
    recording_hook._emit_cloudtrail_to_eventbridge = _where_wanted(emit)


def _where_wanted(original: Any) -> Any:
    @functools.wraps(original)
    def emit(*, service_name: str, account_id: str, region: str, **call: Any) -> None:
        store = events_stores[account_id or "000000000000"][region or "us-east-1"]
        bus = store.event_buses.get("default")
        rules = bus.rules.values() if bus else []
        if store.archives or any(_may_match(rule.event_pattern, service_name) for rule in rules):
            original(service_name=service_name, account_id=account_id, region=region, **call)

    return emit


def _may_match(pattern: Any, service: str) -> bool:
    """Return whether a rule's pattern allows the source and the type of a call's event."""
    if pattern is None:
        # The rule has a schedule.
        return False
    known = {"source": f"aws.{service.lower()}", "detail-type": "AWS API Call via CloudTrail"}
    asked = json.loads(pattern) if isinstance(pattern, str) else pattern
    head = {name: asked[name] for name in known if name in asked}
    return not head or bool(matches_event(json.dumps(head), json.dumps(known)))
