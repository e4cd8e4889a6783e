"use strict";
/* The handshake's dialog: posts, shows each state as the server says it, can be left. */
(() => {
  let wait = null;
  const one = (id) => document.getElementById(id);
  const busy = (is) => { if (one("connect-start")) { one("connect-start").disabled = is; one("connect-cancel").hidden = !is; } };
  const show = (html) => {
    const template = document.createElement("template"), before = one("connection");
    template.innerHTML = html;
    const now = template.content.firstElementChild;
    if (!before || !now) return;
    const left = before.dataset.state === now.dataset.state && before.querySelector(".left");
    if (left) left.replaceWith(now.querySelector(".left")); else before.replaceWith(now);  /* read aloud once a state */
    one("connect-start").textContent = now.dataset.again;
  };
  const lines = async (answer) => {
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      parts.forEach((part) => show(JSON.parse(part)));
    }
  };
  const start = async () => {
    const path = one("connect").dataset.connect;
    wait = new AbortController();
    busy(true);
    try {
      const headers = { ...JSON.parse(document.body.getAttribute("hx-headers")), "hx-request": "true", "hx-current-url": location.href };
      const answer = await fetch(path, { method: "POST", headers, signal: wait.signal });
      if (answer.headers.get("hx-redirect")) return location.assign(answer.headers.get("hx-redirect"));
      if (!answer.ok) return show(one("connect-broken").innerHTML);
      await lines(answer);
    } catch (error) {
      show(one(error.name === "AbortError" ? "connect-left" : "connect-broken")?.innerHTML ?? "");
    } finally {
      wait = null;
      busy(false);
    }
  };
  const leave = () => wait?.abort();
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#connect-start")) start();
    if (event.target.closest?.("#connect-cancel")) leave();
  });
  document.addEventListener("dialog:closed", leave);
})();
