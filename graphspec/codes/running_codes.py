"""What is wrong with how it is trained: GS070-079 objective and training, GS080-089 data, GS090 not yet."""

from graphspec.codes.entry import Code

CODES: dict[str, Code] = {
    # --- GS070-079: objective and training ---
    "GS070": Code(
        "A weight or budget for a variable that cannot have one",
        "alpha, consistency and `data.labels` are about labels, so they name supervised variables. beta, free_bits "
        "and estimators are about hidden variables: latent ones, and supervised ones in rows without their label. "
        "consistency also needs classes, for it asks how sure a prediction is, and with `adversarial` a real or unit "
        "variable that the prediction depends on, for it moves rows. `answers: {y: bound}` holds each value of y and "
        "compares the bounds: y has finitely many values, a factor in recognition, and elements that rows are known to "
        "have.",
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
        "`training.select` says which validation figure picks the best weights: NAME.FIGURE of a supervised variable, "
        "elbo, or last (the last epoch, no figure). Of classes: error, log_loss, balanced_error, macro_f1, auc (two "
        "values), recall.CLASS, precision.CLASS, calibration; of numbers: error (= rmse), mae, median_error, r2; of "
        "directions also angle_rms and angle_median. Left out: the errors of all labels, each beside that of a "
        "constant answer; on fewer than 30 labelled rows their log loss, on fewer than 10 the elbo; without labels the "
        "elbo.",
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
        "of columns is stacked into a vector. Images in colour become grey, and grey ones rgb, where the column says "
        "`colour: grey` or `colour: rgb`; where both are mixed, the variable's channels decide.",
    ),
    "GS083": Code(
        "Cells that are no values of the variable",
        "A category takes 0 to classes - 1 or its `names`, a binary 0 and 1 or its two names, a count whole numbers "
        "from `min` to `max`. Images hold values in [0, 1].\n\n"
        "A blank is an empty cell, NaN, what `missing` lists, and -1 in a column of whole numbers of a category, "
        "binary or count; a name never is one. Where the values are only -1 and 1, or -1, 0 and 1, say which is meant: "
        '`names: ["-1", "1"]` or `missing: [-1]`. An observed variable has blanks only with `missing: true`.\n\n'
        'A table says how its numbers are written: `data: {decimal: ",", thousands: "."}`.\n\n'
        "Class folders name the classes in alphabetical order, unless `names` does or all are numbers; one called "
        "unlabelled, unknown or none is either listed under `missing` or named under `names`.",
    ),
    "GS084": Code(
        "An option that does not apply to the column",
        "`resize`, `colour` and `augment` need an image of shape [channels, height, width] of domain `unit` or `real`, "
        "`local_contrast` one of domain `real`; `mirrors` names what `flip` takes along to the other side; "
        "`white` and `on_error` are about picture files; `separator`, `decimal` and `thousands` about tables of text; "
        "`binarize` needs `unit` or `binary`; `standardize` needs `real` or `positive`.",
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
        "Something is there, and it is no data: not .npz, .csv, .tsv or a folder of images, or damaged, or empty.",
    ),
    "GS089": Code(
        "The source is not there",
        "A path is looked for beside the spec, then in the working folder, then in the data folder (`--data-dir`, "
        "else $GRAPHSPEC_DATA, else the user's cache folder). `check` goes on without it; `train` cannot.",
    ),
    # --- GS090: not yet ---
    "GS090": Code(
        "Not yet",
        "The language has this, and this version of the program does not run it yet. The message says what; the spec "
        "is otherwise fine.",
    ),
    "GS096": Code(
        "Not supported with plates",
        "Some parts of the language are defined by row and have no meaning for the elements of a plate yet. The "
        "message says why, and what to write instead.",
    ),
    "GS097": Code(
        "A label's column that is also an input",
        "Whoever reads the label among the inputs is never wrong, and knows nothing where the label is missing. A "
        "column feeds either a supervised variable or an observed one. A column with the same cells under another "
        "name is the same label: it is found where 30 rows or more have both, and all of them agree.",
    ),
}
