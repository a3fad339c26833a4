"""Real programs on both sides: nginx as upstream, curl and wrk as clients."""

import gzip
import hashlib
import re
import socket
import subprocess

from client import chunked, request_bytes
from harness import free_port, proxy_to
from testing import check, contains, equal, need, test, wait_until
from upstream import answer

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s; client_max_body_size 0; keepalive_requests 100000;
  server {{
    listen 127.0.0.1:{port};
    location / {{ root {folder}/www; }}
    location /upload/ {{ root {folder}/www; dav_methods PUT DELETE; create_full_put_path on; }}
    location /ssi/ {{ root {folder}/www; ssi on; ssi_types *; }}
    location /connection {{ return 200 "$connection $connection_requests"; }}
  }}
}}
"""


class Nginx:
    def __init__(self, t):
        program = need("nginx")
        self.folder = t.folder()
        self.folder.chmod(0o777)
        self.port = free_port()
        (self.folder / "www" / "ssi").mkdir(parents=True)
        (self.folder / "www" / "upload").mkdir(mode=0o777)
        (self.folder / "www" / "upload").chmod(0o777)
        (self.folder / "nginx.conf").write_text(NGINX.format(folder=self.folder, port=self.port))
        self.process = subprocess.Popen([program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e",
                                         str(self.folder / "start.log")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        t.own(self)
        wait_until(self._answers, "nginx answers")

    def _answers(self):
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def file(self, name, data):
        (self.folder / "www" / name).write_bytes(data)
        return hashlib.sha1(data).hexdigest()

    def end(self):
        self.process.terminate()
        self.process.wait(10)


def run_curl(*arguments, seconds=20, input_bytes=None):
    finished = subprocess.run([need("curl"), "-sS", "--max-time", str(seconds), *map(str, arguments)], capture_output=True,
                              timeout=seconds + 5, input=input_bytes)
    equal(finished.returncode, 0, f"exit code of curl; {finished.stderr.decode()}")
    return finished.stdout


@test
def nginx_upstream_with_keep_alive(t):
    nginx = Nginx(t)
    gateway = t.gateway(proxy_to(nginx.port))
    client = t.client(gateway)
    seen = [client.get("/connection").body.split() for _ in range(20)]
    equal(len({connection for connection, _ in seen}), 1, "connections at nginx")
    equal([int(count) for _, count in seen], list(range(1, 21)), "requests on it")


@test
def nginx_upstream_one_mebibyte(t):
    nginx = Nginx(t)
    digest = nginx.file("big", bytes(range(256)) * 4096)
    gateway = t.gateway(proxy_to(nginx.port))
    client = t.client(gateway)
    for _ in range(5):
        response = client.get("/big")
        equal((response.status, hashlib.sha1(response.body).hexdigest()), (200, digest), "status and SHA-1")
    equal(client.request("HEAD", "/big").header("Content-Length"), str(1 << 20), "Content-Length of HEAD")
    response = client.get("/big", "Range: bytes=10-19")
    equal((response.status, response.body), (206, bytes(range(10, 20))), "a range")
    etag = client.get("/big").header("ETag")
    equal(client.get("/big", f"If-None-Match: {etag}").status, 304, "a condition")
    equal(client.get("/none").status, 404, "what nginx does not have")


@test
def nginx_upstream_in_chunks(t):
    nginx = Nginx(t)
    nginx.file("part", b"part of a page\n" * 1000)
    nginx.file("ssi/page", b'before <!--# include virtual="/part" --> after\n' * 3)
    gateway = t.gateway(proxy_to(nginx.port))
    client = t.client(gateway)
    for _ in range(3):
        response = client.get("/ssi/page")
        equal(response.framing, "chunked", "framing")
        equal(len(response.body), 3 * (len(b"before  after\n") + 15_000), "length")


@test
def nginx_upstream_takes_uploads(t):
    nginx = Nginx(t)
    gateway = t.gateway(proxy_to(nginx.port))
    client = t.client(gateway)
    equal(client.request("PUT", "/upload/one", body=b"x" * 100_000).status, 201, "with Content-Length")
    client.send(request_bytes("PUT", "/upload/two", ["Transfer-Encoding: chunked"]) + chunked(b"y" * 50_000, b"z" * 50_000))
    equal(client.response().status, 201, "in chunks")
    equal((nginx.folder / "www/upload/one").read_bytes(), b"x" * 100_000, "first file")
    equal((nginx.folder / "www/upload/two").read_bytes(), b"y" * 50_000 + b"z" * 50_000, "second file")


@test
def curl_gets(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port))
    url = f"http://127.0.0.1:{gateway.port}/x"
    contains(run_curl(url), b'"target": "/x"', "body")
    contains(run_curl("-I", url), b"HTTP/1.1 200", "head")
    contains(run_curl("--http1.0", url), b'"target": "/x"', "HTTP/1.0")
    contains(run_curl("-H", "Expect: 100-continue", "-d", "hello", url), b'"body": "hello"', "with Expect")
    equal(run_curl("-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", url, "-o", "/dev/null", url), b"200 1\n200 0\n", "reuse")
    contains(run_curl("--http2", url), b'"target": "/x"', "an upgrade to h2c that is not taken")


@test
def curl_uploads(t):
    upstream = t.upstream(lambda exchange: exchange.send(answer(hashlib.sha1(exchange.request.body).hexdigest().encode())))
    gateway = t.gateway(proxy_to(upstream.port))
    folder = t.folder()
    data = bytes(range(256)) * 20_000
    (folder / "data").write_bytes(data)
    url = f"http://127.0.0.1:{gateway.port}/up"
    digest = hashlib.sha1(data).hexdigest().encode()
    equal(run_curl("-T", folder / "data", url), digest, "-T with a length and Expect")
    equal(run_curl("-T", "-", url, input_bytes=data), digest, "-T - in chunks")
    equal(run_curl("-T", folder / "data", "--http1.0", url), digest, "-T with HTTP/1.0")
    equal(run_curl("-F", f"file=@{folder / 'data'}", url) != b"", True, "-F")


@test
def curl_resumes(t):
    nginx = Nginx(t)
    data = bytes(range(256)) * 4096
    digest = nginx.file("big", data)
    gateway = t.gateway(proxy_to(nginx.port))
    folder = t.folder()
    (folder / "got").write_bytes(data[:300_000])
    run_curl("-C", "-", "-o", folder / "got", f"http://127.0.0.1:{gateway.port}/big")
    equal(hashlib.sha1((folder / "got").read_bytes()).hexdigest(), digest, "SHA-1")


@test
def curl_compressed_passes_through(t):
    upstream = t.upstream(answer(gzip.compress(b"plain text"), "200 OK", "Content-Encoding: gzip"))
    gateway = t.gateway(proxy_to(upstream.port))
    equal(run_curl("--compressed", f"http://127.0.0.1:{gateway.port}/x"), b"plain text", "body")


@test
def wrk_for_a_second(t):
    program = need("wrk")
    nginx = Nginx(t)
    nginx.file("small", b"x" * 1000)
    gateway = t.gateway(proxy_to(nginx.port), workers=2)
    finished = subprocess.run([program, "-t1", "-c32", "-d1s", f"http://127.0.0.1:{gateway.port}/small"], capture_output=True,
                              text=True, timeout=20)
    equal(finished.returncode, 0, f"exit code; {finished.stderr}")
    check("Non-2xx" not in finished.stdout and "Socket errors" not in finished.stdout, finished.stdout)
    count = int(re.search(r"(\d+) requests in", finished.stdout)[1])
    check(count > 100, f"{count} requests")
    equal(t.client(gateway).get("/small").status, 200, "a request after it")


@test
def h2load_with_http_1_1(t):
    program = need("h2load")
    nginx = Nginx(t)
    nginx.file("small", b"x" * 1000)
    gateway = t.gateway(proxy_to(nginx.port))
    finished = subprocess.run([program, "--h1", "-n", "1000", "-c", "10", f"http://127.0.0.1:{gateway.port}/small"],
                              capture_output=True, text=True, timeout=30)
    contains(finished.stdout, "1000 succeeded, 0 failed, 0 errored", "what h2load says")
