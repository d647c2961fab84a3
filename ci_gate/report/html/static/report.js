// Draws the charts, sorts the tables and switches the theme. It reads one JSON element, and nothing from outside.
"use strict";
(() => {
  const root = document.documentElement;
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const drawn = [];
  const narrow = 560;

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  // Colours of the canvas are those of the style sheet, asked for again whenever the theme changes.
  const asker = make("span", { hidden: "" });
  document.body.append(asker);
  const known = new Map();
  const colour = (name) => {
    if (!known.has(name)) {
      asker.style.color = `var(--${name})`;
      known.set(name, getComputedStyle(asker).color);
    }
    return known.get(name);
  };
  const tint = (name, alpha) => colour(name).replace("rgb(", "rgba(").replace(")", `, ${alpha})`);

  // ---- Numbers as text, as in the tables
  const plain = (value) =>
    value >= 100
      ? Math.round(value).toLocaleString("en-GB")
      : String(Number(value.toPrecision(3)));
  const clock = (seconds) => {
    const whole = Math.round(seconds);
    const sign = whole < 0 ? "-" : "";
    const [minutes, rest] = [Math.floor(Math.abs(whole) / 60), Math.abs(whole) % 60];
    const tail = `${String(rest).padStart(2, "0")}`;
    return minutes < 60
      ? `${sign}${minutes}:${tail}`
      : `${sign}${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${tail}`;
  };
  const milliseconds = (value) => (value >= 1000 ? `${plain(value / 1000)} s` : `${plain(value)} ms`);
  const showX = (chart, value) =>
    ({
      elapsed: () => clock(value),
      ms: () => milliseconds(value),
      name: () => chart.x_names[value] ?? "",
      number: () => plain(value),
    })[chart.x_kind]();
  const showY = (value) => (value === null || value === undefined ? "–" : plain(value));

  // ---- What is drawn under and over the lines
  const shadeSpans = (chart) => (u) => {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    for (const span of chart.spans) {
      const [left, right] = [span.begin, span.end].map((x) =>
        Math.min(Math.max(u.valToPos(x, "x", true), bbox.left), bbox.left + bbox.width));
      if (right <= left) continue;
      if (!span.is_plain) {
        ctx.fillStyle = tint("grey", 0.13);
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      }
      if (ctx.measureText(span.label).width + 8 * ratio < right - left) {
        ctx.fillStyle = colour("soft");
        ctx.fillText(span.label, left + 4 * ratio, bbox.top + 3 * ratio);
      }
    }
    ctx.restore();
  };

  const drawMarks = (chart) => (u) => {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    const taken = [];
    ctx.save();
    ctx.font = `600 ${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "left";
    ctx.lineWidth = 1.5 * ratio;
    for (const mark of chart.marks) {
      const at = u.valToPos(mark.at, mark.axis, true);
      ctx.strokeStyle = ctx.fillStyle = colour(mark.tone);
      ctx.setLineDash([6 * ratio, 4 * ratio]);
      ctx.beginPath();
      if (mark.axis === "y") {
        ctx.moveTo(bbox.left, at);
        ctx.lineTo(bbox.left + bbox.width, at);
      } else {
        ctx.moveTo(at, bbox.top);
        ctx.lineTo(at, bbox.top + bbox.height);
      }
      ctx.stroke();
      placeLabel(ctx, bbox, ratio, taken, mark, at);
    }
    ctx.restore();
  };

  // A label keeps clear of the edges and of the labels before it, and of the lines by a plate behind it.
  const placeLabel = (ctx, bbox, ratio, taken, mark, at) => {
    const [width, height] = [ctx.measureText(mark.label).width + 8 * ratio, 15 * ratio];
    let left = mark.axis === "y" ? bbox.left + bbox.width - width : at + 3 * ratio;
    left = Math.max(bbox.left, Math.min(left, bbox.left + bbox.width - width));
    let top = mark.axis === "y" ? at - height - 1 * ratio : bbox.top + 18 * ratio;
    if (top < bbox.top) top = at + 2 * ratio;
    const beside = (other) =>
      left < other.left + other.width && other.left < left + width && Math.abs(top - other.top) < height;
    for (let hit = taken.find(beside); hit; hit = taken.find(beside)) left = hit.left - width - 3 * ratio;
    taken.push({ left, top, width });
    const ink = ctx.fillStyle;
    ctx.fillStyle = colour("card");
    ctx.globalAlpha = 0.82;
    ctx.fillRect(left, top, width, height);
    ctx.globalAlpha = 1;
    ctx.fillStyle = ink;
    ctx.textBaseline = "middle";
    ctx.fillText(mark.label, left + 4 * ratio, top + height / 2);
  };

  // ---- A chart as uPlot's options
  const rangeY = (chart) => (u, low, high) => {
    const marks = chart.marks.filter((mark) => mark.axis === "y").map((mark) => mark.at);
    const values = [low, high, ...marks].filter((value) => value !== null && Number.isFinite(value));
    if (chart.y_is_log) {
      const positive = values.filter((value) => value > 0);
      if (!positive.length) return [1, 10];
      return uPlot.rangeLog(Math.min(...positive) / 1.2, Math.max(...positive) * 1.5, 10, false);
    }
    if (chart.y_is_close && values.length) {
      const [least, most] = [Math.min(...values), Math.max(...values)];
      const room = Math.max(most - least, most * 0.1) * 0.2;
      return [Math.max(least - room, 0), most + 1.5 * room];
    }
    const top = Math.max(...values, 0);
    return [Math.min(...values, 0), top > 0 ? top * 1.14 : 1];
  };
  const rangeX = (chart) => (u, low, high) => {
    const spans = chart.spans.flatMap((span) => [span.begin, span.end]);
    const marks = chart.marks.filter((mark) => mark.axis === "x").map((mark) => mark.at);
    if (low === null) return [0, 1];
    const isWhole = low === chart.x[0] && high === chart.x.at(-1);
    const all = isWhole ? [low, high, ...spans, ...marks] : [low, high];
    const [begin, end] = [Math.min(...all), Math.max(...all)];
    if (chart.x_is_log) return [begin / (isWhole ? 1.1 : 1), end * (isWhole ? 1.1 : 1)];
    if (chart.x_kind === "name" && isWhole) return [begin - 0.5, end + 0.5];
    return end > begin ? [begin, end] : [begin - 1, end + 1];
  };

  const axis = (extra) => ({
    stroke: () => colour("soft"),
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: () => tint("grey", 0.22), width: 1 },
    ticks: { stroke: () => tint("grey", 0.35), width: 1, size: 4 },
    ...extra,
  });
  const widest = (u, values) => {
    const longest = Math.max(0, ...(values ?? []).map((text) => String(text ?? "").length));
    return 16 + longest * 7.2;
  };
  const incrementsX = {
    elapsed: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200],
    name: [1, 2, 5, 10, 20, 50, 100],
  };
  const spaceX = (chart) =>
    chart.x_kind === "name" ? 16 + 7 * Math.max(...chart.x_names.map((name) => shorten(name).length)) : 56;
  const shorten = (name) => (name.length > 18 ? `${name.slice(0, 17)}…` : name);
  const labelX = (chart, at) => {
    if (chart.x_kind !== "name") return showX(chart, at);
    return Number.isInteger(at) ? shorten(showX(chart, at)) : "";
  };
  // Of a logarithmic axis the round values, as many as there is room for.
  const roundWithin = (low, high, length, space) => {
    const choices = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1, 3], [1]].map((digits) => {
      const found = [];
      for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) {
        found.push(...digits.map((digit) => Number(`${digit}e${power}`)).filter((at) => at >= low && at <= high));
      }
      return found;
    });
    const perDecade = length / Math.log10(high / low);
    const hasRoom = (found) => found.every((at, index) => !index || perDecade * Math.log10(at / found[index - 1]) >= space);
    return choices.find(hasRoom) ?? [];
  };
  const logarithmic = (lengthOf, space) => ({
    filter: (u, splits) => splits,
    splits: (u, index, low, high) => roundWithin(low, high, lengthOf(u), space),
  });
  const axes = (chart) => [
    axis({
      size: 30,
      space: spaceX(chart),
      incrs: incrementsX[chart.x_kind],
      values: (u, splits) => splits.map((at) => labelX(chart, at)),
      ...(chart.x_is_log ? logarithmic((u) => u.width - 70, 52) : {}),
    }),
    axis({
      size: widest,
      space: 34,
      ticks: { show: false },
      values: (u, splits) => splits.map(plain),
      ...(chart.y_is_log ? logarithmic((u) => u.height - 40, 22) : {}),
    }),
  ];

  const series = (chart) => {
    const stepped = uPlot.paths.stepped({ align: 1 });
    const options = chart.lines.map((line) => ({
      label: line.label,
      stroke: () => colour(line.colour),
      width: 1.6,
      dash: line.is_dashed ? [5, 3] : undefined,
      spanGaps: line.has_points, // the points say where a value is
      fill: line.is_filled ? () => tint(line.colour, 0.16) : undefined,
      points: { show: line.has_points || isSparse(line.values), size: 6, fill: () => colour(line.colour) },
      paths: chart.is_stepped ? stepped : undefined,
    }));
    const edges = chart.lines.flatMap((line) => (line.low.length ? [0, 1] : []));
    return [{}, ...options, ...edges.map(() => ({ width: 0, points: { show: false } }))];
  };
  // A value between gaps has no line to be seen by.
  const isSparse = (values) => values.filter((value) => value !== null).length < 3;

  const bands = (chart) => {
    let next = chart.lines.length + 1;
    return chart.lines
      .filter((line) => line.low.length)
      .map((line) => {
        next += 2;
        return { series: [next - 1, next - 2], fill: () => tint(line.colour, 0.18) };
      });
  };
  const columns = (chart) => [
    chart.x,
    ...chart.lines.map((line) => line.values),
    ...chart.lines.flatMap((line) => (line.low.length ? [line.low, line.high] : [])),
  ];

  const draw = (place) => {
    const chart = charts[place.dataset.chart];
    const height = () => (place.clientWidth < narrow ? 200 : 230);
    const legend = makeLegend(chart);
    const options = {
      width: Math.max(place.clientWidth, 200),
      height: height(),
      padding: [8, chart.x_is_log ? 26 : 12, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: true, y: false, dist: 6 },
        sync: chart.sync ? { key: chart.sync, setSeries: false } : undefined,
        points: { size: 7 },
      },
      scales: {
        x: { time: false, distr: chart.x_is_log ? 3 : 1, range: rangeX(chart) },
        y: { distr: chart.y_is_log ? 3 : 1, range: rangeY(chart) },
      },
      axes: axes(chart),
      series: series(chart),
      bands: bands(chart),
      hooks: { drawClear: [shadeSpans(chart)], draw: [drawMarks(chart)], setCursor: [(u) => legend.read(u)] },
    };
    const u = new uPlot(options, columns(chart), place);
    legend.connect(u);
    place.after(legend.element, legend.spoken);
    listenToKeys(place, chart, u, legend);
    new ResizeObserver(() => {
      if (place.clientWidth && place.clientWidth !== u.width) u.setSize({ width: place.clientWidth, height: height() });
    }).observe(place);
    drawn.push(u);
  };

  // ---- The legend shows values at the cursor; its buttons hide lines
  const swatch = (line) => {
    const ns = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(ns, "svg");
    const stroke = document.createElementNS(ns, "path");
    for (const [name, value] of Object.entries({
      d: "M1 4H21", "stroke-width": 3, fill: "none", stroke: `var(--${line.colour})`,
      "stroke-dasharray": line.is_dashed ? "5 3" : "none",
    })) stroke.setAttribute(name, value);
    svg.setAttribute("aria-hidden", "true");
    svg.append(stroke);
    return svg;
  };

  const makeLegend = (chart) => {
    const at = make("span", { class: "at" });
    const values = chart.lines.map(() => make("b", {}, ""));
    const attributes = { type: "button", "aria-pressed": "true", title: "Show or hide this line" };
    const buttons = chart.lines.map((line, index) =>
      make("button", attributes, swatch(line), line.label, values[index]));
    const element = make("div", { class: "legend" }, ...buttons, at);
    const spoken = make("p", { class: "unseen", role: "status" });
    const spanAt = (x) => chart.spans.find((span) => x >= span.begin && x < span.end)?.label;
    return {
      element,
      spoken,
      connect: (u) =>
        buttons.forEach((button, index) =>
          button.addEventListener("click", () => {
            const show = button.getAttribute("aria-pressed") !== "true";
            button.setAttribute("aria-pressed", String(show));
            u.setSeries(index + 1, { show });
          })),
      read: (u) => {
        const index = u.cursor.idx;
        const has = index !== null && index !== undefined && u.cursor.left >= 0;
        at.textContent = has ? showX(chart, chart.x[index]) : "";
        values.forEach((value, line) => { value.textContent = has ? showY(chart.lines[line].values[index]) : ""; });
      },
      say: (index) => {
        const values = chart.lines.map((line) => `${line.label} ${showY(line.values[index])}`);
        const span = spanAt(chart.x[index]);
        spoken.textContent = `${showX(chart, chart.x[index])}${span ? `, ${span}` : ""}: ${values.join(", ")}`;
      },
    };
  };

  // ---- Arrow keys move the cursor, as a mouse does
  const listenToKeys = (place, chart, u, legend) => {
    const attributes = {
      tabindex: "0", role: "application", "aria-roledescription": "chart", "aria-label":
        `${chart.title}. Arrow keys read the values.`, "aria-describedby": `${chart.key}-summary`,
    };
    for (const [name, value] of Object.entries(attributes)) place.setAttribute(name, value);
    const last = chart.x.length - 1;
    const steps = {
      ArrowRight: (at) => at + 1, ArrowLeft: (at) => at - 1, PageDown: (at) => at + 10, PageUp: (at) => at - 10,
      Home: () => 0, End: () => last,
    };
    place.addEventListener("keydown", (event) => {
      if (event.key === "Escape") u.setCursor({ left: -10, top: -10 }, true, true);
      const step = steps[event.key];
      if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const now = u.cursor.left >= 0 ? u.cursor.idx : null;
      const index = now === null || now === undefined
        ? (event.key === "ArrowLeft" || event.key === "End" ? last : 0)
        : Math.max(0, Math.min(last, step(now)));
      u.setCursor({ left: u.valToPos(chart.x[index], "x"), top: 10 }, true, true);
      legend.say(index);
    });
  };

  // ---- Every value of a chart as a table, made when it is first opened
  const fillFigures = (details, chart) => {
    const head = make("tr", {}, ...[chart.x_label || "x", ...chart.lines.map((line) => line.label)].map((text, index) =>
      make("th", index ? { scope: "col", class: "number" } : { scope: "col" }, text)));
    const rows = chart.x.map((x, index) =>
      make("tr", {}, make("th", { scope: "row" }, showX(chart, x)),
        ...chart.lines.map((line) => make("td", { class: "number" }, showY(line.values[index])))));
    const table = make("table", {}, make("caption", {}, `${chart.title}: every point of the chart (${chart.y_label})`),
      make("thead", {}, head), make("tbody", {}, ...rows));
    details.append(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${chart.title}: every point` }, table));
  };

  // ---- Tables sort by their heads: once up, once more down. What nobody measured stays at the end.
  const sortBy = (table, index, direction) => {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const pinned = rows.splice(0, Number(table.dataset.pinned));
    const isNumber = table.tHead.rows[0].cells[index].classList.contains("number");
    const keyOf = (row) => {
      const cell = row.cells[index];
      return isNumber ? (cell.dataset.key === undefined ? null : Number(cell.dataset.key)) : cell.textContent;
    };
    const compare = (a, b) => (isNumber ? a - b : a.localeCompare(b, "en", { numeric: true }));
    rows.sort((one, other) => {
      const [a, b] = [keyOf(one), keyOf(other)];
      if (a === null || b === null) return (a === null) - (b === null);
      return direction * compare(a, b);
    });
    body.append(...pinned, ...rows);
  };
  const makeSortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, index) => {
      const button = make("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const first = head.classList.contains("number") ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const next = head.getAttribute("aria-sort") === first ? other : first;
        heads.forEach((each) => each.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", next);
        sortBy(table, index, next === "ascending" ? 1 : -1);
      });
    });
  };

  // ---- Theme: what the system says, unless chosen here
  const stored = { // a page opened from a file may have no storage
    read: () => { try { return localStorage.getItem("ci-gate-theme"); } catch { return null; } },
    write: (value) => { try { localStorage.setItem("ci-gate-theme", value); } catch { /* it lasts as long as the page */ } },
  };
  const repaint = () => { known.clear(); drawn.forEach((u) => u.redraw(false)); };
  const themes = ["auto", "light", "dark"];
  const setTheme = (theme) => {
    root.dataset.theme = theme;
    document.querySelector("#theme span").textContent = theme;
    repaint();
  };
  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
    setTheme(next);
    stored.write(next);
  });
  setTheme(themes.includes(stored.read()) ? stored.read() : "auto");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  let before = "auto";
  addEventListener("beforeprint", () => { before = root.dataset.theme; setTheme("light"); });
  addEventListener("afterprint", () => setTheme(before));

  document.querySelectorAll(".plot[data-chart]").forEach(draw);
  document.querySelectorAll("table.sorts").forEach(makeSortable);
  document.querySelectorAll(".chart .figures").forEach((details) => {
    const chart = charts[details.closest("figure").id];
    details.addEventListener("toggle", () => fillFigures(details, chart), { once: true });
  });
  queueMicrotask(() => { // behind those in which uPlot draws
    root.dataset.ready = "true";
    performance.mark("drawn");
  });
})();
