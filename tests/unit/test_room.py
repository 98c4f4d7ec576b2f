"""Who waits for bytes gets them in turn."""

import asyncio

from mailpipe.room import Room


async def test_room_is_given_in_turn_and_no_more_than_there_is() -> None:
    room, held, order = Room(10), 0, list[int]()

    async def one(number: int, size: int) -> None:
        nonlocal held
        async with room.take(size):
            held += min(size, 10)
            order.append(number)
            assert held <= 10
            await asyncio.sleep(0)
            held -= min(size, 10)

    tasks = [asyncio.create_task(one(number, size)) for number, size in enumerate([6, 6, 99, 1, 1])]
    await asyncio.sleep(0)
    tasks[1].cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 2, 3, 4]
    async with room.take(10):
        pass
