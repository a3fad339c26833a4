"""Health checks as Kong has them (passive; active over TCP, HTTP and gRPC, plain and over TLS; threshold), and what a person sees and says of them."""

import json
import socket
import threading

from grpc_server import GrpcServer, grpc
from harness import command, free_port
from test_tls import Authority
from test_tls_upstream import TlsUpstream
from testing import Skip, check, equal, test, wait_until
from upstream import answer

PASSIVE = "passive: {unhealthy: {tcp_failures: 1, http_failures: 2, timeouts: 1}}"


def document(ports, checks, upstream="", service="retries: 2, connect_timeout: 500, read_timeout: 500"):
    targets = ", ".join(f'{{target: "127.0.0.1:{port}"}}' for port in ports)
    return f"""
_format_version: "3.0"
services:
- {{name: app, host: app-upstream, {service}, routes: [{{name: all, paths: [/]}}]}}
upstreams:
- name: app-upstream
  targets: [{targets}]
  healthchecks: {{{checks}}}
{upstream}
"""


def states(t, gateway):
    """Of each port: its health."""
    page = json.loads(gateway.admin("/upstreams").body)
    return {int(target["address"].rpartition(":")[2]): target["health"] for target in page["upstreams"][0]["targets"]}


class Service:
    """An upstream whose answer can be changed, and which says which it is."""

    def __init__(self, t, name):
        self.name = name
        self.status = "200 OK"
        self.probes = 0
        self.served = 0
        self.upstream = t.upstream(self.reply)
        self.port = self.upstream.port

    def reply(self, exchange):
        if exchange.request.target == "/health":
            self.probes += 1
        else:
            self.served += 1
        exchange.send(answer(self.name.encode(), self.status))


def bodies(t, gateway, count):
    client = t.client(gateway)
    return [client.get("/x").body.decode() for _ in range(count)]


@test
def a_target_that_refuses_gets_one_request_and_no_more(t):
    good, dead = Service(t, "good"), free_port()
    gateway = t.gateway(document([good.port, dead], PASSIVE))
    equal(set(bodies(t, gateway, 20)), {"good"}, "answers")
    equal(states(t, gateway), {good.port: "HEALTHY", dead: "UNHEALTHY"}, "states")
    wait_until(lambda: "tcp_failure, found by a request" in gateway.log(), "the log says why")
    equal(gateway.log().count("target is unhealthy"), 1, "lines of the log")


@test
def bad_statuses_in_a_row_take_a_target_out_and_a_good_one_between_does_not(t):
    one, two = Service(t, "one"), Service(t, "two")
    gateway = t.gateway(document([one.port, two.port], PASSIVE), workers=1)
    one.status = "500 Internal Server Error"
    bodies(t, gateway, 2)
    one.status = "200 OK"
    bodies(t, gateway, 2)
    one.status = "500 Internal Server Error"
    bodies(t, gateway, 2)
    equal(states(t, gateway)[one.port], "HEALTHY", "one failure after a success")
    bodies(t, gateway, 2)
    equal(states(t, gateway)[one.port], "UNHEALTHY", "two in a row")
    served = one.served
    equal(set(bodies(t, gateway, 10)), {"two"}, "answers")
    equal(one.served, served, "requests to the target that is out")


@test
def silence_is_a_timeout(t):
    silent = t.upstream(lambda exchange: None)
    good = Service(t, "good")
    gateway = t.gateway(document([silent.port, good.port], PASSIVE), workers=1)
    equal(set(bodies(t, gateway, 6)), {"good"}, "answers")
    equal(states(t, gateway)[silent.port], "UNHEALTHY", "state")
    wait_until(lambda: "timeout, found by a request" in gateway.log(), "the log says why")


@test
def nothing_left_is_503_and_a_person_can_bring_it_back(t):
    one = Service(t, "one")
    gateway = t.gateway(document([one.port], PASSIVE), workers=1)
    path = f"/upstreams/app-upstream/targets/127.0.0.1:{one.port}"
    equal(gateway.admin(path + "/unhealthy", "PUT").status, 204, "set unhealthy")
    refused = t.client(gateway).get("/x", "Accept: application/json")
    equal(refused.status, 503, "status")
    check(b"failure to get a peer from the ring-balancer" in refused.body, "Kong's message")
    equal(one.served, 0, "requests")
    equal(gateway.admin(path + "/healthy", "PUT").status, 204, "set healthy")
    equal(bodies(t, gateway, 1), ["one"], "answers")
    equal(gateway.admin("/upstreams/app-upstream/targets/127.0.0.1:1/healthy", "PUT").status, 404, "no such target")
    equal(gateway.admin("/upstreams/none/targets/127.0.0.1:1/healthy", "PUT").status, 404, "no such upstream")


