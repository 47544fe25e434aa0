// The page itself: state, players, words, table, keys and pointer; last of the three scripts.
const byId = id => document.getElementById(id), shown = JSON.parse(byId("videos").textContent);
const MOST_CURVES = 8, PAGE_ROWS = 100, FIRST_ACTIONS = 8;
function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
// ---- the video that is shown, and what belongs to it
let data, bounds, view, all, chosen, player, joints, folded, curvesOf, marked, page, told_last = "", said_at = 0, moreShown = false;
const video = byId("video"), stage = byId("stage");

function load(number) {
  if (player) player.pause();
  data = JSON.parse(byId(`video-${number}`).textContent);
  bounds = { from: data.start, to: data.start + data.duration };
  view = { ...bounds }; chosen = -1; page = 0; folded = data.persons.map(() => new Set()); told_last = "";
  all = { start: [], end: [], person: [], own: [] };
  data.persons.forEach((person, p) => {
    const s = person.segments;
    s.start = Float64Array.from(s.start, ms => ms / 1000); s.end = Float64Array.from(s.end, ms => ms / 1000); s.reach = reachOf(s.end);
    person.times = Float64Array.from(unpacked(person.curves.ms, Int32Array), ms => ms / 1000);
    person.values = unpacked(person.curves.values, Uint8Array); person.gap = 3.5 * usualStep(person.times);
    person.seen = Float64Array.from(unpacked(person.quality.ms, Int32Array), ms => ms / 1000);
    person.quality.values = unpacked(person.quality.values, Uint8Array); person.seenGap = 3.5 * usualStep(person.seen);
    for (let i = 0; i < s.start.length; i++) { all.start.push(s.start[i]); all.end.push(s.end[i]); all.person.push(p); all.own.push(i); }
  });
  const order = [...all.start.keys()].sort((a, b) => all.start[a] - all.start[b] || all.person[a] - all.person[b]);
  for (const key of Object.keys(all)) all[key] = order.map(i => all[key][i]);
  all.index = data.persons.map(person => new Int32Array(person.segments.start.length));
  all.own.forEach((own, i) => { all.index[all.person[i]][own] = i; });
  joints = data.joints && { ...data.joints, times: Float64Array.from(unpacked(data.joints.ms, Int32Array), ms => ms / 1000),
    places: data.joints.persons.map(one => unpacked(one.xy, Uint16Array)) };
  byId("overlay-choice").hidden = !joints || !data.media;
  stage.style.aspectRatio = `${data.width || 16} / ${data.height || 9}`;
  player = data.media && video ? videoPlayer(data.media) : clockPlayer();
  about(); layOut(); fillPersons(); fillTable(); detail(); resize(); tick();
}

// ---- players: a video element, or a clock for skeletons
function clockPlayer() {
  let at = bounds.from, begun = null, rate = Number(byId("rate").value);
  stage.classList.remove("has-video"); if (video) video.hidden = true;
  byId("stage-note").textContent = joints ? "" : "There is no picture to show: neither a video nor joints are part of this page.";
  const now = () => begun === null ? at : Math.min(at + (performance.now() - begun) / 1000 * rate, bounds.to);
  return {
    get time() { return now(); }, get playing() { return begun !== null && now() < bounds.to; },
    seek(time) { at = time; if (begun !== null) begun = performance.now(); },
    play() { at = now() >= bounds.to - 0.01 ? bounds.from : now(); begun = performance.now(); },
    pause() { at = now(); begun = null; }, speed(value) { at = now(); if (begun !== null) begun = performance.now(); rate = value; },
  };
}
function videoPlayer(address) {
  stage.classList.add("has-video"); video.hidden = false; byId("stage-note").textContent = "";
  video.src = address; video.playbackRate = video.defaultPlaybackRate = Number(byId("rate").value);
  const one = {
    wanted: bounds.from,
    get time() { return video.currentTime + bounds.from; }, get playing() { return !video.paused && !video.ended; },
    seek(time) { one.wanted = time; video.currentTime = Math.max(time - bounds.from, 0); },
    play() { if (video.ended) video.currentTime = 0; video.play().catch(failed); },
    pause() { video.pause(); }, speed(value) { video.playbackRate = video.defaultPlaybackRate = value; },
  };
  function failed(error) {
    if (player !== one || (error && ["AbortError", "NotAllowedError"].includes(error.name))) return;
    player = clockPlayer(); player.seek(one.wanted);
    byId("stage-note").textContent = `The video ${data.mediaName} cannot be played here: it is not beside this page, or this browser does not know its format.`
      + (joints ? " Skeletons are drawn instead." : " The timeline works without it.");
    byId("overlay-choice").hidden = true; tick();
  }
  video.onerror = () => failed(null);
  return one;
}

