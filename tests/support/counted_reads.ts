const READS = ["getUint8", "getUint16", "getUint32"] as const;

/** How many numbers `act` reads out of bytes, by any DataView: work that can be counted. */
export function countedReads(act: () => void): number {
  let count = 0;
  const natural = READS.map((name) => [name, DataView.prototype[name]] as const);
  for (const [name, read] of natural) {
    DataView.prototype[name] = function (this: DataView, ...args: [number, boolean?]) {
      count++;
      return read.apply(this, args);
    };
  }
  try {
    act();
  } finally {
    for (const [name, read] of natural) DataView.prototype[name] = read;
  }
  return count;
}
