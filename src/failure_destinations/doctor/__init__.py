"""Examines a deployed channel: is every failed event kept, and is everyone notified?

`examine` is the entry point. `gather` reads facts from AWS, `judge` turns them into findings, and
`render` writes each finding's sentence and fix. `kinds` lists the kinds of findings.
"""
