# SPDX-License-Identifier: MIT
"""A headless Chromium driven over its DevTools socket, with nothing but Python's own library."""
import base64
import contextlib
import functools
import http.server
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request


def find():
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if shutil.which(name):
            return shutil.which(name)
    return None


class Quiet(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/favicon.ico":  # that there is none is no error of the page
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(folder):
    """The address of a server of the folder, on this machine only. What a page from a file keeps in the browser is not
    reliably there after a reload: on a busy machine Chromium loses it in half of all tries, and in none of a server's."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield "http://127.0.0.1:%d/" % server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class Socket:
    """The client's half of RFC 6455, for text in whole frames."""

    def __init__(self, url):
        host, path = url.removeprefix("ws://").split("/", 1)
        name, port = host.split(":")
        self.connection = socket.create_connection((name, int(port)), timeout=150)
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection.sendall(("GET /%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % (path, host, key)).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.take(1)
        assert b" 101 " in answer.split(b"\r\n")[0], answer

    def take(self, size):
        data = b""
        while len(data) < size:
            part = self.connection.recv(size - len(data))
            if not part:
                raise EOFError("the browser closed the connection")
            data += part
        return data

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data)) \
            if len(data) < 65536 else b"\xff" + struct.pack(">Q", len(data))
        self.connection.sendall(b"\x81" + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def receive(self):
        text = b""
        while True:
            first, second = self.take(2)
            size = second & 127
            if size > 125:
                size = struct.unpack(">H" if size == 126 else ">Q", self.take(2 if size == 126 else 8))[0]
            data = self.take(size)
            if first & 15 in (0, 1):
                text += data
                if first & 128:
                    return text.decode()


class Browser:
    """One page. Used as a context; everything it keeps lies in a folder that goes with it."""

    def __init__(self, downloads):
        self.folder = tempfile.TemporaryDirectory()
        self.log = open(os.path.join(self.folder.name, "log"), "wb")
        self.process = subprocess.Popen(
            [find(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             # What a browser puts off in a window that is not seen, media above all, is not put off.
             "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding", "--disable-background-timer-throttling",
             "--remote-debugging-port=0", "--user-data-dir=" + self.folder.name + "/profile", "--window-size=900,900",
             "about:blank"], stdout=self.log, stderr=self.log, env={**os.environ, "HOME": self.folder.name})
        self.number = 0
        self.problems = []  # exceptions, and what the console has of errors
        self.requests = []  # addresses that were asked for
        self.documents = 0  # that the page has begun
        port = pathlib.Path(self.folder.name, "profile", "DevToolsActivePort")
        self.wait(lambda: port.exists() and len(port.read_text().split()) > 0, "the browser's port")
        address = "http://127.0.0.1:%s/json/list" % port.read_text().split()[0]
        pages = [p for p in json.load(urllib.request.urlopen(address, timeout=30)) if p["type"] == "page"]
        self.socket = Socket(pages[0]["webSocketDebuggerUrl"])
        self.call("Page.enable")
        for domain in ("Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.connection.close()
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()
        for _ in range(20):  # its helpers may still be writing
            try:
                self.folder.cleanup()
                return
            except OSError:
                time.sleep(0.25)

    def wait(self, condition, what, seconds=150):
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise RuntimeError("the browser ended: " + pathlib.Path(self.folder.name, "log").read_text(errors="replace")[-500:])
            if time.monotonic() > end:
                raise TimeoutError("waited for %s; the page: %s" % (what, self.evaluate(
                    "[location.href, document.readyState, document.visibilityState, document.body?.dataset.view].join(' ')")))
            time.sleep(0.05)

    def receive(self):
        """The next message; what events say is remembered."""
        message = json.loads(self.socket.receive())
        if message.get("method") == "Runtime.exceptionThrown":
            self.problems.append(message["params"]["exceptionDetails"])
        if message.get("method") == "Runtime.consoleAPICalled" and message["params"]["type"] in ("error", "assert"):
            self.problems.append(message["params"])
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.problems.append(message["params"]["entry"])
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        if message.get("method") == "Page.domContentEventFired":
            self.documents += 1
        return message

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = self.receive()
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError("%s: %s" % (method, message["error"]))
                return message["result"]

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait(lambda: self.evaluate("document.readyState") == "complete" and self.evaluate("location.href") == url, url)

    def reload(self):
        """The page again, its scripts run. The event says so: a question would be answered by the page that goes, or lost with it.
        Its load event is not waited for: sound that the page prefers to load early holds it up for as long as the browser likes."""
        before = self.documents
        self.call("Page.reload")
        while self.documents == before:
            self.receive()

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def press(self, key):
        """A key as a person presses it, down and up."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"Enter": 13, "ArrowLeft": 37, "ArrowRight": 39, "Tab": 9}.get(key, ord(key.upper()[0]) if len(key) == 1 else 0)
        common = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def picture(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
