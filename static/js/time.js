// Times: in the viewer's zone, and ages that stay true while the page is open. The words are those of views/text.go.
{
  const steps = [[60, 1, "second"], [3600, 60, "minute"], [48 * 3600, 3600, "hour"], [60 * 86400, 86400, "day"], [Infinity, 30 * 86400, "month"]];

  const age = (time) => {
    const seconds = Math.floor((Date.now() - time) / 1000);
    if (seconds < 5) return "just now";
    const [, size, noun] = steps.find(([most]) => seconds < most);
    const n = Math.floor(seconds / size);
    return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"} ago`;
  };

  const part = (time, options) => new Intl.DateTimeFormat("en-GB", options).format(time);
  const date = (time, more) => part(time, { day: "numeric", month: "short", year: "numeric" }) + ", " + part(time, { hour: "2-digit", minute: "2-digit", ...more });
  const texts = { age, date, second: (time) => date(time, { second: "2-digit" }) };

  const update = () => {
    // What is typed as a time is in the viewer's zone too.
    for (const input of document.querySelectorAll("input[data-zone]")) input.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const element of document.querySelectorAll("time[data-time]")) {
      const text = texts[element.dataset.time](new Date(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
  };

  update();
  document.addEventListener("htmx:after:swap", update);
  setInterval(update, 1000);
}
