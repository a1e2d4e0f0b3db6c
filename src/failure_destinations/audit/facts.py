"""Turn an account's inventory into facts for the rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from failure_destinations.check.causes import Answer, Cause, Doubt, Open
from failure_destinations.check.event_source_rule import judge_mappings
from failure_destinations.check.findings import Finding
from failure_destinations.check.kinds import UNKNOWN
from failure_destinations.check.model import (
    LATEST,
    NOWHERE,
    AsyncConfig,
    Call,
    Destination,
    EventSourceMapping,
    Facts,
    Kept,
    Source,
    Unknown,
    Waits,
)
from failure_destinations.check.reader import TemplateReader
from failure_destinations.check.rule import judge
from failure_destinations.check.scope import Scope

from .actions import LIST_BUSES, LIST_RULES, LIST_TARGETS, Action
from .event_source_facts import complete, link
from .inventory import Inventory
from .metrics import Received

Refusals = Mapping[tuple[Action, str], tuple[str, int]]
# A count of events does not say which service called.
_ANY_SERVICE = "any"


def find_in(inventory: Inventory, refusals: Refusals, received: list[Received]) -> list[Finding]:
    """Return the findings in an account.

    Args:
        inventory: What was found.
        refusals: What AWS did not allow.
        received: Which functions received asynchronous events lately, if that was asked.
    """
    facts = _facts(inventory, refusals, received)
    return judge(facts) + judge_mappings(facts) + list(_refused(refusals))


def _facts(inventory: Inventory, refusals: Refusals, received: list[Received]) -> Facts:
    all_facts = Facts()
    for region in inventory.regions:
        # One Region at a time: functions of different Regions may have the same name.
        facts = _facts_of_region(inventory, refusals, region, received)
        all_facts.functions |= {
            f"{region} {key}": dataclasses.replace(one, is_deployed=True)
            for key, one in facts.functions.items()
        }
        all_facts.configs += (
            dataclasses.replace(one, function=f"{region} {one.function}") for one in facts.configs
        )
        all_facts.calls += (
            dataclasses.replace(one, function=f"{region} {one.function}") for one in facts.calls
        )
        all_facts.mappings += (_of_region(one, region) for one in facts.mappings)
        all_facts.queues |= {
            f"{region} {key}": dataclasses.replace(
                one, dead_letter_queues=tuple(f"{region} {of}" for of in one.dead_letter_queues)
            )
            for key, one in facts.queues.items()
        }
        all_facts.unknowns += facts.unknowns
    return all_facts


def _of_region(mapping: EventSourceMapping, region: str) -> EventSourceMapping:
    """Return a mapping with the Region in its keys, since Regions share names."""
    return dataclasses.replace(
        mapping,
        function=f"{region} {mapping.function}",
        queue=mapping.queue and f"{region} {mapping.queue}",
        destination_queue=mapping.destination_queue and f"{region} {mapping.destination_queue}",
    )


def _facts_of_region(
    inventory: Inventory, refusals: Refusals, region: str, received: list[Received]
) -> Facts:
    resources = link(inventory.resources(region))
    facts = TemplateReader([Scope({"Resources": resources}, region)]).read()
    names = {key: one.source.logical_id for key, one in facts.functions.items()}
    keys = {name: key for key, name in names.items()}
    facts.calls = [_permitted(call, resources) for call in facts.calls]
    if not any((action, region) in refusals for action in (LIST_BUSES, LIST_RULES, LIST_TARGETS)):
        # All rules were read, so those that call a function are known.
        rules = f"arn:{inventory.partition}:events:{region}:{inventory.account}:rule/"
        facts.calls = [call for call in facts.calls if not call.permitted.startswith(rules)]
    if region in inventory.functions:
        _report_missing_functions(facts)
    facts.calls += _received_without_known_caller(facts, region, received, keys)
    complete(facts, inventory, refusals, region, resources)
    called = dict.fromkeys((call.function, call.qualifier) for call in facts.calls)
    for key, qualifier in called:
        is_durable = inventory.durable.get((region, names[key], qualifier))
        function = facts.functions[key]
        if is_durable not in (None, function.is_durable):
            others = function.of_other_kind | {qualifier}
            facts.functions[key] = dataclasses.replace(function, of_other_kind=others)
        is_named = qualifier != LATEST and not qualifier.startswith("?")
        if is_named and facts.functions[key].judged:
            own = inventory.versions.get((region, names[key], qualifier))
            facts.configs += _own_dead_letter(facts, key, qualifier, own)
        permission = inventory.unknown_configs.get((region, names[key]))
        if permission is not None:
            unknown = Destination(Kept.PERHAPS, why=Cause(Doubt.NOT_ALLOWED, (permission,)))
            source = facts.functions[key].source
            facts.configs.append(AsyncConfig(key, qualifier, source, on_failure=unknown))
    return facts


def _permitted(call: Call, resources: Mapping[str, Mapping[str, object]]) -> Call:
    """Return a permission with its caller's ARN filled in."""
    if not call.is_permission:
        return call
    properties = resources[call.source.logical_id]["Properties"]
    sources = properties.get("SourceArn", ()) if isinstance(properties, Mapping) else ()
    exact = [source for source in sources if "*" not in source and "?" not in source]
    return dataclasses.replace(call, permitted=exact[0] if len(exact) == 1 else "")


