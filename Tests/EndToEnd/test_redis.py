"""Sessions that replicas share in a real Redis, and what happens to requests when Redis fails: nothing.

REDIS names the program; `make test-clients` brings it. Without one these tests are skipped.
Long, as all of them share the Redis and the replicas that are made here.
"""

import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from conftest import MODEL, PROGRAM, RunningServer
from redis_server import REDIS, RedisAnswer, RunningRedis

pytestmark = pytest.mark.skipif(REDIS is None, reason="there is no redis-server here; set REDIS to its path")

# A pause that tests can wait for, and limits that a machine busy with other tests keeps.
SETTINGS = {
    "sessions.redis.host": "127.0.0.1",
    "sessions.redis.breaker.pause": "500ms",
    "sessions.redis.lookup_timeout": "1s",
    "sessions.redis.command_timeout": "1500ms",
    "kv_cache.size": "32MiB",
}


class Replica(RunningServer):
    """A server with one thread that keeps its sessions in Redis too."""

    def __init__(self, redis: RunningRedis | int, log: Path | None = None, **changes: str) -> None:
        port = redis if isinstance(redis, int) else redis.port
        settings = SETTINGS | {"sessions.redis.port": str(port)}
        settings |= {key.replace("__", "."): value for key, value in changes.items()}
        self.log = log
        super().__init__(
            "--threads", "1", *(word for pair in settings.items() for word in ("--set", "=".join(pair))), log=log
        )

    def complete(self, prompt: str, session: str | None = "s", **fields) -> dict:
        """A completion, which must not fail."""
        body = {"prompt": prompt, "max_tokens": 8, "temperature": 0, "chains": 1} | fields
        headers = {"X-Session-Id": session} if session else {}
        answer = httpx.post(f"{self.url}/v1/completions", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def metric(self, name: str) -> float:
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " "))

    def ended(self, operation: str, outcome: str) -> int:
        return int(self.metric(f'catena_redis_operations_total{{operation="{operation}",outcome="{outcome}"}}'))

    def wait_for(self, operation: str, outcome: str, count: int = 1) -> None:
        wait_until(lambda: self.ended(operation, outcome) >= count, f"{count} of {operation} with outcome {outcome}")


def wait_until(condition, what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"not within {seconds} s: {what}")


def cached(answer: dict) -> int:
    return answer["usage"]["prompt_tokens_details"]["cached_tokens"]


def history(answer: dict) -> int:
    """Tokens of the conversation that have keys and values: the last one was drawn and not computed."""
    return answer["usage"]["total_tokens"] - 1


STORY = "The old gentleman opened the door of the house by the sea and looked at the boy who stood in the rain. " * 4


