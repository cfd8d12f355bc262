/** Lists sessions: which fit, in which order, page by page. */
import type { InferOutput } from "valibot";
import { canonicalAddress } from "../config/address.ts";
import { domainKey } from "../config/domains.ts";
import { AddressRanges } from "../server/address_ranges.ts";
import type { Actor, Registry } from "../server/registry.ts";
import type { SessionDescription } from "../server/session_description.ts";
import type { Note, Notes } from "./notes.ts";
import { Problem } from "./problem.ts";
import type { SessionDetails, SessionList, SessionQuery, SessionView } from "./schemas.ts";
import type { Times } from "./times.ts";

export type SessionQuery = InferOutput<typeof SessionQuery>;
export type SessionView = InferOutput<typeof SessionView>;
export type SessionDetails = InferOutput<typeof SessionDetails>;
export type SessionList = InferOutput<typeof SessionList>;

/** Sessions that are looked at before anything else has its turn. */
const AT_ONCE = 500;

/** What a session is sorted by. Its name comes second, so that no two have one place. */
type Place = readonly [value: number | string, session: string];

export class Sessions {
  readonly #registry: Registry;
  readonly #notes: Notes;
  readonly #times: Times;

  constructor(registry: Registry, notes: Notes, times: Times) {
    this.#registry = registry;
    this.#notes = notes;
    this.#times = times;
  }

  /** One page of the sessions that fit; throws a {@link Problem}. */
  async list(query: SessionQuery): Promise<SessionList> {
    const { sort, limit, order = sort === "queued" ? "desc" : "asc" } = query;
    const after = query.cursor === undefined ? undefined : readCursor(query.cursor, sort, order);
    const sign = order === "asc" ? 1 : -1;
    const found: { readonly place: Place; readonly description: SessionDescription }[] = [];
    let total = 0;
    await this.#each(query, (description) => {
      total++;
      const place = placeOf(description, sort);
      if (after === undefined || sign * compare(place, after) > 0) {
        found.push({ place, description });
      }
    });
    found.sort((a, b) => sign * compare(a.place, b.place));
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      sessions: page.map(({ description }) => this.view(description)),
      next: last === undefined || found.length === page.length
        ? null
        : writeCursor(last.place, sort, order),
      total,
    };
  }

  async count(query: SessionQuery): Promise<number> {
    let count = 0;
    await this.#each(query, () => count++);
    return count;
  }

  /** How many there are of each transport. */
  byTransport(): { readonly bosh: number; readonly websocket: number; readonly total: number } {
    let bosh = 0;
    for (const { transport } of this.#registry.actors) if (transport === "bosh") bosh++;
    const { size: total } = this.#registry;
    return { bosh, websocket: total - bosh, total };
  }

  /** Those whose stream is up, by domain. */
  async openByDomain(): Promise<ReadonlyMap<string, number>> {
    const open = new Map<string, number>();
    await this.#each({}, ({ domain, state }) => {
      if (state !== "connecting") open.set(domain, (open.get(domain) ?? 0) + 1);
    });
    return open;
  }

  /** Throws a {@link Problem} when there is none of this name. */
  named(session: string): Actor {
    const actor = this.#registry.named(session);
    if (actor !== undefined) return actor;
    throw new Problem(
      404,
      "there is no such session; it may have ended, and GET /sessions lists all",
    );
  }

  /** Goes through all that fit, a few at a time. */
  async #each(
    query: Partial<SessionQuery>,
    visit: (description: SessionDescription) => void,
  ): Promise<void> {
    const fits = this.#filter(query);
    let looked = 0;
    for (const actor of this.#registry.actors) {
      if (++looked % AT_ONCE === 0) await new Promise((go) => setTimeout(go));
      const description = actor.describe();
      if (fits(description)) visit(description);
    }
  }

  #filter(query: Partial<SessionQuery>): (description: SessionDescription) => boolean {
    const { transport, state, minAge = 0, maxAge = Infinity } = query;
    const domain = query.domain === undefined ? undefined : domainKey(query.domain) ?? query.domain;
    const range = query.address === undefined ? undefined : readRange(query.address);
    const search = query.search?.toLowerCase();
    return (description) => {
      const { client, created, session } = description;
      if (domain !== undefined && description.domain !== domain) return false;
      if (transport !== undefined && client.transport !== transport) return false;
      if (state !== undefined && description.state !== state) return false;
      if (range !== undefined && !range.has(client.address)) return false;
      const age = this.#times.since(created);
      if (age < minAge || age > maxAge) return false;
      return search === undefined || contains(search, description, this.#notes.get(session));
    };
  }

  view(description: SessionDescription): SessionView {
    const { session, client, domain, state, isTls, created, heard, streams, held, up, down } =
      description;
    const note = this.#notes.get(session);
    return {
      session,
      transport: client.transport,
      state,
      domain,
      address: client.address,
      port: client.port,
      ...(note?.userAgent === undefined ? {} : { userAgent: note.userAgent }),
      tls: isTls,
      created: this.#times.iso(created),
      age: this.#times.since(created),
      idle: this.#times.since(heard),
      streams,
      held,
      queued: { up, down },
      upstream: note?.target ?? null,
    };
  }

  details(actor: Actor, traces: number): SessionDetails {
    const description = actor.describe();
    const { bosh, websocket, isScript = false, isLegacy = false } = description;
    const view = this.view(description);
    if (bosh === undefined) {
      return {
        ...view,
        framing: websocket!.framing,
        backedUp: websocket!.isBackedUp,
        traces,
      };
    }
    const { granted, expires } = bosh;
    return {
      ...view,
      wait: granted.wait / 1000,
      hold: granted.hold,
      requests: granted.requests,
      inactivity: granted.inactivity / 1000,
      polling: granted.polling / 1000,
      expires: expires === undefined ? null : Math.max(0, expires - this.#times.now()) / 1000,
      paused: bosh.isPaused,
      behindGap: bosh.behindGap,
      acks: granted.acks,
      version: granted.ver,
      script: isScript,
      legacy: isLegacy,
      streamManagement: bosh.hasStreamManagement,
      backedUp: bosh.isBackedUp,
      traces,
    };
  }
}

