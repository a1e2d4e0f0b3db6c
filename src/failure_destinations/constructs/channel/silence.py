"""Notes a channel that notifies nobody of its failures."""

from __future__ import annotations

from aws_cdk import Annotations

from .wiring import Wiring

_SILENT = {"replayer", "watchdog"}


def note_silence(wiring: Wiring) -> None:
    """Add an info to a channel that keeps failed events but notifies nobody.

    It is not a warning, because somebody may subscribe to the topic without the channel. Companions
    other than a replayer and a watchdog, such as a monitoring, notify people of failures.
    """
    people = [*wiring.mailboxes, *wiring.subscribers, *(wiring.companion_kinds - _SILENT)]
    if people or not [*wiring.handlers, *wiring.event_sources]:
        return
    Annotations.of(wiring.channel).add_info_v2(
        "failure-destinations:nobody-notified",
        "this channel keeps failed events, but notifies nobody: pass emails=[…] or "
        "subscriptions=[…], or define a FailureNotifier.",
    )
