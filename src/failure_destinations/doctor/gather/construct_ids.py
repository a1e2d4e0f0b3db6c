"""Finds constructs by their id in paths, which without the CLI's metadata have no slashes."""

from __future__ import annotations

from failure_destinations.deployed.stacks import DeployedStack


def has_id(path: str, id: str) -> bool:
    """Return whether a construct has an id.

    Args:
        path: Its path below the stack, such as `Failures/CopyQueue` or `FailuresCopyQueue`.
        id: The id, such as `CopyQueue`.
    """
    return path.rpartition("/")[2] == id if "/" in path else path.endswith(id)


def above(path: str, id: str) -> str:
    """Return the path of what a construct with an id is defined in."""
    return path.removesuffix(id).removesuffix("/")


def is_child(path: str, parent: str, id: str) -> bool:
    """Return whether a path is that of a child of something, with an id."""
    return path in (f"{parent}/{id}", f"{parent}{id}")


def child(stack: DeployedStack, type: str, parent: str, id: str) -> str | None:
    """Return the logical id of a child of something; None if there is none.

    Args:
        stack: Where it is defined.
        type: Its type, such as `AWS::SQS::Queue`.
        parent: The path of what it is defined in.
        id: Its id.
    """
    return next(
        (each for each in stack.of_type(type) if is_child(stack.path(each), parent, id)), None
    )
