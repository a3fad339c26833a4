"""The gateway under test: starts the real binary with a document in a folder of its own, finds its ports, ends it."""

import functools
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess

from client import Client
from testing import Failure, check, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("CARDEA_BINARY") or str(ROOT / "build" / "cardea")
LISTENING = re.compile(r"listening on \[?([0-9a-fA-F:.]+)\]?:(\d+) \((proxy, TLS|proxy|admin|status)\)")


def proxy_to(port, service="", route="paths: [/]", name="echo"):
    """A document with one service and one route. `service` and `route` are YAML flow entries, such as `retries: 0`."""
    service = f", {service}" if service else ""
    return (f'_format_version: "3.0"\nservices:\n- {{name: {name}, url: "http://127.0.0.1:{port}"{service}, '
            f'routes: [{{name: all, {route}}}]}}\n')


def environment(loop=None, extra=None):
    """Nothing of the caller's own settings reaches the program."""
    out = {key: value for key, value in os.environ.items() if not key.startswith(("KONG_", "CARDEA_", "LISTEN_", "DECK_"))}
    out.pop("NOTIFY_SOCKET", None)
    if loop:
        out["CARDEA_LOOP"] = loop
    out.update(extra or {})
    return out


def command(*arguments, loop=None, env=None, cwd=None, seconds=20, input_text=None):
    """Runs a word of the program to its end."""
    return subprocess.run([BINARY, *map(str, arguments)], env=environment(loop, env), cwd=cwd, timeout=seconds,
                          capture_output=True, text=True, errors="replace", input=input_text)


def free_port():
    """For programs that cannot be told to take any: below the ports that the system gives to connections, since one of
    those may be given away before the program starts."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


@functools.cache
def is_sanitized():
    return b"__asan_init" in pathlib.Path(BINARY).read_bytes()


def product():
    """As it is in Via and Server."""
    text = command("version").stdout
    found = re.search(r"cardea[ /](\d\S*)", text)
    check(found, f"`cardea version` does not tell the version: {text!r}")
    return f"cardea/{found[1]}"


class Gateway:
    def __init__(self, document, loop, folder, settings=None, env=None, arguments=(), workers=1, files=None, limit_files=None,
                 listen="127.0.0.1:0", admin_listen="127.0.0.1:0", document_path=None):
        self.loop = loop
        self.folder = folder
        self.document = folder / "kong.yaml" if document_path is None else document_path
        self.settings = {"prefix": folder, "proxy_access_log": folder / "access.log", **(settings or {})}
        self.env = env or {}
        self.arguments = arguments
        self.workers = workers
        self.limit_files = limit_files
        self.listen = listen
        self.admin_listen = admin_listen
        self.error_path = folder / "stderr"
        self.ports = {}
        self.process = None
        self.is_expected_to_end = False
        if document is not None:
            self.write(document)
        for name, text in (files or {}).items():
            (folder / name).write_text(text, encoding="utf-8")

    # ---- life

    def command_line(self):
        out = [BINARY, "run", *([str(self.document)] if self.document else []), "--admin-listen", self.admin_listen]
        if self.listen:
            out += ["--listen", self.listen]
        if self.workers:
            out += ["--workers", str(self.workers)]
        for name, value in self.settings.items():
            if value is not None:
                out += ["--set", f"{name}={value}"]
        return out + list(map(str, self.arguments))

    def launch(self):
        """Starts the process without waiting for it to serve."""
        line = self.command_line()
        if self.limit_files:
            line = ["sh", "-c", f'ulimit -n {self.limit_files}; exec "$@"', "sh", *line]
        with open(self.error_path, "ab") as errors, open(self.folder / "stdout", "ab") as output:
            self.process = subprocess.Popen(line, env=environment(self.loop, self.env), cwd=self.folder, stdout=output,
                                            stderr=errors, stdin=subprocess.DEVNULL)

    def start(self):
        self.launch()
        wait_until(self._has_started, "the gateway says where it listens", 20)

    def _has_started(self):
        if self.process.poll() is not None:
            raise Failure(f"the gateway did not start: exit {self.process.returncode}")
        for _, port, kind in LISTENING.findall(self.log()):
            self.ports[kind] = int(port)
        return "proxy" in self.ports and "admin" in self.ports

    @property
    def port(self):
        return self.ports["proxy"]

    @property
    def pid(self):
        return self.process.pid

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def check_alive(self):
        if self.process is None or self.is_expected_to_end:
            return
        code = self.process.poll()
        check(code is None, f"the gateway ended by itself with {code}")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=10):
        """The exit code, once it has ended by itself."""
        self.is_expected_to_end = True
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"the gateway has not ended within {seconds} s") from None

    def end(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.is_expected_to_end = True
        self.process.send_signal(signal.SIGTERM)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    # ---- what it says

    def log(self):
        try:
            return self.error_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def access_lines(self, count=1, seconds=5):
        """The access log, once it has that many lines."""
        path = self.folder / "access.log"
        wait_until(lambda: path.exists() and path.read_text(errors="replace").count("\n") >= count,
                   f"{count} lines in the access log", seconds)
        return path.read_text(errors="replace").splitlines()

    def admin(self, target, method="GET", body=None):
        client = Client(self.ports["admin"])
        try:
            return client.request(method, target, "Connection: close", body=body)
        finally:
            client.end()

    def metric(self, name):
        """The sum of all series of that name, or None."""
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", self.admin("/metrics").body.decode(), re.MULTILINE)
        return sum(map(float, found)) if found else None

    def memory(self):
        """Resident bytes of the process."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024

    def check_growth(self, before, bound, what="the work"):
        """Memory held since `before` was measured. A sanitizer keeps what is freed, so its numbers say nothing."""
        grown = self.memory() - before
        check(grown < bound or is_sanitized(), f"memory grew by {grown} bytes over {what}, at most {bound} are right")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    # ---- its document

    def write(self, document, path=None):
        """Replaces the document in one step, as an editor or a deployment does."""
        path = path or self.document
        fresh = path.with_suffix(".new")
        fresh.write_text(document, encoding="utf-8")
        fresh.rename(path)

    def reload(self):
        """`cardea reload` against the admin address of this gateway."""
        return command("reload", "--admin-listen", f"127.0.0.1:{self.ports['admin']}", loop=self.loop, cwd=self.folder)

    def status(self):
        return json.loads(self.admin("/status").body)

    def loads(self):
        """How many reloads went well, and how many did not."""
        reloads = self.status()["reloads"]
        return reloads["loaded"], reloads["failed"]

    def hang_up(self):
        """SIGHUP, and waits for what comes of it; True if the document was loaded."""
        before = self.loads()
        self.signal(signal.SIGHUP)
        after = wait_until(lambda: (now := self.loads()) != before and now, "the reload after SIGHUP shows in the status")
        return after[0] > before[0]
