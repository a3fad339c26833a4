"""Starting, reloading, draining, ending, and replacing a running program; under load where it matters."""

import os
import signal
import socket
import subprocess
import threading
import time

import harness
from client import Client, request_bytes
from harness import command, free_port, proxy_to
from messages import Closed
from testing import check, contains, equal, test, wait_until
from upstream import answer


class Load:
    """Threads that ask all the time, each on a kept connection; every answer must be 200."""

    def __init__(self, port, threads=4, target="/x", fresh=False):
        self.port = port
        self.target = target
        self.fresh = fresh  # a new connection for every request
        self.count = 0
        self.failures = []
        self.bodies = set()
        self.is_over = False
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        client = None
        while not self.is_over:
            try:
                client = client or Client(self.port)
                response = client.get(self.target)
                self.count += 1
                if response.status != 200:
                    self.failures.append(repr(response))
                self.bodies.add(response.body)
                if self.fresh or response.header("Connection") == "close":
                    client.end()
                    client = None
            except Exception as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                client = None

    def more(self, count=200):
        start = self.count
        wait_until(lambda: self.count >= start + count or self.failures, f"{count} more requests", 20)

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(10)
        return self.failures


def answers(t, text):
    return t.upstream(answer(text.encode()))


@test
def reload_by_sighup(t):
    first, second = answers(t, "first"), answers(t, "second")
    gateway = t.gateway(proxy_to(first.port))
    client = t.client(gateway)
    equal(client.get("/x").body, b"first", "before")
    gateway.write(proxy_to(second.port))
    equal(gateway.hang_up(), True, "loaded")
    equal(client.get("/x").body, b"second", "after, on the same connection")
    equal(gateway.status()["snapshot"]["version"], 2, "version of the snapshot")


@test
def reload_by_the_word(t):
    first, second = answers(t, "first"), answers(t, "second")
    gateway = t.gateway(proxy_to(first.port))
    gateway.write(proxy_to(second.port))
    finished = gateway.reload()
    equal(finished.returncode, 0, f"exit code; {finished.stderr}")
    contains(finished.stdout, "1 routes", "what it says")
    equal(t.client(gateway).get("/x").body, b"second", "right after it")


@test
def reload_by_watching(t):
    first, second = answers(t, "first"), answers(t, "second")
    gateway = t.gateway(proxy_to(first.port), arguments=["--watch"])
    client = t.client(gateway)
    equal(client.get("/x").body, b"first", "before")
    gateway.write(proxy_to(second.port))
    wait_until(lambda: client.get("/x").body == b"second", "the file's new content is served")
    gateway.document.write_text(proxy_to(first.port))
    wait_until(lambda: client.get("/x").body == b"first", "written in place, too")


@test
def reload_of_a_bad_document_keeps_the_old_one(t):
    first = answers(t, "first")
    gateway = t.gateway(proxy_to(first.port))
    for bad in ("services: [", '_format_version: "3.0"\nservicez: []\n', ""):
        gateway.write(bad)
        finished = gateway.reload()
        equal(finished.returncode, 1, "exit code")
        contains(finished.stderr, "goes on serving", "what it says")
        equal(gateway.hang_up(), False, "by SIGHUP")
        equal(t.client(gateway).get("/x").body, b"first", "what is served")
    contains(gateway.log(), "servicez", "the log says what was wrong")
    gateway.document.unlink()
    equal(gateway.reload().returncode, 1, "exit code without a file")
    equal(t.client(gateway).get("/x").body, b"first", "what is served")


