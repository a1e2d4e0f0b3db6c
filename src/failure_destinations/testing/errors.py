"""The error that a local cloud raises."""


class LocalCloudError(Exception):
    """A local cloud could not do what was asked; the message says what to do."""


def last_lines(text: str, count: int = 15) -> str:
    """Return the end of a program's output, indented, to append to an error message.

    Args:
        text: The program's output.
        count: The number of non-empty lines to keep.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "".join(f"\n  {line}" for line in lines[-count:])
