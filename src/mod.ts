/**
 * The embedder's door: a connection manager as a library.
 *
 * @module
 */
export type { Config, DomainConfig, UpstreamConfig } from "./config/config.ts";
export { type ConfigSources, loadConfig } from "./config/load.ts";
export { ConfigError } from "./config/mistakes.ts";
export { type Appointment, type Clock, type Sleeper, systemClock } from "./clock.ts";
export type { Controls, ReloadReport, ServiceState } from "./controls.ts";
export type { ManagerEvent } from "./events.ts";
export { ConnectionManager, type ManagerOptions } from "./manager.ts";
export type { Restart, StreamEnd, StreamHeader, StreamOpening } from "./protocol/stream/c2s.ts";
export type { Payload } from "./protocol/xml/payload.ts";
export { readPayloads } from "./protocol/xml/read_payloads.ts";
export { xmlStream } from "./protocol/xml/stream.ts";
export type { XmlItem, XmlLimits } from "./protocol/xml/tokenizer.ts";
export type {
  ClientInfo,
  Connector,
  Upstream,
  UpstreamEvents,
  UpstreamRequest,
} from "./upstream/connector.ts";
