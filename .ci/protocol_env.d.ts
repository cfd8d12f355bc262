// All that src/protocol may know of the world beyond the language: no clock, no timers, no
// randomness from outside, no network, no Deno. What is not declared here does not type-check.

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: Uint8Array, options?: { stream?: boolean }): string;
}

interface ReadableStream<R = unknown> {
  readonly locked: boolean;
}

interface WritableStream<W = unknown> {
  readonly locked: boolean;
}

interface TransformStreamDefaultController<O> {
  enqueue(chunk: O): void;
  error(reason: unknown): void;
  terminate(): void;
}

declare class TransformStream<I = unknown, O = unknown> {
  constructor(transformer?: {
    transform?(chunk: I, controller: TransformStreamDefaultController<O>): void | PromiseLike<void>;
    flush?(controller: TransformStreamDefaultController<O>): void | PromiseLike<void>;
  });
  readonly readable: ReadableStream<O>;
  readonly writable: WritableStream<I>;
}
