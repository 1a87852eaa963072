"""`batchd page`: a page for the browser that shows what is under way, and what waits for a person."""

import sys
from importlib.util import find_spec
from typing import Annotated

import anyio
import typer

from batchd.cli.exit_codes import DONE
from batchd.cli.logs import set_up_logs
from batchd.cli.options import Chosen, takes_settings
from batchd.errors import Unusable


@takes_settings
def page(
    chosen: Chosen,
    *,
    listen: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="HOST:PORT, or unix:PATH. Default: 127.0.0.1:8790", show_default=False),
    ] = None,
) -> int:
    """Show jobs, batches and costs in a browser, and what waits for a person.

    It is a process of its own beside the daemon, which need not run. By
    itself it only shows, to this machine alone, and nothing of what was asked
    or answered: what more it may do is set in [page] (docs/page.md).

    [bold]Examples[/bold]
      batchd page
      batchd page --set page.content=all --set page.actions=true

    [bold]Exit codes[/bold] 0 stopped; 2 a wrong call or setting, or it cannot
    listen there.
    """
    chosen = chosen if listen is None else chosen.at("page", "listen", listen)
    settings = chosen.settings()
    if find_spec("python_multipart") is None:
        raise Unusable("the page needs the extra `page`: pip install 'batchd[page]'")
    from batchd.page.listening import Listening  # noqa: PLC0415  a web server, which few commands need
    from batchd.page.serving import serve  # noqa: PLC0415  same

    def started(where: Listening) -> None:
        place = f"unix:{where.path}" if where.path else f"http://{_in_url(where.host)}:{where.port}"
        sys.stdout.write(f"The page is at {place}{settings.page.base_path}/\n")
        sys.stdout.flush()

    set_up_logs()
    anyio.run(serve, settings, chosen.words(), started)
    return DONE


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
