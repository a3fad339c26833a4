"""Runs the black-box tests of the real program, each on both loops.

    python3 tests/blackbox/run.py [--loop uring,epoll] [--jobs 2] [--list] [word ...]

Words select tests whose module and name contain all of them. The program is $CARDEA_BINARY or build/cardea. Prints one
line for each failing test, with what happened and the end of the gateway's log, and last the line of counts."""

import argparse
import importlib
import multiprocessing
import os
import pathlib
import signal
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import harness  # noqa: E402
import testing  # noqa: E402

LOG_LINES = 60


class OutOfTime(BaseException):
    """Not an Exception, so that no test's own handler swallows it."""


def raise_out_of_time(_signal, _frame):
    raise OutOfTime


def load_modules():
    for path in sorted(HERE.glob("test_*.py")):
        importlib.import_module(path.stem)


def selected(words, loops):
    """(module, loop) -> tests; one group shares what its tests share, and runs in one process."""
    out = {}
    for module, tests in testing.TESTS.items():
        for loop in loops:
            chosen = [test for test in tests if loop in test.loops
                      and all(word in f"{module} {test.name}" for word in words)]
            if chosen:
                out[(module, loop)] = chosen
    return out


def what_happened(error):
    if isinstance(error, OutOfTime):
        places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(HERE))]
        where = "; ".join(f"{pathlib.Path(f.filename).name}:{f.lineno} {f.line}" for f in places[-3:])
        return f"out of time at {where}"
    places = [frame for frame in traceback.extract_tb(error.__traceback__)
              if pathlib.Path(frame.filename).name.startswith("test_")]
    where = f" ({pathlib.Path(places[-1].filename).name}:{places[-1].lineno})" if places else ""
    kind = "" if isinstance(error, testing.Failure) else f"{type(error).__name__}: "
    return f"{kind}{error}{where}"


def run_test(test, loop, shared):
    context = testing.Context(loop, shared)
    try:
        signal.alarm(test.seconds)
        test.function(context)
        context.check_gateways()
        return "passed", ""
    except testing.Skip as skip:
        return "skipped", str(skip)
    except (Exception, OutOfTime) as error:
        signal.alarm(0)
        text = what_happened(error)
        for gateway in context.gateways:
            if gateway.process is not None and gateway.process.poll() is not None and not gateway.is_expected_to_end:
                text += f"\n    the gateway ended by itself with {gateway.process.returncode}"
            lines = gateway.log().splitlines()[-LOG_LINES:]
            text += "".join(f"\n    | {line[:400]}" for line in lines)
        return "failed", text
    finally:
        signal.alarm(0)
        context.end()


def run_group(job):
    (module, loop), words, loops = job
    load_modules_once()
    signal.signal(signal.SIGALRM, raise_out_of_time)
    shared = {}
    results = []
    for test in selected(words, loops)[(module, loop)]:
        start = time.monotonic()
        outcome, text = run_test(test, loop, shared)
        results.append((f"{module.removeprefix('test_')}: {test.name} [{loop}]", outcome, text, time.monotonic() - start))
    for owner, _ in shared.values():
        owner.end()
    return results


def load_modules_once():
    if not testing.TESTS:
        load_modules()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", default="uring,epoll")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--slowest", type=int, default=0)
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_intermixed_args()
    loops = arguments.loop.split(",")
    load_modules_once()
    groups = selected(arguments.words, loops)
    if arguments.list:
        for (module, loop), tests in groups.items():
            for test in tests:
                print(f"{module.removeprefix('test_')}: {test.name} [{loop}]")
        return 0
    if not os.access(harness.BINARY, os.X_OK):
        print(f"no program at {harness.BINARY}")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    reasons = {}
    times = []
    jobs = [(key, arguments.words, loops) for key in sorted(groups, key=lambda key: -sum(t.seconds for t in groups[key]))]
    with multiprocessing.get_context("fork").Pool(arguments.jobs, maxtasksperchild=1) as pool:
        for results in pool.imap_unordered(run_group, jobs):
            for name, outcome, text, seconds in results:
                counts[outcome] += 1
                times.append((seconds, name))
                if outcome == "failed":
                    print(f"failed: {name}: {text}", flush=True)
                elif outcome == "skipped":
                    reasons.setdefault(text, []).append(name)
    for reason, names in sorted(reasons.items()):
        print(f"skipped: {reason}: {len(names)}, such as {names[0]}")
    for seconds, name in sorted(times, reverse=True)[:arguments.slowest]:
        print(f"{seconds:6.2f} s {name}")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped", flush=True)
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
