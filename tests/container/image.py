"""The Dockerfile's lines, carried out in a Debian root whose python3 is of the version that FROM asks for and stands in for the image."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SUITES = {"3.13": "trixie"}
"""The Debian whose python3 is of the version."""
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
STAND_IN = """
ln -s /usr/bin/python3 /usr/local/bin/python
rm /usr/lib/python3*/EXTERNALLY-MANAGED
wheel=$(echo /usr/share/python-wheels/pip-*.whl)
python3 "$wheel/pip" install --quiet --no-index --root-user-action=ignore "$wheel"
ln -sf pip3 /usr/local/bin/pip
"""
"""What python:*-slim has and Debian has not: `python`, and a pip under /usr/local that is nobody's package."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass
class Stage:
    """A root folder and what the Dockerfile says of it."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    user: tuple[str, str] = ("0", "0")
    workdir: str = "/"
    volumes: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)

    def at(self, path: str) -> Path:
        """Where a path of the image lies on this machine."""
        return self.root / os.path.join(self.workdir, path).lstrip("/")  # noqa: PTH118 - an absolute path wins

    def heed(self, word: str, rest: str) -> None:
        """An instruction that does nothing but say how it is to run."""
        match word:
            case "ARG" | "ENV":  # an argument has what is written there; that it lasts past the build does no harm here
                self.env |= {key: value.replace("$PATH", self.env["PATH"]) for key, value in pairs(rest).items()}
            case "LABEL":
                self.labels |= pairs(rest)
            case "WORKDIR":
                self.workdir = rest
                self.at(".").mkdir(parents=True, exist_ok=True)
            case "USER":
                user, group = rest.split(":")
                self.user = (user, group)
            case "VOLUME":
                self.volumes.append(rest)
            case "ENTRYPOINT" | "CMD":
                self.commands[word] = json.loads(rest)
            case "HEALTHCHECK":
                self.commands[word] = json.loads(rest[rest.index("CMD ") + 4 :])
            case _:
                sys.exit(f"Dockerfile: {word}: this script does not know it")

    def enter(self, argv: list[str], *, env: dict[str, str], mounts: str = "", net: bool = True) -> list[str]:
        """The command line that runs `argv` in the root, as PID 1 of namespaces of its own, by the stage's user."""
        inner = [str(shutil.which("unshare")), f"--root={self.root}", f"--wd={self.workdir}", *self.who(), "--", *argv]
        root = shlex.quote(str(self.root))
        inside = f"mount --bind {root} {root}; mount -t proc proc {root}/proc; {mounts}\n"
        inside += f"exec env -i {shlex.join(f'{key}={value}' for key, value in env.items())} {shlex.join(inner)}"
        spaces = ["--mount", "--pid", "--ipc", "--uts", *([] if net else ["--net"])]
        return ["unshare", *spaces, "--fork", "--kill-child", "sh", "-ec", inside]

    def who(self) -> list[str]:
        return [f"--setgid={self.user[1]}", f"--setuid={self.user[0]}"]


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """The Dockerfile's instructions, each with the rest of its line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        yield word, rest.strip()


def sent(context: Path, patterns: list[str]) -> Iterator[Path]:
    """The files that .dockerignore lets through: of the patterns that match a path or a folder above it, the last one decides."""
    rules = []
    for pattern in patterns:
        parts = (re.escape(part) for part in pattern.removeprefix("!").split("**/"))
        matches = "(?:.*/)?".join(part.replace(r"\*", "[^/]*") for part in parts)
        rules.append((re.compile(f"{matches}(/.*)?"), pattern.startswith("!")))
    for path in context.rglob("*"):
        name = path.relative_to(context).as_posix()
        kept = [keep for rule, keep in rules if rule.fullmatch(name)]
        if path.is_file() and (not kept or kept[-1]):
            yield path


def pairs(text: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(text))


def copy(stage: Stage, words: list[str], source: Path) -> None:
    """COPY: the contents of a folder, or files into a folder. All of it is root's."""
    *names, last = words
    target = stage.at(last)
    for name in names:
        found = source / name.lstrip("/")
        if found.is_dir():
            shutil.copytree(found, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(found, target / found.name if last.endswith("/") else target)


def build(folder: Path, base: Path | None) -> Stage:
    """The last stage, every line carried out."""
    context = folder / "context"
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    for path in sent(ROOT, [line for line in lines if line and not line.startswith("#")]):
        target = context / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for word, rest in instructions((ROOT / "Dockerfile").read_text()):
        say(f"{word} {rest}"[:150])
        match word:
            case "FROM":
                image, _, name = rest.partition(" AS ")
                stage = stages[name] = Stage(folder / f"root-{len(stages)}")
                subprocess.run(["cp", "-a", str(debian(image, folder, base)), str(stage.root)], check=True)
            case "RUN":
                if subprocess.run(stage.enter(["/bin/sh", "-c", rest], **reach(stage)), check=False).returncode != 0:
                    sys.exit(f"Dockerfile: RUN {rest}: it failed")
            case "COPY":
                words = rest.split()
                other = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
                copy(stage, words, stages[other].root if other else context)
            case _:
                stage.heed(word, rest)
    return stage


def reach(stage: Stage) -> dict[str, Any]:
    """How RUN gets at packages: pip's own variables and certificates of this machine, only while the line runs."""
    pip = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    ours = ["/etc/resolv.conf", *([pip["PIP_CERT"]] if "PIP_CERT" in pip else [])]
    for path in ours:
        stage.at(path).parent.mkdir(parents=True, exist_ok=True)
        stage.at(path).touch()
    mounts = "; ".join(f"mount --bind {shlex.quote(path)} {shlex.quote(str(stage.at(path)))}" for path in ours)
    return {"env": stage.env | pip | {"HOME": "/root"}, "mounts": mounts}


def debian(image: str, folder: Path, base: Path | None) -> Path:
    """A Debian root that stands in for the image; made once."""
    version = re.fullmatch(r"python:(\d+\.\d+)-slim", image)
    if version is None or version[1] not in SUITES:
        sys.exit(f"Dockerfile: FROM {image}: no Debian is known whose python3 could stand in for it")
    root = base or folder / "debian"
    if not (root / "usr/local/bin/pip").is_symlink():
        suite = SUITES[version[1]]
        packages = "--include=python3,python3-venv,ca-certificates,tzdata"
        subprocess.run(
            ["debootstrap", "--variant=minbase", packages, suite, str(root)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        stage = Stage(root)
        subprocess.run(stage.enter(["/bin/sh", "-ec", STAND_IN], env=stage.env), check=True)
    found = subprocess.check_output(["chroot", str(root), "python", "--version"], text=True)
    if not found.startswith(f"Python {version[1]}."):
        sys.exit(f"{root}: {found.strip()} cannot stand in for {image}")
    return root
