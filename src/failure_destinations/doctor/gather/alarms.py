"""Reads the alarms that watch a channel, and the topic that they notify."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from failure_destinations.alarms import ALARMS
from failure_destinations.names import ALARM_TOPIC, DASHBOARD

from ..facts import Alarm, Attributes, Monitoring, Topic, Unknown
from .construct_ids import above, has_id, is_child
from .mute_rules import read_mute_rules
from .sources import Sources
from .template_values import TemplateValues
from .topics import gather_topic

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import DescribeAlarmsPaginator

_ALARM = "AWS::CloudWatch::Alarm"
# Alarms about the channel are defined in the monitoring, the others beside their resource.
_OF_CHANNEL = tuple(alarm.id for alarm in ALARMS if alarm.per == "channel")
_OF_OTHERS = tuple(alarm.id for alarm in ALARMS if alarm.per != "channel")
# The most names that DescribeAlarms accepts.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
_MAX_NAMES = 100


def gather_monitoring(sources: Sources, topic: Topic, declared_topic: Any) -> Monitoring | None:
    """Return the monitoring of a channel; None if the stack has none.

    It is found by its dashboard, which shows the channel's topic.

    Args:
        sources: The sources of facts.
        topic: The channel's topic.
        declared_topic: The template's reference to that topic.
    """
    stack = sources.stack
    for id in stack.of_type("AWS::CloudWatch::Dashboard"):
        path = stack.path(id)
        shown = stack.properties(id).get("DashboardBody")
        if has_id(path, DASHBOARD) and _refers_to_topic(shown, topic.name, declared_topic):
            found = _Monitoring(sources, above(path, DASHBOARD)).gather()
            if found is not None:
                return found
    return None


def _refers_to_topic(body: Any, topic_name: str, declared_topic: Any) -> bool:
    """Return whether a dashboard refers to a topic."""
    ref = declared_topic.get("Ref") if isinstance(declared_topic, Mapping) else None
    for part in _parts(body):
        if isinstance(part, str):
            if f'"TopicName","{topic_name}"' in part.replace(" ", ""):
                return True
        elif part == declared_topic or (ref and part.get("Fn::GetAtt") == [ref, "TopicName"]):
            return True
    return False


def _parts(value: Any) -> Iterator[Any]:
    """Yield every text and mapping inside a template's value."""
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
        self._cloudwatch = sources.aws.client("cloudwatch")
        topics = self._stack.of_type("AWS::SNS::Topic")
        self._topic_id = next((id for id in topics if self._is_child(id, ALARM_TOPIC)), None)
        self._action = self._declared_action()

    def gather(self) -> Monitoring | None:
        ids = list(self._alarm_ids())
        if not ids and self._topic_id is None:
            return None
        live = self._live([self._stack.physical_ids[id] for id in ids])
        arn = self._topic_arn(ids, live)
        values = TemplateValues(self._stack, self._cloudwatch.meta.region_name)
        if arn is not None:
            values.know(self._action, arn)
        return Monitoring(
            path=self._path,
            topic=None if arn is None else gather_topic(self._sources, "alarm topic", arn),
            alarms=[self._alarm(id, live, values) for id in ids],
            own_topic=self._topic_id is not None,
            mute_rules=read_mute_rules(self._sources.reader, self._cloudwatch) if ids else (),
        )

    def _declared_action(self) -> Any:
        """Return the template's reference to the alarms' topic; None if it has none."""
        if self._topic_id is not None:
            return {"Ref": self._topic_id}
        own = (id for id in self._stack.of_type(_ALARM) if self._is_inside(id))
        return next((actions[0] for id in own if (actions := self._actions(id))), None)

    def _alarm_ids(self) -> Iterator[str]:
        for id in self._stack.of_type(_ALARM):
            about_others = self._action in self._actions(id) and self._has_id_of_others(id)
            if about_others or self._is_inside(id):
                yield id

    def _is_inside(self, id: str) -> bool:
        return any(self._is_child(id, name) for name in _OF_CHANNEL) or (
            self._stack.path(id).startswith(f"{self._path}/") and self._has_id_of_others(id)
        )

    def _has_id_of_others(self, id: str) -> bool:
        return any(has_id(self._stack.path(id), name) for name in _OF_OTHERS)

    def _is_child(self, id: str, name: str) -> bool:
        return is_child(self._stack.path(id), self._path, name)

    def _actions(self, id: str) -> list[Any]:
        return list(self._stack.properties(id).get("AlarmActions") or [])

    def _live(self, names: Sequence[str]) -> Mapping[str, Attributes] | Unknown:
        """Return alarms as CloudWatch describes them, by name."""
        pages = self._cloudwatch.get_paginator("describe_alarms")
        found: dict[str, Attributes] = {}
        for first in range(0, len(names), _MAX_NAMES):
            some = names[first : first + _MAX_NAMES]
            alarms = self._sources.reader.read(
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
        """Return the topic that the alarms notify, from the template or else from CloudWatch."""
        declared = self._stack.resolve(self._action)
        if declared is not None or isinstance(live, Unknown):
            return declared
        for id in ids:
            actions = self._actions(id)
            notified = live.get(self._stack.physical_ids[id], {}).get("AlarmActions", [])
            if self._action in actions and len(notified) == len(actions):
                return str(notified[actions.index(self._action)])
        return None

    def _alarm(
        self, id: str, live: Mapping[str, Attributes] | Unknown, values: TemplateValues
    ) -> Alarm:
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


def _described(pages: DescribeAlarmsPaginator, names: Sequence[str]) -> list[Attributes]:
    return [
        dict(alarm)
        for page in pages.paginate(AlarmNames=names, AlarmTypes=["MetricAlarm"])
        for alarm in page["MetricAlarms"]
    ]
