"""rate-limiting with a real redis-server: exact over several gateways, and what happens when Redis is slow, dead or back."""

import shutil
import signal
import socket
import subprocess
import time

from harness import free_port
from testing import check, equal, test, wait_until
from upstream import answer


class Redis:
    """A redis-server of our own, in memory only."""

    def __init__(self, port=None):
        self.port = port or free_port()
        self.process = None
        self.start()

    def start(self):
        program = shutil.which("redis-server")
        check(program, "redis-server is not installed (scripts/install-dependencies test)")
        self.process = subprocess.Popen([program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, "redis-server does not answer")

    def answers(self):
        try:
            return self.ask("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def ask(self, line):
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(line.encode() + b"\r\n")
            return connection.recv(65536)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


def document(upstream_port, redis_port, limits="minute: 10", more=""):
    return (f'_format_version: "3.0"\nservices:\n- name: s\n  url: http://127.0.0.1:{upstream_port}\n'
            f'  routes: [{{name: r, paths: [/]}}]\n  plugins:\n'
            f'  - {{name: rate-limiting, config: {{{limits}, limit_by: ip, policy: redis, redis_host: 127.0.0.1, redis_port: {redis_port}, '
            f'redis_timeout: 300{more}}}}}\n')



class Served:
    """One Redis, one upstream, and gateways in front of them, all of one test."""

    def __init__(self, t, limits="minute: 10", more="", gateways=1):
        self.redis = Redis()
        self.up = t.upstream()
        self.gateways = [t.gateway(document(self.up.port, self.redis.port, limits, more), workers=2) for _ in range(gateways)]
        self.clients = [t.client(gateway) for gateway in self.gateways]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.redis.stop()


def calls(client, count):
    return [client.get("/").status for _ in range(count)]


def at_the_start_of_a_minute():
    """So that the calls of a test fall into one window; waits only if the minute is about to end."""
    wait_until(lambda: time.time() % 60 < 45, "the next minute", 20)


@test
def several_gateways_share_one_count_exactly(t):
    at_the_start_of_a_minute()
    with Served(t, gateways=3) as served:
        got = [status for _ in range(6) for client in served.clients for status in calls(client, 1)]
        equal(got.count(200), 10, f"admitted of 18 over 3 gateways at 10 a minute: {got}")
        equal(got[10:], [429] * 8, "refused after that")
        keys = served.redis.ask("KEYS ratelimit:*")
        check(b":minute" in keys and b"127.0.0.1" in keys, f"Kong's key: {keys!r}")


@test(seconds=60)
def a_paused_redis_hangs_nobody_and_loses_no_request(t):
    at_the_start_of_a_minute()
    with Served(t) as served:
        equal(calls(served.clients[0], 2), [200, 200], "with Redis")
        served.redis.pause()
        began = time.monotonic()
        equal(calls(served.clients[0], 5), [200] * 5, "while Redis is paused")
        check(time.monotonic() - began < 10, "requests wait longer than the timeouts")
        check(served.gateways[0].metric("cardea_rate_limiting_redis_failures_total") >= 5, "the metric says so")
        served.redis.go_on()
        wait_until(lambda: served.clients[0].get("/").status in (200, 429), "it goes on")


@test(seconds=60)
def without_redis_the_limit_is_kept_locally(t):
    at_the_start_of_a_minute()
    with Served(t) as served:
        served.redis.stop()
        got = calls(served.clients[0], 14)
        equal(got, [200] * 10 + [429] * 4, "counted locally")


@test(seconds=60)
def not_fault_tolerant_means_500_without_redis_and_service_with_it(t):
    at_the_start_of_a_minute()
    with Served(t, more=", fault_tolerant: false") as served:
        equal(calls(served.clients[0], 1), [200], "with Redis")
        served.redis.stop()
        equal(set(calls(served.clients[0], 3)), {500}, "without")
        served.redis.start()
        wait_until(lambda: served.clients[0].get("/").status == 200, "with Redis again", 20)


def counted(redis, pattern="ratelimit:*"):
    """What Redis holds of the only counter, or None."""
    keys = [line for line in redis.ask(f"KEYS {pattern}").split(b"\r\n") if line.startswith(pattern[:-1].encode())]
    answer = redis.ask(f"GET {keys[0].decode()}").split(b"\r\n") if keys else []
    return int(answer[1]) if len(answer) > 1 else None


@test(seconds=60)
def a_count_that_is_exchanged_now_and_then_is_bounded(t):
    """Over-admission with sync_rate: at most what the other gateways let pass within one sync_rate."""
    at_the_start_of_a_minute()
    with Served(t, limits="minute: 20", more=", sync_rate: 0.1", gateways=2) as served:
        equal(calls(served.clients[0], 20), [200] * 20, "the first gateway alone")
        wait_until(lambda: counted(served.redis) == 20, "it has told Redis")
        equal(calls(served.clients[1], 1), [200], "the second one has not asked yet")
        wait_until(lambda: counted(served.redis) == 21, "the second one has told Redis, and learns of the first one's")
        late = []
        wait_until(lambda: late.append(served.clients[1].get("/").status) or late[-1] == 429, "the second gateway refuses", 20)
        check(len(late) <= 3, f"it does not go on to its own 20: {late}")


def costs_two(exchange):
    exchange.send(answer(b"", "200 OK", "X-Kong-Limit: video=2"))


def response_document(upstream_port, redis_port, more=""):
    return (f'_format_version: "3.0"\nservices:\n- name: s\n  url: http://127.0.0.1:{upstream_port}\n'
            f'  routes: [{{name: r, paths: [/]}}]\n  plugins:\n  - name: response-ratelimiting\n    config: '
            f'{{limits: {{video: {{minute: 5}}}}, limit_by: ip, policy: redis, redis: {{host: 127.0.0.1, port: {redis_port}, '
            f'timeout: 300}}{more}}}\n')


@test(seconds=60)
def what_answers_cost_is_counted_over_gateways(t):
    at_the_start_of_a_minute()
    redis = t.own(Redis())
    up = t.upstream(costs_two)
    gateways = [t.gateway(response_document(up.port, redis.port)) for _ in range(2)]
    first, second = (t.client(gateway) for gateway in gateways)
    one = first.get("/")
    equal(one.header("X-RateLimit-Remaining-video-minute"), "3", "of five, two are used")
    wait_until(lambda: counted(redis, "response-ratelimit:*") == 2, "Redis is told")
    two = second.get("/")
    equal(two.header("X-RateLimit-Remaining-video-minute"), "1", "the other gateway knows")
    equal(up.requests[-1].header("X-RateLimit-Remaining-video"), "3", "what the upstream was told")
    wait_until(lambda: counted(redis, "response-ratelimit:*") == 4, "Redis is told again")
    equal(first.get("/").status, 200, "one is left, so an answer passes whole")
    wait_until(lambda: counted(redis, "response-ratelimit:*") == 6, "Redis is told of that, too")
    equal([second.get("/").status, first.get("/").status], [429, 429], "nothing is left, here or there")
    redis.stop()
    equal(second.get("/").status, 200, "without Redis the second gateway has its own count")
    check(gateways[1].metric("cardea_response_ratelimiting_redis_failures_total") >= 1, "the metric says so")
    strict = t.client(t.gateway(response_document(up.port, redis.port, ", fault_tolerant: false")))
    equal([strict.get("/").status for _ in range(3)], [500] * 3, "unless that is not wanted")
