// Canvases: what can be seen of the view, and no more; between recognition_rules.js and recognition_page.js.
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const GUTTER = 168, HEAD = 26, LANE = 20, NAMED_PX = 34;
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 4], [12, 4], [1, 2], [6, 2, 1, 2, 1, 2]];
let lanes, tall, palette;
function sharpened(canvas, width, height) {  // as many dots as the screen has; drawn on in CSS pixels
  const scale = window.devicePixelRatio || 1, across = Math.max(Math.round(width * scale), 1), down = Math.max(Math.round(height * scale), 1);
  if (canvas.width !== across || canvas.height !== down) { canvas.width = across; canvas.height = down; }
  canvas.style.width = width + "px"; canvas.style.height = height + "px";
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0); context.clearRect(0, 0, width, height);
  context.textBaseline = "middle";
  return context;
}

// ---- lanes: where everything stands
function layOut() {
  lanes = []; let top = 0;
  data.persons.forEach((person, p) => {
    lanes.push({ kind: "person", person: p, top, height: HEAD, items: [] }); top += HEAD;
    for (const lane of lanesOf(person.segments, data.groupOf, data.groups, folded[p])) {
      const s = person.segments, starts = Float64Array.from(lane.items, i => s.start[i]), ends = Float64Array.from(lane.items, i => s.end[i]);
      lanes.push({ ...lane, person: p, top, height: LANE, starts, ends, reach: reachOf(ends) }); top += LANE;
    }
  });
  tall = top;
}
function reveal(i) {
  const own = all.own[i], lane = [...lanes].reverse().find(one => one.person === all.person[i] && one.items.includes(own));
  const box = byId("lanes");
  if (lane && (lane.top < box.scrollTop || lane.top + lane.height > box.scrollTop + box.clientHeight)) box.scrollTop = lane.top - box.clientHeight / 2;
}
const laneName = lane => lane.kind === "person" ? data.persons[lane.person].name : lane.kind === "untold" ? "not sure" : lane.kind === "group" ? data.groups[lane.group] : data.actions[lane.action];

