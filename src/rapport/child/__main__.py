"""Run one process: what the other kind needs is not loaded."""

import argparse
import importlib
import sys

import structlog

from rapport.core import logs
from rapport.core.processes import loading
from rapport.settings import StartError, load

log = structlog.get_logger()


def main() -> None:
    """Run one process; a StartError is one line of log and exit code 1."""
    parser = argparse.ArgumentParser(prog="rapport.child")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("api").add_argument("--fd", type=int, required=True, dest="descriptor")
    kinds.add_parser("worker")
    arguments = vars(parser.parse_args())
    kind = arguments.pop("kind")
    try:
        settings = load()
        logs.configure(settings.log_format, kind)
        with loading():
            module = importlib.import_module(f"rapport.child.{kind}")
        module.run(settings, **arguments)
    except StartError as error:
        log.error(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
