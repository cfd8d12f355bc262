/** Where octets are written: `room` gives an array of just that size, whatever is in it. */
export interface Room {
  room(size: number): Uint8Array<ArrayBuffer>;
}

/** An array of its own every time. */
export const NEW_ROOM: Room = { room: (size) => new Uint8Array(size) };
