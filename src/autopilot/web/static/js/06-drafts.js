"use strict";
/* What is written into a form with data-draft is kept in this tab until it was sent: over reloads, other screens, and a
   sign-in in between. Only what is typed: no choice comes back by itself, and nothing of a field for a password, for a
   code, or with data-secret. What goes with the words ([data-with-draft]: the version that they change) comes back with
   them. The composer and the request editor keep their own, beyond the tab. */
(() => {
  const OTHERS = "[type=hidden], [type=checkbox], [type=radio], [type=file], [type=password], [autocomplete=one-time-code], [data-secret]";
  const WORDS = `textarea[name], input[name]:not(${OTHERS}), input[data-with-draft]`;
  const key = (form) => `draft.${document.body.dataset.user}.${form.dataset.draft}`;
  const formOf = (one) => one?.closest?.("form[data-draft]");
  const fields = (form) => [...form.querySelectorAll(WORDS)].filter((field) => !field.readOnly);
  const keep = (form) => {
    if (!fields(form).length) return;
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
  /* What is sent again once it was proved who asks may come from no form: another is in its place meanwhile. */
  const formSent = (elt, { verb, path }) => {
    if (elt.matches("form")) return formOf(elt);
    return verb === "post" ? [...document.querySelectorAll("form[data-draft]")].find((one) => one.getAttribute("hx-post") === path) : null;
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
    const form = formSent(elt, requestConfig);
    if (!form || form.dataset.keepsDraft !== undefined || submitter?.dataset.keepsDraft !== undefined) return;
    const sent = kept(form);
    /* Not an event of htmx: of a form whose screen is gone nobody hears one. */
    xhr.addEventListener("load", () => {
      const isTaken = xhr.status >= 200 && xhr.status < 300 && !(xhr.getResponseHeader("hx-redirect") ?? "").startsWith("/sign-in");
      if (isTaken && kept(form) === sent) forget(form);
    });
  });
  /* Where the words arrive later than the form (a new session's), the server says when. */
  document.addEventListener("arrived", () => { const form = document.querySelector("form[data-draft][data-keeps-draft]"); if (form) forget(form); });
  for (const moment of ["screen", "placed", "htmx:afterSettle"]) document.addEventListener(moment, begin);
  begin();
})();
