"""A child process of one that uses the database: what it writes is written."""

import os
import threading
import time

from sqlalchemy import text

from taskcfg.store.database import open_database, reading, writing


def test_what_a_child_writes_survives_a_fork_in_the_middle_of_another_threads_transaction(
    sqlite_url: str,
) -> None:
    parent = open_database(sqlite_url, role="test")
    with writing(parent) as connection:
        connection.execute(text("CREATE TABLE word (said TEXT)"))
    inside = threading.Event()

    def write_slowly() -> None:
        with writing(parent) as connection:
            connection.execute(text("INSERT INTO word VALUES ('first')"))
            inside.set()
            time.sleep(0.5)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    inside.wait()
    ready, go_on = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        with writing(parent) as connection:
            connection.execute(text("INSERT INTO word VALUES ('before')"))
        os.write(ready[1], b"x")
        os.read(go_on[0], 1)
        with writing(parent) as connection:
            connection.execute(text("INSERT INTO word VALUES ('after')"))
        os._exit(0)
    os.read(ready[0], 1)
    writer.join()
    parent.dispose()
    # Who is the last to close a file takes its log away: this must not be the child's.
    visitor = open_database(sqlite_url, role="visitor")
    with reading(visitor) as connection:
        connection.execute(text("SELECT * FROM word")).all()
    visitor.dispose()
    os.write(go_on[1], b"x")
    assert os.waitpid(pid, 0)[1] == 0
    for end in (*ready, *go_on):
        os.close(end)

    with reading(parent) as connection:
        assert connection.scalars(text("SELECT said FROM word")).all() == ["first", "before", "after"]
    parent.dispose()
