"""An error as a person reads it: type, message and stack trace."""

from __future__ import annotations

from nicegui import ui

from failure_destinations.runtime import FailedEvent
from failure_destinations.text import readable_lines


def error_of(event: FailedEvent) -> None:
    """Show the error of an event."""
    lines = [f"{event.error_type or '?'}: {event.error_message or ''}", *event.stack_trace]
    text = readable_lines("\n".join(line.rstrip("\r\n") for line in lines))
    ui.label(text).classes("text mono").props("data-part=error")
