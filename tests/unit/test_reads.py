"""What is read through `SharedReads`: how old it may be, how much is remembered, who shares."""

import asyncio

import pytest

from mailpipe.reads import SharedReads

FRESH_S = 5.0


class Source:
    """Answers with how often it was asked; its clock stands still."""

    def __init__(self, *, most: int = 2) -> None:
        self.now_s, self.asked, self.takes_s = 100.0, list[str](), 0.0
        self.breaks = False
        self.reads = SharedReads(self._read, most=most, fresh_s=FRESH_S, clock=lambda: self.now_s)

    async def _read(self, key: str) -> int:
        self.asked.append(key)
        self.now_s += self.takes_s
        await asyncio.sleep(0)
        if self.breaks:
            raise ValueError("a fault")
        return len(self.asked)


async def test_an_answer_counts_for_so_long_from_the_begin_of_its_read() -> None:
    source = Source()
    source.takes_s = 1.0
    assert await source.reads.get("a") == 1
    source.now_s += FRESH_S - 1.5
    assert await source.reads.get("a") == 1
    source.now_s += 0.5
    assert await source.reads.get("a") == 2


async def test_what_was_not_asked_for_lately_goes_first() -> None:
    source = Source(most=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        await source.reads.get(key)
    assert source.asked == ["a", "b", "c", "b"]


async def test_all_who_miss_at_once_share_one_read() -> None:
    source = Source()
    assert await asyncio.gather(*(source.reads.get("a") for _ in range(3))) == [1, 1, 1]
    assert source.asked == ["a"]


async def test_a_failure_is_not_remembered() -> None:
    source = Source()
    source.breaks = True
    with pytest.raises(ValueError, match="a fault"):
        await source.reads.get("a")
    source.breaks = False
    assert await source.reads.get("a") == 2
