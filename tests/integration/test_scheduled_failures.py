"""What happens to a failed run of a schedule; last, since schedules fire on the minute."""

from __future__ import annotations

import pytest

from failure_destinations.testing import LocalCloud

from .conftest import SCHEDULED_PAYLOAD, failed_event, runs_of

pytestmark = pytest.mark.integration


def test_keeps_a_failed_event_of_the_schedule(
    localemu: LocalCloud, outputs: dict[str, str]
) -> None:
    """The schedule fires, the handler runs twice, and the schedule's payload is in the queue."""
    function = outputs["ScheduledName"]
    request_id = next(iter(localemu.runs(function, count=1, timeout=100)))
    record = failed_event(localemu, outputs["QueueUrl"], request_id)
    assert record["requestPayload"] == SCHEDULED_PAYLOAD
    assert runs_of(localemu, function, request_id, 2) == 2
