"""Read a cloud assembly: the templates of a CDK app's stages, stacks and nested stacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from failure_destinations.errors import FailureDestinationsError

from . import sam
from .files import Files, TemplateError
from .findings import Finding
from .loops import expand_loops
from .stacks import Stack
from .values import mapping, member, members

MANIFEST = "manifest.json"
_STACK = "aws:cloudformation:stack"
_STAGE = "cdk:cloud-assembly"
_NESTED = "AWS::CloudFormation::Stack"
# What follows a nested stack's construct path in the path of its CloudFormation resource.
_NESTED_PATH = ".NestedStack/"
_ACKNOWLEDGED = "aws:cdk:acknowledged-rules"
_PREFIX = "failure-destinations::"
_TEMPLATE = ".template.json"
_HASH = re.compile(r"[0-9a-f]{64}")
_ENVIRONMENT = re.compile(r"aws://([^/]*)/([^/]*)")
# What the CDK writes for a stack that can be deployed anywhere.
_UNKNOWN_ACCOUNT, _UNKNOWN_REGION = "unknown-account", "unknown-region"
# A folder or stack that is nested deeper must contain itself.
_MAX_NESTING = 20


class AssemblyError(FailureDestinationsError):
    """A folder or file that the CDK did not write; the message is one line for people."""


@dataclass
class Assembly:
    """The stacks of a CDK app.

    Attributes:
        stacks: The stacks with their nested ones.
        acknowledged: For each construct path, the kinds of findings that are acknowledged there
            and below, with the reasons.
        files: The reader of the app's files.
        problems: One line for each template that AWS SAM rejects, in part or as a whole.
    """

    stacks: list[Stack] = field(default_factory=list)
    acknowledged: dict[str, dict[str, str]] = field(default_factory=dict)
    files: Files = field(default_factory=Files)
    problems: list[str] = field(default_factory=list)
    _templates: dict[Path, sam.Transformed] = field(default_factory=dict)

    def json(self, path: Path) -> Mapping[str, Any]:
        """Return the JSON object in a file.

        Raises:
            AssemblyError: It cannot be read, or is not a JSON object.
        """
        try:
            return self.files.json(path)
        except TemplateError as error:
            raise AssemblyError(str(error)) from None

    def template(self, path: Path) -> sam.Transformed:
        """Return the template in a file, and count its values each time a stack uses it.

        An app that includes a template of AWS SAM leaves its transform to CloudFormation, so it
        runs here. If the translator is not installed, the template stays as it is.

        Raises:
            AssemblyError: It cannot be read, or has too many values.
        """
        template = self.json(path)
        try:
            self.files.count(path, template)
        except TemplateError as error:
            raise AssemblyError(str(error)) from None
        if path not in self._templates:
            self._templates[path] = self._transformed(path, expand_loops(template))
        return self._templates[path]

    def _transformed(self, path: Path, template: Mapping[str, Any]) -> sam.Transformed:
        if not sam.is_sam(template):
            return sam.Transformed(template)
        try:
            return sam.transform(path, template, lambda error: self.problems.append(str(error)))
        except sam.NotInstalledError:
            return sam.Transformed(template)
        except TemplateError as error:
            self.problems.append(str(error))
            return sam.Transformed(template)

    def reason_for(self, finding: Finding) -> str:
        """Return why a finding is acknowledged; empty if it is not."""
        if not self.acknowledged or not finding.path:
            return ""
        for path in (finding.path, *map(str, PurePosixPath(finding.path).parents), ""):
            accepted = self.acknowledged.get(path, {})
            reason = accepted.get(finding.kind) or accepted.get(
                f"{finding.kind}[{finding.resource.shown}]"
            )
            if reason:
                return reason
        return ""


@dataclass
class _Metadata:
    """The CDK's metadata about the constructs of a template.

    Attributes:
        logical_ids: Construct paths and logical ids, also of nested stacks.
        templates: The files of nested stacks' templates by construct path.
        assets: The files that the CDK uploads, by hash.
    """

    logical_ids: list[tuple[str, str]] = field(default_factory=list)
    templates: dict[str, str] = field(default_factory=dict)
    assets: dict[str, str] = field(default_factory=dict)

    def file_of(self, construct: str, resource: Mapping[str, Any]) -> str | None:
        """Return the file of a nested stack's template, wherever the CDK version puts it."""
        if construct in self.templates:
            return self.templates[construct]
        path = member(resource, "Metadata", "aws:asset:path")
        if isinstance(path, str):
            return path
        for part in members(resource, "Properties", "TemplateURL", "Fn::Join"):
            for text in part if isinstance(part, list) else (part,):
                found = _HASH.search(text) if isinstance(text, str) else None
                if found is not None:
                    return self.assets.get(found.group())
        return None


def read_templates(paths: list[Path]) -> Assembly:
    """Return the stacks of template files that the CDK wrote, each with its nested stacks.

    Raises:
        AssemblyError: A file is missing or is not JSON.
    """
    assembly = Assembly()
    artifacts: dict[Path, dict[str, tuple[str, Mapping[str, Any]]]] = {}
    for path in paths:
        folder = path.parent
        if folder not in artifacts:
            manifest = assembly.json(folder / MANIFEST) if (folder / MANIFEST).exists() else {}
            artifacts[folder] = {
                file: (id, artifact) for id, file, artifact in _stack_artifacts(manifest)
            }
        id, artifact = artifacts[folder].get(path.name, ("", {}))
        _read_stack(assembly, path, id, artifact)
    return assembly


