// Charts: the page says everything in words and numbers; here uPlot draws the lines, from the JSON at data-charts. Colours and dashes
// are those of the legend, which the style sheet gives. Where the mouse is, all legends show the values of that time.
{
  const height = 200; // px, as in the style sheet
  const plots = new Map(); // by element
  let asked, drawn; // the request for data, and the URL of what is drawn

  const digits = (n) => String(Number(n.toPrecision(3)));
  const scaled = (units, rest) => (n) => {
    const unit = units.find(([size]) => n >= size * 0.9995);
    return unit ? digits(n / unit[0]) + unit[1] : rest(n);
  };
  const amount = scaled([[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]], digits);
  const size = scaled([[2 ** 40, " TB"], [2 ** 30, " GB"], [2 ** 20, " MB"], [2 ** 10, " KB"]], (n) => (Math.round(n) === 1 ? "1 byte" : `${Math.round(n)} bytes`));
  // The words are those of views/monitoring.go.
  const texts = {
    "count": amount,
    "per second": (n) => amount(n) + "/s",
    "bytes": size,
    "bytes per second": (n) => size(n) + "/s",
    "seconds": (n) => (n < 1 ? digits(n * 1000) + " ms" : digits(n) + " s"),
  };

  // Round numbers of the unit for the axis; others are uPlot's own.
  const powers = (base, most, factors) => Array.from({ length: most }, (_, i) => base ** i).flatMap((n) => factors.map((f) => f * n));
  const steps = { "count": powers(10, 13, [1, 2, 5]), "bytes": powers(2, 50, [1]), "bytes per second": powers(2, 50, [1]) };

  const part = (options) => new Intl.DateTimeFormat("en-GB", options);
  const clock = part({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const minute = part({ hour: "2-digit", minute: "2-digit" });
  const day = part({ day: "numeric", month: "short" });
  const tick = (time) => (time.getHours() + time.getMinutes() === 0 ? day : minute).format(time);
  const moment = (time, hours) => (hours <= 1 ? clock.format(time) : hours <= 24 ? minute.format(time) : `${day.format(time)}, ${minute.format(time)}`);

  const style = (element) => getComputedStyle(element);
  const dash = (element) => style(element).strokeDasharray.split(",").map(parseFloat).filter((n) => n > 0);
  const card = (plot) => plot.root.closest(".chart");
  // The legend changes a moment before the lines do, and may have become shorter.
  const swatch = (plot, i) => card(plot).querySelectorAll(".legend .line")[i] ?? plot.root;

  // alone gives the points without neighbours, through which no line can be drawn.
  const alone = (values) => values.flatMap((v, i) => (v !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : []));

  // limitOf is where to draw the limit, or 0.
  const limitOf = (plot) => Number(plot.root.closest("[data-chart]")?.dataset.limit ?? 0);

  const drawLimit = (plot) => {
    const sample = card(plot).querySelector(".legend .limit");
    if (!limitOf(plot) || !sample) return;
    const { ctx, bbox } = plot;
    const y = plot.valToPos(limitOf(plot), "y", true);
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = style(sample).stroke;
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.font = `${12 * devicePixelRatio}px ${style(plot.root).fontFamily}`;
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    ctx.fillText("Limit", bbox.left + 4 * devicePixelRatio, y + 4 * devicePixelRatio);
    ctx.restore();
  };

  // tell writes the values under the mouse into the legend, and puts back the latest ones when it has gone.
  const tell = (plot) => {
    const at = plot.cursor.idx;
    const [times] = plot.data;
    card(plot).querySelectorAll("[data-at]").forEach((cell, i) => {
      const value = plot.data[i]?.[at] ?? null;
      if (at == null) {
        cell.textContent = cell.dataset.at;
      } else if (i === 0) {
        cell.textContent = moment(new Date(value * 1000), (times.at(-1) - times[0]) / 3600);
      } else {
        cell.textContent = value === null ? "–" : texts[plot.unit](value);
      }
    });
  };

  const options = (element, chart) => ({
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "charts" }, points: { size: 6 } },
    // Less than one of what is counted would only have 0 on the axis.
    scales: { y: { range: (plot, least, most) => [0, (Math.max(most ?? 0, limitOf(plot), steps[chart.unit] ? 1 : 0) || 1) * 1.08] } },
    axes: [
      { ...axis(element), size: 34, gap: 10, values: (_, times) => times.map((time) => tick(new Date(time * 1000))), space: 56 },
      { ...axis(element), values: (_, values) => values.map((v) => texts[chart.unit](v)), size: 84, space: 28, ...(steps[chart.unit] && { incrs: steps[chart.unit] }) },
    ],
    series: [{}, ...chart.series.map((_, i) => ({
      width: 1.5,
      stroke: (plot) => style(swatch(plot, i)).stroke,
      dash: dash(element.closest(".chart").querySelectorAll(".legend .line")[i]).map((n) => n * devicePixelRatio),
      points: { show: true, size: 5, fill: (plot) => style(swatch(plot, i)).stroke, filter: (plot) => alone(plot.data[i + 1]) },
    }))],
    hooks: { draw: [drawLimit], setCursor: [tell] },
  });

  const axis = (element) => ({
    stroke: () => style(element).color,
    font: "12px " + style(element).fontFamily,
    grid: { stroke: () => style(element).borderTopColor, width: 1 },
    ticks: { show: false },
  });

  const remove = (element) => {
    plots.get(element).destroy();
    plots.delete(element);
  };

  // show draws a chart, anew where its lines are other ones.
  const show = (element, times, chart) => {
    const lines = JSON.stringify([chart.id, chart.series.map((s) => s.label)]);
    const data = [times, ...chart.series.map((s) => s.values)];
    let plot = plots.get(element);
    if (plot?.lines === lines) {
      plot.setData(data);
      return;
    }
    if (plot) remove(element);
    plot = new uPlot(options(element, chart), data, element);
    plot.lines = lines;
    plot.unit = chart.unit;
    plots.set(element, plot);
    resized.observe(element);
  };

  const resized = new ResizeObserver((all) => {
    for (const { target } of all) {
      if (target.clientWidth > 0) plots.get(target)?.setSize({ width: target.clientWidth, height });
    }
  });

  // What the server says is wrong stands on the page; live.js says when it does not answer.
  const ask = async (url) => {
    asked?.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store", signal: asked.signal });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null;
    }
  };

  const update = async () => {
    const charts = document.querySelector("[data-charts]");
    const url = charts?.dataset.charts; // another one is of another period, so the old lines must not stand under its heading
    for (const element of plots.keys()) {
      if (!element.isConnected || url !== drawn) remove(element);
    }
    drawn = url;
    const data = charts?.querySelector("[data-chart]") && await ask(url);
    for (const chart of data?.charts ?? []) {
      const place = charts.querySelector(`[data-chart="${CSS.escape(chart.id)}"]`);
      // The legend may be a little older than the data; the next one fits again.
      const known = place?.closest(".chart").querySelectorAll(".legend tbody [data-at]").length;
      if (known === chart.series.length) show(place.firstElementChild, data.times, chart);
    }
  };

  const redraw = () => plots.forEach((plot) => plot.redraw());

  update();
  document.addEventListener("htmx:after:swap", (event) => { if (event.target.querySelector?.("[data-charts]")) update(); });
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}
