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
    DISABLED,
    DURABLE,
    DURABLE_UNQUALIFIED,
    LOST_DESTINATION,
    NO_SUBSCRIBER,
    OTHER_QUALIFIER,
    QUEUE_KEY,
    QUEUE_POLICY,
    TENANT_MISSING,
    UNCOVERED,
    UNKNOWN,
    Kind,
)
from .model import AsyncConfig, Call, Destination, Facts, Function, Kept, Source, Tool, Waits
from .parts import Fix, Naming, Remedy

_CONFIG = "AWS::Lambda::EventInvokeConfig"
# EventBridge's default, so nobody chose it.
_DEFAULT_DELIVERY_RETRIES = "185"
_REPLACEMENTS = {
    "OnFailure": Remedy.REPLACE_FAILURE_DESTINATION,
    "OnSuccess": Remedy.REPLACE_SUCCESS_DESTINATION,
}
# Callers that cannot name a tenant.
_WITHOUT_TENANT = frozenset(
    {
        "AWS::Events::Rule",
        "AWS::S3::Bucket",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::Scheduler::Schedule",
        "Custom::S3BucketNotifications",
    }
)
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

    @property
    def is_durable(self) -> bool:
        """Whether it is durable: a version may differ from the function as it is now."""
        return self.function.is_durable != (self.qualifier in self.function.of_other_kind)


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
            if call.permitted:
                sources.add(call.permitted)
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
    yield from _unqualified(group)
    yield from _without_tenant(group)
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
                    changed=config.source,
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
    calls = [call for call in group.calls if call.waits is not Waits.YES and not call.is_disabled]
    disabled = _sources(call for call in group.calls if call.is_disabled)
    # A call that may wait adds nothing if another call does not wait.
    certain = [call for call in calls if call.waits is not Waits.UNKNOWN]
    sources = _sources(certain or calls) or disabled
    is_called = bool(sources)
    sources = sources or tuple(config.source for config in group.configs)
    if not sources:
        return
    goes_on = not is_called or any(call.waits is Waits.NO for call in calls)
    awaits_answer = bool(calls) and not goes_on and certain == calls
    if awaits_answer and (group.function.owned_by_cdk or not group.function.source.type):
        return
    # Of a durable function, destinations get nothing.
    configs = [one for one in group.configs if one.is_dead_letter or not group.is_durable]
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
        cause = Cause(Problem.IN_DOUBT, why=doubt, is_called=is_called)
        yield _finding(group, UNKNOWN, cause, sources)
    elif not is_called and _only_waiting(of_function):
        yield _attached(group, UNKNOWN, Cause(Problem.ONLY_WAITING_CALLERS), sources)
    elif goes_on:
        yield _not_kept(group, of_function, sources, is_called=is_called)
    else:
        yield from _not_lost_yet(group, calls, disabled)


def _unqualified(group: _Group) -> Iterator[Finding]:
    """Yield a finding if events for a durable function name no qualifier, so Lambda rejects them.

    https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
    """
    if not group.is_durable:
        return
    sources = _sources(
        call
        for call in group.calls
        if call.is_unqualified and call.waits is Waits.NO and not call.is_permission
    )
    if sources:
        cause = Cause(Problem.DURABLE_UNQUALIFIED)
        yield _finding(group, DURABLE_UNQUALIFIED, cause, sources, remedy=Remedy.CALL_ALIAS)


def _without_tenant(group: _Group) -> Iterator[Finding]:
    """Yield a finding if events for a function that isolates tenants name none.

    Lambda rejects them. https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation-invoke.html
    """
    if not group.function.isolates_tenants:
        return
    sources = _sources(
        call
        for call in group.calls
        if call.source.type in _WITHOUT_TENANT
        and call.waits is Waits.NO
        and not (call.has_tenant or call.is_permission or call.is_disabled)
    )
    if sources:
        cause = Cause(Problem.TENANT_MISSING)
        yield _finding(group, TENANT_MISSING, cause, sources, remedy=Remedy.PASS_TENANT)


