"""What the check finds: one finding, with its parts and with the sentences made of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from . import render
from .kinds import KINDS
from .parts import FindingParts


@dataclass(frozen=True)
class Finding(FindingParts):
    """An asynchronous function, through one qualifier, and what is missing.

    Raises:
        ValueError: `kind` is not one of `KINDS`.
    """

    def __post_init__(self) -> None:
        """Refuse a kind that the registry does not have."""
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")

    @property
    def logical_id(self) -> str:
        """The function's logical id; in an account, its name.

        Where the function is not part of the template, the logical id of the resource that names
        it.
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
        """What is missing, in a sentence."""
        return render.reason(self)

    @property
    def fix(self) -> str:
        """What fixes it in CDK, in one line; empty where that is not known."""
        return render.cdk_fix(self)

    @property
    def cloudformation_fix(self) -> str:
        """What fixes it in a template, in one line; empty where that is not known."""
        return render.cloudformation_fix(self)

    @property
    def path(self) -> str:
        """The construct path of the resource, where the template has it; else empty."""
        return self.resource.path

    @property
    def stack(self) -> str:
        """The stack's name, where several were checked; in an account, the Region."""
        return self.resource.stack

    @property
    def file(self) -> str:
        """The template's file, where files were checked; else empty."""
        return self.resource.file

    @property
    def shown(self) -> str:
        """What people know the function by; where there is none, the resource."""
        return render.shown(self)

    @property
    def fingerprint(self) -> str:
        """What makes it this finding and no other, for baselines: wording does not count."""
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
        """Return it as JSON holds it."""
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
            "callers": [asdict(caller) for caller in self.callers],
        }
