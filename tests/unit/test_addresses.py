"""A URL's password is never shown."""

import pytest

from taskcfg.control.addresses import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://guest:s3cret@host:5672//", "amqp://guest:***@host:5672//"),
        ("postgresql://app:p:w@[::1]/name", "postgresql://app:***@[::1]/name"),
        ("amqp://app:s3c/ret@host//", "amqp://app:***@host//"),
        ("amqp://app:s3c@ret@host//", "amqp://app:***@host//"),
        ("redis://:s3cret@host/0", "redis://:***@host/0"),
        ("amqp://a:x@one//;amqp://b:y@two//", "amqp://a:***@one//;amqp://b:***@two//"),
        ("postgresql://host/name?user=a&password=s3cret&sslmode=require",
         "postgresql://host/name?user=a&password=***&sslmode=require"),
        ("postgresql://app@host/name", "postgresql://app@host/name"),
        ("sqlite:////var/a@b:c/taskcfg.db", "sqlite:////var/a@b:c/taskcfg.db"),
    ],
)  # fmt: skip
def test_passwords_are_hidden_and_nothing_else(url: str, shown: str) -> None:
    assert without_password(url) == shown
