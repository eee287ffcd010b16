"""Builds the image's last stage, runs it, looks at it from inside, ends it: `python -m tests.container [--base DIR]`.

The ENTRYPOINT runs as the USER and as PID 1, in namespaces of its own without a network, its root mounted read-only, over a
configuration of `file` sources; the HEALTHCHECK is asked, and SIGTERM ends it. What this cannot show: the real base image, and
what an engine makes of the file.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

from tests.container.image import ROOT, Stage, build, say

PATIENCE = 120.0
"""Seconds until it must be ready, and until it must have ended."""
CONFIG = """
[sources.pagos]
role = "transactions"
kind = "file"
path = "pagos.csv"
every = "1s"

[sources.clientes]
role = "clients"
kind = "file"
path = "clientes.csv"
"""
PROBES = {
    "no pip, setuptools, ensurepip, wheel or uv is importable": """
import importlib.util as u; assert not [m for m in ("pip", "setuptools", "ensurepip", "wheel", "uv") if u.find_spec(m)]""",
    "no pip, uv, compiler or make is on the PATH": """
import os, re
names = r"(pip|uv|uvx|easy_install|gcc|g[+][+]|cc|c[+][+]|clang|make|ld)[0-9.-]*"
found = [f"{d}/{f}" for d in os.environ["PATH"].split(":") if os.path.isdir(d) for f in os.listdir(d) if re.fullmatch(names, f)]
assert not found, found""",
    "the installed packages know the time zones without the system's": """
import os, zoneinfo; zoneinfo.reset_tzpath(()); zoneinfo.ZoneInfo("America/Bogota")""",
    "CA certificates are there, the packages' and the system's": """
import ssl, requests
for found in (ssl.create_default_context(cafile=requests.certs.where()), ssl.create_default_context()):
    assert found.cert_store_stats()["x509_ca"] > 50, found.cert_store_stats()""",
    "psycopg brings its own libpq": """
import psycopg; assert psycopg.pq.__impl__ == "binary" """,
    "it is PID 1, and not root": """
import os; assert open("/proc/1/cmdline", "rb").read().split(b"\\0")[1].endswith(b"/vigia")
assert os.getuid() == os.getgid() == 10001 and not os.getgroups()""",
    "the root is read-only, and only /tmp and /var/lib/vigia can be written to": """
import os
assert os.statvfs("/").f_flag & os.ST_RDONLY
dirs = [d for d, below, _ in os.walk("/") if d != "/proc" or below.clear()]
found = {d for d in dirs if os.access(d, os.W_OK) and not d.startswith(("/tmp/", "/var/lib/vigia/"))}
assert found == {"/tmp", "/var/lib/vigia"}, found""",
}
"""Seen from inside while it runs, each a program of the image's own python."""


