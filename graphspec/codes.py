"""The catalogue of diagnostics: what each code means, why it is asked, and how to mend it.

`graphspec explain GS012` prints an entry. Ranges: GS001-009 file and YAML; GS010-029 fields and values; GS030-049
variables and graphs; GS050-059 families and parameters; GS060-069 networks and shapes; GS070-079 objective and
training; GS080-089 data; GS090 not yet; GS100-119 warnings. A code once published keeps its meaning.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """One kind of finding: a title of a few words, and an explanation with an example of the repair."""

    title: str
    explanation: str


CODES: dict[str, Code] = {
    # --- GS001-009: file and YAML ---
    "GS001": Code(
        "The spec cannot be read",
        "The path does not lead to a text file: nothing is there, it is a folder, it may not be opened, or its bytes "
        "are not UTF-8. Use `-` to read a spec from standard input.",
    ),
    "GS002": Code(
        "Not YAML",
        "The text breaks a rule of YAML, so its structure cannot be known; only the first such place is reported. "
        "Usual causes: a tab in the indentation, lines of one mapping that start in different columns, a bracket or "
        "quote that is never closed, a text with `: ` or a leading `@` without quotes.",
    ),
    "GS003": Code(
        "A key is defined twice",
        "One of the two would be lost without a word, so both are shown and neither is taken. Remove one:\n\n"
        "    variables:\n      z: {role: latent, size: 20}\n      z: {role: latent, size: 50}    # which one?",
    ),
    "GS004": Code(
        "An anchor or alias that cannot be followed",
        "`&name` marks a value and `*name`, further down, repeats it. The anchor must exist, come first, be defined "
        "once, not contain itself, and all aliases together may not expand to more than 20 000 values.",
    ),
    "GS005": Code(
        "The merge key `<<`",
        "`<<` is not part of YAML 1.2, and merged fields have no place of their own to report. Repeat a whole value "
        "by an alias, or write the fields out:\n\n    beta: {z1: &w {from: 0, to: 1, epochs: 50}, z2: *w}",
    ),
    "GS006": Code(
        "A tag",
        "Tags (`!!python/object`, `!name`) ask the reader to construct objects; a spec is data. Write the value "
        "alone, and put it in quotes if it must be text.",
    ),
    "GS007": Code(
        "Not a spec",
        "A spec is one YAML document whose top level is a mapping of sections: graphspec, variables, generative, "
        "recognition, networks, objective, data, training. This file is empty, holds something else, or holds "
        "several documents separated by `---`.",
    ),
    "GS008": Code(
        "Too large",
        "A spec may have 1 MiB, 64 levels of nesting, 20 000 values and whole numbers of 64 bits. Lists of rows "
        "belong in files: `labels: {y: {rows: rows.txt}}`.",
    ),
    "GS009": Code(
        "An override that cannot be applied",
        "`--set section.field=value` names a place by keys and positions separated by dots; the value is read as "
        "YAML, and `null` deletes. The path must lead through mappings and lists that exist or can be made:\n\n"
        "    --set training.epochs=10 --set 'objective.beta={z: 4}' --set training.initialize.0.from=runs/a",
    ),
    # --- GS010-029: fields and values ---
    "GS010": Code(
        "An unknown field",
        "This mapping has no field of that name. A misspelling gets a suggestion; a field that belongs to another "
        "section is told so. `graphspec schema` lists every field.",
    ),
    "GS011": Code(
        "A required field is missing",
        "Without it the mapping has no meaning: a variable needs `role`, a network `kind`, a schedule `from`, `to` "
        "and `epochs`, a spec `graphspec`, `variables`, `generative` and `recognition`.",
    ),
    "GS012": Code(
        "A value of the wrong kind",
        "A number was expected and a text came, a list and a single value came, and so on. Nothing is converted "
        "silently: `epochs: 2.5` and `flip: yes` are mistakes (YAML 1.2 knows only `true` and `false`).",
    ),
    "GS013": Code(
        "Not one of the words allowed here",
        "The field takes one of a few words, which the message lists. Words that other tools use for the same thing "
        "(`gaussian`, `batchnorm`, `conv`, `Adam`) get a suggestion.",
    ),
    "GS014": Code(
        "A number out of range",
        "The number is of the right kind but outside what the field allows; the message gives the limit.",
    ),
    "GS015": Code(
        "Fields that do not go together",
        "Each field is fine alone, but these exclude or require each other: `rho` and `gamma` (each determines the "
        "other), `column` and `columns`, `column` and `value`, `fold` and `of`.",
    ),
    "GS016": Code(
        "Not a usable name",
        "Names of variables and networks are identifiers: letters, digits and `_`, not starting with a digit. "
        "`auto`, `default` and `exact` have a meaning of their own; `default` may name a network.",
    ),
    "GS017": Code(
        "The language version",
        "Every spec says which version of the language it is written in: `graphspec: 1`. This program reads version "
        "1. Within a version no default changes.",
    ),
    "GS018": Code(
        "A text of the wrong form",
        "The text has to follow a pattern: a target is `package.module:Class`; alpha is a number, a schedule, or a "
        "number divided by rho such as `25/rho` (no other expressions).",
    ),
    # --- GS030-049: variables and graphs ---
    "GS030": Code(
        "A name that is not declared",
        "Factors and their parents are variables, and every variable is declared once under `variables`. Networks are "
        "named by `network:`, not among the parents.",
    ),
    "GS031": Code(
        "A variable that depends on itself",
        "Each graph says how one variable follows from others, so its arrows may not run in a circle; the message "
        "walks one such circle. Remove one of its arrows, or turn it round. Dependence on an earlier moment in time is "
        "written `h@previous` (sequences).",
    ),
    "GS032": Code(
        "A hidden variable that recognition forgets",
        "Latent variables are in no row and supervised ones in some rows only; elsewhere recognition has to say how "
        "they follow from what is observed. Add a factor, or let it be derived:\n\n    recognition: {auto: true, ...}",
    ),
    "GS033": Code(
        "Recognition looks at what it cannot have",
        "Recognition may read a deterministic variable of the generative graph if everything that one depends on comes "
        "before the reader. Here it depends on the reader itself. Read what the function reads, or define a function "
        "of its own in recognition.",
    ),
    "GS034": Code(
        "The generative graph looks at what it cannot have",
        "The generative graph may read a deterministic variable of recognition if everything that one depends on comes "
        "before the reader. Here it depends on the reader itself: features of x cannot generate x.",
    ),
    "GS035": Code(
        "A hidden variable that the generative graph forgets",
        "The objective weighs how likely a latent or supervised variable is in the generative graph against "
        "recognition, so both have a factor of it. A root with the domain's standard prior is short:\n\n"
        "    generative:\n      z: {}",
    ),
    "GS036": Code(
        "An observed variable as a child in recognition",
        "Recognition says how hidden variables follow from observed ones, which every row has. How an observed "
        "variable comes about belongs to `generative`.",
    ),
    "GS037": Code(
        "A deterministic variable with two definitions",
        "A deterministic variable is one function with one set of weights. Define it in one graph; the other reads it. "
        "For two functions declare two variables.",
    ),
    "GS038": Code(
        "A deterministic variable without a definition",
        "It is a function of its parents, and no graph names them. Add an entry to the graph where it belongs:\n\n"
        "    recognition:\n      h: {parents: [x]}",
    ),
    "GS039": Code(
        "A deterministic variable that is more than a function",
        "A deterministic variable has parents and a network, no distribution and no parameters. If it should vary "
        "given its parents, make it latent.",
    ),
    "GS041": Code(
        "A parent named twice",
        "What parents contribute adds up, and each enters once. Remove the second mention.",
    ),
    "GS042": Code(
        "A name that is not among the parents",
        "`stop_gradient`, the parents of a parameter, and the `image` and `pose` of a network choose among the "
        "factor's own `parents`.",
    ),
    "GS043": Code(
        "A field that belongs to another domain",
        "`classes` describes a category, `names` a category or a binary, `min` and `max` a count. Another domain has "
        "no use for them, so one of the two is a slip.",
    ),
    "GS044": Code(
        "Values that do not add up to a domain",
        "A category has two or more values, told by `classes` or by as many `names`; a binary has two names; a count "
        "runs from `min` to `max`, both included, and is never negative. No name stands twice.",
    ),
    "GS045": Code(
        "A direction or simplex without a length",
        "Both are vectors along their first axis: a unit vector, or shares that add up to one. With fewer than two "
        "elements nothing could vary.",
    ),
    "GS046": Code(
        "`missing: true` in the wrong place",
        "A blank drops its own term of the likelihood. That is exact for an observed variable which the generative "
        "graph models and nothing else depends on. What others depend on has to be inferred where it is blank: make it "
        "supervised.",
    ),
    "GS047": Code(
        "Size and shape at once",
        "`size: 3` is short for `shape: [3]`, so the two say the same or contradict each other; keep one of them.",
    ),
    "GS048": Code(
        "Not a warning",
        "`allow` silences warnings in place, by their codes (GS100 to GS119). Errors cannot be silenced.",
    ),
    "GS049": Code(
        "A role that this domain cannot have",
        "A deterministic variable is the output of a function, which is a number and not one of a few values. Its "
        "expected value has a domain: `unit` for a binary, `simplex` for a category, `positive` for a count.",
    ),
    # --- GS050-059: families and parameters ---
    "GS050": Code(
        "An unknown distribution",
        "`distribution` is one of the names that the message lists for this domain; names of other libraries get a "
        "suggestion (`gaussian` is `normal` here).",
    ),
    "GS051": Code(
        "A distribution that the domain does not allow",
        "The domain says which values a variable takes, and a distribution has to live on these values: no normal on a "
        "category, no poisson on a count that ends. Change the distribution or the domain.",
    ),
    "GS052": Code(
        "An option that the distribution does not have",
        "Options stand beside `kind` in `distribution: {kind: NAME, ...}`. Parameters (loc, scale, ...) stand in "
        "`parameters`, beside `distribution`.",
    ),
    "GS053": Code(
        "A parameter that the distribution does not have",
        "Parameters have the names that torch.distributions gives them; the message lists those of this distribution.",
    ),
    "GS054": Code(
        "A value that the parameter cannot take",
        "Scales, rates and concentrations are above zero, probabilities from 0 to 1 and add up to one, and a list has "
        "the shape of the parameter. A single number stands for all elements.",
    ),
    "GS055": Code(
        "A parameter given twice",
        "`probs` and `logits` (and `gate` and `gate_logits`) are two ways to give one parameter. Keep one.",
    ),
    "GS056": Code(
        "A root without a standard prior",
        "A count without `max` has no prior that goes without saying. Name a distribution, or give the variable a "
        "largest value:\n\n    n: {distribution: poisson, parameters: {rate: learned}}",
    ),
    "GS058": Code(
        "Bounds of a learned parameter",
        "`initial` lies within `minimum` and `maximum`, and all of them within what the parameter may be. `learned: "
        "channel` is one value per entry of the first axis, which a scalar does not have.",
    ),
    # --- GS060-069: networks and shapes ---
    "GS060": Code(
        "An unknown network",
        "`network: NAME` names an entry of `networks`; an architecture may also be written in place, `network: {kind: "
        "mlp, hidden: [256]}`. Left out, it is the entry `default`.",
    ),
    "GS061": Code(
        "Shapes that cannot meet",
        "Networks without weights compute with their parents as they are: `identity` reads one, `dot` two with first "
        "axes of one size, `product` and `sum` any that broadcast (equal sizes or 1, axis by axis from the right), and "
        "the result has to fit what it stands for. `elementwise` wants parents of the variable's own shape.",
    ),
    "GS062": Code(
        "A convolution without an image",
        "`cnn` and `resnet` read parents of shape [channels, height, width], and images read together have the same "
        "height and width. Everything else enters as a bias per channel.",
    ),
    "GS063": Code(
        "An image network for what is no image",
        "`deconv` and `resnet` with `direction: up` grow an image [channels, height, width]. For vectors and scalars "
        "use `mlp` or `linear`.",
    ),
    "GS064": Code(
        "A network with nothing to do",
        "A network computes parameters from parents. A root has no parents, and where `parameters` gives every "
        "parameter none is left.",
    ),
    "GS065": Code(
        "A deterministic variable whose size is not known",
        "Without a size its value is the network's last hidden layer. `linear`, `deconv` and your own networks have "
        "none, and a domain asks for a size too: say `size:` or `shape:` (`shape: []` for a scalar).",
    ),
    "GS066": Code(
        "A network without weights cannot give this",
        "`identity`, `product`, `sum`, `dot` and the affine networks give one parameter itself, such as the loc of a "
        "normal or the probs of a bernoulli, from numbers. The other parameters stand in `parameters`; a category "
        "enters through a network with weights.",
    ),
    "GS067": Code(
        "A kernel that has no middle",
        "A residual block adds its input to its output pixel by pixel, so its kernels have an odd side.",
    ),
    "GS069": Code(
        "A python network that cannot be used",
        "`kind: python` runs code of your own, so it must be allowed (`--allow-python`), importable from where you "
        "start, a torch.nn.Module built as `Class(inputs={name: shape}, outputs={parameter: shape}, **args)`, and its "
        "`forward(**parents)` must return each output with its shape, rows first. `check` never imports it; `compile` "
        "and `train` do, and try it once on two rows of zeros.",
    ),
    # --- GS070-079: objective and training ---
    "GS070": Code(
        "A weight or budget for a variable that cannot have one",
        "alpha, consistency and `data.labels` are about labels, so they name supervised variables. beta, free_bits "
        "and estimators are about hidden variables: latent ones, and supervised ones in rows without their label. "
        "consistency also needs classes, for it asks how sure a prediction is.",
    ),
    "GS071": Code(
        "An estimator that does not exist for the variable",
        "`enumerate` and `relax` need finitely many values (category, binary, a count with `max`); `reparameterize` "
        "needs a continuous variable whose family in recognition has differentiable draws. `score_function` exists "
        "for every hidden variable. Left out, the compiler chooses and `explain` says why.",
    ),
    "GS072": Code(
        "Total correlation that cannot be split off",
        "The split into mutual information, total correlation and dimension-wise divergence (beta-TCVAE) needs a prior "
        "of independent elements: a latent root of `generative` with several continuous elements.",
    ),
    "GS073": Code(
        "Weights inside an importance-weighted bound",
        "`bound: importance_weighted` averages whole importance weights; it has no divergence per variable that beta, "
        "free bits or total correlation could change. Use `bound: elbo`, or leave the weights out.",
    ),
    "GS074": Code(
        "A number of the wrong sign",
        "Weights (alpha, beta, free_bits, consistency) are 0 or more, at both ends of a schedule. A "
        "temperature stays above 0. A learning rate is above 0, or falls to 0.",
    ),
    "GS075": Code(
        "An exponential change through zero",
        "`shape: exponential` multiplies by the same factor in equal times, so it can neither start at 0 nor arrive "
        "there. Use linear or cosine, or a small positive number:\n\n"
        "    learning_rate: {from: 1e-3, to: 1e-5, shape: exponential, epochs: 50}",
    ),
    "GS076": Code(
        "A share of labels where no variable is supervised",
        "rho is the share of the total weight that labelled rows carry. Without a supervised variable there are no "
        "labelled rows, rho is 0, and `25/rho` would divide by it.",
    ),
    "GS077": Code(
        "select names no figure",
        "`training.select` says which validation figure picks the best weights: NAME.error of a supervised variable, "
        "elbo, or last (the last epoch, no figure). Left out: the error of the first supervised variable, else elbo.",
    ),
    "GS078": Code(
        "initialize names no factor",
        "`factors` lists factors of this spec by side and variable: `[recognition.z1, generative.x]`. Each is taken "
        "from one run only.",
    ),
    "GS079": Code(
        "Waiting for a validation figure that does not exist",
        "`patience`, and every `select` except last, compare epochs by validation rows. `data.validation: 0` holds "
        "none out, and `select: last` watches none.",
    ),
    # --- GS080-089: data ---
    "GS080": Code(
        "Columns and variables do not pair up",
        "`data.variables` gives a column to every observed and every supervised variable, and to no other: no row has "
        "a latent variable, and a deterministic one is computed.\n\n    variables: {x: image, y: label}",
    ),
    "GS081": Code(
        "The data has no such column",
        "The known data set, or the header of the file, has no column of this name; the message lists those it has. A "
        "column must be in the source's own test split too.",
    ),
    "GS082": Code(
        "A column of another shape",
        "A cell must have the variable's shape. Three differences are bridged: a single value and a vector of one; "
        "[H, W] and [1, H, W]; images stored [H, W, C] become [C, H, W]. `resize` changes the sides of images. A list "
        "of columns is stacked into a vector.",
    ),
    "GS083": Code(
        "Cells that are no values of the variable",
        "A category takes 0 to classes - 1 or its `names`, a binary 0 and 1 or its two names, a count whole numbers "
        "from `min` to `max`. Empty cells, NaN, -1 (category, binary, count) and what `missing` lists are blanks, "
        "which an observed variable cannot have. Images hold values in [0, 1].",
    ),
    "GS084": Code(
        "An option that does not apply to the column",
        "`resize` and `augment` need an image of shape [channels, height, width] of domain `unit` or `real`; "
        "`binarize` needs `unit` or `binary`; `standardize` needs `real`.",
    ),
    "GS085": Code(
        "A label budget that cannot be met",
        "Counts are of training rows: what remains of the source after test and validation. `per_class` needs a "
        "variable with one class per row. A `rows` file has one 0-based row of the source a line; the training split "
        "is numbered first, then the source's own test split.",
    ),
    "GS086": Code(
        "`with` leads nowhere",
        "`{with: other}` keeps labels on the rows of another supervised variable. Following it must end at a variable "
        "with a count, a share, a file, or the data's own labels.",
    ),
    "GS087": Code(
        "A split that cannot be made",
        "`stratify`, `group` and `column` name columns of single values; `value` is one that occurs. `test` is taken "
        "from all rows of the source, `validation` from what remains, and some rows must be left for training.",
    ),
    "GS088": Code(
        "The source cannot be read",
        "Something is there, and it is no data: not .npz, .csv or a folder of images, or damaged, or empty.",
    ),
    "GS089": Code(
        "The source is not there",
        "A path is looked for beside the spec, then in the working folder, then in the data folder (`--data-dir`, "
        "else $GRAPHSPEC_DATA, else the user's cache folder). `check` goes on without it; `train` cannot.",
    ),
    # --- GS090: not yet ---
    "GS090": Code(
        "Not yet",
        "The language has this, and this version of the program does not run it yet. Plates, sequences (`h@previous`), "
        "`include` and `exact` come later in version 1 of the language; specs that use them are otherwise fine.",
    ),
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
