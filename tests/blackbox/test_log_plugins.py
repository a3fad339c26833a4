"""The log plugins against real sinks: their records, and that a sink that is slow, dead or odd delays nobody."""

import json
import pathlib
import signal
import socket
import threading
import time

from harness import free_port
from testing import check, contains, equal, test, wait_until
from upstream import answer


def document(port, plugins):
    text = "".join(f"- {json.dumps(plugin)}\n" for plugin in plugins)
    return (f'_format_version: "3.0"\nplugins:\n{text}services:\n- name: pets\n  url: http://127.0.0.1:{port}\n'
            f'  routes: [{{name: list, paths: [/list]}}]\n')


def use(name, **config):
    return {"name": name, "config": config}


class Datagrams:
    """A socket that keeps what it gets."""

    def __init__(self, path=None):
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(str(path) if path else ("127.0.0.1", 0))
        self.socket.settimeout(10)
        self.port = None if path else self.socket.getsockname()[1]

    def next(self):
        return self.socket.recv(1 << 17)

    def end(self):
        self.socket.close()


class TcpSink:
    """Reads lines, or only accepts, or says nothing and never reads."""

    def __init__(self, reads=True, half_closes=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.reads, self.half_closes = reads, half_closes
        self.data = b""
        self.kept = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.kept.append(connection)
            if self.half_closes:
                connection.shutdown(socket.SHUT_WR)
            if self.reads:
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection):
        try:
            while piece := connection.recv(65536):
                self.data += piece
        except OSError:
            pass

    def lines(self):
        return self.data.decode().splitlines()

    def end(self):
        self.listener.close()
        for connection in self.kept:
            connection.close()


def entries(gateway, outcome, to=""):
    """How many entries had that outcome, as the metrics say."""
    total = 0
    for line in gateway.admin("/metrics").body.decode().splitlines():
        if line.startswith("cardea_log_entries_total{") and f'outcome="{outcome}"' in line and to in line:
            total += float(line.rsplit(" ", 1)[1])
    return total


def is_record(text, status=200):
    record = json.loads(text)
    equal((record["response"]["status"], record["request"]["method"], record["service"]["name"], record["route"]["name"]),
          (status, "GET", "pets", "list"), "the record")
    return record


@test
def a_record_to_every_kind_of_sink(t):
    folder = t.folder()
    udp, tcp, unix = t.own(Datagrams()), t.own(TcpSink()), t.own(Datagrams(folder / "log"))
    http = t.upstream(lambda exchange: exchange.send(answer(b"", "204 No Content")))
    up = t.upstream(lambda exchange: exchange.send(answer(b"hello")))
    gateway = t.gateway(document(up.port, [
        use("udp-log", host="127.0.0.1", port=udp.port), use("tcp-log", host="127.0.0.1", port=tcp.port),
        use("http-log", http_endpoint=f"http://127.0.0.1:{http.port}/in", custom_fields_by_lua={"tenant": "return kong.request.get_header('x-tenant')"}),
        use("file-log", path=str(folder / "file.log")), use("syslog", socket_path=str(folder / "log"))]), workers=2)
    client = t.client(gateway)
    equal(client.get("/list", "X-Tenant: blue", "Authorization: secret-word").status, 200, "the answer")
    record = is_record(udp.next())
    equal(record["request"]["headers"]["authorization"], "REDACTED", "the credential")
    equal(record["response"]["size"] > 5, True, "size with the head")
    equal(record["tries"][0]["port"], up.port, "the try")
    message = unix.next().decode()
    check(message.startswith("<14>"), message)
    is_record(message[message.index("{"):])
    wait_until(lambda: tcp.lines(), "a line over TCP")
    is_record(tcp.lines()[0])
    wait_until(lambda: (folder / "file.log").exists() and (folder / "file.log").read_text().endswith("\n"), "a line in the file")
    is_record((folder / "file.log").read_text())
    equal(oct((folder / "file.log").stat().st_mode & 0o777), "0o644", "mode of the file")
    wait_until(lambda: http.requests, "a request to the HTTP sink")
    request = http.one_request()
    equal((request.method, request.target), ("POST", "/in"), "the request")
    equal(is_record(request.body)["tenant"], "blue", "the custom field")
    wait_until(lambda: entries(gateway, "sent") == 5, "all counted as sent")
    equal((entries(gateway, "dropped"), entries(gateway, "lost")), (0, 0), "nothing lost")


