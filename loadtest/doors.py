"""The corpus of inputs for both doors, and the judge of their verdicts. Pure but for reading files.

A case has an e-mail (changes of a good one, for all doors), or a request for REST, or a message for
the queue. A verdict is one line:

- `accepted`: acknowledged where there is somebody to acknowledge, and sent exactly once
- `accepted again`: the same, under the id of a request before it
- `accepted 2, refused 1`: of a batch
- `<field> <constraint>`: refused by a rule, at once (REST, SDK) or as `rejected` (queue)
- `<status> <error>`: refused by REST for another reason; `<status>` when the body is not ours
- `dead <reason>`: kept in the queue's dead letters
- `suppressed`, `expired`, `cancelled`: accepted, and ended so without SES
- `scheduled`: accepted, and waits for its time when all else has come to its end
- `<status> <error>, <verdict>`: a change was refused so, and that became of the mail
"""

import gzip
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from loadtest.proof import ROOT

CORPUS = ROOT / "tests" / "data" / "doors"
Door = Literal["rest", "sdk", "queue"]
DOORS: tuple[Door, ...] = ("rest", "sdk", "queue")

GOOD: dict[str, Any] = {
    "to": ["success+doors@simulator.amazonses.com"],
    "from": "noreply@example.com",
    "subject": "Doors",
    "bodyText": "Hello",
}
ACCEPTED = ("accepted", "accepted again")
ID = "$ID"
"""Stands for the mail's id in a message for the queue."""
MAIL = "$MAIL"
"""Stands in a path for the id of a mail that was sent and has bounced."""
BEFORE = "$BEFORE"
"""Stands in a path for the id of the mail that was sent in `before`. Where the answer is 200 the
verdict is on that mail."""


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """What REST is asked. A header of null is left out; `bytes` go over a socket as they are.
    `before` is asked first, or, `together`, at the same time; this then only when the mail of
    `before` has come `until` there.
    """

    method: str = "POST"
    path: Any = "/send-email"
    headers: dict[str, Any] = {}
    body: Any = msgspec.UNSET
    bytes: list[Any] = []
    before: list["Request"] = []
    together: bool = False
    until: Literal["", "sending", "given back"] = ""


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """What is put onto the queue: a whole body, or changes of a good message around the e-mail.
    `again`: a second copy, with its own changes, when the first has come to its end.
    """

    body: Any = None
    changes: dict[str, Any] = {}
    without: list[str] = []
    group: str | None = "default"
    times: int = 1
    again: bool = False
    again_changes: dict[str, Any] = {}


class Case(msgspec.Struct, forbid_unknown_fields=True):
    """One input. `row` is the row of the list of bad inputs that it covers; `email_id` an id for
    the SDK; `slow`: a small run does without it.
    """

    row: str
    name: str
    expects: str | dict[Door, str]
    email: dict[str, Any] | None = None
    without: list[str] = []
    doors: list[Door] = []
    rest: Request | None = None
    queue: Message | None = None
    email_id: str | None = None
    slow: bool = False

    def asked(self) -> list[Door]:
        """The doors that get it."""
        if self.doors:
            return self.doors
        if self.email is not None:
            return list(DOORS)
        return ["rest"] if self.rest is not None else ["queue"]

    def expected(self, door: Door) -> str:
        """The verdict of a door."""
        return self.expects if isinstance(self.expects, str) else self.expects[door]

    def mail(self) -> dict[str, Any]:
        """The e-mail."""
        changed = {**GOOD, **expand(self.email or {})}
        return {name: value for name, value in changed.items() if name not in self.without}


def read(folder: Path = CORPUS) -> list[Case]:
    """Every case of a folder."""
    found = list[Case]()
    for path in sorted(folder.glob("*.json")):
        # Not msgspec's reader: half of a surrogate pair is among the inputs.
        found += msgspec.convert(json.loads(path.read_text()), list[Case])
    return found


def expand(value: Any) -> Any:
    """Large and odd values, from how the corpus writes them."""
    if isinstance(value, list):
        return [expand(one) for one in value]
    if not isinstance(value, dict):
        return value
    spec: tuple[str, Any] = next(iter(value.items()), ("", None))
    if len(value) != 1 or not spec[0].startswith("$"):
        return {key: expand(one) for key, one in value.items()}
    match spec:
        case "$repeat", [part, times]:
            return expand(part) * times
        case "$numbered", [text, count]:
            return [text.format(index) for index in range(count)]
        case "$members", [text, one, count]:
            return {text.format(index): one for index in range(count)}
        case "$concat", parts:
            return "".join(map(expand, parts))
        case "$float", text:
            return float(text)
        case "$seconds_from_now", seconds:
            return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    raise ValueError(f"the corpus does not know {spec[0]}")


