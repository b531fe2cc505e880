"""`Page` -> one HTML document that needs nothing else: no script, no font, no address outside itself."""

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from graphspec.drawing.raster import WRITTEN_BY
from runtime.reporting.page_contents import Page


def as_html(page: Page) -> str:
    """The document; every text of a user's is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8"))
    return template.render(page=page, written_by=WRITTEN_BY)
