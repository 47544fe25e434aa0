"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id), hint = byId("hint");
function say(text, x, y) {
  hint.textContent = text; hint.hidden = false;
  hint.style.left = Math.max(4, Math.min(x + 14, innerWidth - 350)) + "px"; hint.style.top = Math.min(y + 14, innerHeight - 80) + "px";
}
const quiet = () => { hint.hidden = true; };

// Sankey: a bar lifts its bands while it is pointed at or focused, and for good when it is pressed.
function sankeys() {
  const all = [...document.querySelectorAll("svg.sankey")], choice = byId("most");
  for (const diagram of all) {
    let pinned = null;
    const lift = bar => {
      diagram.classList.toggle("lifted", Boolean(bar));
      const { e, a } = bar ? bar.dataset : {};
      for (const band of diagram.querySelectorAll(".ribbon"))
        band.classList.toggle("on", Boolean(bar) && (e !== undefined ? band.dataset.e === e : band.dataset.a === a));
    };
    const pin = bar => {
      pinned = pinned === bar ? null : bar;
      for (const one of diagram.querySelectorAll(".bar")) { one.classList.toggle("pinned", one === pinned); one.setAttribute("aria-pressed", String(one === pinned)); }
      lift(pinned);
    };
    for (const bar of diagram.querySelectorAll(".bar")) {
      bar.setAttribute("aria-pressed", "false");
      bar.addEventListener("pointerenter", () => lift(bar)); bar.addEventListener("pointerleave", () => lift(pinned));
      bar.addEventListener("focus", () => lift(bar)); bar.addEventListener("blur", () => lift(pinned));
      bar.addEventListener("click", () => pin(bar));
      bar.addEventListener("keydown", event => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pin(bar); }
        if (event.key === "Escape") { pinned = bar; pin(bar); }
      });
    }
    for (const band of diagram.querySelectorAll(".ribbon")) {
      band.addEventListener("pointermove", event => say(told(band.dataset.a, band.dataset.e), event.clientX, event.clientY));
      band.addEventListener("pointerleave", quiet);
    }
  }
  if (choice) choice.addEventListener("change", () => all.forEach(one => { one.toggleAttribute("hidden", one.dataset.most !== choice.value); }));
}

function told(a, e) {
  const count = data.counts[a][e], lift = data.lift[a][e], q = data.q[a][e], p = data.p[a][e];
  const of = data.counts[a].reduce((sum, one) => sum + one, 0);
  return `${data.actions[a]}, ${data.emotions[e]}: in ${count} of ${data.clips[e]} clips of ${data.emotions[e]}`
    + ` (${(100 * count / Math.max(data.clips[e], 1)).toFixed(1)} %), ${of} clips in all`
    + (lift === null ? "" : `; lift ${lift.toFixed(2)}, Fisher p ${p.toPrecision(2)}, q ${q.toPrecision(2)}`)
    + (data.simulated ? "; simulated" : "");
}

// Heatmap: rows in another order, cells in another colour, one cell under the pointer or the arrow keys.
function heatmap() {
  const map = byId("heatmap"), colours = byId("colours"), order = byId("order"), cursor = byId("cursor");
  if (!map) return;
  const [left, top, width, height] = data.places, first = [...map.querySelectorAll(".hrow")];
  let rows = [...first], at = null;
  const plain = new Map([...map.querySelectorAll(".cell")].map(cell => [cell, cell.getAttribute("class")]));
  const counts = a => data.counts[a], sum = a => counts(a).reduce((all, one) => all + one, 0);
  const all = data.clips.reduce((total, one) => total + one, 0);  // lift held back by two clips, as the colours
  const held = a => data.clips.map((clips, e) => (counts(a)[e] + 2) / (sum(a) * clips / Math.max(all, 1) + 2));
  const values = {
    "of-emotion": (a, e) => counts(a)[e] / Math.max(data.clips[e], 1),
    "of-action": (a, e) => counts(a)[e] / Math.max(sum(a), 1),
    count: (a, e) => counts(a)[e],
  };
  function colour() {
    const value = values[colours.value], most = value ? Math.max(...first.flatMap(row => data.emotions.map((_, e) => value(row.dataset.a, e)))) : 1;
    for (const [cell, kind] of plain) {
      if (!value) { cell.setAttribute("class", kind); cell.style.fill = ""; continue; }
      const part = value(cell.parentNode.dataset.a, cell.dataset.e) / (most || 1);
      cell.setAttribute("class", "cell"); cell.style.fill = `rgb(var(--more) / ${(0.03 + 0.97 * Math.sqrt(part)).toFixed(3)})`;
    }
    byId("lift-legend").hidden = Boolean(value);
  }
  function sort() {
    const key = { common: row => -sum(row.dataset.a), bits: row => -data.bits[row.dataset.a],
      emotion: row => { const lifts = held(row.dataset.a), best = lifts.indexOf(Math.max(...lifts)); return best * 1000 - lifts[best]; } }[order.value];
    rows = [...first];
    if (key) rows.sort((a, b) => key(a) - key(b));
    rows.forEach((row, place) => row.setAttribute("transform", `translate(0 ${top + height * place})`));
    at = null; cursor.setAttribute("visibility", "hidden"); quiet();
  }
  function show(x, y) {
    cursor.setAttribute("visibility", "visible");
    cursor.setAttribute("x", left + width * at[1]); cursor.setAttribute("y", top + height * at[0]);
    say(told(rows[at[0]].dataset.a, at[1]), x, y);
  }
  const hide = () => { cursor.setAttribute("visibility", "hidden"); quiet(); };
  map.addEventListener("pointermove", event => {
    const box = map.getBoundingClientRect(), scale = map.viewBox.baseVal.width / box.width;
    const found = [Math.floor(((event.clientY - box.top) * scale - top) / height), Math.floor(((event.clientX - box.left) * scale - left) / width)];
    if (found[0] < 0 || found[1] < 0 || found[0] >= rows.length || found[1] >= data.emotions.length) return hide();
    at = found; show(event.clientX, event.clientY);
  });
  map.addEventListener("pointerleave", hide); map.addEventListener("blur", hide);
  map.addEventListener("keydown", event => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const ends = [rows.length - 1, data.emotions.length - 1];
    at = at ? at.map((one, axis) => Math.max(0, Math.min(ends[axis], one + step[axis]))) : [0, 0];
    const box = rows[at[0]].querySelectorAll(".cell")[at[1]].getBoundingClientRect();
    show(box.right, box.bottom);
  });
  colours.addEventListener("change", colour); order.addEventListener("change", sort);
}

// Tables whose heads are buttons sort by what they say.
function tables() {
  for (const table of document.querySelectorAll("table.sortable")) table.querySelectorAll("thead th button").forEach((button, column) => {
    button.addEventListener("click", () => {
      const head = button.parentNode, down = head.getAttribute("aria-sort") === "ascending", body = table.tBodies[0];
      const value = row => { const text = row.cells[column].dataset.v ?? row.cells[column].textContent, number = Number(text); return Number.isNaN(number) ? text : number; };
      const sorted = [...body.rows].sort((a, b) => { const [x, y] = [value(a), value(b)]; return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1); });
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending"); body.append(...sorted);
    });
  });
}
sankeys(); heatmap(); tables();
