/** How binding an entry is: what the specification says, or what was decided where it is silent. */
export type Level = "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "MAY" | "decided" | "note";

export interface Entry {
  readonly id: string;
  readonly level: Level;
  /** What it is about, in a few words. */
  readonly title: string;
  /** Why no test covers it, or a part of it. */
  readonly reason?: string;
}

export interface Section {
  readonly title: string;
  readonly entries: readonly Entry[];
}

export function must(id: string, title: string, reason?: string): Entry {
  return entry(id, "MUST", title, reason);
}

export function mustNot(id: string, title: string, reason?: string): Entry {
  return entry(id, "MUST NOT", title, reason);
}

export function should(id: string, title: string, reason?: string): Entry {
  return entry(id, "SHOULD", title, reason);
}

export function shouldNot(id: string, title: string, reason?: string): Entry {
  return entry(id, "SHOULD NOT", title, reason);
}

export function may(id: string, title: string, reason?: string): Entry {
  return entry(id, "MAY", title, reason);
}

export function decided(id: string, title: string, reason?: string): Entry {
  return entry(id, "decided", title, reason);
}

export function note(id: string, title: string, reason?: string): Entry {
  return entry(id, "note", title, reason);
}

function entry(id: string, level: Level, title: string, reason?: string): Entry {
  return { id, level, title, ...(reason === undefined ? {} : { reason }) };
}
