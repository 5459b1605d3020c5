// Dialogs come from the server into #overlay; here they are opened and closed. Menus are popovers, which need help only with
// their place.
{
  const overlay = document.getElementById("overlay");

  // show opens a dialog that has come, and takes care that one whose content has changed keeps the focus.
  const show = () => {
    const dialog = overlay.querySelector("dialog");
    if (!dialog) return;
    if (!dialog.open) {
      dialog.addEventListener("close", () => dialog.remove());
      dialog.showModal();
      if (!dialog.querySelector("[autofocus]")) dialog.querySelector("h2").focus();
    } else if (!dialog.contains(document.activeElement)) {
      dialog.querySelector("h2").focus();
    }
    const wrong = document.activeElement;
    // Correcting goes on at the end. Dates and email addresses have no selection.
    if (wrong?.ariaInvalid && wrong.selectionStart != null) wrong.setSelectionRange(wrong.value.length, wrong.value.length);
  };

  document.addEventListener("htmx:after:swap", show);

  // The server says that the work of a dialog is done. What had the focus before it goes away, such as the row of a deleted token.
  document.addEventListener("dialog:done", () => {
    overlay.querySelector("dialog")?.close();
    document.getElementById("main").focus({ preventScroll: true });
  });

  document.addEventListener("click", (event) => {
    const closer = event.target.closest("dialog [data-close]");
    if (!closer) return;
    event.preventDefault();
    closer.closest("dialog").close();
  });

  // A menu closes when one of its actions is taken, and gives the focus back, so that a dialog can return it in turn.
  document.addEventListener("submit", (event) => event.target.closest(".menu")?.hidePopover());

  // Without anchor positioning the browser puts a menu into the middle of the window.
  if (!CSS.supports("position-area: block-end")) {
    document.addEventListener("toggle", (event) => {
      const menu = event.target;
      if (event.newState !== "open" || !menu.classList.contains("menu")) return;
      const button = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`).getBoundingClientRect();
      const top = button.bottom + menu.offsetHeight > innerHeight ? button.top - menu.offsetHeight : button.bottom;
      Object.assign(menu.style, { top: top + "px", left: Math.max(8, button.right - menu.offsetWidth) + "px" });
    }, true);
  }
}
