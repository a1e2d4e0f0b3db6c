"""Finds construct ids in paths, which have no slashes without the CLI's metadata."""

from __future__ import annotations


def has_id(path: str, id: str) -> bool:
    """Return whether a construct has a given id.

    Args:
        path: Its path below the stack, such as `Failures/CopyQueue` or `FailuresCopyQueue`.
        id: The id, such as `CopyQueue`.
    """
    return path.rpartition("/")[2] == id if "/" in path else path.endswith(id)


def above(path: str, id: str) -> str:
    """Return the path of a construct's parent, given the construct's id."""
    return path.removesuffix(id).removesuffix("/")


def is_child(path: str, parent: str, id: str) -> bool:
    """Return whether a path is that of a parent's child with a given id."""
    return path in (f"{parent}/{id}", f"{parent}{id}")