def _not_lost_yet(
    group: _Group, calls: list[Call], disabled: tuple[Source, ...]
) -> Iterator[Finding]:
    """Yield the notes about callers that lose nothing, as far as is known."""
    unsure = _sources(call for call in calls if call.waits is Waits.UNKNOWN)
    if unsure:
        yield _finding(group, UNKNOWN, Cause(Problem.WAITS_UNKNOWN), unsure)
    elif calls:
        yield _finding(group, CUSTOM_RESOURCE, Cause(Problem.ANSWER_AWAITED), _sources(calls))
    if disabled:
        yield _attached(group, DISABLED, Cause(Problem.CALLER_DISABLED), disabled)


def _only_waiting(of_function: dict[str, _Group]) -> bool:
    """Return whether a function has callers, and all of them wait for its answer."""
    calls = [call for group in of_function.values() for call in group.calls]
    return bool(calls) and all(call.waits is Waits.YES for call in calls)


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
    group: _Group, of_function: dict[str, _Group], sources: tuple[Source, ...], *, is_called: bool
) -> Finding:
    if group.is_durable:
        cause = Cause(Problem.DURABLE_NOT_KEPT, is_called=is_called)
        return _finding(group, DURABLE, cause, sources, remedy=Remedy.ADD_DEAD_LETTER_QUEUE)
    others = tuple(
        other.qualifier
        for other in of_function.values()
        if any(config.on_failure.kept is Kept.YES for config in other.configs)
    )
    if others:
        cause = Cause(Problem.KEPT_ELSEWHERE, others, is_called=is_called)
        return _attached(group, OTHER_QUALIFIER, cause, sources)
    return _attached(group, UNCOVERED, Cause(Problem.NOT_KEPT, is_called=is_called), sources)


def _attached(group: _Group, kind: Kind, cause: Cause, sources: tuple[Source, ...]) -> Finding:
    """Return a finding that a failure destination fixes, in the configuration if there is one."""
    config = next(
        (
            one.source
            for one in group.configs
            if one.source.type == _CONFIG and one.on_failure.kept is Kept.NO
        ),
        None,
    )
    if config is None:
        return _finding(group, kind, cause, sources)
    return _finding(group, kind, cause, sources, remedy=Remedy.ADD_DESTINATION, changed=config)


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
    if group.is_durable:
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
    config = next((one.source for one in group.configs if one.source.type == _CONFIG), None)
    for call in group.calls:
        if call.waits is not Waits.NO or call.is_permission or call.is_disabled:
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
                changed=call.source,
            )
        if one is not None and one.flaw is not None and isinstance(one.flaw.what, Flaw):
            kind, remedy = _FLAWS[one.flaw.what]
            cause = Cause(Problem.DELIVERY_QUEUE_CLOSED, one.flaw.names, one.flaw)
            yield _finding(group, kind, cause, (call.source,), remedy=remedy, changed=call.source)
        retries = call.delivery_retries
        if retries is not None and retries != _DEFAULT_DELIVERY_RETRIES and not sets_retries:
            yield _finding(
                group,
                DELIVERY_RETRIES,
                Cause(Problem.DELIVERY_RETRIES, (retries,)),
                (call.source,),
                remedy=Remedy.SET_RETRIES if config is None else Remedy.ADD_RETRIES,
                retries=retries,
                changed=config,
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
    changed: Source | None = None,
) -> Finding:
    """Return a finding.

    Args:
        group: The function and qualifier.
        kind: The kind.
        cause: The cause.
        callers: The resources that call the function.
        remedy: The kind of fix.
        retries: The number of Lambda's retries to set.
        named_by: The resource that names a function of another template. Default: a caller.
        changed: The configuration or caller that the fix changes. Default: none; it changes the
            function.
    """
    source = group.function.source
    # A function outside the template is reported at a resource that refers to it.
    resource = source if source.type else named_by or next(iter(callers), source)
    is_config = changed is not None and changed.type == _CONFIG
    receiver, sender = _parties(cause.why)
    tool = (changed or resource).tool
    if tool is Tool.SAM and kind is OTHER_QUALIFIER and changed is None:
        # The EventInvokeConfig of a function in SAM is for its own qualifier.
        tool = Tool.CLOUDFORMATION
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
            receiver=receiver,
            sender=sender,
            config=changed if is_config else None,
            caller=None if is_config else changed,
            tool=Tool.ANY if group.function.is_deployed else tool,
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
