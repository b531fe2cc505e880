"""`graphspec schema`: the JSON Schema of the language, for editors."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.common import fail, print_json
from runtime.errors import RunError


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
    from runtime.runs.atomic_files import write_text

    if output is None:
        print_json(json_schema())
        return
    if output.exists() and not _is_schema(output):
        fail(f"{output} is there and is no JSON Schema", "nothing else is overwritten: name another file")
    write_text(output, json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", make_folder=False)
    typer.echo(f"wrote {output}")


def _is_schema(file: Path) -> bool:
    from runtime.runs.records import read_object

    try:
        return "$schema" in read_object(file)
    except RunError:
        return False
