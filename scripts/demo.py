"""The demo: starts services, a Redis and a gateway for each example, shows lines to try, and stops everything on Ctrl-C.

With --check it runs every line itself, on free ports, and ends with a line of counts. Called by scripts/demo."""

import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "examples/demo"))
import make_token

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
HOSTS = EXAMPLES / "demo/hosts"
PETSTORE = [("users", 9001), ("orders", 9002), ("pets", 9003), ("pets", 9004)]  # behind petstore.yaml, on 127.0.0.1
GREETER = 9005  # the gRPC service, behind petstore.yaml too
NAMED = [("pets", "pets-backend", 8080), ("orders", "orders-backend", 8081), ("pets", "petstore-backend", 8080)]
REDIS = 6379
PAGE = 9000
TLS = 8443  # of the gateway of petstore.yaml, beside its port for plain HTTP
# The documents, each served by a gateway of its own: they route the same paths.
DOCUMENTS = {"petstore": ["petstore.yaml"], "pets-and-orders": ["pets-and-orders.yaml", "consumers.yaml"],
             "petstore-chain": ["petstore-chain.yaml", "consumers.yaml"]}
PORTS = {"petstore": (8000, 8001), "pets-and-orders": (8010, 8011), "petstore-chain": (8020, 8021)}  # proxy, admin


class Place:
    """Where everything of one demo listens, and the files that say so."""

    def __init__(self, services, greeter, page, tls, ports, hosts, documents):
        self.services = services    # ports of PETSTORE
        self.greeter = greeter
        self.page = page
        self.tls = tls
        self.ports = ports
        self.hosts = hosts
        self.documents = documents  # files by name of DOCUMENTS
        lines = [line.split() for line in hosts.read_text().splitlines() if line and not line.startswith("#")]
        self.addresses = {name: words[0] for words in lines for name in words[1:]}

    def listeners(self):
        """(address, port) of everything."""
        out = [("127.0.0.1", port) for port in (*self.services, self.greeter, self.page, self.tls, *(port for pair in self.ports.values() for port in pair))]
        out += [(self.addresses[name], port) for _, name, port in NAMED]
        return [*out, (self.addresses["redis"], REDIS)]


def usual_place():
    documents = {name: [EXAMPLES / file for file in files] for name, files in DOCUMENTS.items()}
    return Place([port for _, port in PETSTORE], GREETER, PAGE, TLS, PORTS, HOSTS, documents)


