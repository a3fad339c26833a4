"""Access log and error log: formats, escapes, rotation, and targets that take nothing."""

import json
import re
import signal

from client import request_bytes
from harness import command, proxy_to
from testing import check, contains, equal, test, wait_until
from upstream import Upstream, answer


def bed(t, settings=None, reply=None, **options):
    upstream = t.upstream(reply or answer(b"0123456789"))
    return t.gateway(proxy_to(upstream.port), settings=settings, **options), upstream


@test
def combined(t):
    gateway, _ = bed(t)
    equal(t.client(gateway).get("/a/b?c=d", "Referer: http://r/", "User-Agent: me").status, 200, "status")
    line = gateway.access_lines()[0]
    check(re.fullmatch(r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /a/b\?c=d HTTP/1\.1" 200 10 '
                       r'"http://r/" "me"', line), f"line: {line}")


@test
def json_lines(t):
    gateway, upstream = bed(t, arguments=["--log", "json"])
    response = t.client(gateway).request("POST", "/a?b", 'User-Agent: say "hi"', body=b"abc")
    line = json.loads(gateway.access_lines()[0])
    wanted = {"client": "127.0.0.1", "method": "POST", "target": "/a?b", "status": 200, "route": "all", "service": "echo",
              "upstream": f"127.0.0.1:{upstream.port}", "tries": 1, "user_agent": 'say "hi"',
              "request_id": response.header("X-Kong-Request-Id")}
    equal({name: line.get(name) for name in wanted}, wanted, "a line")


@test
def own_format(t):
    gateway, _ = bed(t, arguments=["--log", "$status|$request_method|${uri}|$http_x_own|$sent_http_server|$upstream_status"])
    t.client(gateway).get("/a/../b?q", "X-Own: yes")
    check(re.fullmatch(r"200\|GET\|/b\|yes\|.*\|200", gateway.access_lines()[0]), f"line: {gateway.access_lines()[0]}")


@test
def sizes_of_the_body_and_of_the_whole(t):
    gateway, _ = bed(t, arguments=["--log", "$body_bytes_sent $bytes_sent"])
    client = t.client(gateway)
    client.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    whole = client.everything()
    equal(gateway.access_lines()[0], f"10 {len(whole)}", "line")


@test
def log_off(t):
    gateway, _ = bed(t, settings={"proxy_access_log": "off"})
    t.client(gateway).get("/x")
    check(not (gateway.folder / "access.log").exists(), "no file")
    equal((gateway.folder / "stdout").read_text(), "", "standard output")


@test
def log_on_standard_output_by_default(t):
    gateway, _ = bed(t, settings={"proxy_access_log": None})
    t.client(gateway).get("/x")
    wait_until(lambda: '"GET /x HTTP/1.1" 200' in (gateway.folder / "stdout").read_text(), "the line on standard output")


@test
def line_feeds_and_quotes_cannot_forge_a_line(t):
    gateway, _ = bed(t)
    client = t.client(gateway)
    client.get("/x%0aforged", 'User-Agent: a" 200 "b\\', "Referer: \x80\xff")
    client.get("/second")
    lines = gateway.access_lines(2)
    equal(len(lines), 2, "lines")
    check('a" 200 "b' not in lines[0], f"line: {lines[0]}")


@test
def malformed_requests_are_logged(t):
    gateway, _ = bed(t)
    client = t.client(gateway)
    client.send(b"nonsense\r\n\r\n")
    equal(client.response().status, 400, "status")
    contains(gateway.access_lines()[0], " 400 ", "line")


@test
def rotation(t):
    """SIGUSR1 after the file was moved: the next line goes to a new file, none is lost."""
    gateway, _ = bed(t)
    client = t.client(gateway)
    client.get("/before")
    gateway.access_lines()
    path = gateway.folder / "access.log"
    path.rename(gateway.folder / "access.log.1")
    gateway.signal(signal.SIGUSR1)
    wait_until(path.exists, "a new file")
    client.get("/after")
    contains(gateway.access_lines()[0], "/after", "the new file")
    contains((gateway.folder / "access.log.1").read_text(), "/before", "the old file")


@test
def full_disk(t):
    """/dev/full takes nothing: requests are served, lost lines are counted, the error log says it without a flood."""
    gateway, _ = bed(t, settings={"proxy_access_log": "/dev/full"})
    client = t.client(gateway)
    for _ in range(300):
        equal(client.get("/x").status, 200, "status")
    wait_until(lambda: gateway.status()["log_lines_dropped"] > 0, "dropped lines are counted")
    lines = gateway.log().splitlines()
    check(len(lines) < 50, f"{len(lines)} lines in the error log")


@test
def error_log_that_is_full(t):
    gateway, _ = bed(t, settings={"proxy_error_log": "/dev/full", "log_level": "debug"})
    for _ in range(20):
        client = t.client(gateway)
        client.send(b"nonsense\r\n\r\n")
        equal(client.response().status, 400, "status")
    equal(t.client(gateway).get("/x").status, 200, "status")


@test
def log_file_that_cannot_be_opened(t):
    upstream = t.upstream()
    folder = t.folder()
    (folder / "kong.yaml").write_text(proxy_to(upstream.port))
    finished = command("run", folder / "kong.yaml", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                               "--set", f"proxy_access_log={folder}/none/access.log", loop=t.loop)
    equal(finished.returncode, 1, "exit code")
    contains(finished.stderr, "none/access.log", "what it says")


@test
def failures_are_explained(t):
    """A 502 has a line in the error log with the address, the reason and the request id."""
    closed = Upstream()
    closed.end()
    gateway = t.gateway(proxy_to(closed.port, "retries: 0"))
    response = t.client(gateway).get("/x")
    equal(response.status, 502, "status")
    wait_until(lambda: response.header("X-Kong-Request-Id") in gateway.log(), "the request id in the log")
    line = next(line for line in gateway.log().splitlines() if response.header("X-Kong-Request-Id") in line)
    contains(line, f"127.0.0.1:{closed.port}", "line")


@test
def log_keeps_up_with_a_burst(t):
    gateway, _ = bed(t)
    client = t.client(gateway)
    for _ in range(10):
        client.send(b"".join(request_bytes("GET", f"/{i}") for i in range(50)))
        for _ in range(50):
            equal(client.response().status, 200, "status")
    equal(len(gateway.access_lines(500)), 500, "lines")
