/** What a client may make us hold, and do for nothing. */
export interface HttpLimits {
  /** Bytes of a request's head: request line, header fields and line ends. */
  readonly headBytes: number;
  /** Bytes of a request target. */
  readonly targetBytes: number;
  /** Header fields of a request, and trailer fields of its body. */
  readonly fields: number;
  /** Bytes of a line that gives a chunk's size, extensions among them. */
  readonly chunkLineBytes: number;
  /** Bytes of all chunk extensions of a body, and those of its trailer fields: both are dropped. */
  readonly trailerBytes: number;
  /** Requests handed out and not answered; nothing is read behind that many. */
  readonly requests: number;
}
