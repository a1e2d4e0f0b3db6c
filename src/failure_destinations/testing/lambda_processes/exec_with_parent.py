"""A program that executes a command, which Linux kills when the thread that started it ends.

Linux only; run as ``python -I -S exec_with_parent.py PARENT_PID PROGRAM [ARGUMENT ...]``.
The alternative, ``subprocess``'s ``preexec_fn``, may deadlock in a program with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Request the signal from Linux, and execute the command."""
    parent, *command = sys.argv[1:]
    # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("the process that started this one has ended")
    # Python ignores SIGPIPE, which the command would inherit.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
