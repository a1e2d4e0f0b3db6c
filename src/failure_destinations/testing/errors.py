"""What goes wrong in a local cloud, in one sentence."""


class LocalCloudError(Exception):
    """Something a local cloud was asked for did not happen; the message says the way out."""


def last_lines(text: str, count: int = 15) -> str:
    """Returns the end of a program's output, indented, to put under an error's sentence.

    Args:
        text: Everything the program printed.
        count: How many non-empty lines to keep.
    """
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "".join(f"\n  {line}" for line in lines[-count:])
