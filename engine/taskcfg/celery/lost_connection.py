"""A connection to the broker that is lost: what came over it is not acknowledged any more."""

from __future__ import annotations

import logging
from typing import Any

from kombu import Connection

logger = logging.getLogger("taskcfg.worker")


def let_go(connection: Connection) -> None:
    """Have a lost *connection* be closed, and what was fetched over it end, without an error.

    Kombu's Redis channel asks the connection that it has just given up where Redis is, once to put back
    what was fetched and once for each acknowledgement, and Celery ends the worker with the error that
    this raises. The broker hands out again what was not acknowledged, and the gate refuses what ran.
    """
    close = connection.close
    connection.close = lambda: _quietly(close)
    channel = connection._default_channel  # the property would connect anew
    if channel is not None:
        channel.basic_ack = channel.basic_reject = _nothing


def _quietly(close: Any) -> None:
    try:
        close()
    except Exception as error:  # noqa: BLE001 it is lost: nothing can be mended
        logger.debug("broker.closing reason=%r", str(error))


def _nothing(*_: Any, **__: Any) -> None:
    """Acknowledge nothing: nobody is there who could hear it."""
