/* Boomerang's tracker: docs/tracker.md. At most 5 KB gzipped. Apache-2.0 */
try { (() => {
  "use strict";
  if ((window.boomerang || {}).initialized) return;
  const DNT = ""; // the collector's setting
  const PREFIX = "boomerang.", QUEUE = PREFIX + "q.", BATCH_MS = 300, ADOPT_MS = 1e4, TWIN_MS = 2e3, WAIT_MS = 3e5;
  const EVENTS = 100, LINES = 100, TEXT = 500, EVENT_BYTES = 3e4, BATCH_BYTES = 6e4;

  const quiet = (work) => (...words) => {
    try { return work(...words); } catch (error) { /* the page comes first */ }
  };
  const script = document.currentScript || document.querySelector("script[data-key]");
  const option = (name) => script.getAttribute("data-" + name);
  const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");

  // Personal data stays here: by its key, in a query, in a text.
  const clean = (key, value) => /e-?mail|phone|passw/i.test(key) ? undefined
    : typeof value === "string" ? value.slice(0, TEXT)
      .replace(/([?&][^=&#]*(mail|phone|tel|passw|token)[^=&#]*=)[^&#]*/gi, "$1")
      .replace(/[^\s@/?&=]{1,64}(@|%40)(?!\dx)[^\s@/?&]{1,64}\.[a-z]{2,}|\+\d[\d\s().-]{8,}\d/gi, "")
    : Array.isArray(value) ? value.slice(0, LINES) : value;

  const load = (name) => quiet(() => localStorage.getItem(PREFIX + name))()
    || quiet(() => decodeURIComponent(document.cookie.match(PREFIX + name + "=([^;]+)")[1]))();
  const save = quiet((name, value) => {
    try {
      if (value) localStorage.setItem(PREFIX + name, value);
      else localStorage.removeItem(PREFIX + name);
    } catch (error) {
      document.cookie = PREFIX + name + "=" + encodeURIComponent(value) + ";path=/;samesite=lax;max-age=" + (value ? 3e7 : 0);
    }
  });
  const stored = () => Object.keys(localStorage).filter((key) => key.startsWith(QUEUE)).sort().map((key) => ({id: key.slice(QUEUE.length)}));
  const forget = (items) => items.forEach((item) => save("q." + item.id));

  const snippet = /analytics\.js\/v1\/([^/]+)/.exec(script.src);
  const writeKey = option("key") || snippet && decodeURIComponent(snippet[1]);
  const address = script.src.replace(/\/(analytics\.js\/.*|[^/]*$)/, "/v1/batch");
  const required = option("consent") === "required";
  const silent = !writeKey || (option("dnt") || DNT) === "respect"
    && (navigator.doNotTrack === "1" || navigator.globalPrivacyControl);

  let consent = silent ? "0" : load("consent"), anonymous = load("id") || random(), user = load("user");
  let queue = [], sending = [], held = [], failures = 0, timer = 0, lasting = true, stamp = 0;
  const here = () => location.href.split("#")[0];
  let href = here(), referrer = document.referrer;
  const active = () => consent === "1" || consent !== "0" && !required;

  // Each event is stored under its own key until it has arrived: tabs cannot harm each other.
  const bytes = (text) => new Blob([text]).size;
  const later = (wait) => { timer = timer || setTimeout(flush, wait); };
  const enqueue = (event) => {
    event.anonymousId = anonymous;
    let text = JSON.stringify(event, clean);
    if (bytes(text) > EVENT_BYTES) text = JSON.stringify(event, (key, value) => clean(key, key === "products" ? value.slice(0, 9) : value));
    queue = queue.concat({id: event.messageId, text}).slice(-EVENTS);
    try {
      localStorage.setItem(QUEUE + event.messageId, text);
      forget(stored().slice(0, -EVENTS));
    } catch (error) { lasting = false; }
    later(BATCH_MS);
  };
  const adopt = quiet(() => stored().forEach(({id}) => { // left by an earlier page
    const text = localStorage.getItem(QUEUE + id);
    if (Math.abs(Date.now() - parseInt(id, 36)) < ADOPT_MS || queue.concat(sending).some((item) => item.id === id)) return;
    if (quiet(() => JSON.parse(text).messageId)() !== id) return save("q." + id);
    queue.push({id, text});
    later(BATCH_MS);
  }));
  const take = () => {
    let size = 500, count = 0;
    while (count < queue.length && (size += bytes(queue[count].text)) < BATCH_BYTES) count++;
    return queue.splice(0, count || 1);
  };
  const body = (items) => JSON.stringify({writeKey, sentAt: new Date(), context: {library: {name: "boomerang.js", version: "1"}}})
    .slice(0, -1) + ',"batch":[' + items.map((item) => item.text) + "]}";
  const flush = async () => {
    timer = 0;
    if (sending.length || !queue.length || !active()) return;
    const items = sending = take();
    let wait = 0;
    try {
      const answer = await fetch(address, {method: "POST", body: body(items), keepalive: true, credentials: "omit"});
      if (answer.status > 499 || answer.status === 429) wait = answer.headers.get("Retry-After") * 1e3 || 1;
    } catch (error) { wait = 1; }
    sending = [];
    if (!active()) return;
    if (wait) {
      wait = Math.min(WAIT_MS, Math.max(wait, 500 * (1 + Math.random()) * 2 ** failures++));
      queue = items.concat(queue).slice(-EVENTS);
    } else {
      failures = 0;
      forget(items);
    }
    clearTimeout(timer);
    timer = 0;
    if (queue.length) later(wait);
  };
  const leave = quiet(() => { // a beacon has no answer: in doubt leave it to the next page
    scan();
    while (queue.length && active() && !(lasting && (failures || !navigator.onLine))) {
      const items = take();
      if (!navigator.sendBeacon(address, body(items))) {
        queue = items.concat(queue);
        return;
      }
      forget(items);
    }
  });

  const emit = (type, fields) => {
    const event = Object.assign({
      type, messageId: (stamp = Math.max(stamp + 1, Date.now())).toString(36) + "-" + random(), userId: user, timestamp: new Date(),
      context: {
        page: {url: here(), path: location.pathname, title: document.title, referrer},
        locale: navigator.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      },
    }, fields);
    if (active()) enqueue(event);
    else if (consent !== "0") held = held.concat(event).slice(-EVENTS);
  };
  const keep = (name, value) => active() && save(name, value);
  const renew = () => keep("id", anonymous = random());

  // The words of a helper, of GA4's layer and of Yandex's.
  const VIEW = "Product Viewed", LIST = "Product List Viewed", SEARCH = "Products Searched", ADD = "Product Added", WISH = ADD + " to Wishlist";
  const REMOVE = "Product Removed", CART = "Cart Viewed", ORDER = "Order Completed";
  const WORDS = {
    __proto__: null, view_item: VIEW, detail: VIEW, view_item_list: LIST, impressions: LIST, search: SEARCH, view_search_results: SEARCH,
    add_to_cart: ADD, add_to_wishlist: WISH, add: ADD, remove_from_cart: REMOVE, remove: REMOVE, view_cart: CART, purchase: ORDER,
  };
  const said = {};
  let orders = (load("orders") || "").split("\n");

  const word = (value) => value ? String(value) : undefined;
  const number = (value) => parseFloat(String(value).replace(/\s/g, "").replace(",", "."));
  const absolute = quiet((url) => url && new URL(url, location).href);
  const line = (p) => ({
    product_id: word(p.product_id || p.item_id || p.id || p.name), name: p.name || p.item_name, price: number(p.price),
    quantity: number(p.quantity) || undefined, category: p.category || p.item_category, brand: p.brand || p.item_brand,
    url: absolute(p.url), image_url: absolute(p.image_url),
  });
  const shop = (source, event, items, about = {}) => {
    const products = [].concat(items || []).slice(0, LINES).filter(Boolean).map(line).filter((p) => p.product_id), first = products[0] || {};
    const order_id = word(about.order_id || about.transaction_id || about.id), query = word(about.query || about.search_term);
    const sign = event + (order_id || query || products.map((p) => p.product_id));
    if (said[sign] && (query || said[sign] !== source) || orders.includes(order_id)) return; // two layers, one click
    said[sign] = source;
    setTimeout(() => delete said[sign], TWIN_MS);
    const fields = {currency: about.currency || about.currencyCode};
    if (event === LIST) fields.category = about.category || products.every((p) => p.category === first.category) && first.category || about.item_list_name;
    if (event === SEARCH) Object.assign(fields, {query, results: typeof about.results === "number" ? about.results : products.length});
    if (event === ORDER) {
      if (order_id) keep("orders", (orders = orders.slice(-9).concat(order_id)).join("\n"));
      fields.order_id = order_id;
      fields.total = number(about.total || about.value || about.revenue)
        || products.reduce((total, p) => total + p.price * (p.quantity || 1), 0);
    }
    if (event === VIEW && !products[1]) { // the way back, for the mail
      const canonical = document.querySelector("link[rel=canonical]"), image = document.querySelector('[property="og:image"]');
      first.url = first.url || (canonical || location).href;
      first.image_url = first.image_url || image && absolute(image.content) || undefined;
    }
    if ([VIEW, ADD, WISH, REMOVE].includes(event)) {
      products.forEach((p) => track(event, Object.assign(p, fields)));
    } else track(event, Object.assign({products}, fields));
  };
  const track = (event, properties) => emit("track", {event, properties});

  const seen = new WeakSet();
  let layer;
  const see = quiet((entry) => {
    seen.add(entry);
    const gtag = entry[0] === "event", commerce = entry.ecommerce || {};
    const event = WORDS[gtag ? entry[1] : entry.event], about = gtag ? entry[2] : Object.assign({}, entry, commerce);
    if (event && (about.items || about.transaction_id || about.search_term)) shop("ga4", event, about.items, about);
    else for (const verb in commerce) {
      const part = commerce[verb];
      if (WORDS[verb]) shop("yandex", WORDS[verb], part.products || part, Object.assign({}, commerce, part.actionField));
    }
  });
  const scan = quiet(() => { // repeated: the page may replace the layer
    const name = option("layer") || "dataLayer";
    if (name === "off") return;
    const list = window[name] = window[name] === undefined ? [] : window[name];
    list.filter((entry) => !seen.has(entry)).forEach(see);
    if (list === layer) return;
    layer = list;
    const push = list.push;
    list.push = function (...entries) {
      const result = push.apply(this, entries);
      entries.forEach(see);
      return result;
    };
  });

  const api = {initialized: true, push(...calls) { calls.forEach(replay); }};
  const offer = (name, method) => {
    api[name] = (...words) => {
      words = words.filter((item) => !item || item.__t !== "bpc"); // of Segment's snippet
      words.forEach((item) => typeof item === "function" && setTimeout(item));
      scan();
      return quiet(method)(...words) || api;
    };
  };
  const replay = quiet((call) => api[call[0]](...Array.from(call).slice(1)));
  const methods = {
    track,
    page(...words) {
      const names = words.filter((item) => typeof item === "string");
      emit("page", {name: names.pop(), properties: words.find((item) => typeof item === "object")});
    },
    view(product) { shop(PREFIX, VIEW, product); },
    list(category, products) { shop(PREFIX, LIST, products, {category}); },
    search(query, found) { shop(PREFIX, SEARCH, found, {query, results: found}); },
    add(product, quantity) { shop(PREFIX, ADD, Object.assign({}, product, quantity && {quantity})); },
    remove(product, quantity) { shop(PREFIX, REMOVE, Object.assign({}, product, quantity && {quantity})); },
    cart(products) { shop(PREFIX, CART, products); },
    order(order) { shop(PREFIX, ORDER, order.products, order); },
    identify(id, traits) {
      if (typeof id === "object") { traits = id; id = ""; }
      id = word(id);
      if (id && clean("", id) === id) { // an address is not an id
        if (user && user !== id) renew();
        keep("user", user = id);
      }
      emit("identify", {traits});
    },
    alias(id, previous) { emit("alias", {userId: word(id), previousId: word(previous || user || anonymous)}); },
    reset() { save("user", user = undefined); renew(); },
    consent(yes) {
      if (silent) return;
      consent = yes ? "1" : "0";
      if (yes) {
        save("consent", consent);
        save("id", anonymous);
        save("user", user);
        held.splice(0).forEach(enqueue);
        adopt();
      } else {
        ["id", "user", "orders", "consent"].forEach((name) => save(name));
        quiet(() => forget(stored()))();
        queue = held = [];
        user = undefined;
        anonymous = random();
        if (!required) save("consent", consent);
      }
    },
    optOut() { methods.consent(false); save("consent", "0"); },
    user() { return {id: () => user, anonymousId: () => anonymous}; },
  };
  const stand = (name) => { // in the place of the array of early calls
    const calls = window[name];
    if (calls && calls.methods) calls.methods.forEach((method) => api[method] || offer(method, () => {}));
    window[name] = api;
    if (Array.isArray(calls)) calls.forEach(replay);
  };
  for (const name in methods) offer(name, methods[name]);

  keep("id", anonymous);
  stand("boomerang");
  if (snippet) stand("analytics");
  adopt();
  setTimeout(adopt, ADOPT_MS);
  addEventListener("load", scan);
  addEventListener("online", () => {
    adopt();
    clearTimeout(timer);
    flush();
  });
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => document.hidden && !failures && flush());
  if (!snippet && option("auto") !== "off") {
    api.page();
    const push = history.pushState, arrive = () => setTimeout(quiet(() => { // the page sets its title first
      if (href === here()) return;
      referrer = href;
      href = here();
      api.page();
    }));
    history.pushState = function () {
      const result = push.apply(this, arguments);
      arrive();
      return result;
    };
    addEventListener("popstate", arrive);
  }
  scan();
})(); } catch (error) { /* the page comes first */ }
