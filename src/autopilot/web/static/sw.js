"use strict";
/* Keeps the app's own files, and the last screens of the one who is signed in, for when there is no network; shows
   notifications. VERSION and ASSETS stand before this. Answers nothing but pages and files: never the stream, never the
   API, never what changes something. Screens are kept for one user at a time, and go when somebody signs out, with all
   that is shown. */
const FILES = `files-${VERSION}`;
const PAGES = "pages-";
const MOST_PAGES = 40;
const PATIENCE = 4000;
const ANSWERS = 500;
const USER = "x-autopilot-user";
const LOOKS = "x-autopilot-looks";

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const files = await caches.open(FILES);
    await files.addAll([...ASSETS, "/offline", "/manifest.webmanifest"]);
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith("files-") && name !== FILES) await caches.delete(name);
    await self.clients.claim();
  })());
});

const forget = async (but) => {
  for (const name of await caches.keys()) if (name.startsWith(PAGES) && name !== but) await caches.delete(name);
};

/* Nobody is signed in here any more (whatever ended it leads to the sign-in): what was kept goes, what is shown too, and
   what is on its way has nowhere to go. */
const leave = async () => {
  await forget();
  for (const shown of await self.registration.getNotifications()) shown.close();
  await (await self.registration.pushManager?.getSubscription())?.unsubscribe();
};

/* Of a screen that htmx asks for there is another form than of the whole page. What the list is searched for is the
   browser's: the page is the same. */
const keyOf = (request) => {
  const url = new URL(request.url);
  url.hash = "";
  if (url.pathname === "/") url.search = "";
  if (request.headers.has("hx-request")) url.searchParams.set("__piece", "");
  return url.href;
};

/* How this browser wants its pages now: what was kept before that was chosen is shown in it too. */
const dressed = async (text) => {
  const looks = await (await caches.match(`/${LOOKS}`, { cacheName: LOOKS }))?.text();
  if (!looks) return text;
  const [theme, times] = looks.split(".");
  const chosen = (theme === "system" ? "" : ` data-theme="${theme}"`) + (times === "exact" ? ' data-times="exact"' : "");
  return text.replace(/<html lang="en"[^>]*>/, `<html lang="en"${chosen}>`);
};

const keep = async (request, answer) => {
  const user = answer.headers.get(USER);
  if (!user) return;
  await (await caches.open(LOOKS)).put(`/${LOOKS}`, new Response(answer.headers.get(LOOKS)));
  await forget(PAGES + user);
  const pages = await caches.open(PAGES + user);
  const headers = new Headers(answer.headers);
  headers.set("x-kept-at", new Date().toISOString());
  const key = keyOf(request);
  await pages.delete(key);
  await pages.put(key, new Response(await answer.blob(), { status: 200, headers }));
  const keys = await pages.keys();
  for (const old of keys.slice(0, Math.max(0, keys.length - MOST_PAGES))) await pages.delete(old);
};

const kept = async (request) => {
  const whole = new URL(keyOf(request));
  whole.searchParams.delete("__piece");
  for (const name of await caches.keys()) {
    if (!name.startsWith(PAGES)) continue;
    const pages = await caches.open(name);
    const found = (await pages.match(keyOf(request))) ?? (await pages.match(whole.href));
    if (!found) continue;
    const text = await dressed(await found.text());
    const at = found.headers.get("x-kept-at") ?? "";
    const marked = text.replace('id="screen"', `id="screen" data-kept-at="${at}"`);
    return new Response(marked, { status: 200, headers: found.headers });
  }
  return null;
};

const offline = async () => {
  const found = await caches.match("/offline");
  return found ? new Response(await dressed(await found.text()), { headers: found.headers }) : Response.error();
};

const screen = async (event) => {
  const { request } = event;
  const fromNetwork = fetch(request).then((answer) => {
    if (answer.ok && !answer.redirected) event.waitUntil(keep(request, answer.clone()));
    return answer;
  });
  const late = new Promise((resolve) => { setTimeout(resolve, PATIENCE, "late"); });
  try {
    const first = await Promise.race([fromNetwork, late]);
    if (first !== "late") return first;
    return (await kept(request)) ?? (await fromNetwork);
  } catch {
    const found = await kept(request);
    if (found) return found;
    return request.mode === "navigate" ? offline() : Response.error();
  }
};

const isScreen = (request, url) =>
  request.method === "GET" && (request.mode === "navigate" || request.headers.has("hx-boosted"))
  && !/^\/(live|api|static|sw\.js|offline|sign-in|pair|guest|healthz|readyz|metrics)/.test(url.pathname);

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin !== location.origin) return;
  if (url.pathname.startsWith("/static/")) {
    event.respondWith((async () => (await caches.match(event.request)) ?? fetch(event.request))());
  } else if (isScreen(event.request, url)) {
    event.respondWith(screen(event));
  } else if (event.request.mode === "navigate" && url.pathname === "/sign-in") {
    event.waitUntil(leave());
  }
});

self.addEventListener("message", (event) => {
  if (event.data === "forget") event.waitUntil(leave());
});

/* Notifications: one for each tag, the newest. What is silent says that a question is over, in the place of the question. */
const notify = (said) => self.registration.showNotification(said.title, {
  body: said.body,
  tag: said.tag,
  silent: said.silent,
  renotify: !said.silent,
  timestamp: Date.parse(said.occurred_at) || undefined,
  icon: ASSETS.find((path) => path.includes("/icon-") && path.endsWith(".svg")),
  data: { path: said.path, options: said.options ?? [] },
  actions: (said.options ?? []).slice(0, 2).map((option) => ({ action: option.option_id, title: option.label })),
});

self.addEventListener("push", (event) => {
  let said = null;
  try { said = event.data?.json(); } catch { /* not ours: something is shown all the same, browsers ask for that */ }
  event.waitUntil(notify(said?.title ? said : { title: "Autopilot", body: "", tag: "autopilot", path: "/", silent: true }));
});

/* Whether a page may be led away: it says so, unless somebody writes there, or it sleeps. */
const mayLeave = (client) => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = (event) => resolve(event.data);
  setTimeout(resolve, ANSWERS, false);
  client.postMessage("may-leave", [port2]);
});

/* A browser lets a tap bring up one window: whether one of those that are open goes there is found out before. */
const show = async (path) => {
  const url = new URL(path, location.origin);
  if (url.origin !== location.origin) return;
  const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = open.find((one) => one.url === url.href);
  if (there) { await there.focus(); return; }
  for (const client of open) {
    const moved = (await mayLeave(client)) && await client.navigate?.(url.href).catch(() => null);
    if (moved) { await moved.focus(); return; }
  }
  await self.clients.openWindow(url.href);
};

/* An answer from the notification itself: good once, for minutes, and only with the session's cookie. */
const answer = async ({ title, tag, data }, option) => {
  const given = await fetch("/notifications/answer", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ token: option.token }),
  }).then(async (answered) => (answered.ok && !answered.redirected ? answered.json() : null)).catch(() => null);
  if (given === null) return show(data.path);
  return notify({ title, tag, body: given.words, path: data.path, silent: true });
};

self.addEventListener("notificationclick", (event) => {
  const { notification, action } = event;
  const option = notification.data?.options.find((one) => one.option_id === action);
  notification.close();
  event.waitUntil(option ? answer(notification, option) : show(notification.data?.path ?? "/"));
});

/* The browser has another place for us: the settings say so, and one tap there mends it. */
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(notify({ title: "Notifications have ended here", body: "Turn them on again in the settings.", tag: "subscription", path: "/settings#notifications", silent: true }));
});
