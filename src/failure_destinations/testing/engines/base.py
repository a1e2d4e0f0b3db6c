"""What a local cloud has to know about an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..observations import Mail, Message

ACCOUNT = "000000000000"
"""The account that both engines play by default."""


@dataclass(frozen=True)
class Place:
    """Where an engine runs.

    Attributes:
        port: Where it listens on 127.0.0.1.
        state: A directory of its own.
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
    """An AWS emulator: what it needs, how it starts and how one looks into it.

    Attributes:
        name: What `LocalCloud(engine=...)` calls it.
        version: The version that runs.
        pythons: The versions of Python that run it, the best one first.
        install_hint: What its installation costs, for the progress line.
        health: The page that answers once it is ready.
        start_seconds: How long it may take to be ready on a busy machine.
        differences: Where it does not do what AWS does, a sentence each.
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
        """The file that pins every package of its environment."""
        return Path(__file__).with_name(f"{self.name}.txt")

    def __repr__(self) -> str:
        return f"<{self.name} {self.version}>"

    @abstractmethod
    def command(self, python: Path) -> Sequence[str | Path]:
        """Returns the command that starts it.

        Args:
            python: The interpreter of its environment.
        """

    @abstractmethod
    def environment(self, place: Place) -> Mapping[str, str]:
        """Returns the environment variables it needs beside the usual ones.

        Args:
            place: Where it is to run; the directory is empty.
        """

    @abstractmethod
    def messages(self, place: Place, queue_url: str) -> list[Message]:
        """Returns the messages a consumer could receive now, without receiving them.

        Args:
            place: Where it runs.
            queue_url: The queue.
        """

    @abstractmethod
    def mails(self, place: Place) -> list[Mail]:
        """Returns every e-mail sent since the start, oldest first.

        Args:
            place: Where it runs.
        """
