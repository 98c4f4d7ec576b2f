"""Mail for later, and what its owners change about it: a plan from a seed. Pure.

Times are seconds from the begin of a run. Most changes come around the instant at which the mail is
due, where a sender takes it in hand: just before, at, and just after.
"""

import random
from typing import NamedTuple

NEAR_S = 0.4
"""Around the due instant."""
KINDS = {
    "plain": 56,
    "expires": 6,
    "cancel": 12,
    "cancel early": 4,
    "later": 8,
    "earlier": 5,
    "again": 4,
    "both": 5,
}
"""How often each story is told, in a hundred."""
SOON_S, LATER_S = (0.5, 3.0), (20.0, 60.0)
"""After it is due a mail expires: half of them so soon that one which is late does."""


class Change(NamedTuple):
    """At `at_s` the owner asks for `cancel`, or for `reschedule` to `to_s`; several of one mail
    come one after the other, but those of the same instant at once.
    """

    what: str
    at_s: float
    to_s: float = 0.0


class Planned(NamedTuple):
    """A mail that is handed over at `born_s`, is due at `due_s`, and expires at `expires_s`."""

    number: int
    born_s: float
    due_s: float
    changes: tuple[Change, ...] = ()
    expires_s: float | None = None


def planned(
    seed: int, count: int, *, per_s: float, first_s: float, ahead_s: tuple[float, float]
) -> list[Planned]:
    """So many mails, due evenly from `first_s` on at `per_s`, handed over so much ahead."""
    choice = random.Random(seed)  # noqa: S311 - a reproducible choice is the point
    stories = choice.choices(list(KINDS), list(KINDS.values()), k=count)
    made = list[Planned]()
    for number, story in enumerate(stories):
        due_s = first_s + number / per_s
        born_s = max(0.0, due_s - choice.uniform(*ahead_s))
        changes = _changes(choice, story, born_s, due_s)
        expires_s = None
        if story == "expires":
            expires_s = due_s + choice.uniform(*choice.choice((SOON_S, LATER_S)))
        made.append(Planned(number, born_s, due_s, tuple(changes), expires_s))
    return made


def _changes(choice: random.Random, story: str, born_s: float, due_s: float) -> list[Change]:
    near_s = max(born_s, due_s + choice.uniform(-NEAR_S, NEAR_S))
    early_s = choice.uniform(born_s, due_s)
    later_s = due_s + choice.uniform(0.5, 4.0)
    match story:
        case "cancel":
            return [Change("cancel", near_s), Change("cancel", near_s + 0.1)]
        case "cancel early":
            return [Change("cancel", early_s)]
        case "later":
            return [Change("reschedule", near_s, later_s)]
        case "earlier":
            return [Change("reschedule", early_s, choice.uniform(born_s, due_s))]
        case "again":
            times = [choice.uniform(0.0, 5.0) for _ in range(3)]
            return [
                Change("reschedule", early_s + index * 0.2, early_s + after_s)
                for index, after_s in enumerate(times)
            ]
        case "both":
            return [Change("cancel", near_s), Change("reschedule", near_s, later_s)]
    return []
