"""The producer's flow as values: pace, fates, ends. The queue is a list here."""

import asyncio
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mailpipe import (
    Accepted,
    CallFailed,
    Closed,
    Email,
    NotAccepted,
    Producer,
    Refused,
    SyncProducer,
    ValidationError,
)
from mailpipe.doors import Doors
from mailpipe.outcomes import Kind
from mailpipe.producer import LARGE_AT_ONCE, READ_AHEAD
from mailpipe.testing import Outbox
from tests.unit.producer_rig import LARGE, Slow, email, settle, slow

__all__ = ["slow"]

ROOT = Path(__file__).parents[2]


async def test_a_source_without_end_is_read_only_as_far_ahead_as_fates_are_taken(
    slow: Slow,
) -> None:
    read = itertools.count()
    async with Producer() as producer:
        fates = producer.send_many(email(next(read)) for _ in itertools.count())
        first = asyncio.create_task(anext(fates))
        await settle()
        ahead = len(slow.placed)
        assert READ_AHEAD <= ahead <= READ_AHEAD + 2
        for fate in slow.placed[:10]:
            fate.set_result(None)
        await first
        for _ in range(9):
            await anext(fates)
        await settle()
        assert len(slow.placed) == ahead + 9
        await fates.aclose()
        placed = len(slow.placed)
        await settle()
        assert len(slow.placed) == placed


async def test_of_large_mail_only_a_few_are_in_hand(slow: Slow) -> None:
    async with Producer() as producer:
        fates = producer.send_many(email(number, LARGE) for number in range(20))
        first = asyncio.create_task(anext(fates))
        for _ in range(LARGE_AT_ONCE):
            await slow.began.acquire()
        await settle()
        assert slow.began.locked()
        slow.upload.set()
        slow.answers = True
        assert isinstance(await first, Accepted)
        await fates.aclose()


async def test_closing_says_what_was_not_accepted_and_tells_who_waits(slow: Slow) -> None:
    producer = await Producer().__aenter__()
    sends = [asyncio.create_task(producer.send(email(), email_id=name)) for name in ("a", "b", "c")]
    await settle()
    yes, no, _ = slow.placed
    yes.set_result(None)
    no.set_result(CallFailed(Kind.NOTHING_HAPPENED, "Closed"))
    assert await producer.close() == ["b", "c"]
    slow.placed[2].set_result(CallFailed(Kind.IN_DOUBT, "Closed"))
    accepted, refused, doubted = await asyncio.gather(*sends, return_exceptions=True)
    assert accepted == "a"
    assert isinstance(refused, NotAccepted)
    assert isinstance(doubted, NotAccepted)
    assert (refused.in_doubt, doubted.in_doubt) == (False, True)


async def test_who_no_longer_waits_disturbs_nobody(slow: Slow) -> None:
    async with Producer() as producer:
        gone, stays = (asyncio.create_task(producer.send(email(), email_id=n)) for n in "ab")
        await settle()
        gone.cancel()
        slow.placed[1].set_result(None)
        assert await stays == "b"


async def test_the_outbox_fails_when_it_is_told_to(outbox: Outbox) -> None:
    outbox.fail_next()
    outbox.fail_next(in_doubt=True)
    async with Producer() as producer:
        with pytest.raises(NotAccepted) as failed:
            await producer.send(email(1))
        assert not failed.value.in_doubt
        assert outbox.mails == []
        with pytest.raises(NotAccepted) as doubted:
            await producer.send(email(1), email_id=failed.value.email_id)
        assert doubted.value.in_doubt
        again = await producer.send(email(1), email_id=doubted.value.email_id)
        assert [mail.email_id for mail in outbox.mails] == [again]
        outbox.fail_next(2)
        fates = [fate async for fate in producer.send_many([email(2), email(3), email(4)])]
    assert [type(fate) for fate in fates] == [Refused, Refused, Accepted]
    outbox.clear()
    assert outbox.mails == []


async def test_a_producer_that_was_opened_in_an_outbox_does_not_fall_through_to_aws() -> None:
    with Outbox():
        producer = await Producer().__aenter__()
    with pytest.raises(Closed, match="Outbox"):
        await producer.send(email())


