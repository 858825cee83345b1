#!/usr/bin/env python3
"""A program of your own as a subject: zokio-bench run sleep-floor --subject mine=harness/examples/custom_subject.py"""
import json
import os
import sys
import time


def say(kind, value):
    print(json.dumps({kind: value}), flush=True)


if "--describe" in sys.argv:
    mine = {"name": "mine", "version": "1.0.0", "workloads": ["sleep"]}
    print(json.dumps({"protocol": 1, "name": "custom_subject.py", "version": "1.0.0", "subjects": [mine]}))
    sys.exit(0)

trial = json.loads(sys.stdin.readline())["trial"]
if "sleep" not in trial["workload"]:
    say("failed", {"class": "unsupported", "message": "this program only sleeps"})
    sys.exit(3)

say("ready", {"addresses": [], "pid": os.getpid()})
say("phase", {"name": "measure"})
started, slept = time.monotonic_ns(), 0
while time.monotonic_ns() - started < trial["phases"]["measure_ms"] * 1_000_000:
    time.sleep(trial["workload"]["sleep"]["duration_ns"] / 1e9)
    slept += 1
elapsed = time.monotonic_ns() - started
say("phase", {"name": "drain"})
say("record", {"id": trial["id"], "elapsed_ns": elapsed, "batches": [[slept, elapsed]], "driver": "none",
               "work": {"attempted": slept, "ok": slept, "bytes": 0, "verified": slept}})
