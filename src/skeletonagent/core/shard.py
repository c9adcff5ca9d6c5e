"""Share of numbered parts that one of several processes makes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from skeletonagent.core.errors import ConfigError


@dataclass(frozen=True)
class Shard:
    """Share of the parts that one process makes.

    Args:
        index: Number of the share, from 1.
        count: Number of shares.
    """

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ConfigError(f"--shard takes I/N with I from 1 to N, got {self}")

    def __str__(self) -> str:
        """Return it as the option takes it."""
        return f"{self.index}/{self.count}"

    def parts(self, count: int) -> range:
        """Return the numbers of its parts, of so many in all."""
        return range(self.index - 1, count, self.count)

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] = os.environ) -> Shard:
        """Return the share that an option names.

        Args:
            text: ``I/N``, or ``auto`` for that of a task of a SLURM array.
            environment: Variables in which the array is described.

        Raises:
            ConfigError: If it is neither, or there is no array, or one with gaps.
        """
        if text == "auto":
            return cls._of_array(environment)
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if match is None:
            raise ConfigError(f"--shard takes I/N such as 1/4, or auto, got {text!r}")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def _of_array(cls, environment: Mapping[str, str]) -> Shard:
        names = [f"SLURM_ARRAY_TASK_{name}" for name in ("ID", "MIN", "MAX", "COUNT")]
        try:
            number, first, last, count = (int(environment[name]) for name in names)
            step = int(environment.get("SLURM_ARRAY_TASK_STEP", "1"))
        except (KeyError, ValueError) as error:
            raise ConfigError(
                f"--shard auto is for tasks of a SLURM array, which have {', '.join(names)}; "
                "elsewhere, say --shard I/N"
            ) from error
        if step < 1 or (last - first) // step + 1 != count:
            raise ConfigError(
                f"the {count} tasks of the array are not {first}, {first + step} to {last}; submit "
                "an array without gaps, such as --array=1-8"
            )
        return cls((number - first) // step + 1, count)
