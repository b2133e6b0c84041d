"""Keys are stored as digests, valid until revoked, and counted over all processes."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.db import api_keys, audio_usage, connection, tasks
from app.core.db.api_keys import ApiKey, Rights
from app.core.db.audio_usage import AudioUsage
from tests.app.processes import in_processes
from tests.app.rows import PARAMS, claimed

pytestmark = pytest.mark.usefixtures("open_database")

HOUR = 3600.0


def find(*keys: str) -> str | None:
    found = api_keys.find(keys)
    return found and found.name


def make(name: str = "a", **rights: Any) -> ApiKey:
    found = api_keys.find([api_keys.create(name, Rights(**rights))])
    assert found is not None
    return found


def submit(owner: int) -> None:
    tasks.submit(f"task {tasks.count_queued()} of {owner}", "transcription", PARAMS.to_json(), "a.wav", [], owner=owner)


def test_key_is_random_and_only_its_digest_is_stored() -> None:
    first, second = api_keys.create("a", Rights()), api_keys.create("b", Rights())
    assert first != second and len(first) > 40
    dump = str(connection.database.execute_sql("SELECT * FROM api_key").fetchall())
    assert first not in dump and api_keys.make_digest(first) in dump


def test_valid_key_is_found_among_those_sent() -> None:
    first, second = api_keys.create("a", Rights()), api_keys.create("b", Rights(is_admin=True))
    assert (find(first), find("x", second), find(second, first)) == ("a", "b", "b")
    assert (find("x"), find(""), find(first + " "), find(first[:-1])) == (None, None, None, None)
    assert find("\ud800", "ä", "\0") is None


def test_revoked_key_is_not_found_and_can_be_replaced() -> None:
    old = api_keys.create("a", Rights(is_admin=True, max_queued=3))
    number = make("other").id
    known = api_keys.find([old])
    assert known is not None and api_keys.is_valid(known)
    assert api_keys.revoke("a") and not api_keys.revoke("a") and not api_keys.revoke("unknown\0")
    assert find(old) is None and not api_keys.is_valid(known)
    new = make("a")
    assert (new.id, new.is_admin, new.max_queued) == (known.id, False, None) and new.id != number
    assert find(old) is None and not api_keys.is_valid(known) and api_keys.is_valid(new)


def test_name_that_could_spoil_a_log_is_refused() -> None:
    for name in ["", " a", "a b", "ä", "a\n", "-a", "x" * 65, "a\x1b[1m", "../a", "a\0"]:
        with pytest.raises(ValueError, match="letters, digits"):
            api_keys.create(name, Rights())
    assert not api_keys.are_needed()


def test_name_in_use_is_refused_and_its_key_stays() -> None:
    key = api_keys.create("a", Rights())
    with pytest.raises(ValueError, match="a key named a"):
        api_keys.create("a", Rights())
    assert find(key) == "a" and len(api_keys.list_all()) == 1


def create_same(barrier: Any, url: str) -> bool:
    connection.connect(url)
    barrier.wait(60)
    try:
        api_keys.create("same", Rights())
    except ValueError:
        return False
    return True


def test_name_that_is_created_twice_at_once_exists_once(database_url: str) -> None:
    assert sorted(in_processes(create_same, 2, database_url)) == [False, True]


def test_minute_of_requests_may_come_at_once_and_then_one_by_one() -> None:
    key = make(requests_per_minute=3)
    assert [api_keys.take_request(key) for _ in range(3)] == [0, 0, 0]
    assert 15 < api_keys.take_request(key) <= 20, "a third of a minute"
    ApiKey.update(next_request_at=ApiKey.next_request_at - 20).execute()
    assert api_keys.take_request(key) == 0
    assert api_keys.take_request(key) > 15
    ApiKey.update(next_request_at=ApiKey.next_request_at - 600).execute()
    assert [api_keys.take_request(key) > 0 for _ in range(4)] == [False, False, False, True], "no more than a minute's"


def test_refused_requests_do_not_lengthen_the_wait() -> None:
    key = make(requests_per_minute=1)
    assert api_keys.take_request(key) == 0
    assert max(api_keys.take_request(key) for _ in range(20)) <= 60


def test_clock_that_is_set_back_does_not_lock_a_key_out() -> None:
    key = make(requests_per_minute=3)
    assert api_keys.take_request(key) == 0
    ApiKey.update(next_request_at=ApiKey.next_request_at + 86400).execute()
    assert api_keys.take_request(key) == 0


def test_key_without_limit_is_not_written() -> None:
    key = make()
    assert api_keys.take_request(key) == 0
    assert make("b").next_request_at is None and ApiKey.get_by_id(key.id).next_request_at is None


def take_many(barrier: Any, url: str, number: int) -> int:
    connection.connect(url)
    key = ApiKey.get_by_id(number)
    barrier.wait(60)
    return sum(api_keys.take_request(key) == 0 for _ in range(20))


def test_requests_of_several_processes_share_one_limit(database_url: str) -> None:
    key = make(requests_per_minute=12)
    taken = sum(in_processes(take_many, 2, database_url, key.id))
    assert 12 <= taken <= 14, "40 were tried; one more becomes free every 5 s"


def test_counting_requests_keeps_sqlite_durable() -> None:
    api_keys.take_request(make(requests_per_minute=1))
    if not connection.is_postgres(connection.database):
        assert connection.database.pragma("synchronous") == 2


def test_audio_of_ended_tasks_counts_even_when_they_are_deleted() -> None:
    mine, other = make("a").id, make("b").id
    for owner in (mine, mine, mine, other):
        submit(owner)
    done = claimed()
    tasks.complete(done, "json", "[]", [], 1.0, audio_duration=HOUR)
    assert audio_usage.find_wait(mine, 1.5) == 0 < audio_usage.find_wait(mine, 1.0)
    failed = claimed()
    tasks.fail(failed, "internal_error", "", [], 1.0, audio_duration=HOUR)
    running = claimed()
    tasks.report(running, "transcribe", 0.1, audio_duration=HOUR)
    for uuid in (done.uuid, failed.uuid, running.uuid):
        assert audio_usage.find_wait(mine, 2.9) > 0
        assert tasks.delete(uuid)
    assert audio_usage.find_wait(mine, 2.9) > 0 and audio_usage.find_wait(mine, 3.1) == 0
    assert audio_usage.find_wait(other, 0.1) == 0


def test_wait_ends_when_enough_hours_are_a_day_ago() -> None:
    hour = int(connection.read_clock() // HOUR)
    AudioUsage.insert_many(
        [{"owner": 1, "hour": hour - ago, "seconds": HOUR} for ago in (0, 5, 23, 24, 25, 400)]
    ).execute()
    assert audio_usage.find_wait(1, 4.5) == 0, "hours that ended over 24 hours ago do not count"
    assert 0 < audio_usage.find_wait(1, 3.5) <= HOUR
    assert HOUR < audio_usage.find_wait(1, 2.5) <= 2 * HOUR
    assert 23 * HOUR < audio_usage.find_wait(1, 0.5) <= 25 * HOUR


def test_old_hours_are_removed() -> None:
    owner = make().id
    AudioUsage.insert(owner=owner, hour=5, seconds=1.0).execute()
    submit(owner)
    tasks.complete(claimed(), "json", "[]", [], 1.0, audio_duration=7.0)
    assert [row.seconds for row in AudioUsage.select()] == [7.0]
