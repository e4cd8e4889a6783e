"use strict";
/* Writing to a worker: a draft for each, kept in this browser until it was taken; keys; receipts that leave. */
const Composer = (() => {
  const STAYS = 6000;
  const one = (id) => document.getElementById(id);
  const key = () => one("composer") && `draft.${document.body.dataset.user}.${one("composer").dataset.worker}`;
  const read = () => { try { return localStorage.getItem(key()) ?? ""; } catch { return ""; } };
  const keep = (words) => { try { if (words) localStorage.setItem(key(), words); else localStorage.removeItem(key()); } catch { /* a browser that keeps nothing: the words are still in the field */ } };
  const grow = () => {
    const field = one("say");
    if (!field) return;
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 2, innerHeight * 0.4)}px`;
    one("composer").classList.toggle("filled", field.value.trim() !== "");
  };
  const begin = () => {
    const field = one("say");
    if (!field || field.dataset.begun) return;
    field.dataset.begun = "yes";
    if (!field.value) field.value = read();
    grow();
  };
  const button = () => [...document.querySelectorAll("#message button.primary")].find((item) => item.offsetParent);
  const unsent = (is) => { if (one("unsent")) one("unsent").hidden = !is; };
  document.addEventListener("input", (event) => { if (event.target.id === "say") { keep(event.target.value); grow(); unsent(false); } });
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "say") return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) { event.preventDefault(); button()?.click(); }
    if (event.key === "Escape") event.target.blur();
  });
  document.addEventListener("submit", (event) => { if (event.target.id === "message" && !one("say").value.trim()) { event.preventDefault(); event.stopPropagation(); one("say").focus(); } }, true);
  /* What was sent is no draft any more, where nothing else was written since: there, here or in another tab. */
  const taken = (place, words) => {
    try { if (localStorage.getItem(place) === words) localStorage.removeItem(place); } catch { /* nothing was kept */ }
    if (place !== key() || one("say").value !== words) return;
    one("say").value = "";
    grow();
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, xhr } = event.detail;
    if (elt.id !== "message") return;
    const place = key(), words = one("say").value;
    unsent(false);
    /* Not an event of htmx: of a form whose screen is gone nobody hears one. */
    xhr.addEventListener("load", () => { if (xhr.status >= 200 && xhr.status < 300 && !xhr.getResponseHeader("hx-redirect")) taken(place, words); });
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr } = event.detail;
    if (elt.id !== "message" && elt.id !== "interrupt") return;
    unsent(xhr.status === 0 || xhr.status >= 500);
    /* Refused for good: what is changed now is another request. Of one that may have arrived the id stays: of 429 too,
       which may be said of its receipt alone. */
    if (xhr.status >= 400 && xhr.status < 500 && xhr.status !== 429) { const field = elt.querySelector("[name=request_id]"); field.value = `request_${[...crypto.getRandomValues(new Uint8Array(16))].map((part) => part.toString(16).padStart(2, "0")).join("")}`; }
  });
  /* Receipts: what was done leaves by itself, what was not stays until it is dismissed. */
  const look = (item) => {
    if (!item?.matches?.("#receipts .receipt.good[data-ended]") || item.dataset.leaves) return;
    item.dataset.leaves = "yes";
    setTimeout(() => { if (!item.matches(":hover, :focus-within")) item.remove(); else delete item.dataset.leaves; }, STAYS);
  };
  /* What one was at may go with the turn: the button that sent it. Where one writes is the next to it. */
  const stay = () => { const at = document.activeElement; if (at?.matches(".acts .act") && !at.offsetParent) one("say").focus({ preventScroll: true }); };
  document.addEventListener("placed", (event) => { look(event.detail); if (event.detail.id === "turn") stay(); });
  document.addEventListener("htmx:afterSettle", () => document.querySelectorAll("#receipts .receipt").forEach(look));
  document.addEventListener("click", (event) => {
    event.target.closest?.("[data-dismiss]")?.closest(".receipt, .notice")?.remove();
    if (event.target.closest?.("#menu a, #menu button")) one("menu")?.hidePopover?.();
  });
  addEventListener("resize", grow);
  document.addEventListener("screen", begin);
  document.addEventListener("htmx:afterSettle", begin);
  begin();
  return { begin };
})();
