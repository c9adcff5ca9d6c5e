"""Modules joined to one script do what they do apart; what cannot be joined is refused."""

from __future__ import annotations

import pytest

from skeletonagent.core.errors import DataError
from skeletonagent.page.joined_modules import join_modules

from .conftest import Engine

MODULES = {
    "start.js": """// Entry
import { three as four, Square } from "./inside/numbers.js";
import * as whole from "outside";
globalThis.answer = [four(), new Square(4).area(), whole.default, whole.name];
""",
    "inside/numbers.js": """import {
  one,
} from "../one.js";
/** A comment that says import { x } from "./nowhere.js"; */
export function three() { return one + 2; }
export class Square {
  constructor(side) { this.side = side; }
  area() { return this.side ** 2; }
}
export const unused = async () => import("./never.js");
""",
    "one.js": "export const one = 1;\nexport async function later() { await null; }\n",
    "outside": 'var a=5,b="b";export{a as default,b as name};\n//# sourceMappingURL=x.map\n',
}


def test_joined_modules_do_what_they_do_apart(engine: Engine) -> None:
    script = join_modules(MODULES, "start.js")
    assert script == join_modules(dict(reversed(MODULES.items())), "start.js")
    assert engine("(0, eval)(joined); return globalThis.answer;", joined=script) == [3, 16, 5, "b"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('import { x } from "./b.js";', "has no module b.js"),
        ('import { x } from "./a.js";', "import each other: a.js > a.js"),
        ('import x from "./b.js";', "cannot be joined: import x"),
        ("export let x = 1;", "cannot be joined: export let"),
        ("export default 3;", "cannot be joined: export default"),
        ("await Promise.resolve();", "cannot be joined: await"),
        ('const x = "</script>";', "would end its script"),
    ],
)
def test_what_cannot_be_joined_is_refused(text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        join_modules({"a.js": text}, "a.js")
