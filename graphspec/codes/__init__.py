"""The catalogue of diagnostics: what each code means, why it is asked, and how to mend it.

`graphspec explain GS012` prints an entry. Ranges: GS001-009 file and YAML; GS010-019 fields and values; GS020-029
plates; GS030-049 variables and graphs; GS050-059 families and parameters; GS060-069 networks and shapes; GS070-079
objective and training; GS080-089 data; GS090 not yet; GS091-095 include; GS096
refused; GS100-119 warnings. A code once published keeps its meaning.
"""

from graphspec.codes import graph_codes, include_codes, plate_codes, reading_codes, running_codes, warning_codes
from graphspec.codes.entry import Code

CODES: dict[str, Code] = (
    reading_codes.CODES
    | plate_codes.CODES
    | graph_codes.CODES
    | running_codes.CODES
    | include_codes.CODES
    | warning_codes.CODES
)
"""Every code, in rising order."""

__all__ = ["CODES", "Code"]
