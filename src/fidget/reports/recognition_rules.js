"use strict";
// What the page works out without looking at the document: views, searches, keys, words. Times are in seconds.
const LEAST_SPAN_S = 0.2, STEP_S = 1, NUDGE_S = 0.04;

// A view {from, to} that lies within the bounds {from, to} and is not too short.
function fitted(view, bounds) {
  const whole = bounds.to - bounds.from, least = Math.min(LEAST_SPAN_S, whole);
  const span = Math.min(Math.max(view.to - view.from, least), whole);
  const from = Math.min(Math.max(view.from, bounds.from), bounds.to - span);
  return { from, to: from + span };
}
// Zoom by a factor (below 1: closer); the time `at` keeps its place on the screen.
function zoomed(view, factor, at, bounds) {
  const span = view.to - view.from, part = (at - view.from) / span;
  const wanted = Math.min(Math.max(span * factor, Math.min(LEAST_SPAN_S, bounds.to - bounds.from)), bounds.to - bounds.from);
  return fitted({ from: at - part * wanted, to: at + (1 - part) * wanted }, bounds);
}
const panned = (view, seconds, bounds) => fitted({ from: view.from + seconds, to: view.to + seconds }, bounds);
// The view that shows a time: the same one, or one turned on like a page.
function following(view, time, bounds) {
  if (time >= view.from && time <= view.to) return view;
  const span = view.to - view.from;
  return fitted({ from: time - 0.1 * span, to: time + 0.9 * span }, bounds);
}
// The view that shows a segment whole, with room around it; the same one where it does already.
function showing(view, start, end, bounds) {
  if (start >= view.from && end <= view.to) return view;
  const span = Math.max(view.to - view.from, 1.5 * (end - start)), middle = (start + end) / 2;
  return fitted({ from: middle - span / 2, to: middle + span / 2 }, bounds);
}

// How many of the rising values are at most x.
function countUpTo(values, x) {
  let low = 0, high = values.length;
  while (low < high) { const middle = (low + high) >> 1; if (values[middle] <= x) low = middle + 1; else high = middle; }
  return low;
}
// Highest end so far, for segments that begin in order: where it passes a time, nothing before matters.
function reachOf(ends) {
  const reach = Float64Array.from(ends);
  for (let i = 1; i < reach.length; i++) reach[i] = Math.max(reach[i], reach[i - 1]);
  return reach;
}
// First and behind-last segment that may lie between two times.
const between = (starts, reach, from, to) => [countUpTo(reach, from), countUpTo(starts, to)];
// Segments that cover a time.
function covering(starts, ends, reach, time) {
  const found = [], last = countUpTo(starts, time);
  for (let i = countUpTo(reach, time); i < last; i++) if (ends[i] > time) found.push(i);
  return found;
}
// Lowest and highest of the values in each column of pixels; NaN where a column has none.
function reduced(times, values, from, to, columns) {
  const low = new Float32Array(columns).fill(NaN), high = new Float32Array(columns).fill(NaN);
  const last = countUpTo(times, to), scale = columns / (to - from);
  for (let i = countUpTo(times, from - 1e-9); i < last; i++) {
    const column = Math.min(Math.floor((times[i] - from) * scale), columns - 1), value = values[i];
    if (!(low[column] <= value)) low[column] = value;
    if (!(high[column] >= value)) high[column] = value;
  }
  return { low, high };
}
// The middle one of the distances between times; what is much longer is a gap.
function usualStep(times) {
  const steps = [], every = Math.max(Math.floor(times.length / 500), 1);
  for (let i = 1; i < times.length; i += every) steps.push(times[i] - times[i - 1]);
  steps.sort((a, b) => a - b);
  return steps.length ? steps[steps.length >> 1] : 0;
}
// The neighbour of a segment in order of start; where none is chosen that of the time, the first or last at the ends;
// -1 where there is none.
function neighbour(starts, chosen, direction, time) {
  if (chosen < 0) {
    const first = countUpTo(starts, time - 1e-6);
    return Math.min(Math.max(direction > 0 ? first : first - 1, 0), starts.length - 1);
  }
  const place = chosen + direction;
  return place >= 0 && place < starts.length ? place : chosen;
}

