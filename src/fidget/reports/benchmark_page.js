"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id), hint = byId("hint");
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const percent = share => (100 * share).toFixed(1) + " %";
function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
function row(cells, head = false) {
  const made = element("tr");
  for (const [text, kind] of cells) {
    const attributes = kind === "number" ? { class: "number" } : {};
    if (head) attributes.scope = "col"; else if (kind === "head") attributes.scope = "row";
    made.append(element(head || kind === "head" ? "th" : "td", text, attributes));
  }
  return made;
}
function sharpened(canvas) {  // as many dots as the screen has
  const scale = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  const width = Math.max(Math.round(box.width * scale), 1), height = Math.max(Math.round(box.height * scale), 1);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  return canvas.getContext("2d");
}

// Classes: one matrix and its bars, of the result that is chosen.
function classes() {
  const choice = byId("result"), order = byId("order"), canvas = byId("matrix");
  if (!choice) return;
  data.results.forEach((result, number) => choice.append(element("option", result.name, { value: number })));
  let shown = null, cursor = null;
  function load() {
    const result = data.results[choice.value], tree = data.trees[result.tree], size = tree.actions.length;
    const counts = new Float64Array(size * size), clips = new Float64Array(size);
    for (let i = 0; i < result.counts.length; i += 3) {
      const [label, predicted, count] = result.counts.slice(i, i + 3);
      counts[label * size + predicted] = count; clips[label] += count;
    }
    shown = { result, tree, size, counts, clips }; cursor = null; hint.hidden = true;
    const total = clips.reduce((sum, one) => sum + one, 0);
    const simulated = result.simulated ? " Simulated." : "";
    const files = result.files > 1 ? `, summed over ${result.files} runs` : "";
    byId("result-note").textContent = `${total.toLocaleString("en")} predictions${files}.${simulated}`;
    canvas.setAttribute("aria-label", `Confusion matrix of ${result.name}: ${size} classes; the most frequent confusions`
      + ` are in the table below; arrow keys read single cells.${simulated}`);
    draw(); confusions(); bars();
  }
  const share = (label, predicted) => shown.clips[label] ? shown.counts[label * shown.size + predicted] / shown.clips[label] : 0;
  function draw() {
    const { size, tree, result } = shown, context = sharpened(canvas), side = canvas.width, cell = side / size;
    context.clearRect(0, 0, side, canvas.height);
    for (let label = 0; label < size; label++) for (let predicted = 0; predicted < size; predicted++) {
      const part = share(label, predicted);
      if (part) { context.fillStyle = `rgb(${colour("--heat")} / ${0.12 + 0.88 * Math.sqrt(part)})`;
        context.fillRect(predicted * cell, label * cell, Math.max(cell - 0.5, 1), Math.max(cell - 0.5, 1)); }
      if (part && size <= 20) {
        context.fillStyle = colour(part > 0.35 ? "--card" : "--ink"); context.textAlign = "center"; context.textBaseline = "middle";
        context.font = `${Math.min(cell / 3.2, side / 40)}px sans-serif`;
        context.fillText(shown.counts[label * size + predicted], (predicted + 0.5) * cell, (label + 0.5) * cell);
      }
    }
    context.strokeStyle = colour("--line"); context.lineWidth = 1;
    tree.group_of.forEach((group, action) => {
      if (action && group !== tree.group_of[action - 1]) {
        const at = Math.round(action * cell) + 0.5;
        context.beginPath(); context.moveTo(at, 0); context.lineTo(at, side); context.moveTo(0, at); context.lineTo(side, at); context.stroke();
      }
    });
    if (result.simulated) {  // across the whole, faint: it must hide nothing and stay on pictures of the plot
      context.save(); context.translate(side / 2, side / 2); context.rotate(-0.6); context.globalAlpha = 0.16;
      context.fillStyle = colour("--ink"); context.textAlign = "center"; context.textBaseline = "middle";
      context.font = `italic ${side / 7}px sans-serif`; context.fillText("simulated", 0, 0); context.restore();
    }
    if (cursor) { context.strokeStyle = colour("--k1"); context.lineWidth = 2;
      context.strokeRect(cursor[1] * cell, cursor[0] * cell, cell, cell); }
  }
  function say(x, y) {
    const [label, predicted] = cursor, { tree, size, counts, clips } = shown, count = counts[label * size + predicted];
    hint.textContent = label === predicted ? `${tree.actions[label]}: recognised ${count} of ${clips[label]} (${percent(share(label, label))})`
      : `${tree.actions[label]} taken for ${tree.actions[predicted]}: ${count} of ${clips[label]} (${percent(share(label, predicted))})`;
    hint.hidden = false;
    hint.style.left = Math.max(4, Math.min(x + 14, innerWidth - 350)) + "px"; hint.style.top = Math.min(y + 14, innerHeight - 60) + "px";
  }
  canvas.addEventListener("pointermove", event => {
    const box = canvas.getBoundingClientRect(), at = [event.clientY - box.top, event.clientX - box.left];
    const found = at.map((place, axis) => Math.floor(place / (axis ? box.width : box.height) * shown.size));
    if (found.some(one => one < 0 || one >= shown.size)) return;
    if (!cursor || found[0] !== cursor[0] || found[1] !== cursor[1]) { cursor = found; draw(); }
    say(event.clientX, event.clientY);
  });
  const leave = () => { cursor = null; hint.hidden = true; draw(); };
  canvas.addEventListener("pointerleave", leave); canvas.addEventListener("blur", leave);
  canvas.addEventListener("keydown", event => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    cursor = cursor ? cursor.map((one, axis) => Math.max(0, Math.min(shown.size - 1, one + step[axis]))) : [0, 0];
    draw();
    const box = canvas.getBoundingClientRect(), cell = box.width / shown.size;
    say(box.left + cursor[1] * cell, box.top + cursor[0] * cell);
  });
  const caption = () => shown.result.simulated ? [element("caption", "simulated")] : [];
  function confusions() {
    const { tree, size, counts, clips } = shown, found = [];
    for (let i = 0; i < counts.length; i++) {
      const label = Math.floor(i / size), predicted = i % size;
      if (label !== predicted && counts[i]) found.push([counts[i], label, predicted]);
    }
    found.sort((a, b) => b[0] - a[0]);
    const body = element("tbody");
    for (const [count, label, predicted] of found.slice(0, 10))
      body.append(row([[tree.actions[label], "head"], [tree.actions[predicted]], [`${count} of ${clips[label]}`, "number"]]));
    const head = element("thead"); head.append(row([["class"], ["taken for"], ["clips", "number"]], true));
    byId("confusions").replaceChildren(...caption(), head, body);
  }
  function bars() {
    const { tree, size, clips } = shown, numbers = [...Array(size).keys()];
    const recall = label => clips[label] ? share(label, label) : -1;
    if (order.value === "best") numbers.sort((a, b) => recall(b) - recall(a));
    if (order.value === "worst") numbers.sort((a, b) => (recall(a) < 0) - (recall(b) < 0) || recall(a) - recall(b));
    if (order.value === "clips") numbers.sort((a, b) => clips[b] - clips[a]);
    const body = element("tbody");
    for (const label of numbers) {
      const group = tree.group_of[label], made = row([[tree.actions[label], "head"], [group === undefined ? "" : tree.groups[group]], [""],
        [clips[label] ? percent(recall(label)) : "no clips", "number"], [clips[label].toLocaleString("en"), "number"]]);
      if (group === undefined) made.cells[1].hidden = true;
      const meter = element("span", undefined, { class: "meter", "aria-hidden": "true" }), fill = element("i");
      fill.style.width = 100 * Math.max(recall(label), 0) + "%"; fill.style.background = `var(--k${(group || 0) % 8})`;
      meter.append(fill); made.cells[2].append(meter); body.append(made);
    }
    const head = element("thead"); head.append(row([["class"], ["group"], [""], ["recognised", "number"], ["clips", "number"]], true));
    if (!tree.groups.length) head.rows[0].cells[1].hidden = true;
    byId("bars").replaceChildren(...caption(), head, body);
  }
  choice.addEventListener("change", load); order.addEventListener("change", bars);
  addEventListener("resize", draw); matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  load();
}

