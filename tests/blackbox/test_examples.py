"""The two documents of the plugins' chain, examples/pets-and-orders.yaml and examples/petstore-chain.yaml, unedited:
each thing that they say, over HTTP with a real Redis, and from a real browser."""

import html
import random
import re
import subprocess
import sys
import time

from harness import ROOT, free_port
from redis_servers import Redis
from testing import check, contains, equal, need, test, wait_until
from upstream import answer

sys.path.insert(0, str(ROOT / "examples/demo"))
import make_token

PETS = "/api/v1/pets"
ORDERS = "/api/v1/orders"
ORIGIN = "Origin: https://app.example"


def json_answer(exchange):
    """Or what the test has put into its place."""
    status = getattr(exchange.upstream, "status", "200 OK")
    exchange.send(answer(b'[{"id": 1, "name": "Rex"}]', status, "Content-Type: application/json", *getattr(exchange.upstream, "fields", [])))


class Bed:
    """The services and Redis under the names that the documents use, and gateways in front of them."""

    def __init__(self, context):
        self.context = context
        block = f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        self.pets = context.upstream(json_answer, address=f"{block}.1", port=8080)
        self.orders = context.upstream(json_answer, address=f"{block}.2", port=8081)
        self.petstore = context.upstream(json_answer, address=f"{block}.3", port=8080)
        self.redis = context.own(Redis(context.folder(), port=6379, address=f"{block}.4"))
        self.hosts = context.folder() / "hosts"
        self.hosts.write_text(f"{block}.1 pets-backend\n{block}.2 orders-backend\n{block}.3 petstore-backend\n{block}.4 redis\n")

    def gateway(self, name, change=lambda text: text):
        document = self.context.folder() / name
        document.write_text(change((ROOT / "examples" / name).read_text()))
        return self.context.gateway(None, document_path=document, arguments=[ROOT / "examples/consumers.yaml"],
                                    settings={"dns_hostsfile": self.hosts})


def token(name="alice", **options):
    return f"Authorization: Bearer {make_token.token(name, **options)}"


def pets_and_orders(t):
    bed = Bed(t)
    return bed, bed.gateway("pets-and-orders.yaml")


def petstore_chain(t):
    bed = Bed(t)
    return bed, bed.gateway("petstore-chain.yaml")


