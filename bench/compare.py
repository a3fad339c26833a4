#!/usr/bin/env python3
"""CPU per request of Cardea beside nginx and haproxy, on this machine, with tools from Debian.

  bench/compare.py                       the usual workloads
  bench/compare.py -w get1k,close -r 5   some of them, five rounds
  bench/compare.py -w get1k,chain,chain-rs256,limit,limit-redis,cached1k    what plugins cost

nginx checks nothing in the plugins' workloads, it is the plain proxy that they are measured against; only in `cached1k` it
does the same, with its own cache. limit-redis needs redis-server.

Each gateway runs one worker alone on the first processor; the load (wrk) and the origin (nginx) share the second one.
The gateways take turns, in a new order every round, since a machine's speed drifts; so compare only figures of one run,
and by their ratio. CPU is the run time of all threads of the gateway's processes (schedstat) divided by the requests."""
import argparse, base64, hashlib, hmac, json, os, pathlib, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORIGIN, NGINX, HAPROXY, CARDEA, REDIS = 9880, 9881, 9882, 9883, 9884
# name: path, connections, request headers, body bytes
WORKLOADS = {
    "get1k": ("/1k", 64, [], 0),
    "post4k": ("/1k", 64, [], 4096),
    "get16k": ("/16k", 64, [], 0),
    "get1m": ("/1m", 16, [], 0),
    "conn1000": ("/1k", 1000, [], 0),
    "close": ("/1k", 64, ["Connection: close"], 0),
    "cached1k": ("/cached/1k", 64, [], 0),
    "cached16k": ("/cached/16k", 64, [], 0),
}
PLUGIN_WORKLOADS = {
    "chain": ("/chain/1k", 64, ["Authorization: Bearer {HS256}"], 0),
    "chain-rs256": ("/chain/1k", 64, ["Authorization: Bearer {RS256}"], 0),
    "limit": ("/limit/1k", 64, [], 0),
    "limit-redis": ("/limit-redis/1k", 64, [], 0),
}
SECRET = "a secret for measurements only, 32+"
ROUTES = f"""  - name: chain
    paths: [/chain]
    plugins:
    - {{name: jwt, config: {{claims_to_verify: [exp]}}}}
    - {{name: rate-limiting, config: {{minute: 100000000, policy: local}}}}
    - {{name: cors, config: {{origins: ["*"]}}}}
    - {{name: correlation-id}}
    - {{name: request-transformer, config: {{add: {{headers: ["X-Gateway-Version:1.0"]}}}}}}
    - {{name: prometheus, config: {{status_code_metrics: true, latency_metrics: true, bandwidth_metrics: true, per_consumer: true}}}}
  - {{name: limit, paths: [/limit], plugins: [{{name: rate-limiting, config: {{minute: 100000000, policy: local}}}}]}}
  - name: limit-redis
    paths: [/limit-redis]
    plugins: [{{name: rate-limiting, config: {{minute: 100000000, policy: redis, redis: {{host: 127.0.0.1, port: {REDIS}}}}}}}]
"""
NGINX_COMMON = """daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid {dir}/{name}.pid; error_log {dir}/{name}.err warn;
events {{ worker_connections 9000; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
"""


def part(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def tokens(folder):
    """Algorithm -> a token of the consumer `one`; and the public key of the RSA one."""
    private = folder / "private.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", private, "-pubout"], check=True, capture_output=True, text=True).stdout

    def sign(algorithm, text):
        if algorithm == "HS256":
            return hmac.new(SECRET.encode(), text, hashlib.sha256).digest()
        return subprocess.run(["openssl", "dgst", "-sha256", "-sign", private], input=text, check=True, capture_output=True).stdout
    out = {}
    for algorithm in ("HS256", "RS256"):
        claims = {"iss": algorithm, "sub": "user-42", "scope": "read:items write:items", "iat": int(time.time()), "exp": int(time.time()) + 86400}
        text = b".".join(part(json.dumps(each).encode()) for each in ({"alg": algorithm, "typ": "JWT"}, claims))
        out[algorithm] = (text + b"." + part(sign(algorithm, text))).decode()
    return out, public


