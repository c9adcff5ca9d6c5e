from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

SERVER = Path(__file__).with_name("server.py")
ASKED = {"model": "m", "messages": [{"role": "user", "content": "Describe it."}]}


def test_it_runs_as_a_program_and_keeps_no_key() -> None:
    command = [sys.executable, str(SERVER), "--port", "0", "--latency", "0.01", "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
            request = Request(
                f"{url}/chat/completions",
                json.dumps(ASKED).encode(),
                {"Authorization": "Bearer sk-planted", "Content-Type": "application/json"},
            )
            with urlopen(request) as answer:
                message = json.load(answer)["choices"][0]["message"]
            with urlopen(f"{url}/stats") as answer:
                stats = answer.read().decode()
        finally:
            process.terminate()
    assert message["content"].startswith("One hand")
    assert json.loads(stats) == {"requests": 1, "faults": {"answered": 1}}
