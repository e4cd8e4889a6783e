"use strict";
/* A request written by hand: what is written is kept until it was sent, and what was sent lately is at hand again. */
(() => {
  const one = (id) => document.getElementById(id);
  const key = (what) => `${what}.${document.body.dataset.user}`;
  const read = (what, otherwise) => { try { return JSON.parse(localStorage.getItem(key(what))) ?? otherwise; } catch { return otherwise; } };
  const keep = (what, value) => { try { localStorage.setItem(key(what), JSON.stringify(value)); } catch { /* kept nowhere else */ } };
  const recent = () => {
    const list = one("recent")?.querySelector("ul");
    if (!list) return;
    const known = read("requests", []);
    one("recent").hidden = !known.length;
    list.replaceChildren(...known.map(({ method, params }, at) => {
      const button = document.createElement("button"), name = document.createElement("b"), text = document.createElement("small"), item = document.createElement("li");
      button.type = "button";
      button.dataset.recent = at;
      name.textContent = method;
      text.textContent = params.replace(/\s+/g, " ");
      text.dir = "auto";
      button.append(name, text);
      item.append(button);
      return item;
    }));
  };
  const check = () => one("request-params")?.dispatchEvent(new Event("changed"));
  /* Another method: the server says what is to stand in the field then (data-params), unless it was written in since. */
  const choose = (method) => { one("request-method").value = method; one("request-method").dispatchEvent(new Event("change", { bubbles: true })); };
  const fill = (method, params) => {
    one("request-params").value = params;
    if (one("request-method").value === method) check(); else choose(method);
  };
  const begin = () => {
    const field = one("request-params");
    if (!field || field.dataset.begun) return;
    field.dataset.begun = "yes";
    const draft = read("request", null);
    if (draft && draft.worker === one("screen").dataset.worker) fill(draft.method, draft.params);
    recent();
  };
  const forget = () => { try { localStorage.removeItem(key("request")); } catch { /* nothing was kept */ } };
  const draft = () => keep("request", { worker: one("screen").dataset.worker, method: one("request-method").value, params: one("request-params").value });
  document.addEventListener("input", (event) => { if (event.target.id === "request-params") { if (event.target.value.trim()) draft(); else forget(); } });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target?.id === "request-help") {
      const field = one("request-params"), { params, written } = one("request-help").firstElementChild?.dataset ?? {};
      if (params !== undefined && field.value === event.detail.requestConfig?.parameters.params) field.value = params;
      if (written !== undefined) draft();
      check();
    }
    begin();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr } = event.detail;
    if (elt.id !== "request") return;
    if (xhr.status >= 200 && xhr.status < 300 && !xhr.getResponseHeader("hx-redirect")) {
      const sent = { method: one("request-method").value, params: one("request-params").value };
      keep("requests", [sent, ...read("requests", []).filter((item) => item.method !== sent.method || item.params !== sent.params)].slice(0, Number(elt.dataset.most)));
      forget();
      recent();
    }
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-recent]");
    if (button) { const item = read("requests", [])[Number(button.dataset.recent)]; if (item) { fill(item.method, item.params); one("request-params").focus(); } }
  });
  document.addEventListener("screen", begin);
  begin();
})();
