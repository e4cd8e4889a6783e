"use strict";
/* The installed app: its service worker, a newer version of itself, and what goes when somebody signs out. */
const App = (() => {
  const isNewer = () => "newer" in document.body.dataset;
  const worker = () => navigator.serviceWorker?.controller;
  if (navigator.serviceWorker && window.isSecureContext) {
    navigator.serviceWorker.register("/sw.js", { scope: "/" }).catch(() => { /* without it everything works but offline */ });
  }
  /* The server is of another version than this page: go to it when nobody would notice, or at the next step. */
  const version = (now) => {
    if (!now || now === document.body.dataset.version) return;
    document.body.dataset.newer = now;
    navigator.serviceWorker?.getRegistration().then((registration) => registration?.update()).catch(() => {});
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { boosted, requestConfig, pathInfo } = event.detail;
    const isScreen = boosted || requestConfig.headers["hx-boosted"];
    if (!isNewer() || !isScreen || requestConfig.verb !== "get") return;
    event.preventDefault();
    location.assign(pathInfo.finalRequestPath);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && isNewer() && !document.querySelector("dialog[open]") && !Typed.isAny()) location.reload();
  });
  const forget = () => { worker()?.postMessage("forget"); sessionStorage.clear(); for (const key of Object.keys(localStorage)) if (!key.startsWith("device.")) localStorage.removeItem(key); };
  document.addEventListener("submit", (event) => { if (event.target.getAttribute?.("action") === "/sign-out") forget(); }, true);
  document.addEventListener("htmx:afterRequest", (event) => {
    const { pathInfo, xhr } = event.detail;
    if (pathInfo?.requestPath === "/devices/delete" && xhr.getResponseHeader("hx-redirect")) forget();
  });
  /* Who goes elsewhere loses the answer to what is on its way: a form of the whole page leads on by itself, and one that
     htmx has sent is waited for. */
  let leaving = false;
  addEventListener("submit", (event) => { if (!event.defaultPrevented) leaving = true; });
  addEventListener("pageshow", () => { leaving = false; });
  const goTo = (path) => {
    if (leaving) return;
    if (document.querySelector("form.htmx-request")) setTimeout(goTo, 200, path); else location.assign(path);
  };
  /* Of screens that are on their way only the one that was asked for last comes: all have one place. */
  let coming = null;
  const drop = () => { if (coming?.requestConfig.verb === "get") coming.xhr.abort(); };
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { detail } = event, { xhr } = detail, { pathname } = location;
    if (event.defaultPrevented) return;
    if (detail.target.id === "screen") {
      drop();
      coming = detail;
      xhr.addEventListener("loadend", () => { if (coming === detail) coming = null; });
    }
    /* The stream may put another element in the place of the one that an answer is for. */
    xhr.addEventListener("readystatechange", () => {
      if (xhr.readyState !== XMLHttpRequest.DONE || detail.target.isConnected || location.pathname !== pathname) return;
      detail.target = (detail.target.id && document.getElementById(detail.target.id)) || detail.target;
    });
  });
  /* A button that is off while its request is on its way loses the focus, as does what the answer takes the place of: who
     was there goes on from it, or from what came instead. */
  let used = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, target } = event.detail, at = document.activeElement;
    used = elt.contains(at) ? { at, id: target.id } : null;
  });
  const goOn = () => {
    if (!used || document.activeElement !== document.body) return;
    const { at, id } = used, next = at.isConnected ? at : id && document.getElementById(id);
    if (next) next.focus({ preventScroll: true });
  };
  for (const moment of ["htmx:afterSettle", "htmx:afterRequest"]) document.addEventListener(moment, goOn);
  /* No server was reached: said once beside the screen and what else stands there, but of a message, which says so itself. */
  document.addEventListener("htmx:sendError", (event) => {
    const said = document.getElementById("unreached");
    if (!said || event.detail.requestConfig.elt.id === "message") return;
    const box = document.getElementById("notices");
    box.querySelector("[data-unreached]")?.remove();
    box.append(said.content.cloneNode(true));
    box.lastElementChild.dataset.unreached = "yes";
  });
  /* A notification was tapped, and may lead this page away; not from what somebody has written. */
  navigator.serviceWorker?.addEventListener("message", (event) => {
    if (event.data === "may-leave") event.ports[0]?.postMessage(!Typed.isAny());
  });
  return { version, goTo, drop, isGoing: () => coming !== null };
})();
