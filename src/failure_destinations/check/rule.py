"""The rule: who is called asynchronously, and has nowhere for its failures to go.

It judges facts, wherever they come from, and takes time that grows with their number and no
faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .findings import (
    CUSTOM_RESOURCE,
    DELIVERY,
    DELIVERY_RETRIES,
    LOST_DESTINATION,
    OTHER_QUALIFIER,
    UNCOVERED,
    UNKNOWN,
    Kind,
    UncoveredFunction,
)
from .fixes import Fix, attach, deliver, replace, set_retries
from .model import LATEST, AsyncConfig, Call, Destination, Facts, Function, Kept, Source, Waits

# EventBridge's own default, and so no choice of anybody's.
_DEFAULT_DELIVERY_RETRIES = "185"
_SHOWN = 3


@dataclass
class _Group:
    """Everything that is said of one qualifier of a function."""

    function: Function
    qualifier: str
    calls: list[Call] = field(default_factory=list)
    configs: list[AsyncConfig] = field(default_factory=list)


def judge(facts: Facts) -> list[UncoveredFunction]:
    """Return the findings, function by function, then what is not known."""
    groups = _groups(facts)
    findings: list[UncoveredFunction] = []
    for of_function in groups.values():
        for group in of_function.values():
            findings += (
                one
                for one in _judge_group(group, of_function)
                if one.kind not in group.function.acknowledged
            )
    findings += [_finding(UNKNOWN, one.source, f"{one.what}.") for one in facts.unknowns]
    return list(dict.fromkeys(findings))


def _groups(facts: Facts) -> dict[str, dict[str, _Group]]:
    groups: dict[str, dict[str, _Group]] = {key: {} for key in facts.functions}

    def group(function: str, qualifier: str) -> _Group:
        of_function = groups.setdefault(function, {})
        found = of_function.get(qualifier)
        if found is None:
            known = facts.functions.get(function) or _named_only(function)
            found = of_function[qualifier] = _Group(known, qualifier)
        return found

    for config in facts.configs:
        group(config.function, config.qualifier).configs.append(config)
    for call in _without_explained_permissions(facts.calls):
        group(call.function, call.qualifier).calls.append(call)
    return groups


def _named_only(function: str) -> Function:
    return Function(function, Source(function, ""), judged=False)


def _without_explained_permissions(calls: Iterable[Call]) -> Iterator[Call]:
    """Leave out permissions for what is known to call anyway."""
    seen: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for call in calls:
        if not call.is_permission:
            qualifiers, sources = seen.setdefault((call.function, call.service), (set(), set()))
            qualifiers.add(call.qualifier)
            sources.add(call.source.logical_id)
    for call in calls:
        if call.is_permission:
            qualifiers, sources = seen.get((call.function, call.service), (set(), set()))
            if call.qualifier in qualifiers or call.permitted in sources:
                continue
            if qualifiers and not call.permitted:
                continue
        yield call


def _judge_group(group: _Group, of_function: dict[str, _Group]) -> Iterator[UncoveredFunction]:
    lost = list(_lost_destinations(group))
    yield from lost
    yield from _coverage(group, of_function, already_told=bool(lost))
    yield from _deliveries(group)


def _lost_destinations(group: _Group) -> Iterator[UncoveredFunction]:
    function = group.function
    callers = _sources(group.calls)
    for config in group.configs:
        for name, one in (("OnFailure", config.on_failure), ("OnSuccess", config.on_success)):
            if one.kept is Kept.LOST:
                yield _about(
                    group,
                    LOST_DESTINATION,
                    f"{name} is {one.name}, but Lambda sends {_OUTCOMES[name]} to {one.why}.",
                    callers or (config.source,),
                    replace(function, group.qualifier, name),
                )
    if group.calls and function.dead_letter.kept is Kept.LOST:
        one = function.dead_letter
        yield _about(
            group,
            LOST_DESTINATION,
            f"Its dead-letter queue is {one.name}, but Lambda sends dead letters to {one.why}.",
            callers,
            replace(function, group.qualifier, "DeadLetterConfig"),
        )


_OUTCOMES = {"OnFailure": "failures", "OnSuccess": "successes"}


def _coverage(
    group: _Group, of_function: dict[str, _Group], *, already_told: bool
) -> Iterator[UncoveredFunction]:
    calls = [call for call in group.calls if call.waits is not Waits.YES]
    # What may wait says nothing beside what does not.
    certain = [call for call in calls if call.waits is not Waits.UNKNOWN]
    sources = _sources(certain or calls) or tuple(config.source for config in group.configs)
    if not sources:
        return
    goes_on = not calls or any(call.waits is Waits.NO for call in calls)
    awaits_answer = not goes_on and certain == calls
    if awaits_answer and (group.function.owned_by_cdk or not group.function.source.type):
        return
    failures = [_under_condition(config, group, calls) for config in group.configs]
    failures.append(group.function.dead_letter)
    kept = {one.kept for one in failures}
    if Kept.YES in kept or (already_told and Kept.LOST in kept):
        return
    doubt = next((one.why for one in failures if one.kept is Kept.PERHAPS), "")
    doubt = doubt or _doubt_of_others(group, of_function)
    if doubt:
        yield _about(
            group,
            UNKNOWN,
            f"It is {_how(group)} {_list(sources)}, and whether its failures are kept is not "
            f"known: {doubt}.",
            sources,
            attach(group.function, group.qualifier),
        )
    elif goes_on:
        yield from _uncovered(group, of_function, sources)
    elif awaits_answer:
        yield _about(
            group,
            CUSTOM_RESOURCE,
            f"It is called by {_list(sources)}, which does not wait for the function, but for an "
            "answer: a failure shows as a failed deployment or execution, after a time-out, and "
            "the event is not kept.",
            sources,
            attach(group.function, group.qualifier),
        )
    else:
        unsure = _sources(call for call in calls if call.waits is Waits.UNKNOWN)
        yield _about(
            group,
            UNKNOWN,
            f"It is called by {_list(unsure)}, and whether that waits for the answer is not "
            "known. If it does not, failures are lost.",
            unsure,
            attach(group.function, group.qualifier),
        )


def _how(group: _Group) -> str:
    return "called by" if group.calls else "configured for asynchronous calls by"


def _uncovered(
    group: _Group, of_function: dict[str, _Group], sources: tuple[Source, ...]
) -> Iterator[UncoveredFunction]:
    how = "called asynchronously by" if group.calls else _how(group)
    others = [
        other.qualifier
        for other in of_function.values()
        if any(config.on_failure.kept is Kept.YES for config in other.configs)
    ]
    if others:
        yield _about(
            group,
            OTHER_QUALIFIER,
            f"It is {how} {_list(sources)} through {group.qualifier}, and has no failure "
            f"destination there: the one for {_names(others)} gets nothing of it.",
            sources,
            attach(group.function, group.qualifier),
        )
    else:
        yield _about(
            group,
            UNCOVERED,
            f"It is {how} {_list(sources)}{_through(group.qualifier)}, and has neither a failure "
            "destination nor a dead-letter queue: an event whose last try fails is lost.",
            sources,
            attach(group.function, group.qualifier),
        )


def _under_condition(config: AsyncConfig, group: _Group, calls: list[Call]) -> Destination:
    """Return a configuration's failure destination, in doubt where it may not exist."""
    condition = config.source.condition
    always_there = (
        not condition
        or group.function.source.condition == condition
        or all(call.source.condition == condition for call in calls)
    )
    if always_there or config.on_failure.kept is not Kept.YES:
        return config.on_failure
    return Destination(
        Kept.PERHAPS,
        config.on_failure.name,
        f"{config.source.logical_id} exists under the condition {condition} only",
    )


