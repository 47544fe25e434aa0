const body = document.querySelector("tbody"), rows = [...body.rows];
const heads = [...document.querySelectorAll("thead th")];
function sortBy(column, falling) {
  const value = row => { const v = row.cells[column].dataset.v; return v === "" ? null : v; };
  const number = heads[column].dataset.kind === "number";
  rows.sort((a, b) => {
    const x = value(a), y = value(b);
    if (x === null || y === null) return (x === null) - (y === null);
    const order = number ? x - y : x.localeCompare(y);
    return falling ? -order : order;
  });
  body.append(...rows);
  heads.forEach((head, i) => i === column ? head.setAttribute("aria-sort", falling ? "descending" : "ascending")
    : head.removeAttribute("aria-sort"));
}
heads.forEach((head, i) => head.querySelector("button").addEventListener("click",
  () => sortBy(i, head.getAttribute("aria-sort") === "ascending")));
const search = document.querySelector("input[type=search]"), boxes = [...document.querySelectorAll("input[type=checkbox]")];
function filter() {
  const text = search.value.toLowerCase(), shown = new Set(boxes.filter(b => b.checked).map(b => b.value));
  for (const row of rows) row.hidden = !shown.has(row.dataset.verdict) || !row.textContent.toLowerCase().includes(text);
}
search.addEventListener("input", filter);
boxes.forEach(box => box.addEventListener("change", filter));
