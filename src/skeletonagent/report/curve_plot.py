"""Learning curve as a picture and as a page: accuracy by the number of training clips."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from skeletonagent.experiments.learning_curve import RECOGNIZER, CurvePoint, LearningCurve
from skeletonagent.experiments.tables import format_estimate

_COLOURS = ("#3949ab", "#e65100", "#00796b", "#9e9e9e")
"""Colours of the methods, in their order."""

_WIDTH, _HEIGHT = 720, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 54, 56
_ASIDE = 7
"""Distance of two methods at the same number of clips, in pixels."""
_STEPS = 60
"""Straight pieces of the drawn power law."""


def curve_svg(curve: LearningCurve) -> str:
    """Return a learning curve as SVG.

    The number of clips is on a logarithmic axis. Each draw is a small dot, each mean a large one
    with its interval; the power law is a thin line, dashed where it is extrapolated.
    """
    scale = _Scale(curve)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="system-ui, sans-serif" '
        'font-size="12" role="img" '
        f'aria-label="Top-1 accuracy on {escape(curve.data, quote=True)} by the number of '
        'training clips of a class">'
    )
    parts = [
        opening,
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        *_axes(curve, scale),
        *_law(curve, scale),
    ]
    for number, name in enumerate(curve.methods):
        colour = _COLOURS[number % len(_COLOURS)]
        parts += _legend(name, colour, number)
        aside = _ASIDE * (number - (len(curve.methods) - 1) / 2)
        parts += _method(curve.method(name), colour, scale, aside)
    return "\n".join([*parts, "</svg>"]) + "\n"


def curve_page(curve: LearningCurve) -> str:
    """Return a page about a learning curve that needs no other file: picture, words and table."""
    environment = Environment(
        loader=PackageLoader("skeletonagent.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("curve.html.jinja").render(
        curve=curve,
        picture=Markup(curve_svg(curve)),
        sentences=curve.sentences(),
        cells={(point.method, point.size): format_estimate(point.mean) for point in curve.points},
    )


class _Scale:
    """Places of clips and accuracies in the picture."""

    def __init__(self, curve: LearningCurve) -> None:
        clips = [point.clips for point in curve.method(RECOGNIZER)]
        reach = 2 if curve.power_law else 1
        self.first, self.last = math.log(clips[0]), math.log(reach * clips[-1])
        values = [
            value
            for point in curve.points
            for value in (*point.top1, point.mean.low, point.mean.high)
            if value is not None
        ]
        if curve.power_law:
            values.append(1 - curve.power_law.error(reach * clips[-1]))
        self.low = max(0.0, math.floor(10 * min(values)) / 10)
        self.high = min(1.0, math.ceil(10 * max(values)) / 10)
        if self.high <= self.low:
            self.low, self.high = max(0.0, self.high - 0.1), max(0.1, self.high)

    def x(self, clips: float, aside: float = 0.0) -> str:
        width = _WIDTH - _LEFT - _RIGHT - 36
        span = self.last - self.first or 1.0
        return f"{_LEFT + 18 + width * (math.log(clips) - self.first) / span + aside:.1f}"

    def y(self, accuracy: float) -> str:
        kept = min(max(accuracy, self.low), self.high)
        height = _HEIGHT - _TOP - _BOTTOM
        return f"{_TOP + height * (self.high - kept) / (self.high - self.low):.1f}"


def _axes(curve: LearningCurve, scale: _Scale) -> Iterator[str]:
    step = 0.1 if scale.high - scale.low > 0.25 else 0.02
    ticks = round((scale.high - scale.low) / step)
    for number in range(ticks + 1):
        value = scale.low + number * step
        y = scale.y(value)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#e0e0e0"/>'
        yield (
            f'<text x="{_LEFT - 8}" y="{y}" dy="4" text-anchor="end" fill="#424242">'
            f"{value:.0%}</text>"
        )
    base = _HEIGHT - _BOTTOM
    places = [(point.clips, point.label) for point in curve.method(RECOGNIZER)]
    if curve.power_law:
        places.append((2 * places[-1][0], f"{2 * places[-1][0]:.3g}"))
    for clips, label in places:
        x = scale.x(clips)
        yield f'<line x1="{x}" x2="{x}" y1="{base}" y2="{base + 5}" stroke="#424242"/>'
        yield (
            f'<text x="{x}" y="{base + 19}" text-anchor="middle" fill="#424242">'
            f"{escape(label)}</text>"
        )
    yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}" stroke="#424242"/>'
    yield (
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 14}" text-anchor="middle" '
        'fill="#424242">training clips a class</text>'
    )
    yield (
        f'<text x="{_LEFT}" y="20" font-weight="600" fill="#212121">top-1 accuracy on '
        f"{escape(curve.data)}, split {escape(curve.split)}: {curve.classes} classes, "
        f"{curve.test_samples} test clips</text>"
    )


def _law(curve: LearningCurve, scale: _Scale) -> Iterator[str]:
    """Yield the power law, and its dashed continuation to twice the clips."""
    law = curve.power_law
    if law is None:
        return
    points = curve.method(RECOGNIZER)
    first, last = points[0].clips, points[-1].clips
    for begin, end, dashes in ((first, last, ""), (last, 2 * last, ' stroke-dasharray="5 4"')):
        clips = [begin * (end / begin) ** (n / _STEPS) for n in range(_STEPS + 1)]
        line = " ".join(f"{scale.x(n)},{scale.y(1 - law.error(n))}" for n in clips)
        yield (
            f'<polyline points="{line}" fill="none" stroke="{_COLOURS[0]}" stroke-width="1.5" '
            f'opacity="0.6"{dashes}/>'
        )


def _legend(name: str, colour: str, number: int) -> Iterator[str]:
    x = _LEFT + 190 * number
    yield f'<circle cx="{x + 5}" cy="38" r="5" fill="{colour}"/>'
    yield f'<text x="{x + 16}" y="42" fill="#212121">{escape(name)}</text>'


def _method(
    points: Sequence[CurvePoint], colour: str, scale: _Scale, aside: float
) -> Iterator[str]:
    for point in points:
        x, mean = scale.x(point.clips, aside), point.mean
        for value in point.top1:
            yield (
                f'<circle cx="{x}" cy="{scale.y(value)}" r="2.2" fill="{colour}" opacity="0.5"/>'
            )
        if mean.low is not None and mean.high is not None:
            yield (
                f'<line x1="{x}" x2="{x}" y1="{scale.y(mean.low)}" y2="{scale.y(mean.high)}" '
                f'stroke="{colour}" stroke-width="2.5" stroke-linecap="round" opacity="0.7"/>'
            )
        tip = f"{point.method}, {point.clips:.3g} clips a class: {mean.mean:.1%}"
        yield (
            f'<circle cx="{x}" cy="{scale.y(mean.mean)}" r="5" fill="{colour}">'
            f"<title>{escape(tip)}</title></circle>"
        )
