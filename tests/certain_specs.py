"""Random specs with variables that are computed with certainty, and rows whose labels agree with each other."""

from random import Random

import torch
from torch import Tensor

from compiler.tensors.noise import Noise

DOMAINS = {"b": "binary", "k": "category, classes: 3", "n": "count, min: 1, max: 2"}
RANGES = {"b": (0, 1), "k": (0, 2), "n": (1, 2)}


class CertainSpecDraw:
    """One random spec: y in a plate, d in the row, functions of them in the row and in the plate, and readers."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.size = self.random.choice([2, 2, 3])
        self.y, self.d, self.c = (self.random.choice("bkn") for _ in range(3))
        self.roles = {name: self.random.choice(["latent", "supervised"]) for name in "ydcszut"}
        self.roles["s"] = "supervised" if self.random.random() < 0.8 else "latent"

    def text(self) -> str:
        draw = self.random
        whole = draw.choice(["sum", "sum", "product", "minus", "max", "twice"])
        low, high = RANGES[self.y]
        other_low, other_high = RANGES[self.d]
        match whole:
            case "sum":
                parents, network = "y, d", "{kind: sum}"
                low, high = self.size * low + other_low, self.size * high + other_high
            case "minus":
                parents, network = "y@sum, d", "{kind: sum, minus: [d], minimum: 0}"
                low, high = max(0, self.size * low - other_high), self.size * high - other_low
            case "product":
                parents, network = "y@max, d", "{kind: product}"
                low, high = low * other_low, high * other_high
            case "twice":
                parents, network = "y@sum, y@max", "{kind: sum}"
                low, high = (self.size + 1) * low, (self.size + 1) * high
            case _:
                parents, network = "y@max", "{kind: identity}"
        second = draw.random() < 0.5  # e of each element: from its own y and the row's d
        lines = [
            "graphspec: 1",
            f"plates: {{p: {{size: {self.size}}}}}",
            "variables:",
            "  x: {role: observed, size: 2, plate: p}",
            f"  y: {{role: {self.roles['y']}, domain: {DOMAINS[self.y]}, plate: p}}",
            f"  d: {{role: {self.roles['d']}, domain: {DOMAINS[self.d]}}}",
            f"  s: {{role: {self.roles['s']}, domain: count, min: {low}, max: {high}}}",
            f"  z: {{role: latent, size: 1{', plate: p' if draw.random() < 0.6 else ''}}}",
            f"  t: {{role: {self.roles['t']}, domain: binary{', plate: p' if draw.random() < 0.6 else ''}}}",
        ]
        certain = f"{{parents: [{parents}], distribution: certain, network: {network}}}"
        in_plate = {name: "plate: p" in line for name in "zt" for line in lines if line.strip().startswith(f"{name}:")}
        p, q = [f"  s: {certain}"], [f"  s: {certain}"]
        if second:
            top = RANGES[self.y][1] + RANGES[self.d][1]
            lines.append(f"  e: {{role: {self.roles['u']}, domain: count, max: {top}, plate: p}}")
            function = "{parents: [y, d], distribution: certain, network: {kind: sum}}"
            p.append(f"  e: {function}")
            q.append(f"  e: {function}")

        def read(names: str, reader_in_plate: bool) -> str:
            found = []
            for name in names:
                inside = {"y": True, "x": True, "e": True, **in_plate}.get(name, False)
                if (name == "e" and not second) or draw.random() < 0.35:
                    continue
                found.append(f"{name}@{draw.choice(['sum', 'max'])}" if inside and not reader_in_plate else name)
                if inside and reader_in_plate and name == "y" and draw.random() < 0.4:
                    found.append("y@sum")
            return f"[{', '.join(found)}]"

        p += [
            f"  z: {{parents: {read('dse', in_plate['z'])}, parameters: {{scale: 0.8}}}}",
            f"  t: {{parents: {read('zsy', in_plate['t'])}, network: {{kind: linear}}}}",
            "  x: {parents: [z, y, t], parameters: {scale: 1}}",
        ]
        q += [
            f"  z: {{parents: {read('xyse', in_plate['z'])}, parameters: {{scale: 0.7}}}}",
            f"  t: {{parents: {read('xzsy', in_plate['t'])}, network: {{kind: linear}}}}",
        ]
        p = [
            line.replace("parents: [], parameters: {scale: 0.8}", "parameters: {loc: learned, scale: 0.8}")
            for line in p
        ]
        p = [line.replace("parents: [], network: {kind: linear}", "parameters: {logits: learned}") for line in p]
        q = [
            line.replace("parents: [], parameters: {scale: 0.7}", "parameters: {loc: learned, scale: 0.7}")
            for line in q
        ]
        q = [line.replace("parents: [], network: {kind: linear}", "parameters: {logits: learned}") for line in q]
        lines += ["generative:", "  y: {parameters: {logits: learned}}", "  d: {parameters: {logits: learned}}", *p]
        lines += [
            "recognition:",
            "  d: {parents: [x@mean], network: {kind: linear}}",
            f"  y: {{parents: [x{', d' if draw.random() < 0.4 else ''}], network: {{kind: linear}}}}",
            *q,
        ]
        alphas = ", ".join(f"{n}: {draw.uniform(0.1, 3):.2f}" for n in "ydst" if self.roles[n] == "supervised")
        lines.append("networks: {default: {kind: mlp, hidden: [3], activation: tanh}}")
        lines.append(f"objective: {{samples: 1{f', alpha: {{{alphas}}}' if alphas else ''}, beta: {{y: 1.7, z: 0.6}}}}")
        return "\n".join(lines) + "\n"


def agreeing_rows(model, count: int, seed: int = 0) -> dict[str, Tensor]:
    """Rows drawn from p; the first has no label, the second all, the others any elements."""
    made = model.generate({}, count, noise=Noise(seed, count), means=False)
    generator, rows = torch.Generator().manual_seed(seed), {}
    for name in (*model.graphs.observed, *model.graphs.supervised):
        variable, value = model.graphs.variables[name], made[name].clone()
        if variable.role == "supervised":
            gone = torch.rand(value.shape, generator=generator) < 0.5
            gone[0], gone[1] = True, False
            value[gone] = -1 if variable.discrete else torch.nan
        rows[name] = value
    return rows
