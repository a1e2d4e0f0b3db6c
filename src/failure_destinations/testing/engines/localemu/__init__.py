"""localemu, the faithful engine.

`adapter` describes it to `LocalCloud`. The other modules run in localemu's own environment: `main`
starts it, `plugin` makes it run Lambda functions in the processes of `lambda_processes`, and
`updates`, `dead_letters`, `queue_policies`, `stream_mappings` and others correct some differences
from AWS.
"""
