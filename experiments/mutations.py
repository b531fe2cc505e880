"""Single-place faults in the derivation, and the first test that notices each.

    python -m experiments.mutations --json results/mutations.json

Every mutant is one replaced text in one file of a temporary copy of the source; the tests of the objective run there
in a fixed order (those named by the mutant first) and stop at the first failure. A mutant that no test fails on has
SURVIVED: it is equivalent to the source (EQUIVALENT says why) or a test is missing. Tests that fail on the unchanged
copy are left out and listed (`--skip` names some without running any). `--only ID,ID` runs some mutants and keeps the other results of the file.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.label_budgets import machine

ROOT = Path(__file__).parent.parent
COPIED = ("graphspec", "compiler", "runtime", "tests", "specs", "pyproject.toml")

EXACT, MASKS, SPARSE = "tests/test_objective_exact.py", "tests/test_masks.py", "tests/test_sparse.py"
GAUSSIAN, FURTHER = "tests/test_objective_gaussian.py", "tests/test_further_bounds.py"
SCORE, TWIN, PEERS = "tests/test_score_function.py", "tests/test_twin_specs.py", "tests/test_peers_mistakes.py"
RANDOM, SURVIVORS = "tests/test_objective_random.py", "tests/test_survivors.py"
LOSS = "tests/test_training.py::test_the_logged_loss_is_the_objective_of_the_data"
DISTRIBUTIONS = "tests/test_distributions.py"
OBJECTIVE_TESTS = (MASKS, FURTHER, GAUSSIAN, PEERS, TWIN, SPARSE, SCORE, EXACT, LOSS, SURVIVORS, RANDOM)
"""Cheapest first."""


@dataclass(frozen=True)
class Mutant:
    """`old` occurs exactly once in `file` (a path under compiler/); `first`: tests that run before the others."""

    id: str
    file: str
    old: str
    new: str
    breaks: str
    first: tuple[str, ...] = ()

    @property
    def tests(self) -> tuple[str, ...]:
        """Every test file once, likeliest first."""
        more = (DISTRIBUTIONS,) if self.file.startswith("families/") else ()
        return tuple(dict.fromkeys((*self.first, *more, *OBJECTIVE_TESTS)))


MUTANTS = (
    # --- derivation: signs and dropped terms
    Mutant("importance-sign", "symbolic/derivation.py", "Sum((Negative(Expectation(self.measure, log_w)), ",
           "Sum((Expectation(self.measure, log_w), ", "sign of -E_w[log w]", (GAUSSIAN,)),
    Mutant("importance-dropped", "symbolic/derivation.py", "            *self._importance(),\n", "",
           "no importance correction at all", (GAUSSIAN,)),
    Mutant("evidence-dropped", "symbolic/derivation.py",
           "log_w)), self._log_evidence(self.weighing)))", "log_w)),))", "log q^ missing", (GAUSSIAN,)),
    Mutant("alpha-increment", "symbolic/derivation.py",
           "part = Sum((LogEvidence((*before, name)), Negative(LogEvidence(before))))",
           "part = LogEvidence((name,))", "a later label's part is not conditioned on the earlier ones", (EXACT,)),
    Mutant("alpha-before", "symbolic/derivation.py", "before = (*before, name)", "before = (name,)",
           "increments forget all labels but the last", (EXACT,)),
    Mutant("jensen-measure", "symbolic/derivation.py",
           "return Expectation(Measure(), Sum(tuple(self._label(name) for name in labels)))",
           "return Expectation(self.measure, Sum(tuple(self._label(name) for name in labels)))",
           "jensen averages under w g instead of g", (GAUSSIAN,)),
    Mutant("free-bits-after-beta", "symbolic/derivation.py",
           'term = Weighted(Weight("beta", name), floored) if name in self.section.beta else floored',
           'term = Weighted(Weight("beta", name), gain) if name in self.section.beta else floored',
           "free bits lost where beta is set", (RANDOM,)),
    Mutant("free-bits-masked", "symbolic/derivation.py", 'gain, self.q[name].masked) if', 'gain, False) if',
           "a given variable pays free bits", (RANDOM,)),
    Mutant("beta-dropped", "symbolic/derivation.py",
           'term = Weighted(Weight("beta", name), floored) if name in self.section.beta else floored',
           "term = floored", "beta ignored", (EXACT,)),
    Mutant("closed-kl-axes", "symbolic/derivation.py", "axes = canonical((*q.parent_axes, *p.parent_axes))",
           "axes = canonical(q.parent_axes)", "a closed divergence forgets the axes of p's parents", (TWIN,)),
    Mutant("kl-part", "symbolic/derivation.py", 'part: Part = "hidden" if q.masked else "all"', 'part: Part = "all"',
           "given elements of a masked label pay a divergence", (MASKS,)),
    Mutant("masked-likelihood", "symbolic/derivation.py", "if name in self.hidden and not step.masked:",
           "if name in self.hidden:", "log p of given elements of a masked label lost", (MASKS,)),
    Mutant("given-likelihood", "symbolic/derivation.py", 'self._expected(self._density(step, "given" if step.masked else "all"))',
           "self._expected(self._density(step))", "blanks are scored too", (MASKS,)),
    Mutant("label-part", "symbolic/derivation.py", 'return self._density(self.q[name], "given" if self.q[name].masked else "all")',
           "return self._density(self.q[name])", "log q of a masked label counts drawn elements", (MASKS,)),
    Mutant("iw-given-only", "symbolic/derivation.py", "return step.masked and step.factor.variable not in self.q",
           "return step.masked", "the importance weighted bound drops p of a masked label's hidden elements", (SURVIVORS,)),
    Mutant("iw-hidden-part", "symbolic/derivation.py", '"hidden" if self.q[n].masked else "all") for n in self.hidden]',
           '"all") for n in self.hidden]', "log g of a masked label's given elements subtracted",
           (SURVIVORS,)),
    Mutant("tc-sign", "symbolic/derivation.py", "result.append(Contribution(f\"{kind} {name}\", Weighted(Weight(kind, name), gain)",
           "result.append(Contribution(f\"{kind} {name}\", Weighted(Weight(kind, name), Negative(gain))",
           "sign of the split divergence", (FURTHER,)),
    Mutant("tc-swap", "symbolic/derivation.py", "        for kind, upper, lower in parts:", "        for kind, lower, upper in parts:",
           "each part of the split divergence negated", (FURTHER,)),
    # --- evaluation
    Mutant("marginal-detached", "model/evaluation.py", "weights = self.marginal(measure, value.axes).on(value.axes).exp()",
           "weights = self.marginal(measure, value.axes).on(value.axes).exp().detach()",
           "no gradient through the weights of an expectation", (TWIN,)),
    Mutant("uniform-axis", "model/evaluation.py", "(count, 1), -math.log(count))", "(count, 1), 0.0)",
           "1/S missing from g", (GAUSSIAN,)),
    Mutant("normaliser", "model/evaluation.py",
           "return AxisTensor(found.axes, found.data - self.marginal(measure, (), normalised=False).data)",
           "return found", "importance weights not normalised", (GAUSSIAN,)),
    Mutant("normaliser-detached", "model/evaluation.py", "found.data - self.marginal(measure, (), normalised=False).data)",
           "found.data - self.marginal(measure, (), normalised=False).data.detach())",
           "no gradient through the normaliser", (RANDOM,)),
    Mutant("measure-ignored", "model/evaluation.py", "if value.axes == (SAMPLES,) and not measure.labels:",
           "if value.axes == (SAMPLES,):", "samples averaged without their weights", (GAUSSIAN,)),
    Mutant("closure-dropped", "model/evaluation.py", "needed = closure(axes, self._enumerated)", "needed = canonical(axes)",
           "a sum forgets the parents that its weights depend on", (EXACT,)),
    Mutant("wrong-sum-axis", "model/evaluation.py", "torch.logsumexp(_add(aligned), dim=axes.index(axis))",
           "torch.logsumexp(_add(aligned), dim=0)", "elimination sums the first axis instead of its own", (EXACT,)),
    Mutant("free-bits-sign", "model/evaluation.py", "clamp_max(-self._number(bits))", "clamp_min(-self._number(bits))",
           "free bits cap the divergence instead of flooring it", (RANDOM,)),
    Mutant("free-bits-where", "model/evaluation.py", "torch.where(self.densities.any_hidden(bits.variable), floored, value.data)",
           "torch.where(self.densities.any_hidden(bits.variable), value.data, floored)", "free bits on the wrong rows",
           (RANDOM,)),
    Mutant("sparse-baseline-attached", "model/evaluation.py", "baseline = value.data.detach().select(place, 0)",
           "baseline = value.data.select(place, 0)", "gradient through the baseline of a budget", (SPARSE,)),
    Mutant("sparse-baseline-dropped", "model/evaluation.py",
           "return self._weighted(measure, centred) + self.average(measure, AxisTensor(rest, baseline))",
           "return self._weighted(measure, centred)", "the baseline of a budget is not added back", (SPARSE,)),
    Mutant("dreg-weights", "model/evaluation.py", "self.densities.weigh(AxisTensor(value.axes, value.data.detach()))",
           "self.densities.weigh(AxisTensor(value.axes, 2 * value.data.detach()))",
           "the doubly reparameterised gradient has squared weights", (FURTHER,)),
    Mutant("given-label", "model/evaluation.py", '"given" if name in self._masked else "all")', '"all")',
           "masked labels weigh with their hidden elements", (MASKS,)),
    # --- lowering and program
    Mutant("closed-kl-upstream", "symbolic/lowering.py", "    if name in upstream:\n", "    if False:\n",
           "closed divergence where draws are weighted by a label", (GAUSSIAN,)),
    Mutant("closed-kl-below", "symbolic/lowering.py", "    if below:\n", "    if False:\n",
           "closed divergence where p's parents are drawn after the variable", (TWIN,)),
    Mutant("upstream-masked", "symbolic/lowering.py",
           "    labels = (*pattern.labels, *pattern.masked)\n    upstream =",
           "    labels = pattern.labels\n    upstream =", "masked labels do not count as labels upstream", (MASKS,)),
    Mutant("budget-upstream", "symbolic/lowering.py", "if name in labels or any(name in nx.ancestors(graph, label) for label in labels):",
           "if name in labels:", "a budget is used upstream of a label", (SURVIVORS,)),
    Mutant("score-above", "symbolic/lowering.py", "    choices = _score_above(graphs, choices)\n", "",
           "enumerated variables above a score-function draw stay enumerated", (SCORE,)),
    Mutant("weighing-axes", "symbolic/program.py", "return tuple(name for name in self.labelled if axes[name])",
           "return tuple(name for name in self.labelled if SAMPLES in axes[name])",
           "only sampled, not summed, variables weigh labels", (EXACT,)),
    Mutant("pattern-elimination", "symbolic/elimination.py", "pending.extend(density_axes.get(axis, ()))", "pass",
           "closure not transitive", (EXACT,)),
    # --- execution
    Mutant("closed-kl-detached", "model/execution.py", "return AxisTensor(axes, closed_kl(ours, theirs))",
           "return AxisTensor(axes, closed_kl(ours.detached(), theirs))", "no gradient of q through a closed divergence",
           (TWIN,)),
    Mutant("q-detached", "model/execution.py", 'if self._doubly and step.action == "reparameterize":',
           'if step.action == "reparameterize":', "densities of drawn variables detached in every bound", (RANDOM,)),
    Mutant("dreg-q-attached", "model/execution.py", 'if self._doubly and step.action == "reparameterize":', "if False:",
           "log g keeps its parameters in the doubly reparameterised gradient", (FURTHER,)),
    Mutant("dreg-scale", "model/execution.py", "self._importance = torch.softmax(log_weights.data, dim=0)",
           "self._importance = torch.softmax(log_weights.data, dim=-1)", "weights normalised over rows", (FURTHER,)),
    Mutant("relaxed-detached", "model/execution.py",
           "return AxisTensor(axes, distribution.relaxed(noise, self.weights.temperature[name], straight_through=hard))",
           "return AxisTensor(axes, distribution.relaxed(noise, self.weights.temperature[name], "
           "straight_through=hard).detach())", "no gradient through relaxed draws", (RANDOM,)),
    Mutant("temperature", "model/execution.py", "self.weights.temperature[name], straight", "1.0, straight",
           "temperature ignored", (PEERS,)),
    Mutant("reparameterised-detached", "model/execution.py", "value = distribution.reparameterize(noise)",
           "value = distribution.reparameterize(noise).detach()", "no pathwise gradient", (RANDOM,)),
    Mutant("masked-repeats", "model/execution.py",
           "return AxisTensor(hidden.axes, hidden.data - repeats.to(hidden.data.dtype) * math.log(support))",
           "return AxisTensor(hidden.axes, hidden.data)", "a masked axis does not sum to one", (MASKS,)),
    Mutant("masked-hidden-sum", "model/execution.py",
           "each = distribution.log_prob_each(value, relaxed=relaxed)\n        return AxisTensor(axes, "
           "sum_where(each, ~self.given[name], len(axes)))",
           "each = distribution.log_prob_each(value, relaxed=relaxed)\n        return AxisTensor(axes, "
           "sum_where(each, self.given[name], len(axes)))", "mask of hidden elements inverted", (MASKS,)),
    Mutant("masked-divergence", "model/execution.py", "sum_where(closed_kl_each(ours, theirs), ~self.given[name], len(axes))",
           "sum_where(closed_kl_each(ours, theirs), self.given[name], len(axes))", "closed divergence of given elements",
           (MASKS,)),
    Mutant("any-hidden", "model/execution.py", "return ~(mask.flatten(1).all(dim=1) if", "return ~(mask.flatten(1).any(dim=1) if",
           "a partly given row counts as whole", (SURVIVORS,)),
    # --- sparse, score, aggregation
    Mutant("sparse-score", "model/sparse.py", "weight = share + picked - picked.detach()", "weight = share",
           "no score part for the draw of a budget", (SPARSE,)),
    Mutant("sparse-share", "model/sparse.py", "share = torch.logsumexp(rest.detach(), dim=-1, keepdim=True)",
           "share = torch.logsumexp(rest, dim=-1, keepdim=True)", "the rest's share has a gradient of its own", (SPARSE,)),
    Mutant("score-baseline-attached", "model/score.py", "(bound.detach() - baseline)", "(bound.detach() + baseline)",
           "sign of the baseline", (SCORE,)),
    Mutant("score-self", "model/score.py", "if s != self.sample]", "if s != 0]",
           "the baseline contains the draw it is a baseline for", (SCORE,)),
    Mutant("score-own", "model/score.py", "* (own - own.detach())", "* (own - own.detach()) / program.samples",
           "score-function part divided by S", (SCORE,)),
    Mutant("score-part", "model/score.py", '"hidden" if name in masked else "all")', '"all")',
           "given elements take a score-function gradient", (RANDOM,)),
    Mutant("aggregate-rest", "model/aggregation.py", "math.log((rows - 1) / (rows * (batch - 1)))",
           "math.log(1 / (batch - 1))", "stratified weights do not sum to one", (FURTHER,)),
    Mutant("aggregate-axis", "model/aggregation.py", "return torch.logsumexp(pairs.sum(-1) + log_weights, dim=-1)",
           "return torch.logsumexp(pairs.sum(-1) + log_weights, dim=-2)", "mixture over draws instead of rows", (FURTHER,)),
    # --- weights
    Mutant("rho", "symbolic/schedules.py", "rho = objective.labelled_share(rates.labelled, rates.unlabelled)",
           "rho = objective.labelled_share(rates.unlabelled, rates.labelled)", "labelled and unlabelled counts swapped",
           (LOSS,)),
    Mutant("alpha-rate", "symbolic/schedules.py", "_alpha(objective, name, rho * rates.share(name), epoch)",
           "_alpha(objective, name, rho, epoch)", "25/rho ignores how often a label is given", (SURVIVORS,)),
    Mutant("alpha-over-rho", "symbolic/schedules.py", "return alpha.over_rho / rate if rate > 0", "return alpha.over_rho if rate > 0",
           "25/rho is 25", (SURVIVORS,)),
    Mutant("schedule-end", "symbolic/schedules.py", "        return value.to\n", "        return value.start\n",
           "a finished schedule goes back to its start", (SURVIVORS,)),
    Mutant("schedule-begin", "symbolic/schedules.py", "(epoch - value.begin) / value.epochs", "epoch / value.epochs",
           "a schedule ignores `begin`", (SURVIVORS,)),
    Mutant("schedule-cycle", "symbolic/schedules.py", "within - math.floor(within)", "min(within, 1.0)", "a schedule does not repeat", (SURVIVORS,)),
    Mutant("schedule-cosine", "symbolic/schedules.py", "part = (1 - math.cos(math.pi * part)) / 2",
           "part = (1 + math.cos(math.pi * part)) / 2", "a cosine schedule runs backwards", (SURVIVORS,)),
    Mutant("stands-for", "symbolic/schedules.py", "return self.labelled if labels else self.unlabelled or self.labelled",
           "return self.labelled + self.unlabelled", "total correlation counts all rows for every group", (SURVIVORS,)),
    # --- distributions
    Mutant("kl-normal", "families/location_scale.py", "0.5 * (ratio**2 + shift**2 - 1)",
           "0.5 * (ratio**2 + (ratio * shift) ** 2 - 1)", "shift in the wrong scale"),
    Mutant("kl-finite", "families/finite.py", "(log_q.exp() * (log_q - log_p))",
           "(log_q.exp().detach() * (log_q - log_p))", "a finite divergence's weights are detached", (RANDOM,)),
    Mutant("kl-bernoulli", "families/finite.py", "+ F.softplus(p) - F.softplus(q)",
           "- F.softplus(p) + F.softplus(q)", "signs of the log normalisers"),
    Mutant("categorical-mass", "families/finite.py", "return F.log_softmax(logits, dim=-1)",
           "return logits", "class probabilities do not sum to one"),
    Mutant("finite-minimum", "families/entry.py", "_picked(inputs[0], value - extras.minimum)",
           "_picked(inputs[0], value)", "a count's minimum is ignored"),
    Mutant("relaxed-logits", "families/finite.py", "torch.softmax((log_probs + eps) / temperature, dim=-1)",
           "torch.softmax(log_probs + eps / temperature, dim=-1)", "only the noise is divided by the temperature"),
    Mutant("straight-through", "families/finite.py", "return soft + (hard - soft).detach()", "return hard",
           "no gradient through straight-through draws", (PEERS,)),
    Mutant("normal-scale", "families/location_scale.py", "/ scale) ** 2 - scale.log()",
           "/ scale) ** 2", "log scale missing from the normal density"),
    Mutant("laplace-draw", "families/location_scale.py", "return -centred.sign() * torch.log1p(-2",
           "return centred.sign() * torch.log1p(-2", "sign of a Laplace draw"),
)  # fmt: skip
"""Not run through the formatter: one mutant, one paragraph."""

EQUIVALENT = {
    "closed-kl-axes": "no stage reads the axes of a closed divergence's node: `Execution.divergence` finds them again "
    "from the steps, and the evaluator takes those of the tensor it gets",
    "sparse-baseline-attached": "a budget's weights sum to one, so the gradient of the baseline that is subtracted and "
    "that of the one added back cancel",
}
"""Mutants that change no result, and why."""


def environment(folder: Path) -> dict[str, str]:
    """The copy is imported, not the installed tree."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def run_tests(folder: Path, tests: Sequence[str], prefix: Sequence[str], limit: float) -> tuple[str | None, float]:
    """The first test that fails (None: all pass), and the seconds it took."""
    command = [*prefix, sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no", *tests]
    started = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return "no answer in time", round(time.perf_counter() - started, 1)
    seconds = round(time.perf_counter() - started, 1)
    if done.returncode == 0:
        return None, seconds
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return (found.group(1) if found else (done.stdout + done.stderr)[-300:]), seconds


def mutated(folder: Path, mutant: Mutant) -> tuple[Path, str]:
    """Writes the mutant; returns the file and its source to put back."""
    path = folder / "compiler" / mutant.file
    source = path.read_text()
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.id}: {mutant.old!r} occurs {source.count(mutant.old)} times in {mutant.file}")
    path.write_text(source.replace(mutant.old, mutant.new))
    return path, source


