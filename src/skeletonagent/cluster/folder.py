"""Folder of predictions: a file that says what they are, and one for each part that is done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeletonagent.cluster.rows import ROWS_SCHEMA, RowsFile
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.outside_files import read_outside_text

PLAN_NAME = "predictions.json"
"""Name of the file that says what the predictions of a folder are."""

_MOST_PLAN = 64 << 20


@dataclass(frozen=True)
class PredictionFolder:
    """Folder that one job writes to, from one process or many.

    Args:
        path: The folder.
    """

    path: Path

    @property
    def plan(self) -> Path:
        """File that says what the predictions are."""
        return self.path / PLAN_NAME

    def part(self, number: int) -> Path:
        """Return the file of a part."""
        return self.path / f"part-{number:06d}.parquet"

    def done(self, parts: Sequence[int]) -> list[int]:
        """Return the parts, of some, that are there; a file has its name once it is complete."""
        return [number for number in parts if self.part(number).is_file()]

    def begin(self, properties: Mapping[str, Any]) -> None:
        """Write what the predictions are, unless it is there already.

        Raises:
            ConfigError: If the folder holds other predictions, or other files.
        """
        if not self.plan.exists():
            if self.path.exists() and any(p.name[0] != "." for p in self.path.iterdir()):
                # Another process may have written it just now.
                if not self.plan.exists():
                    raise ConfigError(
                        f"{self.path} holds other files; choose another --out for predictions"
                    )
            else:
                write_text(self.plan, json.dumps(dict(properties), indent=1))
        given = self.properties()
        if given != json.loads(json.dumps(dict(properties))):
            raise ConfigError(
                f"{self.path} holds predictions of another {_difference(given, properties)}; "
                "choose another --out, or repeat the command that began them"
            )

    def properties(self) -> Mapping[str, Any]:
        """Return what the predictions are.

        Raises:
            DataError: If they are none.
        """
        try:
            value = json.loads(read_outside_text(self.plan, _MOST_PLAN))
        except (ValueError, RecursionError) as error:
            raise DataError("is damaged JSON", path=self.plan) from error
        if not isinstance(value, dict) or value.get("schema") != ROWS_SCHEMA:
            raise DataError(f"does not describe predictions in the form {ROWS_SCHEMA}",
                            path=self.plan)  # fmt: skip
        return value

    def require_parts(self, parts: Sequence[int], properties: Mapping[str, Any]) -> None:
        """Check that the files of parts can be read and are of the same predictions.

        Raises:
            DataError: If one is damaged, or of others.
        """
        wanted = json.loads(json.dumps(dict(properties)))
        for number in parts:
            if RowsFile.open(self.part(number)).properties != wanted:
                raise DataError("is of other predictions; remove it", path=self.part(number))


def _difference(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return the names of what differs, in words."""
    names = [name for name in wanted if given.get(name) != wanted[name]]
    return " and ".join(names) or "form"
