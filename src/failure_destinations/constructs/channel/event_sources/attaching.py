"""Attaches event source mappings to a channel: who may write to its bucket, and in which order."""

from __future__ import annotations

from typing import cast

from aws_cdk import Annotations, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from ...called import Called
from ...grants import add_statements
from ...keys import SEND, in_words
from ...suppressions import DATA_KEYS, acknowledge
from ...synthesis import warn_if_synthesised
from ..attaching import Place, check_imported, place_of
from ..wiring import AttachedEventSource, Wiring
from .failures import EventSourceFailures, failures_of
from .retries import warn_of_blocked_shard


def attach_event_source(
    wiring: Wiring, mapping: Construct, handler: lambda_.IFunction
) -> AttachedEventSource:
    """Let Lambda write the failed batches of a mapping to the channel's bucket.

    Args:
        wiring: The channel's wiring.
        mapping: The mapping: an `EventSourceMapping`, or a `CfnEventSourceMapping`.
        handler: The function, alias or version that it invokes.

    Raises:
        ValueError: The handler is imported without a role, or is in another account or Region.
    """
    called = Called(handler)
    if not isinstance(handler, lambda_.Function):
        check_imported(called)
    wiring.check_within_reach(handler, called.stack)
    warn_if_synthesised(wiring.stack, mapping)
    failures = failures_of(wiring)
    role = cast(iam.IRole, handler.role)
    place = place_of(called, Stack.of(mapping))
    may_write = True
    if place is Place.BY_CDK:
        may_write = _let_role_write(failures, role, mapping, is_encrypted=wiring.key is not None)
        writer: Construct = cast(Construct, role)
        if not isinstance(handler, lambda_.Function):
            # Lambda rejects a destination that the role may not write to. A function depends on the
            # policies of its role.
            mapping.node.add_dependency(role)
    else:
        # The stack of the role must not refer to the channel's, which may refer to it.
        writer = iam.Policy(
            mapping, "HandlerPolicy", roles=[role], statements=failures.statements()
        )
        mapping.node.add_dependency(writer)
    if wiring.key is not None:
        acknowledge(writer, DATA_KEYS)
    # A batch that fails before all of them exist would not be announced.
    mapping.node.add_dependency(
        *failures.ready, wiring.queue_subscription, wiring.dead_letter_queue
    )
    attached = AttachedEventSource(handler, mapping, writer, may_write)
    wiring.event_sources.append(attached)
    return attached


def attach_uncovered_mapping(
    wiring: Wiring,
    mapping: Construct,
    resource: lambda_.CfnEventSourceMapping,
    handler: lambda_.IFunction,
) -> bool:
    """Attach a mapping that `cover` found, and return whether Lambda may write its batches.

    Args:
        wiring: The channel's wiring.
        mapping: The mapping: an `EventSourceMapping`, or the resource itself.
        resource: Its resource.
        handler: The function, alias or version that it invokes.
    """
    attached = attach_event_source(wiring, mapping, handler)
    # Set as a property, so that the user's own property override, which is not visible here, wins.
    resource.destination_config = lambda_.CfnEventSourceMapping.DestinationConfigProperty(
        on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(
            destination=failures_of(wiring).bucket.bucket_arn
        )
    )
    warn_of_blocked_shard(attached)
    return attached.may_write


def _let_role_write(
    failures: EventSourceFailures, role: iam.IRole, mapping: Construct, *, is_encrypted: bool
) -> bool:
    """Add the statements to a role; warn and return False if CDK silently drops them."""
    if add_statements(role, failures.statements()):
        return True
    Annotations.of(mapping).add_warning_v2(
        "failure-destinations:fixed-role",
        "the role of the mapping's function cannot be changed here: allow it to use s3:PutObject "
        f"and s3:ListBucket on the channel's bucket {failures.bucket.node.path}"
        + (f", and {in_words(SEND)} on its key" if is_encrypted else "")
        + ", or Lambda rejects the destination.",
    )
    return False
