"""Merging of the parts of predictions into one file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeletonagent.cluster.folder import PredictionFolder
from skeletonagent.cluster.rows import RowsFile, arrow, rows_schema
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.files import write_atomically

_MOST_LISTED = 5


@dataclass(frozen=True)
class MergedPredictions:
    """One file of all predictions of a job.

    Args:
        path: The file.
        rows: Number of its rows.
        recordings: Number of samples and recordings.
        problems: Number of samples and files that could not be read.
        labels: Number of rows of each label.
        remarks: What is to be said about the predictions.
    """

    path: Path
    rows: int
    recordings: int
    problems: int
    labels: dict[str, int]
    remarks: tuple[str, ...]


def merge_predictions(folders: Sequence[Path], out: Path) -> MergedPredictions:
    """Write the rows of all parts into one Parquet file, in the order of the source.

    The file does not depend on how many processes predicted the parts, nor on which did.

    Args:
        folders: Folders of the parts; several, if the processes shared none.
        out: File to write.

    Raises:
        ConfigError: If the file exists, or pyarrow is missing.
        DataError: If a part is missing or damaged, or the folders hold different predictions.
    """
    if os.path.lexists(out):
        raise ConfigError(f"{out} exists already; choose another name")
    files = _files_of_parts([PredictionFolder(path) for path in folders])
    opened = [RowsFile.open(file) for file in files]
    properties = PredictionFolder(folders[0]).properties()
    for file in opened:
        if file.properties != properties:
            raise DataError("is of other predictions", path=file.path)
    remarks = tuple(dict.fromkeys(word for file in opened for word in file.remarks))
    counts = _Counts()
    schema = rows_schema(properties, remarks)
    writer = arrow().parquet.ParquetWriter
    with write_atomically(out) as target, writer(target, schema, compression="zstd") as merged:
        for file in opened:
            table = file.table()
            counts.add(table)
            merged.write_table(table.replace_schema_metadata(schema.metadata))
    return MergedPredictions(
        out, counts.rows, counts.recordings, counts.problems, dict(counts.labels), remarks
    )


class _Counts:
    """Counts over tables that come one after another."""

    def __init__(self) -> None:
        self.rows = self.recordings = self.problems = 0
        self.labels: Counter[str] = Counter()

    def add(self, table: Any) -> None:
        """Count the rows of a table; no recording is in two of them."""
        self.rows += table.num_rows
        self.recordings += table.group_by(["position", "recording"]).aggregate([]).num_rows
        self.problems += table.num_rows - table["problem"].null_count
        for item in table["label"].value_counts().to_pylist():
            if item["values"] is not None:
                self.labels[item["values"]] += item["counts"]


def _files_of_parts(folders: Sequence[PredictionFolder]) -> list[Path]:
    """Return the file of each part, in order.

    Raises:
        DataError: If folders hold different predictions, or a part is in none or in two of them.
    """
    properties = folders[0].properties()
    for folder in folders[1:]:
        if folder.properties() != properties:
            raise DataError(f"holds other predictions than {folders[0].path}", path=folder.path)
    files: list[Path] = []
    missing: list[int] = []
    for number in range(int(properties["parts"])):
        found = [folder.part(number) for folder in folders if folder.part(number).is_file()]
        if len(found) > 1:
            raise DataError(f"is in {found[1].parent} as well; name each folder once",
                            path=found[0])  # fmt: skip
        files += found
        missing += [] if found else [number]
    if missing:
        shown = ", ".join(map(str, missing[:_MOST_LISTED]))
        more = len(missing) - _MOST_LISTED
        raise DataError(
            f"lacks {len(missing)} of {properties['parts']} parts ({shown}"
            f"{f' and {more} more' if more > 0 else ''}); repeat the command that predicts them "
            "with --resume",
            path=folders[0].path,
        )
    return files
