#!/usr/bin/env python3
"""Real processes that die, hang, move and come back, under load; prints what each kind of fault cost the clients.

The gateway stands in front of ten nginx that share one name. One kind of fault after the other is done to them again and
again, while wrk sends GET requests on 32 connections and POST requests on 8. At least one target lives at any time.

    make chaos                      # ten minutes
    scripts/chaos.py --seconds 10   # each kind of fault for ten seconds
    scripts/chaos.py --only stop    # one kind

Exit status 1: an idempotent request failed, or any request failed while nothing but the gateway itself was touched.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGETS = 10
NAME = "backend.chaos.test"

DOCUMENT = """_format_version: "3.0"
upstreams:
- name: backends
  targets: [{{target: "{name}:{port}", weight: 100}}]
  panic_threshold: 30
  healthchecks:
    active:
      type: http
      http_path: /health
      timeout: 1
      healthy: {{interval: 1, successes: 1}}
      unhealthy: {{interval: 1, tcp_failures: 1, timeouts: 1, http_failures: 1}}
    passive:
      unhealthy: {{tcp_failures: 1, timeouts: 1}}
services:
- name: app
  host: backends
  retries: 9
  connect_timeout: 1000
  read_timeout: 1000
  write_timeout: 1000
  routes: [{{name: all, paths: [/]}}]
"""

NGINX = """daemon off; master_process on; worker_processes 1; pid {folder}/pid; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen {address}:{port}; location / {{ return 200 "{filler}"; }} }}
}}
"""

# wrk counts a whole connection's trouble as one of each; `done` gives the sums.
SCRIPT = """wrk.method = "{method}"
wrk.body = {body}
function done(summary)
  local e = summary.errors
  io.write(string.format('RESULT {{"requests": %d, "status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}}\\n',
    summary.requests, e.status, e.connect, e.read, e.write, e.timeout))