@test(seconds=60)
def reloads_under_load_fail_no_request(t):
    ups = [answers(t, "a"), answers(t, "b")]
    gateway = t.gateway(proxy_to(ups[0].port), workers=2, arguments=["--watch"])
    kept, fresh = Load(gateway.port, 2), Load(gateway.port, 2, fresh=True)
    for number in range(12):
        before = gateway.loads()
        gateway.write(proxy_to(ups[(number + 1) % 2].port))
        if number % 3 == 0:
            equal(gateway.reload().returncode, 0, "exit code of the reload")
        elif number % 3 == 1:
            equal(gateway.hang_up(), True, "loaded")
        else:
            wait_until(lambda: gateway.loads() > before or kept.failures, "the watched file is loaded")
        kept.more(30)
    equal(kept.end() + fresh.end(), [], f"failures of {kept.count + fresh.count} requests")
    equal(kept.bodies, {b"a", b"b"}, "answers")


@test
def reload_leaves_running_exchanges_and_tunnels_alone(t):
    go_on = threading.Event()

    def reply(exchange):
        if exchange.request.target == "/tunnel":
            exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while True:
                exchange.send(exchange.reader.exact(1))
        go_on.wait(10)
        exchange.send(answer(b"late"))
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port))
    slow, tunnel = t.client(gateway), t.client(gateway)
    slow.send(request_bytes("GET", "/slow"))
    equal(tunnel.request("GET", "/tunnel", "Connection: Upgrade", "Upgrade: websocket").status, 101, "status of the tunnel")
    wait_until(lambda: len(upstream.requests) == 2, "both are under way")
    gateway.write(proxy_to(answers(t, "new").port))
    equal(gateway.reload().returncode, 0, "exit code of the reload")
    tunnel.send(b"x")
    equal(tunnel.reader.exact(1), b"x", "the tunnel goes on")
    go_on.set()
    equal(slow.response().body, b"late", "the exchange ends with the old configuration")
    equal(slow.get("/x").body, b"new", "the next one has the new configuration")


@test
def reloads_do_not_leak(t):
    upstream = answers(t, "a")
    gateway = t.gateway(proxy_to(upstream.port))
    client = t.client(gateway)

    def some():
        for _ in range(15):
            equal(gateway.reload().returncode, 0, "exit code")
            equal(client.get("/x").status, 200, "status")
    some()
    descriptors, memory = gateway.descriptors(), gateway.memory()
    some()
    check(gateway.descriptors() <= descriptors + 2, f"descriptors: {descriptors}, then {gateway.descriptors()}")
    gateway.check_growth(memory, 8 << 20)


@test
def sigterm_lets_a_slow_request_finish(t):
    go_on = threading.Event()

    def reply(exchange):
        go_on.wait(10)
        exchange.send(answer(b"late"))
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port), settings={"linger_timeout": "300ms"})
    idle, slow = t.client(gateway), t.client(gateway)
    slow.send(request_bytes("GET", "/slow"))
    wait_until(lambda: upstream.requests, "the slow request is under way")
    gateway.is_expected_to_end = True
    gateway.signal(signal.SIGTERM)
    check(idle.is_closed(), "idle connections are closed")
    wait_until(lambda: _is_refused(gateway.port), "no new connections are taken")
    check(gateway.is_alive(), "it waits for the slow request")
    go_on.set()
    response = slow.response()
    equal((response.status, response.body, response.header("Connection")), (200, b"late", "close"), "the slow answer")
    equal(gateway.wait(), 0, "exit code")


def _is_refused(port):
    try:
        Client(port).end()
    except OSError:
        return True
    return False


def _in_hand(t, **settings):
    upstream = t.upstream(lambda exchange: exchange.hold())
    gateway = t.gateway(proxy_to(upstream.port), settings=settings)
    client = t.client(gateway)
    client.send(request_bytes("GET", "/slow"))
    wait_until(lambda: upstream.requests, "the request is under way")
    return gateway, client


@test
def second_sigterm_ends_at_once(t):
    gateway, client = _in_hand(t)
    gateway.is_expected_to_end = True
    gateway.signal(signal.SIGTERM)
    wait_until(lambda: _is_refused(gateway.port), "it drains")
    start = time.monotonic()
    gateway.signal(signal.SIGTERM)
    gateway.wait(5)
    check(time.monotonic() - start < 4, "at once")
    equal(client.everything(), b"", "the request in hand is cut")


