"""Report of encoding models as one HTML page that loads nothing: maps, tables, every choice, every note."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from naturalistic.encoding.experiment import BEYOND, SubjectEncoding
from naturalistic.plotting import accuracy_histogram, flat_maps, lag_curve, set_style
from naturalistic.reporting.experiment_maps import by_hemisphere, on_fsaverage5, why_no_figure

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .2rem .8rem; border-bottom: 1px solid #ddd;
text-align: left; vertical-align: top; } img { max-width: 100%; } .mark { background: #fff3cd; padding: .5rem 1rem; }
.note { color: #8a4b00; }
"""
_READ = (
    "r is the correlation of measured and predicted BOLD in runs or blocks that no model was fitted on. "
    f"“{BEYOND}” is what the main space predicts of that which the controls cannot explain: the number to look at "
    "first. A voxel is significant if its r exceeds those of shifted predictions, after the false discovery rate over "
    "all voxels of the subject. The table counts such voxels; means are over all voxels."
)


def write_page(
    path: Path,
    experiment: Any,
    encodings: Mapping[str, SubjectEncoding],
    preparation: Mapping[str, str],
    notes: Sequence[str],
) -> None:
    """Write the report.

    Parameters
    ----------
    path : Path
    experiment : experiment with a ``name`` and ``title``
    encodings : dict of str to SubjectEncoding
    preparation : dict of str to str
        How BOLD was prepared.
    notes : list of str
    """
    title = f"Encoding models of {experiment.name}"
    summary = pd.concat([one.summary() for one in encodings.values()], ignore_index=True)
    parts = [f"<h1>{escape(title)}</h1>"]
    if getattr(experiment, "is_simulated", False):
        parts.append('<p class="mark">Simulated data: no brain was measured.</p>')
    parts.append(f"<pre>{escape(str(experiment))}</pre>")
    parts += [f"<p>{escape(_READ)}</p>", "<h2>Scores</h2>", _table(summary.round(4))]
    if notes:
        parts.append("<h2>Notes</h2>" + "".join(f'<p class="note">{escape(note)}</p>' for note in notes))
    for label, one in encodings.items():
        parts.append(f"<h2>Subject {escape(label)}</h2>")
        parts += [f'<p class="note">{escape(note)}</p>' for note in one.notes]
        for figure, text in figures(one, experiment):
            parts.append(f"<figure>{_picture(figure, text)}<figcaption>{escape(text)}</figcaption></figure>")
        if reason := why_no_figure(one.subject):
            parts.append(f'<p class="note">{escape(reason)}</p>')
        if one.subject.surface is not None:
            parts += ["<h3>By hemisphere</h3>", _table(by_hemisphere(one).round(4))]
        rows = pd.DataFrame(
            {"choice": [*preparation, *one.choices], "value": [*preparation.values(), *one.choices.values()]}
        )
        parts += ["<h3>Choices</h3>", _table(rows)]
    page = "".join(parts)
    head = f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    path.write_text(f"{head}<style>{_STYLE}</style></head><body>{page}</body></html>", encoding="utf-8")


def figures(one: SubjectEncoding, experiment: Any) -> list[tuple[Figure, str]]:
    """Return the figures of a subject and what they show.

    Parameters
    ----------
    one : SubjectEncoding
    experiment : experiment with ``title``
    """
    made = []
    maps = {}
    for name in (one.main, BEYOND):
        if name in one.scores:
            score = one.scores[name]
            maps[name] = on_fsaverage5(one.subject, np.where(score.significant, score.r, np.nan))
    set_style()
    n_drawn = sum(np.isfinite(x).sum() for by_side in maps.values() if by_side for x in by_side.values())
    if n_drawn:
        title = experiment.title(f"subject {one.subject.label}, significant voxels")
        text = f"Accuracy of {' and '.join(maps)} where it is significant, on flat maps of fsaverage5."
        made.append((flat_maps(maps, title, "accuracy (r)"), text))
    title = experiment.title(f"subject {one.subject.label}, all models")
    made.append((accuracy_histogram(one.scores, title), "Accuracy of each model over all voxels; lines mark the mean."))
    if one.lag is not None:
        text = (
            f"Clock: the fast feature and BOLD go together best at {one.lag.peak:g} s; gray is where a response peaks."
        )
        made.append((lag_curve(one.lag, experiment.title(f"subject {one.subject.label}, the clock")), text))
    return made


def _picture(figure: Figure, text: str) -> str:
    """Return a figure as an image inside of the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{encoded}">'


def _table(frame: pd.DataFrame) -> str:
    return frame.to_html(index=False, border=0, escape=True, na_rep="n/a")
