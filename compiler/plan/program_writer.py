"""The first half of a plan: values of one program, the parameters of its distributions, densities and divergences.

Values come in the order in which recognition runs, with labels given; densities when the objective first asks for them,
so that a divergence in closed form costs no draw's density.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from math import prod
from typing import Any

from compiler.plan.plan import Value
from compiler.plan.walking import WalkWriter
from compiler.symbolic.axis_names import SAMPLES, axis_label, canonical, without_plates
from compiler.symbolic.networks_read import flagged_parents, has_users_own, read_parents, varies_by_itself
from compiler.symbolic.objective import Part
from compiler.symbolic.program import Axes, Program, Step, conditional_text, function_text
from graphspec.graphs.graph import Factor, Graphs, View, plate_axis
from graphspec.graphs.walks import Loop
from graphspec.language.plates import NEIGHBOURS


class FactorWriter(WalkWriter):
    """What both graphs' factors make of their parents' values."""

    def __init__(self, graphs: Graphs, samples: int) -> None:
        super().__init__(samples)
        self.graphs = graphs

    def value(self, name: str) -> Value:
        """A variable's value: computed, given, or seen across elements."""
        if name not in self._values and self.body is not None:
            self._values[name] = self.from_outside(self.body.outer.value(name))
        if name not in self._values:
            view = self.graphs.views[name].view if name in self.graphs.views else None
            told = self._told(name, "value", self.rank(name)) if view is None else self._seen(name, view)
            self._values[name] = told
        return self._values[name]

    guarded = False
    """Whether walks from the first element hand on zero where none is there: what is computed of padding is of no
    effect, but must not grow until it is no number, which a gradient would meet."""

    def as_seen(self, name: str) -> Value:
        """In the body of a walk, what the next element sees of this one under a view: of a category its classes, and
        zero where this one is not there, so that a walk from behind begins at the last element that is."""
        view = self.graphs.views[name].view
        assert view is not None
        value = self._entering(view)
        there = self.there(self.graphs.variables[view.base].path) if self.guarded or view.kind == "next" else None
        if there is None or (view.kind == "previous" and without_plates(there.axes)):
            return value  # of a hidden count there is one draw, whatever the count
        return self.write("only_there", f"{value.name}_there", (value, there), rank=value.rank)

    def _told(self, name: str, kind: str, rank: int | None = None) -> Value:
        """What rows tell of a variable."""
        if isinstance(outer := self.outside, FactorWriter):
            return self.from_outside(outer._told(name, kind, rank))
        variable = self.graphs.variables[name]
        rank = len(variable.shape) if rank is None else rank
        return self.give(name, kind, rank, axes=canonical(variable.plate_axes))

    def rank(self, name: str) -> int:
        """Dimensions of one value's event: a category that may be blank enters networks as class weights."""
        variable = self.graphs.variables[name]
        blank_category = variable.missing and variable.domain == "category" and variable.role == "observed"
        return len(variable.shape) + blank_category

    def mask(self, name: str) -> Value:
        """Which elements of a variable a row has."""
        return self._told(name, "given")

    def legal(self, name: str) -> Value:
        """A variable's values with something legal where they are blank."""
        return self._told(name, "known")

    def or_label(self, name: str, hidden: Value) -> Value:
        """The label where a row has one, else what is hidden."""
        inputs = (self.mask(name), self.legal(name), hidden)
        return self.write("label_or", name, inputs, rank=hidden.rank, variable=name)

    def function(self, factor: Factor) -> Value:
        """A deterministic variable."""
        name = factor.variable
        if factor.view is not None:
            return self._seen(name, factor.view)
        rows = self._rows(factor)
        return self.write("function", name, self.reads(factor), rank=self.rank(name), rows=rows, factor=factor.key)

    def _seen(self, name: str, view: View) -> Value:
        """What is read across elements."""
        if view.kind == "place":
            plate = self.graphs.plates[view.base]
            return self.write("place", name, (), (plate.axis,), rows=False, axis=plate.axis, size=plate.size)
        return self._across(name, view, self._entering(view))

    def _entering(self, view: View) -> Value:
        """A variable's value as it enters what is read of it across elements."""
        base, value = self.graphs.variables[view.base], self.value(view.base)
        if base.domain == "category" and not view.raw:
            wanted = f"classes_of_{base.name}"
            value = self.write("class_weights", wanted, (value,), rank=len(base.shape) + 1, variable=base.name)
        elif view.raw or (view.pools and (base.info.encoding == "log1p" or value.rank > len(base.shape))):
            logarithms = base.info.encoding == "log1p" and not view.raw
            value = self.write(
                "numbers", f"numbers_of_{base.name}", (value,), rank=len(base.shape), variable=base.name,
                logarithms=logarithms,
            )  # fmt: skip
        return value

    def _across(self, wanted: str, view: View, value: Value) -> Value:
        axes = tuple(map(plate_axis, view.taken))
        value = self.for_all(self.spread(value, view.taken), axes)
        there = self._looked_at(view)
        inputs = (value,) if there is None else (value, there)
        seen = canonical(axis for each in inputs for axis in each.axes)
        left = seen if view.kind in NEIGHBOURS else tuple(axis for axis in seen if axis not in axes)
        return self.write("across", wanted, inputs, left, rank=value.rank, kind=view.kind, along=axes)

    def _looked_at(self, view: View) -> Value | None:
        """Which elements that a view may look at are there; None where all are. (One that is there has all before
        it.)"""
        counted = any(self.graphs.plates[plate].count is not None for plate in view.taken)
        return self.there(self.graphs.variables[view.base].path) if counted and view.kind != "previous" else None

    def there(self, plates: Iterable[str]) -> Value | None:
        """Which elements of plates (by name) and of those they are inside of are there: bool, on the axes of both and
        what the counts vary over. None where all are."""
        plate = self.graphs.ragged(plates)
        if plate is None:
            return None
        if self.body is not None:
            outside = self.body.outer.there(plate.path)
            return None if outside is None else self.from_outside(outside)
        assert plate.count is not None
        outer = self.there(plate.path[:-1])
        inputs = (self.value(plate.count),) if outer is None else (self.value(plate.count), outer)
        axes = canonical((*(axis for value in inputs for axis in value.axes), plate.axis))
        return self.write("elements_there", f"{plate.name}_there", inputs, axes, axis=plate.axis, size=plate.size)

    def for_all(self, value: Value, plates: Axes) -> Value:
        """What elements of plates have, as whoever reads all of them together needs it."""
        return value

    def spread(self, value: Value, plates: Iterable[str]) -> Value:
        """The value on the axes of plates, over which it may not vary."""
        for plate in plates:
            axis = plate_axis(plate)
            if axis not in value.axes:
                axes, size = canonical((*value.axes, axis)), self.graphs.plates[plate].size
                wanted = f"{value.name}_of_each"
                value = self.write("spread", wanted, (value,), axes, rank=value.rank, axis=axis, size=size)
        return value

    def rows_first(self, name: str, value: Value) -> Value:
        """A variable's value [*plates, B, *event] as rows have it, [B, *plates, *event]."""
        variable = self.graphs.variables[name]
        if not variable.plates:
            return value
        value = self.spread(value, variable.path)
        rank = value.rank + len(variable.plates)
        return self.write("rows_first", f"{value.name}_by_row", (value,), (), rank=rank, along=variable.plate_axes)

    def over_elements(self, value: Value, plates: Iterable[str], wanted: str, *, masked: bool = False) -> Value:
        """Added up over the elements of plates (by axis) that are there, over which it may not vary. masked: it is zero
        where they are not."""
        plates = tuple(plates)
        there = None if masked else self.there(map(axis_label, plates))
        inputs = (value,) if there is None else (value, there)
        seen = canonical(axis for each in inputs for axis in each.axes)
        axes = tuple(axis for axis in plates if axis in seen)
        sizes = {plate.axis: plate.size for plate in self.graphs.plates.values()}
        if axes:
            left = tuple(axis for axis in seen if axis not in axes)
            value = self.write("plate_sum", wanted, inputs, left, along=axes)
        count = prod(sizes[axis] for axis in plates if axis not in axes)
        return value if count == 1 else self.write("repeated", f"{wanted}_of_all", (value,), count=count)

    def parameters(self, factor: Factor) -> tuple[Value, ...]:
        """Of a factor's distribution at its parents' values: one call of its networks."""
        assert factor.family is not None
        if factor.key in self._made:
            return self._made[factor.key]
        letter = "q" if factor.side == "recognition" else "p"
        infos = ["context"] if factor.family.flow else [info.name for info in factor.family.parameters]
        names = [f"{letter}_{factor.variable}_{name}" for name in infos]
        made = self.write_all("parameters", names, self.reads(factor), rows=self._rows(factor), factor=factor.key)
        if self.body is not None:
            self._made[factor.key] = made
        return made

    def certain(self, factor: Factor) -> Value:
        """The value that a factor computes with certainty."""
        name = factor.variable
        return self.write("certain", name, self.parameters(factor), rank=self.rank(name), factor=factor.key)

    def noise(self, factor: Factor, samples: int | None) -> Value:
        """One standard draw a sample, element and row: the same for every value of an enumerated variable. Of a walk it
        is drawn for all elements before."""
        if isinstance(outer := self.outside, FactorWriter):
            return self.from_outside(outer._noise_like(factor, samples, ()))
        return self._noise_like(factor, samples, self.parameters(factor))

    def _noise_like(self, factor: Factor, samples: int | None, like: Sequence[Value]) -> Value:
        sizes = {plate_axis(name): size for name, size in self.graphs.variables[factor.variable].plates}
        plates: dict[str, Any] = {"plates": tuple(sorted(sizes.items()))} if sizes else {}
        return self.write(
            "noise", f"{factor.variable}_noise", like,
            canonical((*((SAMPLES,) if samples else ()), *sizes)), rows=True, factor=factor.key, samples=samples,
            **plates,
        )  # fmt: skip

    def _rows(self, factor: Factor) -> bool | None:
        """True where rows differ whatever the parents; None: where some parent does."""
        return varies_by_itself(self.graphs, factor) or None

    def reads(self, factor: Factor, but: str | None = None) -> list[Value]:
        """What the factor's networks read: parents (but one), and flags beside those that may be blank."""
        flags = flagged_parents(self.graphs, factor)
        found = [self.value(name) for name in read_parents(self.graphs, factor) if name != but]
        if (
            has_users_own(self.graphs, factor)
            and (there := self.there(self.graphs.variables[factor.variable].path)) is not None
        ):
            found = [self.write("only_there", f"{v.name}_there", (v, there), rank=v.rank) for v in found]
        return self.aligned([*found, *(self._flag(name) for name in flags)])

    def aligned(self, values: Sequence[Value]) -> list[Value]:
        """The values as they are computed with together."""
        return list(values)

    def _flag(self, name: str) -> Value:
        """1 where a value is there, of each element that may be blank; of a neighbour, whether there is one."""
        if isinstance(outer := self.outside, FactorWriter):
            return self.from_outside(outer._flag(name))
        factor = self.graphs.views.get(name)
        if factor is None or factor.view is None:
            return self._told(name, "present")
        view, wanted = factor.view, f"{name} present"
        if self.graphs.variables[view.base].presence is not None:
            return self._across(wanted, view, self._flag(view.base))
        there = self._looked_at(view)
        if there is not None:
            return self._across(wanted, view, self.write("as_numbers", f"{there.name}_as_numbers", (there,)))
        plate = self.graphs.plates[view.taken[0]]
        return self.write(
            "there", wanted, (), (plate.axis,), rows=False, kind=view.kind, axis=plate.axis, size=plate.size
        )


