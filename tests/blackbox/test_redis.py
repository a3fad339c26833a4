"""rate-limiting with a real redis-server: exact over several gateways, and what happens when Redis is slow, dead or back."""

import time

from redis_servers import Redis
from testing import check, equal, test, wait_until
from upstream import answer


def document(upstream_port, redis_port, limits="minute: 10", more=""):
    return (f'_format_version: "3.0"\nservices:\n- name: s\n  url: http://127.0.0.1:{upstream_port}\n'
            f'  routes: [{{name: r, paths: [/]}}]\n  plugins:\n'
            f'  - {{name: rate-limiting, config: {{{limits}, limit_by: ip, policy: redis, redis_host: 127.0.0.1, redis_port: {redis_port}, '
            f'redis_timeout: 300{more}}}}}\n')



class Served:
    """One Redis, one upstream, and gateways in front of them, all of one test."""

    def __init__(self, t, limits="minute: 10", more="", gateways=1):
        self.redis = t.own(Redis(t.folder()))
        self.up = t.upstream()
        self.gateways = [t.gateway(document(self.up.port, self.redis.port, limits, more), workers=2) for _ in range(gateways)]
        self.clients = [t.client(gateway) for gateway in self.gateways]


def calls(client, count):
    return [client.get("/").status for _ in range(count)]


def at_the_start_of_a_minute():
    """So that the calls of a test fall into one window; waits only if the minute is about to end."""
    wait_until(lambda: time.time() % 60 < 45, "the next minute", 20)


@test
def several_gateways_share_one_count_exactly(t):
    at_the_start_of_a_minute()
    served = Served(t, gateways=3)
    got = [status for _ in range(6) for client in served.clients for status in calls(client, 1)]
    equal(got.count(200), 10, f"admitted of 18 over 3 gateways at 10 a minute: {got}")
    equal(got[10:], [429] * 8, "refused after that")
    keys = served.redis.keys()
    check(len(keys) == 1 and b":127.0.0.1:" in keys[0] and keys[0].endswith(b":minute"), f"Kong's key: {keys!r}")


@test(seconds=60)
def a_paused_redis_hangs_nobody_and_loses_no_request(t):
    at_the_start_of_a_minute()
    served = Served(t)
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
    served = Served(t)
    served.redis.end()
    got = calls(served.clients[0], 14)
    equal(got, [200] * 10 + [429] * 4, "counted locally")


@test(seconds=60)
def not_fault_tolerant_means_500_without_redis_and_service_with_it(t):
    at_the_start_of_a_minute()
    served = Served(t, more=", fault_tolerant: false")
    equal(calls(served.clients[0], 1), [200], "with Redis")
    served.redis.end()
    equal(set(calls(served.clients[0], 3)), {500}, "without")
    served.redis.start()
    wait_until(lambda: served.clients[0].get("/").status == 200, "with Redis again", 20)


@test(seconds=60)
def a_count_that_is_exchanged_now_and_then_is_bounded(t):
    """Over-admission with sync_rate: at most what the other gateways let pass within one sync_rate."""
    at_the_start_of_a_minute()
    served = Served(t, limits="minute: 20", more=", sync_rate: 0.1", gateways=2)
    equal(calls(served.clients[0], 20), [200] * 20, "the first gateway alone")
    wait_until(lambda: served.redis.counted() == 20, "it has told Redis")
    equal(calls(served.clients[1], 1), [200], "the second one has not asked yet")
    wait_until(lambda: served.redis.counted() == 21, "the second one has told Redis, and learns of the first one's")
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
    redis = t.own(Redis(t.folder()))
    up = t.upstream(costs_two)
    gateways = [t.gateway(response_document(up.port, redis.port)) for _ in range(2)]
    first, second = (t.client(gateway) for gateway in gateways)
    one = first.get("/")
    equal(one.header("X-RateLimit-Remaining-video-minute"), "3", "of five, two are used")
    wait_until(lambda: redis.counted("response-ratelimit:*") == 2, "Redis is told")
    two = second.get("/")
    equal(two.header("X-RateLimit-Remaining-video-minute"), "1", "the other gateway knows")
    equal(up.requests[-1].header("X-RateLimit-Remaining-video"), "3", "what the upstream was told")
    wait_until(lambda: redis.counted("response-ratelimit:*") == 4, "Redis is told again")
    equal(first.get("/").status, 200, "one is left, so an answer passes whole")
    wait_until(lambda: redis.counted("response-ratelimit:*") == 6, "Redis is told of that, too")
    equal([second.get("/").status, first.get("/").status], [429, 429], "nothing is left, here or there")
    redis.end()
    equal(second.get("/").status, 200, "without Redis the second gateway has its own count")
    check(gateways[1].metric("cardea_response_ratelimiting_redis_failures_total") >= 1, "the metric says so")
    strict = t.client(t.gateway(response_document(up.port, redis.port, ", fault_tolerant: false")))
    equal([strict.get("/").status for _ in range(3)], [500] * 3, "unless that is not wanted")
