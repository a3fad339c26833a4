"""Redis slow, dead, back, full, over TLS, under load: with fault_tolerant no request is lost and a metric says that it was
counted locally; without it those requests get 500 as Kong's, and never is one left hanging."""

import signal
import socket
import subprocess
import threading

from client import Client
from harness import free_port
from redis_servers import Asking, Redis, at_the_start_of, limited
from testing import check, contains, equal, need, test, wait_until
from upstream import answer

FAILURES = "cardea_rate_limiting_redis_failures_total"
LONGEST = 2  # seconds; `limited` gives Redis 0.3


def fast(exchange):
    exchange.send(answer(b"ok"))


def host(redis):
    return f"host: 127.0.0.1, port: {redis.port}"


def pause(redis):
    redis.pause()
    return redis.go_on


def kill(redis):
    redis.end()
    return redis.start


def fill(redis):
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    return lambda: redis.ask("CONFIG", "SET", "maxmemory", "0")


FAULTS = {"paused": pause, "killed": kill, "full": fill}


def through_faults(t, more):
    """What came while Redis went through every fault under load, and how many of it the metric knows."""
    redis = t.own(Redis(t.folder()))
    up = t.upstream(fast)
    gateways = [t.gateway(limited(up.port, host(redis), more=more), workers=2) for _ in range(2)]

    def failed():
        return [gateway.metric(FAILURES) for gateway in gateways]

    asking = Asking(gateways)
    for name, fault in FAULTS.items():
        asking.more()
        before = failed()
        mend = fault(redis)
        wait_until(lambda: all(now > was + 20 for now, was in zip(failed(), before)), f"requests without Redis: {name}", 20)
        asking.more()
        mend()
        counted = redis.counted()
        wait_until(lambda: redis.counted() > counted + 200, f"Redis counts again after it was {name}", 20)
    asking.end()
    check(asking.longest < LONGEST, f"a request took {asking.longest:.2f} s")
    return asking, sum(failed())


@test(seconds=60)
def fault_tolerant_loses_no_request(t):
    asking, failed = through_faults(t, more="")
    equal(set(asking.statuses), {200}, "every request")
    check(failed > 0, "and the metric knows of it")


@test(seconds=60)
def not_fault_tolerant_answers_500_as_kong(t):
    asking, failed = through_faults(t, more=", fault_tolerant: false")
    equal(set(asking.statuses), {200, 500}, "every request")
    equal(asking.statuses[500], failed, "500 for each request that Redis could not be asked for, and for no other")
    contains(asking.bodies[500].decode(), '"message":"An unexpected error occurred"', "the body")


@test(seconds=60)
def the_upstream_and_redis_restart_under_load(t):
    """Nothing that could have been served is lost: an upstream with a second target, and Redis, killed in turn."""
    redis = t.own(Redis(t.folder()))
    ups = [t.upstream(fast), t.upstream(fast)]
    document = limited(0, host(redis)).replace("http://127.0.0.1:0", "http://both") + (
        "upstreams:\n- name: both\n  targets:\n" + "".join(f'  - {{target: "127.0.0.1:{up.port}"}}\n' for up in ups))
    gateways = [t.gateway(document, workers=2) for _ in range(2)]
    asking = Asking(gateways)
    asking.more()
    redis.end()
    asking.more()
    ups[0].end()
    asking.more()
    redis.start()
    counted = redis.counted()
    wait_until(lambda: redis.counted() > counted + 200, "Redis counts again")
    equal(set(asking.end().statuses), {200}, "every request")


@test(seconds=60)
def requests_that_wait_for_redis_survive_a_reload_and_a_drain(t):
    redis = t.own(Redis(t.folder()))
    up = t.upstream(fast)
    gateway = t.gateway(limited(up.port, host(redis)), workers=1)
    client = t.client(gateway)
    equal(client.get("/").status, 200, "with Redis")
    redis.pause()
    waiting = [t.client(gateway) for _ in range(4)]
    statuses = []

    def ask(client):
        statuses.append(client.get("/").status)

    def at_once(clients):
        statuses.clear()
        threads = [threading.Thread(target=ask, args=(one,)) for one in clients]
        for thread in threads:
            thread.start()
        return threads

    threads = at_once(waiting)
    check(gateway.hang_up(), "the reload")
    gone = t.client(gateway)
    gone.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    gone.reset()  # a client that does not wait for Redis
    for thread in threads:
        thread.join(10)
    equal(statuses, [200] * 4, "over a reload")
    redis.go_on()
    counted = redis.counted()
    wait_until(lambda: client.get("/").status == 200 and redis.counted() > counted, "with Redis again")
    redis.pause()
    threads = at_once(waiting)
    wait_until(lambda: gateway.metric("cardea_requests_active") != 0, "they wait", 5)
    gateway.signal(signal.SIGTERM)
    for thread in threads:
        thread.join(10)
    equal(statuses, [200] * 4, "over a drain")
    for one in (*waiting, client):
        one.end()
    equal(gateway.wait(), 0, "it ends")


