"""`rapport doctor`."""

import asyncio
import sys

import typer
from rich.console import Console
from rich.table import Table

from rapport import doctor as examination
from rapport.cli.opening import DatabaseUrl, DataDir, read_settings, single

app = single()

_COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}


@app.command()
def doctor(database_url: DatabaseUrl = None, data_dir: DataDir = None) -> None:
    """Look for what is wrong; exit code 1 when something is."""
    settings = read_settings("doctor", data_dir=data_dir, database_url=database_url)
    findings = asyncio.run(examination.examine(settings))
    table = Table("", "state", "details")
    for finding in findings:
        table.add_row(finding.subject, f"[{_COLOURS[finding.state]}]{finding.state}[/]", finding.details)
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)
