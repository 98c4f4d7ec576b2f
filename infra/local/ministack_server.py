"""Runs ministack under uvicorn and uvloop (half the CPU of its own server), on loopback only.

Started with the Python of `.venv-cloud`: `python -m infra.local.ministack_server PORT` (0 = free).
Prints a line of JSON with the port when it is about to serve.
"""

import errno
import gc
import json
import os
import socket
import sys

from infra.local.deep_queues import quicken

EXIT_PORT_IN_USE = 3


def main() -> None:
    """Bind, tell ministack its port (queue URLs are made of it), serve."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", int(sys.argv[1])))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sys.stderr.write(f"port {sys.argv[1]} is in use\n")
        raise SystemExit(EXIT_PORT_IN_USE) from None
    listener.listen(1024)
    port = listener.getsockname()[1]
    os.environ["GATEWAY_PORT"] = str(port)
    os.environ.setdefault("LOG_LEVEL", "WARNING")

    import uvicorn  # type: ignore[import-not-found,unused-ignore]  # after GATEWAY_PORT is set

    quicken()
    config = uvicorn.Config(
        "ministack.app:app",
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        date_header=False,  # ministack's own is exact; uvicorn's comes first and is up to 1 s old
    )
    print(json.dumps({"event": "ready", "service": "ministack", "port": port}), flush=True)
    # Items and messages are dictionaries, and are looked through each time there is to collect.
    gc.set_threshold(50_000, 20, 50)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
