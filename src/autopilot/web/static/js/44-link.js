"use strict";
/* A link's secret is in its fragment, which goes to no server by itself: put it into the form, and out of the address.
   Where one has to sign in first, this tab keeps it meanwhile. */
(() => {
  const form = document.querySelector("[data-link-form]"), later = document.querySelector("[data-link-later]");
  if (!form && !later) return;
  const KEPT = `link ${location.pathname}`;
  const secret = fragment() || sessionStorage.getItem(KEPT);
  if (!secret) return;
  if (form) { sessionStorage.removeItem(KEPT); form.elements.credential.value = secret; }
  else sessionStorage.setItem(KEPT, secret);
  history.replaceState(null, "", location.pathname);
  document.querySelectorAll("[data-without-link]").forEach((one) => { one.hidden = true; });
  document.querySelectorAll("[data-with-link], [data-link-later], [data-app-link]").forEach((one) => { one.hidden = false; });
  const app = document.querySelector("[data-app-link] a");
  if (app) app.href = `autopilot://pair?server=${encodeURIComponent(location.origin)}#${encodeURIComponent(secret)}`;
})();
