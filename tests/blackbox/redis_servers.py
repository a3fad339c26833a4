"""Real Redis servers for tests: one alone, a group watched by Sentinels, a cluster; each in memory only, on ports of
127.0.0.1. And threads that ask gateways all the time, remembering what came and when."""

import collections
import shutil
import signal
import socket
import subprocess
import threading
import time

from client import Client
from harness import free_port
from testing import Skip, check, need, wait_until


class Complaint(Exception):
    """Redis's own error text."""


class Connection:
    """Speaks to one server; `ask` answers int, bytes, None or a list."""

    def __init__(self, port, seconds=5, address="127.0.0.1"):
        self.socket = socket.create_connection((address, port), timeout=seconds)
        self.file = self.socket.makefile("rb")

    def ask(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self._reply()

    def _reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("Redis went away")
        kind, text = line[:1], line[1:-2]
        if kind == b"-":
            raise Complaint(text.decode())
        if kind == b"+":
            return text
        if kind == b":":
            return int(text)
        size = int(text)
        if kind == b"$":
            return None if size < 0 else self.file.read(size + 2)[:-2]
        return None if size < 0 else [self._reply() for _ in range(size)]

    def end(self):
        self.file.close()
        self.socket.close()


class Redis:
    """One redis-server (or redis-sentinel). `settings` are lines of its configuration."""

    def __init__(self, folder, *settings, port=None, address="127.0.0.1", program="redis-server"):
        self.program = need(program)
        self.folder = folder
        self.address = address
        self.port = port or free_port()
        self.settings = [f"port {self.port}", f"bind {address}", f"dir {folder}", f"logfile {folder}/redis.log", *settings]
        if program == "redis-server":
            self.settings += ['save ""', "appendonly no", "repl-diskless-sync-delay 0"]
        self.process = None
        (folder / "redis.conf").write_text("\n".join(self.settings) + "\n")
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.program, str(self.folder / "redis.conf")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, f"{self.program} does not answer")

    def answers(self):
        try:
            self.ask("PING")
            return True
        except Complaint as complaint:
            return str(complaint).startswith("NOAUTH")
        except OSError:
            return False

    def ask(self, *words, user=None):
        try:
            return self._ask(words, user)
        except ConnectionResetError:  # a Sentinel cuts the connections of whom it promotes
            return self._ask(words, user)

    def _ask(self, words, user):
        connection = Connection(self.port, address=self.address)
        try:
            if user:
                connection.ask("AUTH", *user)
            return connection.ask(*words)
        finally:
            connection.end()

    def info(self, section):
        return dict(line.split(":", 1) for line in self.ask("INFO", section).decode().split("\r\n") if ":" in line)

    def keys(self, pattern="ratelimit:*"):
        return self.ask("KEYS", pattern)

    def counted(self, pattern="ratelimit:*"):
        """The sum of its counters."""
        keys = self.keys(pattern)
        return sum(int(value or 0) for value in self.ask("MGET", *keys)) if keys else 0

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        if self.process.poll() is None:
            self.go_on()
            self.process.kill()
        self.process.wait()


class Watched:
    """A master, a replica, and three Sentinels that fail over within about a second."""

    name = "main"

    def __init__(self, t):
        self.servers = [t.own(Redis(t.folder()))]
        self.servers.append(t.own(Redis(t.folder(), f"replicaof 127.0.0.1 {self.servers[0].port}")))
        self.sentinels = [t.own(Redis(t.folder(), f"sentinel monitor {self.name} 127.0.0.1 {self.servers[0].port} 2",
                                      f"sentinel down-after-milliseconds {self.name} 500",
                                      f"sentinel failover-timeout {self.name} 3000", program="redis-sentinel"))
                          for _ in range(3)]
        wait_until(lambda: self.servers[1].info("replication").get("master_link_status") == "up", "the replica follows")
        wait_until(lambda: all(b"slaves=1,sentinels=3" in sentinel.ask("INFO", "sentinel") for sentinel in self.sentinels),
                   "the Sentinels know each other", 20)

    def config(self):
        nodes = ", ".join(f"{{host: 127.0.0.1, port: {sentinel.port}}}" for sentinel in self.sentinels)
        return f"sentinel_master: {self.name}, sentinel_role: master, sentinel_nodes: [{nodes}]"

    def is_promoted(self, server):
        return server.info("replication")["role"] == "master"


