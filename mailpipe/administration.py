"""Tenants and keys as people see and change them; every change is audited.

A change takes effect within 5 seconds everywhere (`mailpipe/reads.py`).
"""

import msgspec

from mailpipe import keys, resources, tenants
from mailpipe.audit import Audited, NotDone
from mailpipe.aws.table import Tables
from mailpipe.aws.together import Save
from mailpipe.keys import Key, NewKey, Scope
from mailpipe.records import Attributes
from mailpipe.tenants import Tenant


class Administration:
    """Reads and changes what the `Access` table holds. Every method raises CallFailed."""

    def __init__(self, tables: Tables, audited: Audited) -> None:
        self._tables = tables
        self._audited = audited

    async def tenants(self) -> list[Tenant]:
        """All of them, by id; `default` among them."""
        items = await self._tables.partition(resources.ACCESS, tenants.KIND)
        found = {one.tenant: one for one in map(tenants.tenant_of, items)}
        found.setdefault(tenants.DEFAULT, Tenant(tenant=tenants.DEFAULT))
        return [found[name] for name in sorted(found)]

    async def tenant(self, name: str) -> Tenant:
        """One of them. Raises NotDone when there is none of this id."""
        found = await tenants.read(self._tables, name)
        if found is None:
            raise NotDone(f"There is no tenant '{name}': see `tenant list`.")
        return found

    async def create_tenant(self, tenant: Tenant) -> Tenant:
        """Raises NotDone when there is one of this id."""
        made = msgspec.structs.replace(tenant, created_at=self._audited.wall_ms())
        item = tenants.item_of(made)
        await self._audited.write(
            "tenant.created",
            tenant.tenant,
            [Save(resources.ACCESS, item)],
            what=item,
            otherwise=f"There is a tenant '{tenant.tenant}' already.",
        )
        return made

    async def change_tenant(self, name: str, changes: Attributes) -> Tenant:
        """Change some attributes, named as in its item. Raises NotDone."""
        known = await self.tenant(name)
        old = await self._tables.get(resources.ACCESS, {"kind": tenants.KIND, "id": name}) or {}
        new = tenants.item_of(known) | old | changes
        save = Save(resources.ACCESS, new, old)
        await self._audited.write("tenant.changed", name, [save], what=changes)
        return tenants.tenant_of(new)

    async def keys(self, tenant: str | None = None) -> list[Key]:
        """All keys, or those of one tenant; the oldest first."""
        items = await self._tables.partition(resources.ACCESS, keys.KIND)
        found = [one for one in map(keys.key_of, items) if tenant in (None, one.tenant)]
        return sorted(found, key=lambda one: (one.created_at, one.key_hash))

    async def key(self, text: str) -> Key:
        """The one that `text` means (`keys.named`). Raises NotDone when it is none or several."""
        found = keys.named(await self.keys(), text)
        if not found:
            raise NotDone("There is no such key: see `keys list`.")
        if len(found) > 1:
            raise NotDone("More than one key begins so: give more of its hash.")
        return found[0]

    async def create_key(
        self, tenant: str, scopes: list[Scope], *, note: str = "", expires_at: int = 0
    ) -> NewKey:
        """A new key of a tenant that exists. Raises NotDone."""
        await self.tenant(tenant)
        now_ms = self._audited.wall_ms()
        made = keys.new_key(tenant, scopes, note=note, now_ms=now_ms, expires_at=expires_at)
        what: Attributes = {"tenant": tenant, "scopes": list[str](scopes), "expiresAt": expires_at}
        save = Save(resources.ACCESS, keys.item_of(made.key))
        await self._audited.write("key.created", made.key.name, [save], what=what)
        return made

    async def revoke_key(self, key: Key) -> Key:
        """It stops working, for ever. Raises NotDone."""
        changes: Attributes = {"enabled": False, "revokedAt": self._audited.wall_ms()}
        return await self._change_key(key, "key.revoked", changes)

    async def expire_key(self, key: Key, at_ms: int) -> Key:
        """It stops working then; 0 = never. Raises NotDone."""
        return await self._change_key(key, "key.expiry_set", {"expiresAt": at_ms})

    async def _change_key(self, key: Key, action: str, changes: Attributes) -> Key:
        old = await self._tables.get(resources.ACCESS, {"kind": keys.KIND, "id": key.key_hash})
        if old is None:
            raise NotDone("There is no such key: see `keys list`.")
        new = old | changes
        what = {"tenant": key.tenant, **changes}
        await self._audited.write(action, key.name, [Save(resources.ACCESS, new, old)], what=what)
        return keys.key_of(new)
