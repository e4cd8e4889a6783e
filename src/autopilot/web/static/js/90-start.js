"use strict";
/* What happens when a screen is there, first or anew. */
(() => {
  const screen = () => document.getElementById("screen");
  const begin = () => {
    const name = screen()?.dataset.screen;
    if (!name || name === "bare") return;
    document.querySelectorAll("#tabs a").forEach((one) => {
      if (one.getAttribute("href") === screen().dataset.tab) one.setAttribute("aria-current", "page");
      else one.removeAttribute("aria-current");
    });
    document.querySelectorAll("#rows a[aria-current]").forEach((one) => one.removeAttribute("aria-current"));
    const worker = screen().dataset.worker;
    if (worker) document.getElementById(`row-${worker}`)?.querySelector("a")?.setAttribute("aria-current", "true");
    Times.show();
    Window.begin();
    Live.begin();
  };
  document.addEventListener("screen", begin);
  document.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target?.id === "screen" || event.detail.elt?.id === "screen") { begin(); screen().focus({ preventScroll: true }); } else Times.show(); });
  /* Back and forward change the screen as links do: the stream, the list and what was typed there stay. */
  document.addEventListener("htmx:historyCacheMiss", (event) => {
    event.preventDefault();
    const { path } = event.detail;
    App.drop();
    htmx.ajax("GET", path, { target: "#screen", select: "#screen", swap: "outerHTML show:none", headers: { "hx-boosted": "true" } });
  });
  begin();
})();
