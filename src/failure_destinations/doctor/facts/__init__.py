"""The facts about a deployed channel, from AWS and from its template.

`Unknown` stands for a fact that could not be read, None for something that does not exist.
"""

from .alarm import Alarm, Monitoring, MuteRule, NotOffered
from .answer import Attributes, Unknown, name_of
from .batch_store import AnnouncementRule, BatchForwarder, BatchStore, Bucket
from .channel import Channel, Replayer
from .copies import Copies, Copy
from .event_source import OFF, EventSource, SourceKind
from .handler import Handler, Permission, failure_destination
from .key import KEY_ACTIONS, Key
from .notifier import Notifier, WebhookSecret
from .queue import Queue, QueueNoun
from .source_queue import SourceDeadLetters, SourceQueue, json_object
from .topic import Subscription, Topic, TopicNoun

__all__ = [
    "KEY_ACTIONS",
    "OFF",
    "Alarm",
    "AnnouncementRule",
    "Attributes",
    "BatchForwarder",
    "BatchStore",
    "Bucket",
    "Channel",
    "Copies",
    "Copy",
    "EventSource",
    "Handler",
    "Key",
    "Monitoring",
    "MuteRule",
    "NotOffered",
    "Notifier",
    "Permission",
    "Queue",
    "QueueNoun",
    "Replayer",
    "SourceDeadLetters",
    "SourceKind",
    "SourceQueue",
    "Subscription",
    "Topic",
    "TopicNoun",
    "Unknown",
    "WebhookSecret",
    "failure_destination",
    "json_object",
    "name_of",
]
