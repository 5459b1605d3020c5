// Tabs, as https://www.w3.org/WAI/ARIA/apg/patterns/tabs/ has them.
{
  const select = (tab, focus) => {
    for (const other of tab.parentElement.querySelectorAll("[role=tab]")) {
      const chosen = other === tab;
      other.ariaSelected = String(chosen);
      other.tabIndex = chosen ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
    }
    if (focus) tab.focus();
  };

  document.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) select(tab);
  });

  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest("[role=tab]");
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!tab || !step) return;
    const all = [...tab.parentElement.querySelectorAll("[role=tab]")];
    select(all[(all.indexOf(tab) + step + all.length) % all.length], true);
  });

  // Those of a deployment are links to pages, in a row that may be wider than the screen.
  const reveal = () => {
    const current = document.querySelector(".tabs [aria-current]");
    const row = current?.parentElement;
    if (row) row.scrollLeft = current.offsetLeft - (row.clientWidth - current.offsetWidth) / 2;
  };
  addEventListener("resize", reveal);
  reveal();
}
