"""Names of upstreams: --resolve, the hosts file, and DNS (dnsmasq), with changes and failures."""

import json
import re
import socket
import subprocess
import time

from harness import free_port, proxy_to
from load import Load, moves_to
from testing import Skip, check, equal, need, test, wait_until


class NameServer:
    """dnsmasq on a port of its own, with the records of a hosts file that can be changed."""

    def __init__(self, t):
        program = need("dnsmasq")
        self.folder = t.folder()
        self.program = program
        self.hosts = self.folder / "names"
        self.services = self.folder / "services"
        self.services.write_text("")
        self.records({})
        self.process = None
        for _ in range(20):  # another program may have the port
            self.port = free_port()
            self.start()
            wait_until(lambda: self.has_started() or self.process.poll() is not None, "dnsmasq starts")
            if self.has_started():
                break
        t.own(self)
        check(self.has_started(), f"dnsmasq does not start: {(self.folder / 'log').read_text(errors='replace')[-300:]}")

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "--no-daemon", f"--conf-file={self.services}", "--no-resolv", "--no-hosts",
             f"--addn-hosts={self.hosts}", f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces",
             "--local-ttl=1", "--local=/test/", "--local=/consul/", "--user=root", f"--pid-file={self.folder / 'pid'}", "--log-facility=-", "--log-queries"],
            stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "wb"))

    def has_started(self):
        """It has bound its port, and it is this one that answers there."""
        return "started" in (self.folder / "log").read_text(errors="replace") and self.process.poll() is None and self.answers()

    def answers(self):
        query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x04test\x00\x00\x01\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(0.2)
            try:
                one.sendto(query, ("127.0.0.1", self.port))
                return one.recv(512)
            except OSError:
                return None

    def records(self, names):
        self.hosts.write_text("".join(f"{address} {name}\n" for name, addresses in names.items() for address in addresses))

    def reread(self):
        self.process.send_signal(1)

    def serve(self, name, services):
        """Its SRV records, (host, port, priority, weight) each, after a pause without any name server."""
        lines = [f"srv-host={name},{host},{port},{priority},{weight}\n" for host, port, priority, weight in services]
        self.services.write_text("".join(lines))
        self.process.kill()
        self.process.wait(5)
        self.start()
        wait_until(self.answers, "dnsmasq starts again")

    def asked(self, name):
        return len(re.findall(rf"query\[\w+\] {re.escape(name)} ", (self.folder / "log").read_text(errors="replace")))

    @property
    def settings(self):
        return {"dns_resolver": f"127.0.0.1:{self.port}", "dns_hostsfile": "", "dns_timeout": "500ms", "dns_tries": "2",
                "dns_not_found_ttl": "1", "dns_error_ttl": "1"}

    def end(self):
        self.process.terminate()
        self.process.wait(5)


def service(name, port, more="retries: 0, connect_timeout: 2000"):
    return (f'_format_version: "3.0"\nservices:\n- {{name: app, url: "http://{name}:{port}", {more}, '
            f'routes: [{{name: all, paths: [/]}}]}}\n')


@test
def resolve_option(t):
    upstream = t.upstream()
    gateway = t.gateway(service("app.example", 80), arguments=["--resolve", f"app.example:80:127.0.0.1:{upstream.port}"])
    equal(t.client(gateway).get("/x").status, 200, "status")
    equal(upstream.one_request().header("Host"), "app.example", "Host at the upstream")


@test
def resolve_option_without_port_and_for_another_port(t):
    upstream = t.upstream()
    gateway = t.gateway(service("app.example", upstream.port), arguments=["--resolve", f"app.example:{upstream.port}:127.0.0.1"])
    equal(t.client(gateway).get("/x").status, 200, "status")
    other = t.gateway(service("no-such-host.invalid", 81), arguments=["--resolve", "no-such-host.invalid:80:127.0.0.1"])
    equal(t.client(other).get("/x").status, 503, "status of a name that is not resolved for this port")


@test
def hosts_file(t):
    upstream = t.upstream()
    gateway = t.gateway(service("box.test", upstream.port), settings={"dns_hostsfile": "hosts"},
                        files={"hosts": "# names\n127.0.0.1  other.test box.test\n"})
    equal(t.client(gateway).get("/x").status, 200, "status")
    equal(upstream.one_request().header("Host"), f"box.test:{upstream.port}", "Host at the upstream")


@test
def localhost(t):
    upstream = t.upstream()
    gateway = t.gateway(service("localhost", upstream.port))
    equal(t.client(gateway).get("/x").status, 200, "status")


