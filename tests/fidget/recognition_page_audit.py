"""A page of `fidget recognize` driven as people do who use it; what is wrong comes back in words.

    python -m tests.fidget.recognition_page_audit found/*.html [-o PICTURES]

looks at pages that the real command wrote, prints what is wrong with each, and keeps pictures of them: light,
dark, and in a narrow window.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.fidget.chromium_pipe import Tab, chromium_tab

_ACTED_UPON = {
    "button",
    "checkbox",
    "combobox",
    "slider",
    "searchbox",
    "textbox",
    "link",
    "DisclosureTriangle",
}
_CONTRAST = """(() => {
  const style = getComputedStyle(document.documentElement), of = name => {
    const box = document.createElement('canvas').getContext('2d'); box.fillStyle = style.getPropertyValue('--' + name);
    box.fillRect(0, 0, 1, 1); const raw = [...box.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255);
    const [r, g, b] = raw.map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ratio = (a, b) => { const [x, y] = [of(a), of(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const text = [['ink', 'back'], ['ink', 'card'], ['ink', 'track'], ['soft', 'back'], ['soft', 'card'], ['warn-ink', 'warn'], ['calm-ink', 'calm']];
  for (let n = 0; n < 8; n++) text.push(['card', 'k' + n]);  // names on the bars
  return text.map(([a, b]) => [a, b, ratio(a, b)]).filter(one => one[2] < 4.5).map(([a, b, r]) => `${a} on ${b}: contrast ${r.toFixed(2)}`);
})()"""  # noqa: E501


def faults(tab: Tab, page: Path) -> list[str]:
    """Drive a page that has a segment at least; returns what is wrong, in words.

    Args:
        tab: a Chromium.
        page: made by `write_recognition_page`.
    """
    found: list[str] = []

    def see(true: object, words: str) -> None:
        if not true:
            found.append(words)

    tab.said.clear()
    tab.asked.clear()
    tab.refused.clear()
    tab.size(1400, 1000)
    tab.open(page)
    linked = bool(tab.run("Boolean(data.media)"))
    if linked:
        tab.until("video.readyState >= 2")
        see(not tab.run("byId('stage-note').textContent"), "the video cannot be played")
    see(_plays(tab), "play does not go on, or the playhead stays")
    see(_clicks(tab, linked), "a click on the timeline does not seek")
    found += _keys(tab, linked)
    see(_zooms(tab), "the timeline does not zoom and move")
    see(_curves(tab), "a curve does not come and go with its box")
    found += _spoken(tab)
    found += _focused(tab, page)
    for scheme in ("light", "dark"):
        tab.open(page, scheme, "reduce")
        found += [f"{scheme}: {one}" for one in tab.run(_CONTRAST)]
        see(not tab.run("document.getAnimations().length"), "something moves where motion is not wanted")
    tab.size(400, 900)
    tab.open(page)
    over = tab.run("document.documentElement.scrollWidth - innerWidth")
    see(over <= 0, f"a window of 400 pixels is {over} too narrow")
    see(tab.run("document.querySelector('#rows th').clientWidth > 100"), "words of the table are squeezed")
    found += [f"asked for {one}" for one in tab.asked if not one.startswith("file:")]
    found += [f"the browser says {one[:300]}" for one in (*tab.said, *tab.refused)]
    return found


def _plays(tab: Tab) -> bool:
    tab.run("COMMANDS.first(); 0")
    before = tab.run("byId('playhead').style.transform")
    tab.press(" ")
    tab.until("player.playing && player.time > bounds.from + 0.3")
    told = tab.run("byId('play').textContent") == "pause"
    tab.press(" ")
    tab.until("!player.playing")
    return told and bool(tab.run("byId('playhead').style.transform") != before)


def _clicks(tab: Tab, linked: bool) -> bool:
    share = 0.7
    x, y, wanted = tab.run(
        f"(() => {{ byId('plot').scrollIntoView(); const b = byId('curves').getBoundingClientRect(); "
        f"const t = view.from + {share} * spanOf(); return [b.left + x(t), b.top + 5, t]; }})()"
    )
    tab.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
    tab.mouse("mouseReleased", x, y, button="left", clickCount=1)
    if linked:
        tab.until("!video.seeking")
    return abs(tab.run("player.time") - wanted) < 0.06 * tab.run("spanOf()")


def _keys(tab: Tab, linked: bool) -> list[str]:
    wrong = []
    settled = "!video.seeking" if linked else "true"
    length = tab.run("bounds.to - bounds.from")
    steps = (
        ("Home", 0.0), ("ArrowRight", min(1.0, length)), (".", min(1.04, length)),
        (",", min(1.04, length) - 0.04), ("ArrowLeft", max(min(1.04, length) - 1.04, 0)), ("End", length),
    )  # fmt: skip
    for key, wanted in steps:
        tab.press(key)
        tab.until(settled)
        if abs((at := tab.run("player.time - bounds.from")) - wanted) > 0.05:
            wrong.append(f"{key} leads to {at:.2f} s, not {wanted:.2f}")
    tab.press("Home", "ArrowDown")
    if tab.run("chosen") != 0:
        wrong.append("down from the beginning does not choose the first segment")
    if "Segment 1 of" not in tab.run("byId('live').textContent"):
        wrong.append("the chosen segment is not told to screen readers")
    tab.press("Enter")
    tab.until(settled)
    if abs(tab.run("player.time - all.start[0]")) > 0.05:
        wrong.append("enter does not go to the chosen segment")
    if not tab.run("byId('live').textContent.includes(byId('now').textContent)"):
        wrong.append("what is seen is not told to screen readers")
    if tab.run("document.querySelectorAll('tr[aria-current]').length") != 1:
        wrong.append("the chosen segment is not marked in the table")
    tab.press("?")
    if not tab.run("byId('help').open"):
        wrong.append("? does not open the help")
    tab.press("Escape")
    return wrong


def _zooms(tab: Tab) -> bool:
    whole = tab.run("spanOf()")
    tab.press("+", "+")
    near = tab.run("spanOf()")
    from_s = tab.run("view.from")
    tab.run("COMMANDS.panRight(); 0")
    moved = tab.run("view.from") != from_s
    tab.press("0")
    return near < whole and moved and tab.run("spanOf()") == whole


def _curves(tab: Tab) -> bool:
    inked = "(() => { const c = byId('curves'); return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].join('').length })()"  # noqa: E501
    many, before = tab.run("marked.length"), tab.run(inked)
    tab.run("byId('actions').querySelector('input').click(); 0")
    fewer, without = tab.run("marked.length"), tab.run(inked)
    tab.run("byId('actions').querySelector('input').click(); 0")
    return bool(fewer == many - 1 and without != before and tab.run("marked.length") == many)


def _spoken(tab: Tab) -> list[str]:
    """Controls without a name, as screen readers have them."""
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    wrong, roles = [], set()
    for node in nodes:
        role = node.get("role", {}).get("value", "")
        roles.add(role)
        if node.get("ignored") or role not in _ACTED_UPON | {"img", "image", "region", "group", "table"}:
            continue
        name = node.get("name", {}).get("value", "").strip()
        if not name and role not in ("group", "table"):
            wrong.append(f"a {role} without a name")
    wrong += [
        f"no {role} for screen readers"
        for role in ("main", "table", "status", "heading")
        if role not in roles
    ]
    return wrong


def _focused(tab: Tab, page: Path) -> list[str]:
    """Tab through the page: the order of what is seen, each with an outline."""
    tab.open(page)
    tab.run("globalThis.reached = new Set(); 0")
    script = """(() => { const e = document.activeElement, b = e.getBoundingClientRect(), s = getComputedStyle(e);
      const again = e === document.body || reached.has(e); reached.add(e);
      return [e.id || e.textContent.slice(0, 20) || e.tagName, b.width > 0 && b.height > 0 && b.bottom > 0 && b.top < innerHeight,
        s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, again]; })()"""  # noqa: E501
    wrong, names = [], []
    for _ in range(60):
        tab.press("Tab")
        name, shown, outlined, left = tab.run(script)
        if left:
            break
        names.append(name)
        if not shown:
            wrong.append(f"{name} has the focus and is not seen")
        if not outlined:
            wrong.append(f"{name} has the focus and no outline")
    order = [name for name in ("play", "seek", "lanes", "search") if name in names]
    if order != ["play", "seek", "lanes", "search"] or order != sorted(order, key=names.index):
        wrong.append(f"the focus goes {names}")
    return wrong


def pictures(tab: Tab, page: Path, directory: Path) -> None:
    """Light, dark and narrow, with the first segment chosen."""
    for scheme, width, height in (("light", 1400, 1000), ("dark", 1400, 1000), ("light", 400, 2400)):
        tab.size(width, height)
        tab.open(page, scheme)
        tab.until("!data.media || video.readyState >= 2")
        tab.press("ArrowDown", "Enter")
        time.sleep(0.5)
        tab.picture(directory / f"{page.stem}-{scheme}-{width}.png")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Drive pages of fidget recognize and say what is wrong.")
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="directory of pictures")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, chromium_tab(Path(scratch)) as tab:
        for page in args.pages:
            wrong = faults(tab, page.resolve())
            print(f"{page.name}: {'all is well' if not wrong else '; '.join(wrong)}", flush=True)
            if args.output is not None:
                args.output.mkdir(parents=True, exist_ok=True)
                pictures(tab, page.resolve(), args.output)


if __name__ == "__main__":
    main()
