import { Reference } from "./reference.ts";
import { StartTag } from "./start_tag.ts";
import { sameBytes } from "./text.ts";

/**
 * What reading one item needs to note. Between items there is nothing on it, so all scanners share
 * one, and only the scanner whose item a chunk's edge has cut has one to itself, up to its end.
 */
export class Bench {
  readonly tag = new StartTag();
  readonly reference = new Reference();
  /** Of each open element inside the root, at twice its depth: where its name starts and how long it is. */
  readonly names: number[] = [];

  /** Notes the name of the element at this depth, which the tag begins. */
  noteName(depth: number): void {
    const { elementStart, elementEnd } = this.tag;
    this.names[2 * depth] = elementStart;
    this.names[2 * depth + 1] = elementEnd - elementStart;
  }
}

let shared = new Bench();

/** The bench that nothing lies on. */
export function freeBench(): Bench {
  return shared;
}

/** An item stays on this bench: others get another one. */
export function keepBench(bench: Bench): void {
  if (bench === shared) shared = new Bench();
}

const encoder = new TextEncoder();
const USUAL_ROOTS = ["body", "stream:stream"].map((name) => encoder.encode(name));

/** A copy of a root's name; of those that nearly all have, the same one each time. */
export function rootName(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  for (const usual of USUAL_ROOTS) {
    if (usual.length === length && sameBytes(bytes, start, usual, 0, length)) return usual;
  }
  return bytes.slice(start, end);
}
