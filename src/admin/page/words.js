/** Figures as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const calendar = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export function count(number) {
  return whole.format(number);
}

/** Three digits or so. */
export function figure(number) {
  const size = Math.abs(number);
  return (size >= 100 ? whole : size >= 10 ? tenths : hundredths).format(number);
}

export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; number >= 1024 && unit < units.length - 1; unit++) number /= 1024;
  return `${unit === 0 ? whole.format(number) : figure(number)} ${units[unit]}`;
}

/** Seconds, in its two biggest units. */
export function duration(seconds) {
  const rest = Math.max(0, Math.floor(seconds));
  const days = Math.floor(rest / 86_400);
  const hours = Math.floor(rest / 3600) % 24;
  const minutes = Math.floor(rest / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min ${rest % 60} s`;
  return `${rest} s`;
}

/** The time of day, and the day where it is another than today. */
export function moment(time) {
  const date = new Date(time);
  return (date.toDateString() === new Date().toDateString() ? clock : calendar).format(date);
}

export const TRANSPORTS = { bosh: "BOSH", websocket: "WebSocket" };

export const SESSION_STATES = {
  connecting: "connecting",
  open: "not logged in",
  authenticated: "logged in",
};