@test
def dns_record(t):
    names = NameServer(t)
    names.records({"app.test": ["127.0.0.1"]})
    names.reread()
    upstream = t.upstream()
    gateway = t.gateway(service("app.test", upstream.port), settings=names.settings)
    equal(wait_until(lambda: t.client(gateway).get("/x").status == 200, "the name resolves"), True, "status")


@test
def dns_several_addresses(t):
    names = NameServer(t)
    names.records({"app.test": ["127.0.0.1", "127.0.0.2"]})
    names.reread()
    first = t.upstream()
    second = t.upstream(port=first.port, address="127.0.0.2")
    gateway = t.gateway(service("app.test", first.port), settings=names.settings)
    client = t.client(gateway)
    for _ in range(10):
        equal(client.get("/x").status, 200, "status")
    equal((len(first.requests), len(second.requests)), (5, 5), "requests of each address")


@test
def dns_change_is_followed(t):
    names = NameServer(t)
    names.records({"app.test": ["127.0.0.1"]})
    names.reread()
    first = t.upstream()
    second = t.upstream(port=first.port, address="127.0.0.3")
    gateway = t.gateway(service("app.test", first.port), settings=names.settings)
    client = t.client(gateway)
    equal(client.get("/x").status, 200, "status")
    names.records({"app.test": ["127.0.0.3"]})
    names.reread()

    def has_moved():
        equal(client.get("/x").status, 200, "status while the record changes")
        return second.requests
    wait_until(has_moved, "the new address is used")


@test
def dns_server_dies_and_what_is_known_goes_on(t):
    """dns_stale_ttl: an expired record serves while nobody answers."""
    names = NameServer(t)
    names.records({"app.test": ["127.0.0.1"]})
    names.reread()
    upstream = t.upstream()
    gateway = t.gateway(service("app.test", upstream.port), settings=names.settings)
    client = t.client(gateway)
    equal(client.get("/x").status, 200, "status")
    names.process.kill()
    names.process.wait(5)
    until = time.monotonic() + 2.5  # the record lives one second

    def has_lived_on():
        equal(client.get("/x").status, 200, "status without a name server")
        return time.monotonic() > until
    wait_until(has_lived_on, "requests beyond the record's time")


@test
def dns_unknown_name(t):
    names = NameServer(t)
    gateway = t.gateway(service("nobody.test", 80), settings=names.settings)
    response = t.client(gateway).get("/x")
    equal(response.status, 503, "status")
    equal(json.loads(response.body)["message"], "name resolution failed", "message")
    names.records({"nobody.test": ["127.0.0.1"]})
    names.reread()
    wait_until(lambda: t.client(gateway).get("/x").status in (502, 200, 404), "the name is found once it is there")


@test
def dns_target_of_an_upstream(t):
    names = NameServer(t)
    names.records({"one.test": ["127.0.0.1"], "two.test": ["127.0.0.2"]})
    names.reread()
    first = t.upstream()
    second = t.upstream(port=first.port, address="127.0.0.2")
    gateway = t.gateway(f"""
_format_version: "3.0"
services: [{{name: app, host: up, retries: 1, routes: [{{name: all, paths: [/]}}]}}]
upstreams: [{{name: up, targets: [{{target: "one.test:{first.port}", weight: 30}}, {{target: "two.test:{first.port}", weight: 10}}]}}]
""", settings=names.settings)
    client = t.client(gateway)
    wait_until(lambda: client.get("/warm").status == 200, "the names resolve")
    wait_until(lambda: client.get("/warm").status == 200 and second.requests, "both are used")
    first.clear()
    second.clear()
    for _ in range(40):
        equal(client.get("/x").status, 200, "status")
    equal((len(first.requests), len(second.requests)), (30, 10), "requests of each target")
    equal(second.requests[0].header("Host"), f"two.test:{first.port}", "Host is the target's name")


@test
def dns_services_with_ports_weights_and_priorities(t):
    names = NameServer(t)
    names.records({"n1.test": ["127.0.0.1"], "n2.test": ["127.0.0.2"]})
    first, second, spare = t.upstream(), t.upstream(address="127.0.0.2"), t.upstream()
    names.serve("user.service.consul", [("n1.test", first.port, 1, 30), ("n2.test", second.port, 1, 10),
                                        ("n1.test", spare.port, 2, 100)])
    gateway = t.gateway(service("user.service.consul", 1), settings=names.settings)
    client = t.client(gateway)
    for _ in range(40):
        equal(client.get("/x").status, 200, "status")
    equal((len(first.requests), len(second.requests), len(spare.requests)), (30, 10, 0), "requests of each")
    equal(second.requests[0].header("Host"), f"user.service.consul:{second.port}", "Host has the port of the record")


