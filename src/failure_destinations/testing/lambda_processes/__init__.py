"""Runs Lambda functions as child processes, so that an AWS emulator needs no Docker.

Read in this order: ``runtime_api`` is what a function's runtime talks to, ``handler_process``
is the child process that runs it, ``execution_environment`` starts such processes and turns
what becomes of them into invocation results, ``localemu_plugin`` offers that to localemu,
``localemu_updates``, ``localemu_dead_letters`` and ``localemu_queue_policies`` mend where it loses
or keeps other than AWS, and ``localemu_main`` is the program that starts localemu with all that.

Everything but the localemu modules needs the standard library only.
"""