@test
def drain_has_a_deadline(t):
    gateway, _ = _in_hand(t, drain_timeout="500ms")
    gateway.is_expected_to_end = True
    gateway.signal(signal.SIGTERM)
    gateway.wait(8)


@test
def sigint_drains_too(t):
    gateway = t.gateway(proxy_to(answers(t, "a").port))
    equal(t.client(gateway).get("/x").status, 200, "status")
    gateway.signal(signal.SIGINT)
    equal(gateway.wait(5), 0, "exit code")


@test(seconds=60)
def drain_under_load_fails_no_request(t):
    """Clients that are told to close, or whose connection is refused afterwards, have lost nothing."""
    upstream = answers(t, "a")
    gateway = t.gateway(proxy_to(upstream.port))
    load = Load(gateway.port, 4)
    load.more(100)
    gateway.is_expected_to_end = True
    gateway.signal(signal.SIGTERM)
    equal(gateway.wait(10), 0, "exit code")
    failures = load.end()
    # An idle kept connection may be closed in the moment the next request leaves: RFC 9112 9.5. What had an answer begun
    # must be whole, and there is no error status.
    bad = [one for one in failures if "ConnectionRefused" not in one and "closed after b''" not in one and "reset after b''" not in one
           and "BrokenPipe" not in one and "ConnectionReset" not in one]
    equal(bad, [], "failures")


@test
def taken_port_is_named(t):
    upstream = answers(t, "a")
    gateway = t.gateway(proxy_to(upstream.port))
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen(1)
    port = other.getsockname()[1]
    finished = command("run", gateway.document, "--listen", f"127.0.0.1:{port}", "--admin-listen", "127.0.0.1:0", loop=t.loop)
    other.close()
    equal(finished.returncode, 1, "exit code")
    contains(finished.stderr, f"127.0.0.1:{port}", "what it says")
    contains(finished.stderr.lower(), "in use", "what it says")


@test
def address_that_is_not_ours(t):
    upstream = answers(t, "a")
    folder = t.folder()
    (folder / "kong.yaml").write_text(proxy_to(upstream.port))
    finished = command("run", folder / "kong.yaml", "--listen", "192.0.2.1:8000", "--admin-listen", "127.0.0.1:0", loop=t.loop)
    equal(finished.returncode, 1, "exit code")
    contains(finished.stderr, "192.0.2.1:8000", "what it says")


@test
def pid_file(t):
    folder = t.folder()
    gateway = t.gateway(proxy_to(answers(t, "a").port), settings={"pid_file": folder / "pid"})
    path = folder / "pid"
    wait_until(lambda: path.exists() and path.read_text().strip(), "the file is there")
    equal(int(path.read_text()), gateway.pid, "content")
    gateway.signal(signal.SIGTERM)
    gateway.wait()
    check(not path.exists(), "it is removed at the end")


@test
def systemd_is_told(t):
    folder = t.folder()
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(folder / "notify"))
    notify.settimeout(10)
    gateway = t.gateway(proxy_to(answers(t, "a").port), env={"NOTIFY_SOCKET": str(folder / "notify")})
    contains(notify.recv(4096), b"READY=1", "at the start")
    equal(gateway.reload().returncode, 0, "exit code of the reload")
    contains(notify.recv(4096), b"RELOADING=1", "at a reload")
    contains(notify.recv(4096), b"READY=1", "after it")
    gateway.signal(signal.SIGTERM)
    gateway.wait()
    contains(notify.recv(4096), b"STOPPING=1", "at the end")
    notify.close()


