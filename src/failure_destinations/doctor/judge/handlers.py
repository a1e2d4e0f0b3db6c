"""Judges each handler's destination, role and own queue: whether Lambda sends to the channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .. import kinds
from ..facts import Channel, Handler, Permission, Unknown
from ..findings import Finding, Subject, unreadable
from ..fixes import AwsCall, Fix, grant_to_role


def judge_handlers(channel: Channel) -> Iterator[Finding]:
    """Judge each handler of the channel."""
    if channel.unlisted is not None:
        yield unreadable(kinds.NO_HANDLERS, Subject("channel", channel.path), channel.unlisted)
    elif not channel.handlers and not _is_for_event_sources(channel):
        yield Finding(kinds.NO_HANDLERS, Subject("channel", channel.path))
    for handler in channel.handlers:
        subject = Subject("handler", handler.name)
        if isinstance(handler.settings, Unknown):
            yield unreadable(kinds.HANDLER, subject, handler.settings)
        elif handler.settings is None:
            yield Finding(kinds.HANDLER_MISSING, subject)
            continue
        if handler.is_durable:
            found = list(_judge_durable(handler, subject))
        else:
            found = [
                *_judge_destination(channel, handler, subject),
                *_judge_role(handler, subject),
                *_judge_copies(channel, handler, subject),
            ]
        yield from found
        if not any(finding.severity != "info" for finding in found):
            yield Finding(kinds.HANDLER, subject)


def _is_for_event_sources(channel: Channel) -> bool:
    """Return whether failed batches or messages come to the channel."""
    sources = channel.event_sources
    return bool(channel.source_dead_letters or (sources and not isinstance(sources, Unknown)))


def _judge_destination(channel: Channel, handler: Handler, subject: Subject) -> Iterator[Finding]:
    if isinstance(handler.config, Unknown):
        yield unreadable(kinds.HANDLER_DESTINATION, subject, handler.config)
    elif handler.destination != channel.topic.arn or handler.destination_exists is False:
        facts = {
            "configured": handler.config is not None,
            "destination": handler.destination,
            "is_channels": handler.destination == channel.topic.arn,
        }
        fix = _set_destination(channel, handler, handler.config)
        yield Finding(kinds.HANDLER_DESTINATION, subject, facts, fix)
    elif isinstance(handler.destination_exists, Unknown):
        yield unreadable(kinds.HANDLER_DESTINATION, subject, handler.destination_exists)


def _judge_durable(handler: Handler, subject: Subject) -> Iterator[Finding]:
    """Judge a durable function, whose failures only its dead-letter queue gets."""
    if isinstance(handler.is_forwarded, Unknown):
        yield unreadable(kinds.HANDLER_DESTINATION, subject, handler.is_forwarded)
    elif not handler.is_forwarded:
        yield Finding(kinds.HANDLER_DESTINATION, subject, {"durable": True})
    elif isinstance(handler.forwarder, Unknown):
        yield unreadable(kinds.HANDLER_DESTINATION, subject, handler.forwarder)
    elif handler.forwarder is None or handler.forwarder.get("State") in ("Disabled", "Disabling"):
        fix: Fix = ()
        if handler.forwarder is not None:
            parameters = {"UUID": handler.forwarder["UUID"], "Enabled": True}
            fix = (AwsCall("lambda", "UpdateEventSourceMapping", parameters),)
        yield Finding(kinds.HANDLER_DESTINATION, subject, {"forwarder": handler.forwarder}, fix)


def _judge_role(handler: Handler, subject: Subject) -> Iterator[Finding]:
    if isinstance(handler.denied, Unknown):
        yield unreadable(kinds.HANDLER_PERMISSION, subject, handler.denied)
        return
    for kind, serves in (
        (kinds.HANDLER_PERMISSION, "topic"),
        (kinds.HANDLER_COPY_PERMISSION, "copy queue"),
    ):
        denied = [permission for permission in handler.denied if permission.serves == serves]
        if denied:
            facts = {"actions": [permission.action for permission in denied]}
            yield Finding(kind, subject, facts, _grant(handler, denied))


def _judge_copies(channel: Channel, handler: Handler, subject: Subject) -> Iterator[Finding]:
    copies = channel.copy_queue
    if copies is None or copies.arn is None or isinstance(handler.settings, Unknown):
        return
    target = handler.dead_letter_target
    if target == copies.arn:
        return
    elsewhere = target is not None and not handler.declares_copies
    yield Finding(
        kinds.HANDLER_COPIES,
        subject,
        {"target": target},
        () if elsewhere else _set_copies(handler, copies.arn),
        given_severity="info" if elsewhere else None,
    )


def _set_copies(handler: Handler, arn: str) -> Fix:
    parameters = {"FunctionName": handler.function, "DeadLetterConfig": {"TargetArn": arn}}
    return (AwsCall("lambda", "UpdateFunctionConfiguration", parameters),)


def _set_destination(
    channel: Channel, handler: Handler, config: Mapping[str, object] | None
) -> Fix:
    # An update keeps the retries and maximum age, but replaces both destinations.
    known = (config or {}).get("DestinationConfig") or {}
    others = {k: v for k, v in known.items() if v} if isinstance(known, Mapping) else {}
    parameters = {
        "FunctionName": handler.function,
        "Qualifier": handler.qualifier or "$LATEST",
        "DestinationConfig": {**others, "OnFailure": {"Destination": channel.topic.arn}},
    }
    verb = "Put" if config is None else "Update"
    return (AwsCall("lambda", f"{verb}FunctionEventInvokeConfig", parameters),)


def _grant(handler: Handler, denied: list[Permission]) -> Fix:
    """Return the steps that grant the role its missing permissions, one for each resource.

    Empty if a policy explicitly denies one of them, because a grant would not help.
    """
    if handler.role is None or any(permission.explicit for permission in denied):
        return ()
    resources = dict.fromkeys(permission.resource for permission in denied)
    return tuple(
        grant_to_role(handler.role, [p.action for p in handler.needed if p.resource == each], each)
        for each in resources
    )
