"""Does Lambda send to the channel: each handler's destination, role and dead-letter queue."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Channel, Handler, Unknown
from ..findings import Finding, aws_command, not_known


def judge_handlers(channel: Channel) -> Iterator[Finding]:
    """Judge each handler of the channel that its stack defines."""
    if not channel.handlers:
        yield Finding(
            "info",
            "handlers-elsewhere",
            channel.path,
            "its stack defines none of its handlers, and what other stacks define is not looked at",
        )
    for handler in channel.handlers:
        if isinstance(handler.settings, Unknown):
            yield not_known("handler", handler.name, handler.settings)
        elif handler.settings is None:
            yield Finding(
                "error",
                "handler-missing",
                handler.name,
                "the function is not there",
                "remove it from the stack and deploy, or deploy it anew under another id",
            )
            continue
        found = [
            *_judge_destination(channel, handler),
            *_judge_role(channel, handler),
            *_judge_copies(channel, handler),
        ]
        yield from found
        if not any(finding.severity != "info" for finding in found):
            yield Finding("ok", "handler", handler.name, "its failed events go to the topic")


def _judge_destination(channel: Channel, handler: Handler) -> Iterator[Finding]:
    if isinstance(handler.config, Unknown):
        yield not_known("handler-destination", handler.name, handler.config)
        return
    text = _wrong_destination(channel, handler)
    if text is not None:
        yield Finding(
            "error", "handler-destination", handler.name, text, _set_destination(channel, handler)
        )
    elif isinstance(handler.destination_there, Unknown):
        yield not_known("handler-destination", handler.name, handler.destination_there)


def _wrong_destination(channel: Channel, handler: Handler) -> str | None:
    if handler.config is None:
        return "has no asynchronous configuration: Lambda drops its failed events"
    if handler.destination is None:
        return "has no failure destination: Lambda drops its failed events"
    if handler.destination != channel.topic.arn:
        return f"its failed events go to {handler.destination}, and not to the channel"
    if handler.destination_there is False:
        return f"its failed events go to {handler.destination}, which is not there"
    return None


def _judge_role(channel: Channel, handler: Handler) -> Iterator[Finding]:
    if isinstance(handler.denied, Unknown):
        yield not_known("handler-permission", handler.name, handler.denied)
        return
    for_topic = [action for action in handler.denied if not action.startswith("sqs:")]
    if for_topic:
        yield Finding(
            "error",
            "handler-permission",
            handler.name,
            f"its role lacks {' and '.join(for_topic)} for the topic: Lambda drops the records",
            _grant(handler, channel.topic.arn, for_topic),
        )
    copies = channel.copy_queue
    if "sqs:SendMessage" in handler.denied and copies is not None and copies.arn is not None:
        yield Finding(
            "warning",
            "handler-copy-permission",
            handler.name,
            "its role lacks sqs:SendMessage for the copy queue: no copies are kept",
            _grant(handler, copies.arn, ["sqs:SendMessage"]),
        )


def _judge_copies(channel: Channel, handler: Handler) -> Iterator[Finding]:
    copies = channel.copy_queue
    if copies is None or copies.arn is None or isinstance(handler.settings, Unknown):
        return
    target = handler.dead_letter_target
    if target == copies.arn:
        return
    if target is not None:
        yield Finding(
            "warning" if handler.declares_copies else "info",
            "handler-copies",
            handler.name,
            f"keeps its copies elsewhere, in {target}",
            _set_copies(handler, copies.arn) if handler.declares_copies else None,
        )
        return
    yield Finding(
        "warning",
        "handler-copies",
        handler.name,
        "has no dead-letter queue of its own: a record of over 256 KB, or one that Lambda cannot "
        "send to the topic, is lost",
        _set_copies(handler, copies.arn),
    )


def _set_copies(handler: Handler, arn: str) -> str:
    return aws_command(
        "lambda",
        "update-function-configuration",
        function_name=handler.function,
        dead_letter_config={"TargetArn": arn},
    )


def _set_destination(channel: Channel, handler: Handler) -> str:
    # An update leaves retries and age as they are.
    verb = "put" if handler.config is None else "update"
    return aws_command(
        "lambda",
        f"{verb}-function-event-invoke-config",
        function_name=handler.function,
        qualifier=handler.qualifier or "$LATEST",
        destination_config={"OnFailure": {"Destination": channel.topic.arn}},
    )


def _grant(handler: Handler, arn: str, actions: list[str]) -> str:
    known = handler.settings if not isinstance(handler.settings, Unknown) else None
    role = str((known or {}).get("Role", "")).rpartition("/")[2] or "ROLE"
    keys = [action for action in actions if action.startswith("kms:")]
    statements = [
        {"Effect": "Allow", "Action": [a for a in actions if a not in keys], "Resource": arn}
    ]
    if keys:
        statements.append({"Effect": "Allow", "Action": keys, "Resource": "*"})
    return aws_command(
        "iam",
        "put-role-policy",
        role_name=role,
        policy_name="failure-destinations",
        policy_document={
            "Version": "2012-10-17",
            "Statement": [statement for statement in statements if statement["Action"]],
        },
    )
