#!/usr/bin/env python3
"""How long a scrape of /metrics takes with many routes, and what it does to the requests that run meanwhile.

    bench/scrape.py                      10,000 routes, all counted by the prometheus plugin
    bench/scrape.py --routes 1000 -n 20

Each route is asked once, so that every series exists. Then requests go out one after another on four connections, first
alone and then beside scrapes; their median and p99 are printed for both, and the times of the scrapes."""
import argparse, os, pathlib, socket, statistics, subprocess, sys, tempfile, threading, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "blackbox"))
from harness import free_port  # noqa: E402

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def serve(listener):
    """An upstream that answers every request with the same bytes."""
    def one(connection):
        held = b""
        while piece := connection.recv(65536):
            held += piece
            count = held.count(b"\r\n\r\n")
            held = held[held.rfind(b"\r\n\r\n") + 4:] if count else held
            connection.sendall(ANSWER * count)
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def ask(connection, route):
    connection.sendall(b"GET /r%d/ HTTP/1.1\r\nHost: a\r\n\r\n" % route)
    held = b""
    while not held.endswith(b"\r\n\r\nok"):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed")
        held += piece


def scrape(port):
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\nHost: a\r\n\r\n")
        size, first, buffer = 0, None, bytearray(1 << 20)
        while count := connection.recv_into(buffer):
            first = first or time.perf_counter() - began
            size += count
    return time.perf_counter() - began, first, size


def cpu_time(pid):
    """Run time of all threads in milliseconds."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e6


def load(port, routes, until, times):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = 0
        while not until.is_set():
            number = (number + 7919) % routes
            began = time.perf_counter()
            ask(connection, number)
            times.append(time.perf_counter() - began)


def measured(port, routes, seconds=None, work=None):
    until, times = threading.Event(), []
    threads = [threading.Thread(target=load, args=(port, routes, until, times)) for _ in range(4)]
    for thread in threads:
        thread.start()
    if work is None:
        time.sleep(seconds)
    else:
        work()
    until.set()
    for thread in threads:
        thread.join()
    ordered = sorted(times)
    return len(ordered), statistics.median(ordered) * 1e3, ordered[int(len(ordered) * 0.99)] * 1e3, ordered[-1] * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--routes", type=int, default=10_000)
    parser.add_argument("-n", "--scrapes", type=int, default=10)
    parser.add_argument("--binary", default=os.environ.get("CARDEA_BINARY", ROOT / "build" / "cardea"))
    options = parser.parse_args()
    upstream = socket.create_server(("127.0.0.1", 0), backlog=512)
    threading.Thread(target=serve, args=(upstream,), daemon=True).start()
    proxy, admin = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="cardea-scrape-") as folder:
        document = pathlib.Path(folder) / "kong.yaml"
        routes = "".join(f"  - {{name: route-{number}, paths: [/r{number}/]}}\n" for number in range(options.routes))
        document.write_text(
            '_format_version: "3.0"\nplugins: [{name: prometheus, config: {status_code_metrics: true, latency_metrics: true, '
            f'bandwidth_metrics: true}}}}]\nservices:\n- name: service\n  url: http://127.0.0.1:{upstream.getsockname()[1]}\n  routes:\n{routes}')
        gateway = subprocess.Popen([options.binary, "run", document, "--listen", f"127.0.0.1:{proxy}", "--admin-listen",
                                    f"127.0.0.1:{admin}", "--set", "proxy_access_log=off", "--set", "nginx_http_keepalive_requests=0"],
                                   stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", proxy)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            with socket.create_connection(("127.0.0.1", proxy)) as connection:
                for number in range(options.routes):
                    ask(connection, number)
            first = scrape(admin)
            print(f"{options.routes} routes, a page of {first[2] / 1e6:.1f} MB; the first scrape {first[0] * 1e3:.0f} ms")
            count, median, p99, most = measured(proxy, options.routes, seconds=3)
            print(f"alone:          {count} requests, median {median:.3f} ms, p99 {p99:.3f} ms, longest {most:.1f} ms")
            before = cpu_time(gateway.pid)
            idle = [scrape(admin)[0] * 1e3 for _ in range(options.scrapes)]
            cpu = (cpu_time(gateway.pid) - before) / options.scrapes
            print(f"scrapes, idle:  median {statistics.median(idle):.0f} ms, longest {max(idle):.0f} ms, of processors {cpu:.0f} ms")
            busy = []
            count, median, p99, most = measured(proxy, options.routes,
                                                work=lambda: busy.extend(scrape(admin)[0] * 1e3 for _ in range(options.scrapes)))
            print(f"beside scrapes: {count} requests, median {median:.3f} ms, p99 {p99:.3f} ms, longest {most:.1f} ms")
            print(f"scrapes, busy:  median {statistics.median(busy):.0f} ms, longest {max(busy):.0f} ms")
        finally:
            gateway.terminate()
            gateway.wait()


if __name__ == "__main__":
    main()