def count_until_refused(client, limit, *request):
    """How many calls pass before one is refused: of the consumers, of one whose calls fall into a single minute."""
    for name in ("alice", "bob"):
        began = time.time() // 60
        for passed in range(limit + 1):
            response = client.request(*request, token(name))
            if response.status == 429:
                return passed, response
            equal(response.status, 200, f"call {passed} of {name}")
        check(time.time() // 60 != began, f"{limit + 1} calls of {name} passed")
    check(False, "each time a minute ended in between")


# ---- pets-and-orders.yaml

@test
def pets_are_for_those_with_a_token(t):
    bed, gateway = pets_and_orders(t)
    client = t.client(gateway)
    for path, upstream in ((PETS, bed.pets), (ORDERS, bed.orders)):
        response = client.get(path)
        equal(response.status, 401, f"{path} without a token")
        contains(response.body.decode(), "Unauthorized", "body")
        equal(client.get(path, token() + "x").status, 401, "another signature")
        equal(upstream.requests, [], "requests at the upstream")
        equal(client.get(path, token()).status, 200, f"{path} with a token")
        equal(upstream.requests[0].header("X-Consumer-Username"), "alice", "who it is, for the upstream")
        equal(upstream.requests[0].target, "/", "the stripped path")


@test
def pets_are_counted_in_redis_for_all_gateways(t):
    bed, gateway = pets_and_orders(t)
    other = bed.gateway("pets-and-orders.yaml")
    first = t.client(gateway).get(PETS, token("bob"))
    equal((first.header("RateLimit-Limit"), first.header("X-RateLimit-Limit-Hour")), ("100", "1000"), "limits")
    passed, refused = count_until_refused(t.client(gateway), 100, "GET", PETS)
    check(passed in (99, 100), f"{passed} passed")
    contains(refused.body.decode(), "API rate limit exceeded", "body")
    contains(refused.body.decode(), "retry_after", "body")
    check(0 < int(refused.header("Retry-After")) <= 60, refused.header("Retry-After"))
    check(bed.redis.keys(), "Redis holds no counters")
    statuses = {t.client(other).get(PETS, token(name)).status for name in ("alice", "bob")}
    check(429 in statuses or int(refused.header("Retry-After")) < 5, f"at the other gateway: {statuses}")


@test
def pets_may_be_read_by_any_page(t):
    bed, gateway = pets_and_orders(t)
    client = t.client(gateway)
    preflight = client.request("OPTIONS", PETS, ORIGIN, "Access-Control-Request-Method: POST",
                               "Access-Control-Request-Headers: authorization,content-type")
    equal((preflight.status, preflight.header("Access-Control-Allow-Origin"), preflight.header("Access-Control-Allow-Credentials"),
           preflight.header("Access-Control-Allow-Headers")),
          (200, "https://app.example", "true", "authorization,content-type"), "preflight")
    equal(bed.pets.requests, [], "requests at the upstream")
    for expected in ("Miss", "Hit"):
        response = client.get(PETS, ORIGIN, token())
        equal((response.header("X-Cache-Status"), [value for name, value in response.headers if name.lower() == "access-control-allow-origin"]),
              (expected, ["https://app.example"]), "answer")
    equal(client.get(PETS, ORIGIN).header("Access-Control-Allow-Origin"), "https://app.example", "on a 401")
    equal(client.get(ORDERS, ORIGIN, token()).header("Access-Control-Allow-Origin"), None, "orders have no cors")


@test
def pets_are_kept_in_redis_for_each_consumer(t):
    bed, gateway = pets_and_orders(t)
    other = bed.gateway("pets-and-orders.yaml")
    client = t.client(gateway)
    equal(client.get(PETS, token()).header("X-Cache-Status"), "Miss", "first")
    wait_until(lambda: client.get(PETS, token()).header("X-Cache-Status") == "Hit", "a hit")
    response = t.client(other).get(PETS, token())
    equal((response.header("X-Cache-Status"), response.body), ("Hit", b'[{"id": 1, "name": "Rex"}]'), "at the other gateway")
    seen = len(bed.pets.requests)
    equal(client.get(PETS, token("bob")).header("X-Cache-Status"), "Miss", "somebody else")
    for _ in range(2):
        equal(client.request("POST", PETS, token(), body=b"{}").status, 200, "POST")
    equal(len(bed.pets.requests), seen + 3, "requests at the upstream")


@test
def pets_are_measured_by_consumer(t):
    bed, gateway = pets_and_orders(t)
    client = t.client(gateway)
    for name in ("alice", "alice", "bob"):
        client.get(PETS, token(name))
    metrics = wait_until(lambda: next((text for text in [gateway.admin("/metrics").body.decode()] if re.search(r'kong_http_requests_total\{[^}]*consumer="bob"', text)), None),
                         "the metrics of bob")
    contains(metrics, 'service="pets-service"', "metrics")
    check(re.search(r'kong_http_requests_total\{[^}]*consumer="alice"[^}]*\} [12]\n', metrics), metrics)


@test
def orders_have_a_limit_of_their_own(t):
    bed, gateway = pets_and_orders(t)
    client = t.client(gateway)
    passed, refused = count_until_refused(client, 50, "GET", ORDERS)
    equal((passed, refused.header("RateLimit-Limit")), (50, "50"), "calls")
    equal(len([request for request in bed.orders.requests if request.header("X-Consumer-Username")]), len(bed.orders.requests), "with an identity")


@test
def pets_are_served_while_redis_is_away(t):
    bed, gateway = pets_and_orders(t)
    client = t.client(gateway)
    equal(client.get(PETS, token()).status, 200, "with Redis")
    bed.redis.end()
    for _ in range(3):
        equal(client.get(PETS, token()).status, 200, "without")
    bed.redis.start()
    wait_until(lambda: bed.redis.keys() or client.get(PETS, token()).status != 200, "Redis in use again")


@test
def the_same_without_redis_needs_nothing(t):
    bed = Bed(t)
    bed.redis.end()

    def local(text):
        text = text.replace("policy: redis, redis_host: redis", "policy: local")
        return text.replace("strategy: redis, redis: {host: redis, port: 6379}", "strategy: memory")
    client = t.client(bed.gateway("pets-and-orders.yaml", local))
    equal([client.get(PETS, token()).header("X-Cache-Status") for _ in range(2)], ["Miss", "Hit"], "from memory")
    passed, _ = count_until_refused(client, 100, "GET", PETS)
    check(passed in (98, 100), f"{passed} passed")


# ---- petstore-chain.yaml

@test
def the_chain_takes_tokens_that_last(t):
    bed, gateway = petstore_chain(t)
    client = t.client(gateway)
    equal(client.get(PETS, token()).status, 200, "a token")
    response = client.get(PETS, token(seconds=-10))
    equal(response.status, 401, "one that has ended")
    contains(response.body.decode(), "token expired", "body")
    equal(len(bed.petstore.requests), 1, "requests at the upstream")


@test
def the_chain_rewrites_requests(t):
    bed, gateway = petstore_chain(t)
    t.client(gateway).get(PETS + "?page=2", token(), "X-Internal-Header: secret", "X-Consumer-Username: root")
    request = bed.petstore.one_request()
    check(request.target in ("/v2/pets?page=2&source=gateway", "/v2/pets?source=gateway&page=2"), request.target)
    equal((request.header("X-Gateway-Version"), request.header("X-Internal-Header"), request.header("X-Consumer-Username")),
          ("1.0", None, "alice"), "fields")


@test
def the_chain_is_for_one_origin(t):
    _, gateway = petstore_chain(t)
    client = t.client(gateway)
    preflight = client.request("OPTIONS", PETS, "Origin: https://petstore.com", "Access-Control-Request-Method: PUT")
    equal((preflight.status, preflight.header("Access-Control-Allow-Origin"), preflight.header("Access-Control-Allow-Methods")),
          (200, "https://petstore.com", "GET,POST,PUT,DELETE"), "preflight")
    equal(client.get(PETS, ORIGIN, token()).header("Access-Control-Allow-Origin"), "https://petstore.com", "to another origin")


@test
def the_chain_keeps_answers_in_memory(t):
    bed, gateway = petstore_chain(t)
    client = t.client(gateway)
    equal(client.get(PETS, token()).header("X-Cache-Status"), "Bypass", "cache_control: of an upstream that does not say that it may be kept")
    bed.petstore.clear()
    bed.petstore.fields = ["Cache-Control: max-age=300"]
    equal([client.get(PETS, token()).header("X-Cache-Status") for _ in range(2)], ["Miss", "Hit"], "of one consumer")
    equal(client.get(PETS, token("bob")).header("X-Cache-Status"), "Miss", "of another")
    equal(len(bed.petstore.requests), 2, "requests at the upstream")


@test
def the_chain_counts_a_hundred(t):
    _, gateway = petstore_chain(t)
    passed, _ = count_until_refused(t.client(gateway), 100, "GET", PETS)
    equal(passed, 100, "calls")


@test
def the_chain_leaves_a_failing_service_alone(t):
    bed, gateway = petstore_chain(t)
    client = t.client(gateway)
    bed.petstore.status = "500 Internal Server Error"
    statuses = [client.request("POST", PETS, token(), body=b"{}").status for _ in range(12)]
    equal(statuses, [500] * 10 + [503] * 2, "statuses")
    equal(len(bed.petstore.requests), 10, "requests at the upstream")
    response = client.request("POST", PETS, token(), body=b"{}")
    check(28 <= int(response.header("Retry-After")) <= 30, response.header("Retry-After"))
    contains(gateway.admin("/metrics").body.decode(), "circuit", "the metrics")


@test
def the_chain_goes_on_without_redis(t):
    bed, gateway = petstore_chain(t)
    bed.redis.end()
    client = t.client(gateway)
    for _ in range(3):
        equal(client.request("POST", PETS, token(), body=b"{}").status, 200, "without Redis")


# ---- the demo's page

@test
def a_browser_calls_through_cors(t):
    browser = need("chromium-headless-shell")
    bed, gateway = pets_and_orders(t)
    bed.pets.answer = lambda exchange: exchange.send(
        answer(b'{"name": "Ida"}', "201 Created", "Content-Type: application/json") if exchange.request.method == "POST"
        else answer(b'[{"name": "Rex"}]', "200 OK", "Content-Type: application/json"))
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(ROOT / "examples/demo/page")],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def serves():
            try:
                return t.client(port).get("/").status == 200
            except OSError:
                return False
        wait_until(serves, "the page's server")
        address = f"http://localhost:{port}/#gateway=http://127.0.0.1:{gateway.port}&token={make_token.token('alice')}"
        run = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={t.folder()}",
                              "--virtual-time-budget=20000", "--dump-dom", address], capture_output=True, text=True, timeout=120, check=False)
    finally:
        server.terminate()
        server.wait()
    page = html.unescape(run.stdout)
    check("4 of 4 as expected" in page, f"{page[-3000:]}\n{run.stderr[-2000:]}")
    preflights = {(request.method, request.target) for request in bed.pets.requests}
    check(("OPTIONS", "/") not in preflights, f"the upstream saw {preflights}")