// What a key means, by what has the focus: "page", "button", "slider", "choice" or "text"; null: nothing of ours.
function commandOf(key, shift, modified, focus) {
  if (modified || focus === "text") return null;
  if (key === "Escape") return "close";
  if (key === " " || key === "Spacebar") return focus === "page" || focus === "slider" ? "play" : null;
  if (key === "Enter") return focus === "page" ? "go" : null;
  if (focus === "choice") return null;
  if (key === "ArrowLeft" && (shift || focus !== "slider")) return shift ? "panLeft" : "back";
  if (key === "ArrowRight" && (shift || focus !== "slider")) return shift ? "panRight" : "forward";
  if (key === "ArrowUp" && focus !== "slider") return "previous";
  if (key === "ArrowDown" && focus !== "slider") return "next";
  if (key === "Home" && focus !== "slider") return "first";
  if (key === "End" && focus !== "slider") return "last";
  return { "+": "zoomIn", "=": "zoomIn", "-": "zoomOut", _: "zoomOut", 0: "whole", ",": "nudgeBack", ".": "nudgeOn",
    r: "repeat", "?": "help" }[key] || null;
}

// 3723.4 as 1:02:03.4.
function clock(seconds, digits = 1) {
  const unit = 10 ** digits, all = Math.round(Math.abs(seconds) * unit), whole = Math.floor(all / unit), two = n => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  const rest = digits ? "." + String(all % unit).padStart(digits, "0") : "";
  return (seconds < 0 && all ? "-" : "") + (hours ? `${hours}:${two(minutes)}` : minutes) + ":" + two(whole % 60) + rest;
}
const STEPS_S = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
// Times for a ruler, at most `most` of them, and the digits behind the point that tell them apart.
function ticks(from, to, most) {
  const step = STEPS_S.find(one => (to - from) / one <= most) || STEPS_S[STEPS_S.length - 1], found = [];
  for (let n = Math.ceil(from / step - 1e-9); n * step <= to + 1e-9; n++) found.push(n * step);
  return { times: found, digits: step < 0.1 ? 2 : step < 1 ? 1 : 0, step };
}
const percent = share => `${Math.round(100 * share)} %`;
const MEANT = ["sure", "unsure", "no answer"];
// What is seen now, for people and for screen readers.
function told(now) {
  if (!now.length) return "nothing recognised now";
  const said = new Map();
  for (const one of now) {
    const text = one.words + (one.status === 2 ? "" : ", " + percent(one.probability));
    if (!said.has(one.person)) said.set(one.person, new Set());
    said.get(one.person).add(text);
  }
  return [...said].map(([person, texts]) => `${person}: ${[...texts].join("; ")}`).join(". ");
}
// The lanes of a person: groups, below each its actions, then what could not be told. `segments` has action, group and
// rivals (the two best actions) as indices, -1 for none; each lane lists its segments in order.
function lanesOf(segments, groupOf, groups, folded) {
  const byGroup = new Map(), byAction = new Map(), untold = [];
  const put = (map, key, i) => { if (!map.has(key)) map.set(key, []); map.get(key).push(i); };
  segments.status.forEach((status, i) => {
    const group = segments.group[i], action = segments.action[i];
    if (status === 2 || (group < 0 && action < 0 && groups.length)) untold.push(i);
    if (status === 2) return;
    if (group >= 0) put(byGroup, group, i);
    const named = action >= 0 ? [action] : segments.rivals[i];
    for (const one of named) if (one >= 0) put(byAction, one, i);
  });
  const lanes = [], actions = [...byAction.keys()].sort((a, b) => a - b), own = group => actions.filter(one => groupOf[one] === group);
  const add = action => lanes.push({ kind: "action", action, group: groupOf.length ? groupOf[action] : action, items: byAction.get(action) });
  if (!groups.length) actions.forEach(add);
  groups.forEach((_, group) => {
    if (!byGroup.has(group) && !own(group).length) return;
    lanes.push({ kind: "group", action: -1, group, items: byGroup.get(group) || [] });
    if (!folded.has(group)) own(group).forEach(add);
  });
  if (untold.length) lanes.push({ kind: "untold", action: -1, group: -1, items: untold });
  return lanes;
}
// Raw numbers from base64, little-endian.
function unpacked(text, Kind) {
  const plain = atob(text), bytes = new Uint8Array(plain.length);
  for (let i = 0; i < plain.length; i++) bytes[i] = plain.charCodeAt(i);
  return new Kind(bytes.buffer);
}
