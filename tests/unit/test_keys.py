"""How keys look, are stored and found."""

import math

from mailpipe.keys import Key, hash_of, item_of, key_of, named, new_key


def test_a_new_key_is_long_random_and_starts_as_it_is_known() -> None:
    one, other = (new_key("shop", ["send"], now_ms=1) for _ in range(2))
    assert one.text != other.text
    start, _, secret = one.text.rpartition("_")
    assert one.key.start == start
    assert start.startswith("mp_")
    assert len(secret) * math.log2(62) >= 160


def test_what_is_stored_holds_the_hash_and_nothing_of_the_secret() -> None:
    made = new_key("shop", ["send", "read"], note="web", now_ms=1, expires_at=2)
    item = item_of(made.key)
    assert item["id"] == hash_of(made.text)
    assert made.text.rpartition("_")[2] not in repr(item)
    assert key_of(item) == made.key


def test_a_key_holds_until_it_is_revoked_or_its_time_has_come() -> None:
    held = Key(key_hash="0", tenant="t", scopes=[], expires_at=10)
    assert [held.holds(now_ms) for now_ms in (9, 10)] == [True, False]
    assert Key(key_hash="0", tenant="t", scopes=[]).holds(10**15)
    assert not Key(key_hash="0", tenant="t", scopes=[], enabled=False).holds(0)


def test_a_key_is_found_by_its_start_its_hash_or_itself_and_by_nothing_shorter() -> None:
    made = [new_key("shop", ["send"], now_ms=1) for _ in range(3)]
    stored, one = [new.key for new in made], made[1]
    for text in (one.text, one.key.start, one.key.key_hash, one.key.key_hash[:12]):
        assert named(stored, text) == [one.key]
    for text in ("", "mp_", one.key.start[:-1], one.key.key_hash[:7], one.text[:-1] + "!"):
        assert named(stored, text) == []
