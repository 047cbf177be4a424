#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pulling models from a hub that misbehaves, and using them from the cache. Usage: pull.py SMITIN TINY_MODEL"""
import concurrent.futures
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import wave

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from server import Hub, git_hash, sha256, wait_until  # noqa: E402

SMITIN, TINY = os.path.abspath(sys.argv[1]), pathlib.Path(os.path.abspath(sys.argv[2]))
A, B = "a" * 40, "b" * 40
REPO = "org/tiny"
CONFIG = json.dumps({"model_type": "musicgen"}).encode()
# Larger than any buffer between the two ends, so that a connection held or cut in the middle has passed some bytes.
WEIGHTS = b"".join(bytes([i % 251]) * 997 for i in range(3000))
FILES = {"config.json": CONFIG, "generation_config.json": b"{}", "model.safetensors": WEIGHTS, "README.md": b"words",
         "pytorch_model.bin": b"the same once more", "tokenizer.json": b"{}", "spiece.model": b"pieces"}
LARGE = ("model.safetensors", "pytorch_model.bin", "spiece.model")
WANTED = {"config.json", "generation_config.json", "model.safetensors", "spiece.model"}
FAST = ("--retry-delay", "0.01")


class Case(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        self.cache = self.folder / "home" / "hub"
        self.storage = self.cache / "models--org--tiny"
        self.hub = Hub()
        self.hub.add(REPO, A, dict(FILES), card={"license": "cc-by-nc-4.0"}, large=LARGE)
        dropped = ("HF_", "HUGGING", "XDG_", "TRANSFORMERS_", "SMITIN_", "SSL_CERT", "CURL_", "REQUESTS_")
        self.environment = {k: v for k, v in os.environ.items()
                            if not k.startswith(dropped) and not k.lower().endswith("_proxy")}
        self.environment.update(HOME=str(self.folder), HF_HOME=str(self.folder / "home"),
                                HF_ENDPOINT=self.hub.endpoint)

    def tearDown(self):
        self.hub.close()
        self.temporary.cleanup()

    def run_smitin(self, *arguments, **environment):
        return subprocess.run([SMITIN, *map(str, arguments)], capture_output=True, text=True, cwd=self.folder,
                              env={**self.environment, **environment}, timeout=60)

    def pull(self, *arguments, name=REPO, **environment):
        return self.run_smitin("models", "pull", name, *FAST, *arguments, **environment)

    def start(self, *arguments):
        return subprocess.Popen([SMITIN, "models", "pull", REPO, *FAST, *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, env=self.environment, cwd=self.folder)

    def assert_done(self, result, commit=A):
        self.assertEqual(result.returncode, 0, result.stderr)
        snapshot = self.storage / "snapshots" / commit
        self.assertEqual(result.stdout, "%s\n" % snapshot)
        return snapshot

    def assert_refused(self, result, code, *words):
        self.assertEqual(result.returncode, code, result.stderr)
        last = result.stderr.splitlines()[-1]
        self.assertTrue(last.startswith("smitin: "), last)
        for word in words:
            self.assertIn(word, last)
        self.assertEqual(result.stdout, "")

    def assert_no_model(self):
        """Nothing that a reader of the cache would take for a model or for a whole file."""
        self.assertFalse((self.storage / "refs").exists())
        self.assertFalse((self.storage / "snapshots").exists())
        for blob in (self.storage / "blobs").glob("*"):
            if not blob.name.endswith(".incomplete"):
                data = blob.read_bytes()
                self.assertIn(blob.name, (sha256(data), git_hash(data)))
        result = self.run_smitin("knob", "info", "-hf", REPO, "x")
        self.assert_refused(result, 3, "smitin models pull org/tiny")

    def assert_whole(self, snapshot, files=WANTED, contents=FILES):
        self.assertEqual({p.name for p in snapshot.iterdir()}, set(files))
        for path in snapshot.iterdir():
            data = contents[path.name]
            self.assertEqual(path.read_bytes(), data)
            hash = sha256(data) if path.name in LARGE or path.name.startswith("model-") else git_hash(data)
            self.assertEqual(os.readlink(path), "../../blobs/" + hash)
        self.assertEqual(list(self.storage.glob("blobs/*.incomplete")), [])


class Layout(Case):
    def test_cache_as_the_hubs_own_tools_write_it(self):
        snapshot = self.assert_done(self.pull())
        self.assert_whole(snapshot)
        self.assertEqual((self.storage / "refs" / "main").read_text(), A)
        self.assertEqual({p.name for p in (self.cache / ".locks" / "models--org--tiny").iterdir()},
                         {p.name + ".lock" for p in (self.storage / "blobs").iterdir()})
        self.assertTrue((self.cache / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f"))

    def test_only_what_is_needed_is_asked_for(self):
        self.pull()
        asked = {p.split("?")[0].rsplit("/", 1)[1] for s, m, p, h in self.hub.requests if "/revision/" not in p}
        self.assertEqual(asked, WANTED)

    def test_second_pull_fetches_nothing(self):
        self.pull()
        before = len(self.hub.requests)
        result = self.pull("--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["fetched"], 0)
        self.assertNotIn("GET", [m for s, m, p, h in self.hub.requests[before:] if "/revision/" not in p])

    def test_licence_once(self):
        result = self.pull()
        self.assertEqual(result.stderr.count("cc-by-nc-4.0"), 1)
        self.assertEqual(result.stderr.count("licence"), 1)
        self.hub.cards[REPO] = None
        self.assertIn("states no licence", self.pull().stderr)
        self.hub.cards[REPO] = {"license": "other", "license_name": "own\x1b[31mterms"}
        self.assertIn("own [31mterms", self.pull().stderr)

    def test_new_commit_shares_blobs(self):
        self.pull()
        self.hub.add(REPO, B, {**FILES, "config.json": CONFIG + b" "}, card={})
        result = self.pull("--json")
        self.assertEqual(json.loads(result.stdout)["fetched"], len(CONFIG) + 1)
        self.assertEqual((self.storage / "refs" / "main").read_text(), B)
        self.assert_whole(self.storage / "snapshots" / A)
        self.assert_whole(self.storage / "snapshots" / B, contents={**FILES, "config.json": CONFIG + b" "})

    def test_revisions(self):
        self.hub.add(REPO, B, {**FILES, "spiece.model": b"others"}, revision="refs/pr/1")
        self.assert_done(self.pull(name=REPO + "@refs/pr/1"), B)
        self.assertEqual((self.storage / "refs" / "refs" / "pr" / "1").read_text(), B)
        self.assert_done(self.pull(name=REPO + "@" + A), A)
        self.assertFalse((self.storage / "refs" / A).exists())
        self.assertFalse((self.storage / "refs" / "main").exists())
        self.assert_refused(self.pull(name=REPO + "@v9"), 3, "no revision \"v9\"")

    def test_shards(self):
        index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
                                "c": "model-00001-of-00002.safetensors"}}
        files = {"config.json": CONFIG, "model.safetensors.index.json": json.dumps(index).encode(),
                 "model-00001-of-00002.safetensors": b"one" * 5000, "model-00002-of-00002.safetensors": b"two" * 5000,
                 "pytorch_model.bin": b"no"}
        self.hub.add(REPO, B, files, large=[n for n in files if n.startswith("model-")])
        result = self.pull("--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["bytes"], sum(map(len, files.values())) - 2)
        snapshot = self.storage / "snapshots" / B
        self.assert_whole(snapshot, set(files) - {"pytorch_model.bin"}, files)
        (snapshot / "model-00002-of-00002.safetensors").unlink()
        (snapshot / "pytorch_model.bin").write_bytes(b"a later form does not stand in for a damaged one")
        self.assert_refused(self.run_smitin("generate", "-hf", REPO), 3, "lacks model-00002-of-00002.safetensors")
        (snapshot / "pytorch_model.bin").unlink()
        self.assertEqual(self.pull().returncode, 0)
        self.assert_whole(snapshot, set(files) - {"pytorch_model.bin"}, files)

    def test_evil_index(self):
        for name in ("../../../evil", "/etc/passwd", ".hidden", "missing.safetensors"):
            with self.subTest(name):
                index = {"weight_map": {"a": name}}
                self.hub.add(REPO, B, {"config.json": CONFIG,
                                       "model.safetensors.index.json": json.dumps(index).encode()})
                self.assert_refused(self.pull(), 3, "index")
                self.assert_no_model()

    def test_pytorch_and_audiocraft(self):
        self.hub.add("org/torch", A, {"config.json": CONFIG, "pytorch_model.bin": b"p", "state_dict.bin": b"s"})
        self.assertEqual(self.pull(name="org/torch").returncode, 0)
        self.assertEqual({p.name for p in self.cache.glob("models--org--torch/snapshots/*/*")},
                         {"config.json", "pytorch_model.bin"})
        self.hub.add("org/craft", A, {"state_dict.bin": b"s", "compression_state_dict.bin": b"c", "x.md": b""})
        self.assertEqual(self.pull(name="org/craft").returncode, 0)
        self.assertEqual({p.name for p in self.cache.glob("models--org--craft/snapshots/*/*")},
                         {"state_dict.bin", "compression_state_dict.bin"})

    def test_places(self):
        self.pull(HF_HUB_CACHE=str(self.folder / "elsewhere"))
        self.assertTrue((self.folder / "elsewhere" / "models--org--tiny" / "refs" / "main").is_file())
        environment = {k: v for k, v in self.environment.items() if k != "HF_HOME"}
        self.environment = environment
        self.pull(XDG_CACHE_HOME=str(self.folder / "xdg"))
        self.assertTrue((self.folder / "xdg/huggingface/hub/models--org--tiny/refs/main").is_file())
        self.pull()
        self.assertTrue((self.folder / ".cache/huggingface/hub/models--org--tiny/refs/main").is_file())
        self.assertFalse(self.cache.exists())


class Trouble(Case):
    def test_cut_connections_are_continued(self):
        self.hub.cut("model.safetensors", len(WEIGHTS) // 4, 3)
        result = self.pull("--json", "--retries", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_whole(self.storage / "snapshots" / A)
        self.assertEqual(json.loads(result.stdout)["fetched"], sum(len(FILES[n]) for n in WANTED))
        ranges = [h.get("Range") for s, m, p, h in self.hub.requests if s == "storage" and "safetensors" in p]
        self.assertEqual(ranges, [None, *("bytes=%d-" % (i * (len(WEIGHTS) // 4)) for i in (1, 2, 3))])

    def test_gives_up_when_nothing_comes(self):
        self.hub.cut("model.safetensors", 0, 100)
        result = self.pull("--retries", "2")
        self.assert_refused(result, 1, "model.safetensors")
        self.assertEqual(self.hub.count("GET", "model.safetensors", "storage"), 3)
        self.assertEqual(result.stderr.count("trying again"), 2)
        self.assert_no_model()

    def test_killed_and_resumed(self):
        half = len(WEIGHTS) // 2
        sent, release = self.hub.hold("model.safetensors", half)
        client = self.start()
        self.assertTrue(sent.wait(8))
        part = self.storage / "blobs" / (sha256(WEIGHTS) + ".incomplete")
        wait_until(lambda: part.exists() and part.stat().st_size == half)
        client.send_signal(signal.SIGKILL)
        client.communicate()
        release.set()
        self.assert_no_model()
        result = self.pull("--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["fetched"], len(WEIGHTS) - half)
        self.assertEqual(self.hub.requests[-1][3]["Range"], "bytes=%d-" % half)
        self.assert_whole(self.storage / "snapshots" / A)

    def test_damaged_part_is_found_out(self):
        self.storage.joinpath("blobs").mkdir(parents=True)
        part = self.storage / "blobs" / (sha256(WEIGHTS) + ".incomplete")
        for begun in (b"x" * 1000, b"x" * len(WEIGHTS), b"x" * (len(WEIGHTS) + 5)):
            with self.subTest(len(begun)):
                part.write_bytes(begun)
                self.assert_whole(self.assert_done(self.pull()))
                shutil.rmtree(self.storage / "snapshots")
                (self.storage / "blobs" / sha256(WEIGHTS)).unlink()

    def test_wrong_bytes(self):
        for name in ("model.safetensors", "config.json"):
            self.hub.lie(name, lambda data: data[:-1] + b"!", 1)
        result = self.pull()
        self.assert_whole(self.assert_done(result))
        self.assertEqual(result.stderr.count("once more"), 2)

    def test_wrong_bytes_for_good(self):
        self.hub.lie("model.safetensors", lambda data: b"!" + data[1:], 100)
        self.assert_refused(self.pull(), 1, "hash", sha256(WEIGHTS))
        self.assert_no_model()
        self.assertEqual([p.stat().st_size for p in self.storage.glob("blobs/*.incomplete")], [0])

    def test_wrong_lengths(self):
        for change in (lambda data: data + b"more", lambda data: data[:-7]):
            self.hub.faults.clear()
            self.hub.lie("model.safetensors", change, 100)
            self.assert_refused(self.pull("--retries", "2"), 1, "promised %d" % len(WEIGHTS))
            self.assert_no_model()

    def test_unannounced_length(self):
        def flood(handler, file, data, first):
            if file != "model.safetensors":
                return False
            handler.send_response(200)
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.write(data + b"and more")
            handler.close_connection = True
            return True
        self.hub.faults.append(flood)
        self.assert_refused(self.pull("--retries", "1"), 1, "more than the %d bytes" % len(WEIGHTS))
        self.assert_no_model()

    def test_server_without_ranges(self):
        self.hub.cut("model.safetensors", 1000, 1)

        def whole(handler, file, data, first):
            if file != "model.safetensors" or not first:
                return False
            self.hub.reply(handler, 200, data)
            return True
        self.hub.faults.append(whole)
        self.assert_whole(self.assert_done(self.pull()))

    def test_another_range_than_asked(self):
        self.hub.cut("model.safetensors", 1000, 1)
        left = [1]

        def shifted(handler, file, data, first):
            if file != "model.safetensors" or not first or not left[0]:
                return False
            left[0] -= 1
            self.hub.reply(handler, 206, data[first - 10:],
                           {"Content-Range": "bytes %d-%d/%d" % (first - 10, len(data) - 1, len(data))})
            return True
        self.hub.faults.append(shifted)
        result = self.pull()
        self.assert_whole(self.assert_done(result))
        self.assertIn("another range", result.stderr)

    def test_server_errors_pass(self):
        self.hub.answer("model.safetensors", 503, 2)
        self.hub.answer("config.json", 500, 1)
        self.hub.answer("spiece.model", 429, 1, {"Retry-After": "0"})
        self.hub.answer("generation_config.json", 416, 1)
        result = self.pull()
        self.assert_whole(self.assert_done(result))
        self.assertEqual(result.stderr.count("trying again"), 5)

    def test_expired_address_is_asked_for_again(self):
        self.hub.answer("model.safetensors", 403, 1)
        self.assert_whole(self.assert_done(self.pull()))
        self.assertEqual(self.hub.count("GET", "resolve/%s/model.safetensors" % A, "hub"), 2)

    def test_server_errors_that_stay(self):
        self.hub.answer("model.safetensors", 502, 100)
        self.assert_refused(self.pull("--retries", "1"), 1, "502", "model.safetensors")
        self.assert_no_model()

    def test_api_errors(self):
        left = [2]

        def fault(handler):
            if "/api/" not in handler.path or not left[0]:
                return False
            left[0] -= 1
            self.hub.reply(handler, 502, b"x" * 100)
            return True
        self.hub.api_faults.append(fault)
        self.assert_done(self.pull())
        for body in (b"<html>", b"[]", b'{"sha": "../../x", "siblings": []}', b'{"sha": "%s"}' % A.encode()):
            self.hub.api_faults[:] = [lambda handler: self.hub.reply(handler, 200, body) or True]
            self.assert_refused(self.pull(), 1, "does not answer as a Hugging Face hub")

    def test_no_hash_no_trust(self):
        def bare(handler):
            if "model.safetensors" not in handler.path:
                return False
            self.hub.reply(handler, 200, WEIGHTS, {"ETag": '"../../../etc/x"'})
            return True
        self.hub.api_faults.append(bare)
        self.assert_refused(self.pull(), 1, "no hash for model.safetensors")
        self.assert_no_model()

    def test_silence(self):
        sent, release = self.hub.hold("model.safetensors", 1000)
        self.assert_refused(self.pull("--retries", "0", HF_HUB_DOWNLOAD_TIMEOUT="1"), 1, "HF_HUB_DOWNLOAD_TIMEOUT")
        release.set()
        self.assert_no_model()

    def test_circle(self):
        self.hub.api_faults.append(
            lambda handler: self.hub.reply(handler, 307, b"", {"Location": handler.path}) or True)
        self.assert_refused(self.pull(), 1, "circles")

    def test_full_disk(self):
        limit = 64 * 1024

        # A shell counts files in blocks of 512 bytes, and a full disk sends no signal.
        small = "ulimit -f %d; trap '' XFSZ; exec \"$@\"" % (limit // 512)
        result = subprocess.run(["sh", "-c", small, "sh", SMITIN, "models", "pull", REPO], capture_output=True,
                                text=True, env=self.environment, timeout=30)
        self.assert_refused(result, 1, "free some space", "model.safetensors")
        self.assert_no_model()
        result = self.pull("--json")
        self.assertEqual(json.loads(result.stdout)["fetched"], len(WEIGHTS) - limit)

    def test_unwritable_cache(self):
        (self.folder / "home").write_text("a file in the way")
        self.assert_refused(self.pull(), 1, "HF_HOME")


class Refusals(Case):
    def test_help(self):
        for arguments in (["--help"], ["pull", "--help"], ["list", "-h"]):
            result = self.run_smitin("models", *arguments)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("smitin models", result.stdout)

    def test_names(self):
        for name in ("", "org/", "/repo", "a/b/c", "../x", "org/..", "org/re po", "org/x--y..z", "org/repo@",
                     "org/repo@../x", "org/repo@-f", "org/repo@/x"):
            with self.subTest(name):
                self.assert_refused(self.pull(name=name), 2)
        self.assertEqual(self.hub.requests, [])
        for arguments in (["models", "pull"], ["models", "pull", "a/b", "c/d"], ["models", "list", "x"]):
            self.assert_refused(self.run_smitin(*arguments), 2)

    def test_not_there(self):
        self.assert_refused(self.pull(name="org/nothing"), 3, "org/nothing", "private", "HF_TOKEN")
        self.assertEqual(len(self.hub.requests), 1)

    def test_gated(self):
        self.hub.gated.add(REPO)
        self.assert_refused(self.pull(), 3, "gated", self.hub.endpoint + "/org/tiny", "HF_TOKEN")

    def test_other_models(self):
        self.hub.add("org/words", A, {"config.json": b'{"model_type": "llama"}', "model.safetensors": b"x"})
        self.assert_refused(self.pull(name="org/words"), 3, "llama")
        self.assertEqual(self.hub.count("GET", "model.safetensors"), 0)
        self.hub.add("org/empty", A, {"config.json": CONFIG})
        self.assert_refused(self.pull(name="org/empty"), 3, "no weights")
        self.hub.add("org/bare", A, {"README.md": b""})
        self.assert_refused(self.pull(name="org/bare"), 3, "no config.json")

    def test_token(self):
        self.hub.token = "hf_secret"
        self.assert_refused(self.pull(), 3, "HF_TOKEN")
        self.assert_refused(self.pull(HF_TOKEN="hf_wrong"), 3, "org/tiny")
        self.assert_refused(self.pull(HF_TOKEN="a\nHost: b"), 2, "HF_TOKEN")
        self.assert_done(self.pull(HF_TOKEN=" hf_secret\n"))
        served = [(s, h.get("Authorization")) for s, m, p, h in self.hub.requests]
        self.assertIn(("storage", None), served)
        self.assertEqual({a for s, a in served if s == "storage"}, {None}, "the token went to another host")
        shutil.rmtree(self.storage)
        (self.folder / "home" / "token").write_text("hf_secret\n")
        self.assert_refused(self.pull(HF_HUB_DISABLE_IMPLICIT_TOKEN="1"), 3, "HF_TOKEN")
        self.assert_done(self.pull())
        shutil.rmtree(self.storage)
        (self.folder / "home" / "token").rename(self.folder / "mine")
        self.assert_done(self.pull(HF_TOKEN_PATH="~/mine"))

    def test_addresses(self):
        for endpoint in ("ftp://x", "huggingface.co"):
            self.assert_refused(self.pull(HF_ENDPOINT=endpoint), 2, "HF_ENDPOINT")
        self.assert_refused(self.pull("--retries", "0", HF_ENDPOINT="http://127.0.0.1:9"), 1, "HF_ENDPOINT")
        self.assert_refused(self.pull(HF_ENDPOINT=self.hub.endpoint.replace("http:", "https:")), 1, "TLS")
        self.assert_refused(self.pull("--retries", "0", http_proxy="http://127.0.0.1:9"), 1, "proxy")
        self.assert_done(self.pull(HF_ENDPOINT=self.hub.endpoint + "//"))

    def test_offline(self):
        self.assert_refused(self.pull(HF_HUB_OFFLINE="1"), 1, "HF_HUB_OFFLINE")
        self.assertEqual(self.hub.requests, [])
        self.pull()
        before = len(self.hub.requests)
        result = self.pull(HF_HUB_OFFLINE="yes")
        self.assert_done(result)
        self.assertIn("HF_HUB_OFFLINE", result.stderr)
        self.assertEqual(len(self.hub.requests), before)


class Together(Case):
    def test_two_pulls_at_once(self):
        sent, release = self.hub.hold("model.safetensors", 1000)
        first = self.start()
        self.assertTrue(sent.wait(8))
        second = self.start()
        self.assertIn("waiting", second.stderr.readline())
        release.set()
        for client in (first, second):
            out, err = client.communicate(timeout=20)
            self.assertEqual(client.returncode, 0, err)
            self.assert_whole(pathlib.Path(out.strip()))
        self.assertEqual(self.hub.count("GET", "model.safetensors", "storage"), 1)

    def test_lock_of_another_client(self):
        locks = self.cache / ".locks" / "models--org--tiny"
        locks.mkdir(parents=True)
        with open(locks / (sha256(WEIGHTS) + ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            client = self.start()
            self.assertIn("waiting", client.stderr.readline())
            # What it was waiting for comes from the other client.
            (self.storage / "blobs" / sha256(WEIGHTS)).write_bytes(WEIGHTS)
            os.unlink(lock.name)
        out, err = client.communicate(timeout=20)
        self.assertEqual(client.returncode, 0, err)
        self.assertEqual(self.hub.count("GET", "model.safetensors"), 0)

    def test_bar_on_a_terminal(self):
        for environment, drawn in (({}, True), ({"HF_HUB_DISABLE_PROGRESS_BARS": "1"}, False)):
            screen, terminal = pty.openpty()
            client = subprocess.Popen([SMITIN, "models", "pull", REPO], stdout=subprocess.PIPE, stderr=terminal,
                                      env={**self.environment, **environment})
            os.close(terminal)
            text = b""
            while select.select([screen], [], [], 10)[0]:
                try:
                    text += os.read(screen, 65536)
                except OSError:
                    break
            client.communicate(timeout=10)
            os.close(screen)
            self.assertEqual(b"100 %" in text and b"model.safetensors" in text, drawn, text)
            shutil.rmtree(self.cache)


class Use(Case):
    def setUp(self):
        super().setUp()
        self.tiny = {p.name: p.read_bytes() for p in TINY.iterdir() if p.is_file()}
        self.hub.add("org/play", B, self.tiny, card={"license": "mit"}, large=["model.safetensors"])

    def test_generate(self):
        absent = self.run_smitin("generate", "-hf", "org/play", "-o", "a.wav")
        self.assert_refused(absent, 3, "smitin models pull org/play")
        self.assertEqual(self.hub.requests, [])
        self.assertEqual(self.pull(name="org/play").returncode, 0)
        before = len(self.hub.requests)
        models = {"a.wav": ("-hf", "org/play"), "b.wav": ("-hf", "org/play@" + B), "c.wav": ("-m", TINY)}
        for name, model in models.items():
            result = self.run_smitin("generate", *model, "-d", "0.5", "-s", "3", "-o", name)
            self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((self.folder / "a.wav").read_bytes()[-500:], (self.folder / "c.wav").read_bytes()[-500:])
        self.assertEqual(len(self.hub.requests), before, "generate opened a connection")
        self.assert_refused(self.run_smitin("generate", "-hf", "org/play@v1"), 3, "models pull org/play@v1")
        self.assert_refused(self.run_smitin("generate", "-hf", "org/play", "-m", "x"), 2, "--hf-repo")
        self.assert_refused(self.run_smitin("generate", "-hf", "../play"), 2, "org/repo")

    def test_every_command_takes_it(self):
        """What plays, measures, trains and describes finds a pulled model by the same name, and calls it by that."""
        self.assertEqual(self.pull(name="org/play").returncode, 0)
        figures = self.run_smitin("bench", "-hf", "org/play", "--steps", "3", "-q", "f32", "--json", "--quiet")
        self.assertEqual(figures.returncode, 0, figures.stderr)
        self.assertEqual(json.loads(figures.stdout)["model"], "org/play")
        table = self.run_smitin("bench", "-hf", "org/play", "--steps", "3", "-q", "f32", "--quiet")
        self.assertTrue(table.stdout.startswith("org/play: 3 layers of 32"), table.stdout)
        for kind, period in (("with", 8), ("without", 50)):
            (self.folder / kind).mkdir()
            for i in range(4):
                with wave.open(str(self.folder / kind / ("%d.wav" % i)), "wb") as file:
                    file.setparams((1, 2, 2000, 0, "NONE", ""))
                    file.writeframes(bytes(((n + i) // period % 2) * 100 for n in range(8000)))
        trained = self.run_smitin("knob", "train", "-hf", "org/play", "--with", "with", "--without", "without", "--name", "hum",
                                  "--clip-seconds", "0.4", "--pairs", "16", "--calibrate-pieces", "2",
                                  "--calibrate-seconds", "0.5", "--quiet")
        self.assertEqual(trained.returncode, 0, trained.stderr)
        info = self.run_smitin("knob", "info", "-hf", "org/play", "hum", "--json")
        self.assertEqual(json.loads(info.stdout)["model"], "org/play")
        self.assertEqual(self.run_smitin("generate", "-hf", "org/play", "-d", "0.5", "--knob", "hum:5").returncode, 0)

    def test_list(self):
        result = self.run_smitin("models", "list")
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        self.assertIn("smitin models pull", result.stderr)
        self.pull(name="org/play")
        local = self.folder / "models" / "own"
        shutil.copytree(TINY, local)
        (self.cache / "models--org--words" / "snapshots" / A).mkdir(parents=True)
        (self.cache / "models--org--words" / "snapshots" / A / "config.json").write_text('{"model_type": "llama"}')
        half = self.cache / "models--org--half" / "snapshots" / A
        shutil.copytree(self.cache / "models--org--play" / "snapshots" / B, half)
        (half / "model.safetensors").unlink()
        listed = json.loads(self.run_smitin("models", "list", "--json").stdout)
        self.assertEqual([(m["name"], m["revision"], m["commit"], m["complete"]) for m in listed],
                         [("org/half", None, A, False), ("org/play", "main", B, True), ("own", None, None, True)])
        play, own = listed[1], listed[2]
        self.assertEqual((play["dtype"], play["weights"], play["type"]), ("F16", "safetensors", "musicgen"))
        self.assertEqual(play["bytes"], sum(p.stat().st_size for p in pathlib.Path(play["path"]).iterdir()))
        self.assertEqual(own["path"], "models/own")
        table = self.run_smitin("models", "list").stdout.splitlines()
        self.assertEqual(len(table), 4)
        self.assertIn("incomplete", table[1])
        self.assertIn("main@bbbbbbbbbbbb", table[2])


def run_one(test):
    result = unittest.TestResult()
    test.run(result)
    return result


def main():
    """The tests mostly wait, for one another's processes and for the network; so several run at once."""
    tests = [test for suite in unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]) for test in suite]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(run_one, tests))
    bad = [report for result in results for report in result.failures + result.errors]
    for test, report in bad:
        print("%s\n%s" % (test.id(), report))
    print("%d tests, %d failed" % (len(tests), len(bad)))
    return 1 if bad or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
