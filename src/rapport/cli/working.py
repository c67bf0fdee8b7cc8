"""`rapport worker`."""

import uvloop

from rapport import worker as working
from rapport.cli.opening import DatabaseUrl, DataDir, read_settings, single
from rapport.core import embedded

app = single()


@app.command()
def worker(database_url: DatabaseUrl = None, data_dir: DataDir = None) -> None:
    """Run a worker of its own."""
    settings = read_settings("worker", data_dir=data_dir, database_url=database_url)
    url = settings.database_url or embedded.running_url(settings.data_dir)
    uvloop.run(working.run(settings.model_copy(update={"database_url": url})))