@test
def sinks_that_fail_delay_nobody_and_are_counted(t):
    silent, half = t.own(TcpSink(reads=False)), t.own(TcpSink(half_closes=True))
    slow = t.upstream(lambda exchange: exchange.hold())
    failing = t.upstream(lambda exchange: exchange.send(answer(b"", "500 No")))
    refused = free_port()
    queue = {"max_entries": 5, "max_retry_time": 1, "initial_retry_delay": 0.01, "max_retry_delay": 0.05}
    up = t.upstream(lambda exchange: exchange.send(answer(b"x" * 100)))
    gateway = t.gateway(document(up.port, [
        use("tcp-log", host="127.0.0.1", port=silent.port, timeout=500), use("udp-log", host="127.0.0.1", port=refused),
        use("http-log", http_endpoint=f"http://127.0.0.1:{refused}/", queue=queue),
        use("statsd", host="127.0.0.1", port=refused), use("file-log", path="/nonexistent/folder/file"),
        use("syslog", socket_path="/nonexistent/log")]), workers=2)
    client = t.client(gateway)
    began = time.monotonic()
    for _ in range(100):
        equal(client.get("/list").status, 200, "the answer")
    check(time.monotonic() - began < 5, "requests do not wait for sinks")
    wait_until(lambda: entries(gateway, "dropped", f"http-log 127.0.0.1:{refused}") >= 90, "dropped by the full queue")
    wait_until(lambda: entries(gateway, "lost", f"http-log 127.0.0.1:{refused}") >= 1, "lost after the retries")
    wait_until(lambda: entries(gateway, "lost", "file-log") == 100, "lost for want of a folder")
    for endpoint, name in ((slow.port, "slow"), (failing.port, "failing"), (half.port, "half-closed, and no HTTP")):
        gateway.write(document(up.port, [use("http-log", http_endpoint=f"http://127.0.0.1:{endpoint}/", timeout=300, queue=queue)]))
        equal(gateway.reload().returncode, 0, "reload")
        for _ in range(20):
            equal(client.get("/list").status, 200, "the answer")
        wait_until(lambda: entries(gateway, "lost", f"{endpoint}") + entries(gateway, "dropped", f"{endpoint}") >= 19, name)
        check(entries(gateway, "retried", f"{endpoint}") >= 1, f"{name}: tried again")
        equal(entries(gateway, "sent", f"{endpoint}"), 0, f"{name}: nothing counts as sent")


@test
def a_sink_that_comes_back_gets_what_waited(t):
    up = t.upstream()
    port = free_port()
    gateway = t.gateway(document(up.port, [use("http-log", http_endpoint=f"http://127.0.0.1:{port}/", queue={
        "max_batch_size": 100, "max_coalescing_delay": 0.05, "initial_retry_delay": 0.05, "max_retry_delay": 0.1})]))
    client = t.client(gateway)
    for number in range(30):
        equal(client.get(f"/list/{number}").status, 200, "the answer")
    wait_until(lambda: entries(gateway, "retried") >= 1, "a retry")
    got = []

    def keep(exchange):
        got.extend(json.loads(exchange.request.body))
        exchange.send(answer(b"ok"))

    t.upstream(keep, port=port)
    wait_until(lambda: len(got) == 30, "all of them, as arrays")
    equal([record["request"]["uri"] for record in got], [f"/list/{number}" for number in range(30)], "in order")
    equal(entries(gateway, "dropped") + entries(gateway, "lost"), 0, "nothing lost")


@test
def what_waits_goes_out_when_the_program_ends(t):
    up, tcp = t.upstream(), t.own(TcpSink())
    http = []

    def keep(exchange):
        http.extend(json.loads(exchange.request.body))
        exchange.send(answer(b"ok"))

    sink = t.upstream(keep)
    dead = t.own(TcpSink(reads=False))
    gateway = t.gateway(document(up.port, [
        use("tcp-log", host="127.0.0.1", port=tcp.port),
        use("statsd", host="127.0.0.1", port=dead.port, use_tcp=True),
        use("http-log", http_endpoint=f"http://127.0.0.1:{sink.port}/", queue={"max_batch_size": 1000, "max_coalescing_delay": 60})]))
    client = t.client(gateway)
    for _ in range(20):
        equal(client.get("/list").status, 200, "the answer")
    began = time.monotonic()
    gateway.signal(signal.SIGTERM)
    equal(gateway.wait(20), 0, "how it ended")
    check(time.monotonic() - began < 15, "the farewell is bounded")
    wait_until(lambda: len(tcp.lines()) == 20 and len(http) == 20, f"everything went out: {len(tcp.lines())}, {len(http)}")


@test
def a_file_that_was_moved_away_is_let_go_of(t):
    up, folder = t.upstream(), t.folder()
    kept, fresh = folder / "kept.log", folder / "fresh.log"
    gateway = t.gateway(document(up.port, [use("file-log", path=str(kept))]))
    client = t.client(gateway)

    def lines(path):
        return path.read_text().count("\n") if path.exists() else 0

    def get(path, count):
        equal(client.get("/list").status, 200, "the answer")
        wait_until(lambda: lines(path) == count, f"{count} lines in {path.name}")

    get(kept, 1)
    kept.rename(folder / "moved.log")
    get(folder / "moved.log", 2)
    gateway.signal(signal.SIGUSR1)
    wait_until(lambda: (client.get("/list"), lines(kept) >= 1)[1], "a new file after SIGUSR1")
    gateway.write(document(up.port, [use("file-log", path=str(fresh), reopen=True)]))
    equal(gateway.reload().returncode, 0, "reload")
    get(fresh, 1)
    fresh.rename(folder / "away.log")
    get(fresh, 1)


@test
def statsd_lines(t):
    up, sink = t.upstream(lambda exchange: exchange.send(answer(b"hello"))), t.own(Datagrams())
    gateway = t.gateway(document(up.port, [use("statsd", host="127.0.0.1", port=sink.port)]))
    equal(t.client(gateway).get("/list").status, 200, "the answer")
    found = [sink.next().decode() for _ in range(8)]
    check("kong.service.pets.request.count:1|c" in found and "kong.service.pets.status.200:1|c" in found, found)
    contains("\n".join(found), "kong.service.pets.latency:", "a time")
    equal(pathlib.Path(f"/proc/{gateway.pid}").exists(), True, "it runs")
