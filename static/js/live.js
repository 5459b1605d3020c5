// Live pages: the server says that something has changed, and the parts of the page that show it fetch themselves anew (see hxLive
// in views/hx.go). A hidden page does not listen: a browser opens six connections to a server at most, for all its windows.
{
  const retryAfter = 2000; // ms
  const figuresEvery = 10000; // ms, as the server reads them
  const main = document.querySelector("main[data-events]");
  const offline = document.getElementById("offline");
  let source;
  let timer;
  let failures = 0;

  const stop = () => {
    clearTimeout(timer);
    source?.close();
  };

  const changed = () => htmx.trigger(document.body, "changed");

  const listen = () => {
    stop();
    if (document.hidden || !main.dataset.events) { // what the page showed may have been deleted
      offline.hidden = true;
      return;
    }
    source = new EventSource(main.dataset.events);
    // The first message comes with the connection, so that nothing is missed in between.
    source.addEventListener("changed", () => {
      failures = 0;
      offline.hidden = true;
      changed();
    });
    source.addEventListener("error", () => {
      stop();
      failures++;
      offline.hidden = failures < 2;
      timer = setTimeout(() => {
        changed(); // leads to sign-in when it was the session that ended
        listen();
      }, retryAfter);
    });
  };

  if (main) {
    document.addEventListener("visibilitychange", listen);
    addEventListener("pagehide", stop);
    addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
    listen();
    // Figures change all the time, so no event tells of them.
    setInterval(() => { if (!document.hidden && offline.hidden) htmx.trigger(document.body, "figures"); }, figuresEvery);
  }
}