class Cluster:
    """Three masters with a replica each."""

    def __init__(self, t):
        cli = need("redis-cli")
        self.servers = []
        for _ in range(6):
            bus = free_port()
            server = t.own(Redis(t.folder(), "cluster-enabled yes", "cluster-node-timeout 1000", f"cluster-port {bus}",
                                 "cluster-replica-validity-factor 0"))
            server.bus = bus
            self.servers.append(server)
        made = subprocess.run([cli, "--cluster", "create", *(f"127.0.0.1:{server.port}@{server.bus}" for server in self.servers),
                               "--cluster-replicas", "1", "--cluster-yes"], capture_output=True, text=True, timeout=40)
        check(made.returncode == 0, f"redis-cli --cluster create: {made.stdout[-500:]} {made.stderr}")
        for server in self.servers:
            server.id = server.ask("CLUSTER", "MYID").decode()
        wait_until(self.is_whole, "the cluster is whole", 20)

    def is_whole(self):
        roles = collections.Counter()
        for server in self.servers:
            if "cluster_state:ok" not in server.ask("CLUSTER", "INFO").decode():
                return False
            info = server.info("replication")
            roles[info["role"]] += 1
            if info.get("master_link_status", "up") != "up":
                return False
        return roles == {"master": 3, "slave": 3}

    def config(self):
        nodes = ", ".join(f"{{host: 127.0.0.1, port: {server.port}}}" for server in self.servers[:2])
        return f"cluster_nodes: [{nodes}]"

    def masters(self, but=()):
        return [server for server in self.servers
                if server not in but and server.process.poll() is None and server.info("replication")["role"] == "master"]

    def counted(self, but=()):
        return sum(server.counted("*ratelimit:*") for server in self.masters(but))

    def owner(self, slot):
        for first, last, node, *_ in self.masters()[0].ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(server for server in self.servers if server.port == node[1])
        raise AssertionError(f"nobody owns slot {slot}")

    def move(self, slot, to):
        """One slot with its keys, key by key, as the specification has it."""
        source = self.owner(slot)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1):
            source.ask("MIGRATE", "127.0.0.1", to.port, keys[0], 0, 2000)
        for server in [to, source, *self.masters()]:
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id)


class Asking:
    """Threads that ask gateways all the time on kept connections, until `end`."""

    def __init__(self, gateways, threads=2, target="/", until=None):
        self.target = target
        self.until = until           # a status that ends the thread which gets it so many times in a row
        self.count = 0
        self.statuses = collections.Counter()
        self.passed = []             # when each 200 came
        self.longest = 0
        self.failures = []
        self.bodies = {}
        self.is_over = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(gateway.port,), daemon=True)
                        for gateway in gateways for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, port):
        client = None
        refused = 0
        try:
            client = Client(port, seconds=30)
            while not self.is_over:
                began = time.monotonic()
                response = client.get(self.target)
                now = time.monotonic()
                with self.lock:
                    self.count += 1
                    self.statuses[response.status] += 1
                    self.longest = max(self.longest, now - began)
                    self.bodies.setdefault(response.status, response.body)
                    if response.status == 200:
                        self.passed.append(now)
                refused = refused + 1 if response.status == self.until else 0
                if refused >= 20:
                    return
                if response.header("Connection") == "close":
                    client.end()
                    client = Client(port, seconds=30)
        except Exception as error:
            self.failures.append(f"{type(error).__name__}: {error}")
        finally:
            if client:
                client.end()

    def more(self, count=200, seconds=20):
        start = self.count
        wait_until(lambda: self.count >= start + count or self.failures, f"{count} more answers", seconds)

    def all(self, seconds=30):
        """Waits until every thread was refused for good."""
        for thread in self.threads:
            thread.join(seconds)
        return self.end()

    def end(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(30)
            check(not thread.is_alive(), "a request hangs")
        check(not self.failures, f"requests were lost: {self.failures[:3]}")
        return self


def at_the_start_of(period):
    """So that a test falls into one calendar window of so many seconds; waits only if one is about to end."""
    wait_until(lambda: time.time() % period < period - 20, "the next window", 25)


def slot_of(key):
    """CRC-16/XMODEM of the part in braces, or of all."""
    text = key.decode()
    if "{" in text and "}" in text.split("{", 1)[1] and not text.split("{", 1)[1].startswith("}"):
        text = text.split("{", 1)[1].split("}", 1)[0]
    crc = 0
    for byte in text.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xffff
    return crc % 16384


def limited(upstream_port, redis, limits="minute: 1000000", more="", plugin="rate-limiting"):
    """A document whose only route counts by address in Redis. `redis`: the fields of that record, in YAML's flow form."""
    return (f'_format_version: "3.0"\nservices:\n- name: s\n  url: http://127.0.0.1:{upstream_port}\n'
            f'  routes: [{{name: r, paths: [/]}}]\n  plugins:\n  - name: {plugin}\n    config: {{{limits}, limit_by: ip, '
            f'policy: redis, redis: {{{redis}, timeout: 300}}{more}}}\n')


def need_programs():
    for program in ("redis-server", "redis-sentinel", "redis-cli"):
        if shutil.which(program) is None:
            raise Skip(f"no {program}")
