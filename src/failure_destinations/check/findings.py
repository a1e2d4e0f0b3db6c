"""A finding of the check: its parts, and the sentences made of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from . import render
from .kinds import KINDS
from .parts import FindingParts


@dataclass(frozen=True)
class Finding(FindingParts):
    """An asynchronous function, called through one qualifier, and what it lacks.

    Raises:
        ValueError: `kind` is not one of `KINDS`.
    """

    def __post_init__(self) -> None:
        """Raise ValueError for a kind that is not registered."""
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")

    @property
    def logical_id(self) -> str:
        """The function's logical id; in an account, its name.

        If another template defines the function, this is the logical id of the resource that
        refers to it.
        """
        return self.resource.logical_id

    @property
    def invoked_by(self) -> tuple[str, ...]:
        """The logical ids of the resources that call it; in an account, their ARNs."""
        return tuple(dict.fromkeys(caller.logical_id for caller in self.callers))

    @property
    def severity(self) -> str:
        """The severity of its kind: `error`, `warning` or `info`."""
        return KINDS[self.kind].severity

    @property
    def reason(self) -> str:
        """What is wrong, in one or two sentences."""
        return render.reason(self)

    @property
    def fix(self) -> str:
        """The fix in one line; empty if it is not known.

        It is written in what the template is: CDK, AWS SAM or CloudFormation. If that is not known,
        it is written in CDK.
        """
        return next((fix for _, fix in render.fixes(self)), "")

    @property
    def cloudformation_fix(self) -> str:
        """The fix in a template of CloudFormation or AWS SAM; empty if it is not known."""
        return render.cloudformation_fix(self)

    @property
    def path(self) -> str:
        """The resource's construct path; empty if the template does not have it."""
        return self.resource.path

    @property
    def stack(self) -> str:
        """The stack's name if several were checked, the Region in an account; else empty."""
        return self.resource.stack

    @property
    def file(self) -> str:
        """The template's file; empty if no files were checked."""
        return self.resource.file

    @property
    def shown(self) -> str:
        """The function's displayed name; the resource's if it is not about one."""
        return render.shown(self)

    @property
    def fingerprint(self) -> str:
        """A hash that identifies the finding in baselines, whatever its wording."""
        return "|".join(
            (
                self.kind,
                self.stack or PurePath(self.file).name,
                self.logical_id,
                self.qualifier,
                *sorted(self.invoked_by),
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as a JSON object."""
        names = (
            "logical_id",
            "function",
            "qualifier",
            "invoked_by",
            "reason",
            "kind",
            "severity",
            "fix",
            "cloudformation_fix",
            "path",
            "stack",
            "file",
        )
        return {
            **{name: getattr(self, name) for name in names},
            "callers": [{**asdict(caller), "tool": caller.tool.value} for caller in self.callers],
        }
