"""What is wrong with includes: GS091-095."""

from graphspec.codes.entry import Code

CODES: dict[str, Code] = {
    "GS091": Code(
        "What is to be included is not there",
        "`run` names a folder that `graphspec train` wrote, with its resolved spec and its weights; `spec` names a "
        "file. Both are looked for beside the spec, then in the working folder. Once trained, a model needs neither: "
        "its run folder holds one flat spec and all weights.",
    ),
    "GS092": Code(
        "Names that do not fit together",
        "An included variable is called as `rename` says, else by the include's name, `_` and its own. Left sides of "
        "`rename`, `roles` and `without` are names of the included spec. A name that this spec declares too is the "
        "same variable, so domain, shape, classes and names agree, and so do the units of its column if it comes from "
        "a run; any other name is free. A python class gets its parents by name: they keep theirs.",
    ),
    "GS093": Code(
        "A role or a freeze that an include cannot have",
        "Observed variables may become supervised or latent, supervised ones latent, latent ones supervised. A "
        "variable that this spec declares has its role from there. Functions stay functions. `freeze` keeps the "
        "weights of a run; a `spec` comes with fresh ones, which nobody has trained.",
    ),
    "GS094": Code(
        "Two factors of one variable",
        "A factor written here for an included variable adds what the included spec lacks, for example recognition of "
        "what is observed there. Where both have one, say which: `without: [generative.y]` leaves the included one "
        "behind.",
    ),
    "GS095": Code(
        "Includes in a circle, or too deep",
        "A spec is no part of itself, and includes nest at most four deep.",
    ),
}
