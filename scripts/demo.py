"""The demo: starts the services and the gateway, shows lines to try, and stops everything on Ctrl-C.

With --check it runs every line itself, on free ports, and ends with a line of counts. Called by scripts/demo."""

import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "examples/petstore.yaml"
SERVICES = [("users", 9001), ("orders", 9002), ("pets", 9003), ("pets", 9004)]
GATEWAY, ADMIN = 8000, 8001


def lines(gateway, admin, document):
    """Title, command, and what its output must look like."""
    url = f"http://127.0.0.1:{gateway}"
    ask = "" if admin == ADMIN else f" --admin-listen 127.0.0.1:{admin}"
    return [
        ("A service behind a path", f"curl -s {url}/users", r'"name": "Ada"'),
        ("One item of it; the path is passed on as it is", f"curl -s {url}/users/2", r'"name": "Grace"'),
        ("Add one", f"curl -s -X POST -d '{{\"name\": \"Edsger\"}}' {url}/users", r'"name": "Edsger", "id": 3'),
        ("A path that is stripped: the service sees /2", f"curl -s {url}/shop/orders/2", r'"state": "open"'),
        ("A method without a route", f"curl -s -X DELETE {url}/shop/orders/2", r"no Route matched with those values"),
        ("Two targets taking turns", f"for i in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null -w '%header{{x-instance}} ' {url}/pets; done",
         r"^(\d+) (?:\1 )*(?!\1)\d+ "),
        ("A regular expression", f"curl -s {url}/pet/1", r'"name": "Rex"'),
        ("By host name", f"curl -s -H 'Host: pets.example.com' {url}/2", r'"name": "Tom"'),
        ("No route at all", f"curl -s -i {url}/nothing", r"(?s)404 .*no Route matched with those values"),
        ("What the service sees of a request", f"curl -s {url}/echo?q=1", r"(?i)\"x-forwarded-for\": \"127\.0\.0\.1\""),
        ("A slow answer", f"curl -s '{url}/slow?seconds=0.2'", r'"waited_seconds": 0.2'),
        ("A WebSocket", f"python3 examples/demo/websocket.py ws://127.0.0.1:{gateway}/ws hello", r"^hello$"),
        ("A large upload, streamed", f"head -c 100000000 /dev/zero | curl -s -T - {url}/upload", r'"received_bytes": 100000000,'),
        ("A large download, streamed", f"curl -s -o /dev/null -w '%{{size_download}}' '{url}/download?bytes=100000000'", r"^100000000$"),
        ("The state of the gateway", f"build/cardea status{ask}", r"\S"),
        ("Its metrics, for Prometheus", f"curl -s http://127.0.0.1:{admin}/metrics | grep requests", r"cardea_requests_total \d+"),
        ("Is a document right?", f"build/cardea check {document}", r""),
        ("A new configuration without a pause: edit the document, then", f"build/cardea reload{ask}", r""),
        ("Still there", f"curl -s {url}/users", r'"name": "Ada"'),
    ]


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def is_ready(admin):
    """The first configuration is live."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/ready", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def wait_until(condition, process, name):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{name} ended with {process.returncode} instead of serving")
        if condition():
            return
        time.sleep(0.05)
    raise SystemExit(f"{name} does not serve after 20 seconds")


class Running:
    """The services and the gateway; all of them end with it."""

    def __init__(self, ports, gateway, admin, document, output):
        self.processes = []
        self.admin = admin
        try:
            for (kind, _), port in zip(SERVICES, ports):
                self.start(f"service {kind}", port, [sys.executable, "examples/demo/service.py", kind, "--port", str(port)], None)
            self.gateway = self.start("cardea", gateway, ["build/cardea", "run", str(document), "--listen", f"127.0.0.1:{gateway}",
                                                          "--admin-listen", f"127.0.0.1:{admin}"], output)
        except BaseException:
            self.stop()
            raise

    def start(self, name, port, command, output):
        # A group of its own: Ctrl-C reaches us first, and we stop the gateway before its services.
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
        self.processes.append((process, port, name))
        return process

    def wait(self):
        for process, port, name in self.processes:
            wait_until(lambda port=port: is_open(port), process, name)
        wait_until(lambda: is_ready(self.admin), self.gateway, "cardea")

    def stop(self):
        for process, _, _ in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def check():
    ports = free_ports(len(SERVICES) + 2)
    *services, gateway, admin = ports
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        text = DOCUMENT.read_text()
        for (_, standard), port in zip(SERVICES, services):
            text = text.replace(f"127.0.0.1:{standard}", f"127.0.0.1:{port}")
        document = pathlib.Path(folder) / "petstore.yaml"
        document.write_text(text)
        log = (pathlib.Path(folder) / "log").open("w+")
        running = Running(services, gateway, admin, document, log)
        try:
            running.wait()
            for title, command, expected in lines(gateway, admin, document):
                run = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
                good = run.returncode == 0 and re.search(expected, run.stdout.strip("\n")) is not None
                passed, failed = passed + good, failed + (not good)
                if not good:
                    print(f"failed: {title}\n  {command}\n  ended with {run.returncode}, expected {expected}\n  {run.stdout[:2000]}{run.stderr[:2000]}")
            if running.gateway.poll() is not None:
                failed += 1
                print(f"failed: the gateway ended with {running.gateway.returncode}")
        except SystemExit as reason:
            failed += 1
            print(f"failed: {reason}")
        finally:
            running.stop()
            if failed:
                log.seek(0)
                print("the gateway's log:\n" + log.read()[-8000:])
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def demo():
    taken = [port for port in [GATEWAY, ADMIN] + [port for _, port in SERVICES] if not is_free(port)]
    if taken:
        raise SystemExit(f"Port {', '.join(map(str, taken))} of 127.0.0.1 is taken. The demo needs {GATEWAY} and {ADMIN} for the gateway "
                         f"and {SERVICES[0][1]} to {SERVICES[-1][1]} for its services: end what uses it, then start again.")
    running = Running([port for _, port in SERVICES], GATEWAY, ADMIN, "examples/petstore.yaml", None)

    def leave(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    try:
        running.wait()
        print(f"\nCardea serves examples/petstore.yaml on http://127.0.0.1:{GATEWAY}. To try in another terminal, in this folder:\n")
        for title, command, _ in lines(GATEWAY, ADMIN, "examples/petstore.yaml"):
            print(f"  # {title}\n  {command}\n")
        print("Below: one line per request. Ctrl-C stops everything.\n", flush=True)
        while running.gateway.poll() is None:
            time.sleep(0.2)
        return f"The gateway ended with {running.gateway.returncode}."
    except KeyboardInterrupt:
        print("\nStopping.")
        return 0
    finally:
        running.stop()


if __name__ == "__main__":
    sys.exit(check() if "--check" in sys.argv[1:] else demo())
