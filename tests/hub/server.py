# SPDX-License-Identifier: MIT
"""A hub in small: the model API, resolve addresses and a storage server on a port of its own, all on 127.0.0.1, with
faults that a test can order. Every request is remembered."""
import hashlib
import http.server
import json
import re
import socket
import threading
import time


def git_hash(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Hub:
    """repos: name -> {revision -> commit}; contents: (name, commit) -> {file -> bytes}."""

    def __init__(self):
        self.revisions, self.contents, self.cards, self.large = {}, {}, {}, set()
        self.token = None  # wanted of every request when set
        self.gated = set()
        self.requests = []  # (server, method, path, headers)
        self.faults = []  # functions (handler, file, data, first) -> True when they have served the request
        self.api_faults = []  # functions (handler) -> True when served
        self.servers = [self._start("hub"), self._start("storage")]
        self.endpoint, self.storage = ("http://127.0.0.1:%d" % s.server_port for s in self.servers)

    def _start(self, kind):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            name = kind

            def log_message(self, *arguments):
                pass

            def do_HEAD(self):
                hub.serve(self)

            def do_GET(self):
                hub.serve(self)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *arguments: None  # clients are killed on purpose
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def add(self, repo, commit, files, revision="main", card=None, large=()):
        self.revisions.setdefault(repo, {})[revision] = commit
        self.contents[repo, commit] = files
        self.cards[repo] = card
        self.large |= {(repo, name) for name in large}

    def count(self, method, text, server=None):
        return sum(m == method and text in p and server in (None, s) for s, m, p, h in self.requests)

    # ---- serving ----

    def reply(self, handler, status, body=b"", headers=None, length=None):
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    def serve(self, handler):
        self.requests.append((handler.name, handler.command, handler.path, dict(handler.headers)))
        if handler.name == "storage":
            match = re.fullmatch(r"/blob/([^/]+/[^/]+)/(\w{40})/([^/?]+)\?signed", handler.path)
            repo, commit, name = match.groups()
            return self.send_bytes(handler, name, self.contents[repo, commit][name], {})
        if any(fault(handler) for fault in list(self.api_faults)):
            return None
        if self.token and handler.headers.get("Authorization") != "Bearer " + self.token:
            return self.reply(handler, 401, b"no", {"X-Error-Code": "RepoNotFound"})
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/?]+)", handler.path)
        if match:
            return self.send_api(handler, match[1], match[2].replace("%2F", "/"))
        match = re.fullmatch(r"/([^/]+/[^/]+)/(resolve|cached)/([^/]+)/([^/?]+)", handler.path)
        if match:
            return self.send_file(handler, *match.groups())
        return self.reply(handler, 404, b"no such page")

    def commit_of(self, handler, repo, revision):
        revisions = self.revisions.get(repo)
        if repo in self.gated and self.token is None:
            self.reply(handler, 403, b"gated", {"X-Error-Code": "GatedRepo"})
        elif revisions is None:
            self.reply(handler, 401, b"no", {"X-Error-Code": "RepoNotFound"})
        elif revision not in revisions and revision not in revisions.values():
            self.reply(handler, 404, b"no", {"X-Error-Code": "RevisionNotFound"})
        else:
            return revisions.get(revision, revision)
        return None

    def send_api(self, handler, repo, revision):
        commit = self.commit_of(handler, repo, revision)
        if commit is None:
            return
        body = {"id": repo, "sha": commit, "siblings": [{"rfilename": n} for n in sorted(self.contents[repo, commit])]}
        if self.cards[repo] is not None:
            body["cardData"] = self.cards[repo]
        self.reply(handler, 200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def send_file(self, handler, repo, kind, revision, name):
        """Large files redirect to the storage server; small ones to an address of the hub's own, as the hub does."""
        commit = self.commit_of(handler, repo, revision)
        if commit is None:
            return
        data = self.contents[repo, commit].get(name)
        headers = {"X-Repo-Commit": commit}
        if data is None:
            self.reply(handler, 404, b"no", {**headers, "X-Error-Code": "EntryNotFound"})
        elif (repo, name) in self.large:
            headers.update({"X-Linked-Etag": '"%s"' % sha256(data), "X-Linked-Size": str(len(data)), "ETag": '"other"',
                            "Location": "%s/blob/%s/%s/%s?signed" % (self.storage, repo, commit, name)})
            self.reply(handler, 302, b"moved", headers)
        elif kind == "resolve":
            self.reply(handler, 307, b"", {**headers, "Location": "/%s/cached/%s/%s" % (repo, commit, name)})
        else:
            self.send_bytes(handler, name, data, {**headers, "ETag": 'W/"%s"' % git_hash(data)})

    def send_bytes(self, handler, name, data, headers):
        first = 0
        match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if match:
            first = int(match[1])
        if handler.command == "GET" and any(fault(handler, name, data, first) for fault in list(self.faults)):
            return
        if match and first >= len(data):
            self.reply(handler, 416, b"", {"Content-Range": "bytes */%d" % len(data)})
        elif match:
            self.reply(handler, 206, data[first:],
                       {**headers, "Content-Range": "bytes %d-%d/%d" % (first, len(data) - 1, len(data))})
        else:
            self.reply(handler, 200, data, {"Accept-Ranges": "bytes", **headers})

    # ---- faults ----

    def send_part(self, handler, data, first, count):
        """Headers for all that was asked for, then only `count` bytes of it."""
        handler.send_response(206 if first else 200)
        if first:
            handler.send_header("Content-Range", "bytes %d-%d/%d" % (first, len(data) - 1, len(data)))
        handler.send_header("Content-Length", str(len(data) - first))
        handler.end_headers()
        handler.wfile.write(data[first:first + count])
        handler.wfile.flush()

    def cut(self, name, count, times):
        """Close the connection after `count` bytes, `times` times."""
        left = [times]

        def fault(handler, file, data, first):
            if file != name or left[0] == 0:
                return False
            left[0] -= 1
            self.send_part(handler, data, first, count)
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return True
        self.faults.append(fault)

    def hold(self, name, count):
        """Send `count` bytes, then nothing; the event tells that they are sent. Set `release` to go on."""
        sent, release = threading.Event(), threading.Event()

        def fault(handler, file, data, first):
            if file != name or release.is_set():
                return False
            self.send_part(handler, data, first, count)
            sent.set()
            release.wait(10)
            try:
                handler.wfile.write(data[first + count:])
            except OSError:
                pass
            return True
        self.faults.append(fault)
        return sent, release

    def answer(self, name, status, times, headers=None, body=b"trouble"):
        left = [times]

        def fault(handler, file, data, first):
            if file != name or left[0] == 0:
                return False
            left[0] -= 1
            self.reply(handler, status, body, headers)
            return True
        self.faults.append(fault)

    def lie(self, name, change, times):
        """Send change(data) instead, as if it were the file."""
        left = [times]

        def fault(handler, file, data, first):
            if file != name or left[0] == 0:
                return False
            left[0] -= 1
            data = change(data)
            if first:
                self.reply(handler, 206, data[first:],
                           {"Content-Range": "bytes %d-%d/%d" % (first, len(data) - 1, len(data))})
            else:
                self.reply(handler, 200, data)
            return True
        self.faults.append(fault)


def wait_until(condition, seconds=8.0):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited %g s in vain" % seconds)
        time.sleep(0.01)
