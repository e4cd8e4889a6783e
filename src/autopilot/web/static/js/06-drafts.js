"use strict";
/* What is written into a form with data-draft is kept in this tab until it was sent: over reloads, other screens, and a
   sign-in in between. Words only: no choice comes back by itself, and nothing of a password field. What goes with the
   words ([data-with-draft]: the version that they change) comes back with them. The composer and the request editor keep
   their own, beyond the tab. */
(() => {
  const WORDS = "textarea[name], input[name][type=text], input[name]:not([type]), input[data-with-draft]";
  const key = (form) => `draft.${document.body.dataset.user}.${form.dataset.draft}`;
  const formOf = (one) => one?.closest?.("form[data-draft]");
  const fields = (form) => [...form.querySelectorAll(WORDS)].filter((field) => !field.readOnly);
  const keep = (form) => {
    const words = Object.fromEntries(fields(form).map((field) => [field.name, field.value]));
    try { sessionStorage.setItem(key(form), JSON.stringify(words)); } catch { /* kept nowhere else */ }
  };
  const kept = (form) => { try { return sessionStorage.getItem(key(form)); } catch { return null; } };
  const forget = (form) => { try { sessionStorage.removeItem(key(form)); } catch { /* nothing was kept */ } };
  const restore = (form) => {
    if (form.dataset.drafted) return;
    form.dataset.drafted = "yes";
    let words = {};
    try { words = JSON.parse(kept(form)) ?? {}; } catch { /* nothing was kept */ }
    const others = fields(form).filter((field) => words[field.name] !== undefined && words[field.name] !== field.value);
    if (!others.some((field) => field.type !== "hidden")) return;
    for (const field of others) {
      field.value = words[field.name];
      for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    }
    const note = form.querySelector(".drafted");
    if (note) note.hidden = false;
  };
  const begin = () => document.querySelectorAll("form[data-draft]").forEach(restore);
  document.addEventListener("input", (event) => { const form = formOf(event.target); if (form) keep(form); });
  document.addEventListener("click", (event) => {
    const note = event.target.closest?.(".drafted button")?.closest(".drafted"), form = formOf(note);
    if (!form) return;
    fields(form).forEach((field) => { field.value = field.defaultValue; });
    forget(form);
    note.hidden = true;
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, xhr, requestConfig } = event.detail, { submitter } = requestConfig.triggeringEvent ?? {};
    if (elt !== formOf(elt) || elt.dataset.keepsDraft !== undefined || submitter?.dataset.keepsDraft !== undefined) return;
    const sent = kept(elt);
    /* Not an event of htmx: of a form whose screen is gone nobody hears one. */
    xhr.addEventListener("load", () => {
      const isTaken = xhr.status >= 200 && xhr.status < 300 && !(xhr.getResponseHeader("hx-redirect") ?? "").startsWith("/sign-in");
      if (isTaken && kept(elt) === sent) forget(elt);
    });
  });
  /* Where the words arrive later than the form (a new session's), the server says when. */
  document.addEventListener("arrived", () => { const form = document.querySelector("form[data-draft][data-keeps-draft]"); if (form) forget(form); });
  for (const moment of ["screen", "placed", "htmx:afterSettle"]) document.addEventListener(moment, begin);
  begin();
})();
