"""What a run folder says about a training: before its first epoch, and how it went."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import RunError, UnwritableError
from runtime.runs.atomic_files import write_text
from runtime.runs.included_runs import record_of_runs
from runtime.runs.records import cut_records
from runtime.runs.run_rows import keep_rows
from runtime.training.loop.loop import Training
from runtime.training.loop.manifest import first_manifest, write_manifest
from runtime.training.loop.resuming import Resumption
from runtime.training.loop.run_plan import TRACE
from runtime.training.processes.devices import placement


@dataclass(frozen=True)
class Bookkeeper:
    """The manifest of one session of a training, and who writes it: the main process alone."""

    training: Training
    command: Sequence[str] | None
    choices: Mapping[str, str]
    resumed: Resumption | None

    def manifest(self) -> dict[str, Any]:
        """What the manifest says from the first moment on; a resumed one keeps its past."""
        training = self.training
        plan, where = training.plan, placement(training.accelerator)
        data = plan.data.manifest()
        manifest = first_manifest(training.model.graphs, plan.training, data, where, self.command, plan.compiled)
        manifest["choices"] = dict(self.choices)
        if self.resumed is None and training.model.graphs.spec.training.initialize:
            folder = Path(training.model.graphs.source.name).parent
            manifest["starts_from"] = record_of_runs(training.model.graphs, folder)
        return manifest if self.resumed is None else manifest | self._past(manifest)

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Write what a run folder has before its first epoch; a resumed one is cut to the saved epoch. The first state
        comes last: from then on, a kill at any moment can be resumed."""
        training = self.training
        if not training.accelerator.is_main_process:
            return
        run = training.plan.run
        if self.resumed is None:
            write_text(run.spec_file, training.model.graphs.source.text)
            run.metrics_file.unlink(missing_ok=True)
        else:
            self._cut()
            if self.resumed.changed:  # before the manifest forgets that this was allowed
                training.save()
        write_text(run.resolved_file, training.plan.spec)
        write_manifest(run.manifest_file, manifest)
        if self.resumed is None:
            keep_rows(run, training.model.graphs, training.plan.data)
            training.save()

    def _past(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """What the manifest of the earlier sessions hands on, and what this one changes."""
        assert self.resumed is not None
        earlier, position = self.training.plan.run.manifest(), self.training.position
        session = {"at": now["started"], "command": now["command"], "epoch": position.epoch, "step": position.step}
        if self.resumed.changed:
            session["changed"] = {name: {"from": old, "to": new} for name, old, new in self.resumed.changed}
            session["after"] = earlier.get("error")
        kept = {"started": earlier.get("started"), "command": earlier.get("command")}
        if "starts_from" in earlier:
            kept["starts_from"] = earlier["starts_from"]
        if position.best.epoch is not None:
            kept["best_epoch"] = position.best.epoch
        return kept | {"resumed": [*(earlier.get("resumed") or ()), session]}

    def _cut(self) -> None:
        training = self.training
        file, epochs = training.plan.run.metrics_file, training.position.epoch
        there = cut_records(file, epochs)
        if there < epochs:
            training.reporter.warning(f"{file} is damaged: it had {there} of {epochs} epochs, the rest of it is lost")

    def end(self, manifest: Mapping[str, Any], status: str, more: Mapping[str, Any]) -> None:
        """Say in the manifest how it went. Raises UnwritableError."""
        training = self.training
        plan, saved = training.plan, training.saved
        if training.accelerator.is_main_process:
            facts = {
                "status": status,
                "epochs": saved.epoch,
                "epochs_asked": plan.training.epochs,
                "step": saved.step,
                "best_epoch": saved.best.epoch,
                "select": plan.criterion.name,
                "wall_seconds": round(training.position.seconds, 3),
                **training.times.speed().facts(),
                **more,
            }
            if (plan.run.folder / TRACE).exists():
                facts["profile"] = TRACE
            write_manifest(plan.run.manifest_file, {**manifest, **facts})
        for tracker in training.accelerator.trackers:  # `end_training` would also part from the other processes
            tracker.finish()

    def fail(self, manifest: Mapping[str, Any], error: RunError) -> RunError:
        """Say in the manifest that it failed, if it can be written; returns the error to raise, which says what was
        kept where the disk was at fault."""
        with suppress(UnwritableError):  # the first message says it all
            self.end(manifest, "failed", {"error": error.message, **getattr(error, "facts", {})})
        if not isinstance(error, UnwritableError):
            return error
        folder, epoch = self.training.plan.run.folder, self.training.saved.epoch
        kept = f"epoch {epoch} is kept in {folder}" if epoch else f"no epoch was kept in {folder}"
        return UnwritableError(error.message, f"{kept}; mend that, then --resume goes on from there")
