"""Settings from all their sources, and what some of them do."""

import json
import re

from client import Client
from harness import command, proxy_to
from testing import check, contains, equal, test


def shown(*arguments, env=None, cwd=None):
    """name -> (value, source) as `cardea settings` shows them."""
    finished = command("settings", "--json", *arguments, env=env, cwd=cwd)
    equal(finished.returncode, 0, f"exit code; {finished.stderr}")
    return {one["name"]: (one["value"], one["source"]) for one in json.loads(finished.stdout)}


@test
def precedence_of_the_sources(t):
    """Default, file, KONG_*, CARDEA_*, --set, flag: each wins over those before it."""
    folder = t.folder()
    (folder / "cardea.conf").write_text("# settings\nworkers = 1\nlog_level = info\n")
    conf = ["--conf", folder / "cardea.conf"]
    equal(shown()["workers"][1], "default", "by default")
    equal(shown(*conf)["workers"], ("1", f"{folder / 'cardea.conf'}:2"), "from the file")
    env = {"KONG_WORKERS": "2"}
    equal(shown(*conf, env=env)["workers"], ("2", "KONG_WORKERS"), "from KONG_*")
    env["CARDEA_WORKERS"] = "3"
    equal(shown(*conf, env=env)["workers"], ("3", "CARDEA_WORKERS"), "from CARDEA_*")
    equal(shown(*conf, "--set", "workers=4", env=env)["workers"], ("4", "--set"), "from --set")
    equal(shown(*conf, "--set", "workers=4", "--workers", "5", env=env)["workers"], ("5", "--workers"), "from the flag")
    equal(shown(*conf)["log_level"][0], "info", "another one of the file")


@test
def settings_for_people(t):
    out = command("settings", "--set", "log_level=debug").stdout
    line = next(line for line in out.splitlines() if line.startswith("log_level"))
    check("debug" in line and "--set" in line, f"line: {line}")


@test
def unknown_settings_are_errors_with_a_hint(t):
    finished = command("settings", "--set", "wrokers=2")
    equal(finished.returncode, 1, "exit code")
    contains(finished.stderr, "workers", "the nearest name")
    folder = t.folder()
    (folder / "bad.conf").write_text("workers = 2\nlog_levle = info\n")
    finished = command("settings", "--conf", folder / "bad.conf")
    equal(finished.returncode, 1, "exit code")
    contains(finished.stderr, "bad.conf:2:", "place")
    contains(finished.stderr, "log_level", "the nearest name")


@test
def bad_values_are_all_named(t):
    finished = command("settings", "--set", "workers=many", "--set", "header_timeout=soon", "--set", "proxy_listen=nowhere")
    equal(finished.returncode, 1, "exit code")
    for name in ("workers", "header_timeout", "proxy_listen"):
        contains(finished.stderr, name, "what is wrong")


@test
def unsafe_to_ignore_is_refused(t):
    """Pages with ssl, streams: nothing may listen in a way that was not asked for."""
    upstream = t.upstream()
    folder = t.folder()
    (folder / "kong.yaml").write_text(proxy_to(upstream.port))
    for setting in ("status_listen=127.0.0.1:0 ssl", "stream_listen=127.0.0.1:9", "ssl_cert=/x.pem"):
        finished = command("run", folder / "kong.yaml", "--set", setting, "--admin-listen", "127.0.0.1:0", loop=t.loop)
        equal(finished.returncode, 1, f"exit code with {setting}")


@test
def kong_variables_configure_a_running_gateway(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port), listen=None,
                        env={"KONG_PROXY_LISTEN": "127.0.0.1:0", "KONG_HEADERS": "off", "KONG_CLIENT_MAX_BODY_SIZE": "10"})
    client = t.client(gateway)
    response = client.get("/x")
    for name in ("X-Kong-Upstream-Latency", "X-Kong-Proxy-Latency", "Via", "X-Kong-Request-Id"):
        equal(response.header(name), None, name)
    equal(client.request("POST", "/x", body=b"x" * 11).status, 413, "client_max_body_size")


@test
def document_in_a_variable(t):
    upstream = t.upstream()
    gateway = t.gateway(None, document_path="", env={"KONG_DECLARATIVE_CONFIG_STRING": proxy_to(upstream.port)})
    equal(t.client(gateway).get("/x").status, 200, "status")


@test
def tokens_as_kong(t):
    upstream = t.upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    gateway = t.gateway(proxy_to(upstream.port), settings={"server_tokens_as_kong": "on"})
    response = t.client(gateway).get("/x")
    check(response.header("Via").startswith("1.1 kong/"), f"Via: {response.header('Via')}")
    check(response.header("Server").startswith("kong/"), f"Server: {response.header('Server')}")
    check(upstream.one_request().header("Via").startswith("1.1 kong/"), "Via at the upstream")


