"""admission-control: a bound of requests under way over all workers, a line behind it, and who is refused first."""

import threading

from client import request_bytes
from testing import check, equal, test, wait_until
from upstream import answer


class Slow:
    """An upstream that answers when it is told, and knows how many it has had at once."""

    def __init__(self, t):
        self.go_on = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.inside = self.most = self.served = 0
        self.entered = []  # targets, in their order
        self.port = t.upstream(self.serve).port

    def serve(self, exchange):
        with self.lock:
            self.inside += 1
            self.entered.append(exchange.request.target)
            self.most = max(self.most, self.inside)
        self.go_on.acquire(timeout=20)
        with self.lock:
            self.inside -= 1
            self.served += 1
        exchange.send(answer(b"served"))

    def let(self, count=1):
        self.go_on.release(count)


def document(port, config, more=""):
    return f"""
_format_version: "3.0"
services:
- name: app
  url: http://127.0.0.1:{port}
  retries: 0
  routes:
  - name: all
    paths: [/]
    plugins: [{{name: admission-control, config: {{{config}}}}}]
{more}
plugins: [{{name: prometheus}}]
"""


def number(t, gateway, name):
    for line in gateway.admin("/metrics").body.decode().splitlines():
        if line.startswith(f"cardea_admission_{name}") and not line.startswith("#"):
            return float(line.split()[-1])
    return None


def asked(t, gateway, target="/x"):
    client = t.client(gateway)
    client.send(request_bytes("GET", target))
    return client


@test
def beyond_the_limit_some_wait_and_others_are_refused(t):
    slow = Slow(t)
    gateway = t.gateway(document(slow.port, "limit: 2, queue: 1, queue_timeout: 10000, retry_after: 3"), workers=2)
    inside = [asked(t, gateway) for _ in range(2)]
    wait_until(lambda: slow.inside == 2, "two are under way")
    waiting = asked(t, gateway)
    wait_until(lambda: number(t, gateway, "waiting") == 1, "one waits")
    refused = t.client(gateway).get("/x", "Accept: application/json")
    equal(refused.status, 503, "status")
    equal(refused.header("Retry-After"), "3", "Retry-After")
    check(b"Too many requests are under way" in refused.body, f"body: {refused.body}")
    slow.let(3)
    equal([one.response().status for one in inside + [waiting]], [200, 200, 200], "statuses")
    equal((slow.most, slow.served), (2, 3), "at once, and served")
    wait_until(lambda: number(t, gateway, "under_way") == 0, "nothing is left")
    equal(number(t, gateway, 'refused_total{pool="'), 1, "refused")


@test
def who_waits_too_long_is_refused_and_who_leaves_makes_room(t):
    slow = Slow(t)
    gateway = t.gateway(document(slow.port, "limit: 1, queue: 1, queue_timeout: 300"), workers=1)
    inside = asked(t, gateway)
    wait_until(lambda: slow.inside == 1, "one is under way")
    equal(asked(t, gateway).response().status, 503, "after its time in the line")
    gone = asked(t, gateway)
    wait_until(lambda: number(t, gateway, "waiting") == 1, "one waits")
    gone.end()
    wait_until(lambda: number(t, gateway, "waiting") == 0, "the line is empty")
    slow.let()
    equal(inside.response().status, 200, "status")
    slow.let()
    equal(t.client(gateway).get("/x").status, 200, "the place is free")
    equal(slow.served, 2, "served")


@test
def the_urgent_go_first_in_a_shared_pool(t):
    slow = Slow(t)
    more = f"""
- name: orders
  url: http://127.0.0.1:{slow.port}
  routes:
  - name: orders
    paths: [/orders]
    plugins: [{{name: admission-control, config: {{pool: everything, limit: 3, queue: 2, queue_timeout: 10000, priority: high}}}}]
"""
    gateway = t.gateway(document(slow.port, "pool: everything, limit: 3, queue: 2, queue_timeout: 10000, priority: low", more),
                        workers=2)
    low = [asked(t, gateway) for _ in range(2)]
    wait_until(lambda: slow.inside == 2, "the share of low ones is used up")
    waiting = []
    for place in range(2):
        waiting.append(asked(t, gateway))
        wait_until(lambda: number(t, gateway, "waiting") == place + 1, "the line is full of them")
    urgent = asked(t, gateway, "/orders/urgent")
    wait_until(lambda: slow.inside == 3, "an urgent one still finds a place")
    second = asked(t, gateway, "/orders/urgent")
    equal(waiting[1].response().status, 503, "the last low one makes room in the line")
    slow.let()
    wait_until(lambda: len(slow.entered) == 4, "the next one has the place that is free")
    equal(slow.entered[3], "/urgent", "the urgent one passes the low one that came before it")
    slow.let(4)
    equal([one.response().status for one in low + [urgent, second, waiting[0]]], [200] * 5, "statuses")


@test
def a_reload_keeps_what_is_under_way(t):
    slow = Slow(t)
    gateway = t.gateway(document(slow.port, "limit: 1, queue: 0, pool: everything"), workers=2)
    inside = asked(t, gateway)
    wait_until(lambda: slow.inside == 1, "one is under way")
    gateway.write(document(slow.port, "limit: 1, queue: 0, pool: everything, error_code: 529"))
    gateway.reload()
    wait_until(lambda: t.client(gateway).get("/x").status == 529, "the new document counts it too")
    slow.let()
    equal(inside.response().status, 200, "status")
    slow.let()
    wait_until(lambda: t.client(gateway).get("/x").status == 200, "and it has left")
