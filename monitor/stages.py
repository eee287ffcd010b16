"""[[step]] of the configuration: which products' cases are only shown, wait for approval, or are opened by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ValidationError

from alerts.stages import Stage, Staged, Stages
from monitor.blocks import Block
from monitor.faults import Fault, explained
from monitor.promises import Words


def _some(segments: list[Any]) -> list[Any]:
    if not segments:
        raise ValueError("must name something; without the key, it is of all")
    return segments


class StepBlock(Block):
    """[[step]]: of these products and segments (none named: of all)."""

    step: Literal["observe", "approve", "automatic"]
    products: Words | None = None
    segments: Annotated[list[Literal["corporativo", "empresarial", "pyme"]], AfterValidator(_some)] | None = None


def read_stages(tables: Mapping[str, Any], file: str, faults: list[Fault]) -> Stages:
    """What the configuration says of steps; what is wrong with it goes to `faults`."""
    given = tables.get("step", [])
    if not isinstance(given, list):
        faults.append(Fault(file, "step", "must be a list of tables: write [[step]]"))
        return Stages()
    found: list[tuple[int, Staged]] = []
    for i, written in enumerate(given):
        try:
            block = StepBlock.model_validate(written)
        except ValidationError as error:
            faults += explained(error, file, f"step[{i}]", sorted(StepBlock.model_fields))
            continue
        staged = Staged(Stage(block.step), frozenset(block.products or ()), frozenset(block.segments or ()))
        faults += [
            Fault(file, f"step[{i}]", f"is of cases that step[{j}] is of too, and names as much: which one holds?")
            for j, other in found
            if other.rank == staged.rank and other.meets(staged)
        ]
        found.append((i, staged))
    return Stages(tuple(staged for _, staged in found))
