"use strict";
/* The list of workers: what is typed is looked for at once in what is here, and then by the server in all there are; more
   of it on the way down; and the keyboard. What is looked for stands in the address, and stays through all that comes. */
const List = (() => {
  const MORE_AHEAD = 600;
  const ENOUGH = 20;
  const PAUSE = 250;
  const FIELDS = { words: "q", state: "state", machine: "machine", backend: "backend" };
  const CHOICES = ["state", "machine", "backend"];
  const KEPT = `list.wanted.${document.body.dataset.user}`;
  const wanted = { words: "", state: "", machine: "", backend: "" };
  let loading = false, failed = false, begun = null, queued = false;
  /* Of the search: which of the elements here the server has named, where it goes on, what waits to be asked. */
  let told = new WeakSet(), next = null, complete = false, asked = null, timer = 0;
  const one = (id) => document.getElementById(id);
  const rows = () => [...(one("rows")?.children ?? [])];
  const filtering = () => Object.values(wanted).some(Boolean);
  const folded = (text) => text.normalize("NFKC").toLowerCase();
  const fits = (row) => {
    if (told.has(row)) return true;
    for (const name of CHOICES) if (wanted[name] && row.dataset[name] !== wanted[name]) return false;
    return folded(wanted.words).split(/\s+/).every((word) => row.dataset.text.includes(word));
  };
  /* Machines that have come since the page did are in its rows. */
  const offer = (select, value, label) => { if (value && ![...select.options].some((option) => option.value === value)) select.add(new Option(label, value)); };
  const choices = () => {
    const machines = one("find-machine");
    if (!machines) return;
    for (const row of rows()) offer(machines, row.dataset.machine, row.dataset.machineName);
    CHOICES.forEach((name) => {
      const select = one(`find-${name}`);
      offer(select, wanted[name], wanted[name]);
      select.value = wanted[name];
      select.disabled = select.options.length < 2;
    });
  };
  const more = (list) => (filtering() ? !complete : Boolean(list.dataset.next));
  const show = () => {
    queued = false;
    const list = one("rows");
    if (!list || !one("rows-more")) return;
    let shown = 0;
    for (const row of rows()) { const is = fits(row); if (row.hidden === is) row.hidden = !is; shown += is; }
    choices();
    const goesOn = more(list), seeks = filtering() && !complete && !failed;
    one("rows-empty").hidden = rows().length > 0 || goesOn || filtering();
    one("rows-none").hidden = !filtering() || shown > 0 || goesOn;
    const filters = CHOICES.filter((name) => wanted[name]).length;
    one("find-count").hidden = !filters;
    one("find-count").textContent = filters || "";
    one("find-count").closest("summary").setAttribute("aria-label", filters ? `Filters, ${filters} set` : "Filters");
    one("rows-found").textContent = !filtering() ? "" : complete ? `${shown} found` : `${shown} found so far`;
    const notes = one("rows-more");
    notes.querySelector(".seeking").hidden = !(seeks && (loading || timer || shown < ENOUGH));
    notes.querySelector(".loading").hidden = !loading || filtering();
    notes.querySelector(".failed").hidden = !failed || filtering();
    notes.querySelector(".unsought").hidden = !failed || !filtering();
    if (goesOn && !loading && !failed && !timer && (shown < ENOUGH || near())) load();
  };
  const soon = () => { if (!queued) { queued = true; requestAnimationFrame(show); } };
  const near = () => { const box = one("list"); return box.clientHeight > 0 && box.scrollHeight - box.scrollTop - box.clientHeight < MORE_AHEAD; };
  const query = (before) => {
    const said = new URLSearchParams();
    for (const [name, field] of Object.entries(FIELDS)) if (wanted[name].trim()) said.set(field, wanted[name].trim());
    if (before) said.set("before", before);
    return said.toString();
  };
  /* One page: of the list, or of what is looked for. Whoever has gone on typing hears nothing of it. */
  const load = async () => {
    const list = one("rows"), finding = filtering(), mine = new AbortController();
    asked = mine;
    loading = true; failed = false; show();
    try {
      const answer = await fetch(`/rows?${query(finding ? next : list.dataset.next)}`, { headers: { "hx-request": "true", "hx-current-url": location.href }, signal: mine.signal });
      if (answer.headers.get("hx-redirect")) return location.assign(answer.headers.get("hx-redirect"));
      if (!answer.ok) throw new Error(answer.status);
      const template = document.createElement("template");
      template.innerHTML = await answer.text();
      if (mine.signal.aborted || !list.isConnected) return;
      const page = template.content.querySelector("#rows");
      take(list, [...page.children], finding);
      const following = page.dataset.next ?? null;
      if (finding) { next = following; complete = following === null; }
      else if (following) list.dataset.next = following; else delete list.dataset.next;
    } catch { if (mine.signal.aborted) return; failed = true; }
    loading = false;
    show();
  };
  /* What only a search has brought is no part of the list (data-found): the list has its own pages, in their order. */
  const take = (list, page, finding) => {
    if (finding && next === null) drop(new Set(page.map((row) => row.id)));
    page.forEach((row) => {
      const here = document.getElementById(row.id);
      if (here) { if (finding) told.add(here); else delete here.dataset.found; return; }
      if (finding) { row.dataset.found = ""; told.add(row); }
      Put.place(row, list, true);
    });
    Times.show(list);
    window.htmx?.process(list);
  };
  const drop = (but = new Set()) => rows().forEach((row) => { if (row.dataset.found !== undefined && !but.has(row.id)) row.remove(); });
  /* Something else is looked for. */
  const seek = (pause = PAUSE) => {
    asked?.abort();
    clearTimeout(timer);
    told = new WeakSet(); next = null; complete = loading = failed = false; timer = 0;
    if (filtering()) timer = setTimeout(() => { timer = 0; load(); }, pause); else drop();
    sessionStorage.setItem(KEPT, JSON.stringify(wanted));
    address();
    show();
  };
  /* The address of the list says what is looked for: it can be gone back to, loaded anew, kept. */
  const address = () => {
    if (location.pathname !== "/") return;
    const said = query();
    const path = said ? `/?${said}` : "/";
    if (path !== location.pathname + location.search) history.replaceState(history.state, "", path);
  };
  const fromAddress = () => {
    const said = new URLSearchParams(location.pathname === "/" ? location.search : "");
    const names = Object.entries(FIELDS).filter(([, field]) => said.has(field));
    if (!names.length) return false;
    Object.keys(wanted).forEach((name) => { wanted[name] = said.get(FIELDS[name]) ?? ""; });
    return true;
  };
  const remembered = () => {
    try { Object.assign(wanted, JSON.parse(sessionStorage.getItem(KEPT))); } catch { /* nothing was */ }
  };
  const clear = () => { Object.keys(wanted).forEach((name) => { wanted[name] = ""; }); restore(); seek(); };
  const restore = () => { if (one("find-words").value !== wanted.words) one("find-words").value = wanted.words; choices(); };
  /* A screen has come: the list itself may be another, or where one went back to says what to look for. */
  const begin = () => {
    const list = one("rows");
    if (!list || !one("find-words")) return;
    const before = JSON.stringify(wanted);
    if (!fromAddress() && begun === null) remembered();
    if (list === begun && before === JSON.stringify(wanted)) { address(); return; }
    const isNew = list !== begun;
    begun = list;
    restore();
    if (isNew) {
      new MutationObserver(soon).observe(list, { childList: true });
      one("list").addEventListener("scroll", soon, { passive: true });
    }
    seek(0);
  };
  document.addEventListener("input", (event) => {
    if (event.target.id === "find-words") { wanted.words = event.target.value; seek(); }
  });
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.filter;
    if (name) { wanted[name] = event.target.value; seek(0); }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#rows-all")) { clear(); one("find-words").focus(); }
    if (event.target.closest?.("#rows-more button")) load();
    if (event.target.closest?.("[data-resync]")) Live.resync();
  });
  addEventListener("online", () => { if (failed) load(); });
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
