"""Starts a sandbox, runs the checks against it, ends it: check.py PROGRAM [TEST...]."""

import os
import signal
import subprocess
import sys
import threading
import unittest

STARTS_WITHIN = 30
ENDS_WITHIN = 10


class Result(unittest.TextTestResult):
    """Counts tests, of which one may fail in several places."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def failed(self):
        broken = [test for test, _ in self.failures + self.errors]
        return len({getattr(test, "test_case", test).id() for test in broken}) + len(self.unexpectedSuccesses)


def first_line(process):
    """What the program says of itself; ends the program if that takes too long."""
    watchdog = threading.Timer(STARTS_WITHIN, process.kill)
    watchdog.start()
    try:
        return process.stdout.readline()
    finally:
        watchdog.cancel()


def end(process):
    process.terminate()
    try:
        process.wait(ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(ENDS_WITHIN)
    process.stdout.close()


def check(names):
    here = os.path.dirname(os.path.abspath(__file__))
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(names) if names else loader.discover(here)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
    print(f"{result.passed} passed, {result.failed()} failed{skipped}")
    return result.failed() == 0 and result.passed > 0


def main(program, *names):
    # So that whoever ends this ends the program as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    process = subprocess.Popen([program, "sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        line = first_line(process)
        if not line:
            sys.exit(f"{program} did not start")
        os.environ["INTEROP_SANDBOX"] = line
        return check(names)
    finally:
        end(process)


if __name__ == "__main__":
    sys.exit(not main(*sys.argv[1:]))
