// Copying: buttons with data-copy-text copy that text, forms with data-copy-secret copy what their POST answers. Pages on plain
// http have no navigator.clipboard; there a selected text field and the old copy command do it. Where that fails too, the text
// stands selected in a dialog. "Copied" is said only when it is true.
{
  const said = new WeakMap();

  const say = (control, text) => {
    const status = control.closest(".copy").querySelector(".copied");
    status.textContent = text;
    clearTimeout(said.get(status));
    said.set(status, setTimeout(() => { status.textContent = ""; }, 2000));
  };

  // The field must be inside an open modal dialog: everything outside is inert, and cannot be selected.
  const copyByCommand = (text) => {
    const back = document.activeElement;
    const field = document.createElement("textarea");
    field.value = text;
    field.readOnly = true;
    field.className = "offscreen";
    (back?.closest("dialog[open]") ?? document.body).append(field);
    field.select();
    let done = false;
    try { done = document.execCommand("copy"); } catch { /* refused: done stays false */ }
    field.remove();
    back?.focus({ preventScroll: true });
    return done;
  };

  const toClipboard = async (text) => {
    if (navigator.clipboard?.writeText) {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch { /* not allowed: try the old way */ }
    }
    return copyByCommand(text);
  };

  const element = (name, props, ...children) => {
    const e = Object.assign(document.createElement(name), props);
    e.append(...children);
    return e;
  };

  // notCopied is a dialog that says why. It goes away with all that is in it when it is closed.
  const notCopied = (reason, ...more) => {
    const close = element("button", { type: "button", className: "button", textContent: "Close" });
    const dialog = element("dialog", { className: "modal", ariaLabel: "Not copied" },
      element("div", { className: "dialog-body" }, element("p", { role: "alert", textContent: "Not copied: " + reason }), ...more),
      element("footer", { className: "dialog-foot" }, close));
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  };

  // copyByHand leaves the text selected.
  const copyByHand = (text) => {
    const field = element("textarea", { value: text, readOnly: true, rows: 4, ariaLabel: "Text to copy" });
    notCopied("the browser did not allow it. The text is selected below; press Ctrl+C.", element("div", { className: "field" }, field));
    field.focus();
    field.select();
  };

  const copy = async (control, text) => {
    if (await toClipboard(text)) say(control, "Copied");
    else copyByHand(text);
  };

  // What the server says instead of a secret is for people, and short.
  const fetchText = async (form) => {
    const answer = await fetch(form.action, { method: "POST", headers: { Accept: "text/plain" }, cache: "no-store" });
    const text = await answer.text();
    if (answer.status === 401) location.reload(); // the session has ended: the page leads to sign-in
    if (!answer.ok) throw new Error(text);
    return text;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy-text]");
    if (button) copy(button, button.dataset.copyText);
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-copy-secret]");
    if (!form) return;
    event.preventDefault();
    let text;
    try {
      text = await fetchText(form);
    } catch (error) {
      notCopied(error instanceof TypeError ? "Gatehouse does not answer. Check the connection and try again." : error.message);
      return;
    }
    await copy(form, text);
  });
}
