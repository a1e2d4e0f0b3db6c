"""Looks whether a deployed channel would keep every failed event, and its alarms tell people.

`gathering` asks AWS; what it finds are the facts in `facts`. Each other module judges some of them
and knows nothing of AWS's clients.
"""