// ---- words around the picture
function about() {
  const notes = [...data.warnings];
  if (!data.persons.length) notes.push("No person was found in this video, so nothing is recognised.");
  byId("warnings").replaceChildren(...notes.map(one => element("li", one)));
  byId("warnings").hidden = !notes.length;
  byId("method").textContent = `${data.method}. ${data.calibrated ? `Probabilities are calibrated (temperature ${data.temperature.toFixed(2)}).` : "The numbers are scores that were not calibrated."}`
    + (joints ? ` Skeletons: ${joints.count} joints, ${joints.fps} frames a second.` : "");
  byId("simulated").hidden = !data.simulated;
  const seek = byId("seek"); seek.min = 0; seek.max = data.duration; seek.step = 0.01;
}
const nameOf = index => data.words[index];
function segmentOf(i) {
  const person = data.persons[all.person[i]], s = person.segments, own = all.own[i];
  return { person: person.name, words: nameOf(s.words[own]), status: s.status[own], probability: s.share[own] / 1000, start: all.start[i], end: all.end[i],
    action: s.action[own], group: s.group[own], others: s.others[own] };
}
function happening(time) {
  const found = [];
  data.persons.forEach((person, p) => {
    for (const own of covering(person.segments.start, person.segments.end, person.segments.reach, time)) found.push(segmentOf(all.index[p][own]));
  });
  return found;
}
function announce(time) {
  const text = told(happening(time));
  byId("now").textContent = text;
  if (text === told_last || !byId("speak").checked || (player.playing && performance.now() - said_at < 1000)) return;
  told_last = text; said_at = performance.now(); byId("live").textContent = `${clock(time)}: ${text}`;
}
function detail() {
  const box = byId("detail"); byId("go").disabled = chosen < 0;
  if (chosen < 0) { box.replaceChildren(element("p", "No segment is chosen. Click one, or press the up and down arrow keys.", { class: "soft" })); return; }
  const one = segmentOf(chosen), list = element("ul", undefined, { class: "others" });
  for (const [name, share] of one.others) {
    const item = element("li", `${nameOf(name)}, ${percent(share / 1000)}`), meter = element("span", undefined, { class: "meter", "aria-hidden": "true" }), fill = element("i");
    fill.style.width = share / 10 + "%"; meter.append(fill); item.append(meter); list.append(item);
  }
  box.replaceChildren(element("p", one.words, { class: "chosen" }),
    element("p", `${one.person}, ${clock(one.start)} to ${clock(one.end)} (${(one.end - one.start).toFixed(2)} s), ${MEANT[one.status]}, ${percent(one.probability)}`, { class: "soft" }),
    element("p", "Best actions:", { class: "soft" }), list);
}
function choose(i, seek, spoken = true) {
  chosen = i;
  if (i >= 0) {
    view = showing(view, all.start[i], all.end[i], bounds);
    if (seek) goTo(all.start[i]);
    else if (spoken) { const one = segmentOf(i); byId("live").textContent = `Segment ${i + 1} of ${all.start.length}: ${one.person}, ${one.words}, ${clock(one.start)}, ${MEANT[one.status]}. Enter goes there.`; }
    reveal(i);
  }
  detail(); draw(); markRow();
}

