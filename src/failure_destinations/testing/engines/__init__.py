"""The AWS emulators that a local cloud can use, each in its own folder."""

from __future__ import annotations

from .base import Engine
from .localemu.adapter import LocalEmu
from .ministack.adapter import MiniStack

__all__ = ["ENGINES", "Engine", "LocalEmu", "MiniStack"]

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (LocalEmu(), MiniStack())}
"""Every engine by name, the most faithful one first."""
