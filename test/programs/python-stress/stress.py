"""What CPython does of its own: stress.py WAY."""
import sys

way = sys.argv[1] if len(sys.argv) > 1 else ""


def threads():
    import threading
    import queue

    jobs = queue.Queue()
    done = threading.Event()

    def work():
        while jobs.get() is not None:
            bytearray(100000)
        done.wait(0.01)

    all = [threading.Thread(target=work) for _ in range(8)]
    for one in all:
        one.start()
    for number in range(400):
        jobs.put(number)
    for _ in all:
        jobs.put(None)
    for one in all:
        one.join()


def blocks():
    import gc

    many = [bytes(number * 100) for number in range(3000)]
    many = [[many] for _ in range(100000)]
    gc.collect()
    del many
    gc.collect()
    bytearray(100 << 20)


def imports():
    import json, decimal, sqlite3, datetime, re, hashlib, random, collections

    print(json.dumps({"now": str(datetime.datetime.now()), "random": random.random()})[:1])


def text():
    sys.stdout.write("line\n" * 5000)
    sys.stderr.write("to stderr\n")
    sys.stdin.readline()
    input_is_tty = sys.stdin.isatty()


def interrupted():
    import signal, os

    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("interrupted")


def child_error():
    def inner():
        raise ValueError("at the end")

    inner()


def late():
    import atexit, weakref

    atexit.register(print, "late")


def times():
    import time

    time.time(), time.monotonic(), time.process_time(), time.thread_time()
    time.sleep(0.01)


ways = dict(
    threads=threads, blocks=blocks, imports=imports, text=text, interrupted=interrupted, error=child_error, late=late, times=times
)
if way == "abort":
    import os

    os.abort()
if way == "exit":
    sys.exit(3)
if way == "recursion":
    def deep(): deep()
    try:
        deep()
    except RecursionError:
        print("recursion")
ways.get(way, lambda: print("done"))()