@test
def socket_activation(t):
    """LISTEN_FDS: a listener that was there before us is taken over, and nothing else is bound."""
    upstream = answers(t, "a")
    folder = t.folder()
    (folder / "kong.yaml").write_text(proxy_to(upstream.port))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    port = listener.getsockname()[1]
    gateway = harness.Gateway(None, t.loop, t.folder(), document_path=folder / "kong.yaml", listen=f"127.0.0.1:{port}")
    t.own(gateway)
    t.gateways.append(gateway)
    line = gateway.command_line()

    def hand_over():
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
    with open(gateway.error_path, "ab") as errors:
        # The shell's exec keeps the process number, which LISTEN_PID must name.
        gateway.process = subprocess.Popen(["sh", "-c", 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"', "sh", *map(str, line)],
                                           env=harness.environment(t.loop), stdout=subprocess.DEVNULL, stderr=errors,
                                           preexec_fn=hand_over, pass_fds=(3,), cwd=folder)
    wait_until(lambda: "(proxy)" in gateway.log() or not gateway.is_alive(), "it serves")
    client = t.client(port)
    equal(client.get("/x").status, 200, "status")
    listener.close()


@test(seconds=60)
def upgrade_of_the_program_refuses_no_connection(t):
    """SIGUSR2: a new process takes the listeners over, the old one drains; clients on new connections notice nothing."""
    upstream = answers(t, "a")
    folder = t.folder()
    ports = [free_port() for _ in range(2)]
    gateway = t.gateway(proxy_to(upstream.port), settings={"pid_file": folder / "pid"}, listen=f"127.0.0.1:{ports[0]}",
                        admin_listen=f"127.0.0.1:{ports[1]}")
    load = Load(gateway.port, 3, fresh=True)
    load.more(50)
    gateway.is_expected_to_end = True
    successor = None
    try:
        gateway.signal(signal.SIGUSR2)
        equal(gateway.wait(15), 0, "exit code of the old process")
        successor = int((folder / "pid").read_text())
        check(successor != gateway.pid, "the pid file names the new process")
        load.more(100)
        equal(load.end(), [], f"failures of {load.count} requests")
        equal(gateway.status()["pid"], successor, "the admin pages are the new process's")
        check("warning" not in gateway.log(), "the new process warns of what the old one told it")
    finally:
        load.is_over = True
        text = (folder / "pid").read_text() if (folder / "pid").exists() else ""
        if text.strip() and int(text) != gateway.pid:
            os.kill(int(text), signal.SIGTERM)
            os.kill(int(text), signal.SIGTERM)


@test
def upgrade_that_fails_changes_nothing(t):
    """The new process does not like its document: the old one says so and goes on."""
    gateway = t.gateway(proxy_to(answers(t, "a").port))
    gateway.write("services: [")
    gateway.signal(signal.SIGUSR2)
    wait_until(lambda: "[upgrade]" in gateway.log() and "goes on" in gateway.log(), "the log says that it failed")
    equal(t.client(gateway).get("/x").status, 200, "status")
    equal(gateway.is_alive(), True, "alive")


@test
def crash_of_nobody_by_signals_of_everyday(t):
    """SIGPIPE and SIGUSR1 (reopen the logs) end nothing."""
    gateway = t.gateway(proxy_to(answers(t, "a").port))
    for number in (signal.SIGPIPE, signal.SIGUSR1):
        gateway.signal(number)
    equal(t.client(gateway).get("/x").status, 200, "status")


@test
def reload_of_nobody(t):
    port = free_port()
    finished = command("reload", "--admin-listen", f"127.0.0.1:{port}")
    equal(finished.returncode, 1, "exit code")
    contains(finished.stderr, f"127.0.0.1:{port}", "what it says")


@test
def removed_route_is_gone_for_kept_connections_too(t):
    upstream = answers(t, "a")
    gateway = t.gateway(proxy_to(upstream.port, route="paths: [/x, /y]"))
    client = t.client(gateway)
    equal(client.get("/y").status, 200, "before")
    gateway.write(proxy_to(upstream.port, route="paths: [/x]"))
    equal(gateway.reload().returncode, 0, "exit code")
    equal(client.get("/y").status, 404, "after")
    try:
        equal(client.get("/x").status, 200, "the other one")
    except Closed as closed:
        check(False, f"closed: {closed}")
