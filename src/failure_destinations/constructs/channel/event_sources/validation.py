"""What shows of event source mappings only once everything is defined."""

from __future__ import annotations

from collections.abc import Iterator

import jsii
from aws_cdk import aws_iam as iam
from constructs import Construct, IValidation

from ...refusals import shown
from ...suppressions import acknowledge_batches
from ...tree import ref
from ..wiring import Wiring
from .sources import WITHOUT_DESTINATION, source_kind


@jsii.implements(IValidation)
class Validation:
    """Reports sources that Lambda has no failure destination for.

    It also acknowledges findings of cdk-nag, whose ids contain references between stacks: CDK has
    written these by now.

    Args:
        wiring: The channel's wiring.
        readers: The roles that read batches, now or later.
        batches_arn: The ARN of the batches.
    """

    def __init__(self, wiring: Wiring, readers: list[iam.Role], batches_arn: str) -> None:
        self._wiring = wiring
        self._readers = readers
        self._batches_arn = batches_arn
        self._acknowledged: set[str] = set()

    def validate(self) -> list[str]:
        """Return an error for each such source."""
        for each in (*self._readers, *(source.writer for source in self._wiring.event_sources)):
            self._acknowledge(each)
        return list(self._problems())

    def _acknowledge(self, construct: Construct) -> None:
        if ref(construct) not in self._acknowledged:
            self._acknowledged.add(ref(construct))
            acknowledge_batches(construct, self._batches_arn)

    def _problems(self) -> Iterator[str]:
        for attached in self._wiring.event_sources:
            kind = source_kind(attached.resource)
            if kind in WITHOUT_DESTINATION:
                yield (
                    "on_failure must be left out for this event source, got "
                    f"{shown(attached.mapping.node.path)} for {WITHOUT_DESTINATION[kind]}"
                )