def test_many_threads_share_one_blocking_producer(outbox: Outbox) -> None:
    producer, faults = Producer.sync(), list[BaseException]()

    def work(thread: int) -> None:
        try:
            for number in range(20):
                producer.send(email(number), email_id=f"{thread}-{number}")
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert faults == []
    assert len(outbox.mails) == 160
    assert producer.close() == []
    with pytest.raises(Closed):
        producer.send(email())


def test_closing_the_blocking_producer_tells_the_threads_that_wait() -> None:
    queue, placed = Slow(), threading.Event()
    queue.told = placed

    @asynccontextmanager
    async def connect() -> AsyncIterator[Doors]:
        yield queue.doors()
        for fate in queue.placed:  # as a batcher does at its end
            fate.set_result(CallFailed(Kind.NOTHING_HAPPENED, "Closed"))

    inner = Producer()
    inner._connect = connect
    producer, errors = SyncProducer(lambda: inner), list[Exception]()

    def work() -> None:
        try:
            producer.send(email(), email_id="mine")
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert placed.wait(10)
    assert producer.close() == ["mine"]
    thread.join(10)
    (error,) = errors
    assert isinstance(error, NotAccepted)
    assert error.email_id == "mine"


def test_the_callers_thread_reads_what_a_blocking_producer_sends(outbox: Outbox) -> None:
    threads = set[str]()

    def source() -> Iterator[Email]:
        for number in range(500):
            threads.add(threading.current_thread().name)
            yield email(number)
        raise LookupError("the table is gone")

    with Producer.sync() as producer:
        fates = producer.send_many(source())
        heard = [next(fates) for _ in range(500)]
        with pytest.raises(LookupError):
            next(fates)
    assert threads == {threading.current_thread().name}
    assert {mail.email_id for mail in outbox.mails} == {fate.email_id for fate in heard}


def test_a_broken_rule_is_one_class_with_field_constraint_and_text(outbox: Outbox) -> None:
    with Producer.sync() as producer, pytest.raises(ValidationError) as refused:
        producer.send(Email(to=[], from_="b@example.com", subject="Hi", body_text="x"))
    assert (refused.value.field, refused.value.constraint) == ("to", "required")
    assert str(refused.value) == refused.value.message


def run(code: str) -> str:
    """What a process prints that runs this; it must end by itself and say nothing else."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


FORKED = """
import os
from mailpipe import Email, Producer
from mailpipe.testing import Outbox
from tests.unit.producer_rig import LARGE, Slow, email, settle, slow

__all__ = ["slow"]
mail = Email(to=["a@example.com"], from_="b@example.com", subject="Hi", body_text="x")
producer = Producer.sync()
with Outbox() as outbox:
    producer.send(mail)
    child = os.fork()
    producer.send(mail)
    if child:
        assert os.waitpid(child, 0)[1] == 0
    print(len(outbox.mails), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_parent_and_child_of_a_fork_both_send_and_end() -> None:
    assert run(FORKED).split() == ["2", "2"]


BLOCKED = """
import sys
POSIX_ONLY = {"uvloop", "resource", "fcntl", "grp", "pwd", "termios", "tty", "pty", "syslog"}
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in POSIX_ONLY:
            raise ImportError(f"{name} is not there on Windows")
for name in POSIX_ONLY:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Finder())
import signal
for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "pthread_sigmask", "setitimer"):
    delattr(signal, name)
import os
del os.fork, os.register_at_fork
import mailpipe
from mailpipe.testing import Outbox
from tests.unit.producer_rig import LARGE, Slow, email, settle, slow

__all__ = ["slow"]
with Outbox() as outbox, mailpipe.Producer.sync() as producer:
    mail = mailpipe.Email(to=["a@b.example"], from_="c@d.example", subject="Hi", body_text="x")
    producer.send(mail)
    print(len(outbox.mails))
assert "mailpipe.lifecycle" not in sys.modules
"""


def test_the_sdk_needs_nothing_that_only_posix_has() -> None:
    assert run(BLOCKED) == "1\n"
