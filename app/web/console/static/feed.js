"use strict";
// The live feed: lines come over server-sent events and are put in as text, never as HTML.
(() => {
  const ROWS = 200;
  const feed = document.getElementById("feed");
  const state = document.getElementById("state");
  const pause = document.getElementById("pause");
  const shown = new Set();
  const number = new Intl.NumberFormat("en");
  let boot = "";
  let held = []; // rows that came while paused, newest last

  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text) node.textContent = text;
    return node;
  };
  const time = (at) => new Date(at * 1000).toISOString();
  const say = (text, mood) => { state.textContent = text; state.className = mood; };

  function row(line) {
    const item = make("li", "tone-" + line.tone);
    item.dataset.kind = line.kind;
    item.hidden = !shown.has(line.kind);
    const moment = make("time", "", time(line.at).slice(11, 19));
    moment.dateTime = time(line.at);
    moment.title = "UTC";
    const who = make(line.key ? "a" : "span", "who", line.customer);
    if (line.key) who.href = "/customers/" + encodeURIComponent(line.key);
    who.title = line.customer;
    item.append(moment, make("span", "pill", line.label), who, make("span", "text", line.text));
    if (line.tone === "sent" && line.trigger) {
      const mail = make("a", "", "the mail");
      mail.href = "/inbox?trigger=" + encodeURIComponent(line.trigger);
      item.lastChild.append(" ", mail);
    }
    return item;
  }

  function put(rows) {
    feed.prepend(...rows.reverse());
    while (feed.childElementCount > ROWS) feed.lastElementChild.remove();
  }

  // One change of the page for all lines of a moment, however many they are.
  let fresh = [];
  let drawing = false;
  function add(item) {
    if (paused()) {
      held.push(item);
      if (held.length > ROWS) held.shift();
      say(`paused, ${held.length}${held.length === ROWS ? "+" : ""} new`, "");
      return;
    }
    fresh.push(item);
    if (fresh.length > ROWS) fresh.shift();
    if (!drawing) {
      drawing = true;
      setTimeout(() => { drawing = false; put(fresh); fresh = []; }, 50);
    }
  }

  const paused = () => pause.getAttribute("aria-pressed") === "true";
  pause.addEventListener("click", () => {
    const now = !paused();
    pause.setAttribute("aria-pressed", String(now));
    pause.textContent = now ? "Resume" : "Pause";
    say(now ? "paused" : "live", now ? "" : "on");
    if (!now) { put(held); held = []; }
  });
  for (const box of document.querySelectorAll("#filters input")) {
    const apply = () => {
      if (box.checked) shown.add(box.name); else shown.delete(box.name);
      for (const item of feed.children) if (item.dataset.kind === box.name) item.hidden = !box.checked;
    };
    box.addEventListener("change", apply);
    apply();
  }

  const source = new EventSource("/api/stream");
  const on = (name, work) => source.addEventListener(name, (event) => work(JSON.parse(event.data)));
  on("hello", (data) => {
    if (boot && boot !== data.boot) feed.replaceChildren();
    boot = data.boot;
    if (!paused()) say("live", "on");
  });
  on("line", (line) => add(row(line)));
  on("lost", (data) => {
    const item = make("li", "lost", `${number.format(data.lines)} older lines passed over`);
    add(item);
  });
  on("source", (data) => {
    if (!paused()) say(data.connected ? "live" : "waiting for Kafka", data.connected ? "on" : "off");
  });
  on("counts", (data) => {
    for (const [name, value] of Object.entries(data.counts)) {
      const cell = document.getElementById("count-" + name);
      if (cell) cell.textContent = number.format(value);
    }
    document.getElementById("count-events").textContent = number.format(data.rate);
    document.getElementById("note-events").textContent = `now; ${number.format(data.counts.events)} while somebody looked`;
  });
  source.onerror = () => say("connection lost, trying again", "off");
})();
