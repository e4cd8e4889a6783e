"use strict";
/* A link's secret is in its fragment, which goes to no server by itself: put it into the form, and out of the address. */
(() => {
  const form = document.querySelector("[data-link-form]");
  const secret = decodeURIComponent(location.hash.slice(1));
  if (!form || !secret) return;
  form.elements.credential.value = secret;
  history.replaceState(null, "", location.pathname);
  document.querySelectorAll("[data-without-link]").forEach((one) => { one.hidden = true; });
  document.querySelectorAll("[data-with-link], [data-app-link]").forEach((one) => { one.hidden = false; });
  const app = document.querySelector("[data-app-link] a");
  if (app) app.href = `autopilot://pair?server=${encodeURIComponent(location.origin)}#${encodeURIComponent(secret)}`;
})();
