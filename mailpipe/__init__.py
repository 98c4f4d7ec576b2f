"""mailpipe: a queue-first e-mail pipeline on Amazon SES.

Producers install this package and write ``from mailpipe import Email, Producer``. The services of
the checkout (ingest, sender, processor, notifier) share what is in here and know nothing of each
other.
"""

from mailpipe.blocking import SyncProducer
from mailpipe.fates import Accepted, Closed, Keyed, NotAccepted, Refused
from mailpipe.messages import Attachment, Email
from mailpipe.outcomes import CallFailed
from mailpipe.producer import Producer
from mailpipe.rules import ValidationError

__all__ = [
    "Accepted",
    "Attachment",
    "CallFailed",
    "Closed",
    "Email",
    "Keyed",
    "NotAccepted",
    "Producer",
    "Refused",
    "SyncProducer",
    "ValidationError",
]
