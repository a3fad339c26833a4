#!/usr/bin/env python3
"""Everything on, for long: is memory flat, do descriptors stay, do the counters agree?

The gateway serves a document with authentication, limits, transforms, CORS, a cache in memory, a circuit breaker, metrics,
health checks, outlier detection and a log of every request, over plain HTTP/1.1, connections of one request, TLS and HTTP/2.
Targets are killed and come back, and the document is reloaded, all the time.

    make soak                      # an hour
    scripts/soak.py --seconds 300  # shorter

Exit status 1: resident memory of the last third is more than 2 % above that of the middle third, descriptors grew, or
requests, answers and log lines differ.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import chaos

sys.path.insert(0, str(chaos.ROOT / "examples/demo"))
import make_token  # noqa: E402

TARGETS = 4
DOCUMENT = """_format_version: "3.0"
consumers:
- username: alice
  jwt_secrets: [{{key: alice-key, secret: "alice's secret, for the demo only"}}]
upstreams:
- name: backends
  targets: [{targets}]
  panic_threshold: 30
  slow_start: {{window: 2}}
  outlier_detection: {{}}
  limits: {{max_connections: 2000, max_pending: 2000}}
  healthchecks:
    active: {{healthy: {{interval: 1, successes: 1}}, unhealthy: {{interval: 1, tcp_failures: 1, http_failures: 1, timeouts: 1}}}}
    passive: {{unhealthy: {{tcp_failures: 2, timeouts: 2}}}}
services:
- name: app
  host: backends
  retries: 5
  routes:
  - {{name: open, paths: [/open]}}
  - {{name: kept, paths: [/kept], plugins: [{{name: proxy-cache, config: {{strategy: memory, content_type: [text/plain], cache_ttl: 2}}}}]}}
  - name: guarded
    paths: [/guarded]
    plugins:
    - {{name: jwt, config: {{key_claim_name: kid, claims_to_verify: [exp]}}}}
    - {{name: rate-limiting, config: {{second: 1000000, policy: local, limit_by: consumer}}}}
