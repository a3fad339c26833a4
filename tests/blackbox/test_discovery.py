"""Targets that are found: Consul's HTTP API (a scripted agent that follows the published rules of blocking queries), a
file, an HTTP endpoint. The load of each test must not notice any of it."""

import json
import re
import threading
import time
import urllib.parse

from load import Load, moves_to
from testing import check, equal, test, wait_until
from upstream import answer


class Consul:
    """/v1/health/service/NAME of one agent: an index that only grows, questions that wait for it to change."""

    def __init__(self, t):
        self.t = t
        self.changed = threading.Condition()
        self.index = 10
        self.services = {}
        self.token = None
        self.fault = None       # a status in the place of an answer
        self.says_index = None  # a lie about the index
        self.filtered = False
        self.is_away = False
        self.queries = []       # (path, parameters, token)
        self.server = t.upstream(self.serve)
        self.port = self.server.port

    def set(self, service, instances):
        """`instances`: (address, port), with status, weights and tags if wanted."""
        with self.changed:
            self.index += 1
            self.services[service] = [{"address": one[0], "port": one[1], **(one[2] if len(one) > 2 else {})} for one in instances]
            self.changed.notify_all()

    def restart(self, index):
        """With another catalogue: its index begins anew."""
        with self.changed:
            self.index = index
            self.changed.notify_all()

    def die(self):
        self.is_away = True
        with self.changed:
            self.changed.notify_all()
        self.server.end()

    def live(self):
        self.is_away = False
        self.server = self.t.upstream(self.serve, port=self.port)

    def serve(self, exchange):
        target = urllib.parse.urlsplit(exchange.request.target)
        query = urllib.parse.parse_qs(target.query)
        token = exchange.request.header("X-Consul-Token")
        with self.changed:
            self.queries.append((urllib.parse.unquote(target.path), query, token))
            wait = re.fullmatch(r"(\d+)ms", query.get("wait", ["0ms"])[0])
            until = time.monotonic() + int(wait[1]) / 1000
            if "index" in query and not self.fault:
                while self.index <= int(query["index"][0]) and time.monotonic() < until and not self.is_away:
                    self.changed.wait(until - time.monotonic())
            if self.is_away:
                return exchange.reset()
            if self.fault:
                return exchange.send(answer(b"rpc error", self.fault))
            if self.token and token != self.token:
                return exchange.send(answer(b"Permission denied", "403 Forbidden"))
            entries = [self.entry(one, number) for number, one in enumerate(self.services.get(target.path.rsplit("/", 1)[1], []))]
            if "passing" in query:
                entries = [one for one in entries if all(c["Status"] == "passing" for c in one["Checks"])]
            for tag in query.get("tag", []):
                entries = [one for one in entries if tag in one["Service"]["Tags"]]
            index = self.index if self.says_index is None else self.says_index
            fields = ["Content-Type: application/json", f"X-Consul-Index: {index}", "X-Consul-Knownleader: true"]
            if self.filtered:
                fields.append("X-Consul-Results-Filtered-By-ACLs: true")
                entries = []
        exchange.send(answer(json.dumps(entries).encode(), "200 OK", *fields))

    @staticmethod
    def entry(one, number):
        return {"Node": {"ID": "0", "Node": "n", "Address": one.get("node", "127.0.0.1"), "Datacenter": "dc1"},
                "Service": {"ID": f"web-{number}", "Service": "web", "Tags": one.get("tags", []), "Address": one["address"],
                            "Port": one["port"], "Weights": one.get("weights", {"Passing": 1, "Warning": 1})},
                "Checks": [{"CheckID": "serfHealth", "Status": "passing"}, {"CheckID": "s", "Status": one.get("status", "passing")}]}


def document(discovery, more="", service="retries: 0, connect_timeout: 5000"):
    return (f'_format_version: "3.0"\nservices: [{{name: app, host: up, {service}, routes: [{{name: all, paths: [/]}}]}}]\n'
            f'upstreams: [{{name: up, discovery: {{{discovery}}}{more}}}]\n')