def go_on(text: str, answer: dict) -> str:
    return text + answer["choices"][0]["text"] + " And then"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RunningRedis]:
    running = RunningRedis(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def replicas(redis: RunningRedis, tmp_path: Path) -> Iterator[list[Replica]]:
    with ThreadPoolExecutor(2) as starters:
        running = list(starters.map(lambda n: Replica(redis, tmp_path / f"replica-{n}.log"), range(2)))
    yield running
    for replica in running:
        assert replica.stop() == 0


# MARK: Sessions that move


def test_a_session_goes_on_anywhere(replicas: list[Replica]) -> None:
    first, second = replicas
    text, answer, turns = STORY, first.complete(STORY), []
    first.wait_for("store", "ok")
    # Back and forth: each turn finds what the other replica computed, though its own memory holds an older state.
    for turn in range(5):
        replica = replicas[(turn + 1) % 2]
        text, known = go_on(text, answer), history(answer)
        stored = replica.ended("store", "ok")
        answer = replica.complete(text, chains=turn % 4 + 1)
        turns.append((cached(answer), known))
        replica.wait_for("store", "ok", stored + 1)
    assert [got for got, _ in turns] == [known for _, known in turns]
    assert second.metric('catena_redis_bytes_total{direction="read"}') > 100_000
    wait_until(lambda: second.metric('catena_sessions{tier="redis"}') == 1, "one session is counted")
    listed = httpx.get(f"{second.url}/v1/sessions/s").json()
    assert listed["tiers"] == ["memory", "redis"]


def test_a_session_that_moves_gets_the_same_answers(replicas: list[Replica]) -> None:
    first, second = replicas
    answer = first.complete(STORY)
    text = go_on(STORY, answer)
    first.wait_for("store", "ok")
    moved = second.complete(text, max_tokens=40)
    alone = first.complete(text, session=None, max_tokens=40)
    assert cached(moved) == history(answer)
    assert moved["choices"][0]["text"] == alone["choices"][0]["text"]


def test_a_unix_socket_in_the_place_of_a_host(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    redis = RunningRedis(tmp_path, "--unixsocket", str(path), password="hush")
    changes = {"sessions__redis__host": "null", "sessions__redis__unix_socket": str(path), "sessions__redis__password": "hush"}
    # Nobody listens on this port, so that what works goes through the socket.
    log = tmp_path / "first.log"
    first, second = Replica(1, log, **changes), Replica(1, **changes)
    answer = first.complete(STORY * 6)
    first.wait_for("store", "ok")
    assert cached(second.complete(go_on(STORY * 6, answer))) == history(answer)
    assert f"sessions in Redis: unix:{path}, keys catena:*" in log.read_text()
    # What breaks is made again, as with a host.
    redis.stop()
    first.complete(STORY, session="t")
    redis.start()
    first.wait_for("store", "ok", 2)
    assert "catena:session:t" in redis.keys("catena:session:*")
    assert first.stop() == 0 and second.stop() == 0
    redis.stop()


def test_compressed_and_in_many_chunks(redis: RunningRedis) -> None:
    changes = {"sessions__redis__compress": "true", "sessions__redis__chunk": "64KiB"}
    first, second = Replica(redis, **changes), Replica(redis)
    answer = first.complete(STORY * 6)
    first.wait_for("store", "ok")
    words = redis("GET", "catena:session:s").decode().split()
    assert words[0] == "1" and words[6] == "packed" and int(words[3]) > 10
    assert int(words[4]) < 0.75 * int(words[5])
    # Another version of the same session leaves nothing of this one.
    text = go_on(STORY * 6, answer)
    again = second.complete(text)
    assert cached(again) == history(answer)
    second.wait_for("store", "ok")
    wait_until(lambda: len(redis.keys("catena:chunk:*")) == int(redis("GET", "catena:session:s").split()[3]), "chunks")
    assert redis.keys("catena:lease:*") == []
    assert [first.stop(), second.stop()] == [0, 0]


def test_a_session_is_deleted_everywhere(replicas: list[Replica], redis: RunningRedis) -> None:
    first, second = replicas
    first.complete(STORY)
    first.wait_for("store", "ok")
    assert httpx.get(f"{second.url}/v1/sessions/s").json()["tiers"] == ["redis"]
    assert httpx.delete(f"{second.url}/v1/sessions/s").status_code == 200
    assert redis.keys("catena:*") == []
    assert httpx.delete(f"{second.url}/v1/sessions/s").status_code == 404


def test_tenants_do_not_meet(replicas: list[Replica]) -> None:
    first, second = replicas
    first.complete(STORY, cache_salt="one")
    first.wait_for("store", "ok")
    assert cached(second.complete(STORY, cache_salt="two")) == 0
    assert cached(second.complete(STORY, session=None)) == 0


def test_everything_has_a_time_to_live(redis: RunningRedis) -> None:
    replica = Replica(redis, sessions__redis__ttl="90s")
    replica.complete(STORY)
    replica.wait_for("store", "ok")
    lives = {key: redis("PTTL", key) for key in redis.keys() if key != "catena:sessions"}
    assert len(lives) == 2
    assert 80_000 < lives.pop("catena:session:s") <= 90_000
    # The chunk outlives what leads to it.
    assert all(140_000 < life <= 150_000 for life in lives.values())
    # A session whose time was over is not counted: its place in the index is swept.
    redis("ZADD", "catena:sessions", "1", "an old one")
    wait_until(lambda: redis("ZCARD", "catena:sessions") == 1, "the index is swept")
    assert replica.stop() == 0


def test_on_drain_sessions_are_written(redis: RunningRedis) -> None:
    replica = Replica(redis)
    # Redis is away when the answers end, and back when the server does.
    redis.stop()
    answers = {f"s{n}": replica.complete(f"{n}. {STORY}", session=f"s{n}") for n in range(5)}
    wait_until(lambda: replica.ended("store", "failed") + replica.ended("store", "left_alone") >= 5, "writes failed")
    redis.start()
    time.sleep(0.6)
    assert replica.stop() == 0
    other = Replica(redis)
    for number, (session, answer) in enumerate(answers.items()):
        assert cached(other.complete(go_on(f"{number}. {STORY}", answer), session=session)) == history(answer)
    assert other.stop() == 0


# MARK: Redis fails


def test_redis_that_is_not_there(tmp_path: Path) -> None:
    log = tmp_path / "replica.log"
    replica = Replica(1, log=log)
    for number in range(12):
        replica.complete(f"{number}. {STORY}", session=f"s{number}")
    # After three failures it is not asked for half a second.
    assert replica.ended("lookup", "left_alone") > 0
    assert replica.metric('catena_redis_breaker_state{lane="read"}') > 0
    assert replica.stop() == 0
    said = log.read_text()
    assert "Redis at 127.0.0.1:1 is left alone for" in said and "Connection refused" in said


def test_stopped_and_started_again(replicas: list[Replica], redis: RunningRedis) -> None:
    first, second = replicas
    answer = first.complete(STORY)
    first.wait_for("store", "ok")
    redis.stop(signal.SIGKILL)
    for number in range(8):
        second.complete(f"{number}. {STORY}", session=f"s{number}")
    assert cached(second.complete(go_on(STORY, answer))) == 0
    redis.start()
    # Empty: what the replicas still have comes back by itself, and nobody restarts them.
    wait_until(lambda: second.metric('catena_redis_breaker_state{lane="write"}') == 0, "it writes again")
    wait_until(lambda: second.ended("store", "ok") >= 5, "what failed is written later")
    answer = second.complete("A new tale. " + STORY, session="new")
    wait_until(lambda: "catena:session:new" in redis.keys(), "a new session is written")
    wait_until(lambda: time.sleep(0.5) or cached(
        first.complete(go_on("A new tale. " + STORY, answer), session="new", max_tokens=1)
    ) >= history(answer), "the other replica reads again")


def test_slow(redis: RunningRedis) -> None:
    replica = Replica(
        redis, **{"sessions__redis__lookup_timeout": "50ms", "sessions__redis__command_timeout": "300ms"}
    )
    replica.complete(STORY, session="warm")
    replica.wait_for("store", "ok")
    # It takes connections and commands and says nothing, until all requests are answered.
    redis.process.send_signal(signal.SIGSTOP)
    times = []
    try:
        for number in range(10):
            start = time.monotonic()
            replica.complete(f"{number}. {STORY}", session=f"s{number}", max_tokens=1)
            times.append(time.monotonic() - start)
        # One without a session has nothing to do with Redis at all.
        replica.complete(STORY, session=None)
    finally:
        redis.process.send_signal(signal.SIGCONT)
    print(f"\nRedis stands still: requests took {', '.join(f'{t * 1000:.0f}' for t in times)} ms")
    assert replica.ended("lookup", "timeout") >= 3
    assert replica.ended("lookup", "left_alone") >= 1
    wait_until(lambda: replica.ended("store", "ok") >= 5, "what failed is written later")
    replica.complete(STORY, session="after")
    wait_until(lambda: "catena:session:after" in redis.keys(), "new sessions are written")
    assert replica.stop() == 0


def test_slow_by_two_seconds(redis: RunningRedis) -> None:
    replica = Replica(redis, sessions__redis__command_timeout="300ms")
    replica.complete(STORY, session="warm")
    replica.wait_for("store", "ok")
    # Written while Redis is slow, and again when it is not; nobody waits for it in between.
    redis("CLIENT", "PAUSE", "2000", "ALL")
    for number in range(6):
        replica.complete(f"{number}. {STORY}", session=f"s{number}", max_tokens=1)
    wait_until(lambda: len(redis.keys("catena:session:*")) == 7, "all sessions are written")
    assert replica.stop() == 0


def test_full(replicas: list[Replica], redis: RunningRedis) -> None:
    first, second = replicas
    answer = first.complete(STORY)
    first.wait_for("store", "ok")
    redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    redis("CONFIG", "SET", "maxmemory", "1")
    for number in range(5):
        first.complete(f"{number}. {STORY}", session=f"s{number}")
    first.wait_for("store", "refused", 5)
    # It still reads.
    assert cached(second.complete(go_on(STORY, answer), max_tokens=1)) == history(answer)
    assert first.metric('catena_redis_breaker_state{lane="read"}') == 0
    assert len(redis.keys("catena:chunk:*")) == 1, "what did not fit left nothing"
    assert redis.keys("catena:lease:*") == []
    redis("CONFIG", "SET", "maxmemory", "0")
    wait_until(lambda: len(redis.keys("catena:session:*")) == 6, "what did not fit is written when there is room")


def test_full_in_the_middle_of_a_session(redis: RunningRedis) -> None:
    replica = Replica(redis, sessions__redis__chunk="64KiB")
    replica.complete(STORY)
    replica.wait_for("store", "ok")
    used = int(next(line for line in redis("INFO", "memory").decode().split() if line.startswith("used_memory:"))[12:])
    redis("CONFIG", "SET", "maxmemory", str(used + (400 << 10)))
    replica.complete("Longer. " + STORY * 8, session="long")
    replica.wait_for("store", "refused")
    wait_until(lambda: all(key.endswith(":s") for key in redis.keys("catena:chunk:*")), "its chunks are gone")
    assert replica.stop() == 0


# MARK: What is in Redis may be anything


@pytest.mark.parametrize(
    "spoil",
    [
        lambda redis: redis("SETRANGE", redis.keys("catena:chunk:*")[0], "50000", b"\x55\xaa\x55"),
        lambda redis: redis("SET", redis.keys("catena:chunk:*")[0], b""),
        lambda redis: redis("SET", "catena:session:s", b"no pointer"),
        lambda redis: redis("SET", "catena:session:s", b"1 5 abc 3 999999999999 999999999999 raw"),
        lambda redis: redis("SET", "catena:session:s", b"2 5 abc 3 100 100 raw"),
        lambda redis: redis("DEL", *redis.keys("catena:chunk:*")),
        lambda redis: [redis("DEL", "catena:session:s"), redis("LPUSH", "catena:session:s", b"a list")],
    ],
    ids=["damaged", "empty", "no pointer", "too large", "other version", "lost", "other type"],
)
def test_what_cannot_be_used_is_computed_again(replicas: list[Replica], redis: RunningRedis, spoil) -> None:
    first, second = replicas
    answer = first.complete(STORY)
    first.wait_for("store", "ok")
    spoil(redis)
    text = go_on(STORY, answer)
    assert cached(second.complete(text)) == 0
    # And put right by the next turn, but where Redis itself refuses to.
    if redis("TYPE", "catena:session:s") == "list":
        second.wait_for("store", "refused")
        wait_until(lambda: redis.keys("catena:lease:*") == [], "the lease is given back")
    else:
        second.wait_for("store", "ok")
        assert redis("GET", "catena:session:s").startswith(b"1 ")


def test_the_snapshot_of_another_model(redis: RunningRedis, tmp_path: Path) -> None:
    # Another type of the cache; another model's differs likewise.
    other = Replica(redis, kv_cache__dtype="f32")
    answer = other.complete(STORY)
    other.wait_for("store", "ok")
    log = tmp_path / "replica.log"
    replica = Replica(redis, log=log)
    assert cached(replica.complete(go_on(STORY, answer))) == 0
    assert replica.stop() == 0 and other.stop() == 0
    assert "session s is computed again: its redis snapshot cannot be used: the snapshot's keys" in log.read_text()


# MARK: Two replicas write


def test_a_lease_keeps_others_from_writing(redis: RunningRedis) -> None:
    replica = Replica(redis)
    redis("SET", "catena:lease:s", b"somebody else")
    answer = replica.complete(STORY)
    replica.wait_for("store", "busy")
    assert redis.keys("catena:session:*") == []
    assert redis("GET", "catena:lease:s") == b"somebody else", "a lease that is not ours is not given back"
    # When the other one is done, or dead, the session is written after all.
    redis("DEL", "catena:lease:s")
    wait_until(lambda: redis.keys("catena:session:*") == ["catena:session:s"], "it is written later")
    # What is late does not replace what somebody else wrote.
    redis("SET", "catena:lease:s", b"somebody else")
    replica.complete(go_on(STORY, answer))
    replica.wait_for("store", "busy", 2)
    theirs = b"1 9 abc 1 100 100 raw"
    redis("SET", "catena:session:s", theirs)
    redis("DEL", "catena:lease:s")
    replica.wait_for("store", "busy", 3)
    assert redis("GET", "catena:session:s") == theirs
    assert redis.keys("catena:lease:*") == []
    assert replica.stop() == 0


def test_replicas_that_write_one_session_at_once(replicas: list[Replica], redis: RunningRedis) -> None:
    def talk(replica: Replica) -> None:
        for number in range(15):
            replica.complete(f"{number} {replica.port}. {STORY}", max_tokens=2)

    with ThreadPoolExecutor(2) as people:
        list(people.map(talk, replicas))
    done = ["ok", "busy"]
    wait_until(lambda: all(sum(r.ended("store", o) for o in done) >= 1 for r in replicas), "both wrote or gave way")
    time.sleep(0.5)
    # One snapshot, whole, and nothing beside it.
    words = redis("GET", "catena:session:s").decode().split()
    assert len(redis.keys("catena:chunk:*")) == int(words[3])
    assert redis.keys("catena:lease:*") == []


# MARK: Login


def test_login(tmp_path: Path) -> None:
    redis = RunningRedis(tmp_path, password="open sesame")
    redis("ACL", "SETUSER", "catena", "on", ">hush", "~catena:*", "+@all", "-@dangerous")
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    log = tmp_path / "wrong.log"
    wrong = Replica(redis, log=log, sessions__redis__password_file=str(secret))
    for number in range(5):
        wrong.complete(f"{number}. {STORY}", session=f"s{number}")
    wait_until(lambda: "WRONGPASS" in log.read_text(), "the log says why")
    assert "sessions.redis.user, password or database are not right" in log.read_text()
    assert "wrong\n" not in log.read_text()
    # The file is mended, and nobody restarts the server.
    secret.write_text("open sesame\n")
    wait_until(lambda: redis.keys("catena:session:*") != [], "it is let in")
    assert wrong.stop() == 0
    named = Replica(redis, sessions__redis__user="catena", sessions__redis__password="hush", sessions__redis__database="3")
    named.complete(STORY)
    named.wait_for("store", "ok")
    assert "db3:keys=3" in redis("INFO", "keyspace").decode()
    assert named.stop() == 0
    redis.stop()


def test_a_password_file_must_be_there_at_start() -> None:
    arguments = ["--set", "sessions.redis.host=127.0.0.1", "--set", "sessions.redis.password_file=/does/not/exist"]
    result = subprocess.run(
        [PROGRAM, "serve", "--model", MODEL, "--port", "0", *arguments], capture_output=True, text=True, timeout=60
    )
    assert result.returncode != 0
    assert "sessions.redis.password_file" in result.stderr and "/does/not/exist cannot be read" in result.stderr


def test_the_users_of_redis_need_only_these_commands(tmp_path: Path) -> None:
    """docs/operations.md gives this rule."""
    redis = RunningRedis(tmp_path)
    allowed = "+auth +select +client|setname +get +set +mget +unlink +eval +pexpire +zadd +zrem +del +zcard +zrevrange"
    allowed += " +zremrangebyscore"
    redis("ACL", "SETUSER", "catena", "on", ">hush", "~catena:*", "-@all", *allowed.split())
    changes = {"sessions__redis__user": "catena", "sessions__redis__password": "hush"}
    first, second = Replica(redis, **changes), Replica(redis, **changes)
    answer = first.complete(STORY)
    first.wait_for("store", "ok")
    assert cached(second.complete(go_on(STORY, answer))) == history(answer)
    second.wait_for("store", "ok")
    assert httpx.get(f"{first.url}/v1/sessions").json()["data"][0]["tiers"] == ["memory", "redis"]
    assert httpx.delete(f"{first.url}/v1/sessions/s").status_code == 200
    assert redis.keys() == []
    for replica in (first, second):
        assert replica.ended("lookup", "failed") == replica.ended("store", "failed") == 0
        assert replica.stop() == 0
    with pytest.raises(RedisAnswer):
        redis("NO SUCH COMMAND")
    redis.stop()
