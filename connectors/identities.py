"""Columns of client ids, as tools write them, in the one form that all share."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connectors import nit
from connectors.columns import text
from connectors.distinct import Distinct

FORMS: dict[str, nit.Form] = {"nit": "nit", "nit_dv": "nit_dv", "other": "other"}


def typed(ids: pa.ChunkedArray, types: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The ids with the form that each row says it has, for `canonical`; and where what it says is no form."""
    forms = pc.utf8_lower(text(types))
    unknown = pc.invert(pc.is_in(forms, value_set=pa.array(["", *FORMS])))
    return pc.binary_join_element_wise(forms, ids, "\0"), unknown


def canonical(written: pa.ChunkedArray, form: nit.Form | None) -> tuple[pa.ChunkedArray, dict[str, int]]:
    """The ids in the one form, and those whose check digit is wrong, as written, with their number of rows.

    form: of those that do not come with one (`typed`).
    """
    found = Distinct(written)
    wrong: dict[int, str] = {}
    identities: list[str] = []
    for n, one in enumerate(found.texts):
        *kind, number = one.split("\0", 1)
        identity, right = nit.canonical(number, FORMS.get(kind[0], form) if kind else form) if number else ("", True)
        identities.append(identity)
        if not right:
            wrong[n] = number
    return found.replaced(identities), found.counted(wrong)