def consul_at(consul, more=""):
    return f'type: consul, address: "http://127.0.0.1:{consul.port}", service: web, wait: 2{more}'


def source_of(gateway):
    return json.loads(gateway.admin("/upstreams").body)["upstreams"][0]["discovery"]


@test
def consul_instances_with_their_weights(t):
    consul = Consul(t)
    a, b, c = t.upstream(), t.upstream(), t.upstream()
    consul.set("web", [("127.0.0.1", a.port, {"weights": {"Passing": 3, "Warning": 1}}), ("", b.port),
                       ("127.0.0.1", c.port, {"status": "critical"})])
    gateway = t.gateway(document(consul_at(consul)))
    client = t.client(gateway)
    for _ in range(40):
        equal(client.get("/x").status, 200, "status")
    equal((len(a.requests), len(b.requests), len(c.requests)), (30, 10, 0), "requests of each")
    path, query, _ = consul.queries[0]
    equal((path, query), ("/v1/health/service/web", {"passing": ["1"]}), "the first question")
    wait_until(lambda: len(consul.queries) > 1, "a second question")
    equal(consul.queries[1][1], {"passing": ["1"], "index": [str(consul.index)], "wait": ["2000ms"]}, "the second")


@test
def consul_tags_datacenter_and_warnings(t):
    consul = Consul(t)
    a, b = t.upstream(), t.upstream()
    consul.set("web", [("127.0.0.1", a.port, {"tags": ["blue", "v1"], "status": "warning", "weights": {"Passing": 9, "Warning": 2}}),
                       ("127.0.0.1", b.port, {"tags": ["green"]})])
    gateway = t.gateway(document(consul_at(consul, ", tags: [blue, v1], datacenter: dc2, passing_only: false")))
    client = t.client(gateway)
    for _ in range(5):
        equal(client.get("/x").status, 200, "status")
    equal((len(a.requests), len(b.requests)), (5, 0), "requests of each")
    equal(consul.queries[0][1], {"tag": ["blue", "v1"], "dc": ["dc2"]}, "the question")
    weight = json.loads(gateway.admin("/upstreams").body)["upstreams"][0]["targets"][0]["weight"]
    equal(weight, 2, "its weight for warnings")


@test
def consul_changes_under_load(t):
    consul = Consul(t)
    a, b, c = t.upstream(), t.upstream(), t.upstream()
    consul.set("web", [("127.0.0.1", a.port)])
    gateway = t.gateway(document(consul_at(consul)), workers=2)
    load = Load(t, gateway)
    moves_to(load, [a], [b, c])
    consul.set("web", [("127.0.0.1", a.port), ("127.0.0.1", b.port), ("127.0.0.1", c.port, {"status": "critical"})])
    moves_to(load, [a, b], [c])
    consul.set("web", [("127.0.0.1", c.port)])
    moves_to(load, [c], [a, b])
    # Its servers are restored from a backup: the index goes backwards.
    consul.services["web"] = [{"address": "127.0.0.1", "port": a.port}]
    consul.restart(3)
    moves_to(load, [a], [b, c])
    consul.set("web", [("127.0.0.1", b.port)])
    moves_to(load, [b], [a, c])
    load.end()


@test
def consul_agent_vanishes_and_comes_back(t):
    consul = Consul(t)
    a, b = t.upstream(), t.upstream()
    consul.set("web", [("127.0.0.1", a.port)])
    gateway = t.gateway(document(consul_at(consul)))
    load = Load(t, gateway)
    moves_to(load, [a], [b])
    equal(source_of(gateway)["state"], "answering", "state")
    consul.die()
    wait_until(lambda: source_of(gateway)["state"] == "failing", "the status says so")
    equal(gateway.metric("cardea_discovery_up"), 0, "metric")
    wait_until(lambda: gateway.metric("cardea_discovery_failures_total") >= 3, "it is asked again")
    moves_to(load, [a], [b])
    wait_until(lambda: "the targets it said last stay" in gateway.log(), "the log says so")
    gateway.hang_up()  # a reload meanwhile
    moves_to(load, [a], [b])
    consul.set("web", [("127.0.0.1", b.port)])
    consul.live()
    moves_to(load, [b], [a])
    equal(source_of(gateway)["state"], "answering", "state")
    equal(gateway.metric("cardea_discovery_up"), 1, "metric")
    wait_until(lambda: "the source answers again" in gateway.log(), "the log says so")
    equal(gateway.log().count("the targets it said last stay"), 1, "lines in the log, over failures and a reload")
    load.end()


