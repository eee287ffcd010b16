"""Files at an address of the web: read by a signed address, which is told to nobody; and no longer waited for than is said."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from connectors import SourceError
from connectors.sources.file import File

pytest.importorskip("aiohttp")
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
SIGNED = "sv=2024&sig=s3cret%2Bsignature"
ROWS = b"id,status\n1,ok\n2,ok\n"


@contextmanager
def shelf(body: bytes = ROWS, status: int = 0) -> Iterator[str]:
    """A server that has one file, for who comes with the signature. status: it is listed, and getting it is answered so."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            let_in = not status and self.path == f"/c/f.csv?{SIGNED}"
            listed = status and self.command == "HEAD"
            self.send_response(200 if let_in or listed else status or 403)
            self.send_header("Content-Length", str(len(body) if let_in else 0))
            self.end_headers()
            if let_in and self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - its name

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/c/f.csv"
        server.shutdown()
        thread.join()


def source(path: str, **options: Any) -> File:
    return File(path=path, settled=timedelta(0), **options)


def test_a_file_is_read_by_its_signed_address_and_the_place_holds_no_signature() -> None:
    with shelf() as url:
        batch = source(f"{url}?{SIGNED}").poll(None, NOW, None)
        assert batch.table["id"].to_pylist() == ["1", "2"]
        assert "s3cret" not in json.dumps(batch.cursor)
        assert batch.where is not None
        assert "s3cret" not in batch.where(0) + source(f"{url}?{SIGNED}").check()
        again = source(f"{url}?{SIGNED}").poll(json.loads(json.dumps(batch.cursor)), NOW, None)
        assert again.table.num_rows == 0


def test_what_an_option_holds_is_told_to_nobody() -> None:
    options = {"client_kwargs": {"headers": {"Authorization": "Bearer s3cret-token"}}}
    with shelf(status=403) as url:
        file = source(url.replace("/c/", "/c-s3cret-token/"), options=options)
        with pytest.raises(SourceError, match=r"url='http://127\.0\.0\.1:\d+/c-\*\*\*/f\.csv'"):
            file.poll(None, NOW, None)


@pytest.mark.parametrize("signature", ["s3cret", "s3cret%2FhIjK%2BnOpQ%3D", "s3cret/hI+jK=="])
@pytest.mark.parametrize("status", [403, 500])
def test_a_signature_is_told_to_nobody_however_it_is_written(signature: str, status: int) -> None:
    with shelf(status=status) as url:
        file = source(f"{url}?sv=2024&sig={signature}")
        with pytest.raises(SourceError, match=rf"/c/f\.csv\?\*\*\*: f\.csv: {status}, ") as error:
            file.poll(None, NOW, None)
    assert "sig" not in str(error.value)
    assert not any(part in str(error.value) for part in ("s3cret", "hI", "jK", "nOpQ", "2024"))


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        with pytest.raises(SourceError, match="no answer within 1 s") as error:
            source(f"http://127.0.0.1:{server.getsockname()[1]}/f.csv", timeout=timedelta(seconds=1)).check()
    assert error.value.fault == "timeout"
    assert time.monotonic() - began < 40  # a second; without the limit, five minutes


def test_a_protocol_that_cannot_be_told_how_long_to_wait_takes_no_timeout() -> None:
    with pytest.raises(ValueError, match=r"^timeout: memory:// knows none"):
        source("memory://x/*.csv", timeout=timedelta(seconds=9))
    source("memory://x/*.csv")
    source("ftp://h/*.csv", timeout=timedelta(seconds=9), username="u", password="p")
