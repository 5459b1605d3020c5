// A request that gets no answer at all must not look like a button that does nothing.
document.addEventListener("htmx:error", (event) => {
  const source = event.detail.ctx?.sourceElement;
  if (!source?.matches?.("form, a")) return; // live updates try again by themselves
  let note = source.querySelector(".field-error.trouble");
  if (!note) {
    note = document.createElement("p");
    note.className = "field-error trouble";
    note.role = "alert";
    source.append(note);
  }
  note.textContent = "Gatehouse does not answer. Check the connection and try again.";
});
document.addEventListener("htmx:after:request", (event) => event.target.querySelector?.(".field-error.trouble")?.remove());
