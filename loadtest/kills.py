"""Judges a run in which replicas of every service were killed. Pure.

What a kill may cause, and so fails nothing:

- A POST that was cut: its mail may be on the queue though nobody was promised it. Once SES has
  accepted it, or a webhook says that it was suppressed (or is unknown, as below), it is a mail like
  any other, and judged like one (`adopted`); until then it is none.
- A webhook under the same id once more after it was taken (`webhooks_repeated`): the notifier died
  between the endpoint's answer and the delete. Standard Webhooks' receivers tell repeats by the id.
- A mail that ends as `unknown` because its recipient had bounced or complained before: its first
  sender died with the claim in hand, so the second could not say that it was never sent.

Everything else fails, because what was in hand comes back, SES's events prove what was sent, and
every write has its own condition: a lost mail; one that SES accepted twice; one that no POST
explains (`unexpected`); a mail that has not ended, or whose status or timeline is not what SES's
events prove (they are written before the event is deleted); a webhook that never arrived, does not
verify, was not owed or came under a second id (ids are made from the event, so a repeat has the
same one); a line that cannot be read, since nobody kills the logs; and a message that stays in a
queue or among the dead letters, since none was malformed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from infra.local.stack import SERVICES
from loadtest.checker import Verdict, figures, judge
from loadtest.webhooks import AGAIN

LONGEST_GAP_S = 2.0
ENOUGH_FOR_EVERY_SERVICE = 40
"""So many random kills miss one of four services once in 25,000 runs."""
ENOUGH_LOAD = 0.9
EXCUSED = ("suppressed", "unknown")
FAIL = (
    *("lost", "unexpected", "wrong_status", "wrong_timeline", "not_ended", "webhooks_missing"),
    *("webhooks_unverified", "webhooks_unexpected", "webhooks_doubled", "unreadable"),
)


def adopted(
    acks: Iterable[Mapping[str, Any]],
    simulator: Iterable[Any],
    receiver: Iterable[Any],
    *,
    cut: Iterable[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Acknowledgements in place of those that a kill cut off: as many per recipients as POSTs to
    them were cut. Who has no such POST stays unexpected.
    """
    known = {ack["emailId"] for ack in acks}
    left = Counter(tuple(post["recipients"]) for post in cut)
    made = list[dict[str, Any]]()
    for email_id, recipients, t in chain(_accepted(simulator), _suppressed(receiver)):
        to = tuple(recipients)
        if email_id not in known and left[to]:
            left[to] -= 1
            known.add(email_id)
            made.append({"emailId": email_id, "door": "cut", "recipients": [*to], "t": t})
    return made


def _accepted(simulator: Iterable[Any]) -> Iterator[tuple[str, list[str], float]]:
    for line in _lines(simulator, verdict="accepted"):
        if email_id := line.get("tags", {}).get("email_id"):
            yield email_id, line["recipients"], line["t"]


def _suppressed(receiver: Iterable[Any]) -> Iterator[tuple[str, list[str], float]]:
    """A mail of a cut POST may be the second to an address that the first one proved bad."""
    for status in EXCUSED:
        for line in _lines(receiver, type=f"email.{status}", verified=True):
            if email_id := line.get("emailId"):
                yield email_id, line.get("recipients") or [], line["t"]


def _lines(log: Iterable[Any], **fields: object) -> Iterator[Mapping[str, Any]]:
    """The lines with these fields; those that cannot be read are told of by the checker."""
    for line in log:
        if isinstance(line, Mapping) and fields.items() <= line.items():
            yield line


def row(
    kills: Sequence[str],
    known: Mapping[str, Any],
    *,
    cut: Sequence[Mapping[str, Any]],
    left: Mapping[str, int],
) -> dict[str, Any]:
    """The numbers of the run; `kills` has the service of each kill, `known` the evidence with the
    adopted mails among its acknowledgements, `left` what is in the queues in the end.
    """
    evidence = dict(known)
    acks, simulator = evidence.pop("acks"), evidence.pop("simulator")
    verdict = judge(acks, simulator, **evidence, excused=EXCUSED)
    numbers = figures(acks, simulator, **evidence, excused=EXCUSED)
    by_service = Counter(kills)
    return {
        "kills": len(kills),
        "kills_by_service": {name: by_service[name] for name in SERVICES},
        **numbers,
        "doubled": doubled(simulator),
        "posts_cut": len(cut),
        "mails_of_cut_posts": sum(ack["door"] == "cut" for ack in acks),
        "webhooks_repeated": verdict.webhooks_repeated,
        "left_in_queues": {name: count for name, count in sorted(left.items()) if count},
        "faults": {kind: count for kind in FAIL if (count := _count(verdict, kind))},
        "examples": [one for one in verdict.faults if not one.endswith(AGAIN)],
    }


def doubled(simulator: Iterable[Any]) -> list[dict[str, Any]]:
    """Mails that SES accepted more than once, and how often."""
    accepted = Counter(email_id for email_id, _, _ in _accepted(simulator))
    return [{"emailId": one, "accepted": n} for one, n in sorted(accepted.items()) if n > 1]


def short(found: Mapping[str, Any], *, seconds: float, rate: float) -> list[str]:
    """What of the run is not as it must be, in sentences."""
    faults = [f"{kind}: {count}" for kind, count in found["faults"].items()]
    faults += [f"left in {name}: {count}" for name, count in found["left_in_queues"].items()]
    enough = int(seconds / LONGEST_GAP_S)
    if found["kills"] < enough:
        faults.append(f"only {found['kills']} kills; {enough} are needed")
    spared = [name for name, count in found["kills_by_service"].items() if not count]
    if spared and found["kills"] >= ENOUGH_FOR_EVERY_SERVICE:
        faults.append(f"never killed: {', '.join(spared)}")
    needed = int(ENOUGH_LOAD * seconds * rate)
    if found["emails"] < needed:
        faults.append(f"only {found['emails']} mails; {needed} are needed")
    if found["doubled"]:
        faults.append(f"sent twice: {len(found['doubled'])}")
    return faults


def _count(verdict: Verdict, kind: str) -> int:
    if kind == "not_ended":
        return verdict.emails - verdict.terminal
    return int(getattr(verdict, kind))