@test
def headers_setting(t):
    upstream = t.upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    gateway = t.gateway(proxy_to(upstream.port), settings={"headers": "X-Kong-Upstream-Status, X-Kong-Proxy-Latency",
                                                           "headers_upstream": "off"})
    response = t.client(gateway).get("/x")
    equal(response.header("X-Kong-Upstream-Status"), "200", "X-Kong-Upstream-Status")
    check(response.header("X-Kong-Proxy-Latency") is not None, "X-Kong-Proxy-Latency")
    for name in ("Via", "Server", "X-Kong-Upstream-Latency", "X-Kong-Request-Id"):
        equal(response.header(name), None, name)
    equal(upstream.one_request().header("X-Kong-Request-Id"), None, "X-Kong-Request-Id at the upstream")


@test
def trusted_ips_and_real_ip(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port), settings={"trusted_ips": "127.0.0.1,10.0.0.0/8", "real_ip_header": "X-Forwarded-For",
                                                           "real_ip_recursive": "on", "access_log_format": "$remote_addr"})
    fields = ["X-Forwarded-For: 203.0.113.9, 10.1.2.3", "X-Forwarded-Proto: https", "X-Forwarded-Host: public.example",
              "X-Forwarded-Port: 443", "X-Forwarded-Path: /before", "X-Forwarded-Prefix: /stripped"]
    equal(t.client(gateway).get("/x", *fields).status, 200, "status")
    request = upstream.one_request()
    wanted = {"X-Real-IP": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "public.example",
              "X-Forwarded-Port": "443", "X-Forwarded-Path": "/before", "X-Forwarded-Prefix": "/stripped",
              "X-Forwarded-For": "203.0.113.9, 10.1.2.3, 127.0.0.1"}
    equal({name: request.header(name) for name in wanted}, wanted, "a trusted peer")
    equal(gateway.access_lines()[0], "203.0.113.9", "address in the log")
    upstream.clear()
    equal(t.client(gateway, source="127.0.0.5").get("/x", *fields).status, 200, "status")
    request = upstream.one_request()
    wanted = {"X-Real-IP": "127.0.0.5", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "gw.example",
              "X-Forwarded-Port": str(gateway.port), "X-Forwarded-Path": "/x", "X-Forwarded-Prefix": None}
    equal({name: request.header(name) for name in wanted}, wanted, "a peer that is not trusted")


@test
def real_ip_of_one_hop(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port), settings={"trusted_ips": "127.0.0.1"})
    equal(t.client(gateway).get("/x", "X-Real-IP: 198.51.100.7").status, 200, "status")
    equal(upstream.one_request().header("X-Real-IP"), "198.51.100.7", "X-Real-IP")
    upstream.clear()
    equal(t.client(gateway).get("/x", "X-Real-IP: nonsense").status, 200, "status")
    equal(upstream.one_request().header("X-Real-IP"), "127.0.0.1", "X-Real-IP, where the header is nonsense")


@test
def https_route_behind_a_trusted_proxy(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port, route="paths: [/], protocols: [https]"), settings={"trusted_ips": "127.0.0.1"})
    equal(t.client(gateway).get("/x").status, 426, "plain")
    equal(t.client(gateway).get("/x", "X-Forwarded-Proto: https").status, 200, "TLS ended before us")


@test
def error_templates(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port, route="paths: [/only]"), files={"error.html": "<p>%s (%s)</p>"},
                        settings={"error_template_html": "error.html"})
    response = t.client(gateway).get("/none", "Accept: text/html")
    equal(response.body.decode(), f"<p>no Route matched with those values ({response.header('X-Kong-Request-Id')})</p>", "body")


@test
def port_maps(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port))
    taken = gateway.port
    gateway.end()
    mapped = t.gateway(proxy_to(upstream.port), listen=f"127.0.0.1:{taken}", settings={"port_maps": f"80:{taken}"})
    equal(t.client(mapped).get("/x").status, 200, "status")
    equal(upstream.one_request().header("X-Forwarded-Port"), "80", "X-Forwarded-Port")


@test
def loop_is_the_one_that_was_asked_for(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port))
    contains(gateway.status()["loop"], t.loop, "loop in the status")


@test
def several_listeners_and_workers(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port), workers=2, arguments=["--listen", "127.0.0.2:0"])
    found = re.findall(r"listening on ([0-9.]+):(\d+) \(proxy\)", gateway.log())
    equal(sorted(address for address, _ in found), ["127.0.0.1", "127.0.0.2"], "listeners")
    for address, port in found:
        client = Client(int(port), address=address)
        equal(client.get("/x").status, 200, f"status at {address}")
        client.end()
    equal(gateway.status()["workers"], 2, "workers")