def consumers(public):
    key = "".join(f"      {line}\n" for line in public.strip().split("\n"))
    out = (f"consumers:\n- username: one\n  jwt_secrets:\n  - {{key: HS256, secret: '{SECRET}', algorithm: HS256}}\n"
           f"  - key: RS256\n    algorithm: RS256\n    rsa_public_key: |\n{key}")
    return out + "".join(f"- {{username: c{i}, jwt_secrets: [{{key: k{i}, secret: '{SECRET}{i}', algorithm: HS256}}]}}\n" for i in range(999))


def configure(folder, public):
    """Writes every configuration; returns name -> (port, command)."""
    for name, size in (("1k", 1 << 10), ("16k", 16 << 10), ("1m", 1 << 20)):
        (folder / name).write_bytes(b"x" * size)
    (folder / "cached").symlink_to(folder)
    common = {name: NGINX_COMMON.format(dir=folder, name=name) for name in ("origin", "nginx")}
    (folder / "origin.conf").write_text(common["origin"] + f"""sendfile on; open_file_cache max=16 inactive=600s; open_file_cache_valid 600s;
server {{ listen 127.0.0.1:{ORIGIN} backlog=4096; root {folder}; error_page 405 =200 $uri; }} }}""")
    (folder / "nginx.conf").write_text(common["nginx"] + f"""upstream origin {{ server 127.0.0.1:{ORIGIN}; keepalive 2048; keepalive_requests 100000000; keepalive_timeout 600s; }}
proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k; proxy_max_temp_file_size 0;
proxy_cache_path {folder}/c levels=1:2 keys_zone=c:10m use_temp_path=off; open_file_cache max=1000 inactive=600s; open_file_cache_valid 600s;
server {{ listen 127.0.0.1:{NGINX} backlog=4096; location / {{ proxy_pass http://origin; }} location ~ ^/(chain|limit|limit-redis)(/.*) {{ proxy_pass http://origin$2; }}
location /cached/ {{ proxy_pass http://origin; proxy_cache c; proxy_cache_valid 200 1h; }} }} }}""")
    (folder / "haproxy.cfg").write_text(f"""global
  nbthread 1
  maxconn 9000
  tune.bufsize 32768
defaults
  mode http
  timeout client 600s
  timeout server 600s
  timeout connect 5s
  http-reuse always
listen gateway
  bind 127.0.0.1:{HAPROXY} backlog 4096
  server origin 127.0.0.1:{ORIGIN} pool-max-conn 2048
""")
    routes = "".join(f"  - {{name: r{i}, paths: [/api/v1/things{i}], strip_path: false, methods: [GET, POST]}}\n" for i in range(99))
    (folder / "cardea.yaml").write_text(f"""_format_version: "3.0"
services:
- name: origin
  url: http://127.0.0.1:{ORIGIN}
  routes:
  - {{name: all, paths: [/], strip_path: false}}
  - name: cached
    paths: [/cached]
    strip_path: false
    plugins: [{{name: proxy-cache, config: {{strategy: memory, content_type: ["*/*"], cache_ttl: 3600}}}}]
{routes}{ROUTES}{consumers(public)}""")
    settings = "keepalive_requests=0 upstream_keepalive_max_requests=0 upstream_keepalive_pool_size=2048".split()
    cardea = [str(ROOT / "build/cardea"), "run", f"{folder}/cardea.yaml", "--listen", f"127.0.0.1:{CARDEA}", "--admin-listen", "off",
              "--workers", "1", "--log", "off"] + [word for setting in settings for word in ("--set", setting)]
    return {"cardea": (CARDEA, cardea), "nginx": (NGINX, ["nginx", "-c", f"{folder}/nginx.conf"]),
            "haproxy": (HAPROXY, ["haproxy", "-db", "-f", f"{folder}/haproxy.cfg"])}


