"use strict";
/* The window of the timeline: pinned to the end only while at the end, older items on the way up, a bounded number. */
const Window = (() => {
  const MOST = 300;
  const NEAR = 80;
  let pinned = true;
  let loading = false;
  const box = () => document.getElementById("timeline");
  const atEnd = (one) => one.scrollHeight - one.scrollTop - one.clientHeight < NEAR;
  const pill = () => document.getElementById("newer");
  const toEnd = () => { const one = box(); if (one) { one.scrollTop = one.scrollHeight; pinned = true; pill()?.setAttribute("hidden", ""); } };
  /* Items that no one looks at go, at the far end from where one is. */
  const trim = (one) => {
    while (one.childElementCount > MOST && pinned) {
      one.dataset.oldest = one.children[1].dataset.at;
      one.firstElementChild.remove();
    }
  };
  const added = (element, isNew) => {
    const one = box();
    if (!one || !one.contains(element)) return;
    if (pinned) { toEnd(); trim(one); } else if (isNew) pill()?.removeAttribute("hidden");
  };
  const older = async (one) => {
    if (loading || !one.dataset.oldest || one.dataset.oldest === "1") return;
    loading = true;
    one.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`/w/${encodeURIComponent(one.dataset.worker)}/older?before=${one.dataset.oldest}`, { headers: { "hx-request": "true" } });
      if (!answer.ok) return;
      const template = document.createElement("template");
      template.innerHTML = await answer.text();
      const height = one.scrollHeight;
      const news = [...template.content.querySelectorAll("article")].filter((item) => !document.getElementById(item.id));
      one.prepend(...news);
      news.forEach((item) => { window.htmx?.process(item); Times.show(item); });
      one.scrollTop += one.scrollHeight - height;
      const oldest = template.content.querySelector("[data-oldest]")?.dataset.oldest;
      if (oldest) one.dataset.oldest = oldest; else delete one.dataset.oldest;
    } catch { /* the state line says that we are offline; scrolling again asks again */ } finally {
      loading = false;
      one.removeAttribute("aria-busy");
    }
  };
  const begin = () => {
    const one = box();
    if (!one || one.dataset.begun) return;
    one.dataset.begun = "yes";
    toEnd();
    one.addEventListener("scroll", () => {
      pinned = atEnd(one);
      if (pinned) pill()?.setAttribute("hidden", "");
      if (one.scrollTop < 400) older(one);
    }, { passive: true });
    new ResizeObserver(() => { if (pinned) one.scrollTop = one.scrollHeight; }).observe(one);
  };
  document.addEventListener("click", (event) => { if (event.target.closest?.("#newer")) toEnd(); });
  return { added, begin, toEnd };
})();
