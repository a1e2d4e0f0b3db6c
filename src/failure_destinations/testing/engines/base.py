"""The interface between a local cloud and an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..observations import Mail, Message

ACCOUNT = "000000000000"
"""The account that both engines play by default."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Place:
    """Where an engine runs.

    Attributes:
        port: The port of 127.0.0.1 that it listens on.
        state: A directory for its files alone.
        region: The Region it plays.
    """

    port: int
    state: Path
    region: str

    @property
    def url(self) -> str:
        """The address of every service."""
        return f"http://127.0.0.1:{self.port}"


class Engine(ABC):
    """An AWS emulator: what it needs, how it starts, and how to look into it.

    Each has a folder named after it, with the pinned packages of its environment and the module
    `main`, which starts it there.

    Attributes:
        name: Its name for `LocalCloud(engine=...)`.
        version: The version that runs.
        pythons: The versions of Python that run it, the best one first.
        install_hint: What its installation costs, for the progress line.
        health: The path of the page that answers once it is ready.
        start_seconds: How many seconds it may take to be ready on a busy machine.
        differences: Where it does not do what AWS does, one sentence each.
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
        # Isolated, because this folder holds another `ministack`.
        return [python, "-I", _FOLDER / "launch.py", self.name]

    @abstractmethod
    def environment(self, place: Place) -> Mapping[str, str]:
        """Return the environment variables that it needs in addition to the usual ones.

        Args:
            place: Where it will run.
        """

    @abstractmethod
    def messages(self, place: Place, queue_url: str) -> list[Message]:
        """Return the messages that a consumer could receive now, without receiving them.

        Args:
            place: Where it runs.
            queue_url: The queue's URL.
        """

    @abstractmethod
    def mails(self, place: Place) -> list[Mail]:
        """Return every e-mail sent since the start, oldest first.

        Args:
            place: Where it runs.
        """
