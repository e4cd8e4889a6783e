"use strict";
/* The list of workers: search and filters over what is here, more of it from the server, and the keyboard. */
const List = (() => {
  const MORE_AHEAD = 600;
  const ENOUGH = 20;
  const wanted = { words: "", state: "", machine: "", backend: "" };
  let loading = false, failed = false, begun = null, queued = false;
  const one = (id) => document.getElementById(id);
  const rows = () => [...(one("rows")?.children ?? [])];
  const filtering = () => Object.values(wanted).some(Boolean);
  const fits = (row) => {
    for (const name of ["state", "machine", "backend"]) if (wanted[name] && row.dataset[name] !== wanted[name]) return false;
    if (!wanted.words) return true;
    const text = `${row.textContent} ${row.dataset.folder}`.toLocaleLowerCase();
    return wanted.words.split(/\s+/).every((word) => text.includes(word));
  };
  /* What machines and backends there are is what the rows say. */
  const choices = (name) => {
    const select = one(`find-${name}`);
    if (!select) return;
    const known = new Set([...select.options].map((option) => option.value));
    for (const row of rows()) {
      const value = row.dataset[name];
      if (value && !known.has(value)) { known.add(value); select.add(new Option(value, value)); }
    }
    select.value = wanted[name];
    select.disabled = select.options.length < 2;
  };
  const show = () => {
    queued = false;
    const list = one("rows");
    if (!list) return;
    let shown = 0;
    for (const row of rows()) { const is = fits(row); if (row.hidden === is) row.hidden = !is; shown += is; }
    choices("machine"); choices("backend");
    const none = rows().length === 0, more = Boolean(list.dataset.next);
    one("rows-empty").hidden = !none || more;
    one("rows-none").hidden = none || shown > 0 || more;
    const filters = ["state", "machine", "backend"].filter((name) => wanted[name]).length;
    one("find-count").hidden = !filters;
    one("find-count").textContent = filters || "";
    one("rows-found").textContent = filtering() ? `${shown} found` : "";
    one("rows-more").querySelector(".loading").hidden = !loading;
    one("rows-more").querySelector(".failed").hidden = !failed;
    if (more && !loading && !failed && (shown < ENOUGH || near())) load();
  };
  const soon = () => { if (!queued) { queued = true; requestAnimationFrame(show); } };
  const near = () => { const box = one("list"); return box.clientHeight > 0 && box.scrollHeight - box.scrollTop - box.clientHeight < MORE_AHEAD; };
  const load = async () => {
    const list = one("rows");
    loading = true; failed = false; show();
    try {
      const answer = await fetch(`/rows?before=${encodeURIComponent(list.dataset.next)}`, { headers: { "hx-request": "true", "hx-current-url": location.href } });
      if (answer.headers.get("hx-redirect")) return location.assign(answer.headers.get("hx-redirect"));
      if (!answer.ok) throw new Error(answer.status);
      const template = document.createElement("template");
      template.innerHTML = await answer.text();
      const next = template.content.querySelector("#rows");
      list.append(...[...next.children].filter((row) => !document.getElementById(row.id)));
      if (next.dataset.next) list.dataset.next = next.dataset.next; else delete list.dataset.next;
      Times.show(list);
    } catch { failed = true; }
    loading = false;
    show();
  };
  const clear = () => { Object.keys(wanted).forEach((name) => { wanted[name] = ""; }); restore(); show(); };
  const restore = () => {
    if (one("find-words").value.trim().toLocaleLowerCase() !== wanted.words) one("find-words").value = wanted.words;
    ["state", "machine", "backend"].forEach((name) => { one(`find-${name}`).value = wanted[name]; });
  };
  const begin = () => {
    const list = one("rows");
    if (!list || list === begun || !one("find-words")) return;
    begun = list;
    loading = failed = false;
    restore();
    new MutationObserver(soon).observe(list, { childList: true });
    one("list").addEventListener("scroll", soon, { passive: true });
    show();
  };
  document.addEventListener("input", (event) => {
    if (event.target.id === "find-words") { wanted.words = event.target.value.trim().toLocaleLowerCase(); failed = false; soon(); }
  });
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.filter;
    if (name) { wanted[name] = event.target.value; failed = false; soon(); }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#rows-all")) clear();
    if (event.target.closest?.("#rows-more button")) load();
    if (event.target.closest?.("[data-resync]")) Live.resync();
  });
  /* Keyboard. */
  const step = (by) => {
    const links = rows().filter((row) => !row.hidden).map((row) => row.querySelector("a"));
    if (!links.length) return;
    const at = links.indexOf(document.activeElement.closest?.("#rows a"));
    const from = at >= 0 ? at : links.findIndex((link) => link.hasAttribute("aria-current"));
    const next = links[Math.min(links.length - 1, Math.max(0, from + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const typing = (target) => target.matches?.("input, textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && event.target.id === "find-words") { clear(); event.target.blur(); return; }
    if (document.querySelector("dialog[open]")) return;
    const inList = event.target.closest?.("#list") || event.target === document.body;
    if (event.target.id === "find-words" && event.key === "ArrowDown") { event.preventDefault(); return step(-rows().length); }
    if (event.target.id === "find-words" && event.key === "Enter") return rows().find((row) => !row.hidden)?.querySelector("a").click();
    if (typing(event.target) || document.querySelector("#screen[data-screen=inbox]")) return;
    const keys = {
      j: () => step(1), k: () => step(-1),
      ArrowDown: inList && (() => step(1)), ArrowUp: inList && (() => step(-1)),
      "/": () => one("find-words")?.focus(),
      c: () => one("say")?.focus(),
      r: () => Live.resync(),
      "?": () => { const template = one("shortcuts"); if (template) Dialog.fill(template.content.cloneNode(true)); },
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  document.addEventListener("screen", begin);
  document.addEventListener("htmx:afterSettle", begin);
  begin();
  return { show };
})();
