"""A child process for tests of the supervisor: answers /readyz, notes its end, and misbehaves when told.

`stub_child.py NAME PORT_VARIABLE [crash | wrong-use | deaf]`
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

name, port, mode = sys.argv[1], int(os.environ[sys.argv[2]]), (sys.argv[3:] or [""])[0]
data = Path(os.environ["BOOMERANG_DATA"])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


def end(*_):
    with (data / "ended").open("a") as file:
        file.write(name + "\n")
    sys.exit(0)


with (data / "started").open("a") as started:
    started.write(f"{name} {os.environ.get('BOOMERANG_KAFKA', '')}\n")
print(f"{name} says hello", flush=True)
if mode == "crash":
    sys.exit("no luck today")
if mode == "wrong-use":
    sys.exit(2)
signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "deaf" else end)
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
