"use strict";
/* The one stream of this tab, and the line that says how things stand. A beat comes every 4 s: silence is told in 9. */
const Live = (() => {
  const SILENCE = 9000;
  let source = null, worker = null, seq = 0, heard = 0, opened = 0, link = { kind: "live" }, since = Date.now(), kind = "", again = null, refused = "", renewed = 0, turn = 0, syncing = false, wasThere = false;
  const box = () => document.getElementById("timeline");
  const line = () => document.getElementById("state");
  const say = (name, words) => {
    const one = line();
    if (!one) return;
    if (name !== kind) { kind = name; since = Date.now(); }
    one.dataset.state = name;
    const past = name === "live" ? "" : ` · since ${new Date(since).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`;
    const said = words + past;
    if (one.textContent !== said) one.textContent = said;
    document.documentElement.dataset.link = name;
  };
  const keptAt = () => document.getElementById("screen")?.dataset.keptAt;
  const tell = () => {
    if (refused) return say("refused", refused);
    const quiet = Date.now() - heard;
    const kept = keptAt() && new Date(keptAt());
    const shown = kept ? `what was known ${Times.said(kept, Date.now())}` : "what was known";
    if (!navigator.onLine) return say("offline", `Offline: showing ${shown}`);
    if (syncing) return say("connecting", "Loading it anew…");
    const unreached = source?.readyState !== EventSource.OPEN && quiet > SILENCE;
    if (!source || source.readyState === EventSource.CLOSED || unreached || quiet > SILENCE * 2) return say("offline", `No connection to the server: showing ${shown}`);
    if (source.readyState === EventSource.CONNECTING) return say("connecting", wasThere ? "Reconnecting…" : "Connecting…");
    if (quiet > SILENCE) return say("stalled", "Connection stalled");
    if (link.kind === "waiting") return say("degraded", link.error || "The ledger can't be reached.");
    if (link.kind === "connecting" || link.kind === "catching_up") return say("connecting", "Catching up…");
    if (kept) return say("connecting", `Showing ${shown}: loading it anew`);
    return say("live", "Live");
  };
  const on = (name, handle) => source.addEventListener(name, (event) => {
    if (event.target !== source) return;
    heard = Date.now();
    wasThere = true;
    handle(JSON.parse(event.data));
    tell();
  });
  /* Another screen may be in the place of the one that this stream is of, and its own is not open yet. */
  const isHere = () => (box()?.dataset.worker ?? null) === worker;
  /* Why the screen comes anew, where a person has to know; of several the last. */
  const told = (html) => {
    if (!html) return;
    const notices = document.getElementById("notices");
    notices.querySelector("[data-reload]")?.remove();
    notices.insertAdjacentHTML("beforeend", html);
    notices.lastElementChild.dataset.reload = "yes";
  };
  const close = () => { source?.close(); source = null; clearTimeout(again); };
  const open = () => {
    close();
    refused = "";
    if (document.hidden) return;  /* a browser has six connections to a server of plain HTTP, and needs some for pages */
    const one = box();
    worker = one?.dataset.worker ?? null;
    seq = one ? Math.max(seq, Number(one.dataset.seq)) : 0;
    source = new EventSource(worker ? `/live?worker=${encodeURIComponent(worker)}&after=${seq}` : "/live");
    opened = Date.now();
    link = { kind: "connecting" };
    heard = heard || opened;
    on("hello", (said) => {
      if (said.session === document.body.dataset.session) return App.version(said.version);
      close();  /* somebody has signed in anew in another tab: nothing here is theirs, no form of it good any more */
      location.reload();
    });
    on("beat", () => {});
    on("link", (said) => { link = said; });
    on("put", (said) => {
      if (!isHere()) return;
      const isNew = !document.getElementById(said.id);
      const element = Window.hold(() => Put.put(said));
      if (element) Window.added(element, isNew);
    });
    on("seq", (said) => { if (isHere()) { seq = said.seq; const now = box(); if (now) now.dataset.seq = seq; } });
    on("inbox", (said) => { Inbox.show(said.pending); });
    on("reload", (said) => { told(said.html); resync(); });
    on("over", (said) => {
      close();
      if (said.why === "signed_out") App.goTo(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
      else refused = (said.message || "The server refused this page") + (said.request_id ? ` (request ${said.request_id})` : "");
    });
    source.onerror = () => { tell(); if (source?.readyState === EventSource.CLOSED) { clearTimeout(again); again = setTimeout(open, 2000 + Math.random() * 1000); } };
    tell();
  };
  /* The screen anew from the server, in place; what was typed stays. Who goes elsewhere meanwhile is left alone. */
  const resync = async () => {
    close();
    const mine = ++turn, shown = document.getElementById("screen");
    syncing = true;
    try {
      const answer = await fetch(location.href, { headers: { "x-resync": "true" } });
      if (answer.redirected) return App.goTo(answer.url);
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (mine !== turn || shown !== document.getElementById("screen") || App.isGoing()) return;
        for (const id of ["screen", "list"]) {
          const now = document.getElementById(id), next = fresh.getElementById(id);
          if (now && next) Typed.replace(now, next);
        }
        close();
        syncing = false;
        seq = 0;
        window.htmx?.process(document.body);
        document.dispatchEvent(new Event("screen"));
      }
    } catch { /* told by the state line */ } finally { if (mine === turn) { syncing = false; if (!source) open(); } }
  };
  const begin = () => {
    const one = box();
    if (!one || one.dataset.worker !== worker) seq = 0;
    if (!source || (one?.dataset.worker ?? null) !== worker) open();
  };
  setInterval(() => {
    tell();
    if (keptAt() && source?.readyState === EventSource.OPEN && Date.now() - renewed > SILENCE) { renewed = Date.now(); resync(); }
    if (source && Date.now() - Math.max(heard, opened) > SILENCE) open();
  }, 1000);
  addEventListener("online", () => open());
  addEventListener("offline", tell);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) resync(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else { heard = 0; begin(); } });
  document.addEventListener("click", (event) => { if (event.target.closest?.("#resync")) resync(); });
  return { begin, resync };
})();
const Inbox = {
  show(pending) {
    const badge = document.getElementById("inbox-count");
    if (badge) { badge.hidden = !pending; badge.textContent = pending || ""; badge.setAttribute("aria-label", `${pending} pending`); }
    navigator.setAppBadge?.(pending).catch(() => {});
  },
};