// ---- curves: whose, and which actions
function fillPersons() {
  const choice = byId("person");
  choice.replaceChildren(...data.persons.map((person, p) => element("option", person.name, { value: p })));
  byId("person-choice").hidden = data.persons.length < 2; byId("curves-head").hidden = !data.persons.length; setPerson(0);
}
function setPerson(p) {
  curvesOf = p; const person = data.persons[p], box = byId("actions");
  if (!person) { marked = []; box.replaceChildren(); return; }
  marked = person.curves.actions.map((_, row) => row).slice(0, Math.min(4, person.curves.actions.length)); keys();
}
function keys() {  // the legend is where curves are chosen
  const person = data.persons[curvesOf];
  const choices = person.curves.actions.map((action, row) => {
    const place = marked.indexOf(row), label = element("label", undefined, { class: place < 0 ? "off" : "" }), box = element("input", undefined, { type: "checkbox", value: row });
    box.checked = place >= 0; box.disabled = place < 0 && marked.filter(one => one >= 0).length >= MOST_CURVES;
    label.append(box);
    if (place >= 0) {
      const key = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS("http://www.w3.org/2000/svg", "path");
      key.setAttribute("width", 26); key.setAttribute("height", 8); key.setAttribute("aria-hidden", "true"); line.setAttribute("d", "M0 4H26");
      line.setAttribute("stroke", `var(--k${place % 8})`); line.setAttribute("stroke-width", 2.5); line.setAttribute("stroke-dasharray", DASHES[place % 8].join(" ")); key.append(line); label.append(key);
    }
    label.append(data.actions[action]);
    box.addEventListener("change", () => {
      if (box.checked) marked.push(row); else marked = marked.filter(one => one !== row);
      keys(); draw(); byId("actions").querySelector(`[value="${row}"]`).focus();
    });
    return label;
  });
  const first = choices.filter((_, row) => row < FIRST_ACTIONS || marked.includes(row)), rest = choices.filter(one => !first.includes(one));
  if (!rest.length) { byId("actions").replaceChildren(...first); return; }
  const more = element("details"), box = element("div", undefined, { class: "rest" });
  more.open = moreShown; more.addEventListener("toggle", () => { moreShown = more.open; });
  box.append(...rest); more.append(element("summary", `${rest.length} more actions`), box); byId("actions").replaceChildren(...first, more);
}

// ---- the table: everything on the timeline, in words
let rows = [];
function fillTable() {
  const text = byId("search").value.trim().toLowerCase(), kind = byId("status").value; rows = [];
  for (let i = 0; i < all.start.length; i++) {
    const s = data.persons[all.person[i]].segments, own = all.own[i];
    if (kind && s.status[own] !== Number(kind)) continue;
    if (text && !`${data.persons[all.person[i]].name} ${nameOf(s.words[own])} ${s.group[own] < 0 ? "" : data.groups[s.group[own]]}`.toLowerCase().includes(text)) continue;
    rows.push(i);
  }
  page = Math.min(page, Math.max(Math.ceil(rows.length / PAGE_ROWS) - 1, 0)); showRows();
}
function showRows() {
  const part = rows.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS), body = byId("rows");
  body.replaceChildren(...part.map(i => {
    const one = segmentOf(i), made = element("tr", undefined, { "data-i": i }), cell = element("td"), button = element("button", clock(one.start), { type: "button", "aria-label": `go to ${clock(one.start)}, ${one.person}, ${one.words}` });
    cell.append(button); made.append(cell, element("td", clock(one.end)), element("td", (one.end - one.start).toFixed(2), { class: "number" }), element("td", one.person), element("td", one.group < 0 ? "" : data.groups[one.group]),
      element("th", one.words, { scope: "row" }), element("td", MEANT[one.status], { class: `status s${one.status}` }), element("td", percent(one.probability), { class: "number" }));
    button.addEventListener("click", () => choose(i, true));
    return made;
  }));
  const pages = Math.max(Math.ceil(rows.length / PAGE_ROWS), 1);
  byId("count").textContent = `${rows.length.toLocaleString("en")} of ${all.start.length.toLocaleString("en")} segments` + (pages > 1 ? `, page ${page + 1} of ${pages}` : "");
  byId("before").disabled = page === 0; byId("after").disabled = page >= pages - 1;
  byId("before").hidden = byId("after").hidden = pages < 2; markRow();
}
function markRow() { for (const row of byId("rows").rows) if (Number(row.dataset.i) === chosen) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current"); }

// ---- time
let waiting = 0;
function goTo(time) {
  const to = Math.min(Math.max(time, bounds.from), bounds.to);
  player.seek(to); view = following(view, to, bounds); told_last = ""; draw(); tick(to);
}
function tick(sought) {
  let time = typeof sought === "number" && sought <= bounds.to && sought >= bounds.from ? sought : player.time;
  if (byId("repeat").checked && chosen >= 0 && player.playing && time >= all.end[chosen]) { time = all.start[chosen]; player.seek(time); }
  const following_ = player.playing ? following(view, time, bounds) : view;
  if (following_ !== view) { view = following_; draw(); } else placeHead(time);
  const play = byId("play"), word = player.playing ? "pause" : "play";
  if (play.textContent !== word) play.textContent = word;
  byId("time").textContent = `${clock(time)} / ${clock(bounds.to)}`;
  const seek = byId("seek"); seek.value = time - bounds.from; seek.setAttribute("aria-valuetext", `${clock(time)} of ${clock(bounds.to)}`);
  announce(time); drawStage();
  cancelAnimationFrame(waiting); if (player.playing) waiting = requestAnimationFrame(() => tick());
}
function turn() {
  if (player.playing) player.pause(); else player.play();
  tick(); setTimeout(tick, 60);
}

// ---- commands, from keys and from buttons
const spanOf = () => view.to - view.from;
function zoom(factor, time) { view = zoomed(view, factor, time, bounds); draw(); }
const middle = () => { const time = player.time; return time >= view.from && time <= view.to ? time : (view.from + view.to) / 2; };
const COMMANDS = {
  play: turn, back: () => goTo(player.time - STEP_S), forward: () => goTo(player.time + STEP_S), nudgeBack: () => goTo(player.time - NUDGE_S), nudgeOn: () => goTo(player.time + NUDGE_S),
  first: () => goTo(bounds.from), last: () => goTo(bounds.to), zoomIn: () => zoom(0.6, middle()), zoomOut: () => zoom(1 / 0.6, middle()), whole: () => { view = { ...bounds }; draw(); },
  panLeft: () => { view = panned(view, -0.2 * spanOf(), bounds); draw(); }, panRight: () => { view = panned(view, 0.2 * spanOf(), bounds); draw(); },
  previous: () => { if (all.start.length) choose(neighbour(all.start, chosen, -1, player.time), false); }, next: () => { if (all.start.length) choose(neighbour(all.start, chosen, 1, player.time), false); },
  go: () => { if (chosen >= 0) goTo(all.start[chosen]); }, repeat: () => { byId("repeat").checked = !byId("repeat").checked; },
  help: () => { const help = byId("help"); help.open = !help.open; if (help.open) help.scrollIntoView({ block: "nearest" }); }, close: () => { byId("help").open = false; hint.hidden = true; },
};
function focusKind(target) {
  if (target.closest("input[type=search], textarea")) return "text";
  if (target.closest("input[type=range]")) return "slider";
  if (target.closest("select, input, .reading")) return target.closest("button") ? "button" : "choice";
  return target.closest("button, summary, a") ? "button" : "page";
}
addEventListener("keydown", event => {
  if (!byId("keys").checked) return;
  const name = commandOf(event.key, event.shiftKey, event.ctrlKey || event.altKey || event.metaKey, focusKind(event.target));
  if (name) { event.preventDefault(); COMMANDS[name](); }
});
for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => COMMANDS[button.dataset.do]());

