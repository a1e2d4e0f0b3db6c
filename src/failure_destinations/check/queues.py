"""SQS queues of the templates: their times, dead-letter queues, and who watches them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .causes import Cause, Doubt
from .marks import Mark, Marks
from .model import NOWHERE, Destination, Kept, Queue
from .named import NamedResources
from .opaque import OpaqueParts, named_by_code, parts, words
from .references import is_fifo
from .resolver import Resolver, Texts
from .resource import Resource
from .scope import Scope
from .values import branches, intrinsic, leaves, mapping, members, scalar

QUEUE = "AWS::SQS::Queue"
# In seconds. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
_DEFAULT_VISIBILITY = 30
_DEFAULT_RETENTION = 345_600
# The dead-letter queues that `FailureChannel.dead_letter_queue_for` defines: `FailureMonitoring`
# and `FailureNotifier` watch these.
_OF_A_CHANNEL = "SourceDeadLetters"
# What names a queue and does not read it.
_NOT_READING = frozenset({QUEUE, "AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy"})
_RECEIVE = "sqs:receive"
_ALL = ("*", "sqs:*")
# The properties that name where dead letters and failures go.
_DEAD_LETTERS = frozenset(
    {"RedrivePolicy", "DeadLetterConfig", "OnFailure", "OnFailureConfiguration"}
)
# The properties that name what a resource sends to, and texts for people.
_SENDING = _DEAD_LETTERS | {
    "DestinationConfig",
    "QueueConfigurations",
    "AlarmDescription",
    "Comment",
    "Description",
    "DisplayName",
    "Tags",
}
_SENDING_OF_TYPE = {
    "AWS::Events::Rule": frozenset({"Arn"}),
    "AWS::Pipes::Pipe": frozenset({"Target"}),
    "AWS::SNS::Subscription": frozenset({"Endpoint"}),
    "AWS::Scheduler::Schedule": frozenset({"Arn"}),
}
# What reads a queue, with the property that names it.
_READS = {"AWS::Lambda::EventSourceMapping": "EventSourceArn", "AWS::Pipes::Pipe": "Source"}
# What is before a queue's name in an ARN or URL; a pseudo parameter has two colons.
_NAME_END = re.compile(r"(?<!:):(?!:)|/")
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9.]+)\}")
_ALARM = "AWS::CloudWatch::Alarm"
_METRICS = "AWS/SQS"


class QueueReader:
    """Reads the queues of stacks that may refer to one another."""

    def __init__(
        self, scopes: list[Scope], marks: Marks, resolver: Resolver, named: NamedResources
    ) -> None:
        """Take all scopes that may refer to one another, and what finds their resources by name."""
        self._scopes = scopes
        self._marks = marks
        self._resolver = resolver
        self._named = named
        self._opaque = OpaqueParts()
        self._by_code: dict[Scope, frozenset[str]] = {}
        self._read_by: dict[Scope, frozenset[str]] | None = None
        self._names_of_read: set[str] = set()
        self._dead_letters: set[str] | None = None
        self._alarm_names: frozenset[str] | None = None
        self._has_alarm_on_all = False

    def read(self, resource: Resource) -> Queue:
        """Return a queue."""
        properties = resource.properties
        # A dead-letter queue is in the account and Region of its queue.
        targets = [
            text and self._named.referred(text, resource.scope, is_here=True)
            for text in _redrive_targets(resource)
        ]
        is_dead_letter = self._is_dead_letter(resource)
        return Queue(
            source=resource.source,
            is_fifo=is_fifo(resource.name, self._marks) is True,
            visibility=resource.seconds(properties.get("VisibilityTimeout"), _DEFAULT_VISIBILITY),
            retention=resource.seconds(
                properties.get("MessageRetentionPeriod"), _DEFAULT_RETENTION
            ),
            dead_letter=self._dead_letter(resource, targets, is_dead_letter=is_dead_letter),
            dead_letter_queues=tuple(filter(None, (self._queue(text) for text in targets))),
            is_dead_letter=is_dead_letter,
            is_watched=self._is_watched(resource),
            acknowledged=resource.acknowledged,
        )

    def _dead_letter(
        self, resource: Resource, targets: list[str | None], *, is_dead_letter: bool
    ) -> Destination:
        """Return where a queue's redrive policy moves messages."""
        scope = resource.scope
        if scope not in self._by_code:
            self._by_code[scope] = named_by_code(scope)
        known = [text for text in targets if text]
        if len(known) == len(targets) and known:
            name = self._marks.readable(known[0].rpartition(":")[2])
            return Destination(Kept.YES, name)
        if known or resource.is_transformed or resource.logical_id in self._by_code[scope]:
            return Destination(Kept.PERHAPS, why=Cause(Doubt.REDRIVE_NOT_KNOWN))
        if not is_dead_letter and _takes_dead_letters(resource):
            return Destination(Kept.PERHAPS, why=Cause(Doubt.REDRIVE_NOT_KNOWN))
        return NOWHERE

    def _queue(self, text: str | None) -> str | None:
        """Return the key of a queue that an ARN names; None for one that is defined elsewhere."""
        mark = self._marks.only((text or "").rpartition(":")[2])
        if mark is None or mark.kind != "name":
            return None
        definition = mapping(mark.scope.resources.get(mark.what))
        return self._marks.text(mark) if definition.get("Type") == QUEUE else None

    def _is_dead_letter(self, resource: Resource) -> bool:
        """Return whether something may send its dead letters or failures to a queue."""
        if self._dead_letters is None:
            self._dead_letters = set()
            for scope in self._scopes:
                self._dead_letters.update(self._targets(scope))
        names = resource.known_texts(resource.properties.get("QueueName"))
        return any(name in self._dead_letters for name in (resource.name, *names) if name)

    def _targets(self, scope: Scope) -> Iterator[str]:
        """Yield the marks of what may get dead letters or failures of a stack; the names of others.

        A queue of another account or Region may have the same name. It counts too.
        """
        waiting = list(_values_for_dead_letters(scope))
        unresolved: list[Any] = []
        seen: set[int] = set()
        while waiting:
            one = waiting.pop()
            if isinstance(one, (Mapping, list)):
                if id(one) in seen:
                    continue
                seen.add(id(one))
            if isinstance(one, list):
                waiting += one
            elif isinstance(one, Mapping) and "Fn::If" in one:
                waiting += (leaf for leaf in branches(one) if leaf is not one)
            elif isinstance(one, Mapping) and intrinsic(one) is None:
                waiting += one.values()
            elif one is not None:
                texts = self._resolver.texts(one, scope)
                yield from self._targets_in_texts(texts)
                if any(text is not None and self._is_unknown(text) for text in texts):
                    unresolved.append(one)
        # A function that is not resolved may return what it refers to.
        for logical_id in _references(unresolved):
            yield self._marks.text(Mark("name", scope, logical_id))

    def _is_unknown(self, text: str) -> bool:
        mark = self._marks.only(text)
        return mark is not None and mark.kind == "unknown"

    def _targets_in_texts(self, texts: Texts) -> Iterator[str]:
        for text in texts:
            # JSON text has its ARN between quotation marks.
            for piece in (text or "").split('"'):
                name = piece.rstrip("\\").rpartition(":")[2]
                mark = self._marks.only(name)
                if mark is None:
                    yield name
                elif mark.kind != "unknown":
                    yield self._marks.text(Mark("name", mark.scope, mark.what))

    def _is_watched(self, resource: Resource) -> bool:
        """Return whether a queue may have an alarm or a reader."""
        scope, logical_id = resource.scope, resource.logical_id
        if _OF_A_CHANNEL in f"{logical_id} {resource.source.path}":
            return True
        if self._read_by is None:
            self._read_by = {there: self._named_by_readers(there) for there in self._scopes}
        if logical_id in self._read_by[scope] or self._opaque.may_change(scope, logical_id):
            return True
        given = resource.known_texts(resource.properties.get("QueueName"))
        written = {name for name in (*given, *_written_names(resource)) if name}
        if not written.isdisjoint(self._names_of_read):
            return True
        return not written.isdisjoint(self._names_in_alarms()) or self._has_alarm_on_all

    def _named_by_readers(self, scope: Scope) -> frozenset[str]:
        """Return all words near which a logical id may be that something reads or watches.

        The names of queues in the same texts are kept, too.
        """
        # Other stacks may use its outputs.
        found = set() if self._is_alone else set(words(dict(scope.outputs)))
        for text in _texts_of_readers(scope):
            found.update(words([text]))
            self._names_of_read.update(_NAME_END.split(text))
        for resource in scope.resources.values():
            name = _READS.get(scalar(mapping(resource).get("Type")))
            if name is not None:
                value = mapping(resource.get("Properties")).get(name)
                for arn in self._resolver.texts(value, scope):
                    self._names_of_read.add((arn or "").rpartition(":")[2])
        return frozenset(found)

    @property
    def _is_alone(self) -> bool:
        return len(self._scopes) == 1

    def _names_in_alarms(self) -> frozenset[str]:
        """Return the texts of all dimensions of alarms."""
        if self._alarm_names is None:
            names: set[str] = set()
            for scope in self._scopes:
                for resource in scope.resources.values():
                    if mapping(resource).get("Type") != _ALARM:
                        continue
                    properties = mapping(resource.get("Properties"))
                    for value in _dimensions(properties):
                        names.update(filter(None, self._resolver.texts(value, scope)))
                    for value in members(properties, "Metrics", "Expression"):
                        texts = self._resolver.texts(value, scope)
                        if any(text is not None and _METRICS in text for text in texts):
                            self._has_alarm_on_all = True
            self._alarm_names = frozenset(names)
        return self._alarm_names


