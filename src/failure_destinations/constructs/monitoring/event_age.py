"""How long Lambda keeps an event for a handler: known at definition, or at synthesis."""

from __future__ import annotations

from typing import cast

import jsii
from aws_cdk import Duration, IStableNumberProducer, IStableStringProducer, Lazy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from ..channel.attaching import MAX_EVENT_AGE_SECONDS
from ..channel.wiring import AttachedHandler
from ..refusals import is_token

_MILLISECONDS = 1000
_PERCENT = 100


class EventAge:
    """The maximum event age of a handler, for an alarm's threshold and description.

    Args:
        attached: The handler.
        is_watched: Whether an alarm needs the age.

    Raises:
        ValueError: An alarm needs the age, which is only known at deployment.
    """

    def __init__(self, attached: AttachedHandler, *, is_watched: bool) -> None:
        self._config = None if attached.is_final else attached.config
        self._seconds: float = MAX_EVENT_AGE_SECONDS
        if attached.max_event_age is not None and is_watched:
            self._seconds = seconds_of("max_event_age", attached.max_event_age)

    def milliseconds_at(self, percent: float) -> float:
        """Return a percentage of the age in milliseconds, or a token for it."""
        if self._config is None:
            return _milliseconds(self._seconds, percent)
        producer = _Milliseconds(self._config, percent)
        return Lazy.number(cast(IStableNumberProducer, producer))

    @property
    def in_words(self) -> str:
        """The age in seconds, such as `21,600`, or a token for it."""
        if self._config is None:
            return f"{self._seconds:,}"
        return Lazy.string(cast(IStableStringProducer, _Seconds(self._config)))


def seconds_of(name: str, duration: Duration) -> float:
    """Return the seconds of a duration, or raise ValueError if it is known only at deployment."""
    if duration.is_unresolved():
        raise ValueError(
            f"{name} must be known at synthesis to be watched, got a token: "
            "CloudFormation cannot calculate a percentage of it; give a number, or switch the "
            "alarm off in thresholds"
        )
    return duration.to_seconds()


def _milliseconds(seconds: float, percent: float) -> float:
    return seconds * _MILLISECONDS * percent / _PERCENT


def _configured(config: Construct) -> float:
    resource = cast(lambda_.CfnEventInvokeConfig, config.node.default_child)
    seconds = resource.maximum_event_age_in_seconds
    if seconds is None:
        return MAX_EVENT_AGE_SECONDS
    if is_token(seconds):
        return seconds_of("max_event_age", Duration.seconds(seconds))
    return int(seconds)


@jsii.implements(IStableNumberProducer)
class _Milliseconds:
    def __init__(self, config: Construct, percent: float) -> None:
        self._config = config
        self._percent = percent

    def produce(self) -> float:
        return _milliseconds(_configured(self._config), self._percent)


@jsii.implements(IStableStringProducer)
class _Seconds:
    def __init__(self, config: Construct) -> None:
        self._config = config

    def produce(self) -> str:
        return f"{_configured(self._config):,}"
