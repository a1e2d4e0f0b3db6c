"""Reads a channel's dead-letter queues of source queues, and those source queues."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..facts import Attributes, EventSource, SourceDeadLetters, SourceQueue, Unknown, name_of
from .keys import gather_key
from .queues import gather_queue
from .sources import Sources


def gather_source_dead_letters(sources: Sources, urls: Sequence[str]) -> list[SourceDeadLetters]:
    """Return a channel's dead-letter queues of source queues.

    If there are none, it sends no request.

    Args:
        sources: The sources of facts.
        urls: The URLs of the dead-letter queues.
    """
    return [_SourceQueues(sources, url).gather() for url in urls]


class _SourceQueues:
    def __init__(self, sources: Sources, url: str) -> None:
        self._sources = sources
        self._stack = sources.stack
        self._read = sources.reader.read
        self._sqs = sources.aws.client("sqs")
        self._url = url

    def gather(self) -> SourceDeadLetters:
        """Return the dead-letter queue with its source queues."""
        queue = gather_queue(self._sources, "source dead-letter queue", self._url)
        declared = self._declared()
        listed = self._listed() if queue.known else []
        unlisted = listed if isinstance(listed, Unknown) else None
        # SQS may list another form of the same URL.
        urls = {} if isinstance(listed, Unknown) else {name_of(url): url for url in listed}
        urls.update((name_of(url), url) for url in declared)
        sources = [self._source(url, declared.get(url)) for _, url in sorted(urls.items())]
        return SourceDeadLetters(queue, sources, unlisted)

    def _declared(self) -> dict[str, int | None]:
        """Return the queues that the template has move messages here, by URL."""
        found = {}
        for id in self._stack.of_type("AWS::SQS::Queue"):
            redrive = self._stack.properties(id).get("RedrivePolicy") or {}
            if self._stack.resolve(redrive.get("deadLetterTargetArn")) == self._url:
                receives = str(redrive.get("maxReceiveCount"))
                found[self._stack.physical_ids[id]] = (
                    int(receives) if receives.isdecimal() else None
                )
        return found

    def _listed(self) -> list[str] | Unknown:
        """Return the URLs of the queues that move messages here now, also in other stacks."""
        pages = self._sqs.get_paginator("list_dead_letter_source_queues")
        listed = self._read(
            "sqs:ListDeadLetterSourceQueues",
            lambda: [
                str(url)
                for page in pages.paginate(QueueUrl=self._url)
                for url in page.get("queueUrls", ())
            ],
        )
        return [] if listed is None else listed

    def _source(self, url: str, receives: int | None) -> SourceQueue:
        attributes = self._read("sqs:GetQueueAttributes", lambda: self._attributes(url))
        source = SourceQueue(url, attributes, declared_receives=receives)
        if source.arn is None:
            return source
        return dataclasses.replace(
            source,
            readers=self._readers(source.arn),
            key=gather_key(self._sources, source.known.get("KmsMasterKeyId")),
        )

    def _attributes(self, url: str) -> dict[str, str]:
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return {str(name): value for name, value in answer["Attributes"].items()}

    def _readers(self, arn: str) -> Sequence[EventSource] | Unknown:
        mappings = self._sources.mappings.of_source(arn)
        if isinstance(mappings, Unknown):
            return mappings
        return [self._reader(mapping) for mapping in mappings]

    def _reader(self, mapping: Attributes) -> EventSource:
        uuid = str(mapping.get("UUID", ""))
        ids = self._stack.of_type("AWS::Lambda::EventSourceMapping")
        declared = next((id for id in ids if self._stack.physical_ids[id] == uuid), None)
        properties = {} if declared is None else self._stack.properties(declared)
        source = EventSource(
            uuid,
            mapping,
            declared=declared is not None,
            declared_enabled=properties.get("Enabled", True) is not False,
        )
        client = self._sources.aws.client("lambda")
        settings = self._read(
            "lambda:GetFunctionConfiguration",
            lambda: dict(
                client.get_function_configuration(FunctionName=source.function.partition(":")[0])
            ),
        )
        return dataclasses.replace(source, settings=settings)
