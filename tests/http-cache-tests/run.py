"""Runs the npm package http-cache-tests, pinned, against the real program and its proxy-cache plugin with rfc9111.

    python3 tests/http-cache-tests/run.py [--test ID] [--keep]

Asks for at least 135 passes and fewer than 8 failures of tests that the package calls required. Without node, or where
npm cannot fetch the package, everything is skipped and says so; in continuous integration that is a failure. Ends with
the line of counts."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "blackbox"))

import harness  # noqa: E402

VERSION = "0.4.5"
LEAST_PASSES = 135
MOST_FAILURES = 7
DOCUMENT = """_format_version: "3.0"
services:
- name: origin
  url: "http://127.0.0.1:{port}"
  retries: 0
  routes:
  - {{name: all, paths: [/]}}
  plugins:
  - name: proxy-cache
    config:
      strategy: memory
      rfc9111: true
      content_type: ["*/*"]
      response_code: [{codes}]
"""
CODES = [200, 201, 202, 203, 204, 299, 300, 301, 302, 303, 307, 308, 400, 403, 404, 405, 410, 414, 499, 500, 501, 502,
         503, 504, 599]


def skipped(why):
    """Where continuous integration runs, nothing that was asked for may be left out."""
    is_needed = bool(os.environ.get("CI")) or os.environ.get("SANITIZE") == "1"
    print(f"{'FAILED' if is_needed else 'SKIPPED'}: http-cache-tests did NOT run: {why}")
    print("0 passed, 1 failed, 0 skipped" if is_needed else "0 passed, 0 failed, 1 skipped")
    return 1 if is_needed else 0


def package(folder):
    """The package's folder, installed there as the lock beside this file has it; or why not."""
    lock = (HERE / "package-lock.json").read_bytes()
    mark = folder / "node_modules" / "lock-of-this"
    if not mark.exists() or mark.read_bytes() != lock:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, folder / name)
        line = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]  # checks the digests of the lock
        try:
            done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return None, "npm ci took more than 300 s"
        if done.returncode != 0:
            return None, f"npm ci failed: {done.stderr.strip()[-300:]}"
        mark.write_bytes(lock)
    where = folder / "node_modules" / "http-cache-tests"
    found = json.loads((where / "package.json").read_text())["version"]
    return (where, None) if found == VERSION else (None, f"version {found} is there, {VERSION} is asked for")


def wait_for(port, process):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2)
            return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.05)
    return False


def run(where, folder, only):
    origin_port = harness.free_port()
    environment = dict(os.environ, npm_config_protocol="http", npm_config_port=str(origin_port),
                       npm_config_pidfile=str(folder / "origin.pid"))
    with open(folder / "origin.log", "wb") as log:
        origin = subprocess.Popen(["node", "--no-warnings", "server/server.mjs"], cwd=where, env=environment, stdout=log,
                                  stderr=log)
    gateway = harness.Gateway(DOCUMENT.format(port=origin_port, codes=", ".join(map(str, CODES))), None, folder)
    try:
        if not wait_for(origin_port, origin):
            raise RuntimeError("the package's server did not start: " + (folder / "origin.log").read_text()[-500:])
        gateway.start()
        line = ["node", "--no-warnings", str(HERE / "run.mjs"), str(where), f"http://127.0.0.1:{gateway.port}"]
        done = subprocess.run(line + ([only] if only else []), capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise RuntimeError(f"the tests did not run: {done.stderr[-1000:]}")
        gateway.check_alive()
        lines = done.stdout.strip().splitlines()
        return lines[:-1], json.loads(lines[-1])
    finally:
        gateway.end()
        origin.terminate()
        origin.wait(10)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--test", help="only this one, with everything that is said")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and results")
    arguments = parser.parse_args()
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return skipped(f"no {program}")
    where, why = package(ROOT / "build" / "http-cache-tests")
    if why:
        return skipped(why)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="http-cache-tests-"))
    try:
        said, report = run(where, folder, arguments.test)
        print("\n".join(said + report["lines"]))
        for kind, counts in report["counts"].items():
            print(f"{kind}: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
        (folder / "results.json").write_text(json.dumps(report["results"], indent=1))
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept: {folder}")
    if arguments.test:
        return 0
    required = report["counts"]["required"]
    passes, failures = required.get("pass", 0), required.get("fail", 0)
    good = passes >= LEAST_PASSES and failures <= MOST_FAILURES
    print(f"required: {passes} passes (at least {LEAST_PASSES}), {failures} failures (at most {MOST_FAILURES})")
    print(f"{passes if good else 0} passed, {0 if good else max(failures, 1)} failed, 0 skipped")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