@test
def consul_faults_take_nothing_away(t):
    """No leader, a token that was taken back, an index of 0: the last targets stay."""
    consul = Consul(t)
    a, b = t.upstream(), t.upstream()
    consul.set("web", [("127.0.0.1", a.port)])
    gateway = t.gateway(document(consul_at(consul)))
    load = Load(t, gateway)
    moves_to(load, [a], [b])
    for name, value, calm in (("fault", "500 Internal Server Error", None), ("token", "changed", None), ("filtered", True, False)):
        setattr(consul, name, value)
        consul.set("web", [("127.0.0.1", a.port)])
        wait_until(lambda: source_of(gateway)["state"] == "failing", f"{name}: the status says so")
        moves_to(load, [a], [b])
        setattr(consul, name, calm)
        wait_until(lambda: source_of(gateway)["state"] == "answering", f"{name}: it answers again")
    consul.says_index = 0
    consul.set("web", [("127.0.0.1", b.port)])
    moves_to(load, [b], [a])
    asked, began = len(consul.queries), time.monotonic()
    moves_to(load, [b], [a])
    wait_until(lambda: time.monotonic() > began + 1.5, "a while")
    check(len(consul.queries) - asked <= 6, f"{len(consul.queries) - asked} questions in 1.5 seconds")
    load.end()


@test
def consul_that_is_away_from_the_start(t):
    consul = Consul(t)
    a = t.upstream()
    consul.set("web", [("127.0.0.1", a.port)])
    consul.die()
    gateway = t.gateway(document(consul_at(consul)))
    client = t.client(gateway)
    response = client.get("/x")
    equal(response.status, 503, "status")
    consul.live()
    wait_until(lambda: client.get("/x").status == 200, "it is asked again")


@test
def consul_says_there_are_none(t):
    consul = Consul(t)
    a = t.upstream()
    consul.set("web", [("127.0.0.1", a.port)])
    gateway = t.gateway(document(consul_at(consul)))
    client = t.client(gateway)
    equal(client.get("/x").status, 200, "status")
    consul.set("web", [])
    wait_until(lambda: client.get("/x").status == 503, "it is believed")


@test
def consul_is_asked_once_for_workers_upstreams_and_reloads(t):
    consul = Consul(t)
    a = t.upstream()
    consul.set("web", [("127.0.0.1", a.port)])
    text = document(consul_at(consul)) + ""
    two = text.replace("upstreams: [", f"upstreams: [{{name: other, discovery: {{{consul_at(consul)}}}}}, ")
    gateway = t.gateway(two, workers=3)
    client = t.client(gateway)
    equal(client.get("/x").status, 200, "status")
    first = [query for _, query, _ in consul.queries if "index" not in query]
    for slots in (1000, 2000, 3000):
        gateway.write(two.replace("upstreams: [{", f"upstreams: [{{slots: {slots}, "))
        check(gateway.hang_up(), "loaded")
        equal(client.get("/x").status, 200, "status")
    again = [query for _, query, _ in consul.queries if "index" not in query]
    equal((len(first), len(again)), (1, 1), "questions from the beginning")


