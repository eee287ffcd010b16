"""The command line with an injected clock: `python command.py CLOCK ARGUMENTS...`. The time is what the file CLOCK says (ISO 8601)."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from monitor import cli

if __name__ == "__main__":
    clock = Path(sys.argv.pop(1))
    cli.now = lambda: datetime.fromisoformat(clock.read_text())
    from monitor.__main__ import main  # its parts take the clock over as they are imported

    main()
