"""Lambda functions as child processes, so that an AWS emulator does not need Docker.

A function's runtime talks to ``runtime_api``. ``handler_process`` is the child process that runs
the runtime, and ``execution_environment`` starts such processes and turns their outcomes into
invocation results. ``engines/localemu/plugin.py`` connects it to localemu.

Everything here needs only the standard library.
"""
