"""The rule: find functions that are called asynchronously and whose failures go nowhere.

It judges facts from templates and accounts alike, in linear time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .causes import Cause, Doubt, Flaw, Problem
from .findings import Finding
from .kinds import (
    CUSTOM_RESOURCE,
    DELIVERY,
    DELIVERY_RETRIES,
    DURABLE,
    LOST_DESTINATION,
    NO_SUBSCRIBER,
    OTHER_QUALIFIER,
    QUEUE_KEY,
    QUEUE_POLICY,
    UNCOVERED,
    UNKNOWN,
    Kind,
)
from .model import AsyncConfig, Call, Destination, Facts, Function, Kept, Source, Waits
from .parts import Fix, Naming, Remedy

# EventBridge's default, so nobody chose it.
_DEFAULT_DELIVERY_RETRIES = "185"
_REPLACEMENTS = {
    "OnFailure": Remedy.REPLACE_FAILURE_DESTINATION,
    "OnSuccess": Remedy.REPLACE_SUCCESS_DESTINATION,
}
_DELIVERY_REMEDIES = {
    "sns": Remedy.KEEP_UNDELIVERED_MESSAGES,
    "scheduler": Remedy.KEEP_UNDELIVERED_SCHEDULES,
}
_FLAWS = {
    Flaw.NO_QUEUE_POLICY: (QUEUE_POLICY, Remedy.LET_SENDER_SEND),
    Flaw.NO_KEY_POLICY: (QUEUE_KEY, Remedy.LET_SENDER_USE_KEY),
    Flaw.KEY_OF_AWS: (QUEUE_KEY, Remedy.REPLACE_KEY),
}


@dataclass
class _Group:
    """All facts about one qualifier of a function."""

    function: Function
    qualifier: str
    calls: list[Call] = field(default_factory=list)
    configs: list[AsyncConfig] = field(default_factory=list)


def judge(facts: Facts) -> list[Finding]:
    """Return the findings: first function by function, then what is not known."""
    groups = _groups(facts)
    findings: list[Finding] = []
    for of_function in groups.values():
        for group in of_function.values():
            findings += (
                one
                for one in _judge_group(group, of_function)
                if one.kind not in group.function.acknowledged
            )
    findings += [Finding(UNKNOWN.id, one.cause, one.source) for one in facts.unknowns]
    return list(dict.fromkeys(findings))


def _groups(facts: Facts) -> dict[str, dict[str, _Group]]:
    groups: dict[str, dict[str, _Group]] = {key: {} for key in facts.functions}

    def group(function: str, qualifier: str) -> _Group:
        of_function = groups.setdefault(function, {})
        found = of_function.get(qualifier)
        if found is None:
            found = of_function[qualifier] = _Group(facts.functions[function], qualifier)
        return found

    for config in facts.configs:
        group(config.function, config.qualifier).configs.append(config)
    for call in _without_known_callers(facts.calls):
        group(call.function, call.qualifier).calls.append(call)
    return groups


def _without_known_callers(calls: Iterable[Call]) -> Iterator[Call]:
    """Leave out permissions of callers that are already known."""
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


def _judge_group(group: _Group, of_function: dict[str, _Group]) -> Iterator[Finding]:
    lost = list(_lost_destinations(group))
    yield from lost
    yield from _coverage(group, of_function, already_reported=bool(lost))
    yield from _deliveries(group)


def _lost_destinations(group: _Group) -> Iterator[Finding]:
    function = group.function
    callers = _sources(group.calls)
    for config in group.configs:
        for name, one in (("OnFailure", config.on_failure), ("OnSuccess", config.on_success)):
            if one.kept is Kept.LOST:
                yield _finding(
                    group,
                    LOST_DESTINATION,
                    Cause(Problem.DESTINATION_REFUSED, (name, one.name), one.why),
                    callers or (config.source,),
                    remedy=_REPLACEMENTS[name],
                    named_by=config.source,
                )
    if group.calls and function.dead_letter.kept is Kept.LOST:
        one = function.dead_letter
        yield _finding(
            group,
            LOST_DESTINATION,
            Cause(Problem.DEAD_LETTER_QUEUE_REFUSED, (one.name,), one.why),
            callers,
            remedy=Remedy.REPLACE_DEAD_LETTER_QUEUE,
        )


def _coverage(
    group: _Group, of_function: dict[str, _Group], *, already_reported: bool
) -> Iterator[Finding]:
    calls = [call for call in group.calls if call.waits is not Waits.YES]
    # A call that may wait adds nothing if another call does not wait.
    certain = [call for call in calls if call.waits is not Waits.UNKNOWN]
    sources = _sources(certain or calls) or tuple(config.source for config in group.configs)
    if not sources:
        return
    goes_on = not calls or any(call.waits is Waits.NO for call in calls)
    awaits_answer = not goes_on and certain == calls
    if awaits_answer and (group.function.owned_by_cdk or not group.function.source.type):
        return
    # Of a durable function, destinations get nothing.
    configs = () if group.function.is_durable else group.configs
    failures = [_failure_destination(config, group, calls) for config in configs]
    failures.append(group.function.dead_letter)
    kept = {one.kept for one in failures}
    if Kept.YES in kept:
        yield from _unheard(group, failures, sources)
        return
    if already_reported and Kept.LOST in kept:
        return
    doubt = next((one.why for one in failures if one.kept is Kept.PERHAPS), None)
    doubt = doubt or _doubt_about_coverage(group, of_function)
    if doubt is not None:
        cause = Cause(Problem.IN_DOUBT, why=doubt, is_called=bool(group.calls))
        yield _finding(group, UNKNOWN, cause, sources)
    elif goes_on:
        yield _not_kept(group, of_function, sources)
    elif awaits_answer:
        yield _finding(group, CUSTOM_RESOURCE, Cause(Problem.ANSWER_AWAITED), sources)
    else:
        unsure = _sources(call for call in calls if call.waits is Waits.UNKNOWN)
        yield _finding(group, UNKNOWN, Cause(Problem.WAITS_UNKNOWN), unsure)


def _unheard(
    group: _Group, failures: list[Destination], sources: tuple[Source, ...]
) -> Iterator[Finding]:
    """Yield a finding if all that may keep failures are topics without subscriptions."""
    holding = [one for one in failures if one.kept in (Kept.YES, Kept.PERHAPS)]
    if all(one.flaw is not None for one in holding):
        why = holding[0].flaw
        cause = Cause(Problem.TOPIC_UNHEARD, why.names if why else (), why)
        yield _finding(group, NO_SUBSCRIBER, cause, sources, remedy=Remedy.SUBSCRIBE)


def _not_kept(
    group: _Group, of_function: dict[str, _Group], sources: tuple[Source, ...]
) -> Finding:
    is_called = bool(group.calls)
    if group.function.is_durable:
        cause = Cause(Problem.DURABLE_NOT_KEPT, is_called=is_called)
        return _finding(group, DURABLE, cause, sources, remedy=Remedy.ADD_DEAD_LETTER_QUEUE)
    others = tuple(
        other.qualifier
        for other in of_function.values()
        if any(config.on_failure.kept is Kept.YES for config in other.configs)
    )
    if others:
        cause = Cause(Problem.KEPT_ELSEWHERE, others, is_called=is_called)
        return _finding(group, OTHER_QUALIFIER, cause, sources)
    return _finding(group, UNCOVERED, Cause(Problem.NOT_KEPT, is_called=is_called), sources)


def _failure_destination(config: AsyncConfig, group: _Group, calls: list[Call]) -> Destination:
    """Return a configuration's failure destination, marked as doubtful if it may not exist."""
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
        Cause(Doubt.CONDITIONAL_CONFIG, (config.source.logical_id, condition)),
    )


