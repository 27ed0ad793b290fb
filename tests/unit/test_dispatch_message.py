"""A fire's message is the one that Celery's own `apply_async` sends, field by field."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery, Task
from celery.utils.saferepr import saferepr
from hypothesis import given
from hypothesis import strategies as st
from kombu import Exchange, Queue

from fires import DATABASE, options_of, outgoing
from taskcfg.dispatch.message import CannotSend, MessageMaker
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.spec.fires import Confirmed, Outgoing, Unroutable, Unsendable

Raw = dict[str, Any]


def add(*args: Any, **kwargs: Any) -> int:
    return len(args) + len(kwargs)


class Classy(Task):
    name = "demo.classy"
    soft_time_limit = 20
    time_limit = 40
    ignore_result = True

    def shadow_name(self, args: Any, kwargs: Any, options: Any) -> str:
        return f"classy-{len(args)}"

    def run(self, *args: Any) -> int:
        return len(args)


def by_argument(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> Any:
    return {"queue": "even" if args and args[0] % 2 == 0 else "odd"} if name == "demo.add" else None


@pytest.fixture
def make_app() -> Callable[..., Celery]:
    """Makes apps with a broker in memory, whose queues no other test sees."""

    def make(**conf: Any) -> Celery:
        app = Celery("demo", broker="memory://", set_as_current=False)
        app.conf.update(task_default_queue=f"default-{uuid.uuid4().hex[:8]}", **conf)
        app.task(name="demo.add", shared=False)(add)
        app.register_task(Classy())
        return app

    return make


def raw_messages(app: Celery, queue: str) -> list[Raw]:
    with app.connection_for_read() as connection, connection.channel() as channel:
        if not channel._has_queue(queue):
            return []
        return [channel._get(queue) for _ in range(channel._size(queue))]


def comparable(raw: Raw) -> Raw:
    properties = {key: value for key, value in raw["properties"].items() if key != "delivery_tag"}
    return {**raw, "properties": properties}


def send_as_celery_does(app: Celery, fire: Outgoing) -> None:
    name, args, kwargs = fire.message["task"], fire.message["args"], fire.message["kwargs"]
    if name in app.tasks:
        app.tasks[name].apply_async(args, kwargs, **options_of(fire))
    else:
        app.send_task(name, args, kwargs, **options_of(fire))


def assert_same_message(app: Celery, fire: Outgoing, queue: str) -> Raw:
    send_as_celery_does(app, fire)
    [theirs] = raw_messages(app, queue)
    dispatcher = CeleryDispatcher(app, database=DATABASE)
    assert dispatcher.send([fire, fire]) == [Confirmed(), Confirmed()]
    dispatcher.close()
    ours, again = raw_messages(app, queue)

    assert comparable(ours) == comparable(theirs)
    assert comparable(again) == comparable(theirs)
    return theirs


def test_a_message_equals_that_of_apply_async(make_app):
    app = make_app()

    assert_same_message(app, outgoing(args=[1], kwargs={"second": 2}), app.conf.task_default_queue)


def test_a_message_leaves_the_result_to_the_task_as_apply_async_does(make_app):
    app = make_app(task_ignore_result=True)

    theirs = assert_same_message(app, outgoing(), app.conf.task_default_queue)

    assert theirs["headers"]["ignore_result"] is True


def test_limits_and_priority_are_in_the_message(make_app):
    app = make_app()
    fire = outgoing(priority=9, time_limit=70.0, soft_time_limit=60.0)

    theirs = assert_same_message(app, fire, app.conf.task_default_queue)

    assert theirs["headers"]["timelimit"] == [70.0, 60.0]
    assert theirs["properties"]["priority"] == 9


def test_a_celery_task_that_nobody_registered_here_is_sent_by_its_name(make_app):
    app = make_app()

    assert_same_message(app, outgoing("elsewhere.task", kwargs={"a": None}), app.conf.task_default_queue)


def test_what_a_task_class_says_of_its_messages_holds(make_app):
    app = make_app()

    theirs = assert_same_message(app, outgoing("demo.classy", args=[1, 2]), app.conf.task_default_queue)

    assert theirs["headers"]["shadow"] == "classy-2"
    assert theirs["headers"]["timelimit"] == [40, 20]


def test_a_task_class_has_no_say_when_its_messages_expire(make_app):
    app = make_app()
    app.tasks["demo.add"].expires = 60

    assert MessageMaker(app, None).message(outgoing()).headers["expires"] is None


TO_ROUTED = {"task_routes": {"demo.add": "routed"}}
ROUTINGS = {
    "a route": (TO_ROUTED, "routed"),
    "a pattern with options": (
        {"task_routes": {"demo.*": {"queue": "routed", "priority": 3, "delivery_mode": "transient"}}},
        "routed",
    ),
    "a key of its own": (
        {"task_routes": [{"other": "x"}, {"demo.add": {"queue": "routed", "routing_key": "odd"}}]},
        "routed",
    ),
    "a direct exchange": (
        {
            "task_queues": [Queue("direct", Exchange("own"), routing_key="key")],
            "task_routes": {"demo.add": "direct"},
        },
        "direct",
    ),
    "a topic exchange": (
        {
            "task_queues": [Queue("topical", Exchange("topics", "topic"), "demo.#")],
            "task_routes": {"demo.add": {"queue": "topical", "routing_key": "demo.adding"}},
        },
        "topical",
    ),
    "a queue's own key": (
        {
            "task_queues": [Queue("topical", Exchange("topics", "topic"), "demo.keys")],
            "task_routes": {"demo.add": "topical"},
        },
        "topical",
    ),
    "queues with priorities": (
        {
            "task_queues": [Queue("first", max_priority=10)],
            "task_queue_max_priority": 9,
            "task_routes": {"demo.add": "first"},
        },
        "first",
    ),
    "compression": ({"task_compression": "gzip", **TO_ROUTED}, "routed"),
    "messages that are not kept": ({"task_default_delivery_mode": "transient", **TO_ROUTED}, "routed"),
}


@pytest.mark.parametrize(("conf", "queue"), ROUTINGS.values(), ids=ROUTINGS)
def test_a_message_follows_the_apps_own_routing(make_app, conf, queue):
    assert_same_message(make_app(**conf), outgoing(args=[3]), queue)


def test_a_fires_own_queue_goes_before_the_routes(make_app):
    app = make_app(
        task_routes={"demo.add": {"queue": "routed"}}, task_queues=[Queue("wanted"), Queue("routed")]
    )

    assert_same_message(app, outgoing(queue="wanted"), "wanted")


def test_a_router_that_looks_at_the_arguments_is_asked_for_each_fire(make_app):
    app = make_app(task_routes=by_argument)
    CeleryDispatcher(app).send([outgoing(args=[number]) for number in (1, 2, 3)])

    assert len(raw_messages(app, "odd")) == 2
    assert len(raw_messages(app, "even")) == 1


def test_a_queue_that_the_app_does_not_know_is_never_declared(make_app):
    app = make_app()
    fire = outgoing(queue=f"unknown-{uuid.uuid4().hex}")
    made = MessageMaker(app, DATABASE).message(fire)

    assert (made.route.exchange, made.route.routing_key) == ("", fire.message["queue"])
    assert made.route.queue is None
    assert fire.message["queue"] not in app.amqp.queues


def test_an_unknown_queue_may_be_named_where_the_app_creates_no_missing_ones(make_app):
    app = make_app(task_create_missing_queues=False)
    routed = make_app(task_create_missing_queues=False, task_routes={"demo.add": "nowhere"})

    assert CeleryDispatcher(app).send([outgoing(queue="theirs")]) == [Confirmed()]
    assert CeleryDispatcher(routed).send([outgoing()]) == [
        Unroutable("\"Queue 'nowhere' missing from task_queues\"")
    ]


def test_what_cannot_be_serialised_is_unsendable_alone(make_app):
    app = make_app()

    receipts = CeleryDispatcher(app).send([outgoing(), outgoing(args=[{1, 2}, object()]), outgoing()])

    assert [type(receipt) for receipt in receipts] == [Confirmed, Unsendable, Confirmed]
    assert len(raw_messages(app, app.conf.task_default_queue)) == 2


def test_a_recorded_message_with_a_part_missing_is_unsendable(make_app):
    with pytest.raises(CannotSend, match="args"):
        MessageMaker(make_app(), None).message(Outgoing(uuid.uuid4(), uuid.uuid4(), 1, 1, "a", {"task": "x"}))


def test_a_message_without_a_database_names_none(make_app):
    made = MessageMaker(make_app(), None).message(outgoing())

    assert "taskcfg_database" not in made.headers
    assert "taskcfg_event" in made.headers


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    args=st.lists(json_values, max_size=3),
    kwargs=st.dictionaries(st.text(max_size=8), json_values, max_size=4),
)
def test_the_arguments_are_shown_as_celery_shows_them(args, kwargs):
    app = Celery("demo", broker="memory://", set_as_current=False)
    made = MessageMaker(app, None).message(outgoing(args=args, kwargs=kwargs))

    assert made.headers["argsrepr"] == saferepr(args or (), 1024)
    assert made.headers["kwargsrepr"] == saferepr(kwargs, 1024)


def test_long_arguments_are_cut_as_celery_cuts_them(make_app):
    app = make_app()
    fire = outgoing(
        args=["x" * 3000, 'it\'s \\ "quoted"'], kwargs={"deep": [[[[1]]]], "list": list(range(900))}
    )

    assert_same_message(app, fire, app.conf.task_default_queue)


def test_memory_for_messages_is_bounded(make_app):
    maker = MessageMaker(make_app(), None)
    for number in range(5000):
        maker.encoded(maker.message(outgoing(f"demo.{number}", args=[number])))

    assert len(maker._templates.entries) == 1024
    assert len(maker._bodies.entries) == 2048
