"""The AWS emulators that a local cloud can run on."""

from __future__ import annotations

from .base import Engine
from .localemu import LocalEmu
from .ministack import MiniStack

__all__ = ["ENGINES", "Engine", "LocalEmu", "MiniStack"]

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (LocalEmu(), MiniStack())}
"""Every engine by its name, the most faithful one first."""