// ---- drawing
let width = 0, inner = 0;
const x = time => GUTTER + (time - view.from) / (view.to - view.from) * inner, at = px => view.from + (px - GUTTER) / inner * (view.to - view.from);
function paint() {
  palette = Object.fromEntries(["ink", "soft", "line", "card", "back", "track", "warn", "left", "right"].map(name => [name, colour("--" + name)]));
  palette.k = [...Array(8).keys()].map(n => colour("--k" + n));
}
const groupColour = group => group < 0 ? palette.soft : palette.k[group % 8];
const tintOf = (s, i) => groupColour(data.groups.length ? s.group[i] : s.action[i]);
function resize() {
  paint();
  const box = byId("lanes");
  byId("lane-canvas").style.height = "0";  // it must not make a scroll bar while the width is taken
  box.style.height = Math.max(Math.min(tall + 1, Math.max(innerHeight * 0.42, 180)), LANE) + "px"; byId("tall").style.height = tall + "px";
  width = box.clientWidth; inner = Math.max(width - GUTTER - 8, 50);
  drawOverview(); draw(); drawStage();
}
function fit(context, text, space) {
  if (context.measureText(text).width <= space) return text;
  let keep = text.length;
  while (keep > 1 && context.measureText(text.slice(0, keep) + "\u2026").width > space) keep--;
  return keep > 1 ? text.slice(0, keep) + "\u2026" : "";
}
function hatch(context, left, top, wide, high, ink) {
  context.save(); context.beginPath(); context.rect(left, top, wide, high); context.clip();
  context.strokeStyle = ink; context.lineWidth = 1.5; context.beginPath();
  const from = Math.floor((Math.max(left, 0) - high) / 6) * 6, to = Math.min(left + wide, width);
  for (let place = from; place < to; place += 6) { context.moveTo(place, top + high); context.lineTo(place + high, top); }
  context.stroke(); context.restore();
}
function bar(context, left, wide, top, high, status, tint) {  // looks differ in fill, pattern and outline, not by colour alone
  if (status === 0) {  // a thin line before it parts it from its neighbour
    context.fillStyle = palette.card; context.fillRect(left - 1, top, 1, high); context.fillStyle = tint; context.fillRect(left, top, wide, high); return;
  }
  context.fillStyle = palette.card; context.fillRect(left, top, wide, high);
  if (wide < 7 && status === 1) { context.fillStyle = tint; for (const part of [0, 0.65]) context.fillRect(left, top + part * high, wide, 0.35 * high); return; }
  if (status === 1) hatch(context, left, top, wide, high, tint);
  if (wide > 4) { context.strokeStyle = status === 1 ? tint : palette.soft; context.lineWidth = 1; context.setLineDash(status === 1 ? [] : [2, 2]);
    context.strokeRect(left + 0.5, top + 0.5, wide - 1, high - 1); context.setLineDash([]); }
  else { context.fillStyle = status === 1 ? tint : palette.soft; context.fillRect(left, top + high / 2 - 1, wide, 2); }
}
function drawLane(context, lane, top) {
  const s = data.persons[lane.person].segments, [first, last] = between(lane.starts, lane.reach, view.from, view.to);
  let drawnTo = -1, drawnAs = -1;
  const pad = lane.kind === "group" ? 3 : 2, high = lane.height - 2 * pad;
  for (let n = first; n < last; n++) {
    const i = lane.items[n], status = s.status[i], right = Math.max(x(lane.ends[n]), x(lane.starts[n]) + 1.5), left = Math.max(x(lane.starts[n]), GUTTER - 4);
    if (right <= drawnTo + 0.5 && status >= drawnAs) continue;  // under what is there: thousands come to one dot
    const stop = Math.min(right, width + 4), tint = groupColour(lane.kind === "untold" ? -1 : lane.group);
    bar(context, left, stop - left, top + pad, high, status, tint);
    drawnTo = right; drawnAs = status;
    const space = Math.min(stop, width) - Math.max(left, GUTTER) - 8;
    if (space > NAMED_PX && lane.kind !== "action") {
      context.font = "11px system-ui, sans-serif";
      const words = fit(context, (status === 1 ? "? " : "") + nameOf(s.words[i]), space), place = Math.max(left, GUTTER) + 4;
      if (status !== 0) { context.fillStyle = palette.card; context.fillRect(place - 2, top + pad + 1, context.measureText(words).width + 4, high - 2); }
      context.fillStyle = status === 0 ? palette.card : palette.ink; context.fillText(words, place, top + lane.height / 2 + 0.5);
    } else if (space > NAMED_PX && lane.kind === "action") {
      const rival = status === 1 ? s.rivals[i].indexOf(lane.action) : -1, share = rival < 0 ? s.share[i] : s.others[i][rival][1];
      context.font = "11px system-ui, sans-serif"; const words = (status === 1 ? "? " : "") + percent(share / 1000), place = Math.max(left, GUTTER) + 4;
      if (status !== 0) { context.fillStyle = palette.card; context.fillRect(place - 2, top + pad + 1, context.measureText(words).width + 4, high - 2); }
      context.fillStyle = status === 0 ? palette.card : palette.ink; context.fillText(words, place, top + lane.height / 2 + 0.5);
    }
    if (chosen >= 0 && all.person[chosen] === lane.person && all.own[chosen] === i) marks.push([left, stop - left, top + 1, lane.height - 2]);
  }
}
let marks = [];
function drawLanes() {
  const box = byId("lanes"), from = box.scrollTop, high = box.clientHeight, context = sharpened(byId("lane-canvas"), width, high);
  marks = [];
  for (const lane of lanes) {
    const top = lane.top - from;
    if (top > high || top + lane.height < 0) continue;
    context.fillStyle = lane.kind === "person" ? palette.track : palette.card; context.fillRect(0, top, width, lane.height);
    if (lane.kind !== "person") { context.save(); context.beginPath(); context.rect(GUTTER, top, width - GUTTER, lane.height); context.clip(); drawLane(context, lane, top); context.restore(); }
    context.fillStyle = palette.line; context.fillRect(0, top + lane.height - 1, width, 1);
    context.font = `${lane.kind === "action" ? "" : "600 "}12px system-ui, sans-serif`; context.fillStyle = lane.kind === "action" ? palette.soft : palette.ink;
    const inset = lane.kind === "action" && data.groups.length ? 24 : 8;
    if (lane.kind === "group") context.fillText(folded[lane.person].has(lane.group) ? "\u25b8" : "\u25be", 8, top + lane.height / 2);
    context.fillText(fit(context, laneName(lane), GUTTER - inset - (lane.kind === "group" ? 20 : 6)), inset + (lane.kind === "group" ? 13 : 0), top + lane.height / 2);
  }
  context.save(); context.beginPath(); context.rect(GUTTER - 2, 0, width, high); context.clip();
  context.strokeStyle = palette.ink; context.lineWidth = 2; for (const [left, wide, top, tallness] of marks) context.strokeRect(left, top, wide, tallness);
  context.restore();
}
function drawRuler() {
  const context = sharpened(byId("ruler"), width, 24), { times, digits } = ticks(view.from, view.to, Math.max(inner / 80, 2));
  context.font = "11px system-ui, sans-serif"; context.fillStyle = palette.soft; context.strokeStyle = palette.line; context.textAlign = "center";
  for (const time of times) { const place = x(time); context.fillRect(Math.round(place), 18, 1, 6); context.fillText(clock(time, digits), Math.min(Math.max(place, GUTTER + 12), width - 22), 9); }
  context.textAlign = "left"; context.fillText("time", 8, 9);
}
function drawOverview() {
  const canvas = byId("overview"), context = sharpened(canvas, width, 26), span = bounds.to - bounds.from;
  context.fillStyle = palette.track; context.fillRect(GUTTER, 0, inner, 26); context.font = "11px system-ui, sans-serif"; context.fillStyle = palette.soft; context.fillText("whole video", 8, 13);
  const rows = Math.max(data.persons.length, 1), high = 22 / rows;
  data.persons.forEach((person, p) => {
    const s = person.segments; let last = -1;
    for (let i = 0; i < s.start.length; i++) {
      const left = GUTTER + (s.start[i] - bounds.from) / span * inner, wide = Math.max((s.end[i] - s.start[i]) / span * inner, 1);
      if (left + wide <= last + 0.5) continue;
      context.fillStyle = s.status[i] ? palette.soft : tintOf(s, i); context.fillRect(left, 2 + p * high, wide, Math.max(high - 1, 1)); last = left + wide;
    }
  });
}
function drawCurve(context, times, values, offset, gap, place, top, high) {
  const first = Math.max(countUpTo(times, view.from) - 1, 0), last = Math.min(countUpTo(times, view.to) + 1, times.length), y = value => top + high - value / 255 * high;
  context.beginPath();
  if (last - first > 3 * inner) {
    const columns = Math.floor(inner), own = values.subarray(offset, offset + times.length), { low, high: most } = reduced(times, own, view.from, view.to, columns);
    let open = false;
    for (let c = 0; c < columns; c++) {
      if (Number.isNaN(low[c])) { open = false; continue; }
      if (open) context.lineTo(GUTTER + c, y(low[c])); else context.moveTo(GUTTER + c, y(low[c]));
      context.lineTo(GUTTER + c, y(most[c])); open = true;
    }
  } else for (let i = first; i < last; i++) {
    if (i > first && times[i] - times[i - 1] <= gap) context.lineTo(x(times[i]), y(values[offset + i])); else { context.moveTo(x(times[i]), y(values[offset + i])); context.lineTo(x(times[i]) + 1, y(values[offset + i])); }
  }
  context.strokeStyle = palette.k[place % 8]; context.setLineDash(DASHES[place % 8]); context.lineWidth = 1.8; context.stroke(); context.setLineDash([]);
  if (last - first > inner / 12) return;
  context.fillStyle = palette.k[place % 8];  // few windows: each is seen, even one alone
  for (let i = first; i < last; i++) { context.beginPath(); context.arc(x(times[i]), y(values[offset + i]), 2.8, 0, 6.3); context.fill(); }
}
function drawCurves() {
  const high = 128, context = sharpened(byId("curves"), width, high), person = data.persons[curvesOf];
  context.font = "11px system-ui, sans-serif"; context.fillStyle = palette.card; context.fillRect(0, 0, width, high);
  context.textAlign = "right";
  for (const share of [0, 0.5, 1]) { const y = 8 + (1 - share) * (high - 16); context.fillStyle = palette.line; context.fillRect(GUTTER, Math.round(y), inner, 1); context.fillStyle = palette.soft; context.fillText(share * 100 + " %", GUTTER - 6, y); }
  context.textAlign = "left"; context.fillStyle = palette.ink; context.fillText(data.calibrated ? "probability" : "score", 8, 16);
  if (!person) return;
  context.fillStyle = palette.soft; context.fillText(fit(context, person.name, GUTTER - 60), 8, 34);
  context.save(); context.beginPath(); context.rect(GUTTER, 0, inner, high); context.clip();
  marked.forEach((row, place) => drawCurve(context, person.times, person.values, row * person.times.length, person.gap, place, 8, high - 16));
  context.restore();
}
function drawQuality() {
  const each = 22, context = sharpened(byId("quality"), width, Math.max(each * data.persons.length, each));
  data.persons.forEach((person, p) => {
    const top = p * each; context.fillStyle = palette.card; context.fillRect(0, top, width, each); context.font = "11px system-ui, sans-serif";
    context.fillStyle = palette.soft; context.fillText(fit(context, `pose quality, ${person.name}`, GUTTER - 14), 8, top + each / 2);
    context.fillStyle = palette.line; context.fillRect(0, top + each - 1, width, 1);
    const columns = Math.floor(inner), { low } = reduced(person.seen, person.quality.values, view.from, view.to, columns), base = top + each - 2;
    let value = NaN, next = view.from, step = (view.to - view.from) / columns;
    context.fillStyle = palette.ink; context.globalAlpha = 0.6;
    for (let c = 0; c < columns; c++, next += step) {  // the worst of each column; between measurements the one before holds
      if (!Number.isNaN(low[c])) value = low[c];
      else { const before = countUpTo(person.seen, next) - 1; value = before >= 0 && next - person.seen[before] <= person.seenGap ? person.quality.values[before] : NaN; }
      if (value > 0) context.fillRect(GUTTER + c, base - value / 255 * (each - 5), 1, value / 255 * (each - 5));
    }
    context.globalAlpha = 1;
  });
  if (!data.persons.length) { context.fillStyle = palette.soft; context.font = "11px system-ui, sans-serif"; context.fillText("nobody was found", 8, each / 2); }
}
function draw() {
  drawRuler(); drawLanes(); drawCurves(); drawQuality();
  const span = bounds.to - bounds.from, box = byId("window");
  box.style.left = GUTTER + (view.from - bounds.from) / span * inner + "px"; box.style.width = Math.max((view.to - view.from) / span * inner, 3) + "px";
  byId("span").textContent = `${clock(view.from)} to ${clock(view.to)}`;
  placeHead(player.time);
}
function placeHead(time) {
  const head = byId("playhead"), place = x(time);
  head.hidden = place < GUTTER - 1 || place > width; head.style.transform = `translateX(${place}px)`;
}
function drawStage() {
  const canvas = byId("skeletons"), box = stage.getBoundingClientRect();
  const context = sharpened(canvas, box.width, box.height);
  if (!joints || (player && stage.classList.contains("has-video") && !byId("overlay").checked)) return;
  const time = player.time, k = countUpTo(joints.times, time + 1e-6) - 1, count = joints.count;
  const scale = Math.min(box.width / joints.width, box.height / joints.height), left = (box.width - scale * joints.width) / 2, top = (box.height - scale * joints.height) / 2;
  if (k < 0 || time - joints.times[k] > 2 * joints.step) return;
  const next = k + 1 < joints.times.length && joints.times[k + 1] - joints.times[k] <= 2 * joints.step ? k + 1 : k;
  const part = next > k ? (time - joints.times[k]) / (joints.times[next] - joints.times[k]) : 0, GRID = 65534;
  const now = happening(time), labels = [], over = stage.classList.contains("has-video");
  const tints = over ? ["#f2f2f2", "#56b4e9", "#e69f00"] : [palette.ink, palette.left, palette.right];  // videos are neither dark nor light
  joints.persons.forEach((person, p) => {
    const raw = joints.places[p], place = j => {
      const a = 2 * (k * count + j), b = 2 * (next * count + j), from = raw[a] > GRID ? b : a, to = raw[b] > GRID ? a : b;
      if (raw[from] > GRID) return null;
      return [0, 1].map(n => (n ? top : left) + scale * (n ? joints.height : joints.width) * ((raw[from + n] + part * (raw[to + n] - raw[from + n])) / GRID * 1.5 - 0.25));
    };
    const spots = [...Array(count).keys()].map(place);
    context.lineCap = "round";
    joints.limbs.forEach(([a, b], limb) => {
      if (!spots[a] || !spots[b]) return;
      context.beginPath(); context.moveTo(...spots[a]); context.lineTo(...spots[b]);
      if (over) { context.strokeStyle = "rgb(0 0 0 / .6)"; context.lineWidth = Math.max(box.width / 110, 3); context.stroke(); }
      context.strokeStyle = tints[joints.sides[limb]]; context.lineWidth = Math.max(box.width / 220, 1.5); context.stroke();
    });
    context.fillStyle = tints[0];
    for (const spot of spots) if (spot) { context.beginPath(); context.arc(...spot, Math.max(box.width / 320, 1.2), 0, 6.3); context.fill(); }
    const there = spots.filter(Boolean); if (!there.length) return;
    const highest = there.reduce((a, b) => a[1] < b[1] ? a : b), own = now.filter(one => one.person === person.name);
    context.font = "600 13px system-ui, sans-serif"; context.textAlign = "center";
    const label = fit(context, [person.name, ...own.map(one => (one.status === 1 ? "? " : "") + one.words)].join(": "), Math.max(0.94 * box.width, 160)), half = context.measureText(label).width / 2 + 6;
    const middle = Math.min(Math.max(highest[0], half), box.width - half), free = y => labels.every(one => Math.abs(one[0] - middle) >= one[1] + half || Math.abs(one[2] - y) >= 21);
    let y = Math.max(highest[1] - 18, 12);
    while (!free(y) && y >= 33) y -= 21;  // above the others where there is room, else below
    while (!free(y) && y < box.height) y += 21;
    labels.push([middle, half, y]);
    context.fillStyle = palette.card; context.globalAlpha = 0.8; context.fillRect(middle - half, y - 10, 2 * half, 20); context.globalAlpha = 1;
    context.fillStyle = palette.ink; context.fillText(label, middle, y); context.textAlign = "left";
  });
}