@test(seconds=60)
def probes_take_a_target_out_and_bring_it_back(t):
    one, two = Service(t, "one"), Service(t, "two")
    checks = ("active: {http_path: /health, healthy: {interval: 0.1, successes: 2}, "
              "unhealthy: {interval: 0.1, http_failures: 2, tcp_failures: 2, timeouts: 2}}")
    gateway = t.gateway(document([one.port, two.port], checks), workers=2)
    wait_until(lambda: one.probes >= 3 and two.probes >= 3, "both are probed")
    one.status = "503 Service Unavailable"
    wait_until(lambda: states(t, gateway)[one.port] == "UNHEALTHY", "out")
    equal(set(bodies(t, gateway, 10)), {"two"}, "answers while it is out")
    one.status = "200 OK"
    wait_until(lambda: states(t, gateway)[one.port] == "HEALTHY", "back")
    equal(set(bodies(t, gateway, 10)), {"one", "two"}, "answers")
    wait_until(lambda: "http_failure 503, found by a probe" in gateway.log(), "the log says why")
    wait_until(lambda: "target is healthy again" in gateway.log(), "and that it is back")
    text = command("status", "upstreams", "--admin-listen", f"127.0.0.1:{gateway.ports['admin']}", cwd=gateway.folder).stdout
    check(f"127.0.0.1:{one.port}" in text and "HEALTHY" in text and "success 200, found by a probe" in text,
          f"cardea status upstreams: {text}")


@test(seconds=60)
def reloads_neither_multiply_probes_nor_heal(t):
    one, dead = Service(t, "one"), free_port()
    checks = ("active: {http_path: /health, healthy: {interval: 0.2}, "
              "unhealthy: {interval: 0, tcp_failures: 1}}")
    gateway = t.gateway(document([one.port, dead], checks), workers=1)
    wait_until(lambda: states(t, gateway)[dead] == "UNHEALTHY" and one.probes >= 1, "out")
    for i in range(5):
        gateway.write(document([one.port, dead], checks) + f"# {i}\n")
        equal(gateway.admin("/reload", "POST").status, 200, "reload")
        equal(states(t, gateway)[dead], "UNHEALTHY", f"after reload {i}")
    connections = one.upstream.connections
    before = one.probes
    wait_until(lambda: one.probes >= before + 3, "it is still probed")
    # One more if a probe ran out of time on a busy machine.
    check(one.upstream.connections <= connections + 1, f"connections of probes: {one.upstream.connections - connections}")
    equal(gateway.log().count("target is unhealthy"), 1, "said once")


@test(seconds=60)
def a_tcp_probe_only_connects(t):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    came = []

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            came.append(connection.recv(100))
            connection.close()
    threading.Thread(target=accept, daemon=True).start()
    checks = "active: {type: tcp, healthy: {interval: 0.1}, unhealthy: {interval: 0.1, tcp_failures: 1}}"
    gateway = t.gateway(document([port], checks))
    wait_until(lambda: len(came) >= 3, "probes")
    equal(set(came), {b""}, "what they said")
    equal(states(t, gateway)[port], "HEALTHY", "state")
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    wait_until(lambda: states(t, gateway)[port] == "UNHEALTHY", "out")


@test
def below_the_threshold_the_upstream_is_closed(t):
    one, dead = Service(t, "one"), free_port()
    gateway = t.gateway(document([one.port, dead], PASSIVE + ", threshold: 60"), workers=1)
    client = t.client(gateway)
    answers = [client.get("/x").status for _ in range(10)]
    check(503 in answers and answers[-1] == 503, f"statuses: {answers}")
    wait_until(lambda: "upstream takes no requests" in gateway.log(), "the log says so")


# ---- over TLS

def https_document(targets, checks, authority, upstream=""):
    """With a service that trusts `authority`, as the probes do then."""
    cert = json.dumps(authority.path.read_text())
    return document([], checks, upstream, service=f"protocol: https, tls_verify: true, ca_certificates: [{CA}]").replace(
        "targets: []", "targets: [" + ", ".join(f'{{target: "{each}"}}' for each in targets) + "]"
    ) + f"ca_certificates: [{{id: {CA}, cert: {cert}}}]\n"


CA = "0c0c0c0c-0c0c-4c0c-8c0c-0c0c0c0c0c0c"
OFTEN = "healthy: {interval: 0.1, successes: 1}, unhealthy: {interval: 0.1, tcp_failures: 1, http_failures: 1, timeouts: 1}"


