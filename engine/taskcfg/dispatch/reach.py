"""Asking whether the broker is there at all."""

from __future__ import annotations

from importlib.util import find_spec

from celery import Celery
from kombu.exceptions import OperationalError
from kombu.transport import get_transport_cls
from kombu.utils.url import parse_url

from taskcfg.errors import BrokerUnavailable, InvalidSettings

PATIENCE = 4.0
_KINDS = "it is `embedded:///file.db`, `amqp://user:password@host:port/vhost` or `redis://host:port/0`"


def check_broker_url(url: str, name: str = "broker_url") -> None:
    """Raise InvalidSettings unless *url*, or each of several joined by `;`, is of a kind that can be spoken.

    Nothing else would: a scheduler would try for ever what cannot work.
    """
    for each in url.split(";"):
        scheme, separator, _ = each.partition("://")
        if not separator:
            raise InvalidSettings(f"{name} is not a URL", hint=_KINDS)
        try:
            transport = get_transport_cls(scheme.partition("+")[0])
        except (KeyError, ImportError, AttributeError, NameError) as error:
            raise InvalidSettings(f"{name}: `{scheme}` is not supported", hint=_KINDS) from error
        try:
            parse_url(each)
        except ValueError as error:
            raise InvalidSettings(f"{name} cannot be read", hint=f"{_KINDS}; quote odd characters") from error
        if transport.driver_type == "memory":
            raise InvalidSettings(
                f"{name}: `{scheme}` lives in one process, and a scheduler and its workers are several",
                hint=_KINDS,
            )
        if transport.driver_type == "redis" and find_spec("redis") is None:
            raise InvalidSettings(
                f"{name}: the package `redis` is not installed", hint="pip install 'taskcfg[redis]'"
            )


def reach_broker(app: Celery) -> str:
    """Connect to *app*'s broker, once, and return its URL without a password. Raises BrokerUnavailable."""
    connection = app.connection_for_write(
        connect_timeout=PATIENCE,
        transport_options={"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE},
    )
    url: str = connection.as_uri()
    try:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=PATIENCE)
        connection.default_channel.close()
    except (
        *connection.connection_errors,
        *connection.channel_errors,
        OperationalError,
        OSError,
        ValueError,  # an option, or a part of the URL, that its library cannot read
        TypeError,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BrokerUnavailable(
            f"the broker {url} cannot be reached: {reason}", hint="is it running, and is `broker_url` right?"
        ) from error
    finally:
        connection.collect()
    return url
