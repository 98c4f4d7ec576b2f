"""Why an e-mail stands as it does: what it waits for, since when, what binds, when it should go on.

One sentence in plain English for every record, ended ones included. Pure: `explaining.py` reads.
"""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from mailpipe import evidence, presence
from mailpipe import open_states as states
from mailpipe.board import Pause, Reading
from mailpipe.endings import ended_sentence, happened_ms
from mailpipe.evidence import Figures
from mailpipe.open_states import Place, Terms, could_go_ms, place_of, unheard
from mailpipe.parking import Waits
from mailpipe.presence import Presence
from mailpipe.records import Attributes, Record
from mailpipe.scopes import scopes_of_record
from mailpipe.spoken import about, mails, moment, quoted, scope_named, time_of

ENDED = "ended"
"""The state of what is not open any more."""
STRAYS_AFTER_MS = 900_000
"""A mail that waits longer although nothing else does is not on its queue."""
SOON_MS = round(Waits().soon_s * 1000)
"""What is due so soon when it is moved lies on its queue already."""

Time = Annotated[str, Meta(description="RFC 3339 in UTC", examples=["2026-11-24T10:00:00.000Z"])]


class Explanation(Struct, rename="camel", kw_only=True):
    """Why an e-mail stands as it does."""

    email_id: str
    status: str
    state: Annotated[str, Meta(description="More exact than the status; `ended` at the end")]
    waiting_for: Annotated[
        str | None,
        Meta(description="`time`, `turn`, `pause`, `sender`, `verdict`, `events` or `sweeper`"),
    ]
    since: Time
    binds: Annotated[str | None, Meta(description="What keeps the mail of its lane waiting now")]
    due_by: Annotated[str | None, Meta(description="When it should go on, as far as can be told")]
    deadline: Annotated[
        str | None, Meta(description="Then it is something else in any case; null at the end")
    ]
    sentence: Annotated[str, Meta(description="All of it in plain English")]


class World(NamedTuple):
    """What has to be known besides the record: the board, the senders that live, how many mails are
    on each lane's queue or in hand (of its own lane and of more urgent ones), when the oldest mail
    of its lane was accepted that is still parked for each of its scopes (epoch ms), what processors
    say of events, and the event that has made its status.
    """

    board: Reading = Reading(None, {}, {}, [])
    senders: list[Presence] = []
    depths: Mapping[str, int] = {}
    parked: Mapping[str, int] = {}
    processors: list[Figures] = []
    event: Attributes | None = None

    @property
    def terms(self) -> Terms:
        """What the senders go by."""
        return presence.terms(self.senders)


class _Told(NamedTuple):
    waiting_for: str | None
    sentence: str
    binds: str | None = None
    due_ms: int | None = None


def explain(record: Record, world: World, now_ms: int) -> Explanation:
    """Of any record, at any time."""
    pause = pause_of(record, world.board)
    place = place_of(
        *(record, now_ms, world.terms), paused_since_ms=None if pause is None else pause.since
    )
    if place is None:
        told = _Told(None, ended_sentence(record, world.event, now_ms))
    else:
        told = _without_senders(_told(record, place, pause, world, now_ms), place, world)
    since_ms = happened_ms(record, world.event) if place is None else place.since_ms
    return Explanation(
        email_id=record.email_id,
        status=record.shown(now_ms),
        state=ENDED if place is None else place.state,
        waiting_for=told.waiting_for,
        since=time_of(since_ms),
        binds=told.binds,
        due_by=None if told.due_ms is None else time_of(told.due_ms),
        deadline=None if place is None else time_of(place.deadline_ms),
        sentence=told.sentence,
    )


def pause_of(record: Record, board: Reading) -> Pause | None:
    """The first of its scopes' pauses."""
    if not board.pauses:
        return None
    return next(
        (found for one in scopes_of_record(record) if (found := board.pauses.get(one))), None
    )


def _without_senders(told: _Told, place: Place, world: World) -> _Told:
    """What only a sender does is told so where none runs."""
    if world.senders or place.state not in (states.PAUSED, states.IN_DOUBT, states.ENDING):
        return told
    said = f"{told.sentence} No sender runs now: it goes on when one does."
    return told._replace(sentence=said, due_ms=None)


