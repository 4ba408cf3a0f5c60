"""The surface that the reader turns: one page, small, from no network, drawn where a browser is."""

import base64
import json
import re
from html import unescape

import numpy as np
import pytest
from naturalistic.anatomy.surface import SIDES, meshes
from naturalistic.plotting.interactive import NONE, UNIT, surface_page
from naturalistic.plotting.style import LEVEL_COLORS

from tests.helpers.browser import CHROMIUM, opened

TITLE = 'Simulated data (layout of ds005531): <which> "level"?'


def simulated_maps():
    rng = np.random.default_rng(0)
    maps = {name: {side: rng.uniform(-0.1, 0.4, 10242) for side in SIDES} for name in LEVEL_COLORS}
    for by_side in maps.values():
        by_side["left"][:100] = np.nan
    best = {side: np.argmax([m[side] for m in maps.values()], axis=0).astype(float) for side in SIDES}
    best["left"][:100] = np.nan
    return maps, best


@pytest.fixture(scope="module")
def page():
    maps, best = simulated_maps()
    return surface_page(maps, TITLE, "r", best=best, vmax=0.4)


def data_of(page):
    return json.loads(re.search(r"const data = (.*);\n", page.html)[1])


def decoded(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def test_the_page_holds_the_mesh_and_the_maps(page):
    data, (maps, best) = data_of(page), simulated_maps()
    assert [m["name"] for m in data["maps"]] == ["best of all", *maps]
    for k, (side, mesh) in enumerate(zip(SIDES, meshes("inflated"))):
        places = decoded(data["coordinates"][k], "<i2").reshape(-1, 3) / UNIT
        assert np.abs(places - mesh.coordinates).max() <= 0.5 / UNIT + 1e-4
        assert np.array_equal(decoded(data["faces"], "<u2").reshape(-1, 3), mesh.faces)
        index = decoded(data["maps"][0]["values"][k], np.uint8)
        assert np.array_equal(index == NONE, np.isnan(best[side]))
        assert np.array_equal(index[index < NONE], best[side][index < NONE])
        for m, by_side in zip(data["maps"][1:], maps.values()):
            steps = decoded(m["values"][k], np.uint8)
            assert np.array_equal(steps == NONE, np.isnan(by_side[side]))
            shown = 0.4 * steps[steps < NONE] / (NONE - 1)
            assert np.abs(shown - np.clip(by_side[side][steps < NONE], 0, 0.4)).max() < 0.4 / NONE
    assert data["maps"][0]["colors"] == [[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in LEVEL_COLORS.values()]
    assert len(data["palette"]) == NONE


def test_the_page_says_that_it_is_simulated_is_small_and_loads_nothing(page):
    frame = page._repr_html_()
    assert len(frame) < 0.8e6
    assert frame.startswith("<iframe title=") and frame.endswith("</iframe>") and frame.count("<") == 2
    assert unescape(re.search(r'srcdoc="([^"]*)"', frame)[1]) == page.html
    assert page.html.count("Simulated data (layout of ds005531): &lt;which&gt;") == 3
    assert "//" not in re.sub(r"const data = .*;\n", "", page.html).replace("// ", "")  # no address of any kind
    assert "@" not in re.sub(r"const data = .*;\n", "", page.html)
    assert page.html.count("</script>") == 1


def test_a_name_cannot_end_the_script():
    maps, _ = simulated_maps()
    page = surface_page({"</script><b>": maps["Story"]}, "made", "r")
    assert page.html.count("</script>") == 1 and data_of(page)["maps"][0]["name"] == "</script><b>"


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"maps": {}}, "maps is empty"),
        ({"maps": {"a": {"left": np.ones(5), "right": np.ones(10242)}}}, r"maps\['a'\] has shapes .*use surface"),
        ({"maps": {"a": {"left": np.ones(10242)}}}, r"maps\['a'\] has shapes"),
        ({"maps": {"a": dict.fromkeys(SIDES, np.full(10242, np.nan))}}, "maps has no finite value"),
        ({"vmin": 1.0, "vmax": 1.0}, "vmin is 1 and vmax 1, expected vmax above vmin"),
        ({"best": dict.fromkeys(SIDES, np.full(10242, 5.0))}, "best holds values from 5 to 5, expected 0 to 4"),
        ({"best": dict.fromkeys(SIDES, np.full(10242, 0.5))}, "best holds values from 0.5 to 0.5"),
    ],
)
def test_bad_maps(changed, message):
    with pytest.raises(ValueError, match=message):
        surface_page(**({"maps": simulated_maps()[0], "title": "made", "label": "r"} | changed))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_browser_draws_it_without_an_error(page, theme, tmp_path):
    around = f'<!DOCTYPE html><html data-theme="{theme}"><meta charset="utf-8"><body><div>{{}}</div></body></html>'
    report = (
        "<pre id='report'></pre><script>addEventListener('load', () => setTimeout(() => {"
        "const inside = document.querySelector('iframe').contentDocument, brain = inside.getElementById('brain');"
        "const shown = inside.documentElement.dataset, own = inside.defaultView;"
        "own.draw(); const first = +shown.drawn;"
        "let frame; own.requestAnimationFrame = draw => { frame = draw; };"  # this browser's clock waits for no frame
        "brain.onpointermove({ offsetX: brain.clientWidth / 4, offsetY: 160 });"
        "const choose = (id, v) => { let e = inside.getElementById(id); e.value = v; e.onchange({ target: e }); };"
        "const said = inside.getElementById('said').textContent;"
        "const then = [['map', '3'], ['side', 'right'], ['view', 'inside']].map(([id, value]) => {"
        "delete shown.drawn; frame = null; choose(id, value); frame?.(); return +shown.drawn; });"
        "document.getElementById('report').textContent = JSON.stringify({ said, first, then, "
        "paper: own.getComputedStyle(inside.body).backgroundColor, "
        "legend: inside.getElementById('legend').textContent, title: inside.querySelector('h1').textContent });"
        "}, 1000));</script>"
    )
    path = tmp_path / "page.html"
    path.write_text(around.format(page._repr_html_() + report), encoding="utf-8")
    document, log = opened(path.as_uri(), tmp_path, "--window-size=800,700", "--virtual-time-budget=6000")
    assert [line for line in log.splitlines() if "CONSOLE" in line] == []
    found = json.loads(unescape(re.search(r"<pre id=\"report\">(.*?)</pre>", document)[1]))
    assert found["title"] == TITLE and found["first"] > 50_000 and len(found["then"]) == 3
    assert all(n is not None and n > 50_000 for n in found["then"])
    assert re.match(r"left: best of all: \w+, Speech -?\d\.\d\d", found["said"])
    assert found["legend"].startswith("0") and "0.4" in found["legend"] and found["legend"].endswith("r")
    assert found["paper"] == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 30)"}[theme]