def start(command, core, folder, name):
    def on_core():
        os.sched_setaffinity(0, {core})
        os.setsid()
    log = open(folder / f"{name}.log", "w")
    process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=on_core)
    return process


def wait_for(port, process):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(.05)
    sys.exit(f"nothing answers on port {port}: {process.args}")


def processes_of(pid):
    found, waiting = [], [pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for task in os.listdir(f"/proc/{pid}/task"):
            waiting += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def run_time(pid):
    """Microseconds that all threads of a process and its children have run."""
    total = 0
    for one in processes_of(pid):
        for task in os.listdir(f"/proc/{one}/task"):
            total += int(pathlib.Path(f"/proc/{one}/task/{task}/schedstat").read_text().split()[0])
    return total / 1e3


def load(workload, port, seconds, folder, core, known):
    path, connections, headers, body = (WORKLOADS | PLUGIN_WORKLOADS)[workload]
    headers = [header.format(**known) for header in headers]
    script = folder / "post.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.body = string.rep("b", {body})\n')
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"] + [word for header in headers for word in ("-H", header)]
    command += (["-s", str(script)] if body else []) + [f"http://127.0.0.1:{port}{path}"]
    output = subprocess.run(command, capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {core})).stdout
    requests = int(re.search(r"(\d+) requests in", output)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: (.*)", output)
    p99 = re.search(r"99%\s+(\S+)", output)
    return requests, int(bad[1]) if bad else 0, broken[1] if broken else "", p99[1] if p99 else "-"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-w", "--workloads", default=",".join(WORKLOADS))
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("-s", "--seconds", type=int, default=2)
    options = parser.parse_args()
    missing = [program for program in ("nginx", "wrk") if not shutil.which(program)]
    if missing:
        sys.exit(f"missing: {' '.join(missing)} (apt-get install nginx-light wrk haproxy)")
    if os.cpu_count() < 2:
        sys.exit("two processors are needed: one for the gateway alone")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cardea-bench-"))
    folder.chmod(0o755)
    running = []
    try:
        known, public = tokens(folder)
        contenders = configure(folder, public)
        gateways = {}
        running.append(start(["nginx", "-c", f"{folder}/origin.conf"], 1, folder, "origin"))
        wait_for(ORIGIN, running[0])
        if "limit-redis" in options.workloads:
            running.append(start(["redis-server", "--port", str(REDIS), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], 1, folder, "redis"))
            wait_for(REDIS, running[-1])
        for name, (port, command) in contenders.items():
            if name == "haproxy" and not shutil.which("haproxy"):
                continue
            running.append(start(command, 0, folder, name))
            wait_for(port, running[-1])
            gateways[name] = (port, running[-1].pid)
        for workload in options.workloads.split(","):
            figures = {name: [] for name in gateways if name != "haproxy" or (workload in WORKLOADS and not workload.startswith("cached"))}
            for turn in range(options.rounds):
                for name in (list(figures) if turn % 2 == 0 else reversed(list(figures))):
                    port, pid = gateways[name]
                    before = run_time(pid)
                    requests, bad, broken, p99 = load(workload, port, options.seconds, folder, 1, known)
                    if bad or broken:
                        print(f"{workload} {name}: {bad} bad answers, errors: {broken or 'none'}", file=sys.stderr)
                    figures[name].append(((run_time(pid) - before) / max(requests, 1), requests / options.seconds, p99))
            base = statistics.median(figure[0] for figure in figures["nginx"])
            print(f"\n{workload}\n{'':10}{'CPU us/request':>16}{'of nginx':>10}{'requests/s':>12}{'p99':>10}")
            for name, all_figures in figures.items():
                cpu = statistics.median(figure[0] for figure in all_figures)
                rate = statistics.median(figure[1] for figure in all_figures)
                print(f"{name:10}{cpu:16.1f}{cpu / base:10.2f}{rate:12.0f}{all_figures[-1][2]:>10}", flush=True)
    finally:
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