plugins:
- {{name: cors, config: {{origins: ["https://a.example"]}}}}
- {{name: correlation-id, config: {{}}}}
- {{name: request-transformer, config: {{add: {{headers: ["X-Gateway:soak"]}}}}}}
- {{name: response-transformer, config: {{add: {{headers: ["X-Answer:soak"]}}}}}}
- {{name: circuit-breaker, config: {{threshold: 10000, window_size: 60, timeout: 1}}}}
- {{name: admission-control, config: {{limit: 5000, queue: 1000}}}}
- {{name: prometheus, config: {{per_consumer: true, status_code_metrics: true, latency_metrics: true, bandwidth_metrics: true}}}}
- {{name: file-log, config: {{path: /dev/null}}}}
"""


class Gateway:
    def __init__(self, folder, binary, targets):
        self.plain, self.tls, self.admin = chaos.free_port(), chaos.free_port(), chaos.free_port()
        self.log = folder / "access.log"
        self.document = folder / "soak.yaml"
        names = ", ".join(f'{{target: "{one.address}:{one.port}"}}' for one in targets)
        self.document.write_text(DOCUMENT.format(targets=names))
        words = [str(binary), "run", str(self.document), "--admin-listen", f"127.0.0.1:{self.admin}"]
        settings = {"proxy_listen": f"127.0.0.1:{self.plain}, 127.0.0.1:{self.tls} ssl http2", "proxy_access_log": str(self.log),
                    "keepalive_requests": "0"}
        for name, value in settings.items():
            words += ["--set", f"{name}={value}"]
        self.errors = open(folder / "error.log", "wb")
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=self.errors)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                self.page("/status/ready")
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"the gateway does not start: {(folder / 'error.log').read_text()[-800:]}")

    def page(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=20) as answer:
            return answer.read().decode()

    def number(self, name):
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", self.page("/metrics"), re.MULTILINE)
        return int(sum(float(one) for one in found))

    def resident(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        self.process.terminate()
        return self.process.wait(60)


def loads(gateway, seconds):
    """The programs that send, each for so many seconds."""
    plain, tls = f"http://127.0.0.1:{gateway.plain}", f"https://127.0.0.1:{gateway.tls}"
    bearer = f"Authorization: Bearer {make_token.token('alice')}"
    commands = [
        ["wrk", "-t1", "-c16", f"-d{seconds}", f"{plain}/open"],
        ["wrk", "-t1", "-c8", f"-d{seconds}", "-H", bearer, f"{plain}/guarded"],
        ["wrk", "-t1", "-c4", f"-d{seconds}", f"{plain}/guarded"],  # without a token
        ["wrk", "-t1", "-c4", f"-d{seconds}", "-H", "Connection: close", f"{plain}/kept"],
        ["wrk", "-t1", "-c4", f"-d{seconds}", f"{tls}/kept"],
        ["h2load", "-t1", "-c4", "-m8", f"-D{seconds}", f"{tls}/open"],
    ]
    return [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands]


def lines_in(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def disorder(gateway, targets, turn):
    """One small fault a round, put right in the next."""
    one = targets[turn // 2 % len(targets)]
    if turn % 2:
        one.start()
    else:
        one.kill()
    gateway.process.send_signal(signal.SIGHUP)


def watch(gateway, targets, seconds):
    samples = []
    senders = loads(gateway, seconds)
    begin = time.monotonic()
    turn = 0
    print("| minute | resident KiB | descriptors |\n|---|---|---|", flush=True)
    while any(sender.poll() is None for sender in senders):
        time.sleep(min(5, max(1, seconds / 60)))
        passed = time.monotonic() - begin
        samples.append((passed, gateway.resident(), gateway.descriptors()))
        if passed > seconds * turn / 60 and passed < seconds * 0.9:  # sixty rounds; all are back at the end
            disorder(gateway, targets, turn)
            turn += 1
            if turn % 6 == 0:
                print(f"| {passed / 60:.1f} | {samples[-1][1]} | {samples[-1][2]} |", flush=True)
    if turn % 2:
        disorder(gateway, targets, turn)
    for sender in senders:
        sender.wait()
    return samples


def judge(gateway, samples, before):
    faults = []
    third = samples[-1][0] / 3
    middle = statistics.median(rss for at, rss, _ in samples if third < at <= 2 * third)
    last = statistics.median(rss for at, rss, _ in samples if at > 2 * third)
    growth = (last - middle) / middle * 100
    print(f"\nresident memory: {middle:.0f} KiB in the middle third, {last:.0f} KiB in the last ({growth:+.2f} %)")
    if growth > 2:
        faults.append("memory grew")
    deadline = time.monotonic() + 70  # idle connections to targets are let go of after a minute
    while gateway.descriptors() > before and time.monotonic() < deadline:
        time.sleep(1)
    after = gateway.descriptors()
    print(f"descriptors: {before} before, {after} after")
    if after > before + 2 * TARGETS:  # a probe's connection to each target stays
        faults.append("descriptors grew")
    requests = gateway.number("kong_nginx_requests_total")
    answers = gateway.number("kong_http_requests_total")
    dropped = gateway.number("cardea_log_lines_dropped_total")
    gateway.end()
    lines = lines_in(gateway.log)
    print(f"requests: {requests}, answers counted: {answers}, log lines: {lines} and {dropped} dropped")
    if requests != answers or requests != lines + dropped:
        faults.append("the counters differ")
    return faults


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seconds", type=int, default=3600)
    words.add_argument("--binary", default=os.environ.get("CARDEA_BINARY", str(chaos.ROOT / "build" / "cardea")))
    given = words.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cardea-soak-"))
    port = chaos.free_port()
    targets = [chaos.Target(folder, number, port) for number in range(TARGETS)]
    gateway = Gateway(folder, given.binary, targets)
    try:
        before = gateway.descriptors()
        faults = judge(gateway, watch(gateway, targets, given.seconds), before)
    finally:
        if gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()
        for one in targets:
            one.kill()
    if faults:
        print(f"\nfailed: {', '.join(faults)}; logs in {folder}")
        return 1
    shutil.rmtree(folder)
    print("\nmemory and descriptors are flat, and every request was answered, counted and logged once")
    return 0


if __name__ == "__main__":
    sys.exit(main())
