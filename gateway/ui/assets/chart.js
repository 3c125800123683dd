// Draws columns of the table of the last hour as lines. The table says the same to those who do not see them.
const ns = "http://www.w3.org/2000/svg";
const height = 176, left = 44, right = 8, top = 10, bottom = 22;
const styles = ["half", "most"];

function element(name, attributes, text) {
  const e = document.createElementNS(ns, name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
}

// nice is the least of 1, 2 and 5 times a power of ten that is not below v.
function nice(v) {
  if (!(v > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= v * 0.999);
}

export function draw(at, table, columns) {
  const width = Math.max(200, at.clientWidth); // one unit is a pixel, so that texts can be read on a phone
  const rows = Array.from(table.tBodies[0].rows);
  const series = columns.map((c) => rows.map((r) => Number.parseFloat(r.cells[c].textContent)));
  const most = nice(Math.max(0, ...series.flat().filter(Number.isFinite)));
  const x = (i) => left + (i * (width - left - right)) / Math.max(1, rows.length - 1);
  const y = (v) => height - bottom - (v * (height - top - bottom)) / most;
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" });
  for (const v of [0, most / 2, most]) {
    svg.append(element("line", { x1: left, x2: width - right, y1: y(v), y2: y(v) }));
    svg.append(element("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, String(v)));
  }
  for (const i of [0, Math.floor(rows.length / 2), rows.length - 1]) {
    const anchor = i === 0 ? "start" : i === rows.length - 1 ? "end" : "middle";
    svg.append(element("text", { x: x(i), y: height - 6, "text-anchor": anchor }, rows[i].cells[0].textContent));
  }
  series.forEach((values, n) => {
    let run = [];
    const end = () => {
      if (run.length === 1) svg.append(element("circle", { class: styles[n], cx: run[0][0], cy: run[0][1], r: 2.5 }));
      if (run.length > 1) svg.append(element("polyline", { class: "line " + styles[n], points: run.map((p) => p.join(",")).join(" ") }));
      run = [];
    };
    values.forEach((v, i) => (Number.isFinite(v) ? run.push([x(i).toFixed(1), y(v).toFixed(1)]) : end()));
    end();
  });
  at.replaceChildren(svg);
}