def _redrive_targets(resource: Resource) -> Iterator[str | None]:
    """Yield the ARN of a queue's dead-letter queue in each branch; None where there is none."""
    for leaf in leaves(resource.properties.get("RedrivePolicy")):
        if leaf is None:
            yield None
        elif isinstance(leaf, Mapping) and intrinsic(leaf) is None:
            yield from resource.texts(leaf.get("deadLetterTargetArn"))
        else:
            # CloudFormation accepts JSON text too.
            for text in resource.texts(leaf):
                parsed = resource.parse_json(text or "")
                if parsed is None and text and resource.marks.of(text):
                    yield text
                else:
                    target = mapping(parsed).get("deadLetterTargetArn")
                    yield target if isinstance(target, str) else None


def _takes_dead_letters(resource: Resource) -> bool:
    """Return whether a queue says which queues may use it as their dead-letter queue.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue.html
    """
    for leaf in branches(resource.properties.get("RedriveAllowPolicy")):
        policies = [leaf]
        if isinstance(leaf, str) or intrinsic(leaf) is not None:
            policies = [resource.parse_json(text) for text in resource.known_texts(leaf)]
        for policy in map(mapping, policies):
            if policy and not resource.is_always(policy.get("redrivePermission"), "denyall"):
                return True
    return False


