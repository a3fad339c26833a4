#!/usr/bin/env python3
"""CPU per request towards HTTP/2 upstreams, in microseconds of the gateway's processes: unary gRPC calls through Cardea
beside nginx's grpc_pass, and HTTP/1.1 clients of Cardea whose upstream speaks HTTP/2 beside one that speaks HTTP/1.1.

  bench/http2_upstreams.py               both
  bench/http2_upstreams.py -w grpc -r 5  one, five rounds

Needs nginx, wrk and h2load (apt-get install nginx-light wrk nghttp2-client). As in compare.py the gateway has the first
processor alone, load and origin share the second, and the contenders take turns: compare figures of one run, by ratio."""
import argparse, os, pathlib, re, shutil, signal, statistics, subprocess, sys, tempfile

from compare import CARDEA, NGINX, NGINX_COMMON, ORIGIN, ROOT, run_time, start, wait_for

ORIGIN_HTTP2 = 9885
CALL = b"\0\0\0\0\x10" + b"m" * 16  # one gRPC message


def configure(folder):
    """Writes every configuration. The origin answers 1 KiB, with trailers where it speaks HTTP/2: all that a call needs."""
    (folder / "1k").write_bytes(b"\0\0\0\3\xfb" + b"x" * 1019)
    (folder / "call").write_bytes(CALL)
    common = {name: NGINX_COMMON.format(dir=folder, name=name) for name in ("origin", "nginx")}
    serve = f"root {folder}; default_type application/grpc; error_page 405 =200 $uri;"
    (folder / "origin.conf").write_text(common["origin"] + f"""sendfile on; open_file_cache max=16 inactive=600s; open_file_cache_valid 600s;
http2_max_concurrent_streams 1000;
server {{ listen 127.0.0.1:{ORIGIN} backlog=4096; {serve} }}
server {{ listen 127.0.0.1:{ORIGIN_HTTP2} http2 backlog=4096; {serve} add_trailer grpc-status 0; }} }}""")
    (folder / "nginx.conf").write_text(common["nginx"] + f"""http2_max_concurrent_streams 1000;
upstream origin {{ server 127.0.0.1:{ORIGIN_HTTP2}; keepalive 2048; keepalive_requests 100000000; keepalive_timeout 600s; }}
server {{ listen 127.0.0.1:{NGINX} http2 backlog=4096; location / {{ grpc_pass grpc://origin; }} }} }}""")
    (folder / "cardea.yaml").write_text(f"""_format_version: "3.0"
services:
- {{name: calls, protocol: grpc, host: 127.0.0.1, port: {ORIGIN_HTTP2}, routes: [{{name: calls, protocols: [grpc], paths: [/]}}]}}
- {{name: http2, protocol: grpc, host: 127.0.0.1, port: {ORIGIN_HTTP2}, routes: [{{name: http2, hosts: [http2.test]}}]}}
- {{name: http1, protocol: http, host: 127.0.0.1, port: {ORIGIN}, routes: [{{name: http1, hosts: [http1.test]}}]}}
""")
    settings = "keepalive_requests=0 upstream_keepalive_max_requests=0 upstream_keepalive_pool_size=2048".split()
    cardea = [str(ROOT / "build/cardea"), "run", f"{folder}/cardea.yaml", "--listen", f"127.0.0.1:{CARDEA}", "--admin-listen", "off",
              "--workers", "1", "--log", "off"] + [word for setting in settings for word in ("--set", setting)]
    return {"cardea": (CARDEA, cardea), "nginx": (NGINX, ["nginx", "-c", f"{folder}/nginx.conf"])}


def on_core(core):
    return lambda: os.sched_setaffinity(0, {core})


def call(port, seconds, folder):
    """Unary calls, 16 connections of 32 at a time: how many, and how many of them went wrong."""
    command = ["h2load", "-t1", "-c16", "-m32", f"-D{seconds}", "-d", f"{folder}/call", "-H", "content-type: application/grpc",
               "-H", "te: trailers", f"http://127.0.0.1:{port}/1k"]
    output = subprocess.run(command, capture_output=True, text=True, preexec_fn=on_core(1)).stdout
    done = int(re.search(r"(\d+) done", output)[1])
    good = int(re.search(r"status codes: (\d+) 2xx", output)[1])
    return done, done - good


def get(port, seconds, host):
    command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-H", f"Host: {host}", f"http://127.0.0.1:{port}/1k"]
    output = subprocess.run(command, capture_output=True, text=True, preexec_fn=on_core(1)).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return int(re.search(r"(\d+) requests in", output)[1]), int(bad[1]) if bad else 0


def compare(title, contenders, rounds, base):
    """contenders: name -> (pid, load). The base is what the others are a share of."""
    figures = {name: [] for name in contenders}
    for turn in range(rounds):
        for name in (list(figures) if turn % 2 == 0 else reversed(list(figures))):
            pid, load = contenders[name]
            before = run_time(pid)
            requests, bad = load()
            if bad:
                print(f"{title} {name}: {bad} bad answers", file=sys.stderr)
            figures[name].append((run_time(pid) - before) / max(requests, 1))
    median = {name: statistics.median(each) for name, each in figures.items()}
    print(f"\n{title}\n{'':18}{'CPU us/request':>16}{'of ' + base:>22}")
    for name, cpu in median.items():
        print(f"{name:18}{cpu:16.1f}{cpu / median[base]:22.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-w", "--workloads", default="grpc,http1")
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("-s", "--seconds", type=int, default=2)
    options = parser.parse_args()
    missing = [program for program in ("nginx", "wrk", "h2load") if not shutil.which(program)]
    if missing:
        sys.exit(f"missing: {' '.join(missing)} (apt-get install nginx-light wrk nghttp2-client)")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cardea-bench-"))
    folder.chmod(0o755)
    running = []
    try:
        contenders = configure(folder)
        running.append(start(["nginx", "-c", f"{folder}/origin.conf"], 1, folder, "origin"))
        wait_for(ORIGIN_HTTP2, running[0])
        pids = {}
        for name, (port, command) in contenders.items():
            running.append(start(command, 0, folder, name))
            wait_for(port, running[-1])
            pids[name] = running[-1].pid
        seconds = options.seconds
        if "grpc" in options.workloads:
            compare("unary gRPC", {"cardea": (pids["cardea"], lambda: call(CARDEA, seconds, folder)),
                                   "nginx": (pids["nginx"], lambda: call(NGINX, seconds, folder))}, options.rounds, "nginx")
        if "http1" in options.workloads:
            compare("HTTP/1.1 clients", {"HTTP/2 upstream": (pids["cardea"], lambda: get(CARDEA, seconds, "http2.test")),
                                         "HTTP/1.1 upstream": (pids["cardea"], lambda: get(CARDEA, seconds, "http1.test"))},
                    options.rounds, "HTTP/1.1 upstream")
    finally:
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
