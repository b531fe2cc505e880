"""What is wrong with a file before it is a spec: GS001-009 file and YAML, GS010-029 fields and values."""

from graphspec.codes.entry import Code

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
        "once, not contain itself, and all aliases together may not expand to more than 100 000 values.",
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
        "A spec may have 1 MiB, 64 levels of nesting, 100 000 values and whole numbers of 64 bits. Lists of rows "
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
        "`auto`, `default` and `exact` have a meaning of their own; `default` may name a network. The spec's own "
        "`name` is that of a folder (runs/NAME): any short text that is no path.",
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
}
