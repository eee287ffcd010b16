// The incident's curve, to be looked at closely: values under the pointer, drag to zoom, double click to see it all again. Without
// this, the server's picture stands.
const figure = () => document.getElementById("chart");
let plot = null, drawn = "";

function colour(name) { return getComputedStyle(figure()).getPropertyValue(`--${name}`).trim(); }

function signs(u) {
  const { ctx, bbox } = u, marks = JSON.parse(figure().dataset.marks), ratio = devicePixelRatio;
  ctx.save();
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.font = `600 ${11 * ratio}px Inter, sans-serif`;
  let ends = [];
  for (const [at, words, tone] of marks.sort((a, b) => a[0] - b[0])) {
    const x = Math.round(u.valToPos(at, "x", true));
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    ctx.strokeStyle = ctx.fillStyle = colour(tone);
    ctx.setLineDash([3 * ratio, 4 * ratio]);
    ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
    const width = ctx.measureText(words).width, left = x + width + 8 * ratio > bbox.left + bbox.width && x - width > bbox.left;
    const from = left ? x - width - 6 * ratio : x + 5 * ratio;
    let row = ends.findIndex((end) => end < from);
    if (row < 0) row = ends.push(0) - 1;
    ends[row] = from + width + 10 * ratio;
    const down = bbox.top + (12 + 17 * row) * ratio;
    ctx.fillStyle = colour("panel");
    ctx.fillRect(from - 3 * ratio, down - 11 * ratio, width + 6 * ratio, 15 * ratio);
    ctx.fillStyle = colour(tone);
    ctx.fillText(words, from, down);
  }
  ctx.restore();
}

function draw() {
  const here = figure();
  if (!here || !here.dataset.points || !window.uPlot) return;
  const look = here.dataset.points + here.dataset.marks + here.clientWidth + colour("text");
  if (look === drawn) return;
  drawn = look;
  const [at, seen, expected, lower, upper] = JSON.parse(here.dataset.points), words = here.dataset.words.split("|");
  const out = seen.map((v, i) => (v !== null && upper[i] !== null && (v > upper[i] || v < lower[i]) ? v : null));
  const lang = document.documentElement.lang === "en" ? "en" : "es-CO";
  const number = new Intl.NumberFormat(lang, { maximumFractionDigits: 2 });
  const hour = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: here.dataset.zone });
  const value = (u, v) => (v === null ? "—" : number.format(v));
  const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px Inter, sans-serif" };
  const options = {
    width: here.clientWidth, height: Math.max(240, Math.min(360, here.clientWidth / 3)),
    cursor: { points: { size: 7 }, drag: { x: true, y: false } },
    legend: { live: true },
    tzDate: (s) => uPlot.tzDate(new Date(1000 * s), here.dataset.zone),
    scales: { y: { range: (u, low, high) => [Math.min(0, low), Math.max(1, high) * 1.15] } },
    axes: [{ ...axis, values: (u, all) => all.map((s) => hour.format(1000 * s)), space: 70 }, { ...axis, values: (u, all) => all.map((v) => number.format(v)), size: 60 }],
    series: [
      { label: words[0], value: (u, s) => (s === null ? "—" : hour.format(1000 * s)) },
      { label: words[3], stroke: "transparent", value, points: { show: false } },
      { label: words[4], stroke: "transparent", value, points: { show: false } },
      { label: words[2], stroke: colour("quiet"), width: 1.2, dash: [4, 4], value, points: { show: false } },
      { label: words[1], stroke: colour("text"), width: 1.6, value, points: { show: false } },
      { label: "", stroke: colour("tone"), width: 2.6, points: { show: true, size: 5, fill: colour("tone") }, show: true },
    ],
    bands: [{ series: [2, 1], fill: colour("band") }],
    hooks: { draw: [signs] },
  };
  plot?.destroy();
  let box = here.querySelector(".live");
  if (!box) {
    box = document.createElement("div");
    box.className = "live";
    box.dataset.own = "yes";
    box.setAttribute("aria-hidden", "true");  // the picture beneath it is described
    here.append(box);
  }
  here.classList.add("drawn");
  plot = new uPlot(options, [at, lower, upper, expected, seen, out], box);
}

document.addEventListener("DOMContentLoaded", draw);
document.addEventListener("renewed", draw);
window.addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
