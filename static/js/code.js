// Forms that print themselves: as long as one of their "as …" parts is open, the code follows what is typed. Advice that depends on
// what is typed follows it too.
{
  const refresh = (form) => {
    const code = form?.querySelector("#form-code");
    if (code?.querySelector("details[open]")) htmx.trigger(code, "code");
    form?.querySelectorAll("[data-advice]").forEach((advice) => htmx.trigger(advice, "code"));
  };
  document.addEventListener("input", (event) => refresh(event.target.form));
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("details[data-code][open]")) refresh(event.target.closest("form"));
  }, true);
}