// ---- pointer
const hint = byId("hint"), plot = byId("plot");
function under(event) {  // segment under the pointer, -1 for none; the lane
  const box = byId("lanes").getBoundingClientRect();
  if (event.clientY < box.top || event.clientY > box.bottom) return [-1, null];
  const y = event.clientY - box.top + byId("lanes").scrollTop, lane = lanes.find(one => y >= one.top && y < one.top + one.height), px = event.clientX - box.left;
  if (!lane || lane.kind === "person" || px < GUTTER) return [-1, lane || null];
  const slack = 3 * spanOf() / inner, time = at(px), [first, last] = between(lane.starts, lane.reach, time - slack, time + slack);
  let best = -1, far = Infinity;
  for (let n = first; n < last; n++) {
    const away = Math.max(lane.starts[n] - time, time - lane.ends[n], 0);
    if (away <= slack && away <= far) { best = all.index[lane.person][lane.items[n]]; far = away; }
  }
  return [best, lane];
}
let drag = null;
plot.addEventListener("pointerdown", event => {
  if (event.button || event.target.id === "overview" || event.target.id === "window") return;
  if (event.target.id === "lanes" && event.offsetX > width) return;  // the scroll bar
  drag = { x: event.clientX, y: event.clientY, view: { ...view }, top: byId("lanes").scrollTop, moved: false };
});
addEventListener("pointermove", event => {
  if (drag && event.buttons & 1) {
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (Math.hypot(dx, dy) > 4 && !drag.moved) { drag.moved = true; plot.setPointerCapture(event.pointerId); plot.classList.add("dragging"); }
    if (drag.moved) { hint.hidden = true; view = panned(drag.view, -dx / inner * spanOf(), bounds); byId("lanes").scrollTop = drag.top - dy; draw(); }
    return;
  }
  if (!plot.contains(event.target)) { hint.hidden = true; return; }
  const [i] = under(event);
  if (i < 0) { hint.hidden = true; return; }
  const one = segmentOf(i);
  hint.textContent = `${one.person}: ${one.words}, ${MEANT[one.status]}, ${percent(one.probability)}, ${clock(one.start)} to ${clock(one.end)}`;
  hint.hidden = false; hint.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - 350)) + "px"; hint.style.top = Math.min(event.clientY + 16, innerHeight - 60) + "px";
});
addEventListener("pointerup", event => {
  const was = drag; drag = null; plot.classList.remove("dragging");
  if (!was || was.moved) return;
  const px = event.clientX - byId("lanes").getBoundingClientRect().left, [i, lane] = under(event);
  if (px < GUTTER) { if (lane && lane.kind === "group") { const set = folded[lane.person]; if (!set.delete(lane.group)) set.add(lane.group); layOut(); resize(); } return; }
  if (i >= 0) choose(i, false, false);
  goTo(at(px));
});
addEventListener("pointercancel", () => { drag = null; plot.classList.remove("dragging"); });
plot.addEventListener("wheel", event => {
  if (event.target.id === "overview") return;
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault(); view = panned(view, (event.deltaX || event.deltaY) / 600 * spanOf(), bounds); draw(); return;
  }
  if (event.altKey) return;  // scrolls the lanes
  const out = event.deltaY > 0, wide = bounds.to - bounds.from;
  if (out && spanOf() >= wide - 1e-9) return;  // nothing further out: the page scrolls
  event.preventDefault(); zoom(Math.exp(Math.max(Math.min(event.deltaY, 240), -240) / 400), Math.max(Math.min(at(event.clientX - plot.getBoundingClientRect().left), view.to), view.from));
}, { passive: false });
let moving = false;
function moveWindow(event) {
  const part = (event.clientX - byId("overview").getBoundingClientRect().left - GUTTER) / inner, time = bounds.from + part * (bounds.to - bounds.from), half = spanOf() / 2;
  view = fitted({ from: time - half, to: time + half }, bounds); draw();
}
byId("overview").addEventListener("pointerdown", event => { moving = true; byId("overview").setPointerCapture(event.pointerId); moveWindow(event); });
byId("overview").addEventListener("pointermove", event => { if (moving) moveWindow(event); });
for (const name of ["pointerup", "pointercancel"]) byId("overview").addEventListener(name, () => { moving = false; });

