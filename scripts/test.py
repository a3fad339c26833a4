"""Builds and runs every test, and ends with one line of counts. Called by `make test` (scripts/test).

Stages: tidy, black-box tests against build/cardea, http-cache-tests, the lines of the demo, and the unit tests: under
ASan and UBSan when CI or SANITIZE is set, else of the optimised build. A stage that cannot run counts as one failure."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
os.environ.pop("MAKEFLAGS", None)  # of the make that called us: no business of ninja's and cmake's


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []  # said again at the end: of a long output often only the end is kept

    def say_failure(self, line):
        self.failures.append(line)
        print(line, flush=True)

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def stage(title):
    print(f"== {title}", flush=True)
    return time.monotonic()


def done(title, start):
    print(f"== {title}: {time.monotonic() - start:.0f} s", flush=True)


def counted(title, command, counts):
    """A program that ends with a line of counts itself."""
    start = stage(title)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace")
    last = None
    is_of_failure = False
    for line in process.stdout:
        found = COUNTS.match(line.strip())
        if found:
            last = [int(number) for number in found.groups()]
            line = f"{title}: {line}"
        is_of_failure = line.lower().startswith("failed") or (is_of_failure and line.startswith("    "))
        if is_of_failure:
            counts.failures.append(f"{title}: {line.rstrip()}")
        print(line, end="", flush=True)
    code = process.wait()
    if last is None:
        counts.say_failure(f"{title}: ended with {code} and no line of counts")
        counts.add(failed=1)
    else:
        counts.add(*last)
        if code != 0 and last[1] == 0:
            counts.say_failure(f"{title}: ended with {code}")
            counts.add(failed=1)
    done(title, start)


def unit_tests(directory, counts):
    """ctest runs one program per folder; each leaves its GoogleTest results as JSON, from which single tests are counted.
    ctest's own verdict counts too: a program may fail after its last test (leaks), or before its first."""
    results = ROOT / directory / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir()
    environment = dict(os.environ, GTEST_OUTPUT=f"json:{results}/", GTEST_BRIEF="1",
                       UBSAN_OPTIONS="print_stacktrace=1", ASAN_OPTIONS="detect_stack_use_after_return=1")
    subprocess.run(["ctest", "--output-on-failure", "--timeout", "900", "--output-junit", results / "ctest.xml",
                    "-j", os.environ.get("JOBS", str(os.cpu_count() or 1))],
                   cwd=ROOT / directory, env=environment, check=False)
    if not (results / "ctest.xml").exists():
        counts.say_failure("ctest left no results")
        counts.add(failed=1)
        return
    for program in xml.etree.ElementTree.parse(results / "ctest.xml").getroot().iter("testcase"):
        name = program.get("name")
        good = program.get("status") == "run"
        failed = single_tests(name, results / f"test_{name}.json", good, counts)
        if not good and failed == 0:
            counts.say_failure(f"failed: {name}, beside its single tests")
            counts.add(failed=1)


def single_tests(program, path, good, counts):
    if not path.exists():  # no GoogleTest program: one test
        counts.add(passed=int(good))
        return 0
    failed = 0
    for suite in json.loads(path.read_text(errors="replace"))["testsuites"]:
        for test in suite["testsuite"]:
            if test.get("status") == "NOTRUN":
                continue
            if "failures" in test:
                failed += 1
                counts.say_failure(f"failed: {program} {suite['name']}.{test['name']}")
            counts.add(passed=int("failures" not in test and test.get("result") != "SKIPPED"),
                       failed=int("failures" in test), skipped=int(test.get("result") == "SKIPPED"))
    return failed


def built(kind, counts, *targets):
    start = stage(f"build ({kind})")
    command = ["scripts/build", "--kind", kind, *targets]
    finished = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if finished.returncode != 0:
        print(finished.stdout)
        counts.say_failure(f"build ({kind}): ended with {finished.returncode}")
        counts.add(failed=1)
    done(f"build ({kind})", start)
    return finished.returncode == 0


def main():
    counts = Counts()
    is_sanitized = bool(os.environ.get("CI")) or os.environ.get("SANITIZE") == "1"
    counted("tidy", [sys.executable, "scripts/tidy.py"], counts)
    # The unit tests are most of what there is to build: one build of them is enough.
    if built("optimised", counts, *(["cardea"] if is_sanitized else [])):
        counted("black-box tests", [sys.executable, "tests/blackbox/run.py"], counts)
        counted("http-cache-tests", [sys.executable, "tests/http-cache-tests/run.py"], counts)
        counted("demo", ["scripts/demo", "--check"], counts)
    if not is_sanitized or built("asan", counts):
        title = "unit tests, sanitized" if is_sanitized else "unit tests"
        start = stage(title)
        unit_tests("build-asan" if is_sanitized else "build", counts)
        done(title, start)
    if counts.failures:
        print("== what failed, once more")
        print("\n".join(line[:400] for line in counts.failures[-100:]))
    print(f"{counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped")
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
