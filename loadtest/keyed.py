"""Judges posts under idempotency keys: one key, one mail, whatever was killed meanwhile. Pure.

What must hold for each key, by the answers and by the simulator's log:

- one id was promised (202), for one body; who posted another body was told so (409), and so was
  whoever posted it later; a later post of the same body is marked as a replay;
- SES accepted that id once, to the recipients of that body, and no other mail.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

ACCEPTED, CONFLICT = 202, 409


class Answer(NamedTuple):
    """The last answer to a post: a cut one was tried again. `late`: posted after all others of its
    key were answered. `recipient` stands for the body: each has another.
    """

    key: str
    recipient: str
    status: int
    email_id: str | None
    replayed: bool
    late: bool = False


def row(
    answers: Sequence[Answer], simulator: Iterable[Any], *, kills: int, cut: int
) -> dict[str, Any]:
    """The figures of a run; `cut` is how many posts ended without an answer."""
    by_key = dict[str, list[Answer]]()
    for one in answers:
        by_key.setdefault(one.key, []).append(one)
    sent = [
        (str(line["tags"].get("email_id")), tuple(line["recipients"]))
        for line in simulator
        if isinstance(line, Mapping) and line.get("verdict") == "accepted"
    ]
    faults = [fault for key, some in by_key.items() for fault in _of_key(key, some, sent)]
    promised = {one.email_id for one in answers if one.status == ACCEPTED}
    faults += [
        f"SES accepted {one}, which nobody was promised" for one, _ in sent if one not in promised
    ]
    counts = Counter(email_id for email_id, _ in sent)
    return {
        "keys": len(by_key),
        "mails": len(counts),
        "doubled": sum(count - 1 for count in counts.values()),
        "posts": len(answers),
        "replayed": sum(one.replayed for one in answers),
        "conflicts": sum(one.status == CONFLICT for one in answers),
        "posts_cut": cut,
        "kills": kills,
        "faults": faults,
    }


def _of_key(
    key: str, answers: Sequence[Answer], sent: Sequence[tuple[str, tuple[str, ...]]]
) -> list[str]:
    faults = []
    ids = {one.email_id for one in answers if one.status == ACCEPTED}
    bodies = {one.recipient for one in answers if one.status == ACCEPTED}
    if len(ids) != 1 or len(bodies) != 1:
        return [f"{key}: {len(ids)} ids were promised, for {len(bodies)} bodies"]
    (email_id,), (recipient,) = ids, bodies
    for one in answers:
        if one.recipient != recipient and one.status != CONFLICT:
            faults.append(f"{key}: another body was answered with {one.status}")
        if one.recipient == recipient and one.status != ACCEPTED:
            faults.append(f"{key}: the body that was promised was also answered with {one.status}")
        if one.late and one.recipient == recipient and not one.replayed:
            faults.append(f"{key}: a late repeat is not marked as a replay")
    reached = [recipients for one, recipients in sent if one == email_id]
    if len(reached) != 1:
        faults.append(f"{key}: SES accepted its mail {len(reached)} times")
    if any(recipients != (recipient,) for recipients in reached):
        faults.append(f"{key}: SES accepted another body than the one that was promised")
    return faults


def short(found: Mapping[str, Any], *, keys: int, kills: int) -> list[str]:
    """What is not as it must be, in sentences."""
    faults = [*found["faults"]]
    wanted = {"keys": keys, "mails": keys, "doubled": 0, "kills": kills}
    faults += [
        f"{name} is {found[name]}, not {value}"
        for name, value in wanted.items()
        if found[name] != value
    ]
    if not found["posts_cut"]:
        faults.append("no post was cut: the kills hit nothing")
    if not found["conflicts"]:
        faults.append("no post was in conflict: nothing was contested")
    return faults
