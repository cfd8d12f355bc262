import type { Restart } from "../protocol/stream/c2s.ts";
import { PIECE_COST } from "./outbox.ts";

/** What a client does before its stream is up, in order, for whichever place it will be. */
export class Early {
  readonly items: (Uint8Array | Restart)[] = [];
  /** Bytes, and what it costs to keep them. */
  size = 0;

  push(item: Uint8Array | Restart): void {
    this.items.push(item);
    this.size += PIECE_COST + (item instanceof Uint8Array ? item.length : 0);
  }

  /** Bytes of it that are the client's. */
  get contentBytes(): number {
    let sum = 0;
    for (const item of this.items) if (item instanceof Uint8Array) sum += item.length;
    return sum;
  }
}
