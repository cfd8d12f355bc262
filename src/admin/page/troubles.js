import { get } from "./api.js";
import { arrange, find, make, setText } from "./dom.js";
import { count, moment } from "./words.js";

const HEALTH = { ok: "Healthy", failing: "Failing", unknown: "Not tried" };
const PHASES = {
  lookup: "looking up the name",
  tcp: "connecting",
  tls: "securing the connection (TLS)",
  stream: "opening the stream",
};
const TALLIES = [
  {
    key: "upstream",
    title: "XMPP servers not reached, by step",
    word: (phase) => PHASES[phase] ?? phase,
  },
  { key: "ended", title: "Sessions ended, by condition", word: (condition) => condition },
  { key: "limits", title: "Limits that have bitten", word: (limit) => limit },
];

/** XMPP servers by health, those that fail first. */
export async function lookAtUpstreams() {
  const { upstreams } = await get("upstreams");
  const order = ["failing", "unknown", "ok"];
  const sorted = upstreams.toSorted((one, other) =>
    order.indexOf(one.health) - order.indexOf(other.health) || other.open - one.open
  );
  find("[data-no-upstreams]").hidden = sorted.length > 0;
  find("[data-upstreams]").hidden = sorted.length === 0;
  find("[data-upstreams] tbody").replaceChildren(...sorted.map(upstreamRow));
}

function upstreamRow(upstream) {
  const { domain, target, open, health } = upstream;
  const sign = make("span", { class: "sign", "aria-hidden": "true" });
  return make(
    "tr",
    { role: "row", "data-health": health },
    cell({ "data-label": "Health" }, sign, HEALTH[health] ?? health),
    make("th", { role: "rowheader", scope: "row", "data-label": "Domain" }, domain),
    cell({ "data-label": "Server" }, target),
    cell({ class: "number", "data-label": "Streams" }, count(open)),
    cell({ class: "failure", "data-label": "Last failure" }, ...failureWords(upstream)),
  );
}

function failureWords({ health, lastFailed, failuresInARow, phase, reason }) {
  if (!lastFailed) return ["none"];
  const times = health === "failing" && failuresInARow > 1
    ? `${count(failuresInARow)} in a row, `
    : "";
  const step = phase ? `, ${PHASES[phase] ?? phase}` : "";
  const when = make("small", { class: "muted" }, `${times}last ${moment(lastFailed)}${step}`);
  return [make("span", {}, reason ?? "no reason is known"), when];
}

function cell(attributes, ...children) {
  return make("td", { role: "cell", ...attributes }, ...children);
}

/** What went wrong, counted by reason. */
export async function lookAtErrors(minutes, words) {
  const errors = await get("errors", { minutes });
  setText(find("[data-errors-range]"), `in ${words}`);
  const tables = TALLIES.filter(({ key }) => Object.keys(errors[key] ?? {}).length > 0)
    .map((tally) => tallyTable(tally, errors[tally.key]));
  find("[data-tallies]").replaceChildren(...tables);
  const recent = errors.recent ?? [];
  find("[data-no-errors]").hidden = tables.length > 0 || recent.length > 0;
  find("[data-recent]").hidden = recent.length === 0;
  const newest = recent.toSorted((one, other) => new Date(other.at) - new Date(one.at));
  showRecent(newest);
}

/** An item stays the same element for as long as it is there, so that nobody's place in the list is lost. */
const items = new Map();

function showRecent(recent) {
  const shown = recent.map(({ at, text }) => {
    const key = `${at} ${text}`;
    const item = items.get(key) ??
      make("li", {}, make("time", {}, moment(at)), " ", make("span", {}, text));
    items.set(key, item);
    return [key, item];
  });
  items.clear();
  for (const [key, item] of shown) items.set(key, item);
  arrange(find("[data-recent] ol"), [...items.values()]);
}

function tallyTable({ title, word }, counts) {
  const entries = Object.entries(counts).sort(([, one], [, other]) => other - one);
  const most = Math.max(...entries.map(([, number]) => number));
  const rows = entries.map(([name, number]) => {
    const bar = make("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", number / most);
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, word(name), bar),
      make("td", { class: "number" }, count(number)),
    );
  });
  return make(
    "table",
    { class: "tally" },
    make("caption", {}, title),
    make("tbody", {}, ...rows),
  );
}
