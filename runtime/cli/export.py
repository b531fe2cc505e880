"""`graphspec export`: a run as a folder for people without graphspec."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.common import AllowPythonOption, DataDirOption, RunArgument, console, tell
from runtime.cli.run_options import CheckpointOption


def export(
    run: RunArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="The folder to write.")],
    query: Annotated[
        str | None,
        typer.Option(
            "--query",
            metavar="'Y | X'",
            help="Also one question, as .pt2 and .onnx: what is asked, a bar, what every row tells.",
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", min=1, metavar="S", help="Draws of what can be neither summed nor computed.")
    ] = 100,
    interval: Annotated[
        float, typer.Option("--interval", min=0.01, max=0.999, help="What `.low` and `.high` of a number enclose.")
    ] = 0.9,
    checkpoint: CheckpointOption = "best",
    data_dir: DataDirOption = None,
    allow_python: AllowPythonOption = False,
) -> None:
    """Write a folder that runs without graphspec: weights, spec, PyTorch code, a card, and a query as ONNX.

    Example:  graphspec export runs/digits -o digits-model --query "y | x"

    The query takes and gives values in the data's units, for any number of rows, and answers as `predict` does, at the
    temperature that validation rows told; of a number also its interval where q's own distribution tells it. It is
    deterministic; where draws are made, their noise is an input. Each file is run beside the model before it is given
    out. ONNX needs the extra `export`: pip install -e '.[export]'
    """
    from runtime.exporting.export_folder import export_run
    from runtime.predicting.used_run import use_run

    used = use_run(run, checkpoint=checkpoint, device="cpu", data_dir=data_dir, allow_python=allow_python)
    found = export_run(used, output, query, samples, interval)
    for note in found.notes:
        tell(f"note: {note}")
    for name in found.files:
        difference = found.differences.get(name)
        checked = "" if difference is None else f"  (beside the model: {difference:.1e} at most)"
        console.print(f"{output / name}{checked}", highlight=False, markup=False, soft_wrap=True)
