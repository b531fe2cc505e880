"""What is legal and may not be meant: GS100-119."""

from graphspec.codes.entry import Code

CODES: dict[str, Code] = {
    # --- GS100-119: warnings ---
    "GS100": Code(
        "A network that nobody uses",
        "An entry of `networks` that no factor names does nothing; often its name is misspelled where it should be "
        "used.",
    ),
    "GS101": Code(
        "A latent variable that leaves no trace",
        "Nothing observed or labelled depends on it, so the data cannot say anything about it, and its posterior is "
        "its prior. A latent that recognition reads on the way to others is exempt: it makes recognition richer.",
    ),
    "GS102": Code(
        "A gradient that will be noisy",
        "The values of this variable can neither be summed, relaxed nor drawn with a gradient; what is left is the "
        "score function, whose variance is large. A finite support or another family avoids it; more samples help.",
    ),
    "GS103": Code(
        "A long sum",
        "Every row is computed for every joint value of the variables that `estimators` asks to enumerate. Above 1000 "
        "of them `relax`, or a `budget`, is usually the better choice.",
    ),
    "GS104": Code(
        "A parent without effect",
        "Every parameter of this factor is given, and none by a network that reads this parent. The arrow would be "
        "drawn and nothing would depend on it.",
    ),
    "GS105": Code(
        "Recognition cannot follow the posterior",
        "Given what is observed, the generative graph leaves two variables dependent, and recognition has no arrow to "
        "represent it. The message names an open path (d-separation) and the arrow that closes the gap. Often the gap "
        "is a choice, made for speed: say so with `allow: [GS105]` on the factor. `recognition: auto` has no gaps.",
    ),
    "GS106": Code(
        "A variable that nobody uses",
        "It is declared, and no factor reads it; if it is observed, none models it either.",
    ),
    "GS110": Code(
        "A change that outlasts the training",
        "A schedule runs from `begin` for `epochs`. If that ends after `training.epochs`, the value never arrives at "
        "`to`.",
    ),
    "GS111": Code(
        "Labelled rows that weigh next to nothing",
        "With gamma, M labelled rows carry gamma M / (N + gamma M) of the total weight: with gamma 1 and 100 labels "
        "among 50000 rows, 0.2 %. `rho: 0.5` gives them half, whatever their number.",
    ),
    "GS112": Code(
        "A weight of labels where no variable is supervised",
        "alpha, rho, gamma and labelled_batch_size are about rows with labels. The spec has no supervised variable, "
        "so they change nothing.",
    ),
    "GS113": Code(
        "The source's own test split is replaced",
        "With `test`, test rows are drawn from all rows of the source, those of its own test split included. Errors "
        "are then not comparable with those that others report on this data set.",
    ),
    "GS114": Code(
        "Fewer labels than classes",
        "Some class has no labelled row to learn from. A count is a whole number of rows: `y: 1` is one row, `y: 1.0` "
        "every label.",
    ),
}