def free_place(folder):
    """Beside a demo that runs: free ports, and addresses that nobody else has."""
    *services, greeter, page, tls, a, b, c, d, e, f = free_ports(len(PETSTORE) + 9)
    hosts = folder / "hosts"
    hosts.write_text(HOSTS.read_text().replace("127.0.7.", f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}."))
    text = (EXAMPLES / "petstore.yaml").read_text()
    for (_, standard), port in zip([*PETSTORE, ("greeter", GREETER)], [*services, greeter]):
        text = text.replace(f"127.0.0.1:{standard}", f"127.0.0.1:{port}")
    (folder / "petstore.yaml").write_text(text)
    documents = usual_place().documents | {"petstore": [folder / "petstore.yaml"]}
    return Place(services, greeter, page, tls, {"petstore": (a, b), "pets-and-orders": (c, d), "petstore-chain": (e, f)}, hosts, documents)


def page_address(place):
    gateway = f"http://127.0.0.1:{place.ports['pets-and-orders'][0]}"
    return f"http://localhost:{place.page}/#gateway={gateway}&token={make_token.token('alice')}"


TOKENS_TITLE = "First, once in that terminal: tokens of two consumers, and what is worth seeing of a head"
TOKENS = """\
alice="Authorization: Bearer $(python3 examples/demo/make_token.py alice)"
  bob="Authorization: Bearer $(python3 examples/demo/make_token.py bob)"
  show() { grep -iE '^(http|x-cache-status|ratelimit|x-asked-for|access-control|retry-after)'; }"""


def petstore_lines(place):
    """Title, command, and what its output must look like."""
    gateway, admin = place.ports["petstore"]
    url = f"http://127.0.0.1:{gateway}"
    greet = f"python3 examples/demo/grpc_service.py --call 127.0.0.1:{gateway}"
    failing = f"http://127.0.0.1:{place.services[3]}"
    ask = "" if admin == PORTS["petstore"][1] else f" --admin-listen 127.0.0.1:{admin}"
    document = place.documents["petstore"][0]
    document = document.relative_to(ROOT) if document.is_relative_to(ROOT) else document
    return [
        ("A service behind a path", f"curl -s {url}/users", r'"name": "Ada"'),
        ("One item of it; the path is passed on as it is", f"curl -s {url}/users/2", r'"name": "Grace"'),
        ("Add one", f"curl -s -X POST -d '{{\"name\": \"Edsger\"}}' {url}/users", r'"name": "Edsger", "id": 3'),
        ("A path that is stripped: the service sees /2", f"curl -s {url}/shop/orders/2", r'"state": "open"'),
        ("Over TLS, with the certificate that the gateway made for itself", f"curl -sk https://localhost:{place.tls}/users/2", r'"name": "Grace"'),
        ("A method without a route", f"curl -s -X DELETE {url}/shop/orders/2", r"no Route matched with those values"),
        ("Two targets taking turns (each worker of the gateway counts for itself)", f"for i in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null -w '%header{{x-instance}} ' {url}/pets; done",
         r"^(\d+) (?:\1 )*(?!\1)\d+ "),
        ("A regular expression", f"curl -s {url}/pet/1", r'"name": "Rex"'),
        ("By host name", f"curl -s -H 'Host: pets.example.com' {url}/2", r'"name": "Tom"'),
        ("No route at all", f"curl -s -i {url}/nothing", r"(?s)404 .*no Route matched with those values"),
        ("What the service sees of a request", f"curl -s '{url}/echo?q=1'", r"(?i)\"x-forwarded-for\": \"127\.0\.0\.1\""),
        ("A slow answer", f"curl -s '{url}/slow?seconds=0.2'", r'"waited_seconds": 0.2'),
        ("A WebSocket", f"python3 examples/demo/websocket.py ws://127.0.0.1:{gateway}/ws hello", r"^hello$"),
        ("A call of gRPC", f"{greet} Hello Ada", r"^Hello Ada$"),
        ("Answers one by one, and a talk in both directions", f"{greet} Count 5; {greet} Chat Ada Grace", r"(?s)^1 2 3 4 5\nHello Ada\nHello Grace$"),
        ("A status that the service gives, and one of the gateway's own", f"{greet} Count x; {greet} /other.Service/Hello Ada",
         r"(?s)^INVALID_ARGUMENT: a number up to 1000\nNOT_FOUND: NotFound$"),
        ("A large upload, streamed", f"head -c 100000000 /dev/zero | curl -s -T - {url}/upload", r'"received_bytes": 100000000,'),
        ("A large download, streamed", f"curl -s -o /dev/null -w '%{{size_download}}' '{url}/download?bytes=100000000'", r"^100000000$"),
        ("Every target, and whether it is well", f"build/cardea status upstreams{ask}", r"(?s)pets.*HEALTHY"),
        ("Let one of the two pets services fail: a second later nobody meets it any more",
         f"curl -s -X POST {failing}/fail; sleep 2; for i in 1 2 3 4 5 6; do curl -s -o /dev/null -w '%{{http_code}} ' {url}/pets; done", r"(?s)\n(200 ){6}$"),
        ("What the gateway knows of it", f"build/cardea status upstreams{ask}", r"UNHEALTHY .*http_failure 500, found by a probe"),
        ("Mended: two good probes, and it is back", f"curl -s -X POST {failing}/mend; sleep 3; build/cardea status upstreams{ask}", r"success 200, found by a probe"),
        ("The state of the gateway", f"build/cardea status{ask}", r"\S"),
        ("Its metrics, for Prometheus", f"curl -s http://127.0.0.1:{admin}/metrics | grep requests", r"cardea_requests_total \d+"),
        ("Is a document right?", f"build/cardea check {document}", r""),
        ("A new configuration without a pause: edit the document, then", f"build/cardea reload{ask}", r""),
        ("Still there", f"curl -s {url}/users", r'"name": "Ada"'),
    ]


def chain_lines(place):
    """The same for the two documents whose plugins ask who calls, limit, cache and cut off."""
    pets = f"http://127.0.0.1:{place.ports['pets-and-orders'][0]}/api/v1"
    metrics = f"http://127.0.0.1:{place.ports['pets-and-orders'][1]}/metrics"
    chain = f"http://127.0.0.1:{place.ports['petstore-chain'][0]}/api/v1"
    backend = f"http://{place.addresses['petstore-backend']}:8080"
    alice, bob = '-H "$alice"', '-H "$bob"'
    preflight = "-H 'Origin: https://app.example' -H 'Access-Control-Request-Method: GET' -H 'Access-Control-Request-Headers: authorization'"
    fields = "show"
    return [
        (TOKENS_TITLE, TOKENS, r"^$"),
        ("Nobody in particular", f"curl -s -i {pets}/pets | {fields}", r"401 Unauthorized"),
        ("Alice: her calls are counted in Redis, the answer is kept there", f"curl -s -i {alice} {pets}/pets | {fields}",
         r"(?s)200 OK.*RateLimit-Limit: 100.*X-Cache-Status: Miss"),
        ("Again: from Redis, and counted all the same", f"curl -s -i {alice} {pets}/pets | {fields}", r"(?s)200 OK.*X-Cache-Status: Hit"),
        ("What Redis holds", f"redis-cli -h {place.addresses['redis']} --scan", r"ratelimit"),
        ("A new pet", f"curl -s -X POST {alice} -d '{{\"name\": \"Ida\"}}' {pets}/pets", r'"name": "Ida"'),
        ("A browser asks first", f"curl -s -i -X OPTIONS {preflight} {pets}/pets | {fields}",
         r"(?s)200 OK.*Access-Control-Allow-Origin: https://app.example"),
        ("Orders have a limit of their own", f"curl -s -i {bob} {pets}/orders | {fields}", r"(?s)200 OK.*RateLimit-Limit-Minute: 50|200 OK.*RateLimit-Limit: 50"),
        ("Who called for pets, for Prometheus", f"curl -s {metrics} | grep '^kong_http_requests_total'", r'consumer="alice"'),
        ("The other document: what its service is asked (see X-Asked-For)", f"curl -s -i {alice} {chain}/pets | {fields}",
         r"(?s)200 OK.*GET /v2/pets\?source=gateway"),
        ("A hundred calls a minute, and no more", f"for i in $(seq 105); do curl -s -o /dev/null -w '%{{http_code}}\\n' {bob} {chain}/pets; done | sort | uniq -c",
         r"\d+ 200"),
        ("Let its service fail ...", f"curl -s -X POST {backend}/fail", r'"fails": true'),
        ("... ten times; then the circuit is open, and the service is left alone",
         f"for i in $(seq 12); do curl -s -o /dev/null -w '%{{http_code}} ' -X POST {alice} {chain}/pets; done", r"^(500 ){10}(503 ){2}$"),
        ("For how long", f"curl -s -i -X POST {alice} {chain}/pets | {fields}", r"(?s)503 Service Unavailable.*Retry-After: (30|2\d)"),
        ("As usual again; the circuit closes after 30 seconds", f"curl -s -X POST {backend}/mend", r'"fails": false'),
    ]


def is_free(listener):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(listener)
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


def is_open(listener):
    try:
        socket.create_connection(listener, timeout=1).close()
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


def print_named(name, output):
    for line in output:
        print(f"[{name}] {line}", end="", flush=True)


class Running:
    """The services, Redis and the gateways; all of them end with it."""

    def __init__(self, place, output):
        self.place = place
        self.processes = []  # (process, what it is called, a test whether it serves)
        self.gateways = []
        try:
            for (kind, _), port in zip(PETSTORE, place.services):
                self.service(kind, "127.0.0.1", port)
            for kind, name, port in NAMED:
                self.service(kind, place.addresses[name], port)
            self.start("service greeter", lambda: is_open(("127.0.0.1", place.greeter)),
                       [sys.executable, "examples/demo/grpc_service.py", "--port", str(place.greeter)], None)
            redis = (place.addresses["redis"], REDIS)
            self.start("redis-server", lambda: is_open(redis), ["redis-server", "--bind", redis[0], "--port", str(redis[1]), "--save", "",
                                                                "--appendonly", "no"], subprocess.DEVNULL)
            self.start("the page", lambda: is_open(("127.0.0.1", place.page)),
                       [sys.executable, "-m", "http.server", str(place.page), "--bind", "127.0.0.1", "--directory", "examples/demo/page"], subprocess.DEVNULL)
            self.wait()  # for the services: a gateway that came first would find them dead
            for name, documents in place.documents.items():
                gateway, admin = place.ports[name]
                self.gateways.append(self.start(
                    f"cardea with {name}", lambda admin=admin: is_ready(admin),
                    ["build/cardea", "run", *map(str, documents), "--listen", f"127.0.0.1:{gateway}",
                     *(["--listen", f"127.0.0.1:{place.tls} ssl http2"] if name == "petstore" else []), "--admin-listen", f"127.0.0.1:{admin}",
                     "--set", f"dns_hostsfile={place.hosts}"], output))
        except BaseException:
            self.stop()
            raise

    def service(self, kind, address, port):
        self.start(f"service {kind}", lambda: is_open((address, port)),
                   [sys.executable, "examples/demo/service.py", kind, "--address", address, "--port", str(port)], None)

    def start(self, name, serves, line, output):
        # A group of its own: Ctrl-C reaches us first, and we stop the gateways before their services.
        process = subprocess.Popen(line, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT if output == subprocess.PIPE else output,
                                   start_new_session=True, text=output == subprocess.PIPE)
        self.processes.append((process, name, serves))
        if output == subprocess.PIPE:
            threading.Thread(target=print_named, args=(name.removeprefix("cardea with "), process.stdout), daemon=True).start()
        return process

    def wait(self):
        for process, name, serves in self.processes:
            wait_until(serves, process, name)

    def ended(self):
        """What has ended that should not."""
        return [f"{name} ended with {process.returncode}" for process, name, _ in self.processes if process.poll() is not None]

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
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        place = free_place(pathlib.Path(folder))
        log = (pathlib.Path(folder) / "log").open("w+")
        running = Running(place, log)
        try:
            running.wait()
            for title, command, expected in petstore_lines(place) + chain_lines(place):
                run = subprocess.run(["bash", "-c", command if command == TOKENS else f"{TOKENS}\n{command}"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
                good = run.returncode == 0 and re.search(expected, run.stdout.replace("\r", "").strip("\n")) is not None
                passed, failed = passed + good, failed + (not good)
                if not good:
                    print(f"failed: {title}\n  {command}\n  ended with {run.returncode}, expected {expected}\n  {run.stdout[:2000]}{run.stderr[:2000]}")
            for fault in running.ended():
                failed += 1
                print(f"failed: {fault}")
        except SystemExit as reason:
            failed += 1
            print(f"failed: {reason}")
        finally:
            running.stop()
            if failed:
                log.seek(0)
                print("the gateways' log:\n" + log.read()[-8000:])
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def show(title, lines):
    print(f"{title}\n")
    for what, command, _ in lines:
        print(f"  # {what}\n  {command}\n")


def demo():
    place = usual_place()
    taken = [f"{address}:{port}" for address, port in place.listeners() if not is_free((address, port))]
    if taken:
        raise SystemExit(f"Taken by another program: {', '.join(taken)}. End what uses it, then start again.")
    print("pets-and-orders.yaml has a path that is a regular expression without Kong 3's mark `~`. What `cardea check` says of it,\n"
          "the gateway says when it loads the document:\n", flush=True)
    running = Running(place, subprocess.PIPE)

    def leave(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    try:
        running.wait()
        print("\nThree gateways run, each with a document of examples/. To try in another terminal, in this folder:\n")
        show(f"petstore.yaml on port {PORTS['petstore'][0]}: routing, balancing, streaming", petstore_lines(place))
        show(f"pets-and-orders.yaml on port {PORTS['pets-and-orders'][0]} and petstore-chain.yaml on port {PORTS['petstore-chain'][0]}, with a real "
             "Redis: tokens, limits, CORS, cache, circuit breaker", chain_lines(place))
        print(f"And from a browser, whose page is of another origin:\n\n  {page_address(place)}\n")
        print("Below: one line per request. Ctrl-C stops everything.\n", flush=True)
        while not running.ended():
            time.sleep(0.2)
        return "; ".join(running.ended())
    except KeyboardInterrupt:
        print("\nStopping.")
        return 0
    finally:
        running.stop()


if __name__ == "__main__":
    sys.exit(check() if "--check" in sys.argv[1:] else demo())
