"""The table of entries while they are judged: live on a terminal, a line for each that is done elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reprobox.judging.batch import BatchRow
from reprobox.streams import escape_unprintable, outlive_terminal, write_line

_WAITING = "waiting"
_JUDGING = "judging"
_URGENCY = {_JUDGING: 0, _WAITING: 1}
"""What is shown first where not all fit; what is judged already comes last."""


class Display(AbstractContextManager["Display"]):
    """One line for each entry."""

    def __init__(self, files: tuple[Path, ...], stream: TextIO, *, live: bool, color: bool) -> None:
        self._states = dict.fromkeys((path.name for path in files), (_WAITING, ""))
        self._stream = stream
        self._done = 0
        self._lock = Lock()
        self._ended = False
        self._console = Console(file=outlive_terminal(stream), no_color=not color, highlight=False)
        self._live = Live(get_renderable=self._draw, console=self._console, refresh_per_second=2) if live else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        if self._live:
            self._live.stop()

    def say(self, path: Path, text: str) -> None:
        """Show what is going on with an entry."""
        with self._lock:
            self._states[path.name] = (_JUDGING, escape_unprintable(text))

    def finish(self, row: BatchRow) -> None:
        """Show what became of an entry."""
        text = escape_unprintable(row.reason)
        if row.claimed is not None and row.judged is not None:
            text = f"{escape_unprintable(row.metric)} {row.claimed:.6g} → {row.judged:.6g}; {text}"
        if row.kept:
            text = f"judged before; {text}"
        with self._lock:
            self._done += 1
            self._states[row.file] = (row.outcome, text)
            if not self._live:
                count = f"{self._done}/{len(self._states)}"
                write_line(self._stream, f"{count:>9}  {escape_unprintable(row.file):24}  {row.outcome:14}  {text}")

    def _draw(self) -> Table:
        """Return all entries in their order; of more than the terminal has lines, first those that are being judged."""
        table = Table(box=None, pad_edge=False, show_header=False, expand=True)
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(self._console.width // 3, 12))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        with self._lock:
            rows = list(self._states.items())
            if not self._ended and len(rows) > self._console.height:
                rows.sort(key=lambda row: _URGENCY.get(row[1][0], len(_URGENCY)))
                table.add_row(Text(f"{self._done} of {len(rows)} judged"), Text(""), Text(""))
            for name, (state, text) in rows:
                table.add_row(Text(escape_unprintable(name)), Text(state), Text(text))
        return table
