"""The error that a local cloud raises."""


class LocalCloudError(Exception):
    """A local cloud could not do what it was asked to; the message says how to go on."""


def last_lines(text: str, count: int = 15) -> str:
    """Return the end of a program's output, indented, to put below an error's sentence.

    Args:
        text: Everything the program printed.
        count: How many non-empty lines to keep.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "".join(f"\n  {line}" for line in lines[-count:])