@test
def dns_services_are_called_by_their_own_names(t):
    names = NameServer(t)
    upstream = t.upstream()
    names.records({"n1.test": ["127.0.0.1"]})
    names.serve("svc.test", [("n1.test", upstream.port, 0, 1)])
    gateway = t.gateway("""
_format_version: "3.0"
services: [{name: app, host: up, routes: [{name: all, paths: [/]}]}]
upstreams: [{name: up, use_srv_name: true, targets: [{target: "svc.test:1"}]}]
""", settings=names.settings)
    equal(t.client(gateway).get("/x").status, 200, "status")
    equal(upstream.one_request().header("Host"), f"n1.test:{upstream.port}", "Host")


@test
def dns_services_change_under_load(t):
    """Ports, hosts, addresses, priorities and weights change, the name server goes and comes: no request fails."""
    names = NameServer(t)
    hosts = {"n1.test": ["127.0.0.1"], "n2.test": ["127.0.0.2"], "n3.test": ["127.0.0.3"]}
    names.records(hosts)
    a, b, c, d = t.upstream(), t.upstream(), t.upstream(address="127.0.0.2"), t.upstream(address="127.0.0.3")
    e = t.upstream(port=d.port, address="127.0.0.4")
    names.serve("svc.test", [("n1.test", a.port, 0, 1)])
    gateway = t.gateway(service("svc.test", 1, "retries: 0, connect_timeout: 5000"), settings=names.settings)
    load = Load(t, gateway)
    moves_to(load, [a], [b, c, d, e])
    names.serve("svc.test", [("n1.test", a.port, 0, 1), ("n1.test", b.port, 0, 1), ("n2.test", c.port, 0, 1)])
    moves_to(load, [a, b, c], [d, e])
    names.serve("svc.test", [("n1.test", a.port, 9, 1), ("n1.test", b.port, 5, 1), ("n2.test", c.port, 5, 200)])
    moves_to(load, [b, c], [a, d, e])
    names.serve("svc.test", [("n3.test", d.port, 0, 1)])
    moves_to(load, [d], [a, b, c, e])
    names.records({**hosts, "n3.test": ["127.0.0.4"]})
    names.reread()
    moves_to(load, [e], [a, b, c, d])
    names.process.kill()
    names.process.wait(5)
    until = time.monotonic() + 2.5  # the records live one second
    wait_until(lambda: load.failures or time.monotonic() > until, "requests beyond the records' time")
    moves_to(load, [e], [a, b, c, d])
    load.end()


@test
def dns_rebind_protection(t):
    names = NameServer(t)
    names.records({"app.test": ["127.0.0.1", "169.254.169.254"], "n1.test": ["127.0.0.1"]})
    names.serve("svc.test", [("n1.test", 80, 0, 1), ("localhost", 80, 0, 1)])
    for name in ("app.test", "svc.test"):
        gateway = t.gateway(service(name, 80), settings={**names.settings, "dns_rebind_protection": "on"})
        response = t.client(gateway).get("/x")
        equal((response.status, json.loads(response.body)["message"]), (503, "name resolution failed"), name)
        wait_until(lambda: "dns_rebind_protection" in gateway.log(), "the log says why")


@test
def slow_resolver_holds_nobody_else_up(t):
    """A name server that never answers: 503 in time, and other services go on meanwhile."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    upstream = t.upstream()
    gateway = t.gateway(f"""
_format_version: "3.0"
services:
- {{name: stuck, url: "http://stuck.test", retries: 0, connect_timeout: 1500, routes: [{{name: stuck, paths: [/stuck]}}]}}
- {{name: fine, url: "http://127.0.0.1:{upstream.port}", routes: [{{name: fine, paths: [/fine]}}]}}
""", settings={"dns_resolver": f"127.0.0.1:{silent.getsockname()[1]}", "dns_timeout": "300ms", "dns_tries": "1"})
    stuck = t.client(gateway)
    stuck.send(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
    client = t.client(gateway)
    for _ in range(20):
        equal(client.get("/fine").status, 200, "status")
    response = stuck.response()
    check(response.status in (503, 500), f"answer: {response}")
    silent.close()


@test
def ipv6_literal(t):
    try:
        probe = socket.socket(socket.AF_INET6)
        probe.bind(("::1", 0))
        probe.close()
    except OSError:
        raise Skip("no IPv6 here") from None
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port), listen="[::1]:0")
    client = t.client(gateway.port, address="::1")
    equal(client.get("/x").status, 200, "status")
    equal(upstream.one_request().header("X-Real-IP"), "::1", "X-Real-IP")