def left_out(failing: Sequence[str]) -> list[str]:
    return [f"--deselect={test}" for test in failing]


def one(
    folder: Path, mutant: Mutant, usable: frozenset[str], failing: Sequence[str], prefix: Sequence[str], limit: float
) -> dict[str, Any]:
    """Runs one mutant, and puts the source back."""
    path, source = mutated(folder, mutant)
    try:
        failed, seconds = run_tests(
            folder, [*(t for t in mutant.tests if t in usable), *left_out(failing)], prefix, limit
        )
    finally:
        path.write_text(source)
    return {
        "id": mutant.id,
        "file": f"compiler/{mutant.file}",
        "old": mutant.old,
        "new": mutant.new,
        "breaks": mutant.breaks,
        "killed_by": failed or "SURVIVED",
        "seconds": seconds,
        **({"equivalent": EQUIVALENT[mutant.id]} if not failed and mutant.id in EQUIVALENT else {}),
    }


def main() -> None:
    """Checks the unchanged copy, runs the mutants one after another, writes the file after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--prefix", default="", help="a command to run each test process under")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds per mutant")
    parser.add_argument("--skip", default="", help="tests to leave out; the unchanged copy is not tried then")
    options = parser.parse_args()
    prefix = options.prefix.split()
    kept = json.loads(options.json.read_text()) if options.json.exists() and options.only else {}
    rows: dict[str, dict[str, Any]] = {row["id"]: row for row in kept.get("mutants", ())}
    wanted = [m for m in MUTANTS if not options.only or m.id in options.only.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in COPIED:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
        tests = [t for t in dict.fromkeys(t for m in wanted for t in m.tests) if (folder / t.split("::")[0]).exists()]
        failing = options.skip.split(",") if options.skip else []
        for test in () if options.skip else tests:
            while failed := run_tests(folder, [test, *left_out(failing)], prefix, options.limit)[0]:
                failing.append(failed)
        usable = frozenset(tests)
        for mutant in wanted:
            rows[mutant.id] = one(folder, mutant, usable, failing, prefix, options.limit)
            print(f"{mutant.id:<26}{rows[mutant.id]['seconds']:>7} s  {rows[mutant.id]['killed_by']}", flush=True)
            ordered = [rows[m.id] for m in MUTANTS if m.id in rows]
            found = {
                "command": "python -m experiments.mutations --json results/mutations.json",
                "machine": machine(),
                "failing_without_mutation": failing,
                "killed": sum(row["killed_by"] != "SURVIVED" for row in ordered),
                "survived": [row["id"] for row in ordered if row["killed_by"] == "SURVIVED"],
                "mutants": ordered,
            }
            options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
