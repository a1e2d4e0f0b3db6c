"""Reads the event source mappings of the account and Region, once for all channels."""

from __future__ import annotations

from collections.abc import Sequence

from failure_destinations.deployed.session import Aws

from ..facts import Attributes, Unknown
from .aws_reader import AwsReader


class Mappings:
    """The event source mappings of an account and Region.

    Args:
        aws: The account and Region.
        reader: The reader of AWS.
    """

    def __init__(self, aws: Aws, reader: AwsReader) -> None:
        self._aws = aws
        self._reader = reader
        self._listed: Sequence[Attributes] | Unknown | None = None

    def all(self) -> Sequence[Attributes] | Unknown:
        """Return every mapping, as `ListEventSourceMappings` returns it.

        It takes one request for each hundred of them.
        https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
        """
        if self._listed is None:
            pages = self._aws.client("lambda").get_paginator("list_event_source_mappings")
            listed = self._reader.read(
                "lambda:ListEventSourceMappings",
                lambda: [
                    dict(mapping)
                    for page in pages.paginate()
                    for mapping in page["EventSourceMappings"]
                ],
            )
            self._listed = [] if listed is None else listed
        return self._listed

    def of_source(self, arn: str) -> Sequence[Attributes] | Unknown:
        """Return the mappings that read a source.

        Args:
            arn: The ARN of the stream or queue.
        """
        listed = self.all()
        if isinstance(listed, Unknown):
            return listed
        return [mapping for mapping in listed if mapping.get("EventSourceArn") == arn]
