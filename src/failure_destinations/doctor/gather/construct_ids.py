"""Finds constructs by their id in paths, which without the CLI's metadata have no slashes."""

from __future__ import annotations


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
