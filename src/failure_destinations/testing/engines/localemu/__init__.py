"""localemu, the faithful engine.

Here it is described (`adapter`): what `LocalCloud` needs to know about it. The other modules run in
localemu's own environment: `main` starts it, `plugin` has it run Lambda functions in the processes
of `lambda_processes`, and `updates`, `dead_letters` and `queue_policies` correct what it does
otherwise than AWS.
"""
