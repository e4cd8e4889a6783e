"use strict";
/* Times as people say them, the exact one on demand. Every <time datetime> of the page. */
const Times = (() => {
  const STEPS = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [604800, "day", 86400], [Infinity, "week", 604800]];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const said = (date, now) => {
    const seconds = (now - date) / 1000;
    if (Math.abs(seconds) < 10) return "now";
    const [, unit, size] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
    return words.format(-Math.trunc(seconds / size), unit);
  };
  const show = (root = document) => {
    const now = Date.now();
    root.querySelectorAll("time[datetime]").forEach((one) => {
      const date = new Date(one.dateTime);
      if (isNaN(date)) return;
      if (one.dataset.exact === undefined) { one.dataset.exact = ""; one.title = exact.format(date); }
      const wantsExact = one.classList.contains("exact") !== (document.documentElement.dataset.times === "exact");
      one.textContent = wantsExact ? one.title : said(date, now);
    });
  };
  document.addEventListener("click", (event) => {
    const one = event.target.closest?.("time[datetime]");
    if (one && !one.closest("a")) { one.classList.toggle("exact"); show(one.parentElement); }
  });
  setInterval(show, 15000);
  return { show, said };
})();
