"""The interface between a local cloud and an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..observations import Mail, Message

ACCOUNT = "000000000000"
"""The account that both engines emulate by default."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Place:
    """The address and files of a running engine.

    Attributes:
        port: The port of 127.0.0.1 that it listens on.
        state: A directory for its files only.
        region: The Region that it emulates.
    """

    port: int
    state: Path
    region: str

    @property
    def url(self) -> str:
        """The URL of every service."""
        return f"http://127.0.0.1:{self.port}"


class Engine(ABC):
    """An AWS emulator: its requirements, how to start it, and how to inspect it.

    Each engine has a folder of its name with the pinned packages of its environment and the module
    `main`, which starts it.

    Attributes:
        name: Its name for `LocalCloud(engine=...)`.
        version: The pinned version.
        pythons: The Python versions that can run it, the best one first.
        install_hint: The size and time of its installation, for the progress line.
        health: The path of the page that responds once it is ready.
        start_seconds: The number of seconds after which it must be ready, even on a busy machine.
        differences: The differences from AWS, one sentence each.
    """

    name: str
    version: str
    pythons: tuple[str, ...]
    install_hint: str
    health: str
    start_seconds: float
    differences: tuple[str, ...]

    @property
    def requirements(self) -> Path:
        """The file that pins every package of its environment, with hashes."""
        return _FOLDER / self.name / "requirements.txt"

    def __repr__(self) -> str:
        return f"<{self.name} {self.version}>"

    def command(self, python: Path) -> Sequence[str | Path]:
        """Return the command that starts it.

        Args:
            python: The interpreter of its environment.
        """
        # Isolated, because this folder contains another `ministack`.
        return [python, "-I", _FOLDER / "launch.py", self.name]

    @abstractmethod
    def environment(self, place: Place) -> Mapping[str, str]:
        """Return the environment variables that it needs in addition to the common ones.

        Args:
            place: Its address and files.
        """

    @abstractmethod
    def messages(self, place: Place, queue_url: str) -> list[Message]:
        """Return the messages that a consumer could receive now, without receiving them.

        Args:
            place: Its address and files.
            queue_url: The queue's URL.
        """

    @abstractmethod
    def mails(self, place: Place) -> list[Mail]:
        """Return every e-mail sent since the start, oldest first.

        Args:
            place: Its address and files.
        """
