"""Structured logs: one JSON object a line on stdout, with a stable `event` name and ids.

Addresses and bodies are never logged. The level says who must act: `warning` is a throttle or a
refusal that will pass, `error` wants a person, `exception` is a bug.
"""

import logging
import sys
from typing import Any

import msgspec
import structlog

_encoder = msgspec.json.Encoder(enc_hook=str)


def configure(service: str, *, level: int = logging.INFO) -> None:
    """Set up logging for this process; library logs from WARNING on take the same form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        structlog.processors.format_exc_info,
    ]
    render = structlog.processors.JSONRenderer(serializer=lambda item, **_: _encoder.encode(item))
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    text = structlog.processors.JSONRenderer(
        serializer=lambda item, **_: _encoder.encode(item).decode()
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, text],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def get() -> Any:
    """The logger: `log.info("email_sent", email_id=…)`."""
    return structlog.get_logger()