@test
def probes_over_tls_hold_the_target_to_its_name(t):
    authority = Authority(t.folder())
    paths = []

    def reply(exchange):
        paths.append(exchange.request.target)
        exchange.send(answer(b"ok"))

    good = t.own(TlsUpstream(reply, t.folder(), authority.sign("good.test")))
    checks = f"active: {{type: https, http_path: /health, https_sni: good.test, {OFTEN}}}"
    gateway = t.gateway(https_document([f"127.0.0.1:{good.port}"], checks, authority))
    wait_until(lambda: len(paths) >= 3, "probes")
    equal(set(paths), {"/health"}, "what was asked for")
    equal(set(good.names), {"good.test"}, "names")
    equal(len(good.names), 1, "connections: probes keep theirs")
    equal(states(t, gateway)[good.port], "HEALTHY", "state")


@test
def a_certificate_of_another_name_is_a_failed_probe(t):
    authority = Authority(t.folder())
    other = t.own(TlsUpstream(lambda exchange: exchange.send(answer(b"ok")), t.folder(), authority.sign("other.test")))
    target = f"127.0.0.1:{other.port}"
    checks = f"active: {{type: https, https_sni: good.test, {OFTEN}}}"
    gateway = t.gateway(https_document([target], checks, authority))
    wait_until(lambda: states(t, gateway)[other.port] == "UNHEALTHY", "out")
    # Unless nobody asks.
    checks = checks.replace("https_sni: good.test", "https_sni: good.test, https_verify_certificate: false")
    gateway = t.gateway(https_document([target], checks, authority))
    wait_until(lambda: len(other.shown) > 0, "probes")
    equal(states(t, gateway)[other.port], "HEALTHY", "state")


@test
def probes_show_the_upstreams_certificate(t):
    authority = Authority(t.folder())
    cert, key = authority.sign("gateway.test")
    strict = t.own(TlsUpstream(lambda exchange: exchange.send(answer(b"ok")), t.folder(), authority.sign("good.test"),
                               client_authority=authority))
    checks = f"active: {{type: https, https_sni: good.test, {OFTEN}}}"
    mine = f"  client_certificate: {{id: {CA}}}\n"
    shown = f"certificates: [{{id: {CA}, cert: {json.dumps(cert)}, key: {json.dumps(key)}}}]\n"
    gateway = t.gateway(https_document([f"127.0.0.1:{strict.port}"], checks, authority, mine) + shown)
    wait_until(lambda: strict.shown, "probes")
    equal(set(strict.shown), {"gateway.test"}, "who came")
    equal(states(t, gateway)[strict.port], "HEALTHY", "state")


# ---- gRPC

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


def follows_what_it_says(t, server, gateway):
    """A probe brings the target out and back, whatever calls find."""
    wait_until(lambda: len(server.probes) >= 3, "probes")
    equal(states(t, gateway)[server.port], "HEALTHY", "without a health service")
    server.health = NOT_SERVING
    wait_until(lambda: states(t, gateway)[server.port] == "UNHEALTHY", "out")
    server.health = SERVING
    wait_until(lambda: states(t, gateway)[server.port] == "HEALTHY", "back")
    server.health = b""
    wait_until(lambda: states(t, gateway)[server.port] == "UNHEALTHY", "unknown")


@test
def grpc_probes_ask_the_health_service(t):
    if grpc is None:
        raise Skip("python3-grpcio is missing")
    server = t.own(GrpcServer())
    headers = "headers: {x-token: [abc]}"
    checks = f"active: {{type: grpc, {headers}, {OFTEN}}}"
    gateway = t.gateway(document([server.port], checks, service="protocol: grpc"))
    follows_what_it_says(t, server, gateway)
    equal(server.probes[0].get("x-token"), "abc", "a header of the document")
    server.end()
    server.probes.clear()


@test
def grpcs_probes_ask_the_health_service(t):
    if grpc is None:
        raise Skip("python3-grpcio is missing")
    authority = Authority(t.folder())
    cert, key = authority.sign("good.test")
    server = t.own(GrpcServer(grpc.ssl_server_credentials([(key.encode(), cert.encode())])))
    checks = f"active: {{type: grpcs, https_sni: good.test, {OFTEN}}}"
    gateway = t.gateway(https_document([f"127.0.0.1:{server.port}"], checks, authority))
    follows_what_it_says(t, server, gateway)


@test
def a_server_that_speaks_no_http2_is_a_failed_grpc_probe(t):
    one = Service(t, "one")
    gateway = t.gateway(document([one.port], f"active: {{type: grpc, {OFTEN}}}"))
    wait_until(lambda: states(t, gateway)[one.port] == "UNHEALTHY", "out")
