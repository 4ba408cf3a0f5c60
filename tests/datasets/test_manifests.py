"""Downloads from a server on this machine that breaks connections and sends what it should not."""

import functools
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest
from naturalistic.datasets import alice
from naturalistic.datasets.download import DownloadError, download_manifest

# the server breaks its own sockets on purpose
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

file_sha256 = functools.partial(pooch.file_hash, alg="sha256")
FILES = {"a/one.txt": b"one" * 1000, "a/two.txt": b"two" * 1000, "three.bin": bytes(range(256)) * 40}
MANIFEST = {name: hashlib.sha256(body).hexdigest() for name, body in FILES.items()}


class Server:
    """A web server on loopback; ``faults`` says what goes wrong for a path, and is used up."""

    def __init__(self):
        self.faults, self.asked = {}, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.lstrip("/")
                outer.asked.append(name)
                body, fault = FILES.get(name), outer.faults.pop(name, None)
                if body is None or fault == "404":
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if fault == "broken":  # half of the body, then the line is dead
                    self.wfile.write(body[: len(body) // 2])
                    self.wfile.flush()
                    self.connection.close()
                else:
                    self.wfile.write(body[::-1] if fault == "corrupt" else body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_download_whole(server, tmp_path):
    assert download_manifest(MANIFEST, server.address, tmp_path / "to", progress=False) == tmp_path / "to"
    assert {name: file_sha256(tmp_path / "to" / name) for name in MANIFEST} == MANIFEST
    server.asked.clear()
    download_manifest(MANIFEST, server.address, tmp_path / "to", progress=False)
    assert server.asked == []  # nothing is fetched twice


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404", "the server answered 404"),
        ("broken", "the connection broke before the file was whole"),
        ("corrupt", "another SHA-256"),
    ],
)
@pytest.mark.parametrize("name", list(FILES))
def test_a_bad_download_is_never_taken_for_whole(server, tmp_path, fault, reason, name):
    server.faults[name] = fault
    with pytest.raises(DownloadError, match=reason) as error:
        download_manifest(MANIFEST, server.address, tmp_path, progress=False)
    assert f"{server.address}/{name}" in str(error.value) and "of 3 files are in" in str(error.value)
    there = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()]
    assert name not in there
    for other in there:
        assert file_sha256(tmp_path / other) == MANIFEST[other]  # nothing half-written under any name
    download_manifest(MANIFEST, server.address, tmp_path, progress=False)  # and the next try goes on from there
    assert all(file_sha256(tmp_path / n) == d for n, d in MANIFEST.items())


def test_a_damaged_file_on_disk_is_fetched_again(server, tmp_path):
    download_manifest(MANIFEST, server.address, tmp_path, progress=False)
    (tmp_path / "three.bin").write_bytes(FILES["three.bin"][:100])
    server.asked.clear()
    download_manifest(MANIFEST, server.address, tmp_path, progress=False)
    assert server.asked == ["three.bin"] and file_sha256(tmp_path / "three.bin") == MANIFEST["three.bin"]


def test_no_server(tmp_path):
    with pytest.raises(DownloadError, match=r"could not be reached.*0 of 3 files"):
        download_manifest(MANIFEST, "http://127.0.0.1:9", tmp_path, progress=False)


def test_alice_is_downloaded_into_the_cache(server, monkeypatch):
    monkeypatch.delenv("NATURALISTIC_DATA", raising=False)
    monkeypatch.setattr(alice, "ADDRESS", server.address)
    monkeypatch.setattr(alice, "manifest", lambda: MANIFEST)
    folder = alice.locate()
    assert (folder / "a" / "one.txt").read_bytes() == FILES["a/one.txt"]


def test_the_simulated_story_takes_over_and_says_so(monkeypatch, capsys):
    monkeypatch.delenv("NATURALISTIC_DATA", raising=False)
    monkeypatch.setattr(alice, "ADDRESS", "http://127.0.0.1:9")
    with pytest.raises(DownloadError):
        alice.load()
    story = alice.load(fallback="simulated")
    assert "could not be reached" in capsys.readouterr().out
    assert story.is_simulated and story.name == "Simulated data (layout of Alice)"
    assert story.title("Words") == "Words (simulated)"


def test_the_manifest_lists_all_that_the_loader_reads():
    published = alice.manifest()
    assert len(published) == 144 and all(len(digest) == 64 for digest in published.values())
    assert alice.TEXTGRID in published and published[alice.TEXTGRID] != alice.CUT_TEXTGRID
    assert sum("10mm" in name for name in published) == 28


def test_read_manifest(tmp_path):
    (tmp_path / "m.txt").write_text("ab  x/y z.txt\n\ncd w\n")
    assert alice.read_manifest(tmp_path / "m.txt") == {"x/y z.txt": "ab", "w": "cd"}
