/** What counts as serving a request, and what as holding it, by a clock that the test holds. */
import assert from "node:assert/strict";
import type { Answer } from "../../src/server/exchange.ts";
import { ConnectionManager } from "../../src/manager.ts";
import type { Metrics } from "../../src/metrics.ts";
import { FakeConnector } from "../support/fake_connector.ts";
import { FakeExchange } from "../support/fake_exchange.ts";
import { valueOf } from "../support/exposition.ts";
import { configOf } from "../support/manager.ts";
import { TestClock } from "../support/test_clock.ts";

/** A request whose body is there. */
class Post extends FakeExchange {
  readonly #body: string;
  /** Is called when the answer is written. */
  onAnswer = () => {};
  readonly #answered = Promise.withResolvers<string>();

  constructor(attributes: string, content = "") {
    super({ method: "POST", path: "/http-bind" });
    this.#body =
      `<body xmlns='http://jabber.org/protocol/httpbind' ${attributes}>${content}</body>`;
  }

  override readBody(_max: number, take: (bytes: Uint8Array) => void): void {
    take(new TextEncoder().encode(this.#body));
  }

  override respond(answer: Answer): void {
    super.respond(answer);
    this.onAnswer();
    this.#answered.resolve(new TextDecoder().decode(answer.body as Uint8Array));
  }

  get answer(): Promise<string> {
    return this.#answered.promise;
  }
}

/** Sums (milliseconds) and counts so far. */
function timesOf(metrics: Metrics) {
  const families = metrics.families();
  const of = (name: string, labels = {}) => ({
    sum: Math.round(1_000 * valueOf(families, `${name}_sum`, labels)),
    count: valueOf(families, `${name}_count`, labels),
  });
  return {
    service: of("causeway_request_service_seconds", { endpoint: "bosh" }),
    hold: of("causeway_request_hold_seconds"),
  };
}

Deno.test("a request is served until it is held, and from when there is something to say", async () => {
  const clock = new TestClock();
  const connector = new FakeConnector();
  const manager = new ConnectionManager({
    config: configOf("[limits]\nunauthenticated_time = 3_600"),
    clock,
    // To open a stream takes 20 ms, and to send to it 7.
    connector: {
      open(request, events) {
        clock.advance(20);
        const upstream = connector.open(request, events);
        const send = upstream.send.bind(upstream);
        upstream.send = (content) => {
          clock.advance(7);
          send(content);
        };
        return upstream;
      },
    },
    // A stanza that comes down takes 3 ms, when its client acknowledges.
    onEvent: (event) => {
      if (event.type === "responses-acknowledged") clock.advance(3);
    },
  });
  connector.onOpen = (upstream) => upstream.opened();
  const metrics = await manager.metrics();
  const handle = manager.handler(["bosh"]);
  const post = (attributes: string, content?: string) => {
    const request = new Post(attributes, content);
    assert.equal(handle(request), undefined);
    return request;
  };
  const creation = post("rid='1' to='example.test' wait='60' hold='1' ver='1.6' ack='1'");
  await Promise.resolve();
  await Promise.resolve();
  clock.advance(1_500);
  assert.deepEqual(timesOf(metrics), { service: { sum: 0, count: 0 }, hold: { sum: 0, count: 0 } });
  connector.last.say("<stream:features/>");
  const [, sid] = /sid='([^']+)'/.exec(await creation.answer)!;
  const created = timesOf(metrics);
  assert.deepEqual(created, { service: { sum: 20, count: 1 }, hold: { sum: 1_500, count: 1 } });

  // Held, and then pushed out by another request, which took 3 + 7 ms until it did so.
  post(`rid='2' sid='${sid}'`);
  clock.advance(400);
  post(`rid='3' sid='${sid}' ack='1'`, "<message xmlns='jabber:client'/>");
  assert.deepEqual(timesOf(metrics), {
    service: { sum: 20 + 10, count: 2 },
    hold: { sum: 1_500 + 400, count: 2 },
  });

  // Held until its wait is over, which began with its turn.
  clock.advance(59_800);
  assert.deepEqual(timesOf(metrics), {
    service: { sum: 30 + 10, count: 3 },
    hold: { sum: 1_900 + 59_790, count: 3 },
  });
  // Never held.
  post("rid='4' sid='unknown'");
  assert.deepEqual(timesOf(metrics).hold.count, 3);
  assert.deepEqual(timesOf(metrics).service, { sum: 40, count: 4 });
});

Deno.test("nothing is timed until somebody wants the metrics, and all is counted", async () => {
  const clock = new TestClock();
  let asked = 0;
  const precise = () => {
    asked++;
    return clock.now();
  };
  const watched = { now: () => clock.now(), after: clock.after.bind(clock), precise };
  const config = configOf("");
  const manager = new ConnectionManager({ config, clock: watched, connector: new FakeConnector() });
  const handle = manager.handler(["bosh"]);
  const create = async () => {
    const request = new Post("rid='1' to='example.test' wait='60' hold='1' ver='1.6'");
    handle(request);
    await request.answer;
  };
  await create();
  assert.equal(asked, 0);
  const metrics = await manager.metrics();
  const answered = { endpoint: "bosh", outcome: "answered" };
  assert.equal(valueOf(metrics.families(), "causeway_requests_total", answered), 1);
  assert.equal(timesOf(metrics).service.count, 0);
  await create();
  assert.ok(asked > 0);
  assert.equal(timesOf(metrics).service.count, 1);
  assert.equal(timesOf(metrics).hold.count, 1);
});
