"""API keys: how they look, how they are stored, when they hold. Pure.

A key is `mp_` + 8 characters to recognise it by + `_` + 32 random ones (190 bits). Stored is its
SHA-256 only: it has enough entropy of its own that nothing slower is needed.
"""

import hashlib
import hmac
import re
import secrets
import string
from typing import Literal, NamedTuple, get_args

import msgspec
from msgspec import Struct, field

from mailpipe.aws.items import to_struct
from mailpipe.records import Attributes

KIND = "key"
Scope = Literal["send", "read", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

MAX_KEY_CHARS = 256

_ALPHABET = string.ascii_letters + string.digits
_NAME_CHARS = 8
_SECRET_CHARS = 32
_NAMED = re.compile(rf"\A(mp_[A-Za-z0-9]{{{_NAME_CHARS}}})_[A-Za-z0-9]{{{_SECRET_CHARS}}}\Z")
_HASH_NAME_CHARS = 12


class Key(Struct, rename="camel", kw_only=True, frozen=True):
    """A key as it is stored. Times are epoch milliseconds, 0 = never.

    `key_hash` is the SHA-256 (hex); `local`: a key of the local cloud, which no real account takes.
    """

    key_hash: str = field(name="id")
    tenant: str
    scopes: list[str]
    enabled: bool = True
    local: bool = False
    start: str = ""
    note: str = ""
    created_at: int = 0
    expires_at: int = 0
    revoked_at: int = 0

    @property
    def name(self) -> str:
        """What a person knows it by: its first characters, or those of its hash."""
        return self.start or self.key_hash[:_HASH_NAME_CHARS]

    def holds(self, now_ms: int) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.enabled and not 0 < self.expires_at <= now_ms


class NewKey(NamedTuple):
    """A key that was just made; `text` is shown once and kept nowhere."""

    text: str
    key: Key


def hash_of(text: str) -> str:
    """The id under which a key is stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_hash(key: Key, key_hash: str) -> bool:
    """Whether the stored key is this one, in a time that tells nothing."""
    return hmac.compare_digest(key.key_hash, key_hash)


def new_key(
    tenant: str, scopes: list[Scope], *, note: str = "", now_ms: int, expires_at: int = 0
) -> NewKey:
    """A new random key."""
    start = f"mp_{_random(_NAME_CHARS)}"
    text = f"{start}_{_random(_SECRET_CHARS)}"
    key = Key(
        key_hash=hash_of(text),
        tenant=tenant,
        scopes=list(scopes),
        start=start,
        note=note,
        created_at=now_ms,
        expires_at=expires_at,
    )
    return NewKey(text, key)


def _random(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


def named(keys: list[Key], text: str) -> list[Key]:
    """Those that `text` may mean: the visible start, the begin of the hash, or the key itself."""
    if whole := _NAMED.match(text):
        return [key for key in keys if is_hash(key, hash_of(whole.group()))]
    if len(text) < _NAME_CHARS:
        return []
    return [key for key in keys if key.start == text or key.key_hash.startswith(text)]


def item_of(key: Key) -> Attributes:
    """Its item in the `Access` table."""
    item: Attributes = msgspec.to_builtins(key)
    return {"kind": KIND, **item}


def key_of(item: Attributes) -> Key:
    """A key from its item. Raises CallFailed."""
    return to_struct(item, Key)
