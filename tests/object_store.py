"""An S3 server on loopback (moto), and what a test puts there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import requests
from moto.server import ThreadedMotoServer

BUCKET = "entrada"
logging.getLogger("werkzeug").setLevel(logging.ERROR)


@dataclass
class Store:
    """client: boto3's, to put objects into the bucket."""

    url: str
    client: Any

    @property
    def options(self) -> dict[str, Any]:
        """Of a source of kind `file`, but for its path."""
        return {"username": "AKIAVIGIA", "password": "s3cret-key", "endpoint": self.url}

    def path(self, pattern: str) -> str:
        return f"s3://{BUCKET}/pagos/{pattern}"

    def put(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=f"pagos/{name}", Body=content)


@contextmanager
def object_store() -> Iterator[Store]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        requests.post(f"http://{host}:{port}/moto-api/reset", timeout=60)  # one memory for all of a process
        url = f"http://{host}:{port}"
        client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
        )
        client.create_bucket(Bucket=BUCKET)
        yield Store(url, client)
    finally:
        server.stop()