def _told(record: Record, place: Place, pause: Pause | None, world: World, now_ms: int) -> _Told:
    by = moment(place.deadline_ms, now_ms)
    match place.state:
        case states.SCHEDULED:
            return _scheduled(record, now_ms)
        case states.PAUSED if pause is not None:
            return _paused(pause, by, now_ms)
        case states.CLAIMED:
            said = f"A sender has it in hand (attempt {record.attempt}), until {by} at the latest."
            return _Told("sender", said, due_ms=place.deadline_ms)
        case states.IN_DOUBT:
            return _in_doubt(record, world, now_ms)
        case states.SENT | states.DELAYED:
            return _Told("events", _with_ses(record, place, now_ms))
        case states.ENDING:
            at = moment(record.updated_at, now_ms)
            said = f"It ended as {record.status} at {at}{quoted(record.reason)}; "
            return _Told("sweeper", f"{said}that is announced and closed soon, or after {by}.")
    return _turn(record, world, now_ms)


def _scheduled(record: Record, now_ms: int) -> _Told:
    at_ms, held_ms = could_go_ms(record), _held_ms(record)
    said = f"Waits for its time, {moment(at_ms, now_ms)}, in {about((at_ms - now_ms) / 1000)}"
    said += _held(held_ms, now_ms) if held_ms > at_ms else ""
    return _Told("time", f"{said}.", due_ms=max(at_ms, held_ms))


def _held_ms(record: Record) -> int:
    """Until when its queue may keep a message that was put there, delayed, for a time that is not
    the mail's any more; 0: it does not.
    """
    old_ms = record.moved_from or 0
    return old_ms if old_ms - record.updated_at <= SOON_MS else 0


def _held(until_ms: int, now_ms: int) -> str:
    until = moment(until_ms, now_ms)
    return f"; it was moved when it lay on its queue already, which may keep it until {until}"


def _turn(record: Record, world: World, now_ms: int) -> _Told:
    """It may go: what is before it, and what binds."""
    since_ms, lane = could_go_ms(record), record.stream
    begin = f"Waits since {moment(since_ms, now_ms)} in the {lane} lane"
    if not world.senders:
        return _Told("sender", f"{begin}, and no sender runs: it goes when one does.")
    if (quota := world.board.quota) is None:
        return _Told("sender", f"{begin}: no sender has read SES's quota yet.")
    before = max(0, sum(world.depths.values()) - 1)
    binds = presence.binds(world.senders, lane)
    for scope, oldest_ms in world.parked.items():
        if oldest_ms <= since_ms:  # else it has been released already
            said = f"{scope_named(scope)} is being released after a pause, oldest first"
            return _Told("turn", f"{begin}; {said}.", binds)
    if now_ms < (held_ms := _held_ms(record)):
        return _Told("turn", f"{begin}{_held(held_ms, now_ms)}.", binds, held_ms)
    if not before and now_ms - since_ms > STRAYS_AFTER_MS:
        why = "so its message waits for another try, or lies among the dead letters"
        return _Told("turn", f"{begin}, but nothing is on its queue, {why}.", binds)
    begin += f", behind {mails(before)}" if before else ", with nothing before it"
    if said := _binding(binds, record, world.board):
        begin += f"; {said}"
    if binds not in _BY_RATE or quota.rate <= 0:
        return _Told("turn", f"{begin}.", binds)
    wait_s = (before + 1) / quota.rate
    due_ms = now_ms + round(wait_s * 1000)
    return _Told("turn", f"{begin}; it should go in {about(wait_s)}.", binds, due_ms)


_BY_RATE = ("rate", presence.NOTHING, "pause")
"""When these bind the lane, the rate tells how long a mail waits that is itself not paused."""
_BINDING = {
    "concurrency": "the senders have as much in hand as they may (MAILPIPE_SENDER_CONCURRENCY)",
    "clock": "the senders are not sure of their clocks",
    "store": "the store of send slots does not answer",
}


