"""Resolve CloudFormation's intrinsic functions, as far as a template alone allows.

A value becomes text. What is only known at deployment becomes a mark in it (`Marks`). So
`arn:aws:lambda:eu-west-1:111122223333:function:` followed by the mark of a function's name can be
split and compared like the final text. A conditional value has one text for each branch; None
stands for a property that is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from .attributes import ARNS, NAMES
from .marks import Mark, Marks
from .outputs import StackOutputs, place_of
from .scope import Scope
from .values import branches, intrinsic, mapping, member, scalar

# A hostile template may nest, branch or repeat endlessly.
_MAX_DEPTH = 60
_MAX_STEPS = 20_000
_MAX_BRANCHES = 16
_MAX_TEXT = 100_000

_PLACEHOLDER = re.compile(r"\$\{([^${}]*)\}")
_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:[^{}]*\}\}")
# The parts of Fn::FindInMap before its options.
_MAP_AND_KEYS = 3
_STACK_NAME = "AWS::StackName"
_PSEUDO = {"AWS::AccountId", "AWS::Partition", "AWS::Region", "AWS::URLSuffix"}

Texts = tuple[str | None, ...]


class _OutOfBoundsError(Exception):
    """The value is too deep, too long or too branched to be real."""


class Resolver:
    """Resolves values in their scopes."""

    def __init__(self, scopes: list[Scope], marks: Marks) -> None:
        """Take all scopes that may refer to one another."""
        self._marks = marks
        self._scopes = scopes
        self._exports: dict[str, list[tuple[Scope, Any]]] | None = None
        self._far_exports: dict[str, tuple[Scope, Any]] | None = None
        self._outputs: StackOutputs | None = None
        self._steps = 0
        self._references: dict[tuple[Scope, str, str], Texts] = {}
        self._resolving: set[tuple[Scope, str, str]] = set()
        self._intrinsics: dict[str, Callable[[Any, Scope, int], Texts]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
            "Fn::ImportValue": self._import_value,
            "Fn::GetStackOutput": self._get_stack_output,
            "Fn::ToJsonString": self._to_json_string,
            "Fn::Length": self._length,
        }

    def texts(self, value: Any, scope: Scope) -> Texts:
        """Return the possible texts of a value, one for each branch of its conditions, or None."""
        if isinstance(value, str) and "{{resolve:" not in value:
            return (self._marks.clean(value),)
        self._steps = 0
        try:
            return self._texts(value, scope, 0)
        except _OutOfBoundsError:
            return (self._unknown(scope, "a value that is nested too deeply"),)

    def _texts(self, value: Any, scope: Scope, depth: int) -> Texts:  # noqa: PLR0911 - by kind
        self._steps += 1
        if depth > _MAX_DEPTH or self._steps > _MAX_STEPS:
            raise _OutOfBoundsError
        if value is None:
            return (None,)
        if isinstance(value, str):
            return (self._literal(value, scope),)
        if isinstance(value, bool):
            return (str(value).lower(),)
        if isinstance(value, (int, float)):
            return (scalar(value),)
        call = intrinsic(value)
        if call is None:
            return (self._unknown(scope, "a value that is not a text"),)
        name, argument = call
        resolve = self._intrinsics.get(name)
        if resolve is None:
            return (self._unknown(scope, f"{name[:60]}"),)
        texts = resolve(argument, scope, depth + 1)
        if len(texts) > 1:
            texts = tuple(dict.fromkeys(texts))
        if len(texts) > _MAX_BRANCHES or any(text and len(text) > _MAX_TEXT for text in texts):
            raise _OutOfBoundsError
        return texts

    def _literal(self, text: str, scope: Scope) -> str:
        text = self._marks.clean(text)
        if "{{resolve:" in text:
            return _DYNAMIC_REFERENCE.sub(
                lambda found: self._unknown(scope, found.group()[:200]), text
            )
        return text

    def _unknown(self, scope: Scope, what: str) -> str:
        # Even a name may contain unknown parts.
        return self._marks.text(Mark("unknown", scope, self._marks.readable(what)))

    def _ref(self, name: Any, scope: Scope, depth: int) -> Texts:  # noqa: PLR0911 - by kind
        if not isinstance(name, str):
            return self._each(name, scope, depth, self._ref)
        if name == "AWS::NoValue":
            return (None,)
        if name in _PSEUDO:
            # No colons, because an ARN is split at them.
            return (f"${{{name.removeprefix('AWS::')}}}",)
        if name == _STACK_NAME and scope.deployed_name and scope.parent is None:
            return (self._marks.clean(scope.deployed_name),)
        if scope.parameter(name) is not None:
            return self._parameter(name, scope, depth)
        if name in scope.resources:
            return self._attribute(scope, name, "", depth)
        return (self._unknown(scope, name),)

    def _each(
        self, name: Any, scope: Scope, depth: int, resolve: Callable[[Any, Scope, int], Texts]
    ) -> Texts:
        """Return what a reference may return whose name AWS::LanguageExtensions computes."""
        if intrinsic(name) is None:
            return (self._unknown(scope, "a reference"),)
        found: list[str | None] = []
        for text in self._texts(name, scope, depth):
            found += resolve(text or "", scope, depth + 1)
        return tuple(found)

    def _parameter(self, name: str, scope: Scope, depth: int) -> Texts:
        if scope.parent is not None and name in scope.parameters:
            return self._texts(scope.parameters[name], scope.parent, depth)
        definition = scope.parameter(name) or {}
        default = definition.get("Default")
        kind = definition.get("Type")
        from_ssm = isinstance(kind, str) and kind.startswith("AWS::SSM::Parameter::Value")
        # Templates use an empty default for an optional value.
        if from_ssm or default == "" or not isinstance(default, (str, int, float)):
            return (self._unknown(scope, f"parameter {name}"),)
        return (self._literal(scalar(default), scope),)

    def _get_att(self, argument: Any, scope: Scope, depth: int) -> Texts:
        if isinstance(argument, str):
            argument = argument.split(".", 1)
        if not isinstance(argument, list) or len(argument) < 2:  # noqa: PLR2004 - id, attribute
            return (self._unknown(scope, "Fn::GetAtt"),)
        logical_id, attribute, *more = argument
        if not more and (intrinsic(logical_id) or intrinsic(attribute)):
            return self._computed_attribute(logical_id, attribute, scope, depth)
        if not all(isinstance(part, str) for part in (logical_id, attribute, *more)):
            return (self._unknown(scope, "Fn::GetAtt"),)
        return self._attribute(scope, logical_id, ".".join((attribute, *more)), depth)

    def _computed_attribute(
        self, logical_id: Any, attribute: Any, scope: Scope, depth: int
    ) -> Texts:
        """Return an attribute whose names AWS::LanguageExtensions computes."""
        found: list[str | None] = []
        parts = [self._texts(part, scope, depth) for part in (logical_id, attribute)]
        for id, name in product(*parts):
            found += self._attribute(scope, id or "", name or "", depth + 1)
            if len(found) > _MAX_BRANCHES:
                raise _OutOfBoundsError
        return tuple(found)

    def _attribute(self, scope: Scope, logical_id: str, attribute: str, depth: int) -> Texts:
        reference = (scope, logical_id, attribute)
        known = self._references.get(reference)
        if known is not None:
            return known
        if reference in self._resolving:
            return (self._unknown(scope, f"{logical_id}, which refers to itself"),)
        self._resolving.add(reference)
        try:
            texts = self._fresh_attribute(scope, logical_id, attribute, depth)
        finally:
            self._resolving.discard(reference)
        self._references[reference] = texts
        return texts

    def _fresh_attribute(  # noqa: PLR0911 - by type
        self, scope: Scope, logical_id: str, attribute: str, depth: int
    ) -> Texts:
        resource = mapping(scope.resources.get(logical_id))
        type = scalar(resource.get("Type"))
        properties = mapping(resource.get("Properties"))
        name = self._marks.text(Mark("name", scope, logical_id))
        if type == "AWS::CloudFormation::Stack" and attribute.startswith("Outputs."):
            child = scope.children.get(logical_id)
            output = mapping(child.outputs.get(attribute[8:])) if child is not None else {}
            if child is not None and "Value" in output:
                return self._texts(output["Value"], child, depth + 1)
        elif type == "AWS::Lambda::Alias" and attribute in ("", "AliasArn"):
            return self._qualified(properties, properties.get("Name"), scope, depth)
        elif type == "AWS::Lambda::Version" and attribute in ("", "FunctionArn"):
            return self._qualified(properties, None, scope, depth, name)
        elif type == "AWS::Lambda::Version" and attribute == "Version":
            return (name,)
        elif type == "Custom::CrossRegionExportReader":
            if self._far_exports is None:
                self._far_exports = dict(self._cross_region_exports())
            if attribute in self._far_exports:
                there, value = self._far_exports[attribute]
                return self._texts(value, there, depth + 1)
        arn = ARNS.get((type, attribute))
        if arn is not None:
            return (arn + name,)
        if (type, attribute) in NAMES:
            return (name,)
        return (self._marks.text(Mark("attribute", scope, logical_id, attribute)),)

    def _qualified(
        self, properties: Mapping[str, Any], name: Any, scope: Scope, depth: int, mark: str = ""
    ) -> Texts:
        """Return the ARN of a version or alias: the function's ARN and the qualifier."""
        qualifiers = (mark,) if mark else self._texts(name, scope, depth + 1)
        found = []
        for function in self._texts(properties.get("FunctionName"), scope, depth + 1):
            parts = (function or "").split(":")
            # FunctionName may be a name, `account:function:name` or an ARN.
            at = parts.index("function") + 1 if "function" in parts[:-1] else 0
            prefix = "arn:${Partition}:lambda:${Region}:${AccountId}:function:"
            found += [f"{prefix}{parts[at]}:{qualifier or ''}" for qualifier in qualifiers]
        return tuple(found)

    def _sub(self, argument: Any, scope: Scope, depth: int) -> Texts:
        values: Mapping[str, Any] = {}
        if isinstance(argument, list):
            values = mapping(argument[1]) if len(argument) > 1 else {}
            argument = argument[0] if argument else None
        if not isinstance(argument, str):
            return (self._unknown(scope, "Fn::Sub"),)
        pieces = _PLACEHOLDER.split(argument)
        # Text and placeholders alternate.
        resolved: list[Texts] = [(self._literal(piece, scope),) for piece in pieces]
        for i in range(1, len(pieces), 2):
            resolved[i] = self._placeholder(pieces[i], values, scope, depth)
        return self._joined("", resolved)

    def _placeholder(self, name: str, values: Mapping[str, Any], scope: Scope, depth: int) -> Texts:
        if name.startswith("!"):
            return (self._marks.clean(f"${{{name[1:]}}}"),)
        name = name.strip()
        if name in values:
            return self._texts(values[name], scope, depth)
        if "." in name:
            return self._get_att(name, scope, depth)
        return self._ref(name, scope, depth)

    def _joined(self, separator: str, pieces: list[Texts]) -> Texts:
        if all(len(piece) == 1 for piece in pieces):
            return (separator.join(piece[0] for piece in pieces if piece[0] is not None),)
        texts: list[list[str]] = [[]]
        for piece in pieces:
            texts = [
                [*text, branch] if branch is not None else text
                for text in texts
                for branch in piece
            ]
            if len(texts) > _MAX_BRANCHES:
                raise _OutOfBoundsError
        return tuple(separator.join(text) for text in texts)

    def _join(self, argument: Any, scope: Scope, depth: int) -> Texts:
        if not isinstance(argument, list) or len(argument) != 2:  # noqa: PLR2004 - separator, list
            return (self._unknown(scope, "Fn::Join"),)
        separator, value = argument
        if not isinstance(separator, str):
            return (self._unknown(scope, "Fn::Join"),)
        separator = self._marks.clean(separator)
        lists = self._lists(value, scope, depth)
        joined: list[str | None] = []
        for pieces in lists:
            joined += self._joined(separator, pieces)
        return tuple(joined)

    def _lists(self, value: Any, scope: Scope, depth: int) -> list[list[Texts]]:
        """Return the possible contents of a list value, one for each branch of its conditions."""
        if isinstance(value, list):
            return [[self._texts(item, scope, depth + 1) for item in value]]
        call = intrinsic(value)
        if call is not None and depth < _MAX_DEPTH:
            name, argument = call
            if name == "Fn::Split" and isinstance(argument, list) and len(argument) == 2:  # noqa: PLR2004
                separator, text = argument
                separator = self._marks.clean(separator) if isinstance(separator, str) else ""
                if separator:
                    return [
                        [(piece,) for piece in self._marks.split(one or "", separator)]
                        for one in self._texts(text, scope, depth + 1)
                    ]
            elif name == "Fn::If":
                found: list[list[Texts]] = []
                for branch in branches(value):
                    found += self._lists(branch, scope, depth + 1)
                    if len(found) > _MAX_BRANCHES:
                        raise _OutOfBoundsError
                return found
            elif name == "Ref":
                # A list parameter's value is separated by commas.
                return [
                    [(piece.strip(),) for piece in (one or "").split(",")]
                    for one in self._texts(value, scope, depth + 1)
                ]
        return [[(self._unknown(scope, "a list"),)]]

    def _select(self, argument: Any, scope: Scope, depth: int) -> Texts:
        if not isinstance(argument, list) or len(argument) != 2:  # noqa: PLR2004 - index, list
            return (self._unknown(scope, "Fn::Select"),)
        found: list[str | None] = []
        for index in self._texts(argument[0], scope, depth):
            for pieces in self._lists(argument[1], scope, depth):
                # CloudFormation does not accept digits of other scripts.
                at = int(index) if index and re.fullmatch(r"[0-9]{1,4}", index) else len(pieces)
                found += pieces[at] if at < len(pieces) else (self._unknown(scope, "Fn::Select"),)
        return tuple(found)

    def _if(self, argument: Any, scope: Scope, depth: int) -> Texts:
        if not isinstance(argument, list):
            return (self._unknown(scope, "Fn::If"),)
        return tuple(text for branch in argument[1:3] for text in self._texts(branch, scope, depth))

    def _find_in_map(self, argument: Any, scope: Scope, depth: int) -> Texts:
        if not isinstance(argument, list) or len(argument) < _MAP_AND_KEYS:
            return (self._unknown(scope, "Fn::FindInMap"),)
        # AWS::LanguageExtensions: the value for a key that the mapping does not have.
        options = mapping(argument[_MAP_AND_KEYS]) if len(argument) > _MAP_AND_KEYS else {}
        has_default, is_missing = "DefaultValue" in options, False
        names = self._texts(argument[0], scope, depth)
        found: list[Any] = [scope.table(name or "") for name in names]
        for key in argument[1:_MAP_AND_KEYS]:
            tables, found = found, []
            for table, one in product(tables, self._texts(key, scope, depth)):
                entries = mapping(table)
                is_missing = is_missing or one not in entries
                if one in entries:
                    found.append(entries[one or ""])
                elif not has_default or not self._is_written(one):
                    # A key such as the Region is only known at deployment, so any entry may apply.
                    found += entries.values()
                if len(found) > _MAX_BRANCHES:
                    raise _OutOfBoundsError
        texts = [text for value in found for text in self._texts(value, scope, depth)]
        if has_default and (is_missing or not found):
            texts += self._texts(options["DefaultValue"], scope, depth)
        if not texts or not all(map(self._is_written, names)):
            texts.append(self._unknown(scope, "Fn::FindInMap"))
        return tuple(texts)

    def _is_written(self, text: str | None) -> bool:
        """Return whether a text is the same wherever the template is deployed."""
        return text is not None and "${" not in text and not self._marks.of(text)

    def _to_json_string(self, argument: Any, scope: Scope, depth: int) -> Texts:
        """Return JSON text with the resolved texts of its values.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-ToJsonString.html
        """
        return self._joined("", list(self._json(argument, scope, depth)))

    def _json(self, value: Any, scope: Scope, depth: int) -> Iterator[Texts]:
        """Yield the pieces of a value's JSON text."""
        self._steps += 1
        if depth > _MAX_DEPTH or self._steps > _MAX_STEPS:
            raise _OutOfBoundsError
        if intrinsic(value) is not None:
            texts = self._texts(value, scope, depth + 1)
            yield tuple("null" if text is None else _quoted(text) for text in texts)
        elif isinstance(value, Mapping):
            before = "{"
            for name, inner in value.items():
                yield (f"{before}{_quoted(self._marks.clean(scalar(name)))}: ",)
                yield from self._json(inner, scope, depth + 1)
                before = ", "
            yield ("}" if value else "{}",)
        elif isinstance(value, list):
            before = "["
            for inner in value:
                yield (before,)
                yield from self._json(inner, scope, depth + 1)
                before = ", "
            yield ("]" if value else "[]",)
        elif isinstance(value, str):
            yield (_quoted(self._literal(value, scope)),)
        else:
            yield (
                json.dumps(value) if value is None or isinstance(value, bool) else scalar(value),
            )

    def _length(self, argument: Any, scope: Scope, depth: int) -> Texts:
        """Return the number of a list's items.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-length.html
        """
        if not isinstance(argument, list) and intrinsic(argument) is None:
            return (self._unknown(scope, "Fn::Length"),)
        if isinstance(argument, list):
            return (str(len(argument)),)
        found: list[str | None] = []
        for pieces in self._lists(argument, scope, depth):
            is_known = all(self._marks.is_known(text or "") for one in pieces for text in one)
            found.append(str(len(pieces)) if is_known else self._unknown(scope, "Fn::Length"))
        return tuple(found)

    def _import_value(self, argument: Any, scope: Scope, depth: int) -> Texts:
        if self._exports is None:
            self._exports = self._read_exports()
        found: list[str | None] = []
        for name in self._texts(argument, scope, depth):
            exports = self._exports.get(name or "", ())
            if not exports:
                found.append(self._unknown(scope, f"export {name}"))
            for there, value in exports:
                found += self._texts(value, there, depth + 1)
                if len(found) > _MAX_BRANCHES:
                    raise _OutOfBoundsError
        return tuple(found)

    def _read_exports(self) -> dict[str, list[tuple[Scope, Any]]]:
        """Return the exports by name; stacks of several Regions may export the same name."""
        self._exports = {}
        steps = self._steps
        for there in self._scopes:
            for output in there.outputs.values():
                name = member(output, "Export", "Name")
                if name is not None:
                    for text in self.texts(name, there):
                        if text:
                            value = mapping(output).get("Value")
                            self._exports.setdefault(text, []).append((there, value))
        self._steps = steps
        return self._exports

    def _get_stack_output(self, argument: Any, scope: Scope, depth: int) -> Texts:
        if self._outputs is None:
            self._outputs = StackOutputs(self._scopes)
        named = mapping(argument)
        parts = [
            self._texts(named.get(part), scope, depth)
            for part in ("StackName", "OutputName", "Region", "RoleArn")
        ]
        found: list[str | None] = []
        for stack, output, region, role in product(*parts):
            known = False
            place = place_of(region, role, scope, self._marks)
            for there, value in self._outputs.find(stack or "", output or "", place, scope):
                known = True
                found += self._texts(value, there, depth + 1)
                if len(found) > _MAX_BRANCHES:
                    raise _OutOfBoundsError
            if not known:
                named_by = f"output {output or '?'} of stack {stack or '?'}"
                found.append(self._unknown(scope, named_by))
                if len(found) > _MAX_BRANCHES:
                    raise _OutOfBoundsError
        return tuple(found)

    def _cross_region_exports(self) -> Iterator[tuple[str, tuple[Scope, Any]]]:
        """Yield the values that the CDK's custom resources copy from Region to Region."""
        for there in self._scopes:
            for resource in there.resources.values():
                if mapping(resource).get("Type") == "Custom::CrossRegionExportWriter":
                    exports = member(resource, "Properties", "WriterProps", "exports")
                    for name, value in mapping(exports).items():
                        yield name, (there, value)


def _quoted(text: str) -> str:
    """Return a JSON text; marks stay marks."""
    return json.dumps(text, ensure_ascii=False)