def _dimensions(properties: Mapping[str, Any]) -> Iterator[Any]:
    yield from members(properties, "Dimensions", "Value")
    yield from members(properties, "Metrics", "MetricStat", "Metric", "Dimensions", "Value")


def _values_for_dead_letters(scope: Scope) -> Iterator[Any]:
    """Yield the values of the properties that name where dead letters and failures go."""
    for part in parts(dict(scope.resources)):
        if isinstance(part, Mapping):
            yield from (part[name] for name in part if name in _DEAD_LETTERS)


def _references(value: Any) -> Iterator[str]:
    """Yield the logical ids that the references in a value name."""
    for part in parts(value):
        call = intrinsic(part)
        if call is None:
            continue
        name, argument = call
        first = argument[0] if isinstance(argument, list) and argument else argument
        if not isinstance(first, str):
            continue
        if name in ("Ref", "Fn::GetAtt"):
            yield first.partition(".")[0]
        elif name == "Fn::Sub":
            for placeholder in _PLACEHOLDER.findall(first):
                yield placeholder.partition(".")[0]


def _texts_of_readers(scope: Scope) -> Iterator[str]:
    """Yield all texts in resources that may read or watch a queue they name."""
    for resource in scope.resources.values():
        type = scalar(mapping(resource).get("Type"))
        if type in _NOT_READING:
            continue
        properties = mapping(resource).get("Properties")
        if type.startswith("AWS::IAM::"):
            properties = list(_statements_that_receive(properties))
        skipped = _SENDING | _SENDING_OF_TYPE.get(type, frozenset())
        waiting, seen = [properties], set[int]()
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                yield one
            elif isinstance(one, (Mapping, list)) and id(one) not in seen:
                seen.add(id(one))
                if isinstance(one, Mapping):
                    waiting += (inner for name, inner in one.items() if name not in skipped)
                else:
                    waiting += one


def _written_names(resource: Resource) -> Iterator[str]:
    """Yield a queue's name as its template writes it."""
    for leaf in branches(resource.properties.get("QueueName")):
        call = intrinsic(leaf)
        text = call[1] if call is not None and call[0] == "Fn::Sub" else leaf
        if isinstance(text, str):
            yield text


def _statements_that_receive(properties: Any) -> Iterator[Any]:
    """Yield what the statements of policies are about that let somebody receive messages."""
    for part in parts(properties):
        if isinstance(part, Mapping) and "Action" in part:
            actions = [str(action).lower() for action in members(part, "Action")]
            if any(action in _ALL or action.startswith(_RECEIVE) for action in actions):
                yield part.get("Resource")
