/**
 * The few things that this page does with the document. Strangers choose user agents, domains and
 * stanzas, so text gets in by `textContent` and text nodes alone.
 */

export function find(selector, within = document) {
  return within.querySelector(selector);
}

/** An element; `children` are elements and texts. Names of elements and attributes are this page's own. */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.map((child) => typeof child === "object" ? child : String(child)));
  return made;
}

/** Changes what is there only where it differs: what somebody has selected stays selected. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Says a change to those who do not see it. */
export function announce(text) {
  const place = find("[data-announcement]");
  // The same words again would not be said.
  place.textContent = place.textContent === text ? `${text}\u00a0` : text;
}

/** Makes the children of `parent` be those of `items`, in their order; what is there already stays itself. */
export function arrange(parent, items) {
  items.forEach((item, index) => {
    const there = parent.children[index];
    if (there !== item) parent.insertBefore(item, there ?? null);
  });
  while (parent.children.length > items.length) parent.lastElementChild.remove();
}