@contextmanager
def running(stage: Stage, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The ENTRYPOINT with its CMD, read-only but for /tmp and the volumes; and the process that is PID 1 inside, as seen from here."""
    etc = stage.at("/etc/vigia")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    times = (
        now - timedelta(minutes=minute, seconds=second) for minute in range(120, 2, -1) for second in range(0, 60, 10)
    )
    rows = "".join(f"{time.isoformat()},pagos,web,900123456,ok\n" for time in times)
    (etc / "config.toml").write_text(CONFIG)
    (etc / "pagos.csv").write_text(f"timestamp,product,channel,client_id,status\n{rows}")
    (etc / "clientes.csv").write_text("client_id,segment\n900123456,corporativo\n")
    mounts = ["ip link set lo up", f"mount -o remount,bind,ro {shlex.quote(str(stage.root))}"]
    mounts.append(f"mount -t tmpfs -o mode=1777 tmpfs {shlex.quote(str(stage.root / 'tmp'))}")
    for number, volume in enumerate(stage.volumes):
        state = folder / f"volume-{number}"
        subprocess.run(["cp", "-a", str(stage.at(volume)), str(state)], check=True)
        mounts.append(f"mount --bind {shlex.quote(str(state))} {shlex.quote(str(stage.at(volume)))}")
    argv = stage.commands["ENTRYPOINT"] + stage.commands["CMD"]
    command = stage.enter(argv, env=of_user(stage), mounts="; ".join(mounts), net=False)
    with subprocess.Popen(command) as outer:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        try:
            until = monotonic() + PATIENCE
            while not (found := children.read_text().split()):
                assert outer.poll() is None, f"it ended with {outer.returncode}"
                assert monotonic() < until, "it did not start"
                sleep(0.05)
            yield outer, int(found[0])
        finally:
            # --kill-child is forgotten when the child becomes another user: PID 1 itself is ended, and all that it started with it
            for child in children.read_text().split() if outer.poll() is None else ():
                os.kill(int(child), signal.SIGKILL)
            outer.kill()


def of_user(stage: Stage) -> dict[str, str]:
    """The environment that an engine gives: the image's, and the user's home."""
    users = (line.split(":") for line in stage.at("/etc/passwd").read_text().splitlines())
    return stage.env | {"HOME": next(user[5] for user in users if user[2] == stage.user[0])}


def prove(stage: Stage, folder: Path) -> None:
    """Starts it, looks at it from inside, ends it; says what was seen."""
    assert stage.labels["org.opencontainers.image.title"] == "Vigía"
    assert f'license = "{stage.labels["org.opencontainers.image.licenses"]}"' in (ROOT / "pyproject.toml").read_text()
    env = [f"{key}={value}" for key, value in of_user(stage).items()]
    start = monotonic()
    with running(stage, folder) as (outer, one):
        spaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wd"]
        enter = ["env", "-i", *env, str(shutil.which("nsenter")), f"--target={one}", *spaces, *stage.who(), "--"]

        def inside(*argv: str, quiet: bool = False) -> int:
            out = subprocess.DEVNULL if quiet else None
            return subprocess.run([*enter, *argv], check=False, stdout=out, stderr=out).returncode

        while inside(*stage.commands["HEALTHCHECK"], quiet=True) != 0:
            assert outer.poll() is None, f"it ended with {outer.returncode}"
            assert monotonic() - start < PATIENCE, "it did not become healthy"
            sleep(0.2)
        say(f"seen: the health check succeeds {monotonic() - start:.1f} s after the start")
        for what, program in PROBES.items():
            for python in ("python", "/usr/local/bin/python") if "importable" in what else ("python",):
                assert inside(python, "-c", program) == 0, f"not so: {what} ({python})"
            say(f"seen: {what}")
        config = stage.commands["CMD"][-1]
        for command in (
            f"check --connect --config {config}",
            "demo month --days 2 --out /tmp/month",
            "check --config /tmp/month/config.toml",
            f"incidents list --config {config}",
        ):
            assert inside(*stage.commands["ENTRYPOINT"], *command.split()) == 0, f"vigia {command} failed"
            say(f"seen: vigia {command} ends with 0")
        start = monotonic()
        os.kill(one, signal.SIGTERM)
        code = outer.wait(PATIENCE)
        assert code == 0, f"SIGTERM ended it with {code}"
        say(f"seen: SIGTERM ends PID 1 with 0 after {monotonic() - start:.1f} s")
    state = folder / "volume-0/vigia.db"
    assert state.stat().st_uid == int(stage.user[0]), "the state is not in the volume"
    say(f"seen: the state is in the volume, {state.stat().st_size} bytes")


def main() -> None:
    """Exit 0 if all of it is so; what is not, as an error."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument(
        "--base", type=Path, metavar="DIR", help="where Debian's root is made, and found again the next time"
    )
    base = options.parse_args().base
    needed = ("debootstrap", "unshare", "nsenter", "chroot", "mount", "ip")
    if missing := [name for name in needed if shutil.which(name) is None] + ([] if os.geteuid() == 0 else ["root"]):
        sys.exit(f"needs {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="vigia-container-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        stage = build(folder, base)
        say(f"built: {subprocess.check_output(['du', '-sh', str(stage.at('/venv'))], text=True).split()[0]} in /venv")
        prove(stage, folder)


if __name__ == "__main__":
    main()
