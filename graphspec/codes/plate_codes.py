"""What is wrong with plates: GS020-029."""

from graphspec.codes.entry import Code

CODES: dict[str, Code] = {
    "GS020": Code(
        "A plate that is not well declared",
        "A plate says what a row has several of, and how many: `plates: {things: {size: 5}}`, or at most how many "
        "where a `count` says which of them are there (`size` is then the count's `max`). Its name is no "
        "variable's and no network's, because among the parents it means the place in the plate. `inside` names "
        "another plate, and at most three stand in each other. A variable stands in one:\n\n"
        "    x: {role: observed, plate: things}",
    ),
    "GS021": Code(
        "A count that cannot count",
        "A plate with a `count` has as many elements as that variable says: the first so many are there, the others "
        "are not. A count is a single number of domain count with a `max`; it belongs to the row, or to the plate "
        "that its own plate is inside of; and in neither graph does it depend on anything in the plate, for it "
        "decides what exists there:\n\n"
        "    plates: {visits: {count: n, ordered: true}}\n"
        "    variables:\n"
        "      n: {role: observed, domain: count, max: 60}",
    ),
    "GS022": Code(
        "A parent that cannot be read from here",
        "A variable of a plate has a value for each element. In the plate itself, and inside of it, a reader sees the "
        "value of its own element. From outside it reads all elements at once, as `v@sum`, `v@mean`, `v@max`, or one "
        "of the ends, `v@first`, `v@last`; in the plate it may also look at a neighbour, `v@previous` or `v@next`. "
        "There is no default: a sum grows with the number of elements and a mean hides it.",
    ),
    "GS023": Code(
        "An order that the plate does not have",
        "Without `ordered: true` the elements of a plate are exchangeable in the generative graph, which therefore "
        "cannot look at neighbours or ends. Recognition may, in any plate.",
    ),
    "GS024": Code(
        "A circle that is no walk",
        "Elements may depend on their neighbours in a circle that runs along the plate, all by `@previous` or all by "
        "`@next`, among variables of one plate. A circle that looks both ways, or at all elements at once, has no "
        "element to begin with.",
    ),
    "GS025": Code(
        "A sum that is not exact, or too large",
        "`c: exact` in recognition means that c has no q: it is summed out of p, so that its posterior is p's own. It "
        "takes finitely many values, and nothing in recognition reads it but latents of its own element, which are "
        "drawn for each of its values. In p it is read in its own element, inside it, and as `c@previous` in the next "
        "one; then the sum runs along the plate as in a hidden Markov model:\n\n"
        "    generative:  {c: {parents: [c@previous]}, x: {parents: [c]}}\n"
        "    recognition: {c: exact}\n\n"
        "No network is computed for more than 256 joint values, and no table of the sum holds more than 65,536 numbers "
        "an element.",
    ),
    "GS026": Code(
        "A gru without its state",
        "A gated recurrent unit walks along a plate. It is the function of a deterministic variable, which is its "
        "state: exactly one parent is the variable's own neighbour, all others are inputs.\n\n"
        "    h: {parents: [h@previous, x], network: {kind: gru, hidden: 64}}\n\n"
        "Its size is `hidden`; a declared size must agree. The first state is zero. What is read in both directions "
        "are two variables, one by `@previous` and one by `@next`.",
    ),
    "GS027": Code(
        "A certain value that is not well defined",
        "`distribution: certain` has all its mass on the value that a network without weights computes from discrete "
        "parents: a sum, a product, the parent itself. A class counts by its number. The variable is supervised or "
        "latent, its factor is the same in both graphs, and its domain holds every result, as the sum of two digits "
        "does here:\n\n"
        "    s: {role: supervised, domain: count, min: 0, max: 18}\n\n"
        "A label of it then weighs the values of its parents that agree with it, and no others.",
    ),
    "GS028": Code(
        "Elements that do not stand as the spec says",
        "Elements of a plate stand beside each other in a row (a column `[N, n, *shape]`, or `columns: [a, b, c]`), or "
        "`data.plates` says how else: `{lengths: COLUMN}` for element columns `[total, *shape]` of an .npz file with "
        "the number of elements of each row beside them; `{key: COLUMN}` for a table with a line an element, where "
        "lines of one key are a row; `{source: FILE, key: COLUMN}` for a table of their own, whose key is a column of "
        "the outer table too, unique there. In nested plates the key has a column for each level, outermost first, and "
        "`order` names the column that elements are sorted by.\n\n"
        "No row has more elements than the plate's size, and without a `count` none has fewer. Lengths add up; a key "
        "names one row; a variable of the row has one value on all its lines, or blanks.",
    ),
    "GS029": Code(
        "A parent that gives no class",
        "`{kind: linear, by: c}` has a linear map of its own for each class of `c`, which is one of the factor's "
        "parents: a single category, or the name of the plate in which the variable stands.",
    ),
}
