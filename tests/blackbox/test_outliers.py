"""Targets that do worse than their peers are ejected, panic, slow start, max_fails, and what an upstream may have to do."""

import json
import threading

from harness import command, free_port
from test_health import Service, bodies, document, states
from testing import check, equal, test, wait_until
from upstream import answer

EJECT = ("outlier_detection: {consecutive_5xx: 3, base_ejection_time: 60, max_ejection_time: 60, "
         "max_ejection_percent: 50}")


def with_rules(ports, rules, service="retries: 0, connect_timeout: 500, read_timeout: 500"):
    return document(ports, "threshold: 0", "".join(f"  {line}\n" for line in rules.splitlines()), service)


def page(gateway):
    return json.loads(gateway.admin("/upstreams").body)["upstreams"][0]


def metric(gateway, name):
    """The sum of a metric's series, or None."""
    lines = [line for line in gateway.admin("/metrics").body.decode().splitlines() if line.startswith(name + "{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines) if lines else None


@test
def errors_in_a_row_eject_a_target_and_everybody_says_why(t):
    one, two = Service(t, "one"), Service(t, "two")
    gateway = t.gateway(with_rules([one.port, two.port], EJECT), workers=2)
    one.status = "503 Service Unavailable"
    wait_until(lambda: (bodies(t, gateway, 4), states(t, gateway)[one.port] == "EJECTED")[1], "ejected")
    served = one.served
    equal(set(bodies(t, gateway, 20)), {"two"}, "answers")
    equal(one.served, served, "requests to the ejected one")
    target = next(each for each in page(gateway)["targets"] if each["address"].endswith(str(one.port)))
    equal(target["reason"], "errors in a row, the last 503", "reason")
    check(target["since_ms"] > 0, "since when")
    text = command("status", "upstreams", "--admin-listen", f"127.0.0.1:{gateway.ports['admin']}",
                   cwd=gateway.folder).stdout
    check("EJECTED" in text and "errors in a row, the last 503" in text, text)
    wait_until(lambda: gateway.log().count("target is ejected") == 1, "one line of the log")
    equal(metric(gateway, "cardea_upstream_ejected_targets"), 1, "metric")
    equal(metric(gateway, "cardea_upstream_ejections_total"), 1, "metric")
    # The other one may fail as it likes: half is the share, and it is the last.
    two.status = "500 Internal Server Error"
    equal(set(bodies(t, gateway, 20)), {"two"}, "answers")
    check(metric(gateway, "cardea_upstream_ejections_refused_total") > 0, "refusals are counted")
    # Who is out stays out over a reload.
    gateway.write(with_rules([one.port, two.port], EJECT.replace("consecutive_5xx: 3", "consecutive_5xx: 4")))
    equal(gateway.admin("/reload", "POST").status, 200, "reload")
    equal(states(t, gateway)[one.port], "EJECTED", "after the reload")
    equal(metric(gateway, "cardea_upstream_ejections_total"), 1, "counters go on")


@test(seconds=60)
def an_ejection_ends_and_the_next_one_is_longer(t):
    one, two = Service(t, "one"), Service(t, "two")
    rules = "outlier_detection: {consecutive_5xx: 2, base_ejection_time: 0.3, interval: 60}"
    gateway = t.gateway(with_rules([one.port, two.port], rules), workers=1)
    for times in (1, 2):
        one.status = "500 Internal Server Error"
        wait_until(lambda: (bodies(t, gateway, 2), f'times={times}' in gateway.log() or f'"times":{times}' in gateway.log())[1],
                   f"ejection {times}: {gateway.log()[-400:]}")
        one.status = "200 OK"
        wait_until(lambda: states(t, gateway)[one.port] == "HEALTHY", "back")
    equal(set(bodies(t, gateway, 10)), {"one", "two"}, "answers")


@test
def max_fails_counts_attempts_that_fail(t):
    one, dead = Service(t, "one"), free_port()
    gateway = t.gateway(with_rules([one.port, dead], "max_fails: 2\nfail_timeout: 60",
                                   "retries: 1, connect_timeout: 500, read_timeout: 500"), workers=1)
    one.status = "500 Internal Server Error"
    equal(set(bodies(t, gateway, 20)), {"one"}, "answers")
    equal(states(t, gateway), {one.port: "HEALTHY", dead: "EJECTED"}, "states")
    wait_until(lambda: "2 failed attempts within fail_timeout" in gateway.log(), "the log says why")


@test
def in_panic_all_targets_are_asked(t):
    good, bad, worse = Service(t, "good"), Service(t, "bad"), Service(t, "worse")
    rules = "outlier_detection: {consecutive_5xx: 2, base_ejection_time: 60, max_ejection_percent: 70}\npanic_threshold: 50"
    gateway = t.gateway(with_rules([good.port, bad.port, worse.port], rules), workers=1)
    bad.status = worse.status = "500 Internal Server Error"
    bodies(t, gateway, 20)
    equal(set(states(t, gateway).values()), {"HEALTHY", "EJECTED"}, "states")
    equal(page(gateway)["panic"], True, "the page says so")
    equal(metric(gateway, "cardea_upstream_panic"), 1, "metric")
    before = bad.served, worse.served
    bodies(t, gateway, 12)
    check(bad.served > before[0] and worse.served > before[1], "all are asked")
    wait_until(lambda: gateway.log().count("panic: too little is in service") == 1, "said once")
    text = command("status", "upstreams", "--admin-listen", f"127.0.0.1:{gateway.ports['admin']}",
                   cwd=gateway.folder).stdout
    check("is in panic" in text, text)


@test(seconds=60)
def a_target_that_joins_begins_slowly(t):
    one, two = Service(t, "one"), Service(t, "two")
    rules = "slow_start: {window: 600}"
    gateway = t.gateway(with_rules([one.port], rules), workers=1)
    equal(set(bodies(t, gateway, 4)), {"one"}, "answers")
    gateway.write(with_rules([one.port, two.port], rules))
    equal(gateway.admin("/reload", "POST").status, 200, "reload")
    got = bodies(t, gateway, 400)
    check(4 <= got.count("two") <= 60, f"share of the new one: {got.count('two')} of 400")


class Slow:
    """Holds its answers back until it is told."""

    def __init__(self, t):
        self.held = []
        self.lock = threading.Lock()
        self.is_open = False
        self.upstream = t.upstream(self.reply)
        self.port = self.upstream.port

    def reply(self, exchange):
        with self.lock:
            if not self.is_open:
                self.held.append(exchange)
                return
        exchange.send(answer(b"slow"))

    def let_go(self):
        with self.lock:
            self.is_open = True
            held, self.held = self.held, []
        for exchange in held:
            exchange.send(answer(b"slow"))


def asking(t, gateway, count, answers):
    """So many clients that ask at once; what they get comes into `answers`."""
    def ask():
        got = t.client(gateway).get("/x", "Accept: application/json")
        answers.append((got.status, got.body))
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


LONG = "retries: 0, connect_timeout: 20000, read_timeout: 20000"


@test(seconds=60)
def more_requests_than_max_requests_are_refused_with_the_reason(t):
    slow, answers = Slow(t), []
    gateway = t.gateway(with_rules([slow.port], "limits: {max_requests: 2}", LONG), workers=2)
    threads = asking(t, gateway, 2, answers)
    wait_until(lambda: len(slow.held) == 2, "two are under way")
    refused = t.client(gateway).get("/x", "Accept: application/json")
    equal(refused.status, 503, "status")
    check(b"the upstream is at its limit: max_requests" in refused.body, refused.body)
    equal(len(slow.held), 2, "the refused one was not sent")
    equal(metric(gateway, 'cardea_upstream_refused_total'), 1, "counted")
    wait_until(lambda: "the upstream is at its limit: max_requests" in gateway.log(), "the log says why")
    slow.let_go()
    for thread in threads:
        thread.join(20)
    equal([status for status, _ in answers], [200, 200], "statuses")
    equal(t.client(gateway).get("/x").status, 200, "free again")


@test(seconds=60)
def requests_wait_for_a_connection_and_no_more_than_may(t):
    slow, answers = Slow(t), []
    gateway = t.gateway(with_rules([slow.port], "limits: {max_connections: 2, max_pending: 3}", LONG), workers=2)
    threads = asking(t, gateway, 5, answers)
    wait_until(lambda: len(slow.held) == 2, "two are under way")
    wait_until(lambda: 'limit="max_pending"} 3' in gateway.admin("/metrics").body.decode(), "three wait")
    refused = t.client(gateway).get("/x", "Accept: application/json")
    equal(refused.status, 503, "status")
    check(b"max_pending" in refused.body, refused.body)
    slow.let_go()
    for thread in threads:
        thread.join(20)
    equal([status for status, _ in answers], [200] * 5, "statuses")
    # Each worker keeps its own.
    check(slow.upstream.connections <= 4, f"connections: {slow.upstream.connections}")


@test
def a_budget_of_retries_ends_them(t):
    dead, other = free_port(), free_port()
    gateway = t.gateway(with_rules([dead, other], "limits: {retry_budget: {percent: 0, min_retries: 0}}",
                                   "retries: 5, connect_timeout: 500"), workers=1)
    equal(t.client(gateway).get("/x").status, 502, "the first failure is the answer")
    equal(metric(gateway, "cardea_upstream_refused_total"), 1, "counted")
    wait_until(lambda: "tries" in gateway.log(), "logged")


@test
def faults_of_these_settings_have_their_places(t):
    text = with_rules([1], "outlier_detection: {interval: 0, most: 1}\nlimits: {max_pending: 5}\npanic_threshold: 200")
    folder = t.folder()
    (folder / "bad.yaml").write_text(text)
    result = command("check", "bad.yaml", cwd=folder)
    said = result.stdout + result.stderr
    for wanted in ("interval", "most", "max_pending", "panic_threshold"):
        check(wanted in said, f"{wanted}: {said}")
    check(result.returncode != 0, "exit code")
