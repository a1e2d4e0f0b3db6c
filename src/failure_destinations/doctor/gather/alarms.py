"""Gathers what is known of the alarms that watch a channel, and whom they tell."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from failure_destinations.deployed.stacks import DeployedStack

from ..facts import Alarm, Attributes, Monitoring, Topic, Unknown, name_of
from .topics import Sources, gather_topic

_ALARM = "AWS::CloudWatch::Alarm"
_DASHBOARD = "Dashboard"
_TOPIC = "AlarmTopic"
# What FailureMonitoring calls its alarms: those about the channel in itself, others where they
# are about something.
_OF_CHANNEL = ("FailedEventsWaiting", "OldestEventAge", "DeadLetterEvents", "NotificationsFailed")
_OF_OTHERS = (
    "DestinationDeliveryFailures",
    "DeadLetterErrors",
    "AsyncEventAge",
    "InvocationsDropped",
    "InvocationsLost",
    "ParkedEvents",
)
# DescribeAlarms takes no more names.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
_MAX_NAMES = 100


def gather_monitoring(sources: Sources, topic: Topic, declared_topic: Any) -> Monitoring | None:
    """Return what watches a channel; None if nothing of the stack does.

    Its dashboard, which every monitoring has, shows the channel's topic.

    Args:
        sources: Where to look.
        topic: The channel's topic.
        declared_topic: How the template refers to that.
    """
    stack = sources.stack
    for id in stack.of_type("AWS::CloudWatch::Dashboard"):
        path = stack.path(id)
        shown = stack.properties(id).get("DashboardBody")
        if path.endswith(_DASHBOARD) and _shows(shown, topic.name, declared_topic):
            found = _Monitoring(sources, path.removesuffix(_DASHBOARD).removesuffix("/")).gather()
            if found is not None:
                return found
    return None


def _shows(body: Any, topic_name: str, declared_topic: Any) -> bool:
    """Tell whether a dashboard refers to a topic."""
    ref = declared_topic.get("Ref") if isinstance(declared_topic, Mapping) else None
    for part in _parts(body):
        if isinstance(part, str):
            if f'"TopicName","{topic_name}"' in part.replace(" ", ""):
                return True
        elif part == declared_topic or (ref and part.get("Fn::GetAtt") == [ref, "TopicName"]):
            return True
    return False


def _parts(value: Any) -> Iterator[Any]:
    """Yield every text and mapping within a value of a template."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield value
        for part in value.values():
            yield from _parts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _parts(part)


