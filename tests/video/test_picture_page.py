"""The local page shows the newest picture, to this machine alone, until it is closed."""

from __future__ import annotations

import io
from http.client import HTTPConnection
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from skeletonagent.core.errors import ConfigError
from skeletonagent.video.picture_page import PicturePage


def connection(page: PicturePage) -> HTTPConnection:
    return HTTPConnection(page.address.removeprefix("http://").rstrip("/"), timeout=10)


def answer(page: PicturePage, path: str, **headers: str) -> tuple[int, bytes]:
    one = connection(page)
    one.request("GET", path, headers=headers)
    response = one.getresponse()
    found = response.status, response.read()
    one.close()
    return found


def picture(grey: int) -> np.ndarray:
    return np.full((48, 64, 3), grey, np.uint8)


def test_the_page_is_there_and_nothing_else() -> None:
    with PicturePage() as page:
        status, html = answer(page, "/")
        assert status == 200 and b'src="/pictures"' in html
        assert answer(page, "/etc/passwd")[0] == 404
        assert answer(page, "/", Host="evil.example:80")[0] == 403
        assert answer(page, "/pictures", Host="evil.example:80")[0] == 403
        port = int(page.address.rstrip("/").rpartition(":")[2])
        with pytest.raises(ConfigError, match="is taken"):
            PicturePage(port)


def test_pictures_follow_one_another_and_end_with_the_page() -> None:
    page = PicturePage()
    with page:
        page.show(picture(50))
        one = connection(page)
        one.request("GET", "/pictures")
        response = one.getresponse()
        assert response.getheader("Content-Type", "").startswith("multipart/x-mixed-replace")
        assert response.getheader("Cross-Origin-Resource-Policy") == "same-origin"
        for grey in (50, 200):
            if grey == 200:
                page.show(picture(grey))
            length = 0
            while line := response.readline().strip():
                if line.lower().startswith(b"content-length"):
                    length = int(line.partition(b":")[2])
            shown = np.asarray(Image.open(io.BytesIO(response.read(length))))
            assert shown.shape == (48, 64, 3) and abs(int(shown.mean()) - grey) <= 2
            assert response.read(2) == b"\r\n"
    assert response.read() == b""
    one.close()


def test_who_waits_for_a_picture_is_let_go_when_the_page_closes() -> None:
    page = PicturePage()
    found: list[tuple[bytes, int]] = []
    with page:
        waiting = Thread(target=lambda: found.append(page.after(0)))
        waiting.start()
    waiting.join(timeout=10)
    assert found == [(b"", 0)]
