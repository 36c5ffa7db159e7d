# SPDX-License-Identifier: GPL-2.0-only
"""A Chromium that is told what to do, over a pipe (the DevTools protocol), and its own log of the network."""
import base64
import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import tempfile
import time

PATIENCE = 90


def high(fd):
    """The same, with a number that the browser's own pipes do not have."""
    copy = fcntl.fcntl(fd, fcntl.F_DUPFD, 20)
    os.close(fd)
    return copy


class Chromium:
    """One page of a browser in a network namespace."""

    def __init__(self, where, *flags):
        self.place = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.log = f"{self.place.name}/net.json"
        theirs_in, self.out = map(high, os.pipe())
        self.into, theirs_out = map(high, os.pipe())

        def pipes():
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", where, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-component-update", "--disable-background-networking", "--disable-quic", "--remote-debugging-pipe",
             f"--log-net-log={self.log}", f"--user-data-dir={self.place.name}/profile", *flags, "about:blank"],
            preexec_fn=pipes, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)
        self.number, self.buffer, self.events = 0, b"", []
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Network"):
            self.call(f"{domain}.enable")

    def message(self, seconds=PATIENCE):
        until = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            if not select.select([self.into], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError("the browser says nothing")
            piece = os.read(self.into, 1 << 20)
            if not piece:
                raise RuntimeError("the browser is gone")
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.number += 1
        said = {"id": self.number, "method": method, "params": params}
        if hasattr(self, "session"):
            said["sessionId"] = self.session
        os.write(self.out, json.dumps(said).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def event(self, method, **params):
        """The first event of this kind from now on, or of those that were not looked at yet."""
        while True:
            found = self.events.pop(0) if self.events else self.message()
            if found.get("method") == method and all(found["params"].get(k) == v for k, v in params.items()):
                return found["params"]

    def visit(self, url):
        """Open a page; returns where that led, and its text."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.event("Page.loadEventFired")
        return self.script("location.href"), self.script("document.body.innerText")

    def script(self, text, wait=False):
        return self.call("Runtime.evaluate", expression=text, awaitPromise=wait)["result"].get("value")

    def picture(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        """End it; returns what its TCP sockets (received, sent) by its own log, payload only."""
        del self.session
        with contextlib.suppress(RuntimeError):
            self.call("Browser.close")
        try:
            self.process.wait(PATIENCE)
            with open(self.log) as f:
                log = json.load(f)
        finally:
            self.kill()
        names, kinds = log["constants"]["logEventTypes"], log["constants"]["logSourceType"]
        return [sum(e["params"]["byte_count"] for e in log["events"]
                    if e["type"] == names[name] and e["source"]["type"] == kinds["SOCKET"])
                for name in ("SOCKET_BYTES_RECEIVED", "SOCKET_BYTES_SENT")]

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for fd in (self.out, self.into):
            with contextlib.suppress(OSError):
                os.close(fd)
        self.place.cleanup()