class _Monitoring:
    def __init__(self, sources: Sources, path: str) -> None:
        self._sources = sources
        self._stack = sources.stack
        self._path = path
        topics = self._stack.of_type("AWS::SNS::Topic")
        self._topic_id = next((id for id in topics if self._beside(id, _TOPIC)), None)
        self._action = self._declared_action()

    def gather(self) -> Monitoring | None:
        ids = list(self._alarm_ids())
        if not ids and self._topic_id is None:
            return None
        live = self._live([self._stack.physical_ids[id] for id in ids])
        arn = self._topic_arn(ids, live)
        values = _Values(self._stack, self._sources.aws.client("sns").meta.region_name)
        if arn is not None:
            values.know(self._action, arn)
        return Monitoring(
            path=self._path,
            topic=None if arn is None else gather_topic(self._sources, "alarm topic", arn),
            alarms=[self._alarm(id, live, values) for id in ids],
            own_topic=self._topic_id is not None,
        )

    def _declared_action(self) -> Any:
        """Return how the template refers to whom the alarms tell; None if nothing says."""
        if self._topic_id is not None:
            return {"Ref": self._topic_id}
        own = (id for id in self._stack.of_type(_ALARM) if self._is_inside(id))
        return next((actions[0] for id in own if (actions := self._actions(id))), None)

    def _alarm_ids(self) -> Iterator[str]:
        for id in self._stack.of_type(_ALARM):
            about_others = self._stack.path(id).endswith(_OF_OTHERS)
            if self._is_inside(id) or (about_others and self._action in self._actions(id)):
                yield id

    def _is_inside(self, id: str) -> bool:
        return any(self._beside(id, name) for name in _OF_CHANNEL) or (
            self._stack.path(id).startswith(f"{self._path}/")
            and self._stack.path(id).endswith(_OF_OTHERS)
        )

    def _beside(self, id: str, name: str) -> bool:
        # Without the CLI's metadata, paths are known by their logical ids.
        return self._stack.path(id) in (f"{self._path}/{name}", f"{self._path}{name}")

    def _actions(self, id: str) -> list[Any]:
        return list(self._stack.properties(id).get("AlarmActions") or [])

    def _live(self, names: Sequence[str]) -> Mapping[str, Attributes] | Unknown:
        """Return what CloudWatch knows of alarms, by name."""
        pages = self._sources.aws.client("cloudwatch").get_paginator("describe_alarms")
        found: dict[str, Attributes] = {}
        for first in range(0, len(names), _MAX_NAMES):
            some = names[first : first + _MAX_NAMES]
            alarms = self._sources.looks.at(
                "cloudwatch:DescribeAlarms",
                functools.partial(_described, pages, some),
            )
            if isinstance(alarms, Unknown):
                return alarms
            found.update((alarm["AlarmName"], alarm) for alarm in alarms or [])
        return found

    def _topic_arn(
        self, ids: Sequence[str], live: Mapping[str, Attributes] | Unknown
    ) -> str | None:
        """Return whom the alarms tell: as the template says, else as they do."""
        declared = self._stack.resolve(self._action)
        if declared is not None or isinstance(live, Unknown):
            return declared
        for id in ids:
            actions = self._actions(id)
            told = live.get(self._stack.physical_ids[id], {}).get("AlarmActions", [])
            if self._action in actions and len(told) == len(actions):
                return str(told[actions.index(self._action)])
        return None

    def _alarm(self, id: str, live: Mapping[str, Attributes] | Unknown, values: _Values) -> Alarm:
        name = self._stack.physical_ids[id]
        properties = self._stack.properties(id)
        actions = [values.text(action) for action in self._actions(id)]
        return Alarm(
            path=self._stack.path(id),
            name=name,
            live=live if isinstance(live, Unknown) else live.get(name),
            declared=values.all({**properties, "AlarmName": name}),
            actions=[action for action in actions if action is not None],
            declared_enabled=properties.get("ActionsEnabled", True) is not False,
        )


def _described(pages: Any, names: Sequence[str]) -> list[Attributes]:
    return [
        alarm
        for page in pages.paginate(AlarmNames=names, AlarmTypes=["MetricAlarm"])
        for alarm in page["MetricAlarms"]
    ]


class _Values:
    """What the values of a template are, as CloudFormation fills them in."""

    def __init__(self, stack: DeployedStack, region: str) -> None:
        self._stack = stack
        self._region = region
        self._known: list[tuple[Any, str]] = []

    def know(self, value: Any, text: str) -> None:
        """Note what a value is."""
        self._known.append((value, text))

    def all(self, value: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return properties with each value filled in; None if one is not known."""
        filled = {name: self._filled(part) for name, part in value.items()}
        return None if any(part is None for part in filled.values()) else filled

    def text(self, value: Any) -> str | None:
        """Return a text or what refers to one; None if it is not known."""
        known = next((text for each, text in self._known if each == value), None)
        if known is not None or not isinstance(value, Mapping):
            return known or (value if isinstance(value, str) else None)
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            texts = [self.text(part) for part in parts]
            return None if None in texts else separator.join(texts)
        if value.get("Ref") == "AWS::Region":
            return self._region
        found = self._stack.resolve(value)
        if found is not None and "Fn::GetAtt" in value:
            return self._attribute(found, value["Fn::GetAtt"][1])
        return found

    def _attribute(self, id: str, attribute: str) -> str | None:
        if attribute in ("QueueName", "TopicName"):
            return name_of(id)
        return id if attribute != "Arn" or id.startswith("arn:") else None

    def _filled(self, value: Any) -> Any:
        if isinstance(value, list):
            parts = [self._filled(part) for part in value]
            return None if any(part is None for part in parts) else parts
        if not isinstance(value, Mapping):
            return value
        if any(name == "Ref" or name.startswith("Fn::") for name in value):
            return self.text(value)
        return self.all(value)
