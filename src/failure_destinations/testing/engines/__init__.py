"""The AWS emulators that a local cloud can run on, each in a folder of its own."""

from __future__ import annotations

from .base import Engine
from .localemu.adapter import LocalEmu
from .ministack.adapter import MiniStack

__all__ = ["ENGINES", "Engine", "LocalEmu", "MiniStack"]

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (LocalEmu(), MiniStack())}
"""Every engine by its name, the most faithful one first."""
