// What a shop's own script tells: GA4's dataLayer on most pages, the tracker's helpers on others.
(() => {
  "use strict";
  window.dataLayer = window.dataLayer || [];
  window.boomerang = window.boomerang || [];
  const data = JSON.parse(document.getElementById("data").textContent);
  const item = (p) => ({item_id: p.product_id, item_name: p.name, price: p.price, item_category: p.category, quantity: p.quantity,
    url: p.url, image_url: p.image_url});
  const ga4 = (event, products, more) => dataLayer.push({
    event, ecommerce: Object.assign({currency: data.currency, items: products.map(item)}, more),
  });

  if (data.customer) boomerang.push(["identify", data.customer]);
  const pages = {
    product: () => ga4("view_item", data.products),
    category: () => ga4("view_item_list", data.products, {item_list_name: data.category}),
    search: () => boomerang.push(["search", data.query, data.products]),
    cart: () => boomerang.push(["cart", data.products]),
    order: () => dataLayer.push({ecommerce: {currencyCode: data.currency, purchase: { // in Yandex's words
      actionField: {id: data.order_id, revenue: data.total},
      products: data.products.map((p) => ({id: p.product_id, name: p.name, price: p.price, category: p.category, quantity: p.quantity})),
    }}}),
  };
  if (pages[data.page]) pages[data.page]();

  document.addEventListener("submit", (event) => {
    const form = event.target, product = data.products.find((p) => p.product_id === form.dataset.product);
    if (form.dataset.action === "add") ga4("add_to_cart", [Object.assign({}, product, {quantity: 1})]);
    if (form.dataset.action === "remove") boomerang.push(["remove", product, product.quantity]);
    // The back end must know which visitor filled in the form.
    if (form.elements.anonymous_id && boomerang.user) form.elements.anonymous_id.value = boomerang.user().anonymousId();
  });
})();
