"""The command `failure-destinations`: show, replay and check failures.

It never imports `aws_cdk` and does not need Node. Each command is a module that is imported only
when it is called.
"""
