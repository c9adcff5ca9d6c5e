"""Commands and code are extracted from documents, and made small."""

from __future__ import annotations

import pytest
from tests.documents.reading import Code, Line, commands, steps
from tests.documents.small import small


def test_commands_are_found_wherever_they_stand() -> None:
    text = """
Type `skeletonagent data check a` or, over two lines, `skeletonagent train x --out
runs/x`; `skeletonagent.core` is none, nor is `skeletonagent-x`.

    skeletonagent config show sbu > mine.yaml
    $ skeletonagent runs list  # all of them
    skeletonagent report RUN [RUN ...] --out FILE

```
skeletonagent evaluate runs/x \\
  --json
```

```sh
torchrun --nproc-per-node 8 -m skeletonagent train sbu
srun skeletonagent train jhmdb
```
"""
    assert sorted(commands(text)) == [
        ["config", "show", "sbu"], ["data", "check", "a"], ["evaluate", "runs/x", "--json"],
        ["runs", "list"], ["train", "jhmdb"], ["train", "sbu"], ["train", "x", "--out", "runs/x"],
    ]  # fmt: skip


def test_steps_are_found_in_their_order() -> None:
    text = """
    skeletonagent data list

```python
a = 1
```

Not `skeletonagent data check x`.

```sh
export KEY=...
skeletonagent config show \\
  > it.yaml
```

```bash
srun skeletonagent train
```

    $ .venv/bin/skeletonagent runs list runs  # all
"""
    assert list(steps(text)) == [
        Line(("skeletonagent", "data", "list")),
        Code("a = 1\n"),
        Line(("export", "KEY=...")),
        Line(("skeletonagent", "config", "show"), into="it.yaml"),
        Line(("skeletonagent", "runs", "list", "runs")),
    ]


@pytest.mark.parametrize(
    ("long", "expected", "gone"),
    [
        ("train sbu --chat openai:gpt-4o --seeds 3", "--chat analyst --seeds 2", "openai:gpt-4o"),
        ("train sbu --set agents.chat=openai:gpt-4o", "agents.chat=analyst", "openai:gpt-4o"),
        ("train sbu --chat recorded:runs/a", "recorded:runs/a", "analyst"),
        ("train sbu --set agents.chat=none", "agents.chat=none", "analyst"),
        ("train ntu60-xsub --devices cuda:0,cuda:1", "training.epochs=1", "cuda:0,cuda:1"),
        ("report runs/a --clips 20", "--clips 2", "20"),
        ("config show sbu", "config show sbu", "--set"),
    ],
)
def test_small_commands_do_the_same_with_less(long: str, expected: str, gone: str) -> None:
    made = small(long.split())
    assert set(expected.split()) <= set(made) and gone not in made
