import { make, setText } from "./dom.js";
import { moment } from "./words.js";

/** Units of the drawing, which is stretched to its place. */
const WIDTH = 600;
const HEIGHT = 100;
/** Room above, for what says how high it is. */
const ROOM = 17;
/** Places that are drawn of a line: more would be a scribble. */
const PLACES = 150;

/**
 * Small charts over one span of time. What the pointer is at in one of them is shown in all, for what
 * happened at the same time belongs together.
 */
export class Charts {
  #charts;
  #moment;
  #points = [];
  #from = 0;
  #to = 1;
  #interval = 1;
  /** A time that is looked at; else the last one is shown. */
  #at;

  /** `kinds` is described at {@link Chart}; `momentPlace` says which time the figures are of. */
  constructor(place, momentPlace, kinds) {
    this.#moment = momentPlace;
    this.#charts = kinds.map((kind) => new Chart(kind));
    place.append(...this.#charts.map((chart) => chart.element));
    for (const { drawing } of this.#charts) {
      drawing.addEventListener("pointermove", (event) => {
        const box = drawing.getBoundingClientRect();
        const share = (event.clientX - box.left) / box.width;
        this.#lookAt(this.#from + share * (this.#to - this.#from));
      });
      for (const end of ["pointerleave", "pointercancel"]) {
        drawing.addEventListener(end, () => this.#lookAt(undefined));
      }
    }
  }

  /** `points` by time (`time`, milliseconds), one about every `interval` milliseconds. */
  show(points, { from, to, interval, words }) {
    this.#points = points.filter(({ time }) => time >= from);
    this.#from = from;
    this.#to = to;
    this.#interval = interval;
    for (const chart of this.#charts) chart.draw(this.#points, { from, to, interval, words });
    this.#showFigures();
  }

  #lookAt(time) {
    this.#at = time;
    this.#showFigures();
  }

  #showFigures() {
    const at = this.#at;
    const point = at === undefined ? this.#points.at(-1) : this.#nearest(at);
    const isPast = at !== undefined && point !== undefined;
    setText(this.#moment, isPast ? `at ${moment(point.time)}` : "now");
    const share = isPast ? (point.time - this.#from) / (this.#to - this.#from) : undefined;
    for (const chart of this.#charts) chart.showFigures(point, share);
  }

  /** Nothing, in a time when Causeway did not run. */
  #nearest(time) {
    let best;
    let distance = this.#interval;
    for (const point of this.#points) {
      const away = Math.abs(point.time - time);
      if (away <= distance) [best, distance] = [point, away];
    }
    return best;
  }
}

/**
 * One chart. Its kind has a `title`, `lines` (each a `name` and `of`, the figure of a point), `format`
 * for figures, `isStacked` where the lines add up, `isPeak` where the greatest of several points counts
 * and not their mean, `unit` that figures go by thousands of (bytes: 1024), and `least`, the least that
 * the whole height is.
 */
class Chart {
  element;
  drawing;
  #kind;
  #figures;
  #top;
  #range;
  #cursor;
  #shapes;

  constructor(kind) {
    this.#kind = kind;
    this.#figures = kind.lines.map(() => make("dd", {}, "…"));
    this.#top = make("span", { class: "top" });
    this.#range = make("p", { class: "range" });
    this.#cursor = shape("line", { y1: ROOM, y2: HEIGHT, class: "cursor" });
    this.#cursor.toggleAttribute("hidden", true);
    this.#shapes = kind.lines.map((_, index) => ({
      area: shape("path", { class: `area line-${index}` }),
      line: shape("path", { class: `line line-${index}` }),
    }));
    this.drawing = shape(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
      ...[0.5, 1].map((share) =>
        shape("line", {
          class: "grid",
          x1: 0,
          x2: WIDTH,
          y1: heightOf(share),
          y2: heightOf(share),
        })
      ),
      ...this.#shapes.map(({ area }) => area),
      ...this.#shapes.map(({ line }) => line),
      this.#cursor,
    );
    const legend = kind.lines.map(({ name }, index) =>
      make(
        "div",
        {},
        make(
          "dt",
          {},
          make("span", { class: `swatch line-${index}`, "aria-hidden": "true" }),
          name,
        ),
        this.#figures[index],
      )
    );
    this.element = make(
      "article",
      { class: "chart", "data-chart": kind.id },
      make("h3", {}, kind.title),
      make("dl", { class: "legend" }, ...legend),
      make("div", { class: "drawing" }, this.#top, this.drawing),
      this.#range,
    );
  }

  draw(points, { from, to, interval, words }) {
    const { lines, format, isStacked, isPeak, unit = 1000, least = 1, title } = this.#kind;
    const rows = points.map((point) => {
      let below = 0;
      const values = lines.map(({ of }) => of(point));
      return {
        time: point.time,
        values: isStacked ? values.map((value) => below += value) : values,
      };
    });
    const step = Math.max(interval, (to - from) / PLACES);
    const drawn = thinned(rows, step, isPeak ? Math.max : mean);
    const height = niceAbove(Math.max(least, ...drawn.flatMap(({ values }) => values)), unit);
    setText(this.#top, format(height));
    const place = (index, value) => {
      const x = (drawn[index].time - from) / (to - from) * WIDTH;
      return `${x.toFixed(1)} ${heightOf(value / height).toFixed(1)}`;
    };
    const runs = runsOf(drawn, step);
    lines.forEach((_, number) => {
      const { area, line } = this.#shapes[number];
      const draw = (close) =>
        runs.map((run) => {
          const upper = run.map((index) => place(index, drawn[index].values[number]));
          const path = `M${upper.join("L")}`;
          if (!close) return run.length === 1 ? `${path}h1` : path;
          const floor = (index) => isStacked && number > 0 ? drawn[index].values[number - 1] : 0;
          return `${path}L${
            run.toReversed().map((index) => place(index, floor(index))).join("L")
          }Z`;
        }).join("");
      line.setAttribute("d", draw(false));
      area.setAttribute("d", isStacked || lines.length === 1 ? draw(true) : "");
    });
    const tops = drawn.map(({ values }) => Math.max(...values));
    const together = isStacked ? " together" : "";
    const range = tops.length === 0
      ? `nothing yet in ${words}`
      : `${format(Math.min(...tops))} to ${format(Math.max(...tops))}${together} in ${words}`;
    setText(this.#range, range);
    const last = points.at(-1);
    const now = last === undefined
      ? ""
      : `${lines.map(({ name, of }) => `${name} ${format(of(last))}`).join(", ")} now; `;
    this.drawing.setAttribute("aria-label", `${title}: ${now}${range}`);
  }

  /** The figures of a point; `share` is where in time it is, when it is not the last. */
  showFigures(point, share) {
    const { lines, format } = this.#kind;
    lines.forEach(({ of }, index) =>
      setText(this.#figures[index], point === undefined ? "–" : format(of(point)))
    );
    this.#cursor.toggleAttribute("hidden", share === undefined);
    if (share === undefined) return;
    this.#cursor.setAttribute("x1", share * WIDTH);
    this.#cursor.setAttribute("x2", share * WIDTH);
  }
}

/** Numbers of the points that hang together: while Causeway did not run there is no line. */
function runsOf(points, step) {
  const runs = [];
  points.forEach(({ time }, index) => {
    const isNext = index > 0 && time - points[index - 1].time <= 2.5 * step;
    if (isNext) runs.at(-1).push(index);
    else runs.push([index]);
  });
  return runs;
}

/**
 * Points of so many milliseconds made one by `join`. Where one begins depends on the time alone, so that
 * the line keeps its shape as it moves on.
 */
function thinned(points, step, join) {
  const places = new Map();
  for (const { time, values } of points) {
    const place = Math.floor(time / step);
    if (places.has(place)) places.get(place).push(values);
    else places.set(place, [values]);
  }
  return [...places].map(([place, rows]) => ({
    time: (place + 0.5) * step,
    values: rows[0].map((_, index) => join(...rows.map((values) => values[index]))),
  }));
}

function mean(...values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The next round figure, in thousands of `unit`; a chart's height jumps seldom so. */
function niceAbove(value, unit) {
  const thousand = unit ** Math.floor(Math.log(value) / Math.log(unit));
  const power = thousand * 10 ** Math.floor(Math.log10(value / thousand));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((nice) => nice >= value);
}

function heightOf(share) {
  return HEIGHT - share * (HEIGHT - ROOM);
}

function shape(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
