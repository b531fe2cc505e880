"""What is wrong with a model: GS030-049 variables and graphs, GS050-059 families and parameters, GS060-069 networks."""

from graphspec.codes.entry import Code

CODES: dict[str, Code] = {
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
        "`allow` silences warnings in place, by their codes (from GS100 on). Errors cannot be silenced.",
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
}