def read_assembly(folder: Path, root: Path | None = None) -> Assembly:
    """Return the stacks of a `cdk.out` folder, including those of its stages.

    Args:
        folder: The folder.
        root: The folder that must contain every file. Default: any folder.

    Raises:
        AssemblyError: The manifest or a file that it names is missing, or is not JSON.
    """
    assembly = Assembly(files=Files(root))
    _read_folder(assembly, folder, 0)
    return assembly


def _read_folder(assembly: Assembly, folder: Path, depth: int) -> None:
    manifest = assembly.json(folder / MANIFEST)
    for id, file, artifact in _stack_artifacts(manifest):
        _read_stack(assembly, folder / file, id, artifact)
    for artifact in mapping(manifest.get("artifacts")).values():
        name = member(artifact, "properties", "directoryName")
        if mapping(artifact).get("type") == _STAGE and isinstance(name, str):
            if depth >= _MAX_NESTING:
                raise AssemblyError(f"{folder}: its stages are nested too deeply")
            _read_folder(assembly, folder / name, depth + 1)


def _stack_artifacts(
    manifest: Mapping[str, Any],
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the id, template file and artifact of each stack."""
    for id, artifact in mapping(manifest.get("artifacts")).items():
        file = member(artifact, "properties", "templateFile")
        if mapping(artifact).get("type") == _STACK and isinstance(file, str):
            yield id, file, artifact


def _read_stack(assembly: Assembly, path: Path, id: str, artifact: Mapping[str, Any]) -> None:
    name = member(artifact, "properties", "stackName")
    metadata = _read_metadata(assembly, path.parent, artifact)
    metadata.assets = _assets(assembly, path)
    assembly.files.start()
    stack = _stack(
        assembly, path, name if isinstance(name, str) else id, metadata, metadata.logical_ids
    )
    stack.account, stack.region = _environment(artifact)
    assembly.stacks.append(stack)


def _environment(artifact: Mapping[str, Any]) -> tuple[str, str]:
    """Return the account and Region that a stack is deployed to; empty where they are not known."""
    environment = artifact.get("environment")
    found = _ENVIRONMENT.fullmatch(environment) if isinstance(environment, str) else None
    account, region = found.groups() if found is not None else ("", "")
    return (
        "" if account == _UNKNOWN_ACCOUNT else account,
        "" if region == _UNKNOWN_REGION else region,
    )


def _assets(assembly: Assembly, template: Path) -> dict[str, str]:
    """Return the files that the CDK uploads for a stack, by hash."""
    manifest = template.with_name(template.name.removesuffix(_TEMPLATE) + ".assets.json")
    if not manifest.exists():
        return {}
    assets = {}
    for hash, asset in mapping(assembly.json(manifest).get("files")).items():
        file = member(asset, "source", "path")
        if isinstance(file, str):
            assets[hash] = file
    return assets


def _read_metadata(assembly: Assembly, folder: Path, artifact: Mapping[str, Any]) -> _Metadata:
    constructs = dict(mapping(artifact.get("metadata")))
    # Since schema 52, the metadata is in a file of its own.
    file = artifact.get("additionalMetadataFile")
    if isinstance(file, str) and (folder / file).exists():
        constructs |= assembly.json(folder / file)
    metadata = _Metadata()
    for path, entries in constructs.items():
        construct = path.removeprefix("/")
        for entry in entries if isinstance(entries, list) else ():
            type, data = mapping(entry).get("type"), mapping(entry).get("data")
            if type == "aws:cdk:logicalId" and isinstance(data, str):
                metadata.logical_ids.append((construct, data))
            elif type == "aws:cdk:templateFile" and isinstance(data, str):
                metadata.templates[construct] = data
            elif type == _ACKNOWLEDGED:
                accepted = assembly.acknowledged.setdefault(construct, {})
                accepted |= {
                    rule.removeprefix(_PREFIX): reason
                    for rule, reason in mapping(data).items()
                    if rule.startswith(_PREFIX) and isinstance(reason, str)
                }
    return metadata


def _stack(
    assembly: Assembly,
    path: Path,
    name: str,
    metadata: _Metadata,
    logical_ids: list[tuple[str, str]],
    *,
    depth: int = 0,
) -> Stack:
    template, written_as = assembly.template(path)
    stands_for = {id: one for one, id in reversed(logical_ids) if _NESTED_PATH in one}
    files: dict[str, tuple[str, str]] = {}
    for logical_id, resource in mapping(template.get("Resources")).items():
        if mapping(resource).get("Type") == _NESTED and depth < _MAX_NESTING:
            construct = stands_for.get(logical_id, logical_id).rpartition(_NESTED_PATH)[0]
            file = metadata.file_of(construct, mapping(resource))
            if file is not None:
                files[logical_id] = (construct, file)
    here, below = _split_nested(logical_ids, {construct for construct, _ in files.values()})
    nested = {
        logical_id: _stack(
            assembly,
            path.parent / file,
            f"{name}/{logical_id}" if name else "",
            metadata,
            below.get(construct, []),
            depth=depth + 1,
        )
        for logical_id, (construct, file) in files.items()
    }
    return Stack(
        template,
        name,
        str(path),
        {logical_id: construct for construct, logical_id in here},
        nested,
        written_as=written_as,
    )


def _split_nested(
    logical_ids: list[tuple[str, str]], nested: set[str]
) -> tuple[list[tuple[str, str]], dict[str, list[tuple[str, str]]]]:
    """Separate a stack's own constructs from those of its direct nested stacks."""
    here: list[tuple[str, str]] = []
    below: dict[str, list[tuple[str, str]]] = {}
    for construct, logical_id in logical_ids:
        for parent in _parents(construct) if nested else ():
            if parent in nested:
                below.setdefault(parent, []).append((construct, logical_id))
                break
        else:
            here.append((construct, logical_id))
    return here, below


def _parents(path: str) -> list[str]:
    """Return the paths above a path, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