def _doubt_of_others(group: _Group, of_function: dict[str, _Group]) -> str:
    """Say what else could cover a qualifier, for all that is known."""
    if not group.function.judged:
        return "it is not defined here"
    if group.qualifier.startswith("?"):
        return f"through which qualifier is only known at deployment ({group.qualifier[1:]})"
    for other in of_function.values():
        if other.qualifier.startswith("?") and other.configs:
            return (
                f"{other.configs[0].source.logical_id} is for a qualifier that is only known at "
                f"deployment ({other.qualifier[1:]})"
            )
    return ""


def _deliveries(group: _Group) -> Iterator[UncoveredFunction]:
    sets_retries = any(config.sets_retries for config in group.configs)
    for call in group.calls:
        if call.waits is not Waits.NO or call.is_permission:
            continue
        sources = (call.source,)
        one = call.dead_letter
        if one is not None and one.kept in (Kept.NO, Kept.LOST):
            named = f": {one.name} can be {one.why}" if one.kept is Kept.LOST else ""
            yield _about(
                group,
                DELIVERY,
                f"{_list(sources)} has no dead-letter queue{named}: an event that cannot be "
                "delivered to the function, for example for lack of permission, is lost.",
                sources,
                deliver(call),
            )
        retries = call.delivery_retries
        if retries is not None and retries != _DEFAULT_DELIVERY_RETRIES and not sets_retries:
            yield _about(
                group,
                DELIVERY_RETRIES,
                f"{_list(sources)} sets MaximumRetryAttempts to {retries}, which is of the "
                "delivery to Lambda. How often the function runs again is not set, so it is twice.",
                sources,
                set_retries(group.function, group.qualifier, retries),
            )


_NO_FIX = Fix("", "")


def _about(
    group: _Group, kind: Kind, reason: str, callers: tuple[Source, ...], fix: Fix
) -> UncoveredFunction:
    source = group.function.source
    if not source.type and callers:
        # It is not in the template; who names it is.
        reason = reason.replace("It is", f"Function {source.logical_id} is", 1)
        source = callers[0]
    qualifier = "" if group.qualifier.startswith("?") else group.qualifier
    return _finding(kind, source, reason, qualifier=qualifier, callers=callers, fix=fix)


def _finding(
    kind: Kind,
    source: Source,
    reason: str,
    *,
    qualifier: str = "",
    callers: tuple[Source, ...] = (),
    fix: Fix = _NO_FIX,
) -> UncoveredFunction:
    return UncoveredFunction(
        logical_id=source.logical_id,
        qualifier=qualifier,
        invoked_by=tuple(dict.fromkeys(caller.logical_id for caller in callers)),
        reason=reason,
        kind=kind.id,
        severity=kind.severity,
        fix=fix.cdk,
        cloudformation_fix=fix.cloudformation,
        path=source.path,
        stack=source.stack,
        file=source.file,
        callers=callers,
    )


def _sources(calls: Iterable[Call]) -> tuple[Source, ...]:
    return tuple(dict.fromkeys(call.source for call in calls if call.waits is not Waits.YES))


def _list(sources: tuple[Source, ...]) -> str:
    return _names([f"{source.shown} ({source.type})" for source in sources])


def _names(names: list[str]) -> str:
    shown = names if len(names) <= _SHOWN + 1 else [*names[:_SHOWN], f"{len(names) - _SHOWN} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _through(qualifier: str) -> str:
    return "" if qualifier == LATEST else f" through {qualifier}"
