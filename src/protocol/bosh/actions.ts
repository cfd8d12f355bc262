import type { StreamOpening } from "../stream/c2s.ts";
import type { Payload } from "../xml/payload.ts";
import type { CreationRequest, StreamRequest } from "./body.ts";
import type { TerminalCondition } from "./conditions.ts";
import type { ContentAssembler } from "./content_assembler.ts";
import type { BoshLimits } from "./negotiation.ts";
import type { StreamAttributes } from "../stream/stream_attributes.ts";
import type { RequestId } from "./window.ts";

/** What the session asks of the shell, in order; `stream` is a name that it gave out. */
export type BoshAction =
  | {
    readonly type: "respond";
    readonly request: RequestId;
    /** 200, but for clients from before binding conditions (XEP-0124 §17.1). */
    readonly status: number;
    readonly body: Uint8Array<ArrayBuffer>;
  }
  | { readonly type: "open-stream"; readonly stream: string; readonly opening: StreamOpening }
  | {
    readonly type: "restart-stream";
    readonly stream: string;
    readonly attributes: StreamAttributes | undefined;
  }
  /** `count`: how many payloads of the client's that is; missing: none is. */
  | {
    readonly type: "send";
    readonly stream: string;
    readonly content: Uint8Array;
    readonly count?: number;
  }
  /** `clean`: with `</stream:stream>`; otherwise the server may keep the session for resumption. */
  | { readonly type: "close-stream"; readonly stream: string; readonly clean: boolean }
  /** Back-pressure: whether the upstream may be read. */
  | { readonly type: "flow"; readonly stream: string; readonly open: boolean }
  /** The client says that it has the responses up to this one (§9.2). */
  | { readonly type: "acknowledged"; readonly rid: number }
  /** They never reached the client. */
  | { readonly type: "undelivered"; readonly payloads: readonly Payload[] }
  /** Comes last; `condition` is missing when the session ended in good order. */
  | {
    readonly type: "ended";
    readonly condition: TerminalCondition | undefined;
    readonly reason: string;
    /** The limit that was met, if that ended it. */
    readonly limit: LimitMet | undefined;
  };

/** A limit that ends sessions, by its key. */
export type LimitMet =
  | "limits.queued_bytes"
  | "limits.unauthenticated_bytes"
  | "limits.unauthenticated_time";

/** What a session cannot know by itself. */
export interface SessionInit {
  readonly sid: string;
  readonly creation: CreationRequest;
  readonly limits: BoshLimits;
  /** Where the first stream goes, as the shell decided. */
  readonly opening: StreamOpening;
  /** Of a session by script syntax: what reads its requests (XEP-0252). */
  readonly assembler?: ContentAssembler | undefined;
  /** The client writes `to` on every request, so there it asks for nothing (§16.2). */
  readonly writesToAlways: boolean;
  /** Whether a further stream may be opened, and where it goes. */
  readonly chooseStream: (request: StreamRequest) => StreamChoice;
  /** An unpredictable name (§16.2). */
  readonly nameStream: () => string;
  /** Hears that a request was repeated; missing: nobody does. */
  readonly repeated?: (() => void) | undefined;
  /** The digest of a text's UTF-8 as hexadecimal digits (§15). */
  readonly sha1: (text: string) => string;
}

/** What of it a session needs as long as it lives. */
export type SessionBasis = Omit<SessionInit, "creation" | "opening"> & {
  readonly creationRid: number;
  /** The client is from before `ver` (XEP-0124 §17.1). */
  readonly isLegacy: boolean;
};

export type StreamChoice =
  | { readonly type: "open"; readonly opening: StreamOpening }
  | { readonly type: "refused"; readonly condition: TerminalCondition; readonly reason: string };
