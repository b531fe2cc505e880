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
    "GS107": Code(
        "Files that are not read",
        "Of a folder of images, the files in it and in its class folders are rows, if they end as what Pillow reads. "
        "What else lies there is counted and named: other endings, tables, deeper folders, a folder `val` beside "
        "`train` and `test`, hidden files. If it was meant to be read, move it; if not, move it out of the source.",
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
    "GS115": Code(
        "A row that is compared with itself",
        "`consistency` lets q of a row as training changes it agree with q of the row as it is in the data. Without "
        "`augment`, dynamic `binarize`, dropout or noise on the way to the label, and without `adversarial`, both are "
        "the same row, and what is left is agreement of the weights with their average:\n\n"
        "    data: {variables: {x: {column: image, augment: {shift: 2, rotate: 10}}}}",
    ),
    "GS116": Code(
        "A label that weighs next to nothing beside its row",
        "A labelled row brings log p of what is observed and alpha times log q of the label. An image of thousands of "
        "numbers costs thousands of nats, a label a few: with alpha 50, log 10 is 115 nats beside the 17000 of 32 x 32 "
        "bytes in three colours, and weights that both share follow the image. The estimate is of the start of "
        "training, and rough; `explain` shows it for every label:\n\n"
        "    objective: {alpha: 3000}\n\n"
        "`allow: [GS116]` on the variable silences the warning.",
    ),
    "GS117": Code(
        "A model larger than this machine's memory",
        "Weights, their gradients and the optimizer's two moments take 16 bytes a weight, and together more than the "
        "memory of the machine that `check` runs on. A fully connected layer between two large things has as many "
        "weights as their sizes multiplied; another machine may have the room.",
    ),
    "GS118": Code(
        "A label that nothing predicts",
        "Its factor in `recognition` reads nothing observed, not even by way of other variables, so that the answer is "
        "the same in every row. With `recognition: auto` this follows from `generative`: a variable that shows in "
        "nothing observed cannot be told from it.",
    ),
    "GS119": Code(
        "A flow that makes every step slow",
        "A flow is fast one way, from values to noise or back; the other way it solves for one element after the "
        "other. `inverse_autoregressive` is slow to score what it did not draw (an observed variable, a label); the "
        "others are slow to draw, as recognition does with a label in every row that lacks it. The time grows with the "
        "square of the elements, and is longest where an element is solved for by iteration (`sum_of_squares`, "
        "`neural_autoregressive`, `unconstrained_neural_autoregressive`). The prediction is rough. "
        "`allow: [GS119]` on the variable silences the warning.",
    ),
    "GS121": Code(
        "Labels that do not differ",
        "Every label of the column has one value, so there is nothing to tell apart and an error of 0 says nothing; or "
        "a class has no row, so that it is never learned. Often the column is coded in another way than the variable "
        "says, or a value was taken for a blank. `allow: [GS121]` on the variable silences the warning.",
    ),
    "GS122": Code(
        "A class that reads like a blank",
        "`names: auto` makes a class of every cell that is no blank, and this one is called as people call a cell that "
        "is blank: NA, unknown, none. List it under `missing` if it is, so that its rows count as rows without the "
        "label; `allow: [GS122]` on the variable says that it is a class.",
    ),
    "GS123": Code(
        "A label that others dilute",
        "alpha of a label counts in the rows that have it, and the objective is a mean over all rows that have any "
        "label. Where few of them have this one, its weight shrinks with their share, M_j / M, so that a second, more "
        "frequent label can make the answers to the first one worse. The help names the alpha that gives it the weight "
        "it has where no other label is there; `alpha: 25/rho` divides by the rate by itself. "
        "`allow: [GS123]` on the variable silences the warning.",
    ),
    "GS124": Code(
        "An input that tells a label outright",
        "In every row that has both, each value of the input stands for one class and each class for one value: it is "
        "another spelling of the label, as a code beside a name; or several columns each mark one class, and together "
        "all but one, as one-hot codes do. A model that reads it is never wrong on these rows, and of no use where "
        "label and input are both unknown. If the input is known wherever the label is asked "
        "for, `allow: [GS124]` on the label silences the warning.",
    ),
    "GS125": Code(
        "Keys or an order that may not be what is meant",
        "Keys that differ only by case or spaces are different keys, and probably one row. Elements of an ordered "
        "plate that share their place in the order stand as in the file, and so do all of them where no `order` names "
        "a column: check that this is the order you mean. Where no two lines share a key, every row has one element: "
        "the key may be a number of lines.",
    ),
    "GS126": Code(
        "A window that is read elsewhere than it is painted",
        "`affine_read` and `affine_write` of one pose look at the same window only if their `side` and `reach` agree. "
        "Else what is read is not what is painted there, and training goes on all the same. A look at a wider window "
        "may be meant: say so with `allow: [GS126]` on the factor that reads.",
    ),
    "GS127": Code(
        "A direction that a mirrored picture does not keep",
        "`flip` mirrors half of the training pictures, and with them the side that light comes from or a head looks "
        "to. A direction that stays as it was is then wrong in half of the rows that have it, and the model learns "
        "that it lies in the middle. `mirrors` says what changes its sign:\n\n"
        "    augment: {flip: true, mirrors: {light: [0]}}\n\n"
        "`allow: [GS127]` on the direction silences the warning.",
    ),
    "GS128": Code(
        "A number that reads like a blank",
        "-1, -99 or 999 stands in several cells and apart from all other numbers of the column, as people write it "
        "where nothing was measured. As a value it moves means and scales, and as a label it is learned. List it under "
        "`missing` if it is a blank; `allow: [GS128]` on the variable says that it is a value.",
    ),
    "GS129": Code(
        "Classes that differ by case or spaces alone",
        "`Yes` and `yes` are two classes, each with a part of the rows, and usually one, typed in two ways: the "
        "model learns to tell apart what does not differ. Write a class alike in every row. Names of one letter are "
        "not looked at; `allow: [GS129]` on the variable says that they are different classes.",
    ),
}