class ProgramWriter(FactorWriter):
    """Values, densities and divergences of one program. features: variables that are given though recognition computes
    them: they were computed for the whole batch."""

    guarded = True

    def __init__(self, program: Program, features: Sequence[str]) -> None:
        super().__init__(program.graphs, program.samples)
        self.joint = program.joint
        self.program, self.features = program, frozenset(features)
        self.doubly = doubly_reparameterized(program)
        self.steps = {("q", s.factor.variable): s for s in program.recognition}
        self.steps |= {("p", s.factor.variable): s for s in program.generative}
        self._shares: dict[str, Value] = {}

    # values

    def take_steps(self) -> None:
        """Values of everything that has one."""
        for name in self.program.exact:
            self.note(f"{name} takes all its values: it is summed out of p")
            self.hold(name, self.write("support", name, (), (name,), rank=self.rank(name), rows=False, variable=name))
        for step in self.in_order():
            name = step.factor.variable
            if step.action in ("clamp", "score") or name in self.features or name in self._values:
                continue
            if step.loop is None:
                self.hold(name, self._value(step))
            elif not self.features.issuperset(step.loop.members):
                self.write_walk(step.loop, partial(self._take_element, step.loop))

    def in_order(self) -> Sequence[Step]:
        """The steps, in the order in which they are taken."""
        return (*self.program.recognition, *self.program.generative)

    def _take_element(self, loop: Loop, inner: "ProgramWriter") -> None:
        """What one element has of each member of a walk."""
        for step in (*self.program.recognition, *self.program.generative):
            if step.loop == loop and step.factor.variable in loop.members:
                inner.hold(step.factor.variable, inner._value(step))

    def _value(self, step: Step) -> Value:
        name, factor = step.factor.variable, step.factor
        if step.action == "compute":
            self.note(function_text(name, factor.parents))
            return self.function(factor)
        if step.action == "certain":
            self.note(f"{function_text(name, factor.parents)}, with certainty")
            value = self.certain(factor)
            return self.or_label(name, value) if step.masked else value
        reason = self.program.choices[name].reason
        if name in self.program.sparse:
            self.note(f"{name}: {reason}")
            return self._likeliest(step)
        if step.action == "enumerate":
            self.note(f"{name} takes all its values ({reason})")
            support = self.write("support", name, (), (name,), rank=self.rank(name), rows=False, variable=name)
            return self.or_label(name, support) if step.masked else support
        if step.action == "mean":
            self.note(f"{name} = the mean of {conditional_text('q', name, factor.parents)} ({reason})")
            return self._mean(step)
        self.note(f"{name} ~ {conditional_text('q', name, factor.parents)} ({reason})")
        return self.or_label(name, self._draw(step)) if step.masked else self._draw(step)

    def _seen(self, name: str, view: View) -> Value:
        """Of an exact variable the element before has all of its values too, on an axis of its own."""
        if not self.graphs.summed_neighbour(name):
            return super()._seen(name, view)
        base, plate = self.graphs.variables[view.base], self.graphs.plates[view.taken[0]]
        value = self.value(view.base)
        if base.domain == "category":
            wanted, rank = f"classes_of_{base.name}", len(base.shape) + 1
            value = self.write("class_weights", wanted, (value,), rank=rank, variable=base.name)
        there = self._flag(name)
        axes = canonical((name, plate.axis))
        return self.write("state_before", name, (value, there), axes, rank=value.rank, before=name)

    def _noise(self, step: Step) -> Value:
        sampled = self.samples > 1 and step.factor.variable not in self.program.sparse
        return self.noise(step.factor, self.program.sizes[SAMPLES] if sampled else None)

    def _draw(self, step: Step) -> Value:
        name, factor = step.factor.variable, step.factor
        assert factor.family is not None
        inputs = (*self.parameters(factor), self._noise(step))
        wanted = f"{name}_drawn" if step.masked else name
        rank = self.rank(name)
        if step.action == "relax":
            estimator = self.graphs.spec.objective.estimators.get(name)
            hard = estimator is not None and estimator.straight_through
            relaxed_rank = rank + (self.graphs.variables[name].domain != "binary")
            return self.write("relax", wanted, inputs, rank=relaxed_rank, factor=factor.key, hard=hard)
        if step.action == "score_function":
            return self.write("draw", wanted, inputs, rank=rank, factor=factor.key)
        if factor.family.flow:
            found, density = self.write_all(
                "flow_draw", (wanted, f"log_q_{name}"), inputs, ranks=(rank, 0), factor=factor.key
            )
            if not (step.masked or self.doubly):
                self._own_density[name] = density
        else:
            found = self.write("reparameterize", wanted, inputs, rank=rank, factor=factor.key)
        if self.doubly and SAMPLES in found.axes:
            return self.write("reweighted", f"{name}_reweighted", (found,), rank=rank)
        return found

    def _mean(self, step: Step) -> Value:
        """The mean of q, or the label where a row has one."""
        name, factor = step.factor.variable, step.factor
        wanted = f"{name}_mean" if step.masked else name
        found = self.write("expected_value", wanted, self.parameters(factor), rank=self.rank(name), factor=factor.key)
        return self.or_label(name, found) if step.masked else found

    def _likeliest(self, step: Step) -> Value:
        """The likeliest values of an enumerated variable, and one draw that stands for the others."""
        name, factor = step.factor.variable, step.factor
        inputs = (*self.parameters(factor), self._noise(step))
        axes = canonical((name, *(axis for value in inputs for axis in value.axes)))
        budget = self.program.choices[name].budget
        found, share = self.write_all(
            "likeliest", (name, f"log_share_{name}"), inputs, axes, ranks=(self.rank(name), 0), factor=factor.key,
            budget=budget,
        )  # fmt: skip
        self._shares[name] = share
        return found

    # distributions

    def log_density(self, side: str, name: str, part: Part = "all") -> Value:
        """log p or log q of one variable, or of part of its elements, at the program's values."""
        step, wanted = self.steps[side, name], f"log_{side}_{name}" + ("" if part == "all" else f"_{part}")
        factor = step.factor
        if side == "q" and part == "all" and name in self._own_density:
            return self._own_density[name]
        if factor.standard and name in self.program.exact:
            return self.write("even_values", wanted, (self.value(name),))
        if factor.standard and self.graphs.variables[name].support is not None:
            return self._even(name, wanted, part)
        if self._of_every_class(step, part):
            axes = canonical((name, *(axis for v in self.parameters(factor) for axis in v.axes)))
            return self.write("table", wanted, self.parameters(factor), axes, factor=factor.key)
        relaxed = part != "given" and self._relaxed(name)
        detached = self.doubly and step.action == "reparameterize" and part != "given"
        value = self._scored(name, part)
        masks = () if part == "all" else (self.mask(name),)
        return self.write(
            "log_prob", wanted, self.aligned([value, *masks, *self.parameters(factor)]), factor=factor.key, part=part,
            relaxed=relaxed, detached=detached,
        )  # fmt: skip

    def _even(self, name: str, wanted: str, part: Part) -> Value:
        """Under the standard prior of a finite domain every value has the same probability."""
        variable = self.graphs.variables[name]
        masks = () if part == "all" else (self.mask(name),)
        elements = prod(variable.shape)
        return self.write("even_log_prob", wanted, masks, support=variable.support, elements=elements, part=part)

    def _scored(self, name: str, part: Part) -> Value:
        """The value that a density is taken at: of a blank observed variable not what networks read."""
        variable = self.graphs.variables[name]
        if part == "given" or (variable.role == "observed" and variable.missing):
            return self.legal(name)
        return self.value(name)

    def _relaxed(self, name: str) -> bool:
        return name in self.program.choices and self.program.choices[name].estimator == "relax"

    def _of_every_class(self, step: Step, part: Part) -> bool:
        """Every class of an enumerated scalar is scored: the log probabilities themselves, moved to the front.

        Not where the parents vary along that axis too: there each class is scored under its own parents.
        """
        name = step.factor.variable
        own = self.steps.get(("q", name))
        assert step.factor.family is not None
        summed = own is not None and own.action == "enumerate" and not own.masked and name not in self.program.sparse
        whole = summed or name in self.program.exact
        scalar = not self.graphs.variables[name].shape
        elsewhere = name in step.parent_axes or name in self.joint.mixed((name, *step.parent_axes))
        return whole and scalar and part == "all" and not elsewhere

    def log_axis(self, name: str) -> Value:
        """log probability of each value on an enumerated variable's axis: its exponentials add up to one."""
        if name in self._shares:
            return self._shares[name]
        if not self.steps["q", name].masked:
            return self.log_density("q", name)
        # the axis repeats each value once for every way to fill its given elements: each repetition gets a share
        hidden = self.log_density("q", name, "hidden")
        support = self.graphs.variables[name].support
        return self.write("share_repeats", f"log_share_{name}", (hidden, self.mask(name)), support=support)

    def divergence(self, name: str, part: Part) -> Value:
        """KL(q || p) of one variable (or of its hidden elements) in closed form."""
        q, p = self.steps["q", name].factor, self.steps["p", name].factor
        ours, theirs = self.parameters(q), self.parameters(p)
        masks = () if part == "all" else (self.mask(name),)
        inputs = self.aligned([*masks, *ours, *theirs])
        return self.write("kl", f"kl_{name}", inputs, q=q.key, p=p.key, part=part, count=len(ours))

    # elements that are summed together

    def aligned(self, values: Sequence[Value]) -> list[Value]:
        """The values, each summed variable of a plate in one form: see `symbolic.joint_axes`."""
        names = self.joint.mixed(axis for value in values for axis in value.axes)
        return [self._jointly(value, names) for value in values] if names else list(values)

    def for_all(self, value: Value, plates: Axes) -> Value:
        """At the values of all elements of these plates."""
        return self._jointly(value, [n for n in self.joint.own(value.axes) if self.joint.plates[n] in plates])

    def _jointly(self, value: Value, names: Iterable[str]) -> Value:
        for name in sorted(set(names).intersection(value.axes)):
            plate, elements = self.joint.plates[name], self.joint.elements[name]
            value = self.spread(value, [axis_label(plate)])
            axes = self.joint.jointly(value.axes, [name])
            wanted = f"{value.name}_of_all"
            value = self.write(
                "jointly", wanted, (value,), axes, rank=value.rank, plate=plate, own=name, elements=elements
            )
        return value


def doubly_reparameterized(program: Program) -> bool:
    """The importance weighted bound, where every hidden variable is a draw that depends on no other and on no label's
    weight: then log g may forget its parameters and each draw's gradient is scaled by its weight."""
    steps = [s for s in program.recognition if s.action not in ("compute", "clamp")]
    return (
        program.graphs.spec.objective.bound == "importance_weighted"
        and not program.upstream
        and all(s.action == "reparameterize" and not s.parent_axes and not s.masked for s in steps)
    )
