"""Apply the rule to a template, or to stacks that refer to one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .event_source_rule import judge_mappings
from .findings import Finding
from .loops import expand_loops
from .model import Facts
from .reader import TemplateReader
from .rule import judge
from .scope import Scope
from .values import mapping

# A stack that is nested deeper must contain itself.
_MAX_NESTING = 50


@dataclass
class Stack:
    """A stack to check.

    Attributes:
        template: Its parsed template: mappings, lists, text and numbers.
        name: Its name, for findings.
        file: The template's file, for findings.
        paths: The construct paths of its resources by logical id, for templates whose metadata
            lacks them.
        nested: Its nested stacks by the logical ids of their `AWS::CloudFormation::Stack`.
        deployed_name: Its name in CloudFormation, by which other stacks refer to its outputs.
            Default: `name`.
        account: The account that it is deployed to, where that is known.
        region: The Region that it is deployed to, where that is known.
        written_as: How a template of AWS SAM names what SAM generated from it, by logical id.
    """

    template: Mapping[str, Any]
    name: str = ""
    file: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)
    nested: Mapping[str, Stack] = field(default_factory=dict)
    deployed_name: str = ""
    account: str = ""
    region: str = ""
    written_as: Mapping[str, str] = field(default_factory=dict)


def find_uncovered_functions(template: Mapping[str, Any]) -> list[Finding]:
    """Return the asynchronous functions of a CloudFormation template whose failures are lost.

    A function is asynchronous if something in the template calls it asynchronously: a rule, a
    schedule, a subscription, a notification, a destination, a permission for a service and so on.
    It is covered by an OnFailure destination for the called qualifier, or by its own dead-letter
    queue. If the template does not say, the finding has the kind `unknown`. Event source mappings
    wait for their functions: `find_lost_events` judges these too.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html

    Args:
        template: The template, with intrinsic functions in their long form, as JSON has them.
            Malformed parts of it are ignored.

    Returns:
        The findings in the order of the template.

    Raises:
        ValueError: The template is not a mapping.
    """
    return find_uncovered_functions_in([Stack(template)])


def find_lost_events(template: Mapping[str, Any]) -> list[Finding]:
    """Return what a CloudFormation template loses: asynchronous events, batches and messages.

    To the findings of `find_uncovered_functions` it adds those about event source mappings: streams
    without a failure destination, queues without a redrive policy, and so on. Such a finding is
    reported at the mapping.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html

    Args:
        template: The template, as for `find_uncovered_functions`.

    Returns:
        The findings: those about functions first, then those about mappings.

    Raises:
        ValueError: The template is not a mapping.
    """
    return find_lost_events_in([Stack(template)])


def find_lost_events_in(stacks: Iterable[Stack]) -> list[Finding]:
    """Return the same in stacks that may refer to one another and have nested stacks.

    Args:
        stacks: The stacks.

    Raises:
        ValueError: A template is not a mapping.
    """
    facts = read_facts(stacks)
    return judge(facts) + judge_mappings(facts)


def find_uncovered_functions_in(stacks: Iterable[Stack]) -> list[Finding]:
    """Return the findings in stacks that may refer to one another and have nested stacks.

    Args:
        stacks: The stacks.

    Returns:
        The findings in the order of the stacks.

    Raises:
        ValueError: A template is not a mapping.
    """
    return judge(read_facts(stacks))


def read_facts(stacks: Iterable[Stack]) -> Facts:
    """Return the facts about functions and their callers, for the rule to judge.

    Args:
        stacks: The stacks.

    Raises:
        ValueError: A template is not a mapping.
    """
    scopes = [scope for stack in stacks for scope in _scopes(stack, None, {}, 0)]
    return TemplateReader(scopes).read()


def _scopes(
    stack: Stack, parent: Scope | None, parameters: Mapping[str, Any], depth: int
) -> Iterator[Scope]:
    if not isinstance(stack.template, Mapping):
        raise ValueError(
            f"template must be a mapping, got {type(stack.template).__name__}: "
            "read it with json.load or a YAML loader that knows CloudFormation's tags"
        )
    scope = Scope(
        expand_loops(stack.template),
        stack.name,
        stack.file,
        stack.paths,
        parent=parent,
        parameters=parameters,
        deployed_name=stack.deployed_name or stack.name,
        account=stack.account,
        region=stack.region,
        written_as=stack.written_as,
    )
    yield scope
    for logical_id, nested in stack.nested.items():
        if depth >= _MAX_NESTING:
            break
        properties = mapping(mapping(scope.resources.get(logical_id)).get("Properties"))
        given = mapping(properties.get("Parameters"))
        below = list(_scopes(nested, scope, given, depth + 1))
        scope.children[logical_id] = below[0]
        yield from below