def _binding(binds: str, record: Record, board: Reading) -> str:
    quota = board.quota
    if binds == "rate" and quota is not None:
        return f"the account's rate of {quota.rate:g}/s binds"
    if binds == "day" and quota is not None:
        used = f"{quota.sent_24_hours:,} of {quota.max_24_hour:,} recipients in 24 h"
        return f"the day's quota binds ({used})"
    if binds in ("tenant_cap", "domain_cap"):
        return _cap(binds, record, board)
    return _BINDING.get(binds, "")


def _cap(binds: str, record: Record, board: Reading) -> str:
    """A cap that binds in the lane; it need not be this mail's."""
    kind = binds.partition("_")[0]
    for scope in (f"tenant#{record.tenant}", *scopes_of_record(record)):
        if (cap := board.caps.get(scope)) is not None and scope.startswith(f"{kind}#"):
            return f"a cap of {cap.rate:g}/s on mail of its {kind} binds"
    return f"a cap on mail of another {kind} binds"


_REASONS = {
    "access_denied": "SES denies access",
    "account_paused": "SES has paused the account",
    "account_suspended": "SES has suspended the account",
    "daily_quota": "the day's quota is used up",
    "identity_not_verified": "it is not verified at SES",
    "mail_from_not_verified": "its MAIL FROM domain is not verified at SES",
    "set_missing": "SES does not know it",
    "set_paused": "SES has paused it",
}


def _paused(pause: Pause, by: str, now_ms: int) -> _Told:
    """Who has paused it by hand, and what they wrote, is for operators: `paused` shows it."""
    since = moment(pause.since, now_ms)
    begin = f"Waits because {scope_named(pause.scope)} is paused since {since}"
    end = f"; if that lasts the mail ends at {by} at the latest."
    if not pause.ours:
        return _Told("pause", f"{begin} by a person, who has to resume it{end}", "pause")
    begin += f" ({_REASONS.get(pause.reason, pause.reason)})"
    if pause.reason in ("account_paused", "account_suspended", "daily_quota"):
        return _Told("pause", f"{begin}; it goes on when SES says that this is over{end}", "pause")
    at = moment(max(pause.probe_at, now_ms), now_ms)
    said = f"{begin}; one waiting mail tries it again and again, next at {at}"
    return _Told("pause", f"{said}{end}", "pause")


def _in_doubt(record: Record, world: World, now_ms: int) -> _Told:
    terms, since = world.terms, moment(record.lease_until, now_ms)
    from_ms = record.lease_until + terms.grace_ms
    by_ms = from_ms + terms.decide_ms
    begin = (
        f"In doubt since {since}: SES may have taken attempt {record.attempt}, and nobody recorded "
        "its answer. An event of SES settles it; without one it is decided by the mail's inDoubt, "
    )
    by = f"at {moment(by_ms, now_ms)} at the latest"
    if now_ms > by_ms:
        return _Told("verdict", f"{begin}{by}: it is late, and goes on when a sender looks at it.")
    if now_ms <= from_ms:
        said = f"{begin}from {moment(from_ms, now_ms)} on when events flow, else {by}."
        return _Told("verdict", said, due_ms=by_ms)
    sent_ms = max(from_ms - terms.lease_ms, record.lease_until)
    missing = evidence.missing(world.processors, since_ms=sent_ms, now_ms=now_ms)
    if missing is None:
        return _Told("verdict", f"{begin}when it is next looked at: events flow.", due_ms=now_ms)
    said = f"{begin}when events are known to flow, {by} (now {missing})."
    return _Told("verdict", said, due_ms=by_ms)


def _with_ses(record: Record, place: Place, now_ms: int) -> str:
    sent_ms = place.since_ms if record.sent_at is None else record.sent_at
    begin = f"SES accepted it at {moment(sent_ms, now_ms)}"
    if place.state == states.DELAYED:
        begin += f", has not been able to deliver it by {moment(place.since_ms, now_ms)}, tries on"
    elif len(record.ranks) > 1:
        begin += f"; of {len(record.ranks)} recipients {unheard(record)} are without a final word"
    else:
        begin += "; its word on the delivery is awaited"
    if record.possible_duplicate:
        begin += "; it may have been sent twice, for an earlier attempt was in doubt"
    return f"{begin}; without a word it is closed at {moment(place.deadline_ms, now_ms)}."
