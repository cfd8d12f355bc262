/**
 * The picture at the top of the page: the way from the browser over Causeway to
 * the XMPP server, a lane for each person, and what has gone over it so far.
 */

const counts = { "round-trips": 0, "websocket-messages": 0, "stanzas-up": 0, "stanzas-down": 0 };

/** Shows whether somebody's lane is open, and by which transport. */
export function showLane(name, state, transport) {
  for (const lane of lanesOf(name)) {
    lane.dataset.state = state;
    const label = lane.querySelector("[data-lane-name]");
    if (label !== null) label.textContent = transport;
  }
}

/**
 * Counts an entry of the wire log, and lets a dot run along the lane: to the XMPP
 * server when it hears of it too.
 */
export function showPassage(name, { transport, direction, stanzas, payloads }) {
  if (transport === "websocket") counts["websocket-messages"]++;
  else if (direction === "down") counts["round-trips"]++;
  counts[`stanzas-${direction}`] += stanzas;
  for (const [count, value] of Object.entries(counts)) {
    document.querySelector(`[data-count=${count}]`).textContent = String(value);
  }
  const lanes = lanesOf(name);
  for (const lane of payloads.length > 0 ? lanes : lanes.slice(0, 1)) {
    if (lane.childElementCount > 8) continue;
    const dot = document.createElement("i");
    dot.className = direction;
    dot.addEventListener("animationend", () => dot.remove());
    lane.append(dot);
  }
}

/** Somebody's lanes, the browser's first. */
function lanesOf(name) {
  return [...document.querySelectorAll(`.lane[data-lane=${name}]`)];
}
