"""Read functions: versions, aliases, asynchronous configurations, and who may call them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from failure_destinations.check.json_values import load_json
from failure_destinations.check.model import LATEST

from .account import Account, RefusedError
from .actions import GET_POLICY, LIST_ALIASES, LIST_CONFIGS, LIST_FUNCTIONS
from .concurrency import Task
from .inventory import Inventory

_SOURCE_ARN = "aws:sourcearn"
_THROUGH_URL = "lambda:invokedviafunctionurl"


@dataclass
class _Function:
    """A function, from the list of all versions.

    Attributes:
        arn: Its ARN, without a qualifier.
        dead_letters: The ARN of the dead-letter queue, or empty, of each version and of $LATEST.
        durable: The settings that make each version and $LATEST durable; empty if it is not.
        timeouts: The timeout of each version and of $LATEST, in seconds.
        handler: The handler of $LATEST.
    """

    arn: str = ""
    dead_letters: dict[str, str] = field(default_factory=dict)
    durable: dict[str, Any] = field(default_factory=dict)
    timeouts: dict[str, int] = field(default_factory=dict)
    handler: str = ""


def read_functions(
    account: Account, inventory: Inventory, region: str, *, all_versions: bool
) -> Iterator[Task]:
    """Yield tasks that read the functions of a Region.

    Args:
        account: The account.
        inventory: Collects what is found.
        region: The Region.
        all_versions: Whether to ask for the policy of every version, not only of the newest.
    """
    functions: dict[str, _Function] = {}
    # One list of all versions needs a fiftieth of the requests of one list per function.
    # A journal of an older version does not have the last values.
    for name, arn, version, dead_letter, *more in account.pages(
        LIST_FUNCTIONS, region, _function, FunctionVersion="ALL"
    ):
        function = functions.setdefault(name, _Function())
        function.dead_letters[version] = dead_letter
        durable, timeout, handler = [*more, None, None, None][:3]
        function.durable[version] = durable or {}
        if timeout is not None:
            function.timeouts[version] = timeout
        if version == LATEST:
            function.handler = handler or ""
        function.arn = function.arn or arn.removesuffix(f":{version}")
    inventory.functions[region] = sorted(functions)
    for name, function in functions.items():
        dead_letter = function.dead_letters.get(LATEST, "")
        properties: dict[str, Any] = {"FunctionName": name}
        if dead_letter:
            properties["DeadLetterConfig"] = {"TargetArn": dead_letter}
        # A timeout that is not known refers to nothing.
        properties["Timeout"] = function.timeouts.get(LATEST, {"Ref": LIST_FUNCTIONS.permission})
        properties["Handler"] = function.handler
        if function.durable.get(LATEST):
            properties["DurableConfig"] = function.durable[LATEST]
        inventory.add(region, name, "AWS::Lambda::Function", properties)
        for version, arn in function.dead_letters.items():
            inventory.versions[region, name, version] = arn
            inventory.durable[region, name, version] = bool(function.durable.get(version))
            if version in function.timeouts:
                inventory.timeouts[region, name, version] = function.timeouts[version]
        yield partial(_read_configs, account, inventory, region, name)
        versions = sorted(filter(str.isdecimal, function.dead_letters), key=int)
        qualifiers = ["", *(versions if all_versions else versions[-1:])]
        yield partial(_read_policies, account, inventory, region, function.arn, qualifiers)
        yield partial(_read_aliases, account, inventory, region, name, function)


def _function(answer: Any) -> list[Any]:
    return [
        answer["FunctionName"],
        answer["FunctionArn"],
        answer.get("Version") or LATEST,
        (answer.get("DeadLetterConfig") or {}).get("TargetArn") or "",
        answer.get("DurableConfig") or {},
        answer.get("Timeout"),
        answer.get("Handler"),
    ]


def _read_configs(account: Account, inventory: Inventory, region: str, name: str) -> None:
    try:
        configs = list(account.pages(LIST_CONFIGS, region, _config, FunctionName=name))
    except RefusedError as refused:
        inventory.unknown_configs[region, name] = str(refused)
        return
    for arn, properties in configs:
        qualifier = arn.rpartition(f":{name}")[2].removeprefix(":") or LATEST
        properties |= {"FunctionName": name, "Qualifier": qualifier}
        inventory.add(region, arn, "AWS::Lambda::EventInvokeConfig", properties)


def _config(answer: Any) -> list[Any]:
    names = ("DestinationConfig", "MaximumRetryAttempts", "MaximumEventAgeInSeconds")
    return [
        answer["FunctionArn"],
        {name: answer[name] for name in names if answer.get(name) is not None},
    ]


def _read_aliases(
    account: Account, inventory: Inventory, region: str, name: str, function: _Function
) -> None:
    try:
        aliases = list(account.pages(LIST_ALIASES, region, _alias, FunctionName=name))
    except RefusedError:
        return
    for alias, versions in aliases:
        dead_letters = [function.dead_letters.get(version, "") for version in versions]
        # An alias may split its events between two versions.
        inventory.versions[region, name, alias] = dead_letters[0] if all(dead_letters) else ""
        inventory.durable[region, name, alias] = any(map(function.durable.get, versions))
        timeouts = [function.timeouts[one] for one in versions if one in function.timeouts]
        if timeouts:
            inventory.timeouts[region, name, alias] = max(timeouts)
        _read_policies(account, inventory, region, function.arn, [alias])


def _alias(answer: Any) -> list[Any]:
    others = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return [answer["Name"], [answer["FunctionVersion"], *others]]


def _read_policies(
    account: Account, inventory: Inventory, region: str, arn: str, qualifiers: list[str]
) -> None:
    name = arn.rpartition(":")[2]
    for qualifier in qualifiers:
        more = {"Qualifier": qualifier} if qualifier else {}
        try:
            document = account.ask(
                GET_POLICY, region, lambda answer: answer["Policy"], FunctionName=name, **more
            )
        except RefusedError:
            return
        called = f"{arn}:{qualifier}" if qualifier else arn
        for id, properties in _permissions(document):
            # A statement says which qualifier it is for.
            resource = properties.pop("Resource", "")
            place = resource if resource.startswith(f"{arn}:") else called
            properties["FunctionName"] = place
            inventory.add(region, f"{place}/{id}", "AWS::Lambda::Permission", properties)


def _permissions(document: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each statement of a policy as the properties of an AWS::Lambda::Permission."""
    try:
        statements = load_json(document or "{}").get("Statement", [])
    except (ValueError, AttributeError, RecursionError):
        return
    for i, statement in enumerate(_list(statements)):
        if not isinstance(statement, dict) or statement.get("Effect") != "Allow":
            continue
        principals = statement.get("Principal")
        given = principals.values() if isinstance(principals, dict) else [principals]
        condition = statement.get("Condition")
        sources = _of_condition(condition, _SOURCE_ARN)
        through_url = _of_condition(condition, _THROUGH_URL)
        for action in _list(statement.get("Action")):
            properties = {
                "Action": action,
                "Principal": [one for some in given for one in _list(some)],
                **({"SourceArn": sources} if sources else {}),
                **({"InvokedViaFunctionUrl": through_url[0]} if through_url else {}),
            }
            if isinstance(statement.get("Resource"), str):
                properties["Resource"] = statement["Resource"]
            id = str(statement.get("Sid") or i)
            yield (
                id if action == _list(statement.get("Action"))[0] else f"{id} {action}",
                properties,
            )


def _of_condition(condition: Any, name: str) -> list[str]:
    """Return the texts with which any operator compares a condition key, in lower case."""
    return [
        one
        for operator in (condition if isinstance(condition, dict) else {}).values()
        for key, value in (operator if isinstance(operator, dict) else {}).items()
        if key.lower() == name
        for one in _list(value)
        if isinstance(one, str)
    ]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
