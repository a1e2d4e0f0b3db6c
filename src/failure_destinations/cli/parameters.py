"""The types of option values."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import click

from failure_destinations.deployed.function_names import bare_name, is_function_arn
from failure_destinations.runtime.fingerprint import ID_CHARACTERS

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
_TENANT = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]{1,256}")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# Longer than SQS keeps anything, and short enough to add to any date of today.
_MAX_SECONDS = 1000 * 86_400
# The length of ids in tables: two of 100,000 messages share a prefix this long in one of a million
# queues.
MIN_ID = 8
MIN_GROUP = 4
_GROUP = re.compile(rf"[0-9a-f]{{{MIN_GROUP},{ID_CHARACTERS}}}")


class TimeType(click.ParamType):  # type: ignore[type-arg]
    """An instant: an ISO 8601 time, UTC by default, or a duration before now."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the instant."""
        if isinstance(value, datetime):
            return value
        age = _AGE.fullmatch(value.strip())
        try:
            if age is not None:
                past = timedelta(**{_UNITS[age[2]]: float(age[1])})
                return datetime.now(timezone.utc) - past
            time = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", value.strip()))
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is not a time: write 2026-11-02T03:00 (UTC), or 90m, 12h or 3d for "
                "so long ago",
                param,
                ctx,
            )
        return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


class IdType(click.ParamType):  # type: ignore[type-arg]
    """A prefix of a message or request id, of at least 8 characters."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, or fail if it is too short to identify one message."""
        text = str(value).strip()
        if len(text) < MIN_ID:
            self.fail(f"{text!r} is too short: write at least {MIN_ID} characters", param, ctx)
        return text


class GroupType(click.ParamType):  # type: ignore[type-arg]
    """The id of a group of failed events, or its beginning, of at least 4 digits."""

    name = "group"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id in lower case, or fail if it is not one."""
        text = str(value).strip().lower()
        if _GROUP.fullmatch(text) is None:
            self.fail(
                f"{text!r} is not a group: write the id that `failure-destinations groups` shows, "
                f"or its first {MIN_GROUP} characters or more",
                param,
                ctx,
            )
        return text


class DurationType(click.ParamType):  # type: ignore[type-arg]
    """A length of time, such as `90m`, `12h` or `2d`."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return the length of time."""
        if isinstance(value, timedelta):
            return value
        parts = _AGE.fullmatch(str(value).strip())
        seconds = float(parts[1]) * _SECONDS[parts[2]] if parts else math.inf
        if seconds > _MAX_SECONDS:
            self.fail(f"{value!r} is not a length of time: write 90m, 12h or 2d", param, ctx)
        return timedelta(seconds=seconds)


class NameType(click.ParamType):  # type: ignore[type-arg]
    """A non-empty name; an undefined shell variable would make it empty."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or fail if it is empty."""
        text = str(value)
        if not text.strip():
            self.fail(
                "is empty: leave the option out, or look at what the shell put there", param, ctx
            )
        return text


class FunctionType(click.ParamType):  # type: ignore[type-arg]
    """A function: its name or ARN, with or without a qualifier."""

    name = "function"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, or fail if Lambda would not accept it as a function's name."""
        text = str(value)
        if bare_name(text) is None:
            self.fail(
                f"{text!r} is not a function: write NAME, NAME:ALIAS or its ARN "
                "(arn:aws:lambda:REGION:ACCOUNT:function:NAME)",
                param,
                ctx,
            )
        return text


class FunctionArnType(click.ParamType):  # type: ignore[type-arg]
    """The ARN of a function."""

    name = "arn"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the ARN, or fail if the text is not one."""
        text = str(value)
        if not is_function_arn(text):
            self.fail(
                f"{text!r} is not the ARN of a function: write "
                "arn:aws:lambda:REGION:ACCOUNT:function:NAME",
                param,
                ctx,
            )
        return text


class TenantType(click.ParamType):  # type: ignore[type-arg]
    """The id of a tenant of a function that isolates tenants."""

    name = "tenant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id, or fail if Lambda would not accept it."""
        text = str(value)
        if _TENANT.fullmatch(text) is None:
            self.fail(
                f"{text!r} is not a tenant's id: write 1 to 256 letters, digits, spaces or "
                "._:/=+-@",
                param,
                ctx,
            )
        return text


class RateType(click.ParamType):  # type: ignore[type-arg]
    """A number of events a second, above 0."""

    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail if it is not positive and finite."""
        try:
            rate = float(value)
        except ValueError:
            rate = math.nan
        if not 0 < rate < math.inf:
            self.fail(
                f"{value!r} is not a rate: write a number above 0, such as 50 or 0.2", param, ctx
            )
        return rate
