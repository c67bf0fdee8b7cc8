"""`python -m rapport.demo_start ADDRESS`: loads the demo into a running server, once for a data directory."""

import asyncio
import sys

import structlog

from rapport import demo
from rapport.core import datadir, logs
from rapport.core.processes import watch_lifeline
from rapport.settings import load

log = structlog.get_logger()


def main() -> None:
    """Load the demo with the server key that comes as the environment's bootstrap key; leave the marker when done."""
    settings = load()
    logs.configure(settings.log_format, "demo")
    watch_lifeline(0, lambda: None)
    key = next(key for key in settings.bootstrap_keys if key.kind == "server")
    try:
        lines = asyncio.run(demo.load(settings, sys.argv[1], key))
    except Exception:
        log.exception("the demo could not be loaded")
        sys.exit(1)
    datadir.write_secret(settings.data_dir / datadir.DEMO_MARKER, "".join(f"{line}\n" for line in lines).encode())


if __name__ == "__main__":
    main()
