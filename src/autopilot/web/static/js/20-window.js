"use strict";
/* The window of the timeline: pinned to the end only while at the end, older items on the way up, a bounded number.
   Who scrolls far up loses the end (data-cut): the way back to it loads the screen anew, so that there is never a gap. */
const Window = (() => {
  const MOST = 300;
  const NEAR = 80;
  const AHEAD = 900;
  const FURTHEST = 12;
  let pinned = true;
  let loading = null;
  let top = 0;
  let sizes = null;
  const box = () => document.getElementById("timeline");
  const atEnd = (one) => !one.dataset.cut && one.scrollHeight - one.scrollTop - one.clientHeight < NEAR;
  const pill = (is) => { const one = document.getElementById("newer"); if (one) one.hidden = !is; };
  const settle = (one) => { one.scrollTop = one.scrollHeight; top = one.scrollTop; };
  /* Who is at the end is held there by us, who reads by the item they see: the browser may help only then. */
  const pin = (is) => { pinned = is; box()?.classList.toggle("reading", !is); };
  /* The end moves while nobody scrolls: fonts and pictures come late, a question takes room from the box. Only who goes up leaves the end; what they fold open grows where they look. */
  const scrolled = (one) => {
    const isUp = one.scrollTop < top;
    top = one.scrollTop;
    if (atEnd(one)) pin(true); else if (isUp) pin(false); else if (pinned) settle(one);
    if (pinned) pill(false);
  };
  const watch = (one) => {
    sizes?.disconnect();
    sizes = new ResizeObserver(() => { if (pinned) settle(one); });
    [one, ...one.children].forEach((each) => sizes.observe(each));
    one.addEventListener("click", (event) => { if (event.target.closest("summary")) pin(false); }, { capture: true });
    one.addEventListener("toggle", () => { pin(atEnd(one)); }, { capture: true });
  };
  const toEnd = () => {
    const one = box();
    if (!one) return;
    if (one.dataset.cut) { history.replaceState(history.state, "", location.pathname + location.search); Live.resync(); return; }
    settle(one);
    pin(true);
    pill(false);
  };
  /* Items that no one looks at go, at the far end from where one is. */
  const trim = (one) => {
    while (one.childElementCount > MOST && pinned) {
      one.dataset.oldest = one.children[1].dataset.at;
      one.firstElementChild.remove();
    }
  };
  const trimEnd = (one) => {
    while (one.childElementCount > MOST) { one.lastElementChild.remove(); one.dataset.cut = "yes"; }
    if (one.dataset.cut) pill(true);
  };
  const added = (element, isNew) => {
    const one = box();
    if (!one || !one.contains(element)) return;
    if (element.parentElement === one) sizes?.observe(element);
    const isOlder = one.dataset.oldest && Number(element.dataset.at) < Number(one.dataset.oldest);
    if (isNew && (one.dataset.cut || isOlder)) { element.remove(); if (!isOlder) pill(true); return; }
    if (pinned) { toEnd(); trim(one); } else if (isNew) pill(true);
  };
  /* What is read stays where it is, whatever is done to the timeline: WebKit has no scroll anchoring of its own, and of a
     browser's and ours only one may act. */
  const hold = (act) => {
    const one = box();
    if (!one || pinned) return act();
    const edge = (item) => item.getBoundingClientRect().top, from = edge(one);
    const read = [...one.children].find((item) => item.getBoundingClientRect().bottom > from);
    const before = read && edge(read);
    one.classList.remove("reading");
    const done = act();
    const now = read && document.getElementById(read.id);
    if (now && one.contains(now)) { one.scrollTop += edge(now) - before; top = one.scrollTop; }
    one.classList.add("reading");
    return done;
  };
  /* The page before the first item; whether it came. Who asks while one is on its way waits for that one. */
  const older = (one) => { loading ??= load(one).finally(() => { loading = null; }); return loading; };
  const load = async (one) => {
    if (!one.dataset.oldest || one.dataset.oldest === "1") return false;
    one.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`/w/${encodeURIComponent(one.dataset.worker)}/older?before=${one.dataset.oldest}`, { headers: { "hx-request": "true" } });
      if (!answer.ok || answer.headers.get("hx-redirect")) return false;
      const template = document.createElement("template");
      template.innerHTML = await answer.text();
      const news = [...template.content.querySelectorAll("article")].filter((item) => !document.getElementById(item.id));
      hold(() => {
        one.prepend(...news);
        news.forEach((item) => { window.htmx?.process(item); Times.show(item); sizes?.observe(item); });
        trimEnd(one);
      });
      if (pinned) settle(one);
      const oldest = template.content.querySelector("[data-oldest]")?.dataset.oldest;
      if (oldest) one.dataset.oldest = oldest; else delete one.dataset.oldest;
      return true;
    } catch { /* the state line says that we are offline; scrolling again asks again */ return false; } finally {
      one.removeAttribute("aria-busy");
    }
  };
  /* What a link leads to: an item by its element's id or its key; further up it is looked for. */
  const linked = (one, name) => [...one.children].find((item) => item.id === name || item.dataset.key === name);
  const seek = async (one) => {
    const name = fragment();
    if (!name || name === "screen") return;
    pin(false);
    let item = linked(one, name);
    for (let page = 0; !item && page < FURTHEST && await older(one); page += 1) item = linked(one, name);
    if (!item) { document.getElementById("not-found").hidden = false; toEnd(); return; }
    one.querySelector(".target")?.classList.remove("target");
    item.classList.add("target");
    item.tabIndex = -1;
    item.scrollIntoView({ block: "center" });
    item.focus({ preventScroll: true });
  };
  const begin = () => {
    const one = box();
    if (!one || one.dataset.begun) return;
    one.dataset.begun = "yes";
    pin(true);
    toEnd();
    one.addEventListener("scroll", () => {
      scrolled(one);
      if (one.scrollTop < AHEAD) older(one);
    }, { passive: true });
    watch(one);
    seek(one);
  };
  addEventListener("hashchange", () => { const one = box(); if (one) seek(one); });
  document.addEventListener("click", (event) => { if (event.target.closest?.("#newer")) toEnd(); });
  return { added, begin, hold, toEnd };
})();
