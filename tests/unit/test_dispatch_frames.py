"""Our frames are py-amqp's frames."""

from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from amqp import Message, spec
from amqp.method_framing import frame_writer
from amqp.serialization import dumps
from hypothesis import example, given
from hypothesis import strategies as st

from taskcfg.dispatch.confirmed import UNPACKABLE
from taskcfg.dispatch.frames import Framer, HeadersTooLarge

CHANNEL = 3
FRAME_MAX = 4096

texts = st.text(max_size=40)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=20)
    | st.sampled_from([Decimal("1.25"), datetime(2026, 3, 29, 2, 30), object(), {1, 2}])  # noqa: DTZ001 - as AMQP
    | st.sampled_from([2**31 - 1, 2**31, -(2**31), -(2**31) + 1, "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
properties = st.fixed_dictionaries(
    {"application_headers": st.dictionaries(texts | st.just("k" * 300), values, max_size=6)},
    optional={
        "content_type": texts,
        "content_encoding": st.none() | texts,
        "delivery_mode": st.sampled_from([1, 2, 300]),
        "priority": st.integers(-1, 300),
        "correlation_id": texts | st.just("c" * 300),
        "reply_to": texts,
        "expiration": st.none() | st.just("60000"),
        "timestamp": st.integers(0, 2**64),
        "unknown": texts,
    },
)


def written(exchange: str, routing_key: str, given: dict[str, Any], body: bytes) -> bytes:
    """Return what py-amqp writes to its socket for such a message."""
    out: list[bytes] = []
    connection = SimpleNamespace(frame_max=FRAME_MAX, bytes_sent=0)
    write_frame = frame_writer(connection, SimpleNamespace(write=lambda data: out.append(bytes(data))))
    arguments = dumps("Bssbb", (0, exchange, routing_key, True, False))
    write_frame(1, CHANNEL, spec.Basic.Publish, arguments, Message(body, **given))
    return b"".join(out)


@given(st.lists(st.tuples(texts, texts, properties, st.binary(max_size=200)), max_size=4))
@example([("", "celery", {"application_headers": {"timelimit": [None, None], "retries": 0}}, b"")])
def test_the_frames_of_any_messages_are_what_py_amqp_writes(messages: list[tuple[Any, ...]]) -> None:
    framer = Framer(CHANNEL, FRAME_MAX)

    for message in messages:
        try:
            expected = written(*message)
        except UNPACKABLE:
            expected = None
        try:
            frames = framer.frames(*message)
        except UNPACKABLE:
            frames = None

        assert frames == expected


def test_a_body_that_fills_a_frame_is_framed_and_a_larger_one_is_left_to_py_amqp() -> None:
    framer = Framer(CHANNEL, FRAME_MAX)
    largest = b"x" * (FRAME_MAX - 8)

    assert framer.frames("", "celery", {"application_headers": {}}, largest) == written(
        "", "celery", {"application_headers": {}}, largest
    )
    assert framer.frames("", "celery", {"application_headers": {}}, largest + b"x") is None


def test_headers_that_do_not_fit_into_a_frame_are_refused_here_and_not_by_the_broker() -> None:
    framer = Framer(CHANNEL, FRAME_MAX)

    with pytest.raises(HeadersTooLarge, match=r"its headers have 4,128 bytes, and there is room for 4,088"):
        framer.frames("", "celery", {"application_headers": {"argsrepr": "x" * FRAME_MAX}}, b"[]")
