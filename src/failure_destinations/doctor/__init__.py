"""Examines a deployed channel: is every failed event kept, and is everybody notified?

`examine` is the way in. `gather` reads facts from AWS, `judge` makes findings of the facts, and
`render` writes each finding's sentence and fix. `kinds` lists the kinds of findings.
"""
