"""The public API as lines of text, one for each name, parameter and option: `make api`.

It is read from the source, without the CDK. `tests/released/api.txt` is the record of the working
tree, `tests/released/X.Y.Z/api.txt` that of a released version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import click
import griffe

from failure_destinations.cli.group import cli

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "tests" / "released" / "api.txt"
# The modules of docs/reference: what others define is public only through these.
PACKAGE = "failure_destinations"
MODULES = tuple(f"{PACKAGE}.{name}" for name in ("check", "runtime", "testing"))
COMMAND = "failure-destinations"
_VARIADIC = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}


def read_api() -> dict[str, str]:
    """Return the form of each public name: its annotation and default, bases, or kind."""
    package = cast(
        griffe.Module,
        griffe.load(PACKAGE, search_paths=[ROOT / "src"], resolve_aliases=True),
    )
    api = dict.fromkeys(MODULES, "module")
    for name in (PACKAGE, *MODULES):
        module = package if name == PACKAGE else package[name.removeprefix(f"{PACKAGE}.")]
        for exported in sorted(map(str, module.exports or ())):
            if not exported.startswith("_"):
                api.update(_forms(f"{name}.{exported}", _member(module, exported)))
    api.update(_command_forms(COMMAND, cli))
    return api


def to_text(api: Mapping[str, str]) -> str:
    """Return the record: a line for each name, in order."""
    return "".join(f"{name}: {form}\n" for name, form in sorted(api.items()))


def from_text(text: str) -> dict[str, str]:
    """Return what a record says."""
    lines = (line.partition(": ") for line in text.splitlines())
    return {name: form for name, _, form in lines}


def changed_names(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Return the names that are new, gone or of another form, each with the word for it.

    A name that is new or gone together with its module, class, function or command is left out:
    naming that one is enough.
    """
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return {
        name: _word(name)
        for name in sorted(changed)
        if not (_parent(name) in changed and (_parent(name) in before) != (_parent(name) in after))
    }


def is_named(word: str, text: str) -> bool:
    """Return whether a text has the word, and not only as a part of another."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


def _parent(name: str) -> str:
    if name.endswith(")"):
        return name.rpartition("(")[0]
    return name.rpartition(" " if name.startswith(COMMAND) else ".")[0]


def _word(name: str) -> str:
    if name.endswith(")"):
        return name.rpartition("(")[2][:-1].lstrip("*")
    return name.rpartition(" " if name.startswith(COMMAND) else ".")[2]


def _member(module: Any, name: str) -> Any:
    member = module[name]
    # `from .replay import replay` leaves the function where griffe has the module.
    return member[name] if member.is_module else member


def _forms(name: str, member: Any) -> Iterator[tuple[str, str]]:
    if member.is_class:
        yield name, f"class({', '.join(map(str, member.bases))})"
        yield from _parameters(name, member.parameters)
        for own, inherited in {**member.inherited_members, **member.members}.items():
            if not own.startswith("_"):
                yield from _forms(f"{name}.{own}", inherited)
    elif member.is_function:
        yield name, f"() -> {member.returns}"
        yield from _parameters(name, member.parameters)
    elif "property" in member.labels:
        yield name, f"property {member.annotation}"
    elif str(member.value).startswith("Literal["):
        yield name, f"one of {' '.join(str(member.value).split())}"
    else:
        yield name, "attribute" if member.annotation is None else f"attribute {member.annotation}"


def _parameters(name: str, parameters: griffe.Parameters) -> Iterator[tuple[str, str]]:
    for index, parameter in enumerate(parameters):
        if parameter.name == "self":
            continue
        if parameter.kind in _VARIADIC:
            yield f"{name}({parameter.name})", f"{_VARIADIC[parameter.kind]} {parameter.annotation}"
            continue
        is_keyword = parameter.kind is griffe.ParameterKind.keyword_only
        place = "keyword" if is_keyword else f"at {index}"
        default = "" if parameter.default is None else f" = {parameter.default}"
        yield f"{name}({parameter.name})", f"{place} {parameter.annotation}{default}"


def _command_forms(name: str, command: click.Command) -> Iterator[tuple[str, str]]:
    yield name, "command"
    context = click.Context(command)
    for parameter in command.params:
        options = sorted([*parameter.opts, *parameter.secondary_opts], key=len, reverse=True)
        kind = "flag" if getattr(parameter, "is_flag", False) else _kind(parameter.type)
        marks = [mark for mark in ("required", "multiple") if getattr(parameter, mark, False)]
        yield f"{name} {options[0]}", " ".join([*options[1:], kind, *marks])
    if isinstance(command, click.Group):
        for own in command.list_commands(context):
            if subcommand := command.get_command(context, own):
                yield from _command_forms(f"{name} {own}", subcommand)


def _kind(type: Any) -> str:
    return "|".join(map(str, type.choices)) if isinstance(type, click.Choice) else type.name


if __name__ == "__main__":
    RECORD.write_text(to_text(read_api()), encoding="utf-8")
    print(
        f"{RECORD.relative_to(ROOT)}: {len(RECORD.read_text(encoding='utf-8').splitlines())} names"
    )
