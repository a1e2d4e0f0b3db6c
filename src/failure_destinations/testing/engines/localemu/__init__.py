"""localemu, the faithful engine.

`adapter` describes it to `LocalCloud`. The other modules run in localemu's own environment: `main`
starts it, `plugin` makes it run Lambda functions in the processes of `lambda_processes`, and
`updates`, `dead_letters` and `queue_policies` correct some differences from AWS.
"""