// Clips: skeletons that move in their own time, while they are on the screen.
function clips() {
  const place = byId("skeletons"), all = byId("all");
  if (!place) return;
  const players = data.skeletons.map(player);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let playing = !still;
  const show = () => { all.textContent = playing ? "pause all" : "play all"; all.setAttribute("aria-pressed", String(playing)); };
  all.addEventListener("click", () => { playing = !playing; players.forEach(one => one.play(playing)); show(); });
  players.forEach(one => one.play(playing)); show();
  const seen = new IntersectionObserver(entries => entries.forEach(entry => { entry.target.onscreen = entry.isIntersecting; }));
  players.forEach(one => seen.observe(one.canvas));
  function loop(now) { for (const one of players) one.step(now); requestAnimationFrame(loop); }
  requestAnimationFrame(loop);
  const redraw = () => players.forEach(one => one.draw());
  addEventListener("resize", redraw); matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  function player(clip) {
    const figure = element("figure"), canvas = element("canvas", undefined, { role: "img" }), caption = element("figcaption");
    const said = `${clip.label}${clip.simulated ? ", simulated" : ""}`;
    canvas.setAttribute("aria-label", `moving skeleton: ${said}, ${clip.task}`);
    caption.append(element("b", clip.label), element("br"));
    const right = clip.predicted === clip.label;
    caption.append(element("span", right ? `recognised, ${clip.percent} %` : `taken for ${clip.predicted}, ${clip.percent} %`, { class: right ? "right" : "wrong" }));
    caption.append(element("br"), element("span", `${clip.task}${clip.simulated ? ", simulated" : ""}`, { class: "soft" }));
    const button = element("button", "play", { type: "button", "aria-label": `play ${said}` });
    const slider = element("input", undefined, { type: "range", min: 0, max: clip.ms.length - 1, value: 0, "aria-label": `frame of ${said}` });
    const controls = element("div", undefined, { class: "controls" });
    controls.append(button, slider); figure.append(canvas, controls, caption); place.append(figure);
    let frame = 0, moving = false, began = null;
    const length = clip.ms[clip.ms.length - 1] + 400;  // a moment of rest before it begins again
    function draw() {
      const context = sharpened(canvas), scale = 0.92 * canvas.width / Math.max(clip.width, clip.height);
      context.setTransform(1, 0, 0, 1, 0, 0); context.clearRect(0, 0, canvas.width, canvas.height);
      if (clip.simulated) { context.fillStyle = colour("--soft"); context.textAlign = "right";
        context.font = `italic ${canvas.width / 20}px sans-serif`; context.fillText("simulated", canvas.width - 6, canvas.width / 18); }
      context.translate((canvas.width - scale * clip.width) / 2, (canvas.height - scale * clip.height) / 2);
      clip.persons.forEach((person, number) => {
        const at = person[frame]; context.lineCap = "round"; context.lineWidth = canvas.width / 90;
        context.strokeStyle = colour(number ? "--k7" : "--k0"); context.fillStyle = colour(number ? "--k7" : "--k1");
        context.beginPath();
        for (const [a, b] of clip.limbs) if (at[2 * a] >= 0 && at[2 * b] >= 0) {
          context.moveTo(scale * at[2 * a], scale * at[2 * a + 1]); context.lineTo(scale * at[2 * b], scale * at[2 * b + 1]); }
        context.stroke();
        for (let i = 0; i < at.length; i += 2) if (at[i] >= 0) {
          context.beginPath(); context.arc(scale * at[i], scale * at[i + 1], canvas.width / 130, 0, 6.3); context.fill(); }
      });
    }
    function to(number) { frame = number; slider.value = number; slider.setAttribute("aria-valuetext", `${(clip.ms[number] / 1000).toFixed(1)} s`); draw(); }
    function play(on) { moving = on; began = null; button.textContent = on ? "pause" : "play"; button.setAttribute("aria-label", `${on ? "pause" : "play"} ${said}`); }
    function step(now) {
      if (!moving || canvas.onscreen === false) return;
      if (began === null) began = now - clip.ms[frame];
      const time = (now - began) % length;
      let next = clip.ms.findIndex(one => one > time); next = (next < 0 ? clip.ms.length : next) - 1;
      if (next >= 0 && next !== frame) to(next);
    }
    button.addEventListener("click", () => play(!moving));
    slider.addEventListener("input", () => { play(false); to(Number(slider.value)); });
    figure.addEventListener("keydown", event => { if (event.key === " " && event.target === slider) { event.preventDefault(); play(!moving); } });
    to(0);
    return { canvas, draw, play, step };
  }
}
classes();
clips();
