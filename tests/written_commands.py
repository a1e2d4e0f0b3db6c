"""Every `failure-destinations …` command that docs, help, alarms and messages name."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
NAME = "failure-destinations"
# What a value stands for where the source has an expression.
PLACEHOLDER = "placeholder-0a1b2c3d"
_AFTER = ("|", ">", "&&", "#")
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(rf"`+({NAME} [^`]*)`+")
_COMMAND = re.compile(rf"(?:^|(?<=[\s:'\"(]))({NAME} +[a-z].*)", re.MULTILINE)
_ALARM_ENDS = re.compile(r", (?:then|or save it:)| The group's")


class Written(NamedTuple):
    """A command as it is written somewhere.

    Attributes:
        place: The file.
        text: The command, as a person would copy it.
        whole: Whether it is meant to be run as it is; else some of its arguments may be left out.
    """

    place: str
    text: str
    whole: bool

    @property
    def arguments(self) -> list[str]:
        """Its words after the program's name."""
        return words(self.text)[1:]


def words(line: str) -> list[str]:
    """Return the words of the first command in a line of a shell."""
    return list(takewhile(lambda word: word not in _AFTER, shlex.split(line)))


def in_pages() -> Iterator[Written]:
    """Yield those of the README and the docs."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        place = str(path.relative_to(ROOT))
        text = path.read_text(encoding="utf-8")
        for _, language, body in _FENCE.findall(text):
            if language in ("console", "text", "yaml", "sh", "bash"):
                yield from (Written(place, one, True) for one in commands_in(body))
        for inline in _INLINE.findall(_FENCE.sub("", text)):
            yield Written(place, " ".join(inline.split()), False)


def commands_in(block: str) -> Iterator[str]:
    """Yield the commands of a block of code."""
    for line in block.splitlines():
        stripped = line.strip().removeprefix("- run: ").removeprefix("$ ")
        # `…` stands for what a reader fills in; a usage line is not a command.
        if stripped.startswith(f"{NAME} ") and "[OPTIONS]" not in stripped:
            yield shlex.join(words(stripped))


def in_source() -> Iterator[Written]:
    """Yield those in the texts of the program: errors, hints, advice and descriptions."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {
            node.body[0].value
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for text in _texts(tree, docs):
            for inline in _INLINE.findall(text):
                yield Written(str(path.relative_to(ROOT)), inline, False)
            place = str(path.relative_to(ROOT))
            yield from (Written(place, one, True) for one in commands_in(text))
            lines = _INLINE.sub("", text).splitlines()
            rest = "\n".join(line for line in lines if not line.strip().startswith(f"{NAME} "))
            for found in _COMMAND.findall(rest):
                command = re.split(r"[,;:)](?: |$)|\. | \| |'$", found)[0]
                yield Written(place, command.strip(), False)


def _texts(tree: ast.AST, docs: set[ast.expr]) -> Iterator[str]:
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside.update(id(part) for part in node.values)
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else PLACEHOLDER
                for part in node.values
            )
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node not in docs
            and id(node) not in inside
        ):
            yield node.value


def in_alarms(template: Mapping[str, Any]) -> Iterator[Written]:
    """Yield those in the descriptions of a template's alarms."""
    for id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            text = resolved(resource["Properties"]["AlarmDescription"])
            for command in in_description(text):
                yield Written(id, command, True)


def in_description(text: str) -> Iterator[str]:
    """Yield the commands of an alarm's description."""
    for found in re.split(rf"(?={NAME} )", text)[1:]:
        if found.split()[1].isalpha():
            yield _ALARM_ENDS.split(found.strip())[0].rstrip(". ")


def resolved(value: Any) -> str:
    """Return a text of a template with a placeholder for what CloudFormation fills in."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(resolved(part) for part in parts)
    return PLACEHOLDER
