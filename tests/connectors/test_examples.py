"""Every example block of connectors/README.md passes `vigia check`, and every kind of source and desk has one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import connectors
from connectors.kinds import kinds, tools
from monitor.__main__ import app
from tests.authority import beside

README = (Path(connectors.__file__).parent / "README.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^## (\w+)\n.*?```toml\n(.*?)```", README, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_passes_the_check(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text(EXAMPLES[name], encoding="utf-8")
    for secret in re.findall(r"\$\{(\w+)\}", EXAMPLES[name]):
        monkeypatch.setenv(secret, "s3cret")
    beside(EXAMPLES[name], tmp_path, "s3cret")
    done = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert done.exit_code == 0, done.output
    assert "no fault" in done.output


def test_every_kind_has_an_example_and_a_line() -> None:
    blocks = {
        (folder, block["kind"])
        for example in EXAMPLES.values()
        for folder, named in tomllib.loads(example).items()
        for block in named.values()
    }
    desks = {("desks", kind) for kind in kinds("desks")}
    boards = {("boards", kind) for kind in kinds("boards")}
    assert {("sources", kind) for kind in (*kinds("sources"), *tools())} | desks | boards == blocks
    told = set(re.findall(r"^\| \[`(\w+)`\]", README, re.MULTILINE))
    assert told == {kind for _, kind in blocks}
