"""The operator's command `failure-destinations`: see, replay and check what fails.

It never imports `aws_cdk`, and needs no Node. Each command is a module of its own, which is only
imported when it is called.
"""
