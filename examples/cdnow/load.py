"""Load the CDNOW purchase histories into a running Rapport, and print segments of them with their sizes.

    python examples/cdnow/load.py PATH/CDNOW_sample.txt --app-id … --app-token … [--address http://127.0.0.1:8000]

PATH is the file of all 23,570 customers (CDNOW_master.txt) or of every tenth (CDNOW_sample.txt), as published by
Bruce Hardie and Peter Fader. Everything goes through the HTTP API with the official Python SDK. Safe to run again:
orders have source ids.
"""

import argparse
import datetime as dt
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import voucherify
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from urllib3.exceptions import HTTPError

THREADS = 8
MASTER_COLUMNS = 4

SEGMENTS = {
    "5 purchases or more": {"summary.orders.total_count": {"conditions": {"$more_than_equal": [5]}}},
    "Spent more than $100": {"summary.orders.total_amount": {"conditions": {"$more_than": [10_000]}}},
    "One purchase, less than $50 in all": {
        "summary.orders.total_count": {"conditions": {"$is": [1]}},
        "summary.orders.total_amount": {"conditions": {"$less_than": [5_000]}},
    },
    "Last purchase before 1998-06-01": {"summary.orders.last_order_date": {"conditions": {"$before": ["1998-06-01"]}}},
    "Bought in the last 30 days": {"summary.orders.last_order_date": {"conditions": {"$less_than_ago": [30]}}},
}


@dataclass(frozen=True)
class Purchase:
    """One line of the file; the amount in cents."""

    source_id: str
    customer: str
    at: dt.datetime
    discs: int
    amount: int


def read(path: Path) -> Iterator[Purchase]:
    """Yield the purchases of a CDNOW file, master or sample."""
    seen: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        fields = line.split()
        if not fields or not fields[0].isdigit():
            continue
        customer, *_, date, discs, dollars = fields if len(fields) == MASTER_COLUMNS else (fields[0], *fields[2:])
        seen[customer] += 1
        yield Purchase(
            source_id=f"cdnow-{customer}-{seen[customer]}",
            customer=f"cdnow-{customer}",
            at=dt.datetime.strptime(date, "%Y%m%d").replace(tzinfo=dt.UTC),
            discs=int(discs),
            amount=int(Decimal(dollars) * 100),
        )


def purchases_of(path: Path) -> list[Purchase]:
    """Return all purchases of a file. Raises ValueError when it holds none."""
    try:
        purchases = list(read(path))
    except (ValueError, ArithmeticError) as error:
        raise ValueError(f"{path} is not a file of CDNOW purchases") from error
    if not purchases:
        raise ValueError(f"{path} is not a file of CDNOW purchases")
    return purchases


def order_of(purchase: Purchase) -> voucherify.OrdersCreateRequestBody:
    """Return the order that a purchase becomes; it brings its customer along."""
    discs = voucherify.OrderItem(
        source_id="cd", related_object="product", quantity=purchase.discs, amount=purchase.amount
    )
    return voucherify.OrdersCreateRequestBody(
        source_id=purchase.source_id,
        status="PAID",
        amount=purchase.amount,
        items=[discs],
        created_at=purchase.at,
        customer=voucherify.Customer(source_id=purchase.customer),
    )


def load(client: voucherify.ApiClient, purchases: list[Purchase], console: Console) -> None:
    """Send every purchase, several at a time, with a progress bar."""
    orders = voucherify.OrdersApi(client)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(THREADS) as threads:
        bar = progress.add_task("Purchases", total=len(purchases))
        for _ in threads.map(lambda purchase: orders.create_order(order_of(purchase)), purchases):
            progress.advance(bar)


def create_segments(client: voucherify.ApiClient) -> dict[str, str]:
    """Create the segments and wait until the server has filled them; return their ids by name."""
    segments = voucherify.SegmentsApi(client)
    ids: dict[str, str] = {}
    for name, conditions in SEGMENTS.items():
        body = voucherify.SegmentsCreateRequestBody(
            name=name, type="auto-update", filter={"junction": "and", **conditions}
        )
        ids[name] = segments.create_segment(body).id or ""
    while not all(is_filled(segments, one) for one in ids.values()):
        time.sleep(0.2)
    return ids


def is_filled(segments: voucherify.SegmentsApi, segment_id: str) -> bool:
    """Whether a new segment is filled: read as JSON, since the SDK's model leaves `initial_sync_status` out."""
    answer = segments.get_segment_without_preload_content(segment_id)
    return bool(json.loads(answer.data)["initial_sync_status"] == "DONE")


def sizes(client: voucherify.ApiClient, ids: dict[str, str]) -> dict[str, int]:
    """Return how many customers each segment has."""
    customers = voucherify.CustomersApi(client)
    return {name: customers.list_customers(segment_id=one, limit=1).total for name, one in ids.items()}


def main() -> None:
    """Do what the command line asks for; what does not work out is one line and exit code 1."""
    try:
        run()
    except (OSError, ValueError, HTTPError) as error:
        sys.exit(f"load.py: {' '.join(str(error).split())}")
    except voucherify.ApiException as error:
        sys.exit(f"load.py: the server answered {error.status} {error.reason}: {details(error)}")


def details(error: voucherify.ApiException) -> str:
    """Return what an error answer says."""
    try:
        return str(json.loads(error.body or "")["details"])
    except (ValueError, KeyError, TypeError):
        return "it is no Rapport"


def run() -> None:
    """Load the file that the command line names and print the segments."""
    parser = argparse.ArgumentParser(description="Load the CDNOW purchase histories into a running Rapport.")
    parser.add_argument("path", type=Path, help="CDNOW_master.txt or CDNOW_sample.txt")
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--app-id", default=os.environ.get("RAPPORT_BOOTSTRAP_APP_ID"))
    parser.add_argument("--app-token", default=os.environ.get("RAPPORT_BOOTSTRAP_APP_TOKEN"))
    options = parser.parse_args()
    if not options.app_id or not options.app_token:
        parser.error("--app-id and --app-token are needed; `rapport serve` prints them")
    configuration = voucherify.Configuration(host=options.address)
    configuration.api_key = {"X-App-Id": options.app_id, "X-App-Token": options.app_token}
    configuration.connection_pool_maxsize = THREADS
    client = voucherify.ApiClient(configuration)
    console = Console()
    purchases = purchases_of(options.path)
    load(client, purchases, console)
    table = Table("Segment", "Customers", title=f"{len({one.customer for one in purchases}):,} customers")
    for name, size in sizes(client, create_segments(client)).items():
        table.add_row(name, f"{size:,}")
    console.print(table)


if __name__ == "__main__":
    main()
