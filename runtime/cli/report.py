"""`graphspec report`: all there is to know about a run, on one page."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.common import RunArgument, console


def report(
    run: RunArgument,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.html", help="By default RUN/report.html.")
    ] = None,
) -> None:
    """Write one page about a run: errors, graphs, objective, data and labels, curves, pictures, manifest.

    Example:  graphspec report runs/digits -o digits.html

    The page is one file that needs no network, and it prints well. It shows what the run folder holds and measures
    nothing: `graphspec evaluate RUN` first adds confusion, latents and warnings, `graphspec sweep` baselines.
    """
    from runtime.reporting.html_page import as_html
    from runtime.reporting.page_contents import page_of
    from runtime.runs.atomic_files import write_text
    from runtime.runs.protected import refuse_foreign
    from runtime.runs.run_folder import find_run

    found = find_run(run)
    target = output or found.folder / "report.html"
    if target.suffix.lower() not in (".html", ".htm"):
        raise typer.BadParameter(f"{target} is no page: name a .html file", param_hint="-o")
    page = page_of(found)
    refuse_foreign(target)
    write_text(target, as_html(page), make_folder=False)
    console.print(str(target), highlight=False, markup=False, soft_wrap=True)