def to_bytes(value: Any) -> bytes:
    """A body, from how the corpus writes it."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, given),) = value.items()
        if name in ("$latin1", "$utf-16", "$utf-16-le", "$utf-32"):
            return str(given).encode(name.removeprefix("$"))
        if name == "$gzip":
            return gzip.compress(str(given[0]).encode() * given[1], compresslevel=1)
    return str(expand(value)).encode("utf-8", "surrogatepass")


def parts(given: list[Any]) -> Iterator[bytes]:
    """What goes over a socket, piece by piece: the corpus has streams without end."""
    for one in given:
        if isinstance(one, dict) and "$repeat" in one:
            piece, times = one["$repeat"]
            yield from itertools.repeat(to_bytes(piece), times)
        else:
            yield to_bytes(one)


def request_body(asked: Request, mail: dict[str, Any]) -> bytes | None:
    """The body for REST: the request's own, or the e-mail."""
    if asked.method != "POST":
        return None
    return json.dumps(mail).encode() if asked.body is msgspec.UNSET else to_bytes(asked.body)


def envelope(case: Case, email_id: str, *, again: bool = False) -> str:
    """The body of the queue message, by the public contract."""
    asked = case.queue or Message()
    if asked.body is not None:
        return str(expand(asked.body))
    message = {
        "type": "email.v1",
        "emailId": email_id,
        "tenant": "default",
        "stream": "transactional",
        "queuedAt": datetime.now(UTC).isoformat(),
        "email": case.mail(),
    } | expand(asked.changes | (asked.again_changes if again else {}))
    return json.dumps({key: one for key, one in message.items() if key not in asked.without})


class Found(msgspec.Struct):
    """What a door made of a case."""

    case: Case
    door: Door
    verdict: str
    status: int | None = None

    @property
    def right(self) -> bool:
        """Whether it is as it must be."""
        return self.verdict == self.case.expected(self.door)

    def told(self) -> str:
        """One line about it."""
        wanted = self.case.expected(self.door)
        return f"{self.door}, row {self.case.row}, {self.case.name}: {self.verdict} (not {wanted})"


_ENDED_BY_US = ("suppressed", "expired", "cancelled")
_UNSENT = (*_ENDED_BY_US, "rejected", "failed", "scheduled", "missing")


def final(said: str, door: Door, *, dead: str | None, status: dict[str, Any], sent: int) -> str:
    """The verdict on a mail that its door has taken (`said`): the reason of its dead letter, what
    the API says of it, how often SES accepted it.
    """
    if dead is not None:
        return f"dead {dead.partition(':')[0]}"
    ended = str(status.get("status", "missing"))
    if ended in (*_ENDED_BY_US, "scheduled") and not sent:
        return ended
    if sent == 1 and ended not in _UNSENT:
        return said
    if ended == "rejected" and door == "queue" and not sent:
        field, constraint, *_ = str(status["reason"]).split(": ")
        return f"{field} {constraint}"
    return f"accepted, then {ended}, sent {sent} times"


class Outside(msgspec.Struct):
    """What was seen outside: ids of stored and of sent mails, and of those that may be; messages
    left in queues, by queue; what has ended by itself.
    """

    stored: list[str]
    sent: list[str]
    promised: list[str]
    left_in_queues: dict[str, int] = {}
    ended: list[str] = []


def judge(found: Iterable[Found], outside: Outside) -> tuple[dict[str, Any], list[str]]:
    """The row of the run, and what is not as it must be."""
    all_found = list(found)
    wrong = [one for one in all_found if not one.right]
    errors = [one for one in all_found if (one.status or 0) >= 500]
    stray = sorted(set(outside.stored + outside.sent) - set(outside.promised))
    row = {
        "cases": len({(one.case.row, one.case.name) for one in all_found}),
        "unequal": len({(one.case.row, one.case.name) for one in wrong}),
        "server_errors": len(errors),
        "stored_after_refusal": len(stray),
        "verdicts": dict(Counter(one.door for one in all_found)),
        "rows": sorted({one.case.row for one in all_found}, key=int),
    }
    return row, list(_faults(wrong, errors, stray, outside))


def _faults(
    wrong: list[Found], errors: list[Found], stray: list[str], outside: Outside
) -> Iterator[str]:
    yield from (one.told() for one in wrong)
    yield from (f"server error {one.status}: {one.told()}" for one in errors)
    yield from (f"{one} was stored or sent, but nobody was promised it" for one in stray)
    yield from (f"{n} messages are left in {name}" for name, n in outside.left_in_queues.items())
    yield from outside.ended
