"""Items of whole numbers in memory."""

from mailpipe.changes import Change, Changed, Fate, Numbers


class MemoryCounters:
    """Obeys the contract suite of `mailpipe.aws.counters.Counters`."""

    def __init__(self, items: dict[str, Numbers] | None = None) -> None:
        self.items = {name: dict(numbers) for name, numbers in (items or {}).items()}

    async def change(self, name: str, change: Change) -> Fate:
        """See sender.items.Items.change."""
        fate = change.applied(self.items.get(name))
        if isinstance(fate, Changed):
            self.items[name] = dict(fate.item)
        return fate
