"""When a run may come to rest: never while a replica is away, whoever died or went on last."""

import time
from types import SimpleNamespace
from typing import Any, cast

from loadtest.dying import Dying
from loadtest.instants import Decks
from loadtest.once_done import Kill, Stop


def dying(*exit_codes: int | None) -> Dying:
    replicas = [
        SimpleNamespace(name=f"sender-{number}", exit_code=code)
        for number, code in enumerate(exit_codes, start=1)
    ]
    stack = cast("Any", SimpleNamespace(services={"sender": replicas}))
    armed = {one.name: "sender.claimed@1" for one in replicas}
    return Dying(stack, Decks(1, rate=100), armed=armed, seed=1)


def test_rest_counts_from_the_last_death_or_the_end_of_the_last_stop() -> None:
    run = dying(None, None)
    assert run.last_s == 0.0
    run.kills += [Kill(30.0, "sender-1", "anywhere"), Kill(90.0, "sender-2", "sender.released")]
    assert run.last_s == 90.0
    run.stops.append(Stop(20.0, 95.0, "sender-1", "failpoint"))
    assert run.last_s == 95.0


def test_a_death_that_nobody_has_noted_yet_is_one() -> None:
    run = dying(None, -9)
    run.kills.append(Kill(30.0, "sender-1", "anywhere"))
    assert abs(run.last_s - time.time()) < 5
