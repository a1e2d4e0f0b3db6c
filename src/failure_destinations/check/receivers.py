"""Queues and topics of the templates: who may send to a queue, and whether a topic has subscribers.

Only what the templates say is judged. Anything that is not known counts as working.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from .causes import Cause, Flaw
from .marks import Mark, Marks
from .opaque import OpaqueParts
from .policies import Policies
from .resolver import Resolver
from .scope import Scope
from .values import intrinsic, items, mapping, members

_QUEUE = "AWS::SQS::Queue"
_TOPIC = "AWS::SNS::Topic"
_KEY = "AWS::KMS::Key"
_KEY_ALIAS = "AWS::KMS::Alias"
# What subscribes to topics, with the property that names them. A chat channel subscribes itself:
# https://docs.aws.amazon.com/chatbot/latest/APIReference/API_SlackChannelConfiguration.html
_SUBSCRIBERS = {
    "AWS::SNS::Subscription": "TopicArn",
    "AWS::Chatbot::SlackChannelConfiguration": "SnsTopicArns",
    "AWS::Chatbot::MicrosoftTeamsChannelConfiguration": "SnsTopicArns",
}
# Each type of a queue policy with the property that names its queues.
_QUEUE_POLICIES = {"AWS::SQS::QueuePolicy": "Queues", "AWS::SQS::QueueInlinePolicy": "Queue"}
_KEY_OF_AWS = "alias/aws/sqs"
_SEND = "sqs:sendmessage"
_ENCRYPT = "kms:generatedatakey"
# A resource by its scope and logical id.
_Resource = tuple[Scope, str]


class Receivers:
    """Finds what keeps events out of the queues and topics of the templates."""

    def __init__(self, scopes: list[Scope], marks: Marks, resolver: Resolver) -> None:
        """Take all scopes that may refer to one another."""
        self._scopes = scopes
        self._marks = marks
        self._resolver = resolver
        self._opaque = OpaqueParts()
        self._policies = Policies(marks, resolver)
        self._documents: dict[_Resource | None, list[tuple[Any, Scope]]] | None = None
        self._senders: dict[tuple[_Resource | None, str], bool] = {}
        self._judged: dict[tuple[int, str], bool] = {}
        self._subscribed: set[_Resource | None] | None = None

    def flaw_of_queue(self, arn: str, service: str) -> Cause | None:
        """Return why a service that needs the queue's permission cannot send to it, or None.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        https://docs.aws.amazon.com/sns/latest/dg/sns-configure-dead-letter-queue.html
        """
        queue = self._defined(arn, _QUEUE)
        if queue is None:
            return None
        scope, logical_id = queue
        sender = f"{service}.amazonaws.com"
        shown = self._marks.clean(logical_id)
        if (
            not self._opaque.may_change(scope, logical_id)
            and not self._may_send(queue, service)
            and not self._may_send(None, service)
        ):
            return Cause(Flaw.NO_QUEUE_POLICY, (shown, sender))
        key = _properties(queue).get("KmsMasterKeyId")
        if _is_given(key, scope):
            return None
        texts = self._resolver.texts(key, scope)
        return self._flaw_of_key(texts[0] or "", shown, service) if len(texts) == 1 else None

    def flaw_of_topic(self, arn: str) -> Cause | None:
        """Return why nobody gets what is sent to a topic, or None."""
        topic = self._defined(arn, _TOPIC)
        if topic is None or self._opaque.may_change(*topic):
            return None
        if self._subscribed is None:
            self._subscribed = set(self._read_subscribed())
        if topic in self._subscribed or None in self._subscribed:
            return None
        if list(items(_properties(topic).get("Subscription"))):
            return None
        return Cause(Flaw.NO_SUBSCRIPTION, (self._marks.clean(topic[1]),))

    def _may_send(self, queue: _Resource | None, service: str) -> bool:
        """Return whether a policy of a queue, or of one that is not known, may let a service in."""
        known = self._senders.get((queue, service))
        if known is None:
            documents = self._documents_of_queues().get(queue, ())
            known = self._senders[queue, service] = any(
                self._lets_send(document, scope, service) for document, scope in documents
            )
        return known

    def _lets_send(self, document: Any, scope: Scope, service: str) -> bool:
        # One document may be the policy of many queues. It stays alive as long as its template.
        known = self._judged.get((id(document), service))
        if known is None:
            known = self._policies.may_let_in(document, scope, service, _SEND)
            self._judged[id(document), service] = known
        return known

    def _flaw_of_key(self, text: str, queue: str, service: str) -> Cause | None:
        """Return why a service cannot use the key of a queue, or None.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
        """
        sender = f"{service}.amazonaws.com"
        if text.lower().endswith(_KEY_OF_AWS):
            return Cause(Flaw.KEY_OF_AWS, (queue, sender))
        key = self._mentioned(text, _KEY)
        alias = self._mentioned(text, _KEY_ALIAS)
        if alias is not None:
            texts = self._resolver.texts(_properties(alias).get("TargetKeyId"), alias[0])
            key = self._mentioned(texts[0] or "", _KEY) if len(texts) == 1 else None
        if key is None or self._opaque.may_change(*key):
            return None
        document = _properties(key).get("KeyPolicy")
        if self._policies.may_let_in(document, key[0], service, _ENCRYPT):
            return None
        return Cause(Flaw.NO_KEY_POLICY, (queue, sender, self._marks.clean(key[1])))

    def _documents_of_queues(self) -> dict[_Resource | None, list[tuple[Any, Scope]]]:
        """Return the policy documents by queue; None stands for a queue that is not known."""
        if self._documents is None:
            self._documents = defaultdict(list)
            for scope, properties, name in self._queue_policies():
                document = properties.get("PolicyDocument")
                for value in members(properties, name):
                    for text in self._resolver.texts(value, scope):
                        if text is not None:
                            queue = self._mentioned(text, _QUEUE)
                            self._documents[queue].append((document, scope))
        return self._documents

    def _queue_policies(self) -> Iterator[tuple[Scope, Mapping[str, Any], str]]:
        for scope in self._scopes:
            for resource in scope.resources.values():
                type = mapping(resource).get("Type")
                if isinstance(type, str) and type in _QUEUE_POLICIES:
                    yield scope, mapping(resource.get("Properties")), _QUEUE_POLICIES[type]

    def _read_subscribed(self) -> Iterator[_Resource | None]:
        """Yield the topics with subscriptions; None for a topic that is not known."""
        for scope in self._scopes:
            for resource in scope.resources.values():
                type = mapping(resource).get("Type")
                name = _SUBSCRIBERS.get(type) if isinstance(type, str) else None
                if name is None:
                    continue
                for value in members(resource, "Properties", name):
                    for text in self._resolver.texts(value, scope):
                        if text is not None:
                            yield self._mentioned(text, _TOPIC)

    def _defined(self, arn: str, type: str) -> _Resource | None:
        """Return the resource of a type that an ARN certainly is, or None."""
        mark = self._marks.only(arn.rpartition(":")[2])
        return _resource(mark, type) if mark is not None and mark.kind == "name" else None

    def _mentioned(self, text: str, type: str) -> _Resource | None:
        """Return the only resource of a type that a text names, or None."""
        marks = self._marks.of(text)
        found = {_resource(mark, type) for mark in marks if mark.kind != "unknown"}
        return found.pop() if len(found) == 1 else None


def _is_given(value: Any, scope: Scope) -> bool:
    """Return whether whoever deploys the template gives a value, so that a default says little."""
    call = intrinsic(value)
    if call is None or call[0] != "Ref" or not isinstance(call[1], str):
        return False
    is_passed = scope.parent is not None and call[1] in scope.parameters
    return scope.parameter(call[1]) is not None and not is_passed


def _resource(mark: Mark, type: str) -> _Resource | None:
    definition = mapping(mark.scope.resources.get(mark.what))
    return (mark.scope, mark.what) if definition.get("Type") == type else None


def _properties(resource: _Resource) -> Mapping[str, Any]:
    scope, logical_id = resource
    return mapping(mapping(scope.resources.get(logical_id)).get("Properties"))
