"""Files elsewhere: over SFTP from a real sshd, in object storage from an S3 server; who is let in, what is waited for, what is told."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors import SourceError, filesystems, remote
from connectors.sftp import Sftp
from connectors.sftp import _Reads as Reads
from connectors.sources.file import File
from tests.fake_mail import free_port
from tests.object_store import Store, object_store
from tests.sftp_server import Server, sftp_server

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
AT_ONCE = {"settled": timedelta(0)}
SECOND = {"timeout": timedelta(seconds=1)}
ROWS = b"id,status\n1,ok\n"


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with sftp_server(tmp_path_factory.mktemp("sshd") / "server") as server:
        yield server


@pytest.fixture
def sftp(sshd: Server) -> Server:
    for file in sshd.root.iterdir():
        file.unlink()
    return sshd


@pytest.fixture
def s3() -> Iterator[Store]:
    with object_store() as store:
        yield store


def ids(source: File, cursor: Any = None) -> tuple[list[str], Any]:
    batch = source.poll(json.loads(json.dumps(cursor)), NOW, None)
    return batch.table["id"].to_pylist() if batch.table.num_rows else [], batch.cursor


def told(source: File) -> SourceError:
    with pytest.raises(SourceError) as error:
        source.poll(None, NOW, None)
    assert "\n" not in str(error.value)
    return error.value


# ---- SFTP ----------------------------------------------------------------------------------------------------------


def test_uploads_over_sftp_are_read_when_they_are_whole(sftp: Server) -> None:
    options = {"path": sftp.path("*.csv*"), **sftp.options}
    part = sftp.root / "a.csv.filepart"
    part.write_bytes(ROWS)
    first = NOW.timestamp() - 5
    seen, cursor = ids(File(**options))
    part.rename(sftp.root / "a.csv")
    (sftp.root / "b.csv.gz").write_bytes(gzip.compress(b"id,status\n2,ok\n"))
    os.utime(sftp.root / "a.csv", (first, first))
    source = File(**options)
    more, cursor = ids(source, cursor)
    assert (seen, more) == ([], [])  # they might still be written
    batch = source.poll(cursor, NOW + timedelta(seconds=30), None)
    assert batch.table["id"].to_pylist() == ["1", "2"]
    assert batch.where is not None
    assert batch.where(1) == "b.csv.gz:line 2"
    assert source.check() == "2 files, the last b.csv.gz: id, status"


def test_the_address_may_name_the_user(sftp: Server) -> None:
    (sftp.root / "a.csv").write_bytes(ROWS)
    options = {name: value for name, value in sftp.options.items() if name != "username"}
    address = sftp.path("").replace("sftp://", f"sftp://{sftp.user}@")
    source = File(path=address, **options, **AT_ONCE)
    assert ids(source)[0] == ["1"]
    assert f"{sftp.user}@" not in told(File(path=address + "none/*.csv", **options)).args[0]


def test_links_are_followed_and_folders_left(sftp: Server) -> None:
    (sftp.root / "a.csv").symlink_to(sftp.folder / "there.csv")
    (sftp.folder / "there.csv").write_bytes(ROWS)
    (sftp.root / "gone.csv").symlink_to(sftp.folder / "nowhere.csv")
    (sftp.folder / "f").mkdir()
    (sftp.root / "f.csv").symlink_to(sftp.folder / "f")
    assert ids(File(path=sftp.path("*.csv"), **sftp.options, **AT_ONCE))[0] == ["1"]


def test_an_unknown_host_is_never_let_in(sftp: Server, tmp_path: Path) -> None:
    (tmp_path / "known").write_text("")
    error = told(File(path=sftp.path("*.csv"), **sftp.options | {"known_hosts": str(tmp_path / "known")}))
    assert (error.fault, error.permanent, error.whole) == ("login", True, True)
    key = subprocess.run(
        ["ssh-keygen", "-l", "-f", sftp.folder / "host_key.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert f"is not in {tmp_path / 'known'}: the server shows ssh-ed25519 {key}" in str(error)


def test_a_host_with_another_key_is_not_let_in(sftp: Server, tmp_path: Path) -> None:
    other = (sftp.folder / "key.pub").read_text().split()[1]
    (tmp_path / "known").write_text(f"[127.0.0.1]:{sftp.port} ssh-ed25519 {other}\n")
    error = told(File(path=sftp.path("*.csv"), **sftp.options | {"known_hosts": str(tmp_path / "known")}))
    assert (error.fault, error.permanent) == ("login", True)
    assert "the host key is not the one in" in str(error)


@pytest.mark.parametrize(
    "wrong", [{"username": "nadie"}, {"key_file": "host_key"}, {"key_file": "", "password": "s3cret"}]
)
def test_who_is_not_let_in_is_told_so(sftp: Server, wrong: dict[str, str]) -> None:
    if wrong.get("key_file"):
        wrong = {"key_file": str(sftp.folder / wrong["key_file"])}
    error = told(File(path=sftp.path("*.csv"), **sftp.options | wrong))
    assert (error.fault, error.permanent) == ("login", True)
    assert "s3cret" not in str(error)


def test_a_key_file_that_is_not_there_is_told(sftp: Server) -> None:
    error = told(File(path=sftp.path("*.csv"), **sftp.options | {"key_file": "/nowhere/key"}))
    assert (error.fault, error.permanent) == ("login", True)
    assert "key_file /nowhere/key" in str(error)


def test_a_folder_or_server_that_is_not_there_is_told(sftp: Server) -> None:
    error = told(File(path=sftp.path("nowhere/*.csv"), **sftp.options))
    assert (error.fault, error.permanent) == ("unreachable", False)
    error = told(File(path=f"sftp://127.0.0.1:{free_port()}/x/*.csv", **sftp.options))
    assert (error.fault, error.permanent) == ("unreachable", False)


def test_a_file_without_permission_does_not_hold_up_the_others(sftp: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = Sftp.get_file

    def refused(fs: Sftp, rpath: str, lpath: str) -> None:
        if rpath.endswith("a.csv"):  # root may read everything
            raise PermissionError(13, "Permission denied")
        fetched(fs, rpath, lpath)

    monkeypatch.setattr(Sftp, "get_file", refused)
    (sftp.root / "a.csv").write_bytes(ROWS)
    (sftp.root / "b.csv").write_bytes(b"id,status\n2,ok\n")
    source = File(path=sftp.path("*.csv"), **sftp.options, **AT_ONCE)
    seen, cursor = ids(source)
    assert seen == ["2"]
    with pytest.raises(SourceError, match=r"a\.csv: no permission") as error:
        source.poll(cursor, NOW, None)
    assert error.value.fault == "refused"


def children(pid: int) -> list[int]:
    found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(deeper for one in found for deeper in children(one))]


def test_a_server_that_hangs_is_waited_for_no_longer_than_said(sftp: Server) -> None:
    (sftp.root / "a.csv").write_bytes(ROWS)
    source = File(path=sftp.path("*.csv"), **sftp.options, **AT_ONCE, **SECOND)
    seen, cursor = ids(source)
    stopped = children(sftp.process.pid)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(SourceError, match="no answer within 1 s") as error:
        source.poll(cursor, NOW, None)
    assert time.monotonic() - began < 20
    assert (error.value.fault, error.value.permanent) == ("timeout", False)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    (sftp.root / "b.csv").write_bytes(b"id,status\n2,ok\n")
    assert (seen, ids(source, cursor)[0]) == (["1"], ["2"])  # over a new connection


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_transfer_that_ends_in_the_middle_leaves_no_thread_and_comes_whole_later(
    sftp: Server, how: signal.Signals, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    content = b"id\n" + b"".join(b"%d\n" % n for n in range(500_000))
    (sftp.root / "a.csv").write_bytes(content)
    source = File(path=sftp.path("*.csv"), **sftp.options, **AT_ONCE, **SECOND)
    source.check()
    servers, threads, go_on, pieces = children(sftp.process.pid), threading.active_count(), Reads.go_on, []

    def interrupted(reads: Reads) -> bool:
        pieces.append(1)
        for pid in servers if len(pieces) == 10 else ():
            os.kill(pid, how)
        return go_on(reads)

    monkeypatch.setattr(Reads, "go_on", interrupted)
    assert told(source).fault in ("timeout", "unreachable")
    for pid in servers if how == signal.SIGSTOP else ():
        os.kill(pid, signal.SIGCONT)
    batch = source.poll(None, NOW, None)
    assert batch.table["id"].to_pylist() == [str(n) for n in range(500_000)]
    assert threading.active_count() <= threads + 1
    assert capfd.readouterr().err == ""


def test_a_socket_that_paramiko_has_closed_is_no_connection(sftp: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: Any, **__: Any) -> None:
        raise OSError("Socket is closed")  # as Channel._send says it, where the end was seen before we wrote

    (sftp.root / "a.csv").write_bytes(ROWS)
    source = File(path=sftp.path("*.csv"), **sftp.options, **AT_ONCE)
    with monkeypatch.context() as broken:
        broken.setattr(Sftp, "get_file", closed)
        error = told(source)
    assert (error.fault, error.permanent) == ("unreachable", False)
    assert ids(source)[0] == ["1"]  # over a new connection


def test_a_connection_that_breaks_is_made_anew(sftp: Server) -> None:
    (sftp.root / "a.csv").write_bytes(ROWS)
    source = File(path=sftp.path("*.csv"), **sftp.options, **AT_ONCE)
    seen, cursor = ids(source)
    for pid in children(sftp.process.pid):
        os.kill(pid, signal.SIGKILL)
    error = None
    for _ in range(2):
        try:
            more, _ = ids(source, cursor)
        except SourceError as broken:
            error = broken
    assert (seen, more) == (["1"], [])
    assert error is None or error.fault in ("unreachable", "timeout")


@contextmanager
def mute() -> Iterator[int]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_one_that_says_nothing_at_all_is_given_up_too(sftp: Server) -> None:
    with mute() as port:
        began = time.monotonic()
        error = told(File(path=f"sftp://127.0.0.1:{port}/*.csv", **sftp.options, **SECOND))
        assert error.fault == "timeout"
        error = told(
            File(path="s3://entrada/*.csv", username="a", password="b", endpoint=f"http://127.0.0.1:{port}", **SECOND)
        )
        assert error.fault == "timeout"
        assert time.monotonic() - began < 20


def test_a_file_that_takes_too_long_in_all_is_given_up(sftp: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystems, "WHOLE", 0.0)
    (sftp.root / "a.csv").write_bytes(ROWS * 300_000)
    assert told(File(path=sftp.path("*.csv"), **sftp.options, **AT_ONCE)).fault == "timeout"


# ---- object storage ------------------------------------------------------------------------------------------------


def test_objects_are_read_once_and_no_wait(s3: Store, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["1", "2"]}), tmp_path / "a.parquet")
    s3.put("2026/a.parquet", (tmp_path / "a.parquet").read_bytes())
    s3.put("2026/11/b.csv.gz", gzip.compress(b"id\n3\n"))
    options = {"path": s3.path("**"), **s3.options}
    seen, cursor = ids(File(**options))
    assert sorted(seen) == ["1", "2", "3"]
    s3.put("2026/a.parquet", (tmp_path / "a.parquet").read_bytes())  # put there again
    s3.put("c.csv", b"id\n4\n")
    source = File(**options)
    more, cursor = ids(source, cursor)
    assert more == ["4"]
    assert ids(source, cursor)[0] == []
    assert "3 files, the last c.csv: id" in source.check()


def test_a_bucket_that_is_not_there_is_told_and_an_empty_one_is_no_fault(s3: Store) -> None:
    error = told(File(path="s3://nowhere/*.csv", **s3.options))
    assert (error.fault, error.permanent) == ("unreachable", False)
    assert ids(File(path="s3://entrada/nothing/yet/*.csv", **s3.options))[0] == []
    assert ids(File(path="s3://entrada/*.csv", **s3.options))[0] == []


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The address of a server that gives the same answer to everything."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "code", "fault", "permanent"),
    [
        (403, "InvalidAccessKeyId", "login", True),
        (403, "SignatureDoesNotMatch", "login", True),
        (403, "AccessDenied", "refused", False),
        (503, "SlowDown", "busy", False),
        (500, "InternalError", "server", False),
    ],
)
def test_what_a_store_answers_has_its_kind(status: int, code: str, fault: str, *, permanent: bool) -> None:
    answer = f"<Error><Code>{code}</Code><Message>no, AKIAVIGIA s3cret-key</Message></Error>"
    with answering(status, answer.encode()) as url:
        error = told(File(path="s3://entrada/*.csv", username="AKIAVIGIA", password="s3cret-key", endpoint=url))
    assert (error.fault, error.permanent) == (fault, permanent)
    assert "s3cret-key" not in str(error)


def test_a_large_object_is_fetched_once_for_all_its_pieces(s3: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.taken.LIMIT", 400)
    s3.put("a.csv", b"id\n" + b"".join(b"%d\n" % n for n in range(500)))
    source = File(path=s3.path("*.csv"), **s3.options)
    seen, cursor = ids(source)
    fs = source._elsewhere.folder._kept.fs  # type: ignore[union-attr]
    monkeypatch.setattr(fs, "get_file", lambda *_, **__: pytest.fail("fetched again"))
    for _ in range(20):
        more, cursor = ids(source, cursor)
        seen += more
    assert seen == [str(n) for n in range(500)]


def test_what_was_fetched_is_not_left_behind(s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote.tempfile, "tempdir", str(tmp_path))
    s3.put("a.csv", ROWS)
    source = File(path=s3.path("*.csv"), **s3.options)
    assert ids(source)[0] == ["1"]
    assert len(list(tmp_path.iterdir())) == 1
    del source
    assert list(tmp_path.iterdir()) == []


# ---- the block -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": "sftp://u:s3cret@h/x/*.csv"}, "path: holds a password: put it into `password`"),
        ({"path": "sftp://h/x/*.csv"}, "path: sftp:// needs `username`, and `password` or `key_file`"),
        (
            {"path": "sftp://u@h/x/*.csv", "password": "x", "options": {"host_key_policy": "auto_add"}},
            "options: sftp://",
        ),
        ({"path": "klingon://h/*.csv"}, "path: klingon:// is no protocol that fsspec knows"),
        ({"path": "simplecache::s3://h/*.csv"}, "password: is for files elsewhere"),
        ({"path": "s3://h/*.csv", "key_file": "x"}, "key_file: is for sftp:// alone"),
        ({"path": "memory://h/*.csv", "endpoint": "x"}, "endpoint: is for s3:// alone"),
        ({"path": "x.csv", "username": "x"}, "username: is for files elsewhere"),
        ({"path": "s3://h/*.csv", "timeout": timedelta(0)}, "timeout: must be at least 1s"),
    ],
)
def test_impossible_blocks(options: dict[str, Any], said: str) -> None:
    given = {"password": "x"} if "simple" in options["path"] else {}
    with pytest.raises(ValueError, match=said) as error:
        File(**options, **given)
    assert "s3cret" not in str(error.value)


def test_a_missing_package_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "connectors.sftp", None)

    def missing(_: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(filesystems, "get_filesystem_class", missing)
    for path in ("sftp://u@h/*.csv", "s3://b/*.csv"):
        with pytest.raises(ValueError, match=r"^path: needs a package that is not installed: make extras$"):
            File(path=path, password="x")
    for module in ("connectors.remote", "connectors.filesystems"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ValueError, match=r"^path: needs a package that is not installed: make extras$"):
        File(path="gs://b/*.csv")


def test_no_secret_stands_in_what_is_shown(sftp: Server) -> None:
    source = File(path=sftp.path("*.csv"), username="u", password="s3cret")
    assert "s3cret" not in repr(source) + repr(source._elsewhere.folder.shown)  # type: ignore[union-attr]
