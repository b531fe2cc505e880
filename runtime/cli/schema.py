"""`graphspec schema`: the JSON Schema of the language, for editors."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.common import fail, print_json


def schema(
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write here instead.")] = None,
) -> None:
    """Print the JSON Schema of specs, for completion and hover in editors.

    Example:  graphspec schema -o graphspec.schema.json

    An editor with a YAML language server uses it for a spec whose first line reads
    # yaml-language-server: $schema=graphspec.schema.json
    """
    import json

    from graphspec.describe.json_schema import json_schema

    if output is None:
        print_json(json_schema())
        return
    try:
        output.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}", "give a path in a folder that exists")
    typer.echo(f"wrote {output}")
