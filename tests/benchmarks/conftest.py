"""The benchmarks are scripts, not a package: their folder is made importable, as for a script."""

from __future__ import annotations

import sys
from pathlib import Path

from jaxtyping import install_import_hook

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
install_import_hook(
    [
        "agreement",
        "generated",
        "literal",
        "literal_step",
        "measuring",
        "parts",
        "program",
        "stand_in",
    ],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)