def _report_missing_functions(facts: Facts) -> None:
    """Turn calls of missing functions into unknowns, since no configuration helps there."""
    for call in facts.calls:
        function = facts.functions[call.function]
        if not function.judged and not call.is_permission:
            cause = Cause(Open.CALLED_FUNCTION_MISSING, (function.source.shown,))
            facts.unknowns.append(Unknown(call.source, cause))
    facts.calls = [call for call in facts.calls if facts.functions[call.function].judged]


def _received_without_known_caller(
    facts: Facts, region: str, received: list[Received], keys: Mapping[str, str]
) -> Iterator[Call]:
    # Who waits for the answer sends no asynchronous events.
    called = {call.function for call in facts.calls if call.waits is not Waits.YES}
    for one in received:
        key = keys.get(one.function)
        if one.region == region and key is not None and key not in called:
            shown = f"{one.events:,} events in {one.days} days, from an unknown caller"
            source = Source(shown, "metric AsyncEventsReceived", stack=region)
            yield Call(key, one.qualifier, source, _ANY_SERVICE)


def _own_dead_letter(
    facts: Facts, key: str, qualifier: str, arn: str | None
) -> Iterator[AsyncConfig]:
    """Yield the dead-letter queue of a version or alias as an asynchronous configuration.

    A dead-letter queue is locked in when a version is published.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
    """
    function = facts.functions[key]
    if arn:
        yield _config(facts, key, qualifier, Destination(Kept.YES, arn.rpartition(":")[2]))
        return
    if function.dead_letter.kept is Kept.YES:
        # It belongs to $LATEST only: a configuration of that says so.
        yield _config(facts, key, LATEST, function.dead_letter)
        facts.functions[key] = dataclasses.replace(function, dead_letter=NOWHERE)
    if arn is None:
        why = Cause(Doubt.QUALIFIER_MISSING, (qualifier,))
        yield _config(facts, key, qualifier, Destination(Kept.PERHAPS, why=why))


def _config(facts: Facts, key: str, qualifier: str, on_failure: Destination) -> AsyncConfig:
    source = facts.functions[key].source
    return AsyncConfig(key, qualifier, source, on_failure=on_failure, is_dead_letter=True)


def _refused(refusals: Refusals) -> Iterator[Finding]:
    """Yield one finding for each action, however many Regions and functions it affects."""
    answers: dict[Action, list[Answer]] = {}
    for (action, region), (said, times) in sorted(
        refusals.items(), key=lambda item: (item[0][0].permission, item[0][1])
    ):
        answers.setdefault(action, []).append(Answer(said, region, times))
    for action, given in answers.items():
        names = (action.answers, action.permission)
        yield Finding(
            UNKNOWN.id,
            Cause(Open.NOT_ALLOWED, names, answers=tuple(given)),
            Source(action.permission, ""),
        )