function contains(
  search: string,
  description: SessionDescription,
  note: Note | undefined,
): boolean {
  const { session, domain, client } = description;
  return [session, domain, client.address, note?.userAgent, note?.target]
    .some((text) => text !== undefined && text.toLowerCase().includes(search));
}

function readRange(written: string): AddressRanges {
  const [, host = "", bits] = /^([^/]+)(?:\/([0-9]{1,3}))?$/.exec(written) ?? [];
  const address = canonicalAddress(host);
  const most = address?.includes(":") ? 128 : 32;
  if (address !== undefined && Number(bits ?? most) <= most) {
    return new AddressRanges([`${address}/${bits ?? most}`]);
  }
  throw new Problem(400, "address is no IP address and no range; write 192.0.2.1 or 192.0.2.0/24");
}

/** The younger a session, the smaller its age: so its beginning counts backwards. */
function placeOf(description: SessionDescription, sort: SessionQuery["sort"]): Place {
  const { session, created, client, up, down } = description;
  switch (sort) {
    case "age":
      return [-created, session];
    case "queued":
      return [up + down, session];
    case "address":
      return [client.address, session];
    default:
      return sort satisfies never;
  }
}

function compare(a: Place, b: Place): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0;
}

function writeCursor(place: Place, ...order: string[]): string {
  const text = JSON.stringify([...order, ...place]);
  return new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });
}

function readCursor(cursor: string, ...order: string[]): Place {
  try {
    const bytes = Uint8Array.fromBase64(cursor, { alphabet: "base64url" });
    const [sort, direction, value, session] = JSON.parse(new TextDecoder().decode(bytes));
    const isPlace = (typeof value === "number") === (sort !== "address") &&
      ["number", "string"].includes(typeof value) && typeof session === "string";
    if (sort === order[0] && direction === order[1] && isPlace) return [value, session];
  } catch {
    // It is none of ours.
  }
  throw new Problem(400, "cursor is none of this list; begin again without it, or sort as before");
}
