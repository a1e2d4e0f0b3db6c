"""The facts about a deployed channel, from AWS and from its template.

`Unknown` stands for a fact that could not be read, None for something that does not exist.
"""

from .alarm import Alarm, Monitoring
from .answer import Attributes, Unknown, name_of
from .channel import Channel, Replayer
from .copies import Copies, Copy
from .handler import Handler, Permission, failure_destination
from .key import KEY_ACTIONS, Key
from .queue import Queue, QueueNoun
from .topic import Subscription, Topic, TopicNoun

__all__ = [
    "KEY_ACTIONS",
    "Alarm",
    "Attributes",
    "Channel",
    "Copies",
    "Copy",
    "Handler",
    "Key",
    "Monitoring",
    "Permission",
    "Queue",
    "QueueNoun",
    "Replayer",
    "Subscription",
    "Topic",
    "TopicNoun",
    "Unknown",
    "failure_destination",
    "name_of",
]