@test
def consul_token_is_a_secret(t):
    consul = Consul(t)
    consul.token = "very-secret-token"
    a = t.upstream()
    consul.set("web", [("127.0.0.1", a.port)])
    gateway = t.gateway(document(consul_at(consul, ', token: "{vault://env/consul-token}"')),
                        env={"CONSUL_TOKEN": "very-secret-token"}, settings={"log_level": "debug"})
    client = t.client(gateway)
    equal(client.get("/x").status, 200, "status")
    consul.token = "another"
    consul.set("web", [])
    wait_until(lambda: source_of(gateway)["state"] == "failing", "it is refused")
    equal(source_of(gateway)["reason"], "status 403: the token may not read this service", "reason")
    shown = gateway.log() + gateway.admin("/upstreams").body.decode() + gateway.admin("/metrics").body.decode()
    check("very-secret-token" not in shown, "the token is shown")


@test
def found_targets_have_health(t):
    """What was found out about an address stays while the list around it changes."""
    consul = Consul(t)
    a, b, c = t.upstream(), t.upstream(), t.upstream()
    consul.set("web", [("127.0.0.1", a.port), ("127.0.0.1", b.port)])
    more = ", healthchecks: {passive: {unhealthy: {tcp_failures: 1}}}"
    gateway = t.gateway(document(consul_at(consul), more, "retries: 2"))
    client = t.client(gateway)
    equal(client.get("/x").status, 200, "status")
    a.end()

    def health():
        equal(client.get("/x").status, 200, "status")
        page = json.loads(gateway.admin("/upstreams").body)["upstreams"][0]["targets"]
        return {one["target"]: one["health"] for one in page}
    wait_until(lambda: health().get(f"127.0.0.1:{a.port}") == "UNHEALTHY", "it is found out")
    consul.set("web", [("127.0.0.1", a.port), ("127.0.0.1", c.port)])
    wait_until(lambda: f"127.0.0.1:{c.port}" in health(), "the list changes")
    equal(health(), {f"127.0.0.1:{a.port}": "UNHEALTHY", f"127.0.0.1:{c.port}": "HEALTHY"}, "health")


@test
def file_that_is_watched(t):
    a, b = t.upstream(), t.upstream()
    gateway = t.gateway(document("type: file, path: targets.yml"), files={"targets.yml": f"targets:\n- 127.0.0.1:{a.port}\n"})
    load = Load(t, gateway)
    moves_to(load, [a], [b])
    (gateway.folder / "targets.yml").write_text(f"targets:\n- 127.0.0.1:{b.port}\n- 127.0.0.1:{b.port}:80\n")
    wait_until(lambda: source_of(gateway)["state"] == "failing", "the fault is seen")
    wait_until(lambda: "targets.yml:3:3: " in gateway.log(), "the log says where")
    check("targets.yml:3:3: " in source_of(gateway)["reason"], "so does the status")
    moves_to(load, [a], [b])
    (gateway.folder / "targets.yml").write_text(f"targets:\n- {{target: '127.0.0.1:{b.port}', weight: 5}}\n")
    moves_to(load, [b], [a])
    load.end()


@test
def http_endpoint(t):
    a, b = t.upstream(), t.upstream()
    said = {"list": [f"127.0.0.1:{a.port}"], "etag": '"1"'}

    def serve(exchange):
        if exchange.request.header("If-None-Match") == said["etag"]:
            exchange.send(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        else:
            exchange.send(answer(json.dumps(said["list"]).encode(), "200 OK", f"ETag: {said['etag']}"))
    source = t.upstream(serve)
    gateway = t.gateway(document(f'type: http, url: "{source.url}/targets", interval: 0.2, token: abc'))
    load = Load(t, gateway)
    moves_to(load, [a], [b])
    equal(source.requests[0].header("Authorization"), "Bearer abc", "token")
    wait_until(lambda: len(source.requests) > 3, "it is asked again")
    equal(source.requests[-1].header("If-None-Match"), '"1"', "entity tag")
    said.update(list=["not a target"], etag='"2"')
    wait_until(lambda: source_of(gateway)["state"] == "failing", "the fault is seen")
    moves_to(load, [a], [b])
    said.update(list={"targets": [{"target": f"127.0.0.1:{b.port}"}]}, etag='"3"')
    moves_to(load, [b], [a])
    source.end()
    wait_until(lambda: source_of(gateway)["state"] == "failing", "it is away")
    moves_to(load, [b], [a])
    load.end()
