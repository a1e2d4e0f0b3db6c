"""Lambda functions as child processes, so that an AWS emulator does not need Docker.

Read in this order: ``runtime_api`` is what a function's runtime talks to, ``handler_process``
is the child process that runs it, and ``execution_environment`` starts such processes and turns
how they end into invocation results. ``engines/localemu/plugin.py`` offers that to localemu.

Everything here needs the standard library only.
"""
