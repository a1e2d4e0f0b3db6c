"""What people type after an option, read or refused."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import click

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
FUNCTION = re.compile(
    r"(?:(?:arn:[\w-]+:lambda:[\w-]+:)?\d{12}:function:)?(?P<name>[\w-]+)"
    r"(?::(?:\$LATEST|[\w-]+))?"
)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# What a table shows; two of 100,000 messages share it once in a million queues.
MIN_ID = 8


class TimeType(click.ParamType):  # type: ignore[type-arg]
    """An instant: an ISO 8601 time, UTC unless it says otherwise, or how long ago."""

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
                f"{value!r} is no time: write 2026-11-02T03:00 (UTC), or 90m, 12h or 3d for so "
                "long ago",
                param,
                ctx,
            )
        return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


class IdType(click.ParamType):  # type: ignore[type-arg]
    """The beginning of a message's or request's id."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it, unless it is too short to mean one."""
        text = str(value).strip()
        if len(text) < MIN_ID:
            self.fail(f"{text!r} is too short: write at least {MIN_ID} characters", param, ctx)
        return text


class NameType(click.ParamType):  # type: ignore[type-arg]
    """A name, which a variable that the shell does not know is not."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it, unless it is empty."""
        text = str(value)
        if not text.strip():
            self.fail(
                "is empty: leave the option out, or look at what the shell put there", param, ctx
            )
        return text


class FunctionType(click.ParamType):  # type: ignore[type-arg]
    """What Lambda invokes: a name, an ARN, and perhaps a qualifier."""

    name = "function"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it, unless Lambda would not know it as one."""
        text = str(value)
        if FUNCTION.fullmatch(text) is None:
            self.fail(
                f"{text!r} is no function: write NAME, NAME:ALIAS or its ARN "
                "(arn:aws:lambda:REGION:ACCOUNT:function:NAME)",
                param,
                ctx,
            )
        return text


class RateType(click.ParamType):  # type: ignore[type-arg]
    """How many a second."""

    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return it, unless it is none."""
        try:
            rate = float(value)
        except ValueError:
            rate = math.nan
        if not 0 < rate < math.inf:
            self.fail(
                f"{value!r} is no rate: write a number above 0, such as 50 or 0.2", param, ctx
            )
        return rate