end
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Target:
    """One nginx on an address of its own."""

    def __init__(self, folder, number, port):
        self.folder = folder / f"target-{number}"
        self.folder.mkdir()
        self.address = f"127.0.1.{number + 1}"
        self.config = self.folder / "nginx.conf"
        self.config.write_text(NGINX.format(folder=self.folder, address=self.address, port=port, filler="x" * 1024))
        self.port = port
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([nginx(), "-p", str(self.folder), "-c", str(self.config)],
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                socket.create_connection((self.address, self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"nginx on {self.address}:{self.port} does not start")

    def signal_all(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def kill(self):
        self.signal_all(signal.SIGKILL)
        self.process.wait()

    def quit(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def kill_worker(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)


def nginx():
    return shutil.which("nginx") or "/usr/sbin/nginx"


class World:
    def __init__(self, folder, binary):
        self.folder = folder
        self.port = free_port()
        self.targets = [Target(folder, number, self.port) for number in range(TARGETS)]
        self.listen = free_port()
        self.dns_port = free_port()
        self.hosts = folder / "hosts"
        self.publish(self.targets)
        self.dns = subprocess.Popen(
            [shutil.which("dnsmasq") or "/usr/sbin/dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
             f"--addn-hosts={self.hosts}", f"--port={self.dns_port}", "--listen-address=127.0.0.1", "--bind-interfaces",
             "--local-ttl=1", "--local=/test/", f"--user={os.environ.get('USER', 'root')}", f"--pid-file={folder / 'dns.pid'}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        document = folder / "chaos.yaml"
        document.write_text(DOCUMENT.format(name=NAME, port=self.port))
        self.log = folder / "gateway.log"
        settings = {"dns_resolver": f"127.0.0.1:{self.dns_port}", "dns_hostsfile": "", "keepalive_requests": "0"}
        words = [str(binary), "run", str(document), "--listen", f"127.0.0.1:{self.listen}", "--admin-listen", "off",
                 "--log", "off"]
        for name, value in settings.items():
            words += ["--set", f"{name}={value}"]
        time.sleep(0.3)
        self.gateway = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=open(self.log, "wb"), start_new_session=True)
        self.wait_for_answer()

    def wait_for_answer(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.listen), 1) as one:
                    one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    if b" 200 " in one.recv(100):
                        return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"the gateway does not answer: {self.log.read_text()[-500:]}")

    def publish(self, targets):
        self.hosts.write_text("".join(f"{one.address} {NAME}\n" for one in targets))

    def change_records(self, targets):
        self.publish(targets)
        self.dns.send_signal(signal.SIGHUP)

    def serving(self):
        """The process that serves now: an upgrade starts another."""
        for line in reversed(self.log.read_text(errors="replace").splitlines()):
            if " serving " in line and "pid=" in line:
                return int(line.rsplit("pid=", 1)[1].split()[0])
        return self.gateway.pid

    def signal_gateway(self, number):
        try:
            os.kill(self.serving(), number)
        except ProcessLookupError:
            pass

    def end(self):
        for one in self.targets:
            one.signal_all(signal.SIGCONT)
            one.kill()
        self.dns.terminate()
        self.dns.wait()
        try:
            os.killpg(self.gateway.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.gateway.wait()


# ---- kinds of faults: each does one round of disorder and puts all back

def nothing(world, chance, pause):
    pause(0.5)


def kill_one(world, chance, pause):
    one = chance.choice(world.targets)
    one.kill()
    pause(1.5)
    one.start()
    pause(1)


def kill_most(world, chance, pause):
    victims = chance.sample(world.targets, TARGETS - 1)
    for one in victims:
        one.kill()
    pause(2)
    for one in victims:
        one.start()
    pause(3)


def stop_one(world, chance, pause):
    one = chance.choice(world.targets)
    one.signal_all(signal.SIGSTOP)
    pause(3)
    one.signal_all(signal.SIGCONT)
    pause(2)


def close_port(world, chance, pause):
    one = chance.choice(world.targets)
    one.quit()
    pause(1.5)
    one.start()
    pause(1)


def kill_worker(world, chance, pause):
    chance.choice(world.targets).kill_worker()
    pause(0.5)


def change_records(world, chance, pause):
    world.change_records(chance.sample(world.targets, chance.randint(1, TARGETS)))
    pause(1)


def reload(world, chance, pause):
    world.signal_gateway(signal.SIGHUP)
    pause(1)


def upgrade(world, chance, pause):
    world.signal_gateway(signal.SIGUSR2)
    pause(3)


def all_at_once(world, chance, pause):
    dead, hung = chance.sample(world.targets, 2)
    dead.kill()
    hung.signal_all(signal.SIGSTOP)
    world.change_records(chance.sample(world.targets, TARGETS - 2) + [dead, hung])
    reload(world, chance, pause)
    pause(1)
    hung.signal_all(signal.SIGCONT)
    dead.start()
    world.change_records(world.targets)
    reload(world, chance, pause)


# name: what it does, how, and whether a request of any kind may fail
FAULTS = {
    "none": ("nothing", nothing, False),
    "kill": ("kill -9 of a target, which comes back", kill_one, True),
    "kill-most": ("kill -9 of nine of ten targets at once", kill_most, True),
    "stop": ("SIGSTOP of a target for three seconds", stop_one, True),
    "close": ("a target closes its port in order", close_port, True),
    "worker": ("kill -9 of a target's worker process", kill_worker, True),
    "records": ("other addresses behind the name, each second", change_records, False),
    "reload": ("reload of the gateway, each second", reload, False),
    "upgrade": ("upgrade of the gateway's program", upgrade, False),
    "all": ("kill, stop, records and reload at once", all_at_once, True),
}


class Load:
    def __init__(self, world, method, connections, seconds):
        script = world.folder / f"{method}.lua"
        script.write_text(SCRIPT.format(method=method, body='"0123456789"' if method == "POST" else "nil"))
        self.process = subprocess.Popen(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "20s", "-s", str(script), f"http://127.0.0.1:{world.listen}/"],
            stdout=subprocess.PIPE, text=True)

    def result(self):
        out = self.process.communicate()[0]
        for line in out.splitlines():
            if line.startswith("RESULT "):
                return json.loads(line[7:])
        raise SystemExit(f"wrk said nothing: {out[-300:]}")


def failed(result):
    return sum(result[kind] for kind in ("status", "connect", "read", "write", "timeout"))


def run_fault(world, name, seconds, chance):
    _, disorder, _ = FAULTS[name]
    loads = [Load(world, "GET", 32, seconds), Load(world, "POST", 8, seconds)]
    end = time.monotonic() + seconds - 1
    is_over = threading.Event()

    def pause(span):
        is_over.wait(span)

    rounds = 0
    while time.monotonic() < end:
        disorder(world, chance, pause)
        rounds += 1
    results = [load.result() for load in loads]
    world.change_records(world.targets)
    time.sleep(2.5)  # all are back, probed and in the records before the next kind
    return rounds, *results


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seconds", type=int, default=60, help="of each kind of fault (60)")
    words.add_argument("--only", choices=FAULTS, action="append", help="this kind; may be repeated")
    words.add_argument("--seed", type=int, default=int(time.time()))
    words.add_argument("--binary", default=os.environ.get("CARDEA_BINARY", str(ROOT / "build" / "cardea")))
    given = words.parse_args()
    chance = random.Random(given.seed)
    print(f"seed {given.seed}, {TARGETS} targets, {given.seconds} s of each kind\n")
    print("| fault | rounds | GET requests | failed | POST requests | failed | how they failed |")
    print("|---|---|---|---|---|---|---|", flush=True)
    broken = []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cardea-chaos-"))
    world = World(folder, given.binary)
    try:
        for name in given.only or FAULTS:
            said, _, may_lose = FAULTS[name]
            rounds, get, post = run_fault(world, name, given.seconds, chance)
            kinds = ", ".join(f"{method} {kind} {result[kind]}" for method, result in (("GET", get), ("POST", post))
                              for kind in ("status", "connect", "read", "write", "timeout") if result[kind])
            print(f"| {said} | {rounds} | {get['requests']} | {failed(get)} | {post['requests']} | {failed(post)} | {kinds} |", flush=True)
            if failed(get) or (failed(post) and not may_lose):
                broken.append(name)
    finally:
        world.end()
    if broken:
        print(f"\nfailed: {', '.join(broken)}; the gateway's log: {world.log}")
        return 1
    shutil.rmtree(folder)
    print("\nno idempotent request failed, and none of any kind where only records and the gateway changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
