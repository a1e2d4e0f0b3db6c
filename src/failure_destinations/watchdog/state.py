"""Where the runs remember what they have published: one item of a DynamoDB table.

Each write names the version that it replaces, so that of two runs at once only one publishes. A
notice is written before it is published and removed afterwards: a run that is killed between the
two leaves it to the next one. So a notice is published once or twice, and is never lost.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from failure_destinations.runtime.versioned_item import UNREADABLE, VersionedItem, packed

from .changes import Known, Problem
from .notice import Notice

# An item holds 400 KB.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_BYTES = 300_000


@dataclass(frozen=True)
class State:
    """What the runs remember.

    Attributes:
        known: What was published.
        unsent: A notice that a run has begun to publish; None if it has finished.
        sent_until: When the run that publishes it ends at the latest, in seconds since 1970.
        version: The number of writes so far; 0 if nothing was written yet.
    """

    known: Known = dataclasses.field(default_factory=Known)
    unsent: Notice | None = None
    sent_until: float = 0
    version: int = 0


class StateTable:
    """The table.

    Args:
        client: A boto3 client of DynamoDB.
        name: The table's name.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._item = VersionedItem(client, name)

    def load(self) -> State:
        """Return the state; an empty one if there is none, or one that cannot be read."""
        value, version = self._item.read()
        try:
            return State(version=version) if value is None else _state(value, version)
        except UNREADABLE:
            # Someone else wrote it: to publish everything again is better than nothing.
            return State(version=version)

    def save(self, state: State) -> State | None:
        """Write a state that was loaded; return it as written, or None if another run was faster.

        Args:
            state: The state, with the version that was loaded.
        """
        if not self._item.write(_packed(state), state.version):
            return None
        return dataclasses.replace(state, version=state.version + 1)


def _packed(state: State) -> bytes:
    data = packed(_to_json(state))
    if len(data) <= MAX_BYTES:
        return data
    # Without the sentences, which only the notice that something is over repeats.
    problems = {
        key: dataclasses.replace(problem, text="") for key, problem in state.known.problems.items()
    }
    known = dataclasses.replace(state.known, problems=problems)
    return packed(_to_json(dataclasses.replace(state, known=known)))


def _to_json(state: State) -> dict[str, Any]:
    return {
        "problems": {
            key: dataclasses.astuple(problem) for key, problem in state.known.problems.items()
        },
        "unsure": sorted(state.known.unsure),
        "unsent": None if state.unsent is None else dataclasses.astuple(state.unsent),
        "sent_until": state.sent_until,
    }


def _state(value: Any, version: int) -> State:
    problems = {key: Problem(*map(str, values)) for key, values in value["problems"].items()}
    unsent = value["unsent"]
    return State(
        Known(problems, frozenset(map(str, value["unsure"]))),
        None if unsent is None else Notice(str(unsent[0]), str(unsent[1]), bool(unsent[2])),
        float(value["sent_until"]),
        version,
    )
