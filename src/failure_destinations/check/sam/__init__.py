"""AWS SAM: its transform, run with AWS's own translator as CloudFormation would."""

from __future__ import annotations

from .transform import NotInstalledError, Transformed, is_sam, transform

__all__ = ["NotInstalledError", "Transformed", "is_sam", "transform"]
