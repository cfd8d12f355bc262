/** Why a request is not read: what to answer, before the connection is closed. */
export interface Refusal {
  readonly status: number;
  /** For the log and for people; holds nothing of what the client sent. */
  readonly reason: string;
}

/** All there are. */
export const REFUSALS = {
  METHOD: { status: 400, reason: "the request does not begin with a method" },
  LONG_METHOD: { status: 501, reason: "no method has so long a name" },
  CONNECT: { status: 501, reason: "this is no proxy" },
  TARGET: { status: 400, reason: "the request target is not one of HTTP" },
  LONG_TARGET: { status: 414, reason: "the request target is longer than the limit" },
  REQUEST_LINE: { status: 400, reason: "the request line does not end in an HTTP version" },
  VERSION: { status: 505, reason: "only HTTP/1.1 and HTTP/1.0 are spoken here" },
  LONG_HEAD: { status: 431, reason: "the header fields are longer than the limit" },
  MANY_FIELDS: { status: 431, reason: "there are more fields than the limit" },
  FIELD_NAME: { status: 400, reason: "a field's name is not a token with a colon behind it" },
  FIELD_VALUE: { status: 400, reason: "a field's value holds a control character" },
  FOLDED: { status: 400, reason: "a field goes on in the next line" },
  BARE_LF: { status: 400, reason: "a line ends without a carriage return" },
  BARE_CR: { status: 400, reason: "a carriage return stands inside a line" },
  NO_HOST: { status: 400, reason: "there is no Host" },
  HOST: { status: 400, reason: "Host is not a host, or there are several" },
  CONTENT_LENGTH: { status: 400, reason: "Content-Length is not one number" },
  HUGE: { status: 413, reason: "the body is longer than a number can say" },
  TWO_LENGTHS: { status: 400, reason: "there are both Content-Length and Transfer-Encoding" },
  NOT_CHUNKED: { status: 400, reason: "the last transfer coding is not chunked, or not only it" },
  CODING: { status: 501, reason: "no transfer coding but chunked is understood" },
  OLD_CODING: { status: 400, reason: "HTTP/1.0 has no transfer codings" },
  EXPECTATION: { status: 417, reason: "nothing but 100-continue can be expected" },
  LONG_BODY: { status: 413, reason: "the body is longer than the limit" },
  CHUNK_SIZE: { status: 400, reason: "a chunk does not begin with its size" },
  CHUNK_LINE: { status: 400, reason: "chunk extensions are longer than the limit, or not text" },
  CHUNK_END: { status: 400, reason: "a chunk does not end where it says" },
  LONG_TRAILER: { status: 431, reason: "the trailer fields are longer than the limit" },
} as const satisfies Readonly<Record<string, Refusal>>;