def _doubt_about_coverage(group: _Group, of_function: dict[str, _Group]) -> Cause | None:
    """Return the doubt if an unknown configuration could cover a qualifier, or None."""
    if group.function.is_durable:
        return None
    if not group.function.judged:
        return Cause(Doubt.DEFINED_ELSEWHERE)
    if group.qualifier.startswith("?"):
        return Cause(Doubt.QUALIFIER_NOT_KNOWN, (group.qualifier[1:],))
    for other in of_function.values():
        if other.qualifier.startswith("?") and other.configs:
            names = (other.configs[0].source.logical_id, other.qualifier[1:])
            return Cause(Doubt.CONFIG_QUALIFIER_NOT_KNOWN, names)
    return None


def _deliveries(group: _Group) -> Iterator[Finding]:
    sets_retries = any(config.sets_retries for config in group.configs)
    for call in group.calls:
        if call.waits is not Waits.NO or call.is_permission:
            continue
        one = call.dead_letter
        if one is not None and one.kept in (Kept.NO, Kept.LOST):
            yield _finding(
                group,
                DELIVERY,
                Cause(Problem.NOT_DELIVERED)
                if one.kept is Kept.NO
                else Cause(Problem.DELIVERY_QUEUE_REFUSED, (one.name,), one.why),
                (call.source,),
                remedy=_DELIVERY_REMEDIES.get(call.service, Remedy.KEEP_UNDELIVERED_EVENTS),
            )
        if one is not None and one.flaw is not None and isinstance(one.flaw.what, Flaw):
            kind, remedy = _FLAWS[one.flaw.what]
            cause = Cause(Problem.DELIVERY_QUEUE_CLOSED, one.flaw.names, one.flaw)
            yield _finding(group, kind, cause, (call.source,), remedy=remedy)
        retries = call.delivery_retries
        if retries is not None and retries != _DEFAULT_DELIVERY_RETRIES and not sets_retries:
            yield _finding(
                group,
                DELIVERY_RETRIES,
                Cause(Problem.DELIVERY_RETRIES, (retries,)),
                (call.source,),
                remedy=Remedy.SET_RETRIES,
                retries=retries,
            )


def _finding(
    group: _Group,
    kind: Kind,
    cause: Cause,
    callers: tuple[Source, ...],
    *,
    remedy: Remedy = Remedy.ATTACH_DESTINATION,
    retries: str = "",
    named_by: Source | None = None,
) -> Finding:
    source = group.function.source
    # A function outside the template is reported at a resource that refers to it.
    resource = source if source.type else named_by or next(iter(callers), source)
    return Finding(
        kind=kind.id,
        cause=cause,
        resource=resource,
        function=source.shown,
        qualifier="" if group.qualifier.startswith("?") else group.qualifier,
        callers=callers,
        remedy=Fix(
            remedy,
            source,
            _naming(group.function),
            group.qualifier,
            retries,
            *_parties(cause.why),
        ),
    )


def _parties(why: Cause | None) -> tuple[str, str]:
    """Return what a fix changes so that a service may send: a queue, key or topic; the sender."""
    if why is None or not isinstance(why.what, Flaw):
        return "", ""
    sender = "" if why.what is Flaw.NO_SUBSCRIPTION else why.names[1]
    return why.names[-1 if why.what is Flaw.NO_KEY_POLICY else 0], sender


def _naming(function: Function) -> Naming:
    if function.is_deployed:
        return Naming.IN_ACCOUNT
    return Naming.IN_TEMPLATE if function.judged else Naming.ELSEWHERE


def _sources(calls: Iterable[Call]) -> tuple[Source, ...]:
    return tuple(dict.fromkeys(call.source for call in calls if call.waits is not Waits.YES))
