"""The Date of AWS's answers, for whoever wants to know how late it is there. Pure."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime

Tell = Callable[[int, float, float], None]
"""Takes a Date in epoch seconds, and when (epoch seconds by our clock) the request was sent and its
answer received."""


class Dates:
    """Reads a Date only when it is another than the last."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._text = ""
        self._date_s: int | None = None

    def seen(self, text: str | None, sent_s: float, received_s: float) -> None:
        """The Date header of an answer, if it had one."""
        if text is None:
            return
        if text != self._text:
            self._text, self._date_s = text, _read(text)
        if self._date_s is not None:
            self._tell(self._date_s, sent_s, received_s)


def _read(text: str) -> int | None:
    try:
        return round(parsedate_to_datetime(text).timestamp())
    except ValueError:
        return None
