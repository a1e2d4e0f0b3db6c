"""Find the templates at a path: a file, a `cdk.out` folder, or another tool's folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import sam
from .assembly import MANIFEST, Assembly, AssemblyError, read_assembly
from .documents import Documents
from .files import Files, NotATemplateError, TemplateError, TemplateFile, TooLargeError, once
from .findings import Finding
from .loops import expand_loops
from .nested_files import EXTENSIONS, nested_file
from .stacks import Stack
from .values import mapping

_SERVERLESS = Path(".serverless/cloudformation-template-update-stack.json")
# Where tools put templates in a folder, in order of preference.
_OF_SERVERLESS = (_SERVERLESS, Path(_SERVERLESS.name))
_OF_SAM = ("template.yaml", "template.yml", "template.json")
_PACKAGES = frozenset({"node_modules", "site-packages", "__pycache__", "venv"})
_MAX_NESTING = 20


def _ignore(path: Path) -> None:
    """Do nothing."""


@dataclass
class Checked:
    """Everything that was read from the given paths.

    Attributes:
        root: The folder that must contain the files to which templates refer. Default: the folder
            of each added path.
        stacks: The stacks.
        problems: One line for each file that could not be read.
        skipped: The files among several that are not templates.
        on_file: Called for each file in a folder before it is read. Default: nothing.
    """

    root: Path | None = None
    stacks: list[Stack] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    on_file: Callable[[Path], None] = _ignore
    _assemblies: list[Assembly] = field(default_factory=list)
    _files: dict[str, TemplateFile] = field(default_factory=dict)
    _prepared: dict[Path, Any] = field(default_factory=dict)

    def reason_for(self, finding: Finding) -> str:
        """Return why a finding is acknowledged in a CDK app; empty if it is not."""
        reasons = (assembly.reason_for(finding) for assembly in self._assemblies)
        return next(filter(None, reasons), "")

    def line_of(self, finding: Finding) -> int | None:
        """Return the line on which a finding's resource begins; None if it is not known.

        What SAM generates begins at its event or else at its function.
        """
        file = self._files.get(finding.file)
        if file is None and finding.file:
            try:
                file = self._files[finding.file] = TemplateFile(Path(finding.file))
            except TemplateError:
                return None
        if file is None:
            return None
        written_as = finding.resource.written_as
        ids = (finding.logical_id, written_as, written_as.rpartition(" of ")[2])
        lines = (file.line_of(id) for id in ids if id)
        return next((line for line in lines if line is not None), None)

    def count(self) -> int:
        """Return the number of templates, including nested ones."""
        return _count(self.stacks)

    def add(self, path: Path, *, is_one_of_many: bool = False) -> None:
        """Read a path, or add to `problems` why it cannot be read.

        Args:
            path: A template or a folder.
            is_one_of_many: Whether a pattern may have named it, so that a file that is not a
                template is skipped.
        """
        try:
            if path.is_dir():
                self._add_folder(path)
            elif path.name == MANIFEST:
                self._add_folder(path.parent)
            else:
                self._add_file(path)
        except (AssemblyError, TemplateError) as error:
            if is_one_of_many and isinstance(error, NotATemplateError):
                self.skipped.append(path)
            else:
                self.problems.append(str(error))
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            self.problems.append(f"{path}: {said}")

    def _add_folder(self, folder: Path) -> None:
        for assembly in (folder, folder / "cdk.out"):
            if (assembly / MANIFEST).is_file():
                read = read_assembly(assembly, self.root or assembly)
                self._assemblies.append(read)
                self.problems += read.problems
                self.stacks += read.stacks
                return
        for place in _OF_SERVERLESS:
            if (folder / place).is_file():
                self._add_file(folder / place)
                return
        for name in _OF_SAM:
            # A project of SAM has one template, and perhaps what was packaged from it.
            if (folder / name).is_file() and _is_of_sam(folder / name):
                self._add_file(folder / name)
                return
        self._add_templates_below(folder)

    def _add_templates_below(self, folder: Path) -> None:
        """Read the templates in a folder and its folders, and skip all other files."""
        read, skipped = len(self.stacks), len(self.skipped)
        for path in _files_below(folder):
            self.on_file(path)
            try:
                if path.name == MANIFEST:
                    self._add_folder(path.parent)
                else:
                    self._add_file(path, self.root or folder)
            except NotATemplateError:
                self.skipped.append(path)
            except (AssemblyError, TemplateError) as error:
                self._refuse(error)
        if len(self.stacks) == read:
            del self.skipped[skipped:]
            raise NotATemplateError(
                f"{folder}: has no cdk.out, .serverless or template: give a template's file"
            )
        self.stacks[read:] = without_nested(self.stacks[read:])

    def _add_file(self, path: Path, root: Path | None = None) -> None:
        # The user's own file may be anywhere, but the files that it refers to may not.
        self._prepared = {}
        self._files[str(path)] = TemplateFile(path, root)
        self.stacks.append(self._stack(Files(root or self.root or path.parent), path, ()))

    def _stack(self, files: Files, path: Path, parents: tuple[Path, ...]) -> Stack:
        prepared: sam.Transformed = once(self._prepared, path, lambda: self._prepare(files, path))
        template = prepared.template
        files.count(path, template)
        return Stack(
            template,
            file=str(path),
            nested=self._nested(files, template, (*parents, path)),
            written_as=prepared.written_as,
        )

    def _prepare(self, files: Files, path: Path) -> sam.Transformed:
        """Return a file's template as CloudFormation gets it, with the files that it refers to."""
        file = self._files.get(str(path))
        if file is None:
            file = self._files[str(path)] = files.template(path)
        # Bound the number of values before any step whose time grows with it.
        files.count(path, file.template)
        template = file.template
        documents = Documents(files, path, self._refuse)
        if file.has_includes:
            template = documents.include(template)
        template = expand_loops(template)
        found = sam.Transformed(template)
        if sam.is_sam(template):
            found = sam.transform(path, template, self._refuse)
        return found._replace(template=documents.attach(found.template))

    def _nested(
        self, files: Files, template: Mapping[str, Any], parents: tuple[Path, ...]
    ) -> dict[str, Stack]:
        """Return the nested stacks whose templates are local files."""
        nested: dict[str, Stack] = {}
        if len(parents) > _MAX_NESTING:
            return nested
        outer = {files.real(parent) for parent in parents}
        for logical_id, resource in mapping(template.get("Resources")).items():
            properties = mapping(mapping(resource).get("Properties"))
            try:
                path = nested_file(files, parents[-1], properties.get("TemplateURL"))
                if path is not None and files.real(path) not in outer:
                    nested[logical_id] = self._stack(files, path, parents)
            except TooLargeError:
                raise
            except TemplateError as error:
                self._refuse(error)
        return nested

    def _refuse(self, error: AssemblyError | TemplateError) -> None:
        if str(error) not in self.problems:
            self.problems.append(str(error))


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder that may be templates, and each assembly's manifest.

    Hidden folders, installed packages and the targets of links are left out.
    """
    for place, folders, files in os.walk(folder):
        here = Path(place)
        if here != folder and _is_assembly(here):
            folders.clear()
            yield here / MANIFEST
            continue
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in _PACKAGES
        )
        for name in sorted(files):
            if name.lower().endswith(EXTENSIONS) and not name.startswith("."):
                yield here / name


def _is_of_sam(path: Path) -> bool:
    try:
        return sam.is_sam(TemplateFile(path).template)
    except TemplateError:
        return False


def _is_assembly(folder: Path) -> bool:
    try:
        return "artifacts" in Files().json(folder / MANIFEST)
    except TemplateError:
        return False


def without_nested(stacks: list[Stack]) -> list[Stack]:
    """Return the stacks that none of the others contains: those are judged where they are used."""
    nested = {
        os.path.realpath(one.file) for stack in stacks for one in _below(stack.nested.values())
    }
    return [stack for stack in stacks if os.path.realpath(stack.file) not in nested]


def _below(stacks: Iterable[Stack]) -> Iterator[Stack]:
    for stack in stacks:
        yield stack
        yield from _below(stack.nested.values())


def _count(stacks: Iterable[Stack]) -> int:
    return sum(1 + _count(stack.nested.values()) for stack in stacks)