class Impostor:
    """Answers whoever connects as `answer(connection)` does, which may raise."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                self.answer(connection)
        except OSError:
            pass

    def end(self):
        self.listener.close()


def greets(then, chunk=65536):
    """As Redis does to PING; what comes behind it is answered with `then` again and again, until nobody takes it."""
    def answer(connection):
        connection.recv(65536)
        connection.sendall(b"+PONG\r\n")
        connection.recv(65536)
        while then:
            connection.sendall((then * (chunk // len(then) + 1))[:chunk])
        connection.recv(1)
    return answer


def trickles(connection):
    connection.recv(65536)
    for byte in b"+PONG\r\n*1\r\n:" + b"1" * 10_000:
        connection.sendall(bytes([byte]))
        threading.Event().wait(0.02)  # its pace; nobody waits for it


IMPOSTORS = {
    "closes at once": lambda connection: None,
    "says nothing": lambda connection: connection.recv(1 << 20) and connection.recv(1),
    "speaks HTTP": lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100),
    "has a line without an end": greets(b"+" + b"x" * 65535),
    "announces two gigabytes": greets(b"$2000000000\r\n" + b"x" * 65522),
    "nests without an end": greets(b"*1\r\n"),
    "answers what nobody asked": greets(b":1\r\n"),
    "counts in texts": greets(b"*1\r\n$1\r\nx\r\n"),
    "sends everybody to itself": greets(b"-MOVED 1 127.0.0.1:1\r\n"),
    "trickles": trickles,
}


@test(seconds=90, loops=("epoll",))
def what_is_no_redis_holds_nobody_up(t):
    up = t.upstream(fast)
    for name, answer_of in IMPOSTORS.items():
        impostor = t.own(Impostor(answer_of))
        gateway = t.gateway(limited(up.port, host(impostor)), workers=1)
        before = gateway.memory()
        asking = Asking([gateway])
        wait_until(lambda: impostor.connections >= 3, f"it is tried again: {name}", 20)
        asking.more(50)
        equal(set(asking.end().statuses), {200}, name)
        check(asking.longest < LONGEST, f"{name}: a request took {asking.longest:.2f} s")
        check(gateway.metric(FAILURES) > 0, f"{name}: the metric says so")
        gateway.check_growth(before, 48 << 20, name)
        gateway.end()
        impostor.end()


def certificates(folder):
    """An authority and what it signed for 127.0.0.1 and redis.example."""
    openssl = need("openssl")

    def run(*words):
        done = subprocess.run([openssl, *words], cwd=folder, capture_output=True, text=True)
        check(done.returncode == 0, done.stderr)

    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    run(*new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Authority")
    run(*new, "-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=Other")
    run(*new, "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=server",
        "-addext", "subjectAltName=IP:127.0.0.1,DNS:redis.example", "-addext", "basicConstraints=critical,CA:FALSE")


@test(seconds=60)
def over_tls_as_a_user_that_may_do_little(t):
    at_the_start_of(3600)
    folder = t.folder()
    certificates(folder)
    port = free_port()
    redis = t.own(Redis(folder, f"tls-port {port}", "tls-cert-file server.pem", "tls-key-file server.key", "tls-ca-cert-file ca.pem",
                        "tls-auth-clients no", "user default off",
                        "user counter on >s3cret ~ratelimit:* -@all +evalsha +eval +incrby +expire",
                        "user looker on >look ~* +@all"))
    up = t.upstream(fast)

    def served(more, authority="ca.pem"):
        document = limited(up.port, f"host: 127.0.0.1, port: {port}, ssl: true, {more}", limits="hour: 5",
                           more=", fault_tolerant: false")
        return t.gateway(document, env={"SSL_CERT_FILE": str(folder / authority)})

    user = "username: counter, password: s3cret"
    good = [served(f"{user}, ssl_verify: true"), served(f"{user}, ssl_verify: true, server_name: redis.example"),
            served(user, authority="other.pem")]
    statuses = [t.client(gateway).get("/").status for gateway in good for _ in range(3)]
    equal(statuses, [200] * 5 + [429] * 4, "the address, the name, and anybody, as what is verified")
    equal(redis.ask("GET", redis.ask("KEYS", "*", user=("looker", "look"))[0], user=("looker", "look")), b"9", "counted in Redis")
    for more, authority, reason in ((f"{user}, ssl_verify: true", "other.pem", "certificate"),
                                    (f"{user}, ssl_verify: true, server_name: other.example", "ca.pem", "mismatch"),
                                    ("username: counter, password: wrong", "ca.pem", "refuses")):
        gateway = served(more, authority)
        equal(t.client(gateway).get("/").status, 500, f"with {more}")
        wait_until(lambda: reason in gateway.log(), f"the log says {reason}: {gateway.log()[-500:]}")
        check("s3cret" not in gateway.log() and "wrong" not in gateway.log(), "the log keeps the password")
