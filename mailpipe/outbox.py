"""An outbox for tests: the mail of every producer of this process lands in it, not in AWS."""

from mailpipe.aws.s3 import TooLarge


class MemoryBucket:
    """A bucket in this process; `asked` has the keys that were looked for."""

    def __init__(self) -> None:
        self.objects = dict[str, bytes]()
        self.asked = list[str]()

    async def put(self, key: str, body: bytes) -> None:
        """See mailpipe.aws.s3.Bucket.put."""
        self.objects[key] = body

    async def get(self, key: str, *, max_bytes: int) -> bytes | None:
        """See mailpipe.aws.s3.Bucket.get."""
        self.asked.append(key)
        found = self.objects.get(key)
        if found is not None and len(found) > max_bytes:
            raise TooLarge(f"{len(found)} bytes")
        return found