// ---- the rest
byId("lanes").addEventListener("scroll", () => requestAnimationFrame(drawLanes));
byId("seek").addEventListener("input", () => goTo(bounds.from + Number(byId("seek").value)));
byId("rate").addEventListener("change", () => player.speed(Number(byId("rate").value)));
byId("overlay").addEventListener("change", drawStage);
byId("person").addEventListener("change", () => { setPerson(Number(byId("person").value)); draw(); });
byId("fold").addEventListener("click", () => {
  const any = folded.some(set => set.size); folded = data.persons.map(() => new Set(any ? [] : data.groups.keys()));
  byId("fold").textContent = any ? "fold actions" : "unfold actions"; layOut(); resize();
});
for (const name of ["input", "change"]) byId("search").addEventListener(name, () => { page = 0; fillTable(); });
byId("status").addEventListener("change", () => { page = 0; fillTable(); });
byId("before").addEventListener("click", () => { page--; showRows(); }); byId("after").addEventListener("click", () => { page++; showRows(); });
if (video) for (const name of ["play", "pause", "seeked", "ended", "loadeddata"]) video.addEventListener(name, () => { if (player) tick(); });
stage.addEventListener("click", turn);
shown.forEach((name, number) => byId("which").append(element("option", name, { value: number })));
byId("which-choice").hidden = shown.length < 2;
byId("which").addEventListener("change", () => load(Number(byId("which").value)));
let laidFor = 0;
new ResizeObserver(() => { if (data && plot.clientWidth !== laidFor) { laidFor = plot.clientWidth; resize(); } }).observe(plot);  // scroll bars come and go
addEventListener("resize", resize); matchMedia("(prefers-color-scheme: dark)").addEventListener("change", resize);
if (shown.length) load(0);
