"""The folders of [words]: relative to the configuration; one that is named and not there is a fault, for nothing of it would be used."""

from __future__ import annotations

from pathlib import Path

from monitor.blocks import Words
from monitor.faults import Fault

FOLDERS = ("templates", "guides")


def lost_folders(words: Words | None, base: Path, file: str) -> list[Fault]:
    """Those that are named and are no folders."""
    named = {key: getattr(words, key) for key in FOLDERS} if words else {}
    lost = [(key, folder) for key, folder in named.items() if folder and not (base / folder).is_dir()]
    return [Fault(file, f"words.{key}", f"there is no folder {folder!r}") for key, folder in lost]


def placed_words(words: Words, base: Path) -> Words:
    """With whole paths."""
    return words.model_copy(
        update={key: str(base / folder) for key in FOLDERS if (folder := getattr(words, key))},
    )
